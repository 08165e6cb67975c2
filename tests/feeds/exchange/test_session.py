"""Whether a market that closes is open: New York, in winter and in summer time."""

from __future__ import annotations

from datetime import datetime, time
from zoneinfo import ZoneInfo

import pytest

from feeds.exchange.session import Session

NEW_YORK = Session("America/New_York", time(9, 30), time(16))


def ms(text: str) -> int:
    """Time of New York as ms since 1970."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/New_York")).timestamp() * 1000)


@pytest.mark.parametrize(
    ("last", "now", "state"),
    [
        ("2026-11-25T11:00", "2026-11-25T11:00", "live"),
        ("2026-07-01T09:30", "2026-07-01T09:30", "live"),
        ("2026-11-25T15:59", "2026-11-25T16:00", "closed"),
        ("2026-11-25T15:59", "2026-11-26T09:29", "closed"),
        ("2026-11-25T16:00", "2026-11-26T11:00", "closed"),  # Thanksgiving: nothing since the session should have begun
        ("2026-11-27T13:00", "2026-11-27T13:00", "live"),
        ("2026-11-27T13:00", "2026-11-28T12:00", "closed"),
        ("2026-11-28T11:00", "2026-11-28T12:00", "closed"),  # a price outside of any session opens none
        ("2026-11-27T16:00", "2026-11-30T09:30", "closed"),
        ("2026-11-30T09:30", "2026-11-30T09:31", "live"),
        ("2026-11-25T18:00", "2026-11-25T18:00", "closed"),
    ],
)
def test_a_market_is_open_from_the_first_price_of_its_session(last: str, now: str, state: str) -> None:
    """At night, at weekends and on holidays it is closed."""
    assert NEW_YORK.state(ms(last), ms(now)) == state
