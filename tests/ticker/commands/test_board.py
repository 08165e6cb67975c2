"""The live table, rendered as text."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ticker.client import Change, Quote, State
from ticker.client.quote import Record

pytest.importorskip("rich", reason="the live table needs rich")

from rich.console import Console

from ticker.commands.board import Board, Row


def drawn(board: Board, *kinds: str, state: State = "live") -> list[str]:
    console = Console(width=80, height=24, color_system=None)
    with console.capture() as capture:
        console.print(board.render(80, 24, state, {"live", *kinds}, 2000))
    return capture.get().splitlines()


def test_prices_end_below_each_other() -> None:
    """With or without an arrow behind a price, prices and their heading are right-aligned."""
    board = Board(["*"], "http://localhost:8000")
    for version, (symbol, last) in enumerate([("A-USD", "1.5"), ("B-USD", "20000.25"), ("A-USD", "1.6")]):
        quote = Quote(symbol, {"last": last, "state": "live", "ts": 0}, Decimal)
        board.take(Change(symbol, quote, ("last",), version, 1000 + version, snapshot=False))
    head, first, second = drawn(board)[1:4]
    assert "1.6 ▲" in first
    assert first.index("1.6") + 3 == second.index("20000.25") + 8 == head.index("Last") + 2


def test_a_row_has_a_sparkline_and_its_age_and_disappears() -> None:
    """Blocks from the lowest to the highest, a gap where nothing is known, the current price last; a symbol that is
    gone has no row.
    """
    board = Board(["*"], "http://localhost:8000", closes={"A-USD": ["0", None, "3.5", "9"], "B-USD": ["9"]})
    changes = [
        Change(symbol, Quote(symbol, {"last": "7", "state": "live", "ts": ts}, Decimal), ("last",), 1, 1, snapshot=True)
        for symbol, ts in (("A-USD", 2000), ("B-USD", 2000 - 7_300_000))
    ]
    for change in changes:
        board.take(change)
    first, second = drawn(board)[2:4]
    assert ("▁ ▅█ " in first, " 0 s " in first) == (True, True)
    assert ("█" in second, " 2 h " in second) == (False, True)
    board.take(changes[0]._replace(gone=True))
    assert board.order() == ["B-USD"]


@pytest.mark.parametrize(("price", "shown"), [("97412.30", True), ("97412.30000000", False)])
def test_bid_and_ask_are_shown_together_or_not_at_all(price: str, *, shown: bool) -> None:
    """Seen: at 80 columns the longer prices of a pair left room for the bid alone."""
    quote = Quote("BTC-USD", {"last": price, "bid": price, "ask": price, "ts": 0}, Decimal)
    heads = drawn(Board(["*"], "http://localhost:8000", rows={"BTC-USD": Row(quote)}))[1].split()
    assert ("Bid" in heads, "Ask" in heads) == (shown, shown)


def test_a_mistyped_symbol_is_shown() -> None:
    """The last line names it and the nearest names; all of them, if there are several."""
    board = Board(["BTC-USDX"], "http://localhost:8000", unknown={"BTC-USDX": ["BTC-USD"]})
    assert drawn(board)[-1] == "no symbol 'BTC-USDX'; nearest: BTC-USD"
    board.unknown["NOPE"] = []
    assert drawn(board)[-1] == "no symbol 'BTC-USDX'; nearest: BTC-USD · no symbol 'NOPE'"


def test_a_lost_connection_is_shown_with_its_reason() -> None:
    """While prices are not live, the first line has the state and the address, and the last one the reason.

    Seen: for a service that was not running the table said "no answer in time", never "connection refused".
    """
    board = Board(["*"], "http://localhost:8000", unknown={"BTC-USDX": []}, trouble="connection\x1b[2J refused")
    for state in ("reconnecting", "stale"):
        first, *_, last = drawn(board, "simulated", state=state)
        assert (state in first, "http://localhost:8000" in first) == (True, True)
        assert last == r"last error: connection\x1b[2J refused"
    assert drawn(board)[-1] == "no symbol 'BTC-USDX'"


def test_an_unknown_kind_of_prices_is_shown_escaped() -> None:
    """Any kind but live is shown; no control character from a service reaches the terminal."""
    board = Board(["*"], "http://localhost:8000")
    odd: Record = {"last": "1", "bid": "1\x1b[2J", "state": "x\x1b[2J", "source": "s\x1b[2J", "ts": 10**18}
    quote = Quote("A\x1b[2J", odd, Decimal)
    board.rows[quote.symbol] = Row(quote)
    head, *rows = drawn(board, "simulated", "invented")
    assert head.split()[3:5] == ["INVENTED", "SIMULATED"]
    assert "\x1b" not in head + "".join(rows)


def test_an_empty_table_says_why_there_are_no_prices() -> None:
    """What the feeds complain of is at the bottom, until there is a price."""
    board = Board(["*"], "http://localhost:8000", lack="no prices yet; feed one is down: connection\x1b[2J refused")
    assert drawn(board)[-1].strip() == "no prices yet; feed one is down: connection\\x1b[2J refused"
    quote = Quote("BTC-USD", {"last": "1", "state": "live"}, Decimal)
    board.take(Change("BTC-USD", quote, ("last",), 1, 1000, snapshot=True))
    assert drawn(board)[-1].strip() == "Ctrl-C quits"
