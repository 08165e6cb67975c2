"""What goes on while a dialog is open: the page's messages, and what changes beside it."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.web.page_server import PageServer, book, row, showing
from tests.web.page_steps import waiting

pytestmark = pytest.mark.needs("chromium")

KEEP_ALERTS = """(alerts) => {
  localStorage.setItem("ticker.alerts.v1", alerts);
  dispatchEvent(new StorageEvent("storage", { key: "ticker.alerts.v1" }));
}"""
TOAST_ABOVE = """() => {
  const toast = document.querySelector(".toast").getBoundingClientRect();
  return toast.top > 0 && toast.bottom < document.querySelector("dialog header").getBoundingClientRect().top;
}"""


def keep_alerts(page: Page, *limits: int) -> None:
    """Store alerts as another tab would, and tell the page."""
    alert = {"symbol": "S0000-USD", "kind": "price", "op": ">=", "repeat": False, "armed": True}
    page.evaluate(KEEP_ALERTS, json.dumps([alert | {"value": limit} for limit in limits]))


def test_removing_an_alert_can_be_undone_at_once(browser: Browser, server: PageServer) -> None:
    """Undo can be reached over the dialog, the list shows the alert again, and the message outlives the dialog."""
    with showing(browser, server, book(5)) as visit:
        page = visit.page
        keep_alerts(page, 900)
        page.keyboard.press("a")
        lines = page.locator(".alert-list b")
        page.get_by_role("button", name="Remove alert: S0000-USD >= 900").click()
        expect(lines).to_have_count(0)
        page.get_by_role("button", name="Undo").click()
        expect(lines).to_have_text(["S0000-USD"])
        expect(page.locator(".toast")).to_have_count(0)
        page.get_by_role("button", name="Remove alert: S0000-USD >= 900").press("Enter")
        expect(lines).to_have_count(0)
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Undo")).to_be_focused()
        page.keyboard.press("Enter")
        expect(lines).to_have_text(["S0000-USD"])
        page.set_viewport_size({"width": 390, "height": 844})
        page.get_by_role("button", name="Remove alert: S0000-USD >= 900").click()
        expect(page.get_by_role("button", name="Undo")).to_be_visible()
        page.wait_for_function(TOAST_ABOVE)
        page.keyboard.press("t")  # nothing has the focus now, but the dialog is open
        page.keyboard.press("Escape")
        expect(page.locator("dialog")).to_be_hidden()
        page.set_viewport_size({"width": 1440, "height": 900})
        page.get_by_role("button", name="Undo").click()
        expect(row(page, "S0000-USD").locator(".bell")).to_be_visible()
        expect(page.locator("html")).to_have_attribute("data-theme", "auto")


def test_typing_replaces_the_proposed_limit_of_an_alert(browser: Browser, server: PageServer) -> None:
    """A, a number and Enter make an alert at that number.

    Seen: the digits were appended to the price that was filled in, which made the limit a thousand times too high.
    """
    with showing(browser, server, book(5)) as visit:
        page = visit.page
        row(page, "S0001-USD").focus()
        page.keyboard.press("a")
        expect(page.locator("[name=value]")).to_be_focused()
        page.keyboard.type("120.5")
        page.keyboard.press("Enter")
        expect(page.locator(".alert-list li")).to_contain_text(["S0001-USDprice ≥ 120.50, once"])


def test_a_new_alert_focuses_the_first_missing_field(browser: Browser, server: PageServer) -> None:
    """Without a symbol its field has the focus, with one the field of its value, however the dialog was opened.

    Seen: opened from the settings, the button that closes it had the focus.
    """
    with showing(browser, server, book(5)) as visit:
        page = visit.page
        page.locator("#settings").click()
        page.locator("dialog .buttons").get_by_role("button", name="Alerts").click()
        expect(page.locator("dialog input[name=symbol]")).to_be_focused()
        page.keyboard.press("Escape")
        row(page, "S0001-USD").focus()
        page.keyboard.press("a")
        expect(page.locator("dialog input[name=value]")).to_be_focused()


def test_announcements_work_while_a_dialog_is_open(browser: Browser, server: PageServer) -> None:
    """The live region is neither hidden by an open dialog nor lost with it."""
    with showing(browser, server, book(5)) as visit:
        page = visit.page
        spoken = page.get_by_role("status")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        visit.service.accepting = False
        visit.service.close()
        expect(page.get_by_role("dialog").and_(page.locator(":modal")).get_by_role("status")).to_contain_text("lost.")
        page.keyboard.press("Escape")
        page.keyboard.press("t")
        expect(spoken).to_contain_text("Theme:")


def test_failures_are_announced(browser: Browser, server: PageServer) -> None:
    """A dialog that does not load, and a list or symbol for which there is no room, are announced as well as shown.

    Seen: screen readers announced nothing; saving a shared list beside fifty others failed silently; and a star after
    the thousandth was announced as removed.
    """
    with showing(browser, server, book(5)) as visit:
        page = visit.page
        visit.tolerated = ["error: Failed to load resource"]
        spoken, shown = page.get_by_role("status"), page.locator(".toast").last
        page.route("**/js/ui/dialog/shortcuts.js", lambda route: route.abort())
        page.keyboard.press("?")
        for place in (shown, spoken):
            expect(place).to_contain_text("This could not be loaded.")
        newer = 'import { notThereYet } from "../elements.js"; export const title = notThereYet;'
        page.route(
            "**/js/ui/dialog/columns.js", lambda route: route.fulfill(content_type="text/javascript", body=newer)
        )
        page.keyboard.press("c")
        expect(page.locator(".toast")).to_have_count(2)
        expect(shown).to_contain_text("or reload this page")
        lists = [{"title": f"List {i}", "symbols": []} for i in range(50)]
        page.evaluate("(lists) => localStorage.setItem('ticker.lists.v1', JSON.stringify(lists))", lists)
        visit.go("?symbols=S0001-USD")
        page.get_by_role("button", name="Save").click()
        for place in (shown, spoken):
            expect(place).to_contain_text("There is no room for more lists.")
        expect(page.locator(".tab[aria-current]")).to_have_text("Shared list1")
        full = json.dumps([f"F{i}" for i in range(1000)])
        page.evaluate("(full) => localStorage.setItem('ticker.favourites.v1', full)", full)
        visit.go()
        page.get_by_role("button", name="Favourite S0001-USD").click()
        for place in (shown, spoken):
            expect(place).to_contain_text("Favourites is full. Remove a symbol first.")


def test_the_open_list_of_alerts_follows_changes(browser: Browser, server: PageServer) -> None:
    """The open dialog follows alerts that fire, wait or are armed, or that another tab adds or removes."""
    with showing(browser, server, book(5)) as visit:
        page = visit.page
        keep_alerts(page, 800, 900)
        page.keyboard.press("a")
        words = page.locator(".alert-list li span")
        expect(words).to_have_text(["price ≥ 800.00, once", "price ≥ 900.00, once"])
        visit.service.update({"S0000-USD": {"last": 850.0}})
        expect(words).to_have_text(["price ≥ 900.00, once"])
        page.locator("[name=symbol]").fill("S0000-USD")
        page.locator("[name=value]").fill("700")
        page.get_by_role("button", name="Add alert").click()
        expect(words.last).to_have_text("price ≥ 700.00, once; already met, waiting for the next time")
        visit.service.update({"S0000-USD": {"last": 650.0}})
        expect(words.last).to_have_text("price ≥ 700.00, once")
        keep_alerts(page, 950, 990)
        expect(words).to_have_text(["price ≥ 950.00, once", "price ≥ 990.00, once"])
        page.get_by_role("button", name="Remove alert: S0000-USD >= 950").click()
        expect(words).to_have_text(["price ≥ 990.00, once"])


def test_focus_stays_in_the_list_of_alerts(browser: Browser, server: PageServer) -> None:
    """The focus keeps its place while alerts are removed, here or in another tab.

    Seen: with each alert that was removed nothing had the focus, and screen readers fell silent.
    """
    with showing(browser, server, book(5)) as visit:
        page = visit.page
        keep_alerts(page, 800, 900, 950)
        page.keyboard.press("a")
        remove = {
            limit: page.get_by_role("button", name=f"Remove alert: S0000-USD >= {limit}") for limit in (800, 900, 950)
        }
        remove[900].press("Enter")
        expect(remove[950]).to_be_focused()
        keep_alerts(page, 800, 900, 950)
        expect(remove[900]).to_be_focused()
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        expect(remove[800]).to_be_focused()


def test_the_dialog_that_was_asked_for_last_is_shown(browser: Browser, server: PageServer) -> None:
    """A slow line may bring the module of an earlier one after it."""
    with showing(browser, server, book(5)) as visit:
        page, held = visit.page, list[Route]()
        page.route("**/js/ui/dialog/alerts.js", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks it
        page.keyboard.press("a")
        assert waiting(page, lambda: len(held) == 1)
        page.keyboard.press("?")
        title = page.locator("#dialog-title")
        expect(title).to_have_text("Keyboard shortcuts")
        route = held.pop()
        route.continue_()
        page.evaluate("(url) => import(url).then(() => true)", route.request.url)
        expect(title).to_have_text("Keyboard shortcuts")
