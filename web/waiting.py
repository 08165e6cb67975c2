"""A request that waits for news: a reader of the hub that only wants to know that something has come."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from ticker.hub import Hub
from ticker.protocol import NORMAL, Frame
from ticker.readers import Group
from ticker.selection import Selection


class Waiting:
    """One request in waiting; see `ticker.hub.Connection`. What it says when it is over is its endpoint's matter."""

    via = "poll"
    pending_bytes = 0
    paused = False
    group: Group | None = None
    since = 0

    def __init__(self, address: str, number: int) -> None:
        self.address = address
        self.number = number
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def write(self, frame: Frame) -> bool:
        """News; heartbeats are none."""
        if frame.kind != "heartbeat":
            self.abort()
        return True

    def say_bye(self, frame: Frame, code: int, reason: str) -> None:  # noqa: ARG002 - the answer has no room for it
        """The service stops: whoever waits is answered now."""
        self.abort()

    def end(self, code: int, reason: str) -> None:  # noqa: ARG002 - the answer has no room for it
        """It may wait no longer."""
        self.abort()

    def abort(self) -> None:
        """Wait no longer."""
        if not self.over.done():
            self.over.set_result(None)


async def wait_for_news(request: Request, hub: Hub, selection: Selection, wait_s: float, address: str) -> None:
    """Return once something of a selection changes, `wait_s` has passed, the service stops, or the client has left."""
    waiting = Waiting(address, hub.journal.number())
    hub.add(waiting)
    hub.groups.enter(waiting, selection, 0, hub.store.version)
    left = asyncio.create_task(_left(request), name="poll")
    try:
        await asyncio.wait({waiting.over, left}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hub.remove(waiting, NORMAL)
        left.cancel()
        await asyncio.wait({left})


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
