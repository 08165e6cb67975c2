"""Polling an exchange for its tickers: one poll, and the schedule of polls.

There is one request at a time. An answer counts as a whole or not at all. A failed poll is raised to the runner, which
decides when to retry. Works for every `Venue` and mentions none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

from feeds.base import Sink
from feeds.exchange.directory import Directory, few
from feeds.exchange.judge import Judge
from feeds.exchange.options import ExchangeOptions
from feeds.exchange.rest import Rest
from feeds.exchange.venue import Row, Venue
from ticker.clock import Clock
from ticker.errors import FeedError
from ticker.model import Quote

ITS_OWN = frozenset({"http_4xx", "protocol", "too_large"})
"""Failures of one request that say nothing about the next one."""
HANDED = 2000
"""How many quotes are published in one turn of the loop, which takes some 10 ms."""


class Poller:
    """Polls the tickers of one feed, once per call."""

    def __init__(self, venue: Venue, options: ExchangeOptions, rest: Rest, directory: Directory, judge: Judge) -> None:
        self._venue = venue
        self._options = options
        self._rest = rest
        self._directory = directory
        self._judge = judge
        self._asked_last: list[str] = []
        self._missing = dict.fromkeys(name for name in options.symbols if "*" not in name)
        self._told: str | None = None

    async def poll(self, sink: Sink, only: Callable[[str], bool] | None = None) -> None:
        """Ask for all wanted symbols and publish them answer by answer.

        Args:
            sink: where quotes, states and counts go.
            only: whether to ask for a venue symbol, called just before each request; None: ask for all.

        Raises:
            FeedError: no answer was good, or one failed in a way that the next one would fail, too.
        """
        status = sink.status
        answers = rows = found = 0
        failures: list[FeedError] = []
        for wires, target in self._targets(only):
            try:
                answer = await self._rest.ask(target, self._parse, status)
            except FeedError as error:
                status.polls["error"] += 1
                if not wires or error.reason not in ITS_OWN:
                    raise
                failures.append(error)
            else:
                answers += 1
                rows += len(answer)
                found += await self._publish(with_names(answer, wires), sink, only)
                status.polls["ok"] += 1
            finally:
                self._asked_last = wires[-1:]
        last = failures.pop() if failures and not answers else None
        for failure in failures:
            status.errors[failure.reason] += 1
        if last:
            raise last
        if not found and only is None:
            wanted = ",".join(self._options.symbols)[:80]
            sink.state("stale", f"no price for {wanted} among {rows} rows; check the feed's symbols")
        elif only is None:
            self._tell(sink)

    def _tell(self, sink: Sink) -> None:
        """Report which symbols that are wanted by name never had a price, unless another message is shown."""
        status = sink.status
        text = f"no price yet for {few(list(self._missing))}" if self._missing else None
        if status.state == "live" and status.message in {None, self._told} and status.message != text:
            self._told = text
            sink.state("live", text)

    async def _publish(self, rows: Sequence[Row], sink: Sink, only: Callable[[str], bool] | None) -> int:
        """Judge an answer and publish its quotes, both in slices between which other tasks can run."""
        quotes: list[Quote] = []
        for judged in self._judge.slices(rows, sink.status, only):
            quotes = judged  # empty until the last one
            await asyncio.sleep(0)
        for i in range(0, len(quotes), HANDED):
            if i:
                await asyncio.sleep(0)
            sink.publish(quotes[i : i + HANDED])
        if self._missing:
            for quote in quotes:
                self._missing.pop(quote.symbol.partition(":")[2], None)
        if quotes or self._directory.loaded:
            sink.loaded()
        return len(quotes)

    def _targets(self, only: Callable[[str], bool] | None) -> Iterator[tuple[list[str], str]]:
        """The requests to send, each with the wire names that it asks for; empty if it asks for all.

        After a poll that failed midway the next one begins behind the failed symbol, so that it starves no others.
        """
        venue = self._venue
        most = venue.limits.symbols_per_request
        if most is None:
            for target in venue.targets(self._options.symbols if self._options.names_all else ()):
                yield [], target
            return
        wanted = self._directory.wanted
        wires = list(wanted)
        start = next((wires.index(wire) + 1 for wire in self._asked_last if wire in wanted), 0)
        wires = wires[start:] + wires[:start]
        for i in range(0, len(wires), most):
            some = [wire for wire in wires[i : i + most] if only is None or only(wanted[wire].symbol)]
            if some:
                for target in venue.targets([wanted[wire].symbol.partition(":")[2] for wire in some]):
                    yield some, target

    def _parse(self, body: bytes) -> Sequence[Row]:
        rows = self._venue.parse_rest(body)
        if rows and all(row.raw is None for row in rows):
            raise ValueError(f"none of {len(rows)} rows has the expected fields")
        return rows


def with_names(rows: Sequence[Row], wires: Sequence[str]) -> Sequence[Row]:
    """The rows of an answer, each with a name: rows without one belong to the single symbol that was asked for."""
    return [row if row.wire else row._replace(wire=wires[0]) for row in rows] if len(wires) == 1 else rows


class Schedule:
    """Fires at whole multiples of an interval; those that were missed are counted and skipped."""

    def __init__(self, clock: Clock, interval_s: float) -> None:
        self._clock = clock
        self._interval_s = interval_s
        self._due_at = clock.monotonic()

    async def wait(self, sink: Sink) -> None:
        """Wait until the next poll is due."""
        self._due_at += self._interval_s
        if (late_s := self._clock.monotonic() - self._due_at) > 0:
            missed = int(late_s // self._interval_s) + 1
            sink.status.polls["skipped"] += missed
            self._due_at += missed * self._interval_s
        await self._clock.sleep(self._due_at - self._clock.monotonic())


def patience_s(interval_s: float) -> float:
    """How long a symbol must be silent to count as stale, if it is polled at this interval."""
    return max(5.0, 3 * interval_s)
