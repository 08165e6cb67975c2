"""Long polling: a request that waits, as a reader of the hub that only learns that something has changed."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from ticker.hub import Hub
from ticker.protocol import NORMAL, Frame
from ticker.readers import Group
from ticker.selection import Selection


class Waiting:
    """One waiting request; see `ticker.hub.Connection`. Its endpoint answers it once that is `over`."""

    via = "poll"
    pending_bytes = 0
    paused = False
    group: Group | None = None
    since = 0

    def __init__(self, address: str, number: int, version: int) -> None:
        self.address = address
        self.number = number
        self._version = version  # nothing up to this one is news
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def write(self, frame: Frame) -> bool:
        """Something has changed, unless this is a heartbeat, or what others are still told of an older version.

        A snapshot tells that the store has begun anew.
        """
        if frame.kind == "snapshot" or (frame.kind != "heartbeat" and frame.version > self._version):
            self.abort()
        return True

    def say_bye(self, frame: Frame, code: int, reason: str) -> None:  # noqa: ARG002 - the answer has no place for it
        """The service stops: answer now."""
        self.abort()

    def end(self, code: int, reason: str) -> None:  # noqa: ARG002 - the answer has no place for it
        """It may not wait any longer: answer now."""
        self.abort()

    def abort(self) -> None:
        """Stop waiting."""
        if not self.over.done():
            self.over.set_result(None)


async def wait_for_news(
    request: Request, hub: Hub, selection: Selection, since: int, wait_s: float, address: str
) -> None:
    """Return once something in a selection changes, `wait_s` has passed, the service stops, or the client has left.

    Nothing up to `since` is news, which may be ahead of the store.
    """
    waiting = Waiting(address, hub.journal.number(), max(since, hub.store.version))
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
