"""Finnhub, US stocks: one request per symbol over REST, a stream of trades, and a key for both.

There are no bids and asks. A trade gives `last`, dated in ms; open, high, low and change of the session come from REST,
dated by the last trade in whole seconds. For an unknown symbol all values are zero, which means no price. There is no
list, so symbols must be named. A free key streams 50 of them; the error for more names none, and those are only polled.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time
from typing import Any
from urllib.parse import quote

from feeds.exchange.adapter import exchange
from feeds.exchange.session import Session
from feeds.exchange.shapes import Shape, list_at, read_object, text_at, write
from feeds.exchange.venue import Heard, Limits, Row, Stream, Venue
from ticker.errors import FeedError

_QUOTE = Shape(
    wire=None, time="t", fields={"last": "c", "open": "o", "high": "h", "low": "l", "change_pct": "dp"},
    optional={"previous_close": "pc"},
)  # fmt: skip
_TRADE = Shape(wire="s", time="t", fields={"last": "p"})
_UNKNOWN, _TOO_MANY = "Invalid symbol ", "Subscribing to too many symbols"


def rest_request(symbols: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"/api/v1/quote?symbol={quote(symbol)}" for symbol in symbols)


def parse_rest(body: bytes) -> list[Row]:
    answer = read_object(body)
    if "error" in answer:
        raise FeedError(f"Finnhub says {body[:100]!r}")
    row = _QUOTE.row(answer)
    return [row._replace(time=f"{row.time}e3" if row.time else None)]


def subscribe(wires: Sequence[str], _number: int) -> list[str]:
    return [write({"type": "subscribe", "symbol": wire}) for wire in wires]


def parse_stream(body: bytes, _memory: dict[str, Any]) -> Heard:
    message = read_object(body)
    kind = text_at(message, "type")
    if kind == "trade":
        return Heard(_TRADE.rows(list_at(message, "data")))
    reason = text_at(message, "msg")
    if kind == "error" and reason.startswith(_UNKNOWN):
        return Heard(refused=((reason.removeprefix(_UNKNOWN), reason),))
    if kind == "error" and reason != _TOO_MANY:
        raise FeedError(f"Finnhub says {reason[:100]!r}")
    return Heard()


FINNHUB = Venue(
    name="finnhub",
    summary="Finnhub, US stocks: trades in real time, the session's figures polled",
    base_url="https://finnhub.io",
    limits=Limits(interval_s=10.0, gap_s=1.0, symbols_per_request=1),  # 60 requests a minute
    rest_request=rest_request,
    parse_rest=parse_rest,
    fields=_QUOTE.names,
    symbol=str,  # `AAPL`, `BRK.B`
    clock="exchange",
    change_from="previous_close",
    session=Session("America/New_York", time(9, 30), time(16)),
    key_headers=("X-Finnhub-Token",),
    stream=Stream(
        url="wss://ws.finnhub.io",
        subscribe=subscribe,
        parse=parse_stream,
        wires_per_message=1,
        mute_after_s=900.0,  # a mute stream looks like a holiday
        acks=False,
        complete=False,
        key_query="token",
    ),
)
ADAPTER = exchange(FINNHUB)
