"""The service page in a real browser: current figures, and the worst feed in view first."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.web.page_server import START_MS, PageServer, Visit, advance, visiting
from tests.web.page_steps import HAS_INTER

pytestmark = pytest.mark.needs("chromium")

BOUNDS = [0.001, 0.01, 0.1]


def feed(state: str, **fields: Any) -> dict[str, Any]:
    return {
        "state": state, "since": START_MS - 60_000, "kind": "live", "clock": "exchange", "message": None,
        "symbols": 12, "last_data": START_MS - 3000, "rate": 5.0, "updates": 100, "reconnects": 0, "received_bytes": 0,
        "polls": {}, "errors": {}, "rejects": {}, "changes": [], **fields,
    }  # fmt: skip


def status(seconds: float) -> dict[str, Any]:
    """The service this long after the first answer: 100 rows a second, flushes of up to 10 ms."""
    flushes = [0, round(50 * seconds), 0, 0]
    return {
        "time": START_MS + seconds * 1000, "started_at": START_MS - 7_200_000, "reasons": [],
        "versions": {"ticker": "9.8.7", "python": "3.11.2"}, "memory_bytes": 80 * 2**20, "cpu_s": 1 + seconds / 4,
        "store": {"epoch": 1, "version": 4711, "symbols": 846, "stale": 2, "history_bytes": 2**20},
        "readers": {"connected": {"ws": 3, "sse": 1, "poll": 0}, "subscriptions": 2, "lagging": 1,
                    "pending_bytes": 2048, "conflated": 5, "sent_rows": 1000 + 100 * seconds,
                    "sent_bytes": 5000 * seconds,
                    "disconnects": {}, "rejects": {}},
        "flush_s": {"bounds": BOUNDS, "counts": flushes, "total": 1.0},
        "fanout_s": {"bounds": BOUNDS, "counts": [0, 0, 0, 0], "total": 0.0},
        "loop_s": {"bounds": BOUNDS, "counts": [round(4 * seconds), 0, 0, 0], "total": 0.0},
    }  # fmt: skip


def tile(visit: Visit, title: str) -> str:
    shown = visit.page.locator(".tile").filter(has=visit.page.get_by_text(title, exact=True))
    return re.sub(r"\s+", " ", shown.inner_text()).removeprefix(title + " ")


def test_the_service_page_shows_current_figures(browser: Browser, server: PageServer) -> None:
    """Figures are those of the last seconds; the feed in trouble is shown first, with reasons and changes, as text.

    Seen: a selected reason lost its selection every two seconds; screen readers announced the uptime whenever it grew,
    but not that the service was ready, or which feed was chosen. On a phone, and at 400% zoom, four columns, most
    versions and the end of a long reason were not there, and later the bar of the chosen feed was not; beside a tile
    with one more line the figures of another were not level.
    """
    with visiting(browser, server, still=True) as visit:
        page = visit.page
        changes = [
            {"at": START_MS - 120_000, "state": "live", "message": None},
            {"at": START_MS - 60_000, "state": "down", "message": "<b>no route</b>"},
        ]
        bad = feed("down", message="<b>no route</b>", rate=0.0, errors={"connect": 4}, changes=changes)
        server.answers |= {"api/status": status(0), "api/feeds": {"feeds": {"alpha": feed("live"), "beta": bad}}}
        visit.go("status?theme=dark")
        expect(page.locator("#cluster .word")).to_have_text("Ready")
        page.evaluate("window.kept = [...document.querySelectorAll('.summary, .versions span')]")
        server.answers["api/status"] = status(2)
        advance(visit, 2000)
        expect(page.locator(".tile").nth(1).locator(".value")).to_have_text("100 /s")
        assert tile(visit, "Updates in") == "5 /s 2 feeds"
        assert tile(visit, "Readers") == "4 ws 3 · sse 1 · 1 lagging, 2.05KB pending"
        assert tile(visit, "Flush") == "5.50 ms p99 9.91 ms"
        assert tile(visit, "Receipt to write") == "— no samples yet"
        assert tile(visit, "Memory") == "80 MiB 1.0 MiB of bars · CPU 25%"
        assert page.locator("#uptime").inner_text().startswith("up 2 h, since 2026-11-22")
        expect(page.get_by_role("status")).to_have_text(["Ready", ""])
        rows = [re.sub(r"\s+", " ", text) for text in page.locator(".feeds-table tbody tr").all_inner_texts()]
        assert rows == ["alpha live 1 min 12 5.0/s 5 s 0 0 0", "beta down 1 min 12 0.0/s 5 s 0 4 0"]
        panel = page.locator("#feed")
        expect(panel.locator("h2")).to_have_text("beta")
        assert panel.locator(".summary").inner_text() == "<b>no route</b>"
        assert panel.locator(".counts").inner_text().split() == ["connect", "4"]
        assert panel.locator(".changes .state").all_inner_texts() == ["down", "live"]
        assert page.evaluate("window.kept.map((place) => place.isConnected)") == [True, True, True]
        page.get_by_role("button", name="alpha").click()
        expect(panel.locator("h2")).to_have_text("alpha")
        expect(page.get_by_role("button", pressed=True)).to_have_text("alpha")
        page.set_viewport_size({"width": 1000, "height": 844})
        assert page.evaluate("[document.documentElement.scrollWidth, document.querySelector('#feed').clientWidth]") == [
            1000, 1000
        ]  # fmt: skip
        page.set_viewport_size({"width": 320, "height": 256})
        assert page.evaluate("document.documentElement.scrollWidth") == 320
        whole = "(parts) => parts.every((part) => part.scrollWidth <= part.clientWidth)"
        assert page.locator(".reasons, .versions, .tile .aside, .feeds-table td").evaluate_all(whole)
        expect(page.locator(".feeds-table tbody").get_by_role("cell")).to_have_count(2 * 8)
        tops = page.locator(".tile .value").evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().top)")
        assert tops[::2] == tops[1::2]
        chosen = page.get_by_role("row").filter(has=page.get_by_role("button", pressed=True))
        expect(chosen).to_have_css("box-shadow", re.compile("inset"))
        for width in (320, 1440):
            page.set_viewport_size({"width": width, "height": 256})
            server.answers["api/status"] = status(4) | {"reasons": ["a long reason, which goes on for a while, " * 9]}
            advance(visit, 2000)
            expect(page.locator("#cluster .word")).to_have_text("Not ready")
            assert page.locator(".reasons").evaluate_all(whole)
            reasons, board = page.locator("#reasons").bounding_box(), page.locator(".board").bounding_box()
            assert reasons is not None
            assert board is not None
            assert reasons["y"] + reasons["height"] <= board["y"]
        visit.tolerated = ["error: Failed to load resource"]
        server.answers["api/status"] = {"status": 500}
        advance(visit, 2000)
        expect(page.locator("#cluster .word")).to_have_text("No answer")
        expect(page.get_by_role("status")).to_contain_text(["No answer", "The service does not answer."])
        assert tile(visit, "Memory").startswith("80 MiB")
        mark = page.locator(".feeds-table .mark").first
        pale = page.locator(".tile dt").first.evaluate("(title) => getComputedStyle(title).color")
        expect(mark).to_have_css("color", pale)  # an old state is shown as one


WHY = "no word from http://up: connection refused"


def test_no_feed_of_a_lost_upstream_is_called_live(browser: Browser, server: PageServer) -> None:
    """Feeds that are not known now are stale, and the page says why in the service's words.

    Seen: the page of a gateway that was orphaned called its feeds live, in green, at their last rate; and always "The
    upstream cannot be asked.", also at a service without one that refused this once.
    """
    with visiting(browser, server, still=True) as visit:
        feeds = {"alpha": feed("live"), "beta": feed("down", message="no route")}
        server.answers |= {"api/status": status(0), "api/feeds": {"feeds": feeds}}
        visit.go("status")
        states, details = visit.page.locator(".feeds-table .state"), visit.page.locator("#feed")
        expect(states).to_have_text(["live", "down"])
        visit.page.get_by_role("button", name="alpha").click()
        expect(details).to_contain_text("live for 1 min")
        visit.tolerated = ["error: Failed to load resource"]
        for seconds, refusal, said in ((2, {"detail": WHY}, WHY), (6, {"detail": 7}, "HTTP status 503")):
            server.answers |= {"api/status": status(seconds), "api/feeds": {"status": 503} | refusal}
            advance(visit, 2000)
            expect(details).to_contain_text(f"Not known now: {said}")
            expect(states).to_have_text(["stale", "down"])
            assert tile(visit, "Updates in") == "0 /s 2 feeds"
            server.answers |= {"api/status": status(seconds + 2), "api/feeds": {"feeds": feeds}}
            advance(visit, 2000)
            expect(states).to_have_text(["live", "down"])


def test_a_feed_that_turns_bad_is_shown(browser: Browser, server: PageServer) -> None:
    """Until the user chooses a feed, the details are of one in trouble, as soon as there is one; columns keep their
    width. If the service's clock has not advanced there are no rates.

    Seen: a feed fell silent while the page was open, and the details still said that another one was live; with each
    answer all columns moved, since they were as wide as their numbers. And "NaN /s" and "CPU NaN%", a division by zero
    seconds.
    """
    edges = "[...document.querySelectorAll('.feeds-table th')].map((head) => head.getBoundingClientRect().x)"
    with visiting(browser, server, still=True) as visit:
        page = visit.page

        def answer(seconds: int, beta: dict[str, Any]) -> None:
            feeds = {"alpha": feed("live", rate=1234.5 if seconds else 5.0), "beta": beta}
            server.answers |= {"api/status": status(seconds), "api/feeds": {"feeds": feeds}}

        answer(0, feed("live"))
        visit.go("status")
        expect(page.locator("#feed h2")).to_have_text("alpha")
        before = page.evaluate(edges)
        expect(page.locator("#cluster .word")).to_have_text("Ready")
        advance(visit, 2000)
        expect(page.locator(".course path").first).to_have_attribute("d", re.compile("^M"))
        assert tile(visit, "Rows out") == "—"
        assert tile(visit, "Memory").endswith("CPU —")
        answer(2, feed("stale", message="mute", rejects={"not_a_price": 123456}))
        advance(visit, 2000)
        expect(page.locator("#feed h2")).to_have_text("beta")
        assert page.evaluate(edges) == before
        page.get_by_role("button", name="alpha").click()
        answer(4, feed("down"))
        advance(visit, 2000)
        expect(page.locator(".feeds-table .state").last).to_have_text("down")
        expect(page.locator("#feed h2")).to_have_text("alpha")


def test_a_phone_shows_all_figures_of_a_feed(browser: Browser, server: PageServer) -> None:
    """Two lines to a feed, as wide as the screen, each figure below its title; a name may have as many as it needs.

    Seen: rate, errors and rejects were right of the screen's edge, where nothing told of them. Of a long name the end
    was cut off, so that two feeds looked the same, and "Symbol" and "123,45" each had a last letter below them.
    """
    name, since = "a-venue-with-a-name-of-32-letter", START_MS - 59 * 60_000
    busy = feed("connecting", since=since, rate=12345.6, errors={"connect": 1234}, rejects={"price": 123456})
    boxes = "(cells) => cells.map((cell) => cell.getBoundingClientRect()).map(({ left, right }) => [left, right])"
    with visiting(browser, server, still=True) as visit:
        visit.page.set_viewport_size({"width": 320, "height": 600})
        server.answers |= {"api/status": status(0), "api/feeds": {"feeds": {"alpha": feed("live"), name: busy}}}
        visit.go("status")
        expect(visit.page.locator(".feeds-table tbody tr")).to_have_count(2)
        titles, alpha, beta = (row.locator("th, td").evaluate_all(boxes) for row in visit.page.get_by_role("row").all())
        assert titles == alpha == beta
        assert all(0 <= left < right <= 320 for left, right in titles)
        assert visit.page.locator(".feeds-table :is(th, td)").evaluate_all(
            "(cells) => cells.every((cell) => cell.scrollWidth <= cell.clientWidth)"
        )
        if visit.page.evaluate(HAS_INTER):
            assert visit.page.locator(".feeds-table :is(thead th, td)").evaluate_all(TALL) == []
        whole = "(name) => name.scrollHeight <= name.clientHeight"
        assert visit.page.get_by_role("button", name=name).evaluate(whole)


TALL = """(cells) => {
  const text = document.createRange();
  return cells.map((cell) => (text.selectNodeContents(cell), [cell.textContent, text.getBoundingClientRect().height]))
    .filter(([, height]) => height > 22);
}"""
"""Which texts have more than one line."""
