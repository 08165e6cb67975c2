"""Planned reconnects: first the new connection, then the end of the old one; no gap, no conflict between the two."""

from __future__ import annotations

import pytest

from tests.feeds.fake_exchange import Peer, Reply
from tests.feeds.toy import TALK, Theatre, answers, in_theatre, said, talking, wants


async def connection_to_renew(theatre: Theatre) -> Peer:
    """A connection that brings BTC and ETH, and that the exchange then wants to end soon."""
    peer = await theatre.exchange.peer(1)
    await peer.heard()
    peer.send(said(BTC="1", ETH="1"))
    await theatre.until(lambda: theatre.last("ETH") == "1")
    await theatre.passes(0.1)
    peer.say({"reconnect": "upgrade of the server"})
    return peer


def test_the_old_connection_delivers_until_the_new_one_does() -> None:
    """It is then closed properly."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC", "ETH")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(mode="stream"):
            old = await connection_to_renew(theatre)
            new = await theatre.exchange.peer(2)
            await new.heard()
            assert wants(new) == wants(old)
            old.send(said(BTC="2"))
            await theatre.until(lambda: theatre.last("BTC") == "2")
            assert not old.gone
            new.send(said(BTC="3", ETH="3"))
            await old.left()
            assert theatre.last("BTC") == "3"
            new.send(said(BTC="4"))
            await theatre.until(lambda: theatre.last("BTC") == "4")

    theatre = in_theatre(play)
    assert not theatre.errors()
    assert theatre.sink.story == ["publish"]
    assert theatre.sink.status.reconnects == 1


def test_the_new_connection_wins_where_both_deliver() -> None:
    """Symbols that only the old one has brought still count."""

    async def play(theatre: Theatre) -> None:
        async def silent_answers(peer: Peer) -> None:
            await peer.heard()

        theatre.lists("BTC", "ETH")
        theatre.exchange.stream(TALK, silent_answers)
        async with theatre.running(talking(wires_per_message=1), mode="stream"):
            old = await connection_to_renew(theatre)
            new = await theatre.exchange.peer(2)
            await new.heard()
            new.send(said(BTC="9"))
            await theatre.until(lambda: theatre.last("BTC") == "9")
            assert not old.gone, "ETH is not answered yet"
            old.send(said(BTC="5", ETH="5"))
            await theatre.until(lambda: theatre.last("ETH") == "5")
            assert theatre.last("BTC") == "9"
            await theatre.passes(1.0)
            old.send(said(ETH="6"))
            await theatre.until(lambda: theatre.last("ETH") == "6")
            assert not old.gone, "it has the say until all is answered"

    in_theatre(play)


@pytest.mark.parametrize("lifetime_s", [1000.0])
def test_a_connection_is_renewed_before_its_life_ends(lifetime_s: float) -> None:
    """If the exchange limits its life, it is renewed before, and not much too early."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC", "ETH")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(talking(lifetime_s=lifetime_s), mode="stream"):
            peer = await theatre.exchange.peer(1)
            for number in range(1, 100):
                await theatre.passes(10.0)
                theatre.exchange.peers[0].send(said(BTC=f"{number}"))
                await theatre.until(lambda: theatre.last("BTC") == f"{number}")  # noqa: B023
                if len(theatre.exchange.peers) > 1:
                    break
            new = await theatre.exchange.peer(2)
            assert 0.8 * lifetime_s <= theatre.clock.monotonic() <= 0.96 * lifetime_s
            await new.heard()
            new.send(said(BTC="1000"))
            await peer.left()

    assert not in_theatre(play).errors()


def test_a_failing_successor_is_retried_while_the_old_one_delivers() -> None:
    """One that is refused, breaks, or brings nothing."""

    async def play(theatre: Theatre) -> None:
        async def breaks(peer: Peer) -> None:
            await peer.heard()
            if len(theatre.exchange.peers) == 2:
                peer.cut()
            else:
                await answers(peer)

        theatre.lists("BTC", "ETH")
        theatre.exchange.stream(TALK, breaks)
        async with theatre.running(mode="stream"):
            peer = await theatre.exchange.peer(1)
            await peer.heard()
            theatre.exchange.script(TALK, Reply(status=503))
            old = await connection_to_renew(theatre)
            await theatre.until(lambda: theatre.errors() == {"http_5xx": 1})
            await theatre.passes(1.0, lambda: theatre.errors() == {"http_5xx": 1, "closed": 1})
            old.send(said(BTC="2"))
            await theatre.until(lambda: theatre.last("BTC") == "2")
            await theatre.passes(2.0)
            new = await theatre.exchange.peer(3)
            await new.heard()
            new.send(said(BTC="3"))
            await old.left()
            assert theatre.sink.story == ["publish"]

    in_theatre(play)


def test_the_new_connection_remains_if_the_old_one_breaks_first() -> None:
    """It remains even if it is not complete yet, and no third one is opened."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC", "ETH")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(mode="stream"):
            old = await connection_to_renew(theatre)
            new = await theatre.exchange.peer(2)
            await new.heard()
            old.cut()
            await old.left()
            new.send(said(BTC="2"))
            await theatre.until(lambda: theatre.last("BTC") == "2")
            await theatre.passes(60.0)
            assert len(theatre.exchange.peers) == 2
            await theatre.passes(0.1)
            new.say({"reconnect": "again"})
            newest = await theatre.exchange.peer(3)
            await newest.heard()
            newest.send(said(BTC="3"))
            await new.left()

    in_theatre(play)


def test_the_feed_fails_if_the_old_one_breaks_without_a_successor() -> None:
    """It then recovers like any other feed."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC", "ETH")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(mode="stream"):
            peer = await theatre.exchange.peer(1)
            await peer.heard()
            theatre.exchange.script(TALK, *[Reply(status=503)] * 3)
            old = await connection_to_renew(theatre)
            await theatre.until(lambda: bool(theatre.errors()))
            old.cut()
            await old.left()
            while len(theatre.exchange.peers) < 2:
                await theatre.passes(1.0)
            new = theatre.exchange.peers[1]
            await new.heard()
            new.send(said(BTC="2"))
            await theatre.until(lambda: theatre.last("BTC") == "2")
            await theatre.passes(60.0)
            assert len(theatre.exchange.peers) == 2

    in_theatre(play)


def test_endless_requests_to_reconnect_are_paced() -> None:
    """An exchange that asks each new connection to reconnect does not get a new one every second.

    Seen: before an upgrade an exchange said so on every connection for as long as it took. Each was replaced at once,
    hundreds in some minutes, which is what exchanges ban for.
    """

    async def sends_away(peer: Peer) -> None:
        await peer.heard()
        peer.say({"acked": [1]})
        peer.send(said(BTC="1", ETH="1"))
        peer.say({"reconnect": "upgrade of the server"})

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC", "ETH")
        theatre.exchange.stream(TALK, sends_away)
        async with theatre.running(talking(connects_per_s=1.0), mode="stream"):
            for _ in range(300):
                await theatre.passes(1.0)
                peer = theatre.exchange.peers[-1] if theatre.exchange.peers else await theatre.exchange.peer()
                await theatre.until(lambda: bool(peer.said) or peer.gone)  # noqa: B023
                await theatre.passes(0.01)
            assert 10 <= len(theatre.exchange.peers) <= 50
            assert theatre.sink.status.state == "live"

    in_theatre(play)
