"""All recorded prices, in memory: a tape for each consolidated symbol, and for each venue symbol that was asked for.

Quotes are folded as they arrive, before conflation, so that highs and lows between two flushes count. A consolidated
symbol takes the quotes of its current source: the flush says when that changes, so a tick costs one look-up, and the
tick of a venue that no symbol follows costs no more. Consolidated symbols are recorded from their birth on, venue
symbols from the first request on.

There is one budget of bytes, of which venues' bars may take a part. When it is full, symbols that nobody requested lose
their bars of seconds, then all bars; then the others do, the least recently requested first.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable

from ticker.bars import SECONDS, TAPE_BYTES, Ring, Tape
from ticker.clock import Clock
from ticker.model import Quote
from ticker.past import Past
from ticker.record import PLACES, Flush, Record

SLEPT_MS = 5000
"""If no tick comes for longer than this, the process or its machine stood still, and data is missing."""
SET_BACK_MS = 60_000
"""If the clock is set back by more than a minute's bar, the bars were dated wrongly: all are dropped."""

_SOURCE = PLACES["source"][1]
_TURN = _SOURCE | PLACES["state"][1]
_LOST = frozenset({"stale", "down"})
"""States in which data is missing. A halted or closed market is known to be quiet."""


class Tapes:
    """A listener of intake and store.

    Args:
        past: the venues' bars, which count against the same budget.
        clock: the service's clock.
        max_bytes: the budget.
    """

    def __init__(self, past: Past, clock: Clock, max_bytes: int) -> None:
        self._past = past
        self._clock = clock
        self._max_bytes = max_bytes
        self._own_bytes = 0
        self._ticked_ms = math.nan
        self._tapes: dict[str, Tape] = {}
        self._listeners: dict[str, tuple[Tape, ...]] = {}  # by the venue symbol whose quotes they take
        # In order of eviction: never requested, with and without bars of seconds; requested, with and without.
        self._shelves: tuple[OrderedDict[str, Tape], ...] = tuple(OrderedDict() for _ in range(4))

    @property
    def bytes(self) -> int:
        """What all history takes, in bytes, with the venues' bars."""
        return self._own_bytes + self._past.bytes

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
            self._past.forget()
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
                if record.born == flush.version and not record.instrument:
                    self._record(record, self._shelves[0])
            elif turned & _SOURCE and not record.instrument:
                self._grow(self._tune(tape, record, wall_ms))
            else:
                self._grow(tape.mark(record.get("state") in _LOST, wall_ms))

    def requested(self, record: Record, *, seconds: bool) -> Tape:
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

    def make_room(self) -> None:
        """Drop what exceeds the budget; to be called when the venues' bars have grown, too."""
        while self.bytes > self._max_bytes:
            n, shelf = next((n, shelf) for n, shelf in enumerate(self._shelves) if shelf)
            symbol, tape = next(iter(shelf.items()))
            if tape.seconds is None:
                self._drop(symbol)
            else:
                self._own_bytes -= tape.seconds.bytes
                tape.seconds = None
                self._shelves[n + 1][symbol] = shelf.pop(symbol)

    # Inside

    def _grow(self, grown: int) -> None:
        self._own_bytes += grown
        self.make_room()

    def _record(self, record: Record, shelf: OrderedDict[str, Tape]) -> Tape:
        tape = self._tapes[record.key] = shelf[record.key] = Tape()
        self._grow(TAPE_BYTES + self._tune(tape, record, self._clock.wall_ms()))
        return tape

    def _tune(self, tape: Tape, record: Record, wall_ms: int) -> int:
        """Let a tape follow what its record follows now. Returns the bytes that it grew by."""
        self._mute(tape)
        source = record.key if record.instrument else f"{record.get('source')}:{record.key}"
        self._listeners[source] = (*self._listeners.get(source, ()), tape)
        grown = tape.follow(source, {name: record.get(name) for name in ("last", "bid", "ask")}, wall_ms)
        return grown + tape.mark(record.get("state") in _LOST, wall_ms)

    def _mute(self, tape: Tape) -> None:
        others = tuple(other for other in self._listeners.pop(tape.source, ()) if other is not tape)
        if others:
            self._listeners[tape.source] = others

    def _drop(self, symbol: str) -> None:
        tape = self._tapes.pop(symbol, None)
        if tape is not None:
            self._mute(tape)
            self._own_bytes -= tape.bytes
            for shelf in self._shelves:
                shelf.pop(symbol, None)
