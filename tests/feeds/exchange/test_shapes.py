"""What adapters share in reading JSON: rows and lists by a map of names, exact numbers, nothing that breaks."""

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


def test_row() -> None:
    """A row has the texts under our names, and what nobody asked for is ignored."""
    assert SHAPE.row(SENT) == ROW
    assert SHAPE.rows([SENT, SENT]) == [ROW, ROW]


@pytest.mark.parametrize("missing", ["p", "b", "f", "s"])
def test_row_that_lacks_a_field(missing: str) -> None:
    """A field that is gone makes a row of unknown shape, which is not the same as no price."""
    assert SHAPE.row({name: value for name, value in SENT.items() if name != missing}) == Row("BTCUSD", None)


def test_row_may_lack_what_is_optional() -> None:
    """An optional field keeps its last value, and a time is not needed; null is another thing than absent."""
    sent = {name: value for name, value in SENT.items() if name not in {"v", "t"}}
    assert SHAPE.row(sent) == ROW._replace(raw={"last": "1.50", "bid": "1.40", "change_pct": "1.96"}, time=None)
    assert SHAPE.row({**SENT, "p": None, "v": None, "f": None}).raw == {
        "last": None, "bid": "1.40", "volume": None, "change_pct": None,
    }  # fmt: skip


@pytest.mark.parametrize("sent", [None, 5, "x", [], {}, {"n": None}, {"n": ""}])
def test_row_of_nobody(sent: object) -> None:
    """What does not even name an instrument has a name that none has."""
    assert SHAPE.row(sent) == Row("?", None)


def test_unnamed_rows() -> None:
    """An answer that does not name its instrument has rows with an empty name."""
    assert Shape(wire=None, fields={"last": "p"}).row({"p": "1"}) == Row("", {"last": "1"})


def test_sequence_that_is_none() -> None:
    """A sequence number that is no number makes the shape unknown."""
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
    """A JSON number is the digits that were sent; what is no number cannot be taken for one."""
    assert text_at(read(f'{{"p": {sent}}}'.encode()), "p") == text


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b"5", b'"x"', b"null", b"[" * 100_000])
def test_no_object(body: bytes) -> None:
    """Whatever is no JSON object is a ValueError and nothing else."""
    with pytest.raises(ValueError, match=r"."):
        read_object(body)


def test_listing() -> None:
    """An open market is listed with its two currencies, and the digits of its step."""
    assert INDEX.listings([LISTED]) == [Listing("BTC-USD", ("BTCUSD",), 2)]
    assert INDEX.listings([{**LISTED, "filters": None}]) == [Listing("BTC-USD", ("BTCUSD",))]
    assert INDEX.listings([{name: value for name, value in LISTED.items() if name != "s"}]) != []


def test_listing_with_digits_and_a_name() -> None:
    """Where a list has digits instead of a step, and names for people, both are taken where they are sent."""
    index = dataclasses.replace(INDEX, digits="d", name="long")
    assert index.listings([LISTED | {"d": 3, "long": "Bitcoin"}]) == [Listing("BTC-USD", ("BTCUSD",), 3, "Bitcoin")]
    assert index.listings([LISTED]) == [Listing("BTC-USD", ("BTCUSD",))]


@pytest.mark.parametrize(
    "entry",
    [None, 5, [], {}, {**LISTED, "s": "off"}, {**LISTED, "s": None}, {**LISTED, "b": ""}, {**LISTED, "n": None}],
)
def test_entry_that_is_not_listed(entry: object) -> None:
    """A closed market, or an entry of another shape, costs itself."""
    assert INDEX.listings([entry, LISTED]) == [Listing("BTC-USD", ("BTCUSD",), 2)]


@pytest.mark.parametrize(
    ("tick", "decimals"),
    [
        ("0.01000000", 2), ("0.5", 1), ("1", 0), ("1.00", 0), ("10.00000000", 0), ("1e-06", 6),
        ("0.000000000001", 12), ("0.00000000", None), ("", None), ("x", None),
    ],
)  # fmt: skip
def test_decimals_of_a_step(tick: str, decimals: int | None) -> None:
    """Digits after the point are those that the step needs; a step of zero says nothing."""
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
def test_fraction_as_percent(fraction: str | None, percent: str | None) -> None:
    """The point moves two places and no digit changes; what is no number is left for others to refuse."""
    assert percent_of(fraction) == percent


@pytest.mark.parametrize(
    ("digits", "known"),
    [*((n, n) for n in (0, 8, 30)), *((odd, None) for odd in (31, -1, 2**64, True, "2", 2.0, None))],
)
def test_digits_of_a_list(digits: Any, known: int | None) -> None:
    """What no price can have is not known. Seen: `true` went out as `True`, which is no JSON, to every reader."""
    found = digits_at({"pair": {"digits": digits}}, "pair", "digits")
    assert (found, type(found)) == (known, type(known))


def test_paths() -> None:
    """A path leads through objects, through lists by index or by the entry that has the name, or to nothing."""
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


def test_write() -> None:
    """What is sent is JSON without blanks."""
    assert write({"op": "subscribe", "args": ("a", "ü")}) == '{"op":"subscribe","args":["a","ü"]}'
