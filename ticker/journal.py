"""What the log says about connections. Each has a number, which is on every line about it and is told to its reader.

Opening, lagging and ordinary ends are logged at `debug`. Failures, that is refusals and all other ends, are `info`, at
most a few lines per second so that no client can fill a disk; metrics count all of them.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Protocol

from ticker.bucket import TokenBucket

LINES_PER_S, BURST = 5, 50
"""How many lines about failures are written per second, and at once."""
REASONS = {
    1002: "broke the protocol", 1003: "sent a binary frame", 1006: "lost", 1007: "sent bad UTF-8",
    1009: "sent too large a message", 1011: "said that it failed", 1012: "restart", 4000: "sent too many bad messages",
    4001: "no good token", 4008: "stalled", 4009: "answered no ping", 4029: "sent too many messages",
}  # fmt: skip
"""What close codes mean, where a word helps. 1011 is never ours: Python clients close with it after an exception."""
ORDINARY = frozenset({1000, 1001, 1005, 1006, 1012})
"""Codes that need no attention."""

log = logging.getLogger("ticker.connections")


class Named(Protocol):
    """What the journal needs of a connection."""

    number: int
    via: str
    address: str


class Journal:
    """Numbers connections and logs what becomes of them.

    Args:
        monotonic: the clock.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._numbers = itertools.count(1)
        self._lines = TokenBucket(LINES_PER_S, BURST, monotonic())
        self._left_out = 0
        self._lagging: AbstractSet[Named] = frozenset()

    def number(self) -> int:
        """The next connection's number; it is not used again in this process."""
        return next(self._numbers)

    def opened(self, connection: Named) -> None:
        """A connection is open."""
        log.debug("opened", extra=_of(connection))

    def refused(self, reason: str, address: str) -> int:
        """A connection was refused; returns its number."""
        number = self.number()
        self._complain("refused", {"connection": number, "address": address, "reason": reason})
        return number

    def ended(self, connection: Named, code: int) -> None:
        """A connection has ended."""
        words = _of(connection) | {"code": code} | ({"reason": REASONS[code]} if code in REASONS else {})
        if code in ORDINARY:
            log.debug("ended", extra=words)
        else:
            self._complain("ended", words)

    def lagging(self, now: AbstractSet[Named]) -> None:
        """Given all that lag behind now, log those that have begun to, and those that have caught up or gone."""
        for connection in now - self._lagging:
            log.debug("lags behind", extra=_of(connection))
        for connection in self._lagging - now:
            log.debug("lags no more", extra=_of(connection))
        self._lagging = now

    def _complain(self, text: str, words: dict[str, object]) -> None:
        if not self._lines.take(self._monotonic()):
            self._left_out += 1
            return
        if self._left_out:
            words["left_out"], self._left_out = self._left_out, 0
        log.info(text, extra=words)


def _of(connection: Named) -> dict[str, object]:
    return {"connection": connection.number, "transport": connection.via, "address": connection.address}
