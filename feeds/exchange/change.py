"""The change in percent, for venues that do not send it: `(last / reference − 1) × 100`, four decimals, half-even.

The reference is the price 24 h ago or the previous close. Pure, except that it remembers each symbol's prices.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from feeds.decimals import decimal_text
from ticker.model import Value


class Day(NamedTuple):
    """One symbol's prices, and the change between them."""

    last: Value = None
    reference: Value = None
    change: Value = None


class DayChanges:
    """The changes of one feed's symbols.

    Args:
        reference: the name of the value that the last price is compared with, see `Venue.change_from`.
        most: how many symbols are remembered.
    """

    def __init__(self, reference: str, most: int) -> None:
        self._reference = reference
        self._most = most
        self._days: dict[str, Day] = {}

    def complete(self, symbol: str, values: dict[str, Value]) -> None:
        """Add `change_pct` to values with a new last price or reference, unless the venue has sent it.

        `previous_close`, which is not a field of a quote, is removed.
        """
        before = self._days.get(symbol, Day())
        last = values.get("last", before.last)
        reference = values.get(self._reference, before.reference)
        news = "last" in values or self._reference in values
        if self._reference == "previous_close":
            values.pop("previous_close", None)
        if not news:
            return
        day = before
        if (last, reference) != before[:2]:
            day = Day(last, reference, change_pct(last, reference))
            if symbol in self._days or len(self._days) < self._most:
                self._days[symbol] = day
        if reference or before.reference:
            values.setdefault("change_pct", day.change)

    def forget(self, symbol: str) -> None:
        """Forget a symbol."""
        self._days.pop(symbol, None)


def change_pct(last: Value, reference: Value) -> str | None:
    """The change in percent; None if one of the prices is missing, or the result is out of range."""
    if not isinstance(last, str) or not isinstance(reference, str):
        return None
    try:
        return decimal_text(f"{(Decimal(last) / Decimal(reference) - 1) * 100:.4f}")
    except ValueError:
        return None
