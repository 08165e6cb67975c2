"""Plays a folder written by `record_raw`, or any recording in that format, through the exchange's own parse functions.

Answers and messages are played in their recorded order and at their recorded pace, all connections of the folder
side by side. No request is sent. Recorded failures are counted and cause no delay.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from feeds import registry
from feeds.base import Context, Sink
from feeds.exchange.directory import Directory
from feeds.exchange.failures import status_reason
from feeds.exchange.judge import Judge
from feeds.exchange.polling import with_names
from feeds.exchange.venue import Row, Venue
from feeds.replay.batch import Batch
from feeds.replay.options import LOOP_GAP_S, ReplayOptions
from feeds.replay.recording import Event, answers, events
from feeds.times import iso_utc
from ticker.errors import FeedError, did_you_mean
from ticker.model import Bar, Quote

EVENTS_PER_TURN, QUOTES_PER_TURN = 100, 500
LONGEST_GAP_S = 3600.0
"""A longer gap is shortened: the recorder was not running."""
STREAMED_S = 10.0
"""A field that the stream delivered within this recorded time is not taken from a polled answer, which is older."""


class Playback:
    """The feed of one recorded folder. The constructor reads the first event and raises `ValueError` if there is none.

    Args:
        name: the feed's name.
        venue: the recorded exchange; its name is the prefix of the symbols.
        folder: has `rest` or `ws` or both.
        options: how to play it.
        context: time.
    """

    kind = "replay"
    stale_after_s = 5.0

    def __init__(self, name: str, venue: Venue, folder: Path, options: ReplayOptions, context: Context) -> None:
        self.name = name
        self.clock = venue.clock
        self._venue = venue
        self._folder = folder
        self._pace = options.pace
        self._loop = options.loop
        self._clock = context.clock
        self._directory = Directory(venue.name, venue, ("*",))
        timeless = replace(venue, session=None, late_s=math.inf)  # today's trading hours say nothing about then
        self._judge = Judge(timeless, self._directory, options.crossed, context.clock)
        self._memories: dict[str, dict[str, Any]] = {}
        self._streamed: dict[str, tuple[float, set[str]]] = {}
        self._round = itertools.count()
        if venue.stream is None and (folder / "ws").is_dir():
            raise ValueError(f"it has a folder ws, but {venue.name} has no stream")
        if next(events(folder), None) is None:
            raise ValueError("it has no recorded answers or messages")

    async def run(self, sink: Sink) -> None:
        """Play the folder once, or with `loop` until cancelled."""
        self._learn_names()
        while True:
            self._memories.clear()
            self._streamed.clear()
            ended_at = await self._play(sink)
            if not self._loop:
                break
            await self._clock.sleep(LOOP_GAP_S / self._pace)
        sink.loaded()
        sink.state("stale", f"replay ended at {iso_utc(round(ended_at * 1000))}")

    async def history(self, symbol: str, interval_s: int, limit: int) -> list[Bar]:  # noqa: ARG002 - the contract
        """None: the candles of a replay are those that the service builds from it."""
        return []

    async def _play(self, sink: Sink) -> float:
        """Play one round; returns the recorded time of its last event."""
        batch = Batch(sink, self._clock)
        due, last_at = batch.now, None
        for count, event in enumerate(events(self._folder), 1):
            gap_s = 0.0 if last_at is None else event.at - last_at
            due += (gap_s if gap_s <= LONGEST_GAP_S else LOOP_GAP_S) / self._pace
            last_at = event.at
            if due > batch.now:
                await batch.wait(due)
            if count % EVENTS_PER_TURN == 0 or len(batch.quotes) >= QUOTES_PER_TURN:
                await batch.pause()
            batch.quotes += self._quotes(event, sink)
        batch.hand_over()
        assert last_at is not None, "the constructor has found an event"
        return last_at

    def _learn_names(self) -> None:
        """Load the first recorded list in advance: it may have come after the first prices."""
        first = next((event for event in answers(self._folder / "rest") if self._is_list(event)), None)
        if first:
            with contextlib.suppress(FeedError, ValueError):  # counted when it is played
                self._directory.load(self._venue.parse_instruments(first.body))

    def _is_list(self, event: Event) -> bool:
        """Whether it is the exchange's list, perhaps recorded when its path had no query yet."""
        asked = self._venue.instruments_request
        if asked is None or event.status != HTTPStatus.OK:
            return False
        return event.of.endswith((asked, asked.partition("?")[0]))

    def _quotes(self, event: Event, sink: Sink) -> list[Quote]:
        sink.status.received_bytes += len(event.body)
        try:
            quotes = self._answer(event, sink) if event.status is not None else self._message(event, sink)
        except FeedError as error:
            sink.status.errors[error.reason] += 1
            return []
        if self._loop:  # the recorded sequence numbers and times start over in each round
            return [quote._replace(seq=next(self._round)) for quote in quotes]
        return quotes

    def _message(self, event: Event, sink: Sink) -> list[Quote]:
        assert self._venue.stream is not None, "checked by the constructor"
        try:
            heard = self._venue.stream.parse(event.body, self._memories.setdefault(event.of, {}))
        except ValueError:
            sink.status.rejects["schema"] += 1
            return []
        quotes = self._judge.message(heard.rows, sink.status)
        for quote in quotes:
            _, fields = self._streamed.get(quote.symbol, (0.0, set()))
            self._streamed[quote.symbol] = (event.at, fields | quote.values.keys())
        return quotes

    def _answer(self, event: Event, sink: Sink) -> list[Quote]:
        venue, status = self._venue, sink.status
        if event.status != HTTPStatus.OK:
            status.polls["error"] += 1
            raise FeedError(f"recorded HTTP status {event.status}", reason=status_reason(event.status or 0))
        try:
            if self._is_list(event):
                self._directory.load(venue.parse_instruments(event.body))
                return []
            rows = venue.parse_rest(event.body)
        except ValueError as error:
            raise FeedError(f"an unreadable recorded answer: {error}") from error
        status.polls["ok"] += 1
        quotes = self._judge.answer(with_names(rows, self._asked_for(event.of, rows)), status)
        return [trimmed for quote in quotes if (trimmed := self._trim(quote, event.at)).values]

    def _trim(self, quote: Quote, at: float) -> Quote:
        """Remove from an answer's quote the fields that the stream delivers."""
        streamed_at, fields = self._streamed.get(quote.symbol, (float("-inf"), set()))
        if at - streamed_at > STREAMED_S:
            return quote
        return quote._replace(values={name: value for name, value in quote.values.items() if name not in fields})

    def _asked_for(self, target: str, rows: Sequence[Row]) -> list[str]:
        """The one wire name that was asked for, if the answer does not name it."""
        venue = self._venue
        if venue.symbol is None or all(row.wire for row in rows):
            return []
        for part in re.split(r"[/?&=]", target):
            symbol = venue.symbol(unquote(part)) if part else None
            if symbol and any(map(target.endswith, venue.targets([symbol]))):
                return [unquote(part)]
        return []


def of_folder(name: str, options: ReplayOptions, context: Context) -> Playback:
    """The feed of a folder written by `record_raw`, from the options of a replay.

    Raises:
        ValueError: there is nothing to play, or the exchange is unknown.
    """
    folder = Path(options.symbols)
    if not ((folder / "rest").is_dir() or (folder / "ws").is_dir()):
        inside = sorted(path.name for path in folder.iterdir() if (path / "rest").is_dir() or (path / "ws").is_dir())
        if len(inside) != 1:
            hint = f"give one of its folders: {', '.join(inside[:10])}" if inside else "it has no folder rest or ws"
            raise ValueError(f"not a recording; {hint}")
        folder /= inside[0]
    adapter = folder.name if options.venue == ReplayOptions().venue else options.venue
    known = registry.loaders()
    venue = known[adapter]().venue if adapter in known else None
    if not isinstance(venue, Venue):
        raise ValueError(f"no exchange is called {adapter!r}; give venue=ADAPTER{did_you_mean(adapter, known)}")
    return Playback(name, venue, folder, options, context)
