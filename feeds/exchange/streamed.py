"""The feed of an exchange that streams, in mode `auto` with polls beside the stream.

In `auto` whatever the stream does not deliver is polled: everything before it has begun, the symbols of a broken
connection or a refused subscription, symbols without a price for a while, and fields that the stream does not have.
In `stream` HTTP is used only for the instrument list and historical bars.
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
"""How long a symbol must be silent to count as stale if polls back the stream up: readers know within ten seconds, or,
if requests for each symbol take longer, after one round of them."""
QUIET_S, SOON_QUIET_S, ANSWER_S = 4.0, 2.0, 1.0
"""A symbol without a price for `QUIET_S` is polled, or sooner if the poll after that, which takes `ANSWER_S`, could not
confirm it before it is stale. If one answer has all symbols, those without a price for `SOON_QUIET_S` are taken from
it, too, which may save the next poll."""
DAY_S = 86_400.0
NEVER = float("-inf")
NOT_NEWS = frozenset({"decimals", "name", "state"})


@dataclass(slots=True)
class Recent:
    """What came for one symbol lately; times are monotonic seconds.

    Attributes:
        asked_at: when it was last polled.
        ts: the exchange's time of the last streamed quote.
        came_at: when the stream last delivered anything.
        doubtful: the stream's first quote after a silence was old by its own time, and no poll has followed yet.
        fields: when the stream last delivered each field; one of its channels may be mute while others are not.
    """

    asked_at: float = NEVER
    ts: int | None = None
    came_at: float = NEVER
    doubtful: bool = False
    fields: dict[str, float] = field(default_factory=dict)

    @property
    def priced_at(self) -> float:
        """When the stream delivered the oldest of the price fields."""
        return min((self.fields[name] for name in PRICES if name in self.fields), default=NEVER)


@dataclass(frozen=True, slots=True)
class Part:
    """One activity of a feed, supervised by a runner of its own."""

    name: str
    stale_after_s: float
    work: Callable[[Sink], Awaitable[None]]

    async def run(self, sink: Sink) -> None:
        """See `base.Feed.run`."""
        await self.work(sink)


class Through:
    """A sink that changes quotes on their way to another sink."""

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
        self._one_by_one = venue.limits.symbols_per_request is not None
        round_s = interval_s + ANSWER_S if self._one_by_one else 0.0
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
        self._carried = asyncio.Event()
        self._recent: dict[str, Recent] = {}
        self._polled = set(NOT_NEWS)  # all fields that polls ever had
        self._most_symbols = venue.limits.symbols
        self._quiet_s = max(ANSWER_S, min(QUIET_S, PATIENCE_S - interval_s - ANSWER_S))
        self._takes_s = self._quiet_s if self._one_by_one else min(SOON_QUIET_S, self._quiet_s)

    async def run(self, sink: Sink) -> None:
        """Deliver until cancelled; see `base.Feed.run`."""
        joint = self._joint = Joint(sink)
        self._history.status = sink.status
        async with self._rest.source, asyncio.TaskGroup() as tasks:

            def keep(part: Part | Shard, into: Sink) -> None:
                tasks.create_task(Runner(part, into, self._context).run(), name=part.name)

            def start(shard: Shard) -> None:
                name = shard.name.partition(" ")[2]
                way = joint.way(name, silent=shard.silent) if self._poller else joint.way(name)
                keep(shard, Through(way, self._note))

            self._start = start
            if self._poller:  # first: its prices arrive sooner than the list
                polls = Part(f"{self.name} polls", min(PATIENCE_S, patience_s(self._interval_s)), self._poll_beside)
                keep(polls, Through(joint.way("polls"), self._trim))
            keep(Part(f"{self.name} list", 0.0, self._keep_list), joint.way("instrument list", carries=False))

    async def history(self, symbol: str, interval_s: int, limit: int) -> list[Bar]:
        """See `base.Feed.history`; raises `FeedError` if the bars could not be loaded."""
        return await self._history.bars(symbol, interval_s, limit)

    # The list

    async def _keep_list(self, sink: Sink) -> None:
        while True:
            try:
                await self._listings.load(sink)
            except FeedError:
                self._carry()  # symbols named in full may need no list
                raise
            await asyncio.sleep(0)  # parsing a long list takes a while
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
        self._carried.set()
        self._tell()

    # The polls

    async def _poll_beside(self, sink: Sink) -> None:
        assert self._poller is not None
        while not (self._carriers or self._can_poll):
            self._carried.clear()
            await self._carried.wait()
        schedule = Schedule(self._context.clock, self._interval_s)
        failing = True  # this may be a retry after a failure
        while True:
            lacking = [symbol for symbol in self._carriers if self._lacks(symbol, self._quiet_s)]
            if lacking:
                await self._poller.poll(sink, partial(self._lacks, quiet_s=self._takes_s))
                for symbol in lacking:  # polled, whether or not the answer had it
                    recent = self._of(symbol)
                    recent.asked_at, recent.doubtful = self._context.clock.monotonic(), False
            elif not self._carriers and self._can_poll:
                await self._poller.poll(sink)
            elif failing:
                sink.state("live")
            failing = False
            await schedule.wait(sink)

    @property
    def _can_poll(self) -> bool:
        """Whether it is known what to ask for, which may take the list."""
        return not self._listings.needed and (not self._one_by_one or bool(self._directory.wanted()))

    def _lacks(self, symbol: str, quiet_s: float) -> bool:
        """Whether a venue symbol must be polled now, because the stream lacks something of it."""
        carrier = self._carriers.get(symbol)
        if carrier is None or not (self._stream.complete and carrier[0].brings(carrier[1])):
            return True
        recent = self._of(symbol)
        if recent.doubtful:
            return True
        silent_s = self._context.clock.monotonic() - max(recent.asked_at, recent.priced_at)
        return silent_s > quiet_s

    # Quotes on their way

    def _note(self, quotes: Iterable[Quote]) -> list[Quote]:
        """Remember what the stream delivers."""
        now, wall_ms = self._context.clock.monotonic(), self._context.clock.wall_ms()
        passed = list(quotes)
        for quote in passed:
            recent = self._of(quote.symbol)
            if quote.ts is not None:
                recent.ts = quote.ts
                # As with a quiet symbol's first quote on a new connection; if the exchange's clock is slow, every one.
                if now - recent.came_at > self.stale_after_s and wall_ms - quote.ts > self.stale_after_s * 1000:
                    recent.doubtful = True
            recent.came_at = now
            recent.fields.update(dict.fromkeys(quote.values, now))
        return passed

    def _trim(self, quotes: Iterable[Quote]) -> list[Quote]:
        """Remove from polled quotes the fields that the stream delivers: its prices are newer.

        What is left is not rejected for a slightly older time: REST often has whole seconds, or a cached time; and if a
        working stream has nothing newer, nobody has traded since. While the stream is away, fields that polls never
        have are cleared: they would belong to other prices than those beside them.
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
            if len(self._recent) < self._most_symbols:  # a server may invent names
                self._recent[symbol] = recent
        return recent

    # The message

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
