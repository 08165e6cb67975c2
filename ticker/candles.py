"""The recent past of every price, in memory: recorded bars and sparklines, completed by the venues' own bars.

Quotes are folded as they arrive, before conflation, so that highs and lows between two flushes count. A consolidated
symbol takes the quotes of its current source: the flush says when that changes, so a tick costs one look-up, and the
tick of a venue that no symbol follows costs no more. Consolidated symbols are recorded from their birth on, venue
symbols from the first request on.

All of it stays below one budget of bytes. When that is full, symbols that nobody requested lose their bars of
seconds, then all bars; then the others do, the least recently requested first. Venues' bars may take a quarter.

An answer prefers what was recorded here. Where that has a gap, or does not reach back far enough, the venue's own bar
is used, if the feed has a history. A volume is always the venue's, and only given for a bar that has ended.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from ticker.bars import MINUTE_MS, SECOND_MS, SECONDS, TAPE_BYTES, Ring, Slot, Tape
from ticker.clock import Clock
from ticker.model import BAR_LENGTHS_MS, Bar, Quote
from ticker.past import Past
from ticker.record import INDEX, Flush, Record

SLEPT_MS = 5000
"""If no tick comes for longer than this, the process or its machine stood still, and data is missing."""
SET_BACK_MS = 60_000
"""If the clock is set back by more than a minute's bar, the bars were dated wrongly: all are dropped."""

_SOURCE = 1 << INDEX["source"]
_TURN = _SOURCE | 1 << INDEX["state"]
_LOST = frozenset({"stale", "down"})
"""States in which data is missing. A halted or closed market is known to be quiet."""


class Row(NamedTuple):
    """One bar of an answer. Flags: `o` still open, `g` data was missing, `v` the venue's own."""

    t: int
    open: float
    high: float
    low: float
    close: float
    volume: float | None
    flags: str


class Candles:
    """A listener of intake and store.

    Args:
        lookup: a visible record by its symbol.
        clock: the service's clock.
        max_bytes: the budget.
    """

    def __init__(self, lookup: Callable[[str], Record | None], clock: Clock, max_bytes: int) -> None:
        self.past = Past(clock, max_bytes // 4)
        self._lookup = lookup
        self._clock = clock
        self._max_bytes = max_bytes
        self._tape_bytes = 0
        self._ticked_ms = math.nan
        self._tapes: dict[str, Tape] = {}
        self._listeners: dict[str, tuple[Tape, ...]] = {}  # by the venue symbol whose quotes they take
        # In order of eviction: never requested, with and without bars of seconds; requested, with and without.
        self._shelves: tuple[OrderedDict[str, Tape], ...] = tuple(OrderedDict() for _ in range(4))

    @property
    def bytes(self) -> int:
        """What all history takes, in bytes."""
        return self._tape_bytes + self.past.bytes

    # Listening

    def take(self, quotes: Iterable[Quote], wall_ms: int) -> None:
        """Quotes were accepted."""
        if wall_ms - self._ticked_ms > SLEPT_MS:
            self.tick()
        grown, listeners = 0, self._listeners
        for symbol, values, _, _ in quotes:
            if symbol in listeners:
                for tape in listeners[symbol]:
                    grown += tape.take(values, wall_ms)
        if grown:
            self._grow(grown)

    def tick(self) -> None:
        """Called often, to notice that the process stood still, or that the clock was set back."""
        now, before = self._clock.wall_ms(), self._ticked_ms
        self._ticked_ms = now
        if now - before > SLEPT_MS:
            self._grow(sum(tape.lose(int(before), now) for tape in self._tapes.values()))
        elif before - now > SET_BACK_MS:
            self.past.forget()
            self._grow(sum(tape.restart(now) for tape in self._tapes.values()))

    def flushed(self, flush: Flush) -> None:
        """Records have changed: symbols were born or are gone, sources and states are different."""
        wall_ms = self._clock.wall_ms()
        for symbol in flush.gone:
            self._drop(symbol)
        for record in flush.changed:
            turned = record.mask & _TURN  # never of a feed's record: it has fewer fields
            if not turned:
                continue
            tape = self._tapes.get(record.key)
            if tape is None:
                if record.born == flush.version and _is_consolidated(record):
                    self._record(record, self._shelves[0])
            elif turned & _SOURCE and _is_consolidated(record):
                self._grow(self._tune(tape, record, wall_ms))
            else:
                self._grow(tape.mark(record.get("state") in _LOST, wall_ms))

    # Answering

    async def bars(self, record: Record, interval: str, limit: int) -> tuple[int | None, list[Row]]:
        """The newest bars of a symbol, and since when it has been recorded, ms; None if it has had no price yet.

        Intervals are left out for which neither we nor the venue know a price.
        """
        span_ms = BAR_LENGTHS_MS[interval]
        tape = self._asked(record, seconds=span_ms == SECOND_MS)
        first, last = self._window(span_ms, limit)
        slots = tape.slots(span_ms, first, last)
        if (lacking := self._lacking(tape, slots, span_ms, range(first, last, span_ms))) is not None:
            await self.past.fetch(tape.source, span_ms, lacking)
            self._grow(0)
            first, last = self._window(span_ms, limit)
            slots = tape.slots(span_ms, first, last)
        ours = {slot.t: slot for slot in slots}
        known = self.past.known(tape.source, span_ms)
        theirs = known.bars(first, span_ms)
        rows = []
        for t in range(first, last + 1, span_ms):
            final = known.covers(t, t + span_ms)
            row = _row(ours.get(t), theirs.get(t), final=final, whole=known.until >= tape.whole_since)
            if row is not None:
                rows.append(row if t < last else row._replace(flags="o" + row.flags))
        return tape.since, rows

    async def closes(
        self, records: Iterable[Record], points: int
    ) -> tuple[int, Iterator[tuple[Record, list[float | None]]]]:
        """The end of the newest minute, which is still open, and the closes of the last `points` ones; None if unknown.

        Each symbol's are put together as they are taken. Venues are not asked, since a hundred requests would be too
        many; local feeds are.
        """
        tapes = {record: self._asked(record, seconds=False) for record in records}
        first, last = self._window(MINUTE_MS, points)
        local = [tape for tape in tapes.values() if self.past.is_local(tape.source)]
        lacking = [(tape, self._unknown_close(tape, first, last)) for tape in local]
        await asyncio.gather(*(self.past.fetch(tape.source, MINUTE_MS, t) for tape, t in lacking if t is not None))
        self._grow(0)
        first, last = self._window(MINUTE_MS, points)
        return last + MINUTE_MS, ((record, self._closes(tape, first, last)) for record, tape in tapes.items())

    # Inside

    def _window(self, span_ms: int, count: int) -> tuple[int, int]:
        """The starts of the first and the last of this many intervals, of which the last is the current one."""
        now = self._clock.wall_ms()
        last = now - now % span_ms
        return last - (count - 1) * span_ms, last

    def _lacking(self, tape: Tape, slots: list[Slot], span_ms: int, closed: range) -> int | None:
        """The first interval that only the venue can complete, and has not; a local one is asked for volumes, too."""
        known = self.past.known(tape.source, span_ms)
        whole = {slot.t for slot in slots if not slot.gap}
        enough = set() if self.past.is_local(tape.source) else whole
        for t in closed:
            if t not in enough and not known.covers(t, t + span_ms):
                return t
        return None if closed.stop in whole or known.until >= max(closed.stop, tape.whole_since) else closed.stop

    def _unknown_close(self, tape: Tape, first: int, last: int) -> int | None:
        known = self.past.known(tape.source, MINUTE_MS)
        ours = _known_closes(tape, first, last)
        minutes = range(first, last, MINUTE_MS)
        return next((t for t in minutes if t not in ours and not known.covers(t, t + MINUTE_MS)), None)

    def _closes(self, tape: Tape, first: int, last: int) -> list[float | None]:
        known = self.past.known(tape.source, MINUTE_MS)
        theirs = known.bars(first, MINUTE_MS)
        final = {t for t in theirs if known.covers(t, t + MINUTE_MS)}
        closes = {t: bar.close for t, bar in theirs.items()} | _known_closes(tape, first, last, final)
        return [closes.get(t) for t in range(first, last + 1, MINUTE_MS)]

    def _asked(self, record: Record, *, seconds: bool) -> Tape:
        """The tape of a requested symbol; begun, or given bars of seconds again, if need be."""
        tape = self._tapes.get(record.key)
        if tape is None:
            return self._record(record, self._shelves[2])
        for shelf in self._shelves:
            shelf.pop(record.key, None)
        if seconds and tape.seconds is None:
            tape.seconds = Ring(SECONDS)
        self._shelves[2 if tape.seconds is not None else 3][record.key] = tape
        return tape

    def _record(self, record: Record, shelf: OrderedDict[str, Tape]) -> Tape:
        tape = self._tapes[record.key] = shelf[record.key] = Tape()
        self._grow(TAPE_BYTES + self._tune(tape, record, self._clock.wall_ms()))
        return tape

    def _tune(self, tape: Tape, record: Record, wall_ms: int) -> int:
        """Let a tape follow what its record follows now. Returns the bytes that it grew by."""
        self._mute(tape)
        source = f"{record.get('source')}:{record.key}" if _is_consolidated(record) else record.key
        self._listeners[source] = (*self._listeners.get(source, ()), tape)
        grown = tape.follow(source, {name: record.get(name) for name in ("last", "bid", "ask")}, wall_ms)
        return grown + tape.mark(record.get("state") in _LOST, wall_ms)

    def _mute(self, tape: Tape) -> None:
        others = tuple(other for other in self._listeners.pop(tape.source, ()) if other is not tape)
        if others:
            self._listeners[tape.source] = others

    def _grow(self, grown: int) -> None:
        """Count bytes more; make room if they are too many."""
        self._tape_bytes += grown
        while self.bytes > self._max_bytes:
            n, shelf = next((n, shelf) for n, shelf in enumerate(self._shelves) if shelf)
            symbol, tape = next(iter(shelf.items()))
            if tape.seconds is None:
                self._drop(symbol)
            else:
                self._tape_bytes -= tape.seconds.bytes
                tape.seconds = None
                self._shelves[n + 1][symbol] = shelf.pop(symbol)

    def _drop(self, symbol: str) -> None:
        tape = self._tapes.pop(symbol, None)
        if tape is not None:
            self._mute(tape)
            self._tape_bytes -= tape.bytes
            for shelf in self._shelves:
                shelf.pop(symbol, None)


def _is_consolidated(record: Record) -> bool:
    return ":" not in record.key


def _known_closes(tape: Tape, first: int, last: int, final: Collection[int] = ()) -> dict[int, float]:
    """The closes recorded here, but for minutes with a gap for which the venue has a final bar."""
    slots = tape.slots(MINUTE_MS, first, last)
    return {slot.t: slot.close for slot in slots if not slot.gap or (slot.quoted and slot.t not in final)}


def _row(ours: Slot | None, theirs: Bar | None, *, final: bool, whole: bool) -> Row | None:
    """One bar from what was recorded and the venue's own.

    `final` is whether the bar had ended when the venue told it, `whole` whether no data has been missing since then.
    """
    if ours is not None and not ours.gap:
        return Row(*ours[:5], theirs.volume if theirs and final else None, "")
    if theirs is None:
        return None if ours is None else Row(*ours[:5], None, "g")
    if final:
        return Row(*theirs, "v")
    # The venue knows how it began, we know the rest, if there was any; the venue's volume is out of date.
    if ours is None or not ours.quoted:
        return Row(*theirs[:5], None, "gv")
    high, low = max(ours.high, theirs.high), min(ours.low, theirs.low)
    return Row(theirs.t, theirs.open, high, low, ours.close, None, "v" if whole else "gv")
