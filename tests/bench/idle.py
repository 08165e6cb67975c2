"""Ten thousand connections, subscribed but quiet: memory for each, CPU for all of them, heartbeats included."""

from __future__ import annotations

import statistics
import sys
from typing import Any

from tests.bench.harness import (
    BUN,
    NODE_WS,
    OURS,
    TUTORIAL,
    Peer,
    finished,
    installed,
    load,
    server,
    spread,
    started,
    table,
)

CLIENTS = 10_000
WARM_CLIENTS = 200
SECONDS = 20.0
"""Long enough for four heartbeats and a ping."""


def main(runs: int, results: dict[str, Any], *, clients: int = CLIENTS, seconds: float = SECONDS) -> list[str]:
    """Measure, print a table, and return which limits are broken."""
    figures: dict[str, list[tuple[float, float]]] = {
        peer.name: [] for peer in installed((OURS, BUN, NODE_WS, TUTORIAL))
    }
    for run in range(runs):
        for peer in installed((OURS, BUN, NODE_WS, TUTORIAL)):
            kib, share = _measure(peer, clients, seconds if peer.is_ours else 2.0)
            figures[peer.name].append((kib, share))
            print(f"idle {run + 1} {peer.name}: {kib:.1f} KiB a connection, {share:.1%} of a core", file=sys.stderr)
    print(f"**{clients:,} idle connections**, one selection, {runs} runs; CPU with heartbeats and pings, ours only\n")
    rows = [
        [name, spread([kib for kib, _ in seen], 1), spread([s * 100 for _, s in seen], 1) if name == OURS.name else ""]
        for name, seen in figures.items()
    ]
    print(table(["server", "KiB per connection", "CPU % of a core"], rows), end="\n\n")
    results["idle"] = figures
    kib = statistics.median(kib for kib, _ in figures[OURS.name])
    return [f"{kib:.1f} KiB an idle connection"] if kib > 24 else []


def _measure(peer: Peer, clients: int, seconds: float) -> tuple[float, float]:
    target = f"r /ws?symbols=S0000-USD,S0001-USD,S0002-USD{peer.greeting}"
    with server(peer, 100, 0) as at:
        with load(at.port, [target] * WARM_CLIENTS, 0.5, warm_up_s=0.5) as process:
            started(process)
            finished(process)
        before = at.rss_bytes
        with load(at.port, [target] * clients, seconds) as process:
            started(process)
            cpu_s = at.cpu_s
            report = finished(process)
            spent, grown = at.cpu_s - cpu_s, at.rss_bytes - before
    if report["closed"]:
        raise SystemExit(f"{peer.name}: {report['closed']} of {clients} connections were closed")
    return grown / clients / 1024, spent / report["seconds"]
