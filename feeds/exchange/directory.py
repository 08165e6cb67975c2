"""Which wire name is which symbol, and which symbols a feed wants: an exchange's instrument list, kept for one feed.

A name is looked up in the list first, then read by `Venue.symbol`. Names that a server invents take no lasting memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from feeds.exchange.venue import Listing, Venue
from ticker.model import VENUE_SYMBOL, Value, pattern_matches

NAME_CHARACTERS = 80
OPEN = frozenset({None, "live"})
"""The states of open markets in a list."""


class Entry(NamedTuple):
    """What a feed knows about one wire name.

    Attributes:
        symbol: the venue symbol, `alpha:BTC-USD`.
        selected: whether the feed wants it.
        extra: the fields of its quotes that the list knows.
    """

    symbol: str
    selected: bool
    extra: Mapping[str, Value]


class Directory:
    """The instruments of one feed.

    Args:
        prefix: the feed's name, the part before the colon of its venue symbols.
        venue: how names are read and written.
        patterns: the symbols that the feed wants, see `model.pattern_matches`.
    """

    def __init__(self, prefix: str, venue: Venue, patterns: Sequence[str]) -> None:
        self._prefix = prefix
        self._venue = venue
        self._patterns = tuple(patterns)
        self._by_wire: dict[str, Listing] = {}
        self._by_symbol: dict[str, Listing] = {}
        self._entries: dict[str, Entry | None] = {}
        self._entries_of: Sequence[str] = ()
        self._heard: dict[str, Entry] = {}
        self._listed: dict[Listing, Entry | None] = {}

    def load(self, listings: Iterable[Listing]) -> None:
        """Replace the list. If two entries claim a name or symbol, the first open one gets it, else the first.

        An entry that does not get its symbol loses its names, too: they belong to a market that is not shown. A market
        that was not open and now has no state in the list is open again.
        """
        before = self._by_symbol
        self._by_wire, self._by_symbol, self._entries, self._heard = {}, {}, {}, {}
        self._entries_of = ()
        for told in sorted(listings, key=lambda one: one.state not in OPEN):
            known = before.get(told.symbol)
            again = told.state is None and known is not None and known.state is not None
            listing = told._replace(state="live") if again else told
            if self._by_symbol.setdefault(listing.symbol, listing) is listing:
                for wire in listing.wires:
                    self._by_wire.setdefault(wire, listing)
        kept = self._listed  # most are unchanged: their entries stay the same objects, which the judge relies on
        self._listed = {one: kept[one] for one in self._by_symbol.values() if one in kept}

    @property
    def size(self) -> int:
        """How many symbols the list has."""
        return len(self._by_symbol)

    @property
    def loaded(self) -> bool:
        """Whether there is a list."""
        return self.size > 0

    def lists(self, venue_symbol: str) -> bool:
        """Whether the list has this venue symbol."""
        return venue_symbol.partition(":")[2] in self._by_symbol

    def market(self, venue_symbol: str) -> str | None:
        """The state that the list gives for the market of this venue symbol."""
        listing = self._by_symbol.get(venue_symbol.partition(":")[2])
        return listing.state if listing else None

    def entries(self, wires: Sequence[str]) -> Mapping[str, Entry | None]:
        """The entries for the names in one answer; None for a name that is unknown.

        Only the names of the latest answer are remembered, so names that a server invents do not pile up.
        """
        if wires != self._entries_of:
            known = self._entries
            self._entries = {wire: known[wire] if wire in known else self._resolve(wire) for wire in wires}
            self._entries_of = wires
        return self._entries

    def entry(self, wire: str) -> Entry | None:
        """The entry for a name from a stream; wanted ones are remembered until the list changes."""
        entry = self._heard.get(wire) or self._resolve(wire)
        if entry and entry.selected and len(self._heard) < self._venue.limits.symbols:
            self._heard[wire] = entry
        return entry

    def wanted(self) -> dict[str, Entry]:
        """The wanted symbols with open markets, by the name to ask for; without a list, those named in full."""
        names = [pattern for pattern in self._patterns if "*" not in pattern]
        if self.loaded:
            names = [symbol for symbol, one in self._by_symbol.items() if one.state in OPEN]
        found: dict[str, Entry] = {}
        for symbol in names:
            wire, entry = self._wire(symbol), self._entry(symbol)
            if wire and entry and entry.selected and len(found) < self._venue.limits.symbols:
                found[wire] = entry
        return found

    def shut(self) -> set[str]:
        """The wanted symbols whose markets are not open according to the list."""
        return {name for name, one in self._by_symbol.items() if one.state not in OPEN and self._selects(name)}

    def asked_as(self, venue_symbol: str) -> str | None:
        """The name to ask for one venue symbol; None if only a list could tell."""
        symbol = venue_symbol.partition(":")[2]
        listing = self._by_symbol.get(symbol)
        return listing.wires[0] if listing else self._wire(symbol)

    def unlisted(self) -> list[str]:
        """The symbols that are wanted by name but not in the list."""
        return [p for p in self._patterns if "*" not in p and self.loaded and p not in self._by_symbol]

    def _wire(self, symbol: str) -> str | None:
        venue = self._venue
        if venue.wire:
            return venue.wire(symbol)
        if listing := self._by_symbol.get(symbol):
            return listing.wires[0]
        return symbol if venue.symbol and venue.symbol(symbol) == symbol else None

    def _resolve(self, wire: str) -> Entry | None:
        if listing := self._by_wire.get(wire):
            return self._entry(listing.symbol)
        symbol = self._venue.symbol(wire) if self._venue.symbol else None
        return self._entry(symbol) if symbol else None

    def _entry(self, symbol: str) -> Entry | None:
        listing = self._by_symbol.get(symbol)
        if listing is None:
            return self._make(symbol, {})
        if listing not in self._listed:
            name = "".join(filter(str.isprintable, listing.name or ""))[:NAME_CHARACTERS]
            known = {"decimals": listing.decimals, "name": name or None, "state": listing.state}
            self._listed[listing] = self._make(symbol, {k: v for k, v in known.items() if v is not None})
        return self._listed[listing]

    def _make(self, symbol: str, extra: Mapping[str, Value]) -> Entry | None:
        venue_symbol = f"{self._prefix}:{symbol}"
        if not VENUE_SYMBOL.fullmatch(venue_symbol) or symbol.count("-") > 1:
            return None
        return Entry(venue_symbol, self._selects(symbol), extra)

    def _selects(self, symbol: str) -> bool:
        return any(pattern_matches(pattern, symbol) for pattern in self._patterns)


def few(names: Sequence[str], most: int = 3) -> str:
    """The first few of some names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
