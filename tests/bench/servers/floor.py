"""The floor: uvloop writes one ready-made frame to every connection for each batch, and does nothing else.

`python -m tests.bench.servers.floor PORT SYMBOLS RATE`. The frame is made once a batch, with the batch's stamp in it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import sys
from typing import cast

import uvloop

from tests.bench.market import TICK_S, stamp_us, updates
from ticker.protocol import Frame
from web.transport import wire

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


class Connection(asyncio.Protocol):
    def __init__(self, members: set[asyncio.Transport]) -> None:
        self._members = members

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
                self._members.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._members.discard(self._transport)


async def main(port: int, symbols: int, per_second: int) -> None:
    loop = asyncio.get_running_loop()
    members: set[asyncio.Transport] = set()
    await loop.create_server(lambda: Connection(members), "127.0.0.1", port)
    rows = next(updates(symbols, per_second))
    body = b",".join(
        b'"%b":{"last":%b,"bid":%b,"ask":%b,"bid_size":@,"ts":%d}'
        % (name.encode(), last.encode(), bid.encode(), ask.encode(), ts)
        for name, last, bid, ask, ts in rows
    )
    template = b'{"type":"update","since":4711,"version":4712,"time":1795386012401,"quotes":{%b}}' % body
    due = loop.time()
    while True:
        data = wire(Frame("update", template.replace(b"@", b"%d" % stamp_us())))
        for transport in members:
            transport.write(data)
        due += TICK_S
        await asyncio.sleep(max(0.0, due - loop.time()))


if __name__ == "__main__":
    uvloop.run(main(*map(int, sys.argv[1:4])))
