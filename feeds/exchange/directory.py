"""Which wire name is which symbol, and which symbols a feed wants: an exchange's instrument list, kept for one feed.

A name is looked up in the list first, then read by `Venue.symbol`. Names that a server invents take bounded memory.
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

    Attributes:
        entries: what is known about wire names: all in the list, and others that are wanted, once they were looked up.
        wanted: the wanted symbols with open markets, by the name to ask for; without a list, those named in full.

    Args:
        prefix: the feed's name, the part before the colon of its venue symbols.
        venue: how names are read and written.
        patterns: the symbols that the feed wants, see `model.pattern_matches`.
    """

    def __init__(self, prefix: str, venue: Venue, patterns: Sequence[str]) -> None:
        self._prefix = prefix
        self._venue = venue
        self._names = dict.fromkeys(pattern for pattern in patterns if "*" not in pattern)
        self._patterns = [pattern for pattern in patterns if "*" in pattern]
        self._listed: dict[str, Listing] = {}  # by symbol
        self.entries: dict[str, Entry | None] = {}
        named = ((self._wire(name), self._entry(name)) for name in self._names)
        self.wanted = {wire: entry for wire, entry in named if wire and entry}

    def load(self, listings: Iterable[Listing]) -> None:
        """Replace the list. If two entries claim a name or symbol, the first open one gets it, else the first.

        An entry that does not get its symbol loses its names, too: they belong to a market that is not shown. A market
        that was not open and now has no state in the list is open again.
        """
        before, self._listed, self.entries, self.wanted = self._listed, {}, {}, {}
        for told in sorted(listings, key=lambda one: one.state not in OPEN):
            known = before.get(told.symbol)
            again = told.state is None and known is not None and known.state is not None
            listing = told._replace(state="live") if again else told
            if self._listed.setdefault(listing.symbol, listing) is listing:
                entry = self._entry(listing.symbol)
                for wire in listing.wires:
                    self.entries.setdefault(wire, entry)
                if listing.state in OPEN and entry and entry.selected and (wanted := self._wire(listing.symbol)):
                    self.wanted[wanted] = entry

    @property
    def size(self) -> int:
        """How many symbols the list has."""
        return len(self._listed)

    @property
    def loaded(self) -> bool:
        """Whether there is a list."""
        return self.size > 0

    def lists(self, venue_symbol: str) -> bool:
        """Whether the list has this venue symbol."""
        return venue_symbol.partition(":")[2] in self._listed

    def market(self, venue_symbol: str) -> str | None:
        """The state that the list gives for the market of this venue symbol."""
        listing = self._listed.get(venue_symbol.partition(":")[2])
        return listing.state if listing else None

    def entry(self, wire: str) -> Entry | None:
        """What is known about a wire name: the same object until the list changes, or None if it means nothing."""
        if wire in self.entries:
            return self.entries[wire]
        symbol = self._venue.symbol(wire) if self._venue.symbol else None
        entry = self._entry(symbol) if symbol else None
        if entry and entry.selected and len(self.entries) < self._venue.limits.symbols:
            self.entries[wire] = entry
        return entry

    def shut(self) -> set[str]:
        """The wanted symbols whose markets are not open according to the list."""
        return {name for name, one in self._listed.items() if one.state not in OPEN and self._selects(name)}

    def asked_as(self, venue_symbol: str) -> str | None:
        """The name to ask for one venue symbol; None if only a list could tell."""
        symbol = venue_symbol.partition(":")[2]
        listing = self._listed.get(symbol)
        return listing.wires[0] if listing else self._wire(symbol)

    def unlisted(self) -> list[str]:
        """The symbols that are wanted by name but not in the list."""
        return [name for name in self._names if self.loaded and name not in self._listed]

    def _wire(self, symbol: str) -> str | None:
        venue = self._venue
        if venue.wire:
            return venue.wire(symbol)
        if listing := self._listed.get(symbol):
            return listing.wires[0]
        return symbol if venue.symbol and venue.symbol(symbol) == symbol else None

    def _entry(self, symbol: str) -> Entry | None:
        venue_symbol = f"{self._prefix}:{symbol}"
        if not VENUE_SYMBOL.fullmatch(venue_symbol) or symbol.count("-") > 1:
            return None
        known: dict[str, Value] = {}
        if listing := self._listed.get(symbol):
            name = "".join(filter(str.isprintable, listing.name or ""))[:NAME_CHARACTERS]
            known = {"decimals": listing.decimals, "name": name or None, "state": listing.state}
        extra = {field: value for field, value in known.items() if value is not None}
        return Entry(venue_symbol, self._selects(symbol), extra)

    def _selects(self, symbol: str) -> bool:
        return symbol in self._names or any(pattern_matches(pattern, symbol) for pattern in self._patterns)


def few(names: Sequence[str], most: int = 3) -> str:
    """The first few of some names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
