"""A core with its readers, in lockstep with the models: every flush and every frame is checked as it happens.

`World` does what feeds, sessions, transport and hub do to the core, without any of them. What is under test is
named in class attributes, so that a test can put a broken part in (`test_mutants.py`).
"""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Iterator

from tests.clock import ManualClock
from tests.ticker.model_reader import FEED_FIELDS, QUOTE_FIELDS, ModelMarket, ModelReader, Values, View, selects
from ticker import protocol
from ticker.groups import KEEP_EMPTY_S, PART, TURN_S, Groups
from ticker.protocol import Cursor, Frame
from ticker.readers import Group
from ticker.record import Flush
from ticker.selection import Selection
from ticker.settings import Limits
from ticker.store import Store

MAX_TOMBSTONES = 2
INTERVAL_MS = 500
MAX_LOST = 3


class Link:
    """The server's end of one connection, and the reader at the other end.

    It behaves like the transport: while blocked it refuses, and a write that fills the kernel's buffer is still
    taken whole. `past` is what the reader knew before each of the last frames: they may be lost on the way.
    """

    def __init__(self, world: World, reader: ModelReader, selection: Selection, interval_ms: int) -> None:
        self.group: Group | None = None
        self.since = 0
        self.address = "192.0.2.1"
        self.world = world
        self.reader = reader
        self.selection = selection
        self.interval_ms = interval_ms
        self.blocked = False
        self.chokes = False  # one more frame is taken
        self.heard = False
        self.past: deque[ModelReader] = deque(maxlen=MAX_LOST)
        self._number = world.number()
        reader.connect(world)

    def __hash__(self) -> int:  # so that sets of links are in the same order in each run
        return self._number

    def write(self, frame: Frame) -> bool:
        if self.blocked:
            return False
        assert self.group is not None
        if frame.kind == "heartbeat":
            self._check_heartbeat(int(json.loads(frame.data)["version"]))
        else:
            shared = self.world.shared.setdefault((self.group, self.since if self.lagging else None), frame)
            assert shared is frame, "equal readers got frames of their own"
        self.heard = True
        self.deliver(frame)
        return True

    def deliver(self, *frames: Frame) -> None:
        for frame in frames:
            self.past.append(self.reader.copy())
            self.reader.apply(frame.data)
            if frame.kind in {"snapshot", "update"}:
                self.check(frame.version)
        self.blocked, self.chokes = self.chokes, False

    def check(self, version: int | None = None) -> None:
        """The view is the store restricted to the selection, now or as it was at an older version."""
        assert self.reader.epoch == self.world.store.epoch
        assert (self.reader.view, self.reader.feeds) == self.world.visible(self.selection, version)
        self.world.check_view(self.reader.view)

    def _check_heartbeat(self, version: int) -> None:
        """Nothing of the reader's has changed between what it knows and this version."""
        if version >= self.reader.version:
            assert (self.reader.view, self.reader.feeds) == self.world.visible(self.selection, version)

    @property
    def lagging(self) -> bool:
        assert self.group is not None
        return self in self.group.lagging

    @property
    def ahead(self) -> bool:
        """Whether it comes from a server that has shown more than this one; then it is told nothing for a moment."""
        store = self.world.store
        return self.reader.epoch == store.epoch and self.reader.version > store.version

    @property
    def waiting(self) -> bool:
        """Whether there may be news that it has not been sent yet."""
        assert self.group is not None
        return self.lagging or self.group.due_since is not None


class World:
    """A store, its groups, and readers by slot, connected or not."""

    store_type: type[Store] = Store
    groups_type: type[Groups] = Groups
    cursor_type: type[Cursor] = Cursor

    def __init__(self, clock: ManualClock | None = None) -> None:
        self.clock = clock or ManualClock()
        self.links: dict[int, Link] = {}
        self.readers: dict[int, ModelReader] = {}
        self.shared: dict[tuple[Group, int | None], Frame] = {}
        self.epoch = 1000
        self.slow = False
        self.number = itertools.count().__next__
        self._start()

    def _start(self) -> None:
        self.store = self.make_store()
        self.armed: set[int] = set()
        self.work: deque[Iterator[None]] = deque()
        self.groups = self.groups_type(self.store, self.clock, self.armed.add, Limits(), self.work.append)
        self.groups.large = 2  # small markets shall meet what is meant for thousands of symbols
        self.set_pace(self.slow)
        self.store.on_flush.append(self.groups.publish)
        self.store.on_restart.append(self.groups.restart)
        self.market = ModelMarket()
        self.history: dict[int, dict[str, Values]] = {self.store.version: {}}

    def make_store(self) -> Store:
        return self.store_type(self.epoch, max_tombstones=MAX_TOMBSTONES)

    def restart(self) -> None:
        """The server goes away with all connections, and another one comes."""
        for slot in list(self.links):
            self.cut(slot)
        self.epoch += 1
        self._start()

    # The market

    def ingest(self, key: str, values: Values, ts: int | None = None, received_ms: int | None = None) -> None:
        self.store.ingest(key, values, ts, received_ms)
        self.market.ingest(key, values, ts, received_ms)

    def remove(self, symbol: str) -> None:
        self.store.remove(symbol)
        self.market.remove(symbol)

    def set_pace(self, slow: bool) -> None:
        """From now on a turn of the loop is long enough for everything, or for one write alone."""
        self.slow = slow
        self.groups.turn_s, self.groups.part = (-1.0, 1) if slow else (TURN_S, PART)

    def turn(self) -> bool:
        """One turn of the loop; returns whether there was anything to do."""
        self.shared.clear()
        if self.groups.sending:
            self.groups.send_on()
        elif self.work and next(self.work[0], self) is self:
            self.work.popleft()
        else:
            self.work.rotate(-1)
        return self.groups.sending or bool(self.work)

    def finish(self) -> None:
        """As many turns as it takes."""
        while self.turn():
            pass

    def flush(self) -> None:
        """One turn of the hub: flush, publish, catch up; it comes after the rest of the last one."""
        self.shared.clear()
        self.groups.send_rest()
        self.shared.clear()
        before, version = self.contents(), self.store.version
        flush = self.store.flush(self.clock.monotonic())
        self.market.flush(self.clock.monotonic())
        self.catch_up()
        after = self.contents()
        assert self.store.version == version + (flush is not None)
        if flush is None:
            assert after == before
        else:
            self.history[flush.version] = after
            self._check_flush(flush, before, after)
        self.check_market(after)
        assert not self.store.waiting(self.clock.monotonic())

    def _check_flush(self, flush: Flush, before: dict[str, Values], after: dict[str, Values]) -> None:
        """A new version has news, and tells all of them."""
        assert after != before or self.market.reborn
        assert sorted(flush.gone) == sorted(before.keys() - after.keys())
        assert {r.key for r in flush.changed} >= {key for key in after if after[key] != before.get(key)}

    def check_market(self, contents: dict[str, Values]) -> None:
        """The visible records are those of the model."""
        assert contents == self.market.records

    def check_view(self, view: View) -> None:
        """The view is consistent: a reader may look at it now."""

    def wait(self, wait_s: float) -> None:
        """Time passes, followed by a turn of the hub."""
        self.clock.tick(wait_s)
        self.flush()
        if wait_s >= INTERVAL_MS / 1000:
            self.send_due()

    def send_due(self) -> None:
        """The timers of all classes fire."""
        due = list(self.armed)
        self.armed.clear()
        for interval_ms in due:
            self.shared.clear()
            self.groups.send_due(interval_ms)

    def forget_empty(self) -> None:
        """No reader comes back for a long time."""
        self.clock.tick(KEEP_EMPTY_S + 1)
        self.groups.forget_empty()
        assert not any(group.empty for group in self.groups)

    def heartbeat(self) -> None:
        """Every reader that takes bytes gets a frame, unless the next turn of the hub brings one anyway."""
        for link in self.links.values():
            link.heard = False
        self.groups.heartbeat(0.0)
        self.finish()
        for link in self.links.values():
            assert link.heard or link.blocked or link.ahead or (link.lagging and not link.interval_ms)

    def contents(self) -> dict[str, Values]:
        """Everything visible, by key."""
        return {
            record.key: dict(zip(FEED_FIELDS if record.is_feed else QUOTE_FIELDS, record.values, strict=True))
            for record in self.store.records()
        }

    def visible(self, selection: Selection, version: int | None = None) -> tuple[View, View]:
        """What a reader of a selection must see, now or at an older version: quotes and feeds."""
        contents = self.contents() if version in {None, self.store.version} else self.history[version or 0]
        quotes: View = {}
        feeds: View = {}
        for key, values in contents.items():
            texts = {name: None if value is None else str(value) for name, value in values.items()}
            if key[0] == "@":
                feeds[key[1:]] = texts
            elif selects(selection.patterns, key):
                quotes[key] = {name: texts[name] for name in selection.fields or QUOTE_FIELDS}
        return quotes, feeds

    # Readers

    def catch_up(self) -> None:
        """In as many turns as it takes."""
        self.groups.catch_up()
        while self.groups.returning:
            self.groups.catch_up()

    def enter(
        self, slot: int, reader: ModelReader, selection: Selection, interval_ms: int = 0, text: str | None = None
    ) -> Link:
        """Connect with a first subscription and perhaps a cursor, as a session does it."""
        return self.attach(slot, Link(self, reader, selection, interval_ms), text)

    def attach(self, slot: int, link: Link, text: str | None) -> Link:
        """The same with a link."""
        store, selection = self.store, link.selection
        cursor = self.cursor_type.parse(text) if text else None
        since = cursor.since(store.epoch, selection) if cursor else None
        self.links[slot], self.readers[slot] = link, link.reader
        known = [version for version in self.history if store.floor <= version <= self.known_to()]
        good = text in {f"{store.epoch}:{version}:{selection.digest}" for version in known}
        data = self.groups.enter(link, selection, link.interval_ms, since)
        assert data.kind == ("update" if good else "snapshot"), "never something in between"
        link.deliver(subscribed(selection), data)
        return link

    def known_to(self) -> int:
        """Up to which version of the present epoch readers may know what the store shows."""
        return self.store.version

    def change(self, link: Link, selection: Selection, interval_ms: int) -> None:
        """Another selection or interval, as the transport reads it: only while the reader takes bytes."""
        link.blocked = link.chokes = False
        if link.ahead:
            link.reader.change_ahead()
        fewer = set(selection.patterns) < set(link.selection.patterns)
        link.selection, link.interval_ms = selection, interval_ms
        data = self.groups.change(link, selection, interval_ms)
        link.deliver(protocol.unsubscribed(1, selection, 0) if fewer else subscribed(selection), data)
        self.groups.ready(link)

    def unblock(self, link: Link) -> None:
        """It takes bytes again; the hub hears of it."""
        link.blocked = link.chokes = False
        assert self.groups.ready(link) == (link.lagging and not link.interval_ms and not link.ahead)

    def cut(self, slot: int, lost: int = 0) -> None:
        """The connection breaks, and its last frames never arrive."""
        link = self.links.pop(slot, None)
        if link is not None:
            self.groups.leave(link)
            if lost and link.past:
                self.readers[slot] = link.past[-min(lost, len(link.past))]

    def poll(self, selection: Selection, since: int, known: Selection | None = None) -> None:
        """Ask without a connection: what changed since an older version, for one who knew this or another selection."""
        reader = ModelReader()
        quotes, reader.feeds = self.visible(known or selection, since)
        reader.view = {s: record for s, record in quotes.items() if selects(selection.patterns, s)}
        reader.epoch, reader.version = self.epoch, since
        reader.connect()
        scope, old = self.store.resolve(selection), self.store.resolve(known or selection)
        changes = self.store.changes(scope, since, old if known else None)
        reader.apply(subscribed(selection).data)
        reader.apply(protocol.data_frame(changes, 0).data)
        assert (reader.view, reader.feeds) == self.visible(selection)
        assert (changes.since is None) == (since < self.store.floor)
        assert self.store.matched(scope) == len(reader.view) <= scope.size
        assert self.visible(selection, max(min(self.history), self.store.newest(scope))) == self.visible(selection)
        self.store.release(scope)
        self.store.release(old)

    # What always holds

    def check(self) -> None:
        for link in self.links.values():
            if not link.waiting:
                link.check()
        for group in self.groups:
            served = group.interval_ms in self.armed or self.groups.sending or self.work
            assert group.due_since is None or group.empty or served, "nobody will send what waits"
        versions = [record.version for record in self.store.records()]
        assert versions == sorted(versions)
        assert self.store.tombstones <= MAX_TOMBSTONES

    def settle(self) -> None:
        """All readers take bytes again: after one flush and one round of timers all know everything."""
        for link in self.links.values():
            self.unblock(link)
        self.flush()
        self.finish()
        self.send_due()
        self.finish()
        self.catch_up()
        assert not any(link.waiting for link in self.links.values())
        self.check()

    def end(self) -> None:
        """All readers catch up and leave, and nothing of them is left."""
        self.settle()
        for slot in list(self.links):
            self.cut(slot)
        self.forget_empty()
        assert (len(self.groups), len(self.store.wildcards)) == (0, 0)


def subscribed(selection: Selection) -> Frame:
    return protocol.subscribed(1, selection, 0, 0, resumed=False, unknown=[], rejected=[])
