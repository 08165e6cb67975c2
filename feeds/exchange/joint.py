"""Presents several ways to the same prices (polls, streams) as one feed to the service.

Each way has its own runner and its own sink here. The feed is down when every way that can deliver prices is down;
while one of them works, the feed's message says what is wrong with the others. If some are down and the others
silent, it is stale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from feeds.base import Sink
from feeds.exchange.directory import few
from ticker.model import FeedStatus, Quote

MESSAGE_CHARACTERS = 300
DOWN = frozenset({"down", "failed"})

Edit = Callable[[Iterable[Quote]], Iterable[Quote]]
"""What a way makes of its quotes before it passes them on."""


class Way:
    """The sink of one way; it is set to `live` when the way works but has nothing to publish.

    Attributes:
        name: is put in front of its messages.
        carries: whether it can deliver prices; if not, it does not keep the feed up.
        silent: whether it has delivered nothing for longer than usual.
        edit: see `Edit`.
    """

    def __init__(
        self,
        joint: Joint,
        name: str,
        *,
        carries: bool = True,
        silent: Callable[[], bool] = lambda: False,
        edit: Edit = lambda quotes: quotes,
    ) -> None:
        joint.ways.append(self)
        self.status: FeedStatus = joint.sink.status
        self.name = name
        self.carries = carries
        self.silent = silent
        self.edit = edit
        self.trouble: str | None = None
        self.reported = ""
        self._joint = joint

    def publish(self, quotes: Iterable[Quote]) -> None:
        self.reported = "live"
        if self.trouble is not None:
            self.trouble = None
            self._joint.tell()
        self._joint.publish(self.edit(quotes))

    def state(self, state: str, message: str | None = None) -> None:
        self.reported, self.trouble = state, message
        self._joint.tell()

    def remove(self, symbols: Iterable[str]) -> None:
        self._joint.sink.remove(symbols)

    def loaded(self) -> None:
        self._joint.sink.loaded()


class Joint:
    """Combines the states of all ways into that of the feed; each adds itself to `ways`."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.ways: list[Way] = []
        self._notes: tuple[str, ...] = ()
        self._message: str | None = None

    def note(self, *notes: str) -> None:
        """Set what else the feed's message says, besides the ways' troubles."""
        if notes != self._notes:
            self._notes = notes
            self.tell()

    def publish(self, quotes: Iterable[Quote]) -> None:
        """Pass quotes on. That clears the feed's message, so one that still holds is set again."""
        self.sink.publish(quotes)
        if self._message is not None and self.sink.status.message is None:
            self.sink.state(self.sink.status.state, self._message)

    def tell(self) -> None:
        """Update the feed's state and message."""
        status = self.sink.status
        before, self._message = self._message, self._text()
        ways = [way for way in self.ways if way.carries] or self.ways
        up = [way for way in ways if way.reported not in DOWN]
        if ways and not up:
            self.sink.state("down" if any(way.reported == "down" for way in ways) else "failed", self._message)
        elif status.state in DOWN:
            self.sink.state("down", self._message or "connected again, no price yet")
        elif status.state == "live" and len(up) < len(ways) and all(way.silent() for way in up):
            self.sink.state("stale", self._message)
        elif self._message is not None or (before is not None and status.message == before):
            self.sink.state(status.state, self._message)

    def _text(self) -> str | None:
        names_by_trouble: dict[str, list[str]] = {}
        for way in self.ways:
            if way.trouble:
                names_by_trouble.setdefault(way.trouble, []).append(way.name)
        troubles = [f"{few(names, 1)}: {trouble}" for trouble, names in names_by_trouble.items()]
        return "; ".join([*troubles, *self._notes])[:MESSAGE_CHARACTERS] or None
