"""Plays what an exchange sends through the real adapter.

The exchange is `FakeExchange` on loopback; of the adapter nothing is changed but `base_url`. Time stands still
unless it is moved here, and every wait is for a condition.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import quote

from feeds.base import Context, Feed
from feeds.registry import build
from tests.clock import ManualClock
from tests.feeds.contract import Scene, answer_of, symbol_of
from tests.feeds.contract_maps import Map
from tests.feeds.fake_exchange import FakeExchange, Peer, Reply, mute
from tests.feeds.harness import PATIENCE_S, RecordingSink, run, supervised
from ticker.model import Quote

LONG_S = 3000.0
"""From poll to poll: so long that what a request takes never matters."""
KEY = "k3y:s3cret"


class Came(NamedTuple):
    """The result of playing a recording."""

    quotes: list[Quote]
    rejects: Counter[str]
    errors: Counter[str]


class Stage:
    """The exchange, an adapter's feed with only its address changed, and the sink behind it."""

    def __init__(self, name: str, of: Map, exchange: FakeExchange) -> None:
        self.exchange = exchange
        self.clock = ManualClock()
        self.sink = RecordingSink(self.clock)
        self._name = name
        self._of = of

    def feed(self, mode: str, symbols: Sequence[str], **options: object) -> Feed:
        given = {"mode": mode, "symbols": list(symbols), "base_url": self.exchange.base_url, **options}
        if self._of.key:
            given["key_env"] = "KEY"
        return build(self._name, given, Context(self.clock, random.Random(7), {"KEY": KEY}))

    def lists(self, body: bytes | None) -> None:
        if self._of.list_at and body is not None:
            self.exchange.serve(self._of.list_at, Reply(body=body))

    async def until(self, happened: Callable[[], bool], step_s: float = 0.5) -> None:
        """Advance time in small steps until a condition holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not happened():
                await self.clock.advance(step_s)

    def came(self, since: Came | None = None) -> Came:
        """Everything that has come, or only what came after something else."""
        status = self.sink.status
        quotes = [quote for event in self.sink.events if event.what == "publish" for quote in event.data]  # type: ignore[attr-defined]
        rejects, errors = Counter(status.rejects), Counter(status.errors)
        if since:
            return Came(quotes[len(since.quotes) :], rejects - since.rejects, errors - since.errors)
        return Came(quotes, +rejects, +errors)


def play(name: str, of: Map, scene: Callable[[Stage], object]) -> Came:
    """Play a scene; returns the result."""

    async def main() -> Came:
        async with FakeExchange() as exchange:
            return await scene(Stage(name, of, exchange))  # type: ignore[misc,no-any-return]

    return run(main)


def polled(
    name: str,
    of: Map,
    reply: Reply,
    wires: Sequence[str],
    symbols: Sequence[str],
    listed: bytes | None,
    **options: object,
) -> Came:
    """The result of an answer once the list is known: of the second poll, since the first may come before the list."""

    async def scene(stage: Stage) -> Came:
        stage.lists(listed)
        targets = {of.tickers.format(wire=quote(wire, safe="=")) for wire in wires}
        for target in targets:
            stage.exchange.serve(target, reply)
        feed = stage.feed("poll", symbols, interval_s=LONG_S, timeout_s=60.0, **options)
        asked = stage.exchange.asked
        polls = stage.sink.status.polls
        most = len(targets) * (1 + len(of.by_hand))
        async with supervised(feed, stage.sink, stage.clock):
            await stage.until(lambda: sum(polls.values()) == most and (of.list_at is None or asked(of.list_at) == 1))
            before = stage.came()
            await stage.until(lambda: sum(polls.values()) == 2 * most, LONG_S / 10)
            return stage.came(before)

    return play(name, of, scene)


def streamed(
    name: str, of: Map, messages: Sequence[str | bytes], symbols: Sequence[str], listed: bytes | None, **options: object
) -> Came:
    """The result of the messages of one connection; its end is not counted as a failure."""

    async def plays(peer: Peer) -> None:
        peer.send(*messages)
        peer.close()

    async def scene(stage: Stage) -> Came:
        stage.lists(listed)
        assert of.stream_at is not None
        stage.exchange.stream(of.stream_at, plays, mute)
        if of.hands_out:
            server = {"endpoint": f"wss://exchange.invalid{of.stream_at}", "pingInterval": 18_000}
            handed_out = {"code": "200000", "data": {"token": "t", "instanceServers": [server]}}
            stage.exchange.serve(of.hands_out, Reply(body=json.dumps(handed_out).encode()))
        async with supervised(stage.feed("stream", symbols, timeout_s=60.0, **options), stage.sink, stage.clock):
            await stage.until(lambda: any(stage.sink.status.errors.values()), 0.1)
            came = stage.came()
        return came._replace(errors=came.errors - Counter(closed=1))

    return play(name, of, scene)


def played(scene: Scene, **options: object) -> Came:
    """The result of a recording."""
    of, names = scene.of, scene.names
    wires = [*(row.wire for row in scene.rows), *scene.refused]
    symbols = sorted({symbol for wire in wires if (symbol := symbol_of(of, wire, names))})
    if scene.recording.role(of) == "stream":
        return streamed(scene.name, of, scene.recording.messages(), symbols, scene.list_body, **options)
    reply = Reply(body=answer_of(of, scene.recording))
    symbols = symbols if "{" in of.tickers else ["*"]
    came = polled(scene.name, of, reply, wires, symbols, scene.list_body, **options)
    return came._replace(errors=came.errors - Counter(http_4xx=len(wires) * len(of.by_hand)))  # nobody serves these
