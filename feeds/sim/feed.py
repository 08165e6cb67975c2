"""A seeded market that needs no network: pleasant to watch, and as busy as a load test needs.

The same seed and clock give the same quotes. Prices are on their tick, bid < ask, low <= last <= high. The bars of
`history` end in the price quoted now, because both are read off the same path (see `wander`). Halts and mute symbols
affect the quotes only, never the path. Stocks, too, trade around the clock. Time and randomness come only from the
given clock and seed.
"""

from __future__ import annotations

import functools
import math
import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from feeds.base import Adapter, Context, Offer, Sink
from feeds.sim.book import Book, order_sizes
from feeds.sim.instruments import Instrument, choose
from feeds.sim.wander import GRAIN_MS, Noise, Path
from ticker.model import DECIMAL_FIELDS, Bar, Quote

_BUSIEST_PER_S, _BUSIEST_TURNOVER = 6.0, 1.8e9  # updates a second at this turnover, if no rate is given
_LONGEST_GAP_S = 40.0  # until it knows a symbol's rhythm, the service calls it stale after 60 s without data
_WAKES_PER_S = 50
_CATCH_UP_S = 0.1
_BURST = 2000  # quotes in one turn of the loop, unless one wake-up has more
_SLICE = 25  # books or bars in one turn of the loop


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """The options of a simulated feed."""

    symbols: str = field(
        default="", metadata={"help": "how many instruments, or which: 'BTC-USD,*-EUR'; default: all named ones"}
    )
    seed: int = field(default=1, metadata={"help": "each seed gives another market"})
    rate: float | None = field(
        default=None, metadata={"help": "total updates a second; default: what suits the instruments"}
    )
    faults: bool = field(default=True, metadata={"help": "now and then halt a symbol, or let one fall silent"})

    def __post_init__(self) -> None:
        if self.rate is not None and not 0 < self.rate <= 1e6:
            raise ValueError(f"rate: give more than 0 and at most 1000000 updates a second, not {self.rate:g}")


class _Fault(NamedTuple):
    """A fault that one book after another has."""

    name: str
    every_s: tuple[float, float]
    lasts_s: tuple[float, float]


_FAULTS = (_Fault("halted", (40, 80), (20, 50)), _Fault("mute", (100, 180), (120, 300)))


class SimulatedFeed:
    """The books of one market, each updated in its own rhythm."""

    kind = "simulated"
    clock = "exchange"
    stale_after_s = 5.0

    def __init__(self, name: str, options: SimulateOptions, context: Context) -> None:
        self.name = name
        self._clock = context.clock
        self._rng = random.Random(f"rhythm {options.seed}")
        noise = Noise(options.seed)
        pools = functools.cache(order_sizes)
        instruments = choose(options.symbols, f"feeds.{name}.symbols")
        self._books: list[Book] = []
        for instrument, gap_s in zip(instruments, _gaps(instruments, options.rate), strict=True):
            sizes = pools(round(2 * math.log10(instrument.usual_size)), instrument.size_decimals, instrument.lot)
            self._books.append(Book(f"{name}:{instrument.symbol}", instrument, Path(noise, instrument), gap_s, sizes))
        self._by_symbol = {book.symbol: book for book in self._books}
        # Never the first ten, which everybody looks at, nor the far end of the list, which nobody would see.
        self._frail = self._books[10:110] if options.faults else []
        self._turns: defaultdict[int, list[tuple[float, Book]]] = defaultdict(list)

    async def run(self, sink: Sink) -> None:
        """Publish every book in full, then update them until cancelled.

        If the loop is late, at most 0.1 s of updates is made up for, which bounds bursts; the rest is skipped.
        """
        for start in range(0, len(self._books), _SLICE):
            now_ms = self._clock.wall_ms()
            books = self._books[start : start + _SLICE]
            sink.publish([book.greet(now_ms, self._rng.getrandbits(16)) for book in books])
            await self._clock.sleep(0)
        sink.loaded()
        now = self._clock.monotonic()
        self._turns.clear()
        for book in self._books:
            self._add_turn(now + book.gap_s * self._rng.random(), book)
        faults = {fault: now + self._rng.uniform(*fault.every_s) / 3 for fault in _FAULTS if self._frail}
        done = int(now * _WAKES_PER_S)
        lost = 0.0
        while True:
            latest = now + 1 / _WAKES_PER_S + _CATCH_UP_S
            await self._clock.sleep(1 / _WAKES_PER_S)
            now = min(self._clock.monotonic() - lost, latest)
            lost = self._clock.monotonic() - now
            now_ms = self._clock.wall_ms()
            for fault, at in faults.items():
                if at <= now:
                    faults[fault] = now + self._rng.uniform(*fault.every_s)
                    until_ms = now_ms + round(self._rng.uniform(*fault.lasts_s) * 1000)
                    # Starts a second ago, because the turns of this wake-up are a little older than now.
                    self._rng.choice(self._frail).disturb(fault.name, range(now_ms - 1000, until_ms))
            wakes = range(done, int(now * _WAKES_PER_S))
            quotes: list[Quote] = []
            for wake in wakes:
                quotes += self._due(wake, now_ms - now * 1000)
                if len(quotes) >= _BURST:
                    sink.publish(quotes)
                    quotes = []
                    await self._clock.sleep(0)
            if quotes:
                sink.publish(quotes)
            done = wakes.stop

    def _add_turn(self, at: float, book: Book) -> None:
        self._turns[int(at * _WAKES_PER_S)].append((at, book))

    def _due(self, wake: int, origin_ms: float) -> list[Quote]:
        """The quotes of all turns that belong to one wake-up; schedules each book's next turn."""
        turns, rng = self._turns, self._rng
        quotes = []
        for at, book in turns[wake]:  # grows during the loop: a busy book has several turns
            # Gaps vary little, so that none is ever long enough for the service to call the symbol stale.
            after = at + book.gap_s * (0.6 + 0.8 * rng.random())
            turns[int(after * _WAKES_PER_S)].append((after, book))
            if quote := book.quote(int(origin_ms + at * 1000), rng.getrandbits(16)):
                quotes.append(quote)
        del turns[wake]
        return quotes

    async def history(self, symbol: str, interval_s: int, limit: int) -> list[Bar]:
        """Bars of any length, the newest still open; none for an unknown symbol."""
        book = self._by_symbol.get(symbol)
        if book is None:
            return []
        span = interval_s * 1000 // GRAIN_MS
        end = self._clock.wall_ms() // GRAIN_MS + 1
        newest = (end - 1) // span * span
        bars: list[Bar] = []
        for first in range(newest - (limit - 1) * span, end, span):
            bars.append(book.bar(first, min(first + span, end)))
            if len(bars) % _SLICE == 0:
                await self._clock.sleep(0)
        return bars


def _gaps(instruments: list[Instrument], rate: float | None) -> list[float]:
    """The usual seconds between updates of each instrument: fewer for a higher turnover; in total they give `rate`."""
    eager = [_BUSIEST_PER_S * (instrument.turnover / _BUSIEST_TURNOVER) ** 0.6 for instrument in instruments]
    count = len(instruments)
    rate = rate or sum(eager) + count / _LONGEST_GAP_S
    least = min(1 / _LONGEST_GAP_S, rate / count / 2)
    share = (rate - least * count) / sum(eager)
    return [1 / (least + share * times) for times in eager]


ADAPTER = Adapter(
    "sim",
    "a seeded market that needs no network",
    SimulateOptions,
    SimulatedFeed,
    Offer(kind="simulated", fields=DECIMAL_FIELDS, bars_s=(1, 60, 300, 900, 3600, 14_400, 86_400)),
)
