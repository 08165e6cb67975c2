"""Rows that come back into use."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.web.page_server import PageServer, book, frozen, row, until, until_price

pytestmark = pytest.mark.needs("chromium")


def test_a_row_that_comes_back_is_painted_anew(browser: Browser, server: PageServer) -> None:
    """A row that was not in use shows the price of now, even if it shows the same symbol again.

    Seen: it kept its price of then, and looked live, until that changed: with one symbol always, with more the row in
    the middle.
    """
    with frozen(browser, server, book(1)) as visit:
        page = visit.page
        page.get_by_role("button", name="Favourites").click()
        until(visit, lambda: row(page, "S0000-USD").count() == 0)
        visit.service.update({"S0000-USD": {"last": 222.0}})
        until(visit, lambda: page.locator("#figures .sequence").inner_text() == "4,712")
        page.get_by_role("button", name="All").click()
        until(visit, lambda: row(page, "S0000-USD").count() == 1)
        until_price(visit, "S0000-USD", "222.00")
