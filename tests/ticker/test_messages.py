"""Client messages: each documented one is understood, anything else is refused with its code, nothing does harm."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticker import protocol
from ticker.errors import ProtocolError
from ticker.messages import (
    INTERVALS_MS,
    Ping,
    Subscribe,
    Unsubscribe,
    interval_class,
    parse_message,
    parse_subscribe_query,
)
from ticker.model import FIELDS
from ticker.protocol import ERROR_CODES
from ticker.selection import ALL_FIELDS, Selection, field_mask

MAX_SYMBOLS = 1000


SUBSCRIBE = {"op": "subscribe", "id": 9, "symbols": ["A"]}


def test_documented_messages_are_understood() -> None:
    """The messages in the protocol's text are understood, and unknown keys are ignored."""
    assert parse_message(
        b'{"op":"subscribe","id":1,"symbols":["BTC-USD","kraken:*"],"fields":["last","bid","ask","ts"],'
        b'"interval_ms":250,"cursor":"1795386000123:4711:9f3a61c27b04d5e8"}', MAX_SYMBOLS
    ) == Subscribe(
        1, ["BTC-USD", "kraken:*"], [], field_mask(["last", "bid", "ask", "ts"]), 250,
        "1795386000123:4711:9f3a61c27b04d5e8",
    )  # fmt: skip
    assert parse_message('{"op":"unsubscribe","id":2,"symbols":["kraken:*"]}', 1) == Unsubscribe(2, ["kraken:*"])
    assert parse_message(b'{"op":"ping","id":7,"later":[{}]}', MAX_SYMBOLS) == Ping(7)


def test_all_but_op_and_symbols_is_optional() -> None:
    """What a message leaves out, or gives as null, is None."""
    expected = Subscribe(None, ["*"], [], None, None, None)
    assert parse_message('{"op":"subscribe","symbols":["*"]}', MAX_SYMBOLS) == expected
    nulls = '{"op":"subscribe","id":null,"symbols":["*"],"fields":null,"interval_ms":null,"cursor":null}'
    assert parse_message(nulls, MAX_SYMBOLS) == expected
    assert parse_message('{"op":"ping"}', MAX_SYMBOLS) == Ping(None)


@pytest.mark.parametrize("reply_id", [0, -1, (1 << 63) - 1, -(1 << 63) + 1, "", "x" * 64, "\u20ac", None])
def test_id_is_any_sane_integer_or_short_text(reply_id: int | str | None) -> None:
    """The id comes back as it was given."""
    assert parse_message(json.dumps({"op": "ping", "id": reply_id}), MAX_SYMBOLS) == Ping(reply_id)


@pytest.mark.parametrize(("interval_ms", "expected"), [(0, 0), (1, 50), (1 << 63, 60_000)])
def test_an_interval_is_rounded_up_to_a_class(interval_ms: int, expected: int) -> None:
    """Any whole number of milliseconds, zero included, is rounded up."""
    message = parse_message(json.dumps(SUBSCRIBE | {"interval_ms": interval_ms}), MAX_SYMBOLS)
    assert isinstance(message, Subscribe)
    assert message.interval_ms == expected


def test_patterns_are_taken_once_and_malformed_ones_by_name() -> None:
    """Repetitions count once, in order of appearance; each malformed pattern is rejected with its reason."""
    symbols = ["B", "A", "B", "*A*A*A", "a:b:c", "", "BTC/USD", "x" * 81, "A"]
    message = parse_message(json.dumps({"op": "subscribe", "symbols": symbols}), MAX_SYMBOLS)
    assert isinstance(message, Subscribe)
    assert message.patterns == ["B", "A"]
    assert [r["pattern"] for r in message.rejected] == ["*A*A*A", "a:b:c", "", "BTC/USD", "x" * 80]
    assert {r["code"] for r in message.rejected} == {"bad_request"}
    assert message.rejected[0]["message"] == "at most two '*' in a pattern"
    assert all(r["message"] for r in message.rejected)


@pytest.mark.parametrize(
    ("data", "code", "reply_id"),
    [
        (b"", "bad_json", None),
        (b"hello", "bad_json", None),
        (b'{"op":"ping"', "bad_json", None),
        (b'{"op":"ping"}{"op":"ping"}', "bad_json", None),
        (b"{'op':'ping'}", "bad_json", None),
        (b'{"op":NaN}', "bad_json", None),
        (b'{"op":Infinity}', "bad_json", None),
        (b'{"op":1e999}', "bad_json", None),
        (b'{"op":"\\ud800"}', "bad_json", None),
        (b"\xff\xfe", "bad_json", None),
        ("\ud800", "bad_json", None),
        (b"\xef\xbb\xbf{}", "bad_json", None),
        pytest.param(b"[" * 5000 + b"]" * 5000, "bad_json", None, id="deep list"),
        pytest.param(b'{"op":' * 5000, "bad_json", None, id="deep object"),
        (b"null", "bad_request", None),
        (b"3", "bad_request", None),
        (b'"ping"', "bad_request", None),
        (b'[{"op":"ping"}]', "bad_request", None),
        (b'{"op":"ping","id":1.5}', "bad_request", None),
        (b'{"op":"ping","id":true}', "bad_request", None),
        (b'{"op":"ping","id":[1]}', "bad_request", None),
        (b'{"op":"ping","id":{}}', "bad_request", None),
        (b'{"op":"ping","id":9223372036854775808}', "bad_request", None),
        (b'{"op":"ping","id":-9223372036854775808}', "bad_request", None),
        pytest.param(b'{"op":"ping","id":1' + b"0" * 400 + b"}", "bad_json", None, id="400 digits"),
        (b'{"op":"ping","id":"' + b"x" * 65 + b'"}', "bad_request", None),
        (b"{}", "unknown_op", None),
        (b'{"id":9}', "unknown_op", 9),
        (b'{"op":null,"id":9}', "unknown_op", 9),
        (b'{"op":"Ping","id":9}', "unknown_op", 9),
        (b'{"op":["ping"],"id":9}', "unknown_op", 9),
        (b'{"op":{"ping":1},"id":9}', "unknown_op", 9),
        (b'{"op":"auth","token":"t","id":9}', "bad_request", 9),
        (b'{"op":"subscribe","id":9}', "bad_request", 9),
        (b'{"op":"unsubscribe","id":9}', "bad_request", 9),
        (SUBSCRIBE | {"symbols": None}, "bad_request", 9),
        (SUBSCRIBE | {"symbols": "A"}, "bad_request", 9),
        (SUBSCRIBE | {"symbols": {"A": 1}}, "bad_request", 9),
        (SUBSCRIBE | {"symbols": []}, "bad_request", 9),
        (SUBSCRIBE | {"symbols": ["A", 1]}, "bad_request", 9),
        (SUBSCRIBE | {"symbols": [["A"]]}, "bad_request", 9),
        (SUBSCRIBE | {"symbols": [None]}, "bad_request", 9),
        (SUBSCRIBE | {"op": "unsubscribe", "symbols": []}, "bad_request", 9),
        (SUBSCRIBE | {"op": "unsubscribe", "symbols": ["A"] * 1001}, "too_many_symbols", 9),
        (SUBSCRIBE | {"symbols": ["A"] * 1001}, "too_many_symbols", 9),
        (SUBSCRIBE | {"fields": "last"}, "bad_request", 9),
        (SUBSCRIBE | {"fields": {"last": 1}}, "bad_request", 9),
        (SUBSCRIBE | {"fields": []}, "bad_request", 9),
        (SUBSCRIBE | {"fields": [1]}, "bad_request", 9),
        (SUBSCRIBE | {"fields": [["last"]]}, "bad_request", 9),
        (SUBSCRIBE | {"fields": ["last", "prise"]}, "unknown_field", 9),
        (SUBSCRIBE | {"fields": ["Last"]}, "unknown_field", 9),
        (SUBSCRIBE | {"fields": [""]}, "unknown_field", 9),
        (SUBSCRIBE | {"fields": ["x" * 60_000]}, "unknown_field", 9),
        (SUBSCRIBE | {"interval_ms": -1}, "bad_request", 9),
        (SUBSCRIBE | {"interval_ms": 1.5}, "bad_request", 9),
        (SUBSCRIBE | {"interval_ms": True}, "bad_request", 9),
        (SUBSCRIBE | {"interval_ms": "250"}, "bad_request", 9),
        (SUBSCRIBE | {"interval_ms": [250]}, "bad_request", 9),
        (SUBSCRIBE | {"cursor": 4711}, "bad_request", 9),
        (SUBSCRIBE | {"cursor": ["1:2:x"]}, "bad_request", 9),
    ],
)
def test_malformed_message_is_refused_by_code(data: Any, code: str, reply_id: int | None) -> None:
    """Each kind of bad message gets its own code, its id if that is valid, and one short line of advice."""
    text = json.dumps(data) if isinstance(data, dict) else data
    with pytest.raises(ProtocolError) as caught:
        parse_message(text, MAX_SYMBOLS)
    assert (caught.value.code, caught.value.reply_id) == (code, reply_id)
    assert 0 < len(str(caught.value)) < 250


def test_an_unknown_field_is_answered_with_the_nearest() -> None:
    """A misspelt field is answered with the right name."""
    with pytest.raises(ProtocolError, match=r"^no field 'chnage_pct'; did you mean 'change_pct'\?$"):
        parse_message('{"op":"subscribe","symbols":["A"],"fields":["chnage_pct"]}', MAX_SYMBOLS)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 70), 1 << 70) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
symbols = st.lists(
    st.one_of(st.sampled_from(["*", "A", "k:*", "*-*-*", "a:b:c", ""]), st.text(max_size=90)), max_size=8
)
nearly_messages = st.fixed_dictionaries(
    {"op": st.one_of(st.sampled_from(["subscribe", "unsubscribe", "ping"]), json_values)},
    optional={
        "id": st.one_of(st.integers(), st.text(max_size=70), json_values),
        "symbols": st.one_of(symbols, symbols, json_values),
        "fields": st.one_of(st.lists(st.sampled_from((*FIELDS, "x"))), json_values),
        "interval_ms": st.one_of(st.integers(-10, 100_000), json_values),
        "cursor": st.one_of(st.text(), json_values),
    },
)


def refused(problem: ProtocolError) -> None:
    """A refusal has a known code and can be answered."""
    assert problem.code in ERROR_CODES
    json.loads(protocol.error(problem.reply_id, problem.code, str(problem)).data)


def check_parse(data: bytes | str) -> None:
    """A message is refused with a known code, or its parsed form is valid and can be answered."""
    try:
        message = parse_message(data, MAX_SYMBOLS)
    except ProtocolError as problem:
        refused(problem)
        return
    json.loads(protocol.pong(message.reply_id, 1).data)
    if isinstance(message, Subscribe):
        Selection.of(message.patterns)
        assert message.mask is None or 0 < message.mask <= ALL_FIELDS
        assert message.interval_ms is None or message.interval_ms in INTERVALS_MS
        assert all(len(r["pattern"]) <= 80 for r in message.rejected)
        assert len(message.patterns) + len(message.rejected) <= MAX_SYMBOLS


@settings(deadline=None, max_examples=200)
@given(st.one_of(st.binary(), st.text()))
def test_arbitrary_text_raises_nothing_else(data: bytes | str) -> None:
    """Bytes and texts of any kind are a message or a `ProtocolError`."""
    check_parse(data)


@settings(deadline=None, max_examples=200)
@given(st.one_of(nearly_messages, json_values))
def test_arbitrary_json_raises_nothing_else(value: object) -> None:
    """So is any JSON, in particular what is almost a message."""
    check_parse(json.dumps(value))


# Intervals and the URL


@settings(deadline=None)
@given(st.integers(0, 1 << 64))
def test_interval_is_rounded_up_to_a_class(interval_ms: int) -> None:
    """The class is the smallest that is not shorter than the request; the longest one serves all beyond."""
    chosen = interval_class(interval_ms)
    assert [c for c in INTERVALS_MS if c >= interval_ms][:1] in ([chosen], [])
    assert chosen >= interval_ms or chosen == 60_000


def test_interval_classes_are_those_of_the_protocol() -> None:
    """The classes are the documented ones, and each is its own."""
    assert INTERVALS_MS == (0, 50, 100, 250, 500, 1000, 2000, 5000, 10000, 30000, 60000)
    assert [interval_class(c) for c in INTERVALS_MS] == list(INTERVALS_MS)
    assert [interval_class(c) for c in (1, 51, 60_001)] == [50, 100, 60_000]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, None),
        ({"token": "x"}, None),
        ({"symbols": "*"}, Subscribe(None, ["*"], [], None, None, None)),
        (
            {"symbols": "BTC-USD,ETH-USD", "interval_ms": "250", "fields": "last,ts", "cursor": "1:2:x"},
            Subscribe(None, ["BTC-USD", "ETH-USD"], [], field_mask(["last", "ts"]), 250, "1:2:x"),
        ),
        ({"symbols": ",A,,B,A,", "fields": ""}, Subscribe(None, ["A", "B"], [], None, None, None)),
        ({"symbols": "A", "interval_ms": "3", "token": "x"}, Subscribe(None, ["A"], [], None, 50, None)),
        ({"symbols": "A", "_": "1795386000123"}, Subscribe(None, ["A"], [], None, None, None)),
        ({"symbols": "A", "interval_ms": "0"}, Subscribe(None, ["A"], [], None, 0, None)),
        ({"symbols": "A", "interval_ms": "9" * 19}, Subscribe(None, ["A"], [], None, 60_000, None)),
    ],
)
def test_a_url_is_a_subscription_without_id(query: dict[str, str], expected: Subscribe | None) -> None:
    """A URL's query is a subscription without id; without symbols it is none."""
    assert parse_subscribe_query(query.items(), MAX_SYMBOLS) == expected


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"symbol": "A"}, "bad_request"),
        ({"symbols": "A", "interval": "250"}, "bad_request"),
        ({"fields": "last", "token": "x"}, "bad_request"),
        ({"symbols": ""}, "bad_request"),
        ({"symbols": ",,"}, "bad_request"),
        ({"symbols": "A," * 1001}, "too_many_symbols"),
        ({"symbols": "A", "fields": "prise"}, "unknown_field"),
        ({"symbols": "A", "fields": ","}, "bad_request"),
        ({"symbols": "A", "interval_ms": ""}, "bad_request"),
        ({"symbols": "A", "interval_ms": "-1"}, "bad_request"),
        ({"symbols": "A", "interval_ms": "1e3"}, "bad_request"),
        ({"symbols": "A", "interval_ms": "\u0662"}, "bad_request"),
        ({"symbols": "A", "interval_ms": "\u00b2"}, "bad_request"),
        ({"symbols": "A", "interval_ms": "9" * 20}, "bad_request"),
    ],
)
def test_an_invalid_url_is_refused_by_code(query: dict[str, str], code: str) -> None:
    """A URL's errors are those of the message that it stands for."""
    with pytest.raises(ProtocolError) as caught:
        parse_subscribe_query(query.items(), MAX_SYMBOLS)
    assert (caught.value.code, caught.value.reply_id) == (code, None)


@settings(deadline=None, max_examples=200)
@given(
    st.fixed_dictionaries(
        {"symbols": st.text()}, optional=dict.fromkeys(("fields", "interval_ms", "cursor"), st.text())
    )
)
def test_arbitrary_url_raises_nothing_else(query: dict[str, str]) -> None:
    """Whatever a URL contains is a subscription or a `ProtocolError`."""
    try:
        message = parse_subscribe_query(query.items(), MAX_SYMBOLS)
    except ProtocolError as problem:
        refused(problem)
        return
    assert message is not None
    assert message.patterns or message.rejected
