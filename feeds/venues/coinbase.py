"""Coinbase Exchange: a stream of tickers, or two requests per symbol over REST; prices carry the last trade's time.

A ticker is sent with each trade, so bid and ask are as old as the last one. REST has no list of prices, and a
product's ticker has neither its name nor its 24 h figures, which are in its `stats`; polling everything takes minutes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from feeds.exchange.adapter import exchange
from feeds.exchange.shapes import Index, Shape, at, list_at, read, read_object, text_at, write
from feeds.exchange.venue import Candles, Heard, Limits, Listing, Row, Stream, Venue
from ticker.errors import FeedError

_TICKER = Shape(wire=None, time="time", fields={"last": "price", "bid": "bid", "ask": "ask", "volume": "volume"})
_STATS = Shape(wire=None, fields={"open": "open", "high": "high", "low": "low"})
_STREAMED = Shape(
    wire="product_id",
    time="time",
    seq="sequence",
    fields={
        "last": "price", "bid": "best_bid", "ask": "best_ask", "open": "open_24h", "high": "high_24h",
        "low": "low_24h", "volume": "volume_24h",
    },
    optional={"bid_size": "best_bid_size", "ask_size": "best_ask_size"},  # older messages lack them
)  # fmt: skip
_INDEX = Index(
    wire="id", base="base_currency", quote="quote_currency", tick=("quote_increment",),
    status="status", open="online", halted=("offline",),
)  # fmt: skip
_STOPS = ("trading_disabled", "cancel_only")
_NAMED = re.compile(r"^(\S+-\S+) is ")


def rest_request(symbols: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"/products/{symbol}/{what}" for symbol in symbols for what in ("ticker", "stats"))


def parse_rest(body: bytes) -> list[Row]:
    answer = read_object(body)
    if "message" in answer:
        raise FeedError(f"Coinbase says {body[:100]!r}")
    return [(_STATS if "open" in answer else _TICKER).row(answer)]


def parse_instruments(body: bytes) -> list[Listing]:
    entries = list_at(read(body))
    return _INDEX.listings(
        {**one, "status": "offline"} if any(at(one, stop) is True for stop in _STOPS) else one for one in entries
    )


def subscribe(wires: Sequence[str], _number: int) -> list[str]:
    return [write({"type": "subscribe", "product_ids": wires, "channels": ["ticker"]})]


def parse_stream(body: bytes, _memory: dict[str, Any]) -> Heard:
    message = read_object(body)
    kind = text_at(message, "type")
    if kind == "ticker":
        return Heard((_STREAMED.row(message),))
    if kind == "subscriptions":  # lists all of the connection's subscriptions each time
        tickers = [one for one in list_at(message, "channels") if at(one, "name") == "ticker"]
        return Heard(acked=[str(wire) for one in tickers for wire in list_at(one, "product_ids")])
    if kind == "error":
        reason = text_at(message, "reason")
        if named := _NAMED.match(reason):
            return Heard(refused=((named[1], reason),))
        raise FeedError(f"Coinbase says {body[:150]!r}")
    return Heard()


COINBASE = Venue(
    name="coinbase",
    summary="Coinbase Exchange: a ticker with each trade",
    base_url="https://api.exchange.coinbase.com",
    limits=Limits(interval_s=5.0, gap_s=0.125, symbols_per_request=1),
    rest_request=rest_request,
    parse_rest=parse_rest,
    fields=_STREAMED.names,
    instruments_request="/products",
    parse_instruments=parse_instruments,
    symbol=str,  # `BTC-USD`
    clock="exchange",
    time_unit="iso",
    stream=Stream(
        url="wss://ws-feed.exchange.coinbase.com", subscribe=subscribe, parse=parse_stream,
        wires_per_message=50, connects_per_s=4.0, mute_after_s=8.0,
    ),
    candles=Candles(
        request="/products/{wire}/candles?granularity={interval}&start={begin_iso}&end={end_iso}",
        rows=lambda body: list_at(read(body)), columns=(0, 3, 2, 1, 4, 5), time_unit="s",
        intervals={s: s for s in (60, 300, 900, 3600, 86_400)},
        most=299,  # of 300, in case both ends are included
    ),
)  # fmt: skip
ADAPTER = exchange(COINBASE)
