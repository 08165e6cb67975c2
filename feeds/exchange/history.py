"""An exchange's historical bars: requested in as many answers as it takes, validated, put in order.

Requests share the host's budget but use a connection of their own, so that a slow chart delays no price. Bars are
never invented: what the exchange does not have is missing. Prices stay text until they become numbers of a `Bar`.
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
from feeds.times import iso_utc, time_ms
from ticker.clock import Clock
from ticker.errors import FeedError
from ticker.model import Bar, FeedStatus

MOST_ANSWERS = 8
"""The most answers that are fetched for one chart; a longer past is cut."""


class History:
    """The past of one feed's symbols.

    Attributes:
        status: where failures are counted; the feed's own status once it runs.

    Args:
        venue: whose past it is.
        rest: sends the requests; its source is used for nothing else.
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
        """See `base.Feed.history`; empty if the exchange has no bars that fit into the interval.

        Raises:
            FeedError: they could not be loaded.
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
        whole = begin + -begin % span_ms  # the first complete bar
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
    """Bars, oldest first, combined into longer ones that begin at multiples of their length."""
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

    The times in each lie just before its first bar and just before the bar after its last, so that it does not matter
    whether an exchange includes the ends.
    """
    for begin in begins:
        first, last = begin - 1, min(begin + begins.step, end) - 1
        yield candles.request.format(
            wire=quote(wire, safe="=:"), interval=candles.intervals[step_s],
            begin_ms=first, begin_s=first // 1000, begin_iso=iso_utc(first),
            end_ms=last, end_s=last // 1000, end_iso=iso_utc(last),
        )  # fmt: skip


def _bar(entry: Any, candles: Candles) -> Bar:
    """Raises ValueError for an entry that is not a bar."""
    moment, *texts = (text_at(entry, column) for column in candles.columns)
    t, prices = time_ms(moment, candles.time_unit), [price(text) for text in texts[:4]]
    if t is None or None in prices:
        raise ValueError("no bar")
    first, high, low, last = (float(text) for text in prices if text)
    if not low <= min(first, last) <= max(first, last) <= high:
        raise ValueError("open or close outside of low to high")
    volume = size(texts[4]) if len(texts) > 4 else None
    return Bar(t, first, high, low, last, None if volume is None else float(volume))


def _sum(one: float | None, other: float | None) -> float | None:
    """The exact decimal sum: adding floats would leave a binary remainder."""
    return None if one is None or other is None else float(Decimal(repr(one)) + Decimal(repr(other)))
