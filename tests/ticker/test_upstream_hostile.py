"""What a gateway does with an upstream that sends what no service should: nothing of it reaches readers."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping

import pytest

from tests.clock import ManualClock
from tests.ticker.incoming import merge, replace
from ticker import protocol
from ticker.errors import UnreachableError
from ticker.gateway import Everything
from ticker.incoming import SLICE, NotARecordError
from ticker.selection import Selection
from ticker.store import Store
from ticker.upstream import AWAY_S, Upstream

FEED: dict[str, object] = {"state": "live", "since": 5, "kind": "live", "clock": "exchange", "message": None}


class Lost:
    """A connection that cannot be made."""

    state = "reconnecting"
    connected = False

    def __init__(self, trouble: str) -> None:
        self.trouble = trouble


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def upstream(clock: ManualClock) -> Upstream:
    """A service of which everything has come once."""
    made = Upstream(Store(0), clock, "http://up")
    replace(made, 7, 5, {"A": {"last": "1", "ts": 3, "state": "live"}}, {"k": FEED})
    return made


def shown(upstream: Upstream) -> object:
    """What readers get; fails if it is not JSON."""
    upstream.store.flush(0.0)
    scope = upstream.store.resolve(Selection.of(["*", "*:*"]))
    return json.loads(protocol.data_frame(upstream.store.changes(scope), 1).data)


@pytest.mark.parametrize(
    ("name", "value"),
    [("last", "hello"), ("last", '1},"B":{"last":2'), ("last", "007"), ("last", ""), ("ts", "hello"), ("ts", 2**63),
     ("decimals", "2"), ("state", 5), ("name", 2**70)],
)  # fmt: skip
def test_a_value_of_another_type_is_refused(upstream: Upstream, name: str, value: object) -> None:
    """Seen: text in place of a number went out as it was, and no reader could read the frame; a number in place of a
    text could not be encoded if it had more than 64 bits, which ended the gateway. The whole frame is refused.
    """
    before = shown(upstream)
    with pytest.raises(NotARecordError, match="a field cannot be"):
        merge(upstream, 6, {"A": {name: value}}, [], {})
    assert shown(upstream) == before


@pytest.mark.parametrize(
    "feeds", [{"k": {"since": 2**63}}, {"k": {"message": 1}}, {'x":{},"y': FEED}, {"": FEED}, {"K": FEED}]
)
def test_what_is_no_feed_is_refused(upstream: Upstream, feeds: Mapping[str, Mapping[str, object]]) -> None:
    """Neither with such a value nor under such a name: names are not escaped in frames."""
    before = shown(upstream)
    with pytest.raises(NotARecordError):
        merge(upstream, 6, {}, [], feeds)
    assert shown(upstream) == before


@pytest.mark.parametrize("number", [-1, 2**63])
def test_versions_have_63_bits(upstream: Upstream, number: int) -> None:
    """No other could be encoded, or stand in a cursor."""
    everything = Everything(upstream)
    for member in ("epoch", "version", "since", "time"):
        with pytest.raises(UnreachableError, match="invalid frame"):
            everything.receive(json.dumps({"type": "update", member: number}).encode())


def test_what_is_refused_is_shown_in_short(upstream: Upstream, clock: ManualClock) -> None:
    """It may be megabytes, and every reader gets the reason why prices are stale."""
    with pytest.raises(NotARecordError) as caught:
        merge(upstream, 6, {"A" * 1_000_000: {}}, [], {})
    assert len(str(caught.value)) < 100
    with pytest.raises(NotARecordError) as caught:
        merge(upstream, 6, {"A": {"name": [[[]]] * 1_000_000}}, [], {})
    assert len(str(caught.value)) < 100
    upstream.connection = Lost("x" * 1_000_000)
    upstream.expire()
    clock.tick(6)
    upstream.expire()
    assert len(upstream.not_ready()[0]) < 300


def test_errors_of_other_kinds_are_not_called_a_limit(upstream: Upstream, caplog: pytest.LogCaptureFixture) -> None:
    """Only what `limits.symbols` of the upstream leaves out is mended there."""
    everything = Everything(upstream)
    everything.receive(b'{"type":"error","code":"internal","message":"oops"}')
    assert caplog.messages == []
    everything.receive(b'{"type":"error","code":"too_many_symbols","message":"new ones are left out"}')
    assert caplog.messages == ["http://up: new ones are left out; raise limits.symbols there"]


def test_who_does_not_follow_has_nothing_to_complain_of(
    upstream: Upstream, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Seen: a gateway that was stopped wrote last that there was no word from its upstream."""
    caplog.set_level(logging.INFO)
    upstream.connection = None
    upstream.expire()
    clock.tick(60)
    upstream.expire()
    assert (caplog.messages, upstream.orphaned) == ([], False)


@pytest.mark.parametrize("frame", [b'{"type":"heartbeat","version":5}', b'{"type":"update","since":5,"version":6}'])
def test_a_word_after_a_long_silence_ends_the_connection(upstream: Upstream, clock: ManualClock, frame: bytes) -> None:
    """The next one begins from nothing. Seen: after a silence of ten seconds the gateway of a quiet market showed stale
    prices until the next price came, although it got heartbeats.
    """
    everything = Everything(upstream)
    everything.receive(snapshot(7, "1"))
    everything.receive(b'{"type":"heartbeat","version":5}')
    upstream.connection = Lost("")
    upstream.expire()
    clock.tick(AWAY_S)
    upstream.expire()
    assert upstream.orphaned
    with pytest.raises(UnreachableError, match="it was silent for too long; beginning anew"):
        everything.receive(frame)
    assert everything.cursor is None
    everything.open()
    everything.receive(b'{"type":"heartbeat","version":5}')
    everything.receive(snapshot(7, "1"))
    assert not upstream.orphaned


# Frames that are taken in many turns of the loop


def snapshot(epoch: int, last: str, **quotes: object) -> bytes:
    """All that a service shows: more symbols than one turn checks, in any case."""
    many = {f"S{i}": {"last": last, "state": "live"} for i in range(2 * SLICE)} | quotes
    frame = {"type": "snapshot", "epoch": epoch, "version": 5, "quotes": many, "feeds": {"k": FEED}}
    return json.dumps(frame).encode()


def test_a_large_frame_is_shown_at_once_when_all_of_it_is_checked(upstream: Upstream) -> None:
    """Until the last step nothing has changed, and then everything has. What was shown before is let go of with the
    next frame, in slices, too.

    Seen: the gateway of a service with 50,000 symbols stood still for more than a second whenever it got them all, and
    so did its readers' pings and requests.
    """
    everything, store = Everything(upstream), upstream.store
    everything.receive(snapshot(7, "1"))
    messages, seen = [], []
    for message in everything.steps(snapshot(8, "2")):
        messages.append(message)
        seen.append({(store.epoch, record.get("last")) for record in store.records() if not record.is_feed})
    assert messages[-1] is not None
    assert (set(messages[:-1]), messages[-1].type, messages[-1].version) == ({None}, "snapshot", 5)
    assert [len(states) for states in seen] == [1] * len(seen)
    shown = [min(states) for states in seen]
    assert shown == sorted(shown)
    assert (shown.count((7, "1")) >= 2, shown.count((8, "2"))) == (True, 1)
    assert [len(list(everything.steps(b'{"type":"heartbeat"}'))) > 1 for _ in range(2)] == [True, False]


def test_a_large_frame_that_is_given_up_leaves_nothing(upstream: Upstream) -> None:
    """As when the gateway ends meanwhile. The next one is complete by itself."""
    everything = Everything(upstream)
    everything.receive(snapshot(7, "1"))
    before = shown(upstream)
    steps = everything.steps(snapshot(8, "2"))
    assert [next(steps), next(steps)] == [None, None]
    del steps
    assert shown(upstream) == before
    everything.receive(snapshot(9, "3"))
    assert {record.get("last") for record in upstream.store.records() if not record.is_feed} == {"3"}


@pytest.mark.parametrize("row", [{"last": "x"}, 5, None])
def test_a_fault_at_the_end_of_a_large_frame_refuses_all_of_it(upstream: Upstream, row: object) -> None:
    """Whether it is no value of the protocol, or no record at all; where to resume is what it was, too."""
    everything = Everything(upstream)
    everything.receive(snapshot(7, "1"))
    before, cursor = shown(upstream), everything.cursor
    with pytest.raises(UnreachableError, match="sent an invalid frame"):
        everything.receive(snapshot(8, "2", Z=row))
    update = {"type": "update", "since": 5, "version": 6, "quotes": {"S1": {"last": "2"}, "Z": row}}
    with pytest.raises(UnreachableError, match="sent an invalid frame"):
        everything.receive(json.dumps(update).encode())
    assert (shown(upstream), everything.cursor) == (before, cursor)


def test_a_large_frame_that_is_being_checked_is_a_word(upstream: Upstream, clock: ManualClock) -> None:
    """Seen: on a machine with much else to do a snapshot took six seconds, after five of which everybody was sent one
    of stale prices.
    """
    everything = Everything(upstream)
    everything.receive(snapshot(7, "1"))
    upstream.connection = Lost("")
    steps = everything.steps(snapshot(8, "2"))
    upstream.expire()
    for _ in range(2):
        clock.tick(AWAY_S - 1)
        assert next(steps) is None
        upstream.expire()
        assert not upstream.orphaned
    *_, message = steps
    assert (upstream.orphaned, upstream.store.epoch, message and message.epoch) == (False, 8, 8)


def test_prices_that_become_stale_meanwhile_are_replaced_all_the_same(upstream: Upstream, clock: ManualClock) -> None:
    """A snapshot may take so long that its gateway gives up waiting: then everybody gets another one, of it."""
    everything = Everything(upstream)
    everything.receive(snapshot(7, "1"))
    steps = everything.steps(snapshot(8, "2"))
    next(steps)
    upstream.connection = Lost("")
    upstream.expire()
    clock.tick(6)
    upstream.expire()
    assert upstream.orphaned
    *_, message = steps
    assert (upstream.orphaned, upstream.store.epoch, message and message.epoch) == (False, 8, 8)
    assert {record.get("state") for record in upstream.store.records()} == {"live"}
