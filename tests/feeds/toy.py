"""A toy exchange for testing the generic code, and the stages on which it is polled and streamed."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import msgspec

from feeds.base import Feed
from feeds.exchange.adapter import exchange
from feeds.exchange.options import ExchangeOptions
from feeds.exchange.polled import PolledFeed
from feeds.exchange.shapes import decode_json, text_of
from feeds.exchange.venue import Heard, Limits, Listing, Row, Stream, Venue
from tests.clock import ManualClock
from tests.feeds.fake_exchange import FakeExchange, Peer, Reply
from tests.feeds.harness import PATIENCE_S, InstantClock, RecordingSink, context, run, supervised
from ticker.errors import FeedError
from ticker.model import Quote

TICKERS, LIST = "/tickers", "/list"
_ROWS = msgspec.json.Decoder(dict[str, Any], float_hook=str)
_LIST = msgspec.json.Decoder(list[tuple[str, str, int | None]])


def parse_rows(body: bytes) -> list[Row]:
    """Rows of `{"BTC/USD": {"last": 1.0, "time": 5}}`; `{"failed": 1}` is the toy's rate limit error."""
    rows = []
    for wire, sent in decode_json(body, _ROWS).items():
        if wire == "failed":
            raise FeedError("the toy says no", reason="rate_limited", retry_after_s=90)
        if wire == "bug":
            raise KeyError(wire)
        if not isinstance(sent, dict):
            rows.append(Row(wire.rstrip("!"), None))
            continue
        fields = {name: text_of(value) for name, value in sent.items()}
        rows.append(Row(wire.rstrip("!"), fields, time=fields.pop("time", None)))
    return rows


def parse_list(body: bytes) -> list[Listing]:
    return [Listing(symbol, (wire,), decimals) for wire, symbol, decimals in decode_json(body, _LIST)]


def slashed(wire: str) -> str | None:
    return wire.replace("/", "-") if "/" in wire else None


def ask_for(symbols: Sequence[str]) -> str:
    return TICKERS + ("?s=" + ",".join(symbols) if symbols else "")


TOY = Venue(
    name="toy",
    summary="a toy",
    base_url="http://127.0.0.1:1",
    limits=Limits(interval_s=1.0, gap_s=1.0),
    rest_request=ask_for,
    parse_rest=parse_rows,
    fields=("last", "bid", "ask"),
    symbol=slashed,
)
LISTED = dataclasses.replace(TOY, instruments_request=LIST, parse_instruments=parse_list)
NEEDS_LIST = dataclasses.replace(LISTED, symbol=None)


TALK = "/talk"
_TALK = msgspec.json.Decoder(dict[str, Any])


def subscribe(wires: Sequence[str], number: int) -> list[str]:
    return [json.dumps({"want": list(wires), "id": number})]


def parse_talk(body: bytes, memory: dict[str, Any]) -> Heard:
    """`{"rows": {…}}` has rows as the answers do, `{"delta": {…}}` only changes; other keys are those of `Heard`."""
    message = decode_json(body, _TALK)
    if "failed" in message:
        raise FeedError(message["failed"], reason="rate_limited")
    if "bug" in message:
        raise KeyError("bug")
    if not message.keys() <= {"rows", "delta", "acked", "refused", "reply", "ready", "reconnect", "idle"}:
        raise ValueError("not a word of the toy's")
    rows = parse_rows(json.dumps(message.get("rows", {})).encode())
    for wire, fields in message.get("delta", {}).items():
        known = memory.setdefault(wire, {})
        known.update(fields)
        rows.append(Row(wire, dict(known)))
    return Heard(
        rows=rows,
        acked=message.get("acked", ()),
        refused=[(name, why) for name, why in message.get("refused", ())],
        reply=message.get("reply"),
        ready="ready" in message,
        reconnect=message.get("reconnect"),
    )


STREAM = Stream(
    url="wss://stream.toy.invalid" + TALK,
    subscribe=subscribe,
    parse=parse_talk,
    messages_per_s=1000.0,
    connects_per_s=1000.0,
    mute_after_s=1000.0,
)
TALKS = dataclasses.replace(LISTED, stream=STREAM)


def talking(**stream: Any) -> Venue:
    """The streaming toy with some of its stream's attributes replaced."""
    return dataclasses.replace(TALKS, stream=dataclasses.replace(STREAM, **stream))


def said(**prices: str) -> str:
    """A message with these last prices, `BTC="1.0"` for `BTC/USD`."""
    return json.dumps({"rows": {f"{base}/USD": {"last": text} for base, text in prices.items()}})


def wants(peer: Peer) -> list[list[str]]:
    """The wire names that a client has subscribed, message by message."""
    return [json.loads(text)["want"] for text in peer.said if "want" in text]


async def answers(peer: Peer) -> None:
    """Confirm every subscription by its number."""
    count = 0
    while True:
        texts = await peer.heard(count + 1)
        numbers = [json.loads(text)["id"] for text in texts[count:] if "want" in text]
        if numbers:
            peer.say({"acked": numbers})
        count = len(texts)


def tickers(**prices: str) -> Reply:
    """An answer with these last prices, `BTC="1.0"` for `BTC/USD`."""
    return Reply(body=json.dumps({f"{base}/USD": {"last": text} for base, text in prices.items()}).encode())


def listing(*entries: tuple[str, str, int | None]) -> Reply:
    return Reply(body=json.dumps(entries).encode())


class Stage:
    """An exchange, a feed that polls it under a runner, and the sink behind it; sleeps end at once."""

    def __init__(self, exchange: FakeExchange) -> None:
        self.exchange = exchange
        self.clock = InstantClock()
        self.sink = RecordingSink(self.clock)

    def feed(self, venue: Venue = TOY, **options: object) -> PolledFeed:
        given = {"base_url": self.exchange.base_url, "timeout_s": PATIENCE_S, **options}
        feed = exchange(venue).build("toy", ExchangeOptions(**given), context(self.clock))  # type: ignore[arg-type]
        assert isinstance(feed, PolledFeed)
        return feed

    async def polls(self, count: int, venue: Venue = TOY, **options: object) -> None:
        """Run the feed until it has published `count` times."""
        await self.until(lambda: len(self.sink.polls) >= count, venue, **options)

    async def until(self, happened: Callable[[], bool], venue: Venue = TOY, **options: object) -> None:
        async with supervised(self.feed(venue, **options), self.sink, self.clock) as task:
            waiting = asyncio.ensure_future(self.sink.until(happened))
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        assert happened()


def on_stage(play: Callable[[Stage], Awaitable[None]]) -> Stage:
    """Play a scene; returns the stage for assertions."""

    async def main() -> Stage:
        async with FakeExchange() as exchange:
            stage = Stage(exchange)
            await play(stage)
        return stage

    return run(main)


class Theatre:
    """Like a `Stage`, for feeds that stream: time moves only when a test advances it."""

    def __init__(self, exchange: FakeExchange) -> None:
        self.exchange = exchange
        self.clock = ManualClock()
        self.sink = RecordingSink(self.clock)

    def lists(self, *bases: str) -> None:
        """Serve a list of these bases in USD."""
        self.exchange.serve(LIST, listing(*[(f"{base}/USD", f"{base}-USD", 2) for base in bases]))

    def feed(self, venue: Venue = TALKS, **options: Any) -> Feed:
        given = {"base_url": self.exchange.base_url, "timeout_s": PATIENCE_S, **options}
        feed: Feed = exchange(venue).build("toy", ExchangeOptions(**given), context(self.clock))
        return feed

    @contextlib.asynccontextmanager
    async def running(self, venue: Venue = TALKS, **options: Any) -> AsyncIterator[None]:
        """Run a feed under a runner."""
        async with supervised(self.feed(venue, **options), self.sink, self.clock):
            yield

    async def live_pair(self) -> tuple[Peer, Peer]:
        """The connections of BTC and ETH, one each, after both have delivered a price of 1."""
        await self.passes(1.0)
        await self.exchange.peer(1)
        await self.passes(1.0)
        await self.exchange.peer(2)
        for peer in self.exchange.peers:
            await peer.heard()
        first, second = sorted(self.exchange.peers, key=wants)
        first.send(said(BTC="1"))
        second.send(said(ETH="1"))
        await self.until(lambda: self.last("BTC") == self.last("ETH") == "1")
        return first, second

    async def until(self, happened: Callable[[], bool]) -> None:
        """Let the loop turn until a condition holds, without advancing time."""
        async with asyncio.timeout(PATIENCE_S):
            while not happened():  # noqa: ASYNC110 - of what happens inside a feed nobody is told
                await asyncio.sleep(0)

    async def passes(self, seconds: float, happened: Callable[[], bool] | None = None) -> None:
        """Advance time, then wait for a condition."""
        await self.clock.advance(seconds)
        if happened:
            await self.until(happened)

    def view(self) -> dict[str, dict[str, object]]:
        """The merged values of each symbol: later fields replace earlier ones."""
        known: dict[str, dict[str, object]] = {}
        for poll in self.sink.polls:
            for symbol, quote in poll.items():
                known.setdefault(symbol.removeprefix("toy:"), {}).update(quote.values)
        return known

    def last(self, base: str) -> object:
        """The last price in USD, None if there is none."""
        return self.view().get(f"{base}-USD", {}).get("last")

    def errors(self) -> dict[str, int]:
        """The errors counted so far."""
        return {reason: n for reason, n in self.sink.status.errors.items() if n}


def in_theatre(play: Callable[[Theatre], Awaitable[None]]) -> Theatre:
    """Play a scene; returns the theatre for assertions."""

    async def main() -> Theatre:
        async with FakeExchange() as exchange:
            theatre = Theatre(exchange)
            await play(theatre)
        return theatre

    return run(main)


def last_prices(poll: dict[str, Quote]) -> dict[str, object]:
    return {symbol: quote.values["last"] for symbol, quote in poll.items()}
