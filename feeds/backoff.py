"""How long to wait after a failure: exponential backoff with full jitter, never less than the server asked for."""

from __future__ import annotations

import random

from ticker.errors import FeedError

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 10.0
"""However long an exchange was away, prices are back this soon after it is."""
LONGEST_REST_S = 30.0
"""The same for an exchange that wants fewer requests or connections."""
UNWELCOME = frozenset({"rate_limited", "banned"})
LONGEST_RETRY_AFTER_S = 3600.0
"""A longer Retry-After is cut to this."""


class Backoff:
    """The pauses of one thing that is retried."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._failures = 0

    def forgive(self) -> None:
        """Start over: it has worked, so the next pause is short again."""
        self._failures = 0

    def pause_s(self, error: FeedError | None = None) -> float:
        """The pause after one more failure: random within the current span, so that many clients spread out.

        Args:
            error: the failure, whose Retry-After is added. None: there was none, but the exchange wants fewer
                connections.
        """
        unwelcome = error is None or error.reason in UNWELCOME
        longest_s = LONGEST_REST_S if unwelcome else LONGEST_PAUSE_S
        longest_s = min(longest_s, FIRST_PAUSE_S * 2 ** min(self._failures, 10))
        self._failures += 1
        asked_s = error.retry_after_s if error else None
        return min(asked_s or 0.0, LONGEST_RETRY_AFTER_S) + self._rng.uniform(0.0, longest_s)
