"""The market that every benchmarked server sends: the same symbols, prices and stamps, at an exact pace.

A row is a ticker of about 115 bytes: `last bid ask bid_size volume ts`. As on an exchange, not all of it changes each
time: the bid, its size and the time always, the ask every other time, a trade (`last`, `volume`) every third time. The
peers send whole rows; ours compares and sends what changed. `bid_size` carries the moment of the update.
`servers/market.mjs` is the same in JavaScript.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

TICK_S = 0.01
"""Updates come in batches of this period, as a busy exchange connection delivers them."""
CYCLE = 60
"""After this many steps a symbol's prices repeat."""
EPOCH_MS = 1_795_386_000_000


class Row(NamedTuple):
    """One update of a symbol, its prices as text."""

    symbol: str
    last: str
    bid: str
    ask: str
    volume: str


def symbol(i: int) -> str:
    """The name of symbol i."""
    return f"S{i:04d}-USD"


def stamp_us() -> int:
    """Microseconds of the machine's monotonic clock, the same in all processes."""
    return time.monotonic_ns() // 1000


def text(row: Row, stamp: int, ts: int) -> str:
    """A whole row as JSON, `"SYMBOL":{…}`."""
    return (
        f'"{row.symbol}":{{"last":{row.last},"bid":{row.bid},"ask":{row.ask},"bid_size":{stamp},'
        f'"volume":{row.volume},"ts":{ts}}}'
    )


def make_row(i: int, step: int) -> Row:
    """Symbol i at a step of its cycle."""
    base = 97_000 + i * 7
    trade = step // 3
    return Row(
        symbol(i),
        f"{base + trade % 20}.{trade * 7 % 100:02d}",
        f"{base - 1 - step % 30}.{step * 11 % 100:02d}",
        f"{base + 21 + step // 2 % 30}.{step // 2 * 13 % 100:02d}",
        f"{48_000 + i + trade}.{trade % 10}0",
    )


def batches(symbols: int, per_second: int) -> Iterator[list[Row]]:
    """Endless batches of rows, symbol by symbol."""
    rows = [make_row(i, step) for step in range(CYCLE) for i in range(symbols)]
    per_tick = max(1, round(per_second * TICK_S))
    rows += rows[:per_tick] * (1 + per_tick // len(rows))
    at, size = 0, symbols * CYCLE
    while True:
        yield rows[at : at + per_tick]
        at = (at + per_tick) % size


async def paced(symbols: int, per_second: int) -> AsyncIterator[list[Row]]:
    """The batches at their pace; a late loop skips none. At 0 a second, each price is sent once."""
    loop = asyncio.get_running_loop()
    if not per_second:
        yield [make_row(i, 0) for i in range(symbols)]
        await asyncio.Event().wait()
    due = loop.time()
    for rows in batches(symbols, per_second):
        yield rows
        due += TICK_S
        await asyncio.sleep(max(0.0, due - loop.time()))
