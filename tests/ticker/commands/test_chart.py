"""Candles as text."""

from __future__ import annotations

from ticker.commands.chart import chart

ROWS = [
    [0, "1", "2", "0", "1.5", None, ""],
    [60_000, "1.5", "4", "1.5", "4", None, "v"],
    [120_000, "4", "4", "1", "1", None, "o"],
]


def test_bodies_and_wicks_stand_at_their_prices() -> None:
    """Top and bottom are labelled with their exact text; each bar is a column; the title says what moved."""
    lines = chart("A", "1m", ROWS, width=40, height=7, color=False).splitlines()
    assert lines == [
        "A 1m  1  +0.00% over 3 bars",
        "  4  ┃┃",
        "     ┃┃",
        "    ╽┃┃",
        "  0 ╿ ╹",
        "    01-01 00:02 UTC",
    ]


def test_what_does_not_fit_is_left_out_at_the_left() -> None:
    """A narrow terminal shows the newest bars, without colour no escapes, and nothing known says so."""
    rows = [[i * 60_000, "1", "1", "1", "1", None, ""] for i in range(500)]
    lines = chart("A", "1m", rows, width=80, height=24, color=False).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 24
    assert "\x1b" not in "".join(lines)
    assert "\x1b[32m" in chart("A", "1m", rows, width=80, height=24, color=True)
    assert chart("A", "1m", [[0, None, None, None, None, None, "g"]], 80, 24, color=False) == "A: no bars yet"
