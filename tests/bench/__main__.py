"""Benchmarks: `python -m tests.bench [fanout|metrics|parse|stall|startup] [--runs N] [--check]`.

Figures are ratios within one run, with their spread. With --check, wide limits are judged: exit status 1.
"""

from __future__ import annotations

import argparse
import sys

from tests.bench import fanout, metrics, parse, stall, startup


def main() -> int:
    """Run a scenario; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "scenario", nargs="?", default="fanout", choices=["fanout", "metrics", "parse", "stall", "startup"]
    )
    parser.add_argument("--runs", type=int, default=3, help="how often each server or parser is measured")
    parser.add_argument("--seconds", type=float, default=60, help="how long the stall scenario lasts")
    parser.add_argument("--check", action="store_true", help="fail if a wide limit is broken")
    options = parser.parse_args()
    if options.scenario == "fanout":
        problems = fanout.main(options.runs)
    elif options.scenario == "parse":
        problems = parse.main(options.runs)
    elif options.scenario == "metrics":
        problems = metrics.main(options.runs)
    elif options.scenario == "stall":
        problems = stall.main(options.seconds)
    else:
        problems = startup.main(options.runs)
    for problem in problems:
        print(f"limit broken: {problem}", file=sys.stderr)
    return 1 if problems and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
