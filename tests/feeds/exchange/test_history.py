"""Bars of the past: requested in pieces and at the exchange's pace, and only valid ones are used."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import Any

import pytest

from feeds.exchange.history import folded
from feeds.exchange.shapes import list_at, read
from feeds.exchange.venue import Candles
from tests.feeds.fake_exchange import HANG, Reply
from tests.feeds.toy import LISTED, NEEDS_LIST, TOY, Stage, on_stage
from ticker.errors import FeedError
from ticker.model import Bar

NOW_S = 1_795_386_000
"""A whole minute, twenty minutes into an hour: when the clock of a stage starts."""
CANDLES = Candles(
    request="/bars?of={wire}&step={interval}&from={begin_s}&to={end_s}",
    rows=lambda body: list_at(read(body)),
    time_unit="s",
    intervals={60: "M", 900: "Q"},
    most=100,
)
PAST = dataclasses.replace(TOY, candles=CANDLES, wire=lambda symbol: symbol.replace("-", "/"))


def past(**changes: Any) -> Any:
    return dataclasses.replace(PAST, candles=dataclasses.replace(CANDLES, **changes))


def bars_of(answers: list[object], venue: Any = PAST, **asked: int) -> tuple[list[Bar], Stage]:
    """What a feed makes of these answers to as many requests."""
    told: list[Bar] = []

    async def play(stage: Stage) -> None:
        stage.exchange.script("/bars", *(Reply(body=json.dumps(answer).encode()) for answer in answers))
        given = {"interval_s": 60, "limit": 10, **asked}
        told.extend(await stage.feed(venue).history("toy:BTC-USD", **given))

    return told, on_stage(play)


def test_bars_come_oldest_first_and_only_those_requested() -> None:
    """The order of the answer does not matter, and bars outside the request, above all future ones, are dropped."""
    minutes = [NOW_S, NOW_S - 60, NOW_S - 600, NOW_S + 60]
    bars, stage = bars_of([[[t, "1.50", 3, "1.25", "2", "7.5"] for t in minutes]], limit=2)
    assert bars == [Bar(t * 1000, 1.5, 3.0, 1.25, 2.0, 7.5) for t in (NOW_S - 60, NOW_S)]
    asked = f"/bars?of=BTC%2FUSD&step=M&from={NOW_S - 61}&to={NOW_S + 59}"
    assert [request.target for request in stage.exchange.requests] == [asked]


def test_a_long_history_is_requested_in_paced_pieces() -> None:
    """A chart longer than one answer takes several requests, oldest first, each a gap after the one before."""
    answers: list[object] = [[[NOW_S - 60 * back, "1", "1", "1", "1"]] for back in (240, 120, 0)]
    bars, stage = bars_of(answers, limit=250)
    assert [bar.t for bar in bars] == [1000 * (NOW_S - 60 * back) for back in (240, 120, 0)]
    assert bars[0].volume is None
    begins = [int(request.target.split("from=")[1].split("&")[0]) for request in stage.exchange.requests]
    assert begins == [NOW_S - 60 * 249 - 1 + 6000 * i for i in range(3)]
    assert stage.clock.monotonic() == 2 * TOY.limits.gap_s


@pytest.mark.parametrize(("kept", "requests", "oldest"), [(150, 2, 149), (None, 8, 799)])
def test_a_history_beyond_the_limit_is_cut(kept: int | None, requests: int, oldest: int) -> None:
    """No more is requested than the exchange keeps, and never more than a few answers' worth."""
    _, stage = bars_of([[]] * 8, past(kept=kept), limit=10_000)
    assert len(stage.exchange.requests) == requests
    assert f"from={NOW_S - 60 * oldest - 1}&" in stage.exchange.requests[0].target


def test_longer_bars_are_built_from_the_longest_that_fit() -> None:
    """For an interval that the exchange lacks, the longest one that divides it is requested; an incomplete bar is
    dropped.
    """
    quarters = [
        [NOW_S - 4800, "1", "9", "1", "1", "1"],  # the hour before, which is not all there
        [NOW_S - 1200, "10", "12", "9", "11", "0.1"],
        [NOW_S - 300, "11", "15", "8", "12", "0.2"],
    ]
    bars, stage = bars_of([quarters], past(kept=7), interval_s=3600, limit=2)
    assert bars == [Bar(1000 * (NOW_S - 1200), 10.0, 15.0, 8.0, 12.0, 0.3)]
    assert "step=Q" in stage.exchange.requests[0].target


def test_a_longer_bar_has_a_volume_only_if_all_its_parts_have() -> None:
    """One part without a volume leaves the longer bar without one."""
    assert folded([Bar(0, 1, 1, 1, 1, 2.0), Bar(60_000, 1, 1, 1, 1)], 120_000) == [Bar(0, 1, 1, 1, 1, None)]


def test_an_invalid_bar_is_counted_and_dropped() -> None:
    """The other bars of the answer stay."""
    good = [NOW_S, "1", "2", "1", "2", "0"]
    bad: list[object] = [
        "x", [], ["noon", *good[1:]], [0, *good[1:]], [NOW_S, "0", *good[2:]], [NOW_S, "NaN", *good[2:]],
        [NOW_S, None, *good[2:]], [NOW_S, "1", "2", "1.5", "2", "0"], [NOW_S, "1", "2", "1", "3", "0"],
        [*good[:5], "-1"],
    ]  # fmt: skip

    async def play(stage: Stage) -> None:
        stage.exchange.script("/bars", Reply(body=json.dumps([*bad, good]).encode()))
        feed = stage.feed(PAST)
        assert await feed.history("toy:BTC-USD", 60, 10) == [Bar(1000 * NOW_S, 1.0, 2.0, 1.0, 2.0, 0.0)]
        async with asyncio.timeout(60):
            task = asyncio.create_task(feed.run(stage.sink))
            while not stage.exchange.asked("/tickers"):  # noqa: ASYNC110 - until it runs
                await asyncio.sleep(0)
            stage.exchange.script("/bars", Reply(body=json.dumps([*bad, good]).encode()))
            await feed.history("toy:BTC-USD", 60, 10)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    assert on_stage(play).sink.status.rejects["price"] == len(bad)


def test_an_empty_answer_is_no_bars_and_an_unreadable_one_a_failure() -> None:
    """An answer with rows none of which can be read is a failure, and so is a refusal."""
    assert bars_of([[]])[0] == []
    with pytest.raises(FeedError, match="sent 2 bars, none of the expected form"):
        bars_of([[["a"], ["b"]]])
    with pytest.raises(FeedError, match="HTTP status 404"):
        bars_of([])


def test_no_request_is_made_where_no_bars_can_come() -> None:
    """An exchange without bars, or without an interval that fits, is not asked; a symbol that only the list could
    resolve is a failure.
    """
    for venue, interval_s in ((TOY, 60), (PAST, 1), (PAST, 90)):
        bars, stage = bars_of([], venue, interval_s=interval_s)
        assert (bars, stage.exchange.requests) == ([], [])
    for venue in (NEEDS_LIST, LISTED):
        with pytest.raises(FeedError, match="toy:BTC-USD is not in the exchange's instrument list"):
            bars_of([], dataclasses.replace(venue, candles=CANDLES))


def test_polls_continue_while_a_request_for_bars_hangs() -> None:
    """A slow chart delays no price."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve("/tickers", Reply(body=b'{"BTC/USD": {"last": "1"}}'))
        stage.exchange.script("/bars", HANG)
        feed = stage.feed(PAST)
        asking = asyncio.create_task(feed.history("toy:BTC-USD", 60, 10))
        await stage.exchange.news.until(lambda: len(stage.exchange.requests) == 1)
        running = asyncio.create_task(feed.run(stage.sink))
        await stage.sink.until(lambda: len(stage.sink.polls) >= 2)
        assert not asking.done()
        for task in (asking, running):
            task.cancel()
        await asyncio.gather(asking, running, return_exceptions=True)

    on_stage(play)
