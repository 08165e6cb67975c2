"""Finding a symbol: by order, search, favourites and keyboard."""

from __future__ import annotations

import re
from functools import partial

import pytest
from playwright.sync_api import Browser, expect

from tests.web.page_server import (
    PageServer,
    advance,
    book,
    frozen,
    quote,
    row,
    showing,
    until,
)
from tests.web.page_steps import shows, sorts, visible_symbols

pytestmark = pytest.mark.needs("chromium")


def test_the_order_is_held_while_pointer_or_keys_are_on_the_rows(browser: Browser, server: PageServer) -> None:
    """A title sorts descending, ascending, default; a live order waits until pointer and keys rest, and says so.

    A star pressed in a list that it does not change leaves every row in its place.

    Seen: sorted by a live column, the rows were reordered by the press, and the next star was another symbol's.
    """
    with frozen(browser, server, book(10)) as visit:
        page, held = visit.page, visit.page.locator(".order-held")
        title = page.locator('.head-cell[data-column="last"]')
        for sort, first in (("descending", "S0009-USD"), ("ascending", "S0000-USD"), (None, "S0000-USD")):
            title.locator("button").click()
            until(visit, partial(sorts, title, sort))
            assert visible_symbols(page)[0] == first
        volume = page.locator('.head-cell[data-column="volume"]')
        assert volume.get_attribute("aria-sort") == "descending"
        row(page, "S0005-USD").hover()
        before = visible_symbols(page)
        visit.service.update({"S0007-USD": {"quote_volume": 9e9}})
        advance(visit, 900)
        until(visit, held.is_visible)
        row(page, "S0005-USD").get_by_role("button", name="Favourite S0005-USD").click()
        until(visit, lambda: page.locator(".tab .count").all_inner_texts() == ["10", "1"])
        assert visible_symbols(page) == before
        page.mouse.move(700, 20)
        advance(visit, 900)
        until(visit, lambda: visible_symbols(page)[0] == "S0007-USD")
        assert not held.is_visible()
        row(page, "S0001-USD").focus()
        page.keyboard.press("ArrowDown")
        visit.service.update({"S0008-USD": {"quote_volume": 99e9}})
        advance(visit, 900)
        until(visit, held.is_visible)
        assert visible_symbols(page)[0] == "S0007-USD"
        advance(visit, 3000)
        until(visit, lambda: visible_symbols(page)[0] == "S0008-USD")


def test_search_finds_the_best_match_first_and_treats_markup_as_text(browser: Browser, server: PageServer) -> None:
    """Exact symbol or base first, then prefixes, currency, words of the name, anything else; Enter opens the first,
    unless it accepts an input method's offer. A search without matches is quoted as text, with a button to clear it.
    """
    hostile = "<img src=x onerror=alert(1)>"
    quotes = book(20) | {
        "XBTC-USD": quote(last=1, quote_volume=9e12, name=hostile), "BTC-EUR": quote(last=1, quote_volume=1),
        "BTCX-USD": quote(last=1, quote_volume=5e12), "ETH-BTC": quote(last=1, quote_volume=6e12),
        "GOLD": quote(last=1, quote_volume=7e12, name="Wrapped btc"),
    }  # fmt: skip
    with showing(browser, server, quotes) as visit:
        page = visit.page
        expect(row(page, "XBTC-USD").locator(".name")).to_have_text(hostile)
        page.keyboard.press("/")
        page.keyboard.type("name 13")
        expect(page.locator(".row:not([hidden])")).to_have_count(1)  # each key filters in its own frame
        shows(page, ["S0013-USD"])
        page.locator("#search").fill("<b>no</b>")
        expect(page.locator("#notice p")).to_have_text("Nothing matches ‘<b>no</b>’ in All.")
        page.locator("#notice button").click()
        expect(row(page, "S0000-USD")).to_be_visible()
        expect(page.locator("#notice")).to_be_hidden()
        page.keyboard.press("Control+k")
        page.keyboard.insert_text("btc")
        expect(page.locator(".row:not([hidden])")).to_have_count(5)
        shows(page, ["BTC-EUR", "BTCX-USD", "ETH-BTC", "GOLD", "XBTC-USD"])
        page.evaluate(PRESS, ["#search", "Enter", {"isComposing": True}])
        assert page.locator("#details").is_hidden()
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"\bsel=BTC-EUR\b"))


PRESS = """([selector, key, more]) => document.querySelector(selector).dispatchEvent(
  new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }))"""


def test_keyboard_moves_through_the_grid(browser: Browser, server: PageServer) -> None:
    """Without a focus, as after loading, one key leads to the rows; elsewhere it does what it always does. One tab stop
    leads into the rows; arrows, pages and ends move the focus; a row scrolled away keeps it. Brackets are shortcuts
    even if typed with Alt, as on many keyboards, but not with Cmd.

    Seen: fourteen tab stops lie before the rows, and after Escape from the details one had to start over.
    """
    with showing(browser, server, book(200)) as visit:
        page, focused = visit.page, visit.page.locator(".row:focus")
        expect(row(page, "S0000-USD")).to_be_visible()
        symbols = []
        for key in ("ArrowDown", "ArrowDown", "blur", "ArrowDown"):
            page.evaluate("document.activeElement.blur()") if key == "blur" else page.keyboard.press(key)
            symbols.append(focused.get_attribute("data-symbol") if focused.count() else None)
        assert symbols == ["S0000-USD", "S0001-USD", None, "S0001-USD"]
        page.evaluate("addEventListener('keydown', (event) => { window.browsers = !event.defaultPrevented })")
        page.locator("#theme").press("ArrowDown")
        expect(page.locator("#theme")).to_be_focused()
        assert page.evaluate("window.browsers")
        while focused.count() == 0:
            page.keyboard.press("Tab")
        symbols = []
        for key in ("ArrowDown", "ArrowUp", "ArrowUp", "End", "Home", "PageDown"):
            page.keyboard.press(key)
            symbols.append(focused.get_attribute("data-symbol"))
        assert symbols[:5] == ["S0002-USD", "S0001-USD", "S0000-USD", "S0199-USD", "S0000-USD"]
        assert 15 <= int((symbols[5] or "")[1:5]) <= 30
        page.locator("#grid").evaluate("(grid) => { grid.scrollTop = 3000 }")
        expect(row(page, "S0110-USD")).to_be_visible()
        expect(focused).to_have_attribute("data-symbol", str(symbols[5]))
        assert page.locator('.row[tabindex="0"]').count() == 1
        page.keyboard.press("Home")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowLeft")
        expect(page.locator('.head-cell[data-column="spread"] button')).to_be_focused()
        current = page.locator(".tab[aria-current] > span").first
        page.evaluate(PRESS, ["body", "]", {"altKey": True}])
        expect(current).to_have_text("Favourites")
        page.evaluate(PRESS, ["body", "[", {"altKey": True, "ctrlKey": True}])
        expect(current).to_have_text("All")
        page.evaluate(PRESS, ["body", "]", {"metaKey": True}])
        expect(current).to_have_text("All")
