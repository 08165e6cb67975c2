"""Patterns that grow beyond the limit: the surplus is left out, reported once, and never taken for known."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clock import ManualClock
from ticker import growth
from ticker.groups import Groups
from ticker.protocol import Frame
from ticker.readers import Group
from ticker.selection import Selection
from ticker.settings import Limits
from ticker.store import Store


class Peer:
    """A reader that keeps the frames it is given."""

    address = "192.0.2.1"

    def __init__(self) -> None:
        self.group: Group | None = None
        self.since = 0
        self.frames: list[Any] = []
        self.room = 1_000_000
        """How many frames it takes."""

    def write(self, frame: Frame) -> bool:
        if not self.room:
            return False
        self.room -= 1
        self.frames.append(json.loads(frame.data))
        return True

    def names(self) -> list[list[str]]:
        """The symbols of each frame since the last call; an error is its code."""
        frames, self.frames = self.frames, []
        return [[f["code"]] if f["type"] == "error" else sorted(f.get("quotes", ())) for f in frames]


class Desk:
    """A store with a few symbols, and groups that may have three each."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = Store(1)
        self.groups = Groups(self.store, self.clock, lambda _: None, Limits(symbols=3), list)
        self.store.on_flush.append(self.groups.publish)
        self.store.on_restart.append(self.groups.restart)
        self.put("A", "B")

    def put(self, *symbols: str, last: str = "1") -> None:
        for symbol in symbols:
            self.store.ingest(symbol, {"last": last})
        self.store.flush(self.clock.monotonic())

    def drop(self, *symbols: str) -> None:
        for symbol in symbols:
            self.store.remove(symbol)
        self.store.flush(self.clock.monotonic())

    def enter(self, *patterns: str, since: int | None = None, interval_ms: int = 0) -> tuple[Peer, Any]:
        peer = Peer()
        return peer, json.loads(self.groups.enter(peer, Selection.of(patterns), interval_ms, since).data)


def test_symbols_beyond_the_limit_are_left_out_and_reported_once() -> None:
    """A pattern grows to the limit and not beyond; its readers get one error and keep what they have."""
    desk = Desk()
    peer, _ = desk.enter("*")
    other, _ = desk.enter("A")
    desk.put("C", "D", "E")
    assert peer.names() == [["too_many_symbols"], ["C"]]
    desk.put("F", "A", "D", last="2")
    assert peer.names() == [["A"]]
    assert other.names() == [["A"]]
    desk.put("D", last="3")
    assert peer.names() == []


@pytest.mark.parametrize("lagged", [True, False])
def test_a_laggard_gets_the_error_first(lagged: bool) -> None:
    """A reader who could take nothing when the pattern outgrew its limit gets the error before anything else, once, and
    then what it has missed, also when it takes one frame at a time, and when it had missed nothing before.
    """
    desk = Desk()
    peer, _ = desk.enter("*")
    peer.room = 0
    if lagged:
        desk.put("A", last="2")
    desk.put("C", "D", "E")
    told = []
    for _ in range(2):
        peer.room = 1
        desk.groups.ready(peer)
        desk.groups.catch_up()
        told += peer.names()
    assert told == [["too_many_symbols"], ["A", "C"] if lagged else ["C"]]
    peer.room = 9
    desk.put("A", last="3")
    assert peer.names() == [["A"]]


def test_the_error_comes_even_if_no_frame_follows() -> None:
    """If all new symbols are left out no frame follows, but the error comes all the same."""
    desk = Desk()
    peer, _ = desk.enter("*")
    desk.put("C")
    peer.names()
    peer.room = 0
    desk.put("D")
    peer.room = 9
    assert desk.groups.ready(peer)
    desk.groups.catch_up()
    assert peer.names()[0] == ["too_many_symbols"]
    desk.groups.leave(peer)
    assert desk.groups.lagging == 0


def test_a_symbol_selected_by_name_is_never_left_out() -> None:
    """Symbols selected by name come, however much the patterns match."""
    desk = Desk()
    peer, _ = desk.enter("*", "E")
    desk.put("C")
    desk.put("D", "E")
    assert peer.names() == [["C"], ["too_many_symbols"], ["E"]]


@pytest.mark.parametrize("interval_ms", [0, 50])
def test_a_symbol_that_went_and_came_back_at_once_is_not_a_new_one(interval_ms: int) -> None:
    """Its place is not taken by another. Seen at a gateway, which shows several versions as one: such a symbol was left
    out although its readers had it, and nobody told them that it was gone; its old price looked live.
    """
    desk = Desk()
    desk.put("C")
    peer, _ = desk.enter("*", interval_ms=interval_ms)
    desk.store.remove("B")
    desk.put("D", "B", last="2")
    desk.groups.send_due(50)
    assert peer.names() == [["too_many_symbols"], ["B"]]


@pytest.mark.parametrize("interval_ms", [0, 50])
def test_who_has_a_symbol_that_came_back_too_late_is_told_that_it_is_gone(interval_ms: int) -> None:
    """Seen: a reader that missed both, or whose interval was longer, kept the old price for ever: the symbol was not
    gone, and what it was now was left out.
    """
    desk = Desk()
    desk.put("C")
    peer, _ = desk.enter("*", interval_ms=interval_ms)
    peer.room = 9 * (interval_ms > 0)
    desk.drop("C")
    desk.put("D")
    desk.put("C", last="2")
    peer.room = 9
    desk.groups.ready(peer)
    desk.groups.catch_up()
    desk.groups.send_due(50)
    warning, frame = peer.frames
    assert (warning["code"], list(frame["quotes"]), frame["gone"]) == ("too_many_symbols", ["D"], ["C"])


def test_a_group_with_an_interval_leaves_out_the_same_symbols() -> None:
    """An interval group reads the store when it is due; symbols are left out there, too."""
    desk = Desk()
    peer, _ = desk.enter("*", interval_ms=50)
    desk.put("C", "D")
    desk.groups.send_due(50)
    assert peer.names() == [["too_many_symbols"], ["C"]]
    _, snapshot = desk.enter("*", interval_ms=50)
    assert sorted(snapshot["quotes"]) == ["A", "B", "C"]


def test_a_cursor_of_a_truncated_selection_gets_a_snapshot() -> None:
    """Room that appears later does not make a cursor valid that lacks what was left out: a snapshot comes."""
    desk = Desk()
    peer, _ = desk.enter("*")
    desk.put("C", "D")
    version = desk.store.version
    desk.groups.leave(peer)
    desk.drop("A", "B")
    desk.clock.tick(60)
    desk.groups.forget_empty()
    _, frame = desk.enter("*", since=version)
    assert (frame["type"], sorted(frame["quotes"])) == ("snapshot", ["C", "D"])
    _, frame = desk.enter("C", since=version)
    assert frame["type"] == "update"


def test_with_too_many_truncated_selections_no_cursor_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cursors of selections that cannot be remembered are not trusted."""
    monkeypatch.setattr(growth, "MAX_CAPPED", 1)
    desk = Desk()
    peers = [desk.enter("*"), desk.enter("*", "A")]
    desk.put("C", "D")
    assert [peer.names()[0] for peer, _ in peers] == [["too_many_symbols"]] * 2
    assert desk.enter("A", since=desk.store.version)[1]["type"] == "snapshot"


def test_a_removed_symbol_frees_its_place() -> None:
    """A removed symbol frees its place; when it is reborn it is judged again."""
    desk = Desk()
    peer, _ = desk.enter("*")
    desk.put("C", "D")
    peer.names()
    desk.drop("D", "C")
    desk.put("D", "E")
    assert peer.names() == [[], ["too_many_symbols"], ["D"]]
    assert peer.group is not None
    assert desk.store.matched(peer.group.scope) == 3


def test_a_changed_selection_is_counted_anew() -> None:
    """A reader that changes to fewer patterns gets what was left out before, complete."""
    desk = Desk()
    peer, _ = desk.enter("*")
    desk.put("C", "D")
    frame = json.loads(desk.groups.change(peer, Selection.of(["D"]), 0).data)
    assert sorted(frame["quotes"]) == ["D"]
    assert frame["quotes"]["D"].keys() > {"last", "bid"}


def test_a_truncated_snapshot_is_not_shared() -> None:
    """A reader that joined with it would take for known what it may not see."""
    desk = Desk()
    desk.groups.large = 1
    desk.enter("*")
    assert [frame for frame in desk.groups.whole("", Selection.of(["*"])) if frame]
    desk.put("C", "D", "E")
    assert list(desk.groups.whole("", Selection.of(["*"]))) == []
