"""Keyboard, screen readers, themes, phones and print; and the CSV file."""

from __future__ import annotations

import csv
import importlib.util
import io
import pathlib
import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.running import running
from tests.web.page_server import (
    LIVE_FEED,
    PageServer,
    advance,
    book,
    cell,
    frozen,
    paint,
    price,
    quote,
    row,
    showing,
    until,
    visiting,
)  # fmt: skip
from tests.web.page_steps import COLOURS, store

pytestmark = pytest.mark.needs("chromium")

SMALL = """() => [...document.querySelectorAll("button, input, select, a, summary")]
  .filter((control) => control.checkVisibility() && !control.closest(".grid-head, .embed-link"))
  .map((control) => [control, (control.closest("label") ?? control).getBoundingClientRect()])
  .filter(([, box]) => box.height > 0 && (box.height < 43.9 || box.width < 43.9))
  .map(([control, box]) => `${control.ariaLabel ?? control.textContent}: ${box.width} x ${box.height}`)"""
SPACED = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(
    "* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }");
  document.adoptedStyleSheets = [sheet];
}"""
"""What a page must bear by WCAG 1.4.12."""
PRINTED = """() => [...document.querySelectorAll(".row:not([hidden])")]
  .map((row) => [row.dataset.symbol, row.getBoundingClientRect(), getComputedStyle(row.lastChild).display])
  .sort(([, a], [, b]) => a.top - b.top)
  .filter(([, box, last]) => box.right <= innerWidth && box.height === 30 && last !== "none")
  .map(([symbol]) => symbol)"""
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def axe() -> str:
    """The source of axe-core, from the package that contains it."""
    spec = importlib.util.find_spec("axe_playwright_python")
    assert spec is not None
    assert spec.origin is not None
    return (pathlib.Path(spec.origin).parent / "axe.min.js").read_text("utf-8")


def violations(page: Page, *rules: str, within: str = "html") -> list[str]:
    """What axe-core finds wrong with this part of the page as it is now; by these rules alone, if any are named."""
    paint(page)
    only = {"runOnly": list(rules)} if rules else {}
    found: dict[str, Any] = page.evaluate(
        "async ([within, only]) => await axe.run(within, {resultTypes: ['violations'], ...only})", [within, only]
    )
    return [
        f"{v['id']}: {n['html'][:150]}: {n['failureSummary'][:300]}" for v in found["violations"] for n in v["nodes"]
    ]


def test_axe_finds_no_violation(browser: Browser, server: PageServer) -> None:
    """No violation in the table, with stale and unlisted rows, nor in any dialog, in any theme."""
    quotes = book(6) | {"OLD-USD": quote(last=1.0, state="stale", quote_volume=9e12, change_pct=-3.0)}
    with showing(browser, server, quotes, "?theme=dark&symbols=S0000-USD,S0001-USD,OLD-USD,FOO-USD") as visit:
        page = visit.page
        expect(row(page, "FOO-USD")).to_be_visible()
        visit.service.update({"S0000-USD": {"last": 101.0}}, feeds={"alpha": LIVE_FEED | {"kind": "simulated"}})
        row(page, "S0001-USD").focus()
        expect(page.locator("#kind-label")).to_be_visible()
        page.evaluate(axe())
        assert violations(page) == []
        for name in ("columns", "shortcuts", "about", "alerts", "diagnostics", "settings"):
            open_dialog(page, name)
            assert violations(page, within="dialog") == [], name
            if name != "settings":
                page.keyboard.press("Escape")
                expect(page.locator("dialog")).to_be_hidden()
        colours = ["color-contrast", "link-in-text-block"]
        for theme in ("light", "contrast"):
            page.locator("dialog select[name=theme]").select_option(theme)
            expect(page.locator("html")).to_have_attribute("data-theme", theme)
            assert violations(page, *colours, within="dialog") == [], theme
            page.keyboard.press("Escape")
            expect(page.locator("dialog")).to_be_hidden()
            assert violations(page, *colours) == [], theme
            open_dialog(page, "settings")


def open_dialog(page: Page, name: str) -> None:
    """Open it as a user does."""
    if name in {"settings", "columns"}:
        page.locator(f"#{name}").click()
    elif name == "diagnostics":
        page.locator("#cluster").click()
    else:
        page.locator("#settings").click()
        page.locator("dialog .buttons").get_by_role("button", name=re.compile(name, re.IGNORECASE)).click()
    page.locator(f"dialog h2:text-matches('{name[:5]}|Connection|Keyboard', 'i')").wait_for()


def test_the_accessibility_tree_has_landmarks_and_names(browser: Browser, server: PageServer) -> None:
    """Landmarks, the table with its counts and sort order, rows with a name in words, and one live region.

    What is drawn is also said: trend, range and bell. The name of what has the focus does not change with every price,
    since some screen readers would read it out each time.
    """
    server.closes = {"S0000-USD": [50.0] * 60}
    with showing(browser, server, book(3)) as visit:
        store(visit.page, "ticker.alerts.v1", [{"symbol": "S0000-USD", "kind": "change", "op": ">=", "value": 50}])
        expect(row(visit.page, "S0000-USD")).to_have_accessible_name(re.compile("alert set$"))
        expect(cell(visit.page, "S0000-USD", "trend")).to_have_accessible_name("+100.00% in 1 h")
        expect(cell(visit.page, "S0000-USD", "range")).to_have_accessible_name("80.00 – 120.00")
        expect(visit.page.get_by_role("button", name="All 3", exact=True)).to_be_visible()
        expect(visit.page.get_by_role("list", name="Feeds")).to_be_visible()
        tree = visit.page.locator("body").aria_snapshot()
        for line in (
            'heading "Ticker" [level=1]', 'searchbox "Search symbols"', 'navigation "Lists"', 'button "All 3"',
            'button "New list"', 'combobox "Feed"', 'combobox "Quote"', 'grid "Prices"', 'columnheader "Volume"',
            'row "S0001-USD, Name 1, 101.00, down 1.00 percent in 24 hours"', 'list "Feeds"', 'button "Settings"',
        ):  # fmt: skip
            assert line in tree, tree
        grid = visit.page.locator("#grid")
        assert [grid.get_attribute(f"aria-{name}") for name in ("rowcount", "colcount")] == ["4", "11"]
        assert visit.page.locator("[role=status], [role=alert], [aria-live]").count() == 1
        expect(visit.page.locator("#cluster")).to_have_accessible_name("Live")
        row(visit.page, "S0001-USD").focus()
        visit.service.update({symbol: {"last": 150.0} for symbol in ("S0001-USD", "S0002-USD")})
        expect(row(visit.page, "S0002-USD")).to_have_accessible_name(re.compile("150.00"))
        expect(price(visit.page, "S0001-USD")).to_have_text("150.00")
        assert "101.00" in str(row(visit.page, "S0001-USD").get_attribute("aria-label"))
        row(visit.page, "S0002-USD").focus()
        expect(row(visit.page, "S0001-USD")).to_have_accessible_name(re.compile("150.00"))


PLACE = """() => {
  const focused = document.activeElement;
  const dialog = focused.closest("dialog");
  if (dialog === null) return focused === document.body ? "body" : "outside";
  return String([...dialog.querySelectorAll("*")].indexOf(focused));
}"""
"""Which part of a dialog has the focus, or where it is instead."""


def test_everything_works_by_keyboard(browser: Browser, server: PageServer) -> None:
    """Tab reaches each control once and wraps around; focus is visible; keys work, but not while typing or when off."""
    with showing(browser, server, book(40)) as visit:
        page = visit.page
        seen: list[str] = []
        hidden: list[str] = []
        for _ in range(30):
            page.keyboard.press("Tab")
            name, ring = page.evaluate("""() => {
              const focused = document.activeElement;
              const shown = focused.closest(".filter") ?? focused;
              const name = focused.id || focused.className.split(" ")[0] || focused.tagName;
              return [name, getComputedStyle(shown).outlineStyle];
            }""")
            if seen and name == seen[0]:
                break
            seen.append(name)
            if ring == "none":
                hidden.append(name)
        wanted = [
            "search",
            "cluster",
            "pause",
            "theme",
            "settings",
            "feed",
            "quote",
            "columns",
            "export",
            "link",
            "row",
        ]
        assert [name for name in seen if name in wanted] == wanted
        assert hidden in ([], ["BODY"])
        row(page, "S0000-USD").focus()
        for key, heading in (("?", "Keyboard shortcuts"), ("c", "Columns"), ("a", "Alerts")):
            page.keyboard.press(key)
            expect(page.locator("dialog h2")).to_have_text(heading)
            reached = None
            for i in range(25):
                page.keyboard.press("Tab")
                place = page.evaluate(PLACE)
                assert place != "outside"
                reached = reached or place
                if i > 0 and place == reached:
                    break
            page.locator("dialog button").first.focus()
            page.keyboard.press("Escape")
            expect(page.locator("dialog")).to_be_hidden()
        page.keyboard.press("/")
        page.keyboard.type("ct?")
        assert page.locator("#search").input_value() == "ct?"
        page.keyboard.press("Escape")
        page.locator("#settings").click()
        page.locator("dialog select[name=letters]").select_option("off")
        page.keyboard.press("Escape")
        theme = page.locator("html").get_attribute("data-theme")
        for key in ("t", "c", "?", "["):
            page.keyboard.press(key)
        assert page.locator("html").get_attribute("data-theme") == theme
        expect(page.locator("dialog")).to_be_hidden()
        row(page, "S0000-USD").focus()
        page.keyboard.press("Space")
        expect(page.locator("#pause")).to_have_attribute("aria-pressed", "true")


def test_a_long_dialog_scrolls_by_keyboard(browser: Browser, server: PageServer) -> None:
    """Where a dialog has no controls its text can be focused, in every browser, to scroll it."""
    with visiting(browser, server, viewport={"width": 390, "height": 500}) as visit:
        page = visit.page
        visit.service.quotes = book(3)
        visit.go()
        row(page, "S0000-USD").focus()
        body = page.locator(".dialog-body")
        page.keyboard.press("c")
        expect(page.locator("dialog h2")).to_have_text("Columns")
        assert body.get_attribute("tabindex") is None
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        expect(page.locator("dialog h2")).to_have_text("Keyboard shortcuts")
        expect(body).to_have_attribute("tabindex", "0")
        page.keyboard.press("Tab")
        expect(body).to_be_focused()
        page.keyboard.press("End")
        page.wait_for_function("() => document.querySelector('.dialog-body').scrollTop > 0")


def test_the_service_page_and_the_reference_are_accessible(browser: Browser, server: PageServer) -> None:
    """The whole service page is inside landmarks, and text that the reference left too pale is readable."""
    with running("--feed", "sim:12") as service, visiting(browser, server) as visit:
        page = visit.page
        page.goto(f"{service.url}/status?theme=light")
        expect(page.locator("#uptime")).to_contain_text("since")
        page.evaluate(axe())
        assert violations(page) == []
        page.goto(f"{service.url}/docs")
        expect(page.locator(".opblock").first).to_be_visible()
        page.evaluate(axe())
        assert violations(page, "color-contrast") == []


def test_a_phone_has_large_targets_and_no_overflow(browser: Browser, server: PageServer) -> None:
    """Nothing is wider than the screen, targets are 44 px, dialogs are sheets, lists and menus are within reach.

    Pulling down what does not scroll never reloads the page, which would lose every price without a network.
    """

    def fits(name: str, *, sheet: bool) -> None:
        for width in (320, 390):
            page.set_viewport_size({"width": width, "height": 844})
            assert page.evaluate(SMALL) == [], (name, width)
            assert page.evaluate(WIDER) == 0, (name, width)
            if sheet:
                box = page.locator("dialog").bounding_box()
                assert box is not None
                assert (box["x"], box["width"], round(box["y"] + box["height"])) == (0, width, 844), name

    with visiting(browser, server, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as visit:
        page = visit.page
        visit.service.quotes = book(100)
        visit.service.feeds = {f"feed-{i}": LIVE_FEED | {"kind": "simulated"} for i in range(8)}
        visit.go()
        expect(price(page, "S0000-USD")).to_have_text("100.00")
        fits("the page", sheet=False)
        assert page.evaluate("getComputedStyle(document.documentElement).overscrollBehaviorY") == "contain"
        for name in ("settings", "columns", "alerts", "shortcuts", "about"):
            page.locator("#settings").tap()
            if name != "settings":
                page.locator("dialog .buttons").get_by_role("button", name=re.compile(name, re.IGNORECASE)).tap()
            page.locator(f"dialog h2:text-matches('{name[:5]}|Keyboard', 'i')").wait_for()
            fits(name, sheet=True)
            page.get_by_role("button", name="Close").tap()
        page.locator(".tab-new").tap()
        page.keyboard.type("Phones")
        page.keyboard.press("Enter")
        page.locator(".tab-more").tap()
        expect(page.get_by_role("menuitem", name="Delete")).to_be_visible()
        fits("the menu", sheet=False)


def test_at_200_percent_zoom_nothing_is_lost(browser: Browser, server: PageServer) -> None:
    """At 200% zoom, which is half the pixels, nothing is lost sideways; nor is it when the user spaces text out.

    Seen: 97,4… for a price, since columns kept their width; and so with a least size of text in the browser's settings.
    """
    with visiting(browser, server, viewport={"width": 720, "height": 450}, device_scale_factor=2) as visit:
        visit.service.quotes = book(30)
        visit.service.quotes["S0001-USD"] |= {"last": 197412.35, "bid": 197412.3, "ask": 197412.35}
        visit.service.feeds = {"alpha": LIVE_FEED, "beta": LIVE_FEED}
        visit.go()
        expect(price(visit.page, "S0000-USD")).to_have_text("100.00")
        assert visit.page.evaluate(WIDER) == 0
        outside = visit.page.evaluate("""() => [...document.querySelectorAll("button, select, input")]
          .filter((control) => control.checkVisibility() && control.getBoundingClientRect().right > innerWidth + 0.5)
          .map((control) => control.id || control.textContent)""")
        assert outside == []
        visit.page.evaluate(SPACED)
        visit.page.wait_for_function("""() => [...document.querySelectorAll(".number.plain, .value")]
          .every((part) => !part.checkVisibility() || part.scrollWidth <= part.clientWidth)""")


CANDLES = """async () => {
  const { loadChart } = await import("/js/ui/chart.js");
  const chart = new (await loadChart())(document.body.appendChild(document.createElement("div")));
  const bars = [{ t: 0, open: 1, high: 2, low: 1, close: 2, volume: 1 }];
  const scale = { decimals: 2, format: String, formatTime: String, shiftMs: () => 0, days: false };
  chart.draw(bars, "candles", scale, false);
  const { upColor, downColor, borderVisible } = chart.priceSeries.options();
  return upColor !== downColor && borderVisible;
}"""


def test_forced_colours_keep_what_colours_say(browser: Browser, server: PageServer) -> None:
    """With forced colours direction still shows, by arrow, sign and hollow candles; and so do focus and choice.

    Seen: the current row looked the same with and without the focus, since the outline that stands for its colour was
    there both times; the entry of a menu that Enter would choose looked like the others.
    """
    with visiting(browser, server, forced_colors="active") as visit:
        page = visit.page
        visit.service.quotes = book(3)
        visit.go()
        expect(price(page, "S0000-USD")).to_have_text("100.00")
        visit.service.update({"S0000-USD": {"last": 101.0}})
        arrow = row(page, "S0000-USD").locator('[data-column="last"] .arrow')
        expect(arrow).to_have_text("▲")
        assert arrow.is_visible()
        assert page.evaluate("matchMedia('(forced-colors: active)').matches")
        assert page.evaluate(CANDLES)
        current = row(page, "S0001-USD")
        current.click(button="right")
        expect(page.get_by_role("menuitem").first).to_have_css("outline-width", "2px")
        page.keyboard.press("Escape")
        current.focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
        expect(current).to_have_css("outline-width", "2px")
        page.locator("#pause").click()
        for chosen in (current, page.locator("#pause")):
            expect(chosen).to_have_css("outline", re.compile("solid 1px$"))


def test_print_is_the_list_dark_on_white(browser: Browser, server: PageServer) -> None:
    """Whatever the theme, the whole list is printed, dark on white, in columns that fit the paper.

    Seen: browsers leave backgrounds out and darken light text only a little, so names were printed in a pale grey. The
    columns were those of the screen, so the last ones were cut off, and the rows those in view, on one sheet.
    """
    quotes = book(60)
    with showing(browser, server, quotes, "?theme=dark&sel=S0000-USD") as visit:
        page = visit.page
        expect(price(page, "S0000-USD")).to_have_text("100.00")
        page.set_viewport_size({"width": 718, "height": 1047})  # A4 with the usual margins
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        visit.emulate(media="print")
        assert page.evaluate(PRINTED) == list(quotes)
        for unprinted in ("#details", "#search", "#settings"):
            expect(page.locator(unprinted)).to_be_hidden()
        for theme in ("dark", "contrast"):
            page.evaluate("(theme) => { document.documentElement.dataset.theme = theme }", theme)
            background = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert background == "rgb(245, 247, 250)", theme
            assert page.evaluate(COLOURS)["problems"] == [], theme
        visit.emulate(media="screen")
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.locator(".row").count() < 40


def test_a_list_is_saved_as_csv(browser: Browser, server: PageServer) -> None:
    """The file has the rows, columns and order of the screen, plain numbers, and no text that is a formula."""
    quotes = book(2) | {
        "TINY-USD": quote(last=1.5e-9, decimals=12, bid=1e-12, quote_volume=3e12, change_pct=-0.5, name='=cmd("x")'),
        "HUGE-USD": quote(last=1e12, decimals=2, open=1e12 - 0.3, quote_volume=2.5e21, name='+1, "quoted"'),
    }
    with showing(browser, server, quotes, "?cols=volume,bid,difference,range,age") as visit:
        page = visit.page
        with page.expect_download() as download:
            page.keyboard.press("e")
        file = download.value
        assert re.fullmatch(r"ticker-all-\d{8}T\d{6}Z-4711\.csv", file.suggested_filename)
        rows = list(csv.DictReader(io.StringIO(pathlib.Path(file.path()).read_text("utf-8"))))
        assert [line["symbol"] for line in rows] == ["HUGE-USD", "TINY-USD", "S0000-USD", "S0001-USD"]
        assert list(rows[0]) == [
            "symbol",
            "name",
            "last",
            "quote_volume",
            "bid",
            "change",
            "low",
            "high",
            "state",
            "ts",
        ]
        huge, tiny, first, _ = rows
        assert (huge["last"], huge["quote_volume"], huge["change"]) == (
            "1000000000000.00", "2500000000000000000000", "0.30"
        )  # fmt: skip
        assert (tiny["last"], tiny["bid"], tiny["name"]) == ("0.000000001500", "0.000000000001", '\'=cmd("x")')
        assert huge["name"] == '\'+1, "quoted"'
        assert first["ts"] == "2026-11-22T22:20:00.000Z"


def test_diagnostics_have_current_figures(browser: Browser, server: PageServer) -> None:
    """The dialog behind the connection's state counts gaps and resumes and names each feed's state."""
    with frozen(browser, server, book(10)) as visit:
        page, service = visit.page, visit.service
        service.update(feeds={"alpha": {"state": "stale", "message": "mute"}})
        page.locator("#cluster").click()
        page.locator("dialog .sheet").wait_for()
        lines = page.locator("dialog .sheet > div")
        until(visit, lambda: "alpha stale: mute" in page.locator(".sheet-feeds").inner_text().replace("\n", " "))
        texts = {line.split("\n")[0]: line.split("\n")[-1] for line in lines.all_inner_texts()}
        assert (texts["State"], texts["Gaps"], texts["Sequence"], texts["Symbols"]) == ("Live", "0", "4,712", "10")
        before = page.locator(".row").count()
        assert texts["Rows rendered"] == str(before)
        line = page.locator(".sheet-feeds li").first.element_handle()
        advance(visit, 1000)
        assert line.evaluate("(line) => line.isConnected")  # text that is selected there stays selected
