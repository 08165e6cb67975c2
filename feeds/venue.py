"""What an exchange is to the generic code: addresses, limits, names and pure functions from bytes to rows.

A `Venue` is data. It has no state, does no I/O and knows nothing of quotes; who polls it lives in `polling`,
what its rows are worth is judged in `rows`. The `Directory` keeps its instrument list for one feed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ticker.model import SYMBOL, Value


class Row(NamedTuple):
    """What one answer says of one instrument, not judged yet.

    Attributes:
        wire: the exchange's own name of the instrument.
        raw: its texts by our field names, see `rows.make_quote`; None: not the shape that the adapter knows.
        time: the exchange's time of the price as it was sent, in the venue's `time_unit`.
        seq: the exchange's sequence number.
    """

    wire: str
    raw: dict[str, str | None] | None
    time: str | None = None
    seq: int | None = None


class Listing(NamedTuple):
    """One entry of an exchange's list.

    Attributes:
        symbol: the canonical symbol, `BTC-USD`.
        wires: every name under which the exchange may speak of it.
        decimals: digits after the point at which it is quoted.
        name: for people, where the exchange has one.
    """

    symbol: str
    wires: tuple[str, ...]
    decimals: int | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the exchange bears, and what we take from it.

    Attributes:
        interval_s: default seconds from poll to poll.
        gap_s: fewest seconds from the start of one request to the next, of whatever kind.
        body_bytes: longest answer that is read, counted after decompression.
        symbols: most symbols that are remembered from answer to answer, in case a server makes up new ones.
    """

    interval_s: float
    gap_s: float
    body_bytes: int = 5_000_000
    symbols: int = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """One exchange.

    Attributes:
        name: as in `ticker adapters` and in venue symbols, unless the feed is given another name.
        summary: one line for the list of adapters.
        base_url: scheme, host and port; the only host that is ever asked.
        limits: see `Limits`.
        rest_request: path and query that ask for the tickers of these canonical symbols. None given means
            all; an exchange that can only send all ignores them.
        parse_rest: the rows of an answer with status 200. Raises `FeedError` where the exchange says that it
            failed, `ValueError` where the body is not of the known shape as a whole.
        instruments_request: path and query of the instrument list; None: there is none to ask for.
        parse_instruments: its entries; raises like `parse_rest`.
        symbol: canonical symbol of a wire name; None for a name that it cannot read without the list. Left
            out: names mean nothing without the list, which is then loaded before the first price.
        kind: one of `model.KINDS`.
        clock: `exchange` if its rows carry their own time, else `received`.
        time_unit: one of `rows.TIME_UNITS`, the unit of `Row.time`.
    """

    name: str
    summary: str
    base_url: str
    limits: Limits
    rest_request: Callable[[Sequence[str]], str]
    parse_rest: Callable[[bytes], list[Row]]
    instruments_request: str | None = None
    parse_instruments: Callable[[bytes], list[Listing]] | None = None
    symbol: Callable[[str], str | None] | None = None
    kind: str = "live"
    clock: str = "received"
    time_unit: str = "ms"

    def __post_init__(self) -> None:
        assert self.symbol or self.instruments_request, "no way to tell what a name means"


class Entry(NamedTuple):
    """What a feed knows about one wire name.

    Attributes:
        symbol: the venue symbol, `kraken:BTC-USD`.
        selected: whether the feed wants it.
        extra: the fields of its quotes that the list knows.
    """

    symbol: str
    selected: bool
    extra: Mapping[str, Value]


class Directory:
    """Which wire name is which symbol, and which symbols the feed wants.

    Args:
        prefix: the feed's name, the part before the colon of its venue symbols.
        symbol: `Venue.symbol`.
        patterns: the selection, see `matches`.
    """

    def __init__(self, prefix: str, symbol: Callable[[str], str | None] | None, patterns: Sequence[str]) -> None:
        self._prefix = prefix
        self._symbol = symbol
        self._patterns = tuple(patterns)
        self._by_wire: dict[str, Listing] = {}
        self._by_symbol: dict[str, Listing] = {}
        self._entries: dict[str, Entry | None] = {}

    def load(self, listings: Iterable[Listing]) -> None:
        """Replace the list. Where two entries claim one name or symbol, the first keeps it."""
        self._by_wire, self._by_symbol, self._entries = {}, {}, {}
        for listing in listings:
            self._by_symbol.setdefault(listing.symbol, listing)
            for wire in listing.wires:
                self._by_wire.setdefault(wire, listing)

    @property
    def loaded(self) -> bool:
        """Whether there is a list."""
        return bool(self._by_symbol)

    def lists(self, venue_symbol: str) -> bool:
        """Whether the list has this venue symbol."""
        return venue_symbol.partition(":")[2] in self._by_symbol

    def entries(self, wires: Iterable[str]) -> dict[str, Entry | None]:
        """What is known about the names of one answer; None: such a name means nothing to us.

        Only the names of the latest answer are remembered, so names that a server makes up cost nothing.
        """
        known = self._entries
        self._entries = {wire: known[wire] if wire in known else self._resolve(wire) for wire in wires}
        return self._entries

    def _resolve(self, wire: str) -> Entry | None:
        listing = self._by_wire.get(wire)
        if listing:
            symbol: str | None = listing.symbol
        else:
            symbol = self._symbol(wire) if self._symbol else None
        if symbol is None or not SYMBOL.fullmatch(symbol) or symbol.count("-") > 1:
            return None
        listing = listing or self._by_symbol.get(symbol)
        known = {"decimals": listing.decimals, "name": listing.name} if listing else {}
        return Entry(
            symbol=f"{self._prefix}:{symbol}",
            selected=any(matches(pattern, symbol) for pattern in self._patterns),
            extra={field: value for field, value in known.items() if value is not None},
        )


def matches(pattern: str, symbol: str) -> bool:
    """Whether a symbol fits a pattern in which `*` stands for any run of characters.

    Splits at `*` instead of using a regular expression, whose time a hostile pattern could blow up.
    """
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == symbol
    *middle, last = rest
    end = len(symbol) - len(last)
    at = len(first)
    if at > end or not symbol.startswith(first) or not symbol.endswith(last):
        return False
    for part in middle:
        found = symbol.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
