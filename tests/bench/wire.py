"""Bytes: what a delivered update costs on the wire, as plain or shared compressed deltas, and as full JSON rows."""

from __future__ import annotations

import statistics
import sys
from typing import Any

from tests.bench.fanout import UPDATES
from tests.bench.harness import FLOOR, OURS, WARM_UP_S, Peer, measure, server, spread, table

CLIENTS = 200
SYMBOLS, PER_SECOND = 100, 5000
SECONDS = 5.0
WAYS = (
    ("full JSON rows", FLOOR, "r"),
    ("deltas", Peer(OURS.name, "ours", ("hub.compress=false",)), "z"),
    ("deltas, compressed once for all", OURS, "z"),
)


def main(runs: int, results: dict[str, Any]) -> list[str]:
    """Measure, print a table, and return which limits are broken."""
    figures: dict[str, list[tuple[float, float, float]]] = {name: [] for name, _, _ in WAYS}
    for run in range(runs):
        for name, peer, flag in WAYS:
            with server(peer, SYMBOLS, PER_SECOND) as at:
                before = at.metric(UPDATES) if peer.is_ours else 0.0
                spent, report = measure(at, [f"{flag} /ws?symbols=*"] * CLIENTS + ["s /ws?symbols=*"], SECONDS)
                updates = at.metric(UPDATES) - before if peer.is_ours else 0.0
            # The counter ran during the warm-up, too. The client that parses its frames is left out of the bytes.
            share = report["seconds"] / (report["seconds"] + WARM_UP_S)
            told = (updates * share or report["rows"] / (CLIENTS + 1)) * CLIENTS
            size = (report["bytes"] - report["sampled_bytes"]) / told
            figures[name].append((size, spent / told * 1e6, report["p99_ms"]))
            print(f"bytes {run + 1} {name}: {size:.1f} bytes, {figures[name][-1][1]:.3f} µs", file=sys.stderr)
    full, plain = (figures[name] for name, _, _ in WAYS[:2])
    rows = [
        [
            name, spread([size for size, _, _ in seen], 1),
            spread([a[0] / b[0] * 100 for a, b in zip(seen, full, strict=True)], 1),
            spread([cpu for _, cpu, _ in seen], 3),
            spread([a[1] / b[1] for a, b in zip(seen, plain, strict=True)]), spread([p99 for _, _, p99 in seen], 1),
        ]
        for name, seen in figures.items()
    ]  # fmt: skip
    print(f"**Bytes**: {CLIENTS} clients × {SYMBOLS} symbols × {PER_SECOND:,} updates/s, {runs} runs\n")
    print(
        table(["what is sent", "bytes per update", "% of full rows", "CPU µs per update", "× deltas", "p99 ms"], rows)
    )
    print()
    results["bytes"] = figures
    share = statistics.median(a[0] / b[0] for a, b in zip(figures[WAYS[2][0]], full, strict=True))
    return [f"compressed deltas are {share:.0%} of full rows"] if share > 0.5 else []
