"""A token bucket: how often something may happen, on average and at once."""

from __future__ import annotations


class TokenBucket:
    """Full at first.

    Args:
        rate: tokens that come in a second.
        burst: the most that it holds.
        now: monotonic seconds, like every `now` that it is told later.
    """

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float, cost: float = 1) -> bool:
        """Spend `cost` tokens; False if there is not even one. It may sink below empty, which waiting pays back."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= cost
        return True
