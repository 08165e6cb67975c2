"""How long a connection may deliver no price before it counts as mute. Pure."""

from __future__ import annotations

PATIENCE = 3.0
"""A silence longer than this many times the longest recent one is unusual."""
LIVELY = 8.0
"""A silence longer than this many times any within one connection was the connection's fault, not the market's."""
HALF_LIFE_S = 1800.0
"""The time after which the length of a past silence counts for half."""
LONGEST_SILENCE_S = 3600.0
"""A longer silence is always unusual."""
FIRST_BEATS, UNKNOWN_S = 8, 120.0
"""Before this many prices the rhythm is unknown, and a connection may be silent for at least this long."""
LONGEST_DOUBT_S = 600.0
"""The longest limit that repeated silent connections lead to."""


class Pulse:
    """The rhythm of prices over a shard's connections: the longest recent silence, slowly forgotten.

    The longest and not the average: exchanges send in bursts, and a quiet market is no fault. A silence in which a
    connection was given up counts as a quiet market, unless prices then come far more often for just as long.

    Attributes:
        last: when prices last came; None: the connection was lost since.
        fruitless: how many connections were given up as mute since then.
    """

    def __init__(self) -> None:
        self.last: float | None = None
        self._beats = 0
        self._longest_s = 0.0
        self._proven_s = 0.0  # the longest within one connection
        self._shown_at = 0.0
        self.fruitless = 0

    def beat(self, now: float) -> None:
        """Note that prices came."""
        if self.last is not None:
            gap_s = now - self.last
            faded = 0.5 ** (gap_s / HALF_LIFE_S)
            self._proven_s = max(0.0 if self.fruitless else gap_s, self._proven_s * faded)
            self._longest_s = max(gap_s, self._longest_s * faded)
            if self.fruitless:
                self._shown_at = now + gap_s
            elif now >= self._shown_at and LIVELY * self._proven_s < self._longest_s:
                self._longest_s = self._proven_s
        self.last = now
        self._beats += 1
        self.fruitless = 0

    def missed(self) -> None:
        """Note that a connection was given up as mute; the next one gets twice the time: perhaps nobody trades."""
        self.fruitless += 1

    def lost(self) -> None:
        """Note that there is no connection: the silence from now on says nothing about the market."""
        self.last = None

    def usual_s(self, least_s: float) -> float:
        """How long a silence is usual."""
        return max(least_s, min(PATIENCE * self._longest_s, LONGEST_SILENCE_S))

    def limit_s(self, least_s: float) -> float:
        """How long a silence may last before the connection is given up."""
        known_s = least_s if self._beats >= FIRST_BEATS else max(least_s, UNKNOWN_S)
        doubt_s = min(known_s * 2.0 ** min(self.fruitless, 20), max(known_s, LONGEST_DOUBT_S))
        return max(self.usual_s(least_s), doubt_s)
