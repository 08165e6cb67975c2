"""Candles as text."""

from __future__ import annotations

import re
from typing import Any

from ticker.commands.chart import chart

ROWS: list[list[Any]] = [
    [0, "1", "2", "0", "1.5", None, ""],
    [60_000, "1.5", "4", "1.5", "4", None, "v"],
    [120_000, "4", "4", "1", "1", None, "o"],
]


def test_bodies_and_wicks_stand_at_their_prices() -> None:
    """Each bar is a column; the newest price is labelled, and the title says what moved."""
    lines = chart("A", "1m", ROWS, width=60, height=7, color=False).splitlines()
    assert lines == [
        "A 1m  1.0  +0.00% over 3 bars  high 4.0  low 0.0",
        " ┃┃│",
        " ┃┃│",
        "╽┃┃│",
        "╿ ╹┤1.0",
        "┴──┘",
        "01 Jan UTC",
    ]


def test_a_chart_fills_the_terminal_and_no_more() -> None:
    """A narrow terminal shows the newest bars; without colour there are no escapes; without bars it says so."""
    rows = [[i * 60_000, f"{100 + i % 7}.50", f"{108 + i % 7}", "99", "100", "2", ""] for i in range(500)]
    for width, height in ((80, 23), (200, 49), (20, 8)):
        lines = chart("A", "1m", rows, width, height, color=False).splitlines()
        assert len(lines) == height
        assert max(map(len, lines)) <= width
        assert max(map(len, lines)) > width - 12
        assert "\x1b" not in "".join(lines)
    assert "\x1b[3" in chart("A", "1m", rows, width=80, height=24, color=True)
    assert chart("A", "1m", [[0, None, None, None, None, None, "g"]], 80, 24, color=False) == "A: no bars yet"


def test_a_range_too_fine_for_its_numbers_ends() -> None:
    """Prices that differ in their last digit alone are charted.

    Seen: labels closer together than two such numbers can be were counted for ever.
    """
    rows = [[0, "1000000000000000000", "1000000000000000128", "1000000000000000000", "1000000000000000000", None, ""]]
    assert len(chart("A", "1m", rows, width=60, height=40, color=False).splitlines()) == 40


def test_scales_have_round_labels() -> None:
    """Prices at their round values with the symbol's digits, times at full minutes or hours, a day at its beginning."""
    day = 86_400_000
    rows = [[day + (i - 30) * 60_000, "99.10", "101.90", "98.05", "100.25", None, ""] for i in range(60)]
    lines = chart("A", "1m", rows, width=80, height=24, color=False).splitlines()
    assert re.findall(r"┤(\S+)", "\n".join(lines).replace("┤ ", "┤")) == [
        "101.00", "100.25", "100.00", "99.00",
    ]  # fmt: skip
    assert lines[-1].split() == ["23:30", "23:40", "23:50", "02", "Jan", "00:10", "00:20", "UTC"]
    axis, labels = lines[-2:]
    assert [axis.index("┴", 25), labels.index("02 Jan")] == [30, 27]
    last = chart("A", "1m", rows[:41], width=80, height=24, color=False).splitlines()[-1]
    assert last.endswith("02 Jan   00:10 UTC"), "a label at the end leaves room for the zone, and is not cut"


def test_volume_is_drawn_below_where_it_is_known() -> None:
    """Highest where most was traded; a market without volume, or a low terminal, has more room for prices."""
    rows = [[i * 60_000, "1", "2", "1", "2", volume, ""] for i, volume in enumerate(["8", None, "2", "1", "4"])]
    lines = chart("A", "1m", rows, width=80, height=20, color=False).splitlines()
    assert [line[:5] for line in lines[-5:-2]] == ["█    ", "█   ▄", "█ ▆▃█"]
    assert "volume" in lines[-3]
    assert "volume" not in chart("A", "1m", rows, width=80, height=10, color=False)
    assert "volume" not in chart("A", "1m", ROWS, width=80, height=20, color=False)


def test_a_flat_market_is_drawn_as_a_line() -> None:
    """No label appears twice."""
    rows = [[i * 60_000, "1", "1", "1", "1", None, ""] for i in range(5)]
    text = chart("A", "1m", rows, width=80, height=24, color=False)
    assert re.findall(r"┤(\S+)", text) == ["1"]
    assert "╹╹╹╹╹" in text
