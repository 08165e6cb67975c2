"""What goes on while a dialog is open: the page's messages, and what changes beside it."""

from __future__ import annotations

import json
from functools import partial

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.web.page_server import PageServer, advance, book, frozen, quote, row, showing
from tests.web.page_steps import store, waiting

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


def test_the_form_for_an_alert_proposes_what_is_known(browser: Browser, server: PageServer) -> None:
    """Without a symbol its field has the focus, with one the field of its value, however the dialog was opened: A, a
    number and Enter make an alert at that number. The form accepts a name as typed, or in capitals, and refuses one
    whose alert would never fire.

    Seen: opened from the settings, the button that closes it had the focus. The digits were appended to the price that
    was filled in, which made the limit a thousand times too high. A mistyped symbol was accepted silently, and one with
    lower-case letters was changed to another.
    """
    quotes = {"kPEPE-USD": quote(last=101), "BTC-USD": quote(last=1)}
    with showing(browser, server, quotes) as visit:
        page, alerts = visit.page, visit.page.locator(".alert-list li")
        page.locator("#settings").click()
        page.locator("dialog .buttons").get_by_role("button", name="Alerts").click()
        expect(page.locator("dialog input[name=symbol]")).to_be_focused()
        page.keyboard.press("Escape")
        row(page, "kPEPE-USD").focus()
        page.keyboard.press("a")
        expect(page.locator("dialog input[name=value]")).to_be_focused()
        page.keyboard.type("120.5")
        page.keyboard.press("Enter")
        expect(alerts).to_contain_text(["kPEPE-USDprice ≥ 120.50, once"])
        for name in ("btc-usd", "btcusd"):
            page.locator("[name=symbol]").fill(name)
            page.locator("[name=value]").fill("7")
            page.get_by_role("button", name="Add alert").click()
            expect(alerts.locator("b")).to_have_text(["kPEPE-USD", "BTC-USD"])
        expect(page.locator(".problem")).to_have_text("BTCUSD is not listed here.")
        expect(alerts).to_have_count(2)


def test_failures_are_announced(browser: Browser, server: PageServer) -> None:
    """The dialog that was asked for last is shown: a slow line may bring the module of an earlier one after it.

    A dialog that does not load, and a list or symbol for which there is no room, are announced as well as shown; so
    is what happens while a dialog is open, which neither hides the live region nor takes it away with it.

    Seen: screen readers announced nothing; saving a shared list beside fifty others failed silently; and a star after
    the thousandth was announced as removed.
    """
    with frozen(browser, server, book(2), "?symbols=S0000-USD,S0001-USD") as visit:
        page, service = visit.page, visit.service
        visit.tolerated = ["error: Failed to load resource"]
        spoken, shown = page.get_by_role("status"), page.locator(".toast").last

        def said(text: str, place: Locator) -> bool:
            advance(visit, 300)
            return text in place.inner_text()

        def says(text: str, *places: Locator) -> None:
            for place in places:
                assert waiting(page, partial(said, text, place)), text

        held: list[Route] = []
        page.route("**/js/ui/dialog/settings.js", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks it
        page.locator("#settings").click()
        assert waiting(page, lambda: len(held) == 1)
        page.keyboard.press("?")
        title = page.get_by_role("dialog").locator("#dialog-title")
        expect(title).to_have_text("Keyboard shortcuts")
        held[0].continue_()
        page.evaluate("(url) => import(url).then(() => true)", held[0].request.url)
        expect(title).to_have_text("Keyboard shortcuts")
        service.accepting = False
        service.close()
        says("lost.", page.get_by_role("dialog").and_(page.locator(":modal")).get_by_role("status"))
        page.keyboard.press("Escape")
        page.keyboard.press("t")
        says("Theme:", spoken)
        page.route("**/js/ui/dialog/alerts.js", lambda route: route.abort())
        page.keyboard.press("a")
        expect(page.locator(".toast")).to_have_count(1)
        says("This could not be loaded.", shown, spoken)
        newer = 'import { notThereYet } from "../elements.js"; export const title = notThereYet;'
        page.route(
            "**/js/ui/dialog/columns.js", lambda route: route.fulfill(content_type="text/javascript", body=newer)
        )
        page.keyboard.press("c")
        expect(page.locator(".toast")).to_have_count(2)
        expect(shown).to_contain_text("or reload this page")
        store(page, "ticker.lists.v1", [{"title": f"List {i}", "symbols": []} for i in range(50)])
        page.locator("#tabs").get_by_role("button", name="Save").click()
        says("There is no room for more lists.", shown, spoken)
        expect(page.locator(".tab[aria-current]")).to_have_text("Shared list2")
        store(page, "ticker.favourites.v1", [f"F{i}" for i in range(1000)])
        row(page, "S0001-USD").get_by_role("button", name="Favourite S0001-USD").click()
        says("Favourites is full. Remove a symbol first.", shown, spoken)


def test_the_open_list_of_alerts_follows_changes(browser: Browser, server: PageServer) -> None:
    """The open dialog follows alerts that fire, wait or are armed, or that another tab adds or removes; the focus keeps
    its place while they are removed.

    Seen: with each alert that was removed nothing had the focus, and screen readers fell silent.
    """
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
        limits = (800, 900, 950)
        keep_alerts(page, *limits)
        expect(words).to_have_text([f"price ≥ {limit}.00, once" for limit in limits])
        remove = {limit: page.get_by_role("button", name=f"Remove alert: S0000-USD >= {limit}") for limit in limits}
        remove[900].press("Enter")
        expect(remove[950]).to_be_focused()
        expect(words).to_have_text(["price ≥ 800.00, once", "price ≥ 950.00, once"])
        keep_alerts(page, *limits)
        expect(remove[900]).to_be_focused()
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        expect(remove[800]).to_be_focused()
