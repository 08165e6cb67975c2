"""For how long an exchange may bring no price before its connection counts as mute. Pure."""

from __future__ import annotations

PATIENCE = 3.0
"""A silence so many times as long as the longest lately is no longer usual."""
LIVELY = 8.0
"""A silence so many times as long as any within a connection was not the market's."""
HALF_LIFE_S = 1800.0
"""A silence counts for half after so long."""
LONGEST_SILENCE_S = 3600.0
"""What is longer is never usual."""
FIRST_BEATS, UNKNOWN_S = 8, 120.0
"""With fewer prices than this a shard's rhythm is not known yet, and silence is borne for so long."""
LONGEST_DOUBT_S = 600.0
"""How far fruitless connections may stretch patience."""


class Pulse:
    """How often prices come over a shard's connections: the longest silence lately, slowly forgotten.

    The longest and not the usual one: exchanges send in bursts, and a quiet market is no fault. A silence in which a
    connection was given up counts as the market's, unless prices come far more often for as long behind it.

    Attributes:
        last: when prices came last; None: there was no connection since.
        fruitless: how many connections were given up for their silence since then.
    """

    def __init__(self) -> None:
        self.last: float | None = None
        self._beats = 0
        self._longest_s = 0.0
        self._proven_s = 0.0  # the longest within one connection
        self._shown_at = 0.0
        self.fruitless = 0

    def beat(self, now: float) -> None:
        """Prices came."""
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
        """A connection was given up for its silence; the next one gets twice the time, for perhaps nobody trades."""
        self.fruitless += 1

    def lost(self) -> None:
        """There is no connection: how long prices stay away from now on tells nothing of the market."""
        self.last = None

    def usual_s(self, least_s: float) -> float:
        """How long prices stay away, as a rule."""
        return max(least_s, min(PATIENCE * self._longest_s, LONGEST_SILENCE_S))

    def limit_s(self, least_s: float) -> float:
        """How long prices may stay away before a connection is given up."""
        known_s = least_s if self._beats >= FIRST_BEATS else max(least_s, UNKNOWN_S)
        doubt_s = min(known_s * 2.0 ** min(self.fruitless, 20), max(known_s, LONGEST_DOUBT_S))
        return max(self.usual_s(least_s), doubt_s)
