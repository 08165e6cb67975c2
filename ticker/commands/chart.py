"""Candlesticks as text, a column each, to half a line, with volume, and scales of round prices and times."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import click

from ticker.model import Bar

_CELLS = {
    (0, 0): " ", (0, 1): "╷", (1, 0): "╵", (1, 1): "│", (0, 2): "╻", (2, 0): "╹", (2, 2): "┃",
    (1, 2): "╽", (2, 1): "╿",
}  # fmt: skip
"""Characters by what the upper and the lower half of a cell show: 0 nothing, 1 wick, 2 body."""
_BLOCKS = " ▁▂▃▄▅▆▇█"
_VOLUME_LINES = 3
_TALL = 16
"""Least height of a chart with volume."""
_TICK_LINES, _TICK_COLUMNS = 4, 10
"""Least distance between two labels of a scale."""
_SPANS_S = (
    1, 5, 15, 30, 60, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
    2_592_000,
)  # fmt: skip
"""Steps of the time scale."""

Paint = Callable[..., str]
"""`click.style`, or a function that returns the text unstyled."""


def chart(symbol: str, interval: str, rows: list[list[Any]], width: int, height: int, *, color: bool) -> str:
    """Draw bars, oldest first; the oldest are left out if they do not fit.

    Args:
        symbol: for the title.
        interval: for the title.
        rows: bars in the form of `/api/candles`.
        width: of the terminal.
        height: of the terminal.
        color: whether to use colours, for rising and falling.
    """
    known = [row for row in rows if row[4] is not None]
    if not known:
        return f"{symbol}: no bars yet"
    digits = max(len(str(cell).partition(".")[2]) for row in known for cell in row[1:5])
    labels = max(len(f"{float(cell):.{digits}f}") for row in known for cell in row[2:4])
    known = known[-max(1, width - labels - 2) :]
    bars = [_bar(row) for row in known]

    def paint(text: str, **style: Any) -> str:
        return click.style(text, **style) if color and text.strip() else text

    with_volume = height >= _TALL and any(bar.volume for bar in bars)
    plot = max(4, height - 3 - with_volume * _VOLUME_LINES)
    lines = [_title(symbol, interval, bars, digits, width), *_price_lines(bars, plot, digits, labels, paint)]
    if with_volume:
        lines += _volume_lines(bars, paint)
    lines += [paint(line, dim=True) for line in _times([bar.t for bar in bars])]
    return "\n".join(line.rstrip() for line in lines)


def _price_lines(bars: Sequence[Bar], count: int, digits: int, labels: int, paint: Paint) -> Iterator[str]:
    """The candles, and their scale with labels of `labels` characters."""
    scale = Scale.of(bars, count)
    columns = [_candle(bar, scale) for bar in bars]
    ticks = {scale.line(value): f"┤{value:>{labels}.{digits}f}" for value in scale.ticks(digits)}
    last = bars[-1]
    for y in range(count):
        drawn = "".join(paint(column[y], fg=_hue(bar)) for column, bar in zip(columns, bars, strict=True))
        if y == scale.line(last.close):
            yield drawn + paint(f"┤{last.close:>{labels}.{digits}f}", fg=_hue(last), bold=True)
        else:
            yield drawn + paint(ticks.get(y, "│"), dim=True)


def _volume_lines(bars: Sequence[Bar], paint: Paint) -> Iterator[str]:
    most = max(bar.volume or 0.0 for bar in bars)
    for y in range(_VOLUME_LINES):
        drawn = "".join(paint(_block(bar.volume, most, y), fg=_hue(bar), dim=True) for bar in bars)
        yield drawn + paint("┤volume" if y == _VOLUME_LINES - 1 else "│", dim=True)


class Scale(NamedTuple):
    """Converts prices to lines.

    Attributes:
        top: the price at the upper edge.
        step: the price range of half a line.
        lines: the number of lines.
    """

    top: float
    step: float
    lines: int

    @classmethod
    def of(cls, bars: Sequence[Bar], lines: int) -> Scale:
        """The scale that fits these bars."""
        top = max(bar.high for bar in bars)
        return cls(top, (top - min(bar.low for bar in bars)) / (lines * 2) or top / 1000 or 1.0, lines)

    def half(self, price: float) -> int:
        """The half line of a price, counted from the top."""
        return min(self.lines * 2 - 1, int((self.top - price) / self.step))

    def line(self, price: float) -> int:
        """The line of a price, counted from the top."""
        return self.half(price) // 2

    def ticks(self, digits: int) -> list[float]:
        """Round prices with at most `digits` decimals, far enough apart for labels."""
        least = max(self.step * 2 * _TICK_LINES, 10.0**-digits)
        size = 10.0 ** math.floor(math.log10(least))
        span = next(size * factor for factor in (1, 2, 5, 10, 20) if size * factor >= least * 0.999)
        bottom, highest = self.top - self.step * 2 * self.lines, math.floor(self.top / span) * span
        values = (highest - i * span for i in range(self.lines))
        return [value for value in values if value > bottom]


def _bar(row: list[Any]) -> Bar:
    """A bar from its row of `/api/candles`, where numbers are text."""
    opened, high, low, close = map(float, row[1:5])
    return Bar(row[0], opened, high, low, close, None if row[5] is None else float(row[5]))


def _hue(bar: Bar) -> str:
    return "green" if bar.close >= bar.open else "red"


def _title(symbol: str, interval: str, bars: Sequence[Bar], digits: int, width: int) -> str:
    close, high, low = bars[-1].close, max(bar.high for bar in bars), min(bar.low for bar in bars)
    change = (close / bars[0].open - 1) * 100
    words = [
        f"{symbol} {interval}  {close:.{digits}f}  {change:+.2f}% over {len(bars)} bars",
        f"high {high:.{digits}f}  low {low:.{digits}f}",
    ]
    whole = "  ".join(words)
    return whole if len(whole) <= width else words[0][:width]


def _candle(bar: Bar, scale: Scale) -> list[str]:
    opened, high, low, close = (scale.half(price) for price in bar[1:5])
    body = range(min(opened, close), max(opened, close) + 1)

    def half(y: int) -> int:
        return 2 if y in body else 1 if high <= y <= low else 0

    return [_CELLS[half(2 * y), half(2 * y + 1)] for y in range(scale.lines)]


def _block(volume: float | None, most: float, y: int) -> str:
    """The cell of a volume in line `y`, counted from the top."""
    eighths = math.ceil((volume or 0.0) / most * _VOLUME_LINES * 8) - (_VOLUME_LINES - 1 - y) * 8
    return _BLOCKS[max(0, min(8, eighths))]


def _times(times: Sequence[int]) -> tuple[str, str]:
    """The time axis and its labels: round times in UTC, and the date at midnight."""
    bar_s = (times[-1] - times[0]) / 1000 / max(1, len(times) - 1) or 60.0
    span_s = next((span for span in _SPANS_S if span >= bar_s * _TICK_COLUMNS), _SPANS_S[-1])
    axis, labels = ["─"] * len(times) + ["┘"], ""
    for x, time_ms in enumerate(times):
        if time_ms % (span_s * 1000) == 0 or len(times) == 1:
            at = datetime.fromtimestamp(time_ms / 1000, UTC)
            day = time_ms % 86_400_000 == 0
            text = f"{at:%d %b}" if day else f"{at:%H:%M:%S}" if span_s < 60 else f"{at:%H:%M}"
            start = max(0, min(x - len(text) // 2, len(times) - len(text)))
            if start >= len(labels) + (2 if labels else 0):
                axis[x] = "┴"
                labels = f"{labels:<{start}}{text}"
    return "".join(axis), f"{labels:<{len(times)}} UTC"
