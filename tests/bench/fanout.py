"""Fan-out: everyone watches everything, watch lists, and a hundred thousand updates a second.

All servers take turns within one run. The figure is the server's CPU time for each update that was due at a client. Of
a server that sends every update, those that arrived count; of ours, which conflates, a value that a newer one replaced
within the interval counts, too.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tests.bench.harness import (
    BROADCAST,
    BUN,
    FLOOR,
    NODE_WS,
    TUTORIAL,
    Peer,
    finished,
    installed,
    load,
    sampled,
    server,
    spread,
    started,
    table,
)  # fmt: skip
from tests.bench.market import symbol

FLUSH_10 = ("hub.flush_interval_ms=10",)
ALL = "/ws?symbols=*"
WIDE = 1.5
"""How many times the CPU of the tutorial's server ours may take, in one short run on a busy machine."""
UPDATES = 'ticker_feed_updates_total{feed="bench"}'


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is measured: the market, how peers send it, the clients, and who takes part."""

    name: str
    title: str
    symbols: int
    per_second: int
    shape: str
    targets: Sequence[str]
    watched: int
    """How many symbols each client watches."""
    samples: int
    peers: Sequence[Peer]
    ours: Sequence[tuple[str, tuple[str, ...], str]]
    """Variants of ours: name, settings, and what is added to each target."""
    judge: Callable[[Figures], list[str]]
    seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Result:
    """One run of one server."""

    cpu_us: float
    cpu_share: float
    p50_ms: float
    p99_ms: float
    delivered: float
    """Updates that arrived as a share of those that were due."""
    bytes_per_update: float
    frames_per_s: float
    load_cpu: float


Figures = dict[str, list[Result]]
"""By server, one for each run."""


def middle(figures: Figures, name: str, what: str) -> float:
    """The median of one figure of one server."""
    return float(statistics.median(getattr(result, what) for result in figures[name]))


def best(figures: Figures, name: str, what: str) -> float:
    """The lowest, which a limit judges: the machine may be busy."""
    return float(min(getattr(result, what) for result in figures[name]))


def run(scenario: Scenario, runs: int, results: dict[str, Any]) -> list[str]:
    """Run all servers in turn, print a table, and return which limits are broken."""
    contenders = [(Peer(name, "ours", settings), query) for name, settings, query in scenario.ours]
    contenders += [(peer, "") for peer in installed(scenario.peers)]
    figures: Figures = {peer.name: [] for peer, _ in contenders}
    for number in range(runs):
        for peer, query in contenders:
            result = _measure(scenario, peer, query)
            figures[peer.name].append(result)
            print(
                f"{scenario.name} {number + 1} {peer.name}: {result.cpu_us:.3f} µs, {result.cpu_share:.0%} of a core, "
                f"{result.delivered:.0%} delivered, p99 {result.p99_ms:.1f} ms", file=sys.stderr,
            )  # fmt: skip
    print(_table(scenario, figures, runs), end="\n\n")
    results[scenario.name] = {name: [asdict(r) for r in rows] for name, rows in figures.items()}
    return scenario.judge(figures)


def _measure(scenario: Scenario, peer: Peer, query: str) -> Result:
    targets = [target + query for target in scenario.targets]
    with (
        server(peer, scenario.symbols, scenario.per_second, scenario.shape) as at,
        load(at.port, sampled(targets, scenario.samples), scenario.seconds) as process,
    ):
        started(process)
        cpu_s, updates = at.cpu_s, at.metric(UPDATES) if peer.is_ours else 0.0
        report = finished(process)
        spent = at.cpu_s - cpu_s
        updates = at.metric(UPDATES) - updates if peer.is_ours else 0.0
    seconds, each = report["seconds"], scenario.watched / scenario.symbols * report["readers"]
    due = scenario.per_second * seconds * each
    told = updates * each or report["rows"]
    return Result(
        cpu_us=spent / max(1.0, told) * 1e6,
        cpu_share=spent / seconds,
        p50_ms=report["p50_ms"],
        p99_ms=report["p99_ms"],
        delivered=report["rows"] / due,
        bytes_per_update=report["bytes"] / max(1.0, told),
        frames_per_s=report["frames"] / seconds,
        load_cpu=report["load_cpu"],
    )


def _table(scenario: Scenario, figures: Figures, runs: int) -> str:
    beside = [peer for peer in (FLOOR, BUN) if peer.name in figures]
    head = ["server", "CPU µs per update", *(f"× {peer.name.split(',')[0].split()[0]}" for peer in beside)]
    head += ["of a core", "arrived", "p50 ms", "p99 ms", "bytes/update", "frames/s", "load's CPU"]
    rows = []
    for name, results in figures.items():
        row = [name, spread([r.cpu_us for r in results], 3)]
        row += [
            spread([r.cpu_us / p.cpu_us for r, p in zip(results, figures[peer.name], strict=True)]) for peer in beside
        ]
        row += [
            f"{middle(figures, name, 'cpu_share'):.0%}", f"{middle(figures, name, 'delivered'):.0%}",
            spread([r.p50_ms for r in results], 1), spread([r.p99_ms for r in results], 1),
            f"{middle(figures, name, 'bytes_per_update'):.0f}", f"{middle(figures, name, 'frames_per_s'):,.0f}",
            f"{middle(figures, name, 'load_cpu'):.0%}",
        ]  # fmt: skip
        rows.append(row)
    return f"**{scenario.title}**, medians of {runs} runs (least–most)\n\n{table(head, rows)}"


def _judge_everyone(figures: Figures) -> list[str]:
    ours, theirs = (best(figures, name, "cpu_us") for name in ("ticker, 10 ms", TUTORIAL.name))
    return [f"everyone: {ours:.3f} µs, the tutorial's server needs {theirs:.3f} µs"] if ours > WIDE * theirs else []


def _judge_lists(figures: Figures) -> list[str]:
    ours, theirs = (best(figures, name, "cpu_us") for name in ("ticker", TUTORIAL.name))
    return [f"watch lists: {ours:.1f} µs, the tutorial's server needs {theirs:.1f} µs"] if ours > theirs else []


def _judge_saturation(figures: Figures) -> list[str]:
    p99 = best(figures, "ticker, 10 ms", "p99_ms")
    return [f"saturation: p99 {p99:.0f} ms; it does not hold 100,000 updates a second"] if p99 > 250 else []


EVERYONE = Scenario(
    "everyone",
    "Everyone watches everything: 200 clients × 100 symbols × 5,000 updates/s, one frame a client each 10 ms",
    symbols=100, per_second=5000, shape="batch", targets=[ALL] * 200, watched=100, samples=10,
    peers=(FLOOR, BUN, NODE_WS, BROADCAST, TUTORIAL),
    ours=(("ticker, 10 ms", FLUSH_10, ""), ("ticker", (), "")),
    judge=_judge_everyone,
)  # fmt: skip
LISTS = Scenario(
    "lists",
    "Watch lists: 1,000 clients × own 10 of 1,000 symbols, 5,000 updates/s; the others send each update at once",
    symbols=1000, per_second=5000, shape="tick",
    targets=["/ws?symbols=" + ",".join(symbol((i * 7 + j * 97) % 1000) for j in range(10)) for i in range(1000)],
    watched=10, samples=1000,
    peers=(FLOOR, BUN, NODE_WS, BROADCAST, TUTORIAL),
    ours=(("ticker", (), ""), ("ticker, interval_ms=100", (), "&interval_ms=100")),
    judge=_judge_lists,
)  # fmt: skip
SATURATION = Scenario(
    "saturation",
    "A hundred thousand updates a second: 200 clients × 100 symbols; the others send each update at once",
    symbols=100, per_second=100_000, shape="tick", targets=[ALL] * 200, watched=100, samples=4,
    peers=(BUN,),  # the others do not even accept all connections under this load
    ours=(("ticker, 10 ms", FLUSH_10, ""), ("ticker", (), "")),
    judge=_judge_saturation,
)  # fmt: skip
SCENARIOS = {scenario.name: scenario for scenario in (EVERYONE, LISTS, SATURATION)}


def quick(scenario: Scenario) -> Scenario:
    """For CI: ours, and only the peer that a limit needs, for a shorter time."""
    return replace(scenario, peers=[p for p in scenario.peers if p in {FLOOR, TUTORIAL}], seconds=3.0)
