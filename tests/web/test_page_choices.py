"""What the user chooses, by URL, by hand or remembered by the browser: lists, filters, columns, settings."""

from __future__ import annotations

import json
import random
import re
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.web.page_server import (
    LIVE_FEED,
    START_MS,
    PageServer,
    Visit,
    book,
    cell,
    price,
    quote,
    row,
    showing,
    visiting,
)  # fmt: skip
from tests.web.page_steps import shows, store, waiting

pytestmark = pytest.mark.needs("chromium")


def address(page: Page) -> dict[str, str]:
    """The parameters of the page's URL."""
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(page.url).query))


def until_address(visit: Visit, **expected: str | None) -> None:
    """Wait until the page's URL has these parameters; None: not this one."""
    visit.page.wait_for_function(
        "(expected) => Object.entries(expected).every("
        "([name, value]) => new URLSearchParams(location.search).get(name) === value)",
        arg=expected,
    )


def tab_titles(page: Page) -> Locator:
    return page.locator(".tab > span:not(.count)")


def stored(page: Page, key: str) -> Any:
    return json.loads(page.evaluate("(key) => localStorage.getItem(key)", key) or "null")


def two_venues() -> dict[str, dict[str, Any]]:
    """A market of two venues, two currencies."""
    return book(8) | {
        "ALPHA-EUR": quote(last=5.5, decimals=1, quote_volume=3e9, change_pct=1.0, open=5.0, source="alpha", name="A"),
        "alpha:ALPHA-EUR": quote(last=5.25, decimals=2, quote_volume=1e9, change_pct=2.0, source="alpha"),
        "alpha:S0000-USD": quote(last=77.0, quote_volume=2e9, source="alpha"),
        "beta:S0000-USD": quote(last=88.0, quote_volume=2e9, source="beta"),
    }


def test_every_parameter_of_the_address_counts(browser: Browser, server: PageServer) -> None:
    """The URL decides what is shown, nothing of it is stored, and invalid values are ignored."""
    query = (
        "?list=favourites&q=alpha&feed=alpha&quote=EUR&sort=last&cols=open,change,nonsense&theme=light&updown=safe"
        "&density=comfortable&rate=4&locale=de-DE&tz=local&embed=0&what=ever&list=all"
    )
    with showing(browser, server, two_venues(), query.replace("list=favourites", "list=%3Cb%3E")) as visit:
        page, root = visit.page, visit.page.locator("html")
        expect(price(page, "alpha:ALPHA-EUR")).to_have_text("5,25")
        shows(page, ["alpha:ALPHA-EUR"])
        assert [root.get_attribute(f"data-{name}") for name in ("theme", "updown", "density")] == [
            "light", "safe", "comfortable"
        ]  # fmt: skip
        columns = page.locator(".head-cell").evaluate_all("(cells) => cells.map((cell) => cell.dataset.column)")
        assert columns == ["star", "symbol", "last", "open", "change"]
        assert page.locator('.head-cell[data-column="last"]').get_attribute("aria-sort") == "ascending"
        assert page.locator("#search").input_value() == "alpha"
        assert row(page, "alpha:ALPHA-EUR").evaluate("(row) => row.offsetHeight") == 38
        assert page.locator("#figures .zone").inner_text() == "local"
        assert page.evaluate("Object.keys(localStorage)") == []
        assert address(page)["what"] == "ever"


def test_changes_are_in_the_url_and_remembered(browser: Browser, server: PageServer) -> None:
    """Each choice is in the URL at once, without a history entry, and is remembered for a visit without parameters."""
    with showing(browser, server, two_venues()) as visit:
        page = visit.page
        steps = page.evaluate("history.length")
        page.locator('.head-cell[data-column="last"] button').click()
        page.locator("#quote").select_option("USD")
        page.locator("#feed").select_option("beta")
        page.keyboard.press("/")
        page.keyboard.type("s00")
        until_address(visit, sort="-last", quote="USD", feed="beta", q="s00")
        expect(price(page, "beta:S0000-USD")).to_have_text("88.00")
        assert page.evaluate("history.length") == steps
        page.keyboard.press("Escape")
        page.locator("#settings").click()
        for name, value in {"density": "comfortable", "rate": "60", "updown": "east", "locale": "de-DE"}.items():
            page.locator(f"dialog select[name={name}]").select_option(value)
        until_address(visit, density="comfortable", rate="60", updown="east", locale="de-DE", sort="-last")
        assert stored(page, "ticker.prefs.v1")["updown"] == "east"
        visit.go()
        expect(page.locator("html")).to_have_attribute("data-updown", "east")
        expect(price(page, "S0007-USD")).to_have_text("107,00")
        assert page.locator('.head-cell[data-column="last"]').get_attribute("aria-sort") == "descending"
        assert page.locator("#feed").input_value() == ""


def test_lists_are_made_renamed_moved_deleted_and_kept(browser: Browser, server: PageServer) -> None:
    """A list is made, filled, renamed, moved and deleted by keyboard, with undo, and survives a reload."""
    with showing(browser, server, book(8)) as visit:
        page = visit.page
        for title in ("Majors", "  <i>FX</i> "):
            page.locator(".tab-new").click()
            expect(page.locator(".tab-title")).to_be_focused()
            page.keyboard.insert_text(title)
            page.keyboard.press("Enter")
        expect(tab_titles(page)).to_have_text(["All", "Favourites", "Majors", "<i>FX</i>"])
        expect(page.locator("#notice p")).to_have_text("No symbols in <i>FX</i> yet. Press / to find one.")
        page.keyboard.press("Alt+ArrowLeft")
        expect(tab_titles(page)).to_have_text(["All", "Favourites", "<i>FX</i>", "Majors"])
        page.keyboard.press("F2")
        page.keyboard.insert_text("majors")
        page.keyboard.press("Enter")
        expect(tab_titles(page)).to_have_text(["All", "Favourites", "majors 2", "Majors"])
        page.keyboard.press("/")
        expect(page.locator("#search")).to_be_focused()
        page.keyboard.insert_text("S0007")
        expect(page.locator("#search")).to_have_value("S0007")
        row(page, "S0007-USD").get_by_role("button", name="Add S0007-USD").click()
        page.keyboard.press("ArrowDown")
        page.locator("#search").press("Escape")
        expect(row(page, "S0007-USD")).to_be_visible()
        shows(page, ["S0007-USD"])
        until_address(visit, list="majors 2", q=None)  # or the reload would search for it
        page.get_by_role("button", name="majors 2 1").press("Delete")
        expect(tab_titles(page)).to_have_text(["All", "Favourites", "Majors"])
        page.locator(".toast").get_by_role("button", name="Undo").press("Enter")
        expect(tab_titles(page)).to_have_text(["All", "Favourites", "majors 2", "Majors"])
        page.get_by_role("button", name="majors 2 1").press("Delete")
        page.locator(".tab-new").click()
        page.keyboard.insert_text("Majors 2")
        page.keyboard.press("Enter")
        page.locator(".toast").get_by_role("button", name="Undo").press("Enter")
        expect(tab_titles(page)).to_have_text(["All", "Favourites", "majors 2 2", "Majors", "Majors 2"])
        expect(page.locator(".tab[aria-current]")).to_have_text("majors 2 21")
        page.get_by_role("button", name="Majors 2 0", exact=True).press("Delete")
        page.get_by_role("button", name="majors 2 2 1").press("F2")
        page.keyboard.insert_text("majors 2")
        page.keyboard.press("Enter")
        until_address(visit, list="majors 2")
        page.reload()
        expect(row(page, "S0007-USD")).to_be_visible()
        shows(page, ["S0007-USD"])
        row(page, "S0007-USD").click(button="right")
        expect(page.get_by_role("menuitemcheckbox")).to_have_text(["Favourites", "majors 2", "Majors"])
        page.evaluate("document.activeElement.blur()")  # as Safari does when a button is clicked
        page.get_by_role("menuitemcheckbox", name="Majors", exact=True).evaluate("(item) => item.click()")
        expect(row(page, "S0007-USD")).to_be_focused()
        page.keyboard.press("]")
        expect(page.locator(".tab[aria-current]")).to_have_text("Majors1")
        row(page, "S0007-USD").click()
        page.keyboard.press("Escape")
        row(page, "S0007-USD").press("Delete")
        expect(page.locator("#notice p")).to_have_text("No symbols in Majors yet. Press / to find one.")


def test_favourites_and_lists_of_another_tab_are_not_lost(browser: Browser, server: PageServer) -> None:
    """Favourites, lists and alerts that another tab of the browser has stored are there at once, and stay stored.

    Broken storage counts as empty; storage that refuses to be written breaks nothing.
    """
    with showing(browser, server, book(8)) as visit:
        page, favourite = visit.page, visit.page.locator(".row:not([hidden])").get_by_role("button")
        page.locator(".tab").nth(1).click()
        expect(page.locator("#notice p")).to_have_text("No symbols in Favourites yet. Press a star to add one.")
        page.keyboard.press("[")
        alert = {"symbol": "S0004-USD", "kind": "price", "op": ">=", "value": 900, "repeat": False, "armed": True}
        others = {"ticker.favourites.v1": ["S0003-USD"],
                  "ticker.lists.v1": [{"title": "Majors", "symbols": ["S0001-USD"]}],
                  "ticker.alerts.v1": [alert]}  # fmt: skip
        for key, value in others.items():
            store(page, key, value)
        expect(tab_titles(page)).to_have_text(["All", "Favourites", "Majors"])
        expect(favourite.and_(page.get_by_label("Favourite S0003-USD"))).to_have_attribute("aria-pressed", "true")
        expect(row(page, "S0004-USD").locator(".bell")).to_be_visible()
        favourite.and_(page.get_by_label("Favourite S0005-USD")).click()
        visit.service.update({"S0004-USD": {"last": 901.0}})
        expect(row(page, "S0004-USD").locator(".bell")).to_be_hidden()
        assert [stored(page, key) for key in others] == [["S0003-USD", "S0005-USD"], others["ticker.lists.v1"], []]
        page.reload()
        page.get_by_role("button", name="Favourites 2").click()
        expect(page.locator(".row:not([hidden])")).to_have_count(2)
        shows(page, ["S0003-USD", "S0005-USD"])
        broken = {"ticker.prefs.v1": "[1", "ticker.favourites.v1": '{"a":1}',
                  "ticker.lists.v1": '[{"title":5},{"title":"Ok","symbols":["S0001-USD",7]},null]',
                  "ticker.alerts.v1": '[{"symbol":1},5,{"kind":"x"}]'}  # fmt: skip
        page.evaluate("(all) => Object.assign(localStorage, all)", broken)
        page.goto(server.url)
        expect(row(page, "S0000-USD")).to_be_visible()
        expect(page.locator(".tab")).to_have_text(["All8", "Favourites0", "Ok1"])
        page.evaluate(FULL)
        page.locator(".tab").nth(2).click()
        favourite.and_(page.get_by_label("Favourite S0001-USD")).click()
        page.keyboard.press("t")
        expect(page.get_by_role("button", name="Favourites 1")).to_be_visible()
        shows(page, ["S0001-USD"])


FULL = "() => { Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') } }"


def test_tabs_share_settings_but_not_what_they_show(browser: Browser, server: PageServer) -> None:
    """A tab adopts what another one sets, also in an open dialog, but not list, order and what its URL says."""
    with showing(browser, server, book(8), "?density=comfortable") as visit:
        page = visit.page
        other = page.context.new_page()
        other.route_web_socket("**/ws", visit.service.connected)
        other.goto(server.url)
        expect(price(other, "S0000-USD")).to_have_text("100.00")
        other.locator("#settings").click()
        expect(other.locator("[name=theme]")).to_have_value("auto")
        page.keyboard.press("]")
        page.locator('.head-cell[data-column="last"] button').click()
        page.locator("#settings").click()
        page.locator("[name=theme]").select_option("light")
        page.locator("[name=flashes]").select_option("off")
        expect(other.locator("html")).to_have_attribute("data-theme", "light")
        expect(other.locator("[name=theme]")).to_have_value("light")
        expect(other.locator("[name=flashes]")).to_have_value("off")
        other.locator("[name=theme]").select_option("dark")
        other.locator("[name=updown]").select_option("safe")
        other.locator("[name=density]").select_option("comfortable")
        other.locator("[name=density]").select_option("compact")
        expect(page.locator("html[data-theme=dark][data-updown=safe]")).to_have_attribute("data-density", "comfortable")
        until_address(visit, theme="dark", updown="safe", density="comfortable", list="favourites", sort="-last")
        page.locator("[name=rate]").select_option("4")
        expect(other.locator("[name=rate]")).to_have_value("4")
        expect(other.locator(".tab[aria-current]")).to_have_text("All8")
        assert stored(page, "ticker.prefs.v1") == {
            "list": "favourites", "sort": "-last", "theme": "dark", "flashes": "off", "updown": "safe",
            "density": "compact", "rate": "4",
        }  # fmt: skip
        other.close()


def test_a_shared_list_is_not_stored_until_saved(browser: Browser, server: PageServer) -> None:
    """A shared list can be viewed, rid of symbols that do not exist, and saved.

    `sel` names a symbol: `*` is none, and does not stream all the venues' symbols.
    """
    with showing(browser, server, book(5), "?symbols=S0003-USD,FOO-USD,<img>,S0001-USD&sel=*") as visit:
        page = visit.page
        expect(page.locator(".panel-missing")).to_contain_text("* · not listed here")
        assert visit.service.patterns == ["*"]
        page.keyboard.press("Escape")
        expect(page.locator(".tab[aria-current]")).to_have_text("Shared list3")
        shows(page, ["S0001-USD", "S0003-USD", "FOO-USD"])
        assert row(page, "FOO-USD").get_attribute("aria-label") == "FOO-USD, not listed here"
        assert cell(page, "FOO-USD", "symbol").locator(".name").inner_text() == "· not listed here"
        assert page.evaluate("localStorage.length") == 0
        page.get_by_role("button", name="Remove FOO-USD").click()
        expect(row(page, "FOO-USD")).to_have_count(0)
        page.get_by_role("button", name="Save").click()
        page.keyboard.type("Mine")
        page.keyboard.press("Enter")
        until_address(visit, list="Mine", symbols=None)
        assert stored(page, "ticker.lists.v1") == [{"title": "Mine", "symbols": ["S0003-USD", "S0001-USD"]}]


def test_feed_and_currency_filters_select_rows(browser: Browser, server: PageServer) -> None:
    """A feed's own symbols are subscribed to while they are listed, and the selection moves to that feed's symbol.

    Until a feed's prices have come nothing is said about them; then they are listed at once, and counted. Where
    nothing matches, a way back is offered. A new symbol leaves the open list of currencies alone unless it brings one.

    Seen: until the answer came, half a second at the start, "Nothing in All matches the filters: feed alpha.", and
    "0 symbols listed." for screen readers.
    """
    with showing(browser, server, two_venues()) as visit:
        page, service = visit.page, visit.service
        expect(page.locator("#quote option")).to_have_text(["Any", "USD", "EUR"])
        page.evaluate("window.kept = document.querySelector('#quote').options[1]")
        row(page, "S0000-USD").focus()
        page.locator("#feed").focus()
        service.mute = True
        page.locator("#feed").select_option("alpha")
        assert waiting(page, lambda: len(service.unheard) == 1)
        shows(page, [])
        expect(page.locator("#notice")).to_be_hidden()
        service.mute = False
        service.take(service.unheard[0])
        expect(price(page, "alpha:S0000-USD")).to_have_text("77.00")
        expect(row(page, "alpha:S0000-USD")).to_have_attribute("aria-selected", "true")
        assert service.received[-1]["symbols"] == ["alpha:*"]
        shows(page, ["alpha:S0000-USD", "alpha:ALPHA-EUR"])
        assert row(page, "alpha:S0000-USD").get_attribute("aria-label") == "S0000-USD at alpha, 77.00"
        expect(page.locator("#announcements")).to_contain_text("2 symbols listed.")
        row(page, "alpha:S0000-USD").get_by_role("button", name="Favourite S0000-USD").click()
        page.get_by_role("button", name="Favourites 1").click()
        shows(page, ["alpha:S0000-USD"])
        page.locator("#quote").select_option("EUR")
        said = page.locator("#notice p")
        expect(said).to_have_text("Nothing in Favourites matches the filters: feed alpha, quote EUR.")
        page.get_by_role("button", name="Show all").click()
        expect(price(page, "S0000-USD")).to_have_text("100.00")
        assert waiting(page, lambda: service.received[-1]["op"] == "unsubscribe")
        assert service.received[-1] == {"op": "unsubscribe", "id": service.received[-1]["id"], "symbols": ["alpha:*"]}
        service.update({"NEW-USD": quote(last=1)})
        expect(page.locator(".tab").first).to_have_text("All10")
        assert page.evaluate("window.kept.isConnected")
        service.update({"NEW-CHF": quote(last=1)})
        expect(page.locator("#quote option")).to_have_text(["Any", "USD", "EUR", "CHF"])


def test_a_feed_has_a_rate_while_its_prices_are_listed(browser: Browser, server: PageServer) -> None:
    """A feed whose own prices are listed has their rate, each counted once, even where it is not the source.

    A standby feed has no rate in the status line, which counts listed prices, until it is a source.

    Seen: a feed chosen in the filter was called standby, above a list of its prices.
    """
    with visiting(browser, server) as visit:
        page, service = visit.page, visit.service
        service.quotes = {"A-USD": quote(last=1.0), "beta:A-USD": quote(last=1.0, source="beta")}
        service.feeds = {"alpha": LIVE_FEED, "beta": LIVE_FEED}
        visit.go("?feed=beta")
        chips = page.locator(".feed")
        expect(chips).to_have_text(["alpha0/s", "beta0/s"])
        for last in range(2, 14):
            service.update({"beta:A-USD": {"last": last}})
        expect(chips.nth(1)).to_have_text(re.compile(r"beta[1-9]\d*/s"))
        page.locator("#feed").select_option("")
        expect(chips).to_have_text(["alpha0/s", "beta· standby"])
        service.update({"A-USD": {"last": 2.0, "source": "beta"}})
        expect(chips.nth(0)).to_have_text("alpha· standby")
        expect(chips.nth(1)).to_contain_text("/s")


def test_an_embedded_list_of_a_feed_subscribes_to_that_feed_only(browser: Browser, server: PageServer) -> None:
    """An embedded list of one feed's prices subscribes to those alone, whether or not it names the feed.

    Seen: `?embed=1&feed=kraken&symbols=BTC-USD` streamed all of the feed's symbols besides the consolidated one, and
    `?embed=1&symbols=kraken:BTC-USD` showed the whole market, since no list could name a feed's own price.
    """
    with visiting(browser, server) as visit:
        page, service = visit.page, visit.service
        service.quotes, service.feeds = two_venues(), {"alpha": LIVE_FEED, "beta": LIVE_FEED}
        visit.go("?embed=1&feed=alpha&symbols=S0000-USD,alpha:ALPHA-EUR")
        shows(page, ["alpha:S0000-USD", "alpha:ALPHA-EUR"])
        assert service.patterns == ["alpha:S0000-USD", "alpha:ALPHA-EUR"]
        service.update({"alpha:S0000-USD": {"last": 78.0}})
        expect(price(page, "alpha:S0000-USD")).to_have_text("78.00")
        visit.go("?embed=1&symbols=alpha:S0000-USD")
        shows(page, ["alpha:S0000-USD"])
        assert service.patterns == ["alpha:S0000-USD"]
        expect(page.locator("#feeds .feed")).to_have_text(["alpha0/s", "beta· standby"])


def test_columns_can_be_chosen_and_those_that_do_not_fit_are_named(browser: Browser, server: PageServer) -> None:
    """The dialog changes the columns at once, says which do not fit, and restores the default."""
    quotes = book(4) | {
        "DIFF-USD": quote(last=11.5, open=10.0, bid_size=1500, ask_size=2.5, quote_volume=2e9, source="alpha")
    }
    with showing(browser, server, quotes) as visit:
        page, boxes = visit.page, visit.page.locator("dialog input:checked")
        page.keyboard.press("c")
        page.locator("dialog input[name=trend]").uncheck()
        for key in ("range", "spread", "difference", "bidsize", "source", "updated", "open"):
            page.locator(f"dialog input[name={key}]").evaluate("(box) => box.click()")
        for key, text in {"difference": "+1.50", "bidsize": "1.50K", "source": "alpha", "open": "10.00"}.items():
            expect(cell(page, "DIFF-USD", key)).to_have_text(text)
        expect(cell(page, "DIFF-USD", "updated")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))
        expect(page.locator("#grid")).to_have_attribute("aria-colcount", "13")
        page.set_viewport_size({"width": 900, "height": 900})
        expect(page.locator("#grid")).not_to_have_attribute("aria-colcount", "13")
        page.locator("dialog input[name=low]").check()
        expect(page.locator("dialog .note")).to_contain_text("Hidden for lack of space: ")
        page.set_viewport_size({"width": 1440, "height": 900})
        page.get_by_role("button", name="Reset to default").click()
        expect(page.locator("#grid")).to_have_attribute("aria-colcount", "11")
        usual = boxes.evaluate_all("(boxes) => boxes.map((box) => box.name)")
        boxes.evaluate_all("(boxes) => boxes.forEach((box) => box.click())")
        assert boxes.evaluate_all("(boxes) => boxes.map((box) => box.name)") == usual  # a table has at least some
        page.keyboard.press("Escape")
        expect(page.locator("dialog")).to_be_hidden()
        visit.page.wait_for_function("() => !location.search.includes('cols')")


SORTED_BY: dict[str, Callable[[dict[str, Any]], Any]] = {
    "symbol": lambda q: q["symbol"], "last": lambda q: q["last"], "change": lambda q: q["change_pct"],
    "trend": lambda q: q["last"] / q["hour_ago"], "range": lambda q: (q["last"] - q["low"]) / (q["high"] - q["low"]),
    "bid": lambda q: q["bid"], "ask": lambda q: q["ask"], "spread": lambda q: q["ask"] / q["bid"],
    "age": lambda q: -q["ts"], "difference": lambda q: q["last"] - q["last"] / (1 + q["change_pct"] / 100),
    "open": lambda q: q["open"], "high": lambda q: q["high"], "low": lambda q: q["low"],
    "bidsize": lambda q: q["bid_size"], "asksize": lambda q: q["ask_size"], "source": lambda q: q["source"],
    "updated": lambda q: q["ts"], "volume": lambda q: q["quote_volume"],
}  # fmt: skip
"""What each column sorts by."""


def shuffled_market() -> dict[str, dict[str, Any]]:
    """Ten symbols in a different order in each column, and one without values."""
    dice = random.Random(7)
    fields = ("last", "bid", "open", "change_pct", "bid_size", "ask_size", "quote_volume", "hour_ago")
    drawn = {field: dice.sample(range(100, 200), 10) for field in fields}
    gaps, distances, ages, sources = (dice.sample(range(1, 50), 10) for _ in range(4))
    market = {}
    for i in range(10):
        values = {field: float(numbers[i]) for field, numbers in drawn.items()}
        low, high = values["last"] - distances[i], values["last"] + dice.randint(1, 50) + i / 10
        market[f"S{i}-USD"] = values | {
            "open": values["open"] + i / 16, "low": low, "high": high, "ask": values["bid"] + gaps[i] / 8,
            "ts": START_MS - ages[i], "source": f"venue-{sources[i]:02d}",
        }  # fmt: skip
    return market


SORT = """async () => {
  const sorted = {};
  for (const title of document.querySelectorAll(".head-cell:has(button)")) {
    for (let press = 0; press < 2; press += 1) {
      title.querySelector("button").click();
      await new Promise((done) => requestAnimationFrame(done));
      const rows = [...document.querySelectorAll(".row:not([hidden])")];
      rows.sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top);
      sorted[`${title.dataset.column} ${title.ariaSort}`] = rows.map((row) => row.dataset.symbol);
    }
  }
  return sorted;
}"""
"""Clicks twice on each title; returns the rows from top to bottom, by column and direction."""


def test_every_column_sorts_both_ways(browser: Browser, server: PageServer) -> None:
    """A click on a title sorts descending, the next one ascending; missing values are last both ways."""
    market = shuffled_market()
    quotes = {symbol: quote(**{k: v for k, v in q.items() if k != "hour_ago"}) for symbol, q in market.items()}
    server.closes = {symbol: [q["hour_ago"]] * 60 for symbol, q in market.items()}
    expected: dict[str, list[str]] = {}
    for key, value_of in SORTED_BY.items():
        known = sorted(market, key=lambda symbol: value_of(market[symbol] | {"symbol": symbol}))
        known += ["VOID-USD"] if key == "symbol" else []
        unknown = [] if key == "symbol" else ["VOID-USD"]
        expected |= {f"{key} descending": known[::-1] + unknown, f"{key} ascending": known + unknown}
    with visiting(browser, server, viewport={"width": 2400, "height": 900}) as visit:
        page = visit.page
        visit.service.quotes = quotes | {"VOID-USD": quote(ts=None, source=None)}
        visit.go(f"?cols={','.join(SORTED_BY)}")
        expect(page.locator(".row .spark:is(.up, .down)")).to_have_count(len(market))
        assert page.evaluate(SORT) == expected


def test_a_link_may_have_a_long_list(browser: Browser, server: PageServer) -> None:
    """A shared list can have as many symbols as a saved one; if they are more than a service accepts, they are
    subscribed to by patterns.

    Seen: the link that the page had made to a list of a thousand showed the whole market.
    """
    symbols = [f"LONG{i:04d}.X-USD" for i in range(1000)]
    with visiting(browser, server) as visit:
        service = visit.service
        service.quotes = {symbols[-1]: quote(last=5.0), "OTHER-USD": quote(last=6.0)}
        service.feeds = {"alpha": LIVE_FEED}
        visit.go(f"?symbols={','.join(symbols)}&sort=last")
        expect(visit.page.locator(".tab[aria-current]")).to_have_text("Shared list1,000")
        expect(price(visit.page, symbols[-1])).to_have_text("5.00")
        expect(row(visit.page, "OTHER-USD")).to_have_count(0)
        service.quotes[f"alpha:{symbols[-1]}"] = quote(last=7.0)
        visit.go(f"?embed=1&sort=last&symbols={','.join([*symbols[1:], f'alpha:{symbols[-1]}'])}")
        expect(price(visit.page, f"alpha:{symbols[-1]}")).to_have_text("7.00")
        expect(row(visit.page, "OTHER-USD")).to_have_count(0)
        assert sorted(service.patterns) == ["*", "alpha:*"]


def test_links_have_the_users_list_and_the_token(browser: Browser, server: PageServer) -> None:
    """A link carries the symbols of the user's own list. That to all quotes sends the token, if there is one, and saves
    the answer.

    Seen: it led to a page that said `unauthorized`, since the URL carries no token.
    """
    with showing(browser, server, book(5), "?theme=dark") as visit:
        page = visit.page
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        row(page, "S0003-USD").get_by_role("button", name="Favourite S0003-USD").click()
        page.get_by_role("button", name="Favourites 1").click()
        until_address(visit, list="favourites")
        page.keyboard.press("l")
        expect(page.locator(".toast")).to_contain_text("copied")
        copied = page.evaluate("navigator.clipboard.readText()")
        page.context.clear_permissions()
        assert copied == f"{server.url}?theme=dark&symbols=S0003-USD&sort=-volume"
        said: list[str | None] = []

        def tell(route: Route) -> None:
            said.append(route.request.headers.get("authorization"))
            route.fulfill(body="symbol,last\r\n", content_type="text/csv")

        page.route("**/api/quotes*", tell)
        page.evaluate("localStorage.setItem('ticker.token.v1', 'secret')")
        with page.expect_download():
            page.keyboard.press("e")
        with page.expect_download() as download:
            page.get_by_role("link", name="All quotes").click()
        assert (download.value.suggested_filename, said) == ("quotes.csv", ["Bearer secret"])


def test_a_feeds_own_prices_are_listed_by_name(browser: Browser, server: PageServer) -> None:
    """A URL that names a feed's own prices lists those rows, which are streamed while they are listed."""
    own = {"alpha:S0001-USD": quote(last=7.0, name="One"), "beta:S0001-USD": quote(last=8.0, source="beta")}
    query = "?symbols=S0001-USD,alpha:S0001-USD,alpha:VOID-USD&sort=-last"
    with showing(browser, server, book(3) | own, query) as visit:
        page, service = visit.page, visit.service
        shows(page, ["S0001-USD", "alpha:S0001-USD", "alpha:VOID-USD"])
        expect(row(page, "alpha:S0001-USD").locator(".name")).to_have_text("alpha · One")
        expect(row(page, "alpha:VOID-USD").locator(".name")).to_have_text("alpha · not listed here")
        row(page, "alpha:S0001-USD").click()
        expect(page.get_by_role("complementary", name="Details of S0001-USD")).to_be_visible()
        expect(row(page, "alpha:S0001-USD")).to_have_attribute("aria-selected", "true")
        page.keyboard.press("Escape")
        page.locator("#tabs").get_by_role("button", name="Save").click()
        page.keyboard.press("Enter")
        service.update({"alpha:S0001-USD": {"last": 7.5}})
        expect(price(page, "alpha:S0001-USD")).to_have_text("7.50")
        page.locator("#pause").press("Enter")
        expect(page.locator("#cluster .word")).to_contain_text("Paused")
        page.keyboard.press("]")
        expect(row(page, "S0002-USD")).to_be_visible()
        page.keyboard.press("[")
        shows(page, ["S0001-USD", "alpha:S0001-USD", "alpha:VOID-USD"])
        expect(price(page, "alpha:S0001-USD")).to_have_text("7.50")
        page.locator("#pause").press("Enter")
        page.locator("#feed").select_option("alpha")  # which makes one row of the two
        shows(page, ["alpha:S0001-USD"])
        page.locator("#feed").select_option("")
        row(page, "alpha:S0001-USD").focus()
        page.keyboard.press("Delete")
        shows(page, ["S0001-USD", "alpha:VOID-USD"])
        assert waiting(page, lambda: service.patterns == ["*", "alpha:VOID-USD"])
