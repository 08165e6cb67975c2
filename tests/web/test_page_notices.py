"""What the page says in a real browser where prices are missing."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.web.page_server import LIVE_FEED, PageServer, showing

pytestmark = pytest.mark.needs("chromium")


def test_an_empty_table_says_what_its_feeds_complain_of(browser: Browser, server: PageServer) -> None:
    """As text, as `ticker watch` does.

    Seen: with a real feed down from the start and a simulated one on standby, the table was empty until "a feed
    delivers", which one of them did.
    """
    with showing(browser, server, {}) as visit:
        notice = visit.page.locator("#notice p")
        expect(notice).to_have_text("No symbols yet. They appear here as soon as a feed delivers.")
        visit.service.update(feeds={"beta": LIVE_FEED | {"state": "down", "message": "no route to <i>host</i>"}})
        expect(notice).to_have_text(
            "No symbols yet. They appear here as soon as a feed delivers. Feed beta is down: no route to <i>host</i>."
        )
