"""Alpaca, US stocks as traded on IEX: a stream of trades and tops of the book; the day's figures are polled.

IEX is the feed that every account has; volumes are IEX's alone. Sizes are in lots and not used. In the stream only
trades are dated. A snapshot has the bars of the last two days with trading, even if its trade is older. There is no
list, so symbols must be named. A free key streams 30 of them; the error for more names none, and those are only polled.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time
from typing import Any
from urllib.parse import quote

from feeds.exchange.adapter import exchange
from feeds.exchange.session import Session
from feeds.exchange.shapes import Shape, list_at, read, read_object, text_at, text_of, write
from feeds.exchange.venue import Candles, Heard, Limits, Row, Stream, Venue
from ticker.errors import FeedError

_TRADE = Shape(wire="S", time="t", fields={"last": "p"})
_TOP = Shape(wire="S", fields={"bid": "bp", "ask": "ap"})
_DAY = Shape(wire=None, fields={"open": "o", "high": "h", "low": "l", "volume": "v"})
_PARTS = {"latestTrade": _TRADE, "latestQuote": _TOP, "dailyBar": _DAY}
_TOO_MANY = "405"


def rest_request(symbols: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"/v2/stocks/{quote(symbol, safe='')}/snapshot?feed=iex" for symbol in symbols)


def parse_rest(body: bytes) -> list[Row]:
    answer = read_object(body)
    wire, traded = text_at(answer, "symbol"), text_at(answer, "latestTrade", "t")
    older = text_at(answer, "dailyBar", "t")[:10] < traded[:10]  # IEX opens and closes within one day of UTC
    told = [name for name in _PARTS if answer.get(name) is not None and not (older and name == "dailyBar")]
    raw: dict[str, str | None] = {"previous_close": text_at(answer, "dailyBar" if older else "prevDailyBar", "c")}
    for name in told:
        if (part := _PARTS[name].row(answer[name]).raw) is None:
            return [Row(wire, None)]
        raw |= part
    return [Row(wire, raw if told else None, max(traded, text_at(answer, "latestQuote", "t")) or None)]


def parse_candles(body: bytes) -> list[Any]:
    answer = read_object(body)
    return [] if answer.get("bars", "") is None else list_at(answer, "bars")


def subscribe(wires: Sequence[str], _number: int) -> list[str]:
    return [write({"action": "subscribe", "trades": wires, "quotes": wires})]


def parse_stream(body: bytes, _memory: dict[str, Any]) -> Heard:
    rows: list[Row] = []
    acked: list[str] = []
    ready = False
    for message in list_at(read(body)):
        match text_at(message, "T"):
            case "t":
                rows.append(_TRADE.row(message))
            case "q":
                rows.append(_TOP.row(message))
            case "subscription":
                acked += [text_of(name) or "" for name in list_at(message, "trades")]
            case "success":
                ready = text_at(message, "msg") == "authenticated"
            case "error" if text_at(message, "code") != _TOO_MANY:
                raise FeedError(f"Alpaca says {body[:100]!r}")
    return Heard(rows, acked, ready=ready)


ALPACA = Venue(
    name="alpaca",
    summary="Alpaca, US stocks as traded on IEX; the key is ID:SECRET",
    base_url="https://data.alpaca.markets",
    limits=Limits(interval_s=10.0, gap_s=0.3, symbols_per_request=1),  # 200 requests a minute
    rest_request=rest_request,
    parse_rest=parse_rest,
    fields=(*_TRADE.names, *_TOP.names, *_DAY.names),
    symbol=str,  # `AAPL`, `BRK.B`
    clock="exchange",
    time_unit="iso",
    change_from="previous_close",
    session=Session("America/New_York", time(9, 30), time(16)),
    key_headers=("APCA-API-KEY-ID", "APCA-API-SECRET-KEY"),
    stream=Stream(
        url="wss://stream.data.alpaca.markets/v2/iex", subscribe=subscribe, parse=parse_stream, greets=True,
        wires_per_message=10, wires_per_connection=100_000,  # one connection per account
        mute_after_s=900.0,  # a mute stream looks like a holiday
        complete=False,
    ),
    candles=Candles(
        request="/v2/stocks/{wire}/bars?timeframe={interval}&start={begin_iso}&end={end_iso}&limit=10000&feed=iex",
        rows=parse_candles, columns=("t", "o", "h", "l", "c", "v"), time_unit="iso", most=10_000,
        intervals={60: "1Min", 300: "5Min", 900: "15Min", 3600: "1Hour"},  # its days begin at midnight in New York
    ),
)  # fmt: skip
ADAPTER = exchange(ALPACA)
