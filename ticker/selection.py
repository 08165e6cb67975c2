"""What one reader wants, as a value: patterns and fields.

A pattern is a symbol in which `*` stands for any run of characters except `:`; see `model.pattern_matches`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ticker.errors import PatternError, did_you_mean
from ticker.model import FIELDS

MAX_PATTERN_LENGTH = 80
MAX_STARS = 2
ALL_FIELDS = (1 << len(FIELDS)) - 1
"""The mask of every field; bit i stands for `FIELDS[i]`."""

_PATTERN = re.compile(r"[A-Za-z0-9._^:*-]+")
_FIELD_BIT = {name: 1 << i for i, name in enumerate(FIELDS)}


def check_pattern(text: str) -> None:
    """Check a pattern or a symbol as given by a reader.

    Raises:
        PatternError: too long, an impossible character, or too many `*` or `:`; the message says which.
    """
    if not text:
        raise PatternError("an empty pattern selects nothing; use '*' for everything")
    if len(text) > MAX_PATTERN_LENGTH:
        raise PatternError(f"a pattern has at most {MAX_PATTERN_LENGTH} characters")
    if not _PATTERN.fullmatch(text):
        raise PatternError("a pattern may contain only letters, digits and . _ ^ : * -; a pair is BTC-USD")
    if text.count("*") > MAX_STARS:
        raise PatternError("at most two '*' in a pattern")
    if text.count(":") > 1:
        raise PatternError("at most one ':' in a pattern, between venue and symbol")


def check_patterns(texts: Iterable[str]) -> None:
    """Check several patterns.

    Raises:
        PatternError: as `check_pattern`, naming the first malformed one.
    """
    for text in texts:
        try:
            check_pattern(text)
        except PatternError as error:
            raise PatternError(f"{text[:MAX_PATTERN_LENGTH]!r}: {error}") from None


def field_mask(names: Iterable[str] | None) -> int:
    """The bit mask of some fields; None means all.

    Raises:
        PatternError: an unknown field; the message suggests the nearest name.
    """
    if names is None:
        return ALL_FIELDS
    mask = 0
    for name in names:
        if name not in _FIELD_BIT:
            raise PatternError(f"no field '{name}'{did_you_mean(name, FIELDS)}", "unknown_field")
        mask |= _FIELD_BIT[name]
    if not mask:
        raise PatternError("give at least one field, or leave out 'fields' for all of them")
    return mask


@dataclass(frozen=True, slots=True)
class Selection:
    """Patterns and fields of one reader, in canonical form: equal selections are equal values.

    Attributes:
        patterns: sorted, unique, checked.
        mask: which fields, as bits.
    """

    patterns: tuple[str, ...] = ()
    mask: int = ALL_FIELDS

    @classmethod
    def of(cls, patterns: Iterable[str], fields: Iterable[str] | None = None) -> Selection:
        """Build one from unchecked patterns and field names.

        Raises:
            PatternError: one of them is malformed.
        """
        unique = sorted(set(patterns))
        check_patterns(unique)
        return cls(tuple(unique), field_mask(fields))

    @property
    def fields(self) -> tuple[str, ...] | None:
        """The field names in table order; None for all."""
        if self.mask == ALL_FIELDS:
            return None
        return tuple(name for name, bit in _FIELD_BIT.items() if self.mask & bit)

    @property
    def digest(self) -> str:
        """SEL of the cursor: 16 hex digits, the same in every process and every run."""
        text = "\n".join((*self.patterns, "", *(self.fields or FIELDS)))
        return hashlib.sha256(text.encode()).hexdigest()[:16]
