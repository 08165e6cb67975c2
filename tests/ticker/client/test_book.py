"""A reader's book: merging, and backlogs that never grow beyond one entry per symbol."""

from __future__ import annotations

import gc
import random
import threading
from decimal import Decimal
from typing import Any

import pytest

from tests.ticker.client.scripted import say
from ticker.client.book import Backlog, Book


def book(*patterns: str) -> Book[Decimal]:
    return Book(patterns or ("*",), None, 0, Decimal)


def opened(*patterns: str, **quotes: Any) -> Book[Decimal]:
    """A book after its first snapshot, at version 10 of epoch 7."""
    target = book(*patterns)
    target.open()
    say(target, "subscribed", id=1, selection="aa")
    say(target, "snapshot", epoch=7, version=10, quotes=quotes)
    return target


def loop(target: Book[Decimal]) -> Backlog[Decimal]:
    """A loop's backlog after it has taken the first snapshot."""
    backlog = target.backlog(lambda: None)
    backlog.frame()
    return backlog


def test_numbers_keep_their_text() -> None:
    """A price is exact to the last zero, and becomes a number when it is read."""
    target = book()
    target.receive(
        b'{"type":"snapshot","epoch":7,"version":1,"time":1,"quotes":{"A":{"last":1.10,"bid":2,"ask":null}}}'
    )
    quote = target.quote("A")
    assert quote is not None
    assert (quote.last, quote.bid, quote.ask, quote.open) == (Decimal("1.10"), Decimal(2), None, None)
    assert (str(quote.last), quote.raw["last"], repr(quote)) == (
        "1.10",
        "1.10",
        "Quote(symbol=A, last=1.10, bid=2, ask=None)",
    )
    assert (quote["last"], quote["ask"], quote["open"]) == (Decimal("1.10"), None, None)
    with pytest.raises(KeyError, match="no numeric field 'lst'; did you mean 'last'"):
        quote["lst"]
    with pytest.raises(KeyError, match="no numeric field 'state'"):
        quote["state"]


def test_frames_merge_as_the_protocol_says() -> None:
    """A snapshot replaces everything; an update assigns fields and drops symbols that are gone."""
    target = opened(A={"last": 1, "bid": 2}, B={"last": 3})
    say(target, "update", since=10, version=12, quotes={"A": {"last": 5}}, gone=["B"], feeds={"f": {"state": "live"}})
    say(target, "update", since=9, version=13, quotes={"C": {"last": 6}}, feeds={"f": {"message": "x"}})
    assert target.quotes == {"A": {"last": 5, "bid": 2}, "C": {"last": 6}}
    assert target.feeds == {"f": {"state": "live", "message": "x"}}
    say(target, "snapshot", epoch=8, version=1, quotes={"D": {"last": 7}})
    assert (target.quotes, target.cursor) == ({"D": {"last": 7}}, "8:1:aa")


def test_unknown_frames_and_members_are_ignored() -> None:
    """Unknown frame types and members are ignored, as is an update that is too old."""
    target = opened(A={"last": 1})
    say(target, "horn", loud=True, message=None, quotes=["A"], epoch="new")
    say(target, "update", since=10, version=11, quotes={"A": {"last": 2, "colour": "red"}}, mood=[1])
    say(target, "update", since=5, version=9, quotes={"A": {"last": 3}})
    assert target.quotes["A"]["last"] == 2


def test_a_symbol_that_has_just_come_is_not_missing() -> None:
    """Of symbols requested by name the service is asked again only about those without a quote."""
    target = opened("A", "B", "X", A={"last": 1})
    asked = say(target, "update", since=10, version=11, quotes={"B": {"last": 1}}, feeds={"f": {"state": "live"}})
    assert asked["symbols"] == ["X"]


def test_unsubscribed_records_are_dropped_at_once() -> None:
    """Records that no remaining pattern matches are dropped, from backlogs too, without a change being reported."""
    target = opened("A*", "*1", A1={"last": 1}, A2={"last": 2}, B1={"last": 3})
    backlog = target.backlog(lambda: None)
    target.unsubscribe(["A*"])
    say(target, "unsubscribed", id=2, patterns=["*1"], selection="bb")
    assert target.quotes.keys() == {"A1", "B1"}
    frame = backlog.frame()
    assert frame is not None
    assert frame.deltas.keys() == {"A1", "B1"}
    target.unsubscribe(["*1"])
    assert (target.open(), target.quotes) == (None, {})


def test_a_slow_loop_gets_merged_changes() -> None:
    """However many updates came, a symbol has one change, with all fields that changed and the latest values."""
    target = opened(A={"last": 0, "bid": 0, "ask": 0}, B={"last": 0})
    backlog = loop(target)
    for version in range(11, 1011):
        field = "bid" if version % 2 else "last"
        say(target, "update", since=version - 1, version=version, quotes={"A": {field: version}})
    change = backlog.change()
    assert change is not None
    assert (change.symbol, set(change.fields), change.snapshot, change.gone) == ("A", {"last", "bid"}, False, False)
    assert (change.quote.raw["last"], change.quote.raw["bid"], change.version) == (1010, 1009, 1010)
    assert backlog.change() is None


def test_loops_share_no_deltas() -> None:
    """One loop's pending deltas do not grow when another loop gets later ones."""
    target = opened(A={"last": 1, "bid": 1})
    slow, fast = loop(target), loop(target)
    say(target, "update", since=10, version=11, quotes={"A": {"last": 2}})
    first = fast.frame()
    say(target, "update", since=11, version=12, quotes={"A": {"bid": 3}})
    second, both = fast.frame(), slow.frame()
    assert first is not None
    assert second is not None
    assert both is not None
    assert (first.deltas, second.deltas, both.deltas) == (
        {"A": {"last": 2}}, {"A": {"bid": 3}}, {"A": {"last": 2, "bid": 3}},
    )  # fmt: skip


def test_a_quote_held_by_a_loop_does_not_change() -> None:
    """It stays as it is when the view moves on."""
    target = opened(A={"last": 1})
    backlog = target.backlog(lambda: None)
    first = backlog.change()
    frozen = target.backlog(lambda: None).frame(freeze=True)
    say(target, "update", since=10, version=11, quotes={"A": {"last": 2}})
    second = backlog.change()
    assert first is not None
    assert second is not None
    assert frozen is not None
    assert (first.quote.raw["last"], second.quote.raw["last"]) == (1, 2)
    assert [change.quote.last for change in frozen] == [1]
    with pytest.raises(AttributeError):
        first.quote.last = Decimal(3)  # type: ignore[misc]


def test_equal_quotes_are_one() -> None:
    """The order of fields does not matter; another field, value or symbol does."""
    one = opened(A={"last": 1, "bid": 2, "name": "Alpha", "decimals": 2}).quote("A")
    other = opened(A={"name": "Alpha", "decimals": 2, "bid": 2, "last": 1}, B={"last": 1})
    assert one is not None
    assert (one.name, one.decimals) == ("Alpha", 2)
    assert {one, other.quote("A")} == {one}
    assert len({one, other.quote("B"), opened(A={"last": 2}).quote("A"), opened(A={"last": 1}).quote("A")}) == 4


def test_a_frame_has_all_changes_between_two_versions() -> None:
    """First the current quotes, then merged updates, and the symbols that are gone."""
    target = opened(A={"last": 1}, B={"last": 1})
    backlog = target.backlog(lambda: None)
    first = backlog.frame()
    say(target, "update", since=10, version=11, quotes={"A": {"last": 2}})
    say(target, "update", since=11, version=12, quotes={"A": {"bid": 3}}, gone=["B"])
    second = backlog.frame()
    assert first is not None
    assert second is not None
    assert (first.snapshot, first.version, len(first), second.snapshot) == (True, 10, 2, False)
    assert second.deltas == {"A": {"last": 2, "bid": 3}, "B": {}}
    gone = [change for change in second if change.gone]
    assert [(c.symbol, c.quote.last, c.version) for c in gone] == [("B", None, 12)]
    assert backlog.frame() is None
    nothing = opened().backlog(lambda: None).frame()
    assert nothing is not None, "that there is nothing is the first step"
    assert (nothing.snapshot, len(nothing)) == (True, 0)


def test_a_restart_gives_loops_everything_again() -> None:
    """After another epoch's snapshot every symbol has a change of all fields, and those it lacks are gone."""
    target = opened(A={"last": 1}, B={"last": 1})
    backlog, steps = loop(target), loop(target)
    say(target, "update", since=10, version=11, quotes={"A": {"last": 2}})
    say(target, "snapshot", epoch=8, version=1, quotes={"A": {"last": 3, "bid": 1}})
    say(target, "update", since=1, version=2, quotes={"A": {"last": 4}})
    changes = {change.symbol: change for change in iter(backlog.change, None) if change is not None}
    assert (changes["A"].fields, changes["A"].snapshot) == (("last", "bid"), True)
    assert changes["A"].quote.last == 4
    assert changes["B"].gone
    step = steps.frame()
    assert step is not None
    assert (step.snapshot, sorted(step.deltas)) == (True, ["A", "B"])


def test_the_backlog_of_a_forgotten_loop_is_freed() -> None:
    """It costs nothing any more."""
    target = opened()
    backlog = target.backlog(lambda: None)
    assert target.backlogs() == [backlog]
    del backlog
    gc.collect()
    assert target.backlogs() == []


@pytest.mark.parametrize("seed", range(20))
def test_loops_of_any_pace_end_with_what_the_service_sent(seed: int) -> None:
    """Loops of any pace that look only when they are woken, and merge only the fields that they are told, end with
    what the service sent, and so does the book.

    None of them ever sees an older value after a newer one: each field only counts upwards here.
    """
    dice = random.Random(seed)
    target = opened()
    views: list[dict[str, dict[str, Any]]] = [{}, {}, {}]
    woken = [threading.Event() for _ in views]
    backlogs = [target.backlog(event.set) for event in woken]
    truth: dict[str, dict[str, Any]] = {}
    version = 10
    for count in range(300):
        symbol, field = dice.choice("ABCDEF"), dice.choice(["last", "bid", "ask"])
        if dice.random() < 0.05:
            truth = {s: {"last": count, "bid": count, "ask": count} for s in "ABCDEF" if dice.random() < 0.5}
            say(target, "snapshot", epoch=8 + count, version=(version := version + 1), quotes=truth)
        elif symbol in truth and dice.random() < 0.2:
            del truth[symbol]
            say(target, "update", since=version, version=(version := version + 1), gone=[symbol])
        else:
            delta = {field: count} if symbol in truth else dict.fromkeys(("last", "bid", "ask"), count)
            truth.setdefault(symbol, {}).update(delta)
            say(target, "update", since=version, version=(version := version + 1), quotes={symbol: delta})
        for view, backlog, event in zip(views, backlogs, woken, strict=True):
            if event.is_set() and dice.random() < 0.1:
                event.clear()
                for change in iter(backlog.change, None):
                    merge(view, change)
    for view, backlog, event in zip(views, backlogs, woken, strict=True):
        if event.is_set():
            for change in iter(backlog.change, None):
                merge(view, change)
        assert view == truth
    assert target.quotes == truth


def merge(view: dict[str, dict[str, Any]], change: Any) -> None:
    """Apply a change the way a careful script would: only the fields that it names."""
    if change.gone:
        view.pop(change.symbol, None)
        return
    record = {} if change.snapshot else view.setdefault(change.symbol, {})
    for name in change.fields:
        assert record.get(name, -1) <= change.quote.raw[name]
        record[name] = change.quote.raw[name]
    view[change.symbol] = record
