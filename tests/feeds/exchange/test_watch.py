"""What the service shows of a stream: a mute one is seen within seconds, a quiet market is never called stale."""

from __future__ import annotations

import random

import pytest

from feeds.exchange.pulse import Pulse
from feeds.runner import Runner
from tests.feeds.fake_exchange import Peer
from tests.feeds.harness import context
from tests.feeds.toy import TALK, TICKERS, Theatre, answers, in_theatre, said, talking, tickers
from ticker.intake import Intake
from ticker.store import Store


class Service:
    """The part of the service that judges feeds, with one feed of the toy."""

    def __init__(self, theatre: Theatre, **options: object) -> None:
        import asyncio

        feed = theatre.feed(talking(mute_after_s=8.0), **options)
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

    async def stop(self) -> None:
        import asyncio

        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)


@pytest.mark.parametrize("mode", ["stream", "auto"])
def test_mute_stream_of_a_busy_market_is_seen(mode: str) -> None:
    """Ten seconds after the last price of a busy stream that stays open nothing is shown as live on its strength."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.serve(TICKERS, tickers(BTC="1"))
        theatre.exchange.stream(TALK, answers)
        service = Service(theatre, mode=mode)
        await theatre.passes(2.0)
        peer = await theatre.exchange.peer()
        await peer.heard()
        for number in range(200):
            await theatre.passes(0.1)
            peer.send(said(BTC=f"{number + 2}"))
            await theatre.until(lambda: service.status.updates > number)  # noqa: B023
        assert service.status.state == "live"
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


def test_quiet_market_is_never_called_stale() -> None:
    """In an hour in which symbols trade every few minutes by chance, none is ever shown as stale, nor is the feed.

    The stream may be made anew once, in the beginning, while nobody knows yet how quiet it is.
    """
    dice = random.Random(11)
    symbols = ["A", "B", "C"]

    async def play(theatre: Theatre) -> None:
        theatre.lists(*symbols)
        theatre.exchange.serve(TICKERS, tickers(A="1", B="1", C="1"))
        theatre.exchange.stream(TALK, answers)
        service = Service(theatre, interval_s=5.0)
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


def silences(beats_s: float, beats: int) -> list[float]:
    """How long each of ten connections may be silent that bring so many prices at this distance, and no more."""
    pulse, now, borne_s = Pulse(), 0.0, []
    for _ in range(10):
        for _ in range(beats):
            now += beats_s
            pulse.beat(now)
        borne_s.append(pulse.limit_s(8.0))
        now += borne_s[-1]
        pulse.missed()
    return borne_s


def test_connections_that_fall_silent_in_turn() -> None:
    """In a busy market each is given up soon; where nothing follows the first prices it is the market that is quiet.

    Seen: each silence in which a connection was given up made the next one three times as long, up to an hour, in
    which a stream alone had no price although its exchange had many.
    """
    assert max(silences(beats_s=1.0, beats=300)) <= 30.0
    assert silences(beats_s=0.01, beats=10)[-1] == 3600.0
    assert min(silences(beats_s=100.0, beats=10)) >= 290.0


def beats(pulse: Pulse, now: float, gap_s: float, count: int = 1) -> float:
    """So many prices at this distance; returns when the last one came."""
    for _ in range(count):
        now += gap_s
        pulse.beat(now)
    return now


def test_long_silence_is_forgotten() -> None:
    """One night's quiet does not hide for ever after that a busy stream has fallen silent."""
    pulse = Pulse()
    now = beats(pulse, beats(pulse, 0.0, 1.0, 300), 900.0)
    assert pulse.limit_s(8.0) >= 900.0
    now = beats(pulse, now, 1.0, 14_400)
    assert pulse.limit_s(8.0) <= 30.0
    pulse.missed()
    now = beats(pulse, beats(pulse, now, 120.0), 1.0, 150)
    assert pulse.limit_s(8.0) <= 30.0, "the silence in which a connection was given up was not the market's"


def test_patience_has_bounds() -> None:
    """A busy stream gets no less than what is usual for its exchange; one that never brings a price is made anew."""
    busy, barren = Pulse(), Pulse()
    beats(busy, 0.0, 0.01, 100)
    assert (busy.usual_s(5.0), busy.limit_s(8.0)) == (5.0, 8.0)
    for _ in range(30):
        barren.missed()
    assert (barren.limit_s(8.0), barren.limit_s(900.0)) == (600.0, 900.0)
