"""Bybit's contracts settled in USDT or USDC: perpetuals `BTC-USDT.PERP`, dated futures `BTC-USDT.26DEC25`.

A market of its own, so never the same symbol as spot. Multiplied contracts keep their base: `1000PEPE-USDT.PERP`. The
list is one page, the first thousand contracts.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from feeds.exchange.adapter import exchange
from feeds.exchange.venue import Listing
from feeds.venues import bybit


def parse_instruments(body: bytes) -> list[Listing]:
    return [
        listing._replace(symbol=f"{listing.symbol}.{listing.wires[0].partition('-')[2] or 'PERP'}")
        for listing in bybit.parse_instruments(body)
    ]


assert bybit.BYBIT.stream is not None
assert bybit.BYBIT.candles is not None
BYBIT_LINEAR = replace(
    bybit.BYBIT,
    name="bybit_linear",
    summary="Bybit, contracts in USDT and USDC",
    rest_request=lambda _symbols: "/v5/market/tickers?category=linear",
    instruments_request="/v5/market/instruments-info?category=linear&limit=1000",
    parse_instruments=parse_instruments,
    stream=replace(
        bybit.BYBIT.stream,
        url="wss://stream.bybit.com/v5/public/linear",
        subscribe=partial(bybit.subscribe, channels=("tickers",)),
        parse=partial(bybit.parse_stream, ticker=bybit.TICKER),
        wires_per_message=100,
        wires_per_connection=800,
    ),
    candles=replace(bybit.BYBIT.candles, request=bybit.CANDLES + "&category=linear"),
)
ADAPTER = exchange(BYBIT_LINEAR)
