"""The feed of an exchange that is only polled."""

from __future__ import annotations

from feeds.base import Sink
from feeds.exchange.history import History
from feeds.exchange.listings import Listings
from feeds.exchange.polling import Poller, Schedule, patience_s
from feeds.exchange.rest import Rest
from feeds.exchange.venue import Venue
from ticker.clock import Clock
from ticker.model import Bar


class PolledFeed:
    """The `Feed` of an exchange that is only polled.

    Its instrument list and the time of its last request outlive a failed `run`, so that a retry neither forgets
    symbols nor exceeds the exchange's limits.
    """

    def __init__(
        self,
        name: str,
        venue: Venue,
        *,
        rest: Rest,
        listings: Listings,
        poller: Poller,
        history: History,
        interval_s: float,
        clock: Clock,
    ) -> None:
        self.name = name
        self.kind = venue.kind
        self.clock = venue.polled_clock or venue.clock
        self.stale_after_s = patience_s(interval_s)
        self._venue = venue
        self._interval_s = interval_s
        self._rest = rest
        self._poller = poller
        self._listings = listings
        self._history = history
        self._now = clock

    async def run(self, sink: Sink) -> None:
        """Poll until cancelled; see `base.Feed.run`."""
        self._history.status = sink.status
        async with self._rest.source:
            if self._listings.needed or self._venue.limits.symbols_per_request:
                await self._listings.refresh(sink)
            schedule = Schedule(self._now, self._interval_s)
            while True:
                await self._poller.poll(sink)
                await self._listings.refresh(sink)
                await schedule.wait(sink)

    async def history(self, symbol: str, interval_s: int, limit: int) -> list[Bar]:
        """See `base.Feed.history`; raises `FeedError` if the bars could not be loaded."""
        return await self._history.bars(symbol, interval_s, limit)
