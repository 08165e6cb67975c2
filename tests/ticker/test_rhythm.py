"""How long a silence is normal for something that happened this often."""

from __future__ import annotations

import pytest

from ticker.rhythm import GAPS, Rhythm


def test_rhythm_is_not_known_before_eight_gaps() -> None:
    """Until then a minute is allowed, or the feed's own minimum if that is longer."""
    rhythm = Rhythm(0.0)
    for i in range(1, 8):
        rhythm.beat(float(i))
    assert (rhythm.known, rhythm.limit_s(5.0), rhythm.limit_s(90.0)) == (False, 60.0, 90.0)
    rhythm.beat(8.0)
    assert (rhythm.known, rhythm.limit_s(5.0), rhythm.limit_s(90.0)) == (True, 8.0, 90.0)


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        ([0.25] * 40, 5.0),
        ([2.0] * 8, 16.0),
        ([2.0] * 20 + [500.0] * 16, 3600.0),
        ([1.0] * 31 + [500.0], 8.0),
        ([500.0] + [1.0] * 30 + [20.0], 80.0),
        ([0.25] * 30 + [1.5] * 2, 6.0),
        ([500.0] * 100 + [2.0] * GAPS, 16.0),
        ([2.0] * GAPS + [4.0] * 17, 32.0),
        ([600.0] * 10, 3600.0),
    ],
)
def test_limit_follows_the_gaps(gaps: list[float], expected: float) -> None:
    """It is 8 medians of the last 32 gaps or 4 second-longest ones, at least the given minimum, at most an hour."""
    rhythm, now = Rhythm(0.0), 0.0
    for gap in gaps:
        now += gap
        rhythm.beat(now)
    assert rhythm.limit_s(5.0) == expected
