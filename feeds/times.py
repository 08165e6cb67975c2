"""The exchange's own text of a time, validated, as integer milliseconds since 1970 UTC; and back. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from feeds.decimals import decimal_text

_TEN_TO_MS = {"s": 3, "ms": 0, "us": -3, "ns": -6}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def time_ms(raw: str | None, unit: str) -> int | None:
    """A time as integer ms since 1970 UTC, rounded down; None if there is none (absent, empty, zero).

    Args:
        raw: the exchange's text.
        unit: what it counts since 1970 UTC, `s`, `ms`, `us` or `ns`; or `iso` for RFC 3339 (no zone means UTC).

    Raises:
        ValueError: not a time.
    """
    if not raw:
        return None
    if unit == "iso":
        if len(raw) < 19 or raw[4] + raw[7] != "--" or raw[10] not in "Tt ":  # fromisoformat accepts much more
            raise ValueError(f"not a time: {raw[:40]!r}")
        moment = datetime.fromisoformat(raw)
        ms = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MS
    else:
        ms = int(Decimal(decimal_text(raw)).scaleb(_TEN_TO_MS[unit]))
    if ms < 0:
        raise ValueError(f"a time before 1970: {raw[:40]!r}")
    return ms or None


def iso_utc(ms: int) -> str:
    """A time as text, `2026-11-23T04:21:30.000Z`."""
    return (_EPOCH + ms * _MS).isoformat(timespec="milliseconds").replace("+00:00", "Z")
