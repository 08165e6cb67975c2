"""The live table, drawn into a text."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ticker.client import Change, Quote

pytest.importorskip("rich", reason="the live table needs rich")

from rich.console import Console

from ticker.commands.board import Board


def drawn(board: Board) -> list[str]:
    console = Console(width=80, height=24, color_system=None)
    with console.capture() as capture:
        console.print(board.render(80, 24, "live", {"live"}, 2000))
    return capture.get().splitlines()


def test_prices_end_below_each_other() -> None:
    """Whether there is an arrow behind a price or none, prices and their head are aligned at the right."""
    board = Board(["*"], "http://localhost:8000")
    for version, (symbol, last) in enumerate([("A-USD", "1.5"), ("B-USD", "20000.25"), ("A-USD", "1.6")]):
        quote = Quote(symbol, {"last": last, "state": "live", "ts": 0}, Decimal)
        board.take(Change(symbol, quote, ("last",), version, 1000 + version, snapshot=False))
    head, first, second = drawn(board)[1:4]
    assert "1.6 ▲" in first
    assert first.index("1.6") + 3 == second.index("20000.25") + 8 == head.index("Last") + 2


def test_a_mistyped_symbol_is_told() -> None:
    """The last line names it, and what it may have been; all of them, if there are several."""
    board = Board(["BTC-USDX"], "http://localhost:8000", unknown={"BTC-USDX": ["BTC-USD"]})
    assert drawn(board)[-1] == "no symbol 'BTC-USDX'; the nearest are BTC-USD"
    board.unknown["NOPE"] = []
    assert drawn(board)[-1] == "no symbol 'BTC-USDX'; the nearest are BTC-USD · no symbol 'NOPE'"
