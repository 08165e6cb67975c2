"""A feed that asks an exchange for all its tickers again and again.

Promises: one request at a time, on a fixed schedule; an answer counts as a whole or not at all; a failed poll
publishes nothing and is raised to the runner, which decides when to ask again. New listings appear and
delisted symbols go without a restart. Works for every `Venue` and mentions none.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

from feeds.base import Adapter, Context, Sink
from feeds.fetch import HttpSource
from feeds.rows import make_quote, time_ms
from feeds.venue import Directory, Entry, Row, Venue
from ticker.errors import FeedError
from ticker.model import Bar, FeedStatus, Quote, Value

T = TypeVar("T")

REFRESH_S = 3600.0
"""Age at which the instrument list is loaded again."""
RETRY_S = 60.0
"""Wait after a list that could not be loaded, while prices flow without it."""
ABSENT_S = 600.0
"""A symbol that the list has lost is removed once no answer has had a row of it for this long."""
_PATTERN_CHARACTERS = frozenset(string.ascii_letters + string.digits + "._^-*")


@dataclass(frozen=True, slots=True, kw_only=True)
class PollingOptions:
    """What a configuration may say of a polled exchange; an interval or address of None is the exchange's own."""

    symbols: tuple[str, ...] = field(
        default=("*",), metadata={"help": "symbols wanted, `*` for any run of characters: BTC-USD,*-EUR"}
    )
    interval_s: float | None = field(default=None, metadata={"help": "seconds from poll to poll"})
    base_url: str | None = field(default=None, metadata={"help": "scheme, host and port to ask instead"})
    proxy: str | None = field(default=None, metadata={"help": "URL of a proxy to go through"})
    timeout_s: float = field(default=5.0, metadata={"help": "deadline of one request, answer included"})
    crossed: str = field(default="reject", metadata={"help": "what to do with bid above ask: reject (both) or keep"})

    def __post_init__(self) -> None:
        """Raise ValueError for a value that cannot work."""
        if not self.symbols:
            raise ValueError("symbols: give at least one symbol or pattern, or '*' for all")
        for pattern in self.symbols:
            if not pattern or not _PATTERN_CHARACTERS.issuperset(pattern):
                raise ValueError(f"symbols: {pattern!r} has characters that no symbol has; write BTC-USD or *-EUR")
        if self.interval_s is not None and not 0 < self.interval_s <= REFRESH_S:
            raise ValueError(f"interval_s: give more than 0 and at most {REFRESH_S:g} seconds")
        if not 0 < self.timeout_s <= 60:
            raise ValueError("timeout_s: give more than 0 and at most 60 seconds")
        if self.crossed not in {"reject", "keep"}:
            raise ValueError(f"crossed: give reject or keep, not {self.crossed!r}")
        for name, url in (("base_url", self.base_url), ("proxy", self.proxy)):
            if url is not None and not _is_http_url(url):
                raise ValueError(f"{name}: give a URL such as http://127.0.0.1:8080")


def _is_http_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


class _Judged(NamedTuple):
    """A row of the last answer that nothing was refused of."""

    row: Row
    entry: Entry
    quote: Quote


class PollingFeed:
    """The `Feed` of a polled exchange.

    What it has learned (the list, the last request's time) outlives a failed `run`, so that a restart neither
    forgets symbols nor asks faster than the exchange bears.
    """

    def __init__(self, name: str, venue: Venue, options: PollingOptions, context: Context) -> None:
        self.name = name
        self.kind = venue.kind
        self.clock = venue.clock
        self._interval_s = options.interval_s or venue.limits.interval_s
        self.stale_after_s = max(5.0, 3 * self._interval_s)
        # Who asks for a shorter interval than ours knows what the exchange bears.
        self._gap_s = min(venue.limits.gap_s, self._interval_s)
        self._venue = venue
        self._options = options
        self._now = context.clock
        self._source = HttpSource(
            options.base_url or venue.base_url,
            context.clock,
            timeout_s=options.timeout_s,
            body_bytes=venue.limits.body_bytes,
            proxy=options.proxy,
        )
        exact = not any("*" in pattern for pattern in options.symbols)
        self._target = venue.rest_request(options.symbols if exact else ())
        self._directory = Directory(name, venue.symbol, options.symbols)
        self._next_request_at = 0.0
        self._list_due_at = 0.0
        self._seen_at: dict[str, float] = {}
        self._digits: dict[str, int] = {}
        self._judged: dict[str, _Judged] = {}

    async def run(self, sink: Sink) -> None:
        """Poll until cancelled; see `base.Feed.run`."""
        clock = self._now
        async with self._source:
            if self._venue.symbol is None and not self._directory.loaded:
                await self._load_list(sink)
            due_at = clock.monotonic()
            while True:
                await self._poll(sink)
                if clock.monotonic() >= self._list_due_at:
                    await self._load_list(sink)
                due_at += self._interval_s
                if (late_s := clock.monotonic() - due_at) > 0:
                    missed = int(late_s // self._interval_s) + 1
                    sink.status.polls["skipped"] += missed
                    due_at += missed * self._interval_s
                await clock.sleep(due_at - clock.monotonic())

    async def history(self, symbol: str, interval_s: int, limit: int) -> list[Bar]:  # noqa: ARG002
        """No older bars: a venue says only what is now."""
        return []

    async def _poll(self, sink: Sink) -> None:
        polls = sink.status.polls
        try:
            rows = await self._ask(self._target, self._parse_rows, sink.status)
        except FeedError:
            polls["error"] += 1
            raise
        polls["ok"] += 1
        quotes = self._quotes(rows, sink.status)
        if quotes:
            sink.publish(quotes)
        else:
            wanted = ",".join(self._options.symbols)[:80]
            sink.state("stale", f"no price for {wanted} in an answer of {len(rows)} rows")
        if quotes or self._directory.loaded:
            sink.loaded()

    def _parse_rows(self, body: bytes) -> list[Row]:
        rows = self._venue.parse_rest(body)
        if rows and all(row.raw is None for row in rows):
            raise ValueError(f"none of {len(rows)} rows has the known shape")
        return rows

    async def _ask(self, target: str, parse: Callable[[bytes], list[T]], status: FeedStatus) -> list[T]:
        """What an answer holds, at least one thing; everything else is a `FeedError`."""
        body = await self._get(target, status)
        try:
            found = parse(body)
        except ValueError as error:
            raise FeedError(f"an answer that cannot be read: {str(error)[:200]}") from error
        if not found:
            raise FeedError("an empty answer")
        return found

    async def _get(self, target: str, status: FeedStatus) -> bytes:
        wait_s = self._next_request_at - self._now.monotonic()
        if wait_s > 0:
            status.rate_limit_wait_s += wait_s
            await self._now.sleep(wait_s)
        self._next_request_at = self._now.monotonic() + self._gap_s
        return await self._source.get(target, status)

    def _quotes(self, rows: list[Row], status: FeedStatus) -> list[Quote]:
        """The good and wanted rows as quotes, one for each symbol; what is refused is counted."""
        now_s = self._now.monotonic()
        entries = self._directory.entries(row.wire for row in rows)
        before, self._judged = self._judged, {}
        quotes: dict[str, Quote] = {}
        for row in rows:
            entry = entries[row.wire]
            if entry is None:
                status.rejects["symbol"] += 1
            elif entry.selected:
                if entry.symbol in self._seen_at or len(self._seen_at) < self._venue.limits.symbols:
                    self._seen_at[entry.symbol] = now_s
                quote, first = self._quote(row, entry, status, before), quotes.get(entry.symbol)
                # Two rows of one symbol: the newest by the exchange's own time, else the first.
                if quote and (first is None or (quote.ts or 0) > (first.ts or 0)):
                    quotes[entry.symbol] = quote
        return list(quotes.values())

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
            now_ms=self._now.wall_ms(),
            crossed=self._options.crossed,
            seq=row.seq,
            extra=entry.extra,
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

    async def _load_list(self, sink: Sink) -> None:
        """Load the instrument list, and remove what neither it nor the answers have any more.

        Where prices need no list, a failure is counted here and the next try comes later; but an exchange that
        asks us to wait gets no further request of any kind.
        """
        venue = self._venue
        if venue.instruments_request is None or venue.parse_instruments is None:
            self._list_due_at = float("inf")
            return
        try:
            listings = await self._ask(venue.instruments_request, venue.parse_instruments, sink.status)
        except FeedError as error:
            self._list_due_at = self._now.monotonic() + RETRY_S
            told_to_wait = error.reason == "rate_limited" or error.retry_after_s is not None
            if told_to_wait or (venue.symbol is None and not self._directory.loaded):
                raise
            sink.status.errors[error.reason] += 1
            return
        self._list_due_at = self._now.monotonic() + REFRESH_S
        self._directory.load(listings)
        self._remove_delisted(sink)

    def _remove_delisted(self, sink: Sink) -> None:
        limit = self._now.monotonic() - ABSENT_S
        gone = [s for s, at in self._seen_at.items() if at < limit and not self._directory.lists(s)]
        for symbol in gone:
            del self._seen_at[symbol]
            self._digits.pop(symbol, None)
        if gone:
            sink.remove(gone)


def digits_of(values: Mapping[str, Value]) -> int:
    """Digits after the point of the most precise of a quote's prices."""
    texts = (values.get(name) for name in ("last", "bid", "ask"))
    return max((len(text.partition(".")[2]) for text in texts if isinstance(text, str)), default=0)


def polled(venue: Venue) -> Adapter:
    """The adapter of an exchange that is polled."""

    def build(name: str, options: PollingOptions, context: Context) -> PollingFeed:
        return PollingFeed(name, venue, options, context)

    return Adapter(venue.name, venue.summary, PollingOptions, build)
