"""The data types of the store: records, and the answers that list what changed in them."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

from ticker.model import FEED_FIELDS, FIELDS, Value

PLACES, FEED_PLACES = ({name: (i, 1 << i) for i, name in enumerate(names)} for names in (FIELDS, FEED_FIELDS))
"""A field's position, and its bit in a mask."""


@functools.cache
def bits(mask: int) -> tuple[int, ...]:
    """The positions of the bits of a mask; there are 65,536 masks at most."""
    return tuple(i for i in range(mask.bit_length()) if mask >> i & 1)


class Record:
    """One symbol's fields, or one feed's.

    Attributes:
        key: the symbol; a feed's record (`is_feed`) has the key `@NAME`.
        instrument: the part of a venue symbol after the colon, empty for every other record.
        values: each field's value. A follower shares the list object of the record that it follows.
        stamps: the version in which each field last changed; for the fields in `mask` that is `version`, and the
            stamp is out of date.
        places: the position and the bit of each of its fields.
        born: the version that created it.
        version, previous: the last two versions that changed it.
        mask: the fields that `version` changed, as bits.
        follower: the record that has the same values and changes with it, if any.
        ts_at: when `ts` last became visible, monotonic seconds.
        pieces: encoded forms by mask, a cache for `protocol`; cleared by each change.
    """

    __slots__ = (
        "born", "follower", "instrument", "is_feed", "key", "mask", "pieces", "places", "previous", "stamps", "ts_at",
        "values", "version",
    )  # fmt: skip

    def __init__(self, key: str, version: int) -> None:
        self.key = key
        self.instrument = key.partition(":")[2]
        self.is_feed = key[0] == "@"
        self.places = FEED_PLACES if self.is_feed else PLACES
        self.values: list[Value] = [None] * len(self.places)
        self.stamps = [version] * len(self.places)
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
        return self.values[self.places[name][0]]

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

    def newest(self, wanted: int) -> int:
        """The last version that changed any field of a mask."""
        return self.version if self.mask & wanted else max(self.stamps[i] for i in bits(wanted))


class Contents:
    """All that a store shows at one version, put together record by record: a store begins anew with it at once.

    Attributes:
        records: by key, in order of last change.
        feeds: those of them that every reader gets.
    """

    __slots__ = ("feeds", "records", "version")

    def __init__(self, version: int) -> None:
        self.version = version
        self.records: OrderedDict[str, Record] = OrderedDict()
        self.feeds: dict[str, Record] = {}

    def add(self, key: str, values: Mapping[str, Value]) -> None:
        """Add a record; a field that is not named is not known."""
        record = self.records[key] = Record(key, self.version)
        record.values = list(map(values.get, record.places))
        if record.is_feed:
            self.feeds[key] = record

    def free(self, most: int) -> bool:
        """Let go of as many records, if there are any; of all at once the interpreter would make a long turn."""
        for _ in range(min(most, len(self.records))):
            self.records.popitem()
        return bool(self.records)


class Changes(NamedTuple):
    """An answer: what brings a reader from `since` to `version`.

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
    """What one flush made visible: each record's `mask` says which of its fields.

    Attributes:
        since: the version before it; `version` is the next one, or, where the store follows another, a later one.
        births: the symbols that were not there before; one that went and came back meanwhile was.
    """

    since: int
    version: int
    changed: list[Record]
    gone: list[str]
    births: list[str]


Follow = tuple[str, Record | None]
"""The record of this name follows another one from now on: it has the same values in every version. None removes it."""
