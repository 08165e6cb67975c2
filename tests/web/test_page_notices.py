"""What the page says in a real browser where prices are missing."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.web.page_server import LIVE_FEED, PageServer, showing

pytestmark = pytest.mark.needs("chromium")


def test_an_empty_table_says_what_its_feeds_complain_of(browser: Browser, server: PageServer) -> None:
    """As text, as `ticker watch` does; however many and long the complaints are, they are within the table.

    Seen: with a real feed down from the start and a simulated one on standby, the table was empty until "a feed
    delivers", which one of them did. A URL in a complaint made a phone's page three times as wide as the screen.
    """
    with showing(browser, server, {}) as visit:
        notice = visit.page.locator("#notice p")
        expect(notice).to_have_text("No symbols yet. They appear here as soon as a feed delivers.")
        visit.service.update(feeds={"beta": LIVE_FEED | {"state": "down", "message": "no route to <i>host</i>"}})
        expect(notice).to_have_text(
            "No symbols yet. They appear here as soon as a feed delivers. Feed beta is down: no route to <i>host</i>."
        )
        page = visit.page
        page.set_viewport_size({"width": 320, "height": 568})
        down = LIVE_FEED | {"state": "down", "message": f"GET https://{'x' * 180}/ failed"}
        visit.service.update(feeds={f"feed-{i}": down for i in range(12)})
        expect(notice).to_contain_text("Feed feed-11 is down")
        assert page.evaluate("document.documentElement.scrollWidth") == 320
        assert page.evaluate(BELOW) <= 0
        page.locator("#notice").evaluate("(notice) => { notice.scrollTop = 1e6 }")
        assert page.locator("#notice").evaluate("(notice) => notice.scrollTop") > 0
        assert page.evaluate(STARTS) == 0


BELOW = """() => document.querySelector("#notice").getBoundingClientRect().bottom
  - document.querySelector(".board").getBoundingClientRect().bottom"""
STARTS = """() => {
  const [notice, text] = ["#notice", "#notice p"].map((place) => document.querySelector(place));
  const above = notice.getBoundingClientRect().top + 9 - text.getBoundingClientRect().top - notice.scrollTop;
  return Math.round(above); // what is cut off cannot be scrolled to
}"""
