"""One venue symbol as the door of its feed knows it: what came last, in which order, and how often."""

from __future__ import annotations

from ticker.model import Quote, Value
from ticker.rhythm import Rhythm


class Source:
    """One venue symbol.

    Attributes:
        rank: its feed's kind and place in the configuration; smaller is better.
        least_s: the least silence that may count as stale, seconds.
        market: what the venue says of its market: `live`, `halted` or `closed`.
        state: what readers were told; `gone` once it is removed.
        quote: the last one accepted; the same object again carries no news.
        last, price: its last price, and the same as a number.
        ts: the exchange's time of the last row that had one.
        seq, seq_at: the last sequence number, and when that came.
        run: the feed's run that `seq` belongs to.
        rhythm: of its rows.
        trades: the rhythm of its exchange times, where rows repeat them; the age of such a row is judged by it.
        watched: whether it has a deadline, see `ticker.staleness`.
    """

    __slots__ = (
        "last", "least_s", "market", "price", "quote", "rank", "rhythm", "run",
        "seq", "seq_at", "state", "symbol", "trades", "ts", "watched",
    )  # fmt: skip

    def __init__(self, symbol: str, rank: tuple[int, int], least_s: float, now: float) -> None:
        self.symbol = symbol
        self.rank = rank
        self.least_s = least_s
        self.market = "live"
        self.state = ""
        self.quote: Quote | None = None
        self.last: Value = None
        self.price = 0.0
        self.ts: int | None = None
        self.seq: int | None = None
        self.seq_at = now
        self.run = 0
        self.rhythm = Rhythm(now)
        self.trades: Rhythm | None = None
        self.watched = False
