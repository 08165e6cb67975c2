"""A connection to the stream that knows how late it is: over a slow line what is read may have been sent long ago.

An answer to a ping stands behind all that was written before it, so how long it takes is how old the frames beside it
are. No clock is compared with that of the service.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

RESTED = 4
"""After so many looks a quick line is asked again; each answer costs the service a write."""


class Line(ClientConnection):
    """A connection that is looked at again and again.

    Attributes:
        late: for how many looks the answer to the last ping took, or takes already.
        busy: whether bytes came since the look before, but no answer: a long message is on its way.
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
        """Bytes came."""
        self._received = True
        super().data_received(data)

    def look(self) -> None:
        """See what has come, and ask again: a slow line as soon as there is an answer, another one now and then."""
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
        """Nobody will answer."""
        if self._ping is not None:
            self._ping.cancel()
        super().connection_lost(exc)

    async def _ask(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            await (await self.ping())
