"""A seeded market that needs no network: pleasant to watch, and as busy as a load test wants.

It promises: the same seed and clock give the same quotes; each price is on its tick, bid < ask, low <= last <= high;
the past that `history` tells ends in the very price that is quoted now, for both are read off the same path (see
`wander`). Halts and mute symbols happen to the quotes only, never to the path. Stocks, too, trade around the clock
here. It never reads a clock that was not handed in, nor chance that was not seeded.
"""

from __future__ import annotations

import functools
import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from feeds.base import Adapter, Context, Offer, Sink
from feeds.sim.instruments import Instrument, choose
from feeds.sim.wander import DAY, GRAIN_MS, Noise, Path
from ticker.model import DECIMAL_FIELDS, Bar, Quote, Value

_BLOCK = 6
"""Level of the stretch of prices that a book looks up at once: 16 s."""
_SPREADS = (0.5, 0.7, 0.85, 1.0, 1.0, 1.15, 1.4, 2.0)  # times the instrument's usual one
_BUSIEST_PER_S, _BUSIEST_TURNOVER = 6.0, 1.8e9  # updates of what is traded so much, if no rate is asked for
_LONGEST_GAP_S = 40.0  # before it has seen a rhythm, the service takes 60 s without data for staleness
_RENEW_EVERY = 30_000 // GRAIN_MS  # for the figures of the day
_SHORT = 500  # grains: beyond, a search for the peaks is cheaper than all prices
_WAKES_PER_S = 50
_CATCH_UP_S = 0.1
_BURST = 2000  # quotes in one turn of the loop, unless one wake-up has more
_SLICE = 25  # books or bars between two turns of the loop


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """What a configuration says of a simulated feed."""

    symbols: str = field(
        default="", metadata={"help": "how many instruments, or which: 'BTC-USD,*-EUR'; default: all named ones"}
    )
    seed: int = field(default=1, metadata={"help": "another seed is another market"})
    rate: float | None = field(
        default=None, metadata={"help": "updates a second in all; default: what suits the instruments"}
    )
    faults: bool = field(default=True, metadata={"help": "now and then a halt, and a symbol that falls mute"})

    def __post_init__(self) -> None:
        if self.rate is not None and not 0 < self.rate <= 1e6:
            raise ValueError(f"rate: give more than 0 and at most 1000000 updates a second, not {self.rate:g}")


class Book:
    """What the simulated exchange shows of one instrument.

    Attributes:
        symbol: the venue symbol.
        gap_s: the usual time from one update to the next.
    """

    def __init__(self, symbol: str, instrument: Instrument, path: Path, gap_s: float, sizes: Sequence[str]) -> None:
        self.symbol = symbol
        self.gap_s = gap_s
        self._instrument = instrument
        self._path = path
        self._sizes = sizes
        # Prices here are whole numbers of the last decimal: exact, and text is one `%` away.
        self._scale = 10**instrument.decimals
        self._form = f"%.{instrument.decimals}f"
        self._size_form = f"%.{instrument.size_decimals}f"
        self._anchor = instrument.price * self._scale / instrument.tick
        spread = self._anchor * instrument.spread_bps / 10_000
        self._spreads = [max(1, round(part * spread)) * instrument.tick for part in _SPREADS]
        self._prices: list[float] = []
        self._block = self._grain = self._renewed_at = self._renew_at = -1
        self._last = self._open = self._high = self._low = 0
        self._last_text = ""
        self._peaks = {1: (0.0, -1), -1: (0.0, -1)}
        self._fault = ""
        self._fault_ms = range(0)
        self._seq = 0

    def greet(self, at_ms: int, draw: int) -> Quote:
        """A quote with every field."""
        self._fault, self._grain, self._renew_at = "", -1, -1
        quote = self.quote(at_ms, draw)
        assert quote is not None
        self._renew_at -= _RENEW_EVERY * draw >> 16  # so that not all books renew their figures at once
        quote.values.update(state="live", decimals=self._instrument.decimals, name=self._instrument.name)
        return quote

    def disturb(self, fault: str, times_ms: range) -> None:
        """Halt (`halted`) or say nothing (`mute`) in this time, unless something is wrong already."""
        if not self._fault:
            self._fault, self._fault_ms = fault, times_ms

    def quote(self, at_ms: int, draw: int) -> Quote | None:
        """What an update says at this time, by 16 random bits: the fields that change; None from a mute book.

        Each has a number, for time goes back when the clock is set.
        """
        values: dict[str, Value] = {}
        self._seq += 1
        if self._fault:
            if at_ms in self._fault_ms:
                return Quote(self.symbol, {"state": "halted"}, at_ms, self._seq) if self._fault == "halted" else None
            if self._fault == "halted":
                values["state"] = "live"
            self._fault = ""
        grain = at_ms // GRAIN_MS
        if grain != self._grain:
            self._move(grain, values)
        # The last trade was at the bid or at the ask.
        if draw & 8:
            values["bid"] = self._last_text
            values["ask"] = self._form % ((self._last + self._spreads[draw & 7]) / self._scale)
        else:
            values["bid"] = self._form % ((self._last - self._spreads[draw & 7]) / self._scale)
            values["ask"] = self._last_text
        values["bid_size"] = self._sizes[draw >> 4 & 63]
        values["ask_size"] = self._sizes[draw >> 10]
        return Quote(self.symbol, values, at_ms, self._seq)

    def bar(self, first: int, end: int) -> Bar:
        """The candle of the grains from `first` up to, not including, `end`."""
        if end - first <= _SHORT:
            prices = self._path.grains(first, end)
            ohlc = prices[0], max(prices), min(prices), prices[-1]
        else:
            (high, _), (low, _) = (self._path.peak(first, end - 1, sign) for sign in (1, -1))
            ohlc = self._path.grains(first, first + 1)[0], high, low, self._path.grains(end - 1, end)[0]
        start, highest, lowest, close = (self._points(value) / self._scale for value in ohlc)
        volume = round(self._volume(first, end), self._instrument.size_decimals + 3)
        return Bar(first * GRAIN_MS, start, highest, lowest, close, volume)

    def _points(self, value: float) -> int:
        ticks: int = round(self._anchor * math.exp(value))
        return ticks * self._instrument.tick

    def _volume(self, first: int, end: int) -> float:
        return self._path.traded(first, end) * self._instrument.turnover / self._instrument.price

    def _move(self, grain: int, values: dict[str, Value]) -> None:
        """Go on to another grain, and add to `values` what that changes."""
        self._grain = grain
        if grain >> _BLOCK != self._block:
            self._block = grain >> _BLOCK
            self._prices = self._path.grains(self._block << _BLOCK, (self._block + 1) << _BLOCK)
        last = self._points(self._prices[grain & ((1 << _BLOCK) - 1)])
        if not self._renew_at - _RENEW_EVERY <= grain < self._renew_at:  # also if the clock was set back
            self._renew(grain, last, values)
        elif last == self._last:
            return
        self._last = last
        values["last"] = text = self._last_text = self._form % (last / self._scale)
        # In whole ten-thousandths of a percent: `round` takes the even neighbour of an exact half, `%` need not.
        values["change_pct"] = "%.4f" % (round((last - self._open) * 1_000_000 / self._open) / 10_000)
        if last > self._high:
            self._high, values["high"] = last, text
        if last < self._low:
            self._low, values["low"] = last, text

    def _renew(self, grain: int, last: int, values: dict[str, Value]) -> None:
        """Add the figures of the 24 hours up to a grain."""
        first = grain - DAY
        for sign, known in self._peaks.items():
            if first <= known[1] and self._renewed_at < grain:
                self._peaks[sign] = self._path.peak(self._renewed_at + 1, grain, sign, known)
            else:
                self._peaks[sign] = self._path.peak(first, grain, sign)
        self._renewed_at, self._renew_at = grain, grain + _RENEW_EVERY
        ends = self._path.grains(first, first + 1)[0], self._peaks[1][0], self._peaks[-1][0]
        self._open, self._high, self._low = map(self._points, ends)
        for name, points in ("open", self._open), ("high", self._high), ("low", self._low):
            values[name] = self._form % (points / self._scale)
        volume = self._volume(first, grain + 1)
        values["volume"] = self._size_form % volume
        values["quote_volume"] = "%.2f" % (volume * (self._open + self._high + self._low + last) / 4 / self._scale)


class _Fault(NamedTuple):
    """What befalls one book after another."""

    name: str
    every_s: tuple[float, float]
    lasts_s: tuple[float, float]


_FAULTS = (_Fault("halted", (40, 80), (20, 50)), _Fault("mute", (100, 180), (120, 300)))


class SimulatedFeed:
    """The books of one market, each updated in a rhythm of its own."""

    kind = "simulated"
    clock = "exchange"
    stale_after_s = 5.0

    def __init__(self, name: str, options: SimulateOptions, context: Context) -> None:
        self.name = name
        self._clock = context.clock
        self._rng = random.Random(f"rhythm {options.seed}")
        noise = Noise(options.seed)
        pools = functools.cache(_sizes)
        instruments = choose(options.symbols, f"feeds.{name}.symbols")
        self._books: list[Book] = []
        for instrument, gap_s in zip(instruments, _gaps(instruments, options.rate), strict=True):
            sizes = pools(round(2 * math.log10(instrument.usual_size)), instrument.size_decimals, instrument.lot)
            self._books.append(Book(f"{name}:{instrument.symbol}", instrument, Path(noise, instrument), gap_s, sizes))
        self._by_symbol = {book.symbol: book for book in self._books}
        # Never the first ten, at which everybody looks, nor what nobody would see.
        self._frail = self._books[10:110] if options.faults else []
        self._turns: defaultdict[int, list[tuple[float, Book]]] = defaultdict(list)

    async def run(self, sink: Sink) -> None:
        """Greet with every book, then update them until cancelled.

        A loop that comes late makes up for 0.1 s; what it missed before is never sent, so no burst is larger.
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
                    # From a moment ago: turns of this wake-up are a little older.
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
        """The quotes of all turns that belong to one wake-up; each book takes its next turn."""
        turns, rng = self._turns, self._rng
        quotes = []
        for at, book in turns[wake]:  # grows meanwhile: a busy book has several turns
            # Even rhythms: a gap that the service would take for staleness never comes by chance.
            after = at + book.gap_s * (0.6 + 0.8 * rng.random())
            turns[int(after * _WAKES_PER_S)].append((after, book))
            if quote := book.quote(int(origin_ms + at * 1000), rng.getrandbits(16)):
                quotes.append(quote)
        del turns[wake]
        return quotes

    async def history(self, symbol: str, interval_s: int, limit: int) -> list[Bar]:
        """Bars of any time, the newest still open; none for an unknown symbol."""
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
    """The usual seconds between two updates of each, the fewer the more is traded; all together make the rate."""
    eager = [_BUSIEST_PER_S * (instrument.turnover / _BUSIEST_TURNOVER) ** 0.6 for instrument in instruments]
    count = len(instruments)
    rate = rate or sum(eager) + count / _LONGEST_GAP_S
    least = min(1 / _LONGEST_GAP_S, rate / count / 2)
    share = (rate - least * count) / sum(eager)
    return [1 / (least + share * times) for times in eager]


def _sizes(magnitude: int, decimals: int, lot: int) -> list[str]:
    """Sizes of 64 orders, about sqrt(10)**magnitude."""
    rng = random.Random(f"sizes {magnitude}")
    sizes = [10 ** (magnitude / 2) * rng.lognormvariate(0, 0.9) for _ in range(64)]
    if lot:
        return [str(max(1, round(size / lot)) * lot) for size in sizes]
    return [f"{max(size, 10**-decimals):.{decimals}f}" for size in sizes]


ADAPTER = Adapter(
    "sim",
    "a seeded market that needs no network",
    SimulateOptions,
    SimulatedFeed,
    Offer(kind="simulated", fields=DECIMAL_FIELDS, bars_s=(1, 60, 300, 900, 3600, 14_400, 86_400)),
)
