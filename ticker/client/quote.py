"""What a view hands out: quotes, changes and frames, as values that never change again.

A number is kept as it came, exact text or float, and becomes a `Decimal` or `float` only when it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Generic, NamedTuple, Self, TypeVar, overload

from ticker.errors import did_you_mean
from ticker.model import DECIMAL_FIELDS, FIELDS

Number = TypeVar("Number", bound=Decimal | float)
Raw = str | int | float | None
Record = dict[str, Raw]

PRICES = frozenset(DECIMAL_FIELDS)
"""The fields that are prices, sizes or percentages."""


class _Price(Generic[Number]):
    """A number of a quote; None where the record has none."""

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
    """One symbol's record at one moment; the fields are those of the protocol.

    None means "not known", also for a field that was not asked for.
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
        """A number by its field's name; KeyError if no field that is a number has it."""
        if field not in PRICES:
            raise KeyError(f"no number '{field}'{did_you_mean(field, PRICES)}")
        return self.number(field)

    def number(self, field: str) -> Number | None:
        """What a field holds, as a number."""
        raw = self._record.get(field)
        return None if raw is None else self._make(raw)

    @property
    def ts(self) -> int | None:
        """When the exchange made the price, ms since 1970 UTC; where it does not say, when the price arrived."""
        return self._int("ts")

    @property
    def decimals(self) -> int | None:
        """Digits after the point that the symbol is quoted at."""
        return self._int("decimals")

    @property
    def state(self) -> str | None:
        """`live`, `stale`, `halted`, `closed` or `down`, as the service judges."""
        return self._text("state")

    @property
    def source(self) -> str | None:
        """The venue that the price comes from."""
        return self._text("source")

    @property
    def name(self) -> str | None:
        """The instrument's name for people."""
        return self._text("name")

    @property
    def mid(self) -> Number | None:
        """Half-way between bid and ask, for a symbol that has no `last`."""
        bid: Any = self.bid
        ask: Any = self.ask
        return None if bid is None or ask is None else (bid + ask) / 2

    @property
    def raw(self) -> Mapping[str, Raw]:
        """The fields as they came: numbers as exact text (or floats, in a view of floats)."""
        return self._record

    def row(self) -> dict[str, Any]:
        """`symbol` and the fields that came, in the protocol's order: a row of a table."""
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
    """What happened to one symbol since this loop heard of it last, however much that was.

    Attributes:
        quote: the symbol's record now; of a symbol that is gone nothing is known any more, every field is None.
        fields: the names of the fields that changed.
        version: the service's version that the quote is of.
        time: the service's clock then, ms since 1970 UTC.
        snapshot: the record was sent whole: at the start, after the service restarted, or after a gap.
        gone: the symbol exists no more.
    """

    symbol: str
    quote: Quote[Number]
    fields: tuple[str, ...]
    version: int
    time: int
    snapshot: bool
    gone: bool = False


class Frame(Generic[Number]):
    """One step of a view, from one version to another: what changed, all of it at once.

    Iterating gives a `Change` for each symbol. Their quotes are those of `version` as long as the loop does not wait;
    in a blocking view always.

    Attributes:
        version, time: as in `Change`.
        snapshot: it replaces everything before it.
        deltas: by symbol, the fields that changed as they came; None for a record sent whole, an empty one for a
            symbol that is gone.
    """

    __slots__ = ("_make", "_records", "deltas", "snapshot", "time", "version")

    def __init__(
        self,
        version: int,
        time: int,
        *,
        snapshot: bool,
        deltas: Mapping[str, Record | None],
        records: Mapping[str, Record],
        make: Callable[[str | float], Number],
    ) -> None:
        self.version = version
        self.time = time
        self.snapshot = snapshot
        self.deltas = deltas
        self._records = records
        self._make: Callable[[str | float], Number] = make

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
