"""The change since the day before where a venue does not tell it: of the last price and what it is compared to.

In percent, four decimals, half-even: `(last / reference − 1) × 100`. Pure but for what it remembers of each symbol.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from feeds.decimals import decimal_text
from ticker.model import Value


class Day(NamedTuple):
    """How a symbol stands."""

    last: Value = None
    reference: Value = None
    change: Value = None


class DayChanges:
    """The changes of one feed's symbols.

    Args:
        reference: the name among a row's values of what the last price is compared to.
        most: how many symbols are remembered.
    """

    def __init__(self, reference: str, most: int) -> None:
        self._reference = reference
        self._most = most
        self._days: dict[str, Day] = {}

    def complete(self, symbol: str, values: dict[str, Value]) -> None:
        """Put `change_pct` beside a new last price or reference, unless the venue has; other values tell nothing of it.

        What is only a reference and no field of a quote is taken out.
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
        """It is gone."""
        self._days.pop(symbol, None)


def change_pct(last: Value, reference: Value) -> str | None:
    """The change in percent; None where one of the two prices is missing, or they are beyond all comparison."""
    if not isinstance(last, str) or not isinstance(reference, str):
        return None
    try:
        return decimal_text(f"{(Decimal(last) / Decimal(reference) - 1) * 100:.4f}")
    except ValueError:
        return None
