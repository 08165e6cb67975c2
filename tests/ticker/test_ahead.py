"""Readers that know more than the store, which follows another: they come from a server that is further."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.clock import ManualClock
from tests.ticker.incoming import contents
from tests.ticker.test_groups import Peer, read, update
from ticker.groups import Groups
from ticker.selection import Selection
from ticker.settings import Limits
from ticker.store import MOST_AHEAD, Store

ONLY_A = Selection.of(["A"], ["last"])
BOTH = Selection.of(["A", "B"], ["last"])
NOTHING = Selection.of([], ["last"])


class Gateway:
    """A store at version 5 of another one, and its groups."""

    def __init__(self, spread: Callable[[Iterator[None]], object] = list) -> None:
        self.clock = ManualClock()
        self.store = Store(0)
        self.groups = Groups(self.store, self.clock, lambda _: None, Limits(), spread)
        self.store.on_flush.append(self.groups.publish)
        self.store.on_restart.append(self.groups.restart)
        self.store.restart(7, contents(5, {"A": {"last": "1"}, "B": {"last": "2"}}))

    def reach(self, version: int, last: str) -> None:
        """Follow the other store to a version, in which A has a new price."""
        self.store.ingest("A", {"last": last})
        self.store.follow(version)
        self.store.flush(0.0)
        self.groups.catch_up()

    def join(self, since: int) -> Peer:
        """A reader of A that comes from elsewhere."""
        peer = Peer()
        peer.write(self.groups.enter(peer, ONLY_A, 0, since))
        return peer


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


def test_who_is_ahead_is_told_nothing_until_the_store_is_there(gateway: Gateway) -> None:
    """Then it gets what has come since, like any laggard; it never goes back in time."""
    peer = gateway.join(since=8)
    gateway.reach(7, "8")
    assert peer.take() == [update(8, 8)]
    gateway.reach(9, "9")
    assert peer.take() == [update(8, 9, quotes={"A": {"last": 9}})]
    gateway.reach(10, "10")
    assert peer.take() == [update(5, 10, quotes={"A": {"last": 10}})]


def test_who_is_ahead_may_be_slow_too(gateway: Gateway) -> None:
    """While its buffer is full it is not asked; that it has room again does not end its wait."""
    peer = gateway.join(since=8)
    peer.take()
    assert not gateway.groups.ready(peer)
    gateway.reach(7, "8")
    assert peer.take() == []
    peer.takes = False
    gateway.reach(9, "9")
    peer.takes = True
    assert gateway.groups.ready(peer)
    gateway.groups.catch_up()
    assert peer.take() == [update(8, 9, quotes={"A": {"last": 9}})]


def test_who_is_ahead_hears_that_the_connection_lives(gateway: Gateway) -> None:
    """Seen: a reader ahead of a gateway heard nothing until that was there, and had to take the connection for dead.

    Heartbeats come to it although others of its group are sent updates, and name the version that it knows.
    """
    peer, other = gateway.join(since=8), gateway.join(since=5)
    peer.take()
    for version in (6, 7):
        gateway.clock.tick(5.0)
        gateway.reach(version, str(version))
        gateway.groups.heartbeat(5.0)
        gateway.groups.heartbeat(5.0)
        assert peer.take() == [{"type": "heartbeat", "version": 8}]
    peer.takes = False
    gateway.clock.tick(5.0)
    gateway.groups.heartbeat(5.0)
    peer.takes = True
    gateway.groups.heartbeat(5.0)
    assert peer.take() == [{"type": "heartbeat", "version": 8}]
    assert [frame["type"] for frame in other.take()] == ["update", "update", "update", "heartbeat"]
    assert gateway.groups.counts.messages["heartbeat"] == 4


def test_very_many_who_are_ahead_hear_it_in_several_turns() -> None:
    """So prices flow meanwhile. Who leaves, or waits no longer, hears nothing; nor does anybody hear it twice."""
    works: list[Iterator[None]] = []
    gateway = Gateway(works.append)
    peers = [gateway.join(since) for since in (8, 8, 8, 6)]
    gateway.groups.turn_s, gateway.groups.part = -1.0, 1
    gateway.clock.tick(5.0)
    for peer in peers:
        peer.take()
    gateway.groups.heartbeat(5.0)
    next(works[0])
    assert [len(peer.frames) for peer in peers] == [1, 0, 0, 0]
    gateway.groups.leave(peers[1])
    gateway.reach(6, "6")
    gateway.groups.heartbeat(5.0)
    for work in works:
        list(work)
    heartbeat = {"type": "heartbeat", "version": 8}
    assert [peer.take() for peer in peers] == [[heartbeat], [], [heartbeat], [update(6, 6)]]


def test_a_version_far_ahead_is_made_up(gateway: Gateway) -> None:
    """It gets everything, over any transport. Seen: whoever named a version of a billion waited for it for ever."""
    for ahead, since in ((MOST_AHEAD, 5 + MOST_AHEAD), (MOST_AHEAD + 1, None)):
        assert gateway.groups.since(ONLY_A, f"7:{5 + ahead}:{ONLY_A.digest}") == since


def test_a_new_beginning_ends_the_wait(gateway: Gateway) -> None:
    """The followed store is lost, and with it the version that the reader waits for: it gets what is shown now."""
    peer = gateway.join(since=8)
    gateway.store.restart(99, contents(1, {"A": {"last": "1"}}))
    gateway.groups.catch_up()
    assert peer.take()[1:] == [{"type": "snapshot", "epoch": 99, "version": 1, "quotes": {"A": {"last": 1}}}]
    gateway.reach(2, "2")
    assert peer.take() == [update(1, 2, quotes={"A": {"last": 2}})]


def test_who_leaves_waits_for_nothing(gateway: Gateway) -> None:
    """Its group is empty, and forgotten like any other."""
    peer = gateway.join(since=8)
    gateway.groups.leave(peer)
    gateway.reach(9, "9")
    assert peer.take() == [update(8, 8)]
    assert next(iter(gateway.groups)).empty


@pytest.mark.parametrize(("less", "news"), [(ONLY_A, {"quotes": {"A": {"last": 9}}}), (NOTHING, {})])
def test_who_is_ahead_stays_so_with_less(gateway: Gateway, less: Selection, news: dict[str, object]) -> None:
    """What is left of its selection it knows already. A snapshot of the past was not paid for by whoever invented the
    cursor, and made in one turn of the loop, however large.
    """
    peer = Peer()
    peer.write(gateway.groups.enter(peer, BOTH, 0, 8))
    peer.write(gateway.groups.change(peer, less, 0))
    gateway.reach(7, "8")
    assert peer.take() == [update(8, 8)] * 2
    gateway.reach(9, "9")
    assert peer.take() == [update(8, 9, **news)]


def test_who_is_ahead_and_wants_more_gets_a_snapshot_of_the_past(gateway: Gateway) -> None:
    """What the reader selects now must be exact under the cursor that it gets, and only the past is known here."""
    peer = gateway.join(since=8)
    frame = read(gateway.groups.change(peer, BOTH, 0))
    assert frame == {"type": "snapshot", "epoch": 7, "version": 5, "quotes": {"A": {"last": 1}, "B": {"last": 2}}}
    peer.take()
    gateway.reach(7, "8")
    assert peer.take() == [update(5, 7, quotes={"A": {"last": 8}})]


def test_who_waits_no_longer_may_change_like_anybody(gateway: Gateway) -> None:
    """The store is where it is, and nothing was sent yet: what is added comes at once."""
    peer = gateway.join(since=6)
    gateway.store.follow(6)
    gateway.store.flush(0.0)
    assert read(gateway.groups.change(peer, BOTH, 0)) == update(6, 6, quotes={"B": {"last": 2}})
