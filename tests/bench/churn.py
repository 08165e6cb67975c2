"""A client that subscribes to 500 symbols and unsubscribes again in a loop, as fast as the message limit allows.

`python -m tests.bench.churn PORT` runs until it is stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.bench.market import symbol

GAP_S = 0.055
"""A little under 20 messages a second."""
NAMES = [symbol(i) for i in range(500)]


async def main(port: int) -> None:
    async with connect(f"ws://127.0.0.1:{port}/ws", proxy=None, max_size=None) as socket:
        reading = asyncio.create_task(_read(socket))
        for number in itertools.count():
            await socket.send(json.dumps({"op": ("subscribe", "unsubscribe")[number % 2], "symbols": NAMES}))
            await asyncio.sleep(GAP_S)
            if reading.done():
                return


async def _read(socket: ClientConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        async for _ in socket:
            pass


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
