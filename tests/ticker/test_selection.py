"""Selections: what a pattern matches, what it may cost, and one digest for equal selections everywhere."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ticker.model_reader import QUOTE_FIELDS, matches
from ticker.errors import PatternError
from ticker.model import pattern_matches
from ticker.scope import MAX_UNUSED, Scope, Wildcard, Wildcards
from ticker.selection import ALL_FIELDS, Selection, check_pattern, field_mask
from ticker.settings import Limits

ALL, KRAKEN, EUR = "*", "kraken:*", "*-EUR"


# Patterns


@pytest.mark.parametrize("text", ["*", "BTC-USD", "BRK.B", "^GSPC", "k_2:*", "*:BTC-USD", "*-*", "A" * 80])
def test_valid_patterns_are_accepted(text: str) -> None:
    """A pattern has letters, digits and `. _ ^ : * -`, up to 80 of them."""
    check_pattern(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty pattern selects nothing; use '*' for everything"),
        ("A" * 81, "a pattern has at most 80 characters"),
        ("BTC USD", "a pattern may contain only letters, digits and . _ ^ : * -; a pair is BTC-USD"),
        ("BTC-USD\n", "a pattern may contain only letters, digits and . _ ^ : * -; a pair is BTC-USD"),
        ("@kraken", "a pattern may contain only letters, digits and . _ ^ : * -; a pair is BTC-USD"),
        ("É", "a pattern may contain only letters, digits and . _ ^ : * -; a pair is BTC-USD"),
        ("*A*A*A", "at most two '*' in a pattern"),
        ("a:b:c", "at most one ':' in a pattern, between venue and symbol"),
    ],
)
def test_malformed_patterns_are_refused_with_advice(text: str, message: str) -> None:
    """Anything else is refused with a message that says what to do."""
    with pytest.raises(PatternError) as caught:
        check_pattern(text)
    assert str(caught.value) == message


def test_a_refused_pattern_is_named() -> None:
    """Seen: of a hundred patterns one was refused, and nothing said which. Promised: it is named, in printable form."""
    text = "'a\\x1bb': a pattern may contain only letters, digits and . _ ^ : * -; a pair is BTC-USD"
    with pytest.raises(PatternError) as caught:
        Selection.of(["BTC-USD", "a\x1bb"])
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("pattern", "selected", "not_selected"),
    [
        ("*", ["BTC-USD", "AAPL"], ["kraken:BTC-USD"]),
        ("kraken:*", ["kraken:BTC-USD"], ["BTC-USD", "krake:X", "kraken2:X"]),
        ("*:BTC-USD", ["kraken:BTC-USD", "b:BTC-USD"], ["BTC-USD", "b:WBTC-USD", "b:BTC-USDT"]),
        ("*-EUR", ["BTC-EUR", "-EUR"], ["BTC-EURX", "k:BTC-EUR", "EUR"]),
        ("BTC-USD", ["BTC-USD"], ["BTC-USDT", "btc-usd"]),
        ("AB*BC", ["ABBC", "ABXBC"], ["ABC"]),
        ("*BTC*", ["BTC", "WBTC-USD"], ["BT-C"]),
        ("A*B*C", ["ABC", "AXBXC"], ["ABXD", "AC"]),
        ("**", ["A"], ["k:A"]),
        ("*:*", ["k:A"], ["A"]),
    ],
)
def test_a_star_matches_any_characters_but_a_colon(pattern: str, selected: list[str], not_selected: list[str]) -> None:
    """`*` is any run of characters, none included, and never spans the `:` of a venue symbol."""
    assert [s for s in selected + not_selected if pattern_matches(pattern, s)] == selected


@given(
    st.lists(st.text("AB:", max_size=3), min_size=1, max_size=3).map("*".join).filter(lambda p: p.count(":") < 2),
    st.text("AB:", max_size=8),
)
def test_matching_agrees_with_a_letter_by_letter_matcher(pattern: str, symbol: str) -> None:
    """Matching agrees with a matcher that tries letter by letter; so does a wildcard, which rejects most early."""
    assert pattern_matches(pattern, symbol) == Wildcard(pattern).fits(symbol) == matches(pattern, symbol)


@pytest.mark.parametrize("pattern", ["*" + "A" * 40 + "*", "A*" + "A" * 61 + "*", "*" + "A" * 62 + "B*", "*A*"])
def test_a_hostile_pattern_does_not_backtrack(pattern: str) -> None:
    """Seen: a pattern of 62 characters blocked a regular expression for seconds. Promise: no path through a symbol is
    tried twice, whatever the pattern.
    """
    check_pattern(pattern)
    looks: Counter[str] = Counter()

    class WatchedSymbol(str):
        __slots__ = ()

        def __getattribute__(self, name: str) -> Any:
            looks[name] += 1
            return super().__getattribute__(name)

    pattern_matches(pattern, WatchedSymbol("A" * 64))
    assert looks <= Counter({"count": 1, "startswith": 1, "endswith": 1, "find": 1})


# Selections


def test_equal_selections_are_equal_values() -> None:
    """Neither order, nor repetition, nor naming every field makes a different selection."""
    one = Selection.of(["kraken:*", "BTC-USD", "BTC-USD"])
    assert one == Selection.of(["BTC-USD", "kraken:*"], reversed(QUOTE_FIELDS))
    assert hash(one) == hash(Selection.of(["BTC-USD", "kraken:*"]))
    assert (one.patterns, one.mask, one.fields) == (("BTC-USD", "kraken:*"), ALL_FIELDS, None)


def test_a_malformed_pattern_makes_no_selection() -> None:
    """`Selection.of` checks every pattern."""
    with pytest.raises(PatternError, match="at most two"):
        Selection.of(["BTC-USD", "***"])


def test_fields_stand_in_table_order() -> None:
    """However they were given, fields come in the order of the protocol's table."""
    assert Selection.of(["*"], ["ts", "last", "ts"]).fields == ("last", "ts")
    assert Selection.of(["*"], ["last", "ts"]) == Selection.of(["*"], ["ts", "last"])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["last", "prize"], "no field 'prize'"),
        (["lst"], "did you mean 'last'?"),
        ([], "give at least one field, or leave out 'fields' for all of them"),
    ],
)
def test_unknown_or_no_fields_are_refused(names: list[str], message: str) -> None:
    """An unknown field is named, with the nearest one; an empty list of fields is refused."""
    with pytest.raises(PatternError) as caught:
        field_mask(names)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("patterns", "fields", "digest"),
    [
        ([], None, "0504b2db760c6286"),
        (["kraken:*", "BTC-USD"], None, "e7fe7c4a0288a8c5"),
        (["BTC-USD", "kraken:*"], ["ts", "last"], "a7a101d3d4caff85"),
    ],
)
def test_the_digest_is_the_same_in_every_process(patterns: list[str], fields: list[str] | None, digest: str) -> None:
    """SEL of a cursor outlives the server: exactly these digits, whatever the hash seed, machine or release."""
    assert Selection.of(patterns, fields).digest == digest


def test_the_digest_is_sha256_of_the_canonical_form() -> None:
    """Patterns, an empty line, all fields by name: a list of patterns can never read like one of fields."""
    text = b"A\nb:*\n\nlast\nts"
    assert Selection.of(["b:*", "A"], ["ts", "last"]).digest == hashlib.sha256(text).hexdigest()[:16]
    digests = {Selection.of(p, f).digest for p in ([], ["last"], ["ts"]) for f in (None, ["last"], ["ts"])}
    assert len(digests) == 9


# Wildcards


def test_equal_patterns_share_one_wildcard() -> None:
    """All who acquire a pattern get the same wildcard, which is in use until the last has released it."""
    wildcards = Wildcards()
    first = wildcards.acquire(KRAKEN, ["kraken:A", "A"])
    assert wildcards.acquire(KRAKEN, []) is first
    assert (list(first.symbols), first.users, len(wildcards)) == (["kraken:A"], 2, 1)
    wildcards.release(first)
    assert KRAKEN in wildcards
    wildcards.release(first)
    assert (KRAKEN in wildcards, len(wildcards)) == (False, 0)


def test_an_unused_wildcard_is_kept_current_for_the_next_one() -> None:
    """It learns of births and is not resolved again; if there are many unused ones, the oldest are forgotten."""
    wildcards = Wildcards()
    first = wildcards.acquire(KRAKEN, ["kraken:A"])
    wildcards.release(first)
    wildcards.born("kraken:B")
    again = wildcards.acquire(KRAKEN, [])
    assert (again, list(again.symbols), KRAKEN in wildcards) == (first, ["kraken:A", "kraken:B"], True)
    wildcards.release(again)
    for i in range(MAX_UNUSED):
        wildcards.release(wildcards.acquire(f"k*{i}", []))
    assert wildcards.matching("kraken:A") == ()
    assert wildcards.acquire(KRAKEN, ["kraken:A"]) is not first


def test_a_wildcard_may_be_resolved_in_slices() -> None:
    """It is not known meanwhile, but learns of births and deaths; acquiring it tests the rest."""
    wildcards = Wildcards()
    begun = wildcards.begin(EUR, [f"{name}-EUR" for name in "ABCDEF"])
    wildcards.test(begun, 2)  # the last ones first
    assert (set(begun.symbols), wildcards.known(EUR)) == ({"E-EUR", "F-EUR"}, False)
    for name in "AF":
        wildcards.died(f"{name}-EUR")
    for name in "XA":
        wildcards.born(f"{name}-EUR")
    wildcards.died("B-EUR")
    assert wildcards.begin(EUR, ()) is begun
    wildcards.test(begun, 1)
    assert wildcards.acquire(EUR, ()) is begun
    assert (set(begun.symbols), wildcards.known(EUR)) == ({f"{name}-EUR" for name in "ACDEX"}, True)
    assert [wildcards.matching(f"{name}-EUR") for name in "ABCF"] == [(begun,), (), (begun,), ()]


def test_an_abandoned_wildcard_is_forgotten() -> None:
    """Nothing of it is left, and the next one starts from scratch."""
    wildcards = Wildcards()
    begun = wildcards.begin(EUR, ["A-EUR", "B-EUR"])
    wildcards.test(begun, 1)
    wildcards.release(begun)
    assert (wildcards.known(EUR), wildcards.matching("B-EUR")) == (False, ())
    assert wildcards.acquire(EUR, ["B-EUR"]) is not begun
    wildcards.died("B-EUR")
    assert list(begun.untested) == ["A-EUR"]


def test_as_many_unused_wildcards_are_kept_as_one_reader_may_have() -> None:
    """Between two steps of one subscription no reader uses them, and testing all symbols again takes long."""
    wildcards = Wildcards()
    texts = [f"k*{i}" for i in range(Limits().wildcards)]
    first = [wildcards.acquire(text, []) for text in texts]
    for wildcard in first:
        wildcards.release(wildcard)
    assert [wildcards.acquire(text, []) for text in texts] == first


def test_wildcards_learn_of_births_and_deaths() -> None:
    """A wildcard's symbols are the existing ones, in order of birth."""
    wildcards = Wildcards()
    everything, eur = wildcards.acquire(ALL, []), wildcards.acquire(EUR, [])
    for symbol in ("B-EUR", "A-USD", "k:A-EUR"):
        wildcards.born(symbol)
    assert (list(everything.symbols), list(eur.symbols)) == (["B-EUR", "A-USD"], ["B-EUR"])
    assert wildcards.matching("B-EUR") == (everything, eur)
    wildcards.died("B-EUR")
    wildcards.died("k:A-EUR")
    assert (list(everything.symbols), list(eur.symbols)) == (["A-USD"], [])
    assert wildcards.matching("B-EUR") == ()


def test_forgetting_one_wildcard_leaves_the_others() -> None:
    """A symbol forgets only the wildcard that ended."""
    wildcards = Wildcards()
    everything, eur = wildcards.acquire(ALL, ["A-EUR"]), wildcards.acquire(EUR, ["A-EUR"])
    wildcards.release(everything)
    assert wildcards.matching("A-EUR") == (everything, eur)
    for i in range(MAX_UNUSED):
        wildcards.release(wildcards.acquire(f"k*{i}", []))
    assert wildcards.matching("A-EUR") == (eur,)
    wildcards.died("A-EUR")
    assert list(eur.symbols) == []


# Scopes


def scope(exact: set[str], *wild: list[str]) -> Scope:
    """A scope of symbols asked for by name, and of wildcards that match these."""
    wildcards = tuple(Wildcard(str(i), dict.fromkeys(symbols)) for i, symbols in enumerate(wild))
    return Scope(Selection(), frozenset(exact), wildcards)


def test_a_scope_names_each_symbol_once() -> None:
    """Symbols selected by name come first, even if they do not exist, then those of wildcards; none comes twice."""
    overlapping = scope({"A", "NONE"}, ["A", "B"], ["B", "C"], ["A", "C", "D"])
    assert sorted(overlapping.symbols()) == ["A", "B", "C", "D", "NONE"]
    assert overlapping.size == 9
    assert list(scope(set()).symbols()) == []


def test_a_scope_contains_what_it_names() -> None:
    """`contains` is by name or by wildcard, `wild` by wildcard alone."""
    both = scope({"A"}, ["B"], ["C"])
    assert [s for s in "ABCD" if both.contains(s)] == ["A", "B", "C"]
    assert [s for s in "ABCD" if both.wild(s)] == ["B", "C"]


def test_a_scope_matches_symbols_that_do_not_exist() -> None:
    """It matches them by name or by pattern, and also answers for removed symbols."""
    both = Scope(Selection(), frozenset("A"), (Wildcard("C*"), Wildcard("k:*")))
    assert [s for s in ("A", "B", "C", "C2", "AC", "k:A") if both.matches(s)] == ["A", "C", "C2", "k:A"]


def test_a_scope_tells_what_it_has_beyond_another() -> None:
    """A symbol may be new by name, by another wildcard, or because the other scope leaves it out; each comes once."""
    wide, other = scope({"A", "B"}, ["B", "C", "D"], ["D", "E"], ["F", "G"]), scope({"B", "E"})
    other.wildcards, other.denied = wide.wildcards[2:], {"F", "Z"}
    assert list(other.beyond(other)) == []
    assert sorted(wide.beyond(other)) == ["A", "C", "D", "F"]
    assert sorted(other.beyond(wide)) == []
