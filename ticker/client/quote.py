"""Quotes, changes and frames, as a view hands them out.

A number is kept as it came, as exact text or a float, and becomes a `Decimal` or `float` only when it is read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, NamedTuple, Self, TypeVar, overload

from ticker.errors import UnreachableError, did_you_mean
from ticker.model import DECIMAL_FIELDS, FIELDS

Number = TypeVar("Number", bound=Decimal | float)
Raw = str | int | float | None
Record = dict[str, Raw]

PRICES = frozenset(DECIMAL_FIELDS)
"""The fields that are prices, sizes or percentages."""
MOST_DIGITS = 100
"""Before the point of a number, or after it; exchanges have half of it."""


class _Price(Generic[Number]):
    """A numeric field of a quote; None if it is not known."""

    __slots__ = ("_name",)

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, quote: None, owner: type) -> Self: ...
    @overload
    def __get__(self, quote: Quote[Any], owner: type) -> Number | None: ...
    def __get__(self, quote: Quote[Any] | None, owner: type) -> Self | Number | None:
        return self if quote is None else quote.number(self._name)


class Quote(Generic[Number]):
    """One symbol's record at one moment, with the fields of the protocol.

    None means "not known", and is also the value of fields that were not requested.
    """

    __slots__ = ("_make", "_record", "symbol")

    last: _Price[Number] = _Price()
    bid: _Price[Number] = _Price()
    ask: _Price[Number] = _Price()
    bid_size: _Price[Number] = _Price()
    ask_size: _Price[Number] = _Price()
    open: _Price[Number] = _Price()
    high: _Price[Number] = _Price()
    low: _Price[Number] = _Price()
    volume: _Price[Number] = _Price()
    quote_volume: _Price[Number] = _Price()
    change_pct: _Price[Number] = _Price()

    def __init__(self, symbol: str, record: Mapping[str, Raw], make: Callable[[str | float], Number]) -> None:
        self.symbol = symbol
        self._record = record
        self._make: Callable[[str | float], Number] = make

    def __getitem__(self, field: str) -> Number | None:
        """A numeric field by name; KeyError if there is no such field."""
        if field not in PRICES:
            raise KeyError(f"no numeric field '{field}'{did_you_mean(field, PRICES)}")
        return self.number(field)

    def number(self, field: str) -> Number | None:
        """A field as a number, without checking its name.

        Raises:
            UnreachableError: it is not a number, or one with so many digits that writing it would take all memory.
        """
        raw = self._record.get(field)
        if raw is None:
            return None
        try:
            number = self._make(raw)
            if isinstance(number, Decimal):
                sane = number.is_finite() and -MOST_DIGITS < number.adjusted() < MOST_DIGITS
            else:
                sane = math.isfinite(number)
        except (ArithmeticError, TypeError, ValueError):
            sane = False
        if not sane:
            raise UnreachableError(f"the service sent something that is not a number as '{field}'")
        return number

    @property
    def ts(self) -> int | None:
        """The exchange's time of the price, ms since 1970 UTC; its time of arrival if the exchange gives none."""
        return self._int("ts")

    @property
    def decimals(self) -> int | None:
        """Digits after the decimal point in the symbol's prices."""
        return self._int("decimals")

    @property
    def state(self) -> str | None:
        """`live`, `stale`, `halted`, `closed` or `down`, as judged by the service."""
        return self._text("state")

    @property
    def source(self) -> str | None:
        """The venue that the price comes from."""
        return self._text("source")

    @property
    def name(self) -> str | None:
        """The instrument's human-readable name."""
        return self._text("name")

    @property
    def mid(self) -> Number | None:
        """The mean of bid and ask, for a symbol without `last`."""
        bid: Any = self.bid
        ask: Any = self.ask
        return None if bid is None or ask is None else (bid + ask) / 2

    @property
    def raw(self) -> Mapping[str, Raw]:
        """The fields as they came: numbers as exact text, or as floats with `exact=False`."""
        return self._record

    def row(self) -> dict[str, Any]:
        """A table row: `symbol` and the fields that came, in the protocol's order."""
        row: dict[str, Any] = {"symbol": self.symbol}
        for name in FIELDS:
            if name in self._record:
                raw = self._record[name]
                row[name] = self[name] if name in PRICES else raw
        return row

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quote) and (self.symbol, self._record) == (other.symbol, other._record)

    def __hash__(self) -> int:
        return hash(self.symbol)  # the same fields may have come in another order

    def __repr__(self) -> str:
        return f"Quote({', '.join(f'{name}={value}' for name, value in self.row().items())})"

    def _int(self, name: str) -> int | None:
        value = self._record.get(name)
        return value if isinstance(value, int) else None

    def _text(self, name: str) -> str | None:
        value = self._record.get(name)
        return value if isinstance(value, str) else None


class Change(NamedTuple, Generic[Number]):
    """All that changed in one symbol since this loop last saw it.

    Attributes:
        quote: the current quote; of a symbol that is gone, every field is None.
        fields: the names of the fields that changed.
        version: the service's version that the quote belongs to.
        time: the service's clock at that version, ms since 1970 UTC.
        snapshot: the whole record was sent: at the start, after a restart of the service, or after a gap.
        gone: the symbol no longer exists.
    """

    symbol: str
    quote: Quote[Number]
    fields: tuple[str, ...]
    version: int
    time: int
    snapshot: bool
    gone: bool = False


@dataclass(eq=False, repr=False, slots=True)
class Frame(Generic[Number]):
    """All that changed in a view from one version to another.

    Iterating yields a `Change` for each symbol. In a blocking view their quotes are always those of `version`; in an
    asyncio view, until the loop awaits something.

    Attributes:
        version, time: as in `Change`.
        snapshot: whether it replaces everything before it.
        deltas: by symbol, the fields that changed, as they came; None for a whole record, empty for a symbol that is
            gone.
    """

    version: int
    time: int
    snapshot: bool
    deltas: Mapping[str, Record | None]
    _records: Mapping[str, Record]
    _make: Callable[[str | float], Number]

    def __len__(self) -> int:
        return len(self.deltas)

    def __iter__(self) -> Iterator[Change[Number]]:
        for symbol, delta in self.deltas.items():
            yield self._change(symbol, delta)

    def _change(self, symbol: str, delta: Record | None) -> Change[Number]:
        record = self._records.get(symbol)
        if record is None:
            nothing = Quote(symbol, {}, self._make)
            return Change(symbol, nothing, (), self.version, self.time, snapshot=False, gone=True)
        quote = Quote(symbol, record.copy(), self._make)
        fields = tuple(record if delta is None else delta)
        return Change(symbol, quote, fields, self.version, self.time, snapshot=delta is None)
