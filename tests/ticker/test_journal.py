"""Connections in the log: a number on every line, failures at `info`, and never a flood."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import pytest

from tests.clock import ManualClock
from ticker.journal import BURST, Journal


@dataclass(eq=False)
class Peer:
    """A connection."""

    number: int
    via: str = "ws"
    address: str = "192.0.2.1"


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, Any]]:
    """Level, text and number of each line since the last call."""
    lines = [(record.levelname, record.message, vars(record)["connection"]) for record in caplog.records]
    caplog.clear()
    return lines


def test_a_connections_lines_have_its_number(caplog: pytest.LogCaptureFixture) -> None:
    """Its start and its end have the number; an ordinary end is logged at debug, any other with its reason."""
    caplog.set_level(logging.DEBUG)
    journal = Journal(ManualClock().monotonic)
    first, second = Peer(journal.number()), Peer(journal.number(), "sse")
    for peer in (first, second):
        journal.opened(peer)
    journal.lagging({first})
    journal.lagging({first, second})
    journal.lagging({second})
    journal.ended(first, 1001)
    journal.ended(second, 4008)
    last = vars(caplog.records[-1])
    assert (last["transport"], last["address"], last["code"], last["reason"]) == ("sse", "192.0.2.1", 4008, "stalled")
    assert said(caplog) == [
        ("DEBUG", "opened", 1), ("DEBUG", "opened", 2), ("DEBUG", "lags behind", 1), ("DEBUG", "lags behind", 2),
        ("DEBUG", "lags no more", 1), ("DEBUG", "ended", 1), ("INFO", "ended", 2),
    ]  # fmt: skip


def test_a_refusal_has_a_number_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    """It is the number that the refused client is told."""
    caplog.set_level(logging.INFO)
    journal = Journal(ManualClock().monotonic)
    numbers = [journal.number(), journal.refused("origin", "192.0.2.9"), journal.refused("full", "192.0.2.9")]
    assert numbers == [1, 2, 3]
    assert said(caplog) == [("INFO", "refused", 2), ("INFO", "refused", 3)]


def test_a_close_with_1011_by_a_script_is_not_logged_as_our_fault(caplog: pytest.LogCaptureFixture) -> None:
    """Seen: scripts that ended with an exception closed with 1011, and the log called each of them our fault."""
    caplog.set_level(logging.INFO)
    Journal(ManualClock().monotonic).ended(Peer(7), 1011)
    assert vars(caplog.records[0])["reason"] == "said that it failed"


def test_lines_beyond_the_rate_are_left_out_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    """Beyond the rate lines are left out, and the next one that is written says how many."""
    caplog.set_level(logging.INFO)
    clock = ManualClock()
    journal = Journal(clock.monotonic)
    for _ in range(BURST + 1000):
        journal.refused("full", "192.0.2.9")
    assert len(said(caplog)) == BURST
    clock.tick(1)
    journal.ended(Peer(7), 4029)
    assert vars(caplog.records[0])["left_out"] == 1000
    journal.ended(Peer(8), 4029)
    assert "left_out" not in vars(caplog.records[1])
