"""Every recorded error answer, of whatever host, against every adapter: what is shown stays right all the time.

One feed of each adapter lives through all of them, on a clock that is moved by hand, behind the part of the service
that judges feeds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import pathlib
import random
from collections.abc import AsyncIterator, Callable
from urllib.parse import quote

import pytest

from feeds.base import Context
from feeds.registry import build
from feeds.runner import Runner
from tests.feeds.contract import Recording, Scene, answer_of, healthy, symbol_of, wanted
from tests.feeds.contract_maps import MAPS, Json, decode
from tests.feeds.contract_stage import KEY
from tests.feeds.fake_exchange import FakeExchange, Reply, recordings
from tests.feeds.harness import PATIENCE_S, run
from ticker.clock import ManualClock
from ticker.intake import Intake
from ticker.model import FIELDS
from ticker.record import INDEX
from ticker.store import Store

GENERIC = {3: "redirect", 4: "http_4xx", 5: "http_5xx"}
REASONS = {200: "protocol", 418: "banned", 429: "rate_limited"}
UNDERSTOOD = {("bybit", 200): "rate_limited", ("bybit_linear", 200): "rate_limited"}
"""What only the exchange that has said it means by it."""
BUSY = Reply(status=503, body=b"<html>", headers={"Content-Type": "text/html"})
MOST_SYMBOLS, MOST_ROWS = 3, 40
SHOWN = [name for name in FIELDS if name not in {"state", "ts"}]


def shortened(sent: Json) -> Json:
    """The first few rows of an answer: they are asked for very often here."""
    if isinstance(sent, dict):
        return {name: shortened(value) for name, value in list(sent.items())[:MOST_ROWS]}
    return [shortened(value) for value in sent[:MOST_ROWS]] if isinstance(sent, list) else sent


class Service:
    """The part of the service that judges feeds, with one feed of an adapter and its exchange."""

    def __init__(self, scene: Scene, exchange: FakeExchange) -> None:
        self.exchange = exchange
        self._of = scene.of
        self._answer = Reply(body=json.dumps(shortened(decode(answer_of(scene.of, scene.recording)))).encode())
        names = scene.names
        rows = [(row.wire, wanted(scene.name, scene.of, row, names)[0]) for row in scene.rows[:MOST_ROWS]]
        self.wires, some = zip(*[(wire, row) for wire, row in rows if row][:MOST_SYMBOLS], strict=True)
        symbols = [symbol_of(scene.of, wire, names) for wire in self.wires]
        self.clock = ManualClock(max((row.ts or 0 for row in some), default=0) or 1_795_386_000_000)
        self.store = Store(epoch=1)
        self.intake = Intake(self.store, self.clock, 100)
        given: dict[str, object] = {
            "mode": "poll",
            "symbols": symbols,
            "base_url": exchange.base_url,
            "timeout_s": 60.0,
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
        """Answer what is asked for tickers with this from now on, else well."""
        by_hand = {target: Reply(body=body) for target, body in self._of.by_hand.items()}
        for target, good in ({self._of.tickers: self._answer} | by_hand).items():
            for wire in self.wires:
                self.exchange.serve(target.format(wire=quote(wire, safe="=")), reply or good)

    @property
    def a_poll(self) -> int:
        """How many requests a poll is."""
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
        """What readers see of each symbol, but for its state and its time."""
        self.store.flush(self.clock.monotonic())
        records = [(symbol, self.store.get(symbol)) for symbol in self.intake.sources]
        return {s: {f: record.values[INDEX[f]] for f in SHOWN} for s, record in records if record}

    def states(self) -> set[object]:
        """What readers see of the symbols' states."""
        self.store.flush(self.clock.monotonic())
        records = [self.store.get(symbol) for symbol in self.intake.sources]
        return {record.values[INDEX["state"]] for record in records if record}

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


def reason_of(name: str, reply: Reply) -> str:
    """What an error answer is counted under."""
    return UNDERSTOOD.get((name, reply.status)) or REASONS.get(reply.status) or GENERIC[reply.status // 100]


@pytest.mark.parametrize("name", sorted(MAPS))
def test_recorded_errors(name: str, everything: list[Recording], data_dir: pathlib.Path) -> None:
    """Each is a failed poll, counted under its reason; prices stay as they were, and the next good answer ends it.

    When the last prices are too old the feed is down and they are marked, until an answer is good again.
    """
    errors = recordings(data_dir / "exchanges" / "_errors" / "rest")
    assert len(errors) >= 18

    async def play() -> None:
        async with FakeExchange() as exchange:
            service = Service(healthy(name, everything), exchange)
            status = service.status
            service.answers()
            async with service.running() as running:
                await service.until(lambda: status.state == "live")
                await service.until(lambda: status.polls["ok"] == 2 * service.a_poll)  # the list has the digits
                well, states = service.shown(), service.states()
                assert len(well) == len(service.wires)
                for file, (_, reply) in errors.items():
                    before, failed = service.counted(), status.polls["error"]
                    service.answers(reply)
                    await service.until(lambda: sum(status.errors.values()) > sum(before.values()))  # noqa: B023
                    grown = {reason for reason, n in service.counted().items() if n > before.get(reason, 0)}
                    assert grown == {reason_of(name, reply)}, file
                    assert status.polls["error"] > failed, file
                    assert status.state == "live", "one failure is no state"
                    assert status.message, file
                    assert service.shown() == well, file
                    updates = status.updates
                    service.answers()
                    await service.until(lambda: status.updates > updates and not status.message)  # noqa: B023
                    assert (status.state, service.shown()) == ("live", well), file
                service.answers(BUSY)
                await service.until(lambda: status.state == "down")
                assert (service.shown(), service.states()) == (well, {"down"})
                service.answers()
                await service.until(lambda: status.state == "live" and not status.message)
                assert service.shown() == well
                assert service.states() <= states | {"stale"}, "an answer that dates itself is old by now"
                assert not running.done()

    run(play)
