"""What comes from another service, checked: nothing else may reach the store, and from there the readers' frames.

Decimals are passed on as the text that they are, so it must be that of a JSON number. Fields that are not known here
are left out: the other service may be a newer one.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping

from ticker.model import DECIMAL_FIELDS, FEED_FIELDS, SYMBOL, VENUE_SYMBOL, Value
from ticker.record import PLACES

_DECIMALS = frozenset(DECIMAL_FIELDS)
_INTEGERS = frozenset({"ts", "decimals", "since"})
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")

SLICE = 500
"""How many records are checked in one turn of the loop, which takes about 5 ms."""
Row = Mapping[str, object]
"""A symbol's fields, or a feed's, as they were decoded: decimals are text, but those without a point are integers."""


class NotARecordError(ValueError):
    """What came is not a record of the protocol."""


def check_records(
    quotes: Iterable[tuple[str, Row]], feeds: Mapping[str, Row], add: Callable[[str, dict[str, Value]], object]
) -> Iterator[None]:
    """Check what a frame carries, and add each record by its key in the store, pausing after each slice.

    Raises:
        NotARecordError: something in it is not what the protocol says.
    """
    for number, (symbol, row) in enumerate(quotes, 1):
        check_symbols((symbol,))
        add(symbol, _quote(row))
        if not number % SLICE:
            yield
    for name, row in feeds.items():
        if not VENUE_SYMBOL.fullmatch(f"{name}:A"):
            raise NotARecordError(f"{reprlib.repr(name)} is not the name of a feed")
        add(f"@{name}", {field: _other(field, value) for field, value in row.items() if field in FEED_FIELDS})


def check_symbols(names: Iterable[str]) -> None:
    """Check that these can be symbols.

    Raises:
        NotARecordError: one cannot.
    """
    for name in names:
        if not (SYMBOL.fullmatch(name) or VENUE_SYMBOL.fullmatch(name)):
            raise NotARecordError(f"{reprlib.repr(name)} is not a symbol")


def _quote(row: Row) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for name, value in row.items():
        if name in _DECIMALS:
            values[name] = _decimal(value)
        elif name in PLACES:
            values[name] = _other(name, value)
    return values


def _decimal(value: object) -> Value:
    text = str(value) if type(value) is int else value
    if text is None or (type(text) is str and _NUMBER.fullmatch(text)):
        return text
    raise NotARecordError(f"a field cannot be {reprlib.repr(value)}")


def _other(name: str, value: object) -> Value:
    """A time or a count, of 64 bits at most, or a text."""
    if value is None:
        return None
    if name in _INTEGERS:
        if type(value) is int and -(2**63) <= value < 2**63:
            return value
    elif type(value) is str:
        return value
    raise NotARecordError(f"a field cannot be {reprlib.repr(value)}")
