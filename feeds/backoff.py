"""How long to wait after a failure: growing pauses with full jitter, for ever, never less than was asked for."""

from __future__ import annotations

import random

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
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

    def pause_s(self, retry_after_s: float | None = None) -> float:
        """The pause after one more failure, drawn from all of the span, so that a crowd does not come back at once.

        Args:
            retry_after_s: what the server asked for; the pause comes on top.
        """
        longest_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self._failures, 10))
        self._failures += 1
        return min(retry_after_s or 0.0, LONGEST_RETRY_AFTER_S) + self._rng.uniform(0.0, longest_s)
