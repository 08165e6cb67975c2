"""Comma-separated values (RFC 4180), for spreadsheets and data frames.

Numbers are the exact decimal text. Text that a spreadsheet would take for a formula gets an apostrophe before it: names
come from exchanges, which must not be able to inject formulas.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from operator import attrgetter

from fastapi.responses import Response

from ticker.candles import Row
from ticker.harmless import safe
from ticker.model import FIELDS, NUMBER_FIELDS, Value
from ticker.record import Record, bits
from ticker.slices import parts

MEDIA_TYPE = "text/csv; charset=utf-8; header=present"


def quotes_table(records: Iterable[Record], mask: int) -> Iterator[bytes]:
    """One row per symbol, by name, all of one moment, a slice at a time; unknown values are empty."""
    fields = [(i, FIELDS[i] in NUMBER_FIELDS) for i in bits(mask)]
    ordered = sorted(records, key=attrgetter("key"))
    yield b""  # sorting took a turn
    now = [(record.key, tuple(record.values)) for record in ordered]
    yield _lines([["symbol", *(FIELDS[i] for i, _ in fields)]])
    for part in parts(now):
        yield _lines([safe(key), *(_cell(values[i], number=number) for i, number in fields)] for key, values in part)


def bars_table(rows: Iterable[Row], digits: int | None) -> bytes:
    """One row per bar; prices have as many decimals as the symbol is quoted in."""
    head = ["t", "open", "high", "low", "close", "volume", "flags"]
    lines = ([str(r.t), *(decimal(price, digits) for price in r[1:5]), decimal(r.volume), r.flags] for r in rows)
    return _lines([head, *lines])


def table_answer(body: bytes, headers: Mapping[str, str]) -> Response:
    """The response with a table."""
    return Response(body, 200, dict(headers) | {"Content-Type": MEDIA_TYPE})


def decimal(number: float | None, digits: int | None = None) -> str:
    """Plain decimal text, without an exponent; empty for None."""
    if number is None:
        return ""
    return f"{number:.{digits}f}" if digits is not None else f"{Decimal(str(number)):f}"


def _cell(value: Value, *, number: bool) -> str:
    if value is None:
        return ""
    return str(value) if number else safe(str(value))


def _lines(rows: Iterable[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
