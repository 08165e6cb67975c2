"""Long answers are read and judged in bulk: rows and quotes are the same as one by one, whatever the answer holds."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from feeds.exchange.bulk import Bulk, Table
from feeds.exchange.directory import Directory
from feeds.exchange.judge import Judge
from feeds.exchange.shapes import Shape, list_at, read
from feeds.exchange.venue import Listing
from tests.clock import ManualClock
from tests.feeds.toy import NEEDS_LIST
from ticker.model import FeedStatus

SHAPE = Shape(wire="n", fields={"last": "p", "bid": "b", "ask": "a", "ask_size": "s", "volume": "v", "change_pct": "c"})
BULK = Bulk(SHAPE)
SENT = {"n": "BTCUSD", "p": "1.50", "b": "0.00", "a": "2", "s": "1", "v": "0.0", "c": "-0.5", "new": [{}]}


@pytest.mark.parametrize(
    "other", [SENT, {**SENT, "p": 1.50}, {**SENT, "p": None}, {**SENT, "n": ""}, {"n": "X"}, {}, 5, None, []]
)
def test_rows_read_in_bulk_equal_rows_read_one_by_one(other: Any) -> None:
    """A row with other types, or of another shape, fails alone, exactly as it would if it were read by itself."""
    body = json.dumps([SENT, other]).encode()
    rows = BULK.rows(body)
    assert list(rows) == list(rows[:]) == SHAPE.rows(list_at(read(body)))


def test_nan_is_read_as_text_that_is_no_price() -> None:
    """NaN is not JSON; as a price it is rejected like other text."""
    body = json.dumps([SENT]).replace('"1.50"', "NaN").encode()
    assert [row.raw and row.raw["last"] for row in BULK.rows(body)] == ["NaN"]


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[", b"5", b'[{"n":"\xff"}]', DEEP, b'[{"n":"X","new":' + DEEP + b"}]"], ids=range(7)
)
def test_a_body_that_is_not_a_list_of_rows_is_a_value_error(body: bytes) -> None:
    """Anything but a list of objects is a ValueError, at any depth of nesting."""
    with pytest.raises(ValueError, match=r"."):
        BULK.rows(body)


TEXTS = st.sampled_from(
    ["1.50", "2", "10.1", "9.99", "0.00000001", "0", "0.000", "", "-1", "1e5", "1E-7", "007.1", ".5", "5.", "+1", "NaN",
     "1\n2", "1\n", "\n", "1.5.2", "1_000", " 1", "٣", "9" * 20, "9" * 21, "0." + "1" * 30, "0." + "1" * 31]
)  # fmt: skip
ROWS = st.fixed_dictionaries(
    {
        "n": st.sampled_from(["A", "A", "B", "C", "D", "other", "X\n1\n1\n1\n1\n1\n1\nY"]),
        **{name: st.one_of(st.just("1.5"), st.just("1.25"), TEXTS) for name in SHAPE.fields.values()},
    }
)
PLAIN = dict.fromkeys(SHAPE.fields.values(), "1.5") | {"n": "A"}
NOT_PLAIN = PLAIN | {"p": "1e5"}
LISTED = [Listing("A-USD", ("A",), 2), Listing("B-USD", ("B",)), Listing("C-USD", ("C", "D"), 3, state="halted")]


@settings(max_examples=100, deadline=None)
@example([[NOT_PLAIN]] * 3, "reject")  # unchanged when the list is loaded again
@example([[NOT_PLAIN], [NOT_PLAIN], [NOT_PLAIN, PLAIN]], "keep")  # and beside a plain row of the same name
@given(st.lists(st.lists(ROWS, max_size=8), min_size=1, max_size=4), st.sampled_from(["reject", "keep"]))
def test_quotes_judged_in_bulk_equal_quotes_judged_one_by_one(
    answers: list[list[dict[str, str]]], crossed: str
) -> None:
    """Over several answers, and across a reload of the list, quotes and counts are the same either way.

    Seen: an unchanged row, after a reload and beside a plain row of its name, left with `1e5` or an empty text for a
    price, since only changed rows are validated, and the plain one spoke for both.
    """
    venue = dataclasses.replace(NEEDS_LIST, fields=SHAPE.names)
    judges = []
    for _ in range(2):
        directory = Directory("toy", venue, ("*",))
        directory.load(LISTED)
        judges.append((Judge(venue, directory, crossed, ManualClock()), FeedStatus("toy", "live"), directory))
    for number, answer in enumerate(answers):
        body = json.dumps(answer).encode()
        table = BULK.rows(body)
        assert isinstance(table, Table)
        quotes = [
            judge.answer(rows, status)
            for (judge, status, _), rows in zip(judges, (table, SHAPE.rows(answer)), strict=True)
        ]
        assert quotes[0] == quotes[1]
        assert judges[0][1].rejects == judges[1][1].rejects
        if number == 1:
            for *_, directory in judges:
                directory.load(LISTED[:2])
