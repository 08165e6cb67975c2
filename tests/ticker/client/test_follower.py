"""A place in the stream: its cursor, gaps, what it asks, and what a subclass that is not a book is given."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.ticker.client.scripted import NoWait, Scripted, say, scripted
from tests.web.server import Live, run, serving, until
from ticker.client.address import Address, split_address
from ticker.client.follower import Follower
from ticker.client.stream import State, Stream
from ticker.client.wire import Message
from ticker.errors import ConfigError, PatternError, RefusedError, UnreachableError
from ticker.messages import INTERVALS_MS


class Noting(Follower):
    """Keeps no quotes, only notes of what it was given, and the names of symbols."""

    def __init__(self, *patterns: str, **options: Any) -> None:
        super().__init__(patterns, **options)
        self.notes: list[tuple[Any, ...]] = []
        self.names: set[str] = set()
        self.refuses: set[int] = set()  # versions, each once

    def replace(self, message: Message) -> None:
        self.notes.append(("replace", message.epoch, message.version, message.quotes))
        self.names = set(message.quotes)

    def merge(self, message: Message) -> None:
        if message.version in self.refuses:
            self.refuses.remove(message.version)
            raise UnreachableError("not now")
        self.notes.append(("merge", message.quotes, message.gone))
        self.names = (self.names | message.quotes.keys()).difference(message.gone)

    def drop(self, keep: Callable[[str], bool]) -> None:
        dropped = {symbol for symbol in self.names if not keep(symbol)}
        self.notes.append(("drop", dropped))
        self.names -= dropped

    def has(self, symbol: str) -> bool:
        return symbol in self.names

    def wake(self) -> None:
        self.notes.append(("wake",))


def opened(*patterns: str, **quotes: Any) -> Noting:
    """A follower after its first snapshot, at version 10 of epoch 7."""
    target = Noting(*(patterns or ("*",)))
    target.open()
    say(target, "subscribed", id=1, selection="aa")
    say(target, "snapshot", epoch=7, version=10, quotes=quotes)
    return target


def question(asked: tuple[int, bytes] | None) -> Any:
    assert asked is not None
    return json.loads(asked[1])


def stream(url: str, target: Noting, states: list[State] | None = None) -> Stream[Noting]:
    """A stream that reconnects without waiting."""
    on_state = None if states is None else states.append
    return Stream(target, Address.of(url, {}), on_state=on_state, dice=NoWait())


def test_a_subclass_is_given_what_is_new_and_in_order() -> None:
    """It gets each snapshot and update whole, and what is not wanted any more; feeds are merged for it."""
    target = opened("A*", "B", A1={"last": 1}, B={"last": 1})
    feeds = {"one": {"state": "live", "message": None}}
    say(target, "update", since=10, version=12, quotes={"A2": {"last": 2}}, gone=["B"], feeds=feeds)
    say(target, "update", since=9, version=11, quotes={"A2": {"last": 1}}, feeds={"one": {"state": "down"}})
    with pytest.raises(UnreachableError):
        say(target, "update", since=13, version=14, quotes={"A2": {"last": 3}})
    say(target, "update", since=12, version=13, feeds={"one": {"state": "stale"}})
    say(target, "unsubscribed", id=2, patterns=["A2", "B"], selection="bb")
    assert target.notes == [
        ("replace", 7, 10, {"A1": {"last": 1}, "B": {"last": 1}}),
        ("merge", {"A2": {"last": 2}}, ["B"]),
        ("merge", {}, []),
        ("drop", {"A1"}),
    ]
    assert (target.feeds, target.version) == ({"one": {"state": "stale", "message": None}}, 13)


def test_numbers_are_texts_or_floats() -> None:
    """As texts they are what the exchange wrote."""
    for exact, last in ((True, "1.10"), (False, 1.1)):
        target = Noting("A", exact=exact)
        message = target.receive(b'{"type":"snapshot","epoch":7,"version":1,"quotes":{"A":{"last":1.10}}}')
        assert message.quotes == {"A": {"last": last}}


def test_missing_symbols_are_requested_again_once_feeds_have_loaded() -> None:
    """That concerns only names without a quote that were not called unknown, and waits while a feed is connecting.

    Seen: who had subscribed before the feeds had loaded was never told of a typo.
    """
    target = opened("A", "B", "X", "Y-*", A={"last": 1})
    assert say(target, "update", since=10, version=11, quotes={"B": {"last": 1}}) is None, "nobody knows of a feed"
    feeds = {"one": {"state": "live"}, "two": {"state": "connecting"}}
    assert say(target, "update", since=11, version=12, feeds=feeds) is None
    assert say(target, "update", since=12, version=13, feeds={"two": {"state": "down"}}) is None
    asked = say(target, "update", since=13, version=14, feeds={"two": {"state": "live"}})
    assert asked == {"op": "subscribe", "id": 2, "symbols": ["X"]}
    assert say(target, "subscribed", id=2, selection="aa", unknown=[{"symbol": "X", "nearest": ["A"]}]) is None
    assert say(target, "heartbeat", version=14, time=10**9) is None, "that is a word"


def test_missing_symbols_are_requested_less_and_less_often() -> None:
    """A feed may be live before it has loaded: they are requested again after 5, 10, 20 s of its clock, on each
    connection.
    """
    target = Noting("X")
    for connected_at in (1, 2):
        target.open()
        say(target, "subscribed", id=1, selection="aa")
        asked_at = [
            second
            for second in range(100)
            if say(target, "snapshot", epoch=7, version=1, time=second * 1000, feeds={"f": {"state": "live"}})
        ]
        assert asked_at == [0, 5, 15, 35, 75], connected_at


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
    known = len(target.notes)

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
    assert target.notes[known:] == [("merge", {}, [])]


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
    target = Noting("*")
    say(target, "heartbeat", version=9)
    assert target.cursor is None
    target = opened()
    say(target, "heartbeat", version=15)
    say(target, "heartbeat", version=12)
    assert target.cursor == "7:15:aa"


def test_the_first_message_of_a_connection_has_the_whole_subscription() -> None:
    """The first message of each connection has patterns, fields, interval, even the longest, and cursor."""
    longest = INTERVALS_MS[-1]
    target = Noting("A", "B", "A", fields=["last"], interval_ms=longest, cursor="7:10:aa")
    assert question(target.open()) == {
        "op": "subscribe", "id": 1, "symbols": ["A", "B"], "interval_ms": longest, "fields": ["last"],
        "cursor": "7:10:aa",
    }  # fmt: skip
    assert question(target.subscribe(["C*"])) == {"op": "subscribe", "id": 2, "symbols": ["C*"]}
    assert question(target.unsubscribe(["A", "B"])) == {"op": "unsubscribe", "id": 3, "symbols": ["A", "B"]}
    assert question(target.open())["symbols"] == ["C*"]


def test_invalid_arguments_are_refused_before_they_are_sent() -> None:
    """Patterns, fields, intervals and cursors are checked by the client already.

    Seen: `ticker tail --interval 5m` printed a line each minute, which is the longest interval of the service.
    """
    for wrong, error in (
        (lambda: Noting("A B"), PatternError),
        (lambda: Noting("A", fields=["lst"]), PatternError),
        (lambda: Noting("A", fields="last"), ConfigError),
        (lambda: Noting("A", interval_ms=INTERVALS_MS[-1] + 1), ConfigError),
        (Noting, ConfigError),
        (lambda: Noting(["A", "B"]), ConfigError),  # type: ignore[arg-type]
        (lambda: split_address([5], None, {}), ConfigError),  # type: ignore[list-item]
        (lambda: Noting("A", cursor="yesterday"), ConfigError),
        (lambda: opened().subscribe(["A*B*C*"]), PatternError),
        (lambda: opened("A").unsubscribe(["B"]), RefusedError),
    ):
        with pytest.raises(error):
            wrong()


@pytest.mark.parametrize("odd", [None, "250"])
def test_an_interval_that_is_no_number_is_left_to_the_service(odd: Any) -> None:
    """It takes none for 0, and says what is wrong with others. Seen: both were a TypeError from inside the library."""
    assert question(Noting("A", interval_ms=odd).open())["interval_ms"] == odd


def test_a_stream_drives_any_follower() -> None:
    """It connects and resumes for a follower that keeps no quotes as it does for a book.

    Cut off, and after a gap, it comes back with the cursor of the last frame that arrived; at its end it says so.
    """
    target = Noting("*", "*:*")
    states: list[State] = []
    cursors: list[str | None] = []

    async def script(connection: Scripted) -> None:
        if connection.number == 1:
            cursors.append((await connection.welcome(A={"last": 1}, B={"last": 1})).get("cursor"))
            feeds = {"one": {"state": "live"}}
            await connection.say("update", since=1, version=2, quotes={"A": {"last": 2}}, gone=["B"], feeds=feeds)
            await until(lambda: target.version == 2)
            connection.socket.transport.abort()
            return
        await connection.say("hello", epoch=7)
        asked = await connection.hear()
        cursors.append(asked["cursor"])
        await connection.say("subscribed", id=asked["id"], selection="aa", resumed=True)
        await connection.say("update", since=2, version=connection.number + 1, quotes={"A": {"bid": 3}})
        if connection.number == 2:
            await connection.say("update", since=4, version=5, quotes={"A": {"bid": 5}})
        await connection.until_closed()

    async def scenario() -> None:
        async with scripted(script) as url:
            following = stream(url, target, states)
            await following.open()
            await until(lambda: following.state == "live" and target.version == 4)
            assert following.trouble == "frames of the stream were lost"
            await following.close()

    run(scenario)
    assert target.notes == [
        ("replace", 7, 1, {"A": {"last": 1}, "B": {"last": 1}}),
        ("merge", {"A": {"last": 2}}, ["B"]),
        ("merge", {"A": {"bid": 3}}, []),
        ("merge", {"A": {"bid": 3}}, []),
        ("wake",),
    ]
    assert target.feeds == {"one": {"state": "live"}}
    assert cursors == [None, "7:2:aa", "7:3:aa"]
    assert states == ["live", "reconnecting", "live", "reconnecting", "live"]


def test_what_a_follower_refuses_comes_again() -> None:
    """The cursor stays before an update that could not be merged, so the next connection brings it once more."""
    target = Noting("*")
    target.refuses = {2}
    cursors: list[str | None] = []

    async def script(connection: Scripted) -> None:
        cursors.append((await connection.welcome(A={"last": 1})).get("cursor"))
        await connection.say("update", since=1, version=2, quotes={"A": {"last": 2}})
        await connection.until_closed()

    async def scenario() -> None:
        async with scripted(script) as url:
            following = stream(url, target)
            await following.open()
            await until(lambda: target.version == 2)
            assert following.trouble == "not now"
            await following.close()

    run(scenario)
    assert cursors == [None, "7:1:aa"]
    assert target.notes[-2:] == [("merge", {"A": {"last": 2}}, []), ("wake",)]


def merged(notes: list[tuple[Any, ...]]) -> dict[str, dict[str, Any]]:
    """The quotes that these notes tell of."""
    quotes: dict[str, dict[str, Any]] = {}
    for kind, *told in notes:
        if kind == "replace":
            quotes = {symbol: {**record} for symbol, record in told[2].items()}
        else:
            assert kind == "merge"
            for symbol, fields in told[0].items():
                quotes.setdefault(symbol, {}).update(fields)
            for symbol in told[1]:
                del quotes[symbol]
    return quotes


@serving()
async def test_a_follower_follows_the_real_service(live: Live) -> None:
    """What it was told of makes up what REST has, digit for digit, also after changes that it missed during a cut."""
    live.clock.stand()  # no price grows stale between two looks
    target = Noting("*", "*:*")
    following = stream(f"http://127.0.0.1:{live.port}", target)

    async def check(feed: str) -> None:
        live.hub.flush()
        await until(lambda: target.version == live.service.store.version)
        rest = json.loads((await live.get("/api/quotes?symbols=*,*:*")).body, parse_float=str)
        assert (merged(target.notes), target.feeds["toy"]["state"]) == (rest["quotes"], feed)

    await following.open()
    assert target.notes[0][:3] == ("replace", live.service.store.epoch, live.service.store.version)
    await check("live")
    live.publish({"BTC-USD": "97001.50", "NEW-USD": "1.10"})
    live.feed.remove(["toy:ETH-USD"])
    await check("live")
    assert target.names == {"BTC-USD", "toy:BTC-USD", "NEW-USD", "toy:NEW-USD"}
    assert following._socket is not None
    following._socket.transport.abort()
    live.publish({"BTC-USD": "97002.50"})
    live.feed.remove(["toy:NEW-USD"])
    live.feed.state("stale", "no news")
    await check("stale")
    assert [note[0] for note in target.notes].count("replace") == 1, "it was resumed"
    await following.close()
    assert target.notes[-1] == ("wake",)
