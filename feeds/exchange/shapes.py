"""How most exchanges write prices and lists: JSON objects with names of their own for the same fields.

A `Shape` maps the fields of a price, an `Index` those of an instrument list; both are data and can read what they
describe, without validating numbers (`rows` does that). A price that lacks a field is a row of unknown shape, so that
a renamed field is noticed at once and does not silently become "no price". Numbers keep the text in which they were
sent. Pure; mentions no exchange.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from feeds.decimals import decimal_text
from feeds.exchange.venue import Listing, Row

T = TypeVar("T")

UNREADABLE = "?"
"""The wire name of a row that does not name its instrument; no exchange uses it."""

# A number with a point or an exponent stays text, any other becomes an int: neither loses a digit.
_VALUE = msgspec.json.Decoder(float_hook=str)
_OBJECT = msgspec.json.Decoder(dict[str, Any], float_hook=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Which of an exchange's fields holds each part of a `Row`.

    Attributes:
        wire: its field with the instrument's name; None: rows do not name it.
        fields: its field for each of ours.
        optional: the same for fields that it may leave out; ours then keep their last value.
        fraction: its field with the 24 h change as a fraction of one, which becomes our `change_pct`.
        time: its field with the time of the price; a row may lack it.
        seq: its field with the sequence number.
    """

    wire: str | None
    fields: Mapping[str, str]
    optional: Mapping[str, str] = field(default_factory=dict)
    fraction: str | None = None
    time: str | None = None
    seq: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Our fields that its rows can have."""
        return (*self.fields, *self.optional, *(("change_pct",) if self.fraction else ()))

    def row(self, sent: Any) -> Row:
        """The row of a JSON value; its `raw` is None if the value has another shape."""
        if not isinstance(sent, dict):
            return Row(UNREADABLE, None)
        wire = (text_of(sent.get(self.wire)) or UNREADABLE) if self.wire else ""
        try:
            # Nearly all are text already: testing here instead of in `text_of` saves a third of the time.
            texts = {
                ours: value if isinstance(value := sent[theirs], str) else text_of(value)
                for ours, theirs in self.fields.items()
            }
            for ours, theirs in self.optional.items():
                if theirs in sent:
                    texts[ours] = text_of(sent[theirs])
            if self.fraction:
                texts["change_pct"] = percent_of(text_of(sent[self.fraction]))
            time = text_of(sent.get(self.time)) if self.time else None
            seq = int(sent[self.seq]) if self.seq else None
        except (KeyError, TypeError, ValueError):
            return Row(wire, None)
        return Row(wire, texts, time, seq)

    def rows(self, sent: Iterable[Any]) -> list[Row]:
        """The rows of a list, one per entry."""
        return [self.row(entry) for entry in sent]


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Which of an exchange's fields holds each part of a `Listing`.

    Attributes:
        wire, base, quote: its fields with the name and the two currencies.
        status: its field with the market's state; an entry without the field is open.
        open: that field's value for a market that is open for trading.
        halted: its values for a market that is halted for now; entries with any other value are not listed.
        tick: the path to the tick size; in a list it leads through the entry that has the next field.
        digits: alternatively, its field with the digits after the point of a price.
        name: its field with a name for people; an entry may lack it.
    """

    wire: str
    base: str
    quote: str
    status: str
    open: str | bool
    tick: tuple[str, ...] = ()
    halted: tuple[str | bool, ...] = ()
    digits: str | None = None
    name: str | None = None

    def listings(self, sent: Iterable[Any]) -> list[Listing]:
        """The open and halted markets of a list; entries of another shape are left out."""
        return [listing for entry in sent if (listing := self.listing(entry))]

    def listing(self, entry: Any) -> Listing | None:
        """The listing of one entry, if its market is open or halted."""
        if not isinstance(entry, dict):
            return None
        wire, base, quote = (text_of(entry.get(name)) for name in (self.wire, self.base, self.quote))
        if not (wire and base and quote):
            return None
        status = entry.get(self.status, self.open)
        if status != self.open and status not in self.halted:
            return None
        state = None if status == self.open else "halted"
        decimals = digits_at(entry, self.digits) if self.digits else tick_decimals(text_at(entry, *self.tick))
        name = text_at(entry, self.name) if self.name else None
        return Listing(f"{base}-{quote}", (wire,), decimals, name or None, state)


def decode_json(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode an answer's body into the adapter's own type.

    Some servers print NaN and Infinity, which is not JSON: these are read as text, so that they cost their row and
    not the whole answer. Half of a surrogate pair, as in a name cut within an emoji, is read as `?`.

    Raises:
        ValueError: not UTF-8, not JSON, or not of the adapter's type.
    """
    text = body.decode()  # checks all of it: msgspec checks only the parts that become str
    try:
        try:
            return decoder.decode(text)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            # Floats become text as well, which keeps their digits; `text_of` reads either.
            loose = json.loads(text, parse_constant=str, parse_float=str)
            return decoder.decode(json.dumps(loose, ensure_ascii=False).encode(errors="replace"))
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error


def read(body: bytes) -> Any:
    """The JSON value of a body; raises ValueError like `decode_json`."""
    return decode_json(body, _VALUE)


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a body; raises ValueError for any other value, too."""
    return decode_json(body, _OBJECT)


def write(value: Any) -> str:
    """A value as JSON text."""
    return msgspec.json.encode(value).decode()


def at(value: Any, *path: str | int) -> Any:
    """The value at a path of names and indices; None if there is none.

    In a list, a name leads through the first entry that has it.
    """
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
            continue
        if isinstance(value, list):
            value = next((entry for entry in value if isinstance(entry, dict) and step in entry), None)
        value = value.get(step) if isinstance(value, dict) else None
    return value


def text_at(value: Any, *path: str | int) -> str:
    """The text at a path, or a number's digits; empty if there is none."""
    return text_of(at(value, *path)) or ""


def list_at(value: Any, *path: str | int) -> list[Any]:
    """The list at a path; raises ValueError if there is none."""
    found = at(value, *path)
    if not isinstance(found, list):  # not a TypeError: like `read`, it means that the body has another shape
        raise ValueError(f"no list at {'.'.join(map(str, path)) or 'the top'}")
    return found


def text_of(value: Any) -> str | None:
    """The text of a JSON value; that of true, lists and objects never parses as a number."""
    return value if value is None or isinstance(value, str) else str(value)


def tick_decimals(tick: str) -> int | None:
    """Digits after the point of prices in steps of `tick`: 2 for `0.01000000`, 0 for `5`; None if it is not valid."""
    try:
        whole, _, fraction = decimal_text(tick).partition(".")
    except ValueError:
        return None
    fraction = fraction.rstrip("0")
    return len(fraction) if fraction or whole.strip("0") else None


def digits_at(value: Any, *path: str | int) -> int | None:
    """The number of decimals, 0 to 30, at a path; None if there is none."""
    digits = at(value, *path)
    return digits if type(digits) is int and digits in range(31) else None


def percent_of(fraction: str | None) -> str | None:
    """`0.0196` as `1.96`, exactly; text that is not a number comes back unchanged, to be rejected with its row."""
    if not fraction:
        return None
    try:
        return f"{Decimal(f'{decimal_text(fraction)}e2'):f}"
    except ValueError:
        return fraction
