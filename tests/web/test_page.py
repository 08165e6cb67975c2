"""The dashboard in a real browser, against a service whose frames the tests write.

Where time matters the page's clock stands still and is moved by hand. Every test also fails on console errors,
on violations of the security policy and on requests that leave the origin: see `page_server.Visit`.
"""

from __future__ import annotations

import itertools
import pathlib
import re
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.web.page_server import (
    EPOCH,
    LIVE_FEED,
    SEEN_MS,
    SELECTION,
    START_MS,
    STATIC,
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
from tests.web.page_steps import flashes, last_change, shows, sorts, visible_symbols, waiting, watch_changes

pytestmark = pytest.mark.needs("chromium")


def test_snapshot_paints_every_visible_row(browser: Browser, server: PageServer) -> None:
    """Every row in view shows its symbol, the first price equal to the server's at the symbol's decimals."""
    quotes = book(100) | {
        "BTC-USD": quote(last=97412.3, decimals=2, quote_volume=5e9, change_pct=1.894, name="Bitcoin")
    }
    with showing(browser, server, quotes) as visit:
        expect(price(visit.page, "BTC-USD")).to_have_text("97,412.30")
        expected = ["BTC-USD", *(f"S{i:04d}-USD" for i in range(99))]
        shown = visible_symbols(visit.page)
        assert expected[: len(shown)] == shown
        assert len(shown) >= 25
        assert [f"{100 + i}.00" for i in range(20)] == [
            price(visit.page, symbol).inner_text() for symbol in expected[1:21]
        ]
        label = "BTC-USD, Bitcoin, 97,412.30, up 1.89 percent in 24 hours"
        expect(row(visit.page, "BTC-USD")).to_have_attribute("aria-label", label)


def test_delta_changes_only_its_cells(browser: Browser, server: PageServer) -> None:
    """An update touches the cells of its fields, keeps the row's element, and arrow and sign say the direction."""
    with frozen(browser, server, book(30)) as visit:
        page = visit.page
        page.evaluate("window.kept = document.querySelector('[data-symbol=\"S0003-USD\"]')")
        watch_changes(page, "S0003-USD")
        visit.service.update({"S0003-USD": {"bid": 101.25, "change_pct": -3.456}})
        until(visit, lambda: cell(page, "S0003-USD", "bid").inner_text() == "101.25")
        touched = {change["column"] for change in page.evaluate("window.changes")}
        assert {"bid", "change", "spread"} == touched - {"row"}
        assert cell(page, "S0003-USD", "change").inner_text() == "\u22123.46%"
        visit.service.update({"S0003-USD": {"last": 103.5}})
        until(visit, lambda: cell(page, "S0003-USD", "last").inner_text() == "▲\n103.50")
        visit.service.update({"S0003-USD": {"last": 103.25, "change_pct": 0.001}})
        until(visit, lambda: cell(page, "S0003-USD", "last").inner_text() == "▼\n103.25")
        assert cell(page, "S0003-USD", "change").inner_text() == "0.00%"
        assert page.evaluate("window.kept === document.querySelector('[data-symbol=\"S0003-USD\"]')")


def test_flash_schedule(browser: Browser, server: PageServer) -> None:
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


def test_no_flash_without_a_tick(browser: Browser, server: PageServer) -> None:
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
    """Who wants less motion sees the arrow change and nothing light up."""
    with frozen(browser, server, book(30), reduced_motion="reduce") as visit:
        watch_changes(visit.page, "S0000-USD")
        visit.service.update({"S0000-USD": {"last": 100.5}})
        until(visit, lambda: cell(visit.page, "S0000-USD", "last").inner_text() == "▲\n100.50")
        assert flashes(visit.page) == []


COLOURS = """() => {
  const channels = (text) => {
    const numbers = text.match(/-?[\\d.]+(e-?\\d+)?/g).map(Number);
    const [r, g, b, a = 1] = numbers;
    return text.startsWith("color(srgb") ? [r, g, b, a] : [r / 255, g / 255, b / 255, a];
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const contrast = (a, b) => {
    const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (light + 0.05) / (dark + 0.05);
  };
  const ground = (node) => {
    if (node === null) return [0, 0, 0, 1];
    const own = channels(getComputedStyle(node).backgroundColor);
    return own[3] === 1 ? own : over(own, ground(node.parentElement));
  };
  const problems = [];
  const check = (what, colour, behind, least) => {
    const ratio = contrast(over(channels(colour), behind), behind);
    if (ratio < least) problems.push(`${what}: ${ratio.toFixed(2)} < ${least}`);
  };
  let texts = 0;
  for (const node of document.querySelectorAll("body *")) {
    const text = [...node.childNodes].filter((child) => child.nodeType === 3 && child.data.trim() !== "");
    if (text.length === 0 || !node.checkVisibility() || node.closest("noscript, title")) continue;
    texts += 1;
    const place = [node, node.closest("[data-column]"), node.closest(".row")].map((part) => part?.className);
    check(place.join(" in "), getComputedStyle(node).color, ground(node), node.matches(".arrow") ? 3 : 4.5);
  }
  const input = document.querySelector("#search");
  check("placeholder", getComputedStyle(input, "::placeholder").color, ground(input), 4.5);
  check("search field", getComputedStyle(input).borderColor, ground(input), 3);
  for (const star of document.querySelectorAll(".row .star")) {
    check("star", getComputedStyle(star).stroke, ground(star), 3);
  }
  const button = document.querySelector("#theme");
  check("theme button", getComputedStyle(button).color, ground(button), 3);

  const flashing = document.querySelectorAll(".flash-up, .flash-down");
  for (const cell of flashing) {
    const [with_, without] = [ground(cell), ground(cell.parentElement)];
    const [dark, light] = [luminance(with_), luminance(without)].sort((x, y) => x - y);
    if (light - dark >= 0.1 && dark < 0.8) problems.push(`${cell.className}: luminance ${dark} to ${light}`);
    const [r, g, b] = with_.map(linear);
    if (r / (r + g + b) >= 0.8) problems.push(`${cell.className}: saturated red`);
  }
  return { texts, problems, flashes: flashing.length };
}"""


LIGHT_UP = """() => document.querySelectorAll(".row:not([data-state])").forEach((row, i) => {
  const tick = ["flash-up", "flash-down", "flash-up half", "flash-down half"][i % 4].split(" ");
  row.querySelectorAll(".cell").forEach((cell) => {
    if (["last", "bid", "ask"].includes(cell.dataset.column)) cell.classList.add(...tick);
  });
})"""


@pytest.mark.parametrize("theme", ["dark", "light", "contrast"])
def test_colours_are_safe_and_readable(browser: Browser, server: PageServer, theme: str) -> None:
    """No flash reaches the general flash threshold; all text has 4.5:1 and controls 3:1, on every ground there is."""
    states = ["live"] * 4 + ["stale", "halted"]
    cases = list(itertools.product((0, -0.8, 0.8, -9, 9), states))
    quotes = {
        f"S{i:04d}-USD": quote(
            last=100, bid=99, ask=101, low=50, high=150, open=90, quote_volume=1e9 - i, name="Name",
            change_pct=change, state=state, source="alpha",
        )
        for i, (change, state) in enumerate(cases)
    }  # fmt: skip
    with frozen(browser, server, quotes, f"?theme={theme}", viewport={"width": 1440, "height": 1100}) as visit:
        page, service = visit.page, visit.service
        stale: dict[str, Any] = {"state": "stale", "kind": "simulated"}
        feeds = {"alpha": stale, "gamma": LIVE_FEED | {"state": "down"}}
        service.update({symbol: {"last": 99 + i % 3} for i, symbol in enumerate(quotes)}, feeds=feeds)
        until(visit, lambda: cell(page, "S0002-USD", "last").inner_text() == "▲\n101.00")
        until(visit, lambda: page.locator("#kind-label").is_visible())
        page.evaluate(LIGHT_UP)
        for updown, selected in itertools.product(("western", "east", "safe"), ("true", "false")):
            page.evaluate("(updown) => { document.documentElement.dataset.updown = updown }", updown)
            page.locator(".row").evaluate_all(
                "(rows, on) => rows.forEach((row) => { row.ariaSelected = on })", selected
            )
            found = page.evaluate(COLOURS)
            assert found["problems"] == []
            assert found["texts"] > 250
            assert found["flashes"] >= 3 * 20


def test_pool_stays_small_over_a_long_list(browser: Browser, server: PageServer) -> None:
    """2,000 symbols need some forty rows; scrolled anywhere, the right symbols stand there without a gap."""
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


def test_sort_is_held_while_a_hand_is_on_the_rows(browser: Browser, server: PageServer) -> None:
    """A title sorts descending, ascending, default; a live order waits for pointer and keys to rest and says so."""
    with frozen(browser, server, book(40)) as visit:
        page = visit.page
        title = page.locator('.head-cell[data-column="last"]')
        for sort, first in (("descending", "S0039-USD"), ("ascending", "S0000-USD"), (None, "S0000-USD")):
            title.locator("button").click()
            until(visit, partial(sorts, title, sort))
            assert visible_symbols(page)[0] == first
        volume = page.locator('.head-cell[data-column="volume"]')
        assert volume.get_attribute("aria-sort") == "descending"
        row(page, "S0005-USD").hover()
        visit.service.update({"S0007-USD": {"quote_volume": 9e9}})
        until(visit, lambda: page.locator(".order-held").is_visible())
        assert visible_symbols(page)[0] == "S0000-USD"
        page.mouse.move(700, 20)
        until(visit, lambda: visible_symbols(page)[0] == "S0007-USD")
        assert not page.locator(".order-held").is_visible()
        row(page, "S0001-USD").focus()
        page.keyboard.press("ArrowDown")
        visit.service.update({"S0008-USD": {"quote_volume": 99e9}})
        until(visit, lambda: page.locator(".order-held").is_visible())
        assert visible_symbols(page)[0] == "S0007-USD"
        advance(visit, 3000)
        until(visit, lambda: visible_symbols(page)[0] == "S0008-USD")


def test_search_filters_and_treats_markup_as_text(browser: Browser, server: PageServer) -> None:
    """Typing filters by symbol and name; what matches nothing is quoted as text, and the way back is offered."""
    hostile = "<img src=x onerror=alert(1)>"
    with showing(browser, server, book(40) | {"EVIL": quote(last=1, name=hostile, quote_volume=1e12)}) as visit:
        expect(row(visit.page, "EVIL").locator(".name")).to_have_text(hostile)
        visit.page.keyboard.press("/")
        visit.page.keyboard.type("name 13")
        expect(visit.page.locator(".row:not([hidden])")).to_have_count(1)  # each key filters in a frame of its own
        shows(visit.page, ["S0013-USD"])
        visit.page.locator("#search").fill("<b>no</b>")
        expect(visit.page.locator("#notice p")).to_have_text("Nothing matches ‘<b>no</b>’ in All.")
        visit.page.locator("#notice button").click()
        expect(row(visit.page, "S0000-USD")).to_be_visible()
        expect(visit.page.locator("#notice")).to_be_hidden()


def test_favourites_persist(browser: Browser, server: PageServer) -> None:
    """A starred symbol is in the list of favourites, also after reloading; broken storage means none."""
    with showing(browser, server, book(40)) as visit:
        visit.page.get_by_role("button", name=re.compile("^Favourites")).click()
        expect(visit.page.locator("#notice p")).to_have_text("No symbols in Favourites yet. Press the star beside one.")
        visit.page.get_by_role("button", name=re.compile("^All")).click()
        visit.page.get_by_role("button", name="Favourite S0002-USD").click()
        visit.page.reload()
        visit.page.get_by_role("button", name="Favourites 1").click()
        expect(row(visit.page, "S0001-USD")).to_have_count(0)
        shows(visit.page, ["S0002-USD"])
        visit.page.evaluate("localStorage.setItem('ticker.favourites.v1', '{broken')")
        visit.page.reload()
        expect(visit.page.get_by_role("button", name="Favourites 0")).to_be_visible()


def test_keyboard_moves_through_the_grid(browser: Browser, server: PageServer) -> None:
    """One tab stop leads into the rows; arrows, pages and ends move the focus, and the row scrolled away keeps it."""
    with showing(browser, server, book(500)) as visit:
        visit.page.locator("#theme").focus()
        focused = visit.page.locator(".row:focus")
        while focused.count() == 0:
            visit.page.keyboard.press("Tab")
        symbols = []
        for key in ("ArrowDown", "ArrowDown", "ArrowUp", "End", "Home", "PageDown"):
            visit.page.keyboard.press(key)
            symbols.append(focused.get_attribute("data-symbol"))
        assert symbols[:5] == ["S0001-USD", "S0002-USD", "S0001-USD", "S0499-USD", "S0000-USD"]
        assert 15 <= int((symbols[5] or "")[1:5]) <= 30
        visit.page.locator("#grid").evaluate("(grid) => { grid.scrollTop = 9000 }")
        expect(row(visit.page, "S0310-USD")).to_be_visible()
        expect(focused).to_have_attribute("data-symbol", str(symbols[5]))
        assert visit.page.locator('.row[tabindex="0"]').count() == 1
        visit.page.keyboard.press("Home")
        visit.page.keyboard.press("ArrowUp")
        visit.page.keyboard.press("ArrowLeft")
        expect(visit.page.locator('.head-cell[data-column="spread"] button')).to_be_focused()


def test_restart_keeps_everything_in_place(browser: Browser, server: PageServer) -> None:
    """Through an outage and a new epoch rows, scroll, focus and selection stay, and the waits are full jitter."""
    with frozen(browser, server, book(300)) as visit:
        page, service = visit.page, visit.service
        page.locator("#grid").evaluate("(grid) => { grid.scrollTop = 3000 }")
        until(visit, lambda: row(page, "S0105-USD").count() == 1)
        row(page, "S0105-USD").click()
        page.evaluate("window.kept = [...document.querySelectorAll('.row:not([hidden])')]")
        kept = page.evaluate("window.kept.map((row) => row.dataset.symbol)")
        word = page.locator("#cluster .word")
        service.accepting = False
        service.close()
        until(visit, lambda: word.inner_text() == "Offline · retry in 1 s")
        for wait_ms in (250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000):
            service.connections.clear()
            advance(visit, wait_ms - 3 * SEEN_MS)
            assert service.connections == []
            until(visit, lambda: service.connections != [])
            until(visit, lambda: word.inner_text().startswith("Offline"))
        service.accepting = True
        service.epoch += 1
        service.version = 1
        service.quotes = {symbol: fields | {"last": fields["last"] + 1} for symbol, fields in service.quotes.items()}
        watch_changes(page, "S0105-USD")
        page.evaluate("dispatchEvent(new Event('online'))")
        until(visit, lambda: word.inner_text() == "Live")
        until_price(visit, "S0105-USD", "206.00")
        assert f"{EPOCH}:4711:{SELECTION}" == service.received[-1]["cursor"]
        assert kept == page.evaluate("window.kept.map((row) => row.isConnected && row.dataset.symbol)")
        assert page.locator("#grid").evaluate("(grid) => grid.scrollTop") == 3000
        assert row(page, "S0105-USD").get_attribute("aria-selected") == "true"
        assert page.evaluate("document.activeElement.dataset.symbol") == "S0105-USD"
        assert flashes(page) == []


def test_a_service_that_still_loads_empties_nothing(browser: Browser, server: PageServer) -> None:
    """Rows and place outlast a service that comes back without prices: down until its feeds say what they have."""
    with frozen(browser, server, book(300)) as visit:
        page, service = visit.page, visit.service
        page.locator("#grid").evaluate("(grid) => { grid.scrollTop = 3000 }")
        until(visit, lambda: row(page, "S0105-USD").count() == 1)
        row(page, "S0105-USD").click()
        watch_changes(page, "S0105-USD")
        known = service.quotes
        service.epoch, service.quotes, service.feeds = service.epoch + 1, {}, {}
        service.close()
        until(visit, lambda: row(page, "S0105-USD").get_attribute("data-state") == "down")
        service.update(feeds={"alpha": LIVE_FEED | {"state": "connecting"}, "beta": LIVE_FEED})
        advance(visit, 2000)
        service.update({"S0105-USD": known["S0105-USD"] | {"last": 300.0}})
        until_price(visit, "S0105-USD", "300.00")
        assert row(page, "S0105-USD").get_attribute("data-state") is None
        assert row(page, "S0104-USD").get_attribute("data-state") == "down"
        assert page.locator("#grid").evaluate("(grid) => grid.scrollTop") == 3000
        assert page.evaluate("document.activeElement.dataset.symbol") == "S0105-USD"
        assert flashes(page) == []
        page.mouse.move(0, 0)
        service.update(feeds={"alpha": {"state": "live"}})
        until(visit, lambda: visible_symbols(page) == ["S0105-USD"])


def test_bye_and_silence(browser: Browser, server: PageServer) -> None:
    """After a bye the page comes back within its window; a server that says nothing is left after 2.5 heartbeats."""
    with frozen(browser, server, book(30)) as visit:
        service, word = visit.service, visit.page.locator("#cluster .word")
        service.send({"type": "bye", "reason": "shutdown", "reconnect": True, "retry_ms": [3000, 5000]})
        until(visit, lambda: word.inner_text() == "Offline · retry in 4 s")
        advance(visit, 3900)
        assert len(service.connections) == 1
        advance(visit, 200)
        until(visit, lambda: word.inner_text() == "Live")
        assert len(service.connections) == 2
        service.mute = True
        advance(visit, 8500)
        assert word.inner_text() == "Delayed"
        until(visit, lambda: len(service.connections) == 2 and word.inner_text() == "Delayed")
        advance(visit, 5000)
        until(visit, lambda: len(service.connections) > 2)


def test_the_stream_begins_before_the_page_is_there(browser: Browser, server: PageServer) -> None:
    """The first connection asks while modules still load; what came meanwhile is shown, and what else is wanted is
    asked for on the same connection. An embedded page waits until it knows what it wants.
    """
    held: list[Route] = []
    with visiting(browser, server) as visit:
        page, service = visit.spoil(), visit.service
        page.route("**/js/main.js", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks it
        service.quotes = book(40) | {"alpha:S0001-USD": quote(last=7)}
        page.goto(server.url + "?feed=alpha", wait_until="commit")
        assert waiting(page, lambda: len(held) > 0 and [m["op"] for m in service.received] == ["subscribe"])
        assert page.locator(".row").count() == 0
        held.pop().continue_()
        expect(price(page, "alpha:S0001-USD")).to_have_text("7.00")
        assert service.patterns == ["*", "alpha:*"]
        assert len(service.connections) == 1
        page.goto(server.url + "?embed=1&symbols=S0002-USD", wait_until="commit")
        assert waiting(page, lambda: len(held) > 0)
        assert len(service.connections) == 1
        held.pop().continue_()
        expect(price(page, "S0002-USD")).to_have_text("102.00")
        assert service.patterns == ["S0002-USD"]


def test_gap_is_resumed_and_counted(browser: Browser, server: PageServer) -> None:
    """A frame from beyond what the page knows is not applied: it reconnects with its cursor and counts the gap."""
    with frozen(browser, server, book(30)) as visit:
        page, service = visit.page, visit.service

        def resume(_: dict[str, Any]) -> None:
            service.send_subscribed(resumed=True)
            service.update({"S0000-USD": {"last": 333.0}}, since=4711, version=4715)

        service.answer_subscribe = resume
        service.update({"S0001-USD": {"last": 222.0}}, since=4713, version=4714)
        until_price(visit, "S0000-USD", "333.00")
        assert price(page, "S0001-USD").inner_text() == "101.00"
        assert service.received[-1]["cursor"] == f"{EPOCH}:4711:{SELECTION}"
        until(visit, lambda: page.locator("#figures .gaps").inner_text() == "1")
        until(visit, lambda: page.locator("#figures .sequence").inner_text() == "4,715")
        assert len(service.connections) == 2


def test_second_gap_asks_for_everything(browser: Browser, server: PageServer) -> None:
    """Where resuming leads into the next gap, the page waits and then asks for a new snapshot."""
    with frozen(browser, server, book(30)) as visit:
        service = visit.service

        def gap(_: dict[str, Any]) -> None:
            service.answer_subscribe = service.send_snapshot
            service.send_subscribed(resumed=True)
            service.update({"S0001-USD": {"last": 222.0}}, since=4713, version=4714)

        service.answer_subscribe = gap
        service.update({"S0001-USD": {"last": 222.0}}, since=4713, version=4714)
        until(visit, lambda: len(service.connections) == 3)
        until_price(visit, "S0001-USD", "222.00")
        assert "cursor" not in service.received[-1]


def test_what_the_page_does_not_know_does_not_stop_it(browser: Browser, server: PageServer) -> None:
    """Old and repeated deltas change nothing; unknown types, broken JSON and wrong shapes are passed over."""
    with frozen(browser, server, book(30)) as visit:
        page, service = visit.page, visit.service
        service.update({"S0000-USD": {"last": 111.0}})
        service.update({"S0000-USD": {"last": 5.0}}, since=4700, version=4701)
        service.update({"S0000-USD": {"last": 111.0}}, since=4711, version=4712)
        service.version = 4712
        for text in (
            "{", "", "null", "[]", '"x"', "{}", '{"type": 1}', '{"type": "toString"}', '{"type": "__proto__"}',
            '{"type": "weather", "sunny": true}', '{"type": "update", "since": "x", "version": 9, "time": 1}',
            '{"type": "update", "since": 1, "version": 4713, "time": 1, "quotes": {"S0000-USD": 5}}',
            '{"type": "snapshot", "epoch": 1, "version": 4713, "time": 1, "quotes": []}',
        ):  # fmt: skip
            service.send_text(text)
        odd = {"last": "text", "bid": None, "colour": "red", "constructor": 1}
        service.update({"S0001-USD": odd}, gone=["S0002-USD"])
        until_price(visit, "S0001-USD", "—")
        assert price(page, "S0000-USD").inner_text() == "111.00"
        until(visit, lambda: row(page, "S0002-USD").count() == 0)
        assert page.locator("#figures .gaps").inner_text() == "0"
        assert len(service.connections) == 1


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (4000, "The server refused this page’s request. Prices stand still until you retry."),
        (4001, "The server asks for a token. Prices come, or go on, when it has a good one."),
    ],
)
def test_refusals_are_final(browser: Browser, server: PageServer, code: int, sentence: str) -> None:
    """After a close code that forbids reconnecting the page says why and tries again only when told to."""
    with frozen(browser, server, book(30)) as visit:
        visit.service.close(code)
        notice = visit.page.locator("#notice")
        until(visit, lambda: notice.locator("p").inner_text() == sentence)
        advance(visit, 60_000)
        assert len(visit.service.connections) == 1
        assert price(visit.page, "S0000-USD").inner_text() == "100.00"
        assert row(visit.page, "S0000-USD").get_attribute("data-state") == "stale"
        assert visit.page.locator("#cluster .word").inner_text() == "Offline"


def test_what_is_refused_for_now_is_asked_for_again(browser: Browser, server: PageServer) -> None:
    """Where the service has no room for what a live page wants more of, it waits, comes back, and asks for all."""
    with frozen(browser, server, book(30)) as visit:
        page, service = visit.page, visit.service
        row(page, "S0000-USD").click()
        until(visit, lambda: service.patterns == ["*", "*:S0000-USD"])
        refusal = {"type": "error", "id": service.received[-1]["id"], "code": "overloaded", "message": "wait"}
        service.send(refusal | {"retry": False})
        advance(visit, 1000)
        assert len(service.connections) == 1
        service.send(refusal | {"retry": True})
        until(visit, lambda: len(service.connections) == 2 and len(service.received) > 0)
        assert service.received[0]["symbols"] == ["*", "*:S0000-USD"]
        until(visit, lambda: page.locator("#cluster .word").inner_text() == "Live")


def test_protocol_mismatch_asks_for_a_reload(browser: Browser, server: PageServer) -> None:
    """A server that speaks another protocol is not listened to."""
    with visiting(browser, server) as visit:
        visit.service.protocol = 2
        visit.service.quotes = book(3)
        visit.go()
        expect(visit.page.locator("#notice p")).to_have_text("This page is older than the server. Reload.")
        expect(visit.page.locator("#notice button")).to_have_text("Reload")
        assert visit.page.locator(".row").count() == 0


def test_stale_rows_and_feeds_say_so(browser: Browser, server: PageServer) -> None:
    """States that are not live show in row and feed with the age in words, and pass when the server says so."""
    with frozen(browser, server, book(30)) as visit:
        page = visit.page
        old = visit.service.time_ms - 14_000
        visit.service.update(
            {
                "S0001-USD": {"state": "stale", "ts": old},
                "S0002-USD": {"state": "halted"},
                "S0003-USD": {"state": "closed"},
            },
            feeds={"alpha": {"state": "stale", "since": old}},
        )
        until(visit, lambda: cell(page, "S0001-USD", "age").inner_text() == "14 s")
        states = {symbol: row(page, symbol).get_attribute("data-state") for symbol in ("S0000-USD", "S0001-USD")}
        assert states == {"S0000-USD": None, "S0001-USD": "stale"}
        assert [cell(page, symbol, "age").inner_text() for symbol in ("S0002-USD", "S0003-USD")] == ["halt", "closed"]
        chip = page.locator(".feed", has_text="alpha")
        until(visit, lambda: re.sub(r"\s+", " ", chip.inner_text()) == "alpha · no data for 15 s")
        until(visit, lambda: page.locator("#announcements").inner_text() == "Feed alpha is stale.")
        visit.service.update({"S0001-USD": {"state": "live", "ts": visit.service.time_ms}}, feeds={"alpha": LIVE_FEED})
        until(visit, lambda: row(page, "S0001-USD").get_attribute("data-state") is None)
        assert cell(page, "S0001-USD", "age").inner_text() == ""


def test_figures_are_measured(browser: Browser, server: PageServer) -> None:
    """Latency is from the server's sending to painting, rates count updates by source, kinds carry a label."""
    with frozen(browser, server, book(30)) as visit:
        page, service = visit.page, visit.service
        assert page.locator("#kind-label").is_hidden()
        for _ in range(8):  # each is a ping: nothing is measured before the server's clock is known
            advance(visit, 500)
        for tick in range(1, 21):
            service.time_ms -= 40
            service.update({symbol: {"last": 100 + tick} for symbol in list(service.quotes)[:20]})
            service.update({"S0000-USD": {"bid": tick}})
            service.time_ms += 40
            until_price(visit, "S0000-USD", f"{100 + tick}.00")
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
        until(visit, lambda: page.locator("#kind-label").is_visible())
        assert page.locator("#kind-label").inner_text() == "Simulated market"


def test_trend_comes_from_the_service_and_from_prices(browser: Browser, server: PageServer) -> None:
    """The hour is asked for symbols in view, once; prices received go on from there."""
    server.closes = {"S0000-USD": [90.0 + i / 6 for i in range(60)], "S0001-USD": [None] * 60}
    server.requested.clear()
    with frozen(browser, server, book(500)) as visit:
        page = visit.page
        line = cell(page, "S0000-USD", "trend").locator(".line")
        until(visit, lambda: (line.get_attribute("d") or "").count("L") == 59)
        assert "up" in (cell(page, "S0000-USD", "trend").locator("svg").get_attribute("class") or "").split()
        asked = [target for target in server.requested if "sparklines" in target]
        assert len(asked) == 1
        assert "S0000-USD" in asked[0]
        assert "S0499-USD" not in asked[0]
        own = cell(page, "S0001-USD", "trend").locator(".line")
        for minute in (1, 2):
            advance(visit, 60_000)
            visit.service.update({"S0001-USD": {"last": 200.0 + minute}})
            until_price(visit, "S0001-USD", f"{200 + minute}.00")
        advance(visit, 1000)
        assert len(re.findall("[ML]", own.get_attribute("d") or "")) == 3
    server.closes = {}


def test_service_without_sparklines(browser: Browser, server: PageServer) -> None:
    """A service that has no sparklines is asked once and done without."""
    server.closes = None
    server.requested.clear()
    with frozen(browser, server, book(500)) as visit:
        visit.tolerated.append("error: Failed to load resource: the server responded with a status of 404")
        until(visit, lambda: any("sparklines" in target for target in server.requested))
        visit.page.locator("#grid").evaluate("(grid) => { grid.scrollTop = 9000 }")
        advance(visit, 3000)
        assert len([target for target in server.requested if "sparklines" in target]) == 1
    server.closes = {}


def test_sparklines_are_asked_for_again(browser: Browser, server: PageServer) -> None:
    """What could not be loaded is asked for again after a while, not with every look."""
    server.closes = None
    server.answers["api/sparklines"] = {"status": 503}
    server.requested.clear()
    with frozen(browser, server, book(30)) as visit:
        visit.tolerated.append("error: Failed to load resource: the server responded with a status of 503")

        def asked() -> int:
            return len([target for target in server.requested if "sparklines" in target])

        until(visit, lambda: asked() == 1)
        advance(visit, 9000)
        assert asked() == 1
        server.closes = {"S0000-USD": [90.0 + i / 6 for i in range(60)]}
        line = cell(visit.page, "S0000-USD", "trend").locator(".line")
        until(visit, lambda: (line.get_attribute("d") or "").count("L") == 59)
        assert asked() == 2
    del server.answers["api/sparklines"]
    server.closes = {}


NUMBERS = [
    ("en-US", "price", [97412.35, 2], "97,412.35"),
    ("en-US", "price", [0.00002048, 8], "0.00002048"),
    ("en-US", "price", [1e-8, 8], "0.00000001"),
    ("en-US", "price", [1e-8, 9], "0.0₇10"),
    ("en-US", "price", [0.0000000002048, 13], "0.0₉2048"),
    ("en-US", "fullPrice", [0.0000000002048, 13], "0.0000000002048"),
    ("en-US", "price", [1.5, 12], "1.500000000000"),
    ("en-US", "price", [None, 2], "—"),
    ("en-US", "price", [1234.5, None], "1,234.5"),
    ("de-DE", "price", [97412.35, 2], "97.412,35"),
    ("de-DE", "price", [0.0000000002048, 13], "0,0₉2048"),
    ("ar-EG", "price", [97412.35, 2], "٩٧٬٤١٢٫٣٥"),
    ("ja", "price", [97412.35, 2], "97,412.35"),
    ("no such locale", "price", [0.5, 1], "0.5"),
    ("en-US", "percent", [1.894], "+1.89%"),
    ("en-US", "percent", [-0.74], "\u22120.74%"),
    ("en-US", "percent", [-0.004], "0.00%"),
    ("en-US", "percent", [999.99], "+999.99%"),
    ("en-US", "percent", [1234.5], "+1,235%"),
    ("en-US", "percent", [None], "—"),
    ("sv-SE", "percent", [-2.5], "\u22122,50%"),
    ("en-US", "basisPoints", [0.04], "<0.1"),
    ("en-US", "basisPoints", [0.0], "0.0"),
    ("en-US", "basisPoints", [3.14], "3.1"),
    ("en-US", "basisPoints", [-1.25], "\u22121.3"),
    ("en-US", "basisPoints", [None], "—"),
    ("en-US", "volume", [1.79e9], "1.79B"),
    ("en-US", "volume", [904.2e6], "904.2M"),
    ("en-US", "volume", [18_420], "18.42K"),
    ("en-US", "volume", [999_960], "1.00M"),
    ("en-US", "volume", [12], "12.00"),
    ("en-US", "volume", [4.2e12], "4.20T"),
    ("en-US", "volume", [1.2e16], "12,000T"),
    ("en-US", "volume", [None], "—"),
]
TIMES = [("age", 8_900, "8 s"), ("age", 125_000, "2 min"), ("age", 3 * 3_600_000, "3 h"), ("age", -5, "0 s"),
         ("age", 50 * 3_600_000, "2 d"), ("clock", START_MS + 7_000, "22:20:07")]  # fmt: skip


def test_formats(browser: Browser, server: PageServer) -> None:
    """Numbers and times read as the design says, in every locale, from the modules as served."""
    with showing(browser, server, book(3)) as visit:
        shown = visit.page.evaluate(
            """async (cases) => {
              const { Numbers } = await import("/js/fmt/number.js");
              return cases.map(([locale, method, values]) => new Numbers(locale)[method](...values));
            }""",
            [case[:3] for case in NUMBERS],
        )
        assert [case[3] for case in NUMBERS] == shown
        shown = visit.page.evaluate(
            """async (cases) => {
              const time = await import("/js/fmt/time.js");
              return cases.map(([name, value]) => time[name](value));
            }""",
            [case[:2] for case in TIMES],
        )
        assert [case[2] for case in TIMES] == shown


def test_prices_without_trades_and_with_many_decimals(browser: Browser, server: PageServer) -> None:
    """Without a trade the marked mid shows; a folded price has its full value as tooltip and label; locales rule."""
    quotes = book(3) | {
        "EUR-USD": quote(bid=1.04182, ask=1.04214, decimals=5, quote_volume=2e9),
        "TINY-USD": quote(last=0.0000000002048, decimals=13, quote_volume=3e9),
        "VOID-USD": quote(quote_volume=4e9),
    }
    with showing(browser, server, quotes, "?locale=de-DE") as visit:
        expect(cell(visit.page, "EUR-USD", "last")).to_have_text("mid1,04198")
        expect(price(visit.page, "TINY-USD")).to_have_text("0,0₉2048")
        expect(price(visit.page, "TINY-USD")).to_have_attribute("title", "0,0000000002048")
        expect(row(visit.page, "TINY-USD")).to_have_attribute("aria-label", re.compile("0,0000000002048"))
        expect(price(visit.page, "VOID-USD")).to_have_text("—")
        expect(cell(visit.page, "VOID-USD", "change")).to_have_text("—")


@pytest.mark.parametrize("width", [390, 320])
def test_narrow_screens(browser: Browser, server: PageServer, width: int) -> None:
    """On a phone nothing is wider than the screen, rows have two lines and targets are at least 44 px high."""
    with visiting(browser, server, viewport={"width": width, "height": 844}, has_touch=True, is_mobile=True) as visit:
        visit.service.quotes = book(100)
        visit.service.feeds = {f"feed-{i}": LIVE_FEED for i in range(8)}
        visit.service.kinds = ["simulated"]
        visit.go()
        expect(price(visit.page, "S0000-USD")).to_have_text("100.00")
        assert visit.page.evaluate("document.documentElement.scrollWidth") == width
        assert row(visit.page, "S0000-USD").evaluate("(row) => row.offsetHeight") == 58
        visit.page.locator("#search-open").tap()
        visit.page.locator("#search").fill("S0042")
        expect(row(visit.page, "S0042-USD")).to_be_visible()
        visit.page.locator("#search-clear").tap()
        expect(row(visit.page, "S0000-USD")).to_be_visible()
        expect(visit.page.locator("#cluster")).to_be_visible()
        small = visit.page.evaluate("""() => [...document.querySelectorAll("button, input")]
          .filter((control) => control.checkVisibility() && !control.closest(".grid-head")) // heard, not seen
          .map((control) => [control.ariaLabel ?? control.textContent, control.getBoundingClientRect()])
          .filter(([, box]) => box.height < 44 || box.width < 44)
          .map(([name, box]) => `${name}: ${box.width} x ${box.height}`)""")
        assert small == []


def test_theme_button_and_address(browser: Browser, server: PageServer) -> None:
    """T goes through the themes; a theme that came by address stays in the address, and unknown ones are ignored."""
    with showing(browser, server, book(3), "?theme=dark&updown=sideways&x=1") as visit:
        root = visit.page.locator("html")
        expect(root).to_have_attribute("data-updown", "western")
        themes = []
        for _ in range(4):
            themes.append(root.get_attribute("data-theme"))
            visit.page.keyboard.press("t")
        assert themes == ["dark", "light", "contrast", "auto"]
        assert visit.page.url.endswith("?theme=dark&updown=sideways&x=1")
        visit.page.locator("#search").press("t")
        expect(root).to_have_attribute("data-theme", "dark")


def modules_from(entry: pathlib.Path) -> set[pathlib.Path]:
    """A module and everything that it imports, directly or not."""
    found, waiting = set[pathlib.Path](), [entry]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            imports = re.findall(r'from "(\.[^"]+)"', module.read_text("utf-8"))
            waiting += [(module.parent / name).resolve() for name in imports]
    return found


def test_served_under_a_base_path_with_every_module_preloaded(browser: Browser) -> None:
    """All addresses are relative, and index.html preloads exactly the modules that main.js leads to."""
    with PageServer("/prices/") as server, showing(browser, server, book(3)) as visit:
        assert visit.service.connections[0].url == server.url.replace("http", "ws") + "ws"
        preloaded = visit.page.eval_on_selector_all(
            "link[rel=modulepreload]", "links => links.map((link) => link.getAttribute('href'))"
        )
        needed = modules_from(STATIC / "js" / "main.js")
        assert sorted(str(module.relative_to(STATIC)) for module in needed) == sorted(preloaded)
