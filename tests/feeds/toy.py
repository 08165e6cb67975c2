"""A toy exchange, so that the generic code is tested without a real one, and the stage where it is polled."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from feeds.polling import PollingFeed, PollingOptions, polled
from feeds.rows import decode_json, text_of
from feeds.venue import Limits, Listing, Row, Venue
from tests.feeds.fake_exchange import FakeExchange, Reply
from tests.feeds.harness import InstantClock, RecordingSink, context, run, supervised
from ticker.errors import FeedError
from ticker.model import Quote

TICKERS, LIST = "/tickers", "/list"
_ROWS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[tuple[str, str, int | None]])


def parse_rows(body: bytes) -> list[Row]:
    """Rows of `{"BTC/USD": {"last": 1.0, "time": 5}}`; `{"failed": 1}` is the toy's way to say no."""
    rows = []
    for wire, raw in decode_json(body, _ROWS).items():
        if wire == "failed":
            raise FeedError("the toy says no", reason="rate_limited", retry_after_s=90)
        if wire == "bug":
            raise KeyError(wire)
        try:
            fields = {name: text_of(value) for name, value in _FIELDS.decode(raw).items()}
        except ValueError:
            rows.append(Row(wire.rstrip("!"), None))
            continue
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
    symbol=slashed,
)
LISTED = dataclasses.replace(TOY, instruments_request=LIST, parse_instruments=parse_list)
NEEDS_LIST = dataclasses.replace(LISTED, symbol=None)


def tickers(**prices: str) -> Reply:
    """An answer with these last prices, `BTC="1.0"` for `BTC/USD`."""
    return Reply(body=json.dumps({f"{base}/USD": {"last": text} for base, text in prices.items()}).encode())


def listing(*entries: tuple[str, str, int | None]) -> Reply:
    return Reply(body=json.dumps(entries).encode())


class Stage:
    """An exchange, a feed of it under its runner, and the sink behind."""

    def __init__(self, exchange: FakeExchange) -> None:
        self.exchange = exchange
        self.clock = InstantClock()
        self.sink = RecordingSink(self.clock)

    def feed(self, venue: Venue = TOY, **options: object) -> PollingFeed:
        given = {"base_url": self.exchange.base_url, **options}
        feed = polled(venue).build("toy", PollingOptions(**given), context(self.clock))  # type: ignore[arg-type]
        assert isinstance(feed, PollingFeed)
        return feed

    async def polls(self, count: int, venue: Venue = TOY, **options: object) -> None:
        """Run the feed until it has published so often."""
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
    """Play a scene; for the asserts after it, the stage."""

    async def main() -> Stage:
        async with FakeExchange() as exchange:
            stage = Stage(exchange)
            await play(stage)
        return stage

    return run(main)


def last_prices(poll: dict[str, Quote]) -> dict[str, object]:
    return {symbol: quote.values["last"] for symbol, quote in poll.items()}
