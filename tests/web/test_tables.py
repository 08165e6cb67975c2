"""Quotes and bars as comma-separated values: exact, unambiguous, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from tests.web.server import Live, serving
from ticker.harmless import safe
from ticker.model import FIELDS, Bar, Quote
from web.tables import decimal

MEDIA_TYPE = "text/csv; charset=utf-8; header=present"


def rows(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body.decode(), newline="")))


@serving()
async def test_quotes_are_one_row_a_symbol(live: Live) -> None:
    """One row per symbol, by name, all fields in order, the exchange's own digits, unknown values empty."""
    live.publish({"AAPL": "213.400"}, bid="0.00000001", change_pct="-1.20")
    live.hub.flush()
    answer = await live.get("/api/quotes?format=csv")
    assert (answer.status, answer.headers["content-type"]) == (200, MEDIA_TYPE)
    head, *lines = answer.body.decode().split("\r\n")
    assert head == ",".join(("symbol", *FIELDS))
    assert lines[-1] == ""
    table = rows(answer.body)
    assert [row["symbol"] for row in table] == ["AAPL", "BTC-USD", "ETH-USD"]
    assert (table[0]["last"], table[0]["bid"], table[0]["change_pct"]) == ("213.400", "0.00000001", "-1.20")
    assert (table[1]["last"], table[1]["bid"], table[1]["name"]) == ("97000.10", "", "")


@serving()
async def test_a_table_takes_symbols_and_fields(live: Live) -> None:
    """Symbols and fields select as usual; venue symbols have rows like others, feeds have none."""
    answer = await live.get("/api/quotes?format=csv&symbols=toy:*&fields=state,last")
    assert answer.body == b"symbol,last,state\r\ntoy:BTC-USD,97000.10,live\r\ntoy:ETH-USD,3100.5,live\r\n"
    assert (await live.get("/api/quotes?format=csv&symbols=NO-USD&fields=last")).body == b"symbol,last\r\n"


@serving()
async def test_each_format_has_its_own_etag(live: Live) -> None:
    """The table has an ETag of its own, which gives 304 as long as the selection has not changed."""
    target = "/api/quotes?symbols=BTC-USD&format="
    json_tag, csv_tag = [(await live.get(target + shape)).headers["etag"] for shape in ("json", "csv")]
    assert json_tag != csv_tag
    live.publish({"ETH-USD": "3101.5"})
    live.hub.flush()
    assert (await live.get(f"{target}csv", f"If-None-Match: {csv_tag}")).status == 304
    assert (await live.get(f"{target}csv", f"If-None-Match: {json_tag}")).status == 200


@serving()
async def test_names_are_no_formulas(live: Live) -> None:
    """An exchange's name of an instrument is text, quoted as RFC 4180 says, never a formula."""
    names = ['=HYPERLINK("http://evil.example")', "+1", "-1", "@SUM(A1)", "\t=1", 'a "b", c', "two\nlines", "株式"]
    live.feed.publish([Quote(f"toy:N{i}", {"last": "1", "name": name}) for i, name in enumerate(names)])
    live.hub.flush()
    table = rows((await live.get("/api/quotes?symbols=N*&fields=name&format=csv")).body)
    assert [row["name"] for row in table] == ["'" + name for name in names[:5]] + names[5:]


@pytest.mark.parametrize(
    ("text", "shown"), [("", ""), ("BTC-USD", "BTC-USD"), ("^GSPC", "^GSPC"), ("-X", "'-X"), ("＝1", "'＝1")]
)
def test_texts_that_begin_a_formula_get_an_apostrophe(text: str, shown: str) -> None:
    """Only what a formula may begin with gets an apostrophe, symbols included."""
    assert safe(text) == shown


@pytest.mark.parametrize(
    ("number", "digits", "text"),
    [
        (None, 2, ""),
        (1.5, 2, "1.50"),
        (1e-9, None, "0.000000001"),
        (2.5e21, None, "2500000000000000000000"),
        (3, 0, "3"),
    ],
)
def test_decimals_have_no_exponent(number: float | None, digits: int | None, text: str) -> None:
    """There are as many digits as the symbol has, or as the number needs."""
    assert decimal(number, digits) == text


@serving()
async def test_a_table_refuses_a_cursor(live: Live) -> None:
    """A table cannot say what is gone, so it refuses a cursor, and says why."""
    cursor = (await live.get("/api/quotes")).json["cursor"]
    refusal = await live.get(f"/api/quotes?format=csv&cursor={cursor}")
    assert (refusal.status, refusal.json["code"]) == (400, "bad_request")
    assert "leave out 'cursor'" in refusal.json["detail"]
    assert (await live.get("/api/quotes?format=csv&cursor=")).status == 200
    answer = await live.get("/api/quotes?format=xls")
    assert (answer.status, "'format'" in answer.json["detail"]) == (400, True)


@serving()
async def test_bars_are_one_row_each(live: Live) -> None:
    """The same bars as in the document, with the digits that the symbol is quoted at."""

    async def history(_symbol: str, interval_s: int, limit: int) -> list[Bar]:
        span_ms = interval_s * 1000
        newest = live.clock.wall_ms() // span_ms
        return [Bar(n * span_ms, 1.1, 9e5, 0.5, 2.5, 0.125) for n in range(newest - limit + 1, newest + 1)]

    live.service.candles.past.offer("toy", history, local=False)
    live.feed.publish([Quote("toy:BTC-USD", {"last": "97000.10", "decimals": 2})])
    live.hub.flush()
    target = "/api/candles/BTC-USD?interval=1h&limit=2"
    bars: list[list[Any]] = (await live.get(target)).json["bars"]
    answer = await live.get(f"{target}&format=csv")
    assert (answer.status, answer.headers["content-type"]) == (200, MEDIA_TYPE)
    assert answer.headers["cache-control"] == "no-store"
    older, newest = [bar[0] for bar in bars]
    assert answer.body.decode().split("\r\n") == [
        "t,open,high,low,close,volume,flags",
        f"{older},1.10,900000.00,0.50,2.50,0.125,v",
        f"{newest},1.10,900000.00,0.50,97000.10,,ov",
        "",
    ]
    assert (await live.get("/api/candles/NO-USD?format=csv")).json["code"] == "unknown_symbol"
