"""Readers, groups of readers with the same selection and interval, and the counters of both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from ticker import protocol
from ticker.protocol import Frame
from ticker.record import Record
from ticker.scope import Scope


class Reader(Protocol):
    """A receiver of frames."""

    address: str
    """Its network address."""
    group: Group | None
    since: int
    """The version that it has reached, while it lags behind, 0 for none; meaningless otherwise."""

    def write(self, frame: Frame) -> bool:
        """Take a whole frame, or refuse it (closed, or its buffer is not empty).

        Never raises, and never calls back into the groups: the consequences of a write, such as the end of the
        reader, come in a later turn of the loop.
        """


@dataclass(slots=True)
class FanoutCounts:
    """Plain counters, read by metrics."""

    messages: dict[str, int] = field(default_factory=lambda: dict.fromkeys(protocol.FRAME_KINDS, 0))
    received: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("subscribe", "unsubscribe", "ping", "invalid"), 0)
    )
    rows: int = 0
    bytes: int = 0
    conflated: int = 0
    resumes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("update", "snapshot"), 0))
    resyncs: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("epoch", "selection", "pruned"), 0))
    """Snapshots for readers whose cursor was of another epoch, of another selection, or too old."""

    def sent(self, frame: Frame, readers: int = 1) -> None:
        """A frame went out to some readers."""
        self.messages[frame.kind] += readers
        self.rows += frame.rows * readers
        self.bytes += len(frame.data) * readers


@dataclass(eq=False, slots=True)
class Group:
    """All readers of one selection and interval.

    Attributes:
        told: the version of its last frame, which the next one names as `since`.
        members: readers who know everything up to `told`.
        lagging: readers who missed a frame; each has its own `since`.
        returning: lagging readers who can take bytes again.
        untold: members that still wait for their part of a frame; one that comes meanwhile knows what is in it.
        unwarned: lagging readers who were not told yet that the group has outgrown its limit.
        unmade: whether its returning readers wait until their frame, a large snapshot, is nearly made.
        news: its records that changed since `due_since`, in order.
        due_since: the version since which there may be news for its members, which they will get later; nothing of the
            group changed between `told` and it. None if there is none: then that is so up to now.
        sent_at: when a frame last went out, monotonic seconds.
        cells: what it counts for in the quota, fixed when it is made.
        frames: ready-made frames by version and `since`, all of one version.
    """

    scope: Scope
    interval_ms: int
    told: int
    sent_at: float
    members: set[Reader] = field(default_factory=set)
    lagging: set[Reader] = field(default_factory=set)
    returning: set[Reader] = field(default_factory=set)
    untold: set[Reader] = field(default_factory=set)
    unwarned: set[Reader] = field(default_factory=set)
    news: dict[Record, None] = field(default_factory=dict)
    due_since: int | None = None
    unmade: bool = False
    cells: int = 0
    frames: dict[tuple[int, int | None], Frame] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        return not self.members and not self.lagging

    def let_lag(self, reader: Reader, since: int) -> None:
        """A member knows only what was there at a version, 0 for nothing."""
        self.members.discard(reader)
        self.lagging.add(reader)
        reader.since = since
