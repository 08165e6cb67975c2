"""Large snapshots: made a slice at a time, once for all who want the same at about the same time.

After a restart everybody comes back at once, and many want everything: encoding and joining that for each of them
would take minutes.
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
"""So long one is kept: who comes meanwhile gets it, too, and then what has changed since."""
PAYS_BYTES = 16_384
"""From this size on a frame is worth compressing for whoever asked for it."""


@dataclass(slots=True)
class Snapshot:
    """One that somebody is making, or has made at some time, monotonic seconds."""

    making: Iterator[list[bytes] | None]
    at: float = float("-inf")
    frame: Frame | None = None


class Snapshots:
    """Those of now.

    Args:
        store: what they are of.
        quota: what making one counts against.
        monotonic, wall_ms: the clocks.
    """

    def __init__(self, store: Store, quota: Quota, monotonic: Callable[[], float], wall_ms: Callable[[], int]) -> None:
        self._store = store
        self._quota = quota
        self._monotonic = monotonic
        self._wall_ms = wall_ms
        self._known: dict[Selection, Snapshot] = {}

    def take(self, address: str, selection: Selection, matched: int, least: int) -> Iterator[Frame | None]:
        """Pauses, and at last the frame of one; no frame if it could not be made of one version.

        Whoever wants the same meanwhile shares the work. An older one than version `least` will not do: nobody may be
        told of the past.

        Raises:
            ProtocolError: `overloaded`, for the address that would be the first; without an id.
        """
        snapshot = self._known.get(selection)
        if snapshot is None or (snapshot.frame is not None and snapshot.frame.version < least):
            self._quota.check_snapshot(address, matched)
            snapshot = self._known[selection] = Snapshot(slices.whole(self._store, selection))
        while snapshot.frame is None:
            snapshot.at = self._monotonic()
            try:
                pieces = next(snapshot.making)
            except StopIteration:
                return
            if pieces is None:
                yield None
            else:
                snapshot.frame = self._frame(pieces)
        yield snapshot.frame

    def _frame(self, pieces: list[bytes]) -> Frame:
        store = self._store
        feeds = [protocol.piece(record, record.everything) for record in store.feeds()]
        frame = protocol.snapshot(store.epoch, store.version, self._wall_ms(), pieces, feeds)
        frame.pays = len(frame.data) >= PAYS_BYTES
        return frame

    def forget(self) -> None:
        """Drop those that are old."""
        now = self._monotonic()
        for selection, snapshot in list(self._known.items()):
            if now - snapshot.at >= KEEP_S:
                del self._known[selection]
