"""The trading hours of a market that closes, for venues whose rows do not give its state. Data and arithmetic.

Holidays need no calendar: on one, the last price is older than the start of the session, which counts as closed, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

FRIDAY = 4
"""Python's number for the last weekday with a session."""


@dataclass(frozen=True, slots=True)
class Session:
    """The regular session of every weekday, in the market's local time.

    Attributes:
        zone: name of the time zone.
        opens, closes: when it begins and ends.
    """

    zone: str
    opens: time
    closes: time

    def state(self, ts_ms: int, now_ms: int) -> str:
        """`closed` outside the session, or while the last price is from an earlier one; else `live`."""
        begin_ms, end_ms = _latest(self, now_ms // 60_000)
        return "live" if begin_ms <= ts_ms and now_ms < end_ms else "closed"


@lru_cache(maxsize=4)
def _latest(session: Session, minute: int) -> tuple[int, int]:
    """Begin and end, in ms, of the latest session that began by this minute (counted from 1970)."""
    now = datetime.fromtimestamp(minute * 60, UTC).astimezone(ZoneInfo(session.zone))
    day = now.date()
    while day.weekday() > FRIDAY or datetime.combine(day, session.opens, now.tzinfo) > now:
        day -= timedelta(days=1)
    edges = (datetime.combine(day, edge, now.tzinfo) for edge in (session.opens, session.closes))
    begin, end = (int(edge.timestamp() * 1000) for edge in edges)
    return begin, end
