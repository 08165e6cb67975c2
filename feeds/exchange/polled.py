"""The parts of an exchange's feed, put together, and the feed of one that is only polled."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from feeds.base import Context, Sink
from feeds.exchange.directory import Directory
from feeds.exchange.fetch import HttpSource
from feeds.exchange.history import History
from feeds.exchange.judge import Judge
from feeds.exchange.listings import Listings
from feeds.exchange.options import ExchangeOptions
from feeds.exchange.polling import Poller, Schedule, patience_s
from feeds.exchange.record import Recorder
from feeds.exchange.rest import Rest
from feeds.exchange.venue import Venue
from ticker.model import Bar


class PolledFeed:
    """The `Feed` of an exchange that is only polled; `streamed.StreamedFeed` does more with the same parts.

    Its instrument list and the time of its last request outlive a failed `run`, so that a retry neither forgets
    symbols nor exceeds the exchange's limits.

    Args:
        name: the feed's name.
        venue: the exchange.
        options: what to take from it, and how.
        secrets: the headers that carry the exchange's key, if it needs one.
        context: time, and the rate budget of the host.
    """

    def __init__(
        self, name: str, venue: Venue, options: ExchangeOptions, secrets: Mapping[str, str], context: Context
    ) -> None:
        self.name = name
        self.kind = venue.kind
        self.clock = venue.polled_clock or venue.clock
        self._venue = venue
        self._context = context
        self._interval_s, gap_s = _pace(venue, options)
        self.stale_after_s = patience_s(self._interval_s)
        base_url, limits = options.base_url or venue.base_url, venue.limits
        self._recorder = None
        if options.record_raw:
            folder, most_bytes = Path(options.record_raw), options.record_mb * 1_000_000
            self._recorder = Recorder(name, folder, base_url, most_bytes, secrets.values(), context.clock)
        self._budget = context.budgets.of(base_url)
        asked = source(venue, options, context, secrets, self._recorder)
        self._rest = Rest(asked, limits, gap_s, self._budget, context)
        self._directory = Directory(name, venue, options.symbols)
        self._judge = Judge(venue, self._directory, options.crossed, context.clock)
        self._poller = Poller(venue, options, self._rest, self._directory, self._judge)
        self._listings = Listings(venue, self._rest, self._directory, self._judge.memory, context.clock)
        past = Rest(source(venue, options, context, secrets), limits, gap_s, self._budget, context)
        self._history = History(venue, past, self._directory, context.clock)

    async def run(self, sink: Sink) -> None:
        """Deliver until cancelled; see `base.Feed.run`."""
        self._history.status = sink.status
        async with self._rest.source:
            await self._deliver(sink)

    async def history(self, symbol: str, interval_s: int, limit: int) -> list[Bar]:
        """See `base.Feed.history`; raises `FeedError` if the bars could not be loaded."""
        return await self._history.bars(symbol, interval_s, limit)

    async def _deliver(self, sink: Sink) -> None:
        if self._listings.needed or self._venue.limits.symbols_per_request:
            await self._listings.refresh(sink)
        schedule = Schedule(self._context.clock, self._interval_s)
        while True:
            await self._poller.poll(sink)
            await self._listings.refresh(sink)
            await schedule.wait(sink)


def source(
    venue: Venue,
    options: ExchangeOptions,
    context: Context,
    secrets: Mapping[str, str] | None = None,
    recorder: Recorder | None = None,
) -> HttpSource:
    """The exchange's host, or what the options name in its place."""
    return HttpSource(
        options.base_url or venue.base_url,
        context.clock,
        timeout_s=options.timeout_s,
        body_bytes=venue.limits.body_bytes,
        proxy=options.proxy,
        secrets=secrets,
        on_answer=recorder.answer if recorder else None,
    )


def _pace(venue: Venue, options: ExchangeOptions) -> tuple[float, float]:
    """Seconds from poll to poll and from request to request; a shorter configured interval shortens both."""
    limits = venue.limits
    interval_s = options.interval_s or limits.interval_s
    gap_s = min(limits.gap_s, interval_s)
    if limits.symbols_per_request and options.names_all:
        requests = len(options.symbols) * len(venue.targets(options.symbols[:1])) / limits.symbols_per_request
        interval_s = max(interval_s, gap_s * requests)
    return interval_s, gap_s
