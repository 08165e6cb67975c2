"""The references that the core is checked against: a reader and a market that could not be simpler.

`ModelReader` knows `protocol.md` and nothing of the code: it gets frames as JSON text, keeps every number as the
text it came in, and fails on whatever the protocol forbids. `ModelMarket` says what a store must show after a
flush: plain dicts, no versions. Both are slow on purpose.
"""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

QUOTE_FIELDS = (
    "last", "bid", "ask", "bid_size", "ask_size", "open", "high", "low", "volume", "quote_volume",
    "change_pct", "ts", "state", "source", "decimals", "name",
)  # fmt: skip
FEED_FIELDS = ("state", "since", "kind", "clock", "message")

View = dict[str, dict[str, str | None]]
Values = dict[str, str | int | None]


@functools.lru_cache(maxsize=100_000)
def matches(pattern: str, symbol: str) -> bool:
    """Whether a pattern selects a symbol, letter by letter: `*` stands for any run of characters except `:`."""
    if not pattern:
        return not symbol
    if pattern[0] != "*":
        return symbol[:1] == pattern[0] and matches(pattern[1:], symbol[1:])
    return matches(pattern[1:], symbol) or (symbol[:1] not in {"", ":"} and matches(pattern, symbol[1:]))


def selects(patterns: Iterable[str], symbol: str) -> bool:
    return any(matches(pattern, symbol) for pattern in patterns)


class ModelReader:
    """A client of the stream.

    Args:
        adopts: whether it takes the version of a heartbeat for its own.
    """

    def __init__(self, *, adopts: bool = False) -> None:
        self.adopts = adopts
        self.view: View = {}
        self.feeds: View = {}
        self.epoch = 0
        self.version = 0
        self.patterns: list[str] = []
        self._fields: tuple[str, ...] = QUOTE_FIELDS
        self._digest = ""
        self._next_digest = ""
        self._told = 0  # the version of the last snapshot or update, which heartbeats do not move
        self._server: object = None
        self._next_server: object = None

    def copy(self) -> ModelReader:
        twin = copy.copy(self)  # lists and tuples in it are replaced, never changed
        twin.view, twin.feeds = _copied(self.view), _copied(self.feeds)
        return twin

    @property
    def cursor(self) -> str:
        return f"{self.epoch}:{self.version}:{self._digest}"

    def apply(self, text: bytes) -> None:
        """Apply a frame as the protocol says.

        Raises:
            AssertionError: the server did what the protocol forbids.
        """
        frame = json.loads(text, parse_float=str, parse_int=str)
        match frame["type"]:
            case "subscribed":
                self._fields = tuple(frame["fields"] or QUOTE_FIELDS)
                self.patterns, self._next_digest = frame["patterns"], frame["selection"]
            case "unsubscribed":
                self.patterns, self._next_digest = frame["patterns"], frame["selection"]
            case "snapshot":
                epoch, version = int(frame["epoch"]), int(frame["version"])
                moved = self._next_server is not self._server  # to one that may be behind
                assert epoch != self.epoch or version >= self.version or moved, "a snapshot of the past"
                self.epoch, self.view, self.feeds = epoch, {}, {}
                self._merge(frame)
            case "update":
                assert int(frame["since"]) <= self._told, "`since` is ahead of what was sent"
                assert int(frame["version"]) >= self.version, "an update of the past"
                self._merge(frame)
            case "heartbeat" if self.adopts:
                self.version = max(self.version, int(frame["version"]))

    def connect(self, server: object = None) -> None:
        """Begin a new connection, perhaps to another server, with what is known from the last one."""
        self._told, self._next_server = self.version, server

    def change_ahead(self) -> None:
        """Ask for something else of a server that is behind: the answer may be a snapshot of the past."""
        self._server = None

    def _merge(self, frame: dict[str, Any]) -> None:
        quotes, gone, feeds = frame.get("quotes", {}), frame.get("gone", []), frame.get("feeds", {})
        assert not quotes.keys() & set(gone), "a name both changed and gone"
        assert all(selects(self.patterns, symbol) for symbol in (*quotes, *gone)), "a symbol nobody asked for"
        _assign(self.view, quotes, self._fields)
        _assign(self.feeds, feeds, FEED_FIELDS)
        for symbol in gone:
            self.view.pop(symbol, None)
        self.version = self._told = int(frame["version"])
        self._server = self._next_server
        # Only now is the view one of the new selection: the reply may have come, and this frame been lost.
        self._digest = self._next_digest
        self.view = {s: record for s, record in self.view.items() if selects(self.patterns, s)}
        assert self.version > 0, "versions start at 1"


def _copied(view: View) -> View:
    return {name: dict(values) for name, values in view.items()}


def _assign(view: View, records: Mapping[str, Mapping[str, str | None]], fields: tuple[str, ...]) -> None:
    for name, values in records.items():
        assert list(values) == [f for f in fields if f in values], "fields that nobody asked for, or out of order"
        assert values, "an empty record"
        assert name in view or len(values) == len(fields), "a new record without all its fields"
        view.setdefault(name, {}).update(values)


@dataclass
class _Batch:
    """What one flush will see of one key."""

    values: Values = field(default_factory=dict)
    ts: int | None = None
    received_ms: int | None = None
    removed: bool = False
    written: bool = False


class ModelMarket:
    """What a store must show: the records as dicts, `@NAME` for feeds.

    `ts` follows its own rule: shown with any other change, else at most once a second; those that are withheld
    wait in a queue.
    """

    def __init__(self) -> None:
        self.records: dict[str, Values] = {}
        self.reborn = False
        self._batches: dict[str, _Batch] = {}
        self._withheld_ts: dict[str, int] = {}
        self._shown_at: dict[str, float] = {}

    def ingest(self, key: str, values: Values, ts: int | None = None, received_ms: int | None = None) -> None:
        batch = self._batches.setdefault(key, _Batch())
        batch.values |= values
        batch.ts = batch.ts if ts is None else ts
        batch.received_ms = batch.received_ms if received_ms is None else received_ms
        batch.written = True

    def remove(self, key: str) -> None:
        self._batches[key] = _Batch(removed=True)

    def flush(self, now: float) -> None:
        """Apply what was collected; `reborn` says whether a record was replaced by a new one."""
        self.reborn = False
        batches, self._batches = self._batches, {}
        for key, batch in batches.items():
            if batch.removed and key in self.records:
                self.reborn |= batch.written
                del self.records[key]
                self._withheld_ts.pop(key, None)
                self._shown_at.pop(key, None)
            if batch.written:
                self._apply(key, batch, now)
        while self._withheld_ts and now - self._shown_at[key := next(iter(self._withheld_ts))] >= 1:
            self._show_ts(key, self._withheld_ts[key], now)

    def _apply(self, key: str, batch: _Batch, now: float) -> None:
        record = self.records.setdefault(key, dict.fromkeys(FEED_FIELDS if key[0] == "@" else QUOTE_FIELDS))
        news = {name for name, value in batch.values.items() if record[name] != value}
        record |= batch.values
        ts = batch.ts
        if ts is None and news - {"state", "source"} and key[0] != "@":
            ts = batch.received_ms
        if ts is None:
            return
        if ts == record["ts"]:
            self._withheld_ts.pop(key, None)
        elif news or now - self._shown_at.get(key, float("-inf")) >= 1:
            self._show_ts(key, ts, now)
        else:
            self._withheld_ts[key] = ts

    def _show_ts(self, key: str, ts: int, now: float) -> None:
        self.records[key]["ts"] = ts
        self._shown_at[key] = now
        self._withheld_ts.pop(key, None)
