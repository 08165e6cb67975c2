"""Exceptions carry data, and suggestions name the nearest right word."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from ticker import errors
from ticker.errors import (
    ConfigError,
    FatalFeedError,
    FeedError,
    PatternError,
    ProtocolError,
    RefusedError,
    TickerError,
    UnknownSymbolError,
    did_you_mean,
    nearest,
)


def test_the_exception_tree_matches_its_docstring() -> None:
    """Every exception of the module is in the tree of its docstring, under its base."""
    drawn = re.findall(
        r"^ {4}([ \u2502\u251c\u2514\u2500]*)([A-Za-z]+Error)", inspect.getdoc(errors) or "", re.MULTILINE
    )
    parents: list[str] = []
    tree = {}
    for branch, name in drawn:
        depth = len(branch) // 4
        parents[depth:] = [name]
        tree[name] = parents[depth - 1] if depth else "Exception"
    classes = {n: c for n, c in vars(errors).items() if inspect.isclass(c) and issubclass(c, Exception)}
    assert tree == {name: cls.__bases__[0].__name__ for name, cls in classes.items()}
    assert tree["FatalFeedError"] == "FeedError"


def test_a_feed_error_carries_reason_and_retry_time() -> None:
    """A feed's failure carries its reason and the exchange's retry time; a fatal one is a feed's failure, too."""
    plain, told = FeedError("no answer"), FatalFeedError("bad key", reason="http_4xx", retry_after_s=2.5)
    assert (str(plain), plain.reason, plain.retry_after_s) == ("no answer", "protocol", None)
    assert (str(told), told.reason, told.retry_after_s) == ("bad key", "http_4xx", 2.5)
    assert isinstance(told, FeedError)


def test_protocol_error_carries_code_and_id() -> None:
    """A refusal carries its code and the id of the message that it answers."""
    error = ProtocolError("bad_request", "say more")
    assert error.reply_id is None
    error.reply_id = "x1"
    assert (error.code, str(error), error.reply_id) == ("bad_request", "say more", "x1")


@pytest.mark.parametrize("error", [
    FatalFeedError("bad key", reason="http_4xx", retry_after_s=2.5), PatternError("x", "unknown_field"),
    ProtocolError("bad_request", "say more"), RefusedError("no", 4001), UnknownSymbolError({"X": ["Y"]}, ["f"]),
])  # fmt: skip
def test_errors_can_be_pickled(error: TickerError) -> None:
    """Seen: an error from a worker of a process pool could not be unpickled by its parent, which broke the pool."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(error, protocol))
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_unknown_symbols_have_a_line_each() -> None:
    """The line has the names most like it and, where it is not final, the feeds that may still bring it."""
    nearest_names: dict[str, list[str]] = {"X": ["Y", "Z"], "Q": []}
    assert str(UnknownSymbolError(nearest_names)) == "no symbol 'X'; nearest: Y, Z\nno symbol 'Q'"
    error = UnknownSymbolError({"X": ["Y"], "Q": []}, ["f", "g"])
    so_far = "so far (not loaded yet: f, g)"
    assert str(error) == f"no symbol 'X' {so_far}; nearest: Y\nno symbol 'Q' {so_far}"
    assert error.loading == ["f", "g"]


def test_pattern_error_is_a_value_error() -> None:
    """Libraries that check values understand a malformed pattern."""
    with pytest.raises(ValueError, match="x"):
        raise PatternError("x")
    assert issubclass(PatternError, TickerError)
    assert issubclass(ConfigError, TickerError)


def test_nearest_is_best_first_and_keeps_the_known_spelling() -> None:
    """Case does not matter, words are returned as they are known, and dissimilar ones are left out."""
    known = ["BTC-USD", "BTC-USDT", "ETH-USD", "zebra"]
    assert nearest("btc-usdx", known, 3)[:2] == ["BTC-USD", "BTC-USDT"]
    assert nearest("BTC-USD", known) == ["BTC-USD"]
    assert nearest("qqqq", known, 3) == []
    assert nearest("x", [], 3) == []


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        ("prot", ["port", "host"], "; did you mean 'port'?"),
        ("zzzz", ["port", "host"], "; choose from: host, port"),
        ("zzzz", [], ""),
    ],
)
def test_did_you_mean_names_the_nearest_word_or_all(word: str, known: list[str], expected: str) -> None:
    """The clause names the nearest word, or else all of them, or is empty."""
    assert did_you_mean(word, known) == expected
