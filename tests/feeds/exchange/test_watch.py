"""What the service shows of a stream: a silent one is noticed within seconds, a quiet market is never called stale."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable

import pytest

from feeds.exchange.pulse import Pulse
from feeds.exchange.venue import Limits, Venue
from feeds.runner import Runner
from tests.feeds.fake_exchange import HANG, Peer, Reply
from tests.feeds.harness import context
from tests.feeds.toy import TALK, TICKERS, Theatre, answers, in_theatre, said, talking, tickers
from ticker.intake import Intake
from ticker.store import Store

BUSY = talking(mute_after_s=8.0)


class Service:
    """The part of the service that judges feeds, with one feed of the toy."""

    def __init__(self, theatre: Theatre, venue: Venue = BUSY, **options: object) -> None:
        import asyncio

        feed = theatre.feed(venue, **options)
        self.intake = Intake(Store(epoch=1), theatre.clock, 100)
        door = self.intake.feed(feed.name, feed.kind, feed.clock, feed.stale_after_s)
        self.status = door.status
        self.seen: set[str] = set()
        self._theatre = theatre
        self._running = asyncio.create_task(Runner(feed, door, context(theatre.clock)).run())

    async def passes(self, seconds: float, step_s: float = 1.0) -> None:
        """Let time pass with the service looking at its clocks; `seen` has every state that was shown."""
        for _ in range(round(seconds / step_s)):
            await self._theatre.passes(step_s)
            list(self.intake.expire())
            self.seen.add(self.status.state)
            self.seen.update(f"{source.symbol} {source.state}" for source in self.intake.sources.values())

    async def busy(self, times: int = 200, **prices: str) -> Peer:
        """Let the first connection bring these so many times, ten times a second."""
        if not self._theatre.exchange.peers:
            await self._theatre.passes(2.0)
        peer = await self._theatre.exchange.peer()
        await peer.heard()
        for _ in range(times):
            await self._theatre.passes(0.1)
            before = self.status.updates
            peer.send(said(**prices))
            await self._theatre.until(lambda: self.status.updates >= before + len(prices))  # noqa: B023
        assert self.status.state == "live"
        return peer

    async def stop(self) -> None:
        import asyncio

        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)


@pytest.mark.parametrize("mode", ["stream", "auto"])
def test_a_busy_stream_that_falls_silent_is_not_live_after_ten_seconds(mode: str) -> None:
    """No price of it is shown as live then, though it stays open."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.serve(TICKERS, tickers(BTC="1"))
        theatre.exchange.stream(TALK, answers)
        service = Service(theatre, mode=mode)
        peer = await service.busy(BTC="2")
        theatre.exchange.stream(TALK, answers)
        asked = theatre.exchange.asked(TICKERS)
        for _ in range(10):
            await service.passes(1.0)
            peer.say({"idle": 1})
        if mode == "stream":
            assert service.intake.sources["toy:BTC-USD"].state in {"stale", "down"}
            assert service.status.state in {"stale", "down"}
        else:
            assert theatre.exchange.asked(TICKERS) > asked, "it is asked for instead"
            assert service.status.state == "live"
        assert service.status.errors["mute"] == 1
        await service.stop()

    in_theatre(play)


@pytest.mark.parametrize("interval_s", [1.0, 5.0, 10.0, 30.0])
@pytest.mark.parametrize("answer", [HANG, Reply(status=503)])
@pytest.mark.parametrize("ends", [lambda _: None, Peer.cut], ids=["mute", "cut"])
def test_a_dead_exchange_is_not_live_after_ten_seconds(
    ends: Callable[[Peer], None], answer: Reply, interval_s: float
) -> None:
    """No price is live then, however its stream and its polls have failed.

    Seen: with a poll each five seconds they were live for fifteen; and of a mute stream nothing was said any more
    once the next connection was open, that brought no price either. What was said stays until one has come.
    """

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.serve(TICKERS, tickers(BTC="1"))
        theatre.exchange.stream(TALK, answers)
        service = Service(theatre, interval_s=interval_s)
        peer = await service.busy(BTC="2")
        theatre.exchange.serve(TICKERS, answer)
        ends(peer)
        await service.passes(10.0, 0.25)
        for _ in range(20):
            assert service.intake.sources["toy:BTC-USD"].state in {"stale", "down"}
            assert service.status.state in {"stale", "down"}
            assert service.status.message not in {None, "connected again, no price yet"}
            await service.passes(0.5, 0.25)
        theatre.exchange.peers[-1].send(said(BTC="3"))
        await theatre.until(lambda: service.status.state == "live")
        assert "no price" not in (service.status.message or "")
        await service.stop()

    in_theatre(play)


def test_failed_requests_end_a_round_of_single_polls() -> None:
    """Where each symbol takes a request, a price may be as old as a round of them, but not once requests fail.

    Seen: with 60 symbols and a request a second all prices were live for a minute after the exchange had died.
    """
    one_by_one = Limits(interval_s=5.0, gap_s=1.0, symbols_per_request=1)
    venue = dataclasses.replace(talking(mute_after_s=60.0, complete=False), limits=one_by_one)
    bases = ["BTC", *(f"ODD{n}" for n in range(59))]

    async def play(theatre: Theatre) -> None:
        theatre.lists(*bases)
        theatre.exchange.serve(TICKERS, tickers(BTC="1"))
        theatre.exchange.stream(TALK, answers)
        service = Service(theatre, venue, symbols=tuple(f"{base}-USD" for base in bases))
        peer = await service.busy(BTC="2")
        theatre.exchange.serve(TICKERS, Reply(status=503))
        await service.passes(20.0, 0.25)
        assert service.status.state == "stale"
        assert service.intake.sources["toy:BTC-USD"].state == "stale"
        assert service.status.message == "polls: 127.0.0.1 answered with HTTP status 503"
        peer.send(said(BTC="3"))
        await theatre.until(lambda: service.intake.sources["toy:BTC-USD"].state == "live")
        await service.stop()

    in_theatre(play)


def test_a_feed_is_down_when_polls_hang_while_the_stream_is_away() -> None:
    """It is down when a poll has hung for longer than three intervals."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.serve(TICKERS, tickers(BTC="1"))
        theatre.exchange.stream(TALK, answers)
        theatre.exchange.script(TALK, *[Reply(status=503)] * 1000)
        service = Service(theatre, interval_s=2.0, timeout_s=1.0)
        await theatre.until(lambda: service.status.state == "live")
        for _ in range(10):
            before = service.status.updates
            await theatre.passes(2.0, lambda: service.status.updates > before)  # noqa: B023
        theatre.exchange.serve(TICKERS, HANG)
        asked = theatre.exchange.asked(TICKERS)
        await theatre.passes(2.0, lambda: theatre.exchange.asked(TICKERS) > asked)
        theatre.clock.tick(5.0)
        await theatre.until(lambda: service.status.state == "down")
        assert service.status.errors["timeout"] >= 1, "on a busy machine a handshake of the stream may be another"
        await service.stop()

    in_theatre(play)


@pytest.mark.parametrize("interval_s", [1.0, 4.0, 5.0])
def test_a_poll_confirms_a_busy_symbol_that_falls_quiet(interval_s: float) -> None:
    """A symbol with ten prices a second and then none is never stale."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC", "ETH")
        theatre.exchange.serve(TICKERS, tickers(BTC="2", ETH="2"))
        theatre.exchange.stream(TALK, answers)
        service = Service(theatre, interval_s=interval_s)
        for lull in range(10):
            peer = await service.busy(40, BTC="2", ETH="2")
            for step in range(25 + lull):  # so that the next one begins at another moment between two polls
                await service.passes(0.5, 0.25)
                before = service.status.updates
                peer.send(said(BTC=f"{step + 3}"))
                await theatre.until(lambda: service.status.updates > before)  # noqa: B023
        assert service.seen == {"live", "toy:BTC-USD live", "toy:ETH-USD live"}
        await service.stop()

    in_theatre(play)


ONE_BY_ONE = dataclasses.replace(BUSY, limits=Limits(interval_s=5.0, gap_s=3.0, symbols_per_request=1))
"""Three of its symbols take longer than from poll to poll."""


@pytest.mark.parametrize(("venue", "interval_s"), [(BUSY, 5.0), (ONE_BY_ONE, 5.0), (BUSY, 30.0)])
def test_a_quiet_market_is_never_called_stale(venue: Venue, interval_s: float) -> None:
    """In an hour in which symbols trade every few minutes at random, neither a symbol nor the feed is ever shown as
    stale.

    The stream may be made anew once, in the beginning, while nobody knows yet how quiet it is.
    """
    dice = random.Random(11)
    symbols = ["A", "B", "C"]

    async def play(theatre: Theatre) -> None:
        theatre.lists(*symbols)
        theatre.exchange.serve(TICKERS, tickers(A="1", B="1", C="1"))
        theatre.exchange.stream(TALK, answers)
        service = Service(theatre, venue, interval_s=interval_s)
        await theatre.passes(2.0)
        peer: Peer = await theatre.exchange.peer()
        await peer.heard()
        peer.send(said(A="2", B="2", C="2"))
        await theatre.until(lambda: service.status.updates >= 3)
        for step in range(3600 // 5):
            await service.passes(5.0, 2.5)
            price = f"{100 + step}"
            trades = {f"{base}/USD": {"last": price} for base in symbols if dice.random() < 5 / 150}
            if trades:
                before = service.status.updates
                theatre.exchange.peers[-1].say({"rows": trades})
                theatre.exchange.serve(TICKERS, tickers(A=price, B=price, C=price))
                await theatre.until(lambda: service.status.updates > before)  # noqa: B023
        assert service.seen == {"live", *(f"toy:{base}-USD live" for base in symbols)}
        assert sum(service.status.errors.values()) == service.status.errors["mute"] <= 1
        assert service.status.message is None
        await service.stop()

    in_theatre(play)


def test_a_quiet_symbol_dated_by_its_last_trade_is_live() -> None:
    """Beside a busy one, from the first minute on: a poll and a working stream confirm it.

    Seen: until eight trades had shown how seldom it has any, it was stale for up to three quarters of the time.
    """
    dice = random.Random(5)

    async def play(theatre: Theatre) -> None:
        def row(price: int) -> dict[str, object]:
            return {"last": f"{price}", "time": theatre.clock.wall_ms()}

        def serve(price: int, quiet: dict[str, object]) -> None:
            rows = {"BTC/USD": row(price), "ODD/USD": quiet}
            theatre.exchange.serve(TICKERS, Reply(body=json.dumps(rows).encode()))

        theatre.lists("BTC", "ODD")
        quiet = row(1)
        serve(1, quiet)
        theatre.exchange.stream(TALK, answers)
        service = Service(theatre, interval_s=5.0)
        await theatre.passes(2.0)
        peer = await theatre.exchange.peer()
        await peer.heard()
        peer.say({"rows": {"ODD/USD": quiet}})
        for second in range(900):
            await service.passes(1.0)
            before = service.status.updates
            rows = {"BTC/USD": row(second + 2)}
            if dice.random() < 1 / 200:
                rows["ODD/USD"] = quiet = row(second + 2)
            serve(second + 2, quiet)
            peer.say({"rows": rows})
            await theatre.until(lambda: service.status.updates >= before + len(rows))  # noqa: B023
        assert service.seen == {"live", "toy:BTC-USD live", "toy:ODD-USD live"}
        await service.stop()

    in_theatre(play)


def silences(beats_s: float, beats: int) -> list[float]:
    """How long each of ten connections may be silent after `beats` prices, `beats_s` apart."""
    pulse, now, borne_s = Pulse(), 0.0, []
    for _ in range(10):
        for _ in range(beats):
            now += beats_s
            pulse.beat(now)
        borne_s.append(pulse.limit_s(8.0))
        now += borne_s[-1]
        pulse.missed()
    return borne_s


def test_each_connection_that_falls_silent_is_replaced_soon() -> None:
    """In a busy market each is replaced soon; if nothing follows the first prices, the market is quiet.

    Seen: each silence in which a connection was given up made the next one three times as long, up to an hour, in
    which a stream alone had no price although its exchange had many.
    """
    assert max(silences(beats_s=1.0, beats=300)) <= 30.0
    assert silences(beats_s=0.01, beats=10)[-1] == 3600.0
    assert min(silences(beats_s=100.0, beats=10)) >= 290.0


def beats(pulse: Pulse, now: float, gap_s: float, count: int = 1) -> float:
    """`count` prices, `gap_s` apart; returns when the last one came."""
    for _ in range(count):
        now += gap_s
        pulse.beat(now)
    return now


def test_one_quiet_night_does_not_lengthen_the_patience_for_ever() -> None:
    """A busy stream that falls silent later is still noticed."""
    pulse = Pulse()
    now = beats(pulse, beats(pulse, 0.0, 1.0, 300), 900.0)
    assert pulse.limit_s(8.0) >= 900.0
    now = beats(pulse, now, 1.0, 14_400)
    assert pulse.limit_s(8.0) <= 30.0
    pulse.missed()
    now = beats(pulse, beats(pulse, now, 120.0), 1.0, 150)
    assert pulse.limit_s(8.0) <= 30.0, "the silence in which a connection was given up was not the market's"


def test_the_patience_is_bounded_both_ways() -> None:
    """A busy stream gets no less than what is usual for its exchange; one that never brings a price is replaced."""
    busy, barren = Pulse(), Pulse()
    beats(busy, 0.0, 0.01, 100)
    assert (busy.usual_s(5.0), busy.limit_s(8.0)) == (5.0, 8.0)
    for _ in range(30):
        barren.missed()
    assert (barren.limit_s(8.0), barren.limit_s(900.0)) == (600.0, 900.0)
