"""An origin and its gateways, in lockstep with the models: whatever server tells a reader something, it is exact.

The gateways follow by what really goes over the line: the frames of a reader of everything, decoded and put in order
as `ticker.client` does it. Versions and contents are the origin's, whose market has a model (`stream_world.py`); those
of a gateway without a connection are what it showed last, as stale.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tests.ticker.incoming import merge, replace
from tests.ticker.model_reader import ModelReader, Values
from tests.ticker.stream_world import INTERVAL_MS, MAX_LOST, Link, World
from ticker.client.follower import Follower
from ticker.client.wire import Message
from ticker.errors import UnreachableError
from ticker.groups import KEEP_EMPTY_S
from ticker.protocol import Cursor, Frame
from ticker.selection import Selection
from ticker.store import Store
from ticker.upstream import AWAY_S, Upstream

EVERYTHING = Selection.of(["*", "*:*"])
FOLLOWED = (0, 0, 1)
"""Which server each gateway follows; 0 is the origin, 1 the first gateway."""
FIRST_SLOT = 100
"""Where gateways are in the list of readers."""

Histories = dict[int, dict[int, dict[str, Values]]]
"""What is to be seen, by epoch and version."""


@dataclass
class Connection:
    """As much of one as the gateway's core sees."""

    state: str = "reconnecting"
    trouble: str = ""

    @property
    def connected(self) -> bool:
        return self.state != "reconnecting"


class Mirror(Follower):
    """Hands a gateway what its connection brings."""

    def __init__(self, upstream: Upstream) -> None:
        super().__init__(EVERYTHING.patterns)
        self.upstream = upstream

    def replace(self, message: Message) -> None:
        replace(self.upstream, message.epoch, message.version, message.quotes, message.feeds)

    def merge(self, message: Message) -> None:
        merge(self.upstream, message.version, message.quotes, message.gone, message.feeds)

    def drop(self, keep: Callable[[str], bool]) -> None:
        """It always wants everything."""

    def has(self, symbol: str) -> bool:
        raise AssertionError(f"it has named no symbol, not even {symbol}")

    def wake(self) -> None:
        """Nobody waits."""


class Uplink(Link):
    """A gateway's connection to the server that it follows: what was sent is on its way until it is `carry`-ed."""

    def __init__(self, gateway: Gateway, reader: ModelReader) -> None:
        super().__init__(gateway.followed, reader, EVERYTHING, 0)
        self.gateway = gateway

    def deliver(self, *frames: Frame) -> None:
        super().deliver(*frames)
        self.gateway.way.extend(frame.data for frame in frames)
        self.blocked = self.gateway.holds


class Gateway(World):
    """A server that follows another one."""

    def __init__(self, fleet: Fleet, followed: World, slot: int) -> None:
        self.fleet, self.followed, self.slot = fleet, followed, slot
        self.store_type, self.groups_type, self.cursor_type = fleet.store_type, fleet.groups_type, fleet.cursor_type
        self.connection = Connection()
        self.way: deque[bytes] = deque()
        self.eager = True
        self.held = False
        self.room = MAX_LOST
        super().__init__(fleet.clock)

    def _start(self) -> None:
        super()._start()
        self.upstream = self.fleet.upstream_type(self.store, self.clock, "up", connection=self.connection)
        self.mirror = Mirror(self.upstream)
        self.epoch, self.shown = self.store.epoch, dict[str, Values]()
        self.fleet.histories[self.epoch] = self.history
        self.store.on_restart.append(self._restarted)

    # Its connection

    @property
    def uplink(self) -> Link | None:
        return self.followed.links.get(self.slot)

    @property
    def holds(self) -> bool:
        """Whether nothing more can be sent to it."""
        return self.held or len(self.way) >= self.room

    def connect(self) -> None:
        if self.uplink is None:
            cursor = self.mirror.cursor
            reader = self.followed.readers[self.slot] if cursor else ModelReader(adopts=True)
            assert cursor is None or cursor == reader.cursor
            self.mirror.open()
            self.followed.attach(self.slot, Uplink(self, reader), cursor)

    def disconnect(self) -> None:
        """The connection breaks; what was on its way is lost."""
        if self.uplink is not None:
            self.followed.cut(self.slot, len(self.way))
            self.way.clear()
            self.connection.state, self.connection.trouble = "reconnecting", "cut"

    def carry(self, most: int = sys.maxsize) -> None:
        """Some of what is on its way arrives."""
        for _ in range(min(most, len(self.way))):
            try:
                self.mirror.receive(self.way.popleft())
            except UnreachableError as error:
                raise AssertionError(error) from error
            if self.mirror.current:
                self.connection.state = "live"
        if self.uplink is not None and self.uplink.blocked and not self.holds:
            self.followed.unblock(self.uplink)

    def expire(self) -> None:
        """Time has passed."""
        before = self.upstream.orphaned
        assert list(self.upstream.expire()) == []
        if self.upstream.orphaned and not before:
            self.disconnect()
            self.mirror.forget()

    # What it shows

    def known_to(self) -> int:
        """A reader that comes from another server may be ahead of this one."""
        return max(self.history)

    def _restarted(self) -> None:
        self.epoch = self.store.epoch
        if self.epoch not in self.fleet.histories:
            assert self.upstream.orphaned
            mute = self.connection.connected or not self.connection.trouble
            why = "no word from up" if mute else f"no word from up: {self.connection.trouble}"
            self.fleet.histories[self.epoch] = {self.store.version: stale(self.shown, self.clock.wall_ms(), why)}
        self.history = self.fleet.histories[self.epoch]
        self._check_contents()

    def flush(self) -> None:
        self.shared.clear()
        self.groups.send_rest()
        self.shared.clear()
        before = self.store.version
        self.store.flush(self.clock.monotonic(), 1)
        self.catch_up()
        self._check_contents()
        for version in self.history:
            if before < version < self.store.version:
                self.poll(EVERYTHING, version)  # a cursor of another server
        assert not self.store.waiting(self.clock.monotonic())

    def _check_contents(self) -> None:
        """It shows exactly what the other one showed at that version."""
        assert self.store.version in self.history
        self.shown = self.history[self.store.version]
        assert self.contents() == self.shown
        venues = [values for key, values in self.shown.items() if ":" in key]
        assert self.upstream.stale == sum(values["state"] == "stale" for values in venues)


def stale(contents: dict[str, Values], now_ms: int, why: str) -> dict[str, Values]:
    """The same when nothing has been heard for too long."""
    news: Values = {"state": "stale"}
    feed_news: Values = {"state": "stale", "since": now_ms, "message": why}
    return {
        key: values if values["state"] != "live" else values | (feed_news if key[0] == "@" else news)
        for key, values in contents.items()
    }


class Origin(World):
    """The server with the market. A new one may start with any version."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.store_type, self.groups_type, self.cursor_type = fleet.store_type, fleet.groups_type, fleet.cursor_type
        self.first_version = 1
        super().__init__(fleet.clock)

    def _start(self) -> None:
        super()._start()
        self.fleet.histories[self.epoch] = self.history

    def make_store(self) -> Store:
        store = super().make_store()
        store.version = self.first_version
        return store


class Fleet(World):
    """All servers. Each reader is at one of them; a gateway that is `eager` hears at once what the other one sends."""

    upstream_type: type[Upstream] = Upstream

    def _start(self) -> None:
        self.histories: Histories = {}
        self.origin = Origin(self)
        self.servers: list[World] = [self.origin]
        self.gateways: list[Gateway] = []
        for i, followed in enumerate(FOLLOWED):
            gateway = Gateway(self, self.servers[followed], FIRST_SLOT + i)
            self.gateways.append(gateway)
            self.servers.append(gateway)
            gateway.connect()
        self._look()
        self._follow()

    def _look(self) -> None:
        origin = self.origin
        self.store, self.groups, self.history, self.epoch = origin.store, origin.groups, origin.history, origin.epoch

    def _follow(self) -> None:
        for gateway in self.gateways:
            if gateway.eager:
                gateway.carry()
                gateway.flush()

    def server_of(self, slot: int) -> World:
        link = self.links.get(slot)
        return link.world if link is not None else self.servers[slot % len(self.servers)]

    # The market, and time

    def ingest(self, key: str, values: Values, ts: int | None = None, received_ms: int | None = None) -> None:
        self.origin.ingest(key, values, ts, received_ms)

    def remove(self, symbol: str) -> None:
        self.origin.remove(symbol)

    def set_pace(self, slow: bool) -> None:
        for server in self.servers:
            server.set_pace(slow)

    def turn(self) -> bool:
        goes_on = [server.turn() for server in self.servers]
        return any(goes_on)

    def flush(self) -> None:
        self.origin.flush()
        self._follow()

    def wait(self, wait_s: float) -> None:
        self.clock.tick(wait_s)
        self.flush()
        for gateway in self.gateways:
            gateway.expire()
            gateway.flush()
        if wait_s >= INTERVAL_MS / 1000:
            self.send_due()

    def send_due(self) -> None:
        for server in self.servers:
            server.send_due()

    def heartbeat(self) -> None:
        for server in self.servers:
            server.heartbeat()

    def forget_empty(self) -> None:
        self.clock.tick(KEEP_EMPTY_S + 1)
        for server in self.servers:
            server.groups.forget_empty()
            assert not any(group.empty for group in server.groups)

    def restart(self, which: int = 0, first_version: int = 1) -> None:
        """A server goes away with all connections, and another one comes: the origin has an epoch of its own then."""
        server = self.servers[which]
        for gateway in self.gateways:
            if server in {gateway, gateway.followed}:
                gateway.disconnect()
        for slot, link in list(self.links.items()):
            if link.world is server:
                self.cut(slot)
        self.origin.first_version = first_version
        server.epoch += 1  # by two: there are no cursors of the epochs in between
        server.restart()
        self._look()

    # Readers

    def enter(
        self, slot: int, reader: ModelReader, selection: Selection, interval_ms: int = 0, text: str | None = None
    ) -> Link:
        server, cursor = self.server_of(slot), Cursor.parse(text or "")
        if cursor is not None and cursor.version > max(server.history):
            server = self.origin  # a gateway would wait for a version that never comes
        return self.enter_at(server, slot, reader, selection, interval_ms, text)

    def enter_at(
        self, server: World, slot: int, reader: ModelReader, selection: Selection, interval_ms: int, text: str | None
    ) -> Link:
        link = self.links[slot] = server.enter(slot, reader, selection, interval_ms, text)
        self.readers[slot] = reader
        return link

    def change(self, link: Link, selection: Selection, interval_ms: int) -> None:
        link.world.change(link, selection, interval_ms)

    def unblock(self, link: Link) -> None:
        link.world.unblock(link)

    def cut(self, slot: int, lost: int = 0) -> None:
        link = self.links.pop(slot, None)
        if link is not None:
            link.world.cut(slot, lost)
            self.readers[slot] = link.world.readers[slot]

    def poll(self, selection: Selection, since: int, known: Selection | None = None) -> None:
        for server in self.servers:
            reached = [version for version in server.history if version <= min(since, server.store.version)]
            if reached:
                server.poll(selection, max(reached), known)

    # What always holds

    def check(self) -> None:
        for server in self.servers:
            server.check()

    def settle(self) -> None:
        """All connections are made again: in the end all servers show the same, under the same version."""
        for gateway in self.gateways:
            gateway.held, gateway.room = False, sys.maxsize
            gateway.connect()
        for server in self.servers:
            if isinstance(server, Gateway):
                server.carry()
            server.settle()
        for gateway in self.gateways:
            assert (gateway.store.epoch, gateway.store.version) == (self.epoch, self.store.version)
            assert gateway.contents() == self.origin.contents()
            assert gateway.upstream.not_ready() == []

    def end(self) -> None:
        self.settle()
        for slot in list(self.links):
            self.cut(slot)
        for gateway in self.gateways:
            gateway.disconnect()
        self.forget_empty()
        for server in self.servers:
            assert (len(server.groups), len(server.store.wildcards), server.groups.quota.cells) == (0, 0, 0)


AWAY_WAITS_S = (AWAY_S / 2, AWAY_S)
