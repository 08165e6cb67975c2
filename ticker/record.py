"""What the store is made of and answers with: records, and lists of what changed in them."""

from __future__ import annotations

import functools
from typing import NamedTuple

from ticker.model import FEED_FIELDS, FIELDS, Value

INDEX = {name: i for i, name in enumerate(FIELDS)}
FEED_INDEX = {name: i for i, name in enumerate(FEED_FIELDS)}
PLACES, FEED_PLACES = ({name: (i, 1 << i) for name, i in index.items()} for index in (INDEX, FEED_INDEX))
"""Where a field stands, and its bit in a mask."""


@functools.cache
def bits(mask: int) -> tuple[int, ...]:
    """The positions of the bits of a mask; there are 65,536 masks at most."""
    return tuple(i for i in range(mask.bit_length()) if mask >> i & 1)


class Record:
    """One symbol's fields, or one feed's.

    Attributes:
        key: the symbol; a feed's record (`is_feed`) is under `@NAME`.
        instrument: the part of a venue symbol behind the colon, empty for every other record.
        values: each field's value. A follower has the very list of the record that it follows.
        stamps: the version that each field last changed in; of the fields of `mask` it is `version`, whatever is here.
        places: where its fields stand, and their bits.
        born: the version that created it.
        version, previous: the last two versions that changed it.
        mask: the fields that `version` changed, as bits.
        follower: the record that has the same values and changes with it, if any.
        pieces: encoded forms by mask, a cache for `protocol`; empty after each change.
    """

    __slots__ = (
        "born", "follower", "instrument", "is_feed", "key", "mask", "pieces", "places", "previous", "stamps", "ts_at",
        "values", "version",
    )  # fmt: skip

    def __init__(self, key: str, version: int) -> None:
        self.key = key
        self.instrument = key.partition(":")[2]
        self.places = FEED_PLACES if key[0] == "@" else PLACES
        self.is_feed = key[0] == "@"
        size = len(FEED_FIELDS if self.is_feed else FIELDS)
        self.values: list[Value] = [None] * size
        self.stamps = [version] * size
        self.born = self.version = self.previous = version
        self.mask = 0
        self.follower: Record | None = None
        self.ts_at = float("-inf")
        self.pieces: dict[int, bytes] = {}

    @property
    def everything(self) -> int:
        """The mask of all its fields."""
        return (1 << len(self.values)) - 1

    def get(self, name: str) -> Value:
        """A field's value by its name."""
        return self.values[(FEED_INDEX if self.is_feed else INDEX)[name]]

    def changed_since(self, since: int) -> int:
        """The mask of the fields that changed after a version; all of them for a record born after it."""
        if since >= self.version:
            return 0
        if self.born > since:
            return self.everything
        mask, bit = self.mask, 1
        if since >= self.previous:
            return mask
        for stamp in self.stamps:
            if stamp > since:
                mask |= bit
            bit <<= 1
        return mask


class Changes(NamedTuple):
    """An answer: what a reader at `since` must be told to know all of `version`.

    Attributes:
        since: None means everything: the reader clears first.
        records: each with the mask of the fields to send (feeds' records among them).
        gone: symbols to drop.
    """

    epoch: int
    since: int | None
    version: int
    records: list[tuple[Record, int]]
    gone: list[str]


class Flush(NamedTuple):
    """What one flush made visible: each record's `mask` says which of its fields."""

    version: int
    changed: list[Record]
    gone: list[str]


Follow = tuple[str, Record | None]
"""The record of this name follows another from now on: it has its values, version by version. None removes it."""
