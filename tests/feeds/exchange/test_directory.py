"""Symbols: which of an exchange's names map to ours, and which of ours are wanted."""

from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.exchange.directory import Directory
from feeds.exchange.venue import Listing
from tests.feeds.toy import NEEDS_LIST, TOY
from ticker.model import pattern_matches


def find(directory: Directory, *wires: str) -> list[tuple[str, bool] | None]:
    return [(entry.symbol, entry.selected) if entry else None for entry in map(directory.entry, wires)]


@pytest.mark.parametrize(
    ("pattern", "symbol", "fits"),
    [
        ("*", "BTC-USD", True),
        ("BTC-USD", "BTC-USD", True),
        ("BTC-USD", "BTC-USDT", False),
        ("*-USD", "BTC-USD", True),
        ("*-USD", "BTC-USDT", False),
        ("BTC-*", "BTC-USD", True),
        ("BTC-*", "BTC", False),
        ("A*A", "A", False),
        ("A*A", "AA", True),
        ("*A*B*", "xByA", False),
        ("*A*B*", "xAyB", True),
        ("BRK.B", "BRKxB", False),
        ("**", "", True),
        ("", "BTC", False),
    ],
)
def test_a_star_matches_any_characters_and_all_else_itself(pattern: str, symbol: str, fits: bool) -> None:
    """A star matches any run of characters, even an empty one; every other character matches only itself."""
    assert pattern_matches(pattern, symbol) is fits


@given(pattern=st.text("AB-*", max_size=8), symbol=st.text("AB-", max_size=8))
def test_pattern_matching_agrees_with_a_regular_expression(pattern: str, symbol: str) -> None:
    """For any pattern the result is that of the equivalent regular expression."""
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), symbol) is not None
    assert pattern_matches(pattern, symbol) is expected


def test_a_hostile_pattern_does_not_backtrack() -> None:
    """A pattern on which a regular expression would backtrack for ages is matched at once."""
    assert not pattern_matches("*A" * 31 + "B", "A" * 64)


def test_names_are_resolved_by_the_list_or_else_by_the_venue() -> None:
    """The list decides for the names that it has, the venue's own reading for the others; anything else is unknown."""
    directory = Directory("toy", TOY, ["*"])
    assert find(directory, "XXBTZUSD", "ETH/USD") == [None, ("toy:ETH-USD", True)]
    directory.load([Listing("BTC-USD", ("XXBTZUSD", "XBT/USD"), 1, "Bitcoin")])
    assert find(directory, "XXBTZUSD", "XBT/USD", "ETH/USD", "what") == [
        ("toy:BTC-USD", True), ("toy:BTC-USD", True), ("toy:ETH-USD", True), None,
    ]  # fmt: skip


def test_decimals_and_name_apply_to_every_name_of_a_symbol() -> None:
    """Decimals and name belong to the symbol, whichever of its names a row uses."""
    directory = Directory("toy", TOY, ["*"])
    directory.load([Listing("ETH-USD", ("XETHZUSD",), 2, "Ether"), Listing("ADA-USD", ("ADA",))])
    entries = map(directory.entry, ["ETH/USD", "ADA/USD"])
    assert [entry.extra for entry in entries if entry] == [{"decimals": 2, "name": "Ether"}, {}]


def test_display_names_are_one_bounded_printable_line() -> None:
    """Display names reach every reader and terminals: unprintable characters are dropped, and the length is bounded."""
    directory = Directory("toy", TOY, ["*"])
    directory.load([Listing("A-B", ("a",), name="\x1b[2J" + "Ä" * 100), Listing("C-D", ("c",), name="\n\t")])
    entries = map(directory.entry, ["a", "c"])
    assert [entry.extra for entry in entries if entry] == [{"name": "[2J" + "Ä" * 77}, {}]


@pytest.mark.parametrize("wire", ["BT C/USD", "A-B/USD", "/" + "A" * 64, "Ä/USD", "A:B/USD", "<b>/USD", "A/U\n"])
def test_a_name_that_is_no_canonical_symbol_is_unknown(wire: str) -> None:
    """Such a name is treated as unknown and never published."""
    assert find(Directory("toy", TOY, ["*"]), wire) == [None]


def test_the_first_open_entry_keeps_a_name_claimed_twice() -> None:
    """Of two list entries with the same name or symbol the first keeps it, but an open market comes before one that is
    not.

    Seen: names of the other entry were read as the same symbol, so of a coin that was renamed or listed anew the
    prices of the halted old market were shown for the new one wherever an answer had them first.
    """
    directory = Directory("toy", NEEDS_LIST, ["*"])
    directory.load([Listing("A-B", ("x",), 1), Listing("C-D", ("x", "y"), 2), Listing("A-B", ("z",), 3)])
    entries = map(directory.entry, ["x", "y", "z"])
    assert [e and (e.symbol, e.extra["decimals"]) for e in entries] == [("toy:A-B", 1), ("toy:C-D", 2), None]
    assert (directory.lists("toy:C-D"), directory.lists("toy:x")) == (True, False)
    directory.load([Listing("A-B", ("old",), state="halted"), Listing("A-B", ("new",))])
    assert find(directory, "old", "new") == [None, ("toy:A-B", True)]
    assert list(directory.wanted) == ["new"]


def test_a_symbol_is_wanted_if_any_pattern_matches_it() -> None:
    """Other symbols are known, but not wanted."""
    directory = Directory("toy", TOY, ["BTC-USD", "*-EUR"])
    found = find(directory, "BTC/USD", "BTC/EUR", "ETH/USD")
    assert found == [("toy:BTC-USD", True), ("toy:BTC-EUR", True), ("toy:ETH-USD", False)]


def test_unknown_names_take_bounded_memory() -> None:
    """Of the names that a server invents only wanted ones are remembered, and of these no more than the limit."""
    few = dataclasses.replace(TOY, limits=dataclasses.replace(TOY.limits, symbols=5))
    for wanted, kept in (("*-USD", 5), ("BTC-USD", 0)):
        directory = Directory("toy", few, [wanted])
        assert len([directory.entry(f"N{number}/USD") for number in range(50)]) == 50
        assert len(directory.entries) == kept


def test_an_entry_is_reused_until_the_list_changes() -> None:
    """The same entry is returned for answer after answer, by which the judge knows it, and a new one after a reload."""
    directory = Directory("toy", TOY, ["*"])
    first, second = (directory.entry("A/B") for _ in range(2))
    assert first is second
    for _ in range(2):
        directory.load([Listing("A-B", ("A/B",), 4)])
        third, fourth = (directory.entry("A/B") for _ in range(2))
        assert third is fourth is not first
        assert third is not None
        assert third.extra == {"decimals": 4}


def test_a_thousand_named_symbols_are_no_thousand_patterns() -> None:
    """A symbol that is named in full is found at once, not by trying each name.

    Seen: with 1,000 symbols of a venue with 1,700 named, its list stopped the loop for 0.6 s.
    """
    directory = Directory("toy", NEEDS_LIST, [*(f"N{number}-USD" for number in range(1000)), "*-EUR"])
    assert directory._patterns == ["*-EUR"]
    directory.load([Listing(symbol, (symbol,)) for symbol in ("N7-USD", "N1000-USD", "N1-EUR")])
    assert list(directory.wanted) == ["N7-USD", "N1-EUR"]
