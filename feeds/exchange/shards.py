"""The streaming side of a feed: its wire names spread over connections, each kept alive and renewed in time.

A broken connection affects only its own wire names. A worn one is replaced before it ends (make before break), so
that there is no gap; while two overlap, each wire name is taken from one. Works for every `Stream` and mentions none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from feeds.backoff import Backoff
from feeds.base import Context, Sink
from feeds.exchange.connector import Connector
from feeds.exchange.judge import Judge
from feeds.exchange.link import Link
from feeds.exchange.pulse import Pulse
from feeds.exchange.venue import Row, Stream
from feeds.runner import log_fields
from ticker.errors import FeedError
from ticker.model import FeedStatus

STALE_AFTER_S = 5.0
"""How long a streamed symbol must be silent to count as stale, at least."""
RENEW_AT = (0.80, 0.95)
"""The share of its lifetime after which a connection is renewed; random within this range, to spread renewals."""
RENEWED_LATELY_S = 60.0
"""A renewal this soon after the last one waits, with backoff."""

log = logging.getLogger("ticker.feeds")


class Shard:
    """The wire names of one connection, or of two during a renewal. A `Runner` supervises it like a feed."""

    status: FeedStatus
    _sink: Sink

    def __init__(
        self, name: str, stream: Stream, connector: Connector, judge: Judge, context: Context, tell: Callable[[], None]
    ) -> None:
        self.name = name
        self.stream = stream
        self.time = context.clock
        self.pulse = Pulse()
        self.wires: dict[str, None] = {}
        self._connector = connector
        self._judge = judge
        self._rng = context.rng
        self._tell = tell
        self._current: Link | None = None
        self._next: Link | None = None
        self._changed = asyncio.Event()
        self._renewals = Backoff(context.rng)
        self._renewed_at = float("-inf")
        self._shut = False

    @property
    def stale_after_s(self) -> float:
        """How long a silence is usual, by its own rhythm."""
        return self.pulse.usual_s(STALE_AFTER_S)

    @property
    def delivering(self) -> bool:
        """Whether prices come, or would if there were any: subscribed, and not silent for longer than usual."""
        link = self._current
        if link is None or link.failure or not (link.subscribed or link.delivered):
            return False
        since = max(link.opened_at, self.pulse.last or 0.0)
        return self.time.monotonic() - since <= self.stale_after_s

    def silent(self) -> bool:
        """Whether it delivers no prices although its market may be open."""
        return not (self.delivering or self._judge.memory.shut)

    @property
    def missing(self) -> dict[str, str]:
        """The wire names that the exchange does not send, with the reason."""
        if self._current is None:
            return {}
        subscriptions = self._current.subscriptions
        missing = dict.fromkeys(subscriptions.unanswered, "no answer") | subscriptions.refused
        return {wire: missing[wire] for wire in sorted(missing) if wire in self.wires}

    @property
    def load(self) -> int:
        """How many wire names its connection has subscribed, including those no longer carried."""
        return len(self.wires.keys() | self.asked)

    @property
    def asked(self) -> set[str]:
        """The wire names that its connection has subscribed and goes on sending."""
        link = self._current
        return link.subscriptions.asked if link and not link.failure else set()

    def brings(self, wire: str) -> bool:
        """Whether a price of this wire name would arrive at once if there was one."""
        return self.delivering and self._current is not None and not self._current.subscriptions.lacks(wire)

    def add(self, wires: Iterable[str]) -> None:
        """Carry more wire names."""
        new = [wire for wire in wires if wire not in self.wires]
        if not new:
            return
        self.wires.update(dict.fromkeys(new))
        for link in (self._current, self._next):
            if link and not link.failure:
                link.subscribe(new)
        self._wake()

    def ask_again(self) -> None:
        """Subscribe again what the exchange does not send: perhaps it does by now."""
        link = self._current
        if link and not link.failure and (lacking := [wire for wire in self.wires if link.subscriptions.lacks(wire)]):
            link.subscribe(lacking)

    def drop(self, wires: Iterable[str]) -> None:
        """Stop carrying wire names; an open connection goes on sending them, and they are ignored."""
        for wire in wires:
            self.wires.pop(wire, None)

    async def run(self, sink: Sink) -> None:
        """Deliver until a connection fails without a successor.

        Raises:
            FeedError: why it failed, or why the first one could not be opened.
        """
        self._sink, self.status = sink, sink.status
        self._current = self._next = None
        try:
            link = await self._open()
            async with asyncio.TaskGroup() as tasks:
                failure = await self._serve(link, tasks)
            raise failure
        except FeedError as error:
            if error.reason != "mute":
                self.pulse.lost()
            raise

    # Called by a link (see `link.Owner`)

    def deliver(self, link: Link, rows: Sequence[Row]) -> bool:
        """Publish the rows of a connection; the older of two is ignored for wire names that the newer has delivered.

        Returns false if all rows were rejected or are not wanted.
        """
        newest = self._next or self._current
        if newest and link is not newest:
            rows = [row for row in rows if row.wire not in newest.delivered]
        if quotes := self._judge.message(rows, self.status):
            self._sink.publish(quotes)
        return bool(quotes) or not rows

    def rests(self) -> bool:
        """Whether its market is known to be closed; no row will say so, so its symbols are marked when it closes."""
        before, self._shut = self._shut, self._judge.memory.shut
        if self._shut and not before and (closed := self._judge.memory.halted()):
            self._sink.publish(closed)
        return self._shut

    def news(self) -> None:
        """Wake tasks that wait for a change of a connection, and update the feed's message."""
        self._wake()
        self._tell()

    # Inside

    async def _open(self) -> Link:
        if not self.wires:
            self._sink.state("down")  # it has nothing to deliver, which is no trouble
        await self._until(lambda: bool(self.wires))
        socket, ping = await self._connector.open(self.status)
        lifetime_s = (self.stream.lifetime_s or float("inf")) * self._rng.uniform(*RENEW_AT)
        return Link(self, socket, ping, list(self.wires), lifetime_s)

    async def _serve(self, link: Link, tasks: asyncio.TaskGroup) -> FeedError:
        """Keep a connection, and those that replace it, until one fails without a successor; returns why."""
        self._current = link
        tasks.create_task(link.run(), name=self.name)
        renewal: asyncio.Task[None] | None = None
        told: Link | None = None
        while True:
            if link.subscribed and link is not told and not self.pulse.fruitless:
                told = link
                self._sink.state("live")  # even without a price yet, earlier trouble is over
            if link.failure and not (self._next and not self._next.failure):
                if renewal:
                    renewal.cancel()
                return link.failure
            if link.failure:  # its successor is not ready yet, but the best there is
                assert renewal is not None
                renewal.cancel()
                self._current, self._next, renewal = self._next, None, None
                self._renewed_at = self.time.monotonic()
            elif link.worn and (renewal is None or renewal.done()):
                log.info("replacing the connection: %s", link.worn, extra=log_fields(self.name))
                renewal = tasks.create_task(self._renew(link, tasks), name=f"{self.name} renewal")
            await self._changed.wait()
            assert self._current is not None
            link = self._current

    async def _renew(self, old: Link, tasks: asyncio.TaskGroup) -> None:
        """Open a new connection beside a worn one; when it delivers prices, close the old one."""
        backoff = self._renewals
        if self.time.monotonic() - self._renewed_at <= RENEWED_LATELY_S:
            await self.time.sleep(backoff.pause_s())
        else:
            backoff.forgive()
        while True:
            try:
                new = await self._open()
            except FeedError as error:
                failure = error
            else:
                self._next = new
                tasks.create_task(new.run(), name=self.name)
                await self._until(lambda: new.ready or new.failure is not None)  # noqa: B023 - awaited here
                if new.failure is None:
                    break
                self._next, failure = None, new.failure
            self.status.errors[failure.reason] += 1
            await self.time.sleep(backoff.pause_s(failure))
        self._current, self._next = new, None
        self._renewed_at = self.time.monotonic()
        self.status.reconnects += 1
        try:
            await old.retire()
        finally:
            old.end(FeedError("replaced", reason="closed"))
            self.news()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _until(self, happened: Callable[[], bool]) -> None:
        while not happened():
            await self._changed.wait()


class Streams:
    """All connections of one feed: which shard carries which wire name.

    Args:
        most: most wire names on one connection.
        make: makes an empty shard with the given number.
    """

    def __init__(self, most: int, make: Callable[[int], Shard]) -> None:
        self.shards: list[Shard] = []
        self._most = most
        self._make = make

    def carry(self, wires: Iterable[str]) -> list[Shard]:
        """Carry exactly these wire names from now on; returns the new shards that this takes."""
        wanted = dict.fromkeys(wires)
        for shard in self.shards:
            shard.drop([wire for wire in shard.wires if wire not in wanted])
        carried = {wire for shard in self.shards for wire in shard.wires}
        new = [wire for wire in wanted if wire not in carried]
        for shard in self.shards:
            shard.add([wire for wire in new if wire in shard.asked])
            new = [wire for wire in new if wire not in shard.wires]
        for shard in self.shards:
            room = max(0, self._most - shard.load)
            shard.add(new[:room])
            new = new[room:]
        started = []
        for i in range(0, len(new), self._most):
            shard = self._make(len(self.shards) + 1)
            shard.add(new[i : i + self._most])
            self.shards.append(shard)
            started.append(shard)
        return started
