"""Values: their tables agree with the protocol."""

from __future__ import annotations

import pytest

from ticker.model import (
    ERROR_REASONS,
    FEED_FIELDS,
    FIELDS,
    KINDS,
    NUMBER_FIELDS,
    REJECT_REASONS,
    SYMBOL,
    VENUE_SYMBOL,
    Change,
    FeedStatus,
    currencies,
)


def test_fields_are_those_of_the_protocol() -> None:
    """Names and order are those of the protocol's table; text fields are those that are not numbers there."""
    assert FIELDS == (
        "last", "bid", "ask", "bid_size", "ask_size", "open", "high", "low", "volume", "quote_volume", "change_pct",
        "ts", "state", "source", "decimals", "name",
    )  # fmt: skip
    assert set(FIELDS) - NUMBER_FIELDS == {"state", "source", "name"}
    assert set(FIELDS) > NUMBER_FIELDS
    assert FEED_FIELDS == ("state", "since", "kind", "clock", "message")
    assert KINDS == ("live", "delayed", "replay", "simulated")


@pytest.mark.parametrize(
    ("symbol", "is_symbol", "is_venue_symbol"),
    [
        ("BTC-USD", True, False),
        ("BRK.B", True, False),
        ("^GSPC", True, False),
        ("A" * 64, True, False),
        ("A" * 65, False, False),
        ("kraken:BTC-USD", False, True),
        ("my_feed-2:AAPL", False, True),
        ("a" * 15 + ":" + "A" * 64, False, True),
        ("a" * 16 + ":" + "A" * 64, False, False),
        ("a" * 33 + ":A", False, False),
        ("v:" + "A" * 65, False, False),
        ("Kraken:BTC-USD", False, False),
        ("kraken:", False, False),
        (":BTC-USD", False, False),
        ("a:b:c", False, False),
        ("v:BTC/USD", False, False),
        ("v:BTC-USD\n", False, False),
        ("v:*", False, False),
        ('v:"', False, False),
        ("v:\u0410", False, False),
        ("", False, False),
    ],
)
def test_only_plain_names_are_valid_symbols(symbol: str, is_symbol: bool, is_venue_symbol: bool) -> None:
    """The whole text must match; a venue symbol fits into a pattern's 80 characters."""
    assert bool(SYMBOL.fullmatch(symbol)) is is_symbol
    assert bool(VENUE_SYMBOL.fullmatch(symbol)) is is_venue_symbol


def test_a_new_status_has_a_counter_at_zero_for_every_reason() -> None:
    """A new feed is connecting, and has its own counter for every outcome and reason from the start."""
    status, other = FeedStatus("kraken", "live"), FeedStatus("sim", "simulated")
    assert (status.state, status.loaded, status.last_data_at, status.message) == ("connecting", False, None, None)
    counters = (status.since, status.symbols, status.updates, status.reconnects, status.received_bytes)
    assert (*counters, status.idle_messages, status.jumps, status.rate_limit_wait_s, status.rate) == (0,) * 9
    assert status.errors == dict.fromkeys(ERROR_REASONS, 0)
    assert status.rejects == dict.fromkeys(REJECT_REASONS, 0)
    assert status.polls == {"ok": 0, "error": 0, "skipped": 0}
    status.rejects["price"] += 1
    assert other.rejects["price"] == 0


def test_a_status_keeps_its_last_twenty_changes() -> None:
    """The list of changes is bounded."""
    status = FeedStatus("kraken", "live")
    for at in range(25):
        status.changes.append(Change(at, "live", None))
    assert [change.at for change in status.changes] == list(range(5, 25))


@pytest.mark.parametrize(
    ("symbol", "of", "unit"),
    [("BTC-USD", "BTC", "USD"), ("BTC-USDT.PERP", "BTC", "USDT"), ("BRK.B", "BRK.B", None), ("^GSPC", "^GSPC", None)],
)
def test_base_and_quote_are_read_from_a_symbol(symbol: str, of: str, unit: str | None) -> None:
    """A contract's market is not part of its currency; a share's name has no currency."""
    assert currencies(symbol) == (of, unit)
