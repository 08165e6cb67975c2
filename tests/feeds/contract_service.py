"""The part of the service that judges feeds, with one feed of a real adapter and its exchange, on a manual clock."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Callable
from urllib.parse import quote

from feeds.base import Context
from feeds.registry import build
from feeds.runner import Runner
from tests.clock import ManualClock
from tests.feeds.contract import Scene, answer_of, symbol_of, wanted
from tests.feeds.contract_maps import Json, decode
from tests.feeds.contract_stage import KEY
from tests.feeds.fake_exchange import FakeExchange, Reply
from tests.feeds.harness import PATIENCE_S
from ticker.intake import Intake
from ticker.model import FIELDS
from ticker.store import Store

MOST_SYMBOLS, MOST_ROWS = 3, 40
SHOWN = [name for name in FIELDS if name not in {"state", "ts"}]


def shortened(sent: Json) -> Json:
    """The first few rows of an answer: they are asked for very often here."""
    if isinstance(sent, dict):
        return {name: shortened(value) for name, value in list(sent.items())[:MOST_ROWS]}
    return [shortened(value) for value in sent[:MOST_ROWS]] if isinstance(sent, list) else sent


class Service:
    """The part of the service that judges feeds, with one feed of an adapter and its exchange.

    Attributes:
        wires: the names of the answer's first good rows, `symbols` ours; these are wanted.
        good: a good answer.
    """

    def __init__(self, scene: Scene, exchange: FakeExchange, **options: object) -> None:
        self.exchange = exchange
        self._of = scene.of
        self.good: Json = shortened(decode(answer_of(scene.of, scene.recording)))
        names = scene.names
        listed = {wire for one in scene.listed if one.trades for wire in one.wires}
        said = [row for row in scene.rows[:MOST_ROWS] if row.wire in listed or not listed]
        rows = [(row.wire, wanted(scene.name, scene.of, row, names)[0]) for row in said]
        self.wires, some = zip(*[(wire, row) for wire, row in rows if row][:MOST_SYMBOLS], strict=True)
        self.symbols = [f"{symbol_of(scene.of, wire, names)}" for wire in self.wires]
        self.clock = ManualClock(max((row.ts or 0 for row in some), default=0) or 1_795_386_000_000)
        self.store = Store(epoch=1)
        self.intake = Intake(self.store, self.clock, 100)
        given: dict[str, object] = {
            "mode": "poll",
            "symbols": self.symbols,
            "base_url": exchange.base_url,
            "timeout_s": 60.0,
            **options,
        }
        if scene.of.key:
            given["key_env"] = "KEY"
        self.context = Context(self.clock, random.Random(7), {"KEY": KEY})
        self.feed = build(scene.name, given, self.context)
        self.door = self.intake.feed(self.feed.name, self.feed.kind, self.feed.clock, self.feed.stale_after_s)
        self.status = self.door.status
        if scene.of.list_at and scene.list_body is not None:
            exchange.serve(scene.of.list_at, Reply(body=scene.list_body))

    def answers(self, reply: Reply | None = None) -> None:
        """Answer requests for prices with this reply from now on, or with good answers."""
        by_hand = {target: Reply(body=body) for target, body in self._of.by_hand.items()}
        answer = Reply(body=json.dumps(self.good).encode())
        for target, good in ({self._of.tickers: answer} | by_hand).items():
            for wire in self.wires:
                self.exchange.serve(target.format(wire=quote(wire, safe="=")), reply or good)

    @property
    def a_poll(self) -> int:
        """How many requests a poll takes."""
        targets = [self._of.tickers, *self._of.by_hand]
        return len({target.format(wire=wire) for target in filter(None, targets) for wire in self.wires})

    async def until(self, happened: Callable[[], bool]) -> None:
        """Let time pass, with the service looking at its clocks, until something is true; after a minute, faster."""
        began = self.clock.monotonic()
        async with asyncio.timeout(PATIENCE_S):
            while not happened():
                await self.clock.advance(max(1.0, (self.clock.monotonic() - began - 60.0) / 4))
                list(self.intake.expire())

    def shown(self) -> dict[str, dict[str, object]]:
        """What readers see of each symbol, except for its state and its time."""
        self.store.flush(self.clock.monotonic())
        records = [(symbol, self.store.get(symbol)) for symbol in self.intake.sources]
        return {s: {f: record.get(f) for f in SHOWN} for s, record in records if record}

    def states(self) -> set[object]:
        """What readers see of the symbols' states."""
        self.store.flush(self.clock.monotonic())
        records = [self.store.get(symbol) for symbol in self.intake.sources]
        return {record.get("state") for record in records if record}

    def counted(self) -> dict[str, int]:
        return {reason: n for reason, n in self.status.errors.items() if n}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(Runner(self.feed, self.door, self.context).run())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
