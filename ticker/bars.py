"""Prices as bars of a second and of a minute, in compact rings, folded into longer ones on request. Pure.

What a bar is:

* The price is `last`, or the mid of bid and ask while there is no last.
* A bar is made of the quotes within its interval: the first price is its open, the last one its close. A quote that
  repeats the price counts, too; that is how an interval in which nothing changed differs from the next case.
* An interval without quotes carries the previous close, open = high = low = close: no change is information, too, as
  long as the symbol is neither stale nor down.
* A bar has a *gap* if the symbol was stale or down at any moment of it, or its beginning was not seen. The moment at
  which data goes missing counts as a quote of the price, which held until then. An interval that is nothing but gap
  also carries the previous close, but has no quote.

Times are the service's clock, ms since 1970 UTC; intervals begin at their multiples. If the clock is set back a little,
the newest bar lasts until the time at which it began has come again. Prices here are floats: a bar is for display.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from ticker.model import Value

SECOND_MS, MINUTE_MS = 1000, 60_000
SECONDS, MINUTES = 600, 1440
"""The capacities of the rings, in bars."""
CHUNK = 60
"""Bars that a ring grows by."""
TAPE_BYTES = 1000
"""What a tape takes in addition to its bars, including its entries in tables."""

GAP, GAP_AFTER = 1, 2
"""Flags of a bar with quotes: data was missing in it; data was still missing when it ended."""

Quoted = tuple[int, float, float, float, float, int]
"""A bar with quotes: start, open, high, low, close, flags."""
_CELL = struct.Struct("<q4dB")


class Slot(NamedTuple):
    """The bar of one interval. `quoted` is whether it has a quote; otherwise it carries the previous close."""

    t: int
    open: float
    high: float
    low: float
    close: float
    gap: bool
    quoted: bool


class Ring:
    """The newest bars with quotes, of one length, packed; it grows by chunks up to its capacity."""

    __slots__ = ("_capacity", "_cells", "_count")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._cells = bytearray()
        self._count = 0

    @property
    def bytes(self) -> int:
        return len(self._cells)

    def append(self, bar: Quoted) -> int:
        """Add a bar; a full ring drops its oldest. Returns the bytes that it grew by."""
        at = self._count % self._capacity * _CELL.size
        grown = 0
        if at == len(self._cells):
            grown = CHUNK * _CELL.size
            self._cells = self._cells + bytes(grown)  # not `+=`, which reserves more than is counted
        _CELL.pack_into(self._cells, at, *bar)
        self._count += 1
        return grown

    def newest(self, count: int) -> Iterator[Quoted]:
        """The last bars, up to a count, oldest first."""
        count = min(count, self._count, self._capacity)
        first = (self._count - count) % self._capacity
        cells = self._cells[first * _CELL.size : (first + count) * _CELL.size]
        cells += self._cells[: count * _CELL.size - len(cells)]
        return _CELL.iter_unpack(cells)


class Tape:
    """The recorded prices of one symbol.

    Attributes:
        source: the venue symbol whose quotes it takes.
        seconds: its bars of seconds; None if there was no room for them.
        since: when the first quote came; None before.
        missing: whether the symbol is stale or down.
        whole_since: since when no data has been missing; infinite while it is.
    """

    __slots__ = (
        "_ask", "_bid", "_close", "_end", "_flags", "_high", "_low", "_minute", "_open", "_traded",
        "minutes", "missing", "seconds", "since", "source", "whole_since",
    )  # fmt: skip

    def __init__(self) -> None:
        self.source = ""
        self.seconds: Ring | None = Ring(SECONDS)
        self.minutes = Ring(MINUTES)
        self.since: int | None = None
        self.missing = False
        self.whole_since = math.inf
        self._traded = False  # whether the price is a last
        self._bid: Value = None
        self._ask: Value = None
        # The open second, whose end is 0 before the first price, and what is closed of its minute.
        self._end = 0
        self._open = self._high = self._low = self._close = math.nan
        self._flags = GAP
        self._minute: Quoted | None = None

    @property
    def bytes(self) -> int:
        """What it takes, in bytes."""
        return TAPE_BYTES + self.minutes.bytes + (self.seconds.bytes if self.seconds is not None else 0)

    def take(self, values: Mapping[str, Value], wall_ms: int) -> int:
        """Record a quote with these fields. Returns the bytes that the tape grew by."""
        last = values.get("last")
        if last is not None:
            self._traded = True
            price = float(last)
        elif self._traded and "last" not in values:
            price = self._close
        elif (mid := self._mid(values)) is not None:
            price = mid
        else:
            return 0
        if wall_ms >= self._end:
            return self._begin(wall_ms, price)
        if price > self._high:
            self._high = price
        elif price < self._low:
            self._low = price
        self._close = price
        return 0

    def follow(self, source: str, values: Mapping[str, Value], wall_ms: int) -> int:
        """Take another venue symbol's quotes from now on; `values` are its fields. Returns as `take`."""
        self.source = source
        self._traded, self._bid, self._ask = False, None, None
        return self.take(values, wall_ms)

    def mark(self, missing: bool, wall_ms: int) -> int:
        """The symbol is now stale or down, or no longer so. Returns as `take`."""
        if missing == self.missing:
            return 0
        grown = 0
        if missing:
            if self._end and wall_ms >= self._end:  # a quiet time up to here is not a gap
                grown = self._begin(wall_ms, self._close)
            self._flags = GAP
        self.missing = missing
        self.whole_since = math.inf if missing else wall_ms
        return grown

    def lose(self, from_ms: int, wall_ms: int) -> int:
        """Nothing could be received from one time until now. Returns as `take`."""
        if self.missing or wall_ms < self._end or not self._end:
            return 0
        grown = self.mark(True, from_ms) + self._begin(wall_ms, self._close)
        self.mark(False, wall_ms)
        return grown

    def restart(self, wall_ms: int) -> int:
        """Drop all bars and keep the current price: the clock that dated them was wrong. Returns as `take`."""
        before = self.bytes
        self.minutes, self._minute, self._flags = Ring(MINUTES), None, GAP
        if self.seconds is not None:
            self.seconds = Ring(SECONDS)
        if self._end:
            self._end = 0
            self._begin(wall_ms, self._close)
        return self.bytes - before

    def slots(self, span_ms: int, first: int, last: int) -> list[Slot]:
        """The bars from the one that begins at `first` to the current one at `last`; fewer if less is known.

        Bars of a second are made of seconds, all others of minutes.
        """
        base_ms = SECOND_MS if span_ms == SECOND_MS else MINUTE_MS
        # One more than there are intervals: a quiet first one carries the close of the bar before it.
        return fold(self._quoted(base_ms, (last + span_ms - first) // base_ms + 1), span_ms, first, last)

    def _mid(self, values: Mapping[str, Value]) -> float | None:
        """The mid; None until both sides were quoted after the last was withdrawn."""
        if self._traded:
            self._traded, self._bid, self._ask = False, None, None
        self._bid = values.get("bid", self._bid)
        self._ask = values.get("ask", self._ask)
        return None if self._bid is None or self._ask is None else (float(self._bid) + float(self._ask)) / 2

    def _begin(self, wall_ms: int, price: float) -> int:
        """Close the open second and begin the current one."""
        grown = 0
        if self._end:
            second = self._second()
            if self.seconds is not None:
                grown = self.seconds.append(second)
            self._minute = self._open_minute(second)
            if wall_ms >= self._minute[0] + MINUTE_MS:
                grown += self.minutes.append(self._minute)
                self._minute = None
            self._flags = GAP if self.missing else 0
        else:
            self.since = wall_ms
            self.whole_since = math.inf if self.missing else wall_ms
        self._end = wall_ms - wall_ms % SECOND_MS + SECOND_MS
        self._open = self._high = self._low = self._close = price
        return grown

    def _second(self) -> Quoted:
        """The open second."""
        flags = self._flags | GAP_AFTER if self.missing else self._flags
        return self._end - SECOND_MS, self._open, self._high, self._low, self._close, flags

    def _open_minute(self, second: Quoted) -> Quoted:
        if self._minute is not None:
            return joined(self._minute, second)
        return second[0] - second[0] % MINUTE_MS, *second[1:]

    def _quoted(self, base_ms: int, count: int) -> Iterable[Quoted]:
        """The bars with quotes, of a second or a minute: the newest closed ones up to a count, then the open one."""
        if not self._end:
            return ()
        second = self._second()
        if base_ms == MINUTE_MS:
            return chain(self.minutes.newest(count), (self._open_minute(second),))
        return chain(self.seconds.newest(count) if self.seconds is not None else (), (second,))


def joined(earlier: Quoted, later: Quoted) -> Quoted:
    """Two consecutive bars as one, which begins where the earlier one does."""
    t, open_, high, low, _, flags = earlier
    return t, open_, max(high, later[2]), min(low, later[3]), later[4], (GAP if flags else 0) | later[5]


def fold(bars: Iterable[Quoted], span_ms: int, first: int, last: int) -> list[Slot]:
    """Bars of a longer interval from `first` to `last`, with the quiet ones filled in.

    The oldest bar of all has a gap unless it begins with its interval: what came before it is not known.
    """
    folded: list[Quoted] = []
    for bar in bars:
        t = bar[0] - bar[0] % span_ms
        if folded and folded[-1][0] == t:
            folded[-1] = joined(folded[-1], bar)
        else:
            folded.append((t, *bar[1:5], bar[5] if folded or t == bar[0] else bar[5] | GAP))
    slots: list[Slot] = []
    ends = [bar[0] for bar in folded[1:]] + [last + span_ms]
    for (t, open_, high, low, close, flags), end in zip(folded, ends, strict=False):
        if t >= first:
            slots.append(Slot(t, open_, high, low, close, bool(flags & GAP), quoted=True))
        lost = bool(flags & GAP_AFTER)
        slots += [
            Slot(quiet, close, close, close, close, lost, quoted=False)
            for quiet in range(max(t + span_ms, first), end, span_ms)
        ]
    return slots
