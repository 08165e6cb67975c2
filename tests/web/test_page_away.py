"""The page in a hidden tab, and beside other tabs. Each of these has gone wrong before."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.web.page_server import (
    LIVE_FEED,
    START_MS,
    PageServer,
    Visit,
    advance,
    book,
    frozen,
    price,
    row,
    showing,
    until,
    until_price,
    visiting,
)  # fmt: skip
from tests.web.page_steps import MINUTE_MS, SHOW, minutes, store, waiting

pytestmark = pytest.mark.needs("chromium")


def pass_minutes(visit: Visit, count: int) -> None:
    """Let minutes pass in which the service, with a long heartbeat, sends nothing."""
    for _ in range(count):
        advance(visit, MINUTE_MS)
        visit.service.send({"type": "heartbeat", "version": visit.service.version, "time": visit.service.time_ms})


def test_what_came_while_the_tab_was_hidden_is_there(browser: Browser, server: PageServer) -> None:
    """After eight minutes away, the chart has the minutes in between as they were. A message that came while the tab
    was hidden disappears ten seconds after it became visible; fifty are kept.

    Seen: a flat line for all the time that the tab was hidden or paused, and a jump at its end. The page repeated the
    last close, as if nothing had happened, and then loaded only the last three bars. Without notifications an alert
    that fired in a background tab was gone on return, and as it fires once, for good. Messages expired whether they
    could be read or not.
    """
    server.answers["api/candles"] = minutes([100.0] * 10, START_MS)
    with frozen(browser, server, book(61), "?sel=S0000-USD&tf=1m") as visit:
        page, service, toasts = visit.page, visit.service, visit.page.locator(".toast")
        service.heartbeat_ms = MINUTE_MS
        service.send(service.hello())
        legend = page.locator(".legend b")
        until(visit, lambda: legend.count() == 4 and legend.nth(3).inner_text() == "100.00")
        alert = {"kind": "price", "op": ">=", "value": 200, "armed": True}
        watched = [symbol for symbol in service.quotes if symbol != "S0000-USD"]
        store(page, "ticker.alerts.v1", [{"symbol": symbol, **alert} for symbol in watched])
        page.evaluate(SHOW, False)
        service.update({symbol: {"last": 201.0} for symbol in watched})
        pass_minutes(visit, 8)
        server.answers["api/candles"] = minutes([100.0] * 10 + [150.0] * 8, START_MS + 8 * MINUTE_MS)
        page.evaluate(SHOW, True)
        assert toasts.first.inner_text().startswith("S0011-USD price ≥ 200.00: 201.00 now")
        assert toasts.count() == 50
        service.update({"S0000-USD": {"last": 151.0}})
        until(visit, lambda: legend.nth(3).inner_text() == "151.00")
        advance(visit, 20_000)
        assert toasts.count() == 0
        box = page.locator(".chart").bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] - 76 - 12 - 6 * 6, box["y"] + 150  # a bar is six pixels wide
        advance(visit, 3000)

        def pointed_close() -> str:
            """The legend with the pointer there, moved anew: a busy browser may have lost the chart's last one."""
            page.mouse.move(x, y + 1)
            page.mouse.move(x, y)
            return legend.nth(3).inner_text()

        until(visit, lambda: pointed_close() == "150.00")


def test_alerts_are_loaded_where_there_are_any(browser: Browser, server: PageServer) -> None:
    """A page without alerts loads nothing of them; one that has some judges also what came before they were there.

    A notification replaces only one of the same alert, from whichever tab, and still makes a sound.

    Seen: tagged with numbers that began anew with each load, one alert's notification silently replaced another's.
    """
    held: list[Route] = []
    with visiting(browser, server) as visit:
        page, service = visit.page, visit.service
        page.route("**/js/ui/alerting.js", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks it
        service.quotes, service.feeds = book(3), {"alpha": LIVE_FEED}
        visit.go()
        expect(price(page, "S0000-USD")).to_have_text("100.00")
        assert held == []
        alert = {"kind": "price", "op": ">=", "value": 200, "armed": True}
        store(page, "ticker.alerts.v1", [{"symbol": "S0002-USD", **alert}])
        assert waiting(page, lambda: len(held) == 1)
        service.update({"S0002-USD": {"last": 201.0}})
        expect(price(page, "S0002-USD")).to_have_text("201.00")
        held.pop().continue_()
        expect(page.locator(".toast")).to_contain_text("S0002-USD price ≥ 200.00: 201.00 now")
        page.evaluate(NOTE)
        for count, symbol in enumerate(("S0001-USD", "S0000-USD"), start=1):
            store(page, "ticker.alerts.v1", [{"symbol": symbol, **alert}])
            service.update({symbol: {"last": 201.0}})
            page.wait_for_function("(count) => window.notes.length === count", arg=count)
        tags = [f"{symbol} price >= 200" for symbol in ("S0001-USD", "S0000-USD")]
        assert page.evaluate("window.notes") == [[tag, True] for tag in tags]


NOTE = """() => {
  window.notes = [];
  window.Notification = class {
    static permission = "granted";
    constructor(title, { tag, renotify }) { window.notes.push([tag, renotify]); }
  };
}"""
"""Records notifications."""


def test_a_tab_in_the_background_unsubscribes(browser: Browser, server: PageServer) -> None:
    """Half a minute after it was opened in the background a tab subscribes to next to nothing, as if it had been left.
    The snapshot of a hidden tab's few symbols is not taken for the whole market when it comes late.

    Seen: if the tab became visible just after it had subscribed to less, as when a phone wakes it, the answer came
    after that: every other symbol was gone, with its hour of prices, until the whole snapshot arrived. An error that
    names no message, as when patterns outgrow their limit, is no answer either. Until everything has arrived, what is
    shown is stale: prices hours old had looked live for as long as that took. And opened by a middle click, or restored
    with the browser's window, a tab was streamed the whole market until it was first visited: only a change of
    visibility was listened for.
    """
    held: list[Route] = []
    with visiting(browser, server, still=True) as visit:
        page, service = visit.page, visit.service
        page.route("**/js/main.js", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks it
        service.quotes, service.feeds, service.heartbeat_ms = book(3), {"alpha": LIVE_FEED}, MINUTE_MS
        page.goto(server.url + "?sel=S0001-USD", wait_until="commit")
        assert waiting(page, lambda: len(held) == 1)
        page.evaluate("Object.defineProperty(document, 'hidden', { configurable: true, get: () => true })")
        held.pop().continue_()
        until(visit, lambda: "100.00" in page.title() or "101.00" in page.title())
        pass_minutes(visit, 1)
        until(visit, lambda: service.patterns == ["S0001-USD"])
        page.evaluate(SHOW, True)
        until(visit, lambda: row(page, "S0000-USD").count() == 1)
        assert service.patterns == ["*", "*:S0001-USD"]
        page.evaluate(SHOW, False)
        service.mute = True
        advance(visit, 31_000)
        page.evaluate(SHOW, True)
        service.mute = False
        service.send({"type": "error", "code": "too_many_symbols", "message": "new ones are left out", "retry": False})
        assert [message["op"] for message in service.unheard] == ["unsubscribe", "subscribe"] * 2
        states = []
        for message in service.unheard:
            service.quotes["S0001-USD"]["last"] += 1
            service.take(message)
            if message["op"] == "subscribe":
                until_price(visit, "S0001-USD", f"{service.quotes['S0001-USD']['last']:.2f}")
            advance(visit, 1100)
            states.append(row(page, "S0000-USD").get_attribute("data-state"))
        assert states == ["stale", "stale", "stale", None]


def test_another_tab_disturbs_no_tab(browser: Browser, server: PageServer) -> None:
    """A change by another tab does not disturb the typing of a list's title, nor does Enter that accepts an input
    method's offer. What another tab looks at does not change what this one does, now, after a reload or by its link.
    When a token has expired, a new one is entered once: the other tabs adopt it.

    Seen: the typed title was lost, and the tab was there twice: every list was read anew, as a new object.
    """
    with showing(browser, server, book(3)) as visit:
        page, service, current = visit.page, visit.service, visit.page.locator(".tab[aria-current]")
        page.get_by_role("button", name="New list").click()
        page.keyboard.type("Maj")
        store(page, "ticker.favourites.v1", ["S0001-USD"])
        page.keyboard.type("ors")
        expect(page.locator("#tabs .tab:visible")).to_have_count(2)
        page.locator(".tab-title").evaluate(COMPOSED)
        expect(page.locator(".tab-title")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#tabs .tab > span:first-of-type")).to_have_text(["All", "Favourites", "Majors"])
        assert json.loads(page.evaluate("localStorage['ticker.lists.v1']")) == [{"title": "Majors", "symbols": []}]
        expect(current).to_have_text("Majors0")
        page.keyboard.press("[")
        page.keyboard.press("[")
        expect(page).to_have_url(server.url)
        store(page, "ticker.prefs.v1", {"list": "favourites", "sort": "symbol"})
        expect(page).to_have_url(re.compile("list=all"))
        page.reload()
        expect(current).to_have_text("All3")
        expect(page.locator('.head-cell[data-column="volume"]')).to_have_attribute("aria-sort", "descending")
        expect(page.locator("#cluster .word")).to_have_text("Live")
        service.close(4001)
        expect(page.locator("dialog")).to_contain_text("This service requires an access token.")
        store(page, "ticker.token.v1", "new")
        expect(page.locator("dialog")).to_be_hidden()
        expect(page.locator("#cluster .word")).to_have_text("Live")
        assert service.tokens == ['"new"']


COMPOSED = """(field) => field.dispatchEvent(
  new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true, isComposing: true }))"""
