"""Random stories of the whole way from a feed to readers, over both transports, without sockets and without waiting.

Application, HTTP and WebSocket protocols, hub, sessions and store are the real ones, in a loop whose time jumps.
Readers (`tests.web.pipes`) take bytes as they like, leave in the middle of a frame, and come back with any cursor that
anybody ever had. Whatever comes, each frame must leave its reader with exactly what the store had in its version.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any
from urllib.parse import quote

import pytest

from tests.ticker.jumping import LoopClock, play
from tests.ticker.model_reader import FEED_FIELDS, QUOTE_FIELDS, ModelReader, View, selects
from tests.web.peer import CLOSE, frame
from tests.web.pipes import Pipe, Reader, request
from ticker.model import Quote
from ticker.record import Flush
from ticker.service import Service
from ticker.settings import Settings
from web.app import create_app
from web.server import make_server

NAMES = ("A", "B", "AB", "C-USD", "D-USD")
PATTERNS = ("A", "AB", "*", "*:*", "x:*", "*:A", "A*", "*-USD", "y:C-USD", "NO")
FIELDS = (None, None, ["last"], ["bid", "ts"], ["last", "state"])
INTERVALS_MS = (0, 0, 0, 100, 250)
STEPS = 600
SETTINGS: dict[str, dict[str, Any]] = {
    "hub": {"flush_interval_ms": 20, "heartbeat_ms": 1000, "stall_s": 3},
    "limits": {"messages_per_s": 10_000, "connects_per_s": 10_000, "work_per_s": 10_000_000},
}
PLENTY: dict[str, int] = {}
SCARCE = {"cells_per_address": 60, "snapshot_symbols_per_s": 100}
"""Limits under which every third wish or so is refused."""


class Story:
    """One service after another, and readers that outlive them."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.clock = LoopClock()
        self.readers: list[Reader] = []
        self.known = [("nonsense", ModelReader())]
        """Every cursor so far, with what its reader knew then."""
        self.truth: dict[tuple[int, int], dict[str, dict[str, str | None]]] = {}
        self.ports = 1000
        self.frames = 0

    def start(self, limits: dict[str, int]) -> None:
        """Start a service, with an epoch of its own."""
        sections = SETTINGS | {"limits": SETTINGS["limits"] | limits}
        self.service = Service(Settings.model_validate(sections), self.clock)
        store, hub = self.service.store, self.service.hub
        store.max_tombstones = 3
        hub.groups.large = 2
        self.feeds = {name: self.service.feed(name, "live", "received", 5.0) for name in "xy"}
        app = create_app(self.service)
        self.server = make_server(app, app.state.door, self.service.settings)
        store.on_flush.append(self.note)
        for feed in self.feeds.values():
            feed.loaded()
        self.note(Flush(store.version, store.version, [], [], []))
        self.hub = asyncio.create_task(hub.run())

    async def stop(self) -> None:
        """Stop it; readers that take what there is are told."""
        drain = asyncio.create_task(self.service.hub.drain(5.0))
        while not drain.done():
            for reader in self.readers:
                reader.read(10_000)
            await asyncio.sleep(0.01)
        self.readers.clear()
        self.hub.cancel()
        await asyncio.wait([self.hub])
        await asyncio.sleep(1)
        hub = self.service.hub
        assert not hub.connections
        assert not hub.paused
        assert not self.server.server_state.connections
        assert not any(len(group.members) + len(group.lagging) + len(group.returning) for group in hub.groups)
        hub.close()

    def note(self, flush: Flush) -> None:
        """Note what everybody must see from now on."""
        store = self.service.store
        self.truth[store.epoch, flush.version] = {
            record.key: {
                name: None if value is None else str(value)
                for name, value in zip(FEED_FIELDS if record.is_feed else QUOTE_FIELDS, record.values, strict=True)
            }
            for record in store.records()
        }

    def visible(self, reader: Reader, at: tuple[int, int]) -> tuple[View, View]:
        """What a reader must see at an epoch and version."""
        found = self.truth[at]
        fields = [name for name in QUOTE_FIELDS if reader.fields is None or name in reader.fields]
        quotes = {
            key: {name: values[name] for name in fields}
            for key, values in found.items()
            if key[0] != "@" and selects(reader.model.patterns, key)
        }
        return quotes, {key[1:]: values for key, values in found.items() if key[0] == "@"}

    def check(self, reader: Reader, frame: dict[str, Any], answers: bool) -> None:
        """Check a reader after each frame that brought data."""
        self.frames += 1
        model = reader.model
        assert (model.view, model.feeds) == self.visible(reader, (model.epoch, model.version))
        assert answers or frame["type"] == "snapshot" or frame.keys() & {"quotes", "gone", "feeds"}, (
            "it carries nothing"
        )
        self.known.append((model.cursor, model.copy()))

    # What happens

    def trade(self) -> None:
        """Publish a few quotes; some repeat what was visible, some go back to it at once."""
        dice, (name, feed) = self.dice, self.dice.choice(list(self.feeds.items()))
        for _ in range(dice.choice((1, 1, 2))):
            feed.publish(
                Quote(f"{name}:{dice.choice(NAMES)}", {"last": dice.choice(("1", "2.50", "3")), "bid": "1"})
                for _ in range(dice.randrange(1, 6))
            )

    def remove(self) -> None:
        """Remove symbols, at times so many that the store forgets which."""
        venue, feed = self.dice.choice(list(self.feeds.items()))
        feed.remove([f"{venue}:{name}" for name in self.dice.sample(NAMES, self.dice.choice((1, 1, 2, 5)))])

    def wish(self) -> dict[str, Any]:
        """What a reader wants; most want the same, since what can go wrong needs readers that share a group."""
        if self.dice.random() < 0.6:
            return {"symbols": [self.dice.choice(("x:*", "*"))], "fields": None, "interval_ms": 0}
        return {
            "symbols": self.dice.sample(PATTERNS, self.dice.choice((1, 1, 2, 3))),
            "fields": self.dice.choice(FIELDS),
            "interval_ms": self.dice.choice(INTERVALS_MS),
        }

    def connect(self) -> None:
        """Connect a reader: anew, where another one was, or with a cursor that is not quite that."""
        dice, events, wish = self.dice, self.dice.random() < 0.4, self.wish()
        model = ModelReader(adopts=dice.random() < 0.5)
        if dice.random() < 0.7:
            wish["cursor"], known = dice.choice(self.known[-dice.choice((3, 30, 10_000)) :])
            model = known.copy()
            if dice.random() < 0.8:
                wish |= {"symbols": model.patterns or ["A"], "fields": list(model._fields)}
            if dice.random() < 0.1:
                epoch, _, digest = model.cursor.split(":")
                wish["cursor"] = f"{epoch}:{self.service.store.version + 2}:{digest}"
        self.ports += 1
        pipe, config = Pipe(self.ports), self.server.config
        reader = Reader(pipe, model, self.check, events=events)
        self.readers.append(reader)
        http = config.http_protocol_class(config=config, server_state=self.server.server_state, app_state={})  # type: ignore[call-arg]
        pipe.set_protocol(http)
        http.connection_made(pipe)
        given = {name: value for name, value in wish.items() if value is not None}
        query = "&".join(
            f"{name}={quote(','.join(value) if isinstance(value, list) else str(value))}"
            for name, value in given.items()
        )
        by_message = not events and dice.random() < 0.4
        target = "/api/stream" if events else "/ws"
        pipe.say(request(target if by_message else f"{target}?{query}", events=events, deflates=dice.random() < 0.5))
        if by_message:
            reader.ask(op="subscribe", id=0, **given)
        else:
            reader.asked.append({"op": "subscribe", **given})

    def change(self, reader: Reader) -> None:
        """A reader changes its mind, perhaps several times before it hears an answer."""
        for _ in range(self.dice.choice((1, 1, 3))):
            wish = self.wish()
            if self.dice.random() < 0.4:
                reader.ask(op="unsubscribe", id=self.dice.randrange(99), symbols=wish["symbols"])
            else:
                given = {name: value for name, value in wish.items() if value is not None}
                reader.ask(op="subscribe", id=self.dice.randrange(99), **given)

    def touch(self, reader: Reader) -> None:
        """Let something happen to a reader."""
        what = self.dice.random()
        if what < 0.75:
            reader.read(self.dice.choice((1, 40, 300, 100_000)))
        elif what < 0.9:
            if not reader.events:
                self.change(reader)
        elif what < 0.94:
            reader.pipe.reset()
        elif what < 0.97 and not reader.events:
            reader.pipe.say(frame(CLOSE, b"\x03\xe8"))
        else:  # its token has expired, say
            for connection in list(self.service.hub.connections):
                if connection.group is not None and self.dice.random() < 0.1:
                    connection.end(4001, "the token has expired")

    async def settle(self) -> None:
        """Let everybody read until all know everything."""
        for _ in range(20):
            for reader in self.readers:
                reader.read(100_000)
            await asyncio.sleep(0.05)
        self.readers = [reader for reader in self.readers if not reader.pipe.over]
        store = self.service.store
        for reader in self.readers:
            assert not reader.asked
            assert not reader.due
            if reader.subscribed and reader.closed is None:
                assert (reader.model.view, reader.model.feeds) == self.visible(reader, (store.epoch, store.version))

    async def tell(self, limits: dict[str, int]) -> None:
        """Play the story of one service."""
        self.start(limits)
        for step in range(STEPS):
            act = self.dice.random()
            if act < 0.3:
                self.trade()
            elif act < 0.36:
                self.remove()
            elif act < 0.45 and len(self.readers) < 12:
                self.connect()
            elif self.readers:
                self.touch(self.dice.choice(self.readers))
            if self.dice.random() < 0.5:
                await asyncio.sleep(self.dice.choice((0, 0, 0.001, 0.02, 0.1, 0.3)))
            if step % 100 == 99:
                await self.settle()
        await self.stop()


@pytest.mark.parametrize("seed", range(4))
def test_every_reader_is_exact_whatever_happens(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two lives of a service, some hundred readers: no frame is wrong, late for ever, or empty, whoever is refused."""
    for name in ("ticker.session.MANY", "ticker.session.LARGE", "ticker.slices.SLICE", "ticker.slices.TESTS"):
        monkeypatch.setattr(name, 2)

    async def story(_: object) -> None:
        told = Story(seed)
        for limits in (PLENTY, SCARCE):
            await told.tell(limits)
            await asyncio.sleep(1)
        assert told.frames > STEPS / 4

    play(story)
