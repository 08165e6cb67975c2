"""What a reader of the stream knows, without I/O: the records of a selection, and what each loop has not seen yet.

No loop has a queue. A `Backlog` is the set of symbols that changed since its loop last looked, so a slow loop costs
at most one entry per symbol, and gets merged changes with the latest values. Frames that arrive between two looks are
only merged with each other; the next look applies the result once, to the records and to every backlog.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic

from ticker.client.follower import Follower
from ticker.client.quote import Change, Frame, Number, Quote, Record
from ticker.client.wire import Message
from ticker.errors import ConfigError
from ticker.model import pattern_matches

_GONE: Record = {}
"""The delta of a symbol that is gone."""


class Book(Follower, Generic[Number]):
    """The known records of one selection.

    Args:
        patterns, fields, interval_ms, cursor: as in `Follower`.
        make: `Decimal` or `float`.

    Raises:
        PatternError, ConfigError: as in `Follower`.
    """

    def __init__(
        self,
        patterns: Iterable[str],
        fields: Sequence[str] | None,
        interval_ms: int,
        make: Callable[[Any], Number],
        cursor: str | None = None,
    ) -> None:
        super().__init__(patterns, fields, interval_ms, exact=make is not float, cursor=cursor)
        self.make: Callable[[Any], Number] = make
        self._records: dict[str, Record] = {}
        self._news: dict[str, Record] = {}  # by symbol, changes not yet applied to the records
        self._backlogs: list[weakref.ref[Backlog[Number]]] = []

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

    # What the stream brings

    def replace(self, message: Message) -> None:
        lost = self.quotes.keys() - message.quotes.keys()
        self._records = message.quotes
        for backlog in self.backlogs():
            backlog.replaced(lost)

    def merge(self, message: Message) -> None:
        if self._news:  # not looked at yet; the first of these frames has woken the loops
            for symbol, delta in message.quotes.items():
                before = self._news.get(symbol)
                if before is None:
                    self._news[symbol] = delta
                else:
                    before.update(delta)
        elif message.quotes:
            self._news = message.quotes
            self.wake()
        if message.gone:
            self._settle(message.gone)
            self.wake()

    def drop(self, keep: Callable[[str], bool]) -> None:
        dropped = [symbol for symbol in self.quotes if not keep(symbol)]
        for symbol in dropped:
            del self._records[symbol]
        for backlog in self.backlogs():
            backlog.forget(dropped)

    def has(self, symbol: str) -> bool:
        return symbol in self.quotes

    def wake(self) -> None:
        for backlog in self.backlogs():
            backlog.wake()

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
        return Frame(book.version, book.time, self._snapshot, deltas, records, book.make)
