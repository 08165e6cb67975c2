"""Sharing the event loop: however much is asked at once, prices go out between one piece of work and the next."""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")


class Turns:
    """A queue of work, which advances by one step per turn of the loop.

    Args:
        guarded: calls a step and handles its errors.
    """

    def __init__(self, guarded: Callable[[Callable[[], None]], None]) -> None:
        self._guarded = guarded
        self._loop = asyncio.get_running_loop()
        self._work: collections.deque[Iterator[object]] = collections.deque()

    def spread(self, steps: Iterator[object]) -> None:
        """Do long work in steps: one per turn, whichever work it belongs to, in rotation. It must not raise."""
        self._work.append(steps)
        if len(self._work) == 1:
            self._loop.call_soon(self._guarded, self._step)

    async def complete(self, steps: Iterator[T]) -> T | None:
        """`spread`, and wait for the end; returns what the last step yielded, if there was one."""
        done: asyncio.Future[T | None] = self._loop.create_future()

        def to_the_end() -> Iterator[None]:
            made = None
            try:
                for step in steps:
                    made = step
                    yield
            except Exception as error:  # noqa: BLE001 - the waiter must get it
                if not done.done():
                    done.set_exception(error)
            if not done.done():  # else the waiter has gone
                done.set_result(made)

        self.spread(to_the_end())
        return await done

    async def wait(self) -> None:
        """Wait for a turn."""
        await self.complete(iter(()))

    def _step(self) -> None:
        steps = self._work[0]  # left in place meanwhile: a step may begin other such work
        try:
            next(steps)
        except StopIteration:
            self._work.popleft()
        else:
            self._work.rotate(-1)
        if self._work:
            self._loop.call_soon(self._guarded, self._step)
