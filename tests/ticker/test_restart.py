"""A store begins anew: everybody gets a snapshot on the open connection, and nothing of before, whatever was going on.

`fleet_machine.py` proves it for the interplay; each test here states one promise.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.ticker.incoming import contents
from tests.ticker.model_reader import FEED_FIELDS, QUOTE_FIELDS
from tests.ticker.test_groups import ALL, ONLY_A, Market, Peer, read, update
from tests.ticker.test_session import Desk, kinds
from ticker.large_frames import KEEP_S
from ticker.model import Value
from ticker.protocol import Frame
from ticker.selection import Selection
from ticker.settings import Limits
from ticker.slices import LARGE, SLICE
from ticker.store import Store

EPOCH = 1795386999000
MANY = [f"S{i}" for i in range(LARGE + SLICE)]


def records(*symbols: str, last: str = "7") -> dict[str, dict[str, Value]]:
    return {symbol: dict.fromkeys(QUOTE_FIELDS) | {"last": last} for symbol in symbols}


def snapshot(version: int, *symbols: str, epoch: int = 2, last: int = 7) -> dict[str, Any]:
    quotes = {symbol: dict.fromkeys(QUOTE_FIELDS) | {"last": last} for symbol in symbols}
    return {"type": "snapshot", "epoch": epoch, "version": version, "quotes": quotes}


class Works(Market):
    """A market whose groups are slow: each turn of the loop is long enough for one write."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.works: list[Iterator[None]] = []
        super().__init__(spread=self.works.append, limits=limits)
        self.last("A", "B")

    def slow(self) -> None:
        self.groups.turn_s, self.groups.part = -1.0, 1

    def turn(self) -> None:
        if self.groups.sending:
            self.groups.send_on()
        elif next(self.works[0], self) is self:
            self.works.pop(0)

    def finish(self) -> None:
        """All turns that it takes."""
        self.groups.send_rest()
        while self.works:
            list(self.works.pop(0))
        while self.groups.returning:
            self.groups.catch_up()


@pytest.fixture
def market() -> Works:
    return Works()


# The store


def test_nothing_of_before_is_left_in_the_store() -> None:
    """Neither records nor feeds, nor what waits, nor tombstones; and older cursors get everything, newer ones, too."""
    store = Store(1)
    for key in ("k:A", "k:B", "A", "@k", "@b"):
        store.ingest(key, {"state": "live"}, ts=None if key[0] == "@" else 1000)
    store.flush(0.0)
    store.remove("k:B")
    store.flush(0.0)
    store.ingest("A", {}, ts=2000)
    store.flush(0.5)
    store.ingest("A", {"last": "1"})
    store.remove("k:A")
    wild = store.resolve(Selection.of(["*", "b:*"]))
    feed = dict.fromkeys(FEED_FIELDS) | {"state": "down"}
    store.restart(9, contents(40, records("b:A", "A") | {"@b": feed}))
    assert (store.epoch, store.version, store.floor, store.tombstones) == (9, 40, 40, 0)
    assert (sorted(store.symbols()), [feed.key for feed in store.feeds()], store.count) == (["A", "b:A"], ["@b"], 2)
    record = store.get("A")
    assert record is not None
    assert record.values == ["7", *[None] * 15]
    assert (store.has_venue("k"), store.has_venue("b"), store.waiting(99.0)) == (False, True, False)
    assert sorted(wild.symbols()) == ["A", "b:A"]
    for since, answer in ((3, None), (39, None), (40, 40), (41, None)):
        assert store.changes(wild, since).since == answer
    assert store.newest(wild) == 40
    store.ingest("A", {"last": "8"})
    flush = store.flush(100.0)
    assert flush is not None
    assert (flush.since, flush.version) == (40, 41)
    assert [record.key for record, _ in store.changes(wild, 40).records] == ["A"]


def test_a_store_may_begin_anew_in_the_same_epoch() -> None:
    """As after a connection that was away for longer than the service remembers: cursors from here on are good."""
    store = Store(1)
    scope = store.resolve(ALL)
    store.restart(1, contents(9, records("A")))
    store.restart(1, contents(12, records("A")))
    assert [store.changes(scope, since).since for since in (9, 11, 12)] == [None, None, 12]
    store.restart(1, contents(5, {}))
    assert [store.changes(scope, since).since for since in (4, 5, 9, 12)] == [None, 5, None, None]
    assert store.newest(scope) == 5


# Readers


@pytest.mark.parametrize("version", [1, 2, 3, 500])
def test_everybody_gets_a_snapshot_on_the_open_connection(market: Works, version: int) -> None:
    """One each, shared by equal readers, whatever the version was and is; it counts as one for a new epoch, and not as
    versions that were merged.
    """
    first, second, other = market.joined(), market.joined(), market.joined(ONLY_A)
    market.last("A")
    for peer in (first, second, other):
        peer.take()
    market.store.restart(2, contents(version, records("A", "C")))
    market.groups.catch_up()
    assert first.frames[0] is second.frames[0]
    assert first.take() == second.take() == [snapshot(version, "A", "C")]
    assert other.take() == [snapshot(version, "A")]
    assert (market.groups.returning, market.groups.lagging) == (set(), 0)
    counts = market.groups.counts
    assert (counts.resyncs, counts.conflated) == ({"epoch": 3, "selection": 0, "pruned": 0}, 0)
    market.store.ingest("A", {"last": "8"})
    market.store.flush(0.0)
    assert first.take() == other.take() == [update(version, version + 1, quotes={"A": {"last": 8}})]


def test_a_reader_that_takes_nothing_gets_it_later(market: Works) -> None:
    """As of then, and nothing else; also if it lagged behind before."""
    behind, blocked = market.joined(), market.joined()
    behind.takes = False
    market.last("A")
    blocked.take()
    blocked.takes = False
    market.store.restart(2, contents(1, records("A")))
    market.groups.catch_up()
    market.store.ingest("B", {"last": "7"})
    market.store.flush(0.0)
    assert market.groups.lagging == 2
    for peer in (behind, blocked):
        peer.takes = True
        assert market.groups.ready(peer)
        market.groups.catch_up()
        assert peer.take() == [snapshot(2, "A", "B")]
    assert market.groups.counts.conflated == 0


def test_a_laggard_knows_nothing_of_the_new_epoch(market: Works) -> None:
    """Also if what it reached before is a version that the new one has reached, too."""
    market.last("A")
    behind = market.joined()
    behind.takes = False
    market.last("B")
    assert behind.since == 3
    market.store.restart(2, contents(2, records("A")))
    market.groups.catch_up()
    for symbol in ("B", "C"):
        market.store.ingest(symbol, {"last": "7"})
        market.store.flush(0.0)
    behind.takes = True
    market.groups.ready(behind)
    market.groups.catch_up()
    assert behind.take() == [snapshot(4, "A", "B", "C")]


def test_a_reader_with_an_interval_gets_it_at_its_time(market: Works) -> None:
    """With what came meanwhile; until then its heartbeats say that it knows nothing. A new reader does not wait."""
    peer, behind = market.joined(interval_ms=250), market.joined(interval_ms=250)
    market.last("A")
    behind.takes = False
    market.groups.send_due(250)
    peer.take()
    market.last("B")
    market.armed.clear()
    market.store.restart(2, contents(1, records("A")))
    behind.takes = True
    assert (set(market.armed), market.groups.returning) == ({250}, set())
    market.groups.heartbeat(0.0)
    market.finish()
    assert peer.take() == behind.take() == [{"type": "heartbeat", "version": 0}]
    late = market.join(interval_ms=250)
    assert late.take() == [snapshot(1, "A")]
    market.store.ingest("B", {"last": "7"})
    market.store.flush(0.0)
    market.groups.send_due(250)
    market.finish()
    assert peer.take() == behind.take() == [snapshot(2, "A", "B")]
    assert [frame["type"] for frame in late.take()] == ["update"]
    market.groups.heartbeat(0.0)
    market.finish()
    assert peer.take() == [{"type": "heartbeat", "version": 2}]


# Snapshots of thousands of symbols


def test_a_large_snapshot_is_made_in_slices(market: Works) -> None:
    """And then sent to all who want it, one frame; prices go on meanwhile, small groups do not wait."""
    first, second, small = market.joined(), market.joined(), market.joined(ONLY_A)
    market.store.restart(2, contents(5, records(*MANY, "A")))
    market.groups.catch_up()
    assert small.take() == [snapshot(5, "A")]
    turns = 0
    while not first.frames:
        market.put(S1={"last": str(turns)})
        market.groups.catch_up()
        market.turn()
        turns += 1
    assert turns > LARGE // SLICE
    assert first.frames[0] is second.frames[0]
    assert first.frames[0].pays
    [frame] = first.take()
    assert (frame["type"], frame["epoch"], frame["version"]) == ("snapshot", 2, 5 + turns)
    assert frame["quotes"] == snapshot(5, *MANY, "A")["quotes"] | {
        "S1": dict.fromkeys(QUOTE_FIELDS) | {"last": turns - 1}
    }
    second.take()
    market.last("S2")
    market.finish()
    assert first.take() == second.take() == [update(5, 6 + turns, quotes={"S2": {"last": 6 + turns}})]


def test_a_large_snapshot_of_readers_with_an_interval_keeps_to_it(market: Works) -> None:
    """It is not sent before it is made, nor before the interval is over."""
    peer = market.joined(interval_ms=250)
    market.store.restart(2, contents(5, records(*MANY)))
    market.turn()
    market.groups.send_due(250)
    assert peer.take() == []
    market.finish()
    assert peer.take() == []
    assert market.armed[-1] == 250
    market.groups.send_due(250)
    market.finish()
    assert peer.take() == [snapshot(5, *MANY)]


def test_a_large_snapshot_that_is_being_made_is_dropped_by_the_next_restart(market: Works) -> None:
    """Whatever turn it is in, each reader gets the newest alone; so it is if the epoch is the same again."""
    for turns in range(6):
        for epoch in (2, 3):
            peer = market.joined()
            market.store.restart(2, contents(5, records(*MANY)))
            for _ in range(turns):
                if market.works:
                    market.turn()
            peer.take()
            market.store.restart(epoch, contents(7, records(*MANY, last="9")))
            market.finish()
            assert peer.take() == [snapshot(7, *MANY, epoch=epoch, last=9)]
            market.groups.leave(peer)


def test_a_reader_that_leaves_or_wants_something_else_gets_no_large_snapshot(market: Works) -> None:
    """It is made all the same, for whoever else is there."""
    left, changed, stays = market.joined(), market.joined(), market.joined()
    market.store.restart(2, contents(5, records(*MANY, "A")))
    market.turn()
    market.groups.leave(left)
    assert read(market.groups.change(changed, ONLY_A, 0)) == snapshot(5, "A")
    market.finish()
    assert (left.take(), changed.take(), stays.take()) == ([], [], [snapshot(5, *MANY, "A")])


@pytest.mark.parametrize("interval_ms", [0, 250])
def test_a_large_snapshot_does_not_have_what_outgrew_the_limit_meanwhile(interval_ms: int) -> None:
    """Seen: a symbol that came while the snapshot was made, one too many, was in it, but never in an update: its price
    stayed what it was for ever, and looked live.
    """
    market = Works(Limits(symbols=len(MANY)))
    peer = market.joined(interval_ms=interval_ms)
    market.store.restart(2, contents(5, records(*MANY)))
    market.turn()
    market.last("Z")
    market.finish()
    market.groups.send_due(250)
    market.finish()
    assert peer.frames.pop(0).kind == "error"
    assert peer.take() == [snapshot(6, *MANY)]
    market.put(Z={"last": "8"}, S1={"last": "8"})
    market.groups.send_due(250)
    market.finish()
    assert peer.take() == [update(5, 7, quotes={"S1": {"last": 8}})]


def test_a_feed_or_a_removal_of_before_concerns_nobody(market: Works) -> None:
    """Versions may be lower than before: a removal of version 900 is not one that is still to be told, for ever."""
    market.store.restart(2, contents(900, records("A", "B")))
    market.drop("B")
    market.store.restart(3, contents(1, records("A")))
    peer = market.joined(ONLY_A, 250)
    market.store.ingest("A", {"last": "8"})
    market.store.flush(0.0)
    market.armed.clear()
    market.groups.send_due(250)
    market.finish()
    assert (peer.take(), market.armed) == ([update(1, 2, quotes={"A": {"last": 8}})], [])


def test_quota_and_patterns_are_those_of_the_groups_there_are(market: Works) -> None:
    """A selection may match more or less than before; an empty group is not made anew."""
    readers = [market.joined(), market.joined(), market.joined(ONLY_A), market.joined(Selection.of(["b:*", "A"]), 100)]
    market.groups.leave(market.joined(Selection.of(["B*"])))
    assert market.groups.quota.cells == 2 + 1 + 2 + 1
    market.store.restart(2, contents(1, records("A", "C", "D", "b:A")))
    assert (len(market.groups), market.groups.quota.cells) == (3, 3 + 1 + 2)
    market.finish()
    for peer in readers:
        market.groups.leave(peer)
    market.clock.tick(100.0)
    market.groups.forget_empty()
    assert (len(market.groups), len(market.store.wildcards), market.groups.quota.cells) == (0, 0, 0)
    with pytest.raises(KeyError):
        market.groups.quota.leave("192.0.2.1", None, 0)  # its address has nothing left


# Work that is spread over turns


@pytest.mark.parametrize("interval_ms", [0, 250])
def test_what_was_not_sent_yet_is_never_sent(market: Works, interval_ms: int) -> None:
    """A frame that is handed out reader by reader, and those of other groups after it."""
    peers = [market.joined(interval_ms=interval_ms) for _ in range(3)]
    others = [market.joined(ONLY_A, interval_ms) for _ in range(3)]
    market.slow()
    market.last("A", "B")
    market.groups.send_due(250)
    while not any(peer.frames for peer in (*peers, *others)):
        market.turn()
    assert sum(len(peer.frames) for peer in (*peers, *others)) == 1
    for peer in (*peers, *others):
        peer.frames.clear()
    market.store.restart(2, contents(2, records("A")))
    assert not market.groups.sending
    market.store.ingest("@k", {"state": "live"})
    market.store.ingest("A", {"last": "7", "bid": "1"})
    market.store.flush(0.0)
    market.finish()
    assert set(market.armed) == ({interval_ms} if interval_ms else set())
    market.groups.send_due(250)
    market.finish()
    for peer in (*peers, *others):
        [frame] = peer.take()
        assert (frame["type"], frame["epoch"], frame["version"], list(frame["feeds"])) == ("snapshot", 2, 3, ["k"])
    market.last("A")
    market.groups.send_due(250)
    market.finish()
    for peer in (*peers, *others):
        [frame] = peer.take()
        assert (frame["version"], frame["since"] <= 3) == (4, True)


def test_an_interval_is_served_again_after_its_old_round(market: Works) -> None:
    """Work of before has nothing to do, but it must end; the timer is set again meanwhile."""
    peers = [market.joined(ONLY_A, 250) for _ in range(3)]
    market.slow()
    market.last("A")
    market.groups.send_due(250)
    market.turn()
    assert sum(len(peer.take()) for peer in peers) == 1
    market.store.restart(2, contents(1, records("A")))
    market.armed.clear()
    market.groups.send_due(250)
    assert (market.armed, [peer.take() for peer in peers]) == ([250], [[], [], []])
    list(market.works.pop(0))
    market.groups.send_due(250)
    market.finish()
    assert [peer.take() for peer in peers] == [[snapshot(1, "A")]] * 3


def test_heartbeats_of_before_are_not_sent(market: Works) -> None:
    """Seen from a reader: none of them names a version of another epoch than that of its data."""
    peers = [market.joined(selection) for selection in (ALL, ONLY_A) for _ in range(3)]
    market.slow()
    market.groups.heartbeat(0.0)
    market.turn()
    assert 0 < sum(len(peer.frames) for peer in peers) < len(peers)
    for peer in peers:
        peer.frames.clear()
    market.store.restart(2, contents(40, records("A")))
    market.finish()
    assert [peer.take() for peer in peers] == [[snapshot(40, "A")]] * 6


# Large answers


def test_large_frames_that_are_being_made_are_not(market: Works) -> None:
    """Of several readers each gets an ordinary answer instead, all the same one; nothing is left of the work."""
    market.last(*MANY)
    cursor = f"1:{market.store.version}:{ALL.digest}"
    market.last(*MANY)
    everything = [market.groups.whole(f"192.0.2.{i}", ALL) for i in (1, 1, 2)]
    missed = [market.groups.whole(f"192.0.2.{i}", ALL, None, cursor) for i in (1, 2)]
    while len(market.groups.line) < 2:
        assert {next(steps) for steps in (*everything, *missed)} == {None}
    market.store.restart(2, contents(1, records("A")))
    assert len(market.groups.line) == 0
    assert [frame for steps in (*everything, *missed) for frame in steps] == []
    assert len(market.store.wildcards) == 0
    peers = [Peer() for _ in range(3)]
    first, second, third = (market.groups.join(peer, ALL, 0, cursor) for peer in peers)
    assert read(first) == read(second) == read(third) == snapshot(1, "A")
    list(market.groups.whole("192.0.2.1", ALL))
    with market.groups.quota.in_hand("192.0.2.1", 10**9):
        """What was in hand is not any more: else this were too much."""


def test_a_large_frame_that_was_kept_is_not_given_to_others(market: Works) -> None:
    """Though it was made a moment ago, and for the same version number."""
    market.last(*MANY)
    [*_, old] = market.groups.whole("", ALL)
    market.store.restart(2, contents(market.store.version, records(*MANY)))
    [*_, new] = market.groups.whole("", ALL)
    assert new is not None
    assert new is not old
    assert read(new) == snapshot(3, *MANY)
    market.clock.tick(KEEP_S / 2)
    assert list(market.groups.whole("", ALL)) == [new]


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_large_frame_of_before_is_not_sent(market: Works, epoch: int) -> None:
    """Though a reader has it in hand: neither to a new one nor to one that changes, be it a snapshot or an update; not
    even if the epoch is the same again.
    """
    market.last(*MANY)
    cursor = f"1:{market.store.version}:{ALL.digest}"
    market.last(*MANY)
    [*_, everything] = market.groups.whole("", ALL)
    [*_, missed] = market.groups.whole("", ALL, None, cursor)
    assert everything is not None
    assert missed is not None
    assert (everything.kind, missed.kind) == ("snapshot", "update")
    changes = market.joined(ONLY_A)
    market.store.restart(2, contents(1, records("A")))
    if epoch == 1:
        market.store.restart(1, contents(5, records("A")))
    expected = snapshot(market.store.version, "A", epoch=epoch)
    assert read(market.groups.join(Peer(), ALL, 0, None, everything)) == expected
    assert read(market.groups.join(Peer(), ALL, 0, cursor, missed)) == expected
    assert read(market.groups.change(changes, ALL, 0, everything)) == expected
    market.finish()
    assert changes.take() == []


def test_an_answer_that_has_not_begun_is_not_made(market: Works) -> None:
    """It was asked for before: the version it is to begin at is none of this epoch."""
    answer = market.groups.line.make("", ALL, 2, lambda quotes, gone: (quotes, gone))
    market.store.restart(2, contents(2, records("A")))
    assert (list(answer), len(market.groups.line), len(market.store.wildcards)) == ([], 0, 0)
    assert list(market.groups.line.make("", ALL, 2, lambda quotes, gone: (quotes, gone))) == [([], [])]


def test_symbols_encoded_ahead_are_those_of_after(market: Works) -> None:
    """A reader that adds thousands of symbols is told them as they are then, after the snapshot or with it."""
    market.last(*MANY)
    peer = market.joined(ONLY_A)
    steps = market.groups.whole("", Selection.of(["A", "S*"]), peer.group)
    assert next(steps) is None
    assert next(steps) is None
    market.store.restart(2, contents(1, records("A", "S1")))
    assert set(steps) <= {None}
    frame = market.groups.change(peer, Selection.of(["A", "S*"]), 0)
    assert read(frame) == snapshot(1, "A", "S1")
    market.finish()
    assert peer.take() == []


def test_a_pattern_that_is_being_tested_is_tested_to_the_end(market: Works) -> None:
    """Against the symbols that there are then."""
    market.last(*MANY)
    [pattern] = Selection.of(["*9"]).patterns
    wildcard = market.store.wildcards.begin(pattern, market.store.candidates(pattern))
    market.store.wildcards.test(wildcard, SLICE)
    assert wildcard.untested
    market.store.restart(2, contents(1, records("S9", "S10", "T9")))
    market.store.wildcards.test(wildcard, len(MANY))
    assert sorted(wildcard.symbols) == ["S9", "T9"]
    market.drop("S9")
    assert sorted(wildcard.symbols) == ["T9"]


# Sessions


@pytest.mark.parametrize("subscribed", [False, True])
@pytest.mark.parametrize("made", [False, True])
def test_a_subscription_that_is_being_answered_is_answered(*, subscribed: bool, made: bool) -> None:
    """Once, with everything of after; whether the large frame was only begun, or made but not sent yet."""
    desk = Desk()
    desk.put(*MANY)
    if subscribed:
        desk.subscribe("S1", fields=["last"])
    message = {"op": "subscribe", "symbols": ["S*"], "fields": ["last", "bid"]}
    assert desk.session.receive(json.dumps(message).encode()) == []
    for _ in range(2):
        assert desk.session.step() == []
    while made and desk.session.coming is None:
        assert desk.session.step() == []
    desk.store.restart(EPOCH, contents(1, records("S1", "T1")))
    frames: list[Frame] = []
    while desk.session.busy:
        frames = desk.session.step()
    desk.groups.catch_up()
    assert [frame.kind for frame in frames] == ["subscribed", "snapshot"]
    shown = json.loads(frames[1].data)
    assert (shown["epoch"], shown["version"], shown["quotes"]) == (EPOCH, 1, {"S1": {"last": 7, "bid": None}})
    assert desk.pushed() == []
    desk.put("S2", "T2")
    assert [list(frame["quotes"]) for frame in desk.pushed()] == [["S2"]]


def test_a_cursor_of_before_gets_a_snapshot_that_is_counted() -> None:
    """And one of after an update; `hello` names the new epoch."""
    desk = Desk()
    desk.put("A")
    subscribed, data = desk.subscribe("A")
    cursor = f"{data['epoch']}:{data['version']}:{subscribed['selection']}"
    desk.store.restart(EPOCH, contents(data["version"], records("A")))
    desk.reconnect()
    hello, subscribed, data = desk.open(symbols="A", cursor=cursor)
    assert (hello["epoch"], hello["version"], subscribed["resumed"], data["type"]) == (EPOCH, 2, False, "snapshot")
    assert desk.groups.counts.resyncs == {"epoch": 1, "selection": 0, "pruned": 0}
    desk.reconnect()
    _, subscribed, data = desk.open(symbols="A", cursor=f"{EPOCH}:2:{subscribed['selection']}")
    assert (subscribed["resumed"], data["type"], data.get("quotes")) == (True, "update", None)


def test_a_selection_that_outgrows_its_limit_is_cut_off() -> None:
    """Its reader is told so once, before the snapshot; symbols selected by name are never left out."""
    desk = Desk(Limits(symbols=3))
    desk.put("A", "B")
    desk.subscribe("*", "C")
    desk.pushed()
    desk.store.restart(EPOCH, contents(1, records("A", "B", "C", "D", "E")))
    desk.groups.catch_up()
    warning, shown = desk.pushed()
    assert (warning["type"], warning["code"]) == ("error", "too_many_symbols")
    assert (shown["type"], sorted(shown["quotes"])) == ("snapshot", ["A", "B", "C"])
    desk.put("D", "F")
    assert desk.pushed() == []
    desk.put("A", last="9")
    assert [list(frame["quotes"]) for frame in desk.pushed()] == [["A"]]
    desk.store.restart(EPOCH + 1, contents(1, records("D")))
    desk.groups.catch_up()
    assert [list(frame["quotes"]) for frame in desk.pushed()] == [["D"]]
    desk.put("E")
    assert kinds(desk.pushed()) == ["update"]
