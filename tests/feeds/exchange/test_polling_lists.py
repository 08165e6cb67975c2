"""Polling and the instrument list: the list adds and removes symbols, but prices do not wait for it where they need
not.
"""

from __future__ import annotations

import dataclasses
import json

import pytest

from feeds.exchange.venue import Limits, Listing, Row
from tests.feeds.fake_exchange import HANG, Reply
from tests.feeds.harness import PATIENCE_S, supervised
from tests.feeds.toy import LIST, LISTED, NEEDS_LIST, TICKERS, TOY, Stage, listing, on_stage, tickers


def test_prices_are_requested_before_the_list() -> None:
    """Where names can be read without the list, the first request is for prices, the second for the list."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, tickers(BTC="1"))
        stage.exchange.serve(LIST, listing(("BTC/USD", "BTC-USD", 1)))
        await stage.polls(3, LISTED)

    stage = on_stage(play)
    assert [request.target for request in stage.exchange.requests[:4]] == [TICKERS, LIST, TICKERS, TICKERS]
    assert stage.exchange.most_in_flight == 1


@pytest.mark.parametrize("reply", [Reply(status=500), Reply(status=403), HANG, Reply(body=b"[]"), Reply(body=b"{")])
def test_prices_continue_when_the_list_fails(reply: Reply) -> None:
    """A list that fails is counted and requested again later; the feed stays live."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, tickers(BTC="1"))
        stage.exchange.serve(LIST, listing(("BTC/USD", "BTC-USD", 7)))
        stage.exchange.script(LIST, reply, reply)
        await stage.polls(130, LISTED, timeout_s=1.0 if reply is HANG else PATIENCE_S)

    stage = on_stage(play)
    assert stage.sink.story == ["publish"]
    assert sum(stage.sink.status.errors.values()) == 2
    assert stage.exchange.asked(LIST) == 3
    assert [stage.sink.polls[i]["toy:BTC-USD"].values["decimals"] for i in (0, 100, 129)] == [0, 0, 7]


def test_a_429_for_the_list_pauses_prices_too() -> None:
    """After a 429 for the list nothing is requested for as long as it says."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, tickers(BTC="1"))
        stage.exchange.serve(LIST, listing(("BTC/USD", "BTC-USD", 7)))
        stage.exchange.script(LIST, Reply(status=429, headers={"Retry-After": "300"}))
        await stage.polls(2, LISTED)

    stage = on_stage(play)
    assert stage.sink.story == ["publish", "live", "publish"]
    assert stage.sink.events[-1].at >= 300
    assert stage.sink.status.errors["rate_limited"] == 1


def test_a_list_that_lost_half_is_reloaded_after_a_minute() -> None:
    """It is reloaded once, since it may have been truncated.

    Seen: where names mean nothing without the list, one short answer cost most prices for an hour.
    """

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, Reply(body=b'{"a": {"last": "1"}, "b": {"last": "1"}, "c": {"last": "1"}}'))
        whole = [(name, f"{name.upper()}-USD", 1) for name in "abc"]
        stage.exchange.serve(LIST, listing(*whole))
        stage.exchange.script(LIST, listing(*whole), listing(*whole[:1]))
        await stage.polls(75, NEEDS_LIST, interval_s=60.0)

    stage = on_stage(play)
    short = sum(len(poll) == 1 for poll in stage.sink.polls)
    assert 1 <= short <= 2
    assert stage.exchange.asked(LIST) == 3


def test_the_list_is_loaded_first_where_names_need_it() -> None:
    """Its failure is then the feed's failure."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, Reply(body=b'{"xbt": {"last": "1"}, "new": {"last": "1"}}'))
        stage.exchange.serve(LIST, listing(("xbt", "BTC-USD", 1)))
        stage.exchange.script(LIST, Reply(status=500))
        await stage.polls(2, NEEDS_LIST)

    stage = on_stage(play)
    assert [request.target for request in stage.exchange.requests[:4]] == [LIST, LIST, TICKERS, TICKERS]
    assert stage.sink.story == ["down", "publish"]
    assert list(stage.sink.polls[0]) == ["toy:BTC-USD"]
    assert stage.sink.status.rejects["symbol"] == 2


def test_a_list_without_prices_makes_the_symbols_known() -> None:
    """Once a feed has its list, symbols that are not on it are unknown, even if no price has come yet."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, Reply(body=b'{"xbt": {"last": "0"}}'))
        stage.exchange.serve(LIST, listing(("xbt", "BTC-USD", 1)))
        await stage.until(lambda: "stale" in stage.sink.story, NEEDS_LIST)

    assert on_stage(play).sink.status.loaded


def test_a_failed_poll_does_not_reload_the_list() -> None:
    """A restart neither forgets the list nor loads it again."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, Reply(body=b'{"xbt": {"last": "1"}}'))
        stage.exchange.serve(LIST, listing(("xbt", "BTC-USD", 1)))
        stage.exchange.script(TICKERS, *[Reply(status=500)] * 3)
        await stage.polls(1, NEEDS_LIST)

    assert on_stage(play).exchange.asked(LIST) == 1


def test_a_new_listing_is_published_without_a_restart() -> None:
    """The list is reloaded every hour."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, Reply(body=b'{"xbt": {"last": "1"}, "new": {"last": "2"}}'))
        stage.exchange.serve(LIST, listing(("xbt", "BTC-USD", 1), ("new", "NEW-USD", 1)))
        stage.exchange.script(LIST, listing(("xbt", "BTC-USD", 1)))
        await stage.until(lambda: "toy:NEW-USD" in stage.sink.polls[-1:][0] if stage.sink.polls else False,
                          NEEDS_LIST, interval_s=60.0)  # fmt: skip

    stage = on_stage(play)
    assert 3600 <= stage.clock.monotonic() <= 3730
    assert stage.sink.story == ["publish"]


def test_a_delisted_symbol_is_removed_once() -> None:
    """It is removed when the list has lost it and answers have lacked it for a while."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, tickers(BTC="1"))
        stage.exchange.script(TICKERS, *[tickers(BTC="1", OLD="2")] * 3)
        stage.exchange.serve(LIST, listing(("BTC/USD", "BTC-USD", 1)))
        stage.exchange.script(LIST, listing(("BTC/USD", "BTC-USD", 1), ("OLD/USD", "OLD-USD", 1)))
        await stage.until(lambda: stage.clock.monotonic() > 3 * 3600, LISTED, interval_s=60.0)

    stage = on_stage(play)
    removed = [event for event in stage.sink.events if event.what == "remove"]
    assert [event.data for event in removed] == [["toy:OLD-USD"]]
    assert 3600 <= removed[0].at <= 3670


@pytest.mark.parametrize("keeps", ["list", "answers", "recent answer"])
def test_a_symbol_still_in_the_list_or_the_answers_is_not_removed(keeps: str) -> None:
    """A symbol stays while the list or the answers have it, and if a single answer lacks it."""
    both, one = tickers(BTC="1", ODD="2"), tickers(BTC="1")
    full, short = listing(("BTC/USD", "BTC-USD", 1), ("ODD/USD", "ODD-USD", 1)), listing(("BTC/USD", "BTC-USD", 1))

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, one if keeps == "list" else both)
        stage.exchange.script(TICKERS, both)
        if keeps == "recent answer":
            stage.exchange.script(TICKERS, *[both] * 58, one, one, one)
        stage.exchange.serve(LIST, full if keeps == "list" else short)
        stage.exchange.script(LIST, full)
        await stage.until(lambda: stage.clock.monotonic() > 7400, LISTED, interval_s=60.0)

    stage = on_stage(play)
    assert stage.sink.story == ["publish"]
    assert stage.exchange.asked(LIST) == 3


def test_a_server_that_invents_names_meets_a_limit() -> None:
    """What is remembered of new names in every answer is bounded."""
    small = dataclasses.replace(TOY, limits=Limits(interval_s=1.0, gap_s=1.0, symbols=5))

    async def play(stage: Stage) -> None:
        replies = [tickers(**{f"N{n}{letter}": "1.0" for letter in "ABC"}) for n in range(10)]
        stage.exchange.script(TICKERS, *replies)
        feed = stage.feed(small)
        async with supervised(feed, stage.sink, stage.clock):
            await stage.sink.until(lambda: len(stage.sink.polls) == 10)
        judge = feed._poller._judge
        assert (len(judge.memory._seen_at), len(judge.memory._digits), len(judge._judged)) == (5, 5, 3)

    on_stage(play)


def test_a_market_halted_by_the_list_is_shown_as_halted() -> None:
    """It is shown as halted even without any row of it, and as open again when the list says so."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, tickers(BTC="1"))
        stage.exchange.serve(LIST, listing(("BTC/USD", "BTC-USD", 1)))
        feed = stage.feed(LISTED)
        directory = feed._listings._directory
        async with supervised(feed, stage.sink, stage.clock):
            await stage.sink.until(lambda: len(stage.sink.polls) >= 2)
        halted = [one._replace(state="halted") for one in directory._listed.values()]
        directory.load(halted)
        judge = feed._poller._judge
        assert [quote.values for quote in judge.memory.halted()] == [{"state": "halted"}]
        assert directory.wanted == {}
        (quote,) = judge.answer([Row("BTC/USD", {"last": "2"})], stage.sink.status)
        assert quote.values["state"] == "halted"
        directory.load(one._replace(state=None) for one in halted)
        (quote,) = judge.answer([Row("BTC/USD", {"last": "3"})], stage.sink.status)
        assert quote.values["state"] == "live"
        assert judge.memory.halted() == []

    on_stage(play)


def parse_markets(body: bytes) -> list[Listing]:
    """A list of `["BTC", "halted"]`; null is open."""
    return [Listing(f"{base}-USD", (f"{base}/USD",), 1, state=state) for base, state in json.loads(body)]


SINGLE = dataclasses.replace(
    LISTED, parse_instruments=parse_markets, limits=Limits(interval_s=30.0, gap_s=0.1, symbols_per_request=1)
)


def markets(**states: str | None) -> Reply:
    return Reply(body=json.dumps(list(states.items())).encode())


@pytest.mark.parametrize("before", [None, "halted"])
def test_the_list_is_reloaded_soon_after_a_halt(before: str | None) -> None:
    """A market that reopens is noticed soon, and then polled again.

    Seen: the hourly list was loaded, or the service was started, in the twenty minutes of an exchange's maintenance.
    Everything was halted in it, so nothing was asked for, and no price came for the rest of the hour.
    """

    async def play(stage: Stage) -> None:
        async def passes(seconds: float) -> None:
            until = stage.clock.monotonic() + seconds
            await stage.sink.until(lambda: stage.clock.monotonic() >= until)

        stage.exchange.serve(TICKERS, tickers(BTC="1"))
        stage.exchange.serve(LIST, markets(BTC="halted"))
        stage.exchange.script(LIST, markets(BTC=before))
        async with supervised(stage.feed(SINGLE), stage.sink, stage.clock):
            await stage.sink.until(lambda: stage.exchange.asked(LIST) == (1 if before else 2))
            await passes(1200.0)
            published = len(stage.sink.polls)
            stage.exchange.serve(LIST, markets(BTC=None))
            await passes(400.0)
            assert len(stage.sink.polls) > published
            asked = stage.exchange.asked(LIST)
            await passes(4000.0)
            assert stage.exchange.asked(LIST) <= asked + 2

    on_stage(play)


def test_the_list_is_reloaded_less_often_while_a_market_stays_halted() -> None:
    """A market that does not reopen costs fewer and fewer requests."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, tickers(BTC="1"))
        stage.exchange.serve(LIST, markets(BTC=None, ETH="halted"))
        stage.exchange.script(LIST, markets(BTC=None, ETH=None))
        await stage.until(lambda: stage.clock.monotonic() > 86_400, SINGLE, interval_s=300.0)
        assert 30 <= stage.exchange.asked(LIST) <= 40

    on_stage(play)
