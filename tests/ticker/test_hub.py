"""The hub in a loop whose time jumps: when it flushes, whom it tells, and how it says goodbye.

Nothing here waits. `JumpingLoop` is asyncio's own loop with another clock: when nothing is ready it moves its time to
the next timer, so that an hour of the service costs a test nothing and every moment is exact.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import selectors
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from ticker.clock import Clock
from ticker.consolidate import Consolidator
from ticker.hub import Connection, Hub
from ticker.intake import TICK_S, FeedIntake, Intake
from ticker.model import Quote
from ticker.protocol import Frame
from ticker.readers import Group
from ticker.selection import Selection
from ticker.store import Store

FLUSH_INTERVAL_MS = 20
HEARTBEAT_MS = 5000
STALL_S = 10.0


class JumpingSelector(selectors.DefaultSelector):
    """Never waits: tells how long it would have."""

    def __init__(self) -> None:
        super().__init__()
        self.jump: Callable[[float], None] = lambda seconds: None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events:
            assert timeout is not None, "everybody waits, and nothing will ever happen"
            self.jump(max(0.0, timeout))
        return events


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop whose time moves only when nobody has anything to do."""

    def __init__(self) -> None:
        self._now = 0.0
        selector = JumpingSelector()
        super().__init__(selector)
        selector.jump = self._jump

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


class Peer:
    """A connection that notes what it takes, and when."""

    def __init__(self, hub: Hub, address: str = "192.0.2.1") -> None:
        self.group: Group | None = None
        self.since = 0
        self.address = address
        self.via = "ws"
        self.number = hub.journal.number()
        self.pending_bytes = 0
        self.takes = True
        self.leaves_on_bye = True
        self.frames: list[tuple[float, Any]] = []
        self.stalls: list[tuple[float, float]] = []
        self.aborted = False
        self._hub = hub
        hub.add(self)

    def write(self, frame: Frame) -> bool:
        if self.takes:
            self.frames.append((self._hub.now(), json.loads(frame.data)))
        return self.takes

    def check_stall(self, now: float, stall_s: float) -> None:
        self.stalls.append((now, stall_s))

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
        """The frames of a kind since the last call, each with its moment; other frames are forgotten."""
        frames, self.frames = self.frames, []
        return [(round(at, 6), frame) for at, frame in frames if frame["type"] == kind]

    def lasts(self) -> list[tuple[float, Any]]:
        """The last prices of `v:A` in the updates since the last call."""
        return [(at, frame["quotes"]["v:A"]["last"]) for at, frame in self.take() if "v:A" in frame.get("quotes", {})]


class Service:
    """A hub with all that it drives, and one feed."""

    def __init__(self, flush_interval_ms: int) -> None:
        self.clock = LoopClock()
        self.store = Store(epoch=1)
        self.intake = Intake(self.store, self.clock, 100)
        self.store.derivation = Consolidator(self.store.get, self.intake.rank, failback_after_s=30.0)
        self.hub = Hub(
            self.store, self.intake, self.clock,
            flush_interval_ms=flush_interval_ms, heartbeat_ms=HEARTBEAT_MS, stall_s=STALL_S,
        )  # fmt: skip
        self.feed = self.new_feed("v")

    def new_feed(self, name: str) -> FeedIntake:
        return self.intake.feed(name, "live", "received", 5.0)

    def put(self, last: object, symbol: str = "v:A", **more: Any) -> None:
        self.feed.publish([Quote(symbol, {"last": str(last), **more})])

    def peer(self, *patterns: str, interval_ms: int = 0) -> Peer:
        """A connection that has subscribed and forgotten its first frames."""
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
    """Let everybody run who can without waiting."""
    for _ in range(count):
        await asyncio.sleep(0)


async def later(seconds: float) -> None:
    """Let virtual time pass."""
    await asyncio.sleep(seconds)


# Flushing


def test_first_change_after_quiet_goes_out_in_the_same_turn() -> None:
    """No timer stands between a change after quiet and its readers: the time has not moved when they have it."""

    async def story(service: Service) -> None:
        peer = service.peer()
        await later(1.0)
        service.put(5)
        await turns()
        assert peer.lasts() == [(1.0, 5)]

    play(story)


def test_changes_within_the_interval_go_out_together() -> None:
    """One flush an interval, after quiet half an interval early; each carries the newest of all that came."""

    async def story(service: Service) -> None:
        peer = service.peer()
        for i in range(1, 11):
            service.put(i)
            await later(0.006)
        await later(1.0)
        assert peer.lasts() == [(0.0, 1), (0.01, 2), (0.03, 6), (0.054, 10)]

    play(story)


def test_a_source_in_step_with_the_interval_never_waits() -> None:
    """Seen: prices each 10 ms at an interval of 10 ms reached their readers 8 ms late, all of them.

    Cause: one batch came late; the next flush was a whole interval after it, and so for ever. Promise: the batch
    after a late one, which comes in time again, goes out at once, and so do all that follow.
    """

    async def story(service: Service) -> None:
        peer = service.peer()
        moments = [0.0, 0.02, 0.047, 0.06, 0.08, 0.1]
        for i, moment in enumerate(moments):
            await later(moment - service.clock.monotonic())
            service.put(i)
        await later(1.0)
        assert peer.lasts() == [(moment, i) for i, moment in enumerate(moments)]

    play(story)


def test_a_source_in_step_with_the_interval_is_in_step_again_after_another_came_between() -> None:
    """Seen: prices each 10 ms at an interval of 10 ms reached their readers 5 ms late, and each woke the loop twice.

    Cause: once another feed had brought a flush between two batches, each flush was a whole interval after the last
    one, by the timer. Promise: a batch is flushed as it comes if the one before waited for it.
    """

    async def story(service: Service) -> None:
        peer = service.peer()
        moments = [0.0, 0.02, 0.04, 0.052, 0.06, 0.08, 0.1, 0.12]
        for i, moment in enumerate(moments):
            await later(moment - service.clock.monotonic())
            service.put(i)
        await later(1.0)
        assert peer.lasts() == [(0.0, 0), (0.02, 1), (0.04, 2), (0.052, 3), (0.077, 4), (0.1, 6), (0.12, 7)]

    play(story)


def test_a_flush_waits_for_the_batch_that_comes_within_the_interval() -> None:
    """Of a source of twice the interval's rhythm each flush goes out with a batch, none between two."""

    async def story(service: Service) -> None:
        peer = service.peer()
        for i in range(10):
            service.put(i)
            await later(0.01)
        await later(1.0)
        assert peer.lasts() == [(0.0, 0), (0.01, 1), (0.03, 3), (0.05, 5), (0.07, 7), (0.09, 9)]

    play(story)


def test_what_nothing_follows_goes_out_by_the_timer() -> None:
    """Under load the last change goes out an interval and a quarter after the flush before it, though nothing comes."""

    async def story(service: Service) -> None:
        peer = service.peer()
        for i in range(10):
            service.put(i)
            await later(0.003)
        await later(1.0)
        assert peer.lasts() == [(0.0, 0), (0.01, 3), (0.035, 9)]

    play(story)


def test_everything_of_one_turn_is_one_version() -> None:
    """What several callers put in before the loop turns is one flush, and one frame."""

    async def story(service: Service) -> None:
        peer = service.peer("v:*")
        version = service.store.version
        service.put(1, "v:A")
        service.put(2, "v:B")
        service.put(3, "v:A")
        await turns()
        assert service.store.version == version + 1
        assert [sorted(frame["quotes"]) for _, frame in peer.take()] == [["v:A", "v:B"]]

    play(story)


def test_without_an_interval_every_turn_flushes() -> None:
    """With an interval of zero no change waits for time to pass."""

    async def story(service: Service) -> None:
        peer = service.peer()
        for i in range(1, 4):
            service.put(i)
            await turns()
        assert peer.lasts() == [(0.0, 1), (0.0, 2), (0.0, 3)]

    play(story, flush_interval_ms=0)


def test_a_flush_that_takes_long_is_followed_by_a_rest() -> None:
    """Twice as long as it took, 0.05 s at most, the loop does everything else; what comes then goes out together."""

    async def story(service: Service) -> None:
        peer = service.peer()

        def take_time(_: object) -> None:
            service.clock.suspended_s += takes_s

        service.store.on_flush.append(take_time)
        for takes_s, gap_s in ((0.02, 0.04), (0.5, 0.05)):
            await later(10.0)
            service.put(1)
            await turns()
            free = service.clock.monotonic()
            for i in range(2, 5):
                service.put(i)
                await later(0.01)
            takes_s = 0.0  # noqa: PLW2901
            await later(1.0)
            *_, (moment, last) = peer.lasts()
            assert last == 4
            assert moment - free == pytest.approx(gap_s)

    play(story)


def test_flush_without_news_sends_nothing() -> None:
    """An unchanged price is neither a version nor a frame."""

    async def story(service: Service) -> None:
        peer = service.peer()
        service.put(1)
        await later(0.1)
        version = service.store.version
        peer.take()
        service.put(1)
        await later(0.1)
        assert (service.store.version, peer.frames) == (version, [])

    play(story)


def test_lag_is_measured_from_receipt_for_each_row() -> None:
    """A row that waited for the interval counts with its wait; a flush that nobody reads counts no lag."""

    async def story(service: Service) -> None:
        lag = service.hub.counts.fanout_lag
        service.put(0)
        await later(1.0)
        assert (sum(lag.counts), lag.total) == (0, 0.0)
        service.peer()
        service.peer()
        service.put(1)
        await turns()
        assert (lag.counts[0], lag.total) == (2, 0.0)
        service.put(2)
        await later(1.0)
        assert sum(lag.counts) == 4
        assert lag.total == pytest.approx(2 * 0.01)
        assert (sum(service.hub.counts.flush.counts), service.hub.counts.flush.total) == (3, 0.0)

    play(story)


def test_broken_flush_ends_the_hub() -> None:
    """Without a hub there is no service: what broke a flush comes out of `run`, the first of several errors."""

    async def story(service: Service) -> None:
        def broken(flush: object) -> None:
            raise LookupError(f"bug {service.store.version}")

        service.store.on_flush.append(broken)
        async with service.running() as task:
            service.put(1)
            await later(0.1)
            service.put(2)
            await later(TICK_S)
            assert task.done()
            with pytest.raises(LookupError, match="bug 2"):
                await task

    play(story)


def test_broken_interval_frame_ends_the_hub() -> None:
    """Seen: an error while an interval's frame was made was only logged, and its readers heard nothing for ever.

    Cause: only flushes were watched. Promise: an error in any timer of the hub comes out of `run`.
    """

    async def story(service: Service) -> None:
        class Broken(Peer):
            def write(self, frame: Frame) -> bool:
                raise LookupError("bug")

        with contextlib.suppress(LookupError):
            Broken(service.hub).subscribe("v:A", interval_ms=100)
        async with service.running() as task:
            service.put(1)
            await later(0.1 + TICK_S)
            assert task.done()
            with pytest.raises(LookupError, match="bug"):
                await task

    play(story)


def test_long_work_takes_one_step_a_turn() -> None:
    """Of all long work together, in turns, also of what begins within a step of other work; all of it comes to its end.

    Seen: work that a step had begun made two steps a turn from then on. Cause: the queue looked empty meanwhile.
    """

    async def story(service: Service) -> None:
        done: list[str] = []

        def work(name: str, more: str = "") -> Iterator[None]:
            for _ in range(2):
                done.append(name)
                if more:
                    service.hub.spread(work(more))
                    more = ""
                yield

        service.hub.spread(work("a", "b"))
        seen = [0]
        for _ in range(12):
            await turns(1)
            seen.append(len(done))
        assert "".join(done) == "abab"
        assert all(after - before <= 1 for before, after in itertools.pairwise(seen))

    play(story)


# Intervals and those who lag


def test_interval_reader_gets_multiples_and_the_last_value() -> None:
    """Readers of a class hear at its multiples what is newest then; the last value before silence always comes."""

    async def story(service: Service) -> None:
        fast, slow = service.peer(), service.peer(interval_ms=250)
        await later(0.103)
        for i in range(1, 42):
            service.put(i)
            await later(0.01)
        await later(5.0)
        seen, now_and_then = fast.lasts(), slow.lasts()
        assert [at for at, _ in now_and_then] == [0.25, 0.5, 0.75]
        for moment, last in now_and_then:
            assert last == [value for at, value in seen if at < moment][-1]
        assert now_and_then[-1] == (0.75, 41)

    play(story)


def test_what_waits_to_be_flushed_comes_with_the_moment_of_a_class() -> None:
    """A change that waits for its flush when a class is due does not wait for the class's next moment, too."""

    async def story(service: Service) -> None:
        fast, slow = service.peer(), service.peer(interval_ms=250)
        for i, moment in enumerate((0.2, 0.205, 0.231, 0.24)):
            await later(moment - service.clock.monotonic())
            service.put(i)
        await later(1.0)
        assert fast.lasts() == [(0.2, 0), (0.21, 1), (0.231, 2), (0.25, 3)]
        assert slow.lasts() == [(0.25, 3)]

    play(story)


def test_readers_of_a_class_hear_at_the_same_moment() -> None:
    """However different their selections, those with one interval are served together, and others by their own."""

    async def story(service: Service) -> None:
        one, two, rare = (service.peer(p, interval_ms=ms) for p, ms in (("v:A", 250), ("v:*", 250), ("v:A", 1000)))
        await later(0.103)
        service.put(1)
        await later(2.0)
        assert [one.lasts(), two.lasts(), rare.lasts()] == [[(0.25, 1)], [(0.25, 1)], [(1.0, 1)]]

    play(story)


def test_timer_of_a_class_rests_without_news() -> None:
    """While nothing happens no interval's timer runs: quiet costs nothing."""

    async def story(service: Service) -> None:
        peer = service.peer(interval_ms=250)
        await later(100.0)
        assert peer.take() == []
        service.put(1)
        await later(0.25)
        assert peer.lasts() == [(100.25, 1)]

    play(story)


def test_reader_that_can_take_bytes_again_gets_one_frame() -> None:
    """A reader that missed frames gets the union of them, at once when it is ready; one that missed none gets none."""

    async def story(service: Service) -> None:
        slow, fast = service.peer("v:*"), service.peer("v:*")
        slow.takes = False
        for i in range(1, 4):
            service.put(i, f"v:S{i}")
            await later(0.1)
        slow.takes = True
        service.hub.ready(slow)
        service.hub.ready(fast)
        fast.take()
        await turns()
        ((_, frame),) = slow.take()
        assert (frame["since"], sorted(frame["quotes"])) == (1, ["v:S1", "v:S2", "v:S3"])
        assert fast.frames == []

    play(story)


# By the clock


def test_silence_is_noticed_by_itself() -> None:
    """Nobody has to ask: a symbol that stays away becomes stale, and its readers are told."""

    async def story(service: Service) -> None:
        peer = service.peer()
        async with service.running():
            service.put(1)
            await later(59.0)
            peer.take()
            await later(2.0)
            assert [frame.get("quotes", frame.get("feeds")) for _, frame in peer.take()] == [
                {"v:A": {"state": "stale"}},
                {"v": {"state": "stale", "since": 1_795_386_060_250, "message": "no data for 60 s"}},
            ]

    play(story)


def test_better_source_comes_back_by_itself() -> None:
    """When the patience with a better source ends, the consolidated price returns without any new data."""

    async def story(service: Service) -> None:
        other = service.new_feed("w")
        service.put(1)
        other.publish([Quote("w:A", {"last": "2"})])
        await later(1.0)
        service.feed.state("down")
        await later(1.0)
        service.put(3)
        peer = service.peer("A")
        async with service.running():
            await later(29.0)
            assert [frame for _, frame in peer.take() if frame.get("quotes")] == []
            await later(2.0)
            assert [frame["quotes"]["A"]["source"] for _, frame in peer.take() if frame.get("quotes")] == ["v"]

    play(story)


def test_newer_time_alone_becomes_visible_within_a_second() -> None:
    """A row that changes nothing but its time is told late, but told, although nothing else happens."""

    async def story(service: Service) -> None:
        peer = service.peer()
        service.feed.publish([Quote("v:A", {"last": "1"}, 1_795_386_000_000)])
        await later(0.1)
        peer.take()
        async with service.running():
            service.feed.publish([Quote("v:A", {"last": "1"}, 1_795_386_000_100)])
            await later(0.8)
            assert peer.take() == []
            await later(0.5)
            assert [frame["quotes"] for _, frame in peer.take()] == [{"v:A": {"ts": 1_795_386_000_100}}]

    play(story)


def test_quiet_readers_get_heartbeats() -> None:
    """Who has heard nothing for the interval gets a heartbeat, subscribed or not; who heard something does not.

    Seen: who had not subscribed was told the store's version; one that adopted it and resumed with it would have
    missed all that changed before. Cause: the same frame for all. Promise: before the first data it is version 0.
    """

    async def story(service: Service) -> None:
        idle, quiet, busy = Peer(service.hub), service.peer("v:B"), service.peer("v:A")
        async with service.running():
            await later(0.1)
            for i in range(1, 20):
                service.put(i)
                await later(1.0)
            assert [(at, frame["version"]) for at, frame in idle.take("heartbeat")] == [(5, 0), (10, 0), (15, 0)]
            beats = quiet.take("heartbeat")
            assert [at for at, _ in beats] == [5.25, 10.25, 15.25]
            assert [frame["version"] for _, frame in beats] == [7, 12, 17]
            assert busy.take("heartbeat") == []

    play(story)


def test_heartbeats_before_a_subscription_end_with_it() -> None:
    """A subscriber is looked after by its group; one that takes nothing is not counted as told."""

    async def story(service: Service) -> None:
        peer, deaf = Peer(service.hub), Peer(service.hub)
        deaf.takes = False
        async with service.running():
            await later(6.0)
            peer.subscribe("v:A")
            told = service.hub.groups.counts.messages["heartbeat"]
            assert told == len(peer.take("heartbeat")) == 1
            await later(31.0)
            assert len(peer.take("heartbeat")) == 6
            assert service.hub.idle == {deaf}

    play(story)


def test_stalled_readers_are_checked() -> None:
    """Each paused connection is asked at every tick whether it has stalled; the others are left alone."""

    async def story(service: Service) -> None:
        paused, fine = service.peer(), service.peer()
        paused.pending_bytes = 700
        service.hub.paused.add(paused)
        assert service.hub.pending_bytes == 700
        async with service.running():
            await later(1.1)
        assert paused.stalls == [(at, STALL_S) for at in (0.25, 0.5, 0.75, 1.0)]
        assert fine.stalls == []

    play(story)


def test_nobody_has_stalled_while_the_machine_was_suspended() -> None:
    """In the first look after it that time does not count, for nobody could take a byte; in the next one it does."""

    async def story(service: Service) -> None:
        paused = service.peer()
        service.hub.paused.add(paused)
        async with service.running():
            await later(0.3)
            service.clock.suspended_s = 3600.0
            await later(0.5)
        spared, judged = paused.stalls[1:3]
        assert spared == (3600.5, STALL_S + 3600.0)
        assert judged == (3600.75, STALL_S)

    play(story)


def test_empty_groups_are_forgotten() -> None:
    """A group without readers is kept for a while and then dropped."""

    async def story(service: Service) -> None:
        peer = service.peer()
        async with service.running():
            service.hub.remove(peer, 1000)
            await later(9.0)
            assert len(service.hub.groups) == 1
            await later(2.0)
            assert len(service.hub.groups) == 0

    play(story)


def test_loop_lag_is_measured_and_not_caught_up() -> None:
    """A process that was suspended notes one great lag and then ticks on, not once for each tick that it missed."""

    async def story(service: Service) -> None:
        lag = service.hub.counts.loop_lag
        async with service.running():
            await later(1.1)
            assert (sum(lag.counts), lag.total) == (4, 0.0)
            service.clock.suspended_s = 60.0
            await later(1.0)
            assert 59.0 < lag.total < 61.0
            assert sum(lag.counts) <= 4 + 5 + 1

    play(story)


# Connections and the end


def test_connections_are_counted_once() -> None:
    """Coming and going are counted by address and close code; to remove twice is harmless, and so is a stranger."""

    async def story(service: Service) -> None:
        hub = service.hub
        first, second, third = Peer(hub, "192.0.2.1"), Peer(hub, "192.0.2.1"), Peer(hub, "192.0.2.2")
        third.subscribe("*")
        hub.paused.add(third)
        assert (hub.addresses["192.0.2.1"], hub.connected["ws"], hub.counts.connects["ws"]) == (2, 3, 3)
        for peer, code in ((first, 1000), (third, 4008), (third, 1006)):
            hub.remove(peer, code)
        assert (hub.connections, hub.connected["ws"]) == ({second}, 1)
        assert dict(hub.addresses) == {"192.0.2.1": 1}
        assert hub.counts.disconnects == {1000: 1, 4008: 1}
        assert (hub.paused, hub.idle, third.group) == (set(), {second}, None)

    play(story)


def test_drain_says_goodbye_and_waits() -> None:
    """Every reader gets the last values and `bye`; when all have gone, draining is over."""

    async def story(service: Service) -> None:
        peers: list[Connection] = [service.peer(), service.peer("v:*", interval_ms=1000), Peer(service.hub)]
        service.put(1)
        await turns()
        service.put(2)
        draining = [service.hub.draining]
        await service.hub.drain(5.0)
        assert [*draining, service.hub.draining] == [False, True]
        assert service.hub.connections == set()
        assert service.hub.counts.disconnects == {1012: 3}
        assert service.clock.monotonic() < 0.2
        for peer in peers:
            assert isinstance(peer, Peer)
            assert not peer.aborted
            last = peer.frames[-1][1]
            assert last == {"type": "bye", "reason": "shutdown", "reconnect": True, "retry_ms": [500, 5000]}
        assert isinstance(peers[0], Peer)
        assert [frame["quotes"]["v:A"]["last"] for _, frame in peers[0].take()] == [1, 2]

    play(story)


def test_drain_drops_who_does_not_leave() -> None:
    """After its patience, draining aborts who is still there; it takes no longer."""

    async def story(service: Service) -> None:
        polite, stubborn = service.peer(), service.peer()
        stubborn.leaves_on_bye = False
        await service.hub.drain(5.0)
        assert (polite.aborted, stubborn.aborted) == (False, True)
        assert service.hub.counts.disconnects == {1012: 1, 1006: 1}
        assert 5.0 <= service.clock.monotonic() < 5.1

    play(story)


def test_closed_hub_does_nothing_more() -> None:
    """No timer of a closed hub fires: neither the flush that was due nor an interval's."""

    async def story(service: Service) -> None:
        peer, slow = service.peer(), service.peer(interval_ms=100)
        service.put(1)
        await turns()
        service.put(2)
        service.hub.close()
        await later(10.0)
        assert peer.lasts() == [(0.0, 1)]
        assert slow.take() == []

    play(story)


def test_hub_that_never_flushed_can_be_closed() -> None:
    """Closing is harmless at any time."""

    async def story(service: Service) -> None:
        service.hub.close()
        service.hub.close()
        assert service.store.version == 1

    play(story)
