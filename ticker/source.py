"""One venue symbol as the door of its feed knows it: what came last, in which order, and how often."""

from __future__ import annotations

from dataclasses import dataclass

from ticker.model import Quote, Value
from ticker.rhythm import Rhythm


@dataclass(eq=False, slots=True)
class Source:
    """One venue symbol.

    Attributes:
        rank: its feed's kind and place in the configuration; smaller is better.
        least_s: the least silence that may count as stale, seconds.
        rhythm: of its rows.
        seq, seq_at: the last sequence number, and when that came.
        run: the feed's run that `seq` belongs to.
        market: what the venue says of its market: `live`, `halted` or `closed`.
        state: what readers were told; `gone` once it is removed.
        quote: the last one accepted; the same object again carries no news.
        last, price: its last price, and the same as a number.
        ts: the exchange's time of the last row that had one.
        trades: the rhythm of its exchange times, where rows repeat them; the age of such a row is judged by it.
        watched: whether it has a deadline, see `ticker.staleness`.
    """

    symbol: str
    rank: tuple[int, int]
    least_s: float
    rhythm: Rhythm
    seq_at: float
    seq: int | None = None
    run: int = 0
    market: str = "live"
    state: str = ""
    quote: Quote | None = None
    last: Value = None
    price: float = 0.0
    ts: int | None = None
    trades: Rhythm | None = None
    watched: bool = False
