"""A scripted service, for what the real one says only when something is wrong; `say` does without connections."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from ticker.client.follower import Follower


def say(target: Follower, kind: str, **members: Any) -> Any:
    """Give a follower a frame; returns what it asks after it."""
    message = target.receive(json.dumps({"type": kind, "time": 1, **members}).encode())
    asked = target.recheck(message)
    return asked and json.loads(asked[1])


class NoWait(random.Random):
    """Randomness that always gives the shortest wait."""

    def uniform(self, a: float, b: float) -> float:
        return 0.0


class Most(random.Random):
    """Randomness that always gives the longest wait."""

    def uniform(self, a: float, b: float) -> float:
        return b


class Scripted:
    """One connection of the script.

    Attributes:
        number: 1 for the first connection of a test.
    """

    def __init__(self, socket: ServerConnection, number: int) -> None:
        self.socket = socket
        self.number = number

    async def say(self, kind: str, **members: Any) -> None:
        """Send a frame."""
        await self.socket.send(json.dumps({"type": kind, "time": 1, **members}))

    async def until_closed(self) -> None:
        """Say nothing more."""
        await self.socket.wait_closed()

    async def hear(self) -> dict[str, Any]:
        """The client's next message."""
        message: dict[str, Any] = json.loads(await self.socket.recv())
        return message

    async def welcome(self, version: int = 1, heartbeat_ms: int = 5000, **quotes: Any) -> dict[str, Any]:
        """Say hello, take the subscription and answer it by a snapshot; returns the subscription."""
        await self.say("hello", protocol=1, epoch=7, version=version, heartbeat_ms=heartbeat_ms)
        asked = await self.hear()
        await self.say("subscribed", id=asked["id"], patterns=asked["symbols"], selection="aa")
        await self.say("snapshot", epoch=7, version=version, quotes=quotes)
        return asked


@contextlib.asynccontextmanager
async def scripted(
    script: Callable[[Scripted], Awaitable[None]],
    refuse: Callable[[int], tuple[int, str] | None] = lambda _: None,
    max_size: int | None = None,
) -> AsyncIterator[str]:
    """Serve; yields the address.

    Args:
        script: what happens on a connection; at its end the connection is closed with 1000.
        refuse: status and reason for the upgrade number N, or None to let it in.
        max_size: bytes of a message, beyond which it closes with 1009.
    """
    asked = opened = 0

    def before(connection: ServerConnection, _: Request) -> Response | None:
        nonlocal asked
        asked += 1
        refused = refuse(asked)
        return connection.respond(refused[0], refused[1]) if refused else None

    async def handle(socket: ServerConnection) -> None:
        nonlocal opened
        opened += 1
        with contextlib.suppress(ConnectionError):
            await script(Scripted(socket, opened))

    async with serve(handle, "127.0.0.1", 0, process_request=before, max_size=max_size) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
