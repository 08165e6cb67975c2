"""Recorded tick files as a feed: CSV or CSV.gz, at the recorded pace, a multiple of it, or as fast as possible.

A row becomes a quote with the file's own decimal text and the recorded time as `ts`. Rows go out in the file's order,
never before they are due and at most a few milliseconds after; gaps are played in full, weekends included. `seq`
counts the rows over all rounds of a loop, so that a second round is newer than the first although its `ts` is older.
An unusable row is counted and skipped; a damaged file ends the feed. The file is streamed, never loaded as a whole.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import logging
import os
import stat
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from feeds.base import Context, Sink
from feeds.replay.batch import Batch
from feeds.replay.columns import layout
from feeds.replay.options import LOOP_GAP_S, ReplayOptions
from feeds.rows import FUTURE_MS, digits_of, good_values
from feeds.times import iso_utc
from ticker.errors import FatalFeedError
from ticker.model import SYMBOL, VENUE_SYMBOL, Bar, FeedStatus, Quote

ROWS_PER_TURN = 250
"""Rows read in one turn of the loop, which takes about 3 ms."""
LINE_BYTES = 65_536
MAX_SYMBOLS = 50_000

log = logging.getLogger("ticker.feeds")


class RowError(ValueError):
    """An unusable row. `reason` is one of `model.REJECT_REASONS`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Replay:
    """The feed of one file. The constructor reads the first line and raises `ValueError` if the layout is wrong."""

    kind = "replay"
    clock = "exchange"
    stale_after_s = 5.0

    def __init__(self, name: str, options: ReplayOptions, context: Context) -> None:
        self.name = name
        self._options = options
        self._clock = context.clock
        self._pace = options.pace
        self._renamed = _renamed(options.map)
        self._path = Path(options.symbols)
        with contextlib.closing(_lines(self._path)) as lines:
            _, first_line = next(lines, (0, ""))
        columns = options.columns or _cells(first_line)
        self._width = len(columns)
        self._at, self._read_time = layout(columns, options)
        self._values_at = [(name, i) for name, i in self._at.items() if name not in {"time", "venue", "symbol"}]
        self._seq = 0
        self._file: BinaryIO | None = None
        self._symbols: dict[tuple[str, str], str] = {}
        self._decimals: dict[str, int] = {}
        if options.symbol:
            self._admit("", "")

    @property
    def progress(self) -> float | None:
        """The share of the file, 0 to 1, that this round has read; None while the file is not open."""
        if self._file is None or self._file.closed:
            return None
        return self._file.tell() / max(1, os.fstat(self._file.fileno()).st_size)

    def _opened(self, file: BinaryIO) -> None:
        self._file = file

    async def run(self, sink: Sink) -> None:
        """Play the file once, or with `loop` until cancelled or until a round has no usable row."""
        while True:
            with contextlib.closing(self._quotes(sink.status)) as quotes:
                ended_ms = await self._play(quotes, sink)
            if ended_ms is None or not self._options.loop:
                break
            await self._clock.sleep(LOOP_GAP_S / self._pace)
        if not sink.status.loaded:
            sink.loaded()
        sink.state("stale", "replay ended " + (f"at {iso_utc(ended_ms)}" if ended_ms else "without a usable row"))

    async def history(self, symbol: str, interval_s: int, limit: int) -> list[Bar]:  # noqa: ARG002 - the contract
        """None: the candles of a replay are those that the service builds from it."""
        return []

    async def _play(self, quotes: Iterator[Quote | None], sink: Sink) -> int | None:
        """Play one round; returns the recorded time of its last quote, None if it had none."""
        batch = Batch(sink, self._clock)
        began, first_ms, last_ms = batch.now, None, None
        try:
            for rows, quote in enumerate(quotes, 1):
                if rows % ROWS_PER_TURN == 0:
                    await batch.pause()
                if quote is None:
                    continue
                last_ms = quote.ts
                assert last_ms is not None, "every row has a time"
                first_ms = last_ms if first_ms is None else first_ms
                due = began + (last_ms - first_ms) / 1000 / self._pace
                if due > batch.now:
                    await batch.wait(due)
                batch.quotes.append(quote)
        finally:  # rows before a damaged part count
            batch.hand_over()
        return last_ms

    def _quotes(self, status: FeedStatus) -> Generator[Quote | None, None, None]:
        """The quote of each row of the file, or None if the row was rejected, which is counted."""
        for number, line in _lines(self._path, self._opened):
            if not line.strip() or (number == 1 and not self._options.columns):
                continue
            self._seq += 1
            try:
                quote, reason = self._quote(line)
                problem = "its values are invalid"
            except RowError as error:
                quote, reason, problem = None, error.reason, str(error)
            if reason:
                status.rejects[reason] += 1
                if status.rejects[reason] == 1:
                    log.warning(problem, extra={"feed": self.name, "rejects": reason, "first_line": number})
            yield quote

    def _quote(self, line: str) -> tuple[Quote | None, str | None]:
        """The quote of a row, if it has good values, and the reason why others were left out."""
        row = _cells(line)
        if len(row) != self._width:
            raise RowError("schema", f"{len(row)} columns instead of {self._width}")
        try:
            ts = self._read_time(row[self._at["time"]])
        except ValueError as error:
            raise RowError("timestamp", str(error)) from error
        if ts is None or ts <= 0:
            raise RowError("timestamp", "no time, or one before 1970")
        if ts > self._clock.wall_ms() + FUTURE_MS:
            raise RowError("timestamp", "it is from the future")
        venue = row[self._at["venue"]] if "venue" in self._at else ""
        written = row[self._at["symbol"]] if "symbol" in self._at else ""
        symbol = self._symbols.get((venue, written)) or self._admit(venue, written)
        # An empty cell means "unchanged", as in a file of quotes and trades; a zero means "no price".
        raw = {name: row[i] for name, i in self._values_at if row[i]}
        if not raw:
            raise RowError("schema", "no value")
        values, reason = good_values(raw, self._options.crossed)
        if not values:
            return None, reason or "price"
        return self._with_decimals(Quote(symbol, values, ts, self._seq)), reason

    def _admit(self, venue: str, written: str) -> str:
        """Make the venue symbol for a new pair of cells; an empty cell is filled from the options."""
        if len(self._symbols) >= MAX_SYMBOLS:
            raise RowError("limit", f"more than {MAX_SYMBOLS} symbols")
        symbol = written or self._options.symbol or ""
        name = f"{(venue or self._options.venue).lower()}:{self._renamed.get(symbol, symbol)}"
        if not VENUE_SYMBOL.fullmatch(name):
            raise RowError("symbol", f"{name[:98]} is not a venue:SYMBOL; give map={symbol[:64]}:BASE-QUOTE")
        self._symbols[venue, written] = name
        return name

    def _with_decimals(self, quote: Quote) -> Quote:
        """The quote, with `decimals` added if a price has more digits than any before of its symbol."""
        digits = digits_of(quote.values)
        if digits <= self._decimals.get(quote.symbol, -1):
            return quote
        self._decimals[quote.symbol] = digits
        return quote._replace(values={**quote.values, "decimals": digits})


def _lines(path: Path, opened: Callable[[BinaryIO], None] | None = None) -> Generator[tuple[int, str], None, None]:
    """The lines of a file with their numbers; raises `FatalFeedError` if it cannot be read.

    Args:
        path: the file; compressed if its name ends in .gz.
        opened: called with the open file, before decompression.
    """
    number = 0
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for its other end
            raise FatalFeedError("not a file")
        with path.open("rb") as raw, gzip.open(raw) if path.suffix.lower() == ".gz" else raw as file:
            if opened is not None:
                opened(raw)
            while line := file.readline(LINE_BYTES + 1):
                number += 1
                if len(line) > LINE_BYTES:
                    raise FatalFeedError(f"line {number} is longer than {LINE_BYTES} bytes")
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise FatalFeedError(f"line {number} is not UTF-8 text") from error
    except FileNotFoundError as error:
        raise FatalFeedError("no such file") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error  # without the path, which clients need not know
        raise FatalFeedError(f"unreadable after line {number}: {reason}") from error


def _cells(line: str) -> list[str]:
    try:  # one reader per line, so that an unclosed quotation mark spoils only its line
        return next(csv.reader((line,), strict=True, skipinitialspace=True), [])
    except csv.Error as error:
        raise RowError("schema", str(error)) from error


def _renamed(entries: Sequence[str]) -> dict[str, str]:
    """Canonical symbols by the symbols in the file, from entries such as `BTC/USDT:BTC-USDT`."""
    names: dict[str, str] = {}
    for entry in entries:
        written, _, symbol = entry.rpartition(":")
        if not written or not SYMBOL.fullmatch(symbol):
            raise ValueError(f"map: give SYMBOL_IN_FILE:SYMBOL, as BTC/USDT:BTC-USDT, not {entry!r}")
        names[written] = symbol
    return names
