"""What is very long, small or old is shown correctly; and the focus is not lost when a button disappears."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.page_server import LIVE_FEED, PageServer, book, price, quote, row, showing, visiting

pytestmark = pytest.mark.needs("chromium")

DEAR = quote(
    last=1576423987654.25, bid=1576423987654.0, ask=1576423987655.5, bid_size=1200.5, ask_size=0.25, open=12e9,
    low=11e9, high=16e11, change_pct=12345.6, quote_volume=1e15, volume=1000.0,
)  # fmt: skip
CUT = """() => [...document.querySelectorAll(".price, .panel-change, .book-best > :not(.hidden-text), .day dd")]
  .filter((part) => part.checkVisibility() && part.textContent !== "")
  .map((part) => [part, part.getBoundingClientRect(), document.querySelector("#details").getBoundingClientRect()])
  .filter(([part, box, whole]) => part.scrollWidth > part.clientWidth + 1 && getComputedStyle(part).display !== "inline"
    || box.right > whole.right + 0.5 || box.left < whole.left)
  .map(([part]) => part.textContent)"""
FOCUSED = "document.activeElement.id || document.activeElement.className || document.activeElement.tagName"


def test_numbers_in_the_details_are_never_truncated(browser: Browser, server: PageServer) -> None:
    """A price of trillions, its spread and its day are whole in the details, on a small phone as well. There the focus
    ring is around the sheet, not under its contents.

    Seen: at 320 px 1,576,423,987,654.25 was cut to 1,576,423,987,654; on a desktop the spread was cut to 1, and the
    day's low to 11,000,0…. Of the ring there were parts beside the book, none beside the chart.
    """
    with visiting(browser, server, viewport={"width": 320, "height": 800}) as visit:
        page = visit.page
        visit.service.quotes = {"DEAR-IDR": DEAR}
        visit.service.feeds = {"alpha": LIVE_FEED}
        visit.go("?sel=DEAR-IDR")
        expect(page.locator(".price")).to_have_text("1,576,423,987,654.25")
        sheet = page.locator("#details")
        expect(sheet).to_be_focused()
        ring = sheet.evaluate("(one) => [getComputedStyle(one).outlineStyle, getComputedStyle(one).outlineOffset]")
        assert ring == ["solid", "0px"]
        for width in (320, 1440):
            page.set_viewport_size({"width": width, "height": 800})
            expect(page.locator(".price")).to_have_text("1,576,423,987,654.25")
            expect(page.locator(".spread")).to_have_text("1.50 · 0.00 bp")
            expect(page.locator(".day dd").first).to_have_text("12,000,000,000.00")
            page.wait_for_function(f"() => ({CUT})().length === 0")
            book_right, ask_right = (
                page.locator(place).evaluate("(part) => part.getBoundingClientRect().right")
                for place in (".book-best", ".book-best .down")
            )
            assert abs(book_right - ask_right) < 1, width
        page.set_viewport_size({"width": 390, "height": 844})
        dear = {"last": 100388.9, "bid": 100386.72, "ask": 100388.9, "bid_size": 3.161, "ask_size": 11.9}
        visit.service.update({"DEAR-IDR": dear})
        spread = page.locator(".spread")
        expect(spread).to_have_text("2.18 · 0.2 bp")
        page.wait_for_function("(e) => e.scrollWidth <= e.clientWidth", arg=spread.element_handle())


def pressed(page: Page, name: str) -> None:
    """Press a button with the keyboard."""
    page.get_by_role("button", name=name, exact=True).last.focus()
    page.keyboard.press("Enter")


def test_focus_moves_on_when_its_button_disappears(browser: Browser, server: PageServer) -> None:
    """A button that disappears when it is pressed leaves the focus where the user would go on: after × it is on the
    next message, and after the last one on the rows. At 400% zoom all messages can be reached.

    Seen: after Clear, Show all or the × of a message nothing had the focus. And the first of four messages was above
    the screen, with its button.
    """
    with showing(browser, server, book(5)) as visit:
        page, toasts = visit.page, visit.page.locator(".toast")
        page.locator("#search").fill("nothing like it")
        pressed(page, "Clear")
        expect(price(page, "S0000-USD")).to_be_visible()
        page.wait_for_function(f"() => {FOCUSED} === 'row'")
        page.locator("#search").fill("S0001")
        pressed(page, "Clear search")
        assert page.evaluate(FOCUSED) == "search"
        page.keyboard.press("Escape")
        for count in (1, 2):
            page.keyboard.press("e")
            expect(toasts).to_have_count(count)
        pressed(page, "Dismiss")
        assert page.evaluate(FOCUSED) == "icon-button"
        page.keyboard.press("Enter")
        expect(toasts).to_have_count(0)
        assert page.evaluate(FOCUSED) == "row"
        page.set_viewport_size({"width": 320, "height": 256})
        for count in (1, 2, 3, 4):
            page.keyboard.press("e")
            expect(toasts).to_have_count(count)
        page.get_by_role("button", name="Dismiss").first.click()
        expect(toasts).to_have_count(3)


def test_the_label_follows_the_feeds_on_an_open_connection(browser: Browser, server: PageServer) -> None:
    """A gateway's upstream may come back with other feeds: the connection stays, and there is no second `hello`.

    A replay's prices carry the recorded venues' names: these can be filtered by, and the replay is not on standby.

    Seen: replayed prices had no label, as their sources are the recorded venues, and real ones kept that of before.
    The replay was called standby although all prices came from it, and its name as a filter listed nothing.
    """
    with visiting(browser, server) as visit:
        page, service, label = visit.page, visit.service, visit.page.locator("#kind-label")

        def begin_anew(quotes: dict[str, dict[str, Any]], feeds: dict[str, dict[str, Any]]) -> None:
            service.epoch, service.version, service.quotes = service.epoch + 1, 1, quotes
            service.send({
                "type": "snapshot", "epoch": service.epoch, "version": 1, "time": service.time_ms, "quotes": quotes,
                "feeds": feeds,
            })  # fmt: skip

        service.kinds = ["live", "simulated"]
        service.quotes = {"A-USD": quote(last=1.5, source="toy")}
        service.feeds = {"toy": LIVE_FEED | {"kind": "simulated"}, "real": LIVE_FEED}
        visit.go()
        expect(label).to_have_text("Simulated market")
        begin_anew({"A-USD": quote(last=3.5, source="new")}, {"new": LIVE_FEED | {"kind": "delayed"}})
        expect(label).to_have_text("Delayed prices")
        begin_anew({"A-USD": quote(last=3.5, source="new")}, {"new": LIVE_FEED})
        expect(label).to_be_hidden()
        quotes = {"A-USD": quote(last=1.5, source="oanda", quote_volume=9.0), "B-USD": quote(last=2.0, source="fxcm")}
        begin_anew(quotes, {"old": LIVE_FEED | {"kind": "replay"}, "idle": LIVE_FEED})
        expect(label).to_have_text("Replayed market")
        for i in range(3):
            service.update({"A-USD": {"last": 1.6 + i / 10}, "B-USD": {"last": 2.1 + i / 10}})
        expect(page.locator(".feed")).to_contain_text(["idle· standby", "old"])
        expect(page.locator(".feed").last).to_have_text(re.compile(r"^old[1-9]/s$"))
        service.quotes |= {"oanda:A-USD": quotes["A-USD"], "fxcm:B-USD": quotes["B-USD"]}
        page.locator("#feed").select_option("oanda")
        expect(row(page, "oanda:A-USD")).to_be_visible()
        expect(page.locator(".row:not([hidden])")).to_have_count(1)
        assert len(service.connections) == 1
