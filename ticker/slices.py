"""Large answers, prepared a slice at a time, so that no turn of the loop is long.

A frame of thousands of records is joined quickly once each of them is encoded; a selection is resolved quickly once
all symbols have been tested against each of its new patterns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from ticker import protocol
from ticker.scope import Scope
from ticker.selection import Selection
from ticker.store import Store

T = TypeVar("T")

LARGE = 1000
"""An answer of at least this many symbols is made in slices."""
SLICE = 500
"""How many records are encoded in one turn of the loop, which takes about 2 ms."""
MOST_PASSES = 5
"""How many passes over what has changed meanwhile are made at most; the last one is not sliced."""
TESTS = 5000
"""How many symbols are tested against a pattern in one turn, which takes about 3 ms."""


def untested(store: Store, selection: Selection) -> list[str]:
    """The patterns that no reader has used lately: all symbols must be tested against each."""
    return [pattern for pattern in selection.patterns if "*" in pattern and not store.wildcards.known(pattern)]


def tested(store: Store, selection: Selection) -> Iterator[None]:
    """Test all symbols against those patterns, pausing after each slice; resolving the selection then costs nothing.

    Readers who want the same pattern meanwhile share the work.
    """
    wildcards = []
    try:
        for pattern in untested(store, selection):
            wildcard = store.wildcards.begin(pattern, store.candidates(pattern))
            wildcards.append(wildcard)
            yield
            while wildcard.untested:
                store.wildcards.test(wildcard, TESTS)
                yield
    finally:
        for wildcard in wildcards:
            store.wildcards.release(wildcard)


def parts(items: Sequence[T], most: int = SLICE) -> Iterator[Sequence[T]]:
    """All items, a slice at a time."""
    return (items[i : i + most] for i in range(0, len(items), most))


Finish = Callable[[list[bytes], list[str]], T]
"""Makes an answer of encoded records, and of the names of those to drop."""


Making = tuple[Generator[None, None, Any], Future[Any]]
"""The steps that make an answer, and what comes of them: the answer, None if there is none, or an error."""


class Line:
    """The large answers of a store that are being made, one after another.

    The addresses that ask take turns, answer by answer; of each address the oldest is made first. Whoever has a turn
    of the loop goes on with the answer that is being made, not with its own: side by side, all would hold what they
    have so far, and find it changed at each pass.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[str, deque[Making]] = {}  # by address; the first answer of the first one is being made

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def drop(self) -> None:
        """Let none of the answers be made: the store has begun anew."""
        for answers in self._waiting.values():
            for _, answer in answers:
                answer.set_result(None)
        self._waiting.clear()

    def make(
        self, address: str, selection: Selection, since: int | None, finish: Finish[T]
    ) -> Generator[T | None, None, None]:
        """Make what brings a reader of a selection from a version (None: from nothing) to the present, with pauses.

        The result of `finish` comes last, after a None for each pause. That is called in the turn in which all records
        are of one version, the store's: what changed during the pauses is encoded again, with pauses as long as it is
        much. It is not called if more symbols were removed meanwhile than the store remembers, or if that began anew.
        """
        return self._make(self._store.epoch, address, selection, since, finish)

    def _make(
        self, epoch: int, address: str, selection: Selection, since: int | None, finish: Finish[T]
    ) -> Generator[T | None, None, None]:
        if self._store.epoch != epoch:  # before the first turn: `since` is of another epoch
            return
        scope = self._store.resolve(selection)
        answer: Future[T | None] = Future()
        mine = _steps(self._store, scope, since, finish), answer
        self._waiting.setdefault(address, deque()).append(mine)
        try:
            while not answer.done():
                self._go_on()
                if not answer.done():
                    yield None
        finally:
            if not answer.done():
                self._waiting[address].remove(mine)
                if not self._waiting[address]:
                    del self._waiting[address]
            self._store.release(scope)
        if (made := answer.result()) is not None:
            yield made

    def _go_on(self) -> None:
        address, answers = next(iter(self._waiting.items()))
        steps, answer = answers[0]
        try:
            next(steps)
        except StopIteration as end:
            answer.set_result(end.value)
        except Exception as error:  # noqa: BLE001 - it is for whoever wants this answer, who may not have called
            answer.set_exception(error)
        if answer.done():
            answers.popleft()
            del self._waiting[address]
            if answers:
                self._waiting[address] = answers  # behind the other addresses


def _steps(store: Store, scope: Scope, since: int | None, finish: Finish[T]) -> Generator[None, None, T | None]:
    if since is not None and since < store.floor:
        return None
    wanted = scope.selection.mask
    pieces: dict[str, bytes] = {}
    gone = dict.fromkeys(store.gone_since(scope, since) if since is not None else ())
    symbols = list(scope.symbols())
    for left in reversed(range(MOST_PASSES)):
        version, much = store.version, left and len(symbols) > SLICE
        for part in parts(symbols):
            for symbol in part:
                if (record := store.get(symbol)) is None:
                    continue
                if mask := wanted if since is None else record.changed_since(since) & wanted:
                    pieces[symbol] = record.pieces.get(mask) or protocol.piece(record, mask)
            if much:
                yield
        if not much:
            break
        changes = store.changes(scope, version)
        if changes.since is None:
            return None
        symbols = [record.key for record, _ in changes.records if not record.is_feed]
        for symbol in symbols:
            gone.pop(symbol, None)
        for symbol in changes.gone:
            pieces.pop(symbol, None)
            if since is not None:
                gone[symbol] = None
    return finish(list(pieces.values()), list(gone))


def feed_pieces(store: Store, since: int | None) -> list[bytes]:
    """What has changed in the records of feeds since a version, encoded; they are few."""
    masks = ((record, record.changed_since(since or 0)) for record in store.feeds())
    return [protocol.piece(record, mask) for record, mask in masks if mask]
