"""The bars that an exchange tells of its past: asked for in answers of its own size, judged, put in order.

Promises: paced with everything else that the host is asked, on a connection of its own, so that a slow chart delays no
price; a bar is the exchange's or is not there. Prices stay text until each is one number of a `Bar`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from feeds.decimals import price, size
from feeds.exchange.directory import Directory
from feeds.exchange.rest import Rest
from feeds.exchange.shapes import text_at
from feeds.exchange.venue import Candles, Venue
from feeds.rows import iso_utc, time_ms
from ticker.clock import Clock
from ticker.errors import FeedError
from ticker.model import Bar, FeedStatus

MOST_ANSWERS = 8
"""So many answers are fetched for one question at most; a longer past is cut."""


class History:
    """The past of one feed's symbols.

    Attributes:
        status: whose counters grow; the feed's own once it runs.

    Args:
        venue: whose past it is.
        rest: asks for it; nobody else uses its source.
        directory: what names mean.
        clock: time.
    """

    def __init__(self, venue: Venue, rest: Rest, directory: Directory, clock: Clock) -> None:
        self.status = FeedStatus(venue.name, venue.kind)
        self._venue = venue
        self._rest = rest
        self._directory = directory
        self._clock = clock
        self._turn = asyncio.Lock()

    async def bars(self, symbol: str, interval_s: int, limit: int) -> list[Bar]:
        """See `base.Feed.history`; empty where the exchange has no bars that fit into the interval.

        Raises:
            FeedError: they could not be had.
        """
        candles = self._venue.candles
        lengths = candles.intervals if candles else ()
        step_s = max((length for length in lengths if interval_s % length == 0), default=None)
        if candles is None or step_s is None:
            return []
        wire = self._directory.asked_as(symbol)
        if wire is None:
            raise FeedError(f"{symbol} is not in the exchange's instrument list")
        span_ms, step_ms, now_ms = interval_s * 1000, step_s * 1000, self._clock.wall_ms()
        end = now_ms - now_ms % span_ms + span_ms
        count = min(limit * interval_s // step_s, candles.kept or limit * interval_s, candles.most * MOST_ANSWERS)
        begin = end - count * step_ms
        found: dict[int, Bar] = {}
        async with self._turn, self._rest.source:
            for target in _targets(candles, wire, step_s, range(begin, end, candles.most * step_ms), end):
                (entries,) = await self._rest.ask(target, lambda body: (candles.rows(body),), self.status)
                found.update((bar.t, bar) for bar in self._judge(entries, candles))
        whole = begin + -begin % span_ms  # the first bar that is not cut
        return folded((found[t] for t in sorted(found) if whole <= t <= now_ms), span_ms)

    def _judge(self, entries: list[Any], candles: Candles) -> list[Bar]:
        bars = []
        for entry in entries:
            try:
                bars.append(_bar(entry, candles))
            except ValueError:
                self.status.rejects["price"] += 1
        if entries and not bars:
            raise FeedError(f"{self._rest.source.route} sent {len(entries)} bars, none of the expected form")
        return bars


def folded(bars: Iterable[Bar], span_ms: int) -> list[Bar]:
    """Bars, oldest first, as longer ones that begin at multiples of a length."""
    longer: dict[int, Bar] = {}
    for bar in bars:
        t = bar.t - bar.t % span_ms
        one = longer.get(t)
        if one is None:
            longer[t] = bar._replace(t=t)
        else:
            high, low, volume = max(one.high, bar.high), min(one.low, bar.low), _sum(one.volume, bar.volume)
            longer[t] = Bar(t, one.open, high, low, bar.close, volume)
    return list(longer.values())


def _targets(candles: Candles, wire: str, step_s: int, begins: range, end: int) -> Iterator[str]:
    """Paths and queries, oldest first.

    Each names two moments just before its first bar and just before the one after its last: so it is the same whether
    an exchange counts the ends in or not.
    """
    for begin in begins:
        first, last = begin - 1, min(begin + begins.step, end) - 1
        yield candles.request.format(
            wire=quote(wire, safe="=:"), interval=candles.intervals[step_s],
            begin_ms=first, begin_s=first // 1000, begin_iso=iso_utc(first),
            end_ms=last, end_s=last // 1000, end_iso=iso_utc(last),
        )  # fmt: skip


def _bar(entry: Any, candles: Candles) -> Bar:
    """Raises ValueError for what is no bar."""
    moment, *texts = (text_at(entry, column) for column in candles.columns)
    t, prices = time_ms(moment, candles.time_unit), [price(text) for text in texts[:4]]
    if t is None or None in prices:
        raise ValueError("no bar")
    first, high, low, last = (float(text) for text in prices if text)
    if not low <= min(first, last) <= max(first, last) <= high:
        raise ValueError("a bar beyond its own ends")
    volume = size(texts[4]) if len(texts) > 4 else None
    return Bar(t, first, high, low, last, None if volume is None else float(volume))


def _sum(one: float | None, other: float | None) -> float | None:
    """To the digit: binary fractions would leave a trace."""
    return None if one is None or other is None else float(Decimal(repr(one)) + Decimal(repr(other)))
