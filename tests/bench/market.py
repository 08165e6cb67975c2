"""The market that every benchmarked server sends: the same symbols, prices and stamps, at an exact pace."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator

TICK_S = 0.01
"""Updates come in batches of this period, as a busy exchange connection delivers them."""


def symbol(i: int) -> str:
    """The name of symbol i."""
    return f"S{i:04d}-USD"


def stamp_us() -> int:
    """Microseconds of the machine's monotonic clock, the same in all processes."""
    return time.monotonic_ns() // 1000


def updates(symbols: int, per_second: int) -> Iterator[list[tuple[str, str, str, str, int]]]:
    """Endless batches of (symbol, last, bid, ask, ts), round robin, so that no symbol comes twice in a batch."""
    per_tick = round(per_second * TICK_S)
    names = [symbol(i) for i in range(symbols)]
    for tick in itertools.count():
        start = tick * per_tick
        rows = []
        for n in range(start, start + min(per_tick, symbols)):
            cents = 9_741_235 + (n * 7919) % 1000
            last = f"{cents // 100}.{cents % 100:02d}"
            rows.append(
                (names[n % symbols], last, f"{cents // 100}.00", f"{cents // 100 + 1}.00", 1_795_386_000_000 + n)
            )
        yield rows


async def paced(symbols: int, per_second: int) -> AsyncIterator[list[tuple[str, str, str, str, int]]]:
    """The batches at their pace; a late loop skips no batch."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    for rows in updates(symbols, per_second):
        yield rows
        due += TICK_S
        await asyncio.sleep(max(0.0, due - loop.time()))
