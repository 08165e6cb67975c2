"""Time that a test moves by hand."""

from __future__ import annotations

import asyncio
import heapq
import itertools

from ticker.clock import Clock


class ManualClock(Clock):
    """A clock that moves only when told, so that an hour of waiting costs a test nothing.

    Tasks that are woken have `turns` turns of the loop before time goes on; a single task needs one.
    """

    def __init__(self, wall_ms: int = 1_795_386_000_000, turns: int = 20) -> None:
        self._now = 0.0
        self._turns = turns
        self._wall_start_ms = wall_ms
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def monotonic(self) -> float:
        return self._now

    def wall_ms(self) -> int:
        return self._wall_start_ms + round(self._now * 1000)

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), future))
        await future

    def tick(self, seconds: float) -> None:
        """Move time without letting any task run: for code that never sleeps."""
        self._now += seconds

    async def advance(self, seconds: float) -> None:
        """Move time, waking every sleeper at its own moment and letting it run before time goes on."""
        end = self._now + seconds
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            at, _, future = heapq.heappop(self._sleepers)
            self._now = max(self._now, at)  # a tick may have passed it
            if not future.done():
                future.set_result(None)
            await self._settle()
        self._now = end

    async def _settle(self) -> None:
        # Tasks that a wake-up started need a few turns of the loop before they sleep again.
        for _ in range(self._turns):
            await asyncio.sleep(0)
