"""Values as lines of exact text: JSON, CSV or columns.

Whatever a service sends, the output controls no terminal, is valid JSON where it should be, and has no formulas.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ticker.client.quote import Quote, Raw
from ticker.harmless import escape, safe
from ticker.model import FIELDS, NUMBER_FIELDS

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def json_line(symbol: str, record: Mapping[str, Raw], fields: Sequence[str] = FIELDS) -> str:
    """A record as a JSON object; numbers keep the exchange's own text."""
    members = [f'"symbol":{json_text(symbol)}']
    for name in fields:
        if name in record:
            value = record[name]
            members.append(f'"{name}":{json_number(value) if name in NUMBER_FIELDS else json_text(value)}')
    return f"{{{','.join(members)}}}"


def json_text(value: Any) -> str:
    """A value as JSON; in ASCII if it has characters that a terminal might obey."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)


def json_number(value: Any) -> str:
    """The exact text of a number; anything else as JSON."""
    return value if isinstance(value, str) and _NUMBER.fullmatch(value) else json_text(value)


def csv_lines(rows: Iterable[Iterable[Any]]) -> str:
    """Rows as CSV; None is an empty cell."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(map(_cell, row) for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    return safe(escape(value)) if isinstance(value, str) and not _NUMBER.fullmatch(value) else value


def csv_row(symbol: str, record: Mapping[str, Raw], fields: Sequence[str]) -> list[Raw]:
    """A record as a row: its symbol, then its fields."""
    return [symbol, *(record.get(name) for name in fields)]


def text_line(quote: Quote[Any], fields: Sequence[str] | None, time_ms: int) -> str:
    """A quote for people: time, symbol, and its prices or the requested fields.

    Fields that have not changed since the cursor it was resumed from are missing in it, and left out: a dash would
    mean that they are not known.
    """
    raw = quote.raw
    parts = [f"{clock_text(quote.ts or time_ms)}  {plain(quote.symbol):<14}"]
    if fields is not None:
        parts += [f"{name} {plain(raw[name])}" for name in fields if name in raw]
    else:
        parts.append(f"{price_text(quote) if 'last' in raw else '':>14}")
        parts += [f"{name} {plain(raw[name])}" for name in ("bid", "ask") if name in raw]
        if quote.change_pct is not None:
            parts.append(f"{quote.change_pct:+.2f}%")
        if quote.state not in {None, "live"}:
            parts.append(plain(quote.state))
    return "  ".join(parts)


def columns(rows: Sequence[Sequence[str]], right: Iterable[int] = ()) -> str:
    """Rows in columns; those in `right` are right-aligned."""
    ends = set(right)
    rows = [[escape(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = (
        "  ".join(
            cell.rjust(w) if i in ends else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)


def print_table(
    form: str | None, heads: Sequence[str], rows: Sequence[Sequence[Any]], objects: Iterable[Mapping[str, Any]]
) -> None:
    """Print the objects as JSON lines, or heads and rows as CSV or in columns."""
    if form == "json":
        sys.stdout.writelines(f"{json_text(entry)}\n" for entry in objects)
    elif form == "csv":
        sys.stdout.write(csv_lines([heads, *rows]))
    else:
        numbers = [i for i, head in enumerate(heads) if head in {"decimals", "symbols", "updates/s", "errors"}]
        sys.stdout.write(columns([list(heads), *([plain(cell) for cell in row] for row in rows)], numbers))


def price_text(quote: Quote[Any]) -> str:
    """The last price; the mid, marked by `~`, where there is none."""
    if quote.last is not None:
        return plain(quote.raw["last"])
    return "–" if quote.mid is None else f"~{quote.mid:f}"


def plain(value: Raw) -> str:
    """A value as text, None as a dash."""
    return "–" if value is None else escape(str(value))


def clock_text(time_ms: int) -> str:
    """The UTC time of day, to the millisecond; any number is valid."""
    seconds, millis = divmod(time_ms % 86_400_000, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{millis:03}"


def age_text(age_ms: int) -> str:
    """How long ago, in the largest unit that fits."""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000)):
        if age_ms >= size:
            return f"{age_ms // size} {unit}"
    return f"{max(0, age_ms) // 1000} s"


def dumb() -> bool:
    """Whether `TERM` says that the terminal has neither colours nor cursor movement."""
    return os.environ.get("TERM", "").lower() in {"dumb", "unknown"}
