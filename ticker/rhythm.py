"""How often something usually happens, and so how long a silence is normal. Pure."""

from __future__ import annotations

from array import array

FIRST_GAPS, GAPS = 8, 32
"""How many gaps it takes to know a rhythm, and how many of the latest count."""
UNKNOWN_RHYTHM_S, LONGEST_SILENCE_S = 60.0, 3600.0
"""The longest silence that is tolerated while the rhythm is unknown, and ever."""
BURST_S = 0.02
"""Events this close together are one burst: an order that fills several others makes several trades at once."""
PATIENCE, LONG_PATIENCE = 8.0, 4.0
"""How many median gaps may pass, and how many of the second longest: prices come in clusters, and by the median alone
a currency pair would be stale for a quarter of a working day. The longest gap may have been an outage."""


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
        """The longest normal silence, in seconds."""
        if not self.known:
            return max(least_s, UNKNOWN_RHYTHM_S)
        gaps = sorted(self._gaps[: min(self._count, GAPS)])
        return min(max(least_s, PATIENCE * gaps[len(gaps) // 2], LONG_PATIENCE * gaps[-2]), LONGEST_SILENCE_S)
