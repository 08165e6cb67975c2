"""What one connection has asked for, and what became of it. Pure: no clock, no I/O.

A wire name that was asked for is *waiting* until the exchange confirms it, refuses it or simply sends it. What
waits too long is asked for once more, and again if a bad name was found beside it; what is then still not there is
*unanswered*, and said so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from feeds.exchange.venue import Heard, Stream

ANSWER_S = 10.0
"""How long an exchange may take to answer a subscription."""


@dataclass(slots=True)
class Request:
    """One message, or several, that ask for some wire names.

    Attributes:
        number: the exchange may answer by it.
        again: whether it repeats one that was not answered.
        sent_at: monotonic time; None: still waiting to be sent.
    """

    number: int
    wires: tuple[str, ...]
    texts: list[str]
    again: bool
    sent_at: float | None = None


class Subscriptions:
    """The wire names of one connection."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._requests: dict[int, Request] = {}
        self._waiting: dict[str, Request] = {}
        self.asked: set[str] = set()
        """All that was ever asked for; it counts against the exchange's limit for as long as the connection lives."""
        self._number = 0
        self.refused: dict[str, str] = {}
        """Why the exchange will not send a wire name, in its own words."""
        self.unanswered: set[str] = set()

    @property
    def settled(self) -> bool:
        """Whether nothing is waited for any more."""
        return not self._waiting

    def lacks(self, wire: str) -> bool:
        """Whether it is known that this connection does not bring a wire name."""
        return wire in self.unanswered or wire in self.refused

    def ask(self, wires: Iterable[str], *, again: bool = False) -> list[Request]:
        """Ask for wire names: the requests to send, each within what the exchange takes in one message."""
        names = list(wires)
        self.asked.update(names)
        size = self._stream.wires_per_message
        requests = []
        for i in range(0, len(names), size):
            some = tuple(names[i : i + size])
            self._number += 1
            told = sorted(self.asked) if self._stream.replaces else some
            request = Request(self._number, some, self._stream.subscribe(told, self._number), again)
            requests.append(request)
            if self._stream.acks:
                self._requests[self._number] = request
                self._waiting.update(dict.fromkeys(some, request))
        return requests

    def hear(self, heard: Heard) -> int:
        """Take note of a message; returns how many wire names it newly refuses. Names never asked for do not count."""
        for name in heard.acked:
            self._settle(self._wires(name))
        for row in heard.rows:
            if row.wire in self._waiting or self.lacks(row.wire):
                self._settle((row.wire,))
        news = 0
        for name, reason in heard.refused:
            for wire in self.asked.intersection(self._wires(name)):
                news += wire not in self.refused
                self._settle((wire,))
                self.refused[wire] = reason
        return news

    def overdue(self, now: float) -> list[Request]:
        """Requests to send again for what has waited too long; what has waited twice is `unanswered` from now on."""
        late: dict[str, None] = {}
        for wire, request in list(self._waiting.items()):
            if request.sent_at is not None and now - request.sent_at > ANSWER_S:
                del self._waiting[wire]
                if request.again and self.refused.keys().isdisjoint(request.wires):
                    self.unanswered.add(wire)
                else:
                    late[wire] = None
        return self.ask(late, again=True)

    def _wires(self, name: str | int) -> Sequence[str]:
        if isinstance(name, str):
            return (name,)
        request = self._requests.pop(name, None)
        return request.wires if request else ()

    def _settle(self, wires: Iterable[str]) -> None:
        for wire in wires:
            self._waiting.pop(wire, None)
            self.unanswered.discard(wire)
            self.refused.pop(wire, None)
