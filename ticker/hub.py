"""The clockwork of the service: when to flush, when a group is due, which readers have stalled, how to say goodbye.

Flushing is smart batching. The loop only calls; all decisions are in the store, the groups and the intake.

* The first change after quiet is flushed in the same turn of the loop, what follows it half an interval later.
* Under load all that arrives within `flush_interval_ms` goes out together, one flush per interval on average. Each is
  triggered by incoming data, up to half an interval early, and by a timer only if none comes: so the data that
  triggers it has not waited, and a source that speaks once per interval stays in step.
* When a flush takes long, because very many readers each want something else, the next one comes later: most of the
  loop's time is left for incoming data, and updates that are merged need not be written twice.
"""

from __future__ import annotations

import asyncio
import collections
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from ticker import protocol, settings
from ticker.clock import Clock
from ticker.groups import Groups
from ticker.histogram import Histogram
from ticker.journal import Journal
from ticker.protocol import Frame
from ticker.readers import Reader
from ticker.staleness import TICK_S
from ticker.store import Store
from ticker.turns import Turns

GOODBYE_RETRY_MS = (500, 5000)
"""The window within which readers reconnect after a `bye`: wide, so that they do not all come at once."""
TRANSPORTS = ("ws", "sse", "poll")
"""How readers are connected."""
REJECTS = ("full", "stopping", "host", "origin", "auth")
"""Why a connection was refused."""
REST = 2.0
"""After a flush the next one waits for this many times as long as it took."""
LONGEST_REST_S = 0.05
MOST = 2000
"""How many changes are the work of one turn of the loop, about 20 ms."""
PATIENCE = 1.25
"""Under load, waiting data is flushed this many intervals after the last flush if nothing more comes."""
MOMENT_S = 0.02
"""Bytes that the kernel has taken have arrived by then, unless the line is slow; a slow one is checked at each tick."""
MOST_PENDING_BYTES = 256 << 20
"""How much may wait in the process for the readers of one address."""
TIMER_GRAIN_S = 0.001
"""The resolution of the loop's timers."""


class Origin(Protocol):
    """What fills the store: the intake of this process's own feeds, or the service that a gateway follows."""

    oldest_at: float | None
    """When the first of what the next flush shows came, monotonic seconds."""

    def expire(self) -> Iterator[None]:
        """Mark what has been silent for too long, pausing after each slice."""

    def kinds(self) -> list[str]:
        """The kinds of all feeds."""

    def begun(self) -> bool:
        """Whether any feed's symbols are known, and visible."""

    def loading(self) -> list[str]:
        """The feeds that do not know their symbols yet but still may."""

    def not_ready(self) -> list[str]:
        """Why no new readers should be sent here; empty if they may."""

    @property
    def stale(self) -> int:
        """How many venue symbols are stale now."""


class Pause(Protocol):
    """A time in which a connection takes no frames: what was written has not arrived, or an answer is being made."""

    def over(self, now: float) -> bool:
        """Whether it is over, or nearly."""

    def stalled_s(self, now: float) -> float:
        """For how many seconds no byte was taken."""


class Connection(Reader, Protocol):
    """A reader with a connection of its own, watched over by the hub."""

    via: str
    """One of `TRANSPORTS`."""
    number: int
    """Identifies it in the journal, and to its reader."""
    paused: bool
    """Whether it takes no frames at the moment; set and cleared by the hub."""

    @property
    def pending_bytes(self) -> int:
        """How many bytes wait in the process to be sent."""

    def end(self, code: int, reason: str) -> None:
        """Close it with a code."""

    def say_bye(self, frame: Frame, code: int, reason: str) -> None:
        """Write a last frame and start the closing handshake."""

    def abort(self) -> None:
        """Drop the connection at once."""


@dataclass(slots=True)
class HubCounts:
    """Plain counters, read by metrics."""

    connects: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TRANSPORTS, 0))
    disconnects: dict[int, int] = field(default_factory=dict)
    rejects: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REJECTS, 0))
    flush: Histogram = field(default_factory=Histogram)
    fanout_lag: Histogram = field(default_factory=Histogram)
    loop_lag: Histogram = field(default_factory=Histogram)


class Hub:
    """Drives everything between the store and its readers: in time, and in turns of the loop.

    Args:
        store, origin: what it flushes, and what fills that, which must call `wake`.
        clock: the service's clock.
        pace: how often it flushes and sends heartbeats, and when a reader has stalled.
        limits: what readers may select.
    """

    def __init__(self, store: Store, origin: Origin, clock: Clock, pace: settings.Hub, limits: settings.Limits) -> None:
        self.store = store
        self._origin = origin
        self.counts = HubCounts()
        self.journal = Journal(clock.monotonic)
        self.connections: set[Connection] = set()
        self.idle: set[Connection] = set()
        """Those that have not subscribed yet; they get nothing but heartbeats."""
        self.addresses: collections.Counter[str] = collections.Counter()
        self.paused: dict[Connection, Pause] = {}
        """Those that take no frames at the moment."""
        self.draining = False
        self.on_tick: list[Callable[[], None]] = []
        self.turns = Turns(self._guarded)
        """For work that must not delay prices."""
        self.requests = Turns(self._guarded)
        """For requests to wait in, which do not wait for such work."""
        spread = Turns(self._guarded).spread  # nor do prices
        self.groups = Groups(store, clock, self._arm, limits, spread)
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._flush_interval_s = pace.flush_interval_ms / 1000
        self._heartbeat_s = pace.heartbeat_ms / 1000
        self._stall_s = pace.stall_s
        self._flushes_until = float("-inf")  # up to here the flushes so far keep the average interval
        self._flush_from = float("-inf")  # from here on incoming data is flushed at once
        self._flush_by = float("-inf")  # when waiting data is flushed if nothing more comes
        self._left = False  # part of the last flush is not visible yet
        self._oldest: float | None = None  # when the first quote of what it made visible arrived
        self._worked_s = 0.0  # how long it has taken so far
        self._flush_soon: asyncio.Handle | None = None
        self._flush_timer: asyncio.TimerHandle | None = None
        self._broken: asyncio.Future[None] = self._loop.create_future()
        self._class_timers: dict[int, asyncio.TimerHandle] = {}
        store.on_flush.append(self.groups.publish)
        store.on_restart.append(self.groups.restart)

    def now(self) -> float:
        """Monotonic seconds of the service's clock."""
        return self._clock.monotonic()

    # Flushing

    def wake(self) -> None:
        """Data came in: flush at once if allowed, else with the first data that comes once it is, or by the timer."""
        if self._flush_soon is not None:
            return
        now = self._clock.monotonic()
        if now > self._flush_from - TIMER_GRAIN_S:
            self._flush_soon = self._loop.call_soon(self._guarded, self.flush)
        elif self._flush_timer is None:
            self._flush_timer = self._loop.call_later(self._flush_by - now, self._guarded, self.flush)

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - a callback's error would only be logged; this one ends `run`
            if not self._broken.done():
                self._broken.set_exception(error)

    def flush(self, *, whole: bool = False) -> None:
        """Make visible what came in, and send it; what exceeds one turn's work is left to the next turn.

        While nobody is connected, or if `whole`, as for the last flush, everything becomes visible at once.
        """
        started = self._clock.monotonic()
        quiet = self._flush_timer is None and started >= self._flushes_until
        for handle in (self._flush_soon, self._flush_timer):
            if handle is not None:
                handle.cancel()
        self._flush_soon = self._flush_timer = None
        if not self._goes_on:
            self._flushes_until = max(started, self._flushes_until) + self._flush_interval_s
            self._worked_s = 0.0
        rows = self.groups.counts.rows
        self._advance(started, whole)
        self.groups.catch_up()
        done = self._clock.monotonic()
        self._worked_s += done - started
        rests_until = done + min(REST * self._worked_s, LONGEST_REST_S)
        self._flush_from = max(self._flushes_until - self._flush_interval_s / 2, rests_until)
        self._flush_by = self._flush_from if quiet else max(started + PATIENCE * self._flush_interval_s, rests_until)
        self.counts.flush.observe(done - started)
        sent = self.groups.counts.rows - rows
        if self._oldest is not None and sent:
            self.counts.fanout_lag.observe(done - self._oldest, sent)
        if self._goes_on:
            self._flush_soon = self._loop.call_soon(self._guarded, self.flush)
        elif self.groups.returning or self.store.waiting(started):
            self.wake()

    @property
    def _goes_on(self) -> bool:
        """Whether the last flush is not done: part of it is not visible yet, or not sent to everybody."""
        return self.groups.sending or self._left

    def _advance(self, now: float, whole: bool) -> None:
        """Go on sending what was made visible; once everybody has it, make the next visible."""
        if whole:
            self.groups.send_rest()
        if self.groups.sending:
            self.groups.send_on()
        else:
            self._oldest = self._origin.oldest_at
            self.store.flush(now, sys.maxsize if whole or not self.connections else MOST)
            if whole:
                self.groups.send_rest()
            self._left = self.store.waiting(now)
            self._origin.oldest_at = now if self._left else None

    def _arm(self, interval_ms: int) -> None:
        if interval_ms not in self._class_timers:
            interval_s = interval_ms / 1000
            wait_s = interval_s - self._clock.monotonic() % interval_s
            self._class_timers[interval_ms] = self._loop.call_later(wait_s, self._class_due, interval_ms)

    def _class_due(self, interval_ms: int) -> None:
        del self._class_timers[interval_ms]
        if self._flush_timer is not None and self._clock.monotonic() > self._flush_from - TIMER_GRAIN_S:
            self._guarded(self.flush)  # else waiting data would miss this moment of the class
        self._guarded(lambda: self.groups.send_due(interval_ms))
        if self.groups.returning:
            self.wake()

    # Connections

    def add(self, connection: Connection) -> None:
        """A connection is open."""
        self.counts.connects[connection.via] += 1
        self.connections.add(connection)
        self.addresses[connection.address] += 1
        self.idle.add(connection)
        self.journal.opened(connection)

    def remove(self, connection: Connection, code: int) -> None:
        """A connection has ended; harmless if it was removed before."""
        if connection not in self.connections:
            return
        self.connections.discard(connection)
        self.addresses[connection.address] -= 1
        if not self.addresses[connection.address]:
            del self.addresses[connection.address]
        self.idle.discard(connection)
        self.paused.pop(connection, None)
        self.groups.leave(connection)
        self.counts.disconnects[code] = self.counts.disconnects.get(code, 0) + 1
        self.journal.ended(connection, code)

    def refuse(self, reason: str, address: str) -> int:
        """Count a refused connection; returns the number that it has in the journal."""
        self.counts.rejects[reason] += 1
        return self.journal.refused(reason, address)

    @property
    def connected(self) -> dict[str, int]:
        """How many connections there are now, by transport."""
        return dict.fromkeys(TRANSPORTS, 0) | collections.Counter(connection.via for connection in self.connections)

    @property
    def pending_bytes(self) -> int:
        """How many bytes wait in the process for readers that do not take them."""
        return sum(connection.pending_bytes for connection in self.paused)

    def pause(self, connection: Connection, pause: Pause) -> None:
        """A connection takes no frames until the pause is over; if no byte moves meanwhile, it is ended with 4008."""
        connection.paused = True
        self.paused[connection] = pause

    def taken(self, connection: Connection) -> None:
        """The kernel has taken all that was written to a connection: its pause is over now, in a moment, or later."""
        self._look_at(connection)
        if connection in self.paused:
            self._loop.call_later(MOMENT_S, self._look_at, connection)

    def _look_at(self, connection: Connection) -> None:
        pause = self.paused.get(connection)
        if pause is not None and pause.over(self.now()):
            self._resume(connection)

    def _resume(self, connection: Connection) -> None:
        del self.paused[connection]
        connection.paused = False
        if self.groups.ready(connection):
            self.wake()

    # By the clock

    async def run(self) -> None:
        """Tick until cancelled: staleness, heartbeats, stalled readers, empty groups, the loop's own lag.

        Raises whatever error a flush raised: without a hub there is no service.
        """
        next_at = self._clock.monotonic()
        heartbeat_at = next_at + self._heartbeat_s
        while True:
            next_at += TICK_S
            await self._clock.sleep(next_at - self._clock.monotonic())
            now = self._clock.monotonic()
            late_s = max(0.0, now - next_at)
            self.counts.loop_lag.observe(late_s)
            if late_s > TICK_S:  # the process was suspended: do not catch up tick by tick
                next_at = now
            if self._broken.done():
                self._broken.result()
            steps = self._origin.expire()
            if next(steps, self) is None:
                self.turns.spread(steps)
            if self.store.waiting(now) or self.groups.returning:
                self.wake()
            self.groups.forget_empty()
            self.groups.heartbeat(self._heartbeat_s)
            if now >= heartbeat_at:
                heartbeat_at = now + self._heartbeat_s
                self._idle_heartbeat()
            for listener in self.on_tick:
                listener()
            self.look_at_paused(now, self._stall_s + late_s)  # while the loop stood still no byte could be taken
            self.journal.lagging({c for c in self.paused if c.group is not None and c in c.group.lagging})

    def look_at_paused(self, now: float, stall_s: float) -> None:
        """End the pauses that are over, and with 4008 the connections that have taken no byte for this long.

        So those are ended that have been paused longest, if too much waits for the readers of their address: each byte
        that a reader takes would give it as long again to hold a snapshot of megabytes.
        """
        pending: collections.Counter[str] = collections.Counter()
        for connection, pause in reversed(list(self.paused.items())):
            if pause.over(now):
                self._resume(connection)
                continue
            waits = pending[connection.address] + connection.pending_bytes
            if pause.stalled_s(now) >= stall_s or waits > MOST_PENDING_BYTES:
                connection.end(protocol.STALLED, "stalled")
            else:
                pending[connection.address] = waits

    def _idle_heartbeat(self) -> None:
        frame = protocol.heartbeat(0, self._clock.wall_ms())  # they have no data yet: no version to resume from
        for connection in list(self.idle):
            if connection.group is not None:
                self.idle.discard(connection)
            elif connection.write(frame):
                self.groups.counts.sent(frame)

    async def drain(self, patience_s: float) -> None:
        """Say goodbye to all readers, wait for them to leave, but no longer than this, and drop the rest."""
        self.draining = True
        self._guarded(lambda: self.flush(whole=True))
        frame = protocol.bye("shutdown", GOODBYE_RETRY_MS)
        for connection in list(self.connections):
            connection.say_bye(frame, protocol.RESTART, "restart")
        deadline = self._clock.monotonic() + patience_s
        while self.connections and self._clock.monotonic() < deadline:
            await self._clock.sleep(0.02)
        for connection in list(self.connections):
            connection.abort()
        await self._clock.sleep(0)

    def close(self) -> None:
        """Cancel all timers."""
        for handle in (self._flush_soon, self._flush_timer, *self._class_timers.values()):
            if handle is not None:
                handle.cancel()
        self._class_timers.clear()
