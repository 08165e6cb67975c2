"""A TCP proxy that a test cuts and stalls: the network between a reader and the service."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Wire:
    """Passes bytes on, unless told otherwise.

    Attributes:
        target: the port behind it; it may change.
        open: whether new connections are taken.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.open = True
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: set[asyncio.StreamWriter] = set()

    def stall(self) -> None:
        """Keep everything open and deliver nothing: both sides see only silence."""
        self._flows.clear()

    def drop(self) -> None:
        """Reset all connections, and accept none."""
        self.open = False
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        """Pass bytes on again, and accept connections."""
        self.open = True
        self._flows.set()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self.open:
                with contextlib.suppress(OSError):
                    inner, outer = await asyncio.open_connection("127.0.0.1", self.target)
                    self._writers.add(outer)
                    await asyncio.gather(self._pass(reader, outer), self._pass(inner, writer))
        finally:
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


@contextlib.asynccontextmanager
async def wire(target: int) -> AsyncIterator[Wire]:
    """A proxy on a free port."""
    between = Wire(target)
    server = await asyncio.start_server(between._take, "127.0.0.1", 0)
    between.port = server.sockets[0].getsockname()[1]
    try:
        yield between
    finally:
        server.close()
        between.drop()
        between.mend()
        await server.wait_closed()
