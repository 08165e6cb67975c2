"""Gate.io spot: every pair in one answer over REST, or streams of the ticker and of best bid and ask.

The ticker comes once a second at most. Best bid and ask, the only dated prices, come at once; until they first do,
those of the ticker are used. One unknown pair fails the whole request.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from feeds.exchange.adapter import exchange
from feeds.exchange.shapes import Index, Shape, at, list_at, read, read_object, text_at, write
from feeds.exchange.venue import INTERVALS, NOW_S, Candles, Heard, Limits, Stream, Venue
from ticker.errors import FeedError

_TRADES = {
    "last": "last", "high": "high_24h", "low": "low_24h", "volume": "base_volume", "quote_volume": "quote_volume",
    "change_pct": "change_percentage",
}  # fmt: skip
_TRADED = Shape(wire="currency_pair", fields=_TRADES)
_TICKER = Shape(wire="currency_pair", fields={**_TRADES, "bid": "highest_bid", "ask": "lowest_ask"})
_TOP = Shape(wire="s", time="t", seq="u", fields={"bid": "b", "ask": "a", "bid_size": "B", "ask_size": "A"})
_INDEX = Index(
    wire="id", base="base", quote="quote", digits="precision", name="base_name",
    status="trade_status", open="tradable", halted=("untradable", "buyable", "sellable"),
)  # fmt: skip
_TICKERS, _BOOK = "spot.tickers", "spot.book_ticker"
_NAMED = re.compile(r"unknown currency pair (\S+)")


def _entries(body: bytes) -> list[Any]:
    answer = read(body)
    if label := text_at(answer, "label"):
        reason = "rate_limited" if label == "TOO_MANY_REQUESTS" else "protocol"
        raise FeedError(f"Gate.io says {body[:100]!r}", reason=reason)
    return list_at(answer)


def subscribe(wires: Sequence[str], number: int) -> list[str]:
    asked = {"time": NOW_S, "id": number, "event": "subscribe", "payload": wires}
    return [write({"channel": channel, **asked}) for channel in (_TICKERS, _BOOK)]


def parse_stream(body: bytes, memory: dict[str, Any]) -> Heard:
    """`memory` has the pairs whose best bid and ask have come."""
    message = read_object(body)
    channel, event, number = text_at(message, "channel"), text_at(message, "event"), at(message, "id")
    if event == "update" and channel == _TICKERS:
        row = _TICKER.row(at(message, "result"))
        return Heard((_TRADED.row(at(message, "result")) if row.wire in memory else row,))
    if event == "update" and channel == _BOOK:
        row = _TOP.row(at(message, "result"))
        memory[row.wire] = True
        return Heard((row,))
    numbers = [number] if type(number) is int else []
    if at(message, "error") is None:
        return Heard(acked=numbers if event == "subscribe" else ())
    reason = text_at(message, "error", "message")
    if not (named := [*_NAMED.findall(reason), *numbers][:1]):
        raise FeedError(f"Gate.io says {body[:150]!r}")
    return Heard(refused=[(named[0], reason)])  # the others are asked for again


GATEIO = Venue(
    name="gateio",
    summary="Gate.io spot: bid and ask in real time, the rest once a second",
    base_url="https://api.gateio.ws",
    limits=Limits(interval_s=2.0, gap_s=0.1),  # 200 requests in 10 s
    rest_request=lambda _symbols: "/api/v4/spot/tickers",
    parse_rest=lambda body: _TICKER.rows(_entries(body)),
    fields=(*_TICKER.names, *_TOP.names),
    instruments_request="/api/v4/spot/currency_pairs",
    parse_instruments=lambda body: _INDEX.listings(_entries(body)),
    symbol=lambda wire: wire.replace("_", "-"),
    wire=lambda symbol: symbol.replace("-", "_"),
    clock="exchange",
    polled_clock="received",
    stream=Stream(
        url="wss://api.gateio.ws/ws/v4/", subscribe=subscribe, parse=parse_stream, mute_after_s=8.0,
        ping=(write({"time": NOW_S, "channel": "spot.ping"}), 15.0),
    ),
    candles=Candles(
        request="/api/v4/spot/candlesticks?currency_pair={wire}&interval={interval}&from={begin_s}&to={end_s}",
        rows=_entries, columns=(0, 5, 3, 4, 2, 6), time_unit="s",
        intervals={1: "1s", **{s: name for s, name in INTERVALS.items() if s < 86_400}},  # days may begin otherwise
        most=999,  # of 1000, in case both ends are included
    ),
)  # fmt: skip
ADAPTER = exchange(GATEIO)
