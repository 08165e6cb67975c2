"""The contract of all adapters that stream, as one long story: fault upon fault, for hours; all is well after each one.

The real feed of each adapter, in `auto`, and its exchange, whose recorded messages and answers get new prices and the
time of the story. Faults are drawn by a seed. After each the stream is back within what the service's pauses and the
exchange's own wishes add up to, the store is what was sent last, and what had to be refused is counted.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from types import MappingProxyType

import orjson
import pytest

from feeds.backoff import LONGEST_PAUSE_S
from feeds.exchange.link import LIFE_S, LONGEST_LOOK_S
from feeds.exchange.venue import Venue
from feeds.registry import adapters, loaders
from feeds.times import iso_utc
from tests.feeds.contract import PRICES, Recording, by_hand, healthy, plain, wanted
from tests.feeds.contract_maps import MAPS, Fields, Json, at, decode
from tests.feeds.contract_service import Service
from tests.feeds.fake_exchange import CLOSED, JSON, FakeExchange, Peer, Reply
from tests.feeds.harness import run

STREAMING = sorted(name for name, of in MAPS.items() if of.stream_at)
INTERVAL_S = 5.0
"""From poll to poll: an exchange's own is shorter, and each takes the story some milliseconds."""
MOST_MESSAGES, MOST_FIRST = 300, 60
"""So much of a recording is looked at, and so many messages without prices are how a connection begins."""
TURNS = 300
"""So many turns of the loop does what goes over loopback get before time goes on."""
BAD = ("price", "crossed", "schema", "timestamp")
"""Why rows are refused in the story, and only if they are meant to be."""
TO_UNIT = {"s": 1e-3, "ms": 1, "us": 1_000, "ns": 1_000_000}
RETRY_AFTER_S = 20.0
ASKS_TO_WAIT = Reply(status=429, headers={**JSON, "Retry-After": f"{RETRY_AFTER_S:.0f}"})
REFUSALS = [Reply(status=503), ASKS_TO_WAIT, Reply(status=403), Reply(status=301, headers={"Location": "/"}), CLOSED]
BROKEN_ANSWERS = [
    *REFUSALS, Reply(body=b""), Reply(body=b"{"), Reply(body=b"<html>"), Reply(body=b'"\xff"'), Reply(body=b"[]"),
    Reply(body=b'{"a": NaN}'), Reply(body=b"x", claimed_length=9),
]  # fmt: skip


def parts(sent: Json) -> Iterator[Json]:
    """Every object and list in a message."""
    if isinstance(sent, dict | list):
        yield sent
        for value in sent.values() if isinstance(sent, dict) else sent:
            yield from parts(value)


def has(part: Json, path: str) -> bool:
    """Whether there is a text or a number at a path."""
    try:
        return isinstance(at(part, path), str | int | float)
    except (LookupError, TypeError, ValueError):
        return False


def put(part: Json, path: str, text: str) -> None:
    """Set what is at a path, a number where a number was."""
    way, _, name = path.rpartition(".")
    within = at(part, way)
    key = int(name) if isinstance(within, list) else name
    within[key] = text if isinstance(within[key], str) else json.loads(text)


def retold(sent: Json, fields: Fields, unit: str, wall_ms: int, prices: dict[str, str]) -> Json:
    """A message or an answer with other prices and another time in each of its rows."""
    sent = orjson.loads(orjson.dumps(sent))
    paths = {side: fields.texts[side] for side in PRICES if side in fields.texts}
    for part in [part for part in parts(sent) if all(has(part, path) for path in paths.values())]:
        for side, path in paths.items():
            put(part, path, prices[side])
        if fields.time and has(part, fields.time):
            put(part, fields.time, iso_utc(wall_ms) if unit == "iso" else f"{wall_ms * TO_UNIT[unit]:.0f}")
    return sent


class Story:
    """One adapter's feed and exchange.

    Attributes:
        due: what each symbol must be shown as, of the fields that its last rows had.
        refused: how often a row had to be, by reason.
    """

    def __init__(self, name: str, everything: list[Recording], exchange: FakeExchange) -> None:
        venue = adapters(loaders(()))[name].venue
        assert isinstance(venue, Venue)
        assert venue.stream
        answer = healthy(name, everything)
        self.name, self.of, self.venue, self.stream, self.exchange = name, MAPS[name], venue, venue.stream, exchange
        self.dice = random.Random(name)
        self.service = Service(answer, exchange, mode="auto", interval_s=INTERVAL_S)
        self.clock, self.status = self.service.clock, self.service.status
        self.due: dict[str, dict[str, object]] = {}
        self.refused: Counter[str] = Counter()
        self._answered = answer.rows[0].fields
        self._price = 1000
        self._memories: dict[Peer, dict[str, Json]] = {}
        self._asked = [(0.0, 0, 0)]
        named = {symbol: wire for wire, symbol in reversed(answer.names.items())}
        wires = [(venue.wire and venue.wire(symbol)) or named.get(symbol, symbol) for symbol in self.service.symbols]
        self._symbols = dict(zip(wires, self.service.symbols, strict=True))
        self._first: list[str] = []
        self._templates: list[tuple[str, Json, Fields]] = []
        for recording in everything + by_hand(self.of):
            if recording.role(self.of) == "stream":
                self._learn(recording)
        exchange.stream(self._path, self._begin)
        if self.of.hands_out:
            server = {"endpoint": f"wss://exchange.invalid{self._path}", "pingInterval": 18_000}
            handed_out = {"code": "200000", "data": {"token": "t", "instanceServers": [server]}}
            exchange.serve(self.of.hands_out, Reply(body=json.dumps(handed_out).encode()))

    # The exchange

    def _learn(self, recording: Recording) -> None:
        """Find what a connection begins with, and a message of each kind, rewritten for a wanted symbol."""
        first: list[str] = []
        kinds: dict[str, dict[str, tuple[str, Fields]]] = {}
        memory: dict[str, Json] = {}
        assert self.of.read_stream
        for message in recording.messages()[:MOST_MESSAGES]:
            text = message if isinstance(message, str) else message.decode()
            rows = list(self.of.read_stream(decode(text), memory))
            first += [] if rows else [text]
            for row in rows:
                quote, reason = wanted(self.name, self.of, row, {row.wire: "A-B"})
                if quote and not reason:
                    kinds.setdefault(row.wire, {}).setdefault(" ".join(row.fields.texts), (text, row.fields))
        templates: list[tuple[str, Json, Fields]] = []
        for (old, found), new in zip(kinds.items(), self._symbols, strict=False):
            first = [text.replace(old, new) for text in first]
            templates += [(new, json.loads(text.replace(old, new)), fields) for text, fields in found.values()]
        if len(templates) > len(self._templates):
            self._templates, self._first = templates, first[:MOST_FIRST]

    @property
    def _path(self) -> str:
        assert self.of.stream_at
        return self.of.stream_at

    async def _begin(self, peer: Peer) -> None:
        memory: dict[str, Json] = {}
        peer.send(*self._first)
        assert self.of.read_stream
        for text in self._first:
            list(self.of.read_stream(decode(text), memory))
        await peer.heard()
        self._memories[peer] = memory

    @property
    def listeners(self) -> list[Peer]:
        """The peers that have subscribed, and read."""
        return [peer for peer in self._memories if not peer.gone and peer.reads]

    def say(self, later_ms: int = 0, odd: Mapping[str, str] = MappingProxyType({})) -> None:
        """Send new prices to all listeners, dated now or otherwise, or odd prices; note what must become of them."""
        self._price += 1
        prices = {"bid": f"{self._price}.25", "last": f"{self._price}.5", "ask": f"{self._price}.75", **odd}
        wall_ms = self.clock.wall_ms() + later_ms
        assert self.of.read_stream
        for peer in self.listeners[-1:]:
            for wire, sent, fields in self._templates:
                text = json.dumps(retold(sent, fields, self.of.time_unit, wall_ms, prices))
                peer.send(text)
                for row in self.of.read_stream(decode(text), self._memories[peer]):
                    quote, reason = wanted(self.name, self.of, row, self._symbols)
                    if row.wire != wire or (later_ms < 0 and row.fields.time and not row.fields.seq):
                        continue
                    if later_ms > 0 and row.fields.time:
                        quote, reason = None, "timestamp"
                    self.refused.update([reason] if reason else [])
                    if quote:
                        texts = {field: None if n is None else plain(n) for field, n in quote.numbers.items()}
                        self.due.setdefault(quote.symbol, {}).update(texts)

    def answers(self, reply: Reply | None = None) -> None:
        """Answer polls with the prices of a moment ago, or with something else."""
        ago = self._price - 1
        prices = {"bid": f"{ago}.25", "last": f"{ago}.5", "ask": f"{ago}.75"}
        new = retold(self.service.good, self._answered, self.of.time_unit, self.clock.wall_ms(), prices)
        assert self.of.read_tickers
        rows = list(self.of.read_tickers(decode(json.dumps(new)), {}))
        if rows and all(at(row.raw, row.fields.texts["last"]) == prices["last"] for row in rows):
            self.service.good = new  # else its rows lie elsewhere in the answer
        self.service.answers(reply)

    # Time

    async def passes(self, seconds: float, step_s: float = 1.0) -> None:
        """Let time pass, with the service looking at its clocks, and keep count of what was asked."""
        for _ in range(max(1, round(seconds / step_s))):
            await self.clock.advance(step_s)
            list(self.service.intake.expire())
            self._count()

    def _count(self) -> None:
        """How many connections and how many answers were asked for so far."""
        _, connects, others = self._asked[-1]
        for request in self.exchange.requests[connects + others :]:
            connects += request.target.partition("?")[0] == self._path
        others = len(self.exchange.requests) - connects
        self._asked.append((self.clock.monotonic(), connects, others))

    async def settled(self, happened: Callable[[], bool]) -> bool:
        """Whether something is true once everything on its way has arrived."""
        for turn in range(TURNS):
            if turn % 10 == 0 and happened():
                return True
            await asyncio.sleep(0)
        return False

    def well(self) -> bool:
        """Whether the feed is live and readers see what was sent last."""
        store = self.service.store
        store.flush(self.clock.monotonic())
        for symbol, due in self.due.items():
            record = store.get(symbol)
            if not record or record.get("state") in {"stale", "down"}:
                return False
            if any(record.get(field) != text for field, text in due.items()):
                return False
        return self.status.state == "live"

    def counted(self) -> Counter[str]:
        return +Counter({reason: self.status.rejects[reason] for reason in BAD})

    async def is_well_within(self, limit_s: float, why: str) -> None:
        """The feed is live by its stream again, within so many seconds."""
        began = self.clock.monotonic()
        while True:
            self.answers()
            await self.passes(1.0)
            if self.listeners:
                self.say()
                if await self.settled(self.well):
                    break
            assert self.clock.monotonic() - began <= limit_s, f"{why}: {self.status}, {self.due}"
        assert await self.settled(lambda: self.counted() == self.refused), (why, self.counted(), self.refused)
        self.answers()
        for _ in range(int(INTERVAL_S)):
            await self.passes(1.0)
            assert self.well(), f"{why}: an answer is put over what was streamed"
            self.say()
            assert await self.settled(self.well), f"{why}: what is streamed does not come"

    def keeps_to_the_pace(self) -> None:
        """No span of the story has more connects, or more requests, than the exchange allows."""
        for i, (began, connects, requests) in enumerate(self._asked):
            for now, later_connects, later_requests in self._asked[i + 1 : i + 200]:
                span_s = now - began
                assert later_connects - connects <= span_s * self.stream.connects_per_s + 1
                assert later_requests - requests <= span_s / self.venue.limits.gap_s + 1

    # Faults: each returns how long the exchange wants to be left alone after it

    async def cut(self) -> float:
        for peer in self.listeners:
            peer.cut()
        return 0.0

    async def goodbye(self) -> float:
        for peer in self.listeners:
            peer.close(self.dice.choice((1000, 1001, 1012, 1013)))
        return 0.0

    async def no_websocket(self) -> float:
        for peer in self.listeners:
            peer.write(b"\xff" + self.dice.randbytes(63))
        return 0.0

    async def refusals(self) -> float:
        """The stream ends, and is refused a few times."""
        replies = self.dice.choices(REFUSALS, k=self.dice.randint(1, 3))
        self.exchange.script(self._path, *replies)
        before = len(self.exchange.requests)
        await self.cut()
        for _ in range(1000):
            tries = [r for r in self.exchange.requests[before:] if r.target.partition("?")[0] == self._path]
            if len(tries) >= len(replies):
                break
            self.answers()
            await self.passes(5.0, 5.0)
        return self._wanted_s(replies[-1])

    async def death(self) -> float:
        """Nothing answers for some minutes."""
        self.exchange.die()
        await self.passes(self.dice.uniform(5.0, 300.0), 5.0)
        self.exchange.dead = False
        return 0.0

    async def silence(self) -> float:
        """Everything is open, and nothing is sent."""
        await self.passes(self.dice.uniform(5.0, 60.0), 5.0)
        return 0.0

    async def half_open(self) -> float:
        """The other side has gone without closing the connection."""
        for peer in self.listeners:
            peer.reads = False
        return LIFE_S + LONGEST_LOOK_S

    async def sleep(self) -> float:
        """The machine is suspended for an hour or two."""
        self.clock.tick(self.dice.uniform(1200.0, 7200.0))
        return 0.0

    async def polls_fail(self) -> float:
        """The stream goes on, answers are broken in every way."""
        for _ in range(4):
            reply = self.dice.choice(BROKEN_ANSWERS)
            self.answers(reply)
            for _ in range(4):
                await self.passes(2.0, 2.0)
                self.say()
        return self._wanted_s(reply)

    async def rows_to_refuse(self) -> float:
        """Rows that no reader may see, between good ones."""
        odd: dict[str, str]
        for odd in ({"last": "-1", "bid": "-1", "ask": "-1"}, {"bid": "9000"}, {"ask": "1"}):
            if len(self.listeners) == 1:
                self.say(odd=odd)
                self.say()
        if len(self.listeners) == 1:
            self.say(later_ms=3_600_000)
            self.listeners[0].send("{")
            self.refused["schema"] += 1
        return 0.0

    async def old_rows(self) -> float:
        """The same prices again, and older ones."""
        for later_ms in (0, -30_000, -1, 0):
            self.say(later_ms)
        return 0.0

    def _wanted_s(self, reply: Reply) -> float:
        if reply.status == 403:
            return self.venue.limits.ban_s
        return RETRY_AFTER_S if reply.status == 429 else 0.0


FAULTS: list[Callable[[Story], Awaitable[float]]] = [
    Story.cut, Story.goodbye, Story.no_websocket, Story.refusals, Story.death, Story.silence, Story.half_open,
    Story.sleep, Story.polls_fail, Story.rows_to_refuse, Story.old_rows,
]  # fmt: skip


@pytest.mark.parametrize("name", STREAMING)
def test_a_feed_recovers_from_each_fault(name: str, everything: list[Recording]) -> None:
    """Every kind of fault once, one of them twice, in an order that differs by adapter."""

    async def play() -> None:
        async with FakeExchange() as exchange:
            story = Story(name, everything, exchange)
            limit_s = LONGEST_PAUSE_S + 1 / story.stream.connects_per_s + 2 * INTERVAL_S
            async with story.service.running() as running:
                await story.is_well_within(limit_s, "the beginning")
                for fault in story.dice.sample(FAULTS, len(FAULTS)) + story.dice.choices(FAULTS, k=1):
                    wanted_s = await fault(story)
                    await story.is_well_within(limit_s + wanted_s, fault.__name__)
                    assert not running.done()
                hours = story.clock.monotonic() / 3600
            for peer in exchange.peers:
                await peer.left()
            story.keeps_to_the_pace()
            assert story.due
            assert hours > 0.3

    run(play)
