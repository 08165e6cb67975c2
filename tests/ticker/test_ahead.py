"""Readers that know more than the store, which follows another: they come from a server that is further."""

from __future__ import annotations

import pytest

from tests.ticker.test_groups import Peer, read, update
from ticker.clock import ManualClock
from ticker.groups import AHEAD_S, Groups
from ticker.quota import Quota
from ticker.selection import Selection
from ticker.store import Store

ONLY_A = Selection.of(["A"], ["last"])
BOTH = Selection.of(["A", "B"], ["last"])
BIDS = Selection.of(["A"], ["bid"])
NOTHING = Selection.of([], ["last"])


class Gateway:
    """A store at version 5 of another one, and its groups."""

    def __init__(self, snapshots_per_s: int = 1000) -> None:
        self.clock = ManualClock()
        self.store = Store(0)
        quota = Quota(1000, 1000, snapshots_per_s, self.clock.monotonic)
        self.groups = Groups(self.store, self.clock.monotonic, self.clock.wall_ms, lambda _: None, quota=quota)
        self.store.on_flush.append(self.groups.publish)
        self.store.on_restart.append(self.groups.restart)
        self.store.restart(7, 5, {"A": {"last": "1"}, "B": {"last": "2"}})

    def reach(self, version: int, last: str) -> None:
        """Follow the other store to a version, in which A has a new price."""
        self.store.ingest("A", {"last": last})
        self.store.follow(version)
        self.store.flush(0.0)
        self.groups.catch_up()

    def wait(self, seconds: float) -> None:
        """Let time pass, as the hub does."""
        self.clock.tick(seconds)
        self.groups.forget_empty()
        self.groups.catch_up()

    def join(self, since: int) -> Peer:
        """A reader of A that comes from elsewhere."""
        peer = Peer()
        peer.write(self.groups.enter(peer, ONLY_A, 0, since))
        return peer


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.mark.parametrize(("selection", "quotes"), [(BOTH, {"A": {"last": 9}, "B": {"last": 2}}), (NOTHING, {})])
def test_who_is_ahead_stays_so_with_another_selection(
    gateway: Gateway, selection: Selection, quotes: dict[str, object]
) -> None:
    """Seen: a change of the selection was answered at once, by a snapshot older than what the reader knew: it went back
    in time. It is told nothing until the store is where it is, even if it changes its mind again.
    """
    peer = gateway.join(since=8)
    peer.write(gateway.groups.change(peer, BIDS, 0))
    peer.write(gateway.groups.change(peer, selection, 0))
    gateway.reach(7, "8")
    assert peer.take() == [update(8, 8)] * 3
    gateway.reach(8, "9")
    assert peer.take() == [{"type": "snapshot", "epoch": 7, "version": 8, "quotes": quotes}]


def test_who_waits_no_longer_may_change_like_anybody(gateway: Gateway) -> None:
    """The store is where it is, and nothing was sent yet: what is added comes at once."""
    peer = gateway.join(since=6)
    gateway.store.follow(6)
    gateway.store.flush(0.0)
    assert read(gateway.groups.change(peer, BOTH, 0)) == update(6, 6, quotes={"B": {"last": 2}})


def test_a_change_does_not_prolong_the_wait(gateway: Gateway) -> None:
    """The two seconds count from its coming."""
    peer = gateway.join(since=8)
    gateway.wait(AHEAD_S / 2)
    peer.write(gateway.groups.change(peer, BOTH, 0))
    gateway.wait(AHEAD_S / 2)
    assert peer.take()[-1]["version"] == 5


def test_snapshots_for_invented_cursors_are_counted() -> None:
    """Seen: a cursor that no store has reached cost nothing in the beginning, and a snapshot in the end, past the limit
    on snapshots for one address. Those beyond it wait until there is room.
    """
    gateway = Gateway(snapshots_per_s=2)
    peers = [gateway.join(since=99) for _ in range(6)]
    served = []
    for seconds in (AHEAD_S, 0, 0.5, 0.5):
        gateway.wait(seconds)
        served.append(sum(peer.frames[-1].kind == "snapshot" for peer in peers))
    assert served == [4, 4, 5, 6]
