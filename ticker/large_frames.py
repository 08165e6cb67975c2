"""Large frames: made a slice at a time, once for all readers who want the same at about the same time.

After a restart all readers come back at once, and many want everything; after a network outage they want all that has
changed since. Encoding and joining that for each of them would take minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ticker import protocol, slices
from ticker.protocol import Frame
from ticker.quota import Quota
from ticker.selection import Selection
from ticker.store import Store

KEEP_S = 1.0
"""How long a snapshot is kept: readers who come meanwhile get it, too, and then what has changed since."""
PAYS_BYTES = 16_384
"""A frame of at least this size is worth compressing even for one reader."""


@dataclass(slots=True)
class Large:
    """One frame, and what makes it. `at` is when that was last worked on, monotonic seconds."""

    making: Iterator[slices.Encoded | None]
    at: float = float("-inf")
    frame: Frame | None = None
    wanted: int = 0
    """How many readers wait for it. Once there are none it is dropped: others wait until it is made."""


class LargeFrames:
    """The large frames that are being made or were made lately.

    Args:
        store: what they tell of.
        quota: what making one counts against.
        monotonic, wall_ms: the clocks.
    """

    def __init__(self, store: Store, quota: Quota, monotonic: Callable[[], float], wall_ms: Callable[[], int]) -> None:
        self._store = store
        self._quota = quota
        self._monotonic = monotonic
        self._wall_ms = wall_ms
        self._known: dict[tuple[Selection, int | None], Large] = {}

    def take(
        self, address: str, selection: Selection, rows: int, since: int | None, least: int
    ) -> Iterator[Frame | None]:
        """Yield None at each pause, then a snapshot or an update since a version; none in the case of `slices.encoded`.

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
            large = self._known[selection, since] = Large(slices.encoded(self._store, selection, since))
            yield from self._made(large, selection, since)

    def _made(self, large: Large, selection: Selection, since: int | None) -> Iterator[Frame | None]:
        large.wanted += 1
        try:
            while large.frame is None:
                large.at = self._monotonic()
                try:
                    made = next(large.making)
                except StopIteration:
                    return
                if made is None:
                    yield None
                else:
                    large.frame = self._frame(made, since)
            yield large.frame
        finally:
            large.wanted -= 1
            again = large.frame is not None and since is None  # an update is hardly wanted again
            if not (large.wanted or again) and self._known.get((selection, since)) is large:
                del self._known[selection, since]

    def _frame(self, made: slices.Encoded, since: int | None) -> Frame:
        (quotes, gone), store, now_ms = made, self._store, self._wall_ms()
        feeds = slices.feeds(store, since)
        if since is None:
            frame = protocol.snapshot(store.epoch, store.version, now_ms, quotes, feeds)
        else:
            frame = protocol.update(since, store.version, now_ms, quotes, gone, feeds)
        frame.pays = len(frame.data) >= PAYS_BYTES
        return frame

    def forget(self) -> None:
        """Drop the frames that are old."""
        now = self._monotonic()
        for key, large in list(self._known.items()):
            if now - large.at >= KEEP_S:
                del self._known[key]
