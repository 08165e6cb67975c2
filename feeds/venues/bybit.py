"""Bybit spot: every pair in one answer over REST, or streams of the ticker and of best bid and ask.

Rows carry no time, and the envelope's is the time of sending, so prices are dated by their arrival. Spot's ticker has
no bid and ask, so the top of the book is subscribed, too. A derivative's ticker comes once in full, then as deltas.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from feeds.exchange.adapter import exchange
from feeds.exchange.shapes import Index, Shape, at, list_at, read_object, text_at, text_of, write
from feeds.exchange.venue import Candles, Heard, Limits, Listing, Row, Stream, Venue
from ticker.errors import FeedError

_TRADES = {
    "last": "lastPrice", "open": "prevPrice24h", "high": "highPrice24h", "low": "lowPrice24h",
    "volume": "volume24h", "quote_volume": "turnover24h",
}  # fmt: skip
_TOP = {"bid": "bid1Price", "ask": "ask1Price", "bid_size": "bid1Size", "ask_size": "ask1Size"}
_TRADED = Shape(wire="symbol", fraction="price24hPcnt", fields=_TRADES)
TICKER = Shape(wire="symbol", fraction="price24hPcnt", fields={**_TRADES, **_TOP})
_INDEX = Index(
    wire="symbol", base="baseCoin", quote="quoteCoin", status="status", open="Trading", tick=("priceFilter", "tickSize")
)
_REASONS = {"10006": "rate_limited", "10018": "rate_limited", "10009": "banned"}
CANDLES = "/v5/market/kline?symbol={wire}&interval={interval}&start={begin_ms}&end={end_ms}&limit=1000"
_TOPIC = re.compile(r"[a-z]+(?:\.\w+)*\.([A-Z0-9-]+)\b")


def parse_instruments(body: bytes) -> list[Listing]:
    return _INDEX.listings(_entries(body))


def _entries(body: bytes) -> list[Any]:
    reply = read_object(body)
    if (code := text_at(reply, "retCode")) != "0":
        said = f"{code} {text_at(reply, 'retMsg')}"  # without the time, which would make each repetition a new message
        raise FeedError(f"Bybit says {said[:100]!r}", reason=_REASONS.get(code, "protocol"))
    return list_at(reply, "result", "list")


def subscribe(wires: Sequence[str], number: int, channels: Sequence[str] = ("tickers", "orderbook.1")) -> list[str]:
    topics = [f"{channel}.{wire}" for wire in wires for channel in channels]
    return [write({"op": "subscribe", "args": topics, "req_id": str(number)})]


def parse_stream(body: bytes, memory: dict[str, Any], ticker: Shape = _TRADED) -> Heard:
    """`memory` has the current tickers and tops of books: one side alone could cross the other's old price."""
    message = read_object(body)
    topic = text_at(message, "topic")
    channel, _, wire = topic.rpartition(".")
    changed, data = text_at(message, "type") == "delta", message.get("data")
    before = memory.get(topic, {}) if changed else {}
    if channel == "tickers" and isinstance(data, dict):
        memory[topic] = before | data
        return Heard((ticker.row(memory[topic]),))
    if channel == "orderbook.1":
        sides = {**_best("bid", list_at(data, "b"), changed), **_best("ask", list_at(data, "a"), changed)}
        memory[topic] = before | sides
        return Heard((Row(wire, memory[topic]),))
    return _confirmed(message) if message.get("op") == "subscribe" else Heard()


def _best(side: str, levels: list[Any], changed: bool) -> dict[str, str | None]:
    """The best level of a side. An empty side means no price in a snapshot, and no change in a delta."""
    best = next((level for level in levels if text_at(level, 1).strip("0.")), None)
    return {} if changed and not levels else {side: text_of(at(best, 0)), f"{side}_size": text_of(at(best, 1))}


def _confirmed(message: dict[str, Any]) -> Heard:
    reason, number = text_at(message, "ret_msg"), text_at(message, "req_id")
    numbers = [int(number)] if number.isdecimal() else []
    if at(message, "success") is True:
        return Heard(acked=numbers)
    # One bad topic fails the whole request: only that topic is settled, the others are asked for again.
    if not (named := [*_TOPIC.findall(reason), *numbers][:1]):
        raise FeedError(f"Bybit says {reason[:100]!r}")
    return Heard(acked=named) if "already subscribed" in reason else Heard(refused=[(named[0], reason)])


BYBIT = Venue(
    name="bybit", summary="Bybit spot", base_url="https://api.bybit.com",
    limits=Limits(interval_s=1.0, gap_s=0.1, ban_s=600.0),
    rest_request=lambda _symbols: "/v5/market/tickers?category=spot", fields=TICKER.names,
    parse_rest=lambda body: TICKER.rows(_entries(body)),
    instruments_request="/v5/market/instruments-info?category=spot", parse_instruments=parse_instruments,
    stream=Stream(
        url="wss://stream.bybit.com/v5/public/spot", subscribe=subscribe, parse=parse_stream,
        wires_per_message=5, wires_per_connection=400,  # 10 topics; 21,000 characters of them
        messages_per_s=10.0, ping=('{"op":"ping"}', 20.0), mute_after_s=8.0,
    ),
    candles=Candles(
        request=CANDLES + "&category=spot", rows=_entries, most=1000,
        intervals={60: 1, 300: 5, 900: 15, 3600: 60, 14_400: 240, 86_400: "D"},
    ),
)  # fmt: skip
ADAPTER = exchange(BYBIT)
