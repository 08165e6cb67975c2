"""Finnhub: its recorded trades, its quotes, its key and its ways to say no."""

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


def test_quote() -> None:
    """A quote names no symbol, its time is in seconds, and the previous close is none of ours."""
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


def test_unknown_symbol() -> None:
    """Zeros everywhere are no price, and no time."""
    (row,) = parse_rest(b'{"c":0,"d":null,"dp":null,"h":0,"l":0,"o":0,"pc":0,"t":0}')
    assert row.raw == {"last": "0", "open": "0", "high": "0", "low": "0", "change_pct": None, "previous_close": "0"}
    assert time_ms(row.time, FINNHUB.time_unit) is None


def test_shapes_that_are_not_known() -> None:
    """A quote or trade that lacks its price costs itself."""
    assert parse_rest(b'{"d":1}') == [Row("", None)]
    assert hear({"type": "trade", "data": [{"s": "AAPL", "t": 1}, 5]}).rows == [Row("AAPL", None), Row("?", None)]


def test_asking() -> None:
    """One request and one message a symbol; nothing that is sent in them holds the key."""
    assert rest_request(["AAPL", "BRK.B"]) == ("/api/v1/quote?symbol=AAPL", "/api/v1/quote?symbol=BRK.B")
    assert [json.loads(text) for text in subscribe(["AAPL"], 1)] == [{"type": "subscribe", "symbol": "AAPL"}]
    assert FINNHUB.key_headers == ("X-Finnhub-Token",)
    assert FINNHUB.stream is not None
    assert (FINNHUB.stream.key_query, FINNHUB.stream.url) == ("token", "wss://ws.finnhub.io")
    assert not FINNHUB.stream.acks


def test_messages_without_trades() -> None:
    """Finnhub's own ping says nothing; an error that names no symbol is about the whole connection."""
    assert hear({"type": "ping"}) == Heard()
    with pytest.raises(FeedError, match="try again") as caught:
        hear({"type": "error", "msg": "Something broke,\ntry again"})
    assert "\n" not in str(caught.value)


def test_symbols_that_are_not_streamed() -> None:
    """An unknown symbol, and those beyond what a key may stream, cost themselves.

    Seen: one such symbol ended the connection of all, which was made anew and asked for it again, for ever.
    """
    reason = "Invalid symbol XYZ.B"
    assert hear({"type": "error", "msg": reason}) == Heard(refused=(("XYZ.B", reason),))
    assert hear({"type": "error", "msg": "Subscribing to too many symbols"}) == Heard()


def test_error() -> None:
    """An error object is a failure."""
    with pytest.raises(FeedError, match="API limit reached"):
        parse_rest(b'{"error":"API limit reached. Please try again later. Remaining Limit: 0"}')
