"""The order book and the 24 h figures of one instrument of the simulated market, read off its path."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from feeds.sim.instruments import Instrument
from feeds.sim.wander import DAY, GRAIN_MS, Path
from ticker.model import Bar, Quote, Value

_BLOCK = 6
"""Level of the span of prices that a book looks up at once: 16 s."""
_SPREADS = (0.5, 0.7, 0.85, 1.0, 1.0, 1.15, 1.4, 2.0)  # multiples of the instrument's usual spread
_RENEW_EVERY = 30_000 // GRAIN_MS  # grains between updates of the 24 h figures
_SHORT = 500  # grains; in a longer bar a search for the peaks is cheaper than all prices


class Book:
    """The order book and 24 h figures of one instrument at the simulated exchange.

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
        # Prices here are whole numbers in units of the last decimal: exact, and quick to format.
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
        """Be `halted` or `mute` for this time, unless another fault is active."""
        if not self._fault:
            self._fault, self._fault_ms = fault, times_ms

    def quote(self, at_ms: int, draw: int) -> Quote | None:
        """The update at this time, from 16 random bits: the fields that change; None if the book is mute.

        Each has a sequence number, since time goes back when the clock is set.
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
        """The bar of the grains from `first` up to, but not including, `end`."""
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
        """Move to another grain, and add the fields that change to `values`."""
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
        # In whole ten-thousandths of a percent: `round` rounds exact halves to even, `%` need not.
        values["change_pct"] = "%.4f" % (round((last - self._open) * 1_000_000 / self._open) / 10_000)
        if last > self._high:
            self._high, values["high"] = last, text
        if last < self._low:
            self._low, values["low"] = last, text

    def _renew(self, grain: int, last: int, values: dict[str, Value]) -> None:
        """Add the figures of the 24 hours up to a grain to `values`."""
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


def order_sizes(magnitude: int, decimals: int, lot: int) -> list[str]:
    """The sizes of 64 orders, of about sqrt(10)**magnitude."""
    rng = random.Random(f"sizes {magnitude}")
    sizes = [10 ** (magnitude / 2) * rng.lognormvariate(0, 0.9) for _ in range(64)]
    if lot:
        return [str(max(1, round(size / lot)) * lot) for size in sizes]
    return [f"{max(size, 10**-decimals):.{decimals}f}" for size in sizes]
