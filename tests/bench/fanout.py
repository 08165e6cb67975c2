"""Everyone watches everything: 200 clients × 100 symbols × 5,000 updates a second, a frame a client each 10 ms.

Server and load generator are processes of their own, pinned to different cores. The figure is the server's CPU
time for each delivered symbol update, beside the bare floor and FastAPI's tutorial, in turn within one run.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SERVERS = {"ours": "ours", "floor": "floor", "FastAPI tutorial": "tutorial"}
FLUSH_MS = 10


@dataclass(frozen=True, slots=True)
class Shape:
    """What is measured."""

    clients: int = 200
    symbols: int = 100
    per_second: int = 5000
    seconds: float = 6.0


@dataclass(frozen=True, slots=True)
class Result:
    """One run of one server: CPU µs for each delivered update, latency, and what it cost."""

    cpu_us: float
    p50_ms: float
    p99_ms: float
    delivered: float
    """Delivered updates as a share of those that were due."""
    bytes_per_update: float
    load_cpu: float


def main(runs: int, shape: Shape | None = None) -> list[str]:
    """Run all servers in turn, print a table, and return what is beyond a wide limit."""
    shape = shape or Shape()
    results: dict[str, list[Result]] = {name: [] for name in SERVERS}
    for run in range(runs):
        for name, module in SERVERS.items():
            result = measure(module, shape)
            results[name].append(result)
            print(f"run {run + 1} {name}: {result.cpu_us:.3f} µs, p99 {result.p99_ms:.1f} ms", file=sys.stderr)
    print(table(results, shape))
    best = {name: min(r.cpu_us for r in results[name]) for name in SERVERS}
    if best["ours"] > best["FastAPI tutorial"]:
        return [f"{best['ours']:.3f} µs, the tutorial's server needs {best['FastAPI tutorial']:.3f} µs"]
    return []


def measure(module: str, shape: Shape) -> Result:
    """One run of one server."""
    with server(module, shape) as (process, port):
        load = start_load(port, shape.clients, shape.seconds)
        assert load.stdout is not None
        with load, load.stdout as lines:
            assert lines.readline().strip() == "ready"
            before = _cpu_s(process.pid)
            report = json.loads(lines.readline())
            spent = _cpu_s(process.pid) - before
    due = shape.per_second * shape.clients * report["seconds"]
    return Result(
        cpu_us=spent / report["rows"] * 1e6,
        p50_ms=report["p50_ms"],
        p99_ms=report["p99_ms"],
        delivered=report["rows"] / due,
        bytes_per_update=report["bytes"] / report["rows"],
        load_cpu=report["load_cpu"],
    )


def start_load(port: int, clients: int, seconds: float) -> subprocess.Popen[str]:
    """The load generator, pinned to the last core; it prints "ready", then its report."""
    load = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.load", str(port), str(clients), str(seconds), "/ws?symbols=*"],
        stdout=subprocess.PIPE,
        text=True,
    )
    pin(load.pid, -1)
    return load


@contextlib.contextmanager
def server(module: str, shape: Shape, *settings: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A server process on a free port, pinned to the first core."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = [str(n) for n in (port, shape.symbols, shape.per_second, FLUSH_MS)] + list(settings)
    process = subprocess.Popen([sys.executable, "-m", f"tests.bench.servers.{module}", *arguments])
    pin(process.pid, 0)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                break
            time.sleep(0.05)
        yield process, port
    finally:
        process.terminate()
        process.wait(15)


def table(results: dict[str, list[Result]], shape: Shape) -> str:
    """Medians and spread, as Markdown."""
    lines = [
        (
            f"{shape.clients} clients × {shape.symbols} symbols × {shape.per_second:,} updates/s, "
            f"medians of {len(results['ours'])} runs (min–max)"
        ),
        "",
        "| server | CPU µs per delivered update | × floor | delivered | p50 ms | p99 ms | bytes/update | load CPU |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    floor = statistics.median(r.cpu_us for r in results["floor"])
    for name, runs in results.items():
        cpu = sorted(r.cpu_us for r in runs)
        middle = {key: statistics.median(getattr(r, key) for r in runs) for key in Result.__slots__}
        lines.append(
            f"| {name} | {middle['cpu_us']:.3f} ({cpu[0]:.3f}–{cpu[-1]:.3f}) | {middle['cpu_us'] / floor:.2f} | "
            f"{middle['delivered']:.0%} | {middle['p50_ms']:.1f} | {middle['p99_ms']:.1f} | "
            f"{middle['bytes_per_update']:.0f} | {middle['load_cpu']:.0%} |"
        )
    return "\n".join(lines)


def pin(pid: int, core: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(pid, {cores[core]})


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
