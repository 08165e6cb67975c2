"""What metrics cost at 100,000 updates a second, as a share of one core.

A second of work is 100 batches of 1,000 quotes through intake, store and groups to one reader. What metrics add to
it is too little to show as a difference between two runs (a core's speed varies by more), so the parts are measured:
how often histograms and counters are updated in that second, what one update costs, and what a scrape costs.
"""

from __future__ import annotations

import asyncio
import time
import timeit
from collections.abc import Callable, Iterator
from statistics import median

import pytest
from prometheus_client.exposition import generate_latest

from tests.bench.market import EPOCH_MS, batches
from ticker.clock import Clock
from ticker.histogram import Histogram
from ticker.metrics import make_registry
from ticker.model import Quote
from ticker.protocol import Frame
from ticker.readers import Group
from ticker.selection import Selection
from ticker.service import Service
from ticker.settings import Settings

PER_SECOND = 100_000
BATCHES = 100
SCRAPE_INTERVAL_S = 15
ADDITIONS_A_ROW, ADDITIONS_A_BATCH = 1, 12
"""Counter increments, taken from the code: `store.counts.changed` for a row; the rest for a batch or frame."""
LIMIT = 0.01


class Reader:
    """Takes everything."""

    group: Group | None = None
    since = 0
    address = ""

    def write(self, frame: Frame) -> bool:
        return bool(frame.data)


def main(runs: int) -> list[str]:
    """Measure, print, and return whether the limit is broken."""
    shares = [asyncio.run(_share()) for _ in range(max(runs, 3))]
    work, scrape, feeding = (sorted(values) for values in zip(*shares, strict=True))
    total = median(scrape) + median(feeding)
    print(
        f"metrics at {PER_SECOND:,} updates/s: {total:.2%} of a core, of which a scrape each {SCRAPE_INTERVAL_S} s "
        f"{median(scrape):.2%} ({scrape[0]:.2%}–{scrape[-1]:.2%}), counters and histograms {median(feeding):.2%} "
        f"({feeding[0]:.2%}–{feeding[-1]:.2%}); the work itself takes {median(work):.0%}; {len(shares)} runs"
    )
    return [f"metrics cost {total:.2%}, limit {LIMIT:.0%}"] if total > LIMIT else []


async def _share() -> tuple[float, float, float]:
    """The CPU seconds, in one second, of the work, of the scrape and of the counters and histograms."""
    service = Service(Settings(), Clock())
    feed = service.feed("bench", "live", "exchange", 5.0)
    service.hub.groups.enter(Reader(), Selection.of(["bench:*"]), 0, None)
    registry = make_registry(service)
    batches = _quotes()
    observed = 0

    def count(*_: object) -> None:
        nonlocal observed
        observed += 1

    def batch() -> None:
        feed.publish(next(batches))
        service.hub.flush()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Histogram, "observe", count)
        for _ in range(BATCHES):
            batch()
    work = _cpu(batch, BATCHES)
    scrape = _cpu(lambda: generate_latest(registry), 20) / 20 / SCRAPE_INTERVAL_S
    service.hub.close()
    observe_s = min(timeit.repeat("h.observe(0.003)", globals={"h": Histogram()}, number=100_000, repeat=5)) / 100_000
    add = "c.changed += 1"
    add_s = min(timeit.repeat(add, globals={"c": service.store.counts}, number=100_000, repeat=5)) / 100_000
    additions = ADDITIONS_A_ROW * PER_SECOND + ADDITIONS_A_BATCH * BATCHES
    return work, scrape, observed * observe_s + additions * add_s


def _quotes() -> Iterator[list[Quote]]:
    for step, rows in enumerate(batches(1000, PER_SECOND)):
        ts = EPOCH_MS + step
        yield [Quote(f"bench:{r.symbol}", {"last": r.last, "bid": r.bid, "ask": r.ask}, ts) for r in rows]


def _cpu(step: Callable[[], object], times: int) -> float:
    started = time.process_time()
    for _ in range(times):
        step()
    return time.process_time() - started
