"""What adapters share for reading JSON: rows and lists by a map of names, exact numbers, no crash on any input."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from feeds.exchange.shapes import (
    Index,
    Shape,
    at,
    digits_at,
    list_at,
    percent_of,
    read,
    read_object,
    text_at,
    tick_decimals,
    write,
)
from feeds.exchange.venue import Listing, Row

SHAPE = Shape(
    wire="n",
    fields={"last": "p", "bid": "b"},
    optional={"volume": "v"},
    fraction="f",
    time="t",
    seq="s",
)
SENT = {"n": "BTCUSD", "p": "1.50", "b": "1.40", "v": "7", "f": "0.0196", "t": 1700000000123, "s": 5, "new": {}}
ROW = Row("BTCUSD", {"last": "1.50", "bid": "1.40", "volume": "7", "change_pct": "1.96"}, time="1700000000123", seq=5)
INDEX = Index(wire="n", base="b", quote="q", status="s", open="on", tick=("filters", "step"))
LISTED: dict[str, Any] = {"n": "BTCUSD", "b": "BTC", "q": "USD", "s": "on", "filters": [{"a": 1}, 5, {"step": "0.010"}]}


def test_a_row_has_its_texts_under_our_names() -> None:
    """Other members are ignored."""
    assert SHAPE.row(SENT) == ROW
    assert SHAPE.rows([SENT, SENT]) == [ROW, ROW]


@pytest.mark.parametrize("missing", ["p", "b", "f", "s"])
def test_a_row_without_a_required_field_has_an_unknown_shape(missing: str) -> None:
    """A missing field makes the shape unknown, which is not the same as no price."""
    assert SHAPE.row({name: value for name, value in SENT.items() if name != missing}) == Row("BTCUSD", None)


def test_an_optional_field_may_be_absent() -> None:
    """It then keeps its last value, whereas null clears it; a time is optional, too."""
    sent = {name: value for name, value in SENT.items() if name not in {"v", "t"}}
    assert SHAPE.row(sent) == ROW._replace(raw={"last": "1.50", "bid": "1.40", "change_pct": "1.96"}, time=None)
    assert SHAPE.row({**SENT, "p": None, "v": None, "f": None}).raw == {
        "last": None, "bid": "1.40", "volume": None, "change_pct": None,
    }  # fmt: skip


@pytest.mark.parametrize("sent", [None, 5, "x", [], {}, {"n": None}, {"n": ""}])
def test_a_row_without_an_instrument_has_a_name_no_symbol_has(sent: object) -> None:
    """It can never be taken for a symbol's row."""
    assert SHAPE.row(sent) == Row("?", None)


def test_unnamed_rows_have_an_empty_name() -> None:
    """Rows of an answer that does not name its instrument."""
    assert Shape(wire=None, fields={"last": "p"}).row({"p": "1"}) == Row("", {"last": "1"})


def test_an_invalid_sequence_number_makes_the_shape_unknown() -> None:
    """A sequence number must be a number."""
    assert SHAPE.row({**SENT, "s": []}) == SHAPE.row({**SENT, "s": "x"}) == Row("BTCUSD", None)


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ("105944.20", "105944.20"),
        ("1E-7", "1E-7"),
        ("-0.10", "-0.10"),
        ("14545728493745856413", "14545728493745856413"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("true", "True"),
        ("[1.5]", "['1.5']"),
        ("NaN", "NaN"),
        ("null", ""),
    ],
)
def test_numbers_keep_their_text(sent: str, text: str) -> None:
    """A JSON number keeps the digits that were sent; nothing else can be taken for a number."""
    assert text_at(read(f'{{"p": {sent}}}'.encode()), "p") == text


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b"5", b'"x"', b"null", b"[" * 100_000])
def test_anything_but_a_json_object_is_a_value_error(body: bytes) -> None:
    """Other input raises ValueError and no other exception."""
    with pytest.raises(ValueError, match=r"."):
        read_object(body)


def test_an_open_market_is_listed_with_its_currencies_and_digits() -> None:
    """The digits are those of its price step."""
    assert INDEX.listings([LISTED]) == [Listing("BTC-USD", ("BTCUSD",), 2)]
    assert INDEX.listings([{**LISTED, "filters": None}]) == [Listing("BTC-USD", ("BTCUSD",))]
    assert INDEX.listings([{name: value for name, value in LISTED.items() if name != "s"}]) != []


def test_a_list_may_have_digits_and_display_names() -> None:
    """Where it has digits instead of a step, and names for people, both are used."""
    index = dataclasses.replace(INDEX, digits="d", name="long")
    assert index.listings([LISTED | {"d": 3, "long": "Bitcoin"}]) == [Listing("BTC-USD", ("BTCUSD",), 3, "Bitcoin")]
    assert index.listings([LISTED]) == [Listing("BTC-USD", ("BTCUSD",))]


@pytest.mark.parametrize(
    "entry",
    [None, 5, [], {}, {**LISTED, "s": "off"}, {**LISTED, "s": None}, {**LISTED, "b": ""}, {**LISTED, "n": None}],
)
def test_a_closed_market_or_malformed_entry_is_skipped(entry: object) -> None:
    """The other entries are listed."""
    assert INDEX.listings([entry, LISTED]) == [Listing("BTC-USD", ("BTCUSD",), 2)]


@pytest.mark.parametrize(
    ("tick", "decimals"),
    [
        ("0.01000000", 2), ("0.5", 1), ("1", 0), ("1.00", 0), ("10.00000000", 0), ("1e-06", 6),
        ("0.000000000001", 12), ("0.00000000", None), ("", None), ("x", None),
    ],
)  # fmt: skip
def test_decimals_are_the_digits_of_the_price_step(tick: str, decimals: int | None) -> None:
    """A step of zero gives none."""
    assert tick_decimals(tick) == decimals


@pytest.mark.parametrize(
    ("fraction", "percent"),
    [
        ("0.0196", "1.96"), ("-0.1034", "-10.34"), ("0", "0"), ("1", "100"), ("0.00005", "0.005"),
        ("-0.000096", "-0.0096"),
        ("1e-4", "0.01"), ("0.1000", "10.00"), ("12345.6789012345678901234567890", "1234567.89012345678901234567890"),
        ("", None), (None, None), ("x", "x"), ("NaN", "NaN"),
    ],
)  # fmt: skip
def test_a_fraction_becomes_a_percentage_digit_for_digit(fraction: str | None, percent: str | None) -> None:
    """The point moves two places and no digit changes; what is not a number is left for the judge to reject."""
    assert percent_of(fraction) == percent


@pytest.mark.parametrize(
    ("digits", "known"),
    [*((n, n) for n in (0, 8, 30)), *((odd, None) for odd in (31, -1, 2**64, True, "2", 2.0, None))],
)
def test_impossible_digits_of_a_list_are_unknown(digits: Any, known: int | None) -> None:
    """Seen: `true` was sent to every reader as `True`, which is not JSON."""
    found = digits_at({"pair": {"digits": digits}}, "pair", "digits")
    assert (found, type(found)) == (known, type(known))


def test_a_path_leads_through_objects_and_lists() -> None:
    """It leads through lists by index or by the entry with that name; a path that ends early leads to nothing."""
    value = {"a": [{"b": 1}, {"c": [5, 6]}]}
    assert (at(value, "a", "c", 1), at(value, "a", 0, "b"), at(value, "a", 2), at(value, "a", "x", "y")) == (
        6, 1, None, None,
    )  # fmt: skip
    assert at("text", 0) is at(None, "a") is at(5, "a") is None
    assert list_at(value, "a", "c") == [5, 6]
    with pytest.raises(ValueError, match=r"a\.b"):
        list_at(value, "a", "b")
    with pytest.raises(ValueError, match="the top"):
        list_at(value)


def test_outgoing_json_has_no_whitespace() -> None:
    """What is sent to an exchange is compact JSON."""
    assert write({"op": "subscribe", "args": ("a", "ü")}) == '{"op":"subscribe","args":["a","ü"]}'
