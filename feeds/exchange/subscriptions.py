"""The subscriptions of one connection: what was asked for, and the outcome. Pure: no clock, no I/O.

A wire name that was asked for is *waiting* until the exchange confirms it, refuses it or simply sends data for it. If
that takes too long it is asked for once more, and again if a bad name was found in the same request; after that it is
*unanswered*, which the feed reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from feeds.exchange.venue import Heard, Stream

ANSWER_S = 10.0
"""How long an exchange may take to answer a subscription, in seconds."""


@dataclass(slots=True)
class Request:
    """One or more messages that ask for some wire names.

    Attributes:
        number: the id by which the exchange may refer to it.
        again: whether it repeats a request that was not answered.
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
        """All that was ever asked for; it counts towards the exchange's limit until the connection ends."""
        self._number = 0
        self.refused: dict[str, str] = {}
        """The exchange's reason not to send a wire name."""
        self.unanswered: set[str] = set()

    @property
    def settled(self) -> bool:
        """Whether no answer is awaited any more."""
        return not self._waiting

    def lacks(self, wire: str) -> bool:
        """Whether this connection is known not to deliver a wire name."""
        return wire in self.unanswered or wire in self.refused

    def ask(self, wires: Iterable[str], *, again: bool = False) -> list[Request]:
        """Ask for wire names; returns the requests to send, each within the exchange's limit for one message."""
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
        """Take note of a message; returns how many wire names it newly refuses, ignoring names never asked for."""
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
        """The requests to send again after too long a wait; what has waited twice becomes `unanswered`."""
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
