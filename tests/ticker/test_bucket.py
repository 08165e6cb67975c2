"""How a token bucket empties and fills."""

from __future__ import annotations

from ticker.bucket import TokenBucket


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    """However long nothing is taken, at most `burst` can be taken at once; debt is paid back at `rate`."""
    bucket = TokenBucket(rate=2, burst=3, now=0.0)
    assert [bucket.take(1000.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.take(1000.5) is True
    assert bucket.take(1001.0, cost=9) is True
    assert [bucket.take(1000.0 + s) for s in (4.5, 5.0, 5.5)] == [False, False, True]
