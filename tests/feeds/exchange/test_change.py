"""The change since the day before, for venues that do not send it."""

from __future__ import annotations

import pytest

from feeds.exchange.change import DayChanges, change_pct
from ticker.model import Value


@pytest.mark.parametrize(
    ("last", "reference", "change"),
    [
        ("110", "100", "10.0000"), ("1", "3", "-66.6667"), ("100.0000", "100", "0.0000"),
        ("99.99999999", "100", "0.0000"),
        ("100.00005", "100", "0.0000"), ("100.00015", "100", "0.0002"), (None, "1", None), ("1", None, None),
        ("9" * 20, "0." + "1" * 30, None), ("0." + "1" * 30, "9" * 20, "-100.0000"),
    ],
)  # fmt: skip
def test_the_change_has_four_decimals_rounded_half_even(last: Value, reference: Value, change: str | None) -> None:
    """Zero has no sign; there is no change if a price is missing or the result is absurd.

    Seen: a price of twenty digits beside one far below a cent made a change that is none, which stopped the feed for
    good as a bug. Absurd prices cost their change, no more.
    """
    assert change_pct(last, reference) == change


def told(days: DayChanges, **values: Value) -> dict[str, Value]:
    days.complete("k:A", values)
    return values


def test_the_change_is_sent_with_a_new_last_price_or_reference() -> None:
    """A new last price or a new reference brings a new change; other values bring none."""
    days = DayChanges("open", 10)
    assert told(days, last="110") == {"last": "110"}
    assert told(days, open="100") == {"open": "100", "change_pct": "10.0000"}
    assert told(days, bid="1") == {"bid": "1"}
    assert told(days, last="120") == {"last": "120", "change_pct": "20.0000"}
    assert told(days, open=None) == {"open": None, "change_pct": None}


def test_the_venues_own_change_takes_precedence() -> None:
    """A change that the venue sends is left as it is; its previous close does not become a field of the quote."""
    days = DayChanges("previous_close", 10)
    assert told(days, last="2", open="8", previous_close="4", change_pct="-49") == {
        "last": "2", "open": "8", "change_pct": "-49",
    }  # fmt: skip
    assert told(days, last="3") == {"last": "3", "change_pct": "-25.0000"}
    days.forget("k:A")
    assert told(days, last="3") == {"last": "3"}


def test_symbols_beyond_the_limit_are_not_remembered() -> None:
    """Beyond the limit nothing is kept: the change is computed only if one row has both prices."""
    days = DayChanges("open", 0)
    assert told(days, last="2", open="1") == {"last": "2", "open": "1", "change_pct": "100.0000"}
    assert told(days, last="3") == {"last": "3"}
