"""Binance spot: every symbol in one answer over REST, two streams for each symbol over WebSocket.

Names have no separator, so only the instrument list tells what they are. No price is dated: REST's `closeTime` and
the ticker's `E` are the time of the message, and best bid and ask come without a time. The book stream sends best bid
and ask at once, with a sequence number; the ticker repeats them once a second, so its older ones count only without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from feeds.exchange.adapter import exchange
from feeds.exchange.bulk import Bulk
from feeds.exchange.shapes import Index, Shape, list_at, read, read_object, text_at, write
from feeds.exchange.venue import INTERVALS, Candles, Heard, Limits, Row, Stream, Venue
from ticker.errors import FeedError

_TICKER = Shape(
    wire="symbol", fields={
        "last": "lastPrice", "bid": "bidPrice", "ask": "askPrice", "bid_size": "bidQty", "ask_size": "askQty",
        "open": "openPrice", "high": "highPrice", "low": "lowPrice", "volume": "volume",
        "quote_volume": "quoteVolume", "change_pct": "priceChangePercent",
    },
)  # fmt: skip
_ALL = Bulk(_TICKER)
_TRADES = {"last": "c", "open": "o", "high": "h", "low": "l", "volume": "v", "quote_volume": "q", "change_pct": "P"}
_BOOK = Shape(wire="s", seq="u", fields={"bid": "b", "ask": "a", "bid_size": "B", "ask_size": "A"})
_TRADED = Shape(wire="s", fields=_TRADES)
_STREAMED = Shape(wire="s", fields={**_TRADES, **_BOOK.fields})
_YIELDING = 3
"""After a message of the book stream, bid and ask are ignored in this many tickers; later ones are no longer older."""
_INDEX = Index(
    wire="symbol", base="baseAsset", quote="quoteAsset", tick=("filters", "tickSize"),
    status="status", open="TRADING", halted=("BREAK", "HALT", "CANCEL_ONLY", "END_OF_DAY", "AUCTION_MATCH"),
)  # fmt: skip


def parse_rest(body: bytes) -> Sequence[Row]:
    if body[:1] != b"{":
        return _ALL.rows(body)
    answer = read_object(body)
    if "code" in answer:
        raise FeedError(f"Binance says {body[:100]!r}")
    return [_TICKER.row(answer)]


def subscribe(wires: Sequence[str], number: int) -> list[str]:
    streams = [f"{wire.lower()}@{stream}" for wire in wires for stream in ("ticker", "bookTicker")]
    return [write({"method": "SUBSCRIBE", "params": streams, "id": number})]


def parse_stream(body: bytes, memory: dict[str, Any]) -> Heard:
    """`memory` counts the tickers of a symbol since its last message of the book stream."""
    message = read_object(body)
    if not message.keys().isdisjoint({"error", "code"}):
        raise FeedError(f"Binance says {body[:100]!r}")
    if "result" in message and isinstance(message.get("id"), int):
        return Heard(acked=(message["id"],))
    data = message.get("data", message)
    if text_at(data, "e") == "serverShutdown":
        return Heard(reconnect="the server is about to shut down")
    rows = []
    for event in data if isinstance(data, list) else [data]:
        kind, wire = text_at(event, "e"), text_at(event, "s")
        if kind == "24hrTicker":
            memory[wire] = since = memory.get(wire, _YIELDING) + 1
            rows.append((_TRADED if since <= _YIELDING else _STREAMED).row(event))
        elif wire and not kind:
            memory[wire] = 0
            rows.append(_BOOK.row(event))
    return Heard(rows)


BINANCE = Venue(
    name="binance", base_url="https://api.binance.com",
    summary="Binance spot: bid and ask in real time, the rest once a second",
    limits=Limits(  # a request has a weight of 80
        interval_s=2.0, gap_s=0.8, body_bytes=40_000_000, ban_s=120.0,
        used_header="X-MBX-USED-WEIGHT-1M", used_limit=6000,
    ),
    # Always all symbols: one unknown name would fail the whole request.
    rest_request=lambda _symbols: "/api/v3/ticker/24hr", parse_rest=parse_rest, fields=_TICKER.names,
    # Without this, permission sets make up most of the list.
    instruments_request="/api/v3/exchangeInfo?showPermissionSets=false",
    parse_instruments=lambda body: _INDEX.listings(list_at(read(body), "symbols")),
    stream=Stream(
        url="wss://stream.binance.com:9443/stream", subscribe=subscribe, parse=parse_stream,
        wires_per_message=50, wires_per_connection=512,  # 1024 streams
        lifetime_s=86_400.0, mute_after_s=8.0, messages_per_s=3.0,  # of 5; pings and pongs count, too
    ),
    candles=Candles(
        request="/api/v3/klines?symbol={wire}&interval={interval}&startTime={begin_ms}&endTime={end_ms}&limit=1000",
        rows=lambda body: list_at(read(body)), intervals={1: "1s", **INTERVALS}, most=1000,
    ),
)  # fmt: skip
ADAPTER = exchange(BINANCE)
