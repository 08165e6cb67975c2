"""OKX spot: every pair in one answer over REST, or a stream of tickers, each row dated by OKX.

Only spot is asked for: `vol24h` of derivatives counts contracts. Errors come with any HTTP status and have a code
that is text. The server drops a connection that is silent for 30 s, so a bare `ping` is sent; it answers `pong`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from feeds.exchange.adapter import exchange
from feeds.exchange.shapes import Index, Shape, list_at, read_object, text_at, write
from feeds.exchange.venue import INTERVALS, Candles, Heard, Limits, Stream, Venue
from ticker.errors import FeedError

_TICKER = Shape(
    wire="instId",
    time="ts",
    fields={
        "last": "last", "bid": "bidPx", "ask": "askPx", "bid_size": "bidSz", "ask_size": "askSz",
        "open": "open24h", "high": "high24h", "low": "low24h", "volume": "vol24h", "quote_volume": "volCcy24h",
    },
)  # fmt: skip
_INDEX = Index(
    wire="instId", base="baseCcy", quote="quoteCcy", status="state", open="live", halted=("suspend",), tick=("tickSz",)
)
_REASONS = {"50011": "rate_limited", "50061": "rate_limited", "60014": "rate_limited"}
_NAMED = re.compile(r"instId:([^,\s]+)")


def subscribe(wires: Sequence[str], _number: int) -> list[str]:
    return [write({"op": "subscribe", "args": [{"channel": "tickers", "instId": wire} for wire in wires]})]


def parse_stream(body: bytes, _memory: dict[str, Any]) -> Heard:
    if body == b"pong":
        return Heard()
    message = read_object(body)
    event, ours = text_at(message, "event"), text_at(message, "arg", "channel") == "tickers"
    if ours and not event:
        return Heard(_TICKER.rows(list_at(message, "data")))
    if ours and event == "subscribe":
        return Heard(acked=(text_at(message, "arg", "instId"),))
    if event == "notice":
        return Heard(reconnect=text_at(message, "msg"))
    if event == "error":
        reason = text_at(message, "msg")
        named = [text_at(message, "arg", "instId"), *_NAMED.findall(reason)]
        if not any(named):
            raise _error(message, body)
        return Heard(refused=[(wire, reason) for wire in named if wire])
    return Heard()


def _data(body: bytes) -> list[Any]:
    reply = read_object(body)
    if text_at(reply, "code") != "0":
        raise _error(reply, body)
    return list_at(reply, "data")


def _error(message: dict[str, Any], body: bytes) -> FeedError:
    return FeedError(f"OKX says {body[:100]!r}", reason=_REASONS.get(text_at(message, "code"), "protocol"))


OKX = Venue(
    name="okx",
    summary="OKX spot",
    base_url="https://openapi.okx.com",
    limits=Limits(interval_s=1.0, gap_s=0.1),
    rest_request=lambda _symbols: "/api/v5/market/tickers?instType=SPOT",
    parse_rest=lambda body: _TICKER.rows(_data(body)),
    fields=_TICKER.names,
    instruments_request="/api/v5/public/instruments?instType=SPOT",
    parse_instruments=lambda body: _INDEX.listings(_data(body)),
    symbol=str,  # `BTC-USDT`; names of derivatives have a third part, which makes them no valid symbol
    clock="exchange",
    stream=Stream(
        url="wss://ws.okx.com:8443/ws/v5/public", subscribe=subscribe, parse=parse_stream,
        wires_per_message=200,  # 64 KB a message, 480 messages an hour
        connects_per_s=3.0, ping=("ping", 20.0), mute_after_s=8.0,
    ),
    candles=Candles(  # newest first, back from `after`; days are Hong Kong's unless UTC is asked for
        request="/api/v5/market/candles?instId={wire}&bar={interval}&after={end_ms}&limit=300", rows=_data,
        intervals={1: "1s", **INTERVALS, 3600: "1H", 14_400: "4H", 86_400: "1Dutc"}, most=300, kept=1440,
    ),
)  # fmt: skip
ADAPTER = exchange(OKX)
