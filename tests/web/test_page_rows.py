"""The rows of the table in a real browser: what a snapshot and an update paint, and that there are only a few rows."""

from __future__ import annotations

import re
from functools import partial

import pytest
from playwright.sync_api import Browser, expect

from tests.web.page_server import (
    LIVE_FEED,
    SEEN_MS,
    START_MS,
    PageServer,
    advance,
    book,
    cell,
    frozen,
    price,
    quote,
    row,
    showing,
    until,
    until_price,
    visiting,
)
from tests.web.page_steps import visible_symbols, watch_changes

pytestmark = pytest.mark.needs("chromium")


def test_snapshot_paints_every_visible_row(browser: Browser, server: PageServer) -> None:
    """Every row in view shows its symbol, the first price equal to the server's at the symbol's decimals.

    An update changes the cells of its fields and keeps the row's element; arrow and sign show the direction.
    """
    quotes = book(30) | {"BTC-USD": quote(last=97412.3, decimals=2, quote_volume=5e9, change_pct=1.894, name="Bitcoin")}
    with frozen(browser, server, quotes) as visit:
        page, moved = visit.page, partial(cell, visit.page, "S0003-USD")
        assert price(page, "BTC-USD").inner_text() == "97,412.30"
        expected = ["BTC-USD", *(f"S{i:04d}-USD" for i in range(30))]
        shown = visible_symbols(page)
        assert expected[: len(shown)] == shown
        assert len(shown) >= 25
        prices = page.locator(".row [data-column=last] .value").all_inner_texts()
        assert {"97,412.30", *(f"{100 + i}.00" for i in range(len(shown) - 1))} <= set(prices)
        label = "BTC-USD, Bitcoin, 97,412.30, up 1.89 percent in 24 hours"
        assert row(page, "BTC-USD").get_attribute("aria-label") == label
        page.evaluate("window.kept = document.querySelector('[data-symbol=\"S0003-USD\"]')")
        watch_changes(page, "S0003-USD")
        visit.service.update({"S0003-USD": {"bid": 101.25, "change_pct": -3.456}})
        until(visit, lambda: moved("bid").inner_text() == "101.25")
        touched = {change["column"] for change in page.evaluate("window.changes")}
        assert {"bid", "change", "spread"} == touched - {"row"}
        assert moved("change").inner_text() == "\u22123.46%"
        visit.service.update({"S0003-USD": {"last": 103.5}})
        until(visit, lambda: moved("last").inner_text() == "▲\n103.50")
        visit.service.update({"S0003-USD": {"last": 103.25, "change_pct": 0.001}})
        until(visit, lambda: moved("last").inner_text() == "▼\n103.25")
        assert moved("change").inner_text() == "0.00%"
        assert page.evaluate("window.kept === document.querySelector('[data-symbol=\"S0003-USD\"]')")


def test_a_long_list_needs_only_forty_row_elements(browser: Browser, server: PageServer) -> None:
    """2,000 symbols need some forty rows; wherever one scrolls, the right symbols are there without a gap."""
    with showing(browser, server, book(2000)) as visit:
        grid = visit.page.locator("#grid")
        expect(grid).to_have_attribute("aria-rowcount", "2001")
        grid.evaluate("(grid) => { grid.scrollTop = grid.scrollHeight }")
        expect(price(visit.page, "S1999-USD")).to_have_text("2,099.00")
        assert row(visit.page, "S1999-USD").get_attribute("aria-rowindex") == "2001"
        shown = visible_symbols(visit.page)
        assert [f"S{i:04d}-USD" for i in range(2000 - len(shown), 2000)] == shown
        gaps = visit.page.evaluate("""async () => {
          const grid = document.querySelector("#grid");
          const gaps = [];
          for (const top of [0, 30_011, 12_345, 58_000, 77, 44_444]) {
            grid.scrollTop = top;
            await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
            const { bottom } = grid.getBoundingClientRect();
            for (let y = document.querySelector(".grid-head").getBoundingClientRect().bottom; y < bottom; y += 30) {
              const symbol = document.elementFromPoint(60, y + 1)?.closest(".row")?.dataset.symbol;
              const line = Math.floor((top + y + 1 - grid.getBoundingClientRect().top - 29) / 30);
              if (symbol !== `S${String(line).padStart(4, "0")}-USD`) gaps.push([top, y, symbol ?? "blank"]);
            }
          }
          return gaps;
        }""")
        assert gaps == []
        assert visit.page.locator(".row").count() <= 40


def test_stale_rows_and_feeds_say_so(browser: Browser, server: PageServer) -> None:
    """States other than live show in row and feed, with the age, and end when the server says so.

    The time of a price is a time of day for 24 hours, then a date; the tooltip has both, with the time zone.

    Seen: a price of yesterday, 21:20, and one of this minute both showed a time and nothing else.
    """
    with frozen(browser, server, book(5), "?cols=change,updated,age") as visit:
        page, service = visit.page, visit.service
        old = service.time_ms - 14_000
        service.update(
            {
                "S0000-USD": {"ts": START_MS - 3_600_000},
                "S0001-USD": {"state": "stale", "ts": old},
                "S0002-USD": {"state": "halted"},
                "S0003-USD": {"state": "closed"},
                "S0004-USD": {"ts": START_MS - 90_000_000},
            },
            feeds={"alpha": {"state": "stale", "since": old}},
        )
        until(visit, lambda: cell(page, "S0001-USD", "age").inner_text() == "14 s")
        states = {symbol: row(page, symbol).get_attribute("data-state") for symbol in ("S0000-USD", "S0001-USD")}
        assert states == {"S0000-USD": None, "S0001-USD": "stale"}
        assert [cell(page, symbol, "age").inner_text() for symbol in ("S0002-USD", "S0003-USD")] == ["halt", "closed"]
        for symbol, text, day in (("S0000-USD", "21:20:00", 22), ("S0004-USD", "2026-11-21", 21)):
            assert cell(page, symbol, "updated").inner_text() == text
            assert cell(page, symbol, "updated").get_attribute("title") == f"2026-11-{day} 21:20:00 UTC"
        chip = page.locator(".feed", has_text="alpha")
        advance(visit, 800)
        until(visit, lambda: re.sub(r"\s+", " ", chip.inner_text()) == "alpha · no data for 15 s")
        until(visit, lambda: page.locator("#announcements").inner_text() == "Feed alpha is stale.")
        service.update({"S0001-USD": {"state": "live", "ts": service.time_ms}}, feeds={"alpha": LIVE_FEED})
        until(visit, lambda: row(page, "S0001-USD").get_attribute("data-state") is None)
        assert cell(page, "S0001-USD", "age").inner_text() == ""


def test_latency_and_rates_are_measured(browser: Browser, server: PageServer) -> None:
    """Latency is from server to screen, rates count updates by source, prices that are not real carry a label.

    Seen: with a round trip of more than half a second no latency was ever shown, nor that prices were delayed: each
    pong came after the next ping had been sent.
    """
    with frozen(browser, server, book(20)) as visit:
        page, service = visit.page, visit.service
        assert page.locator("#kind-label").is_hidden()
        for _ in range(8):  # nothing is measured until the server's clock is known
            pongs, service.late = service.late or [], []
            advance(visit, 600)
            for pong in pongs:
                service.send(pong)
        for tick in range(1, 21):
            service.time_ms -= 40
            service.update({symbol: {"last": 100 + tick} for symbol in service.quotes})
            service.update({"S0000-USD": {"bid": tick}})
            service.time_ms += 40
            advance(visit, SEEN_MS)
        until_price(visit, "S0000-USD", "120.00")
        advance(visit, 1000)
        alpha, beta, total = (
            int(page.locator(place).first.inner_text().removesuffix("/s"))
            for place in (".feed:nth-child(1) b", ".feed:nth-child(2) b", "#cluster .cluster-rate b")
        )
        assert alpha > beta > 0
        assert abs(alpha * 10 - beta * 11) <= 20
        assert abs(alpha + beta - total) <= 1
        for place in ("#cluster .cluster-latency b", "#figures .p50"):
            assert 40 <= int(page.locator(place).inner_text()) <= 40 + 50 + 2 * SEEN_MS
        feeds = {"alpha": LIVE_FEED | {"kind": "simulated"}}
        service.update(feeds=feeds)
        advance(visit, 800)
        until(visit, lambda: page.locator("#kind-label").is_visible())
        assert page.locator("#kind-label").inner_text() == "Simulated market"


def test_a_phone_has_two_line_rows_and_large_targets(browser: Browser, server: PageServer) -> None:
    """On a phone nothing is wider than the screen, rows have two lines and targets are at least 44 px high.

    The same rows are seen at 400% zoom, with a keyboard: the focus does not go up to the titles that are only heard.
    """
    with visiting(browser, server, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as visit:
        page = visit.page
        visit.service.quotes = book(50)
        visit.service.feeds = {f"feed-{i}": LIVE_FEED | {"kind": "simulated"} for i in range(8)}
        visit.go()
        expect(price(page, "S0000-USD")).to_have_text("100.00")
        page.locator("#search-open").tap()
        page.locator("#search").fill("S0042")
        expect(row(page, "S0042-USD")).to_be_visible()
        page.locator("#search-clear").tap()
        expect(row(page, "S0000-USD")).to_be_visible()
        expect(page.locator("#cluster")).to_be_visible()
        for width in (390, 320):
            page.set_viewport_size({"width": width, "height": 844})
            assert page.evaluate("[innerWidth, document.documentElement.scrollWidth]") == [width, width]
            assert row(page, "S0000-USD").evaluate("(row) => row.offsetHeight") == 58
            assert page.evaluate(SMALL_TARGETS) == []
        row(page, "S0000-USD").focus()
        page.keyboard.press("ArrowUp")
        expect(row(page, "S0000-USD")).to_be_focused()


SMALL_TARGETS = """() => [...document.querySelectorAll("button, input")]
  .filter((control) => control.checkVisibility() && !control.closest(".grid-head")) // heard, not seen
  .map((control) => [control.ariaLabel ?? control.textContent, control.getBoundingClientRect()])
  .filter(([, box]) => box.height < 44 || box.width < 44)
  .map(([name, box]) => `${name}: ${box.width} x ${box.height}`)"""
