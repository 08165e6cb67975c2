"""The page against a service, or an exchange behind it, that means harm: text stays text, and nothing else suffers.

The first line of defence is the policy; these tests see that the page does not need it.
"""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser

from tests.web.page_server import (
    START_MS,
    PageServer,
    Visit,
    advance,
    book,
    cell,
    frozen,
    quote,
    row,
    until,
    until_price,
)  # fmt: skip

pytestmark = pytest.mark.needs("chromium")

MARKUP = '<img src="x" onerror="window.harmed = 1">'
NAMES = [
    "__proto__", "constructor", "hasOwnProperty", MARKUP, '"><script>window.harmed = 2</script>', "a:b:c", ":", "",
    "javascript:window.harmed=3", "\u202eDSU-CTB\u0000", "L" * 10_000,
]  # fmt: skip


def say(visit: Visit, text: str) -> None:
    """Send the members of an update that changes no version."""
    version = visit.service.version
    visit.service.send_text(f'{{"type":"update","since":{version},"version":{version},"time":{START_MS},{text}}}')


def assert_unharmed(visit: Visit) -> None:
    """Nothing has run or been inserted, no prototype has changed, and prices are still painted."""
    assert visit.page.evaluate("[window.harmed, {}.last, [].last, Object.keys({})]") == [None, None, None, []]
    assert visit.page.evaluate("document.querySelectorAll('img:not([src=\"icon.svg\"]), body script').length") == 0
    newer = visit.service.quotes["S0000-USD"]["last"] + 1
    visit.service.update({"S0000-USD": {"last": newer}})
    until_price(visit, "S0000-USD", f"{newer:.2f}")


def test_names_are_text(browser: Browser, server: PageServer) -> None:
    """Symbols, instruments, feeds, sources and messages may be markup, or what objects have by nature."""
    with frozen(browser, server, book(5), "?sel=S0001-USD") as visit:
        record = quote(last=1.0, name=MARKUP, quote_volume=1e12)
        for name in NAMES:
            one = json.dumps({name: record | {"source": name, "__proto__": {"last": 5}}})
            feed = json.dumps({name: {"state": name, "kind": name, "since": 1, "clock": name, "message": MARKUP}})
            say(visit, f'"quotes":{one},"feeds":{feed}')
        advance(visit, 800)
        until(visit, lambda: row(visit.page, "constructor").count() == 1)
        assert MARKUP in cell(visit.page, "constructor", "symbol").inner_text()
        row(visit.page, "__proto__").click()
        advance(visit, 600)
        assert_unharmed(visit)


def test_a_number_that_cannot_be_is_not_known(browser: Browser, server: PageServer) -> None:
    """Infinite and absurd numbers, times beyond any date and impossible decimals are shown as missing. An update that
    drops something without a name is malformed as a whole.

    Seen: with decimals of −1 in one record, from then on nothing was painted at all.
    """
    with frozen(browser, server, book(5), "?sel=S0001-USD&cols=updated,open,bid,volume") as visit:
        known = visit.service.quotes["S0001-USD"]
        for field in ("last", "bid", "open", "quote_volume", "change_pct", "ts", "decimals"):
            for value in ("1e999", "-1e999", "1e300", "-1", "1.5", "31", "[]", '"5"'):
                say(visit, f'"quotes":{{"S0001-USD":{{"{field}":{value}}}}}')
                advance(visit, 100)
            visit.page.keyboard.press("e")  # as CSV, too
            advance(visit, 600)
            assert_unharmed(visit)
            say(visit, f'"quotes":{{"S0001-USD":{json.dumps(known)}}}')
        say(visit, '"gone":[1,{}]')
        assert_unharmed(visit)


def test_bars_that_ended_long_ago_are_not_continued(browser: Browser, server: PageServer) -> None:
    """The chart of a symbol whose newest bar is of 1970 stays as it is, and so does the page.

    Seen: the page made a bar for each minute since, and stood still meanwhile; before 1970, for ever.
    """
    for symbol, t in (("S0001-USD", 0), ("S0002-USD", -1e300)):
        server.answers[f"api/candles/{symbol}"] = {"bars": [[t, 1.0, 2.0, 0.5, 1.5, None, ""]]}
    with frozen(browser, server, book(5), "?sel=S0001-USD&tf=1m") as visit:
        page = visit.page
        for symbol in ("S0001-USD", "S0002-USD"):
            if symbol == "S0002-USD":
                row(page, symbol).click()
            until(visit, lambda: page.locator(".chart-box").count() == 1)
            advance(visit, 1000)
            visit.service.update({symbol: {"last": 5.0}})
            assert_unharmed(visit)
