"""A hub in a loop whose time jumps, with readers that note what they get and when.

Nothing here waits. `JumpingLoop` is asyncio's own loop with another clock: when nothing is ready it moves its time to
the next timer, so that an hour of the service costs a test nothing and every moment is exact.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import selectors
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from ticker import settings
from ticker.clock import Clock
from ticker.consolidate import Consolidator
from ticker.hub import Hub
from ticker.intake import FeedIntake, Intake
from ticker.model import Quote
from ticker.protocol import Frame
from ticker.readers import Group
from ticker.selection import Selection
from ticker.store import Store

FLUSH_INTERVAL_MS = 20
HEARTBEAT_MS = 5000
STALL_S = 10.0


class JumpingSelector(selectors.DefaultSelector):
    """Never waits; returns how long it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.jump: Callable[[float], None] = lambda seconds: None
        self.calls = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.calls += 1
        events = super().select(0)
        if not events:
            assert timeout is not None, "everybody waits, and nothing will ever happen"
            self.jump(max(0.0, timeout))
        return events


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop whose time moves only when nothing else is to be done."""

    def __init__(self) -> None:
        self._now = 0.0
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)
        self._jumping.jump = self._jump

    @property
    def turn(self) -> int:
        """How often it has turned."""
        return self._jumping.calls

    def _jump(self, seconds: float) -> None:
        self._now += seconds

    def time(self) -> float:
        return self._now


class LoopClock(Clock):
    """The loop's time; `suspended_s` is added to it, as if the machine had slept."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.suspended_s = 0.0

    def monotonic(self) -> float:
        return self._loop.time() + self.suspended_s

    def wall_ms(self) -> int:
        return 1_795_386_000_000 + round(self.monotonic() * 1000)


class Held:
    """A pause that is over when a test says so, and in which nothing moves unless it says when."""

    def __init__(self, hub: Hub) -> None:
        self.arrived = False
        self.moved_at = hub.now()

    def over(self, now: float) -> bool:
        return self.arrived

    def stalled_s(self, now: float) -> float:
        return now - self.moved_at


class Peer:
    """A connection that notes what it takes, and when."""

    def __init__(self, hub: Hub, address: str = "192.0.2.1") -> None:
        self.group: Group | None = None
        self.since = 0
        self.address = address
        self.via = "ws"
        self.number = hub.journal.number()
        self.pending_bytes = 0
        self.paused = False
        self.takes = True
        self.leaves_on_bye = True
        self.frames: list[tuple[float, Any]] = []
        self.aborted = False
        self._hub = hub
        hub.add(self)

    def write(self, frame: Frame) -> bool:
        if self.takes:
            self.frames.append((self._hub.now(), json.loads(frame.data)))
        return self.takes

    def end(self, code: int, reason: str) -> None:
        self._hub.remove(self, code)

    def say_bye(self, frame: Frame, code: int, reason: str) -> None:
        self.write(frame)
        if self.leaves_on_bye:
            asyncio.get_running_loop().call_later(0.1, self._hub.remove, self, code)

    def abort(self) -> None:
        self.aborted = True
        self._hub.remove(self, 1006)

    def subscribe(self, *patterns: str, interval_ms: int = 0) -> None:
        frame = self._hub.groups.enter(self, Selection.of(patterns), interval_ms, None)
        self.write(frame)

    def take(self, kind: str = "update") -> list[tuple[float, Any]]:
        """The frames of a kind since the last call, each with its time; other frames are dropped."""
        frames, self.frames = self.frames, []
        return [(round(at, 6), frame) for at, frame in frames if frame["type"] == kind]

    def lasts(self) -> list[tuple[float, Any]]:
        """The last prices of `v:A` in the updates since the last call."""
        return [(at, frame["quotes"]["v:A"]["last"]) for at, frame in self.take() if "v:A" in frame.get("quotes", {})]


class Service:
    """A hub with everything that it drives, and one feed."""

    def __init__(self, flush_interval_ms: int) -> None:
        self.clock = LoopClock()
        self.store = Store(epoch=1)
        self.intake = Intake(self.store, self.clock, 100)
        self.store.derivation = Consolidator(self.store.get, self.intake.rank, failback_after_s=30.0)
        pace = settings.Hub(flush_interval_ms=flush_interval_ms, heartbeat_ms=HEARTBEAT_MS, stall_s=STALL_S)
        self.hub = Hub(self.store, self.intake, self.clock, pace, settings.Limits())
        self.intake.wake = self.hub.wake
        self.feed = self.new_feed("v")

    def new_feed(self, name: str) -> FeedIntake:
        return self.intake.feed(name, "live", "received", 5.0)

    def put(self, last: object, symbol: str = "v:A", **more: Any) -> None:
        self.feed.publish([Quote(symbol, {"last": str(last), **more})])

    def peer(self, *patterns: str, interval_ms: int = 0) -> Peer:
        """A connection that has subscribed and dropped its first frames."""
        peer = Peer(self.hub)
        peer.subscribe(*(patterns or ("v:A",)), interval_ms=interval_ms)
        peer.take()
        return peer

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        """The hub's own task at work."""
        task = asyncio.create_task(self.hub.run())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def play(story: Callable[[Service], Awaitable[None]], flush_interval_ms: int = FLUSH_INTERVAL_MS) -> None:
    """Play a story that begins at time zero; it may leave no task behind, and no error that only the loop has seen."""
    unseen: list[object] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: unseen.append(context))
        service = Service(flush_interval_ms)
        try:
            await story(service)
        finally:
            service.hub.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(debug=True, loop_factory=JumpingLoop) as runner:
        runner.run(main())
    assert unseen == []


async def turns(count: int = 3) -> None:
    """Let every task run that need not wait."""
    for _ in range(count):
        await asyncio.sleep(0)


async def later(seconds: float) -> None:
    """Let virtual time pass."""
    await asyncio.sleep(seconds)
