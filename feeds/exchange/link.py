"""One streaming connection: subscribes its wire names, passes rows on, and knows when it is broken or worn.

Texts are sent within the exchange's rate limit, answers and pings first. A connection is mute if it delivers no
prices; heartbeats do not count. State merged from deltas is forgotten with the connection. A connection ends once,
with the reason in `failure`; `shards` opens the next one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol

from feeds.exchange.pulse import Pulse
from feeds.exchange.subscriptions import Request, Subscriptions
from feeds.exchange.venue import NOW_S, Row, Stream
from feeds.exchange.websocket import Socket
from ticker.clock import Clock
from ticker.errors import FeedError
from ticker.model import FeedStatus

SHORTEST_LOOK_S, LOOK_FOR_ANSWERS_S, LONGEST_LOOK_S = 0.1, 1.0, 5.0
"""Until a connection checks its deadlines again: at least, at most while answers are awaited, and at most otherwise."""
PROBE_S = 20.0
"""Seconds between the WebSocket pings that we send."""
LIFE_S = 60.0
"""A connection without any message or pong for this long is dead, whatever its usual rhythm."""
MOST_UNSENT = 10_000
"""How many answers may wait to be sent."""
MOST_NAMES = 10_000
"""How many names are remembered for a connection: ten times what exchanges allow."""


class Owner(Protocol):
    """What a connection needs from its owner, a `shards.Shard`."""

    stream: Stream
    pulse: Pulse
    status: FeedStatus
    time: Clock

    def rests(self) -> bool:
        """Whether the market is closed, so that no prices are expected; called every few seconds."""

    def deliver(self, link: Link, rows: Sequence[Row]) -> bool:
        """Take the rows of one message; returns whether any of them counted as a price."""

    def news(self) -> None:
        """Note that `ready`, `worn` or `failure` of a connection may have changed."""


class Link:
    """One open connection.

    Args:
        owner: whose connection it is.
        socket: the open socket; the link closes it.
        ping: the text that keeps it alive, and how often to send it, in seconds.
        wires: the wire names to subscribe first.
        lifetime_s: age at which it counts as worn.
    """

    def __init__(
        self, owner: Owner, socket: Socket, ping: tuple[str, float] | None, wires: Iterable[str], lifetime_s: float
    ) -> None:
        self.subscriptions = Subscriptions(owner.stream)
        self.delivered: set[str] = set()
        self.worn: str | None = None
        """Why it should be replaced although it still works."""
        self.failure: FeedError | None = None
        """Why it has ended."""
        self._owner = owner
        self._stream = owner.stream
        self._status = owner.status
        self._clock = owner.time
        self._socket = socket
        self._ping = ping
        self._lifetime_s = lifetime_s
        self._memory: dict[str, Any] = {}
        self._urgent: deque[str] = deque()
        self._requests: deque[Request] = deque()
        self._to_send = asyncio.Event()
        self._greeted = not self._stream.greets
        self.opened_at = self._heard_at = self._priced_at = self._clock.monotonic()
        self._ping_at = self.opened_at + ping[1] if ping else float("inf")
        self._refused = self._idle = 0  # since the last price: rejected rows and messages; messages without any meaning
        self.subscribe(wires)

    @property
    def subscribed(self) -> bool:
        """Whether it would deliver prices if there were any: not if every subscription is unanswered."""
        asked = self.subscriptions
        answered = bool(self.delivered) or (self._stream.acks and len(asked.unanswered) < len(asked.asked))
        return asked.settled and answered

    @property
    def ready(self) -> bool:
        """Whether it delivers prices and awaits no answer."""
        return bool(self.delivered) and self.subscriptions.settled

    @property
    def _standing(self) -> tuple[bool, bool, int, int]:
        return self.subscribed, self.ready, len(self.subscriptions.unanswered), len(self.subscriptions.refused)

    def subscribe(self, wires: Iterable[str]) -> None:
        """Ask for more wire names."""
        self._requests.extend(self.subscriptions.ask(wires))
        self._to_send.set()

    async def run(self) -> None:
        """Run until the connection ends; never raises a `FeedError`, see `failure`."""
        try:
            async with asyncio.TaskGroup() as tasks:
                helpers = [tasks.create_task(self._keep(work)) for work in (self._send, self._watch, self._probe)]
                await self._keep(self._read)
                for helper in helpers:
                    helper.cancel()
        finally:
            self._socket.abort()
            self.end(FeedError("stopped", reason="closed"))

    async def retire(self) -> None:
        """Close it cleanly: another connection has taken over."""
        await self._socket.close()

    def end(self, failure: FeedError) -> None:
        """Give it up; the first reason given counts."""
        if self.failure is None:
            self.failure = failure
            self._socket.abort()
            self._owner.news()

    async def _keep(self, work: Callable[[], Awaitable[None]]) -> None:
        """Work until the connection fails."""
        try:
            await work()
        except FeedError as error:
            self.end(error)

    async def _read(self) -> None:
        while True:
            self._take(await self._socket.receive())

    def _take(self, message: bytes) -> None:
        now = self._clock.monotonic()
        if now - self._heard_at > LIFE_S:  # the process was suspended, and this was in transit
            self._owner.pulse.lost()
        self._heard_at = now
        self._status.received_bytes += len(message)
        try:
            heard = self._stream.parse(message, self._memory)
        except ValueError:
            self._status.rejects["schema"] += 1
            self._refused += 1
            return
        if heard.reply is not None:
            self._say(heard.reply)
        if heard.ready:
            self._greeted = True
            self._to_send.set()
        before = self._standing
        self._status.rejects["symbol"] += self.subscriptions.hear(heard)
        if heard.rows:
            if self._owner.deliver(self, heard.rows):
                self._priced_at = now
                self._refused = self._idle = 0
                self._owner.pulse.beat(now)
            else:
                self._refused += len(heard.rows)
            self.delivered.update(row.wire for row in heard.rows)
        elif not any(heard):
            self._idle += 1
            self._status.idle_messages += 1
        if len(self.delivered) + len(self._memory) > MOST_NAMES:
            self.end(FeedError(f"{self._socket.host} keeps sending names that were not asked for"))
        if heard.reconnect is not None:
            self._wear(heard.reconnect)
        if self._standing != before:
            self._owner.news()

    def _say(self, text: str) -> None:
        self._urgent.append(text)
        self._to_send.set()
        if len(self._urgent) > MOST_UNSENT:
            self.end(FeedError(f"{self._socket.host} sends requests faster than it accepts our answers"))

    def _wear(self, why: str) -> None:
        if self.worn is None:
            self.worn = why
            self._owner.news()

    async def _send(self) -> None:
        """Send waiting texts within the exchange's rate limit."""
        pause_s = 1 / self._stream.messages_per_s
        while True:
            self._to_send.clear()
            while self._urgent or (self._requests and self._greeted):
                if self._urgent:
                    await self._write(self._urgent.popleft())
                else:
                    await self._request()
                await self._clock.sleep(pause_s)
            await self._to_send.wait()

    async def _request(self) -> None:
        """Send the next text of the first request; the wait for its answer begins with the last one."""
        request = self._requests[0]
        await self._write(request.texts.pop(0))
        if not request.texts:
            self._requests.popleft()
            request.sent_at = self._clock.monotonic()

    async def _write(self, text: str) -> None:
        await self._socket.send(text.replace(f'"{NOW_S}"', str(self._clock.wall_ms() // 1000)))

    async def _watch(self) -> None:
        while True:
            now = self._clock.monotonic()
            due_at = min(self.opened_at + self._lifetime_s, self._mute_at, self._heard_at + LIFE_S, self._ping_at)
            longest_s = LONGEST_LOOK_S if self.subscriptions.settled else LOOK_FOR_ANSWERS_S
            await self._clock.sleep(min(max(due_at - now, SHORTEST_LOOK_S), longest_s))
            now = self._clock.monotonic()
            if self._owner.rests():
                self._priced_at = now
                self._owner.pulse.lost()
            if self._ping and now >= self._ping_at:
                self._ping_at = now + self._ping[1]
                self._say(self._ping[0])
            self._look_for_answers(now)
            if now - self._heard_at > LIFE_S:  # or the process was suspended: says nothing about the rhythm
                self.end(
                    FeedError(f"{self._socket.host} sent nothing for {LIFE_S:.0f} s, not even a pong", reason="timeout")
                )
            elif now > self._mute_at:
                self._owner.pulse.missed()
                self.end(FeedError(self._muteness(now), reason="mute"))
            elif now - self.opened_at >= self._lifetime_s:
                self._wear(f"it is {now - self.opened_at:.0f} s old")

    def _muteness(self, now: float) -> str:
        text = f"{self._socket.host} is connected but sent no price for {now - self._priced_at:.0f} s"
        if self._idle:
            text += f", only {self._idle} messages without one"
        if self._refused:
            text += f"; {self._refused} rows were rejected"
        return text

    @property
    def _mute_at(self) -> float:
        return self._priced_at + self._owner.pulse.limit_s(self._stream.mute_after_s)

    def _look_for_answers(self, now: float) -> None:
        before = self._standing
        if again := self.subscriptions.overdue(now):
            self._requests.extend(again)
            self._to_send.set()
        if self._standing != before:
            self._status.errors["timeout"] += len(self.subscriptions.unanswered) > before[2]
            self._owner.news()

    async def _probe(self) -> None:
        """Send pings; a pong shows that the connection is alive, although it is no price."""
        while True:
            await self._clock.sleep(PROBE_S)
            await self._socket.ping()
            self._heard_at = self._clock.monotonic()
