"""Requests beyond a plain good answer: ETags, allowances, bans, keys, and one symbol at a time."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import pathlib
from typing import Any

import pytest

from feeds.budget import Budget
from feeds.exchange.adapter import exchange
from feeds.exchange.fetch import HttpSource
from feeds.exchange.options import ExchangeOptions
from feeds.exchange.rest import Rest
from feeds.exchange.venue import Limits, Row, Venue
from feeds.options import parse_options
from tests.clock import ManualClock
from tests.feeds.fake_exchange import JSON, FakeExchange, Peer, Reply
from tests.feeds.harness import PATIENCE_S, context
from tests.feeds.toy import (
    LIST,
    STREAM,
    TALK,
    TALKS,
    TICKERS,
    TOY,
    Stage,
    Theatre,
    answers,
    in_theatre,
    last_prices,
    on_stage,
    said,
    tickers,
)
from ticker.errors import ConfigError, FeedError


def tagged(tag: str, **prices: str) -> Reply:
    return dataclasses.replace(tickers(**prices), headers={**JSON, "ETag": tag})


def test_a_304_confirms_all_rows() -> None:
    """An answer with an ETag is requested conditionally from then on; a 304 publishes all its rows again."""
    same = Reply(status=304, body=b"", headers={})

    async def play(stage: Stage) -> None:
        stage.exchange.script(
            TICKERS, tagged('"a"', BTC="1"), same, same, tagged('"b"', BTC="2"), same, tickers(BTC="3")
        )
        stage.exchange.serve(TICKERS, tickers(BTC="4"))
        await stage.polls(7)

    stage = on_stage(play)
    assert [last_prices(poll)["toy:BTC-USD"] for poll in stage.sink.polls[:7]] == ["1", "1", "1", "2", "2", "3", "4"]
    sent = [request.headers.get("if-none-match") for request in stage.exchange.requests[:7]]
    assert sent == [None, '"a"', '"a"', '"a"', '"b"', '"b"', None]
    assert stage.sink.status.polls == {"ok": 7, "error": 0, "skipped": 0}


@pytest.mark.parametrize("tag", ["é", "", "a b", "x" * 30_000], ids=["not ascii", "empty", "two", "long"])
def test_an_invalid_etag_is_not_sent_back(tag: str) -> None:
    """The answer is good, and the next request is unconditional.

    Seen: one letter beyond ASCII stopped the feed for good, as a bug of ours.
    """

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, tagged(tag, BTC="1"))
        await stage.polls(3)

    stage = on_stage(play)
    assert stage.sink.story == ["publish"]
    assert all("if-none-match" not in request.headers for request in stage.exchange.requests)


def test_only_sixteen_tagged_answers_are_kept() -> None:
    """Only the first sixteen tagged answers are kept, which bounds memory."""
    bases = [f"A{n:02}" for n in range(20)]
    limits = Limits(interval_s=1.0, gap_s=0.01, symbols_per_request=1)

    async def play(stage: Stage) -> None:
        for base in bases:
            stage.exchange.serve(f"{TICKERS}?s={base}-USD", tagged('"a"', **{base: "1"}))
        symbols = tuple(f"{base}-USD" for base in bases)
        await stage.polls(2 * len(bases), dataclasses.replace(TOY, limits=limits, wire=str), symbols=symbols)

    requests = on_stage(play).exchange.requests[: 2 * len(bases)]
    assert [bool(request.headers.get("if-none-match")) for request in requests] == [False] * 20 + [True] * 16 + [
        False
    ] * 4


def test_an_unrequested_304_is_a_failure() -> None:
    """Without a condition in the request, a 304 is no answer."""

    async def play(stage: Stage) -> None:
        stage.exchange.script(TICKERS, Reply(status=304, body=b"", headers={}))
        stage.exchange.serve(TICKERS, tickers(BTC="1"))
        await stage.polls(1)

    assert on_stage(play).sink.status.errors["redirect"] == 1


def test_requests_wait_when_the_minutes_allowance_is_nearly_used() -> None:
    """When the exchange says so, the next request waits for the next minute."""
    limits = Limits(interval_s=1.0, gap_s=1.0, used_header="X-Used", used_limit=100)

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, tickers(BTC="1"))
        for used in ("10", "79", "80", "many", "-5"):
            reply = dataclasses.replace(tickers(BTC="1"), headers={**JSON, "x-used": used})
            stage.exchange.script(TICKERS, reply)
        await stage.polls(6, dataclasses.replace(TOY, limits=limits))

    stage = on_stage(play)
    at = [event.at for event in stage.sink.events if event.what == "publish"]
    assert at[:6] == [0.0, 1.0, 2.0, 60.0, 61.0, 62.0]
    assert stage.sink.status.rate_limit_wait_s > 0


def test_waits_that_overlap_are_all_counted() -> None:
    """A feed's polls, its list and its charts wait for turns at the same time, and each wait counts.

    Seen: each added its wait to what had been counted before it began, so that only the last to end was.
    """

    async def play(theatre: Theatre) -> None:
        exchange, clock, status = theatre.exchange, theatre.clock, theatre.sink.status
        exchange.serve(TICKERS, tickers(BTC="1"))
        source = HttpSource(exchange.base_url, clock, timeout_s=PATIENCE_S, body_bytes=1000)
        rest = Rest(source, TOY.limits, 1.0, Budget(), context(clock))
        async with source:
            asked = [asyncio.create_task(rest.ask(TICKERS, bytes.strip, status)) for _ in range(3)]
            for _ in asked:
                await clock.advance(1.0)
            await asyncio.gather(*asked)
        assert status.rate_limit_wait_s == 0.0 + 1.0 + 2.0

    in_theatre(play)


@pytest.mark.parametrize(("status", "waits"), [(403, True), (418, True), (404, False), (500, False)])
def test_a_ban_without_an_end_lasts_as_long_as_usual(status: int, waits: bool) -> None:
    """Its length is then how long the exchange is known to ban."""
    limits = Limits(interval_s=1.0, gap_s=1.0, ban_s=600.0)

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, tickers(BTC="1"))
        stage.exchange.script(TICKERS, tickers(BTC="1"), Reply(status=status))
        await stage.polls(2, dataclasses.replace(TOY, limits=limits))

    stage = on_stage(play)
    first, *_, last = [event.at for event in stage.sink.events if event.what == "publish"][:2]
    assert (last - first >= 600) is waits


def ask_for(symbols: Any) -> tuple[str, ...]:
    return tuple(f"/one/{symbol}{what}" for symbol in symbols for what in ("", "/day"))


def parse_one(body: bytes) -> list[Row]:
    return [Row("", json.loads(body))]


ONE_BY_ONE = dataclasses.replace(
    TALKS,
    symbol=str,
    rest_request=ask_for,
    parse_rest=parse_one,
    limits=Limits(interval_s=1.0, gap_s=0.1, symbols_per_request=1, body_bytes=1000),
)


def serve_one(exchange_: FakeExchange, symbol: str, last: str, volume: str) -> None:
    exchange_.serve(f"/one/{symbol}", Reply(body=json.dumps({"last": last}).encode()))
    exchange_.serve(f"/one/{symbol}/day", Reply(body=json.dumps({"volume": volume}).encode()))


def merged(stage: Stage) -> dict[str, dict[str, object]]:
    view: dict[str, dict[str, object]] = {}
    for poll in stage.sink.polls:
        for symbol, quote in poll.items():
            view.setdefault(symbol, {}).update(quote.values)
    return view


def test_a_poll_sends_one_request_for_each_symbol() -> None:
    """If the venue wants that, all are sent; an answer without a name is for the symbol requested."""

    async def play(stage: Stage) -> None:
        serve_one(stage.exchange, "BTC-USD", "1", "10")
        serve_one(stage.exchange, "ETH-USD", "2", "20")
        await stage.polls(8, ONE_BY_ONE, symbols=("BTC-USD", "ETH-USD"), mode="poll")

    stage = on_stage(play)
    assert merged(stage) == {
        "toy:BTC-USD": {"last": "1", "volume": "10", "decimals": 0},
        "toy:ETH-USD": {"last": "2", "volume": "20", "decimals": 0},
    }
    assert stage.exchange.most_in_flight == 1
    assert stage.sink.status.polls["ok"] >= 8


def test_one_bad_answer_does_not_stop_the_other_symbols() -> None:
    """It is counted, and the other symbols are still requested."""

    async def play(stage: Stage) -> None:
        serve_one(stage.exchange, "ETH-USD", "2", "20")
        stage.exchange.serve("/one/ADA-USD", Reply(body=b"{"))
        stage.exchange.serve("/one/BIG-USD", Reply(body=b" " * 1001))
        await stage.polls(6, ONE_BY_ONE, symbols=("ADA-USD", "BIG-USD", "ETH-USD", "ODD-USD"), mode="poll")

    stage = on_stage(play)
    assert set(merged(stage)) == {"toy:ETH-USD"}
    said = {event[1:] for event in stage.sink.events if event.what != "publish"}
    assert said == {("live", "no price yet for ADA-USD, BIG-USD, ODD-USD")}
    assert all(stage.sink.status.errors[reason] for reason in ("http_4xx", "protocol", "too_large"))


def test_a_poll_without_one_good_answer_has_failed() -> None:
    """A poll in which every symbol is bad counts as failed."""

    async def play(stage: Stage) -> None:
        await stage.until(
            lambda: stage.sink.status.state == "down", ONE_BY_ONE, symbols=("ODD-USD", "ADA-USD"), mode="poll"
        )

    assert on_stage(play).sink.status.errors["http_4xx"] >= 2


@pytest.mark.parametrize("status", [500, 429])
def test_a_poll_resumes_after_the_symbol_that_failed(status: int) -> None:
    """A symbol that always makes the poll fail does not starve those behind it.

    A host in trouble, or that has had enough, is not asked for the others at once.
    """

    async def play(stage: Stage) -> None:
        serve_one(stage.exchange, "ETH-USD", "2", "20")
        stage.exchange.serve("/one/ADA-USD", Reply(status=status))
        await stage.polls(6, ONE_BY_ONE, symbols=("ADA-USD", "ETH-USD"), mode="poll")

    stage = on_stage(play)
    assert set(merged(stage)) == {"toy:ETH-USD"}
    assert stage.sink.status.reconnects >= 2


def test_a_quotes_state_is_the_one_its_row_tells() -> None:
    """A row without a state leaves the market open."""

    def parse(body: bytes) -> list[Row]:
        return [Row(wire, {"last": "1"}, state=state) for wire, state in json.loads(body).items()]

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, Reply(body=b'{"A/USD": "halted", "B/USD": "closed", "C/USD": null}'))
        await stage.polls(1, dataclasses.replace(TOY, parse_rest=parse))

    (poll, *_) = on_stage(play).sink.polls
    assert [quote.values.get("state") for quote in poll.values()] == ["halted", "closed", None]


KEYED = dataclasses.replace(TOY, key_headers=("X-Key",))
IN_PARTS = dataclasses.replace(TOY, key_headers=("X-Name", "X-Key"))


def built(venue: Venue, environ: dict[str, str], **options: str) -> None:
    surroundings = dataclasses.replace(context(ManualClock()), environ=environ)
    exchange(venue).build("toy", parse_options("feeds.toy", ExchangeOptions, options), surroundings)


def test_a_feed_without_a_usable_key_is_refused(tmp_path: pathlib.Path) -> None:
    """It is refused before anything starts, and the message does not contain the key."""
    good, empty, binary = tmp_path / "good", tmp_path / "empty", tmp_path / "binary"
    good.write_text("k3y\n")
    empty.write_text("\n")
    binary.write_bytes(b"\xff\xfe k3y")
    built(KEYED, {"MY_KEY": "k3y"}, key_env="MY_KEY")
    built(KEYED, {}, key_file=str(good))
    built(TOY, {})
    for options, expected in (
        ({}, "needs a key"),
        ({"key_env": "MY_KEY"}, "MY_KEY holds no key"),
        ({"key_env": "BAD_KEY"}, "BAD_KEY holds no key"),
        ({"key_file": str(empty)}, "there is nothing in it"),
        ({"key_file": str(binary)}, "it is not one line of printable ASCII"),
        ({"key_file": str(tmp_path / "none")}, "no such file or directory"),
        ({"key_file": str(good), "key_env": "MY_KEY"}, "give either key_env or key_file"),
    ):
        with pytest.raises(ConfigError, match=expected) as caught:
            built(KEYED, {"BAD_KEY": "k3y\nX-Other: 1"}, **options)
        assert "k3y" not in str(caught.value)


@pytest.mark.parametrize("key", ["name", "name:", ":s3cret", "name:s3cret:more", "name:s3cret\nX-Other: 1"])
def test_a_key_needs_exactly_its_parts(key: str) -> None:
    """If an exchange wants several parts, the refusal tells their order."""
    with pytest.raises(ConfigError, match="holds no key of the form X-Name:X-Key") as caught:
        built(IN_PARTS, {"MY_KEY": key}, key_env="MY_KEY")
    assert "s3cret" not in str(caught.value)


def test_a_rejected_key_is_not_tried_again(tmp_path: pathlib.Path) -> None:
    """The feed has failed, and says why."""
    (tmp_path / "key").write_text("k3y")

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, Reply(status=401))
        await stage.until(lambda: stage.sink.status.state == "failed", KEYED, key_file=str(tmp_path / "key"))

    stage = on_stage(play)
    rejected = "127.0.0.1 rejects the key (HTTP status 401); check key_env or key_file, then restart"
    assert stage.sink.status.message == rejected
    assert stage.exchange.asked(TICKERS) == 1
    assert stage.exchange.requests[0].headers["x-key"] == "k3y"


@pytest.mark.parametrize("way", ["poll", "stream"])
def test_a_key_in_the_exchanges_error_is_masked(way: str, tmp_path: pathlib.Path) -> None:
    """It is masked however the exchange spells it."""
    (tmp_path / "key").write_text("s3cr/t")

    def refuses(body: bytes) -> list[Row]:
        raise FeedError(f"the toy says {body!r}")

    async def hangs_up(peer: Peer) -> None:
        await peer.heard()
        peer.close(1008, "bad s3cr/t or s3cr%2Ft")

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.serve(TICKERS, Reply(body=b'"bad s3cr/t or s3cr%2Ft"'))
        theatre.exchange.stream(TALK, hangs_up)
        stream = dataclasses.replace(STREAM, key_query="key")
        venue = dataclasses.replace(TALKS, key_headers=("X-Key",), parse_rest=refuses, stream=stream)
        async with theatre.running(venue, mode=way, key_file=str(tmp_path / "key")):
            await theatre.until(lambda: theatre.sink.status.state == "down")
            assert "bad SECRET or SECRET" in (theatre.sink.status.message or "")

    in_theatre(play)


@pytest.mark.parametrize("way", ["poll", "stream"])
def test_each_part_of_a_key_has_its_header(way: str, tmp_path: pathlib.Path) -> None:
    """Requests and the handshake of a stream have it alike; no part is repeated elsewhere, or recorded."""
    (tmp_path / "key").write_text("n4me: s3cr/t\n")  # a space is no part of either
    told = b'"bad n4me, s3cr%2Ft"'

    async def hangs_up(peer: Peer) -> None:
        await peer.heard()
        peer.send(told.decode())
        peer.close(1008, "bad n4me or s3cr/t")

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.serve(TICKERS, Reply(body=told))
        theatre.exchange.stream(TALK, hangs_up)
        venue = dataclasses.replace(TALKS, key_headers=("X-Name", "X-Key"))
        recorded = str(tmp_path / "raw")
        async with theatre.running(venue, mode=way, key_file=str(tmp_path / "key"), record_raw=recorded):
            await theatre.until(lambda: theatre.sink.status.state == "down")
        asked = {request.target.partition("?")[0]: request.headers for request in theatre.exchange.requests}
        headers = asked[TICKERS if way == "poll" else TALK]
        assert (headers["x-name"], headers["x-key"]) == ("n4me", "s3cr/t")
        if way == "stream":
            assert "bad SECRET or SECRET" in (theatre.sink.status.message or "")

    in_theatre(play)
    written = b"".join(file.read_bytes() for file in (tmp_path / "raw").rglob("*") if file.is_file())
    assert b"bad SECRET, SECRET" in written
    assert b"n4me" not in written
    assert b"s3cr" not in written


def parse_open(body: bytes) -> tuple[str, float | None]:
    answer = json.loads(body)
    return answer["url"], answer["ping_s"]


HANDED_OUT = dataclasses.replace(
    TALKS,
    stream=dataclasses.replace(
        TALKS.stream,  # type: ignore[type-var]
        url="",
        open_request="/open",
        parse_open=parse_open,
        ping=("ping", 5.0),
    ),
)


def test_each_connection_requests_its_own_address() -> None:
    """The answer has what is needed to connect, and how often to ping."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.serve("/open", Reply(body=b'{"url": "wss://s.invalid/talk?token=1", "ping_s": 30}'))
        bad = ("https://s.invalid", "ws://s.invalid", "wss://[s")
        told = [Reply(body=json.dumps({"url": url, "ping_s": 1}).encode()) for url in bad]
        theatre.exchange.script("/open", Reply(status=500), *told)
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(HANDED_OUT, mode="stream"):
            while not theatre.exchange.peers:
                await theatre.passes(1.0)
            assert theatre.errors() == {"http_5xx": 1, "protocol": len(bad)}
            peer: Peer = theatre.exchange.peers[0]
            assert peer.target == TALK + "?token=1"
            await peer.heard()
            await theatre.passes(29.0)
            assert "ping" not in peer.said
            await theatre.passes(6.0, lambda: "ping" in peer.said)
            peer.send(said(BTC="1"))
            await theatre.until(lambda: theatre.last("BTC") == "1")
            peer.cut()
            await theatre.until(lambda: theatre.errors().get("closed") == 1)
            await theatre.passes(3.0, lambda: len(theatre.exchange.peers) == 2)
        assert theatre.exchange.asked("/open") == 3 + len(bad)
        assert theatre.exchange.asked(LIST) == 1

    in_theatre(play)
