"""Groups: one frame for all who want the same, no queue for any reader, and every reader exact in the end.

The two machines at the end are the proof; each test before them states one promise.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.clock import ManualClock
from tests.ticker.stream_machine import ConsolidatedMachine, StreamMachine
from ticker.groups import KEEP_EMPTY_S, MAX_FRAMES, MAX_FRAMES_BYTES, Groups
from ticker.large_frames import KEEP_S
from ticker.model import Value
from ticker.protocol import Frame
from ticker.readers import Group
from ticker.record import Flush
from ticker.selection import Selection
from ticker.settings import Limits
from ticker.slices import LARGE, SLICE
from ticker.store import Store

ALL = Selection.of(["*"])
ONLY_A = Selection.of(["A"])
HOUR_MS = 3_600_000


class Peer:
    """A reader that keeps the frames it is given, as long as it takes any."""

    def __init__(self) -> None:
        self.group: Group | None = None
        self.since = 0
        self.address = "192.0.2.1"
        self.takes = True
        self.frames: list[Frame] = []

    def write(self, frame: Frame) -> bool:
        if self.takes:
            self.frames.append(frame)
        return self.takes

    def take(self) -> list[Any]:
        """The frames since the last call, as JSON without the times."""
        frames, self.frames = self.frames, []
        return [read(frame) for frame in frames]


def read(frame: Frame) -> Any:
    content = json.loads(frame.data)
    del content["time"]
    return content


def update(since: int, version: int, **members: Any) -> dict[str, Any]:
    return {"type": "update", "since": since, "version": version, **members}


class Market:
    """A store and its groups."""

    def __init__(
        self,
        max_tombstones: int = 10,
        spread: Callable[[Iterator[None]], object] = list,
        limits: Limits | None = None,
    ) -> None:
        self.clock = ManualClock()
        self.clock.tick(100.0)
        self.armed: list[int] = []
        self.store = Store(1, max_tombstones=max_tombstones)
        self.groups = Groups(self.store, self.clock, self.armed.append, limits or Limits(), spread)
        self.store.on_flush.append(self.groups.publish)
        self.store.on_restart.append(self.groups.restart)

    def put(self, **values_by_key: Mapping[str, Value]) -> Flush | None:
        for key, values in values_by_key.items():
            self.store.ingest(key, dict(values))
        return self.store.flush(self.clock.monotonic())

    def last(self, *symbols: str) -> None:
        """Set a new last price, the number of the version, for some symbols."""
        self.put(**{symbol: {"last": str(self.store.version + 1)} for symbol in symbols})

    def drop(self, *symbols: str) -> None:
        for symbol in symbols:
            self.store.remove(symbol)
        self.store.flush(self.clock.monotonic())

    def join(self, selection: Selection = ALL, interval_ms: int = 0, since: int | None = None) -> Peer:
        """Make a new reader with its first frame."""
        peer = Peer()
        assert peer.write(self.groups.enter(peer, selection, interval_ms, since))
        return peer

    def joined(self, selection: Selection = ALL, interval_ms: int = 0) -> Peer:
        """The same, with its first frame discarded."""
        peer = self.join(selection, interval_ms)
        peer.frames.clear()
        return peer


@pytest.fixture
def market() -> Market:
    market = Market()
    market.last("A", "B")
    return market


def test_a_cursor_as_text_is_counted(market: Market) -> None:
    """A good one gives an update, any other a snapshot; both are counted, a missing cursor is not."""
    store, groups = market.store, market.groups
    good = f"1:{store.version}:{ALL.digest}"
    market.last("A")
    peer = Peer()
    frame = groups.join(peer, ALL, 0, good)
    assert read(frame)["since"] == store.version - 1
    for text in (f"2:1:{ALL.digest}", "nonsense", f"1:{store.version + 1}:{ALL.digest}", None):
        assert groups.join(peer, ALL, 0, text).kind == "snapshot"
    assert groups.counts.resumes == {"update": 1, "snapshot": 3}
    assert groups.counts.resyncs == {"epoch": 3, "selection": 0, "pruned": 0}


def test_a_frame_names_its_version(market: Market) -> None:
    """Snapshots, updates and heartbeats have the version that they name; a transport makes a cursor of it."""
    peer = market.join()
    market.last("A")
    market.clock.tick(5.0)
    market.groups.heartbeat(5.0)
    assert [frame.kind for frame in peer.frames] == ["snapshot", "update", "heartbeat"]
    assert [frame.version for frame in peer.frames] == [read(frame)["version"] for frame in peer.frames]


# One frame for all


def test_equal_readers_share_the_bytes(market: Market) -> None:
    """Equal selections and intervals are one group: first frames and later ones are the same object for all."""
    peers = [market.join(Selection.of(["B", "A"])) for _ in range(3)]
    market.last("A", "B")
    assert len(market.groups) == 1
    assert len({peer.group for peer in peers}) == 1
    assert [len({id(peer.frames[i]) for peer in peers}) for i in range(2)] == [1, 1]


def test_readers_that_want_something_else_are_another_group(market: Market) -> None:
    """Patterns, fields and interval distinguish groups."""
    wishes = [(ALL, 0), (ALL, 250), (Selection.of(["*"], ["last"]), 0), (Selection.of(["A"]), 0)]
    peers = [market.joined(*wish) for wish in wishes]
    assert {peer.group for peer in peers} == set(market.groups)
    assert len(market.groups) == 4


def test_a_frame_has_what_its_group_wants(market: Market) -> None:
    """Each symbol once, however many patterns select it; only the requested fields; no news, no frame."""
    narrow = market.joined(Selection.of(["A", "*", "A*"], ["last", "ask"]))
    by_name = market.joined(Selection.of(["B"]))
    market.put(A={"last": "5", "bid": "4"}, C={"bid": "1"})
    market.put(A={"bid": "3"})
    assert narrow.frames[0].data.count(b'"A":') == narrow.frames[0].data.count(b'"C":') == 1
    assert narrow.take() == [update(2, 3, quotes={"A": {"last": 5}, "C": {"last": None, "ask": None}})]
    assert by_name.take() == []


def test_since_is_the_version_of_the_groups_last_frame(market: Market) -> None:
    """Versions without news for a group are not sent: its next frame continues from its last."""
    peer = market.joined(Selection.of(["A"]))
    for symbol in "BBAB":
        market.last(symbol)
    market.last("A")
    market.joined(Selection.of(["A"]))
    market.last("B")
    market.joined(Selection.of(["A"]))
    market.last("A")
    assert [(f["since"], f["version"]) for f in peer.take()] == [(2, 5), (5, 7), (7, 9)]


def test_feeds_go_to_all_readers_and_removals_to_those_that_selected_them(market: Market) -> None:
    """A feed's record reaches even a reader without symbols; a removal those whose patterns match it."""
    one, other, nobody = market.joined(Selection.of(["A"])), market.joined(), market.joined(Selection())
    market.store.ingest("@k", {"state": "live"})
    market.last("B")
    assert [[sorted(f) for f in p.take()] for p in (one, other, nobody)] == [
        [["feeds", "since", "type", "version"]],
        [["feeds", "quotes", "since", "type", "version"]],
        [["feeds", "since", "type", "version"]],
    ]
    market.drop("B", "NONE")
    assert [p.take() for p in (one, other, nobody)] == [[], [update(3, 4, gone=["B"])], []]


def test_each_of_many_readers_is_told_its_own_removals() -> None:
    """When thousands of symbols go at once each of many readers is told its own, by name or by pattern, and each only
    once; so are readers with an interval, and those that come back.
    """
    market = Market(max_tombstones=20_000)
    market.last(*(f"{i}-USD" for i in range(10_000)))
    names = [market.joined(Selection.of([f"{i}-USD", f"NO{i}"]), 100 * (i % 2)) for i in range(1000)]
    patterns = [market.joined(Selection.of([f"{i}9*-USD", f"{i}99*", f"{i}999-USD"])) for i in range(1, 10)]
    away = market.store.version
    market.drop(*(f"{i}-USD" for i in range(0, 10_000, 2)), *(f"{i}999-USD" for i in range(1, 10)))
    market.groups.send_due(100)
    gone = {f"{i}-USD" for i in range(0, 10_000, 2)} | {f"{i}999-USD" for i in range(1, 10)}
    for i, peer in enumerate(names):
        came = [symbol for frame in peer.take() for symbol in frame["gone"]]
        assert came == ([f"{i}-USD"] if f"{i}-USD" in gone else [])
        back = market.join(Selection.of([f"{i}-USD", f"NO{i}"]), 0, away)
        assert [symbol for frame in back.take() for symbol in frame.get("gone", ())] == came
    for i, peer in enumerate(patterns, 1):
        [frame] = peer.take()
        assert sorted(frame["gone"]) == sorted(s for s in gone if s.startswith(f"{i}9") and s.endswith("-USD"))


def test_a_first_frame_continues_from_a_known_version(market: Market) -> None:
    """Without a version there is a snapshot, from a known version an update, however old it is."""
    market.last("A")
    market.last("B")
    assert [read(market.join(since=v).frames[0]) for v in (None, 3)] == [
        {"type": "snapshot", "epoch": 1, "version": 4, "quotes": market.join(since=1).take()[0]["quotes"]},
        update(3, 4, quotes={"B": {"last": 4}}),
    ]


def test_ready_made_frames_are_bounded(market: Market) -> None:
    """However many versions readers resume from, a group keeps few frames, all of the newest version; readers that
    resume from the same version share theirs.
    """
    for _ in range(MAX_FRAMES + 9):
        market.last("A")
    group = market.joined().group
    assert group is not None
    sizes = []
    for version in range(1, market.store.version):
        market.join(since=version)
        sizes.append(len(group.frames))
    assert max(sizes) == MAX_FRAMES
    last = [market.join(since=version).frames[0] for version in (70, 71, 70)]
    assert last[0] is last[2] is not last[1]
    market.last("A")
    market.join()
    assert list(group.frames) == [(market.store.version, None)]


def test_a_large_snapshot_is_made_in_slices_and_shared(market: Market) -> None:
    """It is of the moment in which it is done, whatever happens meanwhile; all who want it until then share it, and
    next get what has changed since. A moment later another one is made.
    """
    market.put(**{"@k": {"state": "live"}})
    market.last(*(f"S{i}" for i in range(2 * SLICE)))
    first, second = (market.groups.whole(f"192.0.2.{i}", ALL) for i in range(2))
    assert (next(first), next(second)) == (None, None)
    market.last("S0", "S999", "NEW")
    market.drop("S1", "S998", "A")
    frame, shared = list(first)[-1], list(second)[-1]
    assert frame is not None
    assert frame is shared
    assert read(frame) == read(market.join().frames[0])
    early, late = Peer(), Peer()
    assert market.groups.join(early, ALL, 0, None, frame) is frame
    assert not market.groups.returning
    market.last("S2")
    assert market.groups.join(late, ALL, 0, None, frame) is frame
    market.groups.catch_up()
    told = [update(frame.version, frame.version + 1, quotes={"S2": {"last": frame.version + 1}})]
    assert [read(f) for f in early.frames] == [read(f) for f in late.frames] == told
    market.clock.tick(KEEP_S)
    market.groups.forget_empty()
    assert list(market.groups.whole("", ALL))[-1] is not frame


def test_a_large_snapshot_that_nobody_waits_for_is_not_made(market: Market) -> None:
    """Seen: when its only reader left, it kept its place, its memory and its pattern until others had made it."""
    market.last(*(f"S{i}" for i in range(4 * SLICE)))
    first, second = (market.groups.whole("192.0.2.1", ALL) for _ in range(2))
    while not market.groups.line:
        assert next(first) is None
    assert next(second) is None
    first.close()
    assert len(market.groups.line) == 1
    second.close()
    assert (len(market.groups.line), len(market.store.wildcards)) == (0, 0)


def test_a_large_update_is_made_in_slices(market: Market) -> None:
    """A good cursor is answered by one update, however much changes, is born, goes, or both while it is made.

    It is shared by all who come with that cursor meanwhile, and not kept. Seen: for each of fifty readers who came back
    to 50,000 symbols after a network outage, one was made in a turn of 0.2 s.
    """
    names = [f"S{i}" for i in range(LARGE + 3 * SLICE)]
    market.put(**{"@k": {"state": "live"}, "@b": {"state": "live"}})
    market.last(*names)
    cursor = f"1:{market.store.version}:{ALL.digest}"
    market.drop("A", "S0")
    market.last(*names[1 : LARGE + 2])
    market.put(**{"@k": {"state": "down"}})
    first, second = (market.groups.whole(f"192.0.2.{i}", ALL, None, cursor) for i in range(2))
    assert (next(first), next(second)) == (None, None)
    market.last("S0", "S5", "NEW", "SHORT", *names[-SLICE - 9 :])
    assert (next(first), next(second)) == (None, None)
    market.drop("S5", "S9", "SHORT")
    market.last("S9")
    frame, shared = list(first)[-1], list(second)[-1]
    assert frame is shared
    assert frame is not None
    peer = Peer()
    assert market.groups.join(peer, ALL, 0, cursor, frame) is frame
    wanted, got = read(market.join(since=int(cursor.split(":")[1])).frames[0]), read(frame)
    assert set(got.pop("gone")) == {*wanted.pop("gone"), "SHORT"}
    assert got == wanted
    assert market.groups.counts.resumes == {"update": 1, "snapshot": 0}
    assert list(market.groups.whole("", ALL, None, cursor))[-1] is not frame


def test_a_reader_that_missed_nothing_gets_no_frame(market: Market) -> None:
    """No empty frame follows a snapshot, though other symbols have changed since; the next one continues from it."""
    some = Selection.of(["S*"])
    market.last(*(f"S{i}" for i in range(LARGE)))
    frame = list(market.groups.whole("", some))[-1]
    assert frame is not None
    market.last("A")
    peers = [Peer(), Peer()]
    for peer in peers:
        assert market.groups.join(peer, some, 0, None, frame) is frame
        market.last("B")
        market.groups.catch_up()
        assert peer.take() == []
    market.last("S1")
    version = market.store.version
    assert [peer.take() for peer in peers] == [[update(frame.version, version, quotes={"S1": {"last": version}})]] * 2


def test_a_cached_frame_is_not_sent_to_readers_ahead_of_it(market: Market) -> None:
    """A kept frame is not for readers who know something newer, of whatever selection: another one is made.

    Seen: a reader that came back with a cursor of other symbols got prices that were up to a second older than its own.
    """
    market.last(*(f"S{i}" for i in range(LARGE)))
    kept = list(market.groups.whole("", ALL))[-1]
    market.last("S1")
    peer = market.join(Selection.of(["S1"], ["last"]))
    known = f"1:{market.store.version}:{Selection.of(['S1']).digest}"
    for cursor, group in ((known, None), (None, peer.group)):
        frame = list(market.groups.whole("", ALL, group, cursor))[-1]
        assert frame is not None
        assert frame.version == market.store.version
    assert list(market.groups.whole("", ALL, None, f"1:{market.store.version + 1}:{ALL.digest}"))[-1] is frame
    assert list(market.groups.whole("", ALL, None, f"2:{market.store.version + 1}:{ALL.digest}"))[-1] is frame
    assert market.groups.change(peer, ALL, 0, kept).version == market.store.version


def test_readers_of_a_shared_snapshot_share_the_next_update(market: Market) -> None:
    """However much changed while many waited for their turn: it is made once for all at that version, in one turn."""
    market.last(*(f"S{i}" for i in range(2 * SLICE)))
    frame = list(market.groups.whole("", ALL))[-1]
    market.last(*(f"S{i}" for i in range(LARGE)))
    peers = [Peer(), Peer()]
    for peer in peers:
        assert market.groups.join(peer, ALL, 0, None, frame) is frame
    market.groups.catch_up()
    [[first], [second]] = (peer.frames for peer in peers)
    assert first is second
    assert first.rows == LARGE


def test_a_snapshot_overtaken_by_too_many_removals_is_abandoned(market: Market) -> None:
    """After more removals than are remembered they are unknown: readers who came meanwhile get a snapshot at once."""
    market.last(*(f"S{i}" for i in range(3 * SLICE)))
    market.store.resolve(ALL)  # somebody has it: nothing is to be tested
    making = market.groups.whole("", ALL)
    assert next(making) is None
    market.drop(*(f"S{i}" for i in range(20)))
    assert set(making) == {None}
    other = market.groups.whole("", Selection.of(["S*"]))
    old = list(other)[-1]
    market.drop(*(f"S{i}" for i in range(20, 40)))
    frame = market.groups.join(Peer(), Selection.of(["S*"]), 0, None, old)
    assert len(read(frame)["quotes"]) == 3 * SLICE - 40


def test_large_frames_are_bounded_in_bytes(market: Market) -> None:
    """In a quiet market no one can fill the memory with ever different cursors, each with a large answer."""
    group = market.joined().group
    assert group is not None
    for _ in range(20):
        market.last("B")
    market.put(A={"name": "n" * 1_000_000})
    sizes = []
    for version in range(1, market.store.version):
        market.join(since=version)
        sizes.append(sum(len(frame.data) for frame in group.frames.values()))
    assert len(sizes) > 20
    assert max(sizes) < MAX_FRAMES_BYTES + 1_100_000
    market.last("A")
    assert not group.frames, "they are of no use behind another version"


# Who cannot take a frame


def test_a_refused_frame_does_not_delay_other_readers(market: Market) -> None:
    """The others get theirs; the laggard gets nothing, and later one update from its own version."""
    slow, fast = market.joined(), market.joined()
    slow.takes = False
    market.last("A")
    market.last("B")
    assert (len(fast.frames), market.groups.lagging, slow.since) == (2, 1, 2)
    slow.takes = True
    market.last("A")
    assert slow.take() == []
    assert market.groups.ready(slow)
    market.groups.catch_up()
    assert slow.take() == [update(2, 5, quotes={"A": {"last": 5}, "B": {"last": 4}})]
    counts = market.groups.counts
    assert (market.groups.lagging, counts.conflated, counts.messages["update"], counts.rows) == (0, 2, 4, 5)
    assert counts.resyncs == {"epoch": 0, "selection": 0, "pruned": 0}
    market.last("B")
    assert slow.frames[0] is fast.frames[-1]


def test_a_flush_serves_recovered_readers(market: Market) -> None:
    """A reader that came back since gets the flush's news with what it missed, once."""
    slow = market.joined()
    slow.takes = False
    market.last("A")
    slow.takes = True
    market.groups.ready(slow)
    market.last("B")
    market.groups.catch_up()
    assert slow.take() == [update(2, 4, quotes={"A": {"last": 3}, "B": {"last": 4}})]
    market.groups.catch_up()
    assert slow.take() == []


def test_many_recovered_readers_are_served_in_parts(market: Market) -> None:
    """Each missed something different, and making that many rows is a turn's work; a ready-made frame costs nothing."""
    market.groups.large = 2
    slow = [market.joined() for _ in range(4)]
    for missing in (slow[:1], slow[1:2], slow[2:]):
        for peer in missing:
            peer.takes = False
        market.last("A", "B")
    for peer in slow:
        peer.takes = True
        market.groups.ready(peer)
    turns = 0
    while market.groups.returning:
        market.groups.catch_up()
        turns += 1
    assert turns in {3, 4}, "one more if the two alike were served last"
    assert [peer.take()[-1]["since"] for peer in slow] == [2, 3, 4, 4]


def test_laggards_of_one_version_share_their_frame(market: Market) -> None:
    """And those of another version have their own."""
    first, second, third = (market.joined() for _ in range(3))
    first.takes = second.takes = False
    market.last("A")
    third.takes = False
    market.last("B")
    for peer in (first, second, third):
        peer.takes = True
        market.groups.ready(peer)
    market.groups.catch_up()
    assert first.frames[0] is second.frames[0] is not third.frames[-1]
    assert third.take()[-1] == update(3, 4, quotes={"B": {"last": 4}})


def test_a_laggard_that_refuses_again_waits_until_it_is_ready(market: Market) -> None:
    """It keeps its version, and is offered nothing until it says that it can take bytes."""
    slow = market.joined()
    slow.takes = False
    market.last("A")
    market.groups.ready(slow)
    market.groups.catch_up()
    slow.takes = True
    market.last("B")
    assert (slow.take(), slow.since, market.groups.lagging) == ([], 2, 1)
    market.groups.ready(slow)
    market.groups.catch_up()
    assert [f["since"] for f in slow.take()] == [2]


def test_ready_is_harmless_for_a_reader_that_missed_nothing(market: Market) -> None:
    """`ready` is harmless for a member, and for a reader in no group."""
    peer = market.joined()
    assert not market.groups.ready(peer)
    market.groups.leave(peer)
    assert not market.groups.ready(peer)
    market.groups.catch_up()
    assert peer.frames == []


def test_a_laggard_below_the_floor_gets_a_snapshot() -> None:
    """Below the floor a laggard gets a snapshot, and is counted."""
    market = Market(max_tombstones=0)
    market.last("A", "B")
    slow = market.joined()
    slow.takes = False
    market.drop("A")
    slow.takes = True
    market.groups.ready(slow)
    market.groups.catch_up()
    assert [(f["type"], list(f["quotes"])) for f in slow.take()] == [("snapshot", ["B"])]
    assert market.groups.counts.resyncs["pruned"] == 1


def test_frames_rows_and_bytes_are_counted_for_each_reader(market: Market) -> None:
    """Only frames that were taken count."""
    peers = [market.joined() for _ in range(3)]
    peers[0].takes = False
    market.last("A", "B")
    counts = market.groups.counts
    assert (counts.messages["update"], counts.rows, counts.bytes) == (2, 4, 2 * len(peers[1].frames[0].data))


# Intervals


def test_an_interval_is_armed_once_and_sends_one_merged_frame(market: Market) -> None:
    """Its readers get nothing between two moments of the class, and then one frame with everything."""
    peer = market.joined(Selection.of(["A", "B"]), 250)
    market.last("C")
    assert market.armed == []
    market.last("A")
    market.last("B")
    assert (market.armed, peer.take()) == ([250], [])
    market.groups.send_due(500)
    assert peer.take() == []
    market.groups.send_due(250)
    assert peer.take() == [update(2, 5, quotes={"A": {"last": 4}, "B": {"last": 5}})]
    market.groups.send_due(250)
    assert (market.armed, peer.take()) == ([250], [])
    market.last("A")
    assert market.armed == [250, 250]


def test_a_joiner_takes_nothing_from_the_others(market: Market) -> None:
    """What waits for the class's next moment is sent even if a reader joined in between that has it already."""
    peer = market.joined(interval_ms=250)
    market.last("A")
    late = market.joined(interval_ms=250)
    market.groups.send_due(250)
    assert peer.take() == late.take() == [update(2, 3, quotes={"A": {"last": 3}})]


def test_an_interval_without_news_for_a_group_sends_nothing(market: Market) -> None:
    """Only other fields changed; the group notes that the store was read up to here."""
    peer = market.joined(Selection.of(["*"], ["ask"]), 250)
    market.last("A")
    market.groups.send_due(250)
    market.put(A={"ask": "9"})
    market.groups.send_due(250)
    assert peer.take() == [update(2, 4, quotes={"A": {"ask": 9}})]


def test_a_laggard_obeys_its_interval(market: Market) -> None:
    """When it can take bytes again its class is armed, and brings it up to date at its next moment."""
    peer = market.joined(interval_ms=250)
    market.last("A")
    peer.takes = False
    market.groups.send_due(250)
    peer.takes = True
    assert not market.groups.ready(peer)
    market.groups.catch_up()
    assert (market.armed, peer.take()) == ([250, 250], [])
    market.groups.send_due(250)
    assert peer.take() == [update(2, 3, quotes={"A": {"last": 3}})]


def half_served(market: Market, count: int) -> list[Peer]:
    """Readers of A with an interval, of whom one has got the newest version and the others will, a turn each."""
    market.last("A", "B")
    peers = [market.joined(ONLY_A, 100) for _ in range(count)]
    market.last("A")
    market.groups.part = 1
    market.groups.send_due(100)
    assert sorted(len(peer.frames) for peer in peers) == [0] * (count - 1) + [1]
    return peers


def test_an_interval_that_is_not_over_is_not_served_again() -> None:
    """Seen: two frames were handed out to the same readers side by side, and to some the newer one came first."""
    works: list[Iterator[None]] = []
    market = Market(spread=works.append)
    peers = half_served(market, 3)
    other = market.joined(Selection.of(["B"]), 100)
    market.last("A", "B")
    market.armed.clear()
    market.groups.send_due(100)
    assert (market.armed, other.frames) == ([100], [])
    list(works[0])
    assert [[frame["version"] for frame in peer.take()] for peer in peers] == [[3]] * 3
    market.groups.send_due(100)
    list(works[1])
    assert other.take() == [update(3, 4, quotes={"B": {"last": 4}})]


def test_a_reader_that_comes_back_gets_no_older_frame() -> None:
    """Seen: one that subscribed again while a frame was handed out got that frame after its newer answer."""
    works: list[Iterator[None]] = []
    market = Market(spread=works.append)
    peers = half_served(market, 3)
    market.last("A")
    late = next(peer for peer in peers if not peer.frames)
    late.write(market.groups.change(late, ONLY_A, 100))
    list(works[0])
    assert [frame["version"] for frame in late.take()] == [4]


def test_no_frame_begins_after_what_a_reader_of_a_shared_snapshot_has() -> None:
    """Seen: if it came while the others were handed a later version, it seemed to have lost a frame."""
    works: list[Iterator[None]] = []
    market = Market(spread=works.append)
    for _ in range(3):
        market.joined(ONLY_A, 100)
    market.last("A")
    snapshot, late = market.join(ONLY_A).frames[0], Peer()
    market.last("B")
    market.groups.part = 1
    market.groups.send_due(100)
    known = market.groups.join(late, ONLY_A, 100, None, snapshot).version
    list(works[0])
    market.last("A")
    market.groups.send_due(100)
    list(works[1])
    for frame in late.take():
        assert frame["since"] <= known
        known = frame["version"]
    assert known == market.store.version


def test_forgotten_removals_are_told_by_an_empty_snapshot() -> None:
    """Seen: all symbols of a slow reader were removed, more than the store remembers, and the reader kept them for
    ever. Cause: "nothing to tell" was taken for no news, although the answer was "replace everything by nothing".
    Promise: that answer is sent.
    """
    market = Market(max_tombstones=1)
    market.last("A", "B")
    peer = market.joined(interval_ms=250)
    market.drop("A")
    market.drop("B")
    market.groups.send_due(250)
    assert peer.take() == [{"type": "snapshot", "epoch": 1, "version": 4, "quotes": {}}]


# Heartbeats


def test_a_heartbeat_names_the_version_that_was_told(market: Market) -> None:
    """It is the store's, or for a group with unsent news the last one before them; and only after silence."""
    at_once, later = market.joined(Selection.of(["A"])), market.joined(interval_ms=HOUR_MS)
    quiet = market.joined(Selection.of(["A"]), HOUR_MS)
    market.last("B")
    market.last("B")
    market.groups.heartbeat(5.0)
    assert (at_once.take(), later.take()) == ([], [])
    market.clock.tick(5.0)
    market.groups.heartbeat(5.0)
    assert at_once.take() == quiet.take() == [{"type": "heartbeat", "version": 4}]
    assert later.take() == [{"type": "heartbeat", "version": 2}]
    market.groups.send_due(HOUR_MS)
    market.groups.heartbeat(5.0)
    market.clock.tick(3.0)
    market.last("A")
    market.groups.send_due(HOUR_MS)
    market.clock.tick(3.0)
    market.groups.heartbeat(5.0)
    assert [f["type"] for f in at_once.take()] == ["update"]
    market.clock.tick(3.0)
    market.groups.heartbeat(5.0)
    assert at_once.take() == [{"type": "heartbeat", "version": 5}]
    assert later.take()[-1] == quiet.take()[-1] == {"type": "heartbeat", "version": 5}
    assert market.groups.counts.messages["heartbeat"] == 6


def test_a_heartbeat_names_no_version_in_between(market: Market) -> None:
    """Seen: where versions 3 to 9 of a followed store had been merged, a reader whose interval was not over was told
    that it knew 8; at the followed service that cursor misses what changed up to it. Cause: the flush before a version
    was taken for that of one version less. Promise: a heartbeat names a version that was shown.
    """
    later = market.joined(interval_ms=HOUR_MS)
    market.store.ingest("A", {"last": "9"})
    market.store.follow(9)
    market.store.flush(0.0)
    market.groups.heartbeat(0.0)
    assert later.take() == [{"type": "heartbeat", "version": 2}]
    market.groups.send_due(HOUR_MS)
    market.groups.heartbeat(0.0)
    assert later.take() == [update(2, 9, quotes={"A": {"last": 9}}), {"type": "heartbeat", "version": 9}]


def test_a_refused_heartbeat_changes_nothing(market: Market) -> None:
    """A reader that refuses one has missed nothing; a laggard gets none, for it can take none."""
    lagging, member = market.joined(), market.joined()
    lagging.takes = False
    market.last("A")
    member.take()
    member.takes = False
    lagging.takes = True
    market.groups.heartbeat(0.0)
    member.takes = True
    market.last("B")
    assert (lagging.take(), market.groups.lagging) == ([], 1)
    assert member.take() == [update(3, 4, quotes={"B": {"last": 4}})]
    assert market.groups.counts.messages["heartbeat"] == 0


def test_a_laggard_waiting_for_its_interval_gets_heartbeats(market: Market) -> None:
    """Seen: a reader of a slow class that had missed a frame and could take bytes again heard nothing until the class's
    next moment, took that for a dead connection and reconnected. Cause: heartbeats went to members only. Promise: it
    gets one, with its own version.
    """
    peer = market.joined(interval_ms=HOUR_MS)
    market.last("A")
    peer.takes = False
    market.groups.send_due(HOUR_MS)
    peer.takes = True
    market.groups.ready(peer)
    market.groups.heartbeat(0.0)
    assert peer.take() == [{"type": "heartbeat", "version": 2}]
    peer.takes = False
    market.groups.heartbeat(0.0)
    assert market.groups.counts.messages["heartbeat"] == 1


# Another wish


def test_added_symbols_come_complete_in_an_update(market: Market) -> None:
    """Known symbols continue from their version, added ones come with all their fields, changed or not."""
    peer = market.joined(Selection.of(["A"]))
    market.put(C={"bid": "7"})
    frame = read(market.groups.change(peer, ALL, 0))
    assert (frame["type"], frame["since"], frame["version"]) == ("update", 2, 3)
    assert {symbol: len(record) for symbol, record in frame["quotes"].items()} == {"B": 16, "C": 16}
    market.last("B")
    assert peer.take() == [update(3, 4, quotes={"B": {"last": 4}})]


def test_a_change_of_fields_is_answered_by_a_snapshot(market: Market) -> None:
    """A change of fields is answered by a snapshot."""
    peer = market.joined()
    frame = read(market.groups.change(peer, Selection.of(["*"], ["last"]), 0))
    assert (frame["type"], frame["quotes"]) == ("snapshot", {"A": {"last": 2}, "B": {"last": 2}})


def test_a_change_of_interval_sends_pending_news_at_once(market: Market) -> None:
    """News that waited for the old class is sent at once, and nothing is sent twice."""
    peer = market.joined(interval_ms=250)
    market.last("A")
    assert read(market.groups.change(peer, ALL, 0)) == update(2, 3, quotes={"A": {"last": 3}})
    market.groups.send_due(250)
    assert peer.take() == []
    assert read(market.groups.change(peer, ALL, 0)) == update(3, 3)


def test_a_laggard_that_changes_is_up_to_date(market: Market) -> None:
    """The frame continues from its own version; afterwards it is a member of its new group."""
    peer, other = market.joined(Selection.of(["A"])), market.joined(Selection.of(["A"]))
    peer.takes = False
    market.last("A")
    peer.takes = True
    frame = read(market.groups.change(peer, Selection.of(["A", "B"]), 0))
    assert (frame["since"], frame["quotes"]["A"], len(frame["quotes"]["B"])) == (2, {"last": 3}, 16)
    assert (market.groups.lagging, market.groups.ready(peer), len(other.take())) == (0, False, 1)


def test_an_unsubscription_is_followed_by_an_empty_update(market: Market) -> None:
    """After an unsubscription an empty update follows, and no frame carries the symbol."""
    peer = market.joined()
    assert read(market.groups.change(peer, Selection.of(["A"]), 0)) == update(2, 2)
    market.last("B")
    assert peer.take() == []


# Coming and going


def test_an_empty_group_is_kept_for_a_while(market: Market) -> None:
    """A reader that returns in time finds it, at the newest version; otherwise it is dropped with its wildcards."""
    peer = market.joined(Selection.of(["*", "A"]))
    group = peer.group
    market.groups.leave(peer)
    market.groups.leave(peer)
    market.last("A")
    market.clock.tick(KEEP_EMPTY_S / 2)
    market.groups.forget_empty()
    back = market.joined(Selection.of(["*", "A"]))
    assert back.group is group
    market.clock.tick(KEEP_EMPTY_S)
    market.groups.forget_empty()
    market.last("B")
    assert back.take() == [update(3, 4, quotes={"B": {"last": 4}})]
    market.groups.leave(back)
    market.clock.tick(KEEP_EMPTY_S / 2)
    market.groups.forget_empty()
    assert len(market.groups) == 1
    market.clock.tick(KEEP_EMPTY_S / 2)
    market.groups.forget_empty()
    market.groups.forget_empty()
    assert (len(market.groups), len(market.store.wildcards)) == (0, 0)
    assert len(market.groups._interest) == 0
    assert peer.frames == []


def test_a_group_is_not_empty_while_one_stays(market: Market) -> None:
    """A leaving reader takes nothing from the others, however long ago; a laggard counts, too."""
    stays, lags, leaves = market.joined(), market.joined(), market.joined()
    market.groups.leave(leaves)
    market.clock.tick(KEEP_EMPTY_S)
    market.groups.forget_empty()
    lags.takes = False
    market.last("A")
    assert len(stays.take()) == 1
    market.groups.leave(stays)
    market.clock.tick(KEEP_EMPTY_S)
    market.groups.forget_empty()
    lags.takes = True
    market.groups.ready(lags)
    market.groups.catch_up()
    assert len(lags.take()) == 1


def test_a_dropped_group_leaves_the_others_their_symbols(market: Market) -> None:
    """Groups that share a name or a wildcard lose nothing with one of them."""
    stays = market.joined(Selection.of(["A", "B*"]))
    leaves = market.joined(Selection.of(["A", "B*"], ["last"]))
    market.groups.leave(leaves)
    market.clock.tick(KEEP_EMPTY_S)
    market.groups.forget_empty()
    market.last("A", "B")
    assert (len(market.groups), list(stays.take()[0]["quotes"])) == (1, ["A", "B"])
    assert len(market.groups._interest) == 2, "the name and the pattern"


def test_repeated_changes_of_selection_leave_no_groups(market: Market) -> None:
    """A client that removes its patterns one by one must not hold a group, and its cells, for each of them.

    Seen: each stayed for ten seconds; with 20 messages a second about 10,000 symbols all cells would have been taken.
    """
    patterns = ["*", *"CDEFG"]
    peer = market.joined(Selection.of(patterns))
    while patterns:
        patterns.pop()
        market.groups.change(peer, Selection.of(patterns), 0)
        assert list(market.groups) == [peer.group]
        assert peer.group is not None
        assert market.groups.quota.cells == peer.group.cells


def test_a_group_that_empties_forgets_its_pending_news(market: Market) -> None:
    """Its next reader has the news in its first frame, so the timer that is still armed sends nothing."""
    market.groups.leave(market.joined(interval_ms=250))
    peer = market.joined(interval_ms=250)
    market.last("A")
    market.groups.leave(peer)
    back = market.joined(interval_ms=250)
    market.groups.send_due(250)
    assert back.take() == []
    market.groups.leave(back)
    market.last("B")
    market.groups.send_due(250)
    assert (back.take(), market.joined(interval_ms=250).take()) == ([], [])


# Everything together


@pytest.mark.timeout(600)  # a failure is worth the time to shrink it
@pytest.mark.parametrize(("machine", "examples"), [(StreamMachine, 100), (ConsolidatedMachine, 40)])
def test_every_reader_sees_the_store_restricted_to_its_selection(
    machine: type[RuleBasedStateMachine], examples: int
) -> None:
    """Always, for any order of writes, removals, refusals, losses, resumes, restarts and changes of selection; and with
    consolidation, a consolidated price is its source's own in every frame.
    """
    search = settings(max_examples=examples, derandomize=True, deadline=None, print_blob=True)
    run_state_machine_as_test(machine, settings=search)
