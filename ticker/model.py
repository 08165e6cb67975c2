"""The values that everything else passes around: symbols, quotes, bars, and the status of a feed.

A price is the exchange's own decimal text from the parser to the socket; it is never converted to a float in between.
It is validated once, where it enters, by `feeds.decimals`.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from ticker.histogram import WIDE_S, Histogram

FIELDS = (
    "last", "bid", "ask", "bid_size", "ask_size", "open", "high", "low", "volume", "quote_volume",
    "change_pct", "ts", "state", "source", "decimals", "name",
)  # fmt: skip
"""The fields of a quote, in the protocol's order."""

FEED_FIELDS = ("state", "since", "kind", "clock", "message")
"""The fields of a feed's record."""

DECIMAL_FIELDS = FIELDS[:11]
"""Prices, sizes and the change in percent: decimal text."""
NUMBER_FIELDS = frozenset({*DECIMAL_FIELDS, "ts", "decimals"})
"""Fields that go out as JSON numbers; the others are strings."""

KINDS = ("live", "delayed", "replay", "simulated")
"""What a feed's prices are, best first."""

QUOTE_STATES = ("live", "stale", "halted", "closed", "down")
FEED_STATES = ("connecting", "live", "stale", "down", "failed")

ERROR_REASONS = (
    "connect", "dns", "timeout", "tls", "http_4xx", "http_5xx", "rate_limited", "banned", "redirect",
    "too_large", "protocol", "mute", "closed",
)  # fmt: skip
REJECT_REASONS = ("schema", "symbol", "price", "crossed", "timestamp", "out_of_order", "limit")

Value = str | int | None
"""Prices and sizes are decimal text, `ts` and `decimals` are integers, None is "not known"."""

SYMBOL = re.compile(r"[A-Za-z0-9._^-]{1,64}")
"""A canonical symbol, `BTC-USD`, `AAPL`, `BRK.B`."""
VENUE_SYMBOL = re.compile(r"(?=.{1,80}\Z)[a-z0-9_-]{1,32}:[A-Za-z0-9._^-]{1,64}")
"""A venue's own symbol, `alpha:BTC-USD`; 80 characters at most."""


def pattern_matches(pattern: str, symbol: str) -> bool:
    """Whether a symbol fits a pattern; `*` stands for any run of characters, but never spans a venue symbol's `:`.

    Splits at `*` instead of using a regular expression, whose time a hostile pattern could blow up.
    """
    if pattern.count(":") != symbol.count(":"):
        return False
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == symbol
    *middle, last = rest
    at, end = len(first), len(symbol) - len(last)
    if at > end or not (symbol.startswith(first) and symbol.endswith(last)):
        return False
    for part in middle:
        found = symbol.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def currencies(symbol: str) -> tuple[str, str | None]:
    """The base and the quote currency of a canonical symbol; the quote is None if the symbol is not a pair.

    After a pair's dot comes the market: `BTC-USDT.PERP`.
    """
    base, _, quote = symbol.partition("-")
    return base, quote.partition(".")[0] or None


class Quote(NamedTuple):
    """What a source says of one venue symbol at one moment.

    Attributes:
        symbol: the venue symbol, `alpha:BTC-USD`.
        values: fields of `FIELDS` without `ts` and `source`. An absent field keeps its last value, None clears it.
            `state` is the market's own (`live`, `halted`, `closed`), where the source knows it.
        ts: the exchange's time of the price, ms since 1970 UTC; None where it gives none.
        seq: the source's own sequence number, where it has one; takes precedence over `ts` in deciding order.
    """

    symbol: str
    values: dict[str, Value]
    ts: int | None = None
    seq: int | None = None


BAR_LENGTHS_MS = {
    "1s": 1000, "1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": 3_600_000, "4h": 14_400_000, "1d": 86_400_000,
}  # fmt: skip
"""The bar lengths that can be requested, in ms, by name."""


class Bar(NamedTuple):
    """One candle. `t` is its start in ms since 1970 UTC; volume is in base currency, None if not known."""

    t: int
    open: float
    high: float
    low: float
    close: float
    volume: float | None = None


_COUNT = re.compile(r"(?<=stream )[0-9]+|[0-9]+(?= (?:s|more|rows|messages)\b)")


def wording(message: str | None) -> str | None:
    """A message with its counts (of seconds, rows and the like) masked: two that differ only in those compare equal."""
    return message and _COUNT.sub("0", message)


class Change(NamedTuple):
    """One change of a feed's state; `at` in ms since 1970 UTC."""

    at: int
    state: str
    message: str | None


@dataclass(slots=True)
class FeedStatus:
    """Plain counters and the state of one feed, written by its runner, read by metrics and `/api/feeds`.

    Attributes:
        since: when the state began, ms since 1970 UTC.
        clock: whose time `ts` is: `exchange` or `received`.
        loaded: whether the feed knows its symbols yet.
        last_data_at: when data last came, ms since 1970 UTC.
        jumps: prices implausibly far from the previous one; they are counted, and shown all the same.
        idle_messages: stream messages without data: heartbeats, and kinds that the adapter does not know.
        rate: recent updates per second.
        answer_time: from an HTTP request to the last byte of its answer.
        source_lag: from the exchange's time to our receipt, for the newest row of each batch; it includes the
            offset between the two clocks.
    """

    name: str
    kind: str
    clock: str = "received"
    state: str = "connecting"
    since: int = 0
    message: str | None = None
    loaded: bool = False
    symbols: int = 0
    updates: int = 0
    reconnects: int = 0
    jumps: int = 0
    received_bytes: int = 0
    idle_messages: int = 0
    rate_limit_wait_s: float = 0.0
    rate: float = 0.0
    last_data_at: int | None = None
    polls: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("ok", "error", "skipped"), 0))
    errors: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ERROR_REASONS, 0))
    rejects: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REJECT_REASONS, 0))
    answer_time: Histogram = field(default_factory=lambda: Histogram(WIDE_S))
    source_lag: Histogram = field(default_factory=lambda: Histogram(WIDE_S))
    changes: deque[Change] = field(default_factory=lambda: deque(maxlen=20))
