"""The page as time passes: pause, hidden tab, ageing, alerts. Its clock is moved by hand."""

from __future__ import annotations

import itertools
import json
import re
import time
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.page_server import (
    LATER_MS,
    LIVE_FEED,
    PageServer,
    Visit,
    advance,
    book,
    cell,
    frozen,
    price,
    quote,
    row,
    showing,
    until,
    until_price,
    visiting,
)  # fmt: skip
from tests.web.page_steps import SHOW, flashes, store, watch_changes

pytestmark = pytest.mark.needs("chromium")


COUNT_CHANGES = """(place) => {
  window.painted = 0;
  new MutationObserver((changes) => { window.painted += changes.length; }).observe(
    document.querySelector(place), { subtree: true, childList: true, characterData: true, attributes: true });
}"""
NOTIFY = """(permission) => {
  window.asked = 0;
  window.notes = [];
  window.Notification = class {
    static permission = permission;
    static requestPermission() { window.asked += 1; return Promise.resolve(permission); }
    constructor(title, { body }) { window.notes.push(body); }
  };
}"""


ALERT = {"symbol": "S0004-USD", "kind": "price", "op": ">=", "value": 900, "repeat": False}


def word(page: Page) -> str:
    return page.locator("#cluster .word").inner_text()


def rest(visit: Visit, milliseconds: int) -> None:
    """Let time pass in which the server is there but sends only heartbeats."""
    for _ in range(0, milliseconds, 4000):
        advance(visit, min(4000, milliseconds))
        visit.service.send({"type": "heartbeat", "version": visit.service.version, "time": visit.service.time_ms})


def test_pause_freezes_every_number(browser: Browser, server: PageServer) -> None:
    """While paused nothing in the table changes, scrolled or not; resuming shows the latest values and no flash. So it
    does after a restart of the service during a pause: its symbols, and its feeds.
    """
    with frozen(browser, server, book(200)) as visit:
        page, service = visit.page, visit.service
        page.keyboard.press("Space")
        until(visit, lambda: word(page).startswith("Paused 00:00"))
        advance(visit, 1000)  # what has come before is painted
        page.evaluate(COUNT_CHANGES, "#grid")
        for tick in range(1, 6):
            service.update({f"S{i:04d}-USD": {"last": 500.0 + tick, "quote_volume": 1e9 + i} for i in range(200)})
            advance(visit, 2000)
        service.update(gone=["S0001-USD"], feeds={"alpha": {"state": "stale"}})
        service.update({"NEW-USD": quote(last=1.0, quote_volume=9e12)})
        until(visit, lambda: re.fullmatch("Paused 00:1[12] · 1,001 updates waiting", word(page)) is not None)
        assert page.evaluate("window.painted") == 0
        until(visit, lambda: page.locator(".feed", has_text="alpha").get_attribute("data-state") == "stale")
        page.locator("#grid").evaluate("(grid) => { grid.scrollTop = 3000 }")
        until(visit, lambda: row(page, "S0110-USD").count() == 1)
        assert price(page, "S0110-USD").inner_text() == "210.00"
        page.locator("#grid").evaluate("(grid) => { grid.scrollTop = 0 }")
        until(visit, lambda: row(page, "S0003-USD").count() == 1)
        watch_changes(page, "S0003-USD")
        page.locator("#pause").click()
        until(visit, lambda: row(page, "S0199-USD").count() == 1)
        until_price(visit, "S0199-USD", "505.00")
        until(visit, lambda: row(page, "NEW-USD").count() == 1 and row(page, "S0001-USD").count() == 0)
        assert word(page) == "Live"
        assert flashes(page) == []
        page.keyboard.press("Space")
        until(visit, lambda: word(page).startswith("Paused"))
        service.quotes["S0199-USD"]["last"] = 600.0
        service.feeds = {"alpha": LIVE_FEED | {"kind": "delayed"}}
        service.epoch += 1
        service.close()
        until(visit, lambda: len(service.connections) == 2 and word(page).startswith("Paused"))
        page.keyboard.press("Space")
        until_price(visit, "S0199-USD", "600.00")
        until(visit, lambda: page.locator(".feed span:first-of-type").all_inner_texts() == ["alpha"])
        until(visit, lambda: page.locator("#kind-label").inner_text() == "Delayed prices")


def test_new_symbols_are_shown_during_a_pause(browser: Browser, server: PageServer) -> None:
    """A pause holds the numbers that are shown, not those that are newly subscribed to.

    Seen: a feed chosen while paused was an empty table, "Nothing in All matches the filters", until the pause ended.
    """
    with showing(browser, server, book(3) | {"alpha:S0001-USD": quote(last=7.0)}) as visit:
        page, service = visit.page, visit.service
        page.locator("#pause").click()
        row(page, "S0001-USD").click()
        expect(page.locator(".sources tbody tr")).to_have_count(1)
        page.locator("#feed").select_option("alpha")
        expect(price(page, "alpha:S0001-USD")).to_have_text("7.00")
        service.update({"alpha:S0001-USD": {"last": 8.0}, "alpha:NEW-USD": quote(last=9.0)})
        expect(page.locator("#cluster .word")).to_contain_text("updates waiting")
        expect(page.locator(".row:not([hidden])")).to_have_count(1)
        expect(price(page, "alpha:S0001-USD")).to_have_text("7.00")
        page.locator("#pause").click()
        expect(price(page, "alpha:S0001-USD")).to_have_text("8.00")
        expect(price(page, "alpha:NEW-USD")).to_have_text("9.00")


def test_a_hidden_tab_paints_nothing_and_unsubscribes(browser: Browser, server: PageServer) -> None:
    """Hidden, nothing is painted; after 30 s only alerts and details are streamed; on return all comes, unflashed.

    Seen: the icon of the tab was drawn in the page's own sprite, so that each second all of a hidden page was laid out.
    """
    with frozen(browser, server, book(100)) as visit:
        page, service = visit.page, visit.service
        store(page, "ticker.alerts.v1", [ALERT])
        until(visit, lambda: row(page, "S0000-USD").count() == 1)
        advance(visit, 1500)
        page.evaluate(SHOW, False)
        page.evaluate(COUNT_CHANGES, "body")
        service.update({f"S{i:04d}-USD": {"last": 700.0} for i in range(100)})
        rest(visit, 28_000)
        assert page.evaluate("window.painted") == 0
        assert len(service.received) == 1
        advance(visit, 2500)
        until(visit, lambda: service.patterns == ["S0004-USD"])
        assert "bid_size" not in service.received[-1]["fields"]
        service.quotes["S0002-USD"]["last"] = 801.0
        del service.quotes["S0001-USD"]
        service.update({"S0004-USD": {"last": 802.0}})
        rest(visit, 12_000)
        assert page.evaluate("window.painted") == 0
        watch_changes(page, "S0004-USD")
        page.evaluate(SHOW, True)
        until(visit, lambda: service.patterns == ["*"])
        until_price(visit, "S0002-USD", "801.00")
        assert price(page, "S0004-USD").inner_text() == "802.00"
        until(visit, lambda: row(page, "S0001-USD").count() == 0)
        assert flashes(page) == []
        assert len(service.connections) == 1
        service.update({"S0004-USD": {"last": 803.0, "bid_size": 5}})
        until_price(visit, "S0004-USD", "803.00")


def test_time_in_a_hidden_tab_is_no_silence_of_a_feed(browser: Browser, server: PageServer) -> None:
    """The time that a feed has been without data does not include time in which the page did not listen."""
    with frozen(browser, server, book(30)) as visit:
        page, service = visit.page, visit.service
        service.update({"S0000-USD": {"last": 200.0}})
        until_price(visit, "S0000-USD", "200.00")
        page.evaluate(SHOW, False)
        rest(visit, 120_000)
        service.feeds["alpha"] = LIVE_FEED | {"state": "stale", "since": service.time_ms - 3000}
        page.evaluate(SHOW, True)
        chip = page.locator(".feed", has_text="alpha")
        moved_ms = until(visit, lambda: chip.get_attribute("data-state") == "stale")
        shown_s = int(chip.locator("b").inner_text().removesuffix(" s"))
        assert 3 <= shown_s <= 4 + moved_ms / 1000


def test_the_title_of_a_hidden_tab_follows_the_price(browser: Browser, server: PageServer) -> None:
    """Hidden, the tab's title still follows the current row's price, and its icon the connection."""
    with frozen(browser, server, book(30)) as visit:
        page, service = visit.page, visit.service
        store(page, "ticker.alerts.v1", [ALERT])
        until(visit, lambda: row(page, "S0002-USD").count() == 1)
        row(page, "S0002-USD").focus()
        until(visit, lambda: page.title() == "102.00 S0002-USD · Ticker")
        page.evaluate(SHOW, False)
        service.update({"S0002-USD": {"last": 200.0}})
        until(visit, lambda: page.title() == "▲ 200.00 S0002-USD · Ticker")
        rest(visit, 32_000)
        until(visit, lambda: service.patterns == ["S0004-USD", "S0002-USD"])
        page.evaluate("setInterval = () => 0; for (let i = 0; i < 999; i += 1) clearInterval(i)")  # slowed to nothing
        service.update({"S0002-USD": {"last": 150.0}})
        until(visit, lambda: page.title() == "▼ 150.00 S0002-USD · Ticker")


def test_prices_age_by_the_pages_clock_only_while_disconnected(browser: Browser, server: PageServer) -> None:
    """Connected, the server's state decides; cut off, each price ages by its own rhythm."""
    with frozen(browser, server, book(30)) as visit:
        page, service = visit.page, visit.service
        for tick in range(10):
            service.update({"S0000-USD": {"last": 100.0 + tick, "ts": service.time_ms}})
            advance(visit, 500)
        advance(visit, 4000)
        service.send({"type": "heartbeat", "version": service.version, "time": service.time_ms})
        assert row(page, "S0000-USD").get_attribute("data-state") is None
        service.accepting = False
        service.close()
        until(visit, lambda: row(page, "S0000-USD").get_attribute("data-state") == "stale")
        assert row(page, "S0001-USD").get_attribute("data-state") is None
        advance(visit, 5000)
        assert row(page, "S0001-USD").get_attribute("data-state") is None
        until(visit, lambda: row(page, "S0001-USD").get_attribute("data-state") == "stale")
        assert re.fullmatch(r"1[5-9] s", cell(page, "S0001-USD", "age").inner_text())
        service.accepting = True
        page.evaluate("dispatchEvent(new Event('online'))")
        until(visit, lambda: row(page, "S0001-USD").get_attribute("data-state") is None)


def test_no_price_is_live_after_one_and_a_half_heartbeats_of_silence(browser: Browser, server: PageServer) -> None:
    """After one and a half heartbeats without any message every price is stale, however rarely it changes, even if the
    service accepts connections but sends no prices; what is halted stays halted."""
    quotes = book(30) | {"HALT-USD": quote(last=1.0, quote_volume=9e12, state="halted")}
    with frozen(browser, server, quotes, "?sel=S0001-USD") as visit:
        page, service = visit.page, visit.service
        until(visit, lambda: page.locator(".panel-price .price").count() == 1)
        service.update({"S0001-USD": {"last": 150.0}})
        until(visit, lambda: page.title() == "▲ 150.00 S0001-USD · Ticker")
        rest(visit, 60_000)
        assert row(page, "S0001-USD").get_attribute("data-state") is None
        service.mute = True
        until(visit, lambda: word(page) == "Live")
        advance(visit, 6500)
        assert row(page, "S0001-USD").get_attribute("data-state") is None
        until(visit, lambda: row(page, "S0001-USD").get_attribute("data-state") == "stale")
        assert cell(page, "S0001-USD", "age").inner_text() == "1 min"
        until(visit, lambda: page.locator("#details").get_attribute("data-state") == "stale")
        until(visit, lambda: page.title() == "150.00 S0001-USD · Ticker")
        until(visit, lambda: word(page) == "Delayed")
        assert page.locator('.row[data-state="stale"]').count() == page.locator(".row:not([hidden])").count() - 1
        assert row(page, "HALT-USD").get_attribute("data-state") == "halted"
        service.mute, service.answer_subscribe = False, lambda _message: None
        service.close()
        until(visit, lambda: len(service.connections) > 1 and len(service.received) == 1)
        advance(visit, 1000)
        assert row(page, "S0001-USD").get_attribute("data-state") == "stale"
        service.answer_subscribe = service.send_snapshot
        service.send_snapshot(service.received[0])
        until(visit, lambda: row(page, "S0001-USD").get_attribute("data-state") is None)


def test_no_price_is_live_over_a_slow_line(browser: Browser, server: PageServer) -> None:
    """While pongs take one and a half heartbeats, so do prices, and none is live.

    Seen over 7 kB/s: prices kept coming, twenty seconds late, and looked live.
    """
    with frozen(browser, server, book(3)) as visit:
        page, service = visit.page, visit.service
        until(visit, lambda: word(page) == "Live")
        service.late = []
        for price in range(150, 163):
            service.update({"S0001-USD": {"last": float(price)}})
            advance(visit, 1000)
        assert row(page, "S0001-USD").get_attribute("data-state") == "stale"
        assert cell(page, "S0001-USD", "last").inner_text() == "162.00"
        (pong,), service.late = service.late, None
        service.send(pong)
        until(visit, lambda: row(page, "S0001-USD").get_attribute("data-state") is None)


def add_alert(visit: Visit, condition: str, limit: str, *, repeat: bool = False) -> None:
    """Fill in the dialog for the current row."""
    page = visit.page
    page.keyboard.press("a")
    page.locator(".alert-form").wait_for()
    page.locator("[name=condition]").select_option(condition)
    page.locator("[name=value]").fill(limit)
    if repeat:
        page.locator("[name=repeat]").check()
    page.get_by_role("button", name="Add alert").click()
    page.keyboard.press("Escape")


def test_no_price_is_live_after_the_computer_slept(browser: Browser, server: PageServer) -> None:
    """After a night with the lid closed prices show their true age, and a dead connection is replaced.

    Seen: a browser's monotonic clock stops during sleep, so prices of eight hours before looked live until the silence
    had lasted for eight seconds, and seemed seconds old for as long as there was no network.
    """
    with frozen(browser, server, book(3)) as visit:
        page, service = visit.page, visit.service
        service.accepting, service.mute = False, True
        page.evaluate("() => { const now = Date.now; Date.now = () => now() + 8 * 3_600_000; }")
        until(visit, lambda: row(page, "S0001-USD").get_attribute("data-state") == "stale")
        until(visit, lambda: cell(page, "S0001-USD", "age").inner_text() == "8 h")
        service.accepting, service.mute = True, False
        service.time_ms += 8 * 3_600_000
        service.quotes["S0001-USD"]["ts"] = service.time_ms
        until(visit, lambda: page.locator("#cluster .word").inner_text() == "Live")
        until(visit, lambda: row(page, "S0001-USD").get_attribute("data-state") is None)
        assert cell(page, "S0001-USD", "age").inner_text() == ""


def test_setting_the_computers_clock_changes_nothing(browser: Browser, server: PageServer) -> None:
    """The computer's clock is set forward or back: the connection answers, and everything goes on as before. So it does
    after a sleep that the connection has survived, except for what was sent before it; and after a standstill.

    Seen: set a minute forward, the page said "Connection lost." and reconnected; behind a print dialog, prices of half
    a minute before flashed and looked live.
    """
    with frozen(browser, server, book(3)) as visit:
        page, service = visit.page, visit.service
        figure = page.locator("#figures .time")
        for minutes in (0, 1, -60):
            page.evaluate("(ms) => { const now = Date.now; Date.now = () => now() + ms; }", minutes * 60_000)
            for _ in range(2000 // LATER_MS):
                advance(visit, LATER_MS)
            assert row(page, "S0001-USD").get_attribute("data-state") is None
            until(visit, lambda: figure.inner_text() == time.strftime("%H:%M:%S", time.gmtime(service.time_ms // 1000)))
        assert len(service.connections) == 1
        service.late = []
        page.evaluate("() => { const now = Date.now; Date.now = () => now() + 20_000; }")
        advance(visit, 600)
        service.update({"S0001-USD": {"last": 150.0}})
        until_price(visit, "S0001-USD", "150.00")
        until(visit, lambda: row(page, "S0001-USD").get_attribute("data-state") == "stale")
        pong, service.late = service.late[-1], None
        service.send(pong)
        until(visit, lambda: row(page, "S0001-USD").get_attribute("data-state") is None)
        for _ in range(3000 // LATER_MS):
            advance(visit, LATER_MS)
        service.late = []
        page.evaluate("() => { const now = performance.now; performance.now = () => now() + 10_000; }")
        service.time_ms += 10_000
        service.update({"S0001-USD": {"last": 151.0}})
        until_price(visit, "S0001-USD", "151.00")
        assert row(page, "S0001-USD").get_attribute("data-state") == "stale"
        service.send(service.late[-1])
        until(visit, lambda: row(page, "S0001-USD").get_attribute("data-state") is None)
        assert len(service.connections) == 1


def test_an_alert_fires_once_when_its_limit_is_crossed(browser: Browser, server: PageServer) -> None:
    """Crossing fires once, hovering does not, coming back re-arms; permission is asked for only by the click."""
    with frozen(browser, server, book(30)) as visit:
        page, service = visit.page, visit.service
        page.evaluate(NOTIFY, "granted")
        page.evaluate("() => { Notification.permission = 'default' }")
        row(page, "S0000-USD").focus()
        add_alert(visit, "price >=", "200", repeat=True)
        assert page.evaluate("window.asked") == 1
        page.evaluate("() => { Notification.permission = 'granted' }")
        until(visit, lambda: row(page, "S0000-USD").locator(".bell").is_visible())
        rung: list[int] = []
        for last in (199.95, 200.0, 201.0, 199.95, 200.5, 199.9, 200.0, 100.0, 300.0):
            service.update({"S0000-USD": {"last": last}})
            advance(visit, 100)
            rung.append(len(page.evaluate("window.notes")))
        assert rung == [0, 1, 1, 1, 1, 1, 2, 2, 3]
        assert page.evaluate("window.notes")[0] == "S0000-USD price ≥ 200.00: 200.00 now"
        add_alert(visit, "change <=", "-5")
        for change in (-4.0, -5.5, -4.0, -6.0):
            service.update({"S0000-USD": {"change_pct": change}})
            advance(visit, 100)
        assert page.evaluate("window.notes")[3:] == ["S0000-USD 24 h ≤ \u22125.00%"]
        assert page.evaluate("window.asked") == 1
        assert [a["kind"] for a in json.loads(page.evaluate("localStorage['ticker.alerts.v1']"))] == ["price"]


def test_an_alert_without_permission_is_a_message(browser: Browser, server: PageServer) -> None:
    """Without permission an alert is a message in the page, also one of silence, and is announced."""
    with frozen(browser, server, book(30)) as visit:
        page, service = visit.page, visit.service
        for symbol, permission in (("S0002-USD", "denied"), ("S0003-USD", "default")):
            page.evaluate(NOTIFY, permission)
            row(page, symbol).focus()
            add_alert(visit, "silence >=", "10")
            assert page.evaluate("window.asked") == (permission == "default")
            for _ in range(4):
                service.update({symbol: {"last": 1.0}})
                advance(visit, 5000)
            assert page.locator(".toast").count() == 0
            service.update({symbol: {"state": "stale"}})
            advance(visit, 7000)
            assert page.locator(".toast").inner_text().startswith(f"{symbol} no data for 10 s")
            alert = f"Alert. {symbol} no data for 10 s"
            until(visit, lambda alert=alert: alert in page.locator("#announcements").inner_text())  # type: ignore[misc]
            assert page.evaluate("window.notes") == []
            advance(visit, 30_000)
            assert page.locator(".toast").count() == 0


def test_announcements_are_spaced(browser: Browser, server: PageServer) -> None:
    """The live region announces at most once in two seconds, the latest on each topic, and never a price."""
    with frozen(browser, server, book(30)) as visit:
        page, service = visit.page, visit.service
        advance(visit, 2500)
        page.evaluate("""() => {
          window.said = [];
          const region = document.querySelector("#announcements");
          new MutationObserver(() => window.said.push([performance.now(), region.textContent]))
            .observe(region, { subtree: true, childList: true, characterData: true });
        }""")
        for tick in range(12):
            service.update({"S0000-USD": {"last": 200.0 + tick}})
            if tick % 2 == 0:
                page.locator('.head-cell[data-column="last"] button').click()
            advance(visit, 500)
        row(page, "S0004-USD").focus()
        page.keyboard.press("r")
        advance(visit, 2500)
        said: list[tuple[float, str]] = page.evaluate("window.said")
        assert min(b[0] - a[0] for a, b in itertools.pairwise(said)) >= 2000
        assert said[0][1].startswith("Sorted by Last")
        assert said[-1][1].endswith("S0004-USD, Name 4, 104.00, up 2.00 percent in 24 hours")
        assert not any("S0000-USD" in text for _, text in said)
        page.keyboard.press("r")  # what is requested twice is announced twice
        until(visit, lambda: len(page.evaluate("window.said")) > len(said))


HOSTILE: dict[str, dict[str, Any]] = {
    "<b onclick=x>-USD": quote(last=1e-12, decimals=12, bid=1e12, ask=1e12 + 1, quote_volume=9e15, name="=1+1"),
    "عربي-USD": quote(last=1e12, decimals=2, quote_volume=8e15, name="\u202eevil\u202c"),
    "X" * 60 + "-USD": quote(last=2.0, quote_volume=7e15, name="W" * 300),
    "🚀-USD": quote(last=3.0, quote_volume=6e15, name="<script>window.pwned = 1</script>"),
    "__proto__": quote(last=4.0, quote_volume=5e15, name="constructor"),
    '"-USD': quote(last=1e300, decimals=0, low=0, high=1e300, quote_volume=4e15, change_pct=1e9),
}


def test_hostile_names_are_shown_as_text(browser: Browser, server: PageServer) -> None:
    """Markup is text, writing direction stays in its cell, nothing is wider than its row, nothing is executed."""
    with visiting(browser, server) as visit:
        page = visit.page
        visit.service.quotes = HOSTILE
        visit.service.feeds = {"<i>f</i>": LIVE_FEED | {"message": "<b>no</b>", "state": "down"}}
        visit.go("?q=%3Cb%3E&list=%22&sort=__proto__&cols=constructor&feed=%3Cscript%3E&sel=%3Cb%3E")
        page.locator("#notice p").wait_for()
        visit.go()
        row(page, "🚀-USD").wait_for()
        assert page.locator(".row:not([hidden])").count() == len(HOSTILE)
        assert page.evaluate("[window.pwned, document.querySelectorAll('.grid b, .grid script, .feeds i').length]") == [
            None, 0
        ]  # fmt: skip
        wide = page.evaluate("""() => [...document.querySelectorAll(".row:not([hidden]) .cell")]
          .filter((cell) => cell.dataset.column === "symbol" && cell.getBoundingClientRect().right > 400)
          .length + (document.documentElement.scrollWidth - innerWidth)""")
        assert wide == 0
        first = page.locator(".row:not([hidden])", has_text="<b onclick=x>")
        assert first.locator('[data-column="last"] .value').inner_text() == "0.0₁₁1"
        assert first.locator('[data-column="bid"]').inner_text() == "1,000,000,000,000.000000000000"


def test_symbols_beyond_20000_are_counted_and_left_out(browser: Browser, server: PageServer) -> None:
    """Of a flood of new symbols those beyond 20,000 are counted and left out, and the page says so and goes on."""
    with frozen(browser, server, book(10)) as visit:
        page, service = visit.page, visit.service
        bare = {"last": 1.0, "state": "live", "source": "alpha", "decimals": 2}
        for part in range(2):
            service.update({f"N{part}{i:05d}-USD": bare for i in range(10_500)})
        until(visit, lambda: page.locator("#notice").is_visible())
        text = "This page shows at most 20,000 symbols; 1,010 more are left out."
        until(visit, lambda: page.locator("#notice p").inner_text() == text)
        service.update({"S0000-USD": {"last": 333.0}})
        until_price(visit, "S0000-USD", "333.00")
        assert page.locator(".row").count() <= 40
