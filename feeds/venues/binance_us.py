"""Binance.US: the same interface as Binance on hosts of its own, with smaller limits, real dollars, no bars of 1 s."""

from __future__ import annotations

from dataclasses import replace

from feeds.exchange.adapter import exchange
from feeds.exchange.venue import INTERVALS
from feeds.venues.binance import BINANCE

assert BINANCE.stream is not None
assert BINANCE.candles is not None
BINANCE_US = replace(
    BINANCE,
    name="binance_us",
    summary="Binance.US spot: bid and ask in real time, the rest once a second",
    base_url="https://api.binance.us",
    instruments_request="/api/v3/exchangeInfo",
    limits=replace(BINANCE.limits, interval_s=4.0, gap_s=2.0, used_limit=1200),
    stream=replace(BINANCE.stream, url="wss://stream.binance.us:9443/stream"),
    candles=replace(BINANCE.candles, intervals=INTERVALS),
)
ADAPTER = exchange(BINANCE_US)
