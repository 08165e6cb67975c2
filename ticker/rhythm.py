"""How often something usually happens, and so for how long it may stay away before that means something. Pure."""

from __future__ import annotations

from array import array

FIRST_GAPS, GAPS = 8, 32
"""A rhythm is known from so many gaps on; so many, the latest, count."""
UNKNOWN_RHYTHM_S, LONGEST_SILENCE_S = 60.0, 3600.0
"""The longest silence that is borne while it is not known, and of any."""
BURST_S = 0.02
"""What comes within this is one burst: one order that takes several others is several trades, in one moment."""
PATIENCE, LONG_PATIENCE = 8.0, 4.0
"""How many usual gaps may pass, and how many of the longest but one: prices come in clusters, and by the usual gap
alone a pair of currencies on a working day is stale for a quarter of it. The very longest may have been an outage."""


class Rhythm:
    """When something happened last, and how often it usually does; a burst counts once."""

    __slots__ = ("_burst_at", "_count", "_gaps", "last")

    def __init__(self, now: float) -> None:
        self.last = self._burst_at = now
        self._gaps = array("f", bytes(4 * GAPS))
        self._count = 0

    def beat(self, now: float) -> None:
        """It happened again."""
        if now - self._burst_at >= BURST_S:
            self._gaps[self._count % GAPS] = now - self.last
            self._count += 1
            self._burst_at = now
        self.last = now

    @property
    def known(self) -> bool:
        """Whether it happened often enough to know its rhythm."""
        return self._count >= FIRST_GAPS

    def limit_s(self, least_s: float) -> float:
        """How long it may stay away, in seconds."""
        if not self.known:
            return max(least_s, UNKNOWN_RHYTHM_S)
        gaps = sorted(self._gaps[: min(self._count, GAPS)])
        return min(max(least_s, PATIENCE * gaps[len(gaps) // 2], LONG_PATIENCE * gaps[-2]), LONGEST_SILENCE_S)
