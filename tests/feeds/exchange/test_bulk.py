"""Long answers read at once: the same rows as one by one, whatever the answer holds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from feeds.exchange.bulk import Bulk
from feeds.exchange.shapes import Shape, list_at, read

SHAPE = Shape(wire="n", time="t", fields={"last": "p", "bid": "b"})
SENT = {"n": "BTCUSD", "t": "1700000000123", "p": "1.50", "b": "0.00", "new": [{}]}


@pytest.mark.parametrize(
    "other",
    [SENT, {**SENT, "p": 1.50}, {**SENT, "p": None}, {**SENT, "t": 17}, {**SENT, "n": ""}, {"n": "X"}, {}, 5, None, []],
)
def test_rows_are_those_of_the_shape(other: Any) -> None:
    """A row that is no text, or of another shape, costs what it would cost alone."""
    body = json.dumps([SENT, other]).encode()
    assert Bulk(SHAPE).rows(body) == SHAPE.rows(list_at(read(body)))
    undated = Shape(wire="n", fields=SHAPE.fields)
    assert Bulk(undated).rows(body) == undated.rows(list_at(read(body)))


def test_not_a_number_costs_its_row() -> None:
    """NaN, which is no JSON, is a text that no price has."""
    assert [row.raw and row.raw["last"] for row in Bulk(SHAPE).rows(b'[{"n":"A","p":NaN,"b":"1"}]')] == ["NaN"]


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b"5", b'[{"n":"\xff"}]'])
def test_no_list(body: bytes) -> None:
    """Any other body is a ValueError."""
    with pytest.raises(ValueError, match=r"."):
        Bulk(SHAPE).rows(body)
