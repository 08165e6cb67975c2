"""What hours of use bring: absences, other tabs, symbols that come back. Each of these was seen to go wrong."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.web.page_server import START_MS, PageServer, Visit, advance, book, frozen, until
from tests.web.test_page_time import SHOW

pytestmark = pytest.mark.needs("chromium")

MINUTE_MS = 60_000


def minutes(closes: list[float], last_ms: int) -> dict[str, Any]:
    """Bars of a minute with these closes, the last of them, which began then, still open."""
    first_ms = last_ms - (len(closes) - 1) * MINUTE_MS
    flags = [""] * (len(closes) - 1) + ["o"]
    return {"bars": [[first_ms + i * MINUTE_MS, c, c + 1, c - 1, c, 5, flags[i]] for i, c in enumerate(closes)]}


def pass_minutes(visit: Visit, count: int) -> None:
    """Let minutes pass in which the service, whose heart beats slowly, says nothing."""
    for _ in range(count):
        advance(visit, MINUTE_MS)
        visit.service.send({"type": "heartbeat", "version": visit.service.version, "time": visit.service.time_ms})


def test_bars_of_a_time_away_are_the_services(browser: Browser, server: PageServer) -> None:
    """Back after eight minutes, the chart has the minutes in between as they were.

    Seen: a flat line for all the time that the tab was hidden, or paused, and a jump at its end. The page carried the
    last close on, as if nothing had happened, and then asked for the last three bars only.
    """
    server.answers["api/candles"] = minutes([100.0] * 10, START_MS)
    quotes = book(3)
    with frozen(browser, server, quotes, "?sel=S0000-USD&tf=1m") as visit:
        page, service = visit.page, visit.service
        service.heartbeat_ms = MINUTE_MS
        service.send(service.hello())
        legend = page.locator(".legend b")
        until(visit, lambda: legend.count() == 4 and legend.nth(3).inner_text() == "100.00")
        page.evaluate(SHOW, False)
        pass_minutes(visit, 8)
        server.answers["api/candles"] = minutes([100.0] * 10 + [150.0] * 8, START_MS + 8 * MINUTE_MS)
        page.evaluate(SHOW, True)
        service.update({"S0000-USD": {"last": 151.0}})
        until(visit, lambda: legend.nth(3).inner_text() == "151.00")
        box = page.locator(".chart").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] - 76 - 12 - 6 * 6, box["y"] + 150)  # a bar is six pixels wide
        advance(visit, 3000)
        until(visit, lambda: legend.nth(3).inner_text() == "150.00")
