"""Limits that readers share: cells, in all and per address, and symbols in answers, per address.

A *cell* is one symbol of one distinct selection: a group costs memory and work by its cells, however many readers share
it. So a group counts once in all, and once for each address that has a reader in it.
"""

from __future__ import annotations

import contextlib
from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

from ticker.bucket import TokenBucket
from ticker.clock import Clock
from ticker.errors import ProtocolError
from ticker.settings import Limits

MAX_ADDRESSES = 10_000
"""How many addresses' snapshots are remembered."""


@dataclass(slots=True)
class _Share:
    """The use of one address: how many of its readers are in each group, and the cells of these groups."""

    cells: int = 0
    groups: dict[Hashable, int] = field(default_factory=dict)


class Quota:
    """The shared limits.

    Attributes:
        cells: those of all groups now; kept by `Groups`.

    Args:
        limits: how many there may be.
        clock: the service's clock.
    """

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self.cells = 0
        self._limits = limits
        self._clock = clock
        self._shares: dict[str, _Share] = {}
        self._snapshots: OrderedDict[str, TokenBucket] = OrderedDict()
        self._in_hand: Counter[str] = Counter()

    def full(self, cells: int) -> bool:
        """Whether this many more cells would be too many in all."""
        return self.cells + cells > self._limits.cells

    def check_cells(
        self, address: str, group: Hashable | None, cells: int, left: Hashable = None, freed: int = 0
    ) -> None:
        """Check that a reader of an address may join a group, or, if it is None, make one, of this many cells.

        `left` is the group that it leaves for it, and `freed` the cells of that one.

        Raises:
            ProtocolError: `overloaded`; nothing was changed.
        """
        share = self._shares.get(address)
        if share is not None and group in share.groups:
            return
        taken = share.cells if share is not None else 0
        if share is not None and share.groups.get(left) == 1:
            taken -= freed
        most = self._limits.cells_per_address
        if taken + cells > most:
            text = f"the readers of one address may select {most} symbols in all, {taken} are taken"
            raise ProtocolError("overloaded", f"{text}; nothing was changed")
        if group is None and self.full(cells):
            raise ProtocolError("overloaded", "too many different selections now; nothing was changed")

    def check_snapshot(self, address: str, symbols: int) -> None:
        """Count the symbols of a frame that must be made, or that must be examined, to answer an address.

        Raises:
            ProtocolError: `overloaded`; there were too many lately.
        """
        rate, now = self._limits.snapshot_symbols_per_s, self._clock.monotonic()
        bucket = self._snapshots.pop(address, None) or TokenBucket(rate, 2 * rate, now)
        self._snapshots[address] = bucket
        if len(self._snapshots) > MAX_ADDRESSES:
            self._snapshots.popitem(last=False)
        if not bucket.take(now, symbols):
            text = f"more than {rate} symbols a second for one address, in answers or tested against patterns; wait"
            raise ProtocolError("overloaded", text)

    @contextlib.contextmanager
    def in_hand(self, address: str, symbols: int) -> Iterator[None]:
        """Count the symbols of a large answer as long as it is made, or waits to be taken.

        Raises:
            ProtocolError: `overloaded`; its address has as many in hand as it may ask for at once.
        """
        if self._in_hand[address] + symbols > max(2 * self._limits.snapshot_symbols_per_s, symbols):
            raise ProtocolError("overloaded", "large answers for this address are still on their way; wait")
        self._in_hand[address] += symbols
        try:
            yield
        finally:
            self._in_hand[address] -= symbols
            if not self._in_hand[address]:
                del self._in_hand[address]

    def join(self, address: str, group: Hashable, cells: int) -> None:
        """A reader has joined a group."""
        share = self._shares.setdefault(address, _Share())
        count = share.groups.get(group, 0)
        share.groups[group] = count + 1
        if not count:
            share.cells += cells

    def leave(self, address: str, group: Hashable, cells: int) -> None:
        """A reader has left its group."""
        share = self._shares[address]
        share.groups[group] -= 1
        if not share.groups[group]:
            del share.groups[group]
            share.cells -= cells
        if not share.groups:
            del self._shares[address]
