"""What the columns of a tick file mean, and how its times are read. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from feeds.replay.options import ReplayOptions
from feeds.rows import PRICES
from feeds.times import time_ms
from ticker.errors import did_you_mean

COLUMNS = {
    "time": ("ts_ms_utc", "ts_ms", "ts", "timestamp", "datetime", "time", "ms"),
    "venue": ("venue", "exchange"),
    "symbol": ("symbol", "instrument", "pair"),
    "last": ("last", "price", "last_price"),
    "bid": ("bid", "bid_price"),
    "ask": ("ask", "ask_price"),
    "bid_size": ("bid_size", "bid_qty"),
    "ask_size": ("ask_size", "ask_qty"),
}
"""Column names that count, best first, in any case. Others are ignored: a tick's `volume` is not the 24 h volume."""

TimeReader = Callable[[str], int | None]
"""From a cell to ms since 1970 UTC, rounded down; None if the cell has no time."""


def layout(columns: Sequence[str], options: ReplayOptions) -> tuple[dict[str, int], TimeReader]:
    """The position of each column in a row, and the function that reads its time; raises `ValueError`."""
    names = [name.strip().lower() for name in columns]
    known = {name for synonyms in COLUMNS.values() for name in synonyms}
    for name in names if options.columns else ():
        if name != "_" and name not in known:
            raise ValueError(f"columns: {name!r} is unknown (_ skips a column){did_you_mean(name, known)}")
    found = {what: [name for name in synonyms if name in names] for what, synonyms in COLUMNS.items()}
    at = {what: names.index(present[0]) for what, present in found.items() if present}
    if "time" not in at or not any(name in at for name in PRICES):
        raise ValueError("no columns for time and price; give columns=ms,bid,ask&symbol=…&date=YYYYMMDD")
    if "symbol" not in at and not options.symbol:
        raise ValueError("no column for the symbol; give symbol=…")
    return at, _time_reader(names[at["time"]], options)


def _time_reader(column: str, options: ReplayOptions) -> TimeReader:
    if (column == "ms") != (options.date is not None) or (options.utc_offset_h and not options.date):
        raise ValueError("a column ms needs date=YYYYMMDD; date and utc_offset_h are only for such a column")
    if options.date is None:
        return (lambda text: time_ms(text, "ms")) if column.startswith("ts_ms") else _moment_ms
    try:
        day = dt.date.fromisoformat(options.date)
    except ValueError as error:
        raise ValueError(f"date: give YYYYMMDD, not {options.date!r}") from error
    zone = dt.timezone(dt.timedelta(hours=options.utc_offset_h))
    midnight_ms = round(dt.datetime.combine(day, dt.time(), zone).timestamp()) * 1000
    return lambda text: midnight_ms + (time_ms(text, "ms") or 0) if text else None


def _moment_ms(text: str) -> int | None:
    """From ISO 8601, UTC if it names no zone, or from a number since 1970 whose length tells its unit."""
    whole = text.partition(".")[0]
    if not whole.isdecimal():
        return time_ms(text, "iso")
    digits = len(whole)
    return time_ms(text, "s" if digits <= 11 else "ms" if digits <= 14 else "us" if digits <= 17 else "ns")
