"""Histograms: where a value is counted."""

from __future__ import annotations

from ticker.histogram import Histogram


def test_histogram_counts_by_upper_bound() -> None:
    """A value belongs to the first bound that is not below it; beyond the last one there is a place for all."""
    histogram = Histogram((1.0, 2.0))
    for value, times in ((0.5, 1), (1.0, 2), (1.5, 3), (2.5, 4)):
        histogram.observe(value, times)
    assert (histogram.counts, histogram.total) == ([3, 3, 4], 0.5 + 2 + 4.5 + 10)
    assert Histogram((1.0,)).counts == [0, 0]
