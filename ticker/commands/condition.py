"""The condition that `ticker alert` waits for, on one symbol, and when it fires. No I/O."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from ticker.client.quote import PRICES, Quote
from ticker.errors import did_you_mean

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip
_LEVEL = re.compile(r"([A-Za-z0-9._^:-]+)(?:\s+([a-z_]+))?\s*(>=|<=|>|<)\s*(-?\d{1,20}(?:\.\d{1,20})?)")
_STALE = re.compile(r"([A-Za-z0-9._^:-]+)\s+stale")


class Condition(NamedTuple):
    """`BTC-USD > 100000`, `BTC-USD change_pct <= -5`, or `BTC-USD stale`.

    Attributes:
        field: the field to compare, None for the price: last, or the mid if there is none.
        sign: one of `> >= < <=`; or `stale`, true for a quote that is stale, down, or unknown for lack of current data.
    """

    symbol: str
    field: str | None
    sign: str
    level: Decimal

    @classmethod
    def of(cls, text: str) -> Condition:
        """Parse a condition.

        Raises:
            ValueError: it is malformed; the message shows how to write one.
        """
        text = text.strip()
        if match := _STALE.fullmatch(text):
            return cls(match[1], None, "stale", Decimal(0))
        match = _LEVEL.fullmatch(text)
        if match is None:
            raise ValueError(f"'{text}' is not a condition; write 'BTC-USD > 100000' or 'BTC-USD stale'")
        if match[2] is not None and match[2] not in PRICES:
            raise ValueError(f"no numeric field '{match[2]}'{did_you_mean(match[2], PRICES)}")
        return cls(match[1], match[2], match[3], Decimal(match[4]))

    def said(self, value: str) -> str:
        """The condition with the value that made it true, for people."""
        return f"is {value}" if self.sign == "stale" else f"{self.field or 'price'} {value} {self.sign} {self.level}"


@dataclass
class Trigger:
    """Fires once each time a condition becomes true.

    Attributes:
        slack: the hysteresis: how far the value must go back from the level before the trigger can fire again.
        armed: whether it can fire.
    """

    condition: Condition
    slack: Decimal
    armed: bool = True

    def fires(self, quote: Quote[Decimal] | None) -> bool:
        """Whether this quote makes it fire; None means that prices are stale for lack of current data."""
        sign = self.condition.sign
        if sign == "stale":
            true = quote is None or quote.state in {"stale", "down"}
            back = not true
        elif quote is None:
            return False
        else:
            value = self.value(quote)
            if value is None:
                return False
            true = _COMPARE[sign](value, self.condition.level)
            beyond = self.condition.level + (-self.slack if sign[0] == ">" else self.slack)
            back = not true and (value <= beyond if sign[0] == ">" else value >= beyond)
        fired = self.armed and true
        self.armed = back or (self.armed and not true)
        return fired

    def value(self, quote: Quote[Decimal]) -> Decimal | None:
        """The value to compare."""
        field = self.condition.field
        if field is not None:
            return quote[field]
        return quote.last if quote.last is not None else quote.mid

    def shown(self, quote: Quote[Decimal] | None) -> str:
        """The value that made it fire, as text for people and commands."""
        if quote is None:
            return "unreachable"
        return str(quote.state if self.condition.sign == "stale" else self.value(quote))


def slack(text: str, level: Decimal) -> Decimal:
    """Parse a trigger's slack, `50` or `0.5%` of the level; ValueError if it is malformed."""
    match = re.fullmatch(r"(\d{1,20}(?:\.\d{1,20})?)(%?)", text.strip())
    if match is None:
        raise ValueError(f"--hysteresis: '{text}' is not an amount; write 50 or 0.5%")
    return Decimal(match[1]) * (abs(level) / 100 if match[2] else 1)
