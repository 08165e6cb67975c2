"""Upbit, prices in won, bitcoin and tether: every pair in one answer over REST; a stream of tickers and tops of books.

Names are reversed: `KRW-BTC` is BTC-KRW. Open, high and low are since 00:00 UTC and not used; the change is since the
previous close. Only the stream has best bid and ask, its only dated prices. A subscription replaces the one before and
is not answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from feeds.exchange.adapter import exchange
from feeds.exchange.shapes import Shape, at, list_at, read, read_object, text_at, write
from feeds.exchange.venue import Candles, Heard, Limits, Listing, Stream, Venue
from ticker.errors import FeedError

_TRADES = {"last": "trade_price", "volume": "acc_trade_volume_24h", "quote_volume": "acc_trade_price_24h"}
_TICKER = Shape(wire="market", fraction="signed_change_rate", fields=_TRADES)
_STREAMED = Shape(wire="code", fraction="signed_change_rate", fields=_TRADES)
_TOP = Shape(wire=None, fields={"bid": "bid_price", "ask": "ask_price", "bid_size": "bid_size", "ask_size": "ask_size"})
_NO_ORDERS = dict.fromkeys(_TOP.fields.values())
_STATES = {"": None, "ACTIVE": "live"}  # PREVIEW and DELISTED are not traded


def swapped(name: str) -> str:
    """Our name from theirs, and vice versa."""
    return "-".join(reversed(name.split("-")))


def parse_instruments(body: bytes) -> list[Listing]:
    named = ((text_at(entry, "market"), text_at(entry, "english_name")) for entry in _entries(body))
    return [Listing(swapped(wire), (wire,), name=name or None) for wire, name in named if wire]


def _entries(body: bytes) -> list[Any]:
    answer = read(body)
    if error := at(answer, "error"):
        reason = "rate_limited" if text_at(error, "name") == "too_many_requests" else "protocol"
        raise FeedError(f"Upbit says {body[:100]!r}", reason=reason)
    return list_at(answer)


def subscribe(wires: Sequence[str], number: int) -> list[str]:
    tops = {"type": "orderbook", "codes": [f"{wire}.1" for wire in wires]}
    return [write([{"ticket": f"prices {number}"}, {"type": "ticker", "codes": wires}, tops, {"format": "DEFAULT"}])]


def parse_stream(body: bytes, _memory: dict[str, Any]) -> Heard:
    message = read_object(body)
    if "error" in message:
        raise FeedError(f"Upbit says {body[:100]!r}")
    if text_at(message, "type") == "ticker":
        return Heard((_STREAMED.row(message)._replace(state=_STATES.get(text_at(message, "market_state"), "halted")),))
    if text_at(message, "type") == "orderbook":
        best = next(iter(list_at(message, "orderbook_units")), _NO_ORDERS)
        return Heard((_TOP.row(best)._replace(wire=text_at(message, "code"), time=text_at(message, "timestamp")),))
    return Heard()


UPBIT = Venue(
    name="upbit",
    summary="Upbit, in KRW, BTC and USDT: bid and ask only by stream",
    base_url="https://api.upbit.com",
    limits=Limits(interval_s=2.0, gap_s=0.125, ban_s=60.0),  # 10 requests a second per group
    rest_request=lambda _symbols: "/v1/ticker/all?quote_currencies=KRW,BTC,USDT",
    parse_rest=lambda body: _TICKER.rows(_entries(body)),
    fields=(*_TICKER.names, *_TOP.names),
    instruments_request="/v1/market/all",
    parse_instruments=parse_instruments,
    symbol=swapped,
    wire=swapped,
    clock="exchange",
    polled_clock="received",
    stream=Stream(
        url="wss://api.upbit.com/websocket/v1", subscribe=subscribe, parse=parse_stream, acks=False, replaces=True,
        wires_per_message=300, wires_per_connection=300, messages_per_s=1.0, mute_after_s=8.0,
    ),
    candles=Candles(  # back from `to`; none for a time without trades
        request="/v1/candles/{interval}?market={wire}&to={end_iso}&count=200", rows=_entries, most=200, time_unit="iso",
        columns=("candle_date_time_utc", "opening_price", "high_price", "low_price", "trade_price",
                 "candle_acc_trade_volume"),
        intervals={1: "seconds", **{m * 60: f"minutes/{m}" for m in (1, 5, 15, 60, 240)}, 86_400: "days"},
    ),
)  # fmt: skip
ADAPTER = exchange(UPBIT)
