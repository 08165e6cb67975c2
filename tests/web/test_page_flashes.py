"""When a price flashes, in which colours, and when it does not; the clock is moved by hand."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.web.page_server import (
    LIVE_FEED,
    PageServer,
    advance,
    book,
    cell,
    frozen,
    quote,
    row,
    until,
    until_price,
)
from tests.web.page_steps import COLOURS, flashes, last_change, visible_symbols, watch_changes

pytestmark = pytest.mark.needs("chromium")


def test_a_flash_is_full_for_200_ms_and_half_for_200_ms(browser: Browser, server: PageServer) -> None:
    """A flash is full for 200 ms and half for 200 ms; another tick makes its step longer and restarts nothing."""
    with frozen(browser, server, book(30)) as visit:
        page = visit.page
        watch_changes(page, "S0000-USD")
        visit.service.update({"S0000-USD": {"last": 100.5}})
        until(visit, lambda: flashes(page) != [])
        advance(visit, 500)
        start, half, end = flashes(page)
        assert (start[1], half[1], end[1]) == (["flash-up"], ["flash-up", "half"], [])
        assert (half[0] - start[0], end[0] - start[0]) == (200, 400)

        page.evaluate("window.changes.length = 0")
        visit.service.update({"S0000-USD": {"last": 100.25}})
        until(visit, lambda: flashes(page) != [])
        advance(visit, 120)
        visit.service.update({"S0000-USD": {"last": 100.0}})
        until_price(visit, "S0000-USD", "100.00")
        second_tick = last_change(page)
        advance(visit, 220)
        visit.service.update({"S0000-USD": {"last": 99.5}})
        until_price(visit, "S0000-USD", "99.50")
        third_tick = last_change(page)
        advance(visit, 600)
        start, half, end = flashes(page)
        assert (start[1], half[1], end[1]) == (["flash-down"], ["flash-down", "half"], [])
        assert (half[0], end[0]) == (second_tick + 200, third_tick + 200)


def test_snapshots_scrolling_and_sorting_do_not_flash(browser: Browser, server: PageServer) -> None:
    """Snapshots, resumed updates, scrolling and re-sorting change numbers and places without any flash."""
    with frozen(browser, server, book(200)) as visit:
        page, service = visit.page, visit.service
        page.evaluate("""() => {
          window.flashed = 0;
          new MutationObserver((changes) => {
            window.flashed += changes.filter(({ target }) => target.matches(".flash-up, .flash-down")).length;
          }).observe(document.querySelector(".grid"), { subtree: true, attributeFilter: ["class"] });
        }""")

        def resume(_: dict[str, Any]) -> None:
            service.send_subscribed(resumed=True)
            service.update({"S0001-USD": {"last": 555.0}})

        service.quotes["S0000-USD"]["last"] = 444.0
        service.send({**service.hello(), "type": "snapshot", "quotes": service.quotes, "feeds": service.feeds})
        until_price(visit, "S0000-USD", "444.00")
        service.answer_subscribe = resume
        service.close()
        until_price(visit, "S0001-USD", "555.00")
        page.locator("#grid").evaluate("(grid) => { grid.scrollTop = 1500 }")
        until(visit, lambda: row(page, "S0060-USD").count() == 1)
        page.locator('.head-cell[data-column="last"] button').click()
        until(visit, lambda: row(page, "S0050-USD").count() == 0 or visible_symbols(page)[0] != "S0050-USD")
        assert page.evaluate("window.flashed") == 0
        page.locator("#grid").evaluate("(grid) => { grid.scrollTop = 0 }")
        until(visit, lambda: row(page, "S0001-USD").count() == 1)
        service.update({"S0001-USD": {"last": 556.0}})
        until(visit, lambda: int(page.evaluate("window.flashed")) > 0)


def test_no_flash_under_reduced_motion(browser: Browser, server: PageServer) -> None:
    """With reduced motion the arrow changes and nothing flashes."""
    with frozen(browser, server, book(30), reduced_motion="reduce") as visit:
        watch_changes(visit.page, "S0000-USD")
        visit.service.update({"S0000-USD": {"last": 100.5}})
        until(visit, lambda: cell(visit.page, "S0000-USD", "last").inner_text() == "▲\n100.50")
        assert flashes(visit.page) == []


LIGHT_UP = """() => document.querySelectorAll(".row:not([data-state])").forEach((row, i) => {
  const tick = ["flash-up", "flash-down", "flash-up half", "flash-down half"][i % 4].split(" ");
  row.querySelectorAll(".cell").forEach((cell) => {
    if (["last", "bid", "ask"].includes(cell.dataset.column)) cell.classList.add(...tick);
  });
})"""


def test_flashes_stay_below_the_threshold_and_text_has_contrast(browser: Browser, server: PageServer) -> None:
    """No flash reaches the general flash threshold; text has 4.5:1 and controls 3:1 on every background."""
    states = ["live"] * 4 + ["stale", "halted"]
    cases = list(itertools.product((0, -0.8, 0.8, -9, 9), states))
    quotes = {
        f"S{i:04d}-USD": quote(
            last=100, bid=99, ask=101, low=50, high=150, open=90, quote_volume=1e9 - i, name="Name",
            change_pct=change, state=state, source="alpha",
        )
        for i, (change, state) in enumerate(cases)
    }  # fmt: skip
    with frozen(browser, server, quotes, "?theme=dark", viewport={"width": 1440, "height": 1100}) as visit:
        page, service = visit.page, visit.service
        stale: dict[str, Any] = {"state": "stale", "kind": "simulated"}
        feeds = {"alpha": stale, "gamma": LIVE_FEED | {"state": "down"}}
        service.update({symbol: {"last": 99 + i % 3} for i, symbol in enumerate(quotes)}, feeds=feeds)
        until(visit, lambda: cell(page, "S0002-USD", "last").inner_text() == "▲\n101.00")
        until(visit, lambda: page.locator("#kind-label").is_visible())
        page.evaluate(LIGHT_UP)
        themes, palettes = ("dark", "light", "contrast"), ("western", "east", "safe")
        for theme, updown, selected in itertools.product(themes, palettes, ("true", "false")):
            page.evaluate("(chosen) => { Object.assign(document.documentElement.dataset, chosen) }",
                          {"theme": theme, "updown": updown})  # fmt: skip
            page.locator(".row").evaluate_all(
                "(rows, on) => rows.forEach((row) => { row.ariaSelected = on })", selected
            )
            found = page.evaluate(COLOURS)
            assert found["problems"] == [], (theme, updown, selected)
            assert found["texts"] > 250
            assert found["flashes"] >= 3 * 20
