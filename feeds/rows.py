"""From an exchange's raw texts to a quote's values: the one place where they are validated.

An adapter only finds the texts in an answer and gives them our field names. Here they become decimal text of the
model, by `decimals`, or are left out, with the reason under which the caller counts it. A bad value costs its field, a
bad bid or ask costs both, a bad row costs itself. Pure: no clock, no I/O, nothing specific to an exchange.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache

from feeds.decimals import percent, price, size
from ticker.model import Value

FUTURE_MS = 60_000
"""A row dated further than this ahead of our clock is rejected."""

_PARSERS: dict[str, Callable[[str | None], str | None]] = {
    **dict.fromkeys(("last", "bid", "ask", "open", "high", "low"), price),
    **dict.fromkeys(("bid_size", "ask_size", "volume", "quote_volume"), size),
    "change_pct": percent,
    "previous_close": price,
}
PRICES = ("last", "bid", "ask")
_PAIR, _SIZES = {"bid", "ask"}, ("bid_size", "ask_size")
_FRACTION = r"(?:\.[0-9]{1,30}+)?+"
_DECIMAL = rf"(?:0|[1-9][0-9]{{0,19}}+){_FRACTION}"
_PLAIN: dict[object, str] = {
    price: rf"(?:[1-9][0-9]{{0,19}}+{_FRACTION}|0\.(?!0*+\n)[0-9]{{1,30}}+)",  # not zero
    percent: rf"(?:-(?!0[.0]*+\n))?{_DECIMAL}",
}


def good_values(raw: Mapping[str, str | None], crossed: str) -> tuple[dict[str, Value] | None, str | None]:
    """The valid values of a raw row (None if it has prices but none is valid), and why others were left out.

    A row may be partial: a field that is absent from `raw` keeps its last value. None, empty and zero prices mean "no
    price" and clear the field. A value that is not a valid number is left out, so the last good one stays. If the bid
    is left out, so is the ask, and vice versa: a pair from two different moments might cross. A row that only says
    that there is neither bid nor ask is valid.

    Args:
        raw: the exchange's texts by our names of prices, sizes and `change_pct`; other names are a bug.
        crossed: `reject` leaves bid and ask out when bid > ask (`last` still counts), `keep` takes them.
    """
    if _is_plain(raw):
        values: dict[str, Value] = dict(raw)
        if crossed == "keep" or not _is_crossed(values):
            return values, None
    values, reason = {}, None
    for field, text in raw.items():
        try:
            values[field] = _PARSERS[field](text)
        except ValueError:
            reason = "price"
    if crossed != "keep" and _is_crossed(values):
        reason = "crossed"
        del values["bid"]
    if raw.keys() & _PAIR - values.keys():
        for field in (*_PAIR, *_SIZES):  # a size belongs to its price
            values.pop(field, None)
    priceless = not any(values.get(field) for field in PRICES)
    if priceless and ("last" in raw or any(raw.get(side) for side in _PAIR)):  # an empty book alone is no fault
        return None, reason
    return values, reason


def all_plain(fields: tuple[str, ...], rows: Sequence[tuple[str, ...]], crossed: str) -> bool:
    """Whether `good_values` would take all these rows as they are. One match for all costs half of one for each.

    Args:
        fields: the names of a row's texts; each row has one more text at its end, which is not a value.
        rows: their texts.
        crossed: as in `good_values`. A row whose bid equals its ask, or nearly, may count as not plain.
    """
    text = "\n".join([*map("\n".join, rows), ""])
    if text.count("\n") != len(rows) * (len(fields) + 1) or not _plain_rows(fields).fullmatch(text):
        return False
    if crossed == "keep" or not {"bid", "ask"} <= set(fields):
        return True
    bids, asks = (map(float, map(operator.itemgetter(fields.index(side)), rows)) for side in ("bid", "ask"))
    return not any(map(operator.ge, bids, asks))


def _is_plain(raw: Mapping[str, str | None]) -> bool:
    """Whether all texts are plain decimals that need no rewriting, as in nearly every row.

    One match for all of them costs a tenth of one for each. It rules out a price of zero and a zero with a sign.
    """
    try:
        texts = "\n".join((*raw.values(), ""))  # type: ignore[arg-type]
    except TypeError:  # there is a None
        return False
    return bool(_plain(tuple(raw)).fullmatch(texts))


@lru_cache(maxsize=1000)
def _plain(fields: tuple[str, ...]) -> re.Pattern[str]:
    """Matches plain decimals, one line for each of these fields."""
    return re.compile("".join(f"{_PLAIN.get(_PARSERS[field], _DECIMAL)}\n" for field in fields))


@lru_cache(maxsize=1000)
def _plain_rows(fields: tuple[str, ...]) -> re.Pattern[str]:
    """The same for many rows, each followed by a line of anything."""
    return re.compile(rf"(?:{_plain(fields).pattern}[^\n]*+\n)*+")


def _is_crossed(values: Mapping[str, Value]) -> bool:
    bid, ask = values.get("bid"), values.get("ask")
    if not isinstance(bid, str) or not isinstance(ask, str):
        return False
    point = bid.find(".")
    if bid <= ask and point == ask.find(".") and (point > 0 or len(bid) == len(ask)):
        return False  # with equally many digits before the point, text compares like numbers
    return Decimal(bid) > Decimal(ask)


def digits_of(values: Mapping[str, Value]) -> int:
    """Digits after the point of the most precise of a quote's prices; -1 if it has none."""
    texts = (values.get(name) for name in PRICES)
    return max((len(text.partition(".")[2]) for text in texts if isinstance(text, str)), default=-1)
