"""Patterns that come to match more symbols than one reader may have: the surplus is left out, and said so once."""

from __future__ import annotations

from ticker import protocol
from ticker.errors import ProtocolError
from ticker.protocol import Frame
from ticker.readers import Group
from ticker.selection import Selection
from ticker.store import Store

MAX_CAPPED = 1000
"""How many selections are remembered as cut off at the limit; beyond that number no cursor is trusted."""


class Growth:
    """The limit of a selection, also as it grows.

    Args:
        store: what selections match in.
        max_symbols: how many symbols a selection may match.
    """

    def __init__(self, store: Store, max_symbols: int) -> None:
        self._store = store
        self._max_symbols = max_symbols
        self._capped: set[Selection] = set()

    def allows(self, matched: int) -> bool:
        """Whether a reader may select this many symbols."""
        return matched <= self._max_symbols

    def check(self, matched: int) -> None:
        """Check that it may.

        Raises:
            ProtocolError: `too_many_symbols`; without an id.
        """
        if not self.allows(matched):
            text = f"{matched} symbols match, {self._max_symbols} are allowed; nothing was changed"
            raise ProtocolError("too_many_symbols", text)

    def cap(self, group: Group, births: list[str]) -> bool:
        """Leave out of a group those of the new symbols that its patterns match beyond the limit.

        Returns whether these are the first. Its cursors are not trusted later: they do not tell what was left out.
        """
        scope = group.scope
        known = len(scope.denied)
        if known:
            scope.denied.difference_update(births)
        if scope.size > self._max_symbols and (over := self._store.matched(scope) - self._max_symbols) > 0:
            scope.denied.update([s for s in births if s not in scope.exact and scope.wild(s)][-over:])
        if not len(scope.denied) > known == 0:
            return False
        if len(self._capped) < MAX_CAPPED:
            self._capped.add(scope.selection)
        return True

    def doubts(self, selection: Selection) -> bool:
        """Whether cursors of a selection are not trusted, because something is or was left out of it."""
        return selection in self._capped or len(self._capped) >= MAX_CAPPED

    def warning(self) -> Frame:
        """What a reader is told when its patterns match too much."""
        text = f"your patterns now match more than {self._max_symbols} symbols; new ones are left out"
        return protocol.error(None, "too_many_symbols", text)
