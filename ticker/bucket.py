"""A token bucket: a limit on a rate, with bursts."""

from __future__ import annotations


class TokenBucket:
    """Starts full.

    Args:
        rate: tokens added per second.
        burst: the most that it holds.
        now: monotonic seconds, as in every later call.
    """

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float, cost: float = 1) -> bool:
        """Spend `cost` tokens; False if there is not even one. The balance may go negative; waiting pays it back."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= cost
        return True
