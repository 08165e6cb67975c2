"""When silence becomes staleness: of a symbol, of a row, and of a feed as a whole, each by its own rhythm. Pure.

* A symbol without data for longer than its rhythm allows is `stale`; a halted or closed one never is.
* A live feed's row that is older than that by its own time is stale when it comes.
* A feed without any data for that long is `stale`, with all its symbols, unless all their markets are closed.
* A feed whose rows keep coming but have not changed for far longer than usual is a frozen cache: also `stale`.
* New data ends each of these states. Heartbeats do not count as data.

`intake` says what comes, and tells readers what is found here.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterator

from ticker.rhythm import Rhythm
from ticker.source import Source

DELAYED_S = 1800.0
"""The least time without a change before delayed prices count as frozen: a closing may be noticed this late."""
TICK_S = 0.25
"""How often deadlines must be looked at."""
SLICE = 1000
"""How many symbols are looked at in one turn of the loop, which takes about 3 ms."""


def is_old(source: Source, age_s: float) -> bool:
    """Whether a row of this age is too old to describe the present."""
    least_s, trades = source.least_s, source.trades
    if age_s <= least_s or age_s <= source.rhythm.limit_s(least_s):
        return False
    return not (trades and trades.known and age_s <= trades.limit_s(least_s))


class Deadlines:
    """When each symbol must be looked at; it has one deadline, which data that comes meanwhile does not move."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Source]] = []
        self._order = itertools.count()

    def add(self, source: Source, now: float, due: float = math.inf) -> None:
        """Look at a symbol when it is due.

        It is looked at earlier if that is far off: its rhythm may quicken, or its market open, in the meantime.
        """
        source.watched = True
        again = now + max(source.least_s, TICK_S)
        heapq.heappush(self._heap, (due if now < due < again else again, next(self._order), source))

    def silent(self, now: float) -> Iterator[Source | None]:
        """The symbols that are stale now, which are not looked at again; None, as a pause, after each slice."""
        for looked in itertools.count(1):
            if not self._heap or self._heap[0][0] > now:
                return
            if looked % SLICE == 0:
                yield None
            source = heapq.heappop(self._heap)[2]
            source.watched = False
            if source.state in {"stale", "down", "gone"}:
                continue
            due = source.rhythm.last + source.least_s
            if due <= now:
                due = source.rhythm.last + source.rhythm.limit_s(source.least_s)
            if due <= now and source.market == "live":
                yield source
            else:
                self.add(source, now, due)


class FeedAge:
    """How long a feed has been silent, or unchanged.

    Attributes:
        frozen: why it is a frozen cache, while it is one.

    Args:
        kind: one of `model.KINDS`.
        least_s: the least silence that may count as stale, seconds.
        shut: whether none of its markets is open.
    """

    def __init__(self, kind: str, least_s: float, shut: Callable[[], bool]) -> None:
        self.frozen: str | None = None
        self._least_s = least_s
        self._least_frozen_s = DELAYED_S if kind == "delayed" else least_s
        self._shut = shut
        self._data: Rhythm | None = None
        self._changes: Rhythm | None = None

    def changed(self, now: float) -> None:
        """A row has come that differs from what was known."""
        self.frozen = None
        if self._changes is None:
            self._changes = Rhythm(now)
        else:
            self._changes.beat(now)

    def came(self, now: float) -> None:
        """Rows have come, changed or not."""
        if self._data is None:
            self._data = Rhythm(now)
        else:
            self._data.beat(now)

    def verdict(self, now: float) -> str | None:
        """Why the feed is stale; None if it is not."""
        if self._data is None or self._changes is None:
            return None
        silent_s, same_s = now - self._data.last, now - self._changes.last
        if silent_s > self._data.limit_s(self._least_s):
            return None if self._shut() else f"no data for {silent_s:.0f} s"
        if self._changes.known and same_s > self._changes.limit_s(self._least_frozen_s):
            if not self._shut():
                self.frozen = f"no row has changed for {same_s:.0f} s"
                return self.frozen
            self._changes.last = now  # nothing can change
        return None
