"""Long answers are judged and published in slices, between which other tasks run."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable, Iterable, Sequence

import pytest

from feeds.exchange.bulk import Bulk
from feeds.exchange.directory import Directory
from feeds.exchange.judge import SLICE, Judge
from feeds.exchange.polling import HANDED
from feeds.exchange.shapes import Shape, list_at, read
from feeds.exchange.venue import Listing, Row
from tests.clock import ManualClock
from tests.feeds.fake_exchange import Peer
from tests.feeds.toy import (
    NEEDS_LIST,
    TALK,
    TICKERS,
    TOY,
    Theatre,
    answers,
    in_theatre,
    parse_rows,
    said,
    talking,
    tickers,
)
from ticker.model import FeedStatus, Quote

SHAPE = Shape(wire="n", fields={"last": "p", "change_pct": "c"})
MANY = 8 * SLICE


def at_once(body: bytes) -> Sequence[Row]:
    return Bulk(SHAPE).rows(body)


def one_by_one(body: bytes) -> Sequence[Row]:
    return SHAPE.rows(list_at(read(body)))


@pytest.mark.parametrize("rows_of", [at_once, one_by_one])
def test_a_long_answer_pauses_after_each_slice_of_rows(rows_of: Callable[[bytes], Sequence[Row]]) -> None:
    """A short answer has no pause; all quotes come at the end."""
    directory = Directory("toy", NEEDS_LIST, ("*",))
    directory.load([Listing(f"A{n}-USD", (f"{n}",)) for n in range(MANY)])
    judge = Judge(NEEDS_LIST, directory, "reject", ManualClock())
    for count in (MANY, 3):
        rows = rows_of(json.dumps([{"n": f"{n}", "p": f"{n + count}", "c": "1"} for n in range(count)]).encode())
        *pauses, quotes = judge.slices(rows, FeedStatus("toy", "live"))
        assert [quote.values["last"] for quote in quotes] == [f"{n + count}" for n in range(count)]
        assert pauses == [[]] * len(pauses)
        assert len(pauses) >= count // SLICE
        assert (not pauses) is (count < SLICE)


@pytest.mark.parametrize("rows_of", [at_once, one_by_one])
def test_a_closed_market_without_a_price_is_no_rejected_row(rows_of: Callable[[bytes], Sequence[Row]]) -> None:
    """A row without a price counts as rejected only if the list calls the market open; a bad price always counts.

    Binance's answers have more than a thousand rows of zeros, of pairs that ended years ago and are listed as halted:
    half of a polled feed's rows counted as not sane, and the alert for that never ended.
    """
    directory = Directory("toy", NEEDS_LIST, ("*",))
    directory.load([Listing("A-USD", ("A",)), Listing("B-USD", ("B",), state="halted")])
    judge = Judge(NEEDS_LIST, directory, "reject", ManualClock())
    for price, refused in (("0.00", 1), ("", 1), ("oops", 2)):
        status = FeedStatus("toy", "live")
        body = json.dumps([{"n": wire, "p": price, "c": "0"} for wire in "AB"]).encode()
        assert judge.answer(rows_of(body), status) == []
        assert status.rejects["price"] == refused


def test_a_long_answer_is_published_in_slices() -> None:
    """Between the slices the loop turns. Seen: an answer with 50,000 rows blocked everything else for 0.3 s."""
    told: list[object] = []

    async def play(theatre: Theatre) -> None:
        publish, loop = theatre.sink.publish, asyncio.get_running_loop()

        def noted(quotes: Iterable[Quote]) -> None:
            publish(quotes := list(quotes))
            told.append(len(quotes))
            loop.call_soon(told.append, "turn")

        theatre.sink.publish = noted  # type: ignore[method-assign]
        theatre.exchange.serve(TICKERS, tickers(**{f"A{n}": "1" for n in range(2 * HANDED + 1)}))
        async with theatre.running(TOY):
            await theatre.until(lambda: 1 in told)

    in_theatre(play)
    assert told[:5] == [HANDED, "turn", HANDED, "turn", 1]


def test_a_stream_wins_over_an_older_answer_being_judged() -> None:
    """What a stream brings while an older answer is judged is published first, and not overwritten by the answer."""
    bases = [f"A{n}" for n in range(MANY)]
    peers: list[Peer] = []

    def parse(body: bytes) -> Sequence[Row]:
        for peer in peers:  # the answer is older than this, and is judged from now on
            peer.send(said(A0="3"))
        return parse_rows(body)

    async def play(theatre: Theatre) -> None:
        theatre.lists(*bases)
        theatre.exchange.serve(TICKERS, tickers(**dict.fromkeys(bases, "1")))
        theatre.exchange.stream(TALK, answers)
        venue = dataclasses.replace(talking(wires_per_connection=MANY, wires_per_message=MANY), parse_rest=parse)
        async with theatre.running(venue):
            await theatre.passes(1.0)
            peer = await theatre.exchange.peer()
            await peer.heard()
            peer.send(said(A0="2"))
            await theatre.until(lambda: theatre.last("A0") == "2")
            before = len(theatre.sink.polls)
            peers.append(peer)
            await theatre.passes(6.0, lambda: sum(map(len, theatre.sink.polls[before:])) > MANY)
            streamed, *_ = theatre.sink.polls[before:]
            assert streamed["toy:A0-USD"].values["last"] == "3"
            assert theatre.last("A0") == "3"

    in_theatre(play)
