"""From an exchange's raw texts to a `Quote`: the one place where numbers and times are judged.

An adapter only finds the texts in an answer and puts our field names on them. Here they become decimal text of
the model or are refused, and every refusal is counted. A bad value costs its field, a bad bid or ask the pair, a bad
row itself, never the rest of the answer. Pure: no clock, no I/O, nothing of any exchange.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TypeVar

import msgspec

from feeds.decimals import decimal_text, percent, price, size
from ticker.model import VENUE_SYMBOL, FeedStatus, Quote, Value

T = TypeVar("T")

TIME_UNITS = ("s", "ms", "us", "ns", "iso")
"""How exchanges write a moment: a number of these units since 1970 UTC, or RFC 3339 text (no zone: UTC)."""

FUTURE_MS = 60_000
"""A row that claims to be this much younger than our own clock is refused."""

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
    price: rf"(?:[1-9][0-9]{{0,19}}+{_FRACTION}|0\.(?!0*+\n)[0-9]{{1,30}}+)",  # no zero
    percent: rf"(?:-(?!0[.0]*+\n))?{_DECIMAL}",
}
_TEN_TO_MS = {"s": 3, "ms": 0, "us": -3, "ns": -6}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def make_quote(
    symbol: str,
    raw: Mapping[str, str | None],
    status: FeedStatus,
    *,
    ts: int | None = None,
    now_ms: int,
    crossed: str = "reject",
    seq: int | None = None,
    extra: Mapping[str, Value] | None = None,
) -> Quote | None:
    """The quote that a raw row says, or None where it says none; then `status.rejects` has grown by one.

    A row may be partial: a field that is absent from `raw` keeps its last value. None, empty and zero prices
    are "no price" and clear theirs. A value that is not a sane number is left out, so its last good one stays,
    and the row is counted once under `price` although the rest of it is used. With a bid its ask is left out, and
    the other way round: it would stand beside one of another moment, and might cross it. A row that brings prices
    of which none is good is refused, but not one that says that there is neither bid nor ask, and nothing of `last`.

    Args:
        symbol: the venue symbol, `alpha:BTC-USD`.
        raw: the exchange's own texts by our names of prices, sizes and `change_pct`; other names are a bug.
        status: whose `rejects` count.
        ts: the exchange's time of the row, ms since 1970 UTC.
        now_ms: our time, to refuse rows from the future.
        crossed: `reject` leaves bid and ask out when bid > ask (last stays good), `keep` believes them.
        seq: the exchange's sequence number.
        extra: fields that need no judging: `decimals`, `name`, `state`.
    """
    rejects = status.rejects
    if not VENUE_SYMBOL.fullmatch(symbol):
        rejects["symbol"] += 1
        return None
    if ts is not None and ts > now_ms + FUTURE_MS:
        rejects["timestamp"] += 1
        return None
    values, reason = good_values(raw, crossed)
    if values is None or not (values or extra):
        rejects[reason or "price"] += 1
        return None
    if reason:
        rejects[reason] += 1
    return Quote(symbol, {**values, **extra} if extra else values, ts, seq)


def good_values(raw: Mapping[str, str | None], crossed: str) -> tuple[dict[str, Value] | None, str | None]:
    """The good ones of a raw row's values, None if there are prices and none is good; and why others are left out.

    Both arguments are those of `make_quote`.
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
    if priceless and (
        "last" in raw or any(raw.get(side) for side in _PAIR)
    ):  # but that there are no orders is no fault
        return None, reason
    return values, reason


def all_plain(fields: tuple[str, ...], rows: Sequence[tuple[str, ...]], crossed: str) -> bool:
    """Whether `good_values` would take all of these rows as they are. One look at all costs half of a look at each.

    Args:
        fields: what the texts of a row are; behind them it has one more, which is no value.
        rows: their texts.
        crossed: as in `make_quote`. A row whose bid is its ask, or nearly, may count as not plain.
    """
    text = "\n".join([*map("\n".join, rows), ""])
    if text.count("\n") != len(rows) * (len(fields) + 1) or not _plain_rows(fields).fullmatch(text):
        return False
    if crossed == "keep" or not {"bid", "ask"} <= set(fields):
        return True
    bids, asks = (map(float, map(operator.itemgetter(fields.index(side)), rows)) for side in ("bid", "ask"))
    return not any(map(operator.ge, bids, asks))


def _is_plain(raw: Mapping[str, str | None]) -> bool:
    """Whether all texts are plain decimals that may stand as they are, as in nearly every row.

    One look at all of them costs a tenth of a look at each. No price is zero then, and no zero has a sign.
    """
    try:
        texts = "\n".join((*raw.values(), ""))  # type: ignore[arg-type]
    except TypeError:  # there is a None
        return False
    return bool(_plain(tuple(raw)).fullmatch(texts))


@lru_cache(maxsize=1000)
def _plain(fields: tuple[str, ...]) -> re.Pattern[str]:
    """What plain decimals look like, a line for each of these fields."""
    return re.compile("".join(f"{_PLAIN.get(_PARSERS[field], _DECIMAL)}\n" for field in fields))


@lru_cache(maxsize=1000)
def _plain_rows(fields: tuple[str, ...]) -> re.Pattern[str]:
    """The same of many rows, each with a line of anything at its end."""
    return re.compile(rf"(?:{_plain(fields).pattern}[^\n]*+\n)*+")


def _is_crossed(values: Mapping[str, Value]) -> bool:
    bid, ask = values.get("bid"), values.get("ask")
    if not isinstance(bid, str) or not isinstance(ask, str):
        return False
    point = bid.find(".")
    if bid <= ask and point == ask.find(".") and (point > 0 or len(bid) == len(ask)):
        return False  # as text, where both have as many digits before the point
    return Decimal(bid) > Decimal(ask)


def digits_of(values: Mapping[str, Value]) -> int:
    """Digits after the point of the most precise of a quote's prices; -1 if it has none."""
    texts = (values.get(name) for name in PRICES)
    return max((len(text.partition(".")[2]) for text in texts if isinstance(text, str)), default=-1)


def time_ms(raw: str | None, unit: str) -> int | None:
    """A moment as integer ms since 1970 UTC, rounded down; None where there is none (absent, empty, zero).

    Args:
        raw: the exchange's text.
        unit: one of `TIME_UNITS`.

    Raises:
        ValueError: not a moment.
    """
    if not raw:
        return None
    if unit == "iso":
        if len(raw) < 19 or raw[4] + raw[7] != "--" or raw[10] not in "Tt ":  # fromisoformat takes much more
            raise ValueError(f"not a time: {raw[:40]!r}")
        moment = datetime.fromisoformat(raw)
        ms = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MS
    else:
        ms = int(Decimal(decimal_text(raw)).scaleb(_TEN_TO_MS[unit]))
    if ms < 0:
        raise ValueError(f"a time before 1970: {raw[:40]!r}")
    return ms or None


def iso_utc(ms: int) -> str:
    """A moment for people, `2026-11-23T04:21:30.000Z`."""
    return (_EPOCH + ms * _MS).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def decode_json(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """An answer's body as the adapter's own type.

    Some servers print NaN and Infinity, which is not JSON: these are read as text, so that they cost their
    row and not the answer. So is half of a character of two, as a `?`: a name may have been cut within an emoji.

    Raises:
        ValueError: not UTF-8, not JSON, or not of the adapter's shape.
    """
    text = body.decode()  # all of it: msgspec looks only at the parts that become str
    try:
        try:
            return decoder.decode(text)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            # Floats become text as well, which keeps their digits; `shapes.text_of` reads either.
            loose = json.loads(text, parse_constant=str, parse_float=str)
            return decoder.decode(json.dumps(loose, ensure_ascii=False).encode(errors="replace"))
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error
