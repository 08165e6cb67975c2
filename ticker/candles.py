"""The recent past of every price: bars and sparklines, of what was recorded here and of the venues' own bars.

An answer prefers what was recorded here. Where that has a gap, or does not reach back far enough, the venue's own bar
is used, if the feed has a history. A volume is always the venue's, and only given for a bar that has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable, Iterator
from typing import NamedTuple

from ticker.bars import MINUTE_MS, SECOND_MS, Slot, Tape
from ticker.clock import Clock
from ticker.model import BAR_LENGTHS_MS, Bar
from ticker.past import Past
from ticker.record import Record
from ticker.tapes import Tapes


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
    """All that is known of the past.

    Attributes:
        past: the venues' bars, which may take a quarter of the memory.
        tapes: what was recorded here.

    Args:
        clock: the service's clock.
        max_bytes: how much both may take.
    """

    def __init__(self, clock: Clock, max_bytes: int) -> None:
        self.past = Past(clock, max_bytes // 4)
        self.tapes = Tapes(self.past, clock, max_bytes)
        self._clock = clock

    @property
    def bytes(self) -> int:
        """What all history takes, in bytes."""
        return self.tapes.bytes

    async def bars(self, record: Record, interval: str, limit: int) -> tuple[int | None, list[Row]]:
        """The newest bars of a symbol, and since when it has been recorded, ms; None if it has had no price yet.

        Intervals are left out for which neither we nor the venue know a price.
        """
        span_ms = BAR_LENGTHS_MS[interval]
        tape = self.tapes.requested(record, seconds=span_ms == SECOND_MS)
        first, last = self._window(span_ms, limit)
        slots = tape.slots(span_ms, first, last)
        if (lacking := self._lacking(tape, slots, span_ms, range(first, last, span_ms))) is not None:
            await self.past.fetch(tape.source, span_ms, lacking)
            self.tapes.make_room()
            first, last = self._window(span_ms, limit)
            slots = tape.slots(span_ms, first, last)
        return tape.since, list(self._rows(tape, slots, span_ms, first, last))

    async def closes(
        self, records: Iterable[Record], points: int
    ) -> tuple[int, Iterator[tuple[Record, list[float | None]]]]:
        """The end of the newest minute, which is still open, and the closes of the last `points` ones; None if unknown.

        Each symbol's are put together as they are taken. Venues are not asked, since a hundred requests would be too
        many; local feeds are.
        """
        tapes = {record: self.tapes.requested(record, seconds=False) for record in records}
        first, last = self._window(MINUTE_MS, points)
        minutes = range(first, last, MINUTE_MS)
        local = [tape for tape in tapes.values() if self.past.is_local(tape.source)]
        lacking = [(tape, self._uncovered(tape, MINUTE_MS, minutes, _known(tape, first, last))) for tape in local]
        await asyncio.gather(*(self.past.fetch(tape.source, MINUTE_MS, t) for tape, t in lacking if t is not None))
        self.tapes.make_room()
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
        whole = {slot.t for slot in slots if not slot.gap}
        lacking = self._uncovered(tape, span_ms, closed, () if self.past.is_local(tape.source) else whole)
        if lacking is not None or closed.stop in whole:
            return lacking
        until = self.past.known(tape.source, span_ms).until
        return None if until >= max(closed.stop, tape.whole_since) else closed.stop

    def _uncovered(self, tape: Tape, span_ms: int, closed: range, enough: Container[int]) -> int | None:
        """The first interval that is neither known well enough nor has been asked for since it ended."""
        known = self.past.known(tape.source, span_ms)
        return next((t for t in closed if t not in enough and not known.covers(t, t + span_ms)), None)

    def _rows(self, tape: Tape, slots: Iterable[Slot], span_ms: int, first: int, last: int) -> Iterator[Row]:
        ours = {slot.t: slot for slot in slots}
        known = self.past.known(tape.source, span_ms)
        theirs = known.bars(first, span_ms)
        for t in range(first, last + 1, span_ms):
            final = known.covers(t, t + span_ms)
            row = _row(ours.get(t), theirs.get(t), final=final, whole=known.until >= tape.whole_since)
            if row is not None:
                yield row if t < last else row._replace(flags="o" + row.flags)

    def _closes(self, tape: Tape, first: int, last: int) -> list[float | None]:
        rows = self._rows(tape, _known(tape, first, last).values(), MINUTE_MS, first, last)
        closes = {row.t: row.close for row in rows}
        return [closes.get(t) for t in range(first, last + 1, MINUTE_MS)]


def _known(tape: Tape, first: int, last: int) -> dict[int, Slot]:
    """The minutes of which a close was recorded here: not those that were nothing but gap."""
    return {slot.t: slot for slot in tape.slots(MINUTE_MS, first, last) if slot.quoted or not slot.gap}


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
