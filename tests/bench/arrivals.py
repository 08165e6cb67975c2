"""Arrivals: 3,000 clients connect at once, with cursors; what a handshake costs, and what other readers notice of it.

Also the first frame of a large market: 200 clients that ask for all 5,000 symbols at once.
"""

from __future__ import annotations

import http.client
import json
import statistics
import sys
from typing import Any

from tests.bench.harness import (
    BROADCAST,
    BUN,
    NODE_WS,
    OURS,
    TUTORIAL,
    Load,
    Peer,
    Server,
    finished,
    installed,
    load,
    server,
    spread,
    started,
    table,
)  # fmt: skip

ARRIVALS = 3000
PEERS = (OURS, TUTORIAL, BROADCAST, NODE_WS, BUN)


def main(runs: int, results: dict[str, Any], *, arrivals: int = ARRIVALS) -> list[str]:
    """Measure, print a table, and return which limits are broken."""
    peers = installed(PEERS)
    rates: dict[str, list[float]] = {peer.name: [] for peer in peers}
    storms, openings = [], []
    for run in range(runs):
        for peer in peers:
            rates[peer.name].append(_handshakes(peer, arrivals))
            print(f"arrivals {run + 1} {peer.name}: {rates[peer.name][-1]:,.0f} a CPU second", file=sys.stderr)
        storms.append(_storm(arrivals))
        openings.append(_opening())
        print(f"arrivals {run + 1} storm {storms[-1]}, opening {openings[-1]}", file=sys.stderr)
    base = rates[TUTORIAL.name]
    rows = [
        [name, spread(seen, 0), spread([a / b for a, b in zip(seen, base, strict=True)])]
        for name, seen in rates.items()
    ]
    print(f"**Arrivals**: {arrivals:,} at once, handshake to first data frame, {runs} runs\n")
    print(table(["server", "arrivals per CPU second", "× bare FastAPI endpoint"], rows), end="\n\n")
    print(
        f"With cursors and interval_ms=1000 into 5,000 updates/s and 20 standing readers: all in after "
        f"{spread([s['seconds'] for s in storms])} s, resumed {spread([s['resumed'] for s in storms], 0)}, standing "
        f"readers' longest delay {spread([s['max_ms'] for s in storms], 1)} ms "
        f"({spread([s['quiet_ms'] for s in storms], 1)} ms before). 200 readers who ask for 5,000 symbols at once: "
        f"longest turn of the loop {spread([s['turn_ms'] for s in openings], 1)} ms "
        f"({spread([s['quiet_ms'] for s in openings], 1)} ms before).\n"
    )
    results["arrivals"] = {"per_cpu_s": rates, "storm": storms, "opening": openings}
    ours = statistics.median(rates[OURS.name])
    return [f"{ours:,.0f} arrivals a CPU second"] if ours < statistics.median(base) / 2 else []


def _arrive(at: Server, clients: list[str]) -> tuple[float, Load]:
    with load(at.port, clients, 0, mode="arrive") as process:
        started(process)
        before = at.cpu_s
        report = finished(process)
        spent = at.cpu_s - before
    if report["closed"]:
        raise SystemExit(f"{report['closed']} of {len(clients)} were closed")
    return spent, report


def _handshakes(peer: Peer, arrivals: int) -> float:
    with server(peer, 100, 0) as at:
        target = f"r /ws?symbols=S0001-USD{peer.greeting}"
        _arrive(at, [target] * 200)  # the first ones pay for imports and fill caches
        spent, _ = _arrive(at, [target + (_cursor(at, "S0001-USD") if peer.is_ours else "")] * arrivals)
    return arrivals / spent


def _storm(arrivals: int) -> dict[str, float]:
    """Everyone comes back at once while prices flow: do they resume, and do the standing readers notice?"""
    with server(OURS, 100, 5000) as at:
        standing = ["s /ws?symbols=*"] * 20
        with load(at.port, standing, 2) as process:
            started(process)
            quiet = finished(process)
        with load(at.port, standing, 4) as process:
            started(process)
            _, report = _arrive(at, [f"r /ws?symbols=*&interval_ms=1000{_cursor(at, '*')}"] * arrivals)
            beside = finished(process)
    return {
        "seconds": report["seconds"],
        "resumed": arrivals - report["snapshots"],
        "max_ms": beside["max_ms"],
        "quiet_ms": quiet["max_ms"],
    }


def _opening() -> dict[str, float]:
    with server(OURS, 5000, 5000) as at:
        with load(at.port, ["r /ws?symbols=S0001-USD"] * 20, 3) as process:
            started(process)
            at.longest_turn_ms()
            finished(process)
        quiet = at.longest_turn_ms()
        with load(at.port, ["r /ws?symbols=*"] * 200, 0, mode="arrive") as process:
            started(process)
            finished(process)
        return {"turn_ms": at.longest_turn_ms(), "quiet_ms": quiet}


def _cursor(at: Server, symbols: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", at.port)
    connection.request("GET", f"/api/quotes?symbols={symbols}")
    cursor: str = json.loads(connection.getresponse().read())["cursor"]
    connection.close()
    return f"&cursor={cursor}"
