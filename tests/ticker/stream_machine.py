"""The machine that plays a market and its readers against the core, and checks every frame.

After any data frame, and whenever a reader has nothing to wait for, its view is the store restricted to its
selection: for any order of writes, removals, flushes, changes of selection, refused writes, lost frames, resumes
and restarts. What it drives is named in class attributes, so that a test can put a broken part in
(`test_mutants.py`).
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.ticker.model_reader import ModelMarket, ModelReader, Values, View, selects
from ticker import protocol
from ticker.clock import ManualClock
from ticker.consolidate import Consolidator
from ticker.groups import KEEP_EMPTY_S, Group, Groups
from ticker.protocol import Cursor, Frame
from ticker.record import Flush
from ticker.selection import Selection
from ticker.store import Store

VENUE_SYMBOLS = ("k:BTC-USD", "b:BTC-USD", "k:ETH-USD", "s:ETH-USD")
SYMBOLS = (*VENUE_SYMBOLS, "BTC-USD", "ETH-EUR")
FEEDS = ("@k", "@b")
PATTERNS = (*SYMBOLS, "*", "*:*", "k:*", "*:BTC-USD", "*-USD", "E*-E*", "NEVER-SEEN")
MAX_TOMBSTONES = 2
SLOTS = 4
T = TypeVar("T")

symbols = st.sampled_from(SYMBOLS)

def rarely(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    """One time in four; else None."""
    return st.integers(0, 3).flatmap(lambda n: strategy if n == 3 else st.none())


slots = st.integers(0, SLOTS - 1)
waits_s = st.sampled_from([0.0, 0.0, 0.02, 0.5, 1.0, 2.0])
intervals_ms = st.sampled_from([0, 0, 250])
patterns = st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3)
fields = rarely(st.sampled_from([["last"], ["ts", "last"], ["bid", "name"]]))
common = st.sampled_from([Selection.of(["*", "*:*"]), Selection.of(["BTC-USD", "k:*"], ["last", "ts"])])
selections = st.integers(0, 3).flatmap(lambda n: st.builds(Selection.of, patterns, fields) if n == 3 else common)
quote_values = st.just({}) | st.fixed_dictionaries(
    {},
    optional={
        "last": st.sampled_from(["1", "2.50", None]),
        "bid": st.sampled_from(["0.00000010", None]),
        "state": st.sampled_from(["live", "stale"]),
        "name": st.sampled_from(["Bitcoin", 'é"\\\n', None]),
    },
)
feed_values = st.fixed_dictionaries(
    {"state": st.sampled_from(["live", "down"])}, optional={"message": st.sampled_from(["HTTP 503", None])}
)
times_ms = st.sampled_from([None, 1000, 2000])
received_ms = st.sampled_from([None, 7000, 8000])


class Link:
    """The server's end of one connection, and the reader at the other end.

    It behaves as the transport does: while blocked it refuses, and a write that fills the kernel's buffer is still
    taken whole. `past` is what the reader knew before each of the last frames: they may be lost on the way.
    """

    def __init__(self, machine: StreamMachine, reader: ModelReader, selection: Selection, interval_ms: int) -> None:
        self.group: Group | None = None
        self.since = 0
        self.machine = machine
        self.reader = reader
        self.selection = selection
        self.interval_ms = interval_ms
        self.blocked = False
        self.chokes = False
        self.heard = False
        self.past: deque[ModelReader] = deque(maxlen=3)
        reader.connect()

    def write(self, frame: Frame) -> bool:
        if self.blocked:
            return False
        assert self.group is not None
        if frame.kind != "heartbeat":
            lags_from = self.since if self in self.group.lagging else None
            shared = self.machine.shared.setdefault((self.group, lags_from), frame)
            assert shared is frame, "equal readers got frames of their own"
        else:
            self.check_heartbeat(int(json.loads(frame.data)["version"]))
        self.heard = True
        self.deliver(frame)
        return True

    def deliver(self, frame: Frame) -> None:
        self.past.append(self.reader.copy())
        self.reader.apply(frame.data)
        if frame.kind in {"snapshot", "update"}:
            self.check()
        self.blocked, self.chokes = self.chokes, False

    def check(self) -> None:
        """The view is the store restricted to the selection."""
        quotes, feeds = self.machine.visible(self.selection)
        assert self.reader.view == quotes
        assert self.reader.feeds == feeds

    def check_heartbeat(self, version: int) -> None:
        """Nothing of the reader's has changed between what it knows and this version."""
        if version >= self.reader.version:
            assert (self.reader.view, self.reader.feeds) == self.machine.visible(self.selection, version)

    @property
    def lagging(self) -> bool:
        assert self.group is not None
        return self in self.group.lagging

    @property
    def waiting(self) -> bool:
        """Whether there may be news that it has not been sent yet."""
        assert self.group is not None
        return self.lagging or bool(self.group.interval_ms and self.group.due)


class StreamMachine(RuleBasedStateMachine):
    """A store, its groups, and four readers who come and go."""

    store_type: type[Store] = Store
    groups_type: type[Groups] = Groups
    cursor_type: type[Cursor] = Cursor

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.links: dict[int, Link] = {}
        self.readers: dict[int, ModelReader] = {}
        self.shared: dict[tuple[Group, int | None], Frame] = {}
        self.epoch = 1000
        self.start()

    # The server

    def make_store(self) -> Store:
        return self.store_type(self.epoch, max_tombstones=MAX_TOMBSTONES)

    def start(self) -> None:
        self.store = self.make_store()
        self.armed: set[int] = set()
        self.groups = self.groups_type(self.store, self.clock.monotonic, self.clock.wall_ms, self.armed.add)
        self.store.on_flush.append(self.groups.publish)
        self.market = ModelMarket()
        self.history: dict[int, dict[str, Values]] = {self.store.version: {}}
        self.everything = self.store.resolve(Selection.of(["*", "*:*"]))
        self.newest = {"all": 0}

    def flush(self) -> None:
        self.shared.clear()
        before, version = self.contents(), self.store.version
        flush = self.store.flush(self.clock.monotonic())
        self.market.flush(self.clock.monotonic())
        self.groups.catch_up()
        after = self.contents()
        assert self.store.version == version + (flush is not None)
        if flush is None:
            assert after == before
        else:
            assert after != before or self.market.reborn
            self.history[flush.version] = after
            self.check_flush(flush, before, after)
        self.check_market(after)

    def check_flush(self, flush: Flush, before: dict[str, Values], after: dict[str, Values]) -> None:
        assert sorted(flush.gone) == sorted(before.keys() - after.keys())
        changed = {record.key for record in flush.changed}
        assert changed >= {key for key in after if after[key] != before.get(key)}

    def check_market(self, contents: dict[str, Values]) -> None:
        assert contents == self.market.records

    def send_due(self) -> None:
        while self.armed:
            self.shared.clear()
            self.groups.send_due(self.armed.pop())

    def contents(self) -> dict[str, Values]:
        """Everything visible, by key."""
        records = self.store.records()
        return {
            r.key: dict(zip(protocol.FEED_FIELDS if r.is_feed else protocol.FIELDS, r.values, strict=True))
            for r in records
        }

    def visible(self, selection: Selection, version: int | None = None) -> tuple[View, View]:
        """What a reader of a selection must see, now or at an older version: quotes and feeds."""
        contents = self.contents() if version is None else self.history[version]
        wanted = selection.fields or protocol.FIELDS
        quotes: View = {}
        feeds: View = {}
        for key, values in contents.items():
            texts = {name: None if value is None else str(value) for name, value in values.items()}
            if key[0] == "@":
                feeds[key[1:]] = texts
            elif selects(selection.patterns, key):
                quotes[key] = {name: texts[name] for name in wanted}
        return quotes, feeds

    # What happens in the market

    def ingest(self, key: str, values: Values, ts: int | None = None, received_ms: int | None = None) -> None:
        self.store.ingest(key, values, ts, received_ms)
        self.market.ingest(key, values, ts, received_ms)

    def delist(self, symbol: str) -> None:
        self.store.remove(symbol)
        self.market.remove(symbol)

    @rule(symbol=symbols, values=quote_values, ts=times_ms, received=received_ms)
    def quote(self, symbol: str, values: Values, ts: int | None, received: int | None) -> None:
        self.ingest(symbol, values, ts, received)

    @rule(batch=st.lists(st.tuples(symbols, quote_values, times_ms, received_ms), min_size=1, max_size=4))
    def trade(self, batch: list[tuple[str, Values, int | None, int | None]]) -> None:
        for symbol, values, ts, received in batch:
            self.ingest(symbol, values, ts, received)
        self.flush()

    @rule(symbol=symbols, ts=st.integers(1, 3), wait_s=waits_s)
    def confirm(self, symbol: str, ts: int, wait_s: float) -> None:
        """A quote with nothing new but its time."""
        self.ingest(symbol, {}, ts)
        self.clock.tick(wait_s)
        self.flush()

    @rule(feed=st.sampled_from(FEEDS), values=feed_values, flushes=st.booleans())
    def feed(self, feed: str, values: Values, flushes: bool) -> None:
        self.ingest(feed, values)
        if flushes:
            self.flush()

    @rule(gone=st.sets(symbols, min_size=1), flushes=st.booleans())
    def remove(self, gone: set[str], flushes: bool) -> None:
        for symbol in sorted(gone):
            self.delist(symbol)
        if flushes:
            self.flush()

    @rule(symbol=symbols, values=quote_values)
    def replace(self, symbol: str, values: Values) -> None:
        """Removal and rebirth within one flush."""
        self.delist(symbol)
        self.ingest(symbol, values)
        self.flush()

    @rule(wait_s=waits_s)
    def time_passes(self, wait_s: float) -> None:
        self.clock.tick(wait_s)
        self.flush()

    @rule()
    def timers_fire(self) -> None:
        self.send_due()

    @rule()
    def heartbeat(self) -> None:
        """Whoever takes bytes hears something, unless the next turn of the loop brings it a frame anyway."""
        for link in self.links.values():
            link.heard = False
        self.groups.heartbeat(0.0)
        for link in self.links.values():
            assert link.heard or link.blocked or (link.lagging and not link.interval_ms)

    @precondition(lambda self: any(group.empty for group in self.groups))
    @rule()
    def forget_empty(self) -> None:
        self.clock.tick(KEEP_EMPTY_S + 1)
        self.groups.forget_empty()
        assert not any(group.empty for group in self.groups)

    @precondition(lambda self: len(self.history) > 12)
    @rule()
    def restart(self) -> None:
        for slot in list(self.links):
            self.cut(slot, 0)
        self.epoch += 1
        self.start()

    # What readers do

    @initialize(wishes=st.lists(st.tuples(selections, intervals_ms, st.booleans()), min_size=SLOTS, max_size=SLOTS))
    def open(self, wishes: list[tuple[Selection, int, bool]]) -> None:
        for slot, (selection, interval_ms, adopts) in enumerate(wishes):
            self.enter(slot, ModelReader(adopts=adopts), selection, interval_ms, None)

    @rule(slot=slots, selection=selections, interval_ms=intervals_ms, ahead=rarely(st.integers(1, 3)))
    def connect(self, slot: int, selection: Selection, interval_ms: int, ahead: int | None) -> None:
        """Somebody new, with nothing, or with a cursor of a version that never was."""
        self.cut(slot, 0)
        cursor = None if ahead is None else f"{self.epoch}:{self.store.version + ahead}:{selection.digest}"
        self.enter(slot, ModelReader(), selection, interval_ms, cursor)

    @precondition(lambda self: self.readers)
    @rule(data=st.data(), lost=st.integers(0, 3), other=rarely(selections))
    def resume(self, data: st.DataObject, lost: int, other: Selection | None) -> None:
        slot = data.draw(st.sampled_from(sorted(self.readers)))
        link = self.links.get(slot)
        selection = other or (link.selection if link else Selection.of(self.readers[slot].patterns))
        self.cut(slot, lost)
        reader = self.readers[slot]
        self.enter(slot, reader, selection, link.interval_ms if link else 0, reader.cursor)

    def enter(
        self, slot: int, reader: ModelReader, selection: Selection, interval_ms: int, text: str | None
    ) -> None:
        """What a session does with a first subscription."""
        cursor = self.cursor_type.parse(text) if text else None
        since = cursor.since(self.store.epoch, selection) if cursor else None
        link = self.links[slot] = Link(self, reader, selection, interval_ms)
        self.readers[slot] = reader
        good = text in {f"{self.store.epoch}:{v}:{selection.digest}" for v in self.history if v >= self.store.floor}
        data = self.groups.enter(link, selection, interval_ms, since)
        assert data.kind == ("update" if good else "snapshot")
        self.answer(link, data)

    def answer(self, link: Link, data: Frame) -> None:
        selection, interval_ms = link.selection, link.interval_ms
        link.deliver(protocol.subscribed(1, selection, 0, interval_ms, resumed=False, unknown=[], rejected=[]))
        link.deliver(data)

    def cut(self, slot: int, lost: int) -> None:
        """The connection breaks, and its last frames never arrive."""
        link = self.links.pop(slot, None)
        if link is not None:
            self.groups.leave(link)
            if lost and link.past:
                self.readers[slot] = link.past[-min(lost, len(link.past))]

    @precondition(lambda self: self.links)
    @rule(data=st.data(), more=patterns, names=fields, interval_ms=rarely(intervals_ms))
    def subscribe(self, data: st.DataObject, more: list[str], names: list[str] | None, interval_ms: int | None) -> None:
        link = self.pick(data)
        mask = Selection.of([], names).mask if names else link.selection.mask
        selection = Selection(tuple(sorted({*link.selection.patterns, *more})), mask)
        link.interval_ms = link.interval_ms if interval_ms is None else interval_ms
        self.change(link, selection)

    @precondition(lambda self: self.links)
    @rule(data=st.data(), which=st.integers(0, 3))
    def unsubscribe(self, data: st.DataObject, which: int) -> None:
        link = self.pick(data)
        have = link.selection.patterns
        if which < len(have):
            self.change(link, Selection(tuple(p for p in have if p != have[which]), link.selection.mask))

    def change(self, link: Link, selection: Selection) -> None:
        """What a session does with a later message, which is read only while the reader takes bytes."""
        link.blocked = link.chokes = False
        fewer = set(selection.patterns) < set(link.selection.patterns)
        link.selection = selection
        frame = self.groups.change(link, selection, link.interval_ms)
        if fewer:
            link.deliver(protocol.unsubscribed(1, selection, 0))
            link.deliver(frame)
        else:
            self.answer(link, frame)
        self.groups.ready(link)

    @precondition(lambda self: self.links)
    @rule(data=st.data(), taken=st.booleans())
    def block(self, data: st.DataObject, taken: bool) -> None:
        """From now on, or after one more frame, nothing is taken."""
        link = self.pick(data)
        link.chokes, link.blocked = taken and not link.blocked, not taken or link.blocked

    @precondition(lambda self: any(link.blocked for link in self.links.values()))
    @rule(data=st.data())
    def unblock(self, data: st.DataObject) -> None:
        blocked = sorted(slot for slot, link in self.links.items() if link.blocked)
        link = self.links[data.draw(st.sampled_from(blocked))]
        link.blocked = False
        assert self.groups.ready(link) == (link.lagging and not link.interval_ms)

    def settle(self) -> None:
        """Everybody takes bytes again: after one flush and one round of timers everybody knows everything."""
        for link in self.links.values():
            link.blocked = link.chokes = False
            self.groups.ready(link)
        self.flush()
        self.send_due()
        assert not any(link.waiting for link in self.links.values())
        self.readers_know_what_is_visible()

    def pick(self, data: st.DataObject) -> Link:
        return self.links[data.draw(st.sampled_from(sorted(self.links)))]

    @rule(selection=selections, other=rarely(selections), back=st.integers(0, 20))
    def poll(self, selection: Selection, other: Selection | None, back: int) -> None:
        """The same question without a connection: from any older version, and another selection, to now."""
        since = max(1, self.store.version - back)
        old = Selection(other.patterns, selection.mask) if other else selection
        reader = ModelReader()
        quotes, reader.feeds = self.visible(old, since)
        reader.view = {s: record for s, record in quotes.items() if selects(selection.patterns, s)}
        reader.epoch, reader.version = self.epoch, since
        reader.connect()
        scope, known = self.store.resolve(selection), self.store.resolve(old)
        changes = self.store.changes(scope, since, known if other else None)
        reader.apply(protocol.subscribed(1, selection, 0, 0, resumed=True, unknown=[], rejected=[]).data)
        reader.apply(protocol.data_frame(changes, 0).data)
        assert (reader.view, reader.feeds) == self.visible(selection)
        assert (changes.since is None) == (since < self.store.floor)
        assert self.store.matched(scope) == len(reader.view) <= scope.size
        self.store.release(scope)
        self.store.release(known)

    # What always holds

    @invariant()
    def readers_know_what_is_visible(self) -> None:
        for link in self.links.values():
            if not link.waiting:
                link.check()

    @invariant()
    def nobody_is_forgotten(self) -> None:
        for group in self.groups:
            assert not group.due or group.empty or group.interval_ms in self.armed

    @invariant()
    def the_past_is_bounded(self) -> None:
        assert self.store.tombstones <= MAX_TOMBSTONES
        versions = [record.version for record in self.store.records()]
        assert versions == sorted(versions)

    def teardown(self) -> None:
        """In the end everybody catches up and leaves, and nothing of them stays."""
        self.settle()
        for slot in list(self.links):
            self.cut(slot, 0)
        self.forget_empty()
        self.store.release(self.everything)
        assert (len(self.groups), len(self.store.wildcards)) == (0, 0)
