"""Fairness: one client with 10,000 symbols, one with 1,000 patterns, one that subscribes and unsubscribes in a loop.

None of them may more than double the other readers' p99.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import orjson

from tests.bench.harness import OURS, Server, finished, load, server, spread, started, table
from tests.bench.market import symbol

SYMBOLS, PER_SECOND = 10_000, 5000
READERS = 50
SECONDS = 4.0
ALONE = "nobody else"
GREEDY = {
    "10,000 symbols": ["r /ws?symbols=*"],
    "1,000 patterns": [
        "r /ws\t"
        + orjson.dumps(
            {"op": "subscribe", "symbols": [symbol(i * 10) for i in range(968)] + [f"S{i:02d}*" for i in range(32)]}
        ).decode()
    ],
}
CHURN = "subscribes and unsubscribes"


def main(runs: int, results: dict[str, Any]) -> list[str]:
    """Measure, print a table, and return which limits are broken."""
    figures: dict[str, list[float]] = {name: [] for name in (ALONE, *GREEDY, CHURN)}
    for run in range(runs):
        with server(OURS, SYMBOLS, PER_SECOND) as at:
            for name, seen in figures.items():
                with _greedy(at, name):
                    seen.append(_p99_ms(at))
                print(f"fairness {run + 1} {name}: p99 {seen[-1]:.1f} ms", file=sys.stderr)
    print(f"**Fairness**: {READERS} readers of 100 symbols, market of {SYMBOLS:,}, {PER_SECOND:,}/s, {runs} runs\n")
    alone = figures[ALONE]
    rows = [
        [name, spread(seen, 1), spread([a / b for a, b in zip(seen, alone, strict=True)])]
        for name, seen in figures.items()
    ]
    print(table(["beside them", "readers' p99 ms", "× alone"], rows), end="\n\n")
    results["fairness"] = figures
    worst = max(statistics.median(seen) for seen in figures.values())
    return [f"readers' p99 {worst:.0f} ms"] if worst > 4 * statistics.median(alone) + 20 else []


def _p99_ms(at: Server) -> float:
    names = ",".join(symbol(i) for i in range(100))
    with load(at.port, [f"s /ws?symbols={names}"] * READERS, SECONDS) as process:
        started(process)
        return float(finished(process)["p99_ms"])


@contextlib.contextmanager
def _greedy(at: Server, name: str) -> Iterator[None]:
    if name in GREEDY:
        with load(at.port, GREEDY[name], SECONDS + 10, warm_up_s=0.1) as process:
            started(process)
            yield
    elif name == CHURN:
        with subprocess.Popen([sys.executable, "-m", "tests.bench.churn", str(at.port)]) as process:
            yield
            process.terminate()
    else:
        yield
