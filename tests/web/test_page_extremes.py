"""What is very long, small or old is shown correctly; and the focus is not lost when a button disappears."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.page_server import LIVE_FEED, START_MS, PageServer, book, frozen, price, quote, row, showing, visiting

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


@pytest.mark.parametrize("width", [320, 1440])
def test_numbers_in_the_details_are_never_truncated(browser: Browser, server: PageServer, width: int) -> None:
    """A price of trillions, its spread and its day are whole in the details, on a small phone as well.

    Seen: at 320 px 1,576,423,987,654.25 was cut to 1,576,423,987,654; on a desktop the spread was cut to 1, and the
    day's low to 11,000,0….
    """
    with visiting(browser, server, viewport={"width": width, "height": 800}) as visit:
        visit.service.quotes = {"DEAR-IDR": DEAR}
        visit.service.feeds = {"alpha": LIVE_FEED}
        visit.go("?sel=DEAR-IDR")
        expect(visit.page.locator(".price")).to_have_text("1,576,423,987,654.25")
        expect(visit.page.locator(".spread")).to_have_text("1.50 · 0.00 bp")
        expect(visit.page.locator(".day dd").first).to_have_text("12,000,000,000.00")
        assert visit.page.evaluate(CUT) == []
        book_right, ask_right = (
            visit.page.locator(place).evaluate("(part) => part.getBoundingClientRect().right")
            for place in (".book-best", ".book-best .down")
        )
        assert abs(book_right - ask_right) < 1


def test_an_unchanged_price_of_many_decimals_has_change_0(browser: Browser, server: PageServer) -> None:
    """Where a price with eighteen decimals has not moved, its change is 0, which fits its column.

    Seen: 0.000000000…, which could have ended in anything.
    """
    still = quote(last=1.23e-16, open=1.23e-16, change_pct=0.0, decimals=18)
    moved = quote(last=1.25e-16, open=1.23e-16, change_pct=1.626, decimals=18)
    with showing(browser, server, {"A-ETH": still, "B-ETH": moved}, "?cols=difference") as visit:
        expect(row(visit.page, "A-ETH").locator("[data-column=difference]")).to_have_text("0")
        expect(row(visit.page, "B-ETH").locator("[data-column=difference]")).to_have_text("+0.0₁₇2")


def test_an_older_price_shows_its_date(browser: Browser, server: PageServer) -> None:
    """The time of a price is a time of day for 24 hours, then a date; the tooltip has both, with the time zone.

    Seen: a price of yesterday, 21:20, and one of this minute both showed a time and nothing else.
    """
    quotes = book(2)
    with showing(browser, server, quotes, "?cols=updated") as visit:
        for symbol, ts, text in (
            ("S0000-USD", START_MS - 3_600_000, "21:20:00"), ("S0001-USD", START_MS - 90_000_000, "2026-11-21"),
        ):  # fmt: skip
            visit.service.update({symbol: {"ts": ts}})
            cell = row(visit.page, symbol).locator("[data-column=updated]")
            expect(cell).to_have_text(text)
            expect(cell).to_have_attribute("title", f"2026-11-2{2 if symbol == 'S0000-USD' else 1} 21:20:00 UTC")


def pressed(page: Page, name: str) -> None:
    """Press a button with the keyboard."""
    page.get_by_role("button", name=name, exact=True).last.focus()
    page.keyboard.press("Enter")


def test_focus_moves_on_when_its_button_disappears(browser: Browser, server: PageServer) -> None:
    """A button that disappears when it is pressed leaves the focus where the user would go on.

    Seen: after Clear, Show all or the × of a message nothing had the focus.
    """
    with showing(browser, server, book(5)) as visit:
        page = visit.page
        page.locator("#search").fill("nothing like it")
        pressed(page, "Clear")
        expect(price(page, "S0000-USD")).to_be_visible()
        page.wait_for_function(f"() => {FOCUSED} === 'row'")
        page.locator("#search").fill("S0001")
        pressed(page, "Clear search")
        assert page.evaluate(FOCUSED) == "search"


def test_closing_a_message_focuses_the_next(browser: Browser, server: PageServer) -> None:
    """After × the focus is on the next message, and after the last one on the rows; at 400% zoom all can be reached.

    Seen: there, the first of four messages was above the screen, with its button.
    """
    with frozen(browser, server, book(5)) as visit:
        page = visit.page
        for count in (1, 2):
            page.keyboard.press("e")
            expect(page.locator(".toast")).to_have_count(count)
        pressed(page, "Dismiss")
        assert page.evaluate(FOCUSED) == "icon-button"
        page.keyboard.press("Enter")
        expect(page.locator(".toast")).to_have_count(0)
        assert page.evaluate(FOCUSED) == "row"
        page.set_viewport_size({"width": 320, "height": 256})
        for count in (1, 2, 3, 4):
            page.keyboard.press("e")
            expect(page.locator(".toast")).to_have_count(count)
        page.get_by_role("button", name="Dismiss").first.click()
        expect(page.locator(".toast")).to_have_count(3)


def test_a_long_line_of_feeds_fades_and_scrolls(browser: Browser, server: PageServer) -> None:
    """Feeds that do not fit are not cut within a word: the line fades out, and can be scrolled to its end.

    Seen: "delta · connectin", as if that were all.
    """
    with visiting(browser, server, viewport={"width": 720, "height": 450}) as visit:
        visit.service.quotes = book(3)
        visit.service.feeds = {f"feed-with-a-name-{i}": LIVE_FEED for i in range(8)}
        visit.go()
        feeds = visit.page.locator("#feeds")
        expect(feeds.locator(".feed")).to_have_count(8)
        assert "gradient" in feeds.evaluate("(line) => getComputedStyle(line).maskImage")
        feeds.evaluate("(line) => { line.scrollLeft = 1e6; }")
        last, line = feeds.locator(".feed").last.bounding_box(), feeds.bounding_box()
        assert last is not None
        assert line is not None
        assert last["x"] + last["width"] <= line["x"] + line["width"] - 15  # not where it fades out


def test_replayed_prices_can_be_filtered_by_their_venue(browser: Browser, server: PageServer) -> None:
    """A replay's prices carry the recorded venues' names: these can be filtered by, and the replay is not on standby.

    Seen: it was called standby although all prices came from it, and its name as a filter listed nothing.
    """
    with visiting(browser, server) as visit:
        quotes = {"A-USD": quote(last=1.5, source="oanda", quote_volume=9.0), "B-USD": quote(last=2.0, source="fxcm")}
        visit.service.quotes = quotes | {"oanda:A-USD": quotes["A-USD"], "fxcm:B-USD": quotes["B-USD"]}
        visit.service.feeds = {"old": LIVE_FEED | {"kind": "replay"}, "idle": LIVE_FEED}
        visit.go()
        expect(price(visit.page, "A-USD")).to_have_text("1.50")
        for i in range(3):
            visit.service.update({"A-USD": {"last": 1.6 + i / 10}, "B-USD": {"last": 2.1 + i / 10}})
        expect(visit.page.locator(".feed")).to_contain_text(["idle· standby", "old"])
        expect(visit.page.locator(".feed").last).to_have_text(re.compile(r"^old[1-9]/s$"))
        visit.page.locator("#feed").select_option("oanda")
        expect(row(visit.page, "oanda:A-USD")).to_be_visible()
        expect(visit.page.locator(".row:not([hidden])")).to_have_count(1)


def test_the_label_follows_the_feeds_on_an_open_connection(browser: Browser, server: PageServer) -> None:
    """A gateway's upstream may come back with other feeds: the connection stays, and there is no second `hello`.

    Seen: replayed prices had no label, as their sources are the recorded venues, and real ones kept that of before.
    """
    with visiting(browser, server) as visit:
        service, label = visit.service, visit.page.locator("#kind-label")
        service.kinds = ["live", "simulated"]
        service.quotes = {"A-USD": quote(last=1.5, source="toy")}
        service.feeds = {"toy": LIVE_FEED | {"kind": "simulated"}, "real": LIVE_FEED}
        visit.go()
        expect(label).to_have_text("Simulated market")
        for kind, source, text in (("replay", "oanda", "Replayed market"), ("delayed", "new", "Delayed prices")):
            service.epoch += 1
            service.send({
                "type": "snapshot", "epoch": service.epoch, "version": 1, "time": service.time_ms,
                "quotes": {"A-USD": quote(last=2.5, source=source)}, "feeds": {"new": LIVE_FEED | {"kind": kind}},
            })  # fmt: skip
            expect(label).to_have_text(text)
        service.send({
            "type": "snapshot", "epoch": service.epoch + 1, "version": 1, "time": service.time_ms,
            "quotes": {"A-USD": quote(last=3.5, source="new")}, "feeds": {"new": LIVE_FEED},
        })  # fmt: skip
        expect(label).to_be_hidden()
        assert len(service.connections) == 1


def test_the_focus_ring_of_a_sheet_is_not_covered(browser: Browser, server: PageServer) -> None:
    """On a phone the focus ring is around the sheet, not under its contents.

    Seen: parts of it beside the book, none beside the chart.
    """
    with visiting(browser, server, viewport={"width": 390, "height": 844}) as visit:
        visit.service.quotes = book(3)
        visit.go("?sel=S0000-USD")
        sheet = visit.page.locator("#details")
        expect(sheet).to_be_focused()
        ring = sheet.evaluate(
            "(sheet) => [getComputedStyle(sheet).outlineStyle, getComputedStyle(sheet).outlineOffset]"
        )
        assert ring == ["solid", "0px"]
