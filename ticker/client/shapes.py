"""What the commands and `get` rely on in an answer, so that one of another kind is an error in words. Pure.

A shape is a function of a value; a list of one shape, that of every item; or a dict: of `str` to the shape of every
value, or of names to the shapes of the members that there must be. What has no shape may be anything: readers ignore
members that they do not know.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ticker.model import FIELDS

Shape = Any

LONGEST_NUMBER = 200
"""Characters of a number; exchanges need a quarter of them."""
LAST_MS = 253_402_300_800_000
"""The beginning of the year 10000, which no date has."""


def fits(value: object, shape: Shape) -> bool:
    """Whether a value from JSON has a shape."""
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(item, shape[0]) for item in value)
    if not isinstance(shape, dict):
        return bool(shape(value))
    if not isinstance(value, dict):
        return False
    if str in shape:
        return all(fits(item, shape[str]) for item in value.values())
    return all(member in value and fits(value[member], inner) for member, inner in shape.items())


def text(value: object) -> bool:
    """A text."""
    return isinstance(value, str)


def name(value: object) -> bool:
    """A text that stands in a line of a message."""
    return isinstance(value, str) and value.isprintable()


def whole(value: object) -> bool:
    """A whole number."""
    return type(value) is int


def moment(value: object) -> bool:
    """Milliseconds since 1970 UTC, of a date that can be written."""
    return isinstance(value, int) and 0 <= value < LAST_MS


def number(value: object) -> bool:
    """A finite number, or the text of one."""
    if type(value) not in {int, float, str} or len(str(value)) > LONGEST_NUMBER:
        return False
    try:
        return math.isfinite(float(value))  # type: ignore[arg-type]  # one of the three
    except (ValueError, OverflowError):
        return False


def price(value: object) -> bool:
    """A number above zero."""
    return number(value) and float(value) > 0  # type: ignore[arg-type]  # a number


def size(value: object) -> bool:
    """A number that is not negative."""
    return number(value) and float(value) >= 0  # type: ignore[arg-type]  # a number


def record(value: object) -> bool:
    """A quote, whose known fields have no parts."""
    return isinstance(value, dict) and not any(
        isinstance(part, dict | list) and field in FIELDS for field, part in value.items()
    )


def maybe(shape: Shape) -> Callable[[object], bool]:
    """The shape, or None."""
    return lambda value: value is None or fits(value, shape)
