"""The live table, drawn into a text."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ticker.client import Change, Quote

pytest.importorskip("rich", reason="the live table needs rich")

from rich.console import Console

from ticker.commands.board import Board


def test_prices_end_below_each_other() -> None:
    """Whether there is an arrow behind a price or none, prices and their head are aligned at the right."""
    board = Board(["*"], "http://localhost:8000")
    for version, (symbol, last) in enumerate([("A-USD", "1.5"), ("B-USD", "20000.25"), ("A-USD", "1.6")]):
        quote = Quote(symbol, {"last": last, "state": "live", "ts": 0}, Decimal)
        board.take(Change(symbol, quote, ("last",), version, 1000 + version, snapshot=False))
    console = Console(width=80, height=24, color_system=None)
    with console.capture() as capture:
        console.print(board.render(80, 24, "live", {"live"}, 2000))
    head, first, second = capture.get().splitlines()[1:4]
    assert "1.6 ▲" in first
    assert first.index("1.6") + 3 == second.index("20000.25") + 8 == head.index("Last") + 2
