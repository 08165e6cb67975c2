"""Rows of one exchange in, good and wanted quotes out; what is refused is counted, what was seen is remembered.

Promises: the same row is worth the same however it came, by an answer or by a stream; a bad row costs itself.
The judging of single values is in `rows`; here is what needs memory: which symbols there are, how many digits
they have, and which rows of the last answer need no second look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from feeds.exchange.directory import Directory, Entry
from feeds.exchange.venue import Row, Venue
from feeds.rows import make_quote, time_ms
from ticker.clock import Clock
from ticker.model import FeedStatus, Quote, Value

ABSENT_S = 600.0
"""A symbol that the list has lost is removed once there was no row of it for this long."""


class _Judged(NamedTuple):
    """A row of the last answer that nothing was refused of."""

    row: Row
    entry: Entry
    quote: Quote


class Judge:
    """What the rows of one feed are worth.

    Args:
        venue: whose rows they are.
        directory: what their names mean.
        crossed: `reject` or `keep`, for bid above ask.
        clock: for receive times and ages.
    """

    def __init__(self, venue: Venue, directory: Directory, crossed: str, clock: Clock) -> None:
        self._venue = venue
        self._directory = directory
        self._crossed = crossed
        self._clock = clock
        self._seen_at: dict[str, float] = {}
        self._digits: dict[str, int] = {}
        self._judged: dict[str, _Judged] = {}

    def answer(self, rows: Sequence[Row], status: FeedStatus, only: Callable[[str], bool] | None = None) -> list[Quote]:
        """The quotes of a whole answer, one for each symbol: the newer of two rows, else the first; the other counts.

        Args:
            rows: what the answer holds.
            status: whose `rejects` count.
            only: which venue symbols to look at; None: all wanted ones.
        """
        now_s = self._clock.monotonic()
        entries = self._directory.entries(row.wire for row in rows)
        before, self._judged = self._judged, {}
        quotes: dict[str, Quote] = {}
        for row in rows:
            entry = entries[row.wire]
            if entry is None:
                status.rejects[_reason_unknown(row)] += 1
            elif entry.selected and (only is None or only(entry.symbol)):
                self._see(entry.symbol, now_s)
                quote, first = self._quote(row, entry, status, before), quotes.get(entry.symbol)
                if quote and first:
                    status.rejects["out_of_order"] += 1
                if quote and (first is None or (quote.ts or 0) > (first.ts or 0)):
                    quotes[entry.symbol] = quote
        return list(quotes.values())

    def message(self, rows: Iterable[Row], status: FeedStatus) -> list[Quote]:
        """The quotes of a stream's message, in order."""
        now_s = self._clock.monotonic()
        quotes = []
        for row in rows:
            entry = self._directory.entry(row.wire)
            if entry is None:
                status.rejects[_reason_unknown(row)] += 1
            elif entry.selected:
                self._see(entry.symbol, now_s)
                if quote := self._judge(row, entry, status):
                    quotes.append(quote)
        return quotes

    def delisted(self) -> list[str]:
        """The venue symbols that neither the list nor recent rows have any more; they are forgotten."""
        limit = self._clock.monotonic() - ABSENT_S
        gone = [s for s, at in self._seen_at.items() if at < limit and not self._directory.lists(s)]
        for symbol in gone:
            del self._seen_at[symbol]
            self._digits.pop(symbol, None)
        return gone

    def _see(self, symbol: str, now_s: float) -> None:
        if symbol in self._seen_at or len(self._seen_at) < self._venue.limits.symbols:
            self._seen_at[symbol] = now_s

    def _quote(self, row: Row, entry: Entry, status: FeedStatus, before: Mapping[str, _Judged]) -> Quote | None:
        """The row's quote, judged only if the row is not what it was in the last answer.

        Most rows are, and comparing costs a tenth of judging. A row that anything was refused of is judged
        again each time, because it counts each time.
        """
        judged = before.get(row.wire)
        if judged is None or judged.row != row or judged.entry is not entry:
            refused = sum(status.rejects.values())
            quote = self._judge(row, entry, status)
            if quote is None or sum(status.rejects.values()) > refused:
                return quote
            judged = _Judged(row, entry, quote)
        self._judged[row.wire] = judged
        return judged.quote

    def _judge(self, row: Row, entry: Entry, status: FeedStatus) -> Quote | None:
        if row.raw is None:
            status.rejects["schema"] += 1
            return None
        try:
            ts = time_ms(row.time, self._venue.time_unit)
        except ValueError:
            status.rejects["timestamp"] += 1
            return None
        quote = make_quote(
            entry.symbol,
            row.raw,
            status,
            ts=ts,
            now_ms=self._clock.wall_ms(),
            crossed=self._crossed,
            seq=row.seq,
            extra={**entry.extra, "state": row.state} if row.state else entry.extra,
        )
        if quote and "decimals" not in quote.values:
            quote.values["decimals"] = self._decimals(quote)
        return quote

    def _decimals(self, quote: Quote) -> int:
        """Digits after the point where the list does not say: the most that any price of the symbol has had.

        Exchanges that cut trailing zeros would otherwise make it flicker.
        """
        digits = max(self._digits.get(quote.symbol, 0), digits_of(quote.values))
        if quote.symbol in self._seen_at:
            self._digits[quote.symbol] = digits
        return digits


def digits_of(values: Mapping[str, Value]) -> int:
    """Digits after the point of the most precise of a quote's prices."""
    texts = (values.get(name) for name in ("last", "bid", "ask"))
    return max((len(text.partition(".")[2]) for text in texts if isinstance(text, str)), default=0)


def _reason_unknown(row: Row) -> str:
    return "schema" if row.raw is None else "symbol"
