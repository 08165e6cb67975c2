"""The feed of an exchange that streams, with polls beside it where it may.

In `auto` whatever the stream does not bring is asked for by HTTP: everything before it has begun, the symbols of a
broken connection or of a refused subscription, those of which a price has not come for long, and the fields that it
does not have. In `stream` nothing is asked for but the instrument list and, where a reader wants it, the past.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from feeds.base import Context, Sink
from feeds.exchange.connector import Connector
from feeds.exchange.directory import Directory, few
from feeds.exchange.history import History
from feeds.exchange.joint import Joint
from feeds.exchange.judge import Judge
from feeds.exchange.listings import Listings
from feeds.exchange.polling import Poller, Schedule, patience_s
from feeds.exchange.rest import Rest
from feeds.exchange.streaming import STALE_AFTER_S, Shard, Streams
from feeds.exchange.venue import Stream, Venue
from feeds.rows import PRICES
from feeds.runner import Runner
from ticker.errors import FeedError
from ticker.model import Bar, Quote

PATIENCE_S = 8.0
"""The least silence that may count as stale where polls help out: within ten seconds readers know, or, where one round
of polls that ask for each symbol takes longer, after that."""
QUIET_S, SOON_QUIET_S, ANSWER_S = 4.0, 2.0, 1.0
"""A symbol of which a price has not come for so long is asked for, or sooner if the next poll and its answer would not
confirm it before it is stale. Where one answer has all, those that will be so soon are taken with it, and spare the
next one."""
DAY_S = 86_400.0
NEVER = float("-inf")
NOT_NEWS = frozenset({"decimals", "name", "state"})


@dataclass(slots=True)
class Recent:
    """What came of one symbol lately.

    Attributes:
        asked_at: when it was asked for, or came without, monotonic seconds.
        ts: the exchange's time of what the stream brought last.
        came_at: when the stream brought anything.
        doubtful: what it brought after a silence was old by its own time, and has not been asked for since.
        fields: when the stream brought each of the fields that it has. One of its channels may be mute, and that of
            the others is not.
    """

    asked_at: float = NEVER
    ts: int | None = None
    came_at: float = NEVER
    doubtful: bool = False
    fields: dict[str, float] = field(default_factory=dict)

    @property
    def priced_at(self) -> float:
        """When the price that has not come for longest was streamed."""
        return min((self.fields[name] for name in PRICES if name in self.fields), default=NEVER)


@dataclass(frozen=True, slots=True)
class Part:
    """One of the things that a feed does, kept going by a runner of its own."""

    name: str
    stale_after_s: float
    work: Callable[[Sink], Awaitable[None]]

    async def run(self, sink: Sink) -> None:
        """See `base.Feed.run`."""
        await self.work(sink)


class Through:
    """A sink that changes quotes on their way into another."""

    def __init__(self, sink: Sink, change: Callable[[Iterable[Quote]], list[Quote]]) -> None:
        self.status = sink.status
        self.state, self.remove, self.loaded = sink.state, sink.remove, sink.loaded
        self._sink = sink
        self._change = change

    def publish(self, quotes: Iterable[Quote]) -> None:
        self._sink.publish(self._change(quotes))


class StreamedFeed:
    """The `Feed` of an exchange that streams; `poller` is None where nothing may be polled."""

    def __init__(
        self,
        name: str,
        venue: Venue,
        stream: Stream,
        *,
        rest: Rest,
        directory: Directory,
        judge: Judge,
        listings: Listings,
        connector: Connector,
        poller: Poller | None,
        history: History,
        interval_s: float,
        context: Context,
    ) -> None:
        self.name = name
        self.kind = venue.kind
        self.clock = venue.clock
        round_s = interval_s + ANSWER_S if venue.limits.symbols_per_request else 0.0  # they take their time
        self.stale_after_s = max(PATIENCE_S, round_s) if poller else STALE_AFTER_S
        self._stream = stream
        self._rest = rest
        self._directory = directory
        self._listings = listings
        self._poller = poller
        self._history = history
        self._interval_s = interval_s
        self._context = context
        self._streams = Streams(
            stream.wires_per_connection,
            lambda number: Shard(f"{name} stream {number}", stream, connector, judge, context, self._tell),
        )
        self._start: Callable[[Shard], None] = lambda _: None
        self._joint: Joint | None = None
        self._carriers: dict[str, tuple[Shard, str]] = {}  # of each venue symbol, with its wire name
        self._recent: dict[str, Recent] = {}
        self._polled = set(NOT_NEWS)  # all fields that polls ever brought
        self._most_symbols = venue.limits.symbols
        self._quiet_s = max(ANSWER_S, min(QUIET_S, PATIENCE_S - interval_s - ANSWER_S))
        self._takes_s = self._quiet_s if venue.limits.symbols_per_request else min(SOON_QUIET_S, self._quiet_s)

    async def run(self, sink: Sink) -> None:
        """Deliver until cancelled; see `base.Feed.run`."""
        joint = self._joint = Joint(sink)
        self._history.status = sink.status
        async with self._rest.source, asyncio.TaskGroup() as tasks:

            def keep(part: Part | Shard, into: Sink) -> None:
                tasks.create_task(Runner(part, into, self._context).run(), name=part.name)

            self._start = lambda shard: keep(shard, Through(joint.way(shard.name.partition(" ")[2]), self._note))
            if self._poller:  # first, for its prices come sooner than the list
                polls = Part(f"{self.name} polls", min(PATIENCE_S, patience_s(self._interval_s)), self._poll_beside)
                keep(polls, Through(joint.way("polls"), self._trim))
            keep(Part(f"{self.name} list", 0.0, self._keep_list), joint.way("instrument list", carries=False))

    async def history(self, symbol: str, interval_s: int, limit: int) -> list[Bar]:
        """See `base.Feed.history`; raises `FeedError` for bars that cannot be had."""
        return await self._history.bars(symbol, interval_s, limit)

    # The list

    async def _keep_list(self, sink: Sink) -> None:
        while True:
            try:
                await self._listings.load(sink)
            except FeedError:
                self._carry()  # what is named in full can do without
                raise
            await asyncio.sleep(0)  # a long list has taken its time
            self._carry()
            for shard in self._streams.shards:
                shard.ask_again()
            sink.loaded()
            sink.state("live")
            await self._context.clock.sleep(min(self._listings.wait_s, DAY_S))

    def _carry(self) -> None:
        wanted = self._directory.wanted()
        for shard in self._streams.carry(wanted):
            self._start(shard)
        self._carriers = {wanted[wire].symbol: (shard, wire) for shard in self._streams.shards for wire in shard.wires}
        self._tell()

    # The polls

    async def _poll_beside(self, sink: Sink) -> None:
        assert self._poller is not None
        schedule = Schedule(self._context.clock, self._interval_s)
        failing = True  # unless proven otherwise: this may be another try
        while True:
            lacking = [symbol for symbol in self._carriers if self._lacks(symbol, self._quiet_s)]
            if lacking:
                await self._poller.poll(sink, partial(self._lacks, quiet_s=self._takes_s))
                for symbol in lacking:  # it has been asked for, whatever the answer
                    recent = self._of(symbol)
                    recent.asked_at, recent.doubtful = self._context.clock.monotonic(), False
            elif not self._carriers and not self._listings.needed:
                await self._poller.poll(sink)
            elif failing:
                sink.state("live")
            failing = False
            await schedule.wait(sink)

    def _lacks(self, symbol: str, quiet_s: float) -> bool:
        """Whether the stream leaves something of a venue symbol to be asked for now."""
        carrier = self._carriers.get(symbol)
        if carrier is None or not (self._stream.complete and carrier[0].brings(carrier[1])):
            return True
        recent = self._of(symbol)
        if recent.doubtful:
            return True
        silent_s = self._context.clock.monotonic() - max(recent.asked_at, recent.priced_at)
        return silent_s > quiet_s

    # What passes

    def _note(self, quotes: Iterable[Quote]) -> list[Quote]:
        """Remember what the stream brings."""
        now, wall_ms = self._context.clock.monotonic(), self._context.clock.wall_ms()
        passed = list(quotes)
        for quote in passed:
            recent = self._of(quote.symbol)
            if quote.ts is not None:
                recent.ts = quote.ts
                # As a quiet symbol's first one on a new connection is; where the exchange's clock is slow, every one.
                if now - recent.came_at > self.stale_after_s and wall_ms - quote.ts > self.stale_after_s * 1000:
                    recent.doubtful = True
            recent.came_at = now
            recent.fields.update(dict.fromkeys(quote.values, now))
        return passed

    def _trim(self, quotes: Iterable[Quote]) -> list[Quote]:
        """Of polled quotes leave only what the stream does not bring by itself: its prices are newer.

        The time of what is left is not held against it: REST often has whole seconds, or those of its cache; and where
        a stream that delivers has nothing newer, nobody has traded since. While the stream is away, what no poll has is
        not known: it would be of other prices than those beside it.
        """
        now = self._context.clock.monotonic()
        old_ms = self._context.clock.wall_ms() - self.stale_after_s * 1000
        since, quiet_since = now - self.stale_after_s, now - QUIET_S
        trimmed = []
        for quote in quotes:
            recent, carrier = self._of(quote.symbol), self._carriers.get(quote.symbol)
            recent.asked_at = now
            values, fields, tolerance_ms = quote.values, recent.fields, 1000.0
            self._polled.update(values)
            delivering = carrier is not None and carrier[0].delivering
            if delivering:
                if recent.came_at >= since:
                    tolerance_ms = self.stale_after_s * 1000
                left = (n for n in values if n in NOT_NEWS or fields.get(n, NEVER) < quiet_since)
                values = {n: values[n] for n in left}
            else:
                lost = (n for n, at in fields.items() if at < since and n not in self._polled)
                values = {**dict.fromkeys(lost), **values}
            ts = quote.ts
            if ts is not None and recent.ts is not None and 0 <= recent.ts - ts <= tolerance_ms:
                ts = None if delivering and recent.ts < old_ms else recent.ts
            trimmed.append(Quote(quote.symbol, values, ts, quote.seq))
        return trimmed

    def _of(self, symbol: str) -> Recent:
        recent = self._recent.get(symbol)
        if recent is None:
            recent = Recent()
            if len(self._recent) < self._most_symbols:  # a server may make up names
                self._recent[symbol] = recent
        return recent

    # What there is to say

    def _tell(self) -> None:
        if self._joint:
            self._joint.note(*self._notes())

    def _notes(self) -> list[str]:
        notes = []
        if unlisted := self._directory.unlisted():
            notes.append(f"the exchange does not list {few(unlisted)}; check the feed's symbols")
        elif self._directory.loaded and not self._carriers:
            notes.append("the exchange lists no open market that matches the feed's symbols")
        refused = {wire: why for shard in self._streams.shards for wire, why in shard.missing.items()}
        if refused:
            wire, why = next(iter(refused.items()))
            notes.append(f"not subscribed: {few(list(refused))} ({wire}: {why[:80]})")
        return notes
