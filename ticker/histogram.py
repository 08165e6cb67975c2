"""Counts of durations by upper bound, for Prometheus; plain lists of ints, filled once per batch."""

from __future__ import annotations

import bisect

FAST_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Bounds for what happens in this process."""
WIDE_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Bounds for what crosses the network."""


class Histogram:
    """One series of counts.

    Attributes:
        bounds: upper bounds, seconds, ascending.
        counts: one per bound, and a last one for everything above.
        total: the sum of all values.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...] = FAST_S) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Count a value this many times."""
        self.counts[bisect.bisect_left(self.bounds, value)] += times
        self.total += value * times
