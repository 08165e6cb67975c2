"""A venue's description: what must be in it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from feeds.exchange.venue import Limits, Venue
from tests.feeds.toy import slashed


@pytest.mark.parametrize("symbol", [None, slashed])
@pytest.mark.parametrize("request_", [None, "/list"])
def test_a_venue_needs_a_way_to_read_names_or_a_list(
    symbol: Callable[[str], str | None] | None, request_: str | None
) -> None:
    """One with neither is a mistake in its file."""
    able = pytest.raises(AssertionError) if symbol is None and request_ is None else contextlib.nullcontext()
    with able:
        Venue(
            name="toy",
            summary="",
            base_url="",
            limits=Limits(interval_s=1, gap_s=1),
            rest_request=lambda _: "/",
            parse_rest=lambda _: [],
            fields=(),
            instruments_request=request_,
            symbol=symbol,
        )
