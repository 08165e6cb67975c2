"""Benchmarks: `python -m tests.bench [SCENARIO…] [--runs N] [--check]`; without a name, all but `soak`.

Figures are ratios within one run, with their spread. With --check, the exit status is 1 if a wide limit is broken.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench import (
    arrivals,
    client,
    cut,
    fairness,
    fanout,
    gateway,
    idle,
    metrics,
    page,
    parse,
    plot,
    polling,
    soak,
    stall,
    stalled,
    startup,
    wire,
)
from tests.bench.harness import install_peers


def _fanout(name: str) -> Callable[[argparse.Namespace], list[str]]:
    scenario = fanout.SCENARIOS[name]
    return lambda o: fanout.run(fanout.quick(scenario) if o.check else scenario, o.runs, o.results)


SCENARIOS: dict[str, Callable[[argparse.Namespace], list[str]]] = {
    "everyone": _fanout("everyone"),
    "lists": _fanout("lists"),
    "saturation": _fanout("saturation"),
    "idle": lambda o: idle.main(o.runs, o.results),
    "arrivals": lambda o: arrivals.main(o.runs, o.results),
    "bytes": lambda o: wire.main(o.runs, o.results),
    "stalled": lambda o: stalled.main(o.runs, o.results),
    "fairness": lambda o: fairness.main(o.runs, o.results),
    "gateway": lambda o: gateway.main(o.runs, o.results),
    "polling": lambda o: polling.main(o.runs, o.results),
    "metrics": lambda o: metrics.main(o.runs),
    "page": lambda o: page.soak(o.seconds) if o.soak else page.main(o.runs),
    "client": lambda o: client.main(o.runs, o.results),
    "cut": lambda _: cut.main(),
    "parse": lambda o: parse.main(o.runs),
    "stall": lambda o: stall.main(o.seconds),
    "soak": lambda o: soak.main(o.minutes, o.results),
    "startup": lambda o: startup.main(o.runs),
}
GROUPS = {"fanout": ["everyone", "lists", "saturation"]}


def main() -> int:
    """Run scenarios; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("scenario", nargs="*", choices=[[], *GROUPS, *SCENARIOS], help="default: all but soak")
    parser.add_argument("--runs", type=int, default=3, help="how often each server or parser is measured")
    parser.add_argument("--seconds", type=float, default=60, help="how long stall, or the soak of the page, lasts")
    parser.add_argument("--soak", action="store_true", help="page: at full load, with a restart in the middle")
    parser.add_argument("--minutes", type=float, default=30, help="how long the service's soak lasts")
    parser.add_argument("--json", type=Path, help="write every run's figures to this file")
    parser.add_argument("--plot", type=Path, help="draw the fan-out scenarios into this SVG file")
    parser.add_argument(
        "--install-peers", action="store_true", help="fetch Bun and ws from npm into a temporary folder"
    )
    parser.add_argument("--check", action="store_true", help="fail if a wide limit is broken; fewer peers, less time")
    options = parser.parse_args(namespace=argparse.Namespace(results={}))
    if options.install_peers:
        install_peers()
    results: dict[str, Any] = options.results
    problems: list[str] = []
    wanted = options.scenario or [name for name in SCENARIOS if name != "soak"]
    for name in [n for given in wanted for n in GROUPS.get(given, [given])]:
        problems += SCENARIOS[name](options)
        if options.json:
            options.json.write_text(json.dumps(results, indent=1) + "\n")
    if options.plot:
        options.plot.write_text(plot.draw(results))
    for problem in problems:
        print(f"limit broken: {problem}", file=sys.stderr)
    return 1 if problems and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
