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
    """A title sorts descending, ascending, default; a live order waits until pointer and keys rest, and says so."""
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
    """Typing filters by symbol and name; a search without matches is quoted as text, with a button to clear it."""
    hostile = "<img src=x onerror=alert(1)>"
    with showing(browser, server, book(40) | {"EVIL": quote(last=1, name=hostile, quote_volume=1e12)}) as visit:
        expect(row(visit.page, "EVIL").locator(".name")).to_have_text(hostile)
        visit.page.keyboard.press("/")
        visit.page.keyboard.type("name 13")
        expect(visit.page.locator(".row:not([hidden])")).to_have_count(1)  # each key filters in its own frame
        shows(visit.page, ["S0013-USD"])
        visit.page.locator("#search").fill("<b>no</b>")
        expect(visit.page.locator("#notice p")).to_have_text("Nothing matches ‘<b>no</b>’ in All.")
        visit.page.locator("#notice button").click()
        expect(row(visit.page, "S0000-USD")).to_be_visible()
        expect(visit.page.locator("#notice")).to_be_hidden()


def test_favourites_persist_across_a_reload(browser: Browser, server: PageServer) -> None:
    """A starred symbol is in Favourites, also after a reload; broken storage means none."""
    with showing(browser, server, book(40)) as visit:
        visit.page.get_by_role("button", name=re.compile("^Favourites")).click()
        expect(visit.page.locator("#notice p")).to_have_text("No symbols in Favourites yet. Press a star to add one.")
        visit.page.get_by_role("button", name=re.compile("^All")).click()
        visit.page.get_by_role("button", name="Favourite S0002-USD").click()
        visit.page.reload()
        visit.page.get_by_role("button", name="Favourites 1").click()
        expect(row(visit.page, "S0001-USD")).to_have_count(0)
        shows(visit.page, ["S0002-USD"])
        visit.page.evaluate("localStorage.setItem('ticker.favourites.v1', '{broken')")
        visit.page.reload()
        expect(visit.page.get_by_role("button", name="Favourites 0")).to_be_visible()


def test_an_arrow_key_focuses_the_rows(browser: Browser, server: PageServer) -> None:
    """Without a focus, as after loading, one key leads to the rows; elsewhere it does what it always does.

    Seen: fourteen tab stops lie before the rows, and after Escape from the details one had to start over.
    """
    with showing(browser, server, book(30)) as visit:
        page = visit.page
        expect(row(page, "S0000-USD")).to_be_visible()
        page.keyboard.press("ArrowDown")
        expect(row(page, "S0000-USD")).to_be_focused()
        page.keyboard.press("ArrowDown")
        expect(row(page, "S0001-USD")).to_be_focused()
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("ArrowDown")
        expect(row(page, "S0001-USD")).to_be_focused()
        page.evaluate("addEventListener('keydown', (event) => { window.browsers = !event.defaultPrevented })")
        page.locator("#theme").press("ArrowDown")
        expect(page.locator("#theme")).to_be_focused()
        assert page.evaluate("window.browsers")


def test_keyboard_moves_through_the_grid(browser: Browser, server: PageServer) -> None:
    """One tab stop leads into the rows; arrows, pages and ends move the focus; a row scrolled away keeps it."""
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
