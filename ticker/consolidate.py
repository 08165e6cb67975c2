"""Consolidated symbols: `BTC-USD` follows its best live venue and says which one that is.

A stage of the store's flush. For each instrument the venues stand in configured order; the first live one is the
source. A source that is no longer live is left at once; a better one that comes back must first stay live for
`failback_after_s`. Prices are never blended, and never taken from a worse kind of feed than the best one that the
instrument has: an invented price does not stand in for a real one, nor does it before the real ones have come.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ticker.model import KINDS
from ticker.record import INDEX, Follow, Record

_STATE = 1 << INDEX["state"]
_RECORDED = KINDS.index("replay")
"""From this kind on prices are none of now."""
RETURNS = 500
"""So many instruments that waited are looked at in one flush: those of a feed that was away are all due at once."""

Rank = tuple[int, int]
"""Place of a venue symbol: its feed's kind, then its feed's place in the configuration; smaller is better."""


@dataclass(slots=True)
class Instrument:
    """One consolidated symbol.

    Attributes:
        venues: its venue symbols, best first, each with its rank.
        live_since: when a venue symbol last became live, monotonic seconds; -inf if it always was.
        source: the venue symbol that it follows.
        left: the one that it followed before.
        turned_at: when it left that, monotonic seconds.
        asked_at: when it is asked next whether it may return to a better one, monotonic seconds.
    """

    name: str
    venues: list[tuple[Rank, str]] = field(default_factory=list)
    live_since: dict[str, float] = field(default_factory=dict)
    source: str | None = None
    left: str | None = None
    turned_at: float = float("-inf")
    asked_at: float = float("inf")


class Consolidator:
    """The derive stage of a store.

    Args:
        lookup: a visible record by its symbol.
        rank: the rank of a venue symbol.
        failback_after_s: how long a better source must be live before it is taken again.
        awaited: whether feeds of real prices have not delivered yet, any of which may have any instrument.
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
        self._withheld: dict[str, None] = {}  # instruments that nobody but a recording or a simulation has, so far
        self._order = itertools.count()

    def due(self, now: float) -> bool:
        """Whether the next flush would look at instruments that have waited."""
        if self._withheld and not self._awaited():
            return True
        return bool(self._failbacks) and self._failbacks[0][0] <= now

    def venues(self, name: str) -> list[str]:
        """The venue symbols of an instrument, best first."""
        instrument = self._instruments.get(name)
        return [symbol for _, symbol in instrument.venues] if instrument else []

    def turn(self, name: str) -> tuple[str, float] | None:
        """The venue symbol that an instrument followed before, and when it left that, monotonic seconds."""
        instrument = self._instruments.get(name)
        return (instrument.left, instrument.turned_at) if instrument and instrument.left else None

    def derive(self, changed: list[Record], gone: list[str], now: float) -> Iterable[Follow]:
        """Whom instruments follow from now on, each at most once; only a state or a removal can change that."""
        follows: dict[str, Follow] = {}
        reconsider: dict[str, None] = {}
        for symbol in gone:
            name = symbol.partition(":")[2]
            if (instrument := self._instruments.get(name)) is not None:
                instrument.venues = [v for v in instrument.venues if v[1] != symbol]
                instrument.live_since.pop(symbol, None)
                reconsider[name] = None
        instruments = self._instruments
        for record in changed:
            name = record.instrument
            if not name or not record.mask & _STATE:
                continue
            instrument = instruments.get(name)
            if instrument is None:
                instrument = instruments[name] = Instrument(name)
            self._note_state(instrument, record, now)
            reconsider[name] = None
            if record.key == instrument.source:  # perhaps it was removed and is another record now
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
                instrument.asked_at = float("inf")
                reconsider[name] = None
        for name in reconsider:
            follow = self._choose(self._instruments.get(name), now)
            if follow is not None:
                follows[name] = follow
        return follows.values()

    def _note_state(self, instrument: Instrument, record: Record, now: float) -> None:
        symbol = record.key
        live = record.values[INDEX["state"]] == "live"
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
            instrument.left, instrument.turned_at = source, now
        instrument.source = chosen
        return instrument.name, record

    def _failback(self, instrument: Instrument, better: list[str], now: float) -> str | None:
        """The best of the better sources that has been live long enough; the others are asked again later."""
        for symbol in better:
            ready_at = instrument.live_since[symbol] + self._failback_after_s
            if ready_at <= now:
                return symbol
            if ready_at < instrument.asked_at:  # one that flaps is not to be asked for each time
                instrument.asked_at = ready_at
                heapq.heappush(self._failbacks, (ready_at, next(self._order), instrument.name))
        return None
