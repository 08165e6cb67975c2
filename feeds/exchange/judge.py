"""Rows of one exchange in, valid and wanted quotes out; what is rejected is counted.

Polled and streamed rows are treated alike, and a bad row costs only itself. Single values are validated in `rows`;
what is remembered of each symbol is in `memory`, and here, which rows of the last answer are unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import compress
from operator import not_

from msgspec.structs import asdict

from feeds.exchange.bulk import Table
from feeds.exchange.directory import OPEN, Directory, Entry
from feeds.exchange.memory import Memory
from feeds.exchange.venue import Row, Venue
from feeds.rows import FUTURE_MS, all_plain, good_values
from feeds.times import time_ms
from ticker.clock import Clock
from ticker.model import FeedStatus, Quote

SLICE = 500
"""How many rows are judged in one turn of the loop, which takes some 2 ms."""
_new = tuple.__new__  # takes half the time of calling the class

Judged = tuple[Row | tuple[str, ...], Entry, Quote]
"""A row of the last answer of which nothing was rejected, or its texts; what is known about its name; its quote."""


class Judge:
    """Turns the rows of one feed into quotes.

    Attributes:
        memory: what is remembered of their symbols.

    Args:
        venue: whose rows they are.
        directory: what their names mean.
        crossed: `reject` or `keep` a bid above the ask.
        clock: for receive times and ages.
    """

    def __init__(self, venue: Venue, directory: Directory, crossed: str, clock: Clock) -> None:
        self.memory = Memory(venue, directory, clock)
        self._venue = venue
        self._directory = directory
        self._crossed = crossed
        self._clock = clock
        self._compares = venue.change_from != "open"
        self._judged: dict[str, Judged] = {}
        self._odd: set[str] = set()  # wire names of rows of tables that were not plain

    def answer(self, rows: Sequence[Row], status: FeedStatus, only: Callable[[str], bool] | None = None) -> list[Quote]:
        """The quotes of a whole answer, as in `slices`, without pauses."""
        *_, quotes = self.slices(rows, status, only)
        return quotes

    def slices(
        self, rows: Sequence[Row], status: FeedStatus, only: Callable[[str], bool] | None = None
    ) -> Iterator[list[Quote]]:
        """Judge a whole answer: yields empty lists, as pauses in which other tasks can run, then all quotes.

        There is one quote for each symbol: of two rows the newer counts, else the first, and the other is rejected.
        Rows of quiet and halted symbols are the same as in the last answer, and comparing costs a tenth of judging.
        A row with a rejected value is judged again each time, so that it is counted each time.

        Args:
            rows: the rows of the answer.
            status: its `rejects` are counted up.
            only: which venue symbols to look at; None: all wanted ones.
        """
        if len(rows) > SLICE:
            yield []
        if isinstance(rows, Table) and self._venue.session is None and not self._compares:
            yield from self._table(rows, status, only)
            return
        wall_ms = self._clock.wall_ms()
        before, after = self._judged, dict[str, Judged]()
        self._judged = after
        seen: list[str] = []
        quotes: dict[str, Quote] = {}
        for row in rows:
            wire = row.wire
            entry = self._directory.entry(wire)
            if entry is None:
                status.rejects[_reason_unknown(row)] += 1
                continue
            symbol = entry.symbol
            if not entry.selected or not (only is None or only(symbol)):
                continue
            seen.append(symbol)
            if len(seen) % SLICE == 0:
                yield []
            known = before.get(wire)
            if known is not None and known[0] == row and known[1] is entry and self._venue.session is None:
                quote: Quote | None = known[2]
                after[wire] = known
            else:
                quote, clean = self._judge(row, entry, status, wall_ms)
                if quote and clean and row.until is None:
                    after[wire] = row, entry, quote
            if quote and (first := quotes.get(symbol)):
                status.rejects["out_of_order"] += 1
                quote = quote if (quote.ts or 0) > (first.ts or 0) else first
            if quote:
                quotes[symbol] = quote
        self.memory.see(seen)
        yield list(quotes.values())

    def _table(self, table: Table, status: FeedStatus, only: Callable[[str], bool] | None) -> Iterator[list[Quote]]:
        """The same for an answer whose values are all text: its changed rows are validated as a whole.

        The few rows that are not plain, mostly of dead symbols without a price, are judged one by one.
        """
        wall_ms = self._clock.wall_ms()
        entries, entry_of, decimals = self._directory.entries, self._directory.entry, self.memory.decimals
        before, after = self._judged, dict[str, Judged]()
        self._judged = after
        same = [(last := before.get(texts[-1])) is not None and last[0] == texts for texts in table.texts]
        odd = self._find_odd(table, same)
        seen: list[str] = []
        quotes: dict[str, Quote] = {}
        for texts, sent, known in zip(table.texts, table.sent, same, strict=True):
            wire = texts[-1]
            entry = entries.get(wire) or entry_of(wire)  # a call for each would be felt
            if entry is None:
                status.rejects["symbol"] += 1
                continue
            symbol, selected, extra = entry
            if not selected or not (only is None or only(symbol)):
                continue
            seen.append(symbol)
            if len(seen) % SLICE == 0:
                yield []
            quote: Quote | None
            if known and (judged := before[wire])[1] is entry:
                after[wire] = judged
                quote = judged[2]
            else:
                values = asdict(sent)
                del values["wire"]
                clean = not known and wire not in odd  # only changed rows were validated
                if clean:
                    values |= extra
                    if "decimals" not in extra:
                        values["decimals"] = decimals(symbol, values)
                    quote = _new(Quote, (symbol, values, None, None))
                else:
                    quote, clean = self._judge(Row(wire, values), entry, status, wall_ms)
                if quote and clean:
                    after[wire] = texts, entry, quote
            if quote is None:
                continue
            if symbol in quotes:
                status.rejects["out_of_order"] += 1
            else:
                quotes[symbol] = quote
        self.memory.see(seen)
        yield list(quotes.values())

    def _find_odd(self, table: Table, same: Sequence[bool]) -> set[str]:
        """The wire names of the rows that are not plain. Those that were not last time are tested one by one."""
        fresh = list(compress(table.texts, map(not_, same)))
        plain = partial(all_plain, table.fields, crossed=self._crossed)
        suspects = [texts for texts in fresh if texts[-1] in self._odd] if self._odd else []
        others = [texts for texts in fresh if texts[-1] not in self._odd] if suspects else fresh
        if not plain(others):
            suspects = fresh
        self._odd.difference_update(texts[-1] for texts in suspects)
        self._odd.update(texts[-1] for texts in suspects if not plain([texts]))
        if len(self._odd) > len(table):  # a server may invent names
            self._odd.intersection_update(texts[-1] for texts in table.texts)
        return self._odd

    def message(self, rows: Iterable[Row], status: FeedStatus) -> list[Quote]:
        """The quotes of a stream's message, in order."""
        wall_ms = self._clock.wall_ms()
        quotes = []
        for row in rows:
            entry = self._directory.entry(row.wire)
            if entry is None:
                status.rejects[_reason_unknown(row)] += 1
            elif entry.selected:
                self.memory.see((entry.symbol,))
                quote, _ = self._judge(row, entry, status, wall_ms)
                if quote:
                    quotes.append(quote)
        return quotes

    def _judge(self, row: Row, entry: Entry, status: FeedStatus, wall_ms: int) -> tuple[Quote | None, bool]:
        """The row's quote, and whether nothing of it was rejected; what is rejected is counted."""
        _, raw, time, seq, state, until = row
        rejects = status.rejects
        if raw is None:
            rejects["schema"] += 1
            return None, False
        ts = None
        if time:
            try:
                ts = time_ms(time, self._venue.time_unit)
            except ValueError:
                ts = wall_ms + FUTURE_MS + 1
            if ts is not None and ts > wall_ms + FUTURE_MS:
                rejects["timestamp"] += 1
                return None, False
        if self._venue.session and ts is not None and state is None:
            state = self._venue.session.state(ts, wall_ms)
        if until is not None and wall_ms - until >= self._venue.late_s * 1000:
            state = "closed"
        values, reason = good_values(raw, self._crossed)
        if values is None or not (values or entry.extra or state):
            if reason or entry.extra.get("state") in OPEN:  # a closed market may have no price
                rejects[reason or "price"] += 1
            return None, False
        if reason:
            rejects[reason] += 1
        symbol = entry.symbol
        if "change_pct" not in values or self._compares:
            self.memory.changes.complete(symbol, values)
        values.update(entry.extra)
        if state:
            values["state"] = state
        if "decimals" not in values:
            values["decimals"] = self.memory.decimals(symbol, values)
        return _new(Quote, (symbol, values, ts, seq)), reason is None


def _reason_unknown(row: Row) -> str:
    return "schema" if row.raw is None else "symbol"
