"""Hours of use: rows, numbers, details. Each of these has gone wrong before."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.web.page_server import (
    LIVE_FEED,
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


def test_starring_moves_no_row_of_another_list(browser: Browser, server: PageServer) -> None:
    """A star pressed in a list that it does not change leaves every row in its place.

    Seen: sorted by a live column, the rows were reordered by the press, and the next star was another symbol's.
    """
    with frozen(browser, server, book(5), "?sort=-last") as visit:
        page, service = visit.page, visit.service
        row(page, "S0001-USD").hover()
        before = visible_symbols(page)
        service.update({"S0000-USD": {"last": 999.0}})
        until(visit, lambda: page.locator(".order-held").is_visible())
        page.get_by_role("button", name="Favourite S0001-USD").click()
        until(visit, lambda: page.locator(".tab .count").all_inner_texts() == ["5", "1"])
        assert visible_symbols(page) == before
        page.mouse.move(700, 20)
        until(visit, lambda: visible_symbols(page)[0] == "S0000-USD")


def test_dragging_over_a_price_selects_it(browser: Browser, server: PageServer) -> None:
    """Dragging over a price selects it; only a click on a row opens its details."""
    with showing(browser, server, book(3)) as visit:
        page = visit.page
        box = price(page, "S0001-USD").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] - 1, box["y"] + 8)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] + 2, box["y"] + 8, steps=3)
        page.mouse.up()
        assert page.evaluate("String(getSelection())") == "101.00"
        assert page.locator("#details").is_hidden()
        price(page, "S0001-USD").click()
        expect(page.locator("#details")).to_be_visible()


def test_selected_rows_are_copied_as_a_table(browser: Browser, server: PageServer) -> None:
    """Copied rows have tabs between cells, a line each, the same columns and no arrows, as spreadsheets expect.

    Seen: each piece of text was on a line of its own. And Firefox selected another row than the one under the pointer,
    since it ignored the transforms by which rows were placed.
    """
    with showing(browser, server, book(4)) as visit:
        page, service = visit.page, visit.service
        service.update({"S0001-USD": {"last": 102.5}})
        expect(cell(page, "S0001-USD", "last")).to_have_text("▲102.50")
        start, end = (cell(page, *place).bounding_box() for place in (("S0001-USD", "last"), ("S0002-USD", "bid")))
        assert start is not None
        assert end is not None
        page.mouse.move(start["x"] + start["width"] - 20, start["y"] + 11)
        page.mouse.down()
        page.mouse.move(end["x"] + end["width"] - 8, end["y"] + 11, steps=3)
        page.mouse.up()
        copied = page.evaluate("""() => new Promise((done) => {
          addEventListener("copy", (event) => done(event.clipboardData.getData("text/plain")), { once: true });
          document.execCommand("copy");
        })""")
        assert [line.split("\t")[:5] for line in copied.split("\n")] == [
            ["S0001-USD", "Name 1", "102.50", "\u22121.00%", "100.50"],
            ["S0002-USD", "Name 2", "102.00", "0.00%", "101.50"],
        ]
        assert row(page, "S0002-USD").evaluate("(row) => getComputedStyle(row).transform") == "none"


def test_the_document_has_the_rows_in_screen_order(browser: Browser, server: PageServer) -> None:
    """However the list was scrolled, its rows have the same order in the document as on screen, and the focus stays.

    Seen: screen readers read rows, and selected text was copied, in the order in which pooled rows had become free;
    even while the pointer was over them, as it is when text is selected.
    """
    order = "[...document.querySelectorAll('.row:not([hidden])')].map((row) => Number(row.ariaRowIndex))"
    with frozen(browser, server, book(200)) as visit:
        page = visit.page
        page.mouse.move(700, 300)
        for top in (300, 1000, 700):
            page.locator("#grid").evaluate("(grid, top) => { grid.scrollTop = top }", top)
            page.evaluate(REAL_FRAME)
            advance(visit, 50)
        row(page, "S0030-USD").focus()
        indexes = page.evaluate(order)
        assert indexes != sorted(indexes)
        advance(visit, 5000)
        assert page.evaluate(order) == sorted(indexes)
        assert page.evaluate("document.activeElement.dataset.symbol") == "S0030-USD"


def test_a_wildcard_in_sel_is_ignored(browser: Browser, server: PageServer) -> None:
    """`sel` names a symbol: `*` is none, and does not stream all the venues' symbols."""
    with showing(browser, server, book(3), "?sel=*") as visit:
        expect(visit.page.locator(".panel-missing")).to_contain_text("* · not listed here")
        assert visit.service.patterns == ["*"]


def test_an_alert_needs_an_existing_symbol(browser: Browser, server: PageServer) -> None:
    """The form accepts a name as typed, or in capitals, and refuses one whose alert would never fire.

    Seen: a mistyped symbol was accepted silently, and one with lower-case letters was changed to another.
    """
    with showing(browser, server, {"kPEPE-USD": quote(last=1), "BTC-USD": quote(last=1)}) as visit:
        page = visit.page
        row(page, "kPEPE-USD").focus()
        page.keyboard.press("a")
        add = page.get_by_role("button", name="Add alert")
        add.click()
        page.locator("[name=symbol]").fill("btc-usd")
        add.click()
        expect(page.locator(".alert-list b")).to_have_text(["kPEPE-USD", "BTC-USD"])
        page.locator("[name=symbol]").fill("btcusd")
        add.click()
        expect(page.locator(".problem")).to_have_text("BTCUSD is not listed here.")
        expect(page.locator(".alert-list b")).to_have_count(2)


def test_an_alert_line_can_be_released_outside_the_chart(browser: Browser, server: PageServer) -> None:
    """A line that is released beyond the chart's edge stays; it does not follow the pointer back."""
    with showing(browser, server, book(3)) as visit:
        page = visit.page
        y = page.evaluate(ALERT_LINES, bars(40))
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


def test_scrolling_moves_no_alert(browser: Browser, server: PageServer) -> None:
    """A finger that starts to scroll on an alert line does not move the alert."""
    with showing(browser, server, book(3)) as visit:
        page = visit.page
        y = page.evaluate(ALERT_LINES, bars(40))
        page.mouse.move(150, y)
        page.mouse.down()
        page.mouse.move(150, y - 30, steps=3)
        page.evaluate("document.querySelector('.grabbing').dispatchEvent(new PointerEvent('pointercancel'))")
        page.mouse.up()
        assert page.evaluate("window.moved") == []


def test_the_chart_follows_locale_and_time_zone_at_once(browser: Browser, server: PageServer) -> None:
    """The open chart changes its locale and time zone at once, not only with its next bar."""
    server.answers["api/candles"] = minutes([100.0] * 10, START_MS)
    with showing(browser, server, book(3), "?sel=S0000-USD&tf=1m") as visit:
        page = visit.page
        expect(page.locator(".legend b").nth(3)).to_have_text("100.00")
        page.get_by_role("button", name="Settings").click()
        page.locator("[name=locale]").select_option("de-DE")
        expect(page.locator(".legend b").nth(3)).to_have_text("100,00")
        expect(page.locator(".panel .price")).to_have_text("100,00")


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


def test_a_chart_keeps_its_hours_when_clocks_change(browser: Browser, server: PageServer) -> None:
    """In local time each bar is at its own hour, also before a change of the clocks, and times never go back.

    Seen: from the end of October on, all bars of the summer were an hour early.
    """
    times = ["2026-06-01T12:00Z", "2026-10-25T00:30Z", "2026-10-25T01:00Z", "2026-10-25T01:30Z"]
    with showing(browser, server, book(3)) as visit:
        zone = visit.page.context.new_cdp_session(visit.page)
        zone.send("Emulation.setTimezoneOverride", {"timezoneId": "Europe/Berlin"})
        told = visit.page.evaluate(CHANGED_CLOCKS, times)
        zone.send("Emulation.setTimezoneOverride", {"timezoneId": ""})
        zone.detach()
    assert told == ["01T14:00:00", "25T02:30:00", "25T02:30:01", "25T02:30:02", "25T03:00:00"]


MOVES = """async (quotes) => {
  const { Quote } = await import("/js/store/quote.js");
  return quotes.map((fields) => Object.assign(new Quote("X"), fields).difference?.toFixed(2));
}"""


def test_change_and_percent_agree(browser: Browser, server: PageServer) -> None:
    """The change counts from the open, to the cent, if the percentage does; else it follows the percentage.

    Seen: the panel, which computed it from the rounded percentage, was dollars off the column, which counted a share's
    change from the session's open though its percentage is from the last close: up by percent, down by price.
    """
    quotes = [
        {"last": 97412.35, "open": 95608.15, "change_pct": 1.89},
        {"last": 228.0, "open": 230.0, "change_pct": 1.0},
        {"last": 99.0, "open": 100.0},
        {"last": 110.0, "change_pct": 10.0},
        {"last": 110.0},
    ]
    with showing(browser, server, book(3)) as visit:
        assert visit.page.evaluate(MOVES, quotes) == ["1804.20", "2.26", "-1.00", "10.00", None]


def test_an_open_list_of_currencies_is_not_rebuilt(browser: Browser, server: PageServer) -> None:
    """A new symbol leaves the open list of currencies alone unless it brings a new one."""
    with showing(browser, server, book(3)) as visit:
        page = visit.page
        expect(page.locator("#quote option")).to_have_text(["Any", "USD"])
        page.evaluate("window.kept = document.querySelector('#quote').options[1]")
        visit.service.update({"NEW-USD": quote(last=1)})
        expect(page.locator(".tab[aria-current]")).to_have_text("All4")
        assert page.evaluate("window.kept.isConnected")
        visit.service.update({"NEW-EUR": quote(last=1)})
        expect(page.locator("#quote option")).to_have_text(["Any", "USD", "EUR"])


def test_details_of_a_symbol_outside_the_list_have_title_and_alerts(browser: Browser, server: PageServer) -> None:
    """The title shows the price of a venue's own symbol, and the key for alerts applies to the open details."""
    with showing(browser, server, book(3) | {"alpha:FAR-USD": quote(last=7)}, "?sel=alpha:FAR-USD") as visit:
        expect(visit.page).to_have_title("7.00 alpha:FAR-USD · Ticker")
        visit.page.keyboard.press("a")
        expect(visit.page.locator("[name=symbol]")).to_have_value("FAR-USD")


def test_large_and_tiny_prices_are_readable(browser: Browser, server: PageServer) -> None:
    """A number too long for its column is cut at its end, never drawn over its neighbour; a tiny one is folded.

    Seen: bid and ask of a pair in rupiah ran into one number; a coin of 18 decimals had no chart, since the library
    takes no such step, and its change was a row of zeros over the percentage.
    """
    quotes = {
        "BTC-IDR": quote(last=1_560_000_000.12, bid=1_560_000_000.5, ask=1_561_000_000.5),
        "TINY-USD": quote(last=1.5e-13, open=2e-13, decimals=18),
        "PEPE-USD": quote(last=0.00002048, bid=0.00002048, ask=0.00002049, decimals=8),
    }
    server.answers["api/candles"] = minutes([1e-13] * 10, START_MS)
    with showing(browser, server, quotes, "?sel=TINY-USD&cols=change,bid,ask,difference") as visit:
        page = visit.page
        expect(page.locator(".legend b").first).to_have_text("0.0₁₂100000")
        expect(cell(page, "BTC-IDR", "bid")).to_have_attribute("title", "1,560,000,000.50")
        over = "one.scrollWidth > one.clientWidth && getComputedStyle(one).overflowX === 'visible'"
        assert page.locator(".cell.number").evaluate_all(f"(all) => all.filter((one) => {over})") == []
        page.set_viewport_size({"width": 740, "height": 600})  # where no column is wider than it has to be
        whole = "(one) => one.clientWidth < 100 && one.scrollWidth <= one.clientWidth"
        page.wait_for_function(whole, arg=cell(page, "PEPE-USD", "bid").element_handle())
        expect(cell(page, "TINY-USD", "difference")).to_have_text("\u22120.0₁₃50000")
        expect(page.locator(".panel-change")).to_contain_text("\u22120.0₁₃50000")


def test_letters_typed_on_the_service_page_are_no_shortcuts(browser: Browser, server: PageServer) -> None:
    """In a menu letters are not shortcuts; nor anywhere if single-letter keys are off."""
    server.answers["api/status"] = server.answers["api/feeds"] = {"status": 401}
    with visiting(browser, server) as visit:
        visit.tolerated = ["error: Failed to load resource"]
        page = visit.page
        visit.go("status")
        page.locator("[name=token]").press_sequentially("tttt")
        assert page.locator("html").get_attribute("data-theme") == "auto"
        page.keyboard.press("Escape")
        expect(page.locator("dialog > *")).to_have_count(0)  # its close event has come
        page.wait_for_function("() => document.activeElement === document.body")
        page.keyboard.press("t")
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        store(page, "ticker.prefs.v1", {"theme": "dark", "letters": "off"})
        page.keyboard.press("t")
        assert page.locator("html").get_attribute("data-theme") == "dark"
    del server.answers["api/status"], server.answers["api/feeds"]


def test_an_embedded_table_has_no_details(browser: Browser, server: PageServer) -> None:
    """`sel`, left over from the full page's URL, opens no details in an embedded page."""
    with visiting(browser, server) as visit:
        visit.service.quotes, visit.service.feeds = book(3), {"alpha": LIVE_FEED}
        visit.go("?embed=1&symbols=S0000-USD,S0001-USD&sel=S0001-USD")
        expect(price(visit.page, "S0001-USD")).to_have_text("101.00")
        assert visit.page.locator("#details").is_hidden()


def test_an_embedded_page_has_no_shortcuts_for_hidden_controls(browser: Browser, server: PageServer) -> None:
    """An embedded page has no pause, no other list, no dialog and no menu of lists, by key or pointer.

    Seen: Space, pressed on the keyboard of a wall display, froze every price without a word; `[` and `]` went to lists
    whose tabs are not there. The keys were those of the full page.
    """
    with visiting(browser, server) as visit:
        page, service = visit.page, visit.service
        service.quotes, service.feeds = book(3), {"alpha": LIVE_FEED}
        visit.go("?embed=1&symbols=S0000-USD,S0001-USD")
        expect(price(page, "S0001-USD")).to_have_text("101.00")
        row(page, "S0000-USD").focus()
        for key in ("m", "c", "]", " "):
            page.keyboard.press(key)
        page.evaluate("addEventListener('contextmenu', (event) => { window.browsers = !event.defaultPrevented })")
        row(page, "S0001-USD").dispatch_event("contextmenu")
        assert page.evaluate("window.browsers")
        service.update({"S0001-USD": {"last": 102.0}})
        expect(price(page, "S0001-USD")).to_have_text("102.00")
        expect(page.locator("dialog[open], .menu")).to_have_count(0)


def test_another_list_starts_at_the_top(browser: Browser, server: PageServer) -> None:
    """However far the table is scrolled, a search, a filter and another list start at the top.

    Seen: a search after scrolling showed the seventieth match, not the best one.
    """
    with frozen(browser, server, book(300)) as visit:
        page = visit.page
        tops = []
        for look in ("/S00", "Escape", "]", "["):
            page.locator("#grid").evaluate("(grid) => { grid.scrollTop = 1200 }")
            for key in look if look.startswith("/") else [look]:
                page.keyboard.press(key)
            tops.append(page.locator("#grid").evaluate("(grid) => grid.scrollTop"))
        assert tops == [0, 0, 0, 0]


def test_stars_and_alerts_of_a_venue_symbol_are_its_instruments(browser: Browser, server: PageServer) -> None:
    """In a venue symbol's details, star and alerts are those of the instrument, which lists and alerts know.

    Seen: the star added a name that Favourites cannot hold and that was gone after a reload. And a panel closed while
    enlarged came back small, with its button pressed.
    """
    quotes = book(3) | {"alpha:S0001-USD": quote(last=7)}
    with showing(browser, server, quotes, "?sel=alpha:S0001-USD") as visit:
        page = visit.page
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


PRESS = """([selector, key, more]) => document.querySelector(selector).dispatchEvent(
  new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }))"""


def test_shortcuts_work_on_other_keyboards_and_input_methods(browser: Browser, server: PageServer) -> None:
    """Brackets are shortcuts even if typed with Alt; Enter that accepts an input method's offer does nothing else."""
    with showing(browser, server, book(3)) as visit:
        page = visit.page
        current = page.locator(".tab[aria-current] > span").first
        page.evaluate(PRESS, ["body", "]", {"altKey": True}])
        expect(current).to_have_text("Favourites")
        page.evaluate(PRESS, ["body", "[", {"altKey": True, "ctrlKey": True}])
        expect(current).to_have_text("All")
        page.evaluate(PRESS, ["body", "]", {"metaKey": True}])
        expect(current).to_have_text("All")
        page.keyboard.press("/")
        page.evaluate(PRESS, ["#search", "Enter", {"isComposing": True}])
        assert page.locator("#details").is_hidden()
        page.get_by_role("button", name="New list").click()
        page.evaluate(PRESS, [".tab-title", "Enter", {"isComposing": True}])
        expect(page.locator(".tab-title")).to_be_focused()


def test_the_link_to_all_quotes_sends_the_token(browser: Browser, server: PageServer) -> None:
    """The link to all quotes sends the token, if there is one, and saves the answer.

    Seen: it led to a page that said `unauthorized`, since the URL carries no token.
    """
    with showing(browser, server, book(3)) as visit:
        page = visit.page
        said: list[str | None] = []

        def tell(route: Route) -> None:
            said.append(route.request.headers.get("authorization"))
            route.fulfill(body="symbol,last\r\n", content_type="text/csv")

        page.route("**/api/quotes*", tell)
        page.evaluate("localStorage.setItem('ticker.token.v1', 'secret')")
        with page.expect_download():
            page.keyboard.press("e")
        with page.expect_download() as download:
            page.get_by_role("link", name="All quotes").click()
        assert (download.value.suggested_filename, said) == ("quotes.csv", ["Bearer secret"])


def test_a_long_symbol_is_abbreviated_with_an_ellipsis(browser: Browser, server: PageServer) -> None:
    """Of a long symbol the beginning and the currency are shown, with an ellipsis in between.

    Seen: two symbols that differ only in their currency looked the same.
    """
    symbol = "1000000MOGSHIBAINUDOGE-USDT.PERP"
    with showing(browser, server, {symbol: quote(last=1, name="Name")}) as visit:
        base, rest = (cell(visit.page, symbol, "symbol").locator(part) for part in (".base", ".rest"))
        assert (
            base.evaluate("(one) => one.scrollWidth > one.clientWidth && getComputedStyle(one).textOverflow")
            == "ellipsis"
        )
        assert rest.evaluate("(one) => one.scrollWidth <= one.clientWidth")
