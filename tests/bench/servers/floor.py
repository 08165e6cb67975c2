"""The floor: uvloop writes ready-made frames to every connection that wants them, and does nothing else.

`python -m tests.bench.servers.floor PORT SYMBOLS PER_SECOND batch|tick`. A frame's WebSocket header is made once.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import sys
from typing import cast

import uvloop

from tests.bench.servers.common import Watchers, frames
from ticker.protocol import Frame
from web.wire import wire

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


class Connection(asyncio.Protocol):
    def __init__(self, watchers: Watchers[asyncio.Transport]) -> None:
        self._watchers = watchers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        for line in data.split(b"\r\n"):
            if line.lower().startswith(b"sec-websocket-key:"):
                key = line.split(b":", 1)[1].strip()
                accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest())
                self._transport.write(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
                )
                self._watchers.join(self._transport, data.split(b" ", 2)[1].decode())

    def connection_lost(self, exc: Exception | None) -> None:
        self._watchers.leave(self._transport)


async def main(port: int, symbols: int, per_second: int, shape: str) -> None:
    watchers: Watchers[asyncio.Transport] = Watchers()
    await asyncio.get_running_loop().create_server(lambda: Connection(watchers), "127.0.0.1", port, backlog=2048)
    async for batch in frames(symbols, per_second, shape):
        for name, text in batch:
            data = wire(Frame("update", text.encode()))
            for transport in watchers.of(name):
                transport.write(data)


if __name__ == "__main__":
    port, symbols, per_second = map(int, sys.argv[1:4])
    uvloop.run(main(port, symbols, per_second, sys.argv[4]))
