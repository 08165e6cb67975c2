"""Several ways to the same prices, told to the service as one feed.

Each way has its own runner and its own sink here. The feed is down when every way that could bring prices is;
while any of them does, what is wrong with the others is its message.
"""

from __future__ import annotations

from collections.abc import Iterable

from feeds.base import Sink
from feeds.exchange.directory import few
from ticker.model import FeedStatus, Quote

MESSAGE_CHARACTERS = 300


class Way:
    """The sink of one way; it is told `live` when it works although it has nothing to publish.

    Attributes:
        carries: whether it can bring prices; one that cannot does not keep the feed up.
    """

    def __init__(self, joint: Joint, name: str, *, carries: bool) -> None:
        self.status: FeedStatus = joint.sink.status
        self.name = name
        self.carries = carries
        self.trouble: str | None = None
        self.told = ""
        self._joint = joint

    def publish(self, quotes: Iterable[Quote]) -> None:
        self.told = "live"
        if self.trouble is not None:
            self.trouble = None
            self._joint.tell()
        self._joint.publish(quotes)

    def state(self, state: str, message: str | None = None) -> None:
        self.told, self.trouble = state, message
        self._joint.tell()

    def remove(self, symbols: Iterable[str]) -> None:
        self._joint.sink.remove(symbols)

    def loaded(self) -> None:
        self._joint.sink.loaded()


class Joint:
    """What the service hears of all ways together."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self._ways: list[Way] = []
        self._notes: tuple[str, ...] = ()
        self._message: str | None = None

    def way(self, name: str, *, carries: bool = True) -> Way:
        """The sink of one more way; the name is put before what it says of its troubles, if it has one."""
        way = Way(self, name, carries=carries)
        self._ways.append(way)
        return way

    def note(self, *notes: str) -> None:
        """What else there is to say, beside the troubles of the ways."""
        if notes != self._notes:
            self._notes = notes
            self.tell()

    def publish(self, quotes: Iterable[Quote]) -> None:
        """Hand quotes on. Data alone takes back what was said; what is still true is said again."""
        self.sink.publish(quotes)
        if self._message is not None and self.sink.status.message is None:
            self.sink.state(self.sink.status.state, self._message)

    def tell(self) -> None:
        """Say what has become of the feed, if that is new."""
        status = self.sink.status
        before, self._message = self._message, self._text()
        told = [way.told for way in self._ways if way.carries] or [way.told for way in self._ways]
        if told and all(state in {"down", "failed"} for state in told):
            self.sink.state("failed" if "down" not in told else "down", self._message)
        elif status.state in {"down", "failed"}:
            self.sink.state("down", self._message or "connected again, no price yet")
        elif self._message is not None or (before is not None and status.message == before):
            self.sink.state(status.state, self._message)

    def _text(self) -> str | None:
        sufferers: dict[str, list[str]] = {}
        for way in self._ways:
            if way.trouble:
                sufferers.setdefault(way.trouble, []).append(way.name)
        troubles = [f"{few(names, 1)}: {trouble}" for trouble, names in sufferers.items()]
        return "; ".join([*troubles, *self._notes])[:MESSAGE_CHARACTERS] or None
