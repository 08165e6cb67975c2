"""Which groups a symbol concerns: those that select it by its name, and those with a pattern that it matches."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TypeVar

from ticker.readers import Group
from ticker.record import Record
from ticker.scope import Wildcard, Wildcards

K = TypeVar("K", bound=Hashable)


class Interest:
    """An index of groups.

    Args:
        wildcards: the store's, which know the patterns that match a symbol.
    """

    def __init__(self, wildcards: Wildcards) -> None:
        self._wildcards = wildcards
        self._by_symbol: dict[str, dict[Group, None]] = {}  # in the order in which they came
        self._by_wildcard: dict[Wildcard, dict[Group, None]] = {}

    def __len__(self) -> int:
        """How many symbols and patterns interest anybody."""
        return len(self._by_symbol) + len(self._by_wildcard)

    def add(self, group: Group) -> None:
        """Note what a new group selects."""
        for symbol in group.scope.exact:
            self._by_symbol.setdefault(symbol, {})[group] = None
        for wildcard in group.scope.wildcards:
            self._by_wildcard.setdefault(wildcard, {})[group] = None

    def remove(self, group: Group) -> None:
        """Forget a group."""
        for symbol in group.scope.exact:
            _discard(self._by_symbol, symbol, group)
        for wildcard in group.scope.wildcards:
            _discard(self._by_wildcard, wildcard, group)

    def spread(self, changed: Iterable[Record]) -> list[Group]:
        """Add changed records to the news of each group that they concern; returns the groups that had none before."""
        touched: list[Group] = []
        by_symbol, by_wildcard, matching = self._by_symbol, self._by_wildcard, self._wildcards.matching
        for record in changed:
            for group in by_symbol.get(record.key, ()):
                if not group.news:
                    touched.append(group)
                group.news[record] = None
            for wildcard in matching(record.key):
                for group in by_wildcard.get(wildcard, ()):
                    if not group.news:
                        touched.append(group)
                    group.news[record] = None
        return touched


def _discard(index: dict[K, dict[Group, None]], key: K, group: Group) -> None:
    del index[key][group]
    if not index[key]:
        del index[key]
