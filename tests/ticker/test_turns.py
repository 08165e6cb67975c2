"""Long work and requests: one step of each in every turn of the loop."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator

from tests.ticker.jumping import Service, play, turns


def test_all_long_work_makes_one_step_a_turn() -> None:
    """One step of all long work per turn, in rotation, also of work that begins within another's step; all of it is
    completed.

    Seen: work begun by a step made two steps per turn from then on. Cause: the queue looked empty meanwhile.
    """

    async def story(service: Service) -> None:
        done: list[str] = []

        def work(name: str, more: str = "") -> Iterator[None]:
            for _ in range(2):
                done.append(name)
                if more:
                    service.hub.turns.spread(work(more))
                    more = ""
                yield

        service.hub.turns.spread(work("a", "b"))
        seen = [0]
        for _ in range(12):
            await turns(1)
            seen.append(len(done))
        assert "".join(done) == "abab"
        assert all(after - before <= 1 for before, after in itertools.pairwise(seen))

    play(story)


def test_long_work_that_fails_raises_for_its_waiter() -> None:
    """The waiter gets the error, unless it has gone; other work is completed."""

    async def story(service: Service) -> None:
        def work(*, good: bool) -> Iterator[None]:
            yield
            if not good:
                raise LookupError("bug")

        asked = [asyncio.create_task(service.hub.turns.complete(work(good=good))) for good in (False, True, False)]
        await turns(1)
        asked[2].cancel()
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(result) for result in results] == [LookupError, type(None), asyncio.CancelledError]
        await turns(4)

    play(story)


def test_a_waiting_request_does_not_wait_for_long_work() -> None:
    """One goes on per turn, in order, skipping those that have gone, beside any long work: health is told in time."""

    async def story(service: Service) -> None:
        done: list[int] = []

        async def wait(number: int) -> None:
            await service.hub.requests.wait()
            done.append(number)

        for _ in range(100):
            service.hub.turns.spread(iter([None] * 10))
        waiting = [asyncio.create_task(wait(i)) for i in range(4)]
        await turns(1)
        waiting[1].cancel()
        seen = [0]
        for _ in range(8):
            await turns(1)
            seen.append(len(done))
        assert done == [0, 2, 3]
        assert all(after - before <= 1 for before, after in itertools.pairwise(seen))

    play(story)
