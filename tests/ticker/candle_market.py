"""A market with candles in it: feeds, store and consolidation wired as in the service, on a clock of the tests."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from tests.clock import ManualClock
from ticker.candles import Candles, Row
from ticker.consolidate import Consolidator
from ticker.intake import FeedIntake, Intake
from ticker.model import Bar, Quote
from ticker.record import Record
from ticker.staleness import TICK_S
from ticker.store import Store

MINUTE = 60_000
START = 1_795_386_000_000  # a whole hour
BIG = 10**8


class Venue:
    """The past of a feed: every bar of `interval_s` closes at its number and has a volume of 7."""

    def __init__(self, clock: ManualClock) -> None:
        self.asked: list[tuple[str, int, int]] = []
        self.down = False
        self._clock = clock

    async def history(self, symbol: str, interval_s: int, limit: int) -> list[Bar]:
        self.asked.append((symbol, interval_s, limit))
        if self.down:
            raise OSError
        newest = self._clock.wall_ms() // (interval_s * 1000)
        return [Bar(n * interval_s * 1000, 50.0, 200.0, 40.0, 60.0, 7.0) for n in range(newest - limit + 1, newest + 1)]


class Wall(ManualClock):
    """A clock whose wall time can be set."""

    ahead_ms = 0

    def wall_ms(self) -> int:
        return super().wall_ms() + self.ahead_ms


class Market:
    """Feeds, store and consolidation around candles, as the service wires them, on a clock that only tests move."""

    def __init__(self, max_bytes: int = BIG) -> None:
        self.clock = Wall(START)
        self.store = Store(epoch=1)
        self.intake = Intake(self.store, self.clock, 10_000)
        self.store.derivation = Consolidator(self.store.get, self.intake.rank, 30.0)
        self.candles = Candles(self.clock, max_bytes)
        self.intake.on_ingest.append(self.candles.tapes.take)
        self.store.on_flush.append(self.candles.tapes.flushed)
        self.feeds: dict[str, FeedIntake] = {}

    def feed(self, name: str, *, local: bool | None = None) -> Venue:
        """Add a feed; it has a history if `local` is given."""
        self.feeds[name] = self.intake.feed(name, "live", "received", 5.0)
        venue = Venue(self.clock)
        if local is not None:
            self.candles.past.offer(name, venue.history, local=local)
        return venue

    def say(self, prices: Mapping[str, str], *, flush: bool = True) -> None:
        """Last prices by venue symbol."""
        for symbol, last in prices.items():
            self.feeds[symbol.partition(":")[0]].publish([Quote(symbol, {"last": last})])
        if flush:
            self.flush()

    def flush(self) -> None:
        self.store.flush(self.clock.monotonic())

    def wait(self, seconds: float) -> None:
        """Let time pass, checking deadlines as often as the service does."""
        for _ in range(round(seconds / TICK_S)):
            self.clock.tick(TICK_S)
            list(self.intake.expire())
            self.flush()

    def beat(self, seconds: int, prices: Mapping[str, str]) -> None:
        """Let time pass, repeating these prices each second."""
        for _ in range(seconds):
            self.wait(1)
            self.say(prices)

    def record(self, symbol: str) -> Record:
        record = self.store.get(symbol)
        assert record is not None
        return record

    def rows(self, symbol: str, interval: str = "1s", limit: int = 500) -> list[Row]:
        """The bars of a symbol."""
        return asyncio.run(self.candles.bars(self.record(symbol), interval, limit), debug=True)[1]

    def since(self, symbol: str) -> int | None:
        return asyncio.run(self.candles.bars(self.record(symbol), "1m", 1), debug=True)[0]

    def brief(self, symbol: str, interval: str = "1s", limit: int = 500) -> list[tuple[float, float, float, str]]:
        """High, low, close and flags of the bars."""
        return [(row.high, row.low, row.close, row.flags) for row in self.rows(symbol, interval, limit)]

    def closes(self, *symbols: str, points: int = 5) -> list[list[float | None]]:
        end, closes = asyncio.run(self.candles.closes([self.record(symbol) for symbol in symbols], points), debug=True)
        assert end == self.clock.wall_ms() // MINUTE * MINUTE + MINUTE
        found = {record.key: row for record, row in closes}
        return [found[symbol] for symbol in symbols]
