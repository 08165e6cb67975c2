"""The trend of the last hour beside each price: loaded once, then continued from the stream."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.web.page_server import (
    PageServer,
    advance,
    book,
    cell,
    frozen,
    showing,
    until,
    until_price,
)
from tests.web.page_steps import DEADLINES, SHOW, waiting

pytestmark = pytest.mark.needs("chromium")


def test_trend_comes_from_the_service_and_from_prices(browser: Browser, server: PageServer) -> None:
    """The hour is loaded for symbols in view, once; received prices continue it."""
    server.closes = {"S0000-USD": [90.0 + i / 6 for i in range(60)], "S0001-USD": [None] * 60}
    with frozen(browser, server, book(100)) as visit:
        page = visit.page
        line = cell(page, "S0000-USD", "trend").locator(".line")
        until(visit, lambda: (line.get_attribute("d") or "").count("L") == 59)
        assert "up" in (cell(page, "S0000-USD", "trend").locator("svg").get_attribute("class") or "").split()
        asked = [target for target in server.requested if "sparklines" in target]
        assert len(asked) == 1
        assert "S0000-USD" in asked[0]
        assert "S0099-USD" not in asked[0]
        own = cell(page, "S0001-USD", "trend").locator(".line")
        for minute in (1, 2):
            advance(visit, 60_000)
            visit.service.update({"S0001-USD": {"last": 200.0 + minute}})
            until_price(visit, "S0001-USD", f"{200 + minute}.00")
        advance(visit, 1000)
        assert len(re.findall("[ML]", own.get_attribute("d") or "")) == 3


def test_a_service_without_sparklines_is_asked_once(browser: Browser, server: PageServer) -> None:
    """A service that has no sparklines is asked once."""
    server.closes = None
    with frozen(browser, server, book(100)) as visit:
        visit.tolerated.append("error: Failed to load resource: the server responded with a status of 404")
        until(visit, lambda: any("sparklines" in target for target in server.requested))
        visit.page.locator("#grid").evaluate("(grid) => { grid.scrollTop = 1500 }")
        advance(visit, 3000)
        assert len([target for target in server.requested if "sparklines" in target]) == 1


def test_a_failed_request_for_sparklines_is_repeated_after_a_while(browser: Browser, server: PageServer) -> None:
    """A failed request is repeated after a while, not at every chance."""
    server.closes = None
    server.answers["api/sparklines"] = {"status": 503}
    with frozen(browser, server, book(30)) as visit:
        visit.tolerated.append("error: Failed to load resource: the server responded with a status of 503")

        def asked() -> int:
            return len([target for target in server.requested if "sparklines" in target])

        until(visit, lambda: asked() == 1)
        advance(visit, 9000)
        assert asked() == 1
        server.closes = {"S0000-USD": [90.0 + i / 6 for i in range(60)]}
        line = cell(visit.page, "S0000-USD", "trend").locator(".line")
        until(visit, lambda: (line.get_attribute("d") or "").count("L") == 59)
        assert asked() == 2


def test_a_request_for_sparklines_has_a_deadline(browser: Browser, server: PageServer) -> None:
    """A request has a deadline, after which it is repeated.

    Seen: after one answer was lost by a proxy, no row got its trend any more until the page was reloaded.
    """
    held: list[Route] = []
    server.closes = {"S0060-USD": [90.0 + i / 6 for i in range(60)]}
    with showing(browser, server, book(100)) as visit:
        page = visit.page
        page.evaluate(DEADLINES)
        page.route("**/api/sparklines*", lambda route: route.continue_() if held else held.append(route))
        page.locator("#grid").evaluate("(grid) => { grid.scrollTop = 1500 }")
        assert waiting(page, lambda: len(held) == 1)
        page.evaluate("passDeadlines()")
        visit.service.close()  # else it would be ten seconds until the next request
        line = cell(page, "S0060-USD", "trend").locator(".line")
        expect(line).to_have_attribute("d", re.compile(r"^M0 .*L59 "))


def test_minutes_missed_by_the_page_are_loaded_afterwards(browser: Browser, server: PageServer) -> None:
    """What the page has missed, in a hidden tab or during a pause, is loaded afterwards.

    Seen: after twenty minutes in another tab, or of a pause, each trend was a straight line over all of them.
    """
    server.closes = {}
    with frozen(browser, server, book(3)) as visit:
        page, service = visit.page, visit.service
        until(visit, lambda: any("sparklines" in target for target in server.requested))
        space = page.keyboard.press
        ways: list[tuple[Callable[[], object], Callable[[], object]]] = [
            (lambda: page.evaluate(SHOW, False), lambda: page.evaluate(SHOW, True)),
            (lambda: space("Space"), lambda: space("Space")),
        ]
        for symbol, (leave, come_back) in zip(("S0000-USD", "S0001-USD"), ways, strict=True):
            leave()
            for _ in range(20):
                advance(visit, 6000)
                service.send({"type": "heartbeat", "version": service.version, "time": service.time_ms})
            server.closes[symbol] = [90.0 + i / 6 for i in range(60)]
            server.closes_end_ms = service.time_ms
            come_back()
            line = cell(page, symbol, "trend").locator(".line")
            until(visit, lambda line=line: "L58 " in (line.get_attribute("d") or ""))  # type: ignore[misc]
        assert len(service.connections) == 1
