"""Finnhub: its recorded trades, its quotes, its key and its errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from feeds.exchange.venue import Heard, Row
from feeds.times import time_ms
from feeds.venues.finnhub import FINNHUB, parse_rest, parse_stream, rest_request, subscribe
from ticker.errors import FeedError


def hear(message: dict[str, Any]) -> Heard:
    return parse_stream(json.dumps(message).encode(), {})


def test_a_quote_is_unnamed_and_dated_in_seconds() -> None:
    """It has the previous close, which is no field of ours."""
    body = b'{"c":261.74,"d":2.29,"dp":0.8827,"h":263.310,"l":260.68,"o":261.07,"pc":259.45,"t":1582641000}'
    (row,) = parse_rest(body)
    assert row.wire == ""
    assert row.raw == {"last": "261.74", "open": "261.07", "high": "263.310", "low": "260.68", "change_pct": "0.8827",
                       "previous_close": "259.45"}  # fmt: skip
    assert time_ms(row.time, FINNHUB.time_unit) == 1582641000000


@pytest.mark.parametrize(("sent", "ms"), [("1582641000", 1582641000000), ("1582641000.25", 1582641000250)])
def test_seconds_may_have_a_fraction(sent: str, ms: int) -> None:
    """Seconds are whole as a rule. Seen: of others only the digits before the point counted, as milliseconds."""
    (row,) = parse_rest(f'{{"c":1,"dp":1,"h":1,"l":1,"o":1,"t":{sent}}}'.encode())
    assert time_ms(row.time, FINNHUB.time_unit) == ms


def test_an_unknown_symbol_has_neither_price_nor_time() -> None:
    """It is answered with zeros."""
    (row,) = parse_rest(b'{"c":0,"d":null,"dp":null,"h":0,"l":0,"o":0,"pc":0,"t":0}')
    assert row.raw == {"last": "0", "open": "0", "high": "0", "low": "0", "change_pct": None, "previous_close": "0"}
    assert time_ms(row.time, FINNHUB.time_unit) is None


def test_a_quote_or_trade_without_a_price_is_rejected() -> None:
    """A quote or trade that lacks its price costs itself."""
    assert parse_rest(b'{"d":1}') == [Row("", None)]
    assert hear({"type": "trade", "data": [{"s": "AAPL", "t": 1}, 5]}).rows == [Row("AAPL", None), Row("?", None)]


def test_one_request_and_one_message_a_symbol_without_the_key() -> None:
    """The key is in a header, and in the query of the stream's URL."""
    assert rest_request(["AAPL", "BRK.B"]) == ("/api/v1/quote?symbol=AAPL", "/api/v1/quote?symbol=BRK.B")
    assert [json.loads(text) for text in subscribe(["AAPL"], 1)] == [{"type": "subscribe", "symbol": "AAPL"}]
    assert FINNHUB.key_headers == ("X-Finnhub-Token",)
    assert FINNHUB.stream is not None
    assert (FINNHUB.stream.key_query, FINNHUB.stream.url) == ("token", "wss://ws.finnhub.io")
    assert not FINNHUB.stream.acks


def test_a_ping_is_ignored_and_an_error_fails_the_connection() -> None:
    """An error fails the connection if it names no symbol."""
    assert hear({"type": "ping"}) == Heard()
    with pytest.raises(FeedError, match="try again") as caught:
        hear({"type": "error", "msg": "Something broke,\ntry again"})
    assert "\n" not in str(caught.value)


def test_a_symbol_that_is_not_streamed_is_refused_alone() -> None:
    """An unknown one, and those beyond the limit of the key.

    Seen: one such symbol ended the connection of all, which was made anew and asked for it again, for ever.
    """
    reason = "Invalid symbol XYZ.B"
    assert hear({"type": "error", "msg": reason}) == Heard(refused=(("XYZ.B", reason),))
    assert hear({"type": "error", "msg": "Subscribing to too many symbols"}) == Heard()


def test_an_error_object_is_a_failure() -> None:
    """An error object is a failure."""
    with pytest.raises(FeedError, match="API limit reached"):
        parse_rest(b'{"error":"API limit reached. Please try again later. Remaining Limit: 0"}')
