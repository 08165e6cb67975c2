"""Keepalive: all open WebSockets are pinged by one clock, with the same bytes."""

from __future__ import annotations

import weakref
from collections import deque

from ticker import protocol
from ticker.hub import Hub
from web.transport import SharedFrames

LONGEST_TICK_S = 1.0
"""What exceeds this between two ticks does not count: the process stood still, and has not read the answers yet."""


class Pings:
    """Pings each connection again and again, and ends those that do not answer.

    Args:
        hub: drives this by its ticks, four a second.
        interval_s: seconds between two pings of a connection.
        timeout_s: seconds that it has to answer.
    """

    def __init__(self, hub: Hub, interval_s: float, timeout_s: float) -> None:
        self._hub = hub
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._period_s = min(interval_s, timeout_s)
        self._ticked_at = hub.now()
        self._now = 0.0  # seconds that the process ran
        # When to look at which connection, in order; the references are weak, so that closed ones are freed.
        self._visits: deque[tuple[float, weakref.ref[SharedFrames]]] = deque()
        hub.on_tick.append(self._tick)

    def watch(self, connection: SharedFrames) -> None:
        """Ping this one from now on, as long as it is open."""
        connection.pinged_at = self._now
        self._visits.append((connection.pinged_at + self._period_s, weakref.ref(connection)))

    def _tick(self) -> None:
        before, self._ticked_at = self._ticked_at, self._hub.now()
        self._now += min(self._ticked_at - before, LONGEST_TICK_S)
        now = self._now
        while self._visits and self._visits[0][0] <= now:
            _, known = self._visits.popleft()
            connection = known()
            if connection is not None and connection.open:
                self._visit(connection, now)
            if connection is not None and connection.open:
                self._visits.append((now + self._period_s, known))

    def _visit(self, connection: SharedFrames, now: float) -> None:
        since_s = now - connection.pinged_at
        if connection.deaf:  # it takes no bytes, for which the hub ends it, or waits for our answer
            connection.pinged_at, connection.answers = now, True
        elif not connection.answers and since_s >= self._timeout_s:
            connection.end(protocol.NO_PONG, "no pong")
        elif connection.answers and since_s >= self._interval_s:
            connection.pinged_at, connection.answers = now, False
            connection.ping()
