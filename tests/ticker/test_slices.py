"""Large answers: made a slice per turn, yet of one version, and nothing is left of one that is abandoned."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator

import pytest

from ticker import protocol, slices
from ticker.selection import Selection
from ticker.slices import MOST_PASSES, SLICE, TESTS, Line, parts, untested
from ticker.store import Store

ALL = Selection.of(["*"])


def whole(
    store: Store, selection: Selection, line: Line | None = None, address: str = "192.0.2.1"
) -> Generator[list[bytes] | None, None, None]:
    """A whole answer: pauses, and at last all records; it has nothing to drop."""
    line = Line(store) if line is None else line
    for made in line.make(address, selection, None, lambda quotes, gone: (quotes, gone)):
        assert made is None or made[1] == []
        yield made and made[0]


def market(size: int, max_tombstones: int = 1000) -> Store:
    """A store with this many symbols."""
    store = Store(1, max_tombstones=max_tombstones)
    change(store, *names(size), last="1")
    return store


def names(size: int) -> list[str]:
    return [f"S{i}" for i in range(size)]


def change(store: Store, *symbols: str, last: str) -> None:
    for symbol in symbols:
        store.ingest(symbol, {"last": last})
    store.flush(0.0)


def remove(store: Store, *symbols: str) -> None:
    for symbol in symbols:
        store.remove(symbol)
    store.flush(0.0)


def snapshot(store: Store, selection: Selection = ALL) -> dict[str, object]:
    """What a reader must get at this moment."""
    scope = store.resolve(selection)
    pieces = [
        protocol.piece(record, selection.mask) for record, _ in store.changes(scope).records if not record.is_feed
    ]
    store.release(scope)
    return decoded(pieces)


def decoded(pieces: list[bytes]) -> dict[str, object]:
    document: dict[str, object] = json.loads(b"{%b}" % b",".join(pieces))
    assert len(document) == len(pieces), "a symbol came twice"
    return document


def pauses(answer: Iterator[list[bytes] | None]) -> int:
    """Run it to its end; it must yield no result."""
    count = 0
    for quotes in answer:
        assert quotes is None
        count += 1
    return count


def test_slices_cover_everything_in_order() -> None:
    """None is longer than a slice, none is empty."""
    for size in (0, 1, SLICE, SLICE + 1, 3 * SLICE):
        made = [list(part) for part in parts(range(size))]
        assert [i for part in made for i in part] == list(range(size))
        assert all(0 < len(part) <= SLICE for part in made)


def test_an_answer_that_fits_into_a_slice_comes_at_once() -> None:
    """Without a pause, and only what was selected."""
    store = market(SLICE)
    change(store, "v:A", last="2")
    (quotes,) = whole(store, ALL)
    assert quotes is not None
    assert decoded(quotes) == snapshot(store)
    selection = Selection.of(["v:*", "S1", "NOPE"], ["last"])
    (quotes,) = whole(store, selection)
    assert quotes is not None
    assert decoded(quotes) == snapshot(store, selection) == {"v:A": {"last": 2}, "S1": {"last": 1}}


def test_a_sliced_answer_is_of_the_moment_it_is_complete() -> None:
    """With changes, births and removals in the pauses the answer is that of the moment in which it comes."""
    size = 3 * SLICE
    store = market(size)
    answer = whole(store, ALL)
    assert next(answer) is None
    change(store, *names(SLICE + 1), last="2")  # already encoded, and too many for one turn
    remove(store, "S0", f"S{size - 1}")  # one that was encoded, and one that was not
    change(store, "NEW", last="3")
    store.ingest("@feed", {"state": "live"})
    store.flush(0.0)
    quotes = None
    for count, quotes in enumerate(answer, 2):
        if quotes is not None:
            break
        change(store, "S5", last=str(count))
    assert quotes is not None
    assert decoded(quotes) == snapshot(store)
    assert len(quotes) == size - 2 + 1
    assert count > 4, "what had changed took pauses of its own"
    assert next(answer, "end") == "end"


def test_endless_changes_do_not_delay_a_sliced_answer() -> None:
    """After some passes the rest is encoded in one turn, however much it is."""
    size = 2 * SLICE
    store = market(size)
    for count, quotes in enumerate(whole(store, ALL)):
        if quotes is not None:
            break
        change(store, *names(size), last=str(count + 2))
    assert quotes is not None
    assert count == (MOST_PASSES - 1) * 2
    assert decoded(quotes) == snapshot(store)


def test_too_many_removals_abandon_a_sliced_answer() -> None:
    """Removals that the store has forgotten cannot be told; the reader asks again."""
    store = market(3 * SLICE, max_tombstones=1)
    answer = whole(store, ALL)
    next(answer)
    remove(store, "S0", "S1")
    assert pauses(answer) == 2
    assert len(store.wildcards) == 0


def test_an_abandoned_answer_leaves_nothing_behind() -> None:
    """Nor does a complete one leave anything: no pattern is held for it."""
    store = market(3 * SLICE)
    answer = whole(store, ALL)
    next(answer)
    assert len(store.wildcards) == 1
    answer.close()
    assert len(store.wildcards) == 0
    list(whole(store, ALL))
    assert len(store.wildcards) == 0


def test_new_patterns_are_tested_in_slices() -> None:
    """There is a pause before each pattern and after each slice; resolving them then tests nothing."""
    store = market(2 * TESTS)
    selection = Selection.of(["S1*", "S*9", "S7", "NO*"])
    assert sorted(untested(store, selection)) == ["NO*", "S*9", "S1*"]
    assert len(list(slices.tested(store, selection))) == 3 * (1 + 2)
    assert untested(store, selection) == []
    assert list(slices.tested(store, selection)) == []
    assert len(store.wildcards) == 0, "they are kept only as long as there is room"
    scope = store.resolve(selection)
    assert sorted(scope.symbols()) == sorted(n for n in names(2 * TESTS) if n[:2] == "S1" or n[-1] == "9" or n == "S7")


def test_births_and_deaths_between_the_slices_count() -> None:
    """Two readers that want the same pattern share the work; the result is that at the end."""
    store = market(2 * TESTS)
    selection = Selection.of(["S*"])
    first, second = slices.tested(store, selection), slices.tested(store, selection)
    next(first)
    next(second)
    next(first)
    change(store, "SNEW", last="1")
    remove(store, "S0", f"S{2 * TESTS - 1}")
    assert len(list(first)) == 1
    assert list(second) == []
    scope = store.resolve(selection)
    assert set(scope.symbols()) == {*names(2 * TESTS), "SNEW"} - {"S0", f"S{2 * TESTS - 1}"}


def test_an_abandoned_pattern_is_forgotten() -> None:
    """Half tested it would be useless."""
    store = market(2 * TESTS)
    selection = Selection.of(["S*"])
    steps = slices.tested(store, selection)
    next(steps)
    next(steps)
    steps.close()  # type: ignore[attr-defined]  # it is a generator
    assert untested(store, selection) == ["S*"]
    assert len(store.wildcards) == 0


def encoded(store: Store, selection: Selection) -> int:
    """How many records are encoded with just the fields of a selection."""
    return sum(selection.mask in record.pieces for symbol in store.symbols() if (record := store.get(symbol)))


def test_of_several_the_oldest_is_made_first_in_everybodys_turns() -> None:
    """Whoever came later holds nothing meanwhile, and goes on when that is done or given up.

    Seen: a thousand requests for 10,000 symbols, of one address, were made side by side. All held what they had so far,
    1.6 GB, found that changed in each of five passes, and kept everybody else waiting for a quarter of an hour. And
    fifteen hundred who each waited for the oldest in their own turns took three times as long as the work.
    """
    store = market(3 * SLICE)
    line = Line(store)
    selections = [Selection.of(["*"], [field]) for field in ("last", "bid", "ask")]
    first, second, third = (whole(store, selection, line) for selection in selections)
    assert [next(first), next(second), next(third)] == [None, None, None]
    assert [encoded(store, selection) for selection in selections] == [3 * SLICE, 0, 0]
    assert next(third) is None, "it has finished the first"
    change(store, "S0", last="2")
    quotes = next(first)
    assert quotes is not None
    assert decoded(quotes)["S0"] == {"last": 1}, "it is of the moment when it was finished"
    second.close()
    assert [decoded(made) for made in third if made is not None] == [snapshot(store, selections[2])]
    first.close()
    assert (len(line), len(store.wildcards)) == (0, 0)


def test_addresses_take_turns() -> None:
    """One answer each: who asks for very much delays the others by one of its answers, not by all.

    Seen: fifty greedy readers at one address made another one wait for seconds.
    """
    store = market(3 * SLICE)
    line = Line(store)
    fields = ("last", "bid", "ask", "open", "high")
    many = [whole(store, Selection.of(["*"], [field]), line, "192.0.2.1") for field in fields[:3]]
    others = [whole(store, Selection.of(["*"], [field]), line, "192.0.2.2") for field in fields[3:]]
    order = []
    answers = [*many, *others]
    while answers:
        for answer in answers[:]:
            if next(answer) is not None:
                order.append(answer)
                answers.remove(answer)
    assert order == [many[0], others[0], many[1], others[1], many[2]]
    assert len(line) == 0


def test_an_error_is_that_of_the_answer_in_which_it_happened() -> None:
    """Whoever was just going on with that answer is not concerned."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    store = market(2 * SLICE)
    line = Line(store)
    first, second = line.make("192.0.2.2", ALL, None, broken), whole(store, ALL, line)
    assert (next(first), next(second), next(second)) == (None, None, None)
    with pytest.raises(ZeroDivisionError):
        next(first)
    assert [decoded(made) for made in second if made is not None] == [snapshot(store)]
    assert (len(line), len(store.wildcards)) == (0, 0)


def test_a_cursor_that_grows_too_old_in_the_line_gets_no_update() -> None:
    """More was removed meanwhile than the store remembers: whoever asked makes something whole instead."""
    store = market(3 * SLICE, max_tombstones=1)
    change(store, *names(2 * SLICE), last="2")
    line = Line(store)
    first, later = whole(store, ALL, line), line.make("192.0.2.1", ALL, store.version - 1, lambda *_: "made")
    assert (next(first), next(later)) == (None, None)
    remove(store, *names(2))
    first.close()
    assert list(later) == []
