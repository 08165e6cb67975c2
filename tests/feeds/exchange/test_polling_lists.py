"""Polling and the instrument list: it adds, it removes, and prices do not depend on it where they need not."""

from __future__ import annotations

import dataclasses
import json

import pytest

from feeds.exchange.venue import Limits, Listing, Row
from tests.feeds.fake_exchange import HANG, Reply
from tests.feeds.harness import supervised
from tests.feeds.toy import LIST, LISTED, NEEDS_LIST, TICKERS, TOY, Stage, listing, on_stage, tickers


def test_prices_come_before_the_list() -> None:
    """Where names speak for themselves the first request is for prices, the second for the list."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, tickers(BTC="1"))
        stage.exchange.serve(LIST, listing(("BTC/USD", "BTC-USD", 1)))
        await stage.polls(3, LISTED)

    stage = on_stage(play)
    assert [request.target for request in stage.exchange.requests[:4]] == [TICKERS, LIST, TICKERS, TICKERS]
    assert stage.exchange.most_in_flight == 1


@pytest.mark.parametrize("reply", [Reply(status=500), Reply(status=403), HANG, Reply(body=b"[]"), Reply(body=b"{")])
def test_prices_flow_without_the_list(reply: Reply) -> None:
    """A list that cannot be had is counted and asked for again later; prices go on and the feed stays live."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, tickers(BTC="1"))
        stage.exchange.serve(LIST, listing(("BTC/USD", "BTC-USD", 7)))
        stage.exchange.script(LIST, reply, reply)
        await stage.polls(130, LISTED, timeout_s=1.0)

    stage = on_stage(play)
    assert stage.sink.story == ["publish"]
    assert sum(stage.sink.status.errors.values()) == 2
    assert stage.exchange.asked(LIST) == 3
    assert [stage.sink.polls[i]["toy:BTC-USD"].values["decimals"] for i in (0, 100, 129)] == [0, 0, 7]


def test_exchange_that_has_had_enough_is_left_alone() -> None:
    """A 429 for the list stops the prices as well, for as long as it says."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, tickers(BTC="1"))
        stage.exchange.serve(LIST, listing(("BTC/USD", "BTC-USD", 7)))
        stage.exchange.script(LIST, Reply(status=429, headers={"Retry-After": "300"}))
        await stage.polls(2, LISTED)

    stage = on_stage(play)
    assert stage.sink.story == ["publish", "live", "publish"]
    assert stage.sink.events[-1].at >= 300
    assert stage.sink.status.errors["rate_limited"] == 1


def test_part_of_a_list_is_mended_soon() -> None:
    """A list that has lost more than half is loaded again after a minute, once: it may have been cut short.

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


def test_names_that_need_the_list_wait_for_it() -> None:
    """Where names mean nothing without the list, it is loaded first, and its failure is the feed's."""

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


def test_list_without_a_price_tells_the_symbols() -> None:
    """A feed that has its list knows its symbols, though none has a price: others are unknown, not perhaps to come."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, Reply(body=b'{"xbt": {"last": "0"}}'))
        stage.exchange.serve(LIST, listing(("xbt", "BTC-USD", 1)))
        await stage.until(lambda: "stale" in stage.sink.story, NEEDS_LIST)

    assert on_stage(play).sink.status.loaded


def test_list_survives_a_failed_poll() -> None:
    """A restart neither forgets the list nor loads it anew."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, Reply(body=b'{"xbt": {"last": "1"}}'))
        stage.exchange.serve(LIST, listing(("xbt", "BTC-USD", 1)))
        stage.exchange.script(TICKERS, *[Reply(status=500)] * 3)
        await stage.polls(1, NEEDS_LIST)

    assert on_stage(play).exchange.asked(LIST) == 1


def test_new_listings_appear() -> None:
    """The list is loaded again every hour: a name that it brings is published without a restart."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, Reply(body=b'{"xbt": {"last": "1"}, "new": {"last": "2"}}'))
        stage.exchange.serve(LIST, listing(("xbt", "BTC-USD", 1), ("new", "NEW-USD", 1)))
        stage.exchange.script(LIST, listing(("xbt", "BTC-USD", 1)))
        await stage.until(lambda: "toy:NEW-USD" in stage.sink.polls[-1:][0] if stage.sink.polls else False,
                          NEEDS_LIST, interval_s=60.0)  # fmt: skip

    stage = on_stage(play)
    assert 3600 <= stage.clock.monotonic() <= 3730
    assert stage.sink.story == ["publish"]


def test_delisted_symbols_go() -> None:
    """A symbol is removed once the list has lost it and answers have not had it for a while; then never again."""

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
def test_missing_here_or_there_is_not_delisted(keeps: str) -> None:
    """A symbol stays while the list or the answers have it, and if a single answer has left it out."""
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


def test_made_up_names_do_not_pile_up() -> None:
    """A server with new names in every answer meets a bound on what is remembered of them."""
    small = dataclasses.replace(TOY, limits=Limits(interval_s=1.0, gap_s=1.0, symbols=5))

    async def play(stage: Stage) -> None:
        replies = [tickers(**{f"N{n}{letter}": "1.0" for letter in "ABC"}) for n in range(10)]
        stage.exchange.script(TICKERS, *replies)
        feed = stage.feed(small)
        async with supervised(feed, stage.sink, stage.clock):
            await stage.sink.until(lambda: len(stage.sink.polls) == 10)
        judge = feed._poller._judge
        assert (len(judge._seen_at), len(judge._digits), len(judge._judged)) == (5, 5, 3)

    on_stage(play)


def test_halted_market_says_so() -> None:
    """A market that the list halts is halted although no row of it comes any more, and open again when the list is."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, tickers(BTC="1"))
        stage.exchange.serve(LIST, listing(("BTC/USD", "BTC-USD", 1)))
        feed = stage.feed(LISTED)
        directory = feed._listings._directory
        async with supervised(feed, stage.sink, stage.clock):
            await stage.sink.until(lambda: len(stage.sink.polls) >= 2)
        halted = [one._replace(state="halted") for one in directory._by_symbol.values()]
        directory.load(halted)
        judge = feed._poller._judge
        assert [quote.values for quote in judge.halted()] == [{"state": "halted"}]
        assert directory.wanted() == {}
        (quote,) = judge.answer([Row("BTC/USD", {"last": "2"})], stage.sink.status)
        assert quote.values["state"] == "halted"
        directory.load(one._replace(state=None) for one in halted)
        (quote,) = judge.answer([Row("BTC/USD", {"last": "3"})], stage.sink.status)
        assert quote.values["state"] == "live"
        assert judge.halted() == []

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
def test_reopened_market_is_noticed_soon(before: str | None) -> None:
    """A market that the list has just found halted is looked at again soon, and asked for when it is open.

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


def test_market_that_stays_shut_costs_little() -> None:
    """The list is loaded less and less often for a market that is not opened again."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, tickers(BTC="1"))
        stage.exchange.serve(LIST, markets(BTC=None, ETH="halted"))
        stage.exchange.script(LIST, markets(BTC=None, ETH=None))
        await stage.until(lambda: stage.clock.monotonic() > 86_400, SINGLE, interval_s=300.0)
        assert 30 <= stage.exchange.asked(LIST) <= 40

    on_stage(play)
