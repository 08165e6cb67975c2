"""A price as a pure function of seed, name and time: the random walk of the simulated market.

Times can be asked for in any order, and no answer depends on earlier ones; the highest and lowest point of any span
are exact. There is no clock and no stored past.

It is a Brownian path by midpoint displacement: a span of time is halved by displacing its middle, and so on down to a
grain of 250 ms. Displacements ("bends") add noises shared by a market or a currency and one of the symbol's own, so
that symbols move together; a "mood" makes hours quiet or busy.
"""

from __future__ import annotations

import functools
import hashlib
import heapq
import itertools
import math
import random
import struct
from collections.abc import Iterable

from feeds.sim.instruments import Instrument

GRAIN_MS = 250
"""How long a price stays the same. Times called `first`, `last`, `end` or `grain` are wall time divided by this."""
DAY = 86_400_000 // GRAIN_MS
"""A day in grains."""
_TOP, _MOOD_TOP, _CELL = 24, 16, 12
"""Levels; a span of level n is 2**n grains. Moods vary below 4.6 h; a *cell* is 1024 s."""
_SWING = tuple(math.sqrt((1 << min(level, 20)) / DAY) / 2 for level in range(_TOP + 2))
"""By level: the usual bend of a span's middle, in daily standard deviations. Beyond 3 days it is constant, so that
prices stay near their anchors."""
_FARTHEST = (2 + math.sqrt(2)) * 2 / 3
"""A path leaves the chord of a span by at most this many of its largest bends: those of finer spans shrink by sqrt(2)
per level, and their sum peaks at a third of the span (the maximum of the Takagi-Landsberg function)."""
_MOOD_STEP = 0.16


class Noise:
    """All randomness of one seed, in tables; each name and level reads them from a place of its own."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(f"noise {seed}")
        self._seed = seed
        self.mask = (1 << 13) - 1
        self.bells = [max(-3.0, min(rng.gauss(0.0, 1.0), 3.0)) for _ in range(self.mask + 1)]
        self.signs = rng.choices((-1.0, 1.0), k=self.mask + 1)
        self.bursts = [_burst(rng) for _ in range(8)]
        self._mood = self.places("mood")
        self.moods = functools.lru_cache(maxsize=1024)(self._moods)

    def places(self, name: str) -> tuple[int, ...]:
        """Where this name starts reading a table, by level."""
        count = _TOP + 2
        return struct.unpack(
            f"<{count}H", hashlib.blake2b(f"{self._seed}/{name}".encode(), digest_size=2 * count).digest()
        )

    def strip(self, table: list[float], start: int, count: int) -> list[float]:
        """`count` numbers of a table, wrapping around at its end."""
        start &= self.mask
        found = table[start : start + count]
        while len(found) < count:
            found += table[: count - len(found)]
        return found

    def _moods(self, level: int, first: int, count: int) -> tuple[float, ...]:
        """The moods (factors of volatility) of some spans of a level; their square is 1 on average."""
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
    """How trading may spread over a cell, with busy half minutes and seconds: the share done until each second."""
    count = (GRAIN_MS << _CELL) // 1000
    lively = [0.3 + rng.expovariate(1.0) for _ in range(count // 32)]
    done = list(itertools.accumulate(lively[i // 32] * (0.2 + rng.expovariate(1.0) ** 2) for i in range(count)))
    return [0.0, *(part / done[-1] for part in done)]


class Path:
    """One instrument's price at any time, as the logarithm of price over anchor, and its traded volume."""

    def __init__(self, noise: Noise, instrument: Instrument) -> None:
        self._noise = noise
        self._voices = [(noise.places(name), weight) for name, weight in instrument.voices.items()]
        loudest = sum(abs(weight) for _, weight in self._voices)
        self._reaches = [_FARTHEST * loudest * swing for swing in _SWING[: _CELL + 1]]
        self._trade = noise.places(f"trade of {instrument.symbol}")[0]
        self._known: tuple[int, list[float]] = (0, [])

    def grains(self, first: int, end: int) -> list[float]:
        """The path at each grain from `first` up to, but not including, `end`."""
        found: list[float] = []
        for cell in range(first >> _CELL, ((end - 1) >> _CELL) + 1):
            start = cell << _CELL
            last = min(end - 1, start + (1 << _CELL) - 1)
            found += self._halve(self._cells(cell, cell + 1), cell, _CELL, 0, max(first, start), last)
        return found

    def peak(self, first: int, last: int, sign: int, known: tuple[float, int] | None = None) -> tuple[float, int]:
        """The highest (`sign` 1) or lowest (-1) value from `first` to `last`, and its grain; `known` if that is beyond.

        Exact, although it looks at only about a hundred of a day's 345,600 grains: a branch-and-bound search that
        always splits the span with the best bound, until no bound is beyond the best value found.
        """
        signs, mask = self._noise.signs, self._noise.mask
        # A heap pops the least value, so signs are turned to make the peak a minimum.
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
        """The cells that may hold values below `best`, as a heap."""
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
        """The volume traded from one grain to another, in average days."""
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
        # `peak` relies on signs being bounded; above the cells, where it sees every point, bells look better.
        table = self._noise.bells if level > _CELL else self._noise.signs
        (places, weight), *others = self._voices
        bends = [weight * number for number in self._noise.strip(table, places[level] + first, count)]
        for places, weight in others:
            numbers = self._noise.strip(table, places[level] + first, count)
            bends = [bend + weight * number for bend, number in zip(bends, numbers, strict=True)]
        return bends


_Span = tuple[float, int, int, float, float, float]
"""In a search: bound of its values, level, index, values at its ends, mood."""
