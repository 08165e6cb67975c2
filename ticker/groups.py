"""Groups: readers with the same selection and interval share each frame.

After each flush (or when its interval class is due) a group gets at most one frame, built once and handed to all
its members. A member that cannot take the frame lags behind: only the version that it has reached is kept, and when it
can take bytes again it gets one frame from there to now, shared with all laggards at the same version. No reader has a
queue.

Pure: no `await`, no I/O; `Reader.write` is the only way out and never raises.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator

from ticker import protocol
from ticker.clock import Clock
from ticker.growth import Growth
from ticker.interest import Interest
from ticker.large_frames import PAYS_BYTES, LargeFrames, large_frame
from ticker.protocol import Cursor, Frame, Updates
from ticker.quota import Quota
from ticker.readers import FanoutCounts, Group, Reader
from ticker.record import Flush, Record
from ticker.scope import Scope, Wildcard
from ticker.selection import Selection
from ticker.settings import Limits
from ticker.slices import LARGE, MOST_PASSES, SLICE, Line, parts, tested
from ticker.store import Store

KEEP_EMPTY_S = 10.0
"""An empty group is kept this long: its readers often come back."""
MAX_FRAMES = 64
MAX_FRAMES_BYTES = 4_000_000
"""How many ready-made frames a group keeps at most, and how many bytes of them before it adds one more."""
TURN_S = 0.02
"""How long the groups write in one turn of the loop, about; the rest is written in the next ones."""
PART = 1000
"""How many members of one group are written to without a look at the clock, which takes some 10 ms."""
PAYS_FOR_MANY_BYTES = 1024
MANY = 4
"""A frame of at least this size is worth compressing if at least this many readers share it."""


class Groups:
    """All groups, and which of them a symbol concerns.

    Args:
        store: where the frames come from; its flushes must be handed to `publish`, its restarts to `restart`.
        clock: the service's clock.
        arm: called with an interval class, ms, when a group of it has news: call `send_due` at its next multiple.
        limits: what readers may select.
        spread: does long work in steps, one a turn of the loop.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        arm: Callable[[int], None],
        limits: Limits,
        spread: Callable[[Iterator[None]], object],
    ) -> None:
        self.store = store
        self.quota = Quota(limits, clock)
        self.counts = FanoutCounts()
        self.large, self.turn_s, self.part = LARGE, TURN_S, PART
        self._monotonic = clock.monotonic
        self._wall_ms = clock.wall_ms
        self._arm = arm
        self._spread = spread
        self._rest: Iterator[None] | None = None  # what is left to do until all groups are told of the last flush
        self._classes: set[int] = set()  # the interval classes that are being served
        self._groups: dict[tuple[Selection, int], Group] = {}
        self._interest = Interest(store.wildcards)
        self.returning: set[Group] = set()
        """Those with readers that can take bytes again, which wait for `catch_up`."""
        self._ahead: dict[Reader, float] = {}  # lagging readers that know more than the store: when told something
        self._empty_since: dict[Group, float] = {}
        self._growth = Growth(store, limits.symbols)
        self.line = Line(store)
        self._large_frames = LargeFrames(store, self.line, self.quota, clock)
        self._for_all = 0  # the last version with a feed's record or a removal, which concern groups beyond their news

    def __len__(self) -> int:
        return len(self._groups)

    def __iter__(self) -> Iterator[Group]:
        return iter(self._groups.values())

    @property
    def lagging(self) -> int:
        """How many readers lag behind now."""
        return sum(len(group.lagging) for group in self._groups.values())

    # Coming and going

    def admit(
        self,
        address: str,
        selection: Selection,
        interval_ms: int,
        cursor: str | None = None,
        *,
        old: Group | None = None,
        made: bool = False,
    ) -> int:
        """Check that a reader may have a selection, in place of its old group's; returns how many symbols match.

        With its cursor a reader that has missed little pays little. `made` says that its first frame was made,
        and paid for, already.

        Raises:
            ProtocolError: `too_many_symbols`, or `overloaded`; without an id.
        """
        group = self._groups.get((selection, interval_ms))
        if group is None:
            matched = self.matched(selection)
            cells = _cells(selection, matched)
        else:
            matched = self.store.matched(group.scope) + len(group.scope.denied)  # including what was left out of it
            cells = group.cells
        self._growth.check(matched)
        if group is None:
            for empty in list(self._empty_since):
                if not self.quota.full(cells):
                    break
                self._drop(empty)
        self.quota.check_cells(address, group, cells, old, old.cells if old else 0)
        ready_made = made or (group is not None and (self.store.version, None) in group.frames)
        if not ready_made and (cursor is None or self.fresh(None, selection, cursor)):
            self.quota.check_snapshot(address, matched)
        return matched

    def matched(self, selection: Selection) -> int:
        """How many symbols a selection matches."""
        scope = self.store.resolve(selection)
        matched = self.store.matched(scope)
        self.store.release(scope)
        return matched

    def fresh(self, known: Group | None, selection: Selection, cursor: str | None) -> int:
        """Roughly how many symbols a reader must be told when it moves from a group to a selection.

        0 if its cursor leaves less than a turn's work.
        """
        since = self.since(selection, cursor)
        if since is not None and self.store.changed(since, self.large) < self.large:
            return 0
        matched = self.matched(selection)
        return matched - self.store.matched(known.scope) if known and _same_fields(known, selection) else matched

    def since(self, selection: Selection, cursor: str | None) -> int | None:
        """The version from which a reader of a selection can go on, if its cursor allows that; see `enter`."""
        known = Cursor.parse(cursor) if cursor else None
        since = known.since(self.store.epoch, selection) if known else None
        good = since is not None and self.store.resumes(since) and not self._growth.doubts(selection)
        return since if good else None

    def whole(
        self, address: str, selection: Selection, known: Group | None = None, cursor: str | None = None
    ) -> Generator[Frame | None, None, None]:
        """Prepare a selection for a reader, pausing after each step; arguments as for `fresh`.

        If there is much to tell, the last step yields its frame: a snapshot, or an update since its cursor. Readers who
        want the same meanwhile share the work, and those who come a moment later get the same snapshot. If symbols are
        only added, which an ordinary update tells, they are encoded ahead of it.

        Raises:
            ProtocolError: `overloaded`; without an id.
        """
        least = self.store.version if known is not None else self._claimed(cursor)
        for _ in tested(self.store, selection):
            yield None
        if self.fresh(known, selection, cursor) >= self.large and not self._growth.doubts(selection):
            matched = self.matched(selection)
            if known and _same_fields(known, selection):
                yield from self._encoded_ahead(address, selection)
            elif self._growth.allows(matched):
                since = self.since(selection, cursor)
                told = matched if since is None else self.store.changed(since, matched)
                yield from self._large_frames.take(address, selection, told, since, least)

    def _encoded_ahead(self, address: str, selection: Selection) -> Iterator[None]:
        """Encode all that a selection has; at the end hardly any of it has changed since."""
        version = 0

        def note(*_: object) -> None:
            nonlocal version
            version = self.store.version

        for _ in range(MOST_PASSES):
            yield from self.line.make(address, selection, None, note)
            if self.store.changed(version, SLICE) < SLICE:
                return

    def enter(self, reader: Reader, selection: Selection, interval_ms: int, since: int | None) -> Frame:
        """Place a reader and return its first data frame, which brings it to the store's version.

        `since` is a version up to which it knows all of exactly this selection; None for nothing. If the store, which
        follows another, is not that far yet, the frame is empty, and the reader lags until it is.
        """
        group = self._place(reader, selection, interval_ms)
        if self._growth.doubts(selection):
            since = None
        if since is not None and self.store.is_behind(since):
            group.let_lag(reader, since)
            self._ahead[reader] = self._monotonic()
            return protocol.update(since, since, self._wall_ms(), [], [], [])
        return self._frame(group, since)

    def join(
        self, reader: Reader, selection: Selection, interval_ms: int, cursor: str | None, whole: Frame | None = None
    ) -> Frame:
        """`enter` with a cursor, if the reader has one, or with the frame that `whole` made for it.

        Counts how the cursor was answered.
        """
        if whole is not None and self._serves(whole, selection):
            frame = self._enter_behind(reader, selection, interval_ms, whole)
        else:
            frame = self.enter(reader, selection, interval_ms, self.since(selection, cursor))
        if cursor:
            self.counts.resumes[frame.kind] += 1
            if frame.kind == "snapshot":
                self.counts.resyncs[self._why(cursor, selection)] += 1
        return frame

    def _why(self, cursor: str, selection: Selection) -> str:
        """Why a cursor is answered by a snapshot."""
        known = Cursor.parse(cursor)
        if known is None or known.epoch != self.store.epoch or not 0 < known.version <= self.store.version:
            return "epoch"
        return "pruned" if known.digest == selection.digest else "selection"

    def change(self, reader: Reader, selection: Selection, interval_ms: int, whole: Frame | None = None) -> Frame:
        """Move a reader to another selection or interval and return the data frame that follows at once.

        Added symbols come complete; other fields are answered by a snapshot, or by the frame that `whole` made, if any.
        One that knows more than the store goes on waiting if it wants no more symbols; else it gets a snapshot, too,
        although that is of the past: it must be exact. A group that it leaves empty is dropped at once: its reader does
        not come back.
        """
        old = reader.group
        assert old is not None
        known, since, told = old.scope, self._seen(old), old.told
        if reader in old.lagging:
            since = told = reader.since
        if whole is not None and whole.version >= told and self._serves(whole, selection):
            frame = self._enter_behind(reader, selection, interval_ms, whole)
        elif known.selection.mask != selection.mask:
            frame = self.enter(reader, selection, interval_ms, None)
        elif reader in self._ahead and set(selection.patterns) <= set(known.selection.patterns):
            frame = self.enter(reader, selection, interval_ms, since)
        else:
            group = self._place(reader, selection, interval_ms)
            changes = self.store.changes(group.scope, since, None if known is group.scope else known)
            frame = protocol.data_frame(changes, self._wall_ms(), told)
        if old.empty:
            self._drop(old)
        return frame

    def leave(self, reader: Reader) -> None:
        """A reader is gone; harmless if it never entered."""
        group, reader.group = reader.group, None
        if group is None:
            return
        self._ahead.pop(reader, None)
        for readers in (group.members, group.lagging, group.returning, group.untold, group.unwarned):
            readers.discard(reader)
        self.quota.leave(reader.address, group, group.cells)
        if group.empty:
            self._empty_since[group] = self._monotonic()

    def ready(self, reader: Reader) -> bool:
        """A reader can take bytes again; returns whether `catch_up` must serve it."""
        group = reader.group
        if group is None or reader not in group.lagging or reader in self._ahead:
            return False
        group.returning.add(reader)
        if group.interval_ms:
            self._mark_due(group, self.store.version)
            return False
        self.returning.add(group)
        return True

    def restart(self) -> None:
        """The store has begun anew: everybody gets a snapshot, on the open connection, as soon as it can take one.

        All groups are made anew, so that nothing of before is sent any more by work that is spread over turns.
        """
        self._rest, self._for_all = None, 0
        self.line.drop()
        self._large_frames.drop()
        births = list(self.store.symbols())
        for old in list(self._groups.values()):
            readers = [*old.members, *old.lagging]
            for reader in readers:
                self.leave(reader)
            self._drop(old)
            old.unmade = False
            for reader in readers:
                group = self._place(reader, old.scope.selection, old.interval_ms)
                group.let_lag(reader, 0)
                self.ready(reader)
            if readers and self._growth.cap(group, births):
                group.unwarned = set(readers)
            if readers and group.cells >= self.large and not self._growth.doubts(group.scope.selection):
                group.unmade = True
                self._spread(self._made(group))

    def _made(self, group: Group) -> Iterator[None]:
        """Make the snapshot for readers that know nothing, pausing after each slice, and send it.

        Of a group with an interval it is sent later; if it is out of date then, its parts are still of use.
        """
        selection, store = group.scope.selection, self.store

        def finish(quotes: list[bytes], gone: list[str]) -> Frame:
            return large_frame(store, self._wall_ms(), None, quotes, gone)

        for frame in self.line.make("", selection, None, finish):
            if frame is not None:
                if not self._growth.doubts(selection):  # else it has what was left out of the group meanwhile
                    group.frames = {(frame.version, 0): frame}
                break
            yield
        if not group.unmade:  # the store has begun anew once more
            return
        group.unmade = False
        if group.interval_ms:
            self._mark_due(group, store.version)
        else:
            self._send_returning(group)

    def forget_empty(self) -> None:
        """Drop groups that have been empty for a while, and old large frames."""
        self._large_frames.forget()
        now = self._monotonic()
        for group, since in list(self._empty_since.items()):
            if now - since >= KEEP_EMPTY_S:
                self._drop(group)

    # Frames

    def publish(self, flush: Flush) -> None:
        """Send what a flush made visible, as much as one turn of the loop allows; the rest is left to `send_on`.

        Groups with an interval are only marked as due. The rest of the last flush must have been sent before this one
        was made: it tells what the records say has just changed.
        """
        assert not self.sending
        touched = self._interest.spread(flush.changed)
        feeds = [record for record in flush.changed if record.is_feed]
        if feeds or flush.gone:
            touched = list(self._groups.values())
            self._for_all = flush.version
        if flush.births:
            for group in self._groups.values():
                if group.news and self._growth.cap(group, flush.births):
                    self._hand_out(group, self._growth.warning(), group.members)
                    group.unwarned = set(group.lagging)
        lost, lost_by_wildcard = frozenset(flush.gone), dict[Wildcard, list[str]]()
        if lost:
            for group in self._groups.values():
                if group.scope.denied:
                    group.scope.denied -= lost
        updates = protocol.Updates(flush.version, self._wall_ms(), feeds)

        def frame_of(group: Group, news: dict[Record, None]) -> Frame | None:
            wanted = group.scope.selection.mask
            told = _allowed(group, news)
            rows = [r.pieces.get(m) or protocol.piece(r, m) for r in told if (m := r.mask & wanted)]
            gone = _selected(group.scope, lost, lost_by_wildcard) if lost else []
            return updates.frame(group.told, rows, gone) if rows or gone or feeds else None

        for group in touched:
            self._mark_due(group, flush.since)
        self._rest = self._serve([group for group in touched if not group.interval_ms], frame_of)
        self.send_on()

    @property
    def sending(self) -> bool:
        """Whether some groups were not told yet of the last flush; see `send_on`."""
        return self._rest is not None

    def send_on(self) -> None:
        """Go on sending what the last flush made visible, for a turn of the loop."""
        assert self._rest is not None
        if next(self._rest, self) is self:
            self._rest = None

    def send_rest(self) -> None:
        """Send all that is left of it."""
        while self.sending:
            self.send_on()

    def catch_up(self) -> None:
        """Serve readers that can take bytes again, as many as one turn of the loop allows."""
        for reader in [reader for reader in self._ahead if reader.since <= self.store.version]:
            del self._ahead[reader]
            self.ready(reader)
        rows = 0
        while self.returning and rows < self.large:
            group = self.returning.pop()
            rows += 0 if group.unmade else self._send_returning(group)

    def send_due(self, interval_ms: int) -> None:
        """An interval class is due: send each of its groups with news a frame, unless its last time is not over yet."""
        if interval_ms in self._classes:
            self._arm(interval_ms)
            return
        updates = protocol.Updates(self.store.version, self._wall_ms())

        def frame_of(group: Group, news: dict[Record, None]) -> Frame | None:
            nonlocal updates
            if updates.version != self.store.version:
                updates = protocol.Updates(self.store.version, self._wall_ms())
            return self._due_frame(group, news, updates)

        def serve() -> Iterator[None]:
            self._classes.add(interval_ms)
            yield from self._serve(due, frame_of)
            self._classes.discard(interval_ms)

        due = [
            group for group in self._groups.values() if group.interval_ms == interval_ms and group.due_since is not None
        ]
        self._begin(serve())

    def _due_frame(self, group: Group, news: dict[Record, None], updates: Updates) -> Frame | None:
        """The frame for a group that was due: of its news alone, unless a feed's record or a removal came for all."""
        since, wanted = group.due_since, group.scope.selection.mask
        assert since is not None
        if self._for_all > since:
            changes = self.store.changes(group.scope, since)
            if changes.since is None or changes.records or changes.gone:
                return protocol.data_frame(changes, self._wall_ms(), group.told)
            return None
        told = _allowed(group, news)
        rows = [r.pieces.get(m) or protocol.piece(r, m) for r in told if (m := r.changed_since(since) & wanted)]
        return updates.frame(group.told, rows, []) if rows else None

    def _begin(self, steps: Iterator[None]) -> None:
        """Take the first step at once; the others, if any, each in a turn of the loop."""
        if next(steps, self) is None:
            self._spread(steps)

    def _serve(
        self, groups: list[Group], frame_of: Callable[[Group, dict[Record, None]], Frame | None]
    ) -> Iterator[None]:
        """Send each of these groups what it is due, as `frame_of` makes it, pausing when a turn's time is up."""
        began = self._monotonic()
        for group in groups:
            now = self._monotonic()
            if now - began > self.turn_s:
                yield
                began = self._monotonic()
            if group.due_since is None:  # it was emptied meanwhile
                continue
            version, news, group.news = self.store.version, group.news, {}
            frame = frame_of(group, news) if group.members else None
            if frame is not None:
                group.frames.clear()  # those made before it are of no more use
                frame.pays = len(frame.data) >= PAYS_FOR_MANY_BYTES and len(group.members) >= MANY
                if len(group.members) > self.part:
                    yield from self._hand_out_in_parts(group, frame)
                else:
                    self._hand_out(group, frame, group.members)
                group.told, group.sent_at = frame.version, now
            group.due_since = None
            if group.news or self._for_all > version:  # something came between two parts
                self._mark_due(group, version)
            if group.returning and not group.unmade:
                self._send_returning(group)

    def heartbeat(self, older_than_s: float) -> None:
        """Send a heartbeat to every group, and reader ahead of the store, that has been sent nothing for this long."""
        self._begin(self._heartbeats(older_than_s))

    def _heartbeats(self, older_than_s: float) -> Iterator[None]:
        began = self._monotonic()
        for group in list(self._groups.values()):
            if group.empty or began - group.sent_at < older_than_s:
                continue
            group.sent_at = began
            for readers in parts(list(group.members), self.part):
                if self._monotonic() - began > self.turn_s:
                    yield
                    began = self._monotonic()
                frame = protocol.heartbeat(self._seen(group), self._wall_ms())
                self.counts.sent(frame, sum([r.write(frame) for r in readers if r in group.members]))
            for reader in group.returning:  # its interval may be longer than a heartbeat's
                self._reassure(reader)
        for ahead in parts(list(self._ahead), self.part):
            if self._monotonic() - began > self.turn_s:
                yield
                began = self._monotonic()
            for reader in ahead:
                if reader in self._ahead and began - self._ahead[reader] >= older_than_s and self._reassure(reader):
                    self._ahead[reader] = began

    # Inside

    def _reassure(self, reader: Reader) -> bool:
        """Send a heartbeat to a lagging reader, with the version that it knows; returns whether it took that."""
        frame = protocol.heartbeat(reader.since, self._wall_ms())
        taken = reader.write(frame)
        if taken:
            self.counts.sent(frame)
        return taken

    def _claimed(self, cursor: str | None) -> int:
        """The version that a reader may have seen something of, by its cursor, whatever its selection."""
        known = Cursor.parse(cursor) if cursor else None
        return min(known.version, self.store.version) if known and known.epoch == self.store.epoch else 0

    def _serves(self, whole: Frame, selection: Selection) -> bool:
        """Whether a reader can go on from a large frame that was made a while ago."""
        current = whole.epoch == self.store.epoch and whole.version >= self.store.floor
        return current and not self._growth.doubts(selection)

    def _enter_behind(self, reader: Reader, selection: Selection, interval_ms: int, whole: Frame) -> Frame:
        """Place a reader that gets such a frame; if something has changed since, it catches up like any laggard.

        So it does if its group is due: the frame that the others get may begin after its own.
        """
        group = self._place(reader, selection, interval_ms)
        missed = self.store.changes(group.scope, whole.version)
        if missed.since is None or missed.records or missed.gone or group.due_since is not None:
            group.let_lag(reader, whole.version)
            self.ready(reader)
        else:
            group.told = min(group.told, whole.version)
        return whole

    def _place(self, reader: Reader, selection: Selection, interval_ms: int) -> Group:
        self.leave(reader)
        group = self._groups.get((selection, interval_ms))
        if group is None:
            group = Group(self.store.resolve(selection), interval_ms, self.store.version, self._monotonic())
            group.cells = _cells(selection, self.store.matched(group.scope))
            self.quota.cells += group.cells
            self._groups[selection, interval_ms] = group
            self._interest.add(group)
        elif group.empty:
            self._empty_since.pop(group, None)
            group.told, group.due_since = self.store.version, None
            group.news.clear()
        group.members.add(reader)
        self.quota.join(reader.address, group, group.cells)
        reader.group = group
        return group

    def _drop(self, group: Group) -> None:
        self._empty_since.pop(group, None)
        del self._groups[group.scope.selection, group.interval_ms]
        self.quota.cells -= group.cells
        self._interest.remove(group)
        self.store.release(group.scope)

    def _mark_due(self, group: Group, seen: int) -> None:
        """A group has something to send, later; up to `seen` nothing concerned its members."""
        if group.due_since is None:
            group.due_since = seen
            if group.interval_ms:
                self._arm(group.interval_ms)

    def _seen(self, group: Group) -> int:
        """The version up to which the group's members have been told everything."""
        return self.store.version if group.due_since is None else group.due_since

    def _frame(self, group: Group, since: int | None) -> Frame:
        """The frame from a version to now, made once for all of the group's readers at that version."""
        version = self.store.version
        key = version, since
        frame = group.frames.get(key)
        if frame is None:
            if (
                len(group.frames) >= MAX_FRAMES
                or sum(len(frame.data) for frame in group.frames.values()) > MAX_FRAMES_BYTES
                or next(iter(group.frames), key)[0] != version
            ):
                group.frames.clear()
            frame = protocol.data_frame(self.store.changes(group.scope, since), self._wall_ms())
            frame.pays = len(frame.data) >= PAYS_BYTES
            group.frames[key] = frame
        return frame

    def _hand_out(self, group: Group, frame: Frame, readers: set[Reader]) -> None:
        """Write a frame to some members; those that cannot take it lag behind from now on."""
        missed = [reader for reader in readers if not reader.write(frame)]
        self.counts.sent(frame, len(readers) - len(missed))
        if missed:
            group.members.difference_update(missed)
            group.untold.difference_update(missed)
            group.lagging.update(missed)
            for reader in missed:
                reader.since = group.told

    def _hand_out_in_parts(self, group: Group, frame: Frame) -> Iterator[None]:
        """The same for all of very many members. It is still due meanwhile, for the last ones know nothing yet."""
        group.untold = set(group.members)
        for readers in parts(list(group.untold), self.part):
            told = group.untold.intersection(readers)
            group.untold -= told
            self._hand_out(group, frame, told)
            yield

    def _send_returning(self, group: Group) -> int:
        """Serve a group's returning readers until a turn's worth of rows was made; leave the rest to `catch_up`."""
        rows = 0
        for reader in list(group.returning):
            ready_made = (self.store.version, reader.since) in group.frames
            if rows >= self.large and not ready_made:
                break
            group.returning.discard(reader)
            if reader in group.unwarned:
                warning = self._growth.warning()
                if not reader.write(warning):
                    continue
                self.counts.sent(warning)
                group.unwarned.discard(reader)
            frame = self._frame(group, reader.since)
            rows += 0 if ready_made else frame.rows
            if reader.write(frame):
                self.counts.sent(frame)
                if reader.since:
                    self.counts.conflated += max(0, self.store.version - reader.since - 1)
                if frame.kind == "snapshot":
                    self.counts.resyncs["pruned" if reader.since else "epoch"] += 1
                group.lagging.discard(reader)
                group.members.add(reader)
        if group.returning:
            self.returning.add(group)
        return rows


def _same_fields(group: Group, selection: Selection) -> bool:
    return group.scope.selection.mask == selection.mask


def _cells(selection: Selection, matched: int) -> int:
    """What a selection costs: its symbols, including those that do not exist yet."""
    return max(matched, len(selection.patterns))


def _selected(scope: Scope, symbols: frozenset[str], by_wildcard: dict[Wildcard, list[str]]) -> list[str]:
    """Which of these symbols, existing or not, a scope selects; each wildcard tests them once, for all scopes."""
    found = scope.exact & symbols
    for wildcard in scope.wildcards:
        if wildcard not in by_wildcard:
            by_wildcard[wildcard] = list(filter(wildcard.fits, symbols))
        found = found.union(by_wildcard[wildcard])
    return sorted(found)


def _allowed(group: Group, news: dict[Record, None]) -> Iterable[Record]:
    """The news without what was left out of a group that has outgrown its limit."""
    if not group.scope.denied:
        return news
    return [record for record in news if group.scope.contains(record.key)]
