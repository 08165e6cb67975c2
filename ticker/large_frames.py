"""Large frames: made a slice at a time, once for all readers who want the same at about the same time.

After a restart all readers come back at once, and many want everything; after a network outage they want all that has
changed since. Encoding and joining that for each of them would take minutes.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

from ticker import protocol
from ticker.clock import Clock
from ticker.protocol import Frame
from ticker.quota import Quota
from ticker.selection import Selection
from ticker.slices import Line, feed_pieces
from ticker.store import Store

KEEP_S = 1.0
"""How long a snapshot is kept: readers who come meanwhile get it, too, and then what has changed since."""
PAYS_BYTES = 16_384
"""A frame of at least this size is worth compressing even for one reader."""


@dataclass(slots=True)
class Large:
    """One frame.

    Attributes:
        making: the steps that make it.
        frame: it, once it is made.
        at: when that was, monotonic seconds.
        wanted: how many readers wait for it. Once there are none it is dropped: others wait until it is made.
    """

    making: Generator[None, None, None]
    frame: Frame | None = None
    at: float = 0.0
    wanted: int = 0


class LargeFrames:
    """The large frames that are being made or were made lately.

    Args:
        store: what they tell of.
        line: where they are made.
        quota: what making one counts against.
        clock: the service's clock.
    """

    def __init__(self, store: Store, line: Line, quota: Quota, clock: Clock) -> None:
        self._store = store
        self._line = line
        self._quota = quota
        self._clock = clock
        self._known: dict[tuple[Selection, int | None], Large] = {}

    def take(
        self, address: str, selection: Selection, rows: int, since: int | None, least: int
    ) -> Iterator[Frame | None]:
        """Yield None at each pause, then a snapshot or an update since a version; none in the case of `Line.make`.

        Readers who want the same meanwhile share the work. A frame older than version `least` is not used: no reader
        may go back in time.

        Raises:
            ProtocolError: `overloaded`, for an address that would be the first to want it; without an id.
        """
        large = self._known.get((selection, since))
        if large is not None and (large.frame is None or large.frame.version >= least):
            yield from self._made(large, selection, since)
            return
        with self._quota.in_hand(address, rows):
            self._quota.check_snapshot(address, rows)
            large = self._known[selection, since] = self._begun(address, selection, since)
            yield from self._made(large, selection, since)

    def _made(self, large: Large, selection: Selection, since: int | None) -> Iterator[Frame | None]:
        large.wanted += 1
        try:
            for _ in large.making:  # which may be over: others go on with it, too
                if large.frame is not None:
                    break
                yield None
            if large.frame is not None:
                yield large.frame
        finally:
            large.wanted -= 1
            if not large.wanted:
                large.making.close()  # else it would stay in the line: it is part of a cycle
            again = large.frame is not None and since is None  # an update is hardly wanted again
            if not (large.wanted or again) and self._known.get((selection, since)) is large:
                del self._known[selection, since]

    def _begun(self, address: str, selection: Selection, since: int | None) -> Large:
        def finish(quotes: list[bytes], gone: list[str]) -> None:
            large.frame = large_frame(self._store, self._clock.wall_ms(), since, quotes, gone)
            large.at = self._clock.monotonic()

        large = Large(self._line.make(address, selection, since, finish))
        return large

    def drop(self) -> None:
        """Drop all: the store has begun anew."""
        self._known.clear()

    def forget(self) -> None:
        """Drop the frames that were made a while ago."""
        now = self._clock.monotonic()
        for key, large in list(self._known.items()):
            if large.frame is not None and now - large.at >= KEEP_S:
                del self._known[key]


def large_frame(store: Store, now_ms: int, since: int | None, quotes: list[bytes], gone: list[str]) -> Frame:
    """What `slices.Line` made, as a frame: from a version, or, if `since` is None, from nothing."""
    feeds = feed_pieces(store, since)
    if since is None:
        frame = protocol.snapshot(store.epoch, store.version, now_ms, quotes, feeds)
    else:
        frame = protocol.update(since, store.version, now_ms, quotes, gone, feeds)
    frame.epoch, frame.pays = store.epoch, len(frame.data) >= PAYS_BYTES
    return frame
