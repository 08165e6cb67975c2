"""Kraken's public REST: every pair in one answer, without times, so prices are dated by when they came.

`assetVersion=1` names pairs `BTC/USD` and `SHIB/USD:BTNL`; without it they are `XXBTZUSD` or `XBTUSD`, and
only the list of pairs tells what that is. Errors come with status 200.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from feeds.polling import polled
from feeds.rows import decode_json, text_of
from feeds.venue import Limits, Listing, Row, Venue
from ticker.errors import FeedError

_Pair = Annotated[list[msgspec.Raw], msgspec.Meta(min_length=2)]
_Triple = Annotated[list[msgspec.Raw], msgspec.Meta(min_length=3)]


class _Reply(msgspec.Struct):
    error: list[str]
    result: dict[str, msgspec.Raw] | None = None


class _Ticker(msgspec.Struct):
    """Prices and volumes; of pairs, the second is of the last 24 hours. `o` is since 00:00 UTC: not ours."""

    a: _Triple  # price, whole lot volume, lot volume
    b: _Triple
    c: _Pair  # price, volume
    v: _Pair
    l: _Pair  # noqa: E741
    h: _Pair


class _AssetPair(msgspec.Struct):
    altname: str
    wsname: str | None = None  # dark pools have none
    pair_decimals: Annotated[int, msgspec.Meta(ge=0, le=30)] | None = None


_REPLY = msgspec.json.Decoder(_Reply)
_TICKER = msgspec.json.Decoder(_Ticker)
_ASSET_PAIR = msgspec.json.Decoder(_AssetPair)

_REASONS = {
    "EGeneral:Too many requests": "rate_limited",
    "EAPI:Rate limit exceeded": "rate_limited",
    "EGeneral:Temporary lockout": "banned",
}
_OWN_CODES = {"XBT": "BTC", "XDG": "DOGE"}


def rest_request(_symbols: Sequence[str]) -> str:
    """All pairs, whatever is wanted: long lists of pairs are known to be answered with HTTP 520."""
    return "/0/public/Ticker?assetVersion=1"


def parse_rest(body: bytes) -> list[Row]:
    return [Row(wire, _fields(raw)) for wire, raw in _result(body).items()]


def parse_instruments(body: bytes) -> list[Listing]:
    listings = []
    for key, raw in _result(body).items():
        try:
            pair = _ASSET_PAIR.decode(raw)
        except ValueError:
            continue
        if pair.wsname and (canonical := symbol(pair.wsname)):
            wires = (key, pair.altname, pair.wsname)
            listings.append(Listing(canonical, wires, pair.pair_decimals))
    return listings


def symbol(wire: str) -> str | None:
    """`XBT/USD` is `BTC-USD`, `SHIB/USD:BTNL` is `SHIB-USD.BTNL`; a name without slash needs the list."""
    base, slash, rest = wire.partition("/")
    quote, colon, book = rest.partition(":")
    if not slash:
        return None
    return f"{_OWN_CODES.get(base, base)}-{_OWN_CODES.get(quote, quote)}{'.' if colon else ''}{book}"


def _result(body: bytes) -> dict[str, msgspec.Raw]:
    reply = decode_json(body, _REPLY)
    for text in reply.error:
        if not text.startswith("W"):  # a warning comes with its result
            raise FeedError(f"Kraken says {text[:100]!r}", reason=_REASONS.get(text, "protocol"))
    if reply.result is None:
        raise ValueError("neither an error nor a result")
    return reply.result


def _fields(raw: msgspec.Raw) -> dict[str, str | None] | None:
    try:
        row = _TICKER.decode(raw)
        return {
            "last": text_of(row.c[0]),
            "bid": text_of(row.b[0]),
            "ask": text_of(row.a[0]),
            "bid_size": text_of(row.b[2]),
            "ask_size": text_of(row.a[2]),
            "high": text_of(row.h[1]),
            "low": text_of(row.l[1]),
            "volume": text_of(row.v[1]),
        }
    except ValueError:
        return None


KRAKEN = Venue(
    name="kraken",
    summary="Kraken: every pair once a second, public, no key",
    base_url="https://api.kraken.com",
    limits=Limits(interval_s=1.0, gap_s=1.0),
    rest_request=rest_request,
    parse_rest=parse_rest,
    instruments_request="/0/public/AssetPairs",
    parse_instruments=parse_instruments,
    symbol=symbol,
)
ADAPTER = polled(KRAKEN)
