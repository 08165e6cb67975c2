"""What a reader of the stream knows, without I/O: it merges frames in and makes the messages to send.

No loop has a queue. A `Backlog` is the set of symbols that changed since its loop last looked, so a slow loop costs
at most one entry per symbol, and gets merged changes with the latest values. Frames that arrive between two looks are
only merged with each other; the next look applies the result once, to the records and to every backlog.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic

import msgspec

from ticker.client.address import check_selection
from ticker.client.quote import Change, Frame, Number, Quote, Record
from ticker.client.wire import EXACT, FLOATS, Message, read
from ticker.errors import ConfigError, RefusedError, UnreachableError
from ticker.model import pattern_matches
from ticker.protocol import Cursor
from ticker.selection import check_patterns

MESSAGE_HEAD_BYTES = 512
"""Upper bound of an opening message without its patterns."""
RECHECK_MS = 5000
"""Wait before asking again about missing symbols; it doubles each time."""
_GONE: Record = {}
"""The delta of a symbol that is gone."""


class Book(Generic[Number]):
    """The known records of one selection.

    Attributes:
        wanted: the patterns to subscribe to, on this connection or the next.
        feeds: the records of feeds by name.
        version, time: of the last frame; version 0 before the first.
        hello: the connection's first message.
        current: whether this connection has delivered data.
        unknown: symbols that the service called unknown on this connection, each with the nearest names.

    Args:
        patterns: what to subscribe to.
        fields: which fields, None for all.
        interval_ms: least time between two frames.
        make: `Decimal` or `float`.
        cursor: where to resume.

    Raises:
        PatternError: a pattern is malformed, or a field does not exist.
        ConfigError: there is no pattern, or the cursor is malformed.
    """

    def __init__(
        self,
        patterns: Iterable[str],
        fields: Sequence[str] | None,
        interval_ms: int,
        make: Callable[[Any], Number],
        cursor: str | None = None,
    ) -> None:
        self.wanted = check_selection(patterns, fields)
        start = Cursor.parse(cursor) if cursor is not None else Cursor(0, 0, "")
        if start is None:
            raise ConfigError(f"'{cursor}' is not a cursor; one looks like 1795386000123:4711:9f3a61c27b04d5e8")
        self.feeds: dict[str, dict[str, Any]] = {}
        self.version = start.version
        self.time = 0
        self.hello = Message("hello")
        self.current = False
        self.unknown: dict[str, list[str]] = {}
        self.make: Callable[[Any], Number] = make
        self._decoder = FLOATS if make is float else EXACT
        self._fields = None if fields is None else list(fields)
        self._interval_ms = interval_ms
        self._epoch = start.epoch
        self._selection = start.digest
        self._announced = start.digest  # takes effect with the data frame that follows `subscribed`
        self._gap = False
        self._last_id = 0
        self._recheck_at, self._recheck_ms = 0, RECHECK_MS  # by the service's clock
        self._records: dict[str, Record] = {}
        self._news: dict[str, Record] = {}  # by symbol, changes not yet applied to the records
        self._backlogs: list[weakref.ref[Backlog[Number]]] = []

    @property
    def cursor(self) -> str | None:
        """Where another connection can resume; None before the first data."""
        return str(Cursor(self._epoch, self.version, self._selection)) if self._selection else None

    @property
    def quotes(self) -> dict[str, Record]:
        """The records by symbol."""
        if self._news:
            self._settle()
        return self._records

    def quote(self, symbol: str) -> Quote[Number] | None:
        """A symbol's current quote; None if there is none."""
        record = self.quotes.get(symbol)
        return None if record is None else Quote(symbol, record.copy(), self.make)

    def check_wanted(self, symbol: str) -> None:
        """Raise ConfigError if no wanted pattern matches a symbol: waiting for it would never end."""
        if not any(pattern_matches(text, symbol) for text in self.wanted):
            raise ConfigError(f"this view does not include '{symbol}'; subscribe to it first")

    # Messages to send: the id of each is that of its answer

    def open(self) -> tuple[int, bytes] | None:
        """The first message of a new connection: all wanted patterns and the cursor; None if nothing is wanted."""
        self.current, self.unknown = False, {}
        self._recheck_at, self._recheck_ms = 0, RECHECK_MS
        if not self.wanted:
            self._drop(lambda _: False)
            return None
        message: dict[str, Any] = {"symbols": list(self.wanted), "interval_ms": self._interval_ms}
        if self._fields is not None:
            message["fields"] = self._fields
        if self.cursor is not None:
            message["cursor"] = self.cursor
        return self._ask("subscribe", message)

    def subscribe(self, patterns: Iterable[str]) -> tuple[int, bytes]:
        """Add patterns to what is wanted.

        Raises:
            PatternError: a pattern is malformed.
            RefusedError: all that is wanted would not fit into the opening message of the next connection.
        """
        more = list(patterns)
        check_patterns(more)
        grown, most = self.wanted | dict.fromkeys(more), self.hello.limits.message_bytes
        if MESSAGE_HEAD_BYTES + sum(len(text) + len('"",') for text in grown) > most:
            text = f"the patterns of a view must fit into a message of {most} bytes; open another view for more"
            raise RefusedError(text, "too_large")
        self.wanted = grown
        return self._ask("subscribe", {"symbols": more})

    def unsubscribe(self, patterns: Iterable[str]) -> tuple[int, bytes]:
        """Remove patterns, exactly as they were given, from what is wanted.

        Raises:
            RefusedError: one was not subscribed to.
        """
        less = list(patterns)
        for text in less:
            if text not in self.wanted:
                raise RefusedError(f"not subscribed to '{text}'; give patterns as they were given", "not_subscribed")
        for text in less:
            self.wanted.pop(text, None)
        return self._ask("unsubscribe", {"symbols": less})

    def recheck(self, message: Message) -> tuple[int, bytes] | None:
        """After each frame: ask again about symbols with neither a quote nor an answer; None if none, or too early.

        The service knows which symbols do not exist once all feeds have loaded theirs, and says so only when asked.
        """
        if not self.current or message.time < self._recheck_at or not self.feeds:
            return None
        if any(feed.get("state") in ("connecting", "down") for feed in self.feeds.values()):
            return None
        self._recheck_at, self._recheck_ms = message.time + self._recheck_ms, 2 * self._recheck_ms
        quotes, unknown = self.quotes, self.unknown
        mute = [text for text in self.wanted if "*" not in text and text not in quotes and text not in unknown]
        return self._ask("subscribe", {"symbols": mute}) if mute else None

    def _ask(self, op: str, message: dict[str, Any]) -> tuple[int, bytes]:
        self._last_id += 1
        return self._last_id, msgspec.json.encode({"op": op, "id": self._last_id, **message})

    # Frames

    def receive(self, data: bytes) -> Message:
        """Merge one frame from the service, and return it.

        Raises:
            UnreachableError: the frame is malformed, or one was lost; only a new connection helps.
        """
        message = read(self._decoder, data)
        if message.type == "update":
            self._update(message)
        elif message.type == "snapshot":
            self._snapshot(message)
        elif message.type == "heartbeat":
            self.version = max(self.version, message.version) if self.current else self.version
        elif message.type in {"subscribed", "unsubscribed"}:
            self._announced = message.selection
            self.unknown |= {entry.symbol: entry.nearest for entry in message.unknown}
            if message.type == "unsubscribed":
                self._drop(lambda symbol: any(pattern_matches(text, symbol) for text in message.patterns))
        elif message.type == "hello":
            self.hello = message
        return message

    def _snapshot(self, message: Message) -> None:
        lost = self.quotes.keys() - message.quotes.keys()
        self._records, self.feeds = message.quotes, message.feeds
        self._epoch = message.epoch
        self._arrived(message)
        for backlog in self.backlogs():
            backlog.replaced(lost)

    def _update(self, message: Message) -> None:
        if message.since > self.version or not self._epoch:
            if self._gap:  # resuming by cursor did not help
                self._selection = ""
            self._gap = True
            raise UnreachableError("frames of the stream were lost")
        if message.version < self.version:
            return
        if self._news:  # not looked at yet; the first of these frames has woken the loops
            for symbol, delta in message.quotes.items():
                before = self._news.get(symbol)
                if before is None:
                    self._news[symbol] = delta
                else:
                    before.update(delta)
        elif message.quotes:
            self._news = message.quotes
            self._wake()
        if message.gone:
            self._settle(message.gone)
            self._wake()
        for name, feed in message.feeds.items():
            self.feeds.setdefault(name, {}).update(feed)
        self._arrived(message)

    def _settle(self, gone: Sequence[str] = ()) -> None:
        """Apply the news to the records, and give each loop its own copy of the deltas; there is usually one loop."""
        records = self._records
        news, self._news = self._news, {}
        try:
            for symbol, delta in news.items():
                records[symbol].update(delta)
        except KeyError:  # some symbols are new; values are absolute, so repeating the others is harmless
            for symbol, delta in news.items():
                records.setdefault(symbol, {}).update(delta)
        for symbol in gone:
            records.pop(symbol, None)
        loops = self.backlogs()
        for loop in loops[1:]:
            loop.changed({symbol: delta.copy() for symbol, delta in news.items()}, gone)
        if loops:
            loops[0].changed(news, gone)

    def _wake(self) -> None:
        for backlog in self.backlogs():
            backlog.wake()

    def _arrived(self, message: Message) -> None:
        self.version, self.time = message.version, message.time
        self._selection = self._announced
        self._gap = False
        self.current = True

    def _drop(self, keep: Callable[[str], bool]) -> None:
        dropped = [symbol for symbol in self.quotes if not keep(symbol)]
        for symbol in dropped:
            del self._records[symbol]
        for backlog in self.backlogs():
            backlog.forget(dropped)

    # Loops

    def backlog(self, wake: Callable[[], None]) -> Backlog[Number]:
        """A backlog for a new loop, which starts with everything known. It lasts as long as the caller holds it."""
        backlog = Backlog(self, wake)
        self._backlogs.append(weakref.ref(backlog, self._backlogs.remove))
        return backlog

    def backlogs(self) -> list[Backlog[Number]]:
        """Those that are still held."""
        return [backlog for reference in tuple(self._backlogs) if (backlog := reference()) is not None]


class Backlog(Generic[Number]):
    """The changes that one loop has not seen yet.

    Attributes:
        wake: called when there is something new to look at.
    """

    __slots__ = ("__weakref__", "_book", "_pending", "_queue", "_snapshot", "wake")

    def __init__(self, book: Book[Number], wake: Callable[[], None]) -> None:
        self._book: Book[Number] = book
        self._pending: dict[str, Record | None] = dict.fromkeys(book.quotes)
        self._queue: deque[str] = deque()
        self._snapshot = book.current
        self.wake = wake

    def changed(self, news: dict[str, Record], gone: Sequence[str]) -> None:
        """Add the changes of updates; takes ownership of `news`."""
        if self._pending:
            pending = self._pending
            for symbol, delta in news.items():
                before = pending.get(symbol, _GONE)
                if before:
                    before.update(delta)
                elif before is not None:  # else the whole record is pending
                    pending[symbol] = delta
        else:
            self._pending = {**news}
        for symbol in gone:
            self._pending[symbol] = _GONE

    def replaced(self, lost: Iterable[str]) -> None:
        """Add a snapshot: all records, and the symbols that it no longer has."""
        self._pending |= dict.fromkeys(self._book.quotes)
        self._pending |= dict.fromkeys(lost, _GONE)
        self._snapshot = True
        self.wake()

    def forget(self, symbols: Iterable[str]) -> None:
        """Drop symbols that are not wanted any more."""
        for symbol in symbols:
            self._pending.pop(symbol, None)

    def change(self) -> Change[Number] | None:
        """Take the change of the symbol that has waited longest, with its current quote; None if nothing changed."""
        records = self._book.quotes
        pending, queue = self._pending, self._queue
        while pending:
            if not queue:
                queue.extend(pending)
            symbol = queue.popleft()
            if symbol in pending:
                one = {symbol: pending.pop(symbol)}
                return next(iter(self._frame(one, records)))
        queue.clear()
        return None

    def frame(self, *, freeze: bool = False) -> Frame[Number] | None:
        """Take all changes as one step; None if there are none.

        Args:
            freeze: whether to copy the records, so that the book's next frame does not change them.
        """
        records = self._book.quotes
        deltas = self._pending
        if not deltas and not self._snapshot:
            return None
        self._pending = {}
        if freeze:
            records = {symbol: records[symbol].copy() for symbol in deltas if symbol in records}
        frame = self._frame(deltas, records)
        self._snapshot = False
        return frame

    def _frame(self, deltas: dict[str, Record | None], records: dict[str, Record]) -> Frame[Number]:
        book = self._book
        return Frame(book.version, book.time, snapshot=self._snapshot, deltas=deltas, records=records, make=book.make)
