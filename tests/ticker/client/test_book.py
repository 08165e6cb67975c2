"""A reader's book: merging, cursors, gaps, and backlogs that never grow beyond one entry per symbol."""

from __future__ import annotations

import contextlib
import gc
import json
import random
import threading
from decimal import Decimal
from typing import Any

import pytest

from ticker.client.book import Backlog, Book
from ticker.client.wire import Message
from ticker.errors import ConfigError, PatternError, RefusedError, UnreachableError


def book(*patterns: str, cursor: str | None = None) -> Book[Decimal]:
    return Book(patterns or ("*",), None, 0, Decimal, cursor)


def say(target: Book[Decimal], kind: str, **members: Any) -> None:
    """Let the service send a frame."""
    hear(target, kind, **members)


def hear(target: Book[Decimal], kind: str, **members: Any) -> Any:
    """Let the service send a frame; returns what the book asks again after it."""
    message = target.receive(json.dumps({"type": kind, "time": 1, **members}).encode())
    asked = target.recheck(message)
    return asked and json.loads(asked[1])


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


def question(asked: tuple[int, bytes] | None) -> Any:
    assert asked is not None
    return json.loads(asked[1])


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


def test_missing_symbols_are_requested_again_once_feeds_have_loaded() -> None:
    """That concerns only names without a quote that were not called unknown, and waits while a feed is connecting.

    Seen: who had subscribed before the feeds had loaded was never told of a typo.
    """
    target = opened("A", "B", "X", "Y-*", A={"last": 1})
    assert hear(target, "update", since=10, version=11, quotes={"B": {"last": 1}}) is None, "nobody knows of a feed"
    feeds = {"one": {"state": "live"}, "two": {"state": "connecting"}}
    assert hear(target, "update", since=11, version=12, feeds=feeds) is None
    assert hear(target, "update", since=12, version=13, feeds={"two": {"state": "down"}}) is None
    asked = hear(target, "update", since=13, version=14, feeds={"two": {"state": "live"}})
    assert asked == {"op": "subscribe", "id": 2, "symbols": ["X"]}
    assert hear(target, "subscribed", id=2, selection="aa", unknown=[{"symbol": "X", "nearest": ["A"]}]) is None
    assert hear(target, "heartbeat", version=14, time=10**9) is None, "that is a word"


def test_missing_symbols_are_requested_less_and_less_often() -> None:
    """A feed may be live before it has loaded: they are requested again after 5, 10, 20 s of its clock, on each
    connection.
    """
    target = book("X")
    for connected_at in (1, 2):
        target.open()
        say(target, "subscribed", id=1, selection="aa")
        asked_at = [
            second
            for second in range(100)
            if hear(target, "snapshot", epoch=7, version=1, time=second * 1000, feeds={"f": {"state": "live"}})
        ]
        assert asked_at == [0, 5, 15, 35, 75], connected_at


def test_unknown_frames_and_members_are_ignored() -> None:
    """Unknown frame types and members are ignored, as is an update that is too old."""
    target = opened(A={"last": 1})
    say(target, "horn", loud=True, message=None, quotes=["A"], epoch="new")
    say(target, "update", since=10, version=11, quotes={"A": {"last": 2, "colour": "red"}}, mood=[1])
    say(target, "update", since=5, version=9, quotes={"A": {"last": 3}})
    assert target.quotes["A"]["last"] == 2


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"\xff", b'{"type":"update\xff"}', b'{"type":"update","quotes":[]}', b'{"type":"news"',
        b'{"type":"subscribed","unknown":[{"name":"A"}]}', b'{"type":"subscribed","rejected":[{"code":"x"}]}',
        b'{"type":"hello","heartbeat_ms":0}', b'{"type":"hello","heartbeat_ms":1' + b"0" * 400 + b"}",
        b'{"type":"bye","retry_ms":[-1,5]}', b'{"type":"bye","retry_ms":[0,1' + b"0" * 400 + b"]}",
    ],
)  # fmt: skip
def test_an_invalid_frame_ends_the_connection(data: bytes) -> None:
    """Some data may have been lost in it."""
    with pytest.raises(UnreachableError, match="sent an invalid frame"):
        opened().receive(data)


def test_deep_nesting_does_not_crash() -> None:
    """Absurdly deep nesting is ignored or ends the connection: the limit depends on the Python version."""
    with contextlib.suppress(UnreachableError):
        assert opened().receive(b'{"type":"x","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}").type == "x"


def test_a_feed_may_say_anything() -> None:
    """The members of a feed's record are passed on as they are.

    Seen: a state that was a list ended the view with a TypeError.
    """
    target = opened(A={"last": 1})
    say(target, "update", since=10, version=11, feeds={"toy": {"state": ["live"], "new": {}}})
    assert target.recheck(Message("heartbeat", time=10**9)) is None
    assert target.feeds["toy"]["state"] == ["live"]


def test_a_gap_is_never_merged() -> None:
    """After a gap the view resumes by cursor; if that does not help, it asks for everything."""
    target = opened(A={"last": 1})

    def lost() -> str | None:
        with pytest.raises(UnreachableError, match="lost"):
            say(target, "update", since=20, version=21, quotes={"A": {"last": 2}})
        cursor: str | None = question(target.open()).get("cursor")
        assert not target.current, "until data comes"
        return cursor

    assert lost() == "7:10:aa"
    say(target, "subscribed", id=2, selection="aa")
    say(target, "update", since=10, version=11)
    assert [lost(), lost()] == ["7:11:aa", None]
    assert target.quotes["A"]["last"] == 1


def test_a_selection_takes_effect_with_its_data() -> None:
    """Between `subscribed` and its frame the cursor stays that of the old selection.

    Seen: a reader cut there resumed with the new selection at the old version, and never got what it had just added.
    """
    target = opened(A={"last": 1})
    target.subscribe(["B"])
    say(target, "subscribed", id=2, selection="bb")
    assert target.cursor == "7:10:aa"
    say(target, "update", since=10, version=10, quotes={"B": {"last": 2}})
    assert target.cursor == "7:10:bb"


def test_a_heartbeat_advances_the_cursor() -> None:
    """Nothing has changed up to its version, so the next connection resumes there; before data it is ignored."""
    target = book()
    say(target, "heartbeat", version=9)
    assert target.cursor is None
    target = opened()
    say(target, "heartbeat", version=15)
    say(target, "heartbeat", version=12)
    assert target.cursor == "7:15:aa"


def test_the_first_message_of_a_connection_has_the_whole_subscription() -> None:
    """The first message of each connection has patterns, fields, interval and cursor."""
    target: Book[Decimal] = Book(["A", "B", "A"], ["last"], 250, Decimal, "7:10:aa")
    assert question(target.open()) == {
        "op": "subscribe", "id": 1, "symbols": ["A", "B"], "interval_ms": 250, "fields": ["last"], "cursor": "7:10:aa",
    }  # fmt: skip
    assert question(target.subscribe(["C*"])) == {"op": "subscribe", "id": 2, "symbols": ["C*"]}
    assert question(target.unsubscribe(["A", "B"])) == {"op": "unsubscribe", "id": 3, "symbols": ["A", "B"]}
    assert question(target.open())["symbols"] == ["C*"]


def test_invalid_arguments_are_refused_before_they_are_sent() -> None:
    """Patterns, fields and cursors are checked by the client already."""
    for wrong, error in (
        (lambda: book("A B"), PatternError),
        (lambda: Book(["A"], ["lst"], 0, Decimal), PatternError),
        (lambda: Book(["A"], "last", 0, Decimal), ConfigError),
        (lambda: Book([], None, 0, Decimal), ConfigError),
        (lambda: Book([["A", "B"]], None, 0, Decimal), ConfigError),  # type: ignore[list-item]
        (lambda: book(cursor="yesterday"), ConfigError),
        (lambda: opened().subscribe(["A*B*C*"]), PatternError),
        (lambda: opened("A").unsubscribe(["B"]), RefusedError),
    ):
        with pytest.raises(error):
            wrong()


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
