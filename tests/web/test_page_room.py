"""Room on the screen: what is shown is whole, not covered by anything, and can be pressed."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.web.page_server import LIVE_FEED, PageServer, Visit, book, price, quote, row, showing, visiting
from tests.web.page_steps import shows, store

pytestmark = pytest.mark.needs("chromium")

BOX = "(one) => one.getBoundingClientRect().toJSON()"

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
UNCOVERED = """(element) => {
  const { left, right, top, bottom } = element.getBoundingClientRect();
  const [x, y] = [(left + right) / 2, (top + bottom) / 2];
  return [[left + 2, y], [right - 2, y], [x, top + 2], [x, bottom - 2]]
    .every(([x, y]) => element.contains(document.elementFromPoint(x, y)));
}"""
"""Whether an element is in front at the middle of each of its edges."""
NEEDS_WIDTH = """(select) => {
  const copy = select.cloneNode(true);
  copy.style.cssText = "width: auto; max-width: none; position: absolute";
  select.parentNode.append(copy);
  const { width } = copy.getBoundingClientRect();
  copy.remove();
  return width;
}"""
"""How wide a select would have to be for the longest of its options."""


def uncovered(place: Locator) -> None:
    """Wait for an element to be fully in view and in front."""
    expect(place).to_be_in_viewport(ratio=1)
    place.page.wait_for_function(UNCOVERED, arg=place.element_handle())


def phone(browser: Browser, server: PageServer, quotes: dict[str, dict[str, object]], query: str = "") -> Visit:
    """A page on a phone that shows these quotes."""
    visit = visiting(browser, server, **PHONE)
    visit.service.quotes = quotes
    visit.service.feeds = {"alpha": LIVE_FEED | {"kind": "simulated"}}
    visit.go(query)
    expect(visit.page.locator("#cluster .word")).to_have_text("Live")
    return visit


def new_list(page: Page, title: str) -> None:
    page.get_by_role("button", name="New list").click()
    page.keyboard.type(title)
    page.keyboard.press("Enter")


def test_an_embedded_page_is_only_the_table(browser: Browser, server: PageServer) -> None:
    """An embedded page is the table of the symbols that it names, with the label of a market that is not real and a
    link to the full page. It has no details, though `sel` is left over from the full page's URL, no pause, no other
    list, no dialog and no menu of lists, by key or pointer. A row leads to its details on the full page.

    Seen: Space, pressed on the keyboard of a wall display, froze every price without a word; `[` and `]` went to lists
    whose tabs are not there. The keys were those of the full page.
    """
    with visiting(browser, server) as visit:
        page, service = visit.page, visit.service
        service.quotes, service.feeds = book(3), {"alpha": LIVE_FEED | {"kind": "simulated"}}
        visit.go("?embed=1&symbols=S0000-USD,S0001-USD&sel=S0001-USD&theme=dark")
        expect(price(page, "S0001-USD")).to_have_text("101.00")
        assert service.received[0]["symbols"] == ["S0000-USD", "S0001-USD"]
        for place in ("#kind-label", ".feed", "#embed-link"):
            uncovered(page.locator(place))
        for place in (".header", "#tabs", ".tools", "#details"):
            expect(page.locator(place)).to_be_hidden()
        row(page, "S0000-USD").focus()
        for key in ("m", "c", "]", " "):
            page.keyboard.press(key)
        page.evaluate("addEventListener('contextmenu', (event) => { window.browsers = !event.defaultPrevented })")
        row(page, "S0001-USD").dispatch_event("contextmenu")
        assert page.evaluate("window.browsers")
        service.update({"S0001-USD": {"last": 102.0}})
        expect(price(page, "S0001-USD")).to_have_text("102.00")
        expect(page.locator("dialog[open], .menu")).to_have_count(0)
        with page.expect_popup() as popup:
            row(page, "S0001-USD").click()
        full = f"{server.url}?symbols=S0000-USD,S0001-USD&sel=S0001-USD&theme=dark"
        expect(popup.value).to_have_url(full)
        popup.value.close()
        link = page.get_by_role("link", name="Ticker").evaluate("(link) => [link.href, link.target]")
        assert link == [full, "_blank"]
        page.set_viewport_size({"width": 300, "height": 250})  # too narrow for a trend
        expect(row(page, "S0001-USD").locator(".spark")).to_be_hidden()
        uncovered(price(page, "S0001-USD"))


def test_a_phone_shows_the_add_button_beside_the_symbol(browser: Browser, server: PageServer) -> None:
    """The button is beside the symbol, not over it, and is whole; it takes the place of the trend.

    The chosen tab is in view. Its menu's button is not covered by the button for a new list, nor is a shared list's
    Save.

    Seen: of 44 pixels 8 opened the menu, and Save was as short; a link to a list showed the tabs All and Favourites,
    neither of them chosen.
    """
    quotes = {currency: quote(last=2600.0, name="Gold, troy ounce / something") for currency in ("XAU-USD", "XAU-EUR")}
    with phone(browser, server, quotes) as visit:
        page = visit.page
        new_list(page, "Mine and yours")
        uncovered(page.locator(".tab-more"))
        expect(page.locator("#notice p")).to_have_text("No symbols in Mine and yours yet.")  # no key to press
        page.locator("#notice").get_by_role("button", name="Search").tap()
        page.keyboard.insert_text("gold")
        gold = row(page, "XAU-EUR")
        add = gold.get_by_role("button", name="Add XAU-EUR")
        for part in (add, gold.locator(".base"), gold.locator(".base + span")):
            uncovered(part)
        name, box, whole = (part.evaluate(BOX) for part in (gold.locator(".name"), add, gold))
        assert name["x"] + name["width"] <= box["x"]
        assert whole["y"] <= box["y"]
        assert box["y"] + box["height"] <= whole["y"] + whole["height"]
        add.tap()
        expect(add).to_be_hidden()
        expect(gold.locator(".spark")).to_be_visible()
        visit.go("?symbols=XAU-USD")
        expect(page.locator("#kind-label")).to_be_visible()
        uncovered(page.locator(".tab[aria-current]"))
        uncovered(page.locator(".tab-save"))


def test_a_phone_has_the_missing_controls_in_its_settings(browser: Browser, server: PageServer) -> None:
    """Order, filters, pause, file and link, which have another place on wider screens. Nothing is cut off there."""
    quotes = {
        "alpha:UP-USD": quote(last=2.0), "UP-EUR": quote(last=1.0, change_pct=0.0, quote_volume=9e9),
        "UP-USD": quote(last=1.0, change_pct=5.0, quote_volume=1.0), "DOWN-USD": quote(last=1.0, change_pct=-5.0),
        "FLAT-USD": quote(last=1.0, change_pct=0.0, quote_volume=9.0),
    }  # fmt: skip
    with phone(browser, server, quotes) as visit:
        page, dialog = visit.page, visit.page.get_by_role("dialog")
        settings = page.get_by_role("button", name="Settings")
        settings.tap()
        assert_nothing_is_cut_off(page, 11)
        settings.tap()
        dialog.get_by_label("Sort by").select_option("Top gainers")
        shows_below(page, ["UP-USD", "FLAT-USD", "UP-EUR", "DOWN-USD"])
        dialog.locator("[name=quote]").select_option("USD")
        shows_below(page, ["UP-USD", "FLAT-USD", "DOWN-USD"])
        dialog.locator("[name=feed]").select_option("alpha")
        shows_below(page, ["alpha:UP-USD"])
        dialog.get_by_role("button", name="Close").tap()
        shows(page, ["alpha:UP-USD"])
        settings.tap()
        dialog.locator("[name=feed]").select_option("All")
        expect(dialog.locator("[name=quote]")).to_have_value("USD")
        expect(dialog.get_by_label("Sort by")).to_have_value("-change")
        dialog.get_by_role("button", name="Pause").tap()
        expect(page.locator("#cluster .word")).to_contain_text("updates waiting")
        page.set_viewport_size({"width": 320, "height": 568})
        uncovered(page.get_by_role("button", name="Search symbols"))
        uncovered(page.locator("#cluster"))
        page.set_viewport_size(PHONE["viewport"])
        settings.tap()
        dialog.get_by_role("button", name="Resume").tap()
        expect(page.locator("#cluster .word")).to_have_text("Live")
        settings.tap()
        with page.expect_download() as download:
            dialog.get_by_role("button", name="Export as CSV").tap()
        assert download.value.suggested_filename.startswith("ticker")
        settings.tap()
        dialog.get_by_role("button", name="Copy link").tap()
        expect(page.get_by_label("Link to this view")).to_have_value(f"{server.url}?sort=-change&quote=USD&list=all")


def shows_below(page: Page, symbols: list[str]) -> None:
    """Wait until exactly these rows are listed, though a dialog is over them."""
    expect(page.locator(".row:not([hidden])")).to_have_count(len(symbols))
    shows(page, symbols)


def test_a_phone_names_the_filter_that_hides_rows(browser: Browser, server: PageServer) -> None:
    """While a filter is on, which a phone hides in the settings, a line above the rows names it and can end it; a
    search by URL is shown.

    Seen: a dozen rows of two thousand, because of a filter set the day before, and nothing on the screen to say so. And
    a page that was reloaded after a search showed the matches, but no field with the search.
    """
    quotes = {"alpha:A-EUR": quote(last=3.0), "A-USD": quote(last=1.0, quote_volume=9.0), "A-EUR": quote(last=2.0)}
    with phone(browser, server, quotes, "?quote=EUR&feed=alpha") as visit:
        page, said = visit.page, visit.page.locator("#notice")
        expect(said.locator("p")).to_have_text("Filtered by feed alpha, quote EUR.")
        shows(page, ["alpha:A-EUR"])
        page.set_viewport_size({"width": 1440, "height": 900})
        expect(said).to_be_hidden()
        accent = page.evaluate("getComputedStyle(document.querySelector('#embed-link')).color")
        expect(page.locator(".filter").first).to_have_css("border-color", accent)
        page.set_viewport_size(PHONE["viewport"])
        said.get_by_role("button", name="Show all").tap()
        shows(page, ["A-USD", "A-EUR"])
        expect(said).to_be_hidden()
        visit.go("?q=usd")
        shows(page, ["A-USD"])
        expect(page.get_by_role("searchbox")).to_have_value("usd")
        page.get_by_role("button", name="Clear search").tap()
        shows(page, ["A-USD", "A-EUR"])
        expect(page.locator("#cluster")).to_be_visible()
        visit.go("?quote=EUR&embed=1")
        shows(page, ["A-EUR"])
        expect(said).to_be_hidden()


def assert_nothing_is_cut_off(page: Page, settings: int) -> None:
    """Every option of every setting fits into its field; no column's name wraps. The settings are open."""
    selects = page.locator("dialog select:visible")
    expect(selects).to_have_count(settings)
    cut = selects.evaluate_all(
        f"(all) => all.filter((one) => ({NEEDS_WIDTH})(one) > one.getBoundingClientRect().width).map((one) => one.name)"
    )
    assert cut == []
    page.get_by_role("button", name="Columns").last.click()
    names = page.locator("dialog .check span")
    expect(names.first).to_be_visible()
    assert set(names.evaluate_all("(all) => all.map((name) => name.getClientRects().length)")) == {1}
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()


def test_the_title_field_leaves_the_menu_button_alone(browser: Browser, server: PageServer) -> None:
    """The field for a list's title leaves its menu button alone, and so does its tab; the menu offers only possible
    moves. Arrows move through it and wrap around, Tab closes it, and the focus is where it was.

    However many tabs there are, the button for a new list stays in view and the mouse wheel scrolls them.

    Seen: of 28 pixels 20 opened the menu.
    """
    with showing(browser, server, book(5)) as visit:
        page, new = visit.page, visit.page.locator("#tabs").get_by_role("button", name="New list", exact=True)
        new.click()
        uncovered(page.locator(".tab-more"))
        page.keyboard.insert_text("Metals")
        page.keyboard.press("Enter")
        uncovered(page.locator(".tab-more"))
        offers = page.get_by_role("menuitem")
        page.get_by_role("button", name="Options for Metals").click()
        expect(offers).to_have_text(["Rename", "Delete"])
        page.keyboard.press("Escape")
        new_list(page, "Majors")
        page.get_by_role("button", name="Options for Majors").click()
        expect(offers).to_have_text(["Rename", "Move left", "Delete"])
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        more = page.get_by_role("button", name="Options for Majors")
        more.press("Enter")
        expect(offers).to_have_text(["Rename", "Move right", "Delete"])
        for key, at in (("ArrowUp", 2), ("ArrowDown", 0), ("End", 2), ("Home", 0)):
            page.keyboard.press(key)
            expect(offers.nth(at)).to_be_focused()
        page.keyboard.press("Tab")
        expect(offers).to_have_count(0)
        expect(more).to_be_focused()
        page.keyboard.press("[")
        page.keyboard.press("[")
        store(page, "ticker.lists.v1", [{"title": f"List number {i}", "symbols": []} for i in range(20)])
        tabs = page.locator(".tab")
        expect(tabs).to_have_count(22)
        uncovered(new)
        expect(tabs.last).not_to_be_in_viewport()
        tabs.first.hover()
        page.mouse.wheel(0, 9000)
        uncovered(tabs.last)
        uncovered(new)


def test_a_feed_that_is_down_comes_first_in_the_status_line(browser: Browser, server: PageServer) -> None:
    """Where the status line has no room for all of twenty feeds, one that is down comes before those that deliver, and
    others are not cut within a word: the line fades out, and can be scrolled to its end.

    In a window just above a phone's width every tab and the button for a new list are in view. In the settings every
    option fits into its field, and no column's name wraps.

    Seen: it was the twentieth, beyond the line's end, and only its prices showed it. And "delta · connectin", as if
    that were all.
    """
    with visiting(browser, server) as visit:
        page, feeds = visit.page, visit.page.locator("#feeds")
        names = [f"venue-number-{i:02d}" for i in range(20)]
        visit.service.quotes = book(5)
        visit.service.feeds = dict.fromkeys(names, LIVE_FEED | {"kind": "simulated"})
        visit.go()
        expect(page.locator(".feed")).to_have_count(20)
        visit.service.update(feeds={names[-1]: {"state": "down"}})
        uncovered(page.locator(".feed", has_text=f"{names[-1]}·down"))
        page.locator("#settings").click()
        assert_nothing_is_cut_off(page, 8)
        page.set_viewport_size({"width": 720, "height": 450})
        expect(page.locator("#kind-label")).to_be_in_viewport(ratio=1)
        for tab in page.locator(".tab").all():
            uncovered(tab)
        uncovered(page.get_by_role("button", name="New list"))
        assert "gradient" in feeds.evaluate("(line) => getComputedStyle(line).maskImage")
        feeds.evaluate("(line) => { line.scrollLeft = 1e6; }")
        last, line = (part.evaluate(BOX) for part in (feeds.locator(".feed").last, feeds))
        assert last["x"] + last["width"] <= line["x"] + line["width"] - 15  # not where it fades out
