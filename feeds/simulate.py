"""A seeded market that needs no network: pleasant to watch, and as busy as a load test wants.

It promises: the same seed and clock give the same quotes; each price is on its tick, bid < ask, low <= last <= high;
the past that `history` tells ends in the very price that is quoted now. Stocks, too, trade around the clock here. It
never reads a clock that was not handed in, nor chance that was not seeded.

A price is a pure function of seed, symbol and time, so the past needs no memory: a Brownian path by midpoint
displacement. A span of time is halved by bending its middle, and so on down to a grain of 250 ms. Bends are noises
shared by a market or a currency, and one of the symbol's own, so symbols move together; a mood makes hours quiet or
busy. Halts and mute symbols happen to the quotes only, never to the path.
"""

from __future__ import annotations

import functools
import hashlib
import heapq
import itertools
import math
import random
import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from feeds.base import Adapter, Context, Sink
from feeds.instruments import Instrument, choose
from ticker.model import Bar, Quote, Value

GRAIN_MS = 250
"""A price stands still for so long. Times called `first`, `last`, `end`, `grain` are wall time over this."""
DAY = 86_400_000 // GRAIN_MS
"""A day in grains."""
_TOP, _MOOD_TOP, _CELL, _BLOCK = 24, 16, 12, 6
"""Levels; a span of level n is 2**n grains. Moods vary below 4.6 h; a *cell* is 1024 s, a *block* 16 s."""
_SWING = tuple(math.sqrt((1 << min(level, 22)) / DAY) / 2 for level in range(_TOP + 2))
"""By level: the usual bend of a span's middle, in standard deviations of a day. Beyond 12 days it grows no more, so
that prices stay near their anchors."""
_FARTHEST = (2 + math.sqrt(2)) * 2 / 3
"""A path leaves the chord of a span by no more than so many greatest bends: those of the finer spans shrink with
sqrt(2), and together they reach farthest at a third of the way (the maximum of the Takagi-Landsberg function)."""
_MOOD_STEP = 0.16

_SPREADS = (0.5, 0.7, 0.85, 1.0, 1.0, 1.15, 1.4, 2.0)
_BUSIEST_PER_S, _BUSIEST_TURNOVER = 6.0, 1.8e9
_LONGEST_GAP_S = 40.0
_RENEW_EVERY = 30_000 // GRAIN_MS
_WAKES_PER_S = 50
_CATCH_UP_S = 0.1
_SLICE = 25


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


class Noise:
    """All chance of one seed, in tables: each name and level reads them from a place of its own."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(f"noise {seed}")
        self._seed = seed
        self.mask = (1 << 14) - 1
        self.bells = [max(-3.0, min(rng.gauss(0.0, 1.0), 3.0)) for _ in range(self.mask + 1)]
        self.signs = rng.choices((-1.0, 1.0), k=self.mask + 1)
        self.bursts = [_burst(rng) for _ in range(8)]
        self._mood = self.places("mood")
        self.moods = functools.lru_cache(maxsize=1024)(self._moods)

    def places(self, name: str) -> tuple[int, ...]:
        """Where this name reads a table, by level."""
        count = _TOP + 2
        return struct.unpack(
            f"<{count}H", hashlib.blake2b(f"{self._seed}/{name}".encode(), digest_size=2 * count).digest()
        )

    def strip(self, table: list[float], start: int, count: int) -> list[float]:
        """So many numbers of a table, around its end if need be."""
        start &= self.mask
        found = table[start : start + count]
        while len(found) < count:
            found += table[: count - len(found)]
        return found

    def _moods(self, level: int, first: int, count: int) -> tuple[float, ...]:
        """How lively some spans of a level are; the square is 1 on average."""
        if level > _MOOD_TOP:
            return (1.0,) * count
        start = first >> 1
        above = self.moods(level + 1, start, ((first + count + 1) >> 1) - start)
        signs = self.strip(self.signs, self._mood[level] + first, count)
        norm = math.hypot(1.0, _MOOD_STEP)
        return tuple(
            above[(index >> 1) - start] * (1 + _MOOD_STEP * sign) / norm for index, sign in enumerate(signs, first)
        )


def _burst(rng: random.Random) -> list[float]:
    """How a cell's trade may spread over it, by half minutes and by seconds: the part done until each second."""
    count = (GRAIN_MS << _CELL) // 1000
    lively = [0.3 + rng.expovariate(1.0) for _ in range(count // 32)]
    done = list(itertools.accumulate(lively[i // 32] * (0.2 + rng.expovariate(1.0) ** 2) for i in range(count)))
    return [0.0, *(part / done[-1] for part in done)]


class Path:
    """One instrument's price at any time, as the logarithm of price over anchor, and its trade."""

    def __init__(self, noise: Noise, instrument: Instrument) -> None:
        self._noise = noise
        self._voices = [(noise.places(name), weight) for name, weight in instrument.voices.items()]
        loudest = sum(abs(weight) for _, weight in self._voices)
        self._reaches = [_FARTHEST * loudest * swing for swing in _SWING[: _CELL + 1]]
        self._trade = noise.places(f"trade of {instrument.symbol}")[0]
        self._known: tuple[int, list[float]] = (0, [])

    def grains(self, first: int, end: int) -> list[float]:
        """The path at each grain from `first` up to, not including, `end`."""
        found: list[float] = []
        for cell in range(first >> _CELL, ((end - 1) >> _CELL) + 1):
            start = cell << _CELL
            last = min(end - 1, start + (1 << _CELL) - 1)
            found += self._halve(self._cells(cell, cell + 1), cell, _CELL, 0, max(first, start), last)
        return found

    def peak(self, first: int, last: int, sign: int, known: tuple[float, int] | None = None) -> tuple[float, int]:
        """The highest (`sign` 1) or lowest (-1) value from `first` to `last`, and its grain; `known` if that is more.

        Exact, though of the 345,600 grains of a day it looks at a hundred: always into the span that could lead
        farthest, until none could lead beyond the best so far.
        """
        signs, mask = self._noise.signs, self._noise.mask
        # A heap pops the least, so values are turned until the peak is a minimum.
        best, best_at = (-sign * known[0], known[1]) if known else (math.inf, first)
        cells = range(first >> _CELL, (last >> _CELL) + 1)
        ends = [-sign * value for value in self._cells(cells.start, cells.stop)]
        inside = ends[cells.start << _CELL < first : len(ends) - (cells.stop << _CELL > last)]
        if inside and (value := min(inside)) < best:
            best, best_at = value, (cells.start + ends.index(value)) << _CELL
        spans = self._spans(cells, ends, best)
        while spans and spans[0][0] < best:
            _, level, index, left, right, mood = heapq.heappop(spans)
            bend = 0.0
            for places, weight in self._voices:
                bend += weight * signs[(places[level] + index) & mask]
            middle = (left + right) * 0.5 - sign * (_SWING[level] * mood * bend)
            level -= 1
            index *= 2
            at = (index + 1) << level
            if middle < best and first <= at <= last:
                best, best_at = middle, at
            if level:
                reach = self._reaches[level] * mood
                if (bound := min(left, middle) - reach) < best and at > first:
                    heapq.heappush(spans, (bound, level, index, left, middle, mood))
                if (bound := min(middle, right) - reach) < best and at < last:
                    heapq.heappush(spans, (bound, level, index + 1, middle, right, mood))
        return -sign * best, best_at

    def _spans(self, cells: range, ends: list[float], best: float) -> list[_Span]:
        """The cells that may lead below `best`, as a heap."""
        moods = self._noise.moods(_CELL, cells.start, len(cells))
        reach = self._reaches[_CELL]
        limit = best + reach * max(moods)
        found = [
            (min(left, right) - reach * mood, _CELL, cell, left, right, mood)
            for cell, left, right, mood in zip(cells, ends, ends[1:], moods, strict=False)
            if left < limit or right < limit
        ]
        heapq.heapify(found)
        return found

    def traded(self, first: int, end: int) -> float:
        """What is traded from one grain to another, in average days."""
        start, count = first >> _CELL, (end >> _CELL) - (first >> _CELL) + 1
        moods = self._noise.moods(_CELL, start, count)
        bells = self._noise.strip(self._noise.bells, self._trade + start, count)
        # The factor is 1 on average, by its mean and deviation.
        cells = [(mood * (0.9 + 0.436 * bell)) ** 2 for mood, bell in zip(moods, bells, strict=True)]
        outside = self._done(first) * cells[0] + (1 - self._done(end)) * cells[-1]
        return (sum(cells) - outside) * (1 << _CELL) / DAY

    def _done(self, grain: int) -> float:
        """The part of its cell's trade that is done at a grain."""
        burst = self._noise.bursts[(self._trade + (grain >> _CELL)) & 7]
        return burst[(grain & ((1 << _CELL) - 1)) * GRAIN_MS // 1000]

    def _cells(self, first: int, last: int) -> list[float]:
        """The path where cells meet; the stretch that was wanted last is remembered."""
        start, known = self._known
        if not start <= first <= last < start + len(known):
            depth = _TOP - _CELL
            top, count = first >> depth, -(-last >> depth) - (first >> depth) + 1
            values = [math.sqrt(2) * _SWING[_TOP + 1] * bend for bend in self._bends(_TOP + 1, top, count)]
            start, known = self._known = first, self._halve(values, top, _TOP, _CELL, first, last)
        return known[first - start : last - start + 1]

    def _halve(self, values: list[float], index: int, level: int, target: int, first: int, last: int) -> list[float]:
        """Halve the spans of a level, `index` being the first, down to another level: its points `first` to `last`."""
        if len(values) == 2:
            values, index, level = self._narrow(values, index, level, target, first, last)
        while level > target:
            count = len(values) - 1
            moods: Iterable[float]
            if level > _CELL:
                moods = self._noise.moods(level, index, count)
            else:
                moods = itertools.repeat(self._noise.moods(_CELL, index >> (_CELL - level), 1)[0])
            swing, bends = _SWING[level], self._bends(level, index, count)
            finer = [0.0] * (2 * count + 1)
            finer[::2] = values
            finer[1::2] = [
                (left + right) * 0.5 + swing * mood * bend
                for left, right, mood, bend in zip(values, values[1:], moods, bends, strict=False)
            ]
            level -= 1
            start, end = first >> (level - target), -(-last >> (level - target))
            values, index = finer[start - 2 * index : end - 2 * index + 1], start
        return values[first - index : last - index + 1]

    def _narrow(
        self, values: list[float], index: int, level: int, target: int, first: int, last: int
    ) -> tuple[list[float], int, int]:
        """Halve one span as long as a half holds all that is wanted. The same as `_halve` step by step, but cheaper."""
        left, right = values
        mask = self._noise.mask
        mood = 1.0
        while level > target:
            half = (2 * index + 1) << (level - 1 - target)
            if first < half < last:
                break
            if level >= _CELL:
                mood = self._noise.moods(level, index, 1)[0]
            table = self._noise.bells if level > _CELL else self._noise.signs
            bend = 0.0
            for places, weight in self._voices:
                bend += weight * table[(places[level] + index) & mask]
            middle = (left + right) * 0.5 + _SWING[level] * mood * bend
            level -= 1
            index *= 2
            if last <= half:
                right = middle
            else:
                left = middle
                index += 1
        return [left, right], index, level

    def _bends(self, level: int, first: int, count: int) -> list[float]:
        # Signs are bounded, which `peak` lives on; above the cells, where it sees every point, bells look better.
        table = self._noise.bells if level > _CELL else self._noise.signs
        (places, weight), *others = self._voices
        bends = [weight * number for number in self._noise.strip(table, places[level] + first, count)]
        for places, weight in others:
            numbers = self._noise.strip(table, places[level] + first, count)
            bends = [bend + weight * number for bend, number in zip(bends, numbers, strict=True)]
        return bends


_Span = tuple[float, int, int, float, float, float]
"""In a search: least value it may lead to, level, index, values of its ends, mood."""


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
        self._fault_until_ms = 0

    def greet(self, at_ms: int, draw: int) -> Quote:
        """A quote with every field."""
        self._fault, self._grain, self._renew_at = "", -1, -1
        quote = self.quote(at_ms, draw)
        assert quote is not None
        self._renew_at -= _RENEW_EVERY * draw >> 16  # so that not all books renew their figures at once
        quote.values.update(state="live", decimals=self._instrument.decimals, name=self._instrument.name)
        return quote

    def disturb(self, fault: str, until_ms: int) -> None:
        """Halt (`halted`) or say nothing (`mute`) until then, unless something is wrong already."""
        if not self._fault:
            self._fault, self._fault_until_ms = fault, until_ms

    def quote(self, at_ms: int, draw: int) -> Quote | None:
        """What an update says at this time, by 16 random bits: the fields that change; None from a mute book."""
        values: dict[str, Value] = {}
        if self._fault:
            if at_ms < self._fault_until_ms:
                return Quote(self.symbol, {"state": "halted"}, at_ms) if self._fault == "halted" else None
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
        return Quote(self.symbol, values, at_ms)

    def bar(self, first: int, end: int) -> Bar:
        """The candle of the grains from `first` up to, not including, `end`."""
        if end - first <= 1 << _CELL:
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
                    self._rng.choice(self._frail).disturb(fault.name, until_ms)
            wakes = range(done, int(now * _WAKES_PER_S))
            if quotes := [quote for wake in wakes for quote in self._due(wake, now_ms - now * 1000)]:
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


ADAPTER = Adapter("sim", "a seeded market that needs no network", SimulateOptions, SimulatedFeed)
