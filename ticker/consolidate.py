"""Consolidated symbols: `BTC-USD` follows its best live venue and says which one that is.

A stage of the store's flush. Each instrument has its venues in configured order; the first live one is the source. A
source that is no longer live is left at once; a better one that comes back must first stay live for
`failback_after_s`. Prices are never blended, and never taken from a worse kind of feed than the best one that the
instrument has: a simulated price never stands in for a real one, not even before the real ones have arrived.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ticker.model import KINDS
from ticker.record import PLACES, Follow, Record

_STATE, _STATE_BIT = PLACES["state"]
_RECORDED = KINDS.index("replay")
"""From this kind on prices are not current."""
RETURNS = 500
"""How many waiting instruments one flush reconsiders: after an outage those of a feed are all due at once."""

Rank = tuple[int, int]
"""Preference of a venue symbol: its feed's kind, then its feed's place in the configuration; smaller is better."""


@dataclass(slots=True)
class Instrument:
    """One consolidated symbol.

    Attributes:
        venues: its venue symbols, best first, each with its rank.
        live_since: when a venue symbol last became live, monotonic seconds; -inf if it always was.
        source: the venue symbol that it follows.
        left: its previous source.
        left_at: when it left that, monotonic seconds.
        failback_at: when a return to a better source is considered next, monotonic seconds.
    """

    name: str
    venues: list[tuple[Rank, str]] = field(default_factory=list)
    live_since: dict[str, float] = field(default_factory=dict)
    source: str | None = None
    left: str | None = None
    left_at: float = float("-inf")
    failback_at: float = float("inf")


class Consolidator:
    """The derive stage of a store.

    Args:
        lookup: a visible record by its symbol.
        rank: the rank of a venue symbol.
        failback_after_s: how long a better source must be live before it is taken again.
        awaited: whether any feed of real prices has yet to deliver; it may have any instrument.
    """

    def __init__(
        self,
        lookup: Callable[[str], Record | None],
        rank: Callable[[str], Rank],
        failback_after_s: float,
        awaited: Callable[[], bool] = lambda: False,
    ) -> None:
        self._lookup = lookup
        self._rank = rank
        self._failback_after_s = failback_after_s
        self._awaited = awaited
        self._instruments: dict[str, Instrument] = {}
        self._failbacks: list[tuple[float, int, str]] = []
        self._withheld: dict[str, None] = {}  # instruments that only recordings or simulations have so far
        self._order = itertools.count()

    def due(self, now: float) -> bool:
        """Whether waiting instruments are due to be reconsidered."""
        if self._withheld and not self._awaited():
            return True
        return bool(self._failbacks) and self._failbacks[0][0] <= now

    def venues(self, name: str) -> list[str]:
        """The venue symbols of an instrument, best first."""
        instrument = self._instruments.get(name)
        return [symbol for _, symbol in instrument.venues] if instrument else []

    def turn(self, name: str) -> tuple[str, float] | None:
        """The previous source of an instrument, and when it was left, monotonic seconds."""
        instrument = self._instruments.get(name)
        return (instrument.left, instrument.left_at) if instrument and instrument.left else None

    def derive(self, changed: list[Record], gone: list[str], now: float) -> Iterable[Follow]:
        """What instruments follow from now on, each at most once; only a new state or a removal can alter that."""
        instruments = self._instruments
        follows: dict[str, Follow] = {}
        reconsider: dict[str, None] = {}
        for symbol in gone:
            name = symbol.partition(":")[2]
            if (instrument := instruments.get(name)) is not None:
                instrument.venues = [v for v in instrument.venues if v[1] != symbol]
                instrument.live_since.pop(symbol, None)
                reconsider[name] = None
        for record in changed:
            name = record.instrument
            if not name or not record.mask & _STATE_BIT:
                continue
            instrument = instruments.get(name)
            if instrument is None:
                instrument = instruments[name] = Instrument(name)
            self._note_state(instrument, record, now)
            reconsider[name] = None
            if record.key == instrument.source:  # it may have been removed and reborn as another record
                follows[name] = name, record
        free = not self._awaited()
        for _ in range(RETURNS):
            if free and self._withheld:
                name, _ = self._withheld.popitem()
            elif self._failbacks and self._failbacks[0][0] <= now:
                name = heapq.heappop(self._failbacks)[2]
            else:
                break
            if (instrument := instruments.get(name)) is not None:
                instrument.failback_at = float("inf")
                reconsider[name] = None
        for name in reconsider:
            follow = self._choose(instruments.get(name), now)
            if follow is not None:
                follows[name] = follow
        return follows.values()

    def _note_state(self, instrument: Instrument, record: Record, now: float) -> None:
        symbol = record.key
        live = record.values[_STATE] == "live"
        if all(symbol != known for _, known in instrument.venues):
            instrument.venues.append((self._rank(symbol), symbol))
            instrument.venues.sort()
            if live:
                instrument.live_since[symbol] = float("-inf")
        elif not live:
            instrument.live_since.pop(symbol, None)
        else:
            instrument.live_since.setdefault(symbol, now)

    def _choose(self, instrument: Instrument | None, now: float) -> Follow | None:
        if instrument is None:
            return None
        if not instrument.venues:
            del self._instruments[instrument.name]
            return instrument.name, None
        best_kind = instrument.venues[0][0][0]
        if best_kind >= _RECORDED and instrument.source is None and self._awaited():
            self._withheld[instrument.name] = None
            return None
        candidates = [symbol for (kind, _), symbol in instrument.venues if kind == best_kind]
        live = [symbol for symbol in candidates if symbol in instrument.live_since]
        source = instrument.source
        if source in live:
            chosen = self._failback(instrument, live[: live.index(source)], now) or source
        elif live:
            chosen = live[0]
        else:
            chosen = source if source in candidates else candidates[0]
        if chosen == source:
            return None
        record = self._lookup(chosen)
        assert record is not None
        if source is not None:
            instrument.left, instrument.left_at = source, now
        instrument.source = chosen
        return instrument.name, record

    def _failback(self, instrument: Instrument, better: list[str], now: float) -> str | None:
        """The best of the better sources that has been live long enough; the others are reconsidered later."""
        for symbol in better:
            ready_at = instrument.live_since[symbol] + self._failback_after_s
            if ready_at <= now:
                return symbol
            if ready_at < instrument.failback_at:  # one that flaps must not queue another entry each time
                instrument.failback_at = ready_at
                heapq.heappush(self._failbacks, (ready_at, next(self._order), instrument.name))
        return None
