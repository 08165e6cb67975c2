"""Shared limits: cells of distinct selections, and symbols in snapshots, in all and per address."""

from __future__ import annotations

import pytest

from tests.clock import ManualClock
from ticker import quota
from ticker.errors import ProtocolError
from ticker.quota import Quota
from ticker.settings import Limits

HERE, THERE = "192.0.2.1", "192.0.2.2"


def refused(text: str) -> pytest.RaisesExc[ProtocolError]:
    return pytest.RaisesExc(ProtocolError, match=text, check=lambda error: error.code == "overloaded")


def make(cells: int = 100, per_address: int = 50, snapshots_per_s: int = 10) -> tuple[Quota, ManualClock]:
    clock = ManualClock()
    limits = Limits(cells=cells, cells_per_address=per_address, snapshot_symbols_per_s=snapshots_per_s)
    return Quota(limits, clock), clock


def test_an_address_has_its_share_of_cells() -> None:
    """Readers of one address share its cells; a group that one of them is in costs the others nothing."""
    shared, _ = make()
    shared.join(HERE, "a", 30)
    with refused("30 are taken"):
        shared.check_cells(HERE, None, 21)
    shared.join(HERE, "a", 30)
    shared.check_cells(HERE, "a", 30)
    shared.check_cells(HERE, None, 20)
    with refused("one address may select 50 symbols in all, 30 are taken"):
        shared.check_cells(HERE, None, 21)
    with refused("one address"):
        shared.check_cells(HERE, "b", 21)
    shared.check_cells(THERE, None, 50)
    shared.leave(HERE, "a", 30)
    with refused("one address"):
        shared.check_cells(HERE, None, 21)
    shared.join(HERE, "b", 10)
    shared.leave(HERE, "a", 30)
    shared.check_cells(HERE, None, 40)
    shared.leave(HERE, "b", 10)
    assert shared._shares == {}, "who has left is not remembered"


def test_a_changed_selection_costs_only_the_difference() -> None:
    """A changed selection costs only the difference, unless another reader still needs the old one."""
    shared, _ = make()
    shared.join(HERE, "a", 30)
    shared.check_cells(HERE, None, 50, "a", 30)
    shared.join(HERE, "a", 30)
    with refused("30 are taken"):
        shared.check_cells(HERE, None, 50, "a", 30)


def test_all_cells_together_are_limited() -> None:
    """When all cells are taken no new group is made, but existing ones are open to all."""
    shared, _ = make()
    shared.cells = 90
    shared.check_cells(HERE, None, 10)
    shared.check_cells(HERE, "a", 11)
    with refused("too many different selections"):
        shared.check_cells(HERE, None, 11)


def test_snapshots_of_an_address_are_paced() -> None:
    """Two seconds' worth at once, then the rate; another address has its own."""
    shared, clock = make()
    shared.check_snapshot(HERE, 15)
    shared.check_snapshot(HERE, 15)
    with refused("more than 10 symbols a second"):
        shared.check_snapshot(HERE, 1)
    shared.check_snapshot(THERE, 1)
    clock.tick(1.0)
    with refused("wait"):
        shared.check_snapshot(HERE, 1)
    clock.tick(0.5)
    shared.check_snapshot(HERE, 1)


def test_only_so_many_addresses_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least recently active address is forgotten first."""
    monkeypatch.setattr(quota, "MAX_ADDRESSES", 2)
    shared, _ = make()
    for address in ("a", "b", "c"):
        shared.check_snapshot(address, 20)
    with refused("wait"):
        shared.check_snapshot("b", 1)
    shared.check_snapshot("a", 1)


def test_answers_not_yet_taken_by_an_address_are_limited() -> None:
    """The limit is as much as it may ask for at once; an answer counts until it was taken; one alone may be larger."""
    shared, _ = make()
    with shared.in_hand(HERE, 21), refused("on their way"), shared.in_hand(HERE, 1):
        pass
    with shared.in_hand(HERE, 15), shared.in_hand(THERE, 15), shared.in_hand(HERE, 5):
        with refused("on their way"), shared.in_hand(HERE, 1):
            pass
        with shared.in_hand(THERE, 5):
            pass
    assert not shared._in_hand, "what was taken is not remembered"
