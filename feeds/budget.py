"""What all feeds of one host may ask of it together: the pace of requests and connections, and when to keep quiet.

Two feeds of one exchange share the `Budget` of its address, so neither the pace nor a ban is per feed. A budget
gives turns in the order in which they were asked for. It never sends anything itself.
"""

from __future__ import annotations

import asyncio

from feeds.backoff import LONGEST_RETRY_AFTER_S
from ticker.clock import Clock
from ticker.errors import FeedError

TOO_FAST_S = 5.0
"""How long nobody asks a host that has said "too fast" and names no time."""
USED_SHARE = 0.8
"""The part of a minute's allowance after which we wait for the next minute."""
MINUTE_S = 60.0


class Pacer:
    """Gives turns in the order in which they were asked for; whoever leaves the queue costs nobody one."""

    def __init__(self) -> None:
        self._next_at = 0.0
        self._none_before = 0.0
        self._queue = asyncio.Lock()

    async def take(self, clock: Clock, gap_s: float) -> None:
        """Wait for a turn; the next one is `gap_s` later."""
        async with self._queue:
            asked_at = clock.monotonic()
            while (at := max(asked_at, self._next_at, self._none_before)) > clock.monotonic():
                await clock.sleep(at - clock.monotonic())
            self._next_at = at + gap_s

    def none_before(self, until: float) -> None:
        """Nobody gets one before this moment, not even who waits already."""
        self._none_before = max(self._none_before, until)


class Budget:
    """The turns at one host."""

    def __init__(self) -> None:
        self._requests = Pacer()
        self._connects = Pacer()

    async def request(self, clock: Clock, gap_s: float) -> float:
        """Wait for a turn to ask; the next turn is `gap_s` later. Returns the seconds that it took."""
        began = clock.monotonic()
        await self._requests.take(clock, gap_s)
        return clock.monotonic() - began

    async def connect(self, clock: Clock, per_s: float) -> None:
        """Wait for a turn to open a connection, of which there are so many a second."""
        await self._connects.take(clock, 1 / per_s)

    def told_to_wait(self, clock: Clock, seconds: float, *, requests: bool = True, connects: bool = False) -> None:
        """The host wants no requests, or no connections, for so long."""
        until = clock.monotonic() + min(seconds, LONGEST_RETRY_AFTER_S)
        if requests:
            self._requests.none_before(until)
        if connects:
            self._connects.none_before(until)

    def heed(
        self, clock: Clock, error: FeedError, ban_s: float, *, requests: bool = True, connects: bool = False
    ) -> None:
        """Let everybody wait if an error says that the host was asked too often; if it names no time, put the usual in.

        Args:
            clock: time.
            error: what the host said.
            ban_s: how long a ban lasts; 0: what looks like one is about this request alone.
            requests: whether these have to wait.
            connects: whether connections have to.
        """
        usual_s = {"rate_limited": TOO_FAST_S, "banned": ban_s}.get(error.reason)
        if usual_s is None:
            return
        if error.retry_after_s is None and usual_s:
            error.retry_after_s = usual_s
        if error.retry_after_s is not None:
            self.told_to_wait(clock, error.retry_after_s, requests=requests, connects=connects)

    def used(self, clock: Clock, used: int, allowed: int) -> None:
        """The host says how much of this minute's allowance is gone; near its end we wait for the next minute."""
        if used >= USED_SHARE * allowed:
            rest_s = MINUTE_S - clock.wall_ms() / 1000 % MINUTE_S
            self.told_to_wait(clock, rest_s)


class Budgets:
    """The budgets of all hosts that feeds ask, by address."""

    def __init__(self) -> None:
        self._budgets: dict[str, Budget] = {}

    def of(self, base_url: str) -> Budget:
        """The budget that everybody who asks this address shares."""
        return self._budgets.setdefault(base_url.rstrip("/").lower(), Budget())
