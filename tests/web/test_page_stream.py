"""The page and its stream: outages, gaps, refusals, silence, and messages that it does not understand."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.web.page_server import (
    EPOCH,
    LIVE_FEED,
    REAL_FRAME,
    SEEN_MS,
    SELECTION,
    PageServer,
    Visit,
    advance,
    book,
    frozen,
    price,
    row,
    until,
    until_price,
    visiting,
)
from tests.web.page_steps import flashes, visible_symbols, watch_changes

pytestmark = pytest.mark.needs("chromium")


def test_restart_keeps_everything_in_place(browser: Browser, server: PageServer) -> None:
    """Through an outage and a new epoch rows, scroll, focus and selection stay; retries wait with full jitter.

    Then rows and scroll position outlast a service that comes back without prices: down until its feeds report theirs.
    """
    with frozen(browser, server, book(150), viewport={"width": 1000, "height": 450}) as visit:
        page, service = visit.page, visit.service
        page.locator("#grid").evaluate("(grid) => { grid.scrollTop = 3000 }")
        until(visit, lambda: row(page, "S0105-USD").count() == 1)
        row(page, "S0105-USD").click()
        page.evaluate("window.kept = [...document.querySelectorAll('.row:not([hidden])')]")
        kept = page.evaluate("window.kept.map((row) => row.dataset.symbol)")
        word = page.locator("#cluster .word")
        service.accepting = False
        service.close()
        until(visit, lambda: word.inner_text() == "Offline · retry in 1 s")
        for wait_ms in (250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000):
            service.connections.clear()
            advance(visit, wait_ms - 3 * SEEN_MS)
            assert service.connections == []
            until(visit, lambda: service.connections != [])
            until(visit, lambda: word.inner_text().startswith("Offline"))
        service.accepting = True
        service.epoch += 1
        service.version = 1
        service.quotes = {symbol: fields | {"last": fields["last"] + 1} for symbol, fields in service.quotes.items()}
        watch_changes(page, "S0105-USD")
        page.evaluate("dispatchEvent(new Event('online'))")
        until(visit, lambda: word.inner_text() == "Live")
        until_price(visit, "S0105-USD", "206.00")
        assert f"{EPOCH}:4711:{SELECTION}" == service.received[-1]["cursor"]
        assert kept == page.evaluate("window.kept.map((row) => row.isConnected && row.dataset.symbol)")
        assert_in_place(visit)
        known = service.quotes
        service.epoch, service.quotes, service.feeds = service.epoch + 1, {}, {}
        service.close()
        until(visit, lambda: row(page, "S0105-USD").get_attribute("data-state") == "down")
        for state in ("connecting", "down", "connecting"):  # its exchange cannot be reached either
            service.update(feeds={"alpha": LIVE_FEED | {"state": state}, "beta": LIVE_FEED})
            advance(visit, 2000)
            assert row(page, "S0105-USD").get_attribute("data-state") == "down"
        service.update({"S0105-USD": known["S0105-USD"] | {"last": 300.0}})
        until_price(visit, "S0105-USD", "300.00")
        assert row(page, "S0105-USD").get_attribute("data-state") is None
        assert row(page, "S0104-USD").get_attribute("data-state") == "down"
        assert_in_place(visit)
        page.mouse.move(0, 0)
        service.update(feeds={"alpha": {"state": "live"}})
        advance(visit, 800)
        until(visit, lambda: visible_symbols(page) == ["S0105-USD"])


def assert_in_place(visit: Visit) -> None:
    """Where one was: scrolled, focused, selected; and no price has flashed."""
    page = visit.page
    assert page.locator("#grid").evaluate("(grid) => grid.scrollTop") == 3000
    assert row(page, "S0105-USD").get_attribute("aria-selected") == "true"
    assert page.evaluate("document.activeElement.dataset.symbol") == "S0105-USD"
    assert flashes(page) == []


def test_the_page_reconnects_after_a_bye_and_after_silence(browser: Browser, server: PageServer) -> None:
    """After a bye the page comes back within its window, or at a click on the connection's state, without a reload,
    which would lose the prices; a silent server is left after 2.5 heartbeats, the next time after twice that: over
    5 kB/s a first snapshot takes longer, and was asked for again and again. What is chosen before a connection is open
    is asked for with the rest.

    Seen: after a tunnel, half a minute of `Offline` with the network back, and no way to end it.
    """
    with frozen(browser, server, book(3)) as visit:
        page, service, word = visit.page, visit.service, visit.page.locator("#cluster .word")
        service.send({"type": "bye", "reason": "shutdown", "reconnect": True, "retry_ms": [30_000, 30_000]})
        until(visit, lambda: word.inner_text() == "Offline · retry in 30 s")
        page.evaluate(RECONNECT, "S0001-USD")
        until(visit, lambda: word.inner_text() == "Live")
        assert service.received[0]["symbols"] == ["*", "*:S0001-USD"]
        until(visit, lambda: page.locator("dialog").inner_text().startswith("Connection"))
        page.keyboard.press("Escape")
        service.send({"type": "bye", "reason": "shutdown", "reconnect": True, "retry_ms": [3000, 5000]})
        until(visit, lambda: word.inner_text() == "Offline · retry in 4 s")
        advance(visit, 3900)
        assert len(service.connections) == 2
        advance(visit, 200)
        until(visit, lambda: word.inner_text() == "Live")
        assert len(service.connections) == 3
        service.mute = True
        advance(visit, 8500)
        assert word.inner_text() == "Delayed"
        until(visit, lambda: len(service.connections) == 3 and word.inner_text() == "Delayed")
        advance(visit, 5000)
        until(visit, lambda: len(service.connections) > 3)
        advance(visit, 20_000)
        assert len(service.connections) == 4
        advance(visit, 6000)
        until(visit, lambda: len(service.connections) > 4)


RECONNECT = """(symbol) => {
  document.querySelector("#cluster").click();
  document.querySelector(`.row[data-symbol="${symbol}"]`).click(); // which opens its details
}"""


def test_a_bye_cannot_ask_for_a_storm(browser: Browser, server: PageServer) -> None:
    """Whatever window it names, the page comes back no faster than after a cut, and slower while no data comes.

    Seen: with no wait, or one beyond what timers can, the page connected hundreds of times a second.
    """
    with frozen(browser, server, book(3)) as visit:
        service, word = visit.service, visit.page.locator("#cluster .word")
        for window in ([0, 0], [-5, -1], [1e300, 1e301], ["0", "0"], "now", None):

            def bye(_: object = None, window: object = window) -> None:
                service.send({"type": "bye", "reason": "shutdown", "reconnect": True, "retry_ms": window})

            service.connections[:-1] = []
            service.answer_subscribe = bye
            bye()
            for _ in range(10):
                advance(visit, 200)
                visit.page.evaluate(REAL_FRAME)  # or what it connects to would not answer before the next step
            assert len(service.connections) <= 4, window  # after 250, 500, 1000 ms
            service.answer_subscribe = service.send_snapshot
            visit.page.evaluate("dispatchEvent(new Event('online'))")
            until(visit, lambda: word.inner_text() == "Live")


def test_what_does_not_follow_is_not_applied(browser: Browser, server: PageServer) -> None:
    """Old and repeated deltas change nothing; unknown types, broken JSON and wrong shapes are ignored.

    A frame made for a later version is not applied: the page reconnects with its cursor and counts the gap. If that
    leads to another gap, it waits and then asks for a new snapshot.
    """
    with frozen(browser, server, book(3)) as visit:
        page, service = visit.page, visit.service

        def resume(_: dict[str, Any]) -> None:
            service.send_subscribed(resumed=True)
            service.update({"S0000-USD": {"last": 333.0}}, since=4713, version=4717)

        def gap(_: dict[str, Any]) -> None:
            service.answer_subscribe = service.send_snapshot
            service.send_subscribed(resumed=True)
            service.update({"S0001-USD": {"last": 444.0}}, since=4719, version=4720)

        service.update({"S0000-USD": {"last": 111.0}})
        service.update({"S0000-USD": {"last": 111.0}}, since=4711, version=4712)
        service.update({"S0000-USD": {"last": 5.0}}, since=4700, version=4701)
        service.version = 4712
        for text in (
            "{", "", "null", "[]", '"x"', "{}", '{"type": 1}', '{"type": "toString"}', '{"type": "__proto__"}',
            '{"type": "weather", "sunny": true}', '{"type": "update", "since": "x", "version": 9, "time": 1}',
            '{"type": "update", "since": 1, "version": 4713, "time": 1, "quotes": {"S0000-USD": 5}}',
            '{"type": "snapshot", "epoch": 1, "version": 4713, "time": 1, "quotes": []}',
        ):  # fmt: skip
            service.send_text(text)
        odd = {"last": "text", "bid": None, "colour": "red", "constructor": 1}
        service.update({"S0001-USD": odd}, gone=["S0002-USD"])
        until_price(visit, "S0001-USD", "—")
        assert price(page, "S0000-USD").inner_text() == "111.00"
        advance(visit, 800)
        until(visit, lambda: row(page, "S0002-USD").count() == 0)
        assert page.locator("#figures .gaps").inner_text() == "0"
        assert len(service.connections) == 1
        service.answer_subscribe = resume
        service.update({"S0001-USD": {"last": 222.0}}, since=4715, version=4716)
        until_price(visit, "S0000-USD", "333.00")
        assert price(page, "S0001-USD").inner_text() == "—"
        assert service.received[-1]["cursor"] == f"{EPOCH}:4713:{SELECTION}"
        until(visit, lambda: page.locator("#figures .gaps").inner_text() == "1")
        until(visit, lambda: page.locator("#figures .sequence").inner_text() == "4,717")
        assert len(service.connections) == 2
        service.answer_subscribe = gap
        service.update({"S0001-USD": {"last": 444.0}}, since=4719, version=4720)
        until(visit, lambda: len(service.connections) == 4)
        until_price(visit, "S0001-USD", "444.00")
        assert "cursor" not in service.received[-1]


def test_a_selection_counts_only_once_its_data_has_come(browser: Browser, server: PageServer) -> None:
    """Cut off between an answer and its prices, the page resumes from the old selection, not the announced one.

    Otherwise the cursor would claim that it knows all of the new selection, and what that adds would never come.

    If the service is too busy for a larger subscription, the page waits, reconnects and subscribes to it all. Symbols
    removed during a pause go when it ends, even while a feed is down that had delivered in this epoch.

    Seen: they stayed, marked as down, until that feed was back.
    """
    with frozen(browser, server, book(3)) as visit:
        page, service, word = visit.page, visit.service, visit.page.locator("#cluster .word")

        def only_announce(_: dict[str, Any]) -> None:
            service.answer_subscribe = service.send_snapshot
            service.send({"type": "subscribed", "id": 1, "selection": "0123456789abcdef", "resumed": True})
            service.close()

        service.answer_subscribe = only_announce
        service.close()
        until(visit, lambda: len(service.connections) == 3 and bool(service.received))
        (message,) = (message for message in service.received if message["op"] == "subscribe")
        assert message["cursor"] == f"{EPOCH}:4711:{SELECTION}"
        row(page, "S0000-USD").click()
        until(visit, lambda: service.patterns == ["*", "*:S0000-USD"])
        refusal = {"type": "error", "id": service.received[-1]["id"], "code": "overloaded", "message": "wait"}
        service.send(refusal | {"retry": False})
        advance(visit, 1000)
        assert len(service.connections) == 3
        service.send(refusal | {"retry": True})
        until(visit, lambda: len(service.connections) == 4 and len(service.received) > 0)
        assert service.received[0]["symbols"] == ["*", "*:S0000-USD"]
        until(visit, lambda: word.inner_text() == "Live")
        service.update(feeds={"beta": LIVE_FEED})
        service.update(feeds={"beta": {"state": "down"}})
        page.locator("#pause").click()
        until(visit, lambda: word.inner_text().startswith("Paused"))
        service.feeds["beta"] = LIVE_FEED | {"state": "down"}
        del service.quotes["S0001-USD"]
        service.close()
        until(visit, lambda: len(service.connections) == 5)
        advance(visit, 1000)
        page.locator("#pause").click()
        until(visit, lambda: visible_symbols(page) == ["S0000-USD", "S0002-USD"])


FINAL = {
    4000: "The service refused this page’s request. Prices are frozen until you retry.",
    4001: "The service requires a valid access token before it sends prices.",
}


def test_a_final_close_code_stops_reconnecting(browser: Browser, server: PageServer) -> None:
    """After a close code that forbids reconnecting the page says why, and tries again only on request."""
    with frozen(browser, server, book(3)) as visit:
        page, service = visit.page, visit.service
        for count, (code, sentence) in enumerate(FINAL.items(), 1):
            service.close(code)
            until(visit, page.locator("#notice p", has_text=sentence).is_visible)
            assert page.locator("#notice p").inner_text() == sentence
            advance(visit, 20_000)
            assert len(service.connections) == count
            assert price(page, "S0000-USD").inner_text() == "100.00"
            assert row(page, "S0000-USD").get_attribute("data-state") == "stale"
            assert page.locator("#cluster .word").inner_text() == "Offline"
            if code == 4000:
                page.locator("#notice").get_by_role("button", name="Retry").click()
                until(visit, lambda: page.locator("#cluster .word").inner_text() == "Live")


def test_protocol_mismatch_asks_for_a_reload(browser: Browser, server: PageServer) -> None:
    """A server that speaks another protocol is not listened to."""
    with visiting(browser, server) as visit:
        visit.service.protocol = 2
        visit.service.quotes = book(3)
        visit.go()
        expect(visit.page.locator("#notice p")).to_have_text("This page is older than the service. Reload.")
        expect(visit.page.locator("#notice button")).to_have_text("Reload")
        assert visit.page.locator(".row").count() == 0
