"""Hours of use: rows, numbers, details. Each of these has gone wrong before."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.page_server import (
    REAL_FRAME,
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
    visiting,
)  # fmt: skip
from tests.web.page_steps import ALERT_LINES, bars, minutes, store, visible_symbols

pytestmark = pytest.mark.needs("chromium")

BOX = "(one) => one.getBoundingClientRect().toJSON()"


def test_a_symbol_that_returns_is_current(browser: Browser, server: PageServer) -> None:
    """A symbol that was gone, or that a search did not show, has its current price when it is back.

    Seen: with the pointer left over the table, as it is for hours, such a row kept its old price and said `gone`: it
    showed the old record until the order was allowed to change. And a row that a search had hidden kept the price of
    before until the next one, if it was the only one hidden.
    """
    with frozen(browser, server, book(5), "?symbols=S0000-USD,S0001-USD,NEW-USD&sort=symbol") as visit:
        page, service = visit.page, visit.service
        until(visit, lambda: row(page, "NEW-USD").get_attribute("data-state") == "unlisted")
        row(page, "S0000-USD").hover()
        back = service.quotes["S0001-USD"] | {"last": 555.0}
        service.update(gone=["S0001-USD"])
        until(visit, lambda: row(page, "S0001-USD").get_attribute("data-state") == "gone")
        service.update({"S0001-USD": back, "NEW-USD": quote(last=7)})
        until(visit, lambda: row(page, "S0001-USD").get_attribute("data-state") is None)
        assert price(page, "S0001-USD").inner_text() == "555.00"
        assert price(page, "NEW-USD").inner_text() == "7.00"
        page.locator("#search").fill("S000")
        until(visit, lambda: visible_symbols(page) == ["S0000-USD", "S0001-USD"])
        service.update({"NEW-USD": {"last": 8}})
        advance(visit, 100)
        page.locator("#search").fill("")
        until(visit, lambda: row(page, "NEW-USD").count() == 1)
        assert price(page, "NEW-USD").inner_text() == "8.00"


def test_dragging_over_prices_selects_them(browser: Browser, server: PageServer) -> None:
    """Dragging over a price selects it; only a click on a row opens its details. Copied rows have tabs between cells, a
    line each, the same columns and no arrows, as spreadsheets expect.

    Seen: each piece of text was on a line of its own. And Firefox selected another row than the one under the pointer,
    since it ignored the transforms by which rows were placed.
    """
    with showing(browser, server, book(4)) as visit:
        page, service = visit.page, visit.service
        service.update({"S0001-USD": {"last": 102.5}})
        expect(cell(page, "S0001-USD", "last")).to_have_text("▲102.50")
        box, start, end = (
            place.evaluate(BOX)
            for place in (price(page, "S0001-USD"), cell(page, "S0001-USD", "last"), cell(page, "S0002-USD", "bid"))
        )
        drag(page, (box["x"] - 1, box["y"] + 8), (box["x"] + box["width"] + 2, box["y"] + 8))
        assert page.evaluate("String(getSelection())") == "102.50"
        assert page.locator("#details").is_hidden()
        page.evaluate("getSelection().empty()")  # or the selected text would be dragged
        drag(page, (start["x"] + start["width"] - 20, start["y"] + 11), (end["x"] + end["width"] - 8, end["y"] + 11))
        copied = page.evaluate("""() => new Promise((done) => {
          addEventListener("copy", (event) => done(event.clipboardData.getData("text/plain")), { once: true });
          document.execCommand("copy");
        })""")
        assert [line.split("\t")[:5] for line in copied.split("\n")] == [
            ["S0001-USD", "Name 1", "102.50", "\u22121.00%", "100.50"],
            ["S0002-USD", "Name 2", "102.00", "0.00%", "101.50"],
        ]
        assert row(page, "S0002-USD").evaluate("(row) => getComputedStyle(row).transform") == "none"
        price(page, "S0001-USD").click()
        expect(page.locator("#details")).to_be_visible()


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=3)
    page.mouse.up()


def test_scrolling_keeps_order_and_ends_with_another_list(browser: Browser, server: PageServer) -> None:
    """However the list was scrolled, its rows have the same order in the document as on screen, and the focus stays.
    However far, a search, a filter and another list start at the top. Where the place that was scrolled to is no more,
    the last rows are painted with the list.

    Seen: screen readers read rows, and selected text was copied, in the order in which pooled rows had become free;
    even while the pointer was over them, as it is when text is selected. A search after scrolling showed the seventieth
    match, not the best one. And the rows of a place beyond the end were shown, which are none, until the browser said a
    frame later that it had scrolled.
    """
    order = "[...document.querySelectorAll('.row:not([hidden])')].map((row) => Number(row.ariaRowIndex))"
    with frozen(browser, server, book(150), viewport={"width": 1000, "height": 600}) as visit:
        page, grid = visit.page, visit.page.locator("#grid")
        page.mouse.move(700, 300)
        for top in (300, 1000, 700):
            grid.evaluate("(grid, top) => { grid.scrollTop = top }", top)
            page.evaluate(REAL_FRAME)
            advance(visit, 50)
        row(page, "S0030-USD").focus()
        indexes = page.evaluate(order)
        assert indexes != sorted(indexes)
        advance(visit, 5000)
        assert page.evaluate(order) == sorted(indexes)
        assert page.evaluate("document.activeElement.dataset.symbol") == "S0030-USD"
        tops = []
        for look in ("/S00", "Escape", "]", "["):
            grid.evaluate("(grid) => { grid.scrollTop = 1200 }")
            for key in look if look.startswith("/") else [look]:
                page.keyboard.press(key)
            tops.append(grid.evaluate("(grid) => grid.scrollTop"))
        assert tops == [0, 0, 0, 0]
        grid.evaluate("(grid) => { grid.scrollTop = 1e9 }")
        until(visit, lambda: visible_symbols(page)[-1:] == ["S0149-USD"])
        page.mouse.move(0, 0)
        advance(visit, 3000)  # the keys rest
        visit.service.update({}, gone=[f"S{i:04d}-USD" for i in range(100, 150)])
        until(visit, lambda: grid.get_attribute("aria-rowcount") == "101")
        assert visible_symbols(page)[-1:] == ["S0099-USD"]


CHANGED_CLOCKS = """async (times) => {
  const { loadChart } = await import("/js/ui/chart.js");
  const { Times } = await import("/js/fmt.js");
  const chart = new (await loadChart())(document.body.appendChild(document.createElement("div")));
  const zone = Object.assign(new Times(), { local: true });
  const scale = { decimals: 2, format: String, formatTime: String, shiftMs: (ms) => zone.shiftMs(ms), days: false };
  const bars = times.map((t) => ({ t: Date.parse(t), open: 1, high: 1, low: 1, close: 1, volume: null }));
  chart.draw(bars, "candles", scale, false);
  bars.push({ ...bars.at(-1), t: bars.at(-1).t + 1_800_000 });
  chart.update(bars.length - 1);
  return chart.priceSeries.data().map(({ time }) => new Date(time * 1000).toISOString().slice(8, 19));
}"""


def test_a_chart_keeps_its_hours_and_alert_lines_their_place(browser: Browser, server: PageServer) -> None:
    """An alert line that is released beyond the chart's edge stays; it does not follow the pointer back. A finger that
    starts to scroll on a line does not move it.

    In local time each bar is at its own hour, also before a change of the clocks, and times never go back.

    Seen: from the end of October on, all bars of the summer were an hour early.
    """
    times = ["2026-06-01T12:00Z", "2026-10-25T00:30Z", "2026-10-25T01:00Z", "2026-10-25T01:30Z"]
    with showing(browser, server, book(3)) as visit:
        page = visit.page
        y = page.evaluate(ALERT_LINES, bars(40))
        page.mouse.move(150, y)
        page.mouse.down()
        page.mouse.move(150, y - 30, steps=3)
        page.evaluate("document.querySelector('.grabbing').dispatchEvent(new PointerEvent('pointercancel'))")
        page.mouse.up()
        assert page.evaluate("window.moved") == []
        assert page.evaluate(ALERT_LINES, bars(40)) == y
        page.mouse.move(150, y)
        page.mouse.down()
        page.mouse.move(150, y - 30, steps=3)
        page.mouse.move(600, y - 30, steps=3)
        page.mouse.up()
        page.mouse.move(150, y + 60, steps=3)
        page.mouse.down()
        page.mouse.up()
        [(_, value)] = page.evaluate("window.moved")
        assert value > 101
        zone = page.context.new_cdp_session(page)
        zone.send("Emulation.setTimezoneOverride", {"timezoneId": "Europe/Berlin"})
        told = page.evaluate(CHANGED_CLOCKS, times)
        zone.send("Emulation.setTimezoneOverride", {"timezoneId": ""})
        zone.detach()
    assert told == ["01T14:00:00", "25T02:30:00", "25T02:30:01", "25T02:30:02", "25T03:00:00"]


def test_large_and_tiny_prices_are_readable(browser: Browser, server: PageServer) -> None:
    """A number too long for its column is cut at its end, never drawn over its neighbour; a tiny one is folded, with
    its full value as tooltip and label. Without a trade the mid is shown and marked. An unchanged price has change 0,
    however many decimals it has. Of a long symbol the beginning and the currency are shown, with an ellipsis in
    between. Table and chart follow the locale at once.

    Seen: bid and ask of a pair in rupiah ran into one number; a coin of 18 decimals had no chart, since the library
    takes no such step, and its change was a row of zeros over the percentage, or 0.000000000…, which could have ended
    in anything; two symbols that differ only in their currency looked the same.
    """
    quotes = {
        "BTC-IDR": quote(last=1_560_000_000.12, bid=1_560_000_000.5, ask=1_561_000_000.5),
        "TINY-USD": quote(last=1.5e-13, open=2e-13, decimals=18),
        "PEPE-USD": quote(last=0.00002048, bid=0.00002048, ask=0.00002049, decimals=8),
        "FOLD-USD": quote(last=0.0000000002048, decimals=13),
        "STILL-ETH": quote(last=1.23e-16, open=1.23e-16, change_pct=0.0, decimals=18),
        "MOVED-ETH": quote(last=1.25e-16, open=1.23e-16, change_pct=1.626, decimals=18),
        "EUR-USD": quote(bid=1.04182, ask=1.04214, decimals=5),
        "VOID-USD": quote(),
        LONG: quote(last=1, name="Name"),
    }
    server.answers["api/candles"] = minutes([1e-13] * 10, START_MS)
    with showing(browser, server, quotes, "?sel=TINY-USD&cols=change,bid,ask,difference") as visit:
        page, legend = visit.page, visit.page.locator(".legend b").first
        expect(legend).to_have_text("0.0₁₂100000")
        expect(cell(page, "BTC-IDR", "bid")).to_have_attribute("title", "1,560,000,000.50")
        over = "one.scrollWidth > one.clientWidth && getComputedStyle(one).overflowX === 'visible'"
        assert page.locator(".cell.number").evaluate_all(f"(all) => all.filter((one) => {over})") == []
        page.locator("#settings").click()
        page.locator("[name=locale]").select_option("de-DE")
        expect(legend).to_have_text("0,0₁₂100000")
        expect(page.locator(".panel .price")).to_have_text("0,0₁₂150000")
        page.keyboard.press("Escape")
        for (symbol, column), text in CELLS_IN_GERMAN.items():
            expect(cell(page, symbol, column)).to_have_text(text)
        expect(price(page, "FOLD-USD")).to_have_attribute("title", "0,0000000002048")
        expect(row(page, "FOLD-USD")).to_have_attribute("aria-label", re.compile("0,0000000002048"))
        page.set_viewport_size({"width": 740, "height": 600})  # where no column is wider than it has to be
        whole = "(one) => one.clientWidth < 100 && one.scrollWidth <= one.clientWidth"
        page.wait_for_function(whole, arg=cell(page, "PEPE-USD", "bid").element_handle())
        expect(page.locator(".panel-change")).to_contain_text("\u22120,0₁₃50000")
        base, rest = (cell(page, LONG, "symbol").locator(part) for part in (".base", ".rest"))
        cut = "(one) => one.scrollWidth > one.clientWidth && getComputedStyle(one).textOverflow"
        assert base.evaluate(cut) == "ellipsis"
        assert rest.evaluate("(one) => one.scrollWidth <= one.clientWidth")


LONG = "1000000MOGSHIBAINUDOGE-USDT.PERP"
CELLS_IN_GERMAN = {
    ("TINY-USD", "difference"): "\u22120,0₁₃50000", ("STILL-ETH", "difference"): "0",
    ("MOVED-ETH", "difference"): "+0,0₁₇2", ("EUR-USD", "last"): "mid1,04198", ("FOLD-USD", "last"): "0,0₉2048",
    ("VOID-USD", "last"): "—", ("VOID-USD", "change"): "—",
}  # fmt: skip
"""What cells show, by symbol and column."""


def test_the_service_page_shares_settings_and_shortcuts(browser: Browser, server: PageServer) -> None:
    """In a menu letters are not shortcuts; nor anywhere if single-letter keys are off. A theme that is chosen in
    another tab counts at once, and is in the URL.
    """
    server.answers["api/status"] = server.answers["api/feeds"] = {"status": 401}
    with visiting(browser, server) as visit:
        visit.tolerated = ["error: Failed to load resource"]
        page, root = visit.page, visit.page.locator("html")
        visit.go("status")
        page.locator("[name=token]").press_sequentially("tttt")
        assert root.get_attribute("data-theme") == "auto"
        page.keyboard.press("Escape")
        expect(page.locator("dialog > *")).to_have_count(0)  # its close event has come
        page.wait_for_function("() => document.activeElement === document.body")
        page.keyboard.press("t")
        expect(root).to_have_attribute("data-theme", "dark")
        store(page, "ticker.prefs.v1", {"theme": "light", "letters": "off", "list": "all"})
        expect(root).to_have_attribute("data-theme", "light")
        expect(page).to_have_url(f"{server.url}status?theme=light")
        page.keyboard.press("t")
        assert root.get_attribute("data-theme") == "light"
        page.reload()
        expect(root).to_have_attribute("data-theme", "light")


def test_stars_and_alerts_of_a_venue_symbol_are_its_instruments(browser: Browser, server: PageServer) -> None:
    """In a venue symbol's details, star and alerts are those of the instrument, which lists and alerts know, and so is
    the key for alerts; the title shows the price of the venue's own symbol.

    Seen: the star added a name that Favourites cannot hold and that was gone after a reload. And a panel closed while
    enlarged came back small, with its button pressed.
    """
    quotes = book(3) | {"alpha:S0001-USD": quote(last=7)}
    with showing(browser, server, quotes, "?sel=alpha:S0001-USD") as visit:
        page = visit.page
        expect(page).to_have_title("7.00 alpha:S0001-USD · Ticker")
        page.keyboard.press("a")
        expect(page.locator("[name=symbol]")).to_have_value("S0001-USD")
        page.keyboard.press("Escape")
        store(page, "ticker.alerts.v1", [{"symbol": "S0001-USD", "kind": "price", "op": ">=", "value": 200}])
        details = page.get_by_role("complementary", name="Details of alpha:S0001-USD")
        expect(details.get_by_role("button", name="≥ 200.00")).to_be_visible()
        details.get_by_role("button", name="Favourite S0001-USD").click()
        expect(details.get_by_role("button", name="Favourite S0001-USD")).to_have_attribute("aria-pressed", "true")
        assert json.loads(page.evaluate("localStorage['ticker.favourites.v1']")) == ["S0001-USD"]
        details.get_by_role("button", name="Enlarge").click()
        page.keyboard.press("Escape")
        row(page, "S0002-USD").click()
        expect(page.get_by_role("button", name="Enlarge")).to_have_attribute("aria-pressed", "false")
