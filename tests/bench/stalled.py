"""A thousand clients that take nothing, beside fifty that read: their cost, their end, and what the readers notice."""

from __future__ import annotations

import sys
import time
from typing import Any

from tests.bench.harness import Peer, finished, load, server, spread, started

STALLED, READERS = 1000, 50
STALL_S = 4.0
SECONDS = 12.0
CLOSED = 'ticker_hub_disconnects_total{code="4008"}'


def main(runs: int, results: dict[str, Any]) -> list[str]:
    """Measure, print the figures, and return which limits are broken."""
    figures = []
    for run in range(runs):
        figures.append(_measure())
        print(f"stalled {run + 1}: {figures[-1]}", file=sys.stderr)
    results["stalled"] = figures
    seen = {name: [figure[name] for figure in figures] for name in figures[0]}
    print(
        f"**Stalled readers**: {STALLED:,} that take nothing beside {READERS} that read, 100 symbols, 5,000 updates/s, "
        f"{runs} runs: {spread(seen['kib'], 1)} KiB of process memory each at the peak, "
        f"{spread(seen['closed'], 0)} closed with 4008 after stall_s = {STALL_S:g} s; readers' p99 "
        f"{spread(seen['beside_ms'], 1)} ms beside them, {spread(seen['alone_ms'], 1)} ms alone.\n"
    )
    problems = []
    if min(seen["closed"]) < STALLED:
        problems.append(f"only {min(seen['closed']):.0f} of {STALLED} stalled readers were closed with 4008")
    if min(seen["kib"]) > 100:
        problems.append(f"{min(seen['kib']):.0f} KiB a stalled reader")
    return problems


def _measure() -> dict[str, float]:
    peer = Peer("ticker", "ours", (f"hub.stall_s={STALL_S}",))
    with server(peer, 100, 5000) as at:
        readers = ["s /ws?symbols=*"] * READERS
        with load(at.port, readers, 4) as process:
            started(process)
            alone = finished(process)
        before = peak = at.rss_bytes
        with load(at.port, readers, SECONDS, warm_up_s=0.5) as process:
            started(process)
            with load(at.port, ["m /ws?symbols=*"] * STALLED, SECONDS - 4) as mute:
                started(mute)
                deadline = time.monotonic() + STALL_S + 4
                while at.metric(CLOSED) < STALLED and time.monotonic() < deadline:
                    peak = max(peak, at.rss_bytes)
                    time.sleep(0.25)
                closed = at.metric(CLOSED)
            beside = finished(process)
    return {
        "kib": (peak - before) / STALLED / 1024,
        "closed": closed,
        "alone_ms": alone["p99_ms"],
        "beside_ms": beside["p99_ms"],
    }
