"""Mode `auto`: the stream where it delivers, polls for the rest; neither ever overwrites newer prices of the other."""

from __future__ import annotations

import dataclasses
import json

import pytest

from feeds.base import Adapter
from feeds.exchange.adapter import exchange
from feeds.exchange.options import ExchangeOptions
from feeds.exchange.venue import Limits, Venue
from tests.clock import ManualClock
from tests.feeds.fake_exchange import HANG, Peer, Reply, mute
from tests.feeds.harness import context
from tests.feeds.toy import LIST, TALK, TALKS, TICKERS, TOY, Theatre, answers, in_theatre, said, talking, tickers
from ticker.errors import ConfigError
from ticker.model import Quote


async def streaming(theatre: Theatre, count: int = 1, **prices: str) -> Peer:
    """Give a client's connection prices."""
    await theatre.passes(1.0)
    peer = await theatre.exchange.peer(count)
    await peer.heard()
    peer.send(said(**prices))
    await theatre.until(lambda: all(theatre.last(base) == text for base, text in prices.items()))
    return peer


def polls(theatre: Theatre) -> int:
    return theatre.exchange.asked(TICKERS)


def test_polling_stops_once_the_stream_delivers() -> None:
    """Until then prices are polled from the start."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.serve(TICKERS, tickers(BTC="1"))
        theatre.exchange.stream(TALK, answers)
        theatre.exchange.script(TALK, *[Reply(status=503)] * 3)
        async with theatre.running():
            await theatre.until(lambda: theatre.last("BTC") == "1")
            await theatre.passes(1.0, lambda: bool(theatre.errors()))
            theatre.exchange.serve(TICKERS, tickers(BTC="2"))
            while theatre.last("BTC") != "2":
                await theatre.passes(1.0)
            while not theatre.exchange.peers:
                await theatre.passes(1.0)
            peer = await streaming(theatre, BTC="3")
            await theatre.passes(2.0)
            before = polls(theatre)
            for number in range(20):
                await theatre.passes(1.0)
                peer.send(said(BTC=f"{number + 4}"))
                await theatre.until(lambda: theatre.last("BTC") == f"{number + 4}")  # noqa: B023
            assert polls(theatre) == before
            assert set(theatre.sink.story) == {"publish", "live"}
            assert theatre.sink.status.message is None

    in_theatre(play)


@pytest.mark.parametrize("reply", [Reply(status=503), HANG])
def test_polls_replace_a_broken_stream(reply: Reply) -> None:
    """Polls begin in the next interval; the stream takes over again when it is back."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.serve(TICKERS, tickers(BTC="7"))
        theatre.exchange.stream(TALK, answers)
        async with theatre.running():
            peer = await streaming(theatre, BTC="1")
            await theatre.passes(2.0)
            theatre.exchange.script(TALK, *[reply] * 3)
            peer.cut()
            await theatre.until(lambda: bool(theatre.errors()))
            await theatre.passes(1.0, lambda: theatre.last("BTC") == "7")
            for number in range(20):
                theatre.exchange.serve(TICKERS, tickers(BTC=f"{number + 10}"))
                while theatre.last("BTC") != f"{number + 10}":
                    await theatre.passes(1.0)
            assert theatre.sink.status.state == "live"
            if reply is not HANG:
                await streaming(theatre, 2, BTC="99")
                before = polls(theatre)
                await theatre.passes(4.0)
                assert polls(theatre) == before
            assert not {"down", "stale"} & set(theatre.sink.story)

    in_theatre(play)


@pytest.mark.parametrize("one_by_one", [False, True])
def test_only_symbols_of_the_broken_connection_are_polled(*, one_by_one: bool) -> None:
    """Symbols whose connection delivers are neither requested, nor taken from an answer that has them as well."""
    limits = Limits(interval_s=1, gap_s=0.1, symbols_per_request=1) if one_by_one else TALKS.limits
    venue = dataclasses.replace(talking(wires_per_connection=1), limits=limits)

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC", "ETH")
        theatre.exchange.serve(TICKERS, tickers(BTC="7", ETH="7"))
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(venue):
            first, _ = await theatre.live_pair()
            theatre.exchange.script(TALK, *[Reply(status=503)] * 20)
            before = len(theatre.exchange.requests)
            first.cut()
            await theatre.until(lambda: bool(theatre.errors()))
            await theatre.passes(2.0, lambda: theatre.last("BTC") == "7")
            assert theatre.last("ETH") == "1"
            asked = {request.target for request in theatre.exchange.requests[before:]} - {TALK}
            assert asked == {f"{TICKERS}?s=BTC-USD" if one_by_one else TICKERS}

    in_theatre(play)


def test_only_symbols_that_the_stream_refuses_are_polled() -> None:
    """The others come from the stream alone."""

    async def play(theatre: Theatre) -> None:
        async def refuses(peer: Peer) -> None:
            await peer.heard()
            peer.say({"acked": [1], "refused": [("ETH/USD", "not streamed")]})

        theatre.lists("BTC", "ETH")
        theatre.exchange.stream(TALK, refuses)
        async with theatre.running():
            await streaming(theatre, BTC="1")
            theatre.exchange.serve(TICKERS, tickers(BTC="7", ETH="7"))
            await theatre.passes(2.0, lambda: theatre.last("ETH") == "7")
            assert theatre.last("BTC") == "1"
            assert theatre.sink.status.message == "not subscribed: ETH/USD (ETH/USD: not streamed)"

    in_theatre(play)


def test_a_symbol_quiet_for_seconds_is_polled() -> None:
    """The poll confirms or corrects its price."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC", "ODD")
        theatre.exchange.serve(TICKERS, tickers(BTC="0", ODD="5"))
        theatre.exchange.stream(TALK, answers)
        async with theatre.running():
            peer = await streaming(theatre, BTC="1", ODD="5")
            await theatre.passes(1.0)
            asked = []
            for number in range(100):
                before = polls(theatre)
                await theatre.passes(1.0)
                peer.send(said(BTC=f"{number + 2}"))
                await theatre.until(lambda: theatre.last("BTC") == f"{number + 2}")  # noqa: B023
                asked += [number] * (polls(theatre) - before)
            assert 15 <= len(asked) <= 20
            confirmed = [event for event in theatre.sink.polls if "toy:ODD-USD" in event]
            assert len(confirmed) == len(asked) + 1 + 1  # the stream's own, and the poll of the beginning
            assert not any("toy:BTC-USD" in event for event in confirmed[2:])

    in_theatre(play)


def test_an_old_price_from_the_stream_is_confirmed_by_the_next_poll() -> None:
    """An example is the first price of a quiet symbol on a new connection.

    Seen: a quiet pair was stale for 5 s after each new connection: its first row was as old as its last change,
    and the answer that dates nothing, and so confirms it, was not due yet. Where the exchange's clock is slow it is not
    asked all the time.
    """
    venue = dataclasses.replace(TALKS, clock="exchange", polled_clock="received", time_unit="s")

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC", "ODD")
        theatre.exchange.serve(TICKERS, tickers(BTC="0", ODD="5"))
        theatre.exchange.stream(TALK, answers)
        asked = []
        async with theatre.running(venue):
            peer = await streaming(theatre, BTC="1")
            await theatre.passes(2.0)
            for number, age_s in enumerate((60, 0, 60, 60)):
                row = {"last": f"{number + 6}", "time": f"{theatre.clock.wall_ms() // 1000 - age_s}"}
                peer.say({"rows": {"BTC/USD": {"last": f"{number + 2}"}, "ODD/USD": row}})
                await theatre.until(lambda: theatre.last("BTC") == f"{number + 2}")  # noqa: B023
                before = polls(theatre)
                await theatre.passes(1.0)
                asked.append(polls(theatre) - before)
        assert asked == [1, 0, 0, 0]

    in_theatre(play)


def test_a_symbol_priced_by_the_stream_alone_is_not_missing() -> None:
    """A symbol that is wanted by name is not reported as missing just because polls lack it."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC", "ODD")
        theatre.exchange.serve(TICKERS, tickers(BTC="0", ODD="5"))
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(symbols=("BTC-USD", "ODD-USD")):
            peer = await streaming(theatre, BTC="1", ODD="5")
            before = len(theatre.exchange.requests)
            for number in range(12):
                await theatre.passes(1.0)
                peer.send(said(BTC=f"{number + 2}"))
                await theatre.until(lambda: theatre.last("BTC") == f"{number + 2}")  # noqa: B023
            assert len(theatre.exchange.requests) > before
            assert theatre.sink.status.message is None

    in_theatre(play)


def test_one_poll_confirms_all_symbols_due_soon() -> None:
    """Symbols that fall quiet one after the other do not cost a request each."""

    async def play(theatre: Theatre) -> None:
        bases = [f"Q{n}" for n in range(6)]
        theatre.lists(*bases)
        theatre.exchange.serve(TICKERS, tickers(**dict.fromkeys(bases, "5")))
        theatre.exchange.stream(TALK, answers)
        async with theatre.running():
            peer = await streaming(theatre, Q0="1")
            peer.send(said(**dict.fromkeys(bases, "1")))
            before = polls(theatre)
            for number in range(60):
                await theatre.passes(1.0)
                base, price = bases[number % 6], f"{number + 2}"
                peer.send(said(**{base: price}))
                await theatre.until(lambda: theatre.last(base) == price)  # noqa: B023
            assert polls(theatre) - before <= 30

    in_theatre(play)


def test_a_symbol_without_any_price_is_polled_rarely() -> None:
    """It costs a request now and then, not one in each interval."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC", "DEAD", "GONE")
        theatre.exchange.serve(TICKERS, tickers(BTC="1", DEAD="0"))
        theatre.exchange.stream(TALK, answers)
        async with theatre.running():
            peer = await streaming(theatre, BTC="2")
            await theatre.passes(2.0)
            before = polls(theatre)
            for number in range(100):
                await theatre.passes(1.0)
                peer.send(said(BTC=f"{number + 3}"))
                await theatre.until(lambda: theatre.last("BTC") == f"{number + 3}")  # noqa: B023
            assert 15 <= polls(theatre) - before <= 20

    in_theatre(play)


def row(**fields: object) -> Reply:
    return Reply(body=json.dumps({"BTC/USD": fields}).encode())


def test_polls_fill_in_what_the_stream_lacks() -> None:
    """What the stream has is never overwritten by them."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.serve(TICKERS, row(last="7", bid="6", volume="100"))
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(talking(complete=False)):
            peer = await streaming(theatre, BTC="1")
            before = polls(theatre)
            theatre.exchange.serve(TICKERS, row(last="7", bid="8", volume="200"))
            for number in range(5):
                await theatre.passes(1.0, lambda: polls(theatre) > before + number)  # noqa: B023
                peer.send(said(BTC=f"{number + 2}"))
                await theatre.until(lambda: theatre.last("BTC") == f"{number + 2}")  # noqa: B023
            await theatre.until(lambda: theatre.view()["BTC-USD"]["volume"] == "200")
            assert theatre.view()["BTC-USD"] == {"last": "6", "bid": "8", "volume": "200", "decimals": 2}
            later = theatre.sink.polls[-9:]
            assert any("volume" in poll["toy:BTC-USD"].values for poll in later)
            assert not any({"last", "volume"} <= poll["toy:BTC-USD"].values.keys() for poll in later)

    in_theatre(play)


def test_polls_replace_a_channel_that_fell_silent() -> None:
    """They do so even if another channel still has news of the symbol.

    A best bid and ask could stand still for as long as a ticker of trades went on, and look live; then the first
    answer only confirmed them, and they were fourteen seconds old before the next one changed them.
    """

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.serve(TICKERS, row(last="0", bid="0.1", ask="0.2"))
        theatre.exchange.stream(TALK, answers)
        async with theatre.running():
            peer = await streaming(theatre, BTC="1")
            peer.say({"rows": {"BTC/USD": {"bid": "4", "ask": "5"}}})
            await theatre.until(lambda: theatre.view()["BTC-USD"].get("ask") == "5")
            theatre.exchange.serve(TICKERS, row(last="0", bid="7", ask="8"))
            for number in range(8):
                await theatre.passes(1.0)
                peer.send(said(BTC=f"{number + 2}"))
                await theatre.until(lambda: theatre.last("BTC") == f"{number + 2}")  # noqa: B023
            assert theatre.view()["BTC-USD"] == {"last": "9", "bid": "7", "ask": "8", "decimals": 2}

    in_theatre(play)


def test_fields_only_the_stream_has_are_cleared_while_it_is_away() -> None:
    """A short break clears nothing.

    Kraken's change of the day stayed what it was when its stream broke, beside polled prices that went on for hours.
    """

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.serve(TICKERS, row(last="1", bid="1"))
        theatre.exchange.stream(TALK, answers)
        async with theatre.running():
            await streaming(theatre, BTC="2")
            theatre.exchange.peers[0].say({"rows": {"BTC/USD": {"last": "3", "bid": "3", "change_pct": "1.5"}}})
            await theatre.until(lambda: theatre.last("BTC") == "3")
            theatre.exchange.script(TALK, *[Reply(status=503)] * 20)
            theatre.exchange.peers[0].cut()
            await theatre.until(lambda: bool(theatre.errors()))
            await theatre.passes(5.0, lambda: theatre.last("BTC") == "1")
            assert theatre.view()["BTC-USD"]["change_pct"] == "1.5"
            for _ in range(10):
                await theatre.passes(1.0)
            await theatre.until(lambda: theatre.view()["BTC-USD"]["change_pct"] is None)
            assert theatre.view()["BTC-USD"] == {"last": "1", "bid": "1", "change_pct": None, "decimals": 2}

    in_theatre(play)


@pytest.mark.parametrize(("behind_ms", "expected"), [(900, 0), (-900, 900), (4_000, 0), (60_000, -60_000)])
def test_a_polled_row_slightly_older_than_the_stream_counts_as_equal(behind_ms: int, expected: int) -> None:
    """A much older one does not."""

    async def play(theatre: Theatre) -> None:
        now_ms = theatre.clock.wall_ms() - 2_000
        theatre.lists("BTC")
        theatre.exchange.serve(TICKERS, Reply(status=500))
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(talking(complete=False)):
            await theatre.passes(1.0)
            peer = await theatre.exchange.peer()
            await peer.heard()
            peer.say({"rows": {"BTC/USD": {"last": "1", "time": now_ms}}})
            await theatre.until(lambda: theatre.last("BTC") == "1")
            theatre.exchange.serve(TICKERS, row(bid="1", time=now_ms - behind_ms))
            await theatre.passes(3.0, lambda: "bid" in theatre.view()["BTC-USD"])
            quote = theatre.sink.polls[-1]["toy:BTC-USD"]
            assert quote.ts is not None
            assert quote.ts - now_ms == expected

    in_theatre(play)


def test_failing_polls_leave_a_streaming_feed_live() -> None:
    """They are counted and reported."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.serve(TICKERS, Reply(status=500))
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(talking(complete=False)):
            peer = await streaming(theatre, BTC="1")
            for number in range(40):
                await theatre.passes(1.0)
                peer.send(said(BTC=f"{number + 2}"))
                await theatre.until(lambda: theatre.last("BTC") == f"{number + 2}")  # noqa: B023
            assert theatre.errors()["http_5xx"] > 1
            assert theatre.sink.status.state == "live"
            assert theatre.sink.status.message == "polls: 127.0.0.1 answered with HTTP status 500"
            theatre.exchange.serve(TICKERS, tickers(BTC="1"))
            await theatre.passes(31.0, lambda: theatre.sink.status.message is None)

    in_theatre(play)


def test_a_feed_is_down_when_stream_and_polls_fail() -> None:
    """It is down when both have failed for longer than its prices are valid; either one brings it back."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        theatre.exchange.serve(TICKERS, tickers(BTC="1"))
        async with theatre.running():
            peer = await streaming(theatre, BTC="2")
            theatre.exchange.serve(TICKERS, Reply(status=500))
            theatre.exchange.script(TALK, *[Reply(status=503)] * 1000)
            peer.cut()
            await theatre.until(lambda: bool(theatre.errors()))
            for _ in range(60):
                await theatre.passes(1.0)
            assert theatre.sink.status.state == "down"
            assert theatre.sink.status.message == (
                "polls: 127.0.0.1 answered with HTTP status 500; "
                "stream 1: 127.0.0.1 refuses the WebSocket with HTTP status 503"
            )
            theatre.exchange.serve(TICKERS, tickers(BTC="3"))
            await theatre.passes(31.0, lambda: theatre.last("BTC") == "3")
            assert theatre.sink.status.state == "live"

    in_theatre(play)


def test_polls_need_no_list_where_the_stream_does() -> None:
    """Where names can be read without the list, polls begin at once; the stream starts once it is loaded."""

    async def play(theatre: Theatre) -> None:
        theatre.exchange.stream(TALK, answers)
        theatre.exchange.serve(LIST, Reply(status=500))
        theatre.exchange.serve(TICKERS, tickers(BTC="1"))
        async with theatre.running():
            await theatre.until(lambda: theatre.last("BTC") == "1")
            refused = "instrument list: 127.0.0.1 answered with HTTP status 500"
            await theatre.passes(1.0, lambda: theatre.sink.status.message == refused)
            assert theatre.sink.status.state == "live"
            theatre.lists("BTC")
            await theatre.passes(31.0)
            await streaming(theatre, BTC="2")
            assert theatre.sink.status.message is None

    in_theatre(play)


def test_mode_stream_never_polls_prices() -> None:
    """In mode `stream` prices are never polled, whatever happens."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.serve(TICKERS, tickers(BTC="1"))
        theatre.exchange.stream(TALK, mute)
        async with theatre.running(talking(complete=False), mode="stream"):
            await theatre.exchange.peer()
            await theatre.passes(50.0)
            assert polls(theatre) == 0

    in_theatre(play)


def test_mode_poll_opens_no_stream() -> None:
    """In mode `poll` prices are only polled."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.serve(TICKERS, tickers(BTC="1"))
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(mode="poll"):
            await theatre.passes(50.0, lambda: theatre.last("BTC") == "1")
            assert theatre.exchange.asked(TALK) == 0

    in_theatre(play)


def build(adapter: Adapter, **options: str | tuple[str, ...]) -> None:
    adapter.build("toy", ExchangeOptions(**options), context(ManualClock()))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "venue",
    [
        dataclasses.replace(TALKS, symbol=None),
        dataclasses.replace(TALKS, limits=Limits(interval_s=1.0, gap_s=1.0, symbols_per_request=1)),
    ],
    ids=["names mean nothing", "one by one"],
)
def test_the_first_poll_follows_the_list_at_once(venue: Venue) -> None:
    """Where only the list tells what to request, the first poll follows it, and no failure is reported before.

    Seen: it came a whole interval after the start, a minute with 60 symbols; until then the feed said that it had no
    price for anything, although it had not asked yet.
    """

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.serve(TICKERS, tickers(BTC="7"))
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(venue, interval_s=60.0):
            await theatre.passes(2.0, lambda: theatre.last("BTC") == "7")
            assert "stale" not in theatre.sink.story
            assert theatre.sink.status.message is None

    in_theatre(play)


def test_impossible_options_are_refused_at_the_start() -> None:
    """A stream that the venue does not have, or a pattern without a list to match, is refused by name."""
    no_list = dataclasses.replace(TALKS, instruments_request=None)
    one_by_one = dataclasses.replace(TOY, limits=Limits(interval_s=1, gap_s=1, symbols_per_request=1))
    build(exchange(TOY))
    build(exchange(no_list), symbols=("BTC-USD",))
    build(exchange(no_list), mode="poll")
    for adapter, options, name in (
        (exchange(TOY), {"mode": "stream"}, "mode"),
        (exchange(no_list), {"symbols": ("*-USD",)}, "symbols"),
        (exchange(one_by_one), {}, "symbols"),
    ):
        with pytest.raises(ConfigError, match=f"feeds.toy.{name}"):
            build(adapter, **options)


def test_a_cached_answer_does_not_replace_a_fresh_streamed_price() -> None:
    """REST may be a cache some seconds old: where polls are rare a symbol is requested early, which confirms it, and
    the streamed price stays.

    Seen: at an interval of 10 s an older price was put over one of two seconds ago, and dated as that one.
    """
    venue = dataclasses.replace(TALKS, clock="exchange", limits=Limits(interval_s=10.0, gap_s=0.1))

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        now = theatre.clock.wall_ms

        def serve(last: int, ago_ms: int) -> None:
            told = {"BTC/USD": {"last": str(last), "time": now() - ago_ms}}
            theatre.exchange.serve(TICKERS, Reply(body=json.dumps(told).encode()))

        def quotes() -> list[Quote]:
            return [quote for poll in theatre.sink.polls for quote in poll.values() if "last" in quote.values]

        serve(99, 1000)
        async with theatre.running(venue, interval_s=10.0):
            await theatre.passes(1.0)
            peer = await theatre.exchange.peer()
            await peer.heard()
            for last in range(100, 125):
                peer.say({"rows": {"BTC/USD": {"last": str(last), "time": now()}}})
                await theatre.until(lambda: quotes()[-1].values["last"] == str(last))  # noqa: B023
                serve(last - 1, 2200)
                for _ in range(11):
                    await theatre.passes(0.2)
            lasts = [int(str(quote.values["last"])) for quote in quotes()]
            assert lasts == sorted(lasts)

    in_theatre(play)


def test_patience_covers_a_whole_round_of_single_requests() -> None:
    """Otherwise a quiet symbol would be stale before the poll that confirms it; a bulk answer comes soon enough."""

    async def play(theatre: Theatre) -> None:
        limits = Limits(interval_s=1.0, gap_s=1.0, symbols_per_request=1)
        each = dataclasses.replace(TALKS, limits=limits)
        many = [f"S{i}-USD" for i in range(60)]
        assert theatre.feed(each, symbols=many).stale_after_s == 61.0
        assert theatre.feed(each, symbols=many[:2]).stale_after_s == 8.0
        assert theatre.feed(TALKS, interval_s=60.0).stale_after_s == 8.0

    in_theatre(play)
