"""Plays a recording of an exchange through the real adapter, and says what must come of it by the field maps.

The exchange is `FakeExchange` on loopback; of the adapter nothing is changed but `base_url`. Time stands still
unless it is moved here, and every wait is for a condition.
"""

from __future__ import annotations

import asyncio
import json
import pathlib
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fnmatch import fnmatch
from typing import NamedTuple
from urllib.parse import quote

from feeds.base import Context, Feed
from feeds.registry import build
from tests.feeds.contract_maps import UNREAD, Json, Map, Said, at, decode
from tests.feeds.fake_exchange import FakeExchange, Peer, Reply, mute, received, recordings
from tests.feeds.harness import RecordingSink, run, supervised
from ticker.clock import ManualClock
from ticker.model import SYMBOL, Quote

PRICES = ("last", "bid", "ask")
SIDES = {"bid_size": "bid", "ask_size": "ask"}
MAY_BE_ZERO = {"bid_size", "ask_size", "volume", "quote_volume", "change_pct"}
FROM_ELSEWHERE = {"decimals", "name", "state"}
"""Fields of a quote that come from the list or from the market's state."""
LONG_S = 3000.0
"""From poll to poll: so long that what a request takes never matters."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KEY = "k3y"


class Recording(NamedTuple):
    """A recorded file: `binance/rest/….json`, and of an answer the path that was asked, and the answer."""

    name: str
    file: pathlib.Path
    path: str = ""
    reply: Reply | None = None

    @property
    def unread(self) -> list[str]:
        """The entries of the table that name it as read by nothing."""
        return [pattern for pattern in UNREAD if fnmatch(self.name, pattern)]

    def role(self, of: Map) -> str | None:
        """What it is to an adapter: `list`, `tickers`, `stream`, or nothing."""
        if self.unread or self.name.partition("/")[0] != of.folder:
            return None
        if self.reply is None:
            return "stream" if of.stream_at else None
        if self.path in of.lists_recorded_at:
            return "list"
        return "tickers" if any(map(self.path.startswith, of.tickers_recorded_at)) else None

    def messages(self) -> list[str | bytes]:
        """The messages of a stream that came in, in order."""
        return received(self.file)


def found(exchanges: pathlib.Path) -> list[Recording]:
    """All recordings that there are."""
    every = []
    for folder in sorted(path for path in exchanges.iterdir() if path.is_dir()):
        if (folder / "rest").is_dir():
            for file, (target, reply) in recordings(folder / "rest").items():
                path = folder / "rest" / file
                every.append(Recording(f"{folder.name}/rest/{file}", path, target.partition("?")[0], reply))
        every += [Recording(f"{folder.name}/ws/{path.name}", path) for path in sorted((folder / "ws").glob("*"))]
    return every


# What must come


class Wanted(NamedTuple):
    """A quote that must come: None is "no price"."""

    symbol: str
    numbers: dict[str, Decimal | None]
    ts: int | None
    seq: int | None

    def is_said_by(self, came: Quote) -> bool:
        """Whether a quote says just this: the same numbers, as plain text with the exchange's own digits."""
        texts = {name: text for name, text in came.values.items() if name not in FROM_ELSEWHERE}
        if (came.symbol, came.ts, came.seq) != (self.symbol, self.ts, self.seq) or texts.keys() != self.numbers.keys():
            return False
        return all(texts[name] == (None if n is None else plain(n)) for name, n in self.numbers.items())


def plain(number: Decimal) -> str:
    """A number's digits, all of them, without an exponent; zero has no sign."""
    return f"{number or abs(number):f}"


Judged = tuple[Wanted | None, str | None]
"""The quote of a row, or none, and the reason to count it under, or none."""


def symbol_of(of: Map, wire: str, names: Mapping[str, str]) -> str | None:
    """Our symbol of a wire name, by the list's names first; none if it is nothing that we can show."""
    symbol = names.get(wire) or of.symbol(wire)
    return symbol if symbol and SYMBOL.fullmatch(symbol) and symbol.count("-") <= 1 else None


def wanted(name: str, of: Map, said: Said, names: Mapping[str, str]) -> Judged:
    """What must become of a row."""
    texts: dict[str, Json] = {}
    for ours, path in said.fields.texts.items():
        try:
            texts[ours] = at(said.raw, path.removeprefix("%"))
        except LookupError:
            if ours in said.fields.null_if_absent:
                texts[ours] = None
            elif ours not in said.fields.may_lack:
                return None, "schema"
    symbol = symbol_of(of, said.wire, names)
    if symbol is None:
        return None, "symbol"
    numbers: dict[str, Decimal | None] = {}
    reason = None
    for ours, text in texts.items():
        number = Decimal(text) if text else None
        if number and number < 0 and ours != "change_pct":
            reason = "price"
        elif number is None or (not number and ours not in MAY_BE_ZERO):
            numbers[ours] = None
        else:
            numbers[ours] = number.scaleb(2) if said.fields.texts[ours][0] == "%" else number
    bid, ask = numbers.get("bid"), numbers.get("ask")
    if bid and ask and bid > ask:
        reason = "crossed"
        del numbers["bid"], numbers["ask"]
    for size, side in SIDES.items():
        if side in texts and side not in numbers:
            numbers.pop(size, None)
    if not any(numbers.get(price) for price in PRICES):
        return None, reason or "price"
    seq = int(said.raw[said.fields.seq]) if said.fields.seq else None
    return Wanted(f"{name}:{symbol}", numbers, moment_ms(said, of.time_unit), seq), reason


def moment_ms(said: Said, unit: str) -> int | None:
    """The exchange's time of a row, where it gives one."""
    if said.fields.time is None:
        return None
    sent = said.raw[said.fields.time]
    if unit != "iso":
        return int(sent) * 1000 // {"s": 1, "ms": 1000, "us": 1_000_000}[unit]
    parsed = datetime.fromisoformat(sent)
    return (parsed.replace(tzinfo=parsed.tzinfo or UTC) - EPOCH) // timedelta(milliseconds=1)


# What comes


class Came(NamedTuple):
    """What became of a recording."""

    quotes: list[Quote]
    rejects: Counter[str]
    errors: Counter[str]


class Stage:
    """The exchange, the feed of an adapter with nothing changed but whom it asks, and the sink behind it."""

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
        """Let time pass in small steps until something is true."""
        async with asyncio.timeout(30):
            while not happened():
                await self.clock.advance(step_s)

    def came(self, since: Came | None = None) -> Came:
        """All that came, or what came after something else had."""
        status = self.sink.status
        quotes = [quote for event in self.sink.events if event.what == "publish" for quote in event.data]  # type: ignore[attr-defined]
        rejects, errors = Counter(status.rejects), Counter(status.errors)
        if since:
            return Came(quotes[len(since.quotes) :], rejects - since.rejects, errors - since.errors)
        return Came(quotes, +rejects, +errors)


def play(name: str, of: Map, scene: Callable[[Stage], object]) -> Came:
    """Play a scene; what came of it."""

    async def main() -> Came:
        async with FakeExchange() as exchange:
            return await scene(Stage(name, of, exchange))  # type: ignore[misc,no-any-return]

    return run(main)


def polled(
    name: str, of: Map, reply: Reply, wires: Sequence[str], symbols: Sequence[str], listed: bytes | None
) -> Came:
    """What comes of an answer once the list is known: of the second poll, for the first may come before the list."""

    async def scene(stage: Stage) -> Came:
        stage.lists(listed)
        targets = {of.tickers.format(wire=quote(wire, safe="=")) for wire in wires}
        for target in targets:
            stage.exchange.serve(target, reply)
        feed = stage.feed("poll", symbols, interval_s=LONG_S, timeout_s=30.0)
        asked = stage.exchange.asked
        polls = stage.sink.status.polls
        most = len(targets) * (2 if of.not_recorded else 1)
        async with supervised(feed, stage.sink, stage.clock):
            await stage.until(lambda: sum(polls.values()) == most and (of.list_at is None or asked(of.list_at) == 1))
            before = stage.came()
            await stage.until(lambda: sum(polls.values()) == 2 * most, LONG_S / 10)
            return stage.came(before)

    return play(name, of, scene)


def streamed(name: str, of: Map, messages: Sequence[str | bytes], symbols: Sequence[str], listed: bytes | None) -> Came:
    """What comes of the messages of one connection, whose end is the one failure that is left out."""

    async def plays(peer: Peer) -> None:
        peer.send(*messages)
        peer.close()

    async def scene(stage: Stage) -> Came:
        stage.lists(listed)
        assert of.stream_at is not None
        stage.exchange.stream(of.stream_at, plays, mute)
        if of.hands_out:
            server = {"endpoint": f"ws://exchange.invalid{of.stream_at}", "pingInterval": 18_000}
            handed_out = {"code": "200000", "data": {"token": "t", "instanceServers": [server]}}
            stage.exchange.serve(of.hands_out, Reply(body=json.dumps(handed_out).encode()))
        async with supervised(stage.feed("stream", symbols, timeout_s=30.0), stage.sink, stage.clock):
            await stage.until(lambda: any(stage.sink.status.errors.values()), 0.1)
            came = stage.came()
        return came._replace(errors=came.errors - Counter(closed=1))

    return play(name, of, scene)


def rows_of(of: Map, messages: Iterable[str | bytes]) -> list[Said]:
    """All rows of the messages of one connection, by the map."""
    memory: dict[str, Json] = {}
    assert of.read_stream is not None
    return [said for message in messages for said in of.read_stream(decode(message), memory)]
