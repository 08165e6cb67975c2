"""Quotes of a replay on their way to the service: handed over together whenever the replay waits."""

from __future__ import annotations

from feeds.base import Sink
from ticker.clock import Clock
from ticker.model import Quote

LATENESS_S = 0.005
"""The shortest wait, so that quotes close together go out in one batch."""


class Batch:
    """The quotes since the last wait, in one round of a replay.

    Attributes:
        quotes: to be added to.
        now: a monotonic time that has passed; what is due before it needs no wait.
    """

    def __init__(self, sink: Sink, clock: Clock) -> None:
        self.quotes: list[Quote] = []
        self.now = clock.monotonic()
        self._sink = sink
        self._clock = clock

    async def wait(self, due: float) -> None:
        """Wait until this time, unless it has passed."""
        self.now = self._clock.monotonic()
        if due > self.now:
            self.hand_over()
            await self._clock.sleep(max(due - self.now, LATENESS_S))
            self.now = max(due, self._clock.monotonic())  # a timer may come a hair early

    async def pause(self) -> None:
        """Let other tasks run."""
        self.hand_over()
        await self._clock.sleep(0)

    def hand_over(self) -> None:
        """Publish the quotes, if there are any."""
        if self.quotes:
            quotes, self.quotes = self.quotes, []
            self._sink.publish(quotes)
            if not self._sink.status.loaded:
                self._sink.loaded()
