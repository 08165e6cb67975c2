"""Bitfinex spot: every pair in one answer over REST, or a stream of tickers; prices are arrays without any time.

Some currencies have codes of Bitfinex's own (`UST` is USDT); a map of them comes with the list of pairs. Pairs are
`tBTCUSD`, or `tDOGE:USD` if a code is longer than three letters. The stream has a channel number for each pair, which
differs between connections. Arrays may grow at their end. Bid and ask sizes are sums of 25 levels and not used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from feeds.exchange.adapter import exchange
from feeds.exchange.shapes import UNREADABLE, at, list_at, percent_of, read, text_at, write
from feeds.exchange.venue import INTERVALS, Candles, Heard, Limits, Listing, Row, Stream, Venue
from ticker.errors import FeedError

_FIELDS = ("bid", None, "ask", None, None, "change_pct", "last", "volume", "high", "low")
_OWN_CODES = {"UST": "USDT", "DSH": "DASH"}
_REASONS = {"11010": "rate_limited", "ERR_RATE_LIMIT": "rate_limited"}
_ALREADY, _MAINTENANCE = "10301", "20060"
_RECONNECT = {"20051": "the server restarts", "20061": "a maintenance has ended"}


def parse_rest(body: bytes) -> list[Row]:
    """The rows of spot pairs; names of funding begin with `f`, those of derivatives are like `tBTCF0:USTF0`."""
    rows = ((text_at(sent, 0), sent) for sent in list_at(_good(body)))
    spot = ((wire, sent) for wire, sent in rows if wire[:1] != "f" and "F0:" not in wire)
    return [_row(wire or UNREADABLE, sent[1:] if wire else None) for wire, sent in spot]


def parse_instruments(body: bytes) -> list[Listing]:
    answer = _good(body)
    pairs, renamed = list_at(answer, 0), list_at(answer, 1) if at(answer, 1) else []
    codes = _OWN_CODES | {text_at(entry, 0): text_at(entry, 1).upper() for entry in renamed if text_at(entry, 1)}
    listings = []
    for pair in map(str, pairs):
        base, quote = pair.split(":", 1) if ":" in pair else (pair[:3], pair[3:])
        listings.append(Listing(f"{codes.get(base, base)}-{codes.get(quote, quote)}", (f"t{pair}",)))
    return listings


def subscribe(wires: Sequence[str], _number: int) -> list[str]:
    return [write({"event": "subscribe", "channel": "ticker", "symbol": wire}) for wire in wires]


def parse_stream(body: bytes, memory: dict[str, Any]) -> Heard:
    """`memory` maps channel numbers to pairs."""
    message = read(body)
    if isinstance(message, list):
        wire, sent = memory.get(text_at(message, 0)), at(message, 1)
        return Heard((_row(wire, sent),)) if wire and sent != "hb" else Heard()
    event, wire, code = (text_at(message, name) for name in ("event", "symbol", "code"))
    if event == "subscribed" and text_at(message, "channel") == "ticker":
        memory[text_at(message, "chanId")] = wire
        return Heard(acked=(wire,))
    if event == "error" and wire:
        return Heard(acked=(wire,)) if code == _ALREADY else Heard(refused=((wire, text_at(message, "msg")),))
    if event == "error" or code == _MAINTENANCE or at(message, "platform", "status") == 0:
        raise FeedError(f"Bitfinex says {body[:100]!r}")
    return Heard(reconnect=_RECONNECT.get(code) if event == "info" else None)


def _good(body: bytes) -> Any:
    """The answer; raises FeedError for the forms of an error, such as `["error", 11010, "ratelimit: error"]`."""
    answer = read(body)
    if at(answer, 0) == "error" or isinstance(answer, dict):
        code = text_at(answer, 1) or text_at(answer, "error")
        raise FeedError(f"Bitfinex says {body[:100]!r}", reason=_REASONS.get(code, "protocol"))
    return answer


def _row(wire: str, sent: Any) -> Row:
    if not isinstance(sent, list) or len(sent) < len(_FIELDS):
        return Row(wire, None)
    texts = {ours: text_at(sent, i) for i, ours in enumerate(_FIELDS) if ours}
    return Row(wire, {**texts, "change_pct": percent_of(texts["change_pct"])})


BITFINEX = Venue(
    name="bitfinex", summary="Bitfinex spot",
    base_url="https://api-pub.bitfinex.com",
    limits=Limits(interval_s=5.0, gap_s=2.0, ban_s=60.0),  # about 30 requests a minute
    rest_request=lambda _symbols: "/v2/tickers?symbols=ALL",
    parse_rest=parse_rest,
    fields=tuple(filter(None, _FIELDS)),
    instruments_request="/v2/conf/pub:list:pair:exchange,pub:map:currency:sym",
    parse_instruments=parse_instruments,
    stream=Stream(
        url="wss://api-pub.bitfinex.com/ws/2", subscribe=subscribe, parse=parse_stream,
        wires_per_message=1, wires_per_connection=25, connects_per_s=1 / 3, ping=('{"event":"ping"}', 20.0),
        mute_after_s=60.0,  # all 25 may be thinly traded pairs
    ),
    candles=Candles(
        request="/v2/candles/trade:{interval}:{wire}/hist?start={begin_ms}&end={end_ms}&limit=10000&sort=1",
        rows=lambda body: list_at(_good(body)), columns=(0, 1, 3, 4, 2, 5), most=10_000,
        intervals={**{s: INTERVALS[s] for s in (60, 300, 900, 3600)}, 86_400: "1D"},
    ),
)  # fmt: skip
ADAPTER = exchange(BITFINEX)
