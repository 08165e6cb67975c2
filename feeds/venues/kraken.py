"""Kraken: every pair in one answer over REST, or a stream of tickers; only the stream's are dated.

`assetVersion=1` names pairs `BTC/USD` and `SHIB/USD:BTNL`, as the stream does; without it they are `XXBTZUSD` or
`XBTUSD`, and only the list of pairs tells what that is. Errors come with status 200. The stream is asked to send an
update when bid or ask moves: by default it does so on trades only, and both would be as old as the last trade.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from feeds.exchange.adapter import exchange
from feeds.exchange.shapes import Shape, digits_at, list_at, read_object, text_at, text_of, write
from feeds.exchange.venue import Candles, Heard, Limits, Listing, Row, Stream, Venue
from ticker.errors import FeedError

# The second value of REST's pairs covers the last 24 hours; `o` is since 00:00 UTC and not used.
_FIELDS: dict[str, tuple[str, int]] = {
    "last": ("c", 0), "bid": ("b", 0), "ask": ("a", 0), "bid_size": ("b", 2), "ask_size": ("a", 2),
    "high": ("h", 1), "low": ("l", 1), "volume": ("v", 1),
}  # fmt: skip
_STREAMED = Shape(
    wire="symbol",
    time="timestamp",
    fields={
        "last": "last", "bid": "bid", "ask": "ask", "bid_size": "bid_qty", "ask_size": "ask_qty", "high": "high",
        "low": "low", "volume": "volume", "change_pct": "change_pct",
    },
)  # fmt: skip
_REASONS = {
    "EGeneral:Too many requests": "rate_limited",
    "EAPI:Rate limit exceeded": "rate_limited",
    "EGeneral:Temporary lockout": "banned",
}
_OWN_CODES = {"XBT": "BTC", "XDG": "DOGE", "LUNA": "LUNC", "LUNA2": "LUNA"}
_KEPT_CODES = {"LUNC": "LUNA", "LUNA": "LUNA2"}
"""Old codes that the stream still uses."""


def _texts(sent: Any) -> dict[str, str | None] | None:
    if not isinstance(sent, dict):
        return None
    texts = {}
    for ours, (name, i) in _FIELDS.items():
        values = sent.get(name)
        if not isinstance(values, list) or i >= len(values):
            return None
        texts[ours] = text_of(values[i])
    return texts


def parse_instruments(body: bytes) -> list[Listing]:
    listings = []
    for key, pair in _result(body).items():
        other, public, decimals = text_at(pair, "altname"), text_at(pair, "wsname"), digits_at(pair, "pair_decimals")
        canonical = symbol(public)  # dark pools have no such name
        state = "halted" if text_at(pair, "status") == "cancel_only" else None
        if canonical and other:
            listings.append(Listing(canonical, (key, other, public), decimals, state=state))
    return listings


def parse_candles(body: bytes) -> list[Any]:
    """The only list in the answer; `last`, next to it, is a number."""
    return next((value for value in _result(body).values() if isinstance(value, list)), [])


def symbol(wire: str) -> str | None:
    """`XBT/USD` is `BTC-USD`, `SHIB/USD:BTNL` is `SHIB-USD.BTNL`; a name without a slash needs the list."""
    base, slash, rest = wire.partition("/")
    quote, colon, book = rest.partition(":")
    if not slash:
        return None
    return f"{_OWN_CODES.get(base, base)}-{_OWN_CODES.get(quote, quote)}{'.' if colon else ''}{book}"


def wire(symbol: str) -> str:
    """The stream's name: `BTC-USD` is `BTC/USD`, which it no longer calls `XBT/USD`."""
    base, _, rest = symbol.partition("-")
    return f"{_KEPT_CODES.get(base, base)}/{rest.replace('.', ':')}"


def subscribe(wires: Sequence[str], number: int) -> list[str]:
    wanted = {"channel": "ticker", "symbol": wires, "event_trigger": "bbo", "snapshot": True}
    return [write({"method": "subscribe", "params": wanted, "req_id": number})]


def parse_stream(body: bytes, _memory: dict[str, Any]) -> Heard:
    message = read_object(body)
    if message.get("channel") == "ticker":
        return Heard(_STREAMED.rows(list_at(message, "data")))
    if message.get("method") == "subscribe" and message.get("success") is True:
        return Heard(acked=(text_at(message, "result", "symbol"),))
    if reason := text_at(message, "error"):
        if named := text_at(message, "symbol"):
            return Heard(refused=((named, reason),))
        raise _error(reason)
    return Heard()


def _result(body: bytes) -> dict[str, Any]:
    reply = read_object(body)
    for text in list_at(reply, "error"):
        if isinstance(text, str) and not text.startswith("W"):  # a warning comes with its result
            raise _error(text)
    result = reply.get("result")
    if not isinstance(result, dict):
        raise ValueError("neither an error nor a result")
    return result


def _error(text: str) -> FeedError:
    return FeedError(f"Kraken says {text[:100]!r}", reason=_REASONS.get(text, "protocol"))


KRAKEN = Venue(
    name="kraken",
    summary="Kraken: a ticker whenever bid or ask changes",
    base_url="https://api.kraken.com",
    limits=Limits(interval_s=1.0, gap_s=1.0),
    # Always all pairs: long lists of pairs are known to be answered with HTTP 520.
    rest_request=lambda _symbols: "/0/public/Ticker?assetVersion=1",
    parse_rest=lambda body: [Row(wire, _texts(sent)) for wire, sent in _result(body).items()],
    fields=(*_FIELDS, "change_pct"),
    # Prices cover both execution venues, but the list only the first unless both are asked for.
    instruments_request="/0/public/AssetPairs?execution_venue=international,bitnomial_exchange",
    parse_instruments=parse_instruments,
    symbol=symbol,
    wire=wire,
    clock="exchange",
    polled_clock="received",
    time_unit="iso",
    stream=Stream(
        url="wss://ws.kraken.com/v2", subscribe=subscribe, parse=parse_stream,
        connects_per_s=0.2,  # 150 in ten minutes
        ping=('{"method":"ping"}', 30.0),
        mute_after_s=8.0,
    ),
    candles=Candles(
        request="/0/public/OHLC?pair={wire}&interval={interval}&since={begin_s}", rows=parse_candles,
        columns=(0, 1, 2, 3, 4, 6),  # the fifth is the mean price
        time_unit="s", most=720, kept=720,
        intervals={minutes * 60: minutes for minutes in (1, 5, 15, 60, 240, 1440)},
    ),
)  # fmt: skip
ADAPTER = exchange(KRAKEN)
