"""A gateway that is refused by its upstream, in the beginning and later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clock import ManualClock
from tests.ticker.client.scripted import Scripted, scripted
from ticker.client.address import Address
from ticker.client.stream import Stream
from ticker.errors import TickerError
from ticker.gateway import AFTER_REFUSAL_S, LONGEST_WAIT_S, Everything, Following, Target, follow
from ticker.store import Store
from ticker.upstream import AWAY_S, GATEWAY, LEAST_OWN_EPOCH, Upstream


async def until(condition: Callable[[], bool]) -> None:
    """Let the connection have its time."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a socket tells nobody
            await asyncio.sleep(0.005)


def said(upstream: Upstream) -> str:
    """Why it is not ready; empty if it is."""
    upstream.expire()
    return "".join(upstream.not_ready())


def trouble(upstream: Upstream) -> str:
    """Why the last connection ended or could not be made."""
    return "" if upstream.connection is None else upstream.connection.trouble


def test_a_gateway_with_readers_outlives_a_refusal() -> None:
    """Seen: a proxy answered 404 while the upstream was restarted, and every gateway ended, with all its readers; so
    did a token that expired. It says why prices are stale, and asks again.
    """
    leave = asyncio.Event()

    async def script(upstream: Scripted) -> None:
        await upstream.say("hello", epoch=7, version=1)
        asked = await upstream.hear()
        await upstream.say("subscribed", id=asked["id"], selection="aa")
        await upstream.say("snapshot", epoch=7, version=1, quotes={"A": {"last": 1}}, feeds={"k": {"state": "live"}})
        if upstream.number == 1:
            await leave.wait()
            await upstream.socket.close(4001)
        await upstream.until_closed()

    async def run() -> None:
        clock = ManualClock()
        upstream = Upstream(Store(0), clock, "http://up")
        async with scripted(script, {2: (404, "no")}.get) as url:
            following = asyncio.create_task(follow(upstream, Target(Address.of(url, {}), {}), clock))
            await until(lambda: upstream.live)
            assert said(upstream) == ""
            leave.set()
            await until(lambda: "the service closed the stream with 4001" in trouble(upstream))
            assert said(upstream) == ""
            clock.tick(AWAY_S)
            assert said(upstream).startswith("no word from http://up: the service closed the stream with 4001")
            await clock.advance(AFTER_REFUSAL_S)
            await until(lambda: "HTTP status 404" in said(upstream))
            assert upstream.store.epoch >= LEAST_OWN_EPOCH
            await clock.advance(AFTER_REFUSAL_S)
            await until(lambda: said(upstream) == "")
            assert upstream.store.epoch == 7
            following.cancel()
            with pytest.raises(asyncio.CancelledError):
                await following
            assert upstream.connection is None

    asyncio.run(run())


def test_a_gateway_does_not_follow_a_gateway() -> None:
    """Seen: two gateways reached each other, through a load balancer, after their service had gone; each took the
    other's last prices for live ones, for ever. One that has readers says why their prices are stale.
    """

    async def script(upstream: Scripted) -> None:
        await upstream.say("hello", server="ticker/0.1.0" + GATEWAY * (upstream.number > 1), epoch=7, version=1)
        asked = await upstream.hear()
        await upstream.say("subscribed", id=asked["id"], selection="aa")
        await upstream.say("snapshot", epoch=7, version=1, quotes={"A": {"last": 1}}, feeds={"k": {"state": "live"}})
        if upstream.number > 1:
            await upstream.until_closed()

    async def run() -> None:
        clock = ManualClock()
        upstream = Upstream(Store(0), clock, "http://up")
        async with scripted(script) as url:
            following = asyncio.create_task(follow(upstream, Target(Address.of(url, {}), {}), clock))
            await until(upstream.begun)
            await clock.advance(LONGEST_WAIT_S)
            await until(lambda: "it is a gateway, too" in trouble(upstream))
            following.cancel()
            await asyncio.wait({following})

    asyncio.run(run())


def test_a_gateway_asks_again_within_seconds() -> None:
    """Seen: an upstream that was away for a minute was asked again up to half a minute after it was back."""
    asked = 0

    def refuse(number: int) -> tuple[int, str]:
        nonlocal asked
        asked = number
        return 503, "not yet"

    async def run() -> None:
        clock = ManualClock()
        async with scripted(Scripted.until_closed, refuse) as url:
            upstream = Upstream(Store(0), clock, "http://up")
            following = asyncio.create_task(follow(upstream, Target(Address.of(url, {}), {}), clock))
            await until(lambda: asked > 0)
            stream = upstream.connection
            assert isinstance(stream, Stream)
            for least in range(1, 20):
                await until(lambda: asked >= least and bool(stream.trouble))  # noqa: B023
                stream.trouble = ""
                await clock.advance(LONGEST_WAIT_S)
            following.cancel()
            await asyncio.wait({following})

    asyncio.run(run())


def test_a_gateway_without_readers_does_not() -> None:
    """Nothing has come yet, so nothing is lost: whoever started it with a wrong address or token learns it at once."""

    async def run() -> None:
        clock = ManualClock()
        async with scripted(Scripted.until_closed, lambda _: (404, "no")) as url:
            with pytest.raises(TickerError, match=r"cannot follow .*HTTP status 404"):
                await follow(Upstream(Store(0), clock, "http://up"), Target(Address.of(url, {}), {}), clock)

    asyncio.run(run())


def test_a_renewed_token_counts_for_the_next_connection(tmp_path: Path) -> None:
    """Seen: a token that was renewed in its file counted only after a restart. One that is there when the old one is
    refused is tried at once; a file that is gone for a moment, or no good, is said to be so, and tried again.
    """
    file, sent = tmp_path / "token", list[str]()
    file.write_text("one")
    cut = asyncio.Event()

    async def script(upstream: Scripted) -> None:
        assert upstream.socket.request is not None
        sent.append(upstream.socket.request.headers["Authorization"])
        await upstream.say("hello", epoch=7, version=1)
        asked = await upstream.hear()
        await upstream.say("subscribed", id=asked["id"], selection="aa")
        await upstream.say("snapshot", epoch=7, version=1, quotes={"A": {"last": 1}}, feeds={"k": {"state": "live"}})
        await cut.wait()
        cut.clear()
        await upstream.socket.close(1012 if upstream.number > 1 else 4001)

    async def run() -> None:
        clock = ManualClock()
        upstream = Upstream(Store(0), clock, "http://up")
        async with scripted(script) as url:
            target = Target(Address.of(url, {}), {"TICKER_TOKEN": "none"}, str(file))
            following = asyncio.create_task(follow(upstream, target, clock))
            await until(lambda: upstream.live)
            file.write_text("two\n")
            cut.set()
            await until(lambda: len(sent) == 2 and upstream.live)
            file.unlink()
            cut.set()
            for why in ("no such file or directory", "there is nothing in it", "it is not one line of printable ASCII"):
                await until(lambda: not upstream.live)
                await clock.advance(LONGEST_WAIT_S)
                await until(lambda: trouble(upstream) == f"upstream.token_file: {why}")  # noqa: B023
                file.write_text("" if why.startswith("no such") else "half of\nsomething else")
            assert not following.done()
            file.write_text("three")
            await clock.advance(LONGEST_WAIT_S)
            await until(lambda: upstream.live)
            following.cancel()
            await asyncio.wait({following})
            cut.set()
        assert sent == ["Bearer one", "Bearer two", "Bearer three"]

    asyncio.run(run())


def test_a_refused_token_that_is_gone_is_not_taken_for_a_renewed_one(tmp_path: Path) -> None:
    """Nothing is asked again at once, again and again."""
    file = tmp_path / "token"
    file.write_text("one")
    following = Following(
        Everything(Upstream(Store(0), ManualClock(), "http://up")),
        Target(Address.of("http://up", {}), {}, str(file)),
        ManualClock(),
    )
    assert following.headers() == {"Authorization": "Bearer one"}
    assert not following.token_renewed()
    file.unlink()
    assert not following.token_renewed()
    file.write_text("two")
    assert following.token_renewed()
