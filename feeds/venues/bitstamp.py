"""Bitstamp: every pair in one answer over REST; its stream has no tickers, so trades give `last` and REST the rest.

A trade carries its time in microseconds. The `timestamp` of a REST row is the time of the answer, even for pairs that
nobody trades, so it is ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from feeds.exchange.adapter import exchange
from feeds.exchange.shapes import Shape, at, digits_at, list_at, read, read_object, text_at, write
from feeds.exchange.venue import Candles, Heard, Limits, Listing, Stream, Venue
from ticker.errors import FeedError

_TICKER = Shape(
    wire="pair",
    fields={"last": "last", "bid": "bid", "ask": "ask", "high": "high", "low": "low", "volume": "volume"},
    optional={"open": "open_24", "change_pct": "percent_change_24"},  # added later; `open` is since 00:00 UTC
)
_TRADE = Shape(wire=None, time="microtimestamp", fields={"last": "price_str"})
_CHANNEL = "live_trades_"


def parse_instruments(body: bytes) -> list[Listing]:
    listings = []
    for entry in list_at(_good(read(body), body)):
        wire = text_at(entry, "market_symbol") or text_at(entry, "url_symbol")  # its name in the previous API
        name, decimals = text_at(entry, "name"), digits_at(entry, "counter_decimals")
        base, slash, quote = name.partition("/")
        state = None if text_at(entry, "trading") == "Enabled" else "halted"
        if wire and slash:
            canonical = f"{base}-{quote.replace('-', '.')}"  # `BTC/USD-PERP` is `BTC-USD.PERP`
            listings.append(Listing(canonical, (wire, name), decimals, state=state))
    return listings


def subscribe(wires: Sequence[str], _number: int) -> list[str]:
    return [write({"event": "bts:subscribe", "data": {"channel": _CHANNEL + wire}}) for wire in wires]


def parse_stream(body: bytes, _memory: dict[str, Any]) -> Heard:
    message = read_object(body)
    event, channel = text_at(message, "event"), text_at(message, "channel")
    if event == "bts:request_reconnect":
        return Heard(reconnect="the server asks for it")
    if event == "bts:error" and not channel:
        raise FeedError(f"Bitstamp says {body[:150]!r}")
    if not channel.startswith(_CHANNEL):
        return Heard()
    wire = channel.removeprefix(_CHANNEL)
    if event == "trade":
        return Heard((_TRADE.row(at(message, "data"))._replace(wire=wire),))
    if event == "bts:error":
        return Heard(refused=((wire, text_at(message, "data", "message")),))
    return Heard(acked=(wire,)) if event == "bts:subscription_succeeded" else Heard()


def _good(answer: Any, body: bytes) -> Any:
    """The answer; raises FeedError if it is one of the many forms of an error."""
    if isinstance(answer, dict) and answer.keys() & {"error", "reason", "code"}:
        raise FeedError(f"Bitstamp says {body[:150]!r}")
    return answer


BITSTAMP = Venue(
    name="bitstamp",
    summary="Bitstamp: trades in real time, the rest polled",
    base_url="https://www.bitstamp.net",
    limits=Limits(interval_s=2.0, gap_s=0.1),
    rest_request=lambda _symbols: "/api/v2/ticker/",
    parse_rest=lambda body: _TICKER.rows(list_at(_good(read(body), body))),
    fields=_TICKER.names,
    instruments_request="/api/v2/markets/",
    parse_instruments=parse_instruments,
    clock="exchange",
    polled_clock="received",
    time_unit="us",
    stream=Stream(
        url="wss://ws.bitstamp.net", subscribe=subscribe, parse=parse_stream, complete=False,
        wires_per_message=1, messages_per_s=20.0, lifetime_s=90 * 86_400.0, ping=('{"event":"bts:heartbeat"}', 20.0),
        mute_after_s=60.0,  # only trades count, and nights are quiet
    ),
    candles=Candles(
        request="/api/v2/ohlc/{wire}/?step={interval}&start={begin_s}&end={end_s}&limit=1000",
        rows=lambda body: list_at(_good(read(body), body), "data", "ohlc"), most=1000, time_unit="s",
        columns=("timestamp", "open", "high", "low", "close", "volume"),
        intervals={s: s for s in (60, 300, 900, 3600, 14_400, 86_400)},
    ),
)  # fmt: skip
ADAPTER = exchange(BITSTAMP)
