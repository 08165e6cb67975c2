"""Bars from venues: fetched once, shared, bounded, and no reader waits long for a failing venue."""

from __future__ import annotations

import asyncio
import logging
import tracemalloc
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.clock import ManualClock
from tests.conftest import logged
from ticker import past
from ticker.errors import FeedError
from ticker.model import Bar
from ticker.past import AT_ONCE, ENTRY_BYTES, MAX_BARS, Past

MINUTE = 60_000
START = 1_795_386_000_000  # a whole hour


class Venue:
    """A venue that has bars of any time, the last one open; each closes at the number of its minute."""

    def __init__(self, clock: ManualClock) -> None:
        self.asked: list[tuple[str, int, int]] = []
        self.failure: Exception | None = None
        self.oldest = 0
        self.surplus = 0
        """How many older bars it delivers than were requested."""
        self.open = asyncio.Event()
        self.open.set()
        self.waiting = 0
        self._clock = clock

    async def history(self, symbol: str, interval_s: int, limit: int) -> list[Bar]:
        self.asked.append((symbol, interval_s, limit))
        self.waiting += 1
        await self.open.wait()
        self.waiting -= 1
        if self.failure is not None:
            raise self.failure
        span_ms = interval_s * 1000
        newest = self._clock.wall_ms() // span_ms
        first = newest - limit - self.surplus + 1
        return [self.bar(n, span_ms) for n in range(first, newest + 1) if n * span_ms >= self.oldest]

    def bar(self, n: int, span_ms: int) -> Bar:
        """The bar as it is now: one that is open grows second by second."""
        seconds = min(self._clock.wall_ms() - n * span_ms, span_ms) / 1000
        return Bar(n * span_ms, 1.0, 3.0, 0.5, float(n), seconds if n % 2 else None)


class World:
    """A clock, a venue behind the feed `v`, and what it delivered."""

    def __init__(self, max_bytes: int = 10**6, deadline_s: float = 5.0) -> None:
        self.clock = ManualClock(START + 30_000)
        self.venue = Venue(self.clock)
        self.past = Past(self.clock, max_bytes, deadline_s)
        self.past.offer("v", self.venue.history, local=False)

    async def ask(self, minutes: int, symbol: str = "v:X") -> None:
        """Fetch the bars from this many minutes before the open one."""
        now = self.clock.wall_ms()
        await self.past.fetch(symbol, MINUTE, now - now % MINUTE - minutes * MINUTE)

    def closes(self, minutes: int = MAX_BARS, symbol: str = "v:X") -> list[int]:
        """The closes that are known, as minutes from the start."""
        now = self.clock.wall_ms()
        bars = self.past.known(symbol, MINUTE).bars(now - now % MINUTE - minutes * MINUTE, MINUTE)
        assert list(bars) == [bar.t for bar in bars.values()]
        return [round(bar.close) - START // MINUTE for bar in bars.values()]


def scenario(run: Coroutine[Any, Any, None]) -> None:
    asyncio.run(run, debug=True)


def test_bars_are_returned_as_the_venue_sent_them() -> None:
    """Prices, times and volumes, unknown ones too, are those of the venue; the open bar is among them."""

    async def run() -> None:
        world = World()
        await world.ask(3)
        wanted = [world.venue.bar(START // MINUTE + n, MINUTE) for n in range(-3, 1)]
        assert {bar.volume for bar in wanted} > {None}
        told = world.past.known("v:X", MINUTE)
        assert list(told.bars(START - 3 * MINUTE, MINUTE).values()) == wanted
        assert list(told.bars(START - MINUTE, MINUTE)) == [START - MINUTE, START]
        assert told.covers(START - 3 * MINUTE, START)
        assert not told.covers(START, START + MINUTE)
        assert not told.covers(START - 4 * MINUTE, START)

    scenario(run())


def test_only_new_bars_and_the_open_one_are_requested() -> None:
    """Bars that have ended are not fetched again: later requests are for newer ones, and the one that was open."""

    async def run() -> None:
        world = World()
        await world.ask(100)
        world.clock.tick(3 * 60)
        await world.ask(100)
        assert world.venue.asked == [("v:X", 60, 101), ("v:X", 60, 4)]
        assert world.closes() == list(range(-100, 4))
        told = world.past.known("v:X", MINUTE).bars(START, MINUTE)
        assert told[START + MINUTE].volume == 60, "the bar was told again after it had ended"

    scenario(run())


def test_a_request_further_back_is_made_at_once() -> None:
    """A reader who looks further back than the previous one need not wait, and known bars are not lost."""

    async def run() -> None:
        world = World()
        world.venue.oldest = START - 8 * MINUTE
        await world.ask(5)
        await world.ask(20)
        assert world.closes() == list(range(-8, 1))
        await world.ask(20)
        assert len(world.venue.asked) == 2, "the venue has nothing older, and that is known"

    scenario(run())


def test_bars_too_old_to_join_on_are_requested_again() -> None:
    """Bars too old to join on to those that are wanted now are replaced."""

    async def run() -> None:
        world = World()
        await world.ask(5)
        world.clock.tick(60 * 60)
        await world.ask(5)
        assert world.venue.asked == [("v:X", 60, 6), ("v:X", 60, 6)]
        assert world.closes() == list(range(55, 61))

    scenario(run())


def test_only_the_newest_bars_are_kept() -> None:
    """However long it runs, and however far back a request and its answer go, only the newest bars are kept."""

    async def run() -> None:
        world = World()
        world.venue.surplus = 50
        await world.ask(10 * MAX_BARS)
        assert len(world.closes(10 * MAX_BARS)) == MAX_BARS
        for _ in range(3):
            world.clock.tick(100 * 60)
            await world.ask(MAX_BARS - 1)
            assert len(world.closes(10 * MAX_BARS)) == MAX_BARS
            now = world.clock.wall_ms()
            assert not world.past.known("v:X", MINUTE).covers(now - (MAX_BARS + 1) * MINUTE, now)
        assert [limit for _, _, limit in world.venue.asked] == [MAX_BARS, 101, 101, 101]
        assert world.past.bytes == ENTRY_BYTES + 48 * MAX_BARS

    scenario(run())


def test_readers_share_a_request_under_way() -> None:
    """Readers who come while a request is under way get its answer."""

    async def run() -> None:
        world = World()
        world.venue.open.clear()

        async def read() -> list[int]:
            await world.ask(10)
            return world.closes()

        async with asyncio.TaskGroup() as readers:
            reading = [readers.create_task(read()) for _ in range(5)]
            await world.clock.advance(0)
            world.venue.open.set()
        assert [task.result() for task in reading] == [list(range(-10, 1))] * 5
        assert len(world.venue.asked) == 1

    scenario(run())


def test_few_requests_are_sent_to_a_venue_at_a_time() -> None:
    """Charts of many symbols do not crowd out the venue's own polls."""

    async def run() -> None:
        world = World()
        world.venue.open.clear()
        async with asyncio.TaskGroup() as readers:
            for n in range(6):
                readers.create_task(world.ask(10, f"v:X{n}"))
            await world.clock.advance(0)
            assert world.venue.waiting == AT_ONCE
            world.venue.open.set()
        assert [len(world.closes(symbol=f"v:X{n}")) for n in range(6)] == [11] * 6

    scenario(run())


@pytest.mark.parametrize("failure", [FeedError("no"), OSError(), TimeoutError(), KeyError("a bug")], ids=repr)
def test_a_failing_venue_leaves_the_known_bars(failure: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """It raises nothing, is logged once per outage, and is retried after a minute; earlier bars stay."""

    async def run() -> None:
        world = World()
        await world.ask(5)
        world.clock.tick(60)
        world.venue.failure = failure
        await world.ask(5)
        await world.ask(50)
        assert len(world.venue.asked) == 2
        world.clock.tick(60)
        await world.ask(5)
        assert (len(world.venue.asked), world.closes()) == (3, list(range(-5, 1)))
        assert [line.rpartition(" feed=")[2] for line in logged(caplog)] == ["v history=failed"]
        world.clock.tick(60)
        world.venue.failure = None
        await world.ask(5)
        assert world.closes() == list(range(-5, 4))
        world.clock.tick(60)
        world.venue.failure = failure
        await world.ask(5)
        assert len(logged(caplog)) == 2

    with caplog.at_level(logging.INFO):
        scenario(run())


def test_a_slow_venue_is_given_up_at_a_deadline(caplog: pytest.LogCaptureFixture) -> None:
    """A venue that does not answer is given up, for all who wait, and left alone for a while; it is logged once."""

    async def run() -> None:
        world = World(deadline_s=0.0)
        world.venue.open.clear()
        await asyncio.gather(world.ask(5), world.ask(5))
        await world.ask(5)
        assert (len(world.venue.asked), world.closes()) == (1, [])

    scenario(run())
    assert logged(caplog) == ["no answer within 0 s feed=v history=failed"]


def test_bars_dated_by_a_wrong_clock_are_requested_again() -> None:
    """Dropped bars take no memory, and a request for them need not wait for the usual pause."""

    async def run() -> None:
        world = World()
        await world.ask(5)
        world.past.forget()
        assert (world.past.bytes, world.closes()) == (0, [])
        await world.ask(5)
        assert (len(world.venue.asked), world.closes()) == (2, list(range(-5, 1)))

    scenario(run())


@pytest.mark.parametrize(("span_s", "pause_s"), [(1, 5), (60, 60), (86_400, 60)])
def test_the_pause_between_requests_is_one_bar_within_bounds(span_s: int, pause_s: int) -> None:
    """The pause is one bar, but neither a second nor a whole day."""

    async def run() -> None:
        world = World()
        for _ in range(2 * pause_s + 1):
            await world.past.fetch("v:X", span_s * 1000, world.clock.wall_ms())
            world.clock.tick(1)
        assert len(world.venue.asked) == 3

    scenario(run())


def test_an_unknown_feed_has_no_past() -> None:
    """A feed without a history has no past."""

    async def run() -> None:
        world = World()
        await world.ask(5, "w:X")
        assert (world.closes(symbol="w:X"), world.past.bytes) == ([], 0)
        assert not world.past.is_local("w:X")

    scenario(run())


def test_the_least_recently_used_is_forgotten_first() -> None:
    """The budget holds after every answer; entries that are used stay."""

    async def run() -> None:
        size = ENTRY_BYTES + 48 * 101
        world = World(max_bytes=3 * size)
        for n in range(10):
            await world.ask(100, f"v:X{n}")
            assert len(world.closes(symbol="v:X0")) == 101
            assert world.past.bytes <= 3 * size
        assert [n for n in range(10) if world.closes(symbol=f"v:X{n}")] == [0, 8, 9]

    scenario(run())


def test_an_answer_for_a_forgotten_symbol_is_dropped() -> None:
    """If a symbol was forgotten while its venue was asked, its bars are dropped, and the count stays right."""

    async def run() -> None:
        world = World(max_bytes=2 * ENTRY_BYTES)
        world.venue.open.clear()
        async with asyncio.TaskGroup() as readers:
            for n in range(3):
                readers.create_task(world.ask(5, f"v:X{n}"))
            await world.clock.advance(0)
            world.venue.open.set()
        assert world.past.bytes <= 2 * ENTRY_BYTES
        assert world.past.bytes == sum(told.bytes for told in world.past._known.values())

    scenario(run())


def test_the_counted_bytes_are_those_python_takes() -> None:
    """No fewer bytes are counted than Python takes."""

    async def run() -> None:
        world = World(max_bytes=10**9)
        tracemalloc.start()
        try:
            for n in range(200):
                await world.ask(n, f"v:X{n}")
            traces = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, str(past.__file__))]).traces
        finally:
            tracemalloc.stop()
        taken = sum(trace.size for trace in traces)
        assert taken <= world.past.bytes < 1.5 * taken

    scenario(run())
