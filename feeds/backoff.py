"""How long to wait after a failure: growing pauses with full jitter, for ever, never less than was asked for."""

from __future__ import annotations

import random

from ticker.errors import FeedError

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 10.0
"""An exchange that was away, for however long, has its prices here so soon after it is back."""
LONGEST_REST_S = 30.0
"""The same where it wants to be asked less."""
UNWELCOME = frozenset({"rate_limited", "banned"})
LONGEST_RETRY_AFTER_S = 3600.0
"""What a server may ask for at most; more is not believed."""


class Backoff:
    """The pauses of one thing that is tried again and again."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._failures = 0

    def forgive(self) -> None:
        """It has worked: the next pause is short again."""
        self._failures = 0

    def pause_s(self, error: FeedError | None = None) -> float:
        """The pause after one more failure, drawn from all of the span, so that a crowd does not come back at once.

        Args:
            error: the failure; what the server has asked for comes on top. None: it wishes to see less of us.
        """
        unwelcome = error is None or error.reason in UNWELCOME
        longest_s = LONGEST_REST_S if unwelcome else LONGEST_PAUSE_S
        longest_s = min(longest_s, FIRST_PAUSE_S * 2 ** min(self._failures, 10))
        self._failures += 1
        asked_s = error.retry_after_s if error else None
        return min(asked_s or 0.0, LONGEST_RETRY_AFTER_S) + self._rng.uniform(0.0, longest_s)
