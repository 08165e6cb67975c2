"""The heads of the columns in a real browser."""

from __future__ import annotations

from functools import partial

import pytest
from playwright.sync_api import Browser

from tests.web.page_server import PageServer, book, frozen, until
from tests.web.page_steps import sorts

pytestmark = pytest.mark.needs("chromium")


def test_a_click_anywhere_in_a_head_sorts(browser: Browser, server: PageServer) -> None:
    """Not only one on its word. Seen: in a wide window nothing happened in the middle of a head."""
    with frozen(browser, server, book(3)) as visit:
        for name in ("Last", "24 h", "1 h trend", "Bid"):
            head = visit.page.get_by_role("columnheader", name=name, exact=True)
            head.click()  # in its middle
            until(visit, partial(sorts, head, "descending"))
