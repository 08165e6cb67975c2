"""The service itself, fed by the benchmark's market.

`python -m tests.bench.servers.ours PORT SYMBOLS PER_SECOND SHAPE [SETTING…]`, settings as `--set` takes them. SHAPE
is for the other servers; ours batches by itself. SIGUSR1 prints the longest turn of the event loop, in ms, since the
last such signal.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import time

from feeds.base import Context, Sink
from tests.bench.market import EPOCH_MS, paced, stamp_us
from ticker.clock import Clock
from ticker.config import load
from ticker.model import Bar, Quote
from ticker.run import serve
from ticker.settings import Settings

PROBE_S = 0.002


class MarketFeed:
    """The benchmark's market as a feed."""

    name, kind, clock, stale_after_s = "bench", "simulated", "exchange", 5.0

    def __init__(self, symbols: int, per_second: int) -> None:
        self._symbols = symbols
        self._per_second = per_second
        self._longest_s = 0.0

    async def run(self, sink: Sink) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._start_probe)
        async for rows in paced(self._symbols, self._per_second):
            stamp, ts = str(stamp_us()), EPOCH_MS + time.monotonic_ns() // 1_000_000
            sink.publish(
                [
                    Quote(
                        "bench:" + row.symbol,
                        {"last": row.last, "bid": row.bid, "ask": row.ask, "bid_size": stamp, "volume": row.volume},
                        ts,
                    )
                    for row in rows
                ]
            )
            sink.loaded()

    async def history(self, symbol: str, interval_s: int, limit: int) -> list[Bar]:
        return []

    def _start_probe(self) -> None:
        """The first signal starts a 2 ms timer, whose worst delay is the longest turn; every signal reports it."""
        loop = asyncio.get_running_loop()
        if not self._longest_s:
            loop.call_later(PROBE_S, self._probe, time.perf_counter() + PROBE_S)
        print(f"{self._longest_s * 1000:.2f}", flush=True)
        self._longest_s = 1e-9

    def _probe(self, due: float) -> None:
        now = time.perf_counter()
        self._longest_s = max(self._longest_s, now - due)
        asyncio.get_running_loop().call_later(PROBE_S, self._probe, now + PROBE_S)


def settings(port: int, *others: str) -> Settings:
    chosen = [("--port", str(port)), ("--log-level", "error"), *(("--set", text) for text in others)]
    return load(None, chosen, {})


if __name__ == "__main__":
    port, symbols, per_second = map(int, sys.argv[1:4])
    given = settings(port, *sys.argv[5:])
    sys.exit(serve(given, [MarketFeed(symbols, per_second)], Context(Clock(), random.Random(1))))
