"""How rows are judged: only sane prices leave, each refusal is counted, and nothing good is lost with the bad."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.exchange.shapes import decode_json, text_of
from feeds.rows import all_plain, good_values
from feeds.times import time_ms
from ticker.model import Value

GOOD: dict[str, str | None] = {"last": "10.5", "bid": "10.40", "ask": "10.60", "bid_size": "3", "ask_size": "0.000"}


def judge(raw: Mapping[str, str | None], crossed: str = "reject") -> tuple[dict[str, Value] | None, str | None]:
    """The good values of a row, and why others were left out."""
    return good_values(raw, crossed)


def test_a_good_row_is_unchanged() -> None:
    """Texts keep every digit, sizes may be zero."""
    assert judge({**GOOD, "change_pct": "-1.250"}) == ({**GOOD, "change_pct": "-1.250"}, None)


@pytest.mark.parametrize("nothing", ["0", "0.00000000", "", None, "0e5", "-0"])
def test_a_missing_price_clears_only_its_field(nothing: str | None) -> None:
    """Zero, empty and null are no price: that field is cleared, and the good ones make a good row."""
    assert judge({**GOOD, "last": nothing}) == ({**GOOD, "last": None}, None)


@pytest.mark.parametrize(
    "bad", ["NaN", "nan", "Infinity", "-1", "1e999", "abc", "true", "1,5", " 1", "0x10", "\u0661", "9" * 50]
)
def test_an_invalid_number_leaves_its_field_unchanged(bad: str) -> None:
    """The last good value stays, and the other fields are used."""
    left = {name: text for name, text in GOOD.items() if name != "last"}
    assert judge({**GOOD, "high": bad, "volume": bad, "last": bad}) == (left, "price")


@pytest.mark.parametrize("side", ["bid", "ask"])
def test_a_refused_side_drops_the_other_with_both_sizes(side: str) -> None:
    """Bid and ask are used together or not at all.

    Seen: a good bid beside a broken ask stood beside the ask of the row before in the store, and above it if the market
    had risen: a crossed pair, shown as good.
    """
    for raw in ({**GOOD, side: "-1"}, {"last": "10.5", side: "NaN", f"{side}_size": "3"}):
        assert judge(raw) == ({"last": "10.5"}, "price")


@pytest.mark.parametrize(
    "raw",
    [
        {"last": "0", "bid": "0.0", "ask": None, "volume": "5"},
        {"last": "NaN", "bid": "x", "ask": "-3", "high": "12"},
        {"bid": "x", "ask": ""},
        {"last": "-1"},
        {"volume": "-1"},
    ],
)
def test_a_row_without_a_good_price_is_refused(raw: dict[str, str | None]) -> None:
    """It is no quote, whatever else it has."""
    values, reason = judge(raw)
    assert not values
    assert reason in {"price", None}


def test_a_partial_row_keeps_the_fields_it_lacks() -> None:
    """A row without any prices says nothing against them: its fields are used, the others stay."""
    assert judge({"volume": "7.0"}) == ({"volume": "7.0"}, None)


def test_a_crossed_row_keeps_its_last_price() -> None:
    """Bid above ask: both are dropped with their sizes; the last price is used."""
    assert judge({**GOOD, "bid": "10.61"}) == ({"last": "10.5"}, "crossed")


def test_a_crossed_row_without_a_last_price_is_refused() -> None:
    """It is no quote."""
    assert judge({"bid": "9.5", "ask": "9.49999999999999999999"}) == (None, "crossed")


def test_bid_and_ask_are_compared_by_value() -> None:
    """Not text but numbers are compared: 9.5 is below 10, and 10 is not above 10.000, so these pass.

    Seen: a bid of 100000 above an ask of 99999 passed, too, where prices have no point.
    """
    for bid, ask in (("9.5", "10"), ("10", "10.000"), ("10.000", "10"), ("9", "10")):
        assert judge({"bid": bid, "ask": ask}) == ({"bid": bid, "ask": ask}, None)
    for bid, ask in (("10.5", "9.5"), ("10", "9"), ("100000", "99999")):
        assert judge({"bid": bid, "ask": ask}) == (None, "crossed")


def test_a_crossed_pair_may_be_kept() -> None:
    """With `keep` a crossed pair is published."""
    assert judge({"bid": "11", "ask": "10"}, crossed="keep") == ({"bid": "11", "ask": "10"}, None)


@given(raw=st.dictionaries(st.sampled_from(sorted(GOOD)), st.one_of(st.none(), st.text(max_size=12), st.from_regex(
    r"-?[0-9]{0,3}(\.[0-9]{0,3})?(e[0-9])?", fullmatch=True))))  # fmt: skip
def test_only_sane_prices_leave(raw: dict[str, str | None]) -> None:
    """Whatever a row holds: published prices are finite and above zero, and bid is not above ask."""
    values, _ = judge(raw)
    numbers = {name: float(str(value)) for name, value in (values or {}).items() if value is not None}
    assert all(math.isfinite(number) and number >= 0 for number in numbers.values())
    assert all(numbers.get(name, 1.0) > 0 for name in ("last", "bid", "ask"))
    assert numbers.get("bid", 0) <= numbers.get("ask", math.inf)


@pytest.mark.parametrize(
    ("raw", "unit", "expected"),
    [
        ("1490388297563", "ms", 1490388297563),
        ("1490388297", "s", 1490388297000),
        ("1490388297.563", "s", 1490388297563),
        ("1490388297.5639", "s", 1490388297563),
        ("1.490388297563E12", "ms", 1490388297563),
        ("1490388297563999", "us", 1490388297563),
        ("1490388297563999999", "ns", 1490388297563),
        ("1970-01-01T00:00:00.001Z", "iso", 1),
        ("2017-10-03T04:04:10", "iso", 1507003450000),
        ("2017-10-03T04:04:10Z", "iso", 1507003450000),
        ("2017-10-03T04:04:10.7", "iso", 1507003450700),
        ("2017-10-03T04:04:10.75", "iso", 1507003450750),
        ("2017-10-03T04:04:10.7512345", "iso", 1507003450751),
        ("2017-10-03T04:04:10.123456789Z", "iso", 1507003450123),
        ("2017-10-03T13:04:10.5+09:00", "iso", 1507003450500),
        ("2017-10-03 04:04:10", "iso", 1507003450000),
        (None, "ms", None),
        ("", "iso", None),
        ("0", "s", None),
    ],
)
def test_every_way_to_write_a_time_gives_milliseconds(raw: str | None, unit: str, expected: int | None) -> None:
    """Whole ones, rounded down; nothing gives None."""
    assert time_ms(raw, unit) == expected


@pytest.mark.parametrize(
    ("raw", "unit"),
    [("x", "ms"), ("-5", "s"), ("NaN", "s"), ("20171003", "iso"), ("2017-W40-2T04:04:10", "iso"),
     ("2017-10-03T25:04:10", "iso"), ("1507003450000", "iso"), ("2017-13-03T04:04:10Z", "iso"),
     ("0001-01-01T00:00:00Z", "iso"), ("1970-01-01T00:00:00+00:01", "iso")],
)  # fmt: skip
def test_text_that_is_no_time_is_an_error(raw: str, unit: str) -> None:
    """Text that names no moment is an error, never a guess."""
    with pytest.raises(ValueError, match=r"."):
        time_ms(raw, unit)


class Shape(msgspec.Struct):
    """What an adapter may expect."""

    a: list[Any]


SHAPE = msgspec.json.Decoder(Shape, float_hook=str)


def texts(body: bytes) -> list[str | None]:
    return [text_of(value) for value in decode_json(body, SHAPE).a]


def test_numbers_keep_their_text() -> None:
    """A number has the digits that were sent, trailing zeros and exponent included; a string keeps its content."""
    body = rb'{"a": [1.50, 2.2E-7, 100000000000000000000.1, "0.10", "\u0031/2", null, -3]}'
    assert texts(body) == ["1.50", "2.2E-7", "100000000000000000000.1", "0.10", "1/2", None, "-3"]


def test_nan_and_infinity_are_read_as_text() -> None:
    """As prices they are rejected like other text; numbers beside them keep their digits."""
    assert texts(b'{"a": [NaN, -Infinity, 1.50, "x"]}') == ["NaN", "-Infinity", "1.50", "x"]


def test_a_lone_surrogate_becomes_a_question_mark() -> None:
    """Seen: a lone surrogate in one row's name, which is legal JSON, made the whole answer fail, poll after poll.

    It is a `?` of its own text; what stands beside it, all other alphabets included, is as it was sent.
    """
    body = rb'[{"name": "\ud83d", "last": 1.50}, {"name": "\ud83d\ude00 \u043d\u044d", "last": 2}]'
    expected = [{"name": "?", "last": "1.50"}, {"name": "\U0001f600 \u043d\u044d", "last": 2}]
    assert decode_json(body, msgspec.json.Decoder(float_hook=str)) == expected


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"a": [1.5', b"[]", b'{"b": 1}', b"<html>", b'{"a": [1]} x', b'{"a": ["\xff"]}', b"null",
     b'{"a": ' + b"[" * 100_000, b'{"a": [' + b"[" * 100_000, b'{"a": [' + b"9" * 5000 + b", NaN, oops"],
)  # fmt: skip
def test_an_unreadable_body_is_one_kind_of_error(body: bytes) -> None:
    """Truncated, misshapen, badly encoded or monstrous."""
    with pytest.raises(ValueError, match=r"."):
        decode_json(body, SHAPE)


@pytest.mark.parametrize(
    ("rows", "plain"),
    [
        ([], True),
        ([("1", "2", "A"), ("0.01", "3", "any\tname")], True),
        ([("1", "2", "A"), ("0", "3", "B")], False),
        ([("1", "2", "A"), ("", "3", "B")], False),
        ([("2", "1", "A")], False),
        ([("10.1", "9.99", "A")], False),
        ([("1", "2", "A\n1"), ("2", "bad", "3"), ("4", "5\n6", "7\n8")], False),  # as lines, these would do
    ],
)
def test_rows_are_plain_in_bulk_if_each_is(rows: list[tuple[str, ...]], plain: bool) -> None:
    """A line break in one of them cannot hide a value."""
    assert all_plain(("bid", "ask"), rows, "reject") is plain
    assert all(all_plain(("bid", "ask"), [row], "reject") for row in rows) is plain


def test_a_book_without_orders_clears_both_sides() -> None:
    """A row that has only best bid and ask, and says that there are none, clears both.

    Seen: it was refused, and the old pair stood beside a last price that went on.
    """
    values, reason = judge({"bid": "", "ask": None, "bid_size": "0"})
    assert values is not None
    assert (values["bid"], values["ask"], reason) == (None, None, None)
