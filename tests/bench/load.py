"""The load generator: many WebSocket clients in one process, cheap enough to measure with.

All clients count bytes; only a few samples take frames apart, to count rows and measure latency from the stamp
in `bid_size` to the moment of reading. `python -m tests.bench.load PORT CLIENTS SECONDS PATH`; a line of JSON on
standard output says what came.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from base64 import b64encode
from typing import cast

import orjson
import uvloop

from tests.bench.market import stamp_us

SAMPLES = 4
WARM_UP_S = 1.5


class Client(asyncio.Protocol):
    """One client; `sampled` ones read what they get."""

    def __init__(self, path: str, *, sampled: bool) -> None:
        self._path = path
        self._sampled = sampled
        self._buffer = b""
        self._open = False
        self.measuring = False
        self.bytes = 0
        self.frames = 0
        self.rows = 0
        self.latencies_us: list[int] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        key = b64encode(os.urandom(16)).decode()
        self.transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        if self.measuring:
            self.bytes += len(data)
        if not self._open:
            self._buffer += data
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            if b" 101 " not in head[:20]:
                raise SystemExit(f"refused: {head[:200]!r}")
            self._open, self._buffer, data = True, b"", rest
        if self._sampled:
            self._read(self._buffer + data)

    def _read(self, data: bytes) -> None:
        now = stamp_us()
        at = 0
        while len(data) - at >= 2:
            size, start = data[at + 1] & 127, at + 2
            if size == 126:
                size, start = int.from_bytes(data[at + 2 : at + 4]), at + 4
            elif size == 127:
                size, start = int.from_bytes(data[at + 2 : at + 10]), at + 10
            if start > len(data) or start + size > len(data):
                break
            if self.measuring:
                self.frames += 1
                self._take(data[start : start + size], now)
            at = start + size
        self._buffer = data[at:]

    def _take(self, payload: bytes, now: int) -> None:
        message = orjson.loads(payload)
        if message.get("type") == "update":
            for row in message.get("quotes", {}).values():
                self.rows += 1
                if "bid_size" in row:
                    self.latencies_us.append(now - row["bid_size"])


async def main(port: int, clients: int, seconds: float, path: str) -> None:
    loop = asyncio.get_running_loop()
    crowd = []
    for i in range(clients):
        client = Client(path, sampled=i % max(1, clients // SAMPLES) == 0)
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
        crowd.append(client)
    await asyncio.sleep(WARM_UP_S)
    print("ready", flush=True)
    cpu, started = time.process_time(), time.monotonic()
    for client in crowd:
        client.measuring = True
    await asyncio.sleep(seconds)
    for client in crowd:
        client.measuring = False
    elapsed, cpu = time.monotonic() - started, time.process_time() - cpu
    sampled = [c for c in crowd if c.frames]
    latencies = sorted(value for c in sampled for value in c.latencies_us)
    print(
        json.dumps(
            {
                "seconds": elapsed,
                "load_cpu": cpu / elapsed,
                "rows": sum(c.rows for c in sampled) / max(1, len(sampled)) * clients,
                "frames": sum(c.frames for c in sampled) / max(1, len(sampled)) * clients,
                "bytes": sum(c.bytes for c in crowd),
                "p50_ms": latencies[len(latencies) // 2] / 1000 if latencies else None,
                "p99_ms": latencies[len(latencies) * 99 // 100] / 1000 if latencies else None,
            }
        ),
        flush=True,
    )
    for client in crowd:
        client.transport.abort()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]))
