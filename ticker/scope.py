"""Selections resolved against the symbols that exist; the wildcards of all readers are resolved once.

A pattern is matched by splitting at `*`, never by a regular expression: a hostile pattern must not cost more than its
length. Each distinct wildcard exists once (`Wildcards.acquire`), knows the symbols that it matches, and learns of new
ones at their birth, so that no text is matched while prices flow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

from ticker.model import pattern_matches
from ticker.selection import Selection

MAX_UNUSED = 32
"""How many unused wildcards are kept: as many as one reader may have."""


@dataclass(eq=False, slots=True)
class Wildcard:
    """One distinct pattern with a `*`, shared by all its users.

    Attributes:
        symbols: the existing symbols that it matches.
        untested: those still to be tested; empty once it was acquired.
        users: how often it is acquired.
    """

    text: str
    symbols: dict[str, None] = field(default_factory=dict)
    untested: dict[str, None] = field(default_factory=dict)
    users: int = 0
    _parts: tuple[str, str, str] = ("", "", "")
    _shortest: int = 0
    _colons: int = 0
    _simple: bool = True

    def __post_init__(self) -> None:
        first, _, rest = self.text.partition("*")
        self._parts = first, rest.partition("*")[0] if "*" in rest else "", rest.rpartition("*")[2]
        self._shortest = len(self.text.replace("*", ""))
        self._colons = self.text.count(":")
        self._simple = self.text.count("*") == 1

    def fits(self, symbol: str) -> bool:
        """`pattern_matches`, but fast enough for thousands of symbols: a single `*` needs only both ends compared."""
        first, within, last = self._parts
        if not (symbol.startswith(first) and within in symbol and symbol.endswith(last)):
            return False
        if len(symbol) < self._shortest or symbol.count(":") != self._colons:
            return False
        return self._simple or pattern_matches(self.text, symbol)


class Wildcards:
    """Every wildcard in use, and which of them match an existing symbol.

    A few are kept after their last use: the next reader often wants the same, and testing thousands of symbols takes
    milliseconds.

    Attributes:
        venues: how many existing symbols each venue has.
    """

    def __init__(self) -> None:
        self.venues: Counter[str] = Counter()
        self._by_text: dict[str, Wildcard] = {}
        self._unused: dict[str, Wildcard] = {}
        self._begun: set[Wildcard] = set()  # those with untested symbols
        self._by_symbol: dict[str, tuple[Wildcard, ...]] = {}

    def __len__(self) -> int:
        return len(self._by_text) - len(self._unused)

    def __contains__(self, text: str) -> bool:
        return text in self._by_text and text not in self._unused

    def known(self, text: str) -> bool:
        """Whether acquiring it tests nothing, because it is, or recently was, in use."""
        wildcard = self._by_text.get(text)
        return wildcard is not None and not wildcard.untested

    def acquire(self, text: str, symbols: Iterable[str]) -> Wildcard:
        """The one wildcard of this text; tests all existing `symbols` if it is new. Hand it back with `release`."""
        wildcard = self.begin(text, symbols)
        self.test(wildcard, len(wildcard.untested))
        return wildcard

    def begin(self, text: str, symbols: Iterable[str]) -> Wildcard:
        """`acquire` for a caller that tests a new one in steps, with `test`; not usable until nothing is `untested`."""
        wildcard = self._by_text.get(text)
        if wildcard is None:
            wildcard = self._by_text[text] = Wildcard(text, untested=dict.fromkeys(symbols))
            if wildcard.untested:
                self._begun.add(wildcard)
        self._unused.pop(text, None)
        wildcard.users += 1
        return wildcard

    def test(self, wildcard: Wildcard, most: int) -> None:
        """Test a wildcard against at most this many of its untested symbols."""
        known, alone, untested = self._by_symbol, (wildcard,), wildcard.untested
        for _ in range(min(most, len(untested))):
            symbol, _ = untested.popitem()
            if wildcard.fits(symbol):
                wildcard.symbols[symbol] = None
                known[symbol] = (*known[symbol], wildcard) if symbol in known else alone
        if not untested:
            self._begun.discard(wildcard)

    def release(self, wildcard: Wildcard) -> None:
        """Hand one use back."""
        wildcard.users -= 1
        if wildcard.users:
            return
        if wildcard.untested:
            self._forget(wildcard)
            return
        self._unused[wildcard.text] = wildcard
        if len(self._unused) > MAX_UNUSED:
            self._forget(self._unused.pop(next(iter(self._unused))))

    def _forget(self, wildcard: Wildcard) -> None:
        del self._by_text[wildcard.text]
        self._begun.discard(wildcard)
        for symbol in wildcard.symbols:
            self._by_symbol[symbol] = tuple(w for w in self._by_symbol[symbol] if w is not wildcard)

    def born(self, symbol: str) -> None:
        """A symbol has come into existence."""
        venue, colon, _ = symbol.partition(":")
        if colon:
            self.venues[venue] += 1
        for wildcard in self._by_text.values():
            if wildcard.fits(symbol):
                wildcard.symbols[symbol] = None
                self._by_symbol[symbol] = (*self._by_symbol.get(symbol, ()), wildcard)

    def died(self, symbol: str) -> None:
        """A symbol no longer exists."""
        venue, colon, _ = symbol.partition(":")
        if colon:
            self.venues[venue] -= 1
            if not self.venues[venue]:
                del self.venues[venue]
        for wildcard in self._by_symbol.pop(symbol, ()):
            del wildcard.symbols[symbol]
        for wildcard in self._begun:
            wildcard.untested.pop(symbol, None)

    def matching(self, symbol: str) -> tuple[Wildcard, ...]:
        """The wildcards that match an existing symbol."""
        return self._by_symbol.get(symbol, ())


def overlapping(symbols: dict[str, None], others: Iterable[Collection[str]]) -> list[Collection[str]]:
    """Those of the others that share a symbol with some: usually none, and then no symbol need be looked at."""
    return [other for other in others if not symbols.keys().isdisjoint(other)]


class Scope:
    """A selection resolved against the store's symbols, kept current by it; made by `Store.resolve`.

    Attributes:
        denied: symbols that its wildcards match but that exceed the limit and are left out; see `Groups`.
    """

    __slots__ = ("denied", "exact", "selection", "wildcards")

    def __init__(self, selection: Selection, exact: frozenset[str], wildcards: tuple[Wildcard, ...]) -> None:
        self.selection = selection
        self.exact = exact
        self.wildcards = wildcards
        self.denied: set[str] = set()

    @property
    def size(self) -> int:
        """An upper bound on how many symbols it selects."""
        return len(self.exact) + sum(len(w.symbols) for w in self.wildcards)

    def contains(self, symbol: str) -> bool:
        """Whether an existing symbol is selected."""
        return symbol in self.exact or self.wild(symbol)

    @property
    def test(self) -> Callable[[str], bool]:
        """`contains` in its fastest form, for testing many symbols in a row."""
        if not self.wildcards:
            return self.exact.__contains__
        if len(self.wildcards) == 1 and not self.exact and not self.denied:
            return self.wildcards[0].symbols.__contains__
        return self.contains

    def matches(self, symbol: str) -> bool:
        """Whether a symbol, existing or not, is selected. Costs one test per wildcard."""
        return symbol in self.exact or any(wildcard.fits(symbol) for wildcard in self.wildcards)

    def wild(self, symbol: str) -> bool:
        """Whether one of its wildcards matches an existing symbol."""
        return symbol not in self.denied and any(symbol in w.symbols for w in self.wildcards)

    def symbols(self) -> Iterator[str]:
        """The selected symbols, each once; those given by name even if they do not exist."""
        if len(self.wildcards) == 1 and not self.exact and not self.denied:  # the usual case, and often thousands
            yield from self.wildcards[0].symbols
            return
        yield from self.exact
        for i, wildcard in enumerate(self.wildcards):
            taken = overlapping(wildcard.symbols, [self.exact, self.denied, *(w.symbols for w in self.wildcards[:i])])
            if taken:
                yield from (symbol for symbol in wildcard.symbols if not any(symbol in others for others in taken))
            else:
                yield from wildcard.symbols

    def beyond(self, other: Scope) -> Iterator[str]:
        """The selected symbols that another scope does not select, each once; shared wildcards cost nothing."""
        more = dict.fromkeys(self.exact | other.denied)
        for wildcard in self.wildcards:
            if wildcard not in other.wildcards:
                more |= wildcard.symbols
        return (symbol for symbol in more if self.contains(symbol) and not other.contains(symbol))
