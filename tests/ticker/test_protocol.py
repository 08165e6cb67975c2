"""The wire: each frame byte for byte as the protocol's text shows it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticker import protocol
from ticker.model import FEED_FIELDS, FIELDS, NUMBER_FIELDS, Value
from ticker.protocol import (
    ERROR_CODES,
    MAX_PIECES,
    Cursor,
    data_frame,
    piece,
)
from ticker.record import Changes, Record
from ticker.selection import ALL_FIELDS, Selection

EPOCH = 1795386000123


def record(key: str, values: dict[str, Any]) -> Record:
    """A record with these values; the others are not known."""
    made = Record(key, 1)
    for name, value in values.items():
        made.values[made.places[name][0]] = value
    return made


def row(key: str, values: dict[str, Any]) -> tuple[Record, int]:
    """A record and the mask of just the given fields."""
    made = record(key, values)
    order = FEED_FIELDS if made.is_feed else FIELDS
    return made, sum(1 << order.index(name) for name in values)


def exact(data: bytes) -> Any:
    """JSON with numbers as their text and objects as lists of pairs, so that digits and key order count."""
    return json.loads(data, parse_float=str, parse_int=str, object_pairs_hook=list)


BTC = row("BTC-USD", {"last": "97412.40", "ts": 1795386012398})
KRAKEN_STALE = row("@kraken", {"state": "stale", "since": 1795386012000})


# Frames


def test_hello_is_as_documented() -> None:
    """The first frame is as documented, byte for byte."""
    limits = {"patterns": 1000, "symbols": 50000, "message_bytes": 65536, "messages_per_s": 20, "min_interval_ms": 0}
    frame = protocol.hello("ticker/0.3.0", EPOCH, 4711, 1795386012345, ["simulated"], 5000, 17, limits)
    assert frame.data == (
        b'{"type":"hello","protocol":1,"server":"ticker/0.3.0","epoch":1795386000123,"version":4711,'
        b'"time":1795386012345,"kinds":["simulated"],"heartbeat_ms":5000,"connection":17,"limits":{"patterns":1000,"symbols":50000,'
        b'"message_bytes":65536,"messages_per_s":20,"min_interval_ms":0}}'
    )
    assert frame.kind == "hello"


def test_subscribed_is_as_documented() -> None:
    """The answer to `subscribe` is as documented; the selection's digest is the cursor's SEL."""
    selection = Selection.of(["kraken:*", "BTC-USD"])
    text = "at most two '*' in a pattern"
    frame = protocol.subscribed(
        1, selection, 734, 0, resumed=False,
        unknown=[{"symbol": "BTC-USDX", "nearest": ["BTC-USD", "BTC-USDT"]}],
        rejected=[{"pattern": "*A*A*A", "code": "bad_request", "message": text}],
    )  # fmt: skip
    assert (
        frame.data
        == (
            b'{"type":"subscribed","id":1,"patterns":["BTC-USD","kraken:*"],"matched":734,"fields":null,"interval_ms":0,'
            b'"selection":"%b","resumed":false,"unknown":[{"symbol":"BTC-USDX","nearest":["BTC-USD","BTC-USDT"]}],'
            b'"rejected":[{"pattern":"*A*A*A","code":"bad_request","message":"at most two \'*\' in a pattern"}]}'
        )
        % selection.digest.encode()
    )
    assert frame.kind == "subscribed"


def test_subscribed_lists_fields_in_table_order() -> None:
    """However the reader wrote them, fields come back in the order of the table."""
    selection = Selection.of(["*"], ["ts", "bid", "last"])
    frame = protocol.subscribed("x", selection, 0, 250, resumed=True, unknown=[], rejected=[])
    assert (
        frame.data
        == (
            b'{"type":"subscribed","id":"x","patterns":["*"],"matched":0,"fields":["last","bid","ts"],"interval_ms":250,'
            b'"selection":"%b","resumed":true,"unknown":[],"rejected":[]}'
        )
        % selection.digest.encode()
    )


def test_the_digest_is_as_documented() -> None:
    """SEL is 16 hex digits of SHA-256 over patterns and fields, the same in every process and release."""
    expected = hashlib.sha256(b"BTC-USD\nkraken:*\n\nlast\nts").hexdigest()[:16]
    assert expected == "a7a101d3d4caff85"
    assert Selection.of(["kraken:*", "BTC-USD"], ["ts", "last"]).digest == expected


def test_unsubscribed_has_what_is_left() -> None:
    """The answer to `unsubscribe` says what is left."""
    selection = Selection.of(["BTC-USD"])
    assert (
        protocol.unsubscribed(2, selection, 1).data
        == (b'{"type":"unsubscribed","id":2,"patterns":["BTC-USD"],"matched":1,"selection":"%b"}')
        % selection.digest.encode()
    )


def test_a_snapshot_has_whole_records_and_feeds() -> None:
    """A snapshot has epoch, version and time, then whole records and feeds."""
    quote = record("BTC-USD", {"last": "97412.35", "bid": "97412.30", "ask": "97412.35", "state": "live"})
    feed = record("@kraken", {"state": "live", "since": 1795386000500, "kind": "live", "clock": "received"})
    changes = Changes(EPOCH, None, 4711, [(quote, quote.everything), (feed, feed.everything)], [])
    frame = data_frame(changes, 1795386012346)
    assert frame.data == (
        b'{"type":"snapshot","epoch":1795386000123,"version":4711,"time":1795386012346,'
        b'"quotes":{"BTC-USD":{"last":97412.35,"bid":97412.30,"ask":97412.35,"bid_size":null,"ask_size":null,'
        b'"open":null,"high":null,"low":null,"volume":null,"quote_volume":null,"change_pct":null,"ts":null,'
        b'"state":"live","source":null,"decimals":null,"name":null}},'
        b'"feeds":{"kraken":{"state":"live","since":1795386000500,"kind":"live","clock":"received","message":null}}}'
    )
    assert (frame.kind, frame.rows) == ("snapshot", 1)


def test_an_update_has_changed_fields_gone_names_and_feeds() -> None:
    """An update has since, version and time, then changed fields, gone names and feeds."""
    frame = data_frame(Changes(EPOCH, 4711, 4712, [BTC, KRAKEN_STALE], ["OLD-USD"]), 1795386012401)
    assert frame.data == (
        b'{"type":"update","since":4711,"version":4712,"time":1795386012401,'
        b'"quotes":{"BTC-USD":{"last":97412.40,"ts":1795386012398}},"gone":["OLD-USD"],'
        b'"feeds":{"kraken":{"state":"stale","since":1795386012000}}}'
    )
    assert (frame.kind, frame.rows) == ("update", 1)


@pytest.mark.parametrize(
    ("rows", "gone", "body"),
    [
        ([], [], b""),
        ([BTC], [], b',"quotes":{"BTC-USD":{"last":97412.40,"ts":1795386012398}}'),
        ([], ["A", "B-USD"], b',"gone":["A","B-USD"]'),
        ([KRAKEN_STALE], [], b',"feeds":{"kraken":{"state":"stale","since":1795386012000}}'),
    ],
)
def test_empty_members_are_left_out(rows: list[tuple[Record, int]], gone: list[str], body: bytes) -> None:
    """`quotes`, `gone` and `feeds` are in an update only if not empty."""
    frame = data_frame(Changes(EPOCH, 3, 3, rows, gone), 7)
    assert frame.data == b'{"type":"update","since":3,"version":3,"time":7%b}' % body


def test_empty_snapshot_still_has_quotes() -> None:
    """A reader may always write `view = m.quotes`, even when there is nothing but feeds."""
    frame = data_frame(Changes(EPOCH, None, 1, [KRAKEN_STALE], []), 7)
    assert frame.data == (
        b'{"type":"snapshot","epoch":1795386000123,"version":1,"time":7,"quotes":{},'
        b'"feeds":{"kraken":{"state":"stale","since":1795386012000}}}'
    )
    assert frame.rows == 0


def test_an_update_continues_from_the_last_version_told() -> None:
    """`told` is written as `since` in place of the version that the store was asked for; a snapshot has none."""
    assert b'"since":5,"version":9' in data_frame(Changes(EPOCH, 8, 9, [], []), 7, told=5).data
    assert b'"since":0,"version":9' in data_frame(Changes(EPOCH, 8, 9, [], []), 7, told=0).data
    assert b"since" not in data_frame(Changes(EPOCH, None, 9, [], []), 7, told=5).data


@pytest.mark.parametrize("gone", [[], ["OLD-USD"]])
@pytest.mark.parametrize("feeds", [[], [KRAKEN_STALE]])
@pytest.mark.parametrize("rows", [[BTC], [BTC, row("A", {"bid": "1.50", "ask": None, "state": "live"})]])
def test_updates_of_many_groups_equal_those_encoded_alone(
    rows: list[tuple[Record, int]], feeds: list[tuple[Record, int]], gone: list[str]
) -> None:
    """Updates that share their common part are byte for byte those that are encoded alone."""
    for feed, mask in feeds:
        feed.mask = mask
    alone = data_frame(Changes(EPOCH, 7, 9, rows + feeds, gone), 1795386012401)
    updates = protocol.Updates(9, 1795386012401, [feed for feed, _ in feeds])
    shared = updates.frame(7, [piece(made, mask) for made, mask in rows], gone)
    assert (shared.data, shared.kind, shared.rows, shared.version) == (alone.data, "update", len(rows), 9)


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (protocol.heartbeat(4712, 1795386017402), b'{"type":"heartbeat","version":4712,"time":1795386017402}'),
        (protocol.pong(7, 1795386017500), b'{"type":"pong","id":7,"time":1795386017500}'),
        (protocol.pong('a"b', 1), b'{"type":"pong","id":"a\\"b","time":1}'),
        (protocol.pong(None, 1), b'{"type":"pong","time":1}'),
        (protocol.pong(0, 1), b'{"type":"pong","id":0,"time":1}'),
        (
            protocol.error(3, "bad_request", "field 'symbols' must be a list of strings"),
            (
                b'{"type":"error","id":3,"code":"bad_request",'
                b'"message":"field \'symbols\' must be a list of strings","retry":false}'
            ),
        ),
        (
            protocol.error(None, "rate_limited", "wait", retry=True),
            b'{"type":"error","code":"rate_limited","message":"wait","retry":true}',
        ),
        (
            protocol.bye("shutdown", (500, 5000)),
            b'{"type":"bye","reason":"shutdown","reconnect":true,"retry_ms":[500,5000]}',
        ),
        (
            protocol.bye("banned", (0, 0), reconnect=False),
            b'{"type":"bye","reason":"banned","reconnect":false,"retry_ms":[0,0]}',
        ),
    ],
)  # fmt: skip
def test_small_frames_are_as_documented(frame: protocol.Frame, expected: bytes) -> None:
    """Each of the small frames is as documented; its kind is its type, and it carries no rows."""
    assert frame.data == expected
    assert frame.kind == json.loads(expected)["type"]
    assert frame.kind in protocol.FRAME_KINDS
    assert (frame.rows, frame.wire) == (0, None)


decimals = st.from_regex(r"\A(0|[1-9][0-9]{0,19})(\.[0-9]{1,30})?\Z")
texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.fixed_dictionaries(
    {},
    optional={
        name: st.none()
        | (texts if name not in NUMBER_FIELDS else st.integers(0, 1 << 60) if name in {"ts", "decimals"} else decimals)
        for name in FIELDS
    },
)


@settings(deadline=None, max_examples=100)
@given(values, st.integers(1, ALL_FIELDS))
def test_record_is_strict_json_with_the_exchanges_digits(known: dict[str, Value], mask: int) -> None:
    """Whatever a record holds, its fields come in table order, numbers as their own text, or null."""
    made = record("v:A-B", known)
    expected = [(f, known.get(f)) for i, f in enumerate(FIELDS) if mask >> i & 1]
    as_text = [(f, v if v is None or f not in NUMBER_FIELDS else str(v)) for f, v in expected]
    assert exact(b"{%b}" % piece(made, mask)) == [("v:A-B", as_text)]


@settings(deadline=None)
@given(texts, st.sampled_from(["live", "down"]))
def test_feed_record_is_strict_json(message: str, state: str) -> None:
    """A feed's message may be any text; its record is under the feed's name."""
    made = record("@k", {"state": state, "since": 5, "message": message})
    expected = [("k", [("state", state), ("since", "5"), ("kind", None), ("clock", None), ("message", message)])]
    assert exact(b"{%b}" % piece(made, made.everything)) == expected


def test_piece_is_encoded_once_for_each_mask() -> None:
    """Frames share a record's bytes until the record changes; another mask is another piece."""
    made = record("A", {"last": "1.0", "bid": "2"})
    first = piece(made, 1)
    assert first == b'"A":{"last":1.0}'
    made.values[0] = "3"
    assert piece(made, 1) is first
    assert piece(made, 3) == b'"A":{"last":3,"bid":2}'
    made.pieces = {}
    assert piece(made, 1) == b'"A":{"last":3}'


def test_an_unchanged_record_keeps_few_encoded_pieces() -> None:
    """Requests for ever different fields in a quiet market do not fill the memory: the oldest piece is dropped."""
    made = record("A", {"last": "1.0", "bid": "2"})
    for mask in range(1, 100):
        piece(made, mask)
    assert list(made.pieces) == list(range(100 - MAX_PIECES, 100))


def test_close_and_error_codes_are_those_of_the_protocol() -> None:
    """Close codes and error codes are as documented."""
    assert (protocol.NORMAL, protocol.GOING_AWAY, protocol.RESTART) == (1000, 1001, 1012)
    assert (protocol.BINARY_FRAME, protocol.BAD_UTF8, protocol.TOO_LARGE) == (1003, 1007, 1009)
    assert (protocol.BAD_MESSAGES, protocol.UNAUTHORIZED, protocol.STALLED) == (4000, 4001, 4008)
    assert (protocol.NO_PONG, protocol.TOO_MANY_MESSAGES) == (4009, 4029)
    assert set(ERROR_CODES) == {
        "bad_json", "bad_request", "unknown_op", "unknown_symbol", "unknown_field", "too_many_symbols", "too_large",
        "rate_limited", "unauthorized", "forbidden", "not_subscribed", "internal", "overloaded",
    }  # fmt: skip


# Cursor


@settings(deadline=None)
@given(st.integers(0, 10**19 - 1), st.integers(0, 10**19 - 1), st.from_regex(r"\A[0-9a-f]{16}\Z"))
def test_a_cursor_survives_the_round_trip(epoch: int, version: int, digest: str) -> None:
    """What a reader puts together and sends back is the same cursor."""
    assert Cursor.parse(str(Cursor(epoch, version, digest))) == (epoch, version, digest)


@settings(deadline=None, max_examples=150)
@given(st.one_of(st.text(), st.text("0123456789:abcdef-+ _\u0663\uff11\u00b2")))
def test_any_text_is_a_sane_cursor_or_none(text: str) -> None:
    """Any text is either no cursor, or one with whole numbers that are neither negative nor absurd."""
    cursor = Cursor.parse(text)
    if cursor is not None:
        assert 0 <= cursor.epoch < 10**19
        assert 0 <= cursor.version < 10**19
        assert text.endswith(f":{cursor.digest}")


@pytest.mark.parametrize(
    "text",
    ["", ":", "::", "1:2", "1:2:3:4", "a:2:x", "1:-2:x", "+1:2:x", " 1:2:x", "1_0:2:x", "1.0:2:x", "\u0661:2:x",
     "\u00b2:2:x", "1" * 20 + ":2:x", "1:" + "2" * 400 + ":x", "None:None:None"],
)  # fmt: skip
def test_a_malformed_cursor_is_no_cursor(text: str) -> None:
    """Text that is not `EPOCH:VERSION:SEL` is no cursor, and raises nothing."""
    assert Cursor.parse(text) is None


def test_cursor_counts_only_for_its_epoch_and_selection() -> None:
    """`since` is the version in the same epoch for the same patterns and fields, else nothing."""
    selection = Selection.of(["*"])
    cursor = Cursor(7, 42, selection.digest)
    assert cursor.since(7, selection) == 42
    assert cursor.since(8, selection) is None
    assert cursor.since(7, Selection.of(["*", "A"])) is None
    assert cursor.since(7, Selection.of(["*"], ["last"])) is None
    assert Cursor(7, 42, "").since(7, selection) is None
