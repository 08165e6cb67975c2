"""Large answers, prepared a slice at a time, so that no turn of the loop is long.

A frame of thousands of records is quickly joined once each of them is encoded; a selection is quickly resolved once
all symbols were tested against each of its new patterns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from ticker import protocol
from ticker.selection import Selection
from ticker.store import Store

T = TypeVar("T")

LARGE = 1000
"""From so many symbols on an answer is made in slices."""
SLICE = 500
"""How many records are encoded in one turn of the loop, which takes some 2 ms."""
MOST_PASSES = 5
"""How often what has changed meanwhile is encoded in slices again, before the rest of it in one turn."""
TESTS = 5000
"""How many symbols are tested against a pattern in one, which takes some 3 ms."""


def untested(store: Store, selection: Selection) -> list[str]:
    """The patterns that nobody has used lately: all symbols must be tested against each."""
    return [pattern for pattern in selection.patterns if "*" in pattern and not store.wildcards.known(pattern)]


def tested(store: Store, selection: Selection) -> Iterator[None]:
    """Test all symbols against those, and pause after each slice; to resolve the selection costs nothing then.

    Whoever wants the same pattern meanwhile shares the work.
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


def parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """All of something, no more than a slice at a time."""
    return (items[i : i + SLICE] for i in range(0, len(items), SLICE))


Told = tuple[list[bytes], list[str]]
"""Encoded records, and the names of those to drop."""


def told(store: Store, selection: Selection, since: int | None = None) -> Iterator[Told | None]:
    """What must be told to who knows a version of a selection; None for nothing.

    It is of one version, that of the moment in which it comes, after many pauses. What has changed meanwhile is
    encoded anew, in pauses as long as it is much. Nothing comes if more symbols were removed meanwhile than the store
    remembers.
    """
    scope, wanted = store.resolve(selection), selection.mask
    pieces: dict[str, bytes] = {}
    try:
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
                    yield None
            if not much:
                yield list(pieces.values()), list(gone)
                return
            changes = store.changes(scope, version)
            if changes.since is None:
                return
            symbols = [record.key for record, _ in changes.records if not record.is_feed]
            for symbol in symbols:
                gone.pop(symbol, None)
            for symbol in changes.gone:
                pieces.pop(symbol, None)
                if since is not None:
                    gone[symbol] = None
    finally:
        store.release(scope)


def feeds(store: Store, since: int | None) -> list[bytes]:
    """The same of the feeds, which are few."""
    masks = ((record, record.changed_since(since or 0)) for record in store.feeds())
    return [protocol.piece(record, mask) for record, mask in masks if mask]
