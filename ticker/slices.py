"""Large answers, prepared a slice at a time, so that no turn of the loop is long.

A frame of thousands of records is joined quickly once each of them is encoded; a selection is resolved quickly once
all symbols have been tested against each of its new patterns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from ticker import protocol
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


def parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """All items, a slice at a time."""
    return (items[i : i + SLICE] for i in range(0, len(items), SLICE))


Encoded = tuple[list[bytes], list[str]]
"""Encoded records, and the names of those to drop."""


def encoded(store: Store, selection: Selection, since: int | None = None) -> Iterator[Encoded | None]:
    """What brings a reader of a selection from a version (None: from nothing) to the present, after many pauses.

    The result comes last and is of one version, that of its moment: what changed during the pauses is encoded again,
    with pauses as long as it is much. There is none if more symbols were removed meanwhile than the store remembers.
    Of several, the oldest is made first: side by side, all would hold what they have so far, and find it changed at
    each pass.
    """
    scope, wanted = store.resolve(selection), selection.mask
    pieces: dict[str, bytes] = {}
    made: Encoded | None = None
    store.making.append(scope)
    try:
        while store.making[0] is not scope:
            yield None
        if since is not None and since < store.floor:
            return
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
                made = list(pieces.values()), list(gone)
                break
            changes = store.changes(scope, version)
            if changes.since is None:
                break
            symbols = [record.key for record, _ in changes.records if not record.is_feed]
            for symbol in symbols:
                gone.pop(symbol, None)
            for symbol in changes.gone:
                pieces.pop(symbol, None)
                if since is not None:
                    gone[symbol] = None
    finally:
        store.making.remove(scope)
        store.release(scope)
    if made is not None:
        yield made


def feeds(store: Store, since: int | None) -> list[bytes]:
    """The same for the feeds, which are few."""
    masks = ((record, record.changed_since(since or 0)) for record in store.feeds())
    return [protocol.piece(record, mask) for record, mask in masks if mask]
