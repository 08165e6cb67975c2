"""The rows of the table in a real browser: what a snapshot and an update paint, and that there are only a few rows."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.web.page_server import (
    LIVE_FEED,
    SEEN_MS,
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
    """An update changes the cells of its fields and keeps the row's element; arrow and sign show the direction."""
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


def test_a_list_that_shrinks_shows_its_end(browser: Browser, server: PageServer) -> None:
    """Where the place that was scrolled to is no more, the last rows are painted with the list.

    Seen: the rows of a place beyond the end, which are none, until the browser said a frame later that it had scrolled.
    """
    with frozen(browser, server, book(500)) as visit:
        page = visit.page
        page.evaluate("document.querySelector('#grid').scrollTop = 1e9")
        until(visit, lambda: visible_symbols(page)[-1:] == ["S0499-USD"])
        visit.service.update({}, gone=[f"S{i:04d}-USD" for i in range(100, 500)])
        until(visit, lambda: page.locator("#grid").get_attribute("aria-rowcount") == "101")
        assert visible_symbols(page)[-1:] == ["S0099-USD"]


def test_stale_rows_and_feeds_say_so(browser: Browser, server: PageServer) -> None:
    """States other than live show in row and feed, with the age, and end when the server says so."""
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


def test_latency_and_rates_are_measured(browser: Browser, server: PageServer) -> None:
    """Latency is from server to screen, rates count updates by source, prices that are not real carry a label.

    Seen: with a round trip of more than half a second no latency was ever shown, nor that prices were delayed: each
    pong came after the next ping had been sent.
    """
    with frozen(browser, server, book(30)) as visit:
        page, service = visit.page, visit.service
        assert page.locator("#kind-label").is_hidden()
        for _ in range(8):  # nothing is measured until the server's clock is known
            pongs, service.late = service.late or [], []
            advance(visit, 600)
            for pong in pongs:
                service.send(pong)
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


def test_prices_without_trades_and_with_many_decimals(browser: Browser, server: PageServer) -> None:
    """Without a trade the mid is shown and marked; a folded price has its full value as tooltip and label; the locale
    is respected."""
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
def test_a_phone_has_two_line_rows_and_large_targets(browser: Browser, server: PageServer, width: int) -> None:
    """On a phone nothing is wider than the screen, rows have two lines and targets are at least 44 px high.

    The same rows are seen at 400% zoom, with a keyboard: the focus does not go up to the titles that are only heard.
    """
    with visiting(browser, server, viewport={"width": width, "height": 844}, has_touch=True, is_mobile=True) as visit:
        visit.service.quotes = book(100)
        visit.service.feeds = {f"feed-{i}": LIVE_FEED | {"kind": "simulated"} for i in range(8)}
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
        row(visit.page, "S0000-USD").focus()
        visit.page.keyboard.press("ArrowUp")
        expect(row(visit.page, "S0000-USD")).to_be_focused()
