"""Streaming under faults: a broken, silent or lying connection is noticed, named, and replaced, for as long as it
takes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import socket
import threading
from collections.abc import Callable

import pytest
import uvloop

from feeds.exchange.session import Session
from feeds.exchange.websocket import open_socket
from tests.feeds.fake_exchange import CLOSED, HANG, FakeExchange, Peer, Reply
from tests.feeds.harness import run
from tests.feeds.toy import TALK, TICKERS, Theatre, answers, in_theatre, said, talking, tickers, wants
from ticker.clock import Clock
from ticker.errors import FeedError


async def deliver_first_price(theatre: Theatre, count: int = 1, price: str = "1") -> Peer:
    """Wait for a client's connection and give it a price."""
    peer = await theatre.exchange.peer(count)
    await peer.heard()
    peer.send(said(BTC=price))
    await theatre.until(lambda: theatre.last("BTC") == price)
    return peer


ENDS: dict[str, tuple[Callable[[Peer], None], str]] = {
    "cut": (lambda peer: peer.cut(), "closed"),
    "goodbye": (lambda peer: peer.close(1000), "closed"),
    "bad reason": (lambda peer: peer.close(1008, "policy\r\nforged line"), "closed"),
    "garbage for frames": (lambda peer: peer.write(b"\xff" * 50), "protocol"),
    "too large": (lambda peer: peer.send(" " * 5_000_001), "too_large"),
    "failure in its own words": (lambda peer: peer.send('{"failed": "too many requests"}'), "rate_limited"),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_lost_connection_is_replaced_within_a_second(end: str) -> None:
    """It is counted under its reason; prices and state stay meanwhile."""
    ending, reason = ENDS[end]

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(mode="stream"):
            peer = await deliver_first_price(theatre)
            ending(peer)
            await theatre.until(lambda: bool(theatre.errors()))
            assert theatre.errors() == {reason: 1}
            assert theatre.sink.status.state == "live"
            assert "\n" not in (theatre.sink.status.message or "")
            await theatre.passes(1.0, lambda: len(theatre.exchange.peers) == 2)
            await deliver_first_price(theatre, 2, "2")
            assert theatre.sink.status.message is None

    theatre = in_theatre(play)
    assert theatre.sink.status.reconnects == 1
    assert "down" not in theatre.sink.story


REFUSALS = {
    "404": (Reply(status=404), "http_4xx"),
    "429": (Reply(status=429, headers={"Retry-After": "70"}), "rate_limited"),
    "403": (Reply(status=403), "banned"),
    "503": (Reply(status=503, body=b"<html>", headers={"Content-Type": "text/html"}), "http_5xx"),
    "redirect": (Reply(status=301, headers={"Location": "ws://127.0.0.1:1/"}), "redirect"),
    "200": (Reply(), "protocol"),
    "no HTTP": (Reply(instead=b"\x16\x03garbage\r\n\r\n"), "protocol"),
    "half an answer": (Reply(instead=b"HTTP/1.1 101 Switching Pro"), "closed"),
    "hung up": (CLOSED, "closed"),
    "hang": (HANG, "timeout"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_each_refused_handshake_has_its_reason(refusal: str) -> None:
    """The retry comes no earlier than the exchange asks."""
    reply, reason = REFUSALS[refusal]

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        theatre.exchange.script(TALK, reply)
        async with theatre.running(mode="stream", timeout_s=0.5 if reply is HANG else 20.0):
            await theatre.until(lambda: bool(theatre.errors()))
            assert theatre.errors() == {reason: 1}
            assert theatre.sink.status.state == "down"
            if "Retry-After" in reply.headers:
                await theatre.passes(69.0)
                assert theatre.exchange.asked(TALK) == 1
            await theatre.passes(2.0)
            await deliver_first_price(theatre)
            assert theatre.sink.status.state == "live"

    in_theatre(play)


def test_a_key_rejected_by_a_stream_is_not_tried_again() -> None:
    """The feed has failed, and the message says why."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.script(TALK, Reply(status=401))
        async with theatre.running(mode="stream"):
            await theatre.until(lambda: theatre.sink.status.state == "failed")
            await theatre.passes(3600.0)

    theatre = in_theatre(play)
    assert theatre.exchange.asked(TALK) == 1
    rejected = "127.0.0.1 rejects the key (HTTP status 401); check key_env or key_file, then restart"
    assert theatre.sink.status.message == f"stream 1: {rejected}"
    assert theatre.errors() == {"http_4xx": 1}


def test_a_connection_told_to_wait_delays_the_feeds_others() -> None:
    """All connections of the feed wait."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("A", "B", "C", "BTC")
        theatre.exchange.stream(TALK, answers)
        theatre.exchange.script(TALK, Reply(status=429, headers={"Retry-After": "70"}))
        async with theatre.running(talking(wires_per_connection=1, connects_per_s=1.0), mode="stream"):
            await theatre.until(lambda: bool(theatre.errors()))
            await theatre.passes(69.0)
            assert theatre.exchange.asked(TALK) == 1
            await theatre.passes(6.0, lambda: len(theatre.exchange.peers) == 4)

    in_theatre(play)


def failing(base_url: str) -> tuple[dict[str, int], str]:
    """Stream from an address where nothing good answers: the errors counted, and the feed's message."""

    async def main() -> tuple[dict[str, int], str]:
        async with FakeExchange() as exchange:
            theatre = Theatre(exchange)
            theatre.lists("BTC")
            async with theatre.running(mode="stream", ws_url=base_url):
                await theatre.until(lambda: bool(theatre.errors()))
            return theatre.errors(), theatre.sink.status.message or ""

    return run(main)


def test_refused_dns_and_tls_failures_are_told_apart() -> None:
    """A refused connection, an unknown host and a server without TLS."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        assert failing(f"ws://127.0.0.1:{silent.getsockname()[1]}")[0] == {"connect": 1}
    assert failing("ws://nowhere.invalid")[0] == {"dns": 1}


def test_an_invalid_stream_address_is_retried() -> None:
    """Seen: an invalid port in an address that the exchange sent counted as a bug, and ended the feed for good."""

    async def said(url: str) -> str:
        with pytest.raises(FeedError) as caught:
            await open_socket(url, Clock(), headers={}, timeout_s=20.0, message_bytes=1, proxy=None, tls=None)
        return str(caught.value)

    invalid = "the stream's address has an invalid host name or port"
    assert uvloop.run(said("ws://a.invalid:99999/?token=SECRET")) == f"a.invalid: {invalid}"
    assert uvloop.run(said(f"ws://{'x' * 70}.invalid/?token=SECRET")) == f"{'x' * 70}.invalid: {invalid}"


def test_a_failure_of_the_proxy_names_the_proxy() -> None:
    """Seen: a proxy that could not be resolved or reached was reported as the exchange. Its password is never shown."""

    async def said(proxy: str) -> str:
        url = "ws://a.invalid/?token=SECRET"
        with pytest.raises(FeedError) as caught:
            await open_socket(url, Clock(), headers={}, timeout_s=20.0, message_bytes=1, proxy=proxy, tls=None)
        return str(caught.value)

    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        refused = f"http://u:SECRET@127.0.0.1:{nobody.getsockname()[1]}"
        assert uvloop.run(said(refused)) == "cannot connect to the proxy 127.0.0.1: connection refused"
    unresolved = "cannot resolve the proxy b.invalid; check its name and this machine's DNS"
    assert uvloop.run(said("http://u:SECRET@b.invalid:1")) == unresolved


def test_a_connection_closed_at_once_has_one_message() -> None:
    """The message is the same wherever in the handshake that is noticed.

    Seen: the service's own kind of loop notices it before the first byte is sent. That was counted as a protocol error,
    and all that was said was `ConnectionClosedError`.
    """

    def hang_up() -> None:
        with contextlib.suppress(OSError):  # until the server is shut down
            while True:
                server.accept()[0].close()

    async def said(url: str) -> set[tuple[str, str]]:
        said = set()
        for _ in range(50):
            with pytest.raises(FeedError) as caught:
                await open_socket(url, Clock(), headers={}, timeout_s=20.0, message_bytes=1, proxy=None, tls=None)
            said.add((caught.value.reason, str(caught.value)))
        return said

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=hang_up)
        thread.start()
        try:
            told = uvloop.run(said(f"ws://127.0.0.1:{server.getsockname()[1]}"))
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
    assert told == {("closed", "127.0.0.1 closed the connection during the handshake")}


def test_a_stream_without_tls_has_the_reason_tls() -> None:
    """A server that does not speak TLS is the reason `tls`."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        url = theatre.exchange.base_url.replace("http", "wss")
        async with theatre.running(mode="stream", ws_url=url):
            await theatre.until(lambda: bool(theatre.errors()))
        assert theatre.errors() == {"tls": 1}

    in_theatre(play)


def test_a_configured_proxy_is_asked_to_connect() -> None:
    """The environment's proxy is not used."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.serve("http://elsewhere.invalid/list", Reply(body=b'[["BTC/USD", "BTC-USD", 1]]'))
        theatre.exchange.script("elsewhere.invalid:80", Reply(status=407))
        async with theatre.running(mode="stream", base_url="http://elsewhere.invalid", proxy=theatre.exchange.base_url):
            await theatre.until(lambda: bool(theatre.errors()))
        assert theatre.errors() == {"connect": 1}
        assert theatre.exchange.asked("elsewhere.invalid:80") == 1

    in_theatre(play)


def test_proxies_in_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies of the environment are ignored."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "WS_PROXY", "ws_proxy", "socks_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(mode="stream"):
            await deliver_first_price(theatre)

    in_theatre(play)


def test_an_absent_exchange_is_retried_for_ever_and_rarely() -> None:
    """It is never given up, and never tried more often than every few seconds for long."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        theatre.exchange.script(TALK, *[Reply(status=502)] * 30)
        async with theatre.running(mode="stream"):
            while not theatre.exchange.peers:
                await theatre.passes(1.0)
            await deliver_first_price(theatre)
        assert theatre.clock.monotonic() > 90
        assert theatre.errors() == {"http_5xx": 30}

    in_theatre(play)


def test_a_busy_stream_that_falls_silent_is_replaced() -> None:
    """It is replaced even if it is open, answers pings and sends heartbeats."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(talking(mute_after_s=8.0), mode="stream"):
            peer = await deliver_first_price(theatre)
            for number in range(20):
                await theatre.passes(0.1)
                peer.send(said(BTC=f"{number + 2}"))
                await theatre.until(lambda: theatre.last("BTC") == f"{number + 2}")  # noqa: B023
            for _ in range(8):
                await theatre.passes(1.0)
                peer.say({"idle": 1})
            assert not theatre.errors()
            await theatre.passes(0.6, lambda: bool(theatre.errors()))
            assert theatre.errors() == {"mute": 1}
            await theatre.passes(1.0)
            await deliver_first_price(theatre, 2, "99")
            assert peer.gone

    in_theatre(play)


def test_unreadable_prices_are_reported_when_the_stream_is_replaced() -> None:
    """Prices in an unknown form are counted, and mentioned when the stream is replaced because of its silence."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(talking(mute_after_s=8.0), mode="stream"):
            peer = await deliver_for_two_seconds(theatre, 1)
            before = theatre.sink.status.idle_messages
            for number in range(20):
                await theatre.passes(0.1)
                peer.say({"idle": {"ticker_of_version_2": number}})
            await theatre.until(lambda: theatre.sink.status.idle_messages == before + 20)
            peer.send(said(BTC="3"))
            await theatre.until(lambda: theatre.last("BTC") == "3")
            for _ in range(30):
                peer.say({"idle": 1})
            await theatre.until(lambda: theatre.sink.status.idle_messages == before + 50)
            assert not theatre.errors()
            await theatre.passes(9.0, lambda: bool(theatre.errors()))
            assert theatre.sink.status.message
            assert theatre.sink.status.message.endswith("no price for 8 s, only 30 messages without one")
            assert not any(theatre.sink.status.rejects.values())

    in_theatre(play)


async def deliver_for_two_seconds(theatre: Theatre, count: int) -> Peer:
    """A client's connection that brings a price every tenth of a second, for two seconds."""
    peer = await theatre.exchange.peer(count)
    await peer.heard()
    for number in range(20):
        await theatre.passes(0.1)
        peer.send(said(BTC=f"{count}.{number}"))
        await theatre.until(lambda: theatre.last("BTC") == f"{count}.{number}")  # noqa: B023
    return peer


@pytest.mark.parametrize("absence", ["outage", "suspend", "suspend with a message on its way"])
def test_an_outage_does_not_lengthen_the_patience(absence: str) -> None:
    """Half an hour without a connection, or suspended, is not taken for a quiet market: a silent stream is replaced as
    before.

    Seen: the gap counted as the market's rhythm. For hours after an outage a mute connection was kept for an hour, and
    a broken one was not called down for so long. Of a suspended machine a message that was already in it spoke first.
    """

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(talking(mute_after_s=8.0), mode="stream"):
            await deliver_for_two_seconds(theatre, 1)
            if absence == "outage":
                theatre.exchange.die()
                await theatre.passes(1800.0)
                theatre.exchange.dead = False
            else:
                if absence != "suspend":
                    theatre.exchange.peers[0].send(said(BTC="7"))
                theatre.clock.tick(1800.0)
                await theatre.until(lambda: absence == "suspend" or theatre.last("BTC") == "7")
                if absence != "suspend":
                    theatre.exchange.peers[0].cut()
            while len(theatre.exchange.peers) < 2:
                await theatre.passes(1.0)
            before = dict(theatre.errors())
            peer = await deliver_for_two_seconds(theatre, 2)
            for _ in range(9):
                await theatre.passes(1.0)
                peer.say({"idle": 1})
            await theatre.passes(0.0, lambda: theatre.errors() != before)
            assert theatre.errors().get("mute") == 1
            await theatre.passes(1.0)
            await deliver_first_price(theatre, 3, "99")

    in_theatre(play)


def test_a_stream_without_any_price_is_replaced() -> None:
    """It is replaced after two minutes, and after twice as long each further time."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(talking(mute_after_s=8.0), mode="stream"):
            await theatre.exchange.peer(1)
            opened = theatre.clock.monotonic()
            gaps = []
            for count in range(2, 5):
                while len(theatre.exchange.peers) < count:
                    await theatre.passes(1.0)
                gaps.append(theatre.clock.monotonic() - opened)
                opened = theatre.clock.monotonic()
        for gap, least in zip(gaps, (120, 240, 480), strict=True):
            assert least <= gap <= least + 15
        assert theatre.errors() == {"mute": 3}

    in_theatre(play)


def row_from_tomorrow(now_ms: int) -> str:
    return json.dumps({"rows": {"BTC/USD": {"last": "1", "time": f"{now_ms + 86_400_000}"}}})


@pytest.mark.parametrize("mode", ["stream", "auto"])
@pytest.mark.parametrize(("refused", "reason"), [(row_from_tomorrow, "timestamp"), (lambda _: "{", "schema")])
def test_a_stream_of_rejected_rows_counts_as_silent(mode: str, refused: Callable[[int], str], reason: str) -> None:
    """Rows that are all rejected are no prices: that is reported, and polls take over.

    Seen: with the machine's clock a minute behind, such a feed was connecting for ever and said nothing, or showed
    what was polled now and then because the stream seemed to bring everything.
    """

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.serve(TICKERS, tickers(BTC="5"))
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(talking(mute_after_s=8.0), mode=mode):
            await theatre.passes(2.0)  # polls and list have one budget
            peer = await deliver_for_two_seconds(theatre, 1)
            for second in range(9):
                peer.send(refused(theatre.clock.wall_ms()))
                await theatre.until(lambda: theatre.sink.status.rejects[reason] > second)  # noqa: B023
                await theatre.passes(1.0)
            await theatre.until(lambda: theatre.errors() == {"mute": 1})
            told = [str(event.data) for event in theatre.sink.events if event.what != "publish"]
            assert any(text.endswith("no price for 8 s; 9 rows were rejected") for text in told)
            if mode == "auto":
                assert theatre.last("BTC") == "5"

    in_theatre(play)


def test_a_quiet_market_is_not_taken_for_a_silent_stream() -> None:
    """An hour in which prices come in bursts, minutes apart, raises no alarm once the rhythm is known."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(talking(mute_after_s=30.0), mode="stream"):
            await deliver_first_price(theatre)
            for number in range(60):
                await theatre.passes(25.0 if number < 2 else 60.0)
                peer = theatre.exchange.peers[-1]
                for digit in range(10):
                    peer.send(said(BTC=f"{number}.{digit}"))
                await theatre.until(lambda: theatre.last("BTC") == f"{number}.9")  # noqa: B023
        assert theatre.errors() == {}
        assert len(theatre.exchange.peers) == 1

    in_theatre(play)


def test_a_closed_market_is_not_taken_for_a_silent_stream() -> None:
    """If an exchange's hours are known, silence counts from its opening, and its symbols close with it.

    Seen: a stream of stocks was given up every quarter of an hour, each night and weekend, and its feed complained;
    without polls beside it every symbol was stale until the morning.
    """

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        venue = talking(mute_after_s=1000.0)
        early, late = Session("Asia/Tokyo", dt.time(7), dt.time(7, 30)), Session("Asia/Tokyo", dt.time(8), dt.time(16))
        async with theatre.running(dataclasses.replace(venue, session=early), mode="stream"):
            await deliver_first_price(theatre)  # at 7:20
            await theatre.passes(590.0)
            assert "state" not in theatre.view()["BTC-USD"]
            await theatre.passes(20.0, lambda: theatre.view()["BTC-USD"].get("state") == "closed")
        async with theatre.running(dataclasses.replace(venue, session=late), mode="stream"):
            await deliver_first_price(theatre, 2)
            await theatre.passes(1780.0)
            assert not theatre.errors()
            await theatre.passes(1100.0, lambda: bool(theatre.errors()))
            assert theatre.errors() == {"mute": 1}

    in_theatre(play)


def test_a_half_open_connection_is_dead_after_a_minute() -> None:
    """One over which nothing comes at all, not even a pong, however quiet it was before.

    Messages are a sign of life where there are no pongs.
    """

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(mode="stream"):
            peer = await deliver_first_price(theatre)
            await theatre.passes(300.0)
            assert peer.pings > 10
            assert not theatre.errors()
            peer.reads = False
            for _ in range(12):
                received = theatre.sink.status.received_bytes
                peer.say({"idle": 1})
                await theatre.until(lambda: theatre.sink.status.received_bytes > received)  # noqa: B023
                await theatre.passes(10.0)
            assert not theatre.errors()
            await theatre.passes(85.0, lambda: bool(theatre.errors()))
            assert theatre.errors() == {"timeout": 1}
            await deliver_first_price(theatre, 2, "2")

    in_theatre(play)


def test_a_new_connection_does_not_merge_into_old_rows() -> None:
    """A field that an earlier connection has sent does not come back with a delta of a later one."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(mode="stream"):
            peer = await theatre.exchange.peer()
            peer.say({"delta": {"BTC/USD": {"last": "1", "bid": "0.9"}}})
            await theatre.until(lambda: theatre.last("BTC") == "1")
            peer.cut()
            await theatre.until(lambda: bool(theatre.errors()))
            await theatre.passes(1.0)
            peer = await theatre.exchange.peer(2)
            peer.say({"delta": {"BTC/USD": {"last": "2"}}})
            await theatre.until(lambda: theatre.last("BTC") == "2")
        assert theatre.sink.polls[-1]["toy:BTC-USD"].values == {"last": "2", "decimals": 2}

    in_theatre(play)


def test_a_connection_cut_while_subscribing_is_replaced_with_all_names() -> None:
    """Between two subscriptions, or before their first prices."""

    async def play(theatre: Theatre) -> None:
        async def breaks(peer: Peer) -> None:
            await peer.heard(2)
            peer.send(said(A="1"))
            peer.cut()

        theatre.lists("A", "B", "C", "BTC")
        theatre.exchange.stream(TALK, breaks, answers)
        async with theatre.running(talking(wires_per_message=1), mode="stream"):
            await theatre.exchange.peer()
            await theatre.passes(0.01, lambda: bool(theatre.errors()))
            await theatre.passes(1.0)
            peer = await theatre.exchange.peer(2)
            await theatre.passes(1.0, lambda: len(peer.said) == 4)
            assert wants(peer) == [["A/USD"], ["B/USD"], ["C/USD"], ["BTC/USD"]]
            await deliver_first_price(theatre, 2)

    in_theatre(play)


def test_a_feed_stays_live_when_one_of_its_connections_is_down() -> None:
    """It says what is wrong; only that connection's symbols become stale."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC", "ETH")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(talking(wires_per_connection=1), mode="stream"):
            first, second = await theatre.live_pair()
            theatre.exchange.script(TALK, *[Reply(status=503)] * 10)
            first.cut()
            await theatre.until(lambda: bool(theatre.errors()))
            for number in range(20):
                await theatre.passes(1.0)
                second.send(said(ETH=f"{number + 2}"))
                await theatre.until(lambda: theatre.last("ETH") == f"{number + 2}")  # noqa: B023
            assert theatre.sink.status.state == "live"
            assert theatre.sink.status.message == "stream 1: 127.0.0.1 refuses the WebSocket with HTTP status 503"
            assert "down" not in theatre.sink.story

    in_theatre(play)


def test_a_connection_whose_symbols_are_all_delisted_ends_silently() -> None:
    """Nothing is reported about it from then on.

    Seen: the last thing that had befallen it was the feed's message for ever.
    """

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC", "OLD")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(talking(wires_per_connection=1, mute_after_s=1e6), mode="stream"):
            await theatre.passes(1.0)
            for peer in theatre.exchange.peers:
                await peer.heard()
            old, good = sorted(theatre.exchange.peers, key=lambda peer: "BTC" in peer.said[0])
            theatre.lists("BTC")
            for price in "123":
                await theatre.passes(1201.0)
                good.send(said(BTC=price))
                await theatre.until(lambda: theatre.last("BTC") == price)  # noqa: B023
            old.cut()
            await theatre.until(lambda: bool(theatre.errors()))
            await theatre.passes(30.0)
            assert len(theatre.exchange.peers) == 2
            assert (theatre.sink.status.state, theatre.sink.status.message) == ("live", None)

    in_theatre(play)


def test_a_feed_is_down_when_all_its_connections_are() -> None:
    """It is down after longer than its prices are valid, and comes back by itself."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(mode="stream"):
            peer = await deliver_first_price(theatre)
            theatre.exchange.script(TALK, *[Reply(status=503)] * 6)
            peer.cut()
            await theatre.until(lambda: bool(theatre.errors()))
            while len(theatre.exchange.peers) < 2:
                await theatre.passes(1.0)
            await deliver_first_price(theatre, 2, "2")
        assert theatre.sink.story == ["publish", "live", "down", "publish"]

    in_theatre(play)


def test_a_bug_in_a_parser_stops_the_feed() -> None:
    """A parser that raises is not called again: the feed has failed and says where to look."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(mode="stream"):
            peer = await deliver_first_price(theatre)
            peer.say({"bug": 1})
            await theatre.until(lambda: theatre.sink.status.state == "failed")
            await theatre.passes(100.0)
            assert len(theatre.exchange.peers) == 1
            assert theatre.sink.status.message == "stream 1: stopped by a bug (KeyError); see the log, restart to retry"

    in_theatre(play)


def test_an_exchange_that_wants_endless_replies_is_left() -> None:
    """One that asks for more replies than may be sent is disconnected, so that nothing piles up."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(mode="stream"):
            peer = await deliver_first_price(theatre)
            peer.send(*['{"reply": "again"}'] * 11_000)
            await theatre.until(lambda: bool(theatre.errors()))
            assert theatre.errors() == {"protocol": 1}

    in_theatre(play)


@pytest.mark.parametrize("word", ["rows", "delta"])
def test_an_exchange_that_invents_endless_names_is_left(word: str) -> None:
    """It is disconnected before what is remembered of the names fills the memory."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(mode="stream", symbols=("BTC-USD",)):
            peer = await deliver_first_price(theatre)
            for hundred in range(110):
                peer.say({word: {f"A{hundred}B{i}/USD": {"last": "1"} for i in range(100)}})
            await theatre.until(lambda: bool(theatre.errors()))
            assert theatre.errors() == {"protocol": 1}
        assert set(theatre.view()) == {"BTC-USD"}

    in_theatre(play)


def test_a_replaced_connection_that_does_not_close_is_cut() -> None:
    """It is cut also if its successor breaks meanwhile."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(mode="stream"):
            old = await deliver_first_price(theatre)
            await theatre.passes(0.1)
            old.say({"reconnect": "please"})
            new = await theatre.exchange.peer(2)
            await new.heard()
            old.reads = False
            new.send(said(BTC="2"))
            await theatre.until(lambda: theatre.last("BTC") == "2")
            new.cut()
            await theatre.until(lambda: bool(theatre.errors()))
            await theatre.passes(2.0)
            await deliver_first_price(theatre, 3, "3")
            await old.left()

    in_theatre(play)


def test_a_cancelled_feed_closes_its_connections_and_tasks() -> None:
    """It leaves nothing behind, whatever it was doing."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        for script in ((), (HANG,)):
            theatre.exchange.script(TALK, *script)
            async with theatre.running(mode="stream"):
                await theatre.until(lambda: theatre.exchange.asked(TALK) > 0)
            for peer in theatre.exchange.peers:
                await peer.left()

    in_theatre(play)
