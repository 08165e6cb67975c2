"""Historical bars from the venues: fetched on demand, kept for a while, never more than needed.

A bar that has ended does not change, so it is fetched only once; later requests ask for what is newer, or older.
Concurrent requests for the same wait for one answer. A venue that fails or is slow costs its reader one deadline;
then it is left alone for a while, and there is simply no past.
"""

from __future__ import annotations

import asyncio
import logging
import math
import struct
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ticker.clock import Clock
from ticker.model import Bar

MAX_BARS = 1440
"""Bars kept per symbol and interval."""
AT_ONCE = 2
"""Concurrent requests to one venue: its rate budget is not meant for charts."""
PAUSE_MS = (5000, 60_000)
"""The same is requested again after the length of one bar, but no sooner and no later than this."""
ENTRY_BYTES = 1000
"""What an entry takes in addition to its bars."""

History = Callable[[str, int, int], Awaitable[list[Bar]]]
"""A feed's `history(symbol, interval_s, limit)`."""

log = logging.getLogger("ticker.past")
_CELL = struct.Struct("<q5d")


@dataclass(slots=True)
class VenueBars:
    """What a venue delivered of one symbol's bars of one length.

    Attributes:
        first, until: everything between was requested; bars that ended by `until` are final.
        again_at: when it may be requested again.
        failed: whether the last request failed.
    """

    first: int = 0
    until: int = 0
    again_at: int = 0
    failed: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    cells: bytes = b""

    def covers(self, first: int, end: int) -> bool:
        """Whether all that the venue knows of a span of time is here."""
        return self.first <= first and end <= self.until

    def bars(self, first: int, span_ms: int) -> dict[int, Bar]:
        """The bars from `first` on, by their start."""
        count = max(0, (self.until - first) // span_ms + 2)
        newest = self.cells[max(0, len(self.cells) - count * _CELL.size) :]
        return {
            t: Bar(t, open_, high, low, close, None if math.isnan(volume) else volume)
            for t, open_, high, low, close, volume in _CELL.iter_unpack(newest)
            if t >= first
        }

    @property
    def bytes(self) -> int:
        return ENTRY_BYTES + len(self.cells)


@dataclass(slots=True)
class Venue:
    """A feed that has a history. `local` means that requests cost no one else anything: there is no real venue."""

    name: str
    history: History
    local: bool
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    failing: bool = False

    def fail(self, message: str) -> None:
        """A request failed; only the first failure in a row is logged."""
        if not self.failing:
            log.warning(message, extra={"feed": self.name, "history": "failed"})
        self.failing = True


class Past:
    """All historical bars that venues delivered.

    Args:
        clock: the service's clock.
        max_bytes: beyond it the least recently used entries are dropped.
        deadline_s: how long a reader waits.
    """

    def __init__(self, clock: Clock, max_bytes: int, deadline_s: float = 5.0) -> None:
        self.bytes = 0
        self._clock = clock
        self._max_bytes = max_bytes
        self._deadline_s = deadline_s
        self._venues: dict[str, Venue] = {}
        self._known: OrderedDict[tuple[str, int], VenueBars] = OrderedDict()

    def offer(self, feed: str, history: History, *, local: bool) -> None:
        """Register a feed that has a history of its symbols."""
        self._venues[feed] = Venue(feed, history, local)

    def forget(self) -> None:
        """Drop everything: what was fetched until when was dated by a clock that was wrong."""
        self._known.clear()
        self.bytes = 0

    def is_local(self, symbol: str) -> bool:
        """Whether a venue symbol's past can be had without a request to a real venue."""
        venue = self._venue(symbol)
        return venue is not None and venue.local

    def known(self, symbol: str, span_ms: int) -> VenueBars:
        """What is known of a venue symbol already, without a request."""
        key = symbol, span_ms
        if key not in self._known:
            return VenueBars()
        self._known.move_to_end(key)
        return self._known[key]

    async def fetch(self, symbol: str, span_ms: int, first: int) -> None:
        """Fetch a symbol's bars, from the one that begins at `first`, if the venue can tell and may be asked now."""
        venue = self._venue(symbol)
        if venue is None:
            return
        key = symbol, span_ms
        if key not in self._known:
            self._known[key] = VenueBars()
            self._grow(ENTRY_BYTES)
        entry = self._known[key]
        try:
            async with asyncio.timeout(self._deadline_s), entry.lock:
                now = self._clock.wall_ms()
                if now >= entry.again_at or (first < entry.first and not entry.failed):
                    entry.again_at = now + min(max(span_ms, PAUSE_MS[0]), PAUSE_MS[1])
                    await self._request(venue, key, entry, first, now)
        except TimeoutError:
            venue.fail(f"no answer within {self._deadline_s:g} s")

    async def _request(self, venue: Venue, key: tuple[str, int], entry: VenueBars, first: int, now: int) -> None:
        symbol, span_ms = key
        entry.failed = True  # until it succeeds: the deadline may cancel this at any await
        oldest = now - now % span_ms - (MAX_BARS - 1) * span_ms
        continues = entry.covers(first, first)
        # The bar that was open at the last request, and all later ones, are not final yet.
        begin = max(entry.until - entry.until % span_ms if continues else first, oldest)
        try:
            async with venue.gate:
                bars = await venue.history(symbol, span_ms // 1000, (now - begin) // span_ms + 1)
        except Exception as error:  # noqa: BLE001 - a feed's failure or bug must not hide what was recorded here
            venue.fail(f"{type(error).__name__}: {error}")
            return
        venue.failing = entry.failed = False
        kept = entry.bars(max(entry.first, oldest), span_ms) if continues else {}
        kept.update((bar.t, bar) for bar in bars if bar.t >= begin)
        before = entry.bytes
        entry.cells = b"".join(_packed(kept[t]) for t in sorted(kept))
        entry.first, entry.until = max(entry.first, oldest) if continues else begin, now
        if self._known.get(key) is entry:
            self._grow(entry.bytes - before)

    def _venue(self, symbol: str) -> Venue | None:
        return self._venues.get(symbol.partition(":")[0])

    def _grow(self, grown: int) -> None:
        self.bytes += grown
        while self.bytes > self._max_bytes:
            _, entry = self._known.popitem(last=False)
            self.bytes -= entry.bytes


def _packed(bar: Bar) -> bytes:
    return _CELL.pack(*bar[:5], math.nan if bar.volume is None else bar.volume)
