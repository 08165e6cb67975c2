"""The shapes of answers."""

from __future__ import annotations

import pytest

from ticker.client.shapes import LAST_MS, Shape, fits, maybe, moment, name, number, price, record, size, text, whole


@pytest.mark.parametrize(
    ("shape", "good", "bad"),
    [
        (text, ["", "a"], [None, 1, ["a"]]),
        (whole, [0, -1, 10**40], [True, 1.0, "1", None]),
        (moment, [0, LAST_MS - 1], [-1, LAST_MS, "0", 1.5, None]),
        (name, ["", "A b"], ["a\nb", "\x1b[31m", None]),
        (number, [0, -1.5, "1e30", "0.10"], [True, None, "", "x", "nan", "1e999", float("inf"), 10**400, "1" * 300]),
        (price, [1, "0.001"], [0, "-1", "0.0", None]),
        (size, [0, "0.0", 1.5], ["-1", None]),
        (record, [{}, {"last": "1", "bid": None, "new": [1]}], [[], None, {"last": [1]}, {"name": {}}]),
        (maybe([text]), [None, [], ["a"]], [0, [None], "a"]),
        ([whole], [[], [1, 2]], [None, {}, "12", [1, "2"]]),
        ({str: whole}, [{}, {"a": 1}], [None, [], {"a": "1"}]),
        ({"a": text, "b": [whole]}, [{"a": "", "b": [1], "c": None}], [{}, {"a": ""}, {"a": "", "b": 1}, []]),
    ],
)
def test_a_shape_is_fitted_by_what_may_be_used(shape: Shape, good: list[object], bad: list[object]) -> None:
    """What fits can be used as what it is called; members without a shape may be anything."""
    assert [value for value in good if not fits(value, shape)] == []
    assert [value for value in bad if fits(value, shape)] == []
