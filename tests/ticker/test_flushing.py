"""When the hub flushes, and when readers get frames: at once, by intervals, or when they can take bytes again."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter

import pytest

from tests.ticker.incoming import contents
from tests.ticker.jumping import HEARTBEAT_MS, Held, JumpingLoop, Peer, Service, later, play, turns
from ticker.hub import MOMENT_S
from ticker.model import Quote
from ticker.protocol import Frame
from ticker.staleness import TICK_S

# Flushing


def test_first_change_after_quiet_goes_out_in_the_same_turn() -> None:
    """No timer delays a change after quiet: readers have it before any time has passed."""

    async def story(service: Service) -> None:
        peer = service.peer()
        await later(1.0)
        service.put(5)
        await turns()
        assert peer.lasts() == [(1.0, 5)]

    play(story)


def test_changes_within_the_interval_go_out_together() -> None:
    """One flush per interval, half an interval early after quiet; each carries the newest of all that came."""

    async def story(service: Service) -> None:
        peer = service.peer()
        for i in range(1, 11):
            service.put(i)
            await later(0.006)
        await later(1.0)
        assert peer.lasts() == [(0.0, 1), (0.01, 2), (0.03, 6), (0.054, 10)]

    play(story)


def test_a_source_in_step_with_the_interval_never_waits() -> None:
    """Seen: prices every 10 ms at an interval of 10 ms all reached their readers 8 ms late.

    Cause: one batch came late; the next flush was a whole interval after it, and so on for ever. Promise: the batch
    after a late one, which is on time again, goes out at once, and so do all that follow.
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


def test_a_source_stays_in_step_with_the_interval_after_an_interruption() -> None:
    """Seen: prices every 10 ms at an interval of 10 ms reached their readers 5 ms late, and each woke the loop twice.

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
    """With a source at twice the interval's rate, each flush goes out with a batch, none between two."""

    async def story(service: Service) -> None:
        peer = service.peer()
        for i in range(10):
            service.put(i)
            await later(0.01)
        await later(1.0)
        assert peer.lasts() == [(0.0, 0), (0.01, 1), (0.03, 3), (0.05, 5), (0.07, 7), (0.09, 9)]

    play(story)


def test_the_last_change_is_flushed_by_the_timer() -> None:
    """Under load the last change goes out an interval and a quarter after the flush before it, though nothing comes."""

    async def story(service: Service) -> None:
        peer = service.peer()
        for i in range(10):
            service.put(i)
            await later(0.003)
        await later(1.0)
        assert peer.lasts() == [(0.0, 0), (0.01, 3), (0.035, 9)]

    play(story)


async def very_much(service: Service) -> Peer:
    """A reader for whom five new symbols have just come in, at one second."""
    peer = service.peer("v:*")
    service.put(0)
    await later(1.0)
    peer.take()
    service.feed.publish([Quote(f"v:S{i}", {"last": "1"}) for i in range(5)])
    return peer


def test_very_much_at_once_is_flushed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen: 50,000 symbols that came at once delayed everything by 2.4 s, and as many that went down by 1.2 s.

    Promise: each turn of the loop makes visible what fits into one, with turns for other work between; no time passes
    meanwhile, and the next change is flushed as after any other flush.
    """

    async def story(service: Service) -> None:
        monkeypatch.setattr("ticker.hub.MOST", 8)
        peer = await very_much(service)
        await turns()
        frames = peer.take()
        assert [(at, sorted(frame["quotes"])) for at, frame in frames] == [
            (1.0, ["v:S0", "v:S1"]), (1.0, ["v:S2", "v:S3"]), (1.0, ["v:S4"]),
        ]  # fmt: skip
        await later(0.01)
        service.put(5)
        await turns()
        assert [at for at, _ in peer.take()] == [1.01]

    play(story)


def test_the_last_flush_before_a_stop_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """What came in before the service stops is sent before `bye`, however much it is."""

    async def story(service: Service) -> None:
        monkeypatch.setattr("ticker.hub.MOST", 8)
        peer = await very_much(service)
        await service.hub.drain(1.0)
        assert [sorted(frame.get("quotes", {})) for _, frame in peer.frames] == [[f"v:S{i}" for i in range(5)], []]

    play(story)


class SlowPeer(Peer):
    """A connection that takes 8 ms for each frame, so that three are a turn's work; `log` has turns and prices."""

    def __init__(self, service: Service, log: list[tuple[int, int]], *patterns: str, interval_ms: int = 0) -> None:
        super().__init__(service.hub)
        self._service, self._log = service, log
        self.subscribe(*patterns, interval_ms=interval_ms)

    def write(self, frame: Frame) -> bool:
        self._service.clock.suspended_s += 0.008
        loop = asyncio.get_running_loop()
        assert isinstance(loop, JumpingLoop)
        last = json.loads(frame.data).get("quotes", {}).get("v:A", {}).get("last", 0)
        if frame.kind in {"update", "heartbeat"}:
            self._log.append((loop.turn, last))
        if last == 1:
            self._service.put(2)
        return super().write(frame)


Asks = tuple[tuple[str, ...], ...]
SEVEN_SELECTIONS: Asks = tuple(("v:A", f"v:NONE{i}") for i in range(7))
ONE_SELECTION: Asks = (("v:A",),) * 7


@pytest.mark.parametrize(
    ("interval_ms", "asks", "part", "told"),
    [
        (0, SEVEN_SELECTIONS, 1000, [[1, 2]] * 7),
        (0, ONE_SELECTION, 3, [[1, 2]] * 7),
        (100, SEVEN_SELECTIONS, 1000, [[1, 2]] * 3 + [[2]] * 4),
        (100, ONE_SELECTION, 3, [[1, 2]] * 7),
    ],
)
def test_very_many_readers_are_told_in_several_turns(
    interval_ms: int, asks: Asks, part: int, told: list[list[int]]
) -> None:
    """Seen: a flush to 10,000 different watch lists was one turn of the loop of 200 ms, so was a multiple of a second.

    Promise: after some 20 ms of writing the loop does other work. What comes in meanwhile is sent when all have been
    told; at an interval, those whose turn has not come yet get it at once.
    """

    async def story(service: Service) -> None:
        service.hub.groups.part = part
        log: list[tuple[int, int]] = []
        peers = [SlowPeer(service, log, *patterns, interval_ms=interval_ms) for patterns in asks]
        await later(1.0)
        service.put(1)
        await later(1.0)
        assert sorted([last for _, last in peer.lasts()] for peer in peers) == told
        assert interval_ms or [last for _, last in log] == [1] * 7 + [2] * 7
        assert max(Counter(turn for turn, _ in log).values()) == 3

    play(story)


class LastPeer(SlowPeer):
    """One whose first update is followed by another store's prices, in the next turn of the loop."""

    def write(self, frame: Frame) -> bool:
        if frame.kind == "update" and self._service.store.epoch == 1:
            asyncio.get_running_loop().call_soon(self._begin_anew)
        return super().write(frame)

    def _begin_anew(self) -> None:
        if self._service.store.epoch == 1:
            self._service.store.restart(2, contents(1, {"v:A": {"last": "9"}}))
            self._service.hub.wake()


@pytest.mark.parametrize("interval_ms", [0, 100])
@pytest.mark.parametrize(("asks", "part"), [(SEVEN_SELECTIONS, 1000), (ONE_SELECTION, 3)])
def test_a_store_that_begins_anew_is_shown_to_very_many_readers(interval_ms: int, asks: Asks, part: int) -> None:
    """Also if they were just being told of something; some have heard of that, and then all get the snapshot alone."""

    async def story(service: Service) -> None:
        service.hub.groups.part = part
        peers = [LastPeer(service, [], *patterns, interval_ms=interval_ms) for patterns in asks]
        for peer in peers:
            peer.take()
        await later(1.0)
        service.put(3)
        await later(1.0)
        frames = [[frame for _, frame in peer.frames] for peer in peers]
        assert sorted(len(told) for told in frames) == [1] * 4 + [2] * 3
        for *_, last in frames:
            assert (last["type"], last["epoch"], last["quotes"]["v:A"]["last"]) == ("snapshot", 2, 9)
        assert not service.hub.groups.lagging

    play(story)


def test_very_many_readers_get_heartbeats_in_several_turns() -> None:
    """Seen: the heartbeat of 10,000 readers was one turn of 150 ms."""

    async def story(service: Service) -> None:
        service.hub.groups.part = 3
        log: list[tuple[int, int]] = []
        peers = [SlowPeer(service, log, "v:A") for _ in range(7)]
        async with service.running():
            await later(2 * HEARTBEAT_MS / 1000 + 1)
        assert [len(peer.take("heartbeat")) for peer in peers] == [2] * 7
        assert max(Counter(turn for turn, _ in log).values()) == 3

    play(story)


@pytest.mark.parametrize(("asks", "part"), [(SEVEN_SELECTIONS, 1000), (ONE_SELECTION, 3)])
def test_the_last_flush_reaches_very_many_readers(asks: Asks, part: int) -> None:
    """Before the service says goodbye, in one turn."""

    async def story(service: Service) -> None:
        service.hub.groups.part = part
        log: list[tuple[int, int]] = []
        peers = [SlowPeer(service, log, *patterns) for patterns in asks]
        await later(1.0)
        service.put(3)
        await service.hub.drain(1.0)
        assert [[frame["type"] for _, frame in peer.frames] for peer in peers] == [["snapshot", "update", "bye"]] * 7

    play(story)


def test_the_last_flush_waits_for_the_one_before() -> None:
    """Seen: when the service stopped while very many readers were told, some were not told what had changed, but only
    what had changed since.
    """

    async def story(service: Service) -> None:
        peers = [SlowPeer(service, [], *patterns) for patterns in SEVEN_SELECTIONS]
        await later(1.0)
        service.put(3, bid="3")
        await turns(1)
        assert service.hub.groups.sending
        service.put(3, bid="4")
        await service.hub.drain(1.0)
        for peer in peers:
            quotes = [frame["quotes"]["v:A"] for _, frame in peer.take()]
            assert [(quote.get("last"), quote["bid"]) for quote in quotes] == [(3, 3), (None, 4)]

    play(story)


def test_an_intervals_readers_do_not_wait_for_other_long_work() -> None:
    """Seen: while a thousand clients waited for large answers, very many readers with an interval got nothing.

    Cause: the rest of them was told in the same rotation, one turn in a thousand. Promise: it takes as many turns as
    without that work.
    """

    async def story(service: Service) -> None:
        log: list[tuple[int, int]] = []
        for patterns in SEVEN_SELECTIONS:
            SlowPeer(service, log, *patterns, interval_ms=100)
        await later(1.0)
        service.hub.groups.turn_s = 0.0
        service.put(3)
        while not log:
            await later(0.001)
        for _ in range(50):
            service.hub.turns.spread(iter(range(10)))
        await later(1.0)
        turns_taken = [turn for turn, _ in log]
        assert turns_taken == list(range(turns_taken[0], turns_taken[0] + 7))

    play(story)


def test_everything_of_one_turn_is_one_version() -> None:
    """What several callers ingest in one turn of the loop is one flush, and one frame."""

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


def test_a_long_flush_is_followed_by_a_pause() -> None:
    """For twice as long as it took, 0.05 s at most, the loop does other work; what comes then goes out together."""

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
    """The wait of a row for the interval counts as lag; a flush without readers counts none."""

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
    """Without a hub there is no service: `run` raises the error of a flush, the first if there are several."""

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
    """Seen: an error while an interval's frame was made was only logged, and its readers got no more frames.

    Cause: only flushes were watched. Promise: `run` raises an error of any timer of the hub.
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


# Intervals and those who lag


def test_interval_reader_gets_multiples_and_the_last_value() -> None:
    """Readers of a class get the newest values at its multiples; the last value before silence always comes."""

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


def test_a_pending_change_is_flushed_when_an_interval_is_due() -> None:
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


def test_readers_of_one_interval_are_served_together() -> None:
    """However different their selections, readers with one interval are served together, others at their own."""

    async def story(service: Service) -> None:
        one, two, rare = (service.peer(p, interval_ms=ms) for p, ms in (("v:A", 250), ("v:*", 250), ("v:A", 1000)))
        await later(0.103)
        service.put(1)
        await later(2.0)
        assert [one.lasts(), two.lasts(), rare.lasts()] == [[(0.25, 1)], [(0.25, 1)], [(1.0, 1)]]

    play(story)


def test_an_intervals_timer_does_not_run_without_news() -> None:
    """While nothing changes no interval's timer runs: quiet costs nothing."""

    async def story(service: Service) -> None:
        peer = service.peer(interval_ms=250)
        await later(100.0)
        assert peer.take() == []
        service.put(1)
        await later(0.25)
        assert peer.lasts() == [(100.25, 1)]

    play(story)


def test_a_reader_that_recovers_gets_one_merged_frame() -> None:
    """A reader that missed frames gets the union of them, at once when it is ready; one that missed none gets none."""

    async def story(service: Service) -> None:
        slow, fast = service.peer("v:*"), service.peer("v:*")
        slow.takes, pause = False, Held(service.hub)
        service.hub.pause(slow, pause)
        for i in range(1, 4):
            service.put(i, f"v:S{i}")
            await later(0.1)
        slow.takes = pause.arrived = True
        service.hub.taken(slow)
        service.hub.taken(fast)
        fast.take()
        await turns()
        ((_, frame),) = slow.take()
        assert (frame["since"], sorted(frame["quotes"])) == (1, ["v:S1", "v:S2", "v:S3"])
        assert fast.frames == []

    play(story)


def test_a_nearly_recovered_reader_is_checked_again_soon() -> None:
    """Between two ticks: a reader that was busy for a while, over a quick line, does not wait for the next one."""

    async def story(service: Service) -> None:
        slow, pause = service.peer(), Held(service.hub)
        service.hub.pause(slow, pause)
        service.hub.taken(slow)
        assert slow.paused
        pause.arrived = True
        await later(MOMENT_S)
        assert not slow.paused

    play(story)


@pytest.mark.parametrize("interval_ms", [0, 100])
def test_many_recovered_readers_are_served_over_several_turns(interval_ms: int) -> None:
    """Without another change: readers left over by one turn do not wait for the next news."""

    async def story(service: Service) -> None:
        service.hub.groups.large = 1
        service.put(1)
        await later(0.25)
        slow = [service.peer(interval_ms=interval_ms) for _ in range(3)]
        pause = Held(service.hub)
        for last, peer in enumerate(slow, 2):
            peer.takes = False
            service.hub.pause(peer, pause)
            service.put(last)
            await later(0.25)
        for peer in slow:
            peer.take()
            peer.takes = pause.arrived = True
            service.hub.taken(peer)
        await later(0.25)
        assert [[last for _, last in peer.lasts()] for peer in slow] == [[4]] * 3

    play(story)
