"""A store that follows another service: its versions, what came of them, and what is shown when nothing comes.

The machine at the end is the proof that a reader may go from any server to any other; each test before it states one
promise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.clock import ManualClock
from tests.ticker.fleet_machine import FleetMachine
from tests.ticker.fleet_world import Connection
from tests.ticker.incoming import merge, replace
from tests.ticker.model_reader import QUOTE_FIELDS
from ticker import protocol
from ticker.client.wire import EXACT
from ticker.incoming import NotARecordError
from ticker.selection import Selection
from ticker.store import Store
from ticker.upstream import AWAY_S, LEAST_OWN_EPOCH, Upstream

Rows = Mapping[str, Mapping[str, object]]

EPOCH = 1795386000123
FEEDS: dict[str, dict[str, object]] = {
    "k": {"state": "live", "since": 5, "kind": "live", "clock": "exchange", "message": None}
}


def quote(**values: object) -> dict[str, object]:
    return dict.fromkeys(QUOTE_FIELDS) | {"state": "live"} | values


class Gateway:
    """A store that follows, and a connection that is as it is told to be."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = Store(0)
        self.woken = 0
        self.connection = Connection()
        self.upstream = Upstream(self.store, self.clock, "http://up", self.wake, self.connection)
        self.all = self.store.resolve(Selection.of(["*", "*:*"]))

    def wake(self) -> None:
        self.woken += 1

    def begin(self, version: int = 5, feeds: Rows = FEEDS, **quotes: object) -> None:
        """Everything comes, over a new connection; `__` in a symbol stands for `:`."""
        rows = {symbol.replace("__", ":"): quote(last=last) for symbol, last in quotes.items()}
        replace(self.upstream, EPOCH, version, rows, feeds)
        self.connection.state = "live"

    def merge(self, version: int, *gone: str, **quotes: Mapping[str, object]) -> None:
        rows = {symbol.replace("__", ":"): row for symbol, row in quotes.items()}
        merge(self.upstream, version, rows, gone, {})

    def flush(self) -> int:
        """Returns the version that is shown then."""
        self.store.flush(self.clock.monotonic())
        assert not self.store.waiting(self.clock.monotonic())
        return self.store.version

    def expire(self) -> bool:
        """Returns whether the store is orphaned then."""
        assert list(self.upstream.expire()) == []
        return self.upstream.orphaned

    def told(self, since: int | None = None) -> Any:
        """What a reader of everything is told."""
        frame = json.loads(protocol.data_frame(self.store.changes(self.all, since), 0).data, parse_float=str)
        return {name: frame[name] for name in ("quotes", "gone", "feeds") if frame.get(name)}

    def value(self, key: str, name: str) -> object:
        record = self.store.get(key)
        assert record is not None
        return record.get(name)


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


# Versions


def test_epoch_and_versions_are_those_of_the_service(gateway: Gateway) -> None:
    """A snapshot counts at once, what comes later with the next flush, under the version of the last frame."""
    gateway.begin(5, A="1")
    assert (gateway.store.epoch, gateway.store.version, gateway.store.floor) == (EPOCH, 5, 5)
    gateway.merge(7, A={"last": "2"})
    gateway.merge(9, A={"bid": "1"})
    assert gateway.store.version == 5
    assert gateway.flush() == 9
    assert gateway.told(5) == {"quotes": {"A": {"last": 2, "bid": 1}}}


def test_a_version_is_adopted_even_if_nothing_changed(gateway: Gateway) -> None:
    """Else a cursor of that version would be refused here; a reader of it gets nothing that it has."""
    gateway.begin(5, A="1")
    gateway.merge(9)
    assert gateway.store.waiting(0.0)
    assert gateway.store.flush(0.0) is None
    assert (gateway.store.version, gateway.told(9)) == (9, {})


def test_a_flush_of_what_is_followed_is_whole(gateway: Gateway) -> None:
    """However little a turn may do: half of it would be no version of the service."""
    gateway.begin(5, A="1", B="1")
    gateway.merge(6, "B", A={"last": "2"}, C=quote(last="3"), D=quote(last="4"))
    gateway.store.flush(0.0, most=1)
    assert not gateway.store.waiting(0.0)
    assert (sorted(gateway.store.symbols()), gateway.value("A", "last")) == (["A", "C", "D"], "2")


def test_fields_that_are_the_old_ones_again_count_as_changed(gateway: Gateway) -> None:
    """A reader that comes from elsewhere with a version in between has another value."""
    gateway.begin(5, A="1")
    gateway.merge(6, A={"last": "2", "bid": "1"})
    gateway.merge(7, A={"last": "1"})
    gateway.flush()
    assert gateway.told(6) == {"quotes": {"A": {"last": 1, "bid": 1}}}


def test_a_symbol_that_was_never_shown_here_is_gone_all_the_same(gateway: Gateway) -> None:
    """A reader that comes from elsewhere may have it."""
    gateway.begin(5, A="1")
    gateway.merge(6, B=quote(last="2"))
    gateway.merge(7, "B")
    gateway.flush()
    assert gateway.told(6) == gateway.told(5) == {"gone": ["B"]}
    assert gateway.told(7) == {}


def test_tombstones_are_in_order_of_version(gateway: Gateway) -> None:
    """Also that of a symbol that is removed again before it was seen again."""
    gateway.begin(5, A="1", B="1")
    gateway.merge(6, "A")
    gateway.flush()
    gateway.merge(7, "B")
    gateway.flush()
    gateway.merge(9, "A")  # it was born again in version 8
    gateway.flush()
    assert (gateway.told(8), gateway.told(6)) == ({"gone": ["A"]}, {"gone": ["A", "B"]})


def test_a_symbol_that_is_reborn_between_two_flushes_comes_complete(gateway: Gateway) -> None:
    """Nothing of what it was before is left, and it is not gone."""
    gateway.begin(5, A="1")
    gateway.merge(6, A={"bid": "7"})
    gateway.merge(7, "A")
    gateway.merge(8, A=quote(last="2"))
    gateway.flush()
    assert gateway.told(5) == gateway.told(6) == gateway.told(7) == {"quotes": {"A": quote(last=2)}}


def test_what_repeats_is_ignored(gateway: Gateway) -> None:
    """Of a version that was merged already, flushed or not, nothing counts."""
    gateway.begin(5, A="1")
    gateway.merge(6, A={"last": "2"})
    gateway.merge(6, "A")
    gateway.merge(5, A={"last": "0"})
    assert (gateway.flush(), gateway.told(5)) == (6, {"quotes": {"A": {"last": 2}}})
    gateway.merge(6, A={"last": "0"})
    assert (gateway.flush(), gateway.value("A", "last")) == (6, "2")


def test_a_snapshot_replaces_also_what_was_not_flushed(gateway: Gateway) -> None:
    """What was pending is not of the new epoch; neither are tombstones, nor feeds that are no more."""
    gateway.begin(5, A="1", B="1")
    gateway.merge(6, "B")
    gateway.flush()
    gateway.merge(7, "A", C=quote(last="3"))
    gateway.begin(3, {}, A="9")
    assert (gateway.flush(), gateway.store.tombstones, list(gateway.store.feeds())) == (3, 0, [])
    assert gateway.told() == {"quotes": {"A": quote(last=9)}}
    assert gateway.upstream.restarts == 2


def test_what_comes_is_counted(gateway: Gateway) -> None:
    """Records that changed and symbols that are gone, for the alert; not what repeats what came before."""
    gateway.begin(5, A="1", B="1")
    gateway.merge(6, "B", A={"last": "2"}, C=quote(last="3"))
    gateway.merge(6, A={"last": "2"})
    assert gateway.upstream.updates == 3


def test_the_hub_hears_of_everything_that_comes(gateway: Gateway) -> None:
    """And for how long it has waited: since the first frame."""
    gateway.begin(5, A="1")
    assert (gateway.woken, gateway.upstream.oldest_at) == (1, None)
    for version in (6, 7):
        gateway.clock.tick(1.0)
        gateway.merge(version, A={"last": str(version)})
    assert (gateway.woken, gateway.upstream.oldest_at) == (3, 1.0)


# Values


def test_the_text_of_numbers_is_kept(gateway: Gateway) -> None:
    """As they come over the line: trailing zeros, exponents, integers of any size and sign."""
    row = b'"last":97412.350,"bid":1e5,"ask":18446744073709551616,"change_pct":-1,"open":0,"ts":1795386000000'
    message = EXACT.decode(b'{"type":"update","version":6,"quotes":{"A":{%b,"decimals":2}}}' % row)
    gateway.begin(5, A="1")
    merge(gateway.upstream, message.version, message.quotes, message.gone, message.feeds)
    gateway.flush()
    record = gateway.store.get("A")
    assert record is not None
    names = ("last", "bid", "ask", "change_pct", "open", "ts", "decimals")
    expected = ["97412.350", "1e5", "18446744073709551616", "-1", "0", 1795386000000, 2]
    assert [record.get(name) for name in names] == expected
    assert b'"last":97412.350,"bid":1e5,"ask":18446744073709551616,' in protocol.piece(record, record.everything)


def test_what_is_not_known_here_is_left_out(gateway: Gateway) -> None:
    """A newer service may have more fields, of quotes and of feeds."""
    gateway.begin(5, A="1")
    news = {"message": "slow", "mood": "good"}
    merge(gateway.upstream, 6, {"A": {"last": "2", "vwap": 3, "depth": [1]}}, [], {"k": news})
    gateway.flush()
    assert gateway.told(5) == {"quotes": {"A": {"last": 2}}, "feeds": {"k": {"message": "slow"}}}


@pytest.mark.parametrize("symbol", ["", "@k", "A B", 'A"', "k:b:A", "A" * 65])
def test_what_is_not_a_symbol_is_refused(gateway: Gateway, symbol: str) -> None:
    """Whether it changes or is gone; and nothing else of that frame counts."""
    gateway.begin(5, A="1")
    with pytest.raises(NotARecordError, match="is not a symbol"):
        merge(gateway.upstream, 6, {"A": {"last": "2"}, symbol: quote()}, [], {})
    with pytest.raises(NotARecordError, match="is not a symbol"):
        merge(gateway.upstream, 6, {"A": {"last": "2"}}, ["A", symbol], {})
    with pytest.raises(NotARecordError, match="is not a symbol"):
        replace(gateway.upstream, EPOCH + 1, 1, {symbol: quote()}, {})
    assert (gateway.flush(), gateway.store.epoch, gateway.value("A", "last")) == (5, EPOCH, "1")


@pytest.mark.parametrize("value", [True, 1.5, [], {}])
def test_what_is_not_a_value_is_refused(gateway: Gateway, value: object) -> None:
    """In a quote or in a feed's record; nothing of that frame counts."""
    gateway.begin(5, A="1")
    frames: list[tuple[Rows, Rows]] = [
        ({"A": {"last": value}}, {}), ({"A": {"name": value}}, {}), ({}, {"k": {"since": value}}),
    ]  # fmt: skip
    for quotes, feeds in frames:
        with pytest.raises(NotARecordError, match="a field cannot be"):
            merge(gateway.upstream, 6, quotes, [], feeds)
        with pytest.raises(NotARecordError, match="a field cannot be"):
            replace(gateway.upstream, EPOCH + 1, 1, quotes, feeds)
    assert (gateway.flush(), gateway.store.epoch, gateway.upstream.restarts) == (5, EPOCH, 1)


# What is shown when nothing comes


def test_prices_without_a_source_are_stale(gateway: Gateway) -> None:
    """What was live is stale, in an epoch of the gateway's own; what was halted, closed or down stays that. Each feed
    says why. When the service is back, everything is as it is there.
    """
    states = ("live", "stale", "halted", "closed", "down")
    rows = {state.upper(): quote(last="1", state=state, ts=9) for state in states}
    down = {"state": "down", "since": 3, "kind": "live", "clock": "exchange", "message": "HTTP 503"}
    replace(gateway.upstream, EPOCH, 5, rows, FEEDS | {"b": down})
    before = gateway.told()
    gateway.connection.trouble = "connection refused"
    gateway.expire()
    gateway.clock.tick(AWAY_S)
    assert gateway.expire()
    shown = gateway.told()
    changed = {"LIVE": "stale", "STALE": "stale", "HALTED": "halted", "CLOSED": "closed", "DOWN": "down"}
    assert {symbol: row["state"] for symbol, row in shown["quotes"].items()} == changed
    assert shown["quotes"]["LIVE"] == before["quotes"]["LIVE"] | {"state": "stale"}
    why = "no word from http://up: connection refused"
    lost = FEEDS["k"] | {"state": "stale", "since": gateway.clock.wall_ms(), "message": why}
    assert shown["feeds"] == {"k": lost, "b": down}
    assert gateway.store.epoch >= LEAST_OWN_EPOCH
    assert gateway.store.version == 6
    replace(gateway.upstream, EPOCH, 5, rows, FEEDS | {"b": down})
    assert (gateway.told(), gateway.upstream.orphaned) == (before, False)
    assert (gateway.store.epoch, gateway.store.version, gateway.store.floor) == (EPOCH, 5, 5)


def test_a_lost_connection_is_waited_for(gateway: Gateway) -> None:
    """One that comes back in time leaves no trace; each is waited for anew."""
    gateway.begin(5, A="1")
    for _ in range(2):
        gateway.connection.state = "reconnecting"
        assert not gateway.expire()
        gateway.clock.tick(AWAY_S - 0.25)
        assert not gateway.expire()
        gateway.connection.state = "live"
        assert not gateway.expire()
    gateway.connection.state = "reconnecting"
    assert not gateway.expire()
    gateway.clock.tick(AWAY_S)
    assert gateway.expire()
    assert gateway.upstream.restarts == 2
    gateway.clock.tick(AWAY_S)
    gateway.expire()
    assert gateway.upstream.restarts == 2


@pytest.mark.parametrize("whole", [False, True])
def test_connections_too_short_to_be_seen_count(gateway: Gateway, *, whole: bool) -> None:
    """Seen: a service whose connections broke at once, but after they had brought everything, made the gateway call its
    prices stale a moment after each. Cause: it knew of a connection only if it looked while there was one. Promise:
    what comes is a word.
    """
    gateway.begin(5, A="1")
    gateway.connection.state = "reconnecting"
    gateway.expire()
    for version in (6, 7):
        gateway.clock.tick(AWAY_S - 1)
        if whole:
            gateway.begin(version, A="2")
        else:
            gateway.merge(version, A={"last": "2"})
        gateway.connection.state = "reconnecting"
        assert not gateway.expire()
    gateway.clock.tick(AWAY_S)
    assert gateway.expire()


def test_a_mute_connection_is_not_waited_for(gateway: Gateway) -> None:
    """Finding out that it is mute has taken long enough."""
    gateway.begin(5, A="1")
    assert not gateway.expire()
    gateway.connection.state = "stale"
    assert gateway.expire()


def test_a_gateway_that_has_heard_nothing_yet_has_nothing_to_call_stale(gateway: Gateway) -> None:
    """However long that takes; it says what it waits for."""
    gateway.clock.tick(2 * AWAY_S)
    assert not gateway.expire()
    assert (gateway.upstream.begun(), gateway.upstream.not_ready()) == (
        False,
        ["nothing has come yet from http://up"],
    )
    gateway.connection.trouble = "timed out"
    assert gateway.upstream.not_ready() == ["nothing has come yet from http://up: timed out"]
    gateway.upstream.connection = None
    assert (gateway.upstream.live, gateway.expire()) == (False, False)
    gateway.begin(5, A="1")
    assert (gateway.upstream.begun(), gateway.upstream.not_ready()) == (True, [])


def test_without_its_service_a_gateway_is_not_ready(gateway: Gateway) -> None:
    """From the moment when its prices are stale; its symbols are known all the same."""
    gateway.begin(5, A="1")
    assert gateway.upstream.live
    gateway.connection.state, gateway.connection.trouble = "reconnecting", "closed"
    assert not gateway.expire()
    assert (gateway.upstream.live, gateway.upstream.not_ready()) == (False, [])
    gateway.clock.tick(AWAY_S)
    assert gateway.expire()
    assert gateway.upstream.not_ready() == ["no word from http://up: closed"]
    assert gateway.upstream.begun()


def test_what_is_asked_of_feeds_is_what_their_records_say(gateway: Gateway) -> None:
    """Kinds, each once; the feeds that may still bring symbols; how many prices of venues are stale."""
    feeds = {name: FEEDS["k"] | {"state": state} for name, state in (("k", "connecting"), ("b", "down"), ("c", "live"))}
    feeds["c"] |= {"kind": "delayed"}
    feeds["d"] = FEEDS["k"] | {"state": "connecting", "kind": None}
    gateway.begin(5, feeds, k__A="1", A="1")
    assert gateway.upstream.kinds() == ["delayed", "live"]
    assert gateway.upstream.loading() == ["b", "d"]
    assert gateway.upstream.stale == 0
    gateway.merge(6, A={"state": "stale"}, k__A={"state": "stale"})
    gateway.flush()
    assert gateway.upstream.stale == 1


def test_epochs_of_their_own_differ() -> None:
    """Seen: of gateways that lost their service in the same millisecond two could choose the same epoch, and a cursor
    of one was good at the other. Cause: only a thousand numbers to choose from. Promise: there are enough, none is that
    of a service, and a browser can count to all of them.
    """
    epochs = {Gateway().store.epoch for _ in range(2000)}
    assert len(epochs) == 2000
    assert 1000 * EPOCH < min(epochs) < max(epochs) < 2**53


# Everything together


@pytest.mark.timeout(600)  # a failure is worth the time to shrink it
def test_a_reader_may_go_from_any_server_to_any_other() -> None:
    """It is exact at each frame: however gateways lag, merge, lose and resume their connections, call prices stale, and
    are started anew, as is the service that they follow.
    """
    search = settings(max_examples=40, stateful_step_count=120, derandomize=True, deadline=None, print_blob=True)
    run_state_machine_as_test(FleetMachine, settings=search)
