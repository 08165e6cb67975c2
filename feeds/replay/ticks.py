"""Recorded tick files as a feed: CSV or CSV.gz, at recorded pace, faster, or as fast as possible.

A row becomes a quote with the file's own decimal text and the recorded time as `ts`. Rows go out in the file's
order, never before they are due and a few milliseconds after at most; gaps are waited for, weekends included.
`seq` is the running number of the row over all rounds of a loop, so a second round is newer than the first
although its `ts` is older. A row that cannot be used is counted and costs only itself; a damaged file ends the
feed. The file is streamed, never held.
"""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import gzip
import logging
import os
import stat
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from feeds.base import Context, Sink
from feeds.replay.shared import LATENESS_S, LOOP_GAP_S, ReplayOptions, hand_over
from feeds.rows import PRICES, digits_of, iso_utc, make_quote, time_ms
from ticker.errors import FatalFeedError, did_you_mean
from ticker.model import SYMBOL, VENUE_SYMBOL, Bar, FeedStatus, Quote

ROWS_PER_TURN = 250
"""Rows read before others may run: about 3 ms."""
LINE_BYTES = 65_536
MAX_SYMBOLS = 50_000

COLUMNS = {
    "time": ("ts_ms_utc", "ts_ms", "ts", "timestamp", "datetime", "time", "ms"),
    "venue": ("venue", "exchange"),
    "symbol": ("symbol", "instrument", "pair"),
    "last": ("last", "price", "last_price"),
    "bid": ("bid", "bid_price"),
    "ask": ("ask", "ask_price"),
    "bid_size": ("bid_size", "bid_qty"),
    "ask_size": ("ask_size", "ask_qty"),
}
"""Names of a column, best first, in any case. Others are ignored: a tick's `volume` is not that of 24 hours."""

TimeReader = Callable[[str], int | None]
"""From a cell to ms since 1970 UTC, what is less than a ms cut off; None for no time."""

log = logging.getLogger("ticker.feeds")


class RowError(ValueError):
    """A row that cannot be used. `reason` is one of `model.REJECT_REASONS`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Replay:
    """The feed of one file. Making it reads the file's first line; a `ValueError` says what is wrong with it."""

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
        self._at, self._read_time = _layout(columns, options)
        self._values_at = [(name, i) for name, i in self._at.items() if name not in {"time", "venue", "symbol"}]
        self._seq = 0
        self._file: BinaryIO | None = None
        self._symbols: dict[tuple[str, str], str] = {}
        self._decimals: dict[str, int] = {}
        if options.symbol:
            self._admit("", "")

    @property
    def progress(self) -> float | None:
        """The share of the file, 0 to 1, that has been read in this round; None while it is not open."""
        if self._file is None or self._file.closed:
            return None
        return self._file.tell() / max(1, os.fstat(self._file.fileno()).st_size)

    def _opened(self, file: BinaryIO) -> None:
        self._file = file

    async def run(self, sink: Sink) -> None:
        """Play the file once, or with `loop` until cancelled; a round without a usable row is the last one."""
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
        """None: the candles of a replay are those that the service makes of it."""
        return []

    async def _play(self, quotes: Iterator[Quote | None], sink: Sink) -> int | None:
        """One round. Returns the recorded time of its last quote, None if it had none."""
        batch: list[Quote] = []
        first_ms = last_ms = None
        began = now = self._clock.monotonic()
        try:
            for rows, quote in enumerate(quotes, 1):
                if rows % ROWS_PER_TURN == 0:
                    hand_over(batch, sink)
                    await self._clock.sleep(0)
                if quote is None:
                    continue
                last_ms = quote.ts
                assert last_ms is not None, "every row has a time"
                first_ms = last_ms if first_ms is None else first_ms
                due = began + (last_ms - first_ms) / 1000 / self._pace
                if due > now and due > (now := self._clock.monotonic()):
                    hand_over(batch, sink)
                    await self._clock.sleep(max(due - now, LATENESS_S))
                    now = max(due, self._clock.monotonic())  # a timer may come a hair early
                batch.append(quote)
        finally:  # the rows before a damaged place count
            hand_over(batch, sink)
        return last_ms

    def _quotes(self, status: FeedStatus) -> Generator[Quote | None, None, None]:
        """For each row of the file its quote, or None where it was rejected; that is counted."""
        for number, line in _lines(self._path, self._opened):
            if not line.strip() or (number == 1 and not self._options.columns):
                continue
            self._seq += 1
            counted = status.rejects.copy()
            quote, problem = None, "its values are refused"
            try:
                quote = self._quote(line, status)
            except RowError as error:
                status.rejects[error.reason] += 1
                problem = str(error)
            if status.rejects != counted:
                reason = next(name for name, count in status.rejects.items() if count != counted[name])
                if not counted[reason]:
                    log.warning(problem, extra={"feed": self.name, "rejects": reason, "first_line": number})
            yield quote

    def _quote(self, line: str, status: FeedStatus) -> Quote | None:
        row = _cells(line)
        if len(row) != self._width:
            raise RowError("schema", f"{len(row)} columns instead of {self._width}")
        try:
            ts = self._read_time(row[self._at["time"]])
        except ValueError as error:
            raise RowError("timestamp", str(error)) from error
        if ts is None or ts <= 0:
            raise RowError("timestamp", "no time, or one before 1970")
        venue = row[self._at["venue"]] if "venue" in self._at else ""
        written = row[self._at["symbol"]] if "symbol" in self._at else ""
        symbol = self._symbols.get((venue, written)) or self._admit(venue, written)
        # An empty cell says nothing, as in a file of quotes and trades together; a zero says "no price".
        raw = {name: row[i] for name, i in self._values_at if row[i]}
        if not raw:
            raise RowError("schema", "no value")
        now_ms, crossed = self._clock.wall_ms(), self._options.crossed
        quote = make_quote(symbol, raw, status, ts=ts, now_ms=now_ms, crossed=crossed, seq=self._seq)
        return quote and self._with_decimals(quote)

    def _admit(self, venue: str, written: str) -> str:
        """The venue symbol of a pair of cells that was not seen yet; the options speak where a cell is empty."""
        if len(self._symbols) >= MAX_SYMBOLS:
            raise RowError("limit", f"more than {MAX_SYMBOLS} symbols")
        symbol = written or self._options.symbol or ""
        name = f"{(venue or self._options.venue).lower()}:{self._renamed.get(symbol, symbol)}"
        if not VENUE_SYMBOL.fullmatch(name):
            raise RowError("symbol", f"{name[:98]} is no venue:SYMBOL; give map={symbol[:64]}:BASE-QUOTE")
        self._symbols[venue, written] = name
        return name

    def _with_decimals(self, quote: Quote) -> Quote:
        """The quote, with the most digits that a price of its symbol has had whenever that has grown."""
        digits = digits_of(quote.values)
        if digits <= self._decimals.get(quote.symbol, -1):
            return quote
        self._decimals[quote.symbol] = digits
        return quote._replace(values={**quote.values, "decimals": digits})


def _lines(path: Path, opened: Callable[[BinaryIO], None] | None = None) -> Generator[tuple[int, str], None, None]:
    """The lines of a file with their numbers; a `FatalFeedError` says after which one it cannot be read.

    Args:
        path: the file, compressed if it is called so.
        opened: is handed the file as it is on the disk.
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
        reason = getattr(error, "strerror", None) or error  # without the path, which readers need not know
        raise FatalFeedError(f"unreadable after line {number}: {reason}") from error


def _cells(line: str) -> list[str]:
    try:  # one reader for each line, so that a quotation mark left open costs no more than its line
        return next(csv.reader((line,), strict=True, skipinitialspace=True), [])
    except csv.Error as error:
        raise RowError("schema", str(error)) from error


def _layout(columns: Sequence[str], options: ReplayOptions) -> tuple[dict[str, int], TimeReader]:
    """Where things stand in a row, and how its time is read; a `ValueError` says what is missing."""
    names = [name.strip().lower() for name in columns]
    known = {name for synonyms in COLUMNS.values() for name in synonyms}
    for name in names if options.columns else ():
        if name != "_" and name not in known:
            raise ValueError(f"columns: _ skips one, {name!r} is unknown{did_you_mean(name, known)}")
    found = {what: [name for name in synonyms if name in names] for what, synonyms in COLUMNS.items()}
    at = {what: names.index(present[0]) for what, present in found.items() if present}
    if "time" not in at or not any(name in at for name in PRICES):
        raise ValueError("no columns for time and price; give columns=ms,bid,ask&symbol=…&date=YYYYMMDD")
    if "symbol" not in at and not options.symbol:
        raise ValueError("no column for the symbol; give symbol=…")
    return at, _time_reader(names[at["time"]], options)


def _time_reader(column: str, options: ReplayOptions) -> TimeReader:
    if (column == "ms") != (options.date is not None) or (options.utc_offset_h and not options.date):
        raise ValueError("a column ms needs date=YYYYMMDD; date and utc_offset_h are for nothing else")
    if options.date is None:
        return (lambda text: time_ms(text, "ms")) if column.startswith("ts_ms") else _moment_ms
    try:
        day = dt.date.fromisoformat(options.date)
    except ValueError as error:
        raise ValueError(f"date: give YYYYMMDD, not {options.date!r}") from error
    zone = dt.timezone(dt.timedelta(hours=options.utc_offset_h))
    midnight_ms = round(dt.datetime.combine(day, dt.time(), zone).timestamp()) * 1000
    return lambda text: midnight_ms + (time_ms(text, "ms") or 0) if text else None


def _moment_ms(text: str) -> int | None:
    """ISO 8601, UTC if it names no zone, or a number since 1970 whose size tells its unit."""
    whole = text.partition(".")[0]
    if not whole.isdecimal():
        return time_ms(text, "iso")
    digits = len(whole)
    return time_ms(text, "s" if digits <= 11 else "ms" if digits <= 14 else "us" if digits <= 17 else "ns")


def _renamed(entries: Sequence[str]) -> dict[str, str]:
    """Canonical symbols by those in the file, of entries such as `BTC/USDT:BTC-USDT`."""
    names: dict[str, str] = {}
    for entry in entries:
        written, _, symbol = entry.rpartition(":")
        if not written or not SYMBOL.fullmatch(symbol):
            raise ValueError(f"map: give SYMBOL_IN_FILE:SYMBOL, as BTC/USDT:BTC-USDT, not {entry!r}")
        names[written] = symbol
    return names
