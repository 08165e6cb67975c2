"""The same readers at the service itself and at its gateway: CPU of both, and how old a price is when it is read.

Both processes are on one core, the load on the other, so a gateway on a core of its own delays less than this.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from tests.bench.fanout import LISTS
from tests.bench.harness import OURS, WARM_UP_S, Peer, Server, measure, sampled, server, spread, table

SECONDS = 4.0
TARGETS = LISTS.targets
COLUMNS = ("service", "gateway", "p50_ms", "p99_ms")


def main(runs: int, results: dict[str, Any]) -> list[str]:
    """Measure and print a table; there is no limit to break."""
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in ("nobody", "the service", "a gateway")}
    for run in range(runs):
        _measure(figures)
        print(
            f"gateway {run + 1}: " + ", ".join(f"{name} {seen[-1]}" for name, seen in figures.items()), file=sys.stderr
        )
    results["gateway"] = figures
    print(
        f"**Gateway**: {len(TARGETS):,} readers × own {LISTS.watched} of {LISTS.symbols:,} symbols, "
        f"{LISTS.per_second:,} updates/s, medians of {runs} runs (least–most)\n"
    )
    head = ["readers at", "CPU of the service, % of a core", "of the gateway", "p50 ms", "p99 ms"]
    rows = [[name, *(spread([s[c] for s in seen], 1) for c in COLUMNS)] for name, seen in figures.items()]
    print(table(head, rows), end="\n\n")
    return []


def _measure(figures: dict[str, list[dict[str, float]]]) -> None:
    clients = sampled(TARGETS, len(TARGETS))
    with server(OURS, LISTS.symbols, LISTS.per_second, LISTS.shape) as service:
        time.sleep(WARM_UP_S)
        before = service.cpu_s
        time.sleep(SECONDS)
        figures["nobody"].append(_row(service.cpu_s - before, SECONDS))
        spent, report = measure(service, clients, SECONDS)
        figures["the service"].append(_row(spent, report["seconds"], report))
        follower = Peer("gateway", "ours", (f"upstream.url=http://127.0.0.1:{service.port}",))
        with server(follower, LISTS.symbols, LISTS.per_second) as gateway:
            _wait(gateway)
            before = service.cpu_s
            began = time.monotonic()
            spent, report = measure(gateway, clients, SECONDS)
            share = (service.cpu_s - before) / (time.monotonic() - began)
            figures["a gateway"].append(_row(share, 1, report) | {"gateway": 100 * spent / report["seconds"]})


def _row(cpu_s: float, seconds: float, report: dict[str, float] | None = None) -> dict[str, float]:
    ages = {name: report[name] if report else 0.0 for name in ("p50_ms", "p99_ms")}
    return {"service": 100 * cpu_s / seconds, "gateway": 0.0} | ages


def _wait(gateway: Server) -> None:
    """Until it has its upstream's symbols."""
    for _ in range(200):
        if gateway.metric("ticker_store_symbols") >= 2 * LISTS.symbols:
            return
        time.sleep(0.05)
    raise SystemExit("the gateway has no symbols")
