"""The snapshot store: a map of records with one version, which answers "what changed since version V?".

`ingest` collects, `flush` makes visible. A flush moves the version by one if something really changed and stamps
each changed field with it. Six rules make every reader exact, whatever it missed:

1. Epoch: a cursor with another epoch, or a version never reached, gets everything.
2. Born: a record created after the cursor comes with all its fields, so that merging equals replacing.
3. Fresh: a cursor is valid only for the selection it was made for; symbols that a new selection adds are sent complete.
4. Floor: removals leave bounded tombstones; a cursor older than a forgotten one gets everything. A reborn symbol
   drops its tombstone, so that no name is ever both changed and gone.
5. Zero is nothing: versions start at 1.
6. Fixed fields: a record has all its fields always; a missing value is None, versioned like any other.

No `await`, no I/O, no clock: one thread calls it, and `now` is handed in.
"""

from __future__ import annotations

import itertools
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ticker.model import Value
from ticker.record import PLACES, Changes, Contents, Flush, Follow, Record, bits
from ticker.scope import Scope, Wildcards, overlapping
from ticker.selection import ALL_FIELDS, Selection

MAX_TOMBSTONES = 10_000
MOST_AHEAD = 100_000
"""By how many versions a followed store may be ahead, half an hour at the usual pace; a later one is made up."""
BIRTH = 4
"""Creating a symbol takes as long as this many changes."""
LOOKED_THROUGH = 1000
"""A scope of fewer symbols is looked through for the newest change of its fields, which takes 1 to 2 ms."""
TS_ALONE_S = 1.0
"""A new `ts` with no other change becomes visible at most this often."""

_TS, _TS_BIT = PLACES["ts"]
_PRICE = ~(PLACES["state"][1] | PLACES["source"][1])
"""A change of any field but these two makes the price a new one."""


class Derivation(Protocol):
    """A stage of the flush that derives records from those that just changed (consolidated symbols)."""

    def derive(self, changed: list[Record], gone: list[str], now: float) -> Iterable[Follow]:
        """Which records follow which from this flush on, each follower at most once; all others stay as they are."""

    def due(self, now: float) -> bool:
        """Whether the passage of time alone calls for a derivation."""


Pending = tuple[dict[str, Value], int | None, int | None]
"""What was ingested for one key since the last flush: values, `ts` and `received_ms` of `Store.ingest`."""


@dataclass(slots=True)
class StoreCounts:
    """Plain counters, read by metrics."""

    commits: int = 0
    changed: int = 0
    unchanged: int = 0


@dataclass(slots=True)
class Store:
    """The versioned map.

    Args:
        epoch: an integer unique to this store: ms since 1970 at its start.
        derivation: the consolidation stage; None derives nothing.
        max_tombstones: how many removals are remembered.
    """

    epoch: int
    derivation: Derivation | None = None
    max_tombstones: int = MAX_TOMBSTONES
    version: int = 1
    floor: int = 0
    behind: bool = False  # the last flush left new symbols to the next one
    reached: int = 0  # the version of the store that this one follows, if it follows one; see `follow`
    wildcards: Wildcards = field(default_factory=Wildcards)
    counts: StoreCounts = field(default_factory=StoreCounts)
    on_flush: list[Callable[[Flush], None]] = field(default_factory=list)
    on_restart: list[Callable[[], None]] = field(default_factory=list)
    _records: OrderedDict[str, Record] = field(default_factory=OrderedDict)  # in order of last change
    _pending: dict[str, Pending] = field(default_factory=dict)
    _removed: dict[str, None] = field(default_factory=dict)
    _late_ts: OrderedDict[str, int] = field(default_factory=OrderedDict)  # in order of first being withheld
    _followed: dict[str, Record] = field(default_factory=dict)  # by follower: the record that it follows
    _gone: OrderedDict[str, int] = field(default_factory=OrderedDict)
    _feeds: dict[str, Record] = field(default_factory=dict)  # the few records that every reader gets

    # What goes in

    def ingest(self, key: str, values: dict[str, Value], ts: int | None = None, received_ms: int | None = None) -> None:
        """Collect fields for the next flush; later ones win.

        Args:
            key: a symbol, or `@NAME` for a feed's record.
            values: fields without `ts`; absent keeps, None clears. Kept without copying: do not modify it afterwards.
            ts: the exchange's time of these values, ms.
            received_ms: when they arrived, ms; becomes `ts` if the exchange gives none and a price changed.
        """
        pending = self._pending.get(key)
        if pending is not None:
            earlier, earlier_ts, earlier_ms = pending
            values = {**earlier, **values}
            ts = earlier_ts if ts is None else ts
            received_ms = earlier_ms if received_ms is None else received_ms
        self._pending[key] = values, ts, received_ms

    def remove(self, key: str) -> None:
        """Drop a symbol in the next flush; data ingested after this call creates a new record."""
        self._pending.pop(key, None)
        self._removed[key] = None

    def follow(self, version: int) -> None:
        """What was collected is what another store, which this one follows, shows at a version: it becomes that one.

        So a cursor of either store is good at the other. Several of that store's versions may have been merged: every
        field that any of them named counts as changed, and every symbol as gone, even if nothing is left of it here. A
        reader with a cursor in between gets more than it needs, never less.
        """
        self.reached = version

    def restart(self, epoch: int, contents: Contents) -> None:
        """Begin anew, at once, with what another store shows; older cursors get everything.

        Afterwards `contents` are those of before: however many they were, they need not be freed in the same moment. A
        store that follows another derives nothing itself.
        """
        old, new = self._records, contents.records
        self._records, self._feeds = new, contents.feeds
        for key in dict.__iter__(old):
            if key not in new and key[0] != "@":  # else the patterns that match it are known
                self.wildcards.died(key)
        for key in dict.__iter__(new):
            if key not in old and key[0] != "@":
                self.wildcards.born(key)
        contents.records = old
        self._followed.clear()
        self.counts.changed += len(new)
        self._begin(epoch, contents.version)

    def go_stale(self, epoch: int, since: int, message: str) -> None:
        """Begin anew, at once, with what is shown already, but what was live is stale; older cursors get everything.

        Feeds say since when, ms since 1970, and why.
        """
        state = PLACES["state"][0]
        for record in dict.values(self._records):
            if not record.is_feed and record.values[state] == "live":
                record.values[state], record.pieces = "stale", {}
        for feed in self._feeds.values():
            if feed.get("state") == "live":
                for name, value in (("state", "stale"), ("since", since), ("message", message)):
                    feed.values[feed.places[name][0]] = value
                feed.pieces = {}
        self._begin(epoch, self.version + 1)

    def is_behind(self, version: int) -> bool:
        """Whether the followed store may have reached a version that this one has not; see `MOST_AHEAD`."""
        return self.reached > 0 and self.version < version <= self.version + MOST_AHEAD

    def resumes(self, version: int) -> bool:
        """Whether a reader that knows everything up to a version need not be told everything; see `is_behind`, too."""
        return max(1, self.floor) <= version <= self.version or self.is_behind(version)

    def differs(self, key: str, values: dict[str, Value]) -> bool:
        """Whether any of these fields, `state` aside, differs from its visible value."""
        record = self._records.get(key)
        return record is None or any(
            record.values[PLACES[name][0]] != value for name, value in values.items() if name != "state"
        )

    def waiting(self, now: float) -> bool:
        """Whether a flush has work to do: ingested data, or something that has become due."""
        if self._pending or self._removed or self.reached > self.version or next(self._due_ts(now), None) is not None:
            return True
        return self.derivation is not None and self.derivation.due(now)

    def flush(self, now: float, most: int = sys.maxsize) -> Flush | None:
        """Make what was collected visible as one version.

        Args:
            now: monotonic seconds.
            most: how many changes, and removals, to take at most, oldest first; the rest is left to the next flush.
                Of a store that is followed everything is taken: it is one version.

        Returns:
            None if nothing really changed; the version has not moved then, unless that of a followed store has.
        """
        since, following = self.version, self.reached > self.version
        removed, pending = self._take(sys.maxsize if following else most)
        version = self.reached if following else since + 1
        changed: dict[str, Record] = {}
        gone: dict[str, None] = {}
        known = {key for key in removed if key in self._records}
        for key in removed:
            self._drop(key, version, gone, unseen=following)
        self._apply(pending, version, now, changed, compare=not following)
        self._apply_late_ts(version, now, changed)
        if self.derivation is not None:
            for target, source in list(self.derivation.derive(list(changed.values()), list(gone), now)):
                if source is None:
                    self._drop(target, version, gone)
                else:
                    self._follow(target, source, version, changed)
        if changed or gone or following:
            self.version = version
        if not changed and not gone:
            return None
        self.counts.commits += 1
        for key in changed:
            gone.pop(key, None)
        births = [r.key for r in changed.values() if r.born == version and not r.is_feed and r.key not in known]
        flush = Flush(since, version, list(changed.values()), list(gone), births)
        for listener in self.on_flush:
            listener(flush)
        return flush

    # What comes out

    def __len__(self) -> int:
        return len(self._records)

    def get(self, key: str) -> Record | None:
        """A visible record."""
        return self._records.get(key)

    def records(self) -> Iterable[Record]:
        """All visible records, the one that changed last at the end."""
        return self._records.values()

    def feeds(self) -> Iterable[Record]:
        """The records of the feeds."""
        return self._feeds.values()

    def symbols(self) -> Iterator[str]:
        """All visible symbols, in order of birth; iterating in order of change would take five times as long."""
        return (key for key in dict.__iter__(self._records) if key[0] != "@")

    def candidates(self, pattern: str) -> Iterable[str]:
        """The visible symbols that a pattern may match: one per venue if only the venue is open, else all."""
        if (name := _of_any_venue(pattern)) is None:
            return self.symbols()
        return (symbol for venue in self.wildcards.venues if (symbol := f"{venue}:{name}") in self._records)

    def tests(self, pattern: str) -> int:
        """How many symbols a pattern must be tested against; 1 for a plain symbol."""
        if "*" not in pattern:
            return 1
        return len(self._records) if _of_any_venue(pattern) is None else len(self.wildcards.venues)

    def has_venue(self, name: str) -> bool:
        """Whether there is a symbol of this venue."""
        return name in self.wildcards.venues

    @property
    def count(self) -> int:
        """How many visible symbols there are."""
        return len(self._records) - len(self._feeds)

    @property
    def tombstones(self) -> int:
        return len(self._gone)

    def resolve(self, selection: Selection) -> Scope:
        """Resolve a selection; hand the scope back with `release`."""
        wild = tuple(self.wildcards.acquire(p, self.candidates(p)) for p in selection.patterns if "*" in p)
        return Scope(selection, frozenset(p for p in selection.patterns if "*" not in p), wild)

    def release(self, scope: Scope) -> None:
        """Hand back a scope from `resolve`."""
        for wildcard in scope.wildcards:
            self.wildcards.release(wildcard)

    def matched(self, scope: Scope) -> int:
        """How many existing symbols a scope selects."""
        by_name = sum(s in self._records and not scope.wild(s) for s in scope.exact)
        wild = sorted((w.symbols for w in scope.wildcards), key=len, reverse=True)  # the largest is only counted
        by_pattern = 0
        for i, symbols in enumerate(wild):
            shared = overlapping(symbols, wild[:i])
            by_pattern += sum(all(s not in earlier for earlier in shared) for s in symbols) if shared else len(symbols)
        return by_name + by_pattern - len(scope.denied)

    def changes(self, scope: Scope, since: int | None = None, known: Scope | None = None) -> Changes:
        """What a reader must be told.

        Args:
            scope: what it selects now.
            since: the version up to which it knows everything; None for nothing. The caller has checked the epoch.
            known: the scope that `since` refers to, if it is a different one.
        """
        if since is None or not 0 < since <= self.version or since < self.floor:
            mask = scope.selection.mask
            records = [(r, mask) for s in scope.symbols() if (r := self._records.get(s))]
            records += [(r, r.everything) for r in self._feeds.values()]
            return Changes(self.epoch, None, self.version, records, [])
        records = self._walk(scope, since)
        if known is not None:
            told = {r.key for r, _ in records}
            mask = scope.selection.mask
            records = [(r, m if r.is_feed or known.contains(r.key) else mask) for r, m in records]
            fresh = (s for s in scope.beyond(known) if s not in told)
            records += [(r, mask) for s in fresh if (r := self._records.get(s))]
        return Changes(self.epoch, since, self.version, records, list(self.gone_since(scope, since)))

    def newest(self, scope: Scope) -> int:
        """The newest version that changed anything in a scope; 0 if none did.

        In a large one changes of other fields count, too: else each of its records might have to be looked at.
        """
        wanted, selected = scope.selection.mask if scope.size < LOOKED_THROUGH else ALL_FIELDS, scope.test
        newest = 0
        for record in itertools.islice(reversed(self._records.values()), scope.size + 8):  # as in `_walk`
            if record.is_feed or selected(record.key):
                newest = max(newest, record.version if record.is_feed else record.newest(wanted))
            if newest >= record.version:
                break
        else:
            hits = filter(None, map(self._records.get, scope.symbols()))
            feeds = (feed.version for feed in self._feeds.values())
            newest = max(itertools.chain((hit.newest(wanted) for hit in hits), feeds), default=0)
        for symbol, version in reversed(self._gone.items()):
            if version <= newest:
                break
            if scope.matches(symbol):
                return version
        return max(newest, self.floor)

    def gone_since(self, scope: Scope, since: int) -> Iterator[str]:
        """The symbols of a scope removed after a version, and those that came after it and are left out.

        Without wildcards its names, being fewer, are looked up.
        """
        if next(reversed(self._gone.values()), 0) > since and not scope.wildcards:
            yield from (symbol for symbol in scope.exact if self._gone.get(symbol, 0) > since)
            return
        for symbol, version in reversed(self._gone.items()):
            if version <= since:
                break
            if scope.matches(symbol):
                yield symbol
        for symbol in scope.denied:  # it may have been there before, too, when there was room for it
            if (record := self._records.get(symbol)) is not None and record.born > since:
                yield symbol

    def changed(self, since: int, most: int) -> int:
        """How many records have changed since a version, counted up to `most`."""
        newest = itertools.islice(reversed(self._records.values()), most)
        return sum(1 for _ in itertools.takewhile(lambda record: record.version > since, newest))

    # Inside

    def _begin(self, epoch: int, version: int) -> None:
        """Begin an epoch. No record is newer than the version, and no cursor of it older: stamps do not matter."""
        self._pending, self._removed = {}, {}
        self._late_ts.clear()
        self._gone.clear()
        self.epoch, self.version, self.floor, self.reached = epoch, version, version, version
        for listener in self.on_restart:
            listener()

    def _take(self, most: int) -> tuple[Iterable[str], dict[str, Pending]]:
        """What a flush removes and changes; no symbol is reborn before its removal."""
        removed, pending = self._removed, self._pending
        if len(removed) <= most and BIRTH * len(pending) <= most:
            self._removed, self._pending, self.behind = {}, {}, False
            return removed, pending
        first = list(itertools.islice(removed, most))
        for key in first:
            del removed[key]
        keys: list[str] = []
        for key in pending:
            if key not in removed:
                most -= 1 if key in self._records else BIRTH
                if most < 0 and keys:
                    break
                keys.append(key)
        taken = {key: pending.pop(key) for key in keys}
        self.behind = any(key not in self._records for key in pending)
        return first, taken

    def _walk(self, scope: Scope, since: int) -> list[tuple[Record, int]]:
        """The changed records of a scope, by the cheaper of two walks.

        Down from the newest change, or over the selection; the first is abandoned once it is as long as the
        second.
        """
        wanted, selected = scope.selection.mask, scope.test
        found: list[tuple[Record, int]] = []
        steps = scope.size + 8
        for record in reversed(self._records.values()):
            if record.version <= since:
                return found
            if not steps:
                break
            steps -= 1
            if record.is_feed:
                found.append((record, record.changed_since(since)))
            elif selected(record.key) and (mask := record.changed_since(since) & wanted):
                found.append((record, mask))
        else:
            return found
        found = []
        for symbol in scope.symbols():
            hit = self._records.get(symbol)
            if hit and hit.version > since and (mask := hit.changed_since(since) & wanted):
                found.append((hit, mask))
        found += [(r, r.changed_since(since)) for r in self._feeds.values() if r.version > since]
        return found

    def _touch(self, record: Record, mask: int, version: int, changed: dict[str, Record]) -> None:
        """Mark these fields of a record, and of its follower, as changed in this version."""
        before = record.version
        if before == version:
            record.mask |= mask
        else:
            if settled := record.mask & ~mask:  # a field that changes again needs no stamp; usually that is all of them
                for i in bits(settled):
                    record.stamps[i] = before
            record.previous, record.version, record.mask = before, version, mask
        if record.pieces:
            record.pieces = {}
        key = record.key
        self._records.move_to_end(key)
        changed[key] = record
        if record.follower is not None:
            self._touch(record.follower, mask, version, changed)

    def _birth(self, key: str, version: int) -> Record:
        record = self._records[key] = Record(key, version)
        record.mask = record.everything
        self._gone.pop(key, None)
        if record.is_feed:
            self._feeds[key] = record
        else:
            self.wildcards.born(key)
        return record

    def _apply(
        self, pending: Mapping[str, Pending], version: int, now: float, changed: dict[str, Record], *, compare: bool
    ) -> None:
        """Write what was collected; with `compare`, only what really differs."""
        records, late_ts = self._records, self._late_ts
        unchanged = 0
        for key, (news, ts, received_ms) in pending.items():
            record = records.get(key)
            born = record is None
            if record is None:
                record = self._birth(key, version)
            values, places, mask = record.values, record.places, 0
            for name, value in news.items():
                i, bit = places[name]
                if values[i] != value or not compare:
                    values[i] = value
                    mask |= bit
            if ts is None and mask & _PRICE and not record.is_feed:
                ts = received_ms  # noqa: PLW2901
            if ts is not None and ts != values[_TS]:
                if mask or now - record.ts_at >= TS_ALONE_S:
                    self._set_ts(record, ts, now)
                    mask |= _TS_BIT
                else:
                    late_ts[key] = ts
            elif ts is not None and late_ts:
                late_ts.pop(key, None)  # the source went back to the visible time: nothing is withheld
            if mask or born:
                self._touch(record, record.everything if born else mask, version, changed)
            else:
                unchanged += 1
        self.counts.changed += len(pending) - unchanged
        self.counts.unchanged += unchanged

    def _set_ts(self, record: Record, ts: int, now: float) -> None:
        record.values[_TS] = ts
        record.ts_at = now
        if self._late_ts:
            self._late_ts.pop(record.key, None)

    def _due_ts(self, now: float) -> Iterator[str]:
        """The symbols whose withheld `ts` is due, up to the first that is not; none waits longer than `TS_ALONE_S`."""
        return itertools.takewhile(lambda key: now - self._records[key].ts_at >= TS_ALONE_S, self._late_ts)

    def _apply_late_ts(self, version: int, now: float, changed: dict[str, Record]) -> None:
        for key in list(self._due_ts(now)):
            record = self._records[key]
            self._set_ts(record, self._late_ts[key], now)
            self._touch(record, _TS_BIT, version, changed)

    def _follow(self, target: str, source: Record, version: int, changed: dict[str, Record]) -> None:
        record = self._records.get(target)
        if record is None:
            record = self._birth(target, version)
        if record.values is source.values:
            return
        self._unfollow(target)
        self._followed[target] = source
        source.follower = record
        record.values = source.values
        self._touch(record, record.everything, version, changed)  # its visible values are lost: any may differ

    def _unfollow(self, target: str) -> None:
        source = self._followed.pop(target, None)
        if source is not None:
            source.follower = None

    def _drop(self, key: str, version: int, gone: dict[str, None], *, unseen: bool = False) -> None:
        """Remove a symbol; `unseen`: even one that never was visible here."""
        record = self._records.pop(key, None)
        if record is not None:
            self._late_ts.pop(key, None)
            self._unfollow(key)
            self.wildcards.died(key)
        elif unseen:
            self._gone.pop(key, None)  # in order of version
        else:
            return
        gone[key] = None
        self._gone[key] = version
        while len(self._gone) > self.max_tombstones:
            _, self.floor = self._gone.popitem(last=False)


def _of_any_venue(pattern: str) -> str | None:
    """The part of a pattern after the colon if that is a plain name: `BTC-USD` for `*:BTC-USD`."""
    _, colon, name = pattern.partition(":")
    return name if colon and "*" not in name else None
