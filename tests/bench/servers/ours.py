"""The service itself, fed by the benchmark's market.

`python -m tests.bench.servers.ours PORT SYMBOLS RATE FLUSH_MS [SETTING…]`, settings as `--set` takes them.
"""

from __future__ import annotations

import random
import sys

from feeds.base import Context, Sink
from tests.bench.market import paced, stamp_us
from ticker.clock import Clock
from ticker.config import Settings, load
from ticker.model import Bar, Quote
from ticker.run import serve


class MarketFeed:
    """The benchmark's market as a feed; the stamp travels as `bid_size`."""

    name, kind, clock, stale_after_s = "bench", "simulated", "exchange", 5.0

    def __init__(self, symbols: int, per_second: int) -> None:
        self._symbols = symbols
        self._per_second = per_second

    async def run(self, sink: Sink) -> None:
        async for rows in paced(self._symbols, self._per_second):
            stamp = str(stamp_us())
            sink.publish(
                [
                    Quote(f"bench:{name}", {"last": last, "bid": bid, "ask": ask, "bid_size": stamp}, ts)
                    for name, last, bid, ask, ts in rows
                ]
            )
            sink.loaded()

    async def history(self, symbol: str, interval_s: int, limit: int) -> list[Bar]:
        return []


def settings(port: int, flush_interval_ms: int, *others: str) -> Settings:
    chosen = (f"hub.flush_interval_ms={flush_interval_ms}", *others)
    return load(None, [("--port", str(port)), ("--log-level", "warning"), *(("--set", text) for text in chosen)], {})


if __name__ == "__main__":
    port, symbols, per_second, flush_ms = map(int, sys.argv[1:5])
    given = settings(port, flush_ms, *sys.argv[5:])
    sys.exit(serve(given, [MarketFeed(symbols, per_second)], Context(Clock(), random.Random(1))))
