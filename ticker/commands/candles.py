"""`ticker candles`: a symbol's recent bars, as a chart in the terminal or as data."""

from __future__ import annotations

import os
import shutil
import sys
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import click

from ticker.client import shapes
from ticker.commands import options
from ticker.commands.chart import chart
from ticker.commands.output import csv_lines, dumb, json_number, json_text
from ticker.commands.rest import fetch
from ticker.model import BAR_LENGTHS_MS
from ticker.selection import check_patterns

_HEADS = ("time", "open", "high", "low", "close", "volume", "flags")


@click.command()
@click.argument("symbol")
@click.option(
    "--interval", type=click.Choice(list(BAR_LENGTHS_MS)), default="1m", show_default=True, help="Length of a bar."
)
@click.option("--limit", type=click.IntRange(1, 1440), metavar="N", help="Number of bars.  [what fits; 500 as data]")
@options.formats
@options.service
def candles(symbol: str, interval: str, limit: int | None, form: str | None, url: str | None) -> None:
    """Chart a symbol's recent bars.

    Prints CSV if standard output is not a terminal. Flags of a bar: o still open, g data missing, v from the venue.
    """
    check_patterns([symbol])
    drawn = form is None and sys.stdout.isatty()
    width, height = shutil.get_terminal_size()
    bars = limit or (max(10, width - 8) if drawn else 500)
    path = f"/api/candles/{quote(symbol, safe=':')}?interval={interval}&limit={bars}"
    rows = fetch(url, path, {"bars": [_is_bar]})["bars"]
    if drawn:
        color = not (os.environ.get("NO_COLOR") or dumb())
        click.echo(chart(symbol, interval, rows, width, height - 1, color=color), color=color)
    elif form == "json":
        sys.stdout.writelines(f"{_json(row)}\n" for row in rows)
    else:
        sys.stdout.write(csv_lines([_HEADS, *([_time(row[0]), *row[1:]] for row in rows)]))


def _is_bar(row: object) -> bool:
    """Whether this is `[t, open, high, low, close, volume, flags]`; prices may be missing, all together."""
    match row:
        case [t, *prices, volume, str()] if len(prices) == 4 and shapes.moment(t):
            known = all(map(shapes.price, prices)) or prices == [None] * 4
            return known and (volume is None or shapes.size(volume))
    return False


def _time(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _json(row: list[Any]) -> str:
    numbers = (f'"{head}":{json_number(cell)}' for head, cell in zip(_HEADS[1:6], row[1:6], strict=True))
    return f'{{"time":"{_time(row[0])}",{",".join(numbers)},"flags":{json_text(row[6])}}}'
