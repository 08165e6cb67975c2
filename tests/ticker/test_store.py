"""The store: its six rules one by one, a `ts` that is no news by itself, and what an answer costs.

`test_groups.py` proves that together they make every reader exact, `test_mutants.py` that each of them is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ticker.model_reader import FEED_FIELDS, QUOTE_FIELDS
from ticker.model import Value, pattern_matches
from ticker.record import Changes, Flush, Follow, Record, bits
from ticker.scope import Scope
from ticker.selection import Selection
from ticker.store import Store

EPOCH = 1795386000123
LAST: dict[str, Value] = {"last": "1"}
Told = dict[str, dict[str, Value]]


def put(store: Store, now: float = 0.0, /, **values_by_key: Mapping[str, Value]) -> Flush | None:
    """Ingest values and flush; `__` in a key stands for `:`."""
    for key, values in values_by_key.items():
        store.ingest(key.replace("__", ":"), dict(values))
    return store.flush(now)


def drop(store: Store, *keys: str) -> Flush | None:
    for key in keys:
        store.remove(key)
    return store.flush(0.0)


def scope_of(store: Store, *patterns: str, fields: Iterable[str] | None = None) -> Scope:
    return store.resolve(Selection.of(patterns, fields))


def told(changes: Changes) -> Told:
    """The fields that an answer tells, by symbol."""
    names = {True: FEED_FIELDS, False: QUOTE_FIELDS}
    return {r.key: {names[r.is_feed][i]: r.values[i] for i in bits(mask)} for r, mask in changes.records}


def full(**values: Value) -> dict[str, Value]:
    return dict.fromkeys(QUOTE_FIELDS) | values


@pytest.fixture
def store() -> Store:
    return Store(EPOCH)


# In and out


def test_nothing_is_visible_before_a_flush(store: Store) -> None:
    """`ingest` collects, `flush` makes visible as one version more; versions start at 1."""
    store.ingest("A", LAST)
    assert (store.version, len(store), store.get("A")) == (1, 0, None)
    flush = store.flush(0.0)
    assert flush is not None
    assert (flush.version, [r.key for r in flush.changed], flush.gone) == (2, ["A"], [])
    assert (store.version, len(store), list(store.symbols())) == (2, 1, ["A"])


def test_a_flush_without_news_makes_no_version(store: Store) -> None:
    """Nothing collected, the same values again, or the removal of an unknown symbol: the version stays."""
    put(store, A={"last": "1"})
    assert (store.flush(0.0), put(store, A={"last": "1"}), drop(store, "B")) == (None, None, None)
    assert (store.version, store.counts.commits, store.counts.changed, store.counts.unchanged) == (2, 1, 1, 1)
    assert store.tombstones == 0


def test_in_a_flush_later_values_win_and_none_clears(store: Store) -> None:
    """Between two flushes only the last value of each field counts."""
    put(store, A={"last": "1", "bid": "2", "name": "x"})
    store.ingest("A", {"last": "3"})
    store.ingest("A", {"last": "4", "name": None})
    store.flush(0.0)
    record = store.get("A")
    assert record is not None
    assert (record.get("last"), record.get("bid"), record.get("name")) == ("4", "2", None)


def test_ingesting_does_not_change_the_callers_dict(store: Store) -> None:
    """Merging later values into what was ingested does not change the caller's dict."""
    values: dict[str, Value] = {"last": "1"}
    store.ingest("A", values)
    store.ingest("A", {"last": "2"})
    assert values == {"last": "1"}


def test_records_are_in_order_of_last_change(store: Store) -> None:
    """The one that changed last is at the end."""
    put(store, A=LAST, B=LAST)
    put(store, A={"bid": "2"})
    assert [r.key for r in store.records()] == ["B", "A"]


def test_differs_compares_with_the_visible_values(store: Store) -> None:
    """An unknown symbol differs, a pending value does not count, and `state` never does: the service judges it."""
    assert store.differs("A", {})
    put(store, A={"last": "1", "state": "live"})
    store.ingest("A", {"last": "2"})
    assert not store.differs("A", {"last": "1", "state": "stale"})
    assert store.differs("A", {"last": "2"})


def test_what_a_listener_ingests_waits_for_the_next_flush(store: Store) -> None:
    """A flush never takes in what its own listeners write."""
    heard: list[int] = []

    def write_back(flush: Flush) -> None:
        heard.append(flush.version)
        store.ingest("B", LAST)
        store.remove("A")

    store.on_flush.append(write_back)
    put(store, A=LAST)
    assert (heard, list(store.symbols())) == ([2], ["A"])
    store.on_flush.clear()
    store.flush(0.0)
    assert list(store.symbols()) == ["B"]


# Rules 1 and 5: epoch and zero


@pytest.mark.parametrize(("since", "answer"), [(None, None), (-1, None), (0, None), (1, 1), (3, 3), (4, None)])
def test_only_a_version_that_was_reached_gets_a_delta(store: Store, since: int | None, answer: int | None) -> None:
    """Nothing, zero and the future get everything; the first and the newest version get what changed."""
    put(store, A={"last": "1"})
    put(store, A={"last": "2"})
    changes = store.changes(scope_of(store, "*"), since)
    assert (changes.epoch, changes.since, changes.version) == (EPOCH, answer, 3)
    assert told(changes) == ({} if since == 3 else {"A": full(last="2")})


# Rule 2: born


def test_a_delta_has_each_field_changed_since_once(store: Store) -> None:
    """From any older version it is the union of all changes in between, with the newest values."""
    put(store, A={"last": "1", "bid": "1", "ask": "1"})
    put(store, A={"last": "2"})
    put(store, A={"last": "3", "bid": "3"})
    scope = scope_of(store, "A")
    assert [told(store.changes(scope, v)) for v in (1, 2, 3, 4)] == [
        {"A": full(last="3", bid="3", ask="1")},
        {"A": {"last": "3", "bid": "3"}},
        {"A": {"last": "3", "bid": "3"}},
        {},
    ]


def test_a_record_born_since_comes_complete(store: Store) -> None:
    """Nulls included, however often it changed after its birth: so merging it equals replacing it."""
    put(store, A=LAST)
    put(store, B={"last": "1"})
    put(store, B={"bid": "2"})
    scope = scope_of(store, "*")
    assert told(store.changes(scope, 2)) == {"B": full(last="1", bid="2")}
    assert told(store.changes(scope, 3)) == {"B": {"bid": "2"}}


def test_a_reader_gets_only_its_fields(store: Store) -> None:
    """That holds for full answers and deltas; a record is left out if none of the wanted fields changed."""
    put(store, A={"last": "1", "bid": "1"}, B=LAST)
    put(store, A={"bid": "2"}, B={"last": "2"})
    scope = scope_of(store, "*", fields=["last", "name"])
    assert told(store.changes(scope)) == {"A": {"last": "1", "name": None}, "B": {"last": "2", "name": None}}
    assert told(store.changes(scope, 2)) == {"B": {"last": "2"}}


def test_every_reader_gets_whole_feed_records(store: Store) -> None:
    """Whatever symbols and fields a reader selects, it gets the feeds' records with all their fields."""
    feed = dict.fromkeys(FEED_FIELDS) | {"state": "live"}
    put(store, A=LAST)
    store.ingest("@k", {"state": "live"})
    store.flush(0.0)
    nothing = scope_of(store, fields=["last"])
    assert told(store.changes(nothing)) == told(store.changes(nothing, 2)) == {"@k": feed}
    store.ingest("@k", {"state": "down"})
    store.flush(0.0)
    assert told(store.changes(nothing, 3)) == {"@k": {"state": "down"}}
    assert told(store.changes(scope_of(store, "A"), 3)) == {"@k": {"state": "down"}}
    assert list(store.symbols()) == ["A"]


# Rule 3: fresh


def test_symbols_added_by_a_new_selection_come_complete(store: Store) -> None:
    """Fields changed since for what was known before, everything for what was not, changed or unchanged."""
    put(store, A={"last": "1"}, B={"last": "1"}, C={"last": "1"})
    store.ingest("@k", {"state": "live"})
    put(store, A={"bid": "2"}, C={"bid": "2"})
    known, wider = scope_of(store, "A"), scope_of(store, "*", "NONE")
    changes = store.changes(wider, 2, known)
    assert changes.since == 2
    answer = told(changes)
    assert answer.pop("@k")["state"] == "live"
    assert answer == {"A": {"bid": "2"}, "B": full(last="1"), "C": full(last="1", bid="2")}


# Rule 4: floor


def test_removals_are_told_to_readers_that_selected_them(store: Store) -> None:
    """The newest first, and only those after the reader's version."""
    put(store, A=LAST, B=LAST, C=LAST, k__A=LAST)
    drop(store, "A")
    drop(store, "B", "k:A")
    scope = scope_of(store, "*")
    assert [store.changes(scope, v).gone for v in (2, 3, 4)] == [["B", "A"], ["B"], []]
    assert store.changes(scope_of(store, "A", "C"), 2).gone == ["A"]


def test_a_cursor_older_than_a_forgotten_removal_gets_everything() -> None:
    """The floor is the version of the newest forgotten removal: a reader at that version is told the rest."""
    store = Store(EPOCH, max_tombstones=1)
    put(store, A=LAST, B=LAST, C=LAST)
    drop(store, "A")
    assert (store.floor, store.tombstones) == (0, 1)
    drop(store, "B")
    assert (store.floor, store.tombstones) == (3, 1)
    scope = scope_of(store, "*")
    answers = [store.changes(scope, v) for v in (2, 3)]
    assert [(a.since, list(told(a)), a.gone) for a in answers] == [(None, ["C"], []), (3, [], ["B"])]


def test_tombstones_may_be_forgotten_in_the_flush_that_made_them() -> None:
    """If there is room for none, every reader that missed a removal gets everything, and no other does."""
    store = Store(EPOCH, max_tombstones=0)
    put(store, A=LAST, B=LAST)
    flush = drop(store, "A")
    assert flush is not None
    assert (flush.gone, store.floor, store.tombstones) == (["A"], 3, 0)
    assert [store.changes(scope_of(store, "*"), v).since for v in (2, 3)] == [None, 3]


def test_a_reborn_symbol_drops_its_tombstone(store: Store) -> None:
    """It is then changed and no longer gone: a name in both would destroy the reader's record."""
    put(store, A={"last": "1", "bid": "1"})
    drop(store, "A")
    put(store, A={"last": "2"})
    changes = store.changes(scope_of(store, "*"), 2)
    assert (told(changes), changes.gone, store.tombstones) == ({"A": full(last="2")}, [], 0)


def test_removal_and_rebirth_in_one_flush(store: Store) -> None:
    """What was ingested before the removal is dropped with it; what comes after makes a new record."""
    put(store, A={"last": "1", "bid": "1"})
    store.ingest("A", {"ask": "9"})
    store.remove("A")
    flush = put(store, A={"last": "1"})
    assert flush is not None
    assert ([(r.key, r.mask == r.everything) for r in flush.changed], flush.gone) == ([("A", True)], [])
    assert told(store.changes(scope_of(store, "*"), 2)) == {"A": full(last="1")}


@pytest.mark.parametrize(("ts", "received_ms"), [(1000, None), (None, 1000), (None, None)])
def test_a_quote_without_values_is_a_rebirth(store: Store, ts: int | None, received_ms: int | None) -> None:
    """Seen: a quote without values after a removal in the same flush was lost, while the same quote creates a record
    where none was. Cause: having no values meant "nothing since the removal". Promise: any quote creates a record.
    """
    put(store, A={"last": "1"})
    store.remove("A")
    store.ingest("A", {}, ts, received_ms)
    store.flush(0.0)
    assert told(store.changes(scope_of(store, "*"))) == {"A": full(ts=ts)}


# Time alone is no news


def show_ts(store: Store, key: str = "A") -> Value:
    record = store.get(key)
    assert record is not None
    return record.get("ts")


def test_a_new_time_goes_with_any_other_change(store: Store) -> None:
    """It does so however soon after the last one."""
    for ts, last in ((1000, "1"), (1001, "2"), (1002, "3")):
        store.ingest("A", {"last": last}, ts)
        store.flush(0.0)
        assert show_ts(store) == ts
    assert told(store.changes(scope_of(store, "*"), 3)) == {"A": {"last": "3", "ts": 1002}}


def test_a_new_time_alone_is_shown_once_a_second(store: Store) -> None:
    """Until then the old one stays, and no version passes; the last one given is what is shown in the end."""
    store.ingest("A", LAST, 1000)
    store.flush(0.0)
    for now, ts in ((0.25, 1250), (0.5, 1500), (0.75, 1750)):
        store.ingest("A", LAST, ts)
        assert store.flush(now) is None
    assert (store.waiting(0.75), store.flush(0.75), show_ts(store)) == (False, None, 1000)
    assert store.waiting(1.0)
    flush = store.flush(1.0)
    assert flush is not None
    assert (show_ts(store), store.waiting(9.0), store.flush(9.0)) == (1750, False, None)
    assert told(store.changes(scope_of(store, "*"), 2)) == {"A": {"ts": 1750}}


def test_a_new_time_after_a_quiet_second_is_shown_at_once(store: Store) -> None:
    """Only the second after a shown time is closed."""
    store.ingest("A", LAST, 1000)
    store.flush(0.0)
    store.ingest("A", LAST, 2000)
    store.flush(1.0)
    assert show_ts(store) == 2000


def test_a_time_that_goes_back_replaces_the_withheld_one(store: Store) -> None:
    """Seen: visible 1000, then 2000 withheld, then 1000 again, and a second later 2000 was shown. Cause: a time equal
    to the visible one was taken as no time. Promise: the last one given is shown in the end.
    """
    store.ingest("A", LAST, 1000)
    store.flush(0.0)
    for ts in (2000, 1000):
        store.ingest("A", {}, ts)
        store.flush(0.0)
    assert (store.flush(1.0), show_ts(store)) == (None, 1000)


def test_a_quote_without_time_leaves_the_withheld_one_waiting(store: Store) -> None:
    """It is shown when it is due, in one version with whatever changes then."""
    store.ingest("A", LAST, 1000)
    store.flush(0.0)
    store.ingest("A", {}, 2000)
    store.flush(0.25)
    put(store, 0.5, A={"state": "stale"})
    assert show_ts(store) == 1000
    flush = put(store, 1.0, A={"state": "live"})
    assert flush is not None
    news = {"A": {"state": "live", "ts": 2000}}
    assert told(Changes(EPOCH, 3, 4, [(r, r.mask) for r in flush.changed], [])) == news
    assert told(store.changes(scope_of(store, "A"), 3)) == news


def test_no_time_is_withheld_for_more_than_a_second(store: Store) -> None:
    """No symbol waits longer than a second after its time was withheld."""
    store.ingest("A", LAST, 1)
    store.flush(0.0)
    store.ingest("B", LAST, 1)
    store.flush(0.5)
    for key, now in (("B", 0.75), ("A", 0.875)):
        store.ingest(key, {}, 2)
        store.flush(now)
    store.flush(1.0)
    assert (show_ts(store, "A"), show_ts(store, "B")) == (1, 1)
    store.flush(1.5)
    assert (show_ts(store, "A"), show_ts(store, "B")) == (2, 2)


def test_a_flush_examines_only_withheld_times_that_are_due(store: Store) -> None:
    """Seen: with 50,000 withheld times every flush took 16 ms. Cause: each flush examined all of them. Promise: it
    examines those that are due, and one more.
    """
    looks = []

    class WatchedNow(float):
        __slots__ = ()

        def __sub__(self, other: float) -> float:
            looks.append(other)
            return super().__sub__(other)

    for ts in (1, 2):
        for i in range(1000):
            store.ingest(f"S{i}", LAST, ts)
        store.flush(0.0)
    store.flush(WatchedNow(0.5))
    assert len(looks) == 1


def test_a_withheld_time_dies_with_its_record(store: Store) -> None:
    """It is never shown on a later record of the same name."""
    store.ingest("A", LAST, 1000)
    store.flush(0.0)
    store.ingest("A", {}, 2000)
    store.flush(0.0)
    store.remove("A")
    put(store, A=LAST)
    assert (store.flush(5.0), show_ts(store)) == (None, None)


@pytest.mark.parametrize(
    ("values", "ts", "shown"),
    [
        ({"last": "2"}, None, 7000),
        ({"name": "x"}, None, 7000),
        ({"last": "2"}, 5000, 5000),
        ({"last": "1"}, None, None),
        ({"state": "stale"}, None, None),
        ({"source": "k", "state": "down"}, None, None),
    ],
)
def test_the_time_of_receipt_is_used_where_a_source_gives_none(
    store: Store, values: dict[str, Value], ts: int | None, shown: int | None
) -> None:
    """`received_ms` becomes `ts` if the price really changed and the exchange gave no time for it."""
    put(store, A={"last": "1"})
    store.ingest("A", values, ts, 7000)
    store.flush(0.0)
    assert show_ts(store) == shown


def test_a_quote_without_time_keeps_the_exchanges_time_in_a_flush(store: Store) -> None:
    """A quote without a time does not remove the previous one's time; a later time replaces it."""
    for ts, received_ms in ((900, None), (1000, 7000), (None, 8000)):
        store.ingest("A", LAST, ts, received_ms)
    store.flush(0.0)
    assert show_ts(store) == 1000
    for received_ms in (8000, 9000):
        store.ingest("A", {"last": "2"}, None, received_ms)
    store.ingest("A", {"bid": "2"})
    store.flush(0.0)
    assert show_ts(store) == 9000


def test_a_feed_has_no_time_of_its_own(store: Store) -> None:
    """A feed's record has other fields; `received_ms` never gets into them."""
    store.ingest("@k", {"state": "live"}, None, 7000)
    store.flush(0.0)
    feed = store.get("@k")
    assert feed is not None
    assert feed.values == ["live", None, None, None, None]


# The newest version inside a scope


def test_the_newest_version_of_a_scope_follows_its_symbols(store: Store) -> None:
    """Changes, births and removals of what it selects, and feeds; nothing else."""
    scope = scope_of(store, "A", "k:*")
    assert store.newest(scope) == 0
    seen = []
    steps: list[Callable[[], object]] = [
        lambda: put(store, A=LAST, B=LAST),
        lambda: put(store, B={"last": "2"}),
        lambda: put(store, k__A=LAST),
        lambda: put(store, **{"@k": {"state": "live"}}),
        lambda: drop(store, "B"),
        lambda: drop(store, "k:A"),
        lambda: put(store, k__A=LAST),
        lambda: drop(store, "k:A"),
        lambda: put(store, A={"last": "3"}),
    ]
    for step in steps:
        step()
        seen.append((store.version, store.newest(scope)))
    assert seen == [(2, 2), (3, 2), (4, 4), (5, 5), (6, 5), (7, 7), (8, 8), (9, 9), (10, 10)]


def test_the_newest_version_is_that_of_a_selected_field(store: Store) -> None:
    """Seen: an ETag changed with each bid, although only the name was asked for; no poll of it was ever spared.

    In a large scope all fields count.
    """
    names, lasts = (scope_of(store, "A", "k:*", fields=[field]) for field in ("name", "last"))
    seen = []
    for key, values in (("A", LAST), ("A", {"bid": "1"}), ("k:A", LAST), ("A", {"last": "2"}), ("k:A", {"name": "a"})):
        put(store, **{key: values})
        seen.append((store.newest(names), store.newest(lasts)))
    assert seen == [(2, 2), (2, 2), (4, 4), (4, 5), (6, 5)]
    drop(store, "A")
    assert store.newest(names) == 7
    put(store, **dict.fromkeys((f"S{i}" for i in range(1000)), LAST))
    put(store, B={"bid": "1"})
    put(store, B={"bid": "2"})
    assert store.newest(scope_of(store, "*", fields=["name"])) == store.version == 10


def test_the_newest_version_counts_forgotten_removals() -> None:
    """A forgotten removal may have been one of the scope's, so the floor counts for every scope."""
    store = Store(EPOCH, max_tombstones=0)
    put(store, A=LAST, B=LAST)
    drop(store, "A")
    assert store.newest(scope_of(store, "B")) == store.newest(scope_of(store, "A")) == 3


# What an answer costs


class CountedScope(Scope):
    """A scope that counts the symbols it is tested for."""

    __slots__ = ("asked", "listed")

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope.selection, scope.exact, scope.wildcards)
        self.asked = self.listed = 0

    @property
    def test(self) -> Callable[[str], bool]:
        return self.counted

    def counted(self, symbol: str) -> bool:
        self.asked += 1
        return self.contains(symbol)

    def symbols(self) -> Iterable[str]:  # type: ignore[override]
        for symbol in super().symbols():
            self.listed += 1
            yield symbol


def market_of(count: int) -> tuple[Store, dict[str, dict[str, Value]]]:
    """A store with `count` symbols at version 2, and their values."""
    store = Store(EPOCH)
    values: dict[str, dict[str, Value]] = {f"S{i}": {"last": "1"} for i in range(count)}
    put(store, **values)
    return store, values


def test_an_answer_examines_only_changed_symbols() -> None:
    """With 2,000 symbols selected and 3 changed, 3 are examined."""
    store, _ = market_of(2000)
    put(store, S1={"last": "2"}, S7={"last": "2"}, S9={"last": "2"})
    scope = CountedScope(scope_of(store, "*"))
    assert sorted(told(store.changes(scope, 2))) == ["S1", "S7", "S9"]
    assert (scope.asked, scope.listed) == (3, 0)


def test_an_answer_examines_hardly_more_than_the_selected_symbols() -> None:
    """With 2 symbols selected and 2,000 changed, the 2 are examined, after at most 10 of the others."""
    store, values = market_of(2000)
    put(store, **{key: {"last": "2"} for key in values})
    store.ingest("@k", {"state": "live"})
    store.flush(0.0)
    put(store, **{key: {"bid": "3"} for key in values if key != "S0"})
    scope = CountedScope(scope_of(store, "S0", "S1", "NONE"))
    answer = told(store.changes(scope, 2))
    assert answer.pop("@k")["state"] == "live"
    assert answer == {"S0": {"last": "2"}, "S1": {"last": "2", "bid": "3"}}
    assert (scope.asked, scope.listed) == (11, 3)
    narrow = CountedScope(scope_of(store, "S0", "S1", fields=["ask"]))
    assert (list(told(store.changes(narrow, 4))), narrow.asked, narrow.listed) == ([], 10, 2)


def test_the_newest_version_examines_hardly_more_than_the_selected_symbols() -> None:
    """For a few symbols that have been quiet for long, those few are examined, after at most as many others and 8.

    Seen: each answer over HTTP about one quiet symbol scanned all 10,000 for its ETag, which took 5 ms.
    """
    store, values = market_of(2000)
    store.ingest("@k", {"state": "live"})
    store.flush(0.0)
    put(store, S1={"last": "2"})
    put(store, **{key: {"bid": "3"} for key in values if key not in {"S0", "S1"}})
    cases = ((("S0", "S1", "NONE"), 4, (11, 3)), (("S0",), 3, (9, 1)), (("S9", "S1999"), 5, (1, 0)))
    for names, version, cost in cases:
        scope = CountedScope(scope_of(store, *names))
        assert (store.newest(scope), (scope.asked, scope.listed)) == (version, cost)


def test_a_pattern_finds_every_symbol_it_matches() -> None:
    """However its candidates are found, among symbols that came and went; what several match counts once."""
    store, _ = market_of(0)
    put(store, **dict.fromkeys(("A", "B", "k:A", "k:B", "kk:A", "b:A", "x:A"), LAST))
    store.ingest("@k", {"state": "live"})
    drop(store, "x:A")
    put(store, **{"y:A": LAST})
    for patterns in (["*:A"], ["k*:A", "b:*"], ["*", "A", "*A", "*:A"], ["*:NO"], ["*:*A"], ["k:A", "*:A", "k:*"]):
        scope = store.resolve(Selection.of(patterns))
        found = {s for s in store.symbols() if any(pattern_matches(p, s) for p in patterns)}
        assert (set(scope.symbols()) & set(store.symbols()), store.matched(scope)) == (found, len(found))


def test_a_venue_is_known_while_a_record_has_it() -> None:
    """The cost of a pattern for one name at any venue depends on the venues that exist, not on all that ever did."""
    store, _ = market_of(0)
    put(store, **dict.fromkeys(("A", "k:A", "k:B", "b:A"), LAST))
    assert store.tests("*:A") == 2
    drop(store, "k:A", "b:A", "A")
    assert store.tests("*:A") == 1
    store.remove("k:B")
    put(store, **{"k:B": LAST, "b:B": LAST})
    assert set(store.candidates("*:B")) == {"k:B", "b:B"}
    for i in range(5):
        put(store, **{f"v{i}:A": LAST})
        drop(store, f"v{i}:A")
    assert store.tests("*:A") == 2


def test_only_removals_since_the_version_are_examined() -> None:
    """Older tombstones are not matched with patterns."""
    asked: list[str] = []

    class WatchedScope(Scope):
        def matches(self, symbol: str) -> bool:
            asked.append(symbol)
            return super().matches(symbol)

    store, values = market_of(100)
    drop(store, *values)
    put(store, A=LAST, B=LAST)
    drop(store, "A")
    scope = WatchedScope(Selection(("A*",)), frozenset(), (store.wildcards.acquire("A*", ()),))
    assert (store.changes(scope, store.version - 1).gone, asked) == (["A"], ["A"])


@given(st.data())
def test_both_ways_to_compute_an_answer_agree(data: st.DataObject) -> None:
    """For any history and any scope, the answer is the same as that of examining every record."""
    store = Store(EPOCH)
    names = [f"S{i}" for i in range(14)]
    for _ in range(data.draw(st.integers(1, 4))):
        changed = data.draw(st.sets(st.sampled_from(names), min_size=1))
        put(store, **{key: {"last": data.draw(st.sampled_from("12"))} for key in sorted(changed)})
    scope = scope_of(store, *data.draw(st.sets(st.sampled_from([*names, "S1*", "*3"]))))
    since = data.draw(st.integers(1, store.version))
    expected = {r.key: r.changed_since(since) for r in store.records() if scope.contains(r.key)}
    answer = store.changes(scope, since).records
    assert {r.key: mask for r, mask in answer} == {key: mask for key, mask in expected.items() if mask}
    assert len(answer) == len(dict(answer))


# In parts


def flush_in_parts(store: Store, most: int) -> list[Flush]:
    """Flush until nothing waits, with at most this much work per flush."""
    flushes = []
    while store.waiting(0.0):
        flush = store.flush(0.0, most)
        if flush is not None:
            flushes.append(flush)
    return flushes


def test_a_limited_flush_takes_the_oldest_changes_first(store: Store) -> None:
    """A new symbol counts as four changes; a waiting symbol keeps its place, whatever arrives for it meanwhile."""
    put(store, A=LAST, B=LAST, C=LAST)
    for key in "DCABE":
        store.ingest(key, {"last": "2"})
    flush = store.flush(0.0, 5)
    assert flush is not None
    assert ([r.key for r in flush.changed], store.waiting(0.0), store.behind) == (["D", "C"], True, True)
    store.ingest("C", {"last": "3"})
    store.ingest("B", {"last": "3"})
    assert [[r.key for r in flush.changed] for flush in flush_in_parts(store, 5)] == [["A", "B"], ["E", "C"]]
    assert (store.waiting(0.0), store.behind) == (False, False)
    assert {r.key: r.get("last") for r in store.records()} == {"A": "2", "B": "3", "C": "3", "D": "2", "E": "2"}


def test_a_pending_removal_is_flushed_before_a_rebirth(store: Store) -> None:
    """Otherwise its reader would never see it go, and the removal would drop what came after it."""
    put(store, A=LAST, B=LAST)
    store.remove("A")
    store.remove("B")
    store.ingest("B", {"bid": "2"})
    flushes = flush_in_parts(store, 1)
    assert [(flush.gone, [r.key for r in flush.changed]) for flush in flushes] == [(["A"], []), ([], ["B"])]
    assert told(store.changes(scope_of(store, "*"), 2))["B"] == full(bid="2")


@given(st.data())
def test_flushing_in_parts_gives_the_same_records(data: st.DataObject) -> None:
    """Whatever was collected, and however much each flush takes: the same records and values, and every removal."""
    whole, parted = Store(EPOCH), Store(EPOCH)
    names = st.sampled_from([f"S{i}" for i in range(9)])
    for _ in range(data.draw(st.integers(1, 4))):
        for key, last in data.draw(st.lists(st.tuples(names, st.sampled_from(["1", "2", None])), max_size=12)):
            for store in (whole, parted):
                if last is None:
                    store.remove(key)
                else:
                    store.ingest(key, {"last": last})
        whole.flush(0.0)
        seen = {r.key: r.get("last") for r in parted.records()}
        for flush in flush_in_parts(parted, data.draw(st.integers(4, 12))):
            assert not {r.key for r in flush.changed} & set(flush.gone)
            seen = {key: last for key, last in seen.items() if key not in flush.gone}
            seen |= {r.key: r.get("last") for r in flush.changed}
        assert (
            seen == {r.key: r.get("last") for r in parted.records()} == {r.key: r.get("last") for r in whole.records()}
        )


# Scopes of a store


def test_a_scope_follows_the_market(store: Store) -> None:
    """Symbols that are born later join the wildcards that match them; the dead leave."""
    put(store, A=LAST)
    scope = scope_of(store, "*", "k:*")
    put(store, B=LAST, k__A=LAST)
    drop(store, "A")
    store.ingest("@k", {"state": "live"})
    store.flush(0.0)
    assert sorted(scope.symbols()) == ["B", "k:A"]


@pytest.mark.parametrize(
    ("patterns", "count"), [([], 0), (["A"], 1), (["NONE"], 0), (["*"], 2), (["*", "A"], 2), (["*", "A*", "k:A"], 3)]
)
def test_matched_counts_existing_symbols_once(store: Store, patterns: list[str], count: int) -> None:
    """However many patterns select a symbol, it counts once; names that do not exist do not count."""
    put(store, A=LAST, B=LAST, k__A=LAST)
    assert store.matched(scope_of(store, *patterns)) == count


def test_wildcards_are_shared_and_released(store: Store) -> None:
    """Equal patterns are one wildcard for all scopes, and the last release ends it."""
    scopes = [scope_of(store, "*", "k:*", "A"), scope_of(store, "*")]
    assert (len(store.wildcards), scopes[0].wildcards[0]) == (2, scopes[1].wildcards[0])
    for scope in scopes:
        store.release(scope)
    assert len(store.wildcards) == 0


# Derived records


class Mirror:
    """Derives `X` from `k:X`."""

    def __init__(self) -> None:
        self.due_at = 9.0

    def derive(self, changed: list[Record], gone: list[str], now: float) -> list[Follow]:
        follows: dict[str, Follow] = {key[2:]: (key[2:], None) for key in gone}
        follows |= {r.key[2:]: (r.key[2:], r) for r in changed if ":" in r.key}
        return list(follows.values())

    def due(self, now: float) -> bool:
        return now >= self.due_at


@pytest.fixture
def mirrored() -> Store:
    return Store(EPOCH, Mirror())


def test_derived_records_belong_to_the_same_version(mirrored: Store) -> None:
    """One flush, one version, both records in it; a reader never sees one without the other."""
    flush = put(mirrored, k__A={"last": "1"})
    assert flush is not None
    assert (flush.version, [r.key for r in flush.changed]) == (2, ["k:A", "A"])
    assert told(mirrored.changes(scope_of(mirrored, "A"), 1)) == {"A": full(last="1")}
    put(mirrored, k__A={"bid": "2"})
    assert told(mirrored.changes(scope_of(mirrored, "A"), 2)) == {"A": {"bid": "2"}}


def test_a_copy_of_another_source_has_all_fields_changed(mirrored: Store) -> None:
    """Fields with the same value at both sources are sent as well: what was visible is no longer known."""
    put(mirrored, k__A={"last": "1", "bid": "1"})
    put(mirrored, l__A={"last": "2", "bid": "1"})
    assert told(mirrored.changes(scope_of(mirrored, "A"), 2)) == {"A": full(last="2", bid="1")}
    put(mirrored, l__A={"last": "3"})
    assert told(mirrored.changes(scope_of(mirrored, "A"), 3)) == {"A": {"last": "3"}}


def test_derived_records_die_with_their_source(mirrored: Store) -> None:
    """They are gone in the same version; removed and reborn, both are changed and not gone."""
    put(mirrored, k__A={"last": "1", "bid": "1"})
    mirrored.remove("k:A")
    flush = put(mirrored, k__A={"last": "2"})
    assert flush is not None
    assert ([r.key for r in flush.changed], flush.gone) == (["k:A", "A"], [])
    flush = drop(mirrored, "k:A")
    assert flush is not None
    assert (flush.changed, flush.gone, len(mirrored)) == ([], ["k:A", "A"], 0)


def test_a_derivation_may_be_due_by_time(mirrored: Store) -> None:
    """A flush is then due although nothing was ingested."""
    assert [mirrored.waiting(now) for now in (8.0, 9.0)] == [False, True]


# Records


def test_a_record_knows_its_fields_by_name() -> None:
    """A symbol has the fields of a quote, `@NAME` those of a feed."""
    quote, feed = Record("A", 1), Record("@k", 1)
    quote.values[1], feed.values[0] = "5", "live"
    assert (quote.is_feed, quote.get("bid"), quote.everything) == (False, "5", 2**16 - 1)
    assert (feed.is_feed, feed.get("state"), feed.everything) == (True, "live", 2**5 - 1)


def test_bits_are_positions() -> None:
    """The lowest comes first."""
    assert [bits(mask) for mask in (0, 1, 0b1010)] == [(), (0,), (1, 3)]
