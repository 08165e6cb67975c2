"""Clocks: the manual one moves only when told and wakes sleepers in the order of their times."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.clock import ManualClock
from ticker.clock import Clock


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="a clock of Linux")
def test_machine_clock_reads_the_machine() -> None:
    """Wall milliseconds and monotonic seconds are the machine's, including those of suspension.

    Seen: after a night with the lid closed, the evening's prices were live for another minute, those of rare trades for
    up to an hour, because the usual clock had stopped.
    """
    clock = Clock()
    before = time.clock_gettime(time.CLOCK_BOOTTIME), time.time_ns() // 1_000_000
    now = clock.monotonic(), clock.wall_ms()
    after = time.clock_gettime(time.CLOCK_BOOTTIME), time.time_ns() // 1_000_000
    assert before[0] <= now[0] <= after[0]
    assert before[1] <= now[1] <= after[1]


def test_sleeping_for_nothing_yields_once() -> None:
    """On either clock, a sleep of zero or less lets the others run and then goes on."""

    async def main(clock: Clock, seconds: float) -> list[str]:
        story = []

        async def other() -> None:
            story.append("other")

        task = asyncio.create_task(other())
        await clock.sleep(seconds)
        story.append("back")
        await task
        return story

    for clock in (Clock(), ManualClock()):
        for seconds in (0, -1.5):
            assert asyncio.run(main(clock, seconds), debug=True) == ["other", "back"]


def test_a_wait_includes_the_time_of_suspension() -> None:
    """A wait ends on time even if the machine was suspended during it.

    Seen: a feed that polled hourly, or was banned for ten minutes, had no price after a night for as long as was left
    of that wait in the evening: the loop's own clock had stopped.
    """

    class Suspended(Clock):
        NAP_S = 0.01
        asleep_s = 0.0

        def monotonic(self) -> float:
            return super().monotonic() + self.asleep_s

    async def main() -> None:
        clock = Suspended()
        waiting = asyncio.create_task(clock.sleep(3600.0))
        await asyncio.sleep(0)
        clock.asleep_s = 28_800.0
        await waiting

    asyncio.run(main(), debug=True)


def test_the_manual_clock_moves_only_when_told() -> None:
    """Time passes only by `tick` and `advance`; both clocks move together."""

    async def main() -> None:
        clock = ManualClock(wall_ms=1_000_000)
        assert (clock.monotonic(), clock.wall_ms()) == (0.0, 1_000_000)
        clock.tick(1.5)
        assert (clock.monotonic(), clock.wall_ms()) == (1.5, 1_001_500)
        await clock.advance(0.25)
        assert (clock.monotonic(), clock.wall_ms()) == (1.75, 1_001_750)

    asyncio.run(main(), debug=True)


def test_sleepers_wake_in_order_each_at_its_own_moment() -> None:
    """In whatever order they went to sleep, sleepers wake by time, equal times in that order, and see their moment."""

    async def main() -> list[tuple[str, float]]:
        clock = ManualClock()
        story: list[tuple[str, float]] = []

        async def sleeper(name: str, seconds: float) -> None:
            await clock.sleep(seconds)
            story.append((name, clock.monotonic()))

        async with asyncio.TaskGroup() as tasks:
            for name, seconds in (("c", 3.0), ("a", 1.0), ("b1", 2.0), ("b2", 2.0), ("late", 9.0)):
                tasks.create_task(sleeper(name, seconds))
            await clock.advance(5.0)
            assert story == [("a", 1.0), ("b1", 2.0), ("b2", 2.0), ("c", 3.0)]
            assert clock.monotonic() == 5.0
            await clock.advance(4.0)
        return story

    assert asyncio.run(main(), debug=True)[-1] == ("late", 9.0)


def test_sleeps_begun_by_a_woken_task_count_from_its_moment() -> None:
    """A task that sleeps again, or starts others that sleep, wakes at each moment within one advance."""

    async def main() -> list[float]:
        clock = ManualClock()
        moments: list[float] = []

        async def ticking() -> None:
            for _ in range(4):
                await clock.sleep(0.25)
                moments.append(clock.monotonic())

        async def starter() -> None:
            await clock.sleep(1.0)
            await asyncio.create_task(ticking())

        task = asyncio.create_task(starter())
        await clock.advance(10.0)
        assert task.done()
        return moments

    assert asyncio.run(main(), debug=True) == [1.25, 1.5, 1.75, 2.0]


def test_a_task_that_needs_more_turns_than_given_is_late() -> None:
    """A task that needs more turns of the loop than the clock gives to a wake-up is late."""

    async def main(turns: int) -> float:
        clock = ManualClock(turns=turns)

        async def sleeper() -> float:
            await clock.sleep(1.0)
            for _ in range(5):
                await asyncio.sleep(0)
            return clock.monotonic()

        task = asyncio.create_task(sleeper())
        await clock.advance(2.0)
        return await task

    assert [asyncio.run(main(turns), debug=True) for turns in (2, 20)] == [2.0, 1.0]


def test_cancelled_sleeper_does_not_stop_the_clock() -> None:
    """A cancelled sleep is skipped, and the others wake as they would."""

    async def main() -> list[str]:
        clock = ManualClock()
        story: list[str] = []

        async def sleeper(name: str, seconds: float) -> None:
            await clock.sleep(seconds)
            story.append(name)

        tasks = [asyncio.create_task(sleeper(*args)) for args in (("gone", 1.0), ("here", 2.0))]
        await clock.advance(0.5)
        tasks[0].cancel()
        await clock.advance(5.0)
        await asyncio.gather(*tasks, return_exceptions=True)
        return story

    assert asyncio.run(main(), debug=True) == ["here"]


def test_advance_after_tick_never_turns_time_back() -> None:
    """Seen: `tick` went past a sleeper, and the next `advance` set the clock back to the sleeper's moment.

    Cause: waking set the time to the sleeper's moment. Promise: an overdue sleeper wakes now.
    """

    async def main() -> list[float]:
        clock = ManualClock()
        woken: list[float] = []

        async def sleeper() -> None:
            await clock.sleep(1.0)
            woken.append(clock.monotonic())

        task = asyncio.create_task(sleeper())
        await clock.advance(0.0)
        clock.tick(5.0)
        await clock.advance(0.0)
        await task
        return woken

    assert asyncio.run(main(), debug=True) == [5.0]
