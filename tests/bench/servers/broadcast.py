"""`websockets.broadcast`, used as its documentation shows.

`python -m tests.bench.servers.broadcast PORT SYMBOLS PER_SECOND batch|tick`.
"""

from __future__ import annotations

import sys

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from tests.bench.servers.common import Watchers, frames


async def main(port: int, symbols: int, per_second: int, shape: str) -> None:
    watchers: Watchers[ServerConnection] = Watchers()

    async def handler(connection: ServerConnection) -> None:
        assert connection.request is not None
        watchers.join(connection, connection.request.path)
        try:
            if "greet" in connection.request.path:
                await connection.send('{"type":"snapshot","quotes":{}}')
            await connection.wait_closed()
        finally:
            watchers.leave(connection)

    async with serve(handler, "127.0.0.1", port, compression=None, backlog=2048):
        async for batch in frames(symbols, per_second, shape):
            for name, text in batch:
                broadcast(watchers.of(name), text)


if __name__ == "__main__":
    port, symbols, per_second = map(int, sys.argv[1:4])
    uvloop.run(main(port, symbols, per_second, sys.argv[4]))
