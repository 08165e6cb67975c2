"""Keeps an exchange's instrument list fresh: new listings appear and delisted symbols go without a restart.

A list that could not be loaded is asked for again later; where prices need no list they flow without it.
"""

from __future__ import annotations

import logging

from feeds.base import Sink
from feeds.exchange.directory import Directory, few
from feeds.exchange.memory import Memory
from feeds.exchange.rest import Rest
from feeds.exchange.venue import Venue
from ticker.clock import Clock
from ticker.errors import FeedError

REFRESH_S = 3600.0
"""Age at which the list is reloaded."""
RETRY_S = 60.0
"""When to reload after a failure (while prices flow without the list), or a list less than half as long as before."""
LOOK_AGAIN = 0.25
"""While a wanted market is closed, the list is reloaded after this share of the time since, within those limits."""

log = logging.getLogger("ticker.feeds")


class Listings:
    """Loads the list of one directory."""

    def __init__(self, venue: Venue, rest: Rest, directory: Directory, memory: Memory, clock: Clock) -> None:
        self._venue = venue
        self._rest = rest
        self._directory = directory
        self._memory = memory
        self._clock = clock
        self._due_at = 0.0 if venue.instruments_request else float("inf")
        self._shut: set[str] = set()
        self._shut_lately: set[str] = set()
        self._shut_at = 0.0

    @property
    def needed(self) -> bool:
        """Whether the list must be loaded before any name means anything."""
        return self._venue.symbol is None and not self._directory.loaded

    @property
    def wait_s(self) -> float:
        """Seconds until the list is due to be loaded again; infinite if there is none to load."""
        return self._due_at - self._clock.monotonic()

    async def load(self, sink: Sink) -> None:
        """Load the list now, and remove symbols that neither it nor recent rows have any more.

        Raises:
            FeedError: it could not be loaded; the old one stays.
        """
        venue = self._venue
        if venue.instruments_request is None:
            return
        self._due_at = self._clock.monotonic() + RETRY_S
        listings = await self._rest.ask(venue.instruments_request, venue.parse_instruments, sink.status)
        before = self._directory.size
        self._directory.load(listings)
        if 2 * self._directory.size >= before:  # a shorter one may be partial: retried sooner
            self._due_at = self._clock.monotonic() + self._wait_for_shut_s(first=not before)
        if gone := self._memory.delisted():
            feed = gone[0].partition(":")[0]
            log.info("removing delisted symbols: %s", few(gone), extra={"feed": feed})
            sink.remove(gone)
        if sink.status.state == "live" and (halted := self._memory.halted()):
            sink.publish(halted)

    def _wait_for_shut_s(self, *, first: bool) -> float:
        """When to reload: soon if a wanted market has just closed, perhaps for maintenance.

        With a first list only if nothing is open: some markets of an exchange are closed for ever.
        """
        shut, now = self._directory.shut(), self._clock.monotonic()
        news = set[str]() if first and self._directory.wanted else shut - self._shut
        if news:
            self._shut_at = now
        self._shut, self._shut_lately = shut, (self._shut_lately | news) & shut
        return min(max(RETRY_S, LOOK_AGAIN * (now - self._shut_at)), REFRESH_S) if self._shut_lately else REFRESH_S

    async def refresh(self, sink: Sink) -> None:
        """Load the list if it is due. A failure is only counted if prices flow without it.

        Raises:
            FeedError: names mean nothing without it, or the exchange asks for a pause.
        """
        if self.wait_s > 0 and not self.needed:
            return
        try:
            await self.load(sink)
        except FeedError as error:
            if self.needed or error.reason == "rate_limited" or error.retry_after_s is not None:
                raise
            sink.status.errors[error.reason] += 1
