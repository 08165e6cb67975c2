"""Time as a dependency that is passed in.

Ages, deadlines and waits use `Clock.monotonic`; `Clock.wall_ms` is for display and for comparing with an
exchange's own timestamps. Nothing else in the project reads a clock.
"""

from __future__ import annotations

import time

_ALWAYS = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
"""The clock that keeps running while the machine is suspended; Linux has a separate one for it."""


class Clock:
    """The machine's clocks.

    Attributes:
        NAP_S: how late a wait may end at most if the machine was suspended meanwhile.
    """

    NAP_S = 30.0

    def monotonic(self) -> float:
        """Seconds that never go back, and that count while the machine is suspended: prices age then, too."""
        return time.monotonic() if _ALWAYS is None else time.clock_gettime(_ALWAYS)

    def wall_ms(self) -> int:
        """Integer milliseconds since 1970 UTC."""
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        """Wait; 0 or less only yields to the loop."""
        import asyncio

        if seconds <= self.NAP_S:
            await asyncio.sleep(max(0.0, seconds))
            return
        until, left_s = self.monotonic() + seconds, seconds
        while left_s > 0:
            await asyncio.sleep(min(left_s, self.NAP_S))  # the loop's own clock stops while suspended
            left_s = until - self.monotonic()
