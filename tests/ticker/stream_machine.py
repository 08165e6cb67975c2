"""The machine that plays a random market and random readers against the core, step by step.

After any data frame, and whenever a reader has nothing to wait for, its view is the store restricted to its
selection: for any order of writes, removals, flushes, changes of selection, refused writes, lost frames, resumes
and restarts. The checks are in `World`.
"""

from __future__ import annotations

from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.ticker.model_reader import ModelReader, Values, View
from tests.ticker.stream_world import INTERVAL_MS, MAX_LOST, Link, World
from ticker.consolidate import Consolidator
from ticker.selection import Selection
from ticker.store import Store

SYMBOLS = ("k:BTC-USD", "b:BTC-USD", "k:ETH-USD", "s:ETH-USD", "BTC-USD", "ETH-EUR")
FEEDS = ("@k", "@b")
PATTERNS = (*SYMBOLS, "*", "*:*", "k:*", "*:BTC-USD", "*-USD", "E*-E*", "NEVER-SEEN")
SLOTS = 4
T = TypeVar("T")


def rarely(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    """One time in four; else None."""
    return st.integers(0, 3).flatmap(lambda n: strategy if n == 3 else st.none())


# Alphabets are small on purpose: what can go wrong needs readers who meet at the same few symbols.
slots = st.integers(0, SLOTS - 1)
symbols = st.sampled_from(SYMBOLS)
patterns = st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3)
fields = rarely(st.sampled_from([["last"], ["ts", "last"], ["bid", "name"]]))
common = st.sampled_from([Selection.of(["*", "*:*"]), Selection.of(["BTC-USD", "k:*"], ["last", "ts"])])
selections = st.integers(0, 3).flatmap(lambda n: st.builds(Selection.of, patterns, fields) if n == 3 else common)
intervals_ms = st.sampled_from([0, 0, INTERVAL_MS])
waits_s = st.sampled_from([0.0, 0.0, 0.03125, 0.5, 1.0, 2.0])  # sums of these are exact
times_ms = st.sampled_from([None, 1000, 2000])
received_ms = st.sampled_from([None, 7000, 8000])
quote_values: st.SearchStrategy[Values] = st.just({}) | st.fixed_dictionaries(
    {},
    optional={
        "last": st.sampled_from(["1", "2.50", None]),
        "bid": st.sampled_from(["0.00000010", None]),
        "state": st.sampled_from(["live", "stale"]),
        "name": st.sampled_from(["Bitcoin", 'é"\\\n', None]),
    },
)
feed_values: st.SearchStrategy[Values] = st.fixed_dictionaries(
    {"state": st.sampled_from(["live", "down"])}, optional={"message": st.sampled_from(["HTTP 503", None])}
)


class StreamMachine(RuleBasedStateMachine):
    """A market, a core, and four readers who come and go."""

    world_type: type[World] = World

    def __init__(self) -> None:
        super().__init__()
        self.world = self.world_type()

    # What happens in the market

    @rule(symbol=symbols, values=quote_values, ts=times_ms, received=received_ms)
    def quote(self, symbol: str, values: Values, ts: int | None, received: int | None) -> None:
        self.world.ingest(symbol, values, ts, received)

    @rule(batch=st.lists(st.tuples(symbols, quote_values, times_ms, received_ms), min_size=1, max_size=4))
    def trade(self, batch: list[tuple[str, Values, int | None, int | None]]) -> None:
        for symbol, values, ts, received in batch:
            self.world.ingest(symbol, values, ts, received)
        self.world.flush()

    @rule(symbol=symbols, ts=st.integers(1, 3), wait_s=waits_s)
    def confirm(self, symbol: str, ts: int, wait_s: float) -> None:
        """A quote with nothing new but its time."""
        self.world.ingest(symbol, {}, ts)
        self.world.wait(wait_s)

    @rule(feed=st.sampled_from(FEEDS), values=feed_values, flushes=st.booleans())
    def feed(self, feed: str, values: Values, flushes: bool) -> None:
        self.world.ingest(feed, values)
        if flushes:
            self.world.flush()

    @rule(gone=st.sets(symbols, min_size=1), flushes=st.booleans())
    def remove(self, gone: set[str], flushes: bool) -> None:
        for symbol in sorted(gone):
            self.world.remove(symbol)
        if flushes:
            self.world.flush()

    @rule(symbol=symbols, values=quote_values)
    def replace(self, symbol: str, values: Values) -> None:
        """Removal and rebirth within one flush."""
        self.world.remove(symbol)
        self.world.ingest(symbol, values)
        self.world.flush()

    # What happens by the clock

    @rule(wait_s=waits_s)
    def wait(self, wait_s: float) -> None:
        self.world.wait(wait_s)

    @rule()
    def send_due(self) -> None:
        self.world.send_due()

    @rule(slow=rarely(st.booleans()))
    def turn(self, slow: bool | None) -> None:
        """The loop turns, and perhaps has more or less to do from now on."""
        if slow is not None:
            self.world.set_pace(slow)
        self.world.turn()

    @rule()
    def heartbeat(self) -> None:
        self.world.heartbeat()

    @precondition(lambda self: any(group.empty for group in self.world.groups))
    @rule()
    def forget_empty(self) -> None:
        self.world.forget_empty()

    @precondition(lambda self: len(self.world.history) > 12)
    @rule()
    def restart(self) -> None:
        self.world.restart()

    # What readers do

    @initialize(wishes=st.lists(st.tuples(selections, intervals_ms, st.booleans()), min_size=SLOTS, max_size=SLOTS))
    def open(self, wishes: list[tuple[Selection, int, bool]]) -> None:
        for slot, (selection, interval_ms, adopts) in enumerate(wishes):
            self.world.enter(slot, ModelReader(adopts=adopts), selection, interval_ms)

    @rule(
        slot=slots,
        selection=selections,
        interval_ms=intervals_ms,
        stranger=rarely(st.sampled_from([(0, 1), (0, 3), (-1, 0), (1, -1)])),
    )
    def connect(self, slot: int, selection: Selection, interval_ms: int, stranger: tuple[int, int] | None) -> None:
        """A new reader, with nothing, or with a cursor of another epoch, or of a version that never existed."""
        world = self.world
        world.cut(slot)
        cursor = None
        if stranger is not None:
            cursor = f"{world.epoch + stranger[0]}:{world.store.version + stranger[1]}:{selection.digest}"
        world.enter(slot, ModelReader(), selection, interval_ms, cursor)

    @rule(slot=slots, lost=st.integers(0, MAX_LOST), other=rarely(selections))
    def resume(self, slot: int, lost: int, other: Selection | None) -> None:
        """The connection breaks, and the reader comes back with what has arrived, perhaps with another selection."""
        link = self.world.links.get(slot)
        selection = other or (link.selection if link else Selection.of(self.world.readers[slot].patterns))
        self.world.cut(slot, lost)
        reader = self.world.readers[slot]
        self.world.enter(slot, reader, selection, link.interval_ms if link else 0, reader.cursor)

    @precondition(lambda self: self.world.links)
    @rule(data=st.data(), more=patterns, names=fields, interval_ms=rarely(intervals_ms))
    def subscribe(self, data: st.DataObject, more: list[str], names: list[str] | None, interval_ms: int | None) -> None:
        link = self.pick(data)
        mask = Selection.of([], names).mask if names else link.selection.mask
        selection = Selection(tuple(sorted({*link.selection.patterns, *more})), mask)
        self.world.change(link, selection, link.interval_ms if interval_ms is None else interval_ms)

    @precondition(lambda self: self.world.links)
    @rule(data=st.data(), which=st.integers(0, 3))
    def unsubscribe(self, data: st.DataObject, which: int) -> None:
        link = self.pick(data)
        have = link.selection.patterns
        if which < len(have):
            fewer = Selection(tuple(p for p in have if p != have[which]), link.selection.mask)
            self.world.change(link, fewer, link.interval_ms)

    @rule(which=st.sets(slots, min_size=1), taken=st.booleans())
    def block(self, which: set[int], taken: bool) -> None:
        """From now on, or after one more frame, some readers take nothing."""
        for link in self.links_of(which):
            link.chokes, link.blocked = taken and not link.blocked, not taken or link.blocked

    @precondition(lambda self: any(link.blocked for link in self.world.links.values()))
    @rule(which=st.sets(slots, min_size=1))
    def unblock(self, which: set[int]) -> None:
        for link in self.links_of(which):
            if link.blocked:
                self.world.unblock(link)

    @rule(selection=selections, known=rarely(selections), back=st.integers(0, 20))
    def poll(self, selection: Selection, known: Selection | None, back: int) -> None:
        """The same question without a connection."""
        since = max(1, self.world.store.version - back)
        self.world.poll(selection, since, Selection(known.patterns, selection.mask) if known else None)

    def pick(self, data: st.DataObject) -> Link:
        return self.world.links[data.draw(st.sampled_from(sorted(self.world.links)))]

    def links_of(self, which: set[int]) -> list[Link]:
        return [link for slot, link in sorted(self.world.links.items()) if slot in which]

    @invariant()
    def all_is_well(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        self.world.end()


RANKS = {"k": (0, 0), "b": (0, 1), "s": (3, 2)}
"""Two live venues, the better one first, and a simulated one."""


class ConsolidatedWorld(World):
    """The same with the consolidation stage: venue symbols are what feeds write, the others follow."""

    derivation_type: type[Consolidator] = Consolidator

    def make_store(self) -> Store:
        store = super().make_store()
        store.derivation = self.derivation_type(store.get, rank, failback_after_s=1.0)
        return store

    def ingest(self, key: str, values: Values, ts: int | None = None, received_ms: int | None = None) -> None:
        if key[0] != "@":
            key = venue_symbol(key)
            values = {"state": "live", **values, "source": key.partition(":")[0]}
        super().ingest(key, values, ts, received_ms)

    def remove(self, symbol: str) -> None:
        super().remove(venue_symbol(symbol))

    def check_market(self, contents: dict[str, Values]) -> None:
        """A consolidated symbol exists while a venue has it, and is live while one of the best kind is."""
        consolidated = {key: values for key, values in contents.items() if ":" not in key and key[0] != "@"}
        super().check_market({key: values for key, values in contents.items() if key not in consolidated})
        venues = [key for key in contents if ":" in key]
        assert consolidated.keys() == {key.partition(":")[2] for key in venues}
        for name, values in consolidated.items():
            ranked = sorted((rank(key), key) for key in venues if key.partition(":")[2] == name)
            best = [contents[key]["state"] for (kind, _), key in ranked if kind == ranked[0][0][0]]
            assert (values["state"] == "live") == ("live" in best)

    def check_view(self, view: View) -> None:
        """A consolidated price is its source's own, in every frame."""
        for symbol, record in view.items():
            source = view.get(f"{record.get('source')}:{symbol}")
            assert source is None or source == record


def venue_symbol(symbol: str) -> str:
    return symbol if ":" in symbol else f"b:{symbol}"


def rank(symbol: str) -> tuple[int, int]:
    return RANKS[symbol.partition(":")[0]]


class ConsolidatedMachine(StreamMachine):
    """The same with the consolidation stage."""

    world_type = ConsolidatedWorld
