"""Candles as text: a column each, half a line exact."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

_BARS = {
    (0, 0): " ", (0, 1): "╷", (1, 0): "╵", (1, 1): "│", (0, 2): "╻", (2, 0): "╹", (2, 2): "┃",
    (1, 2): "╽", (2, 1): "╿",
}  # fmt: skip
"""By what is in the upper and the lower half of a cell: 0 nothing, 1 wick, 2 body."""


def chart(symbol: str, interval: str, rows: list[list[Any]], width: int, height: int, *, color: bool) -> str:
    """Draw bars, oldest first; what does not fit is left out at the left.

    Args:
        symbol: for the title.
        interval: for the title.
        rows: as `/api/candles` gives them.
        width: of the terminal.
        height: of the terminal.
        color: whether to tell rising from falling by colour.
    """
    known = [row for row in rows if row[4] is not None]
    if not known:
        return f"{symbol}: no bars yet"
    axis = max(len(str(cell)) for row in known for cell in row[2:4])
    known = known[-max(1, width - axis - 2) :]
    prices = [[float(cell) for cell in row[1:5]] for row in known]
    top, bottom = max(p[1] for p in prices), min(p[2] for p in prices)
    plot = max(4, height - 3)
    step = (top - bottom) / (plot * 2) or 1.0
    columns = [_column(p, top, step, plot, color=color) for p in prices]
    labels = {0: known[_at(prices, top, 1)][2], plot - 1: known[_at(prices, bottom, 2)][3]}
    lines = [_title(symbol, interval, known)]
    lines += [f"{labels.get(y, '')!s:>{axis}} {''.join(column[y] for column in columns)}" for y in range(plot)]
    first, last = (f"{datetime.fromtimestamp(row[0] / 1000, UTC):%m-%d %H:%M}" for row in (known[0], known[-1]))
    gap = len(known) - len(first) - len(last) - len(" UTC")
    lines.append(f"{'':>{axis}} {first}{' ' * gap}{last} UTC" if gap > 0 else f"{'':>{axis}} {last} UTC")
    return "\n".join(lines)


def _title(symbol: str, interval: str, rows: list[list[Any]]) -> str:
    first, last = float(rows[0][1]), float(rows[-1][4])
    return f"{symbol} {interval}  {rows[-1][4]}  {(last / first - 1) * 100:+.2f}% over {len(rows)} bars"


def _at(prices: list[list[float]], value: float, index: int) -> int:
    return next(i for i, price in enumerate(prices) if price[index] == value)


def _column(price: list[float], top: float, step: float, plot: int, *, color: bool) -> list[str]:
    opened, high, low, close = (min(plot * 2 - 1, int((top - value) / step)) for value in price)
    body = range(min(opened, close), max(opened, close) + 1)

    def half(y: int) -> int:
        return 2 if y in body else 1 if high <= y <= low else 0

    cells = [_BARS[half(2 * y), half(2 * y + 1)] for y in range(plot)]
    if not color:
        return cells
    hue = "green" if price[3] >= price[0] else "red"
    return [cell if cell == " " else click.style(cell, fg=hue) for cell in cells]
