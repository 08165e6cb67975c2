"""Keeps an exchange's instrument list fresh: new listings appear, delisted symbols go, without a restart.

A list that cannot be had is asked for again later; where prices need no list they flow without it.
"""

from __future__ import annotations

import logging

from feeds.base import Sink
from feeds.exchange.directory import Directory, few
from feeds.exchange.judge import Judge
from feeds.exchange.rest import Rest
from feeds.exchange.venue import Venue
from ticker.clock import Clock
from ticker.errors import FeedError

REFRESH_S = 3600.0
"""Age at which the list is loaded again."""
RETRY_S = 60.0
"""Wait after a list that could not be loaded, while prices flow without it, or that is not half as long as before."""
LOOK_AGAIN = 0.25
"""A market found shut is looked at again after this part of the time that it has been so, within those two waits."""

log = logging.getLogger("ticker.feeds")


class Listings:
    """The loading of one directory's list."""

    def __init__(self, venue: Venue, rest: Rest, directory: Directory, judge: Judge, clock: Clock) -> None:
        self._venue = venue
        self._rest = rest
        self._directory = directory
        self._judge = judge
        self._clock = clock
        self._due_at = 0.0 if venue.instruments_request else float("inf")
        self._shut: set[str] = set()
        self._shut_lately: set[str] = set()
        self._shut_at = 0.0

    @property
    def needed(self) -> bool:
        """Whether names mean nothing yet."""
        return self._venue.symbol is None and not self._directory.loaded

    @property
    def wait_s(self) -> float:
        """Seconds until the list is due to be loaded again; infinite if there is none to load."""
        return self._due_at - self._clock.monotonic()

    async def load(self, sink: Sink) -> None:
        """Load the list now, and remove what neither it nor recent rows have any more.

        Raises:
            FeedError: it could not be had; the old one stays.
        """
        venue = self._venue
        if venue.instruments_request is None or venue.parse_instruments is None:
            return
        self._due_at = self._clock.monotonic() + RETRY_S
        listings = await self._rest.ask(venue.instruments_request, venue.parse_instruments, sink.status)
        before = self._directory.size
        self._directory.load(listings)
        if 2 * self._directory.size >= before:  # else perhaps a part: what is missing is not left out for an hour
            self._due_at = self._clock.monotonic() + self._wait_for_shut_s(first=not before)
        if gone := self._judge.delisted():
            feed = gone[0].partition(":")[0]
            log.info("removing delisted symbols: %s", few(gone), extra={"feed": feed})
            sink.remove(gone)
        if sink.status.state == "live" and (halted := self._judge.halted()):
            sink.publish(halted)

    def _wait_for_shut_s(self, *, first: bool) -> float:
        """When to look again: soon where a wanted market was shut lately, for that may be a maintenance.

        Of a first list that is so where nothing is open: some markets of an exchange are shut for ever.
        """
        shut, now = self._directory.shut(), self._clock.monotonic()
        news = set[str]() if first and self._directory.wanted() else shut - self._shut
        if news:
            self._shut_at = now
        self._shut, self._shut_lately = shut, (self._shut_lately | news) & shut
        return min(max(RETRY_S, LOOK_AGAIN * (now - self._shut_at)), REFRESH_S) if self._shut_lately else REFRESH_S

    async def refresh(self, sink: Sink) -> None:
        """Load the list if it is due. A failure is counted and forgotten where prices flow without it.

        Raises:
            FeedError: names mean nothing without it, or the exchange wants to be left alone.
        """
        if self.wait_s > 0 and not self.needed:
            return
        try:
            await self.load(sink)
        except FeedError as error:
            if self.needed or error.reason == "rate_limited" or error.retry_after_s is not None:
                raise
            sink.status.errors[error.reason] += 1
