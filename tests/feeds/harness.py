"""The surroundings of a feed in tests: a sink that records calls, and a clock on which every sleep ends at once."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import NamedTuple, TypeVar

from feeds.base import Context, Feed
from feeds.runner import Runner
from tests.clock import ManualClock
from ticker.model import FeedStatus, Quote

T = TypeVar("T")

PATIENCE_S = 60.0
"""The deadline for conditions that should hold at once: the machine may be very busy."""


class InstantClock(ManualClock):
    """Every sleep ends at once and moves the time by its length; `slept` has the lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.tick(max(0.0, seconds))
        await asyncio.sleep(0)


class Event(NamedTuple):
    """One call of the sink: `at` is the clock's time, `what` the state or the method's name."""

    at: float
    what: str
    data: object = None


class RecordingSink:
    """A sink that records every call and lets a test wait for calls."""

    def __init__(self, clock: ManualClock) -> None:
        self.status = FeedStatus("toy", "live")
        self.events: list[Event] = []
        self._clock = clock
        self._news = asyncio.Event()

    def publish(self, quotes: Iterable[Quote]) -> None:
        self._add("publish", list(quotes))
        self.status.state, self.status.message = "live", None

    def state(self, state: str, message: str | None = None) -> None:
        self.status.state, self.status.message = state, message
        self._add(state, message)

    def remove(self, symbols: Iterable[str]) -> None:
        self._add("remove", sorted(symbols))

    def loaded(self) -> None:
        self.status.loaded = True

    @property
    def polls(self) -> list[dict[str, Quote]]:
        """The quotes of each publish, by symbol."""
        return [{q.symbol: q for q in e.data} for e in self.events if isinstance(e.data, list) and e.what == "publish"]

    @property
    def story(self) -> list[str]:
        """The names of the calls in order, repetitions left out."""
        names = [event.what for event in self.events]
        return [name for i, name in enumerate(names) if i == 0 or names[i - 1] != name]

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait until a condition on the calls so far holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not happened():
                self._news.clear()
                await self._news.wait()

    def _add(self, what: str, data: object) -> None:
        self.events.append(Event(self._clock.monotonic(), what, data))
        self._news.set()


def context(clock: ManualClock) -> Context:
    """A feed's context with repeatable randomness."""
    return Context(clock, random.Random(7))


@contextlib.asynccontextmanager
async def supervised(feed: Feed, sink: RecordingSink, clock: ManualClock) -> AsyncIterator[asyncio.Task[None]]:
    """Run the feed under a runner, which is cancelled on leaving."""
    task = asyncio.create_task(Runner(feed, sink, context(clock)).run(), name=f"runner of {feed.name}")
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def run(main: Callable[[], Awaitable[T]]) -> T:
    """Run a test's coroutine in asyncio's debug mode; a task that outlives it fails the test."""

    async def watched() -> T:
        result = await main()
        for _ in range(5):  # the loop itself closes generators that an exception has left
            await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"still running: {left}"
        return result

    return asyncio.run(watched(), debug=True)
