"""What is within reach in a real browser: the heads of the columns, and the focus after a search or in another list."""

from __future__ import annotations

import re
from functools import partial

import pytest
from playwright.sync_api import Browser, expect

from tests.web.page_server import PageServer, book, frozen, quote, row, showing, until
from tests.web.page_steps import sorts, store, visible_symbols

pytestmark = pytest.mark.needs("chromium")


def test_a_click_anywhere_in_a_head_sorts(browser: Browser, server: PageServer) -> None:
    """Not only one on its word. Seen: in a wide window nothing happened in the middle of a head."""
    with frozen(browser, server, book(3)) as visit:
        for name in ("Symbol", "Last", "24 h", "1 h trend", "Bid"):
            head = visit.page.get_by_role("columnheader", name=name, exact=True)
            head.click()  # in its middle
            until(visit, partial(sorts, head, "descending"))


def test_details_opened_from_the_search_have_their_keys(browser: Browser, server: PageServer) -> None:
    """Enter in the search opens the best match and leaves the field.

    Seen: the key of another interval was typed into the field, and nothing matched any more.
    """
    with showing(browser, server, book(30)) as visit:
        visit.page.keyboard.press("/")
        visit.page.keyboard.type("S0007")
        visit.page.keyboard.press("Enter")
        expect(row(visit.page, "S0007-USD")).to_be_focused()
        expect(visit.page.get_by_role("button", name="5m", exact=True)).to_be_visible()  # the details are loaded now
        visit.page.keyboard.press("1")
        expect(visit.page).to_have_url(re.compile(r"q=S0007&sel=S0007-USD&tf=1m$"))


def test_enter_leads_to_the_best_match_before_it_is_painted(browser: Browser, server: PageServer) -> None:
    """Enter right after the last letter leads to the best match, at the top of the list.

    Seen: the focus went to where that row was in the list of before, and took the view along, past all other matches.
    """
    quotes = book(60) | {"S0-USD": quote(last=7, quote_volume=1)}
    with frozen(browser, server, quotes) as visit:
        page = visit.page
        for key in "/s0":
            page.keyboard.press(key)
        page.keyboard.press("Enter")
        until(visit, lambda: visible_symbols(page)[:2] == ["S0-USD", "S0000-USD"])
        assert page.locator(".row:focus").get_attribute("data-symbol") == "S0-USD"


def test_a_focused_row_has_its_own_name_in_another_list(browser: Browser, server: PageServer) -> None:
    """Where the focus keeps its place in another list, its row has the name of the symbol that it shows now.

    Seen: the row that had the focus was used again, in the same place, and screen readers were told the symbol and the
    price of before for as long as the focus stayed.
    """
    with frozen(browser, server, book(60)) as visit:
        page, focused = visit.page, visit.page.locator(".row:focus")
        store(page, "ticker.favourites.v1", [f"S{i:04d}-USD" for i in range(50, 60)])
        row(page, "S0002-USD").focus()
        page.keyboard.press("]")
        until(visit, lambda: focused.get_attribute("data-symbol") == "S0052-USD")
        assert str(focused.get_attribute("aria-label")).startswith("S0052-USD, Name 52, 152.00")
