"""The live table of `ticker watch`: rows of quotes, drawn for a terminal of any size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ticker.client import Change, Quote, State
from ticker.commands.output import age_text, clock_text, plain, price_text
from ticker.errors import UnknownSymbolError
from ticker.harmless import escape
from ticker.model import pattern_matches

FLASH_MS = 700
"""How long a price keeps the colour of its last move."""
SPARK = 20
_BLOCKS = "▁▂▃▄▅▆▇█"
_STATES = {
    "live": ("● live", "green"),
    "reconnecting": ("◌ reconnecting", "yellow"),
    "stale": ("▲ stale", "red"),
}


@dataclass
class Row:
    """A symbol's quote, and the last move of its price.

    Attributes:
        direction: 1 up, -1 down, 0 if it has not moved yet.
        moved_ms: when it moved, by the service's clock.
    """

    quote: Quote[Any]
    direction: int = 0
    moved_ms: int = 0

    def take(self, quote: Quote[Any], time_ms: int) -> None:
        """Take over a new quote."""
        before, now = _price(self.quote), _price(quote)
        if before is not None and now is not None and before != now:
            self.direction, self.moved_ms = (1 if now > before else -1), time_ms
        self.quote = quote


@dataclass
class Board:
    """All rows, in the order of the requested patterns, those of one pattern sorted.

    Attributes:
        closes: the last minutes' closes by symbol, for sparklines.
        unknown: requested symbols that do not exist, each with the nearest names.
        trouble: why the last connection ended or could not be made, shown while there are no live prices.
        lack: why the service has no prices, shown while there are none.
        skew_ms: how far the service's clock is ahead of ours.
    """

    symbols: Sequence[str]
    address: str
    rows: dict[str, Row] = field(default_factory=dict)
    closes: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    unknown: dict[str, list[str]] = field(default_factory=dict)
    trouble: str = ""
    lack: str = ""
    skew_ms: int = 0
    _places: dict[str, int] = field(default_factory=dict)

    def take(self, change: Change[Any]) -> None:
        """Apply a change."""
        row = self.rows.get(change.symbol)
        if change.gone:
            self.rows.pop(change.symbol, None)
        elif row is None:
            self.rows[change.symbol] = Row(change.quote)
        else:
            row.take(change.quote, change.time)

    def order(self) -> list[str]:
        """The symbols from top to bottom."""
        return sorted(self.rows, key=lambda symbol: (self._place(symbol), symbol))

    def _place(self, symbol: str) -> int:
        place = self._places.get(symbol)
        if place is None:
            fits = (i for i, text in enumerate(self.symbols) if pattern_matches(text, symbol))
            place = self._places[symbol] = next(fits, len(self.symbols))
        return place

    def render(self, width: int, height: int, state: State, kinds: set[str], now_ms: int) -> Group:
        """Draw it.

        Args:
            width: of the terminal.
            height: of the terminal.
            state: of the view.
            kinds: of the service's feeds.
            now_ms: the time by the service's clock.
        """
        order = self.order()
        shown = [self.rows[symbol] for symbol in order[: max(1, height - 3)]]
        rest = len(order) - len(shown)
        foot = f"{rest} more: enlarge the window or select fewer symbols" if rest else "Ctrl-C quits"
        if self.trouble and state != "live":
            foot = escape(f"last error: {self.trouble}")
        elif self.lack and not self.rows:
            foot = escape(self.lack)
        elif self.unknown:
            foot = escape(str(UnknownSymbolError(self.unknown)).replace("\n", " · "))
        return Group(
            self._head(width, state, kinds, now_ms),
            self._table(shown, width, now_ms),
            Text(foot, style="dim", no_wrap=True, overflow="ellipsis"),
        )

    def _head(self, width: int, state: State, kinds: set[str], now_ms: int) -> Text:
        text, style = _STATES[state]
        head = Text(no_wrap=True, overflow="ellipsis")
        head.append("ticker ", "bold").append(f"{text} ", style)
        for kind in sorted(kinds - {"live"}):
            head.append(f" {plain(kind).upper()} ", "black on yellow").append(" ")
        head.append(f"{len(self.rows)} symbol{'s' * (len(self.rows) != 1)}", "dim")
        right = f"{clock_text(now_ms)[:8]} UTC" if now_ms else ""
        where = f"{self.address}  {right}"
        gap = width - head.cell_len - len(where)
        return head.append(f"{' ' * gap}{where}" if gap > 1 else "", "dim")

    def _table(self, rows: list[Row], width: int, now_ms: int) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", expand=False)
        columns = [column for group in COLUMNS for column in group]
        cells = {column.head: [column.cell(self, row, now_ms) for row in rows] for column in columns}
        widths = {head: max([len(head), *(cell.cell_len for cell in cells[head])]) for head in cells}
        left = width
        chosen: list[Column] = []
        for group in COLUMNS:
            need = sum(widths[column.head] + 2 for column in group)
            if need <= left + 2:  # the last column has no gap after it
                left -= need
                chosen += group
        chosen.sort(key=lambda column: column.place)
        for column in chosen:
            wide = widths[column.head] if column.right else 0
            for cell in cells[column.head]:
                cell.pad_left(wide - cell.cell_len)  # right-justified, the column would strip the blank for an arrow
            table.add_column(f"{column.head:>{wide}}", no_wrap=True)
        for i in range(len(rows)):
            table.add_row(*(cells[column.head][i] for column in chosen))
        return table

    def spark(self, row: Row) -> Text:
        """The last minutes' closes as blocks, the last of them the current price."""
        closes = [None if close is None else float(close) for close in self.closes.get(row.quote.symbol, ())]
        now = _price(row.quote)
        points = [*closes[:-1], now][-SPARK:]
        known = [point for point in points if point is not None]
        if len(known) < 2:
            return Text(" " * SPARK)
        low, high = min(known), max(known)
        step = (high - low) / (len(_BLOCKS) - 1) or 1.0
        text = "".join(" " if point is None else _BLOCKS[round((point - low) / step)] for point in points)
        return Text(text.rjust(SPARK), style="green" if known[-1] >= known[0] else "red")


def _price(quote: Quote[Any]) -> float | None:
    value = quote.last if quote.last is not None else quote.mid
    return None if value is None else float(value)


def _last(_: Board, row: Row, now_ms: int) -> Text:
    arrow = {1: "▲", -1: "▼", 0: " "}[row.direction]
    fresh = now_ms - row.moved_ms < FLASH_MS
    color = {1: "green", -1: "red", 0: ""}[row.direction]
    price = Text(price_text(row.quote), style=f"bold {color}" if fresh and color else "bold")
    return price.append(f" {arrow}", color if fresh else f"dim {color}")


def _change(_: Board, row: Row, __: int) -> Text:
    change = row.quote.change_pct
    if change is None:
        return Text("–", "dim")
    return Text(f"{change:+.2f}%", "green" if change > 0 else "red" if change < 0 else "")


def _age(_: Board, row: Row, now_ms: int) -> Text:
    state, ts = row.quote.state, row.quote.ts
    age = "" if ts is None else age_text(now_ms - ts)
    return Text(age, "dim") if state in {None, "live"} else Text(f"{plain(state)} {age}".rstrip(), "yellow")


def _field(name: str, style: str = "") -> Callable[[Board, Row, int], Text]:
    return lambda _, row, __: Text(plain(row.quote.raw.get(name)), style)


class Column(NamedTuple):
    """A column; `place` is its position from left to right."""

    head: str
    place: int
    cell: Callable[[Board, Row, int], Text]
    right: bool = True


COLUMNS = (
    (Column("Symbol", 0, lambda _, row, __: Text(plain(row.quote.symbol), "bold"), right=False),),
    (Column("Last", 1, _last),),
    (Column("24 h", 2, _change),),
    (Column("Age", 6, _age),),
    (Column("Last 20 min", 3, lambda board, row, _: board.spark(row), right=False),),
    (Column("Bid", 4, _field("bid")), Column("Ask", 5, _field("ask"))),
    (Column("High", 7, _field("high")), Column("Low", 8, _field("low"))),
    (Column("Volume", 9, _field("volume")),),
    (Column("Source", 10, _field("source", "dim"), right=False),),
    (Column("Name", 11, _field("name", "dim"), right=False),),
)
"""The most important first; those of a group are shown together or not at all."""
