"""Gemini spot: a stream of best bid and ask and of trades, or one request per symbol over REST.

Only REST has the 24 h figures. Its volumes are by currency and do not say which one is the base, so they are not used.
Only best bid and ask are dated here: trades have the same clock but may come late, and REST has no time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from feeds.exchange.adapter import exchange
from feeds.exchange.shapes import Shape, at, list_at, read, read_object, text_at, tick_decimals, write
from feeds.exchange.venue import Candles, Heard, Limits, Listing, Stream, Venue
from ticker.errors import FeedError

_TICKER = Shape(
    wire="symbol",
    fields={"last": "close", "bid": "bid", "ask": "ask", "open": "open", "high": "high", "low": "low"},
)
_TOP = Shape(wire="s", time="E", fields={"bid": "b", "ask": "a", "bid_size": "B", "ask_size": "A"})
_TRADE = Shape(wire="s", fields={"last": "p"})
_TRADING = {"open", "limit_only"}
_LISTED = ("symbol", "base_currency", "quote_currency", "quote_increment")


def wire(symbol: str) -> str:
    """`BTC-USD` is `btcusd`; the reverse needs the list."""
    return symbol.replace("-", "").lower()


def rest_request(symbols: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"/v2/ticker/{quote(wire(symbol).upper())}" for symbol in symbols)


def parse_instruments(body: bytes) -> list[Listing]:
    listings = []
    for entry in list_at(_good(body)):
        name, base, quoted, tick = (text_at(entry, field) for field in _LISTED)
        state = None if text_at(entry, "status") in _TRADING else "halted"
        if name and base and quoted and text_at(entry, "product_type") == "spot":
            names = name.lower(), name.upper()  # in the stream and in REST
            listings.append(Listing(f"{base}-{quoted}", names, tick_decimals(tick), state=state))
    return listings


def _good(body: bytes) -> Any:
    answer = read(body)
    if text_at(answer, "result") == "error":
        reason = "rate_limited" if text_at(answer, "reason") == "RateLimit" else "protocol"
        raise FeedError(f"Gemini says {body[:100]!r}", reason=reason)
    return answer


def subscribe(wires: Sequence[str], number: int) -> list[str]:
    streams = [f"{wire}@{stream}" for wire in wires for stream in ("bookTicker", "trade")]
    return [write({"id": number, "method": "subscribe", "params": streams})]


def parse_stream(body: bytes, _memory: dict[str, Any]) -> Heard:
    message = read_object(body)
    number, failed = at(message, "id"), "error" in message
    if type(number) is int:
        return Heard(refused=[(number, text_at(message, "error", "msg"))]) if failed else Heard(acked=[number])
    if failed:
        raise FeedError(f"Gemini says {body[:100]!r}")
    if "b" in message and "e" not in message:
        return Heard((_TOP.row(message),))
    return Heard((_TRADE.row(message),)) if {"p", "q"} <= message.keys() else Heard()


GEMINI = Venue(
    name="gemini",
    summary="Gemini: bid, ask and trades in real time, the 24 h figures polled",
    base_url="https://api.gemini.com",
    limits=Limits(interval_s=5.0, gap_s=1.0, symbols_per_request=1),  # 120 a minute, one a second recommended
    rest_request=rest_request,
    parse_rest=lambda body: [_TICKER.row(_good(body))],
    fields=(*_TICKER.names, *_TOP.names),
    instruments_request="/v1/symbols/details/all",
    parse_instruments=parse_instruments,
    wire=wire,
    clock="exchange",
    polled_clock="received",
    time_unit="ns",
    stream=Stream(
        url="wss://ws.gemini.com", subscribe=subscribe, parse=parse_stream, complete=False,
        wires_per_message=10, connects_per_s=0.2, mute_after_s=20.0,  # 12 connects a minute
    ),
    candles=Candles(  # always the latest; its days may not begin at 00:00 UTC
        request="/v2/candles/{wire}/{interval}", rows=lambda body: list_at(_good(body)), most=1440, kept=1440,
        intervals={60: "1m", 300: "5m", 900: "15m", 3600: "1hr"},
    ),
)  # fmt: skip
ADAPTER = exchange(GEMINI)
