"""A connection to the stream that measures how late it is: over a slow line, frames may have been sent long ago.

A pong is queued behind everything the service wrote before it, so the time it takes is the age of the frames around
it. The two clocks are never compared.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

RESTED = 9
"""Looks between two pings on a fast line: each pong costs the service a write."""


class Line(ClientConnection):
    """A connection whose lateness is sampled by calling `look` at regular intervals.

    Attributes:
        late: how many intervals the last ping took to be answered, or has waited so far.
        busy: whether a ping is unanswered although bytes came since the last look: a long message is arriving.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.late = 0
        self.busy = False
        self._received = False
        self._waited = 0
        self._rested = RESTED
        self._ping: asyncio.Task[None] | None = None

    def data_received(self, data: bytes) -> None:
        """Note that bytes came."""
        self._received = True
        super().data_received(data)

    def look(self) -> None:
        """Sample: update `late` and `busy`, and send the next ping, on a slow line as soon as the last is answered."""
        if self._ping is not None and not self._ping.done():
            self._waited += 1
            self.late, self.busy = max(self.late, self._waited), self._received
        else:
            self.late, self.busy = self._waited, False
            self._waited = 0
            self._rested += 1
            if self.late or self._rested > RESTED:
                self._rested = 1
                self._ping = asyncio.create_task(self._ask(), name="ticker.client.ping")
        self._received = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting for a pong."""
        if self._ping is not None:
            self._ping.cancel()
        super().connection_lost(exc)

    async def _ask(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            await (await self.ping())
