"""The feed of an exchange that streams, in mode `auto` with polls beside the stream.

In `auto` whatever the stream does not deliver, as `coverage` knows, is polled: everything before it has begun, the
symbols of a broken connection or a refused subscription, symbols without a price for a while, and fields that the
stream does not have. In `stream` HTTP is used only for the instrument list and historical bars.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, NamedTuple

from feeds.base import Context, Sink
from feeds.exchange.connector import Connector
from feeds.exchange.coverage import QUIET_S, Coverage
from feeds.exchange.directory import few
from feeds.exchange.joint import Joint, Way
from feeds.exchange.options import ExchangeOptions
from feeds.exchange.polled import PolledFeed
from feeds.exchange.polling import Schedule, patience_s
from feeds.exchange.shards import STALE_AFTER_S, Shard, Streams
from feeds.exchange.venue import Stream, Venue
from feeds.runner import Runner
from ticker.errors import FeedError

PATIENCE_S = 8.0
"""How long a symbol must be silent to count as stale if polls back the stream up: readers know within ten seconds, or,
if requests for each symbol take longer, after one round of them."""
SOON_QUIET_S, ANSWER_S = 2.0, 1.0
"""A symbol without a price for `QUIET_S` is polled, or sooner if the poll after that, which takes `ANSWER_S`, could not
confirm it before it is stale. If one answer has all symbols, those without a price for `SOON_QUIET_S` are taken from
it, too, which may save the next poll."""
DAY_S = 86_400.0


class Part(NamedTuple):
    """One activity of a feed, supervised by a runner of its own; see `runner.Runnable`."""

    name: str
    stale_after_s: float
    run: Callable[[Sink], Coroutine[Any, Any, None]]


class StreamedFeed(PolledFeed):
    """The `Feed` of an exchange that streams.

    Args:
        name, venue, options, secrets, context: see `PolledFeed`.
        stream: how the exchange streams.
    """

    _joint: Joint

    def __init__(
        self,
        name: str,
        venue: Venue,
        stream: Stream,
        options: ExchangeOptions,
        secrets: Mapping[str, str],
        context: Context,
    ) -> None:
        super().__init__(name, venue, options, secrets, context)
        self.clock = venue.clock
        self._polls = options.mode == "auto"
        self._one_by_one = venue.limits.symbols_per_request is not None
        round_s = self._interval_s + ANSWER_S if self._one_by_one else 0.0
        self.stale_after_s = max(PATIENCE_S, round_s) if self._polls else STALE_AFTER_S
        connector = Connector(stream, options, venue.limits, secrets, self._rest, self._budget, self._recorder, context)
        self._streams = Streams(
            stream.wires_per_connection,
            lambda number: Shard(f"{name} stream {number}", stream, connector, self._judge, context, self._tell),
        )
        self._carried = asyncio.Event()
        self._coverage = Coverage(
            complete=stream.complete,
            stale_after_s=self.stale_after_s,
            most=venue.limits.symbols,
            clock=context.clock,
        )
        self._quiet_s = max(ANSWER_S, min(QUIET_S, PATIENCE_S - self._interval_s - ANSWER_S))
        self._takes_s = self._quiet_s if self._one_by_one else min(SOON_QUIET_S, self._quiet_s)

    async def _deliver(self, sink: Sink) -> None:
        joint = self._joint = Joint(sink)
        async with asyncio.TaskGroup() as tasks:

            def keep(part: Part | Shard, into: Sink) -> None:
                tasks.create_task(Runner(part, into, self._context).run(), name=part.name)

            def start(shard: Shard) -> None:
                name = shard.name.partition(" ")[2]
                if self._polls:
                    keep(shard, Way(joint, name, silent=shard.silent, edit=self._coverage.streamed))
                else:
                    keep(shard, Way(joint, name))

            if self._polls:  # first: its prices arrive sooner than the list
                polls = Part(f"{self.name} polls", min(PATIENCE_S, patience_s(self._interval_s)), self._poll_beside)
                keep(polls, Way(joint, "polls", edit=self._coverage.polled))
            keeper = Part(f"{self.name} list", 0.0, partial(self._keep_list, start))
            keep(keeper, Way(joint, "instrument list", carries=False))

    # The list

    async def _keep_list(self, start: Callable[[Shard], None], sink: Sink) -> None:
        while True:
            try:
                await self._listings.load(sink)
            except FeedError:
                self._carry(start)  # symbols named in full may need no list
                raise
            await asyncio.sleep(0)  # parsing a long list takes a while
            self._carry(start)
            for shard in self._streams.shards:
                shard.ask_again()
            sink.loaded()
            sink.state("live")
            await self._context.clock.sleep(min(self._listings.wait_s, DAY_S))

    def _carry(self, start: Callable[[Shard], None]) -> None:
        wanted = self._directory.wanted
        for shard in self._streams.carry(wanted):
            start(shard)
        self._coverage.carriers = {
            wanted[wire].symbol: (shard, wire) for shard in self._streams.shards for wire in shard.wires
        }
        self._carried.set()
        self._tell()

    # The polls

    async def _poll_beside(self, sink: Sink) -> None:
        coverage = self._coverage
        while not (coverage.carriers or self._can_poll):
            self._carried.clear()
            await self._carried.wait()
        schedule = Schedule(self._context.clock, self._interval_s)
        failing = True  # this may be a retry after a failure
        while True:
            lacking = [symbol for symbol in coverage.carriers if coverage.lacks(symbol, self._quiet_s)]
            if lacking:
                await self._poller.poll(sink, partial(coverage.lacks, quiet_s=self._takes_s))
                coverage.asked(lacking)
            elif not coverage.carriers and self._can_poll:
                await self._poller.poll(sink)
            elif failing:
                sink.state("live")
            failing = False
            await schedule.wait(sink)

    @property
    def _can_poll(self) -> bool:
        """Whether it is known what to ask for, which may take the list."""
        return not self._listings.needed and (not self._one_by_one or bool(self._directory.wanted))

    # The message

    def _tell(self) -> None:
        notes = []
        if unlisted := self._directory.unlisted():
            notes.append(f"the exchange does not list {few(unlisted)}; check the feed's symbols")
        elif self._directory.loaded and not self._coverage.carriers:
            notes.append("the exchange lists no open market that matches the feed's symbols")
        refused = {wire: why for shard in self._streams.shards for wire, why in shard.missing.items()}
        if refused:
            wire, why = next(iter(refused.items()))
            notes.append(f"not subscribed: {few(list(refused))} ({wire}: {why[:80]})")
        self._joint.note(*notes)
