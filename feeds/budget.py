"""The rate limit that all feeds of one host share: the pace of requests and connections, and pauses it asks for.

Two feeds of one exchange share the `Budget` of its address, so neither the pace nor a ban is per feed. Turns are
given in the order in which they were asked for. A budget never sends anything itself.
"""

from __future__ import annotations

import asyncio

from feeds.backoff import LONGEST_RETRY_AFTER_S
from ticker.clock import Clock
from ticker.errors import FeedError

TOO_FAST_S = 5.0
"""Pause for a host that reports a rate limit without a Retry-After."""
USED_SHARE = 0.8
"""The share of a minute's allowance after which we wait for the next minute."""
MINUTE_S = 60.0


class Pacer:
    """Gives turns in the order in which they were asked for; a cancelled waiter uses up none."""

    def __init__(self) -> None:
        self._next_at = 0.0
        self._no_turn_before = 0.0
        self._queue = asyncio.Lock()

    async def take(self, clock: Clock, gap_s: float) -> None:
        """Wait for a turn; the next one is `gap_s` later."""
        async with self._queue:
            asked_at = clock.monotonic()
            while (at := max(asked_at, self._next_at, self._no_turn_before)) > clock.monotonic():
                await clock.sleep(at - clock.monotonic())
            self._next_at = at + gap_s

    def no_turn_before(self, until: float) -> None:
        """Give no turn before this moment (monotonic), not even to those already waiting."""
        self._no_turn_before = max(self._no_turn_before, until)


class Budget:
    """The turns at one host."""

    def __init__(self) -> None:
        self._requests = Pacer()
        self._connects = Pacer()

    async def request(self, clock: Clock, gap_s: float) -> float:
        """Wait for a turn to send a request; the next turn is `gap_s` later. Returns the seconds waited."""
        began = clock.monotonic()
        await self._requests.take(clock, gap_s)
        return clock.monotonic() - began

    async def connect(self, clock: Clock, per_s: float) -> None:
        """Wait for a turn to open a connection, at most `per_s` of them a second."""
        await self._connects.take(clock, 1 / per_s)

    def pause(self, clock: Clock, seconds: float, *, requests: bool = True, connects: bool = False) -> None:
        """Pause requests, connections or both for as long as the host asks."""
        until = clock.monotonic() + min(seconds, LONGEST_RETRY_AFTER_S)
        if requests:
            self._requests.no_turn_before(until)
        if connects:
            self._connects.no_turn_before(until)

    def obey(
        self, clock: Clock, error: FeedError, ban_s: float, *, requests: bool = True, connects: bool = False
    ) -> None:
        """Pause everyone if an error reports a rate limit or a ban; a missing Retry-After is filled in.

        Args:
            clock: time.
            error: what the host reported.
            ban_s: how long a ban lasts; 0: a 403 or the like concerns this request alone.
            requests: whether requests pause.
            connects: whether connections pause.
        """
        usual_s = {"rate_limited": TOO_FAST_S, "banned": ban_s}.get(error.reason)
        if usual_s is None:
            return
        if error.retry_after_s is None and usual_s:
            error.retry_after_s = usual_s
        if error.retry_after_s is not None:
            self.pause(clock, error.retry_after_s, requests=requests, connects=connects)

    def used(self, clock: Clock, used: int, allowed: int) -> None:
        """Note how much of this minute's allowance the host says is used; when little is left, wait for the next."""
        if used >= USED_SHARE * allowed:
            rest_s = MINUTE_S - clock.wall_ms() / 1000 % MINUTE_S
            self.pause(clock, rest_s)


class Budgets:
    """The budgets of all hosts, by address."""

    def __init__(self) -> None:
        self._budgets: dict[str, Budget] = {}

    def of(self, base_url: str) -> Budget:
        """The budget that all feeds of this address share."""
        return self._budgets.setdefault(base_url.rstrip("/").lower(), Budget())
