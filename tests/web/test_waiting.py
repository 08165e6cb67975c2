"""Long polling: a request with a cursor is answered when something has changed, or when its time is up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.running import exact
from tests.web.peer import Answer, Peer, View
from tests.web.server import Live, serving, until
from ticker.protocol import Frame
from web.waiting import Waiting


async def cursor_of(live: Live, query: str = "") -> str:
    return str((await live.get(f"/api/quotes?{query}")).json["cursor"])


async def wait(live: Live, cursor: str, query: str = "", *headers: str) -> Peer:
    """Send a request, and wait until the service holds it."""
    waiting = live.hub.connected["poll"]
    peer = await live.connect()
    await peer.request("GET", f"/api/quotes?cursor={cursor}&wait_s=30{query}", *headers)
    await until(lambda: live.hub.connected["poll"] == waiting + 1)
    return peer


def say(live: Live, symbol: str, price: str) -> None:
    live.publish({symbol: price})
    live.hub.flush()


@serving()
async def test_a_loop_of_long_polls_misses_nothing(live: Live) -> None:
    """A loop of long polls misses nothing, and in the end shows what the service shows."""
    view = View()
    first = (await live.get("/api/quotes")).json
    view.apply({"type": "snapshot", **first})
    cursor = first["cursor"]
    for price in ("97001.50", "97002.50", "97003.50"):
        peer = await wait(live, cursor)
        say(live, "BTC-USD", price)
        answer = await peer.answer()
        assert (answer.status, answer.json["since"], answer.json["quotes"].keys()) == (200, view.version, {"BTC-USD"})
        assert exact(answer.body)["quotes"]["BTC-USD"]["last"] == price
        view.apply({"type": "update", **answer.json})
        cursor = answer.json["cursor"]
    assert view.quotes == (await live.get("/api/quotes")).json["quotes"]
    assert live.hub.connected["poll"] == 0
    assert live.hub.counts.connects["poll"] == 3


@serving()
async def test_only_changes_of_the_selection_end_the_wait(live: Live) -> None:
    """Other symbols do not; a symbol that appears or goes, and a feed's state, do, during the wait or before."""
    cursor = await cursor_of(live, "symbols=E*")
    peer = await wait(live, cursor, "&symbols=E*")
    say(live, "BTC-USD", "97001.5")
    assert live.hub.connected["poll"] == 1
    say(live, "EUR-USD", "1.08")
    assert (await peer.answer()).json["quotes"].keys() == {"EUR-USD"}
    cursor = await cursor_of(live, "symbols=E*")
    peer = await wait(live, cursor, "&symbols=E*")
    live.feed.remove(["toy:EUR-USD"])
    live.hub.flush()
    answer = (await peer.answer()).json
    assert (answer["quotes"], answer["gone"]) == ({}, ["EUR-USD"])
    assert (await live.get(f"/api/quotes?cursor={cursor}&wait_s=30&symbols=E*")).json["gone"] == ["EUR-USD"]
    peer = await wait(live, answer["cursor"], "&symbols=E*")
    live.feed.state("down", "no route")
    live.hub.flush()
    assert (await peer.answer()).json["feeds"]["toy"]["state"] == "down"


@pytest.mark.parametrize("query", ["wait_s=30", "wait_s=30&cursor=1:1:0", "wait_s=30&cursor=nonsense"])
@serving()
async def test_a_request_without_a_cursor_does_not_wait(live: Live, query: str) -> None:
    """Without a cursor of this selection everything comes at once."""
    answer = await live.get(f"/api/quotes?{query}")
    assert (answer.status, answer.json["since"], len(answer.json["quotes"])) == (200, None, 2)
    assert live.hub.counts.connects["poll"] == 0


@serving()
async def test_missed_changes_are_answered_at_once(live: Live) -> None:
    """Changes since the cursor are answered without waiting."""
    cursor = await cursor_of(live)
    say(live, "BTC-USD", "97001.5")
    answer = await live.get(f"/api/quotes?wait_s=30&cursor={cursor}")
    assert answer.json["quotes"].keys() == {"BTC-USD"}
    assert live.hub.counts.connects["poll"] == 0


@serving()
async def test_who_is_ahead_of_a_gateway_waits_until_it_has_news(live: Live) -> None:
    """Seen: each change up to the version that the client knew already was answered by nothing, so that it asked anew
    at once, and so on until the gateway was there.
    """
    store = live.hub.store
    store.reached = store.version  # it follows another one
    epoch, version, digest = (await cursor_of(live)).split(":")
    peer = await wait(live, f"{epoch}:{int(version) + 1}:{digest}")
    say(live, "BTC-USD", "97001.50")
    await live.get("/healthz")
    assert live.hub.connected["poll"] == 1
    say(live, "ETH-USD", "3101.5")
    answer = (await peer.answer()).json
    assert (answer["since"], answer["version"], answer["quotes"].keys()) == (
        int(version) + 1, int(version) + 2, {"ETH-USD"},
    )  # fmt: skip


@serving(hub={"heartbeat_ms": 100, "flush_interval_ms": 0})
async def test_a_wait_that_times_out_gets_the_newest_cursor(live: Live) -> None:
    """200 with empty quotes and the newest cursor, whatever ETag was seen; heartbeats do not end the wait."""
    first = await live.get("/api/quotes?symbols=BTC-USD")
    say(live, "ETH-USD", "3101.5")
    headers = (f"If-None-Match: {first.headers['etag']}",)
    answer = await live.get(f"/api/quotes?symbols=BTC-USD&wait_s=0.3&cursor={first.json['cursor']}", *headers)
    assert (answer.status, answer.json["quotes"]) == (200, {})
    assert (answer.json["since"], answer.json["version"]) == (first.json["version"], live.service.store.version)
    assert answer.headers["etag"] == first.headers["etag"]
    assert live.hub.counts.connects["poll"] == 1


@serving()
async def test_a_client_that_leaves_while_waiting_is_forgotten(live: Live) -> None:
    """A client that goes away while it waits leaves neither a reader nor a task.

    Seen: with another request behind the one that waited it waited on to its end, which was a traceback in the log.
    """
    for leave in (Peer.reset, lambda peer: peer.sock.close()):
        peer = await wait(live, await cursor_of(live))
        leave(peer)
        await until(lambda: not live.hub.connections)
    peer = await live.connect()
    waits = f"GET /api/quotes?cursor={await cursor_of(live)}&wait_s=30 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    await peer.write(waits.encode() + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await until(lambda: live.hub.connected["poll"])
    peer.sock.close()
    await until(lambda: not live.hub.connections)
    await until(lambda: not live.server.server_state.tasks)
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "poll"]
    assert live.hub.counts.disconnects == {1000: 3}


@serving()
async def test_a_stopping_service_answers_waiting_requests(live: Live) -> None:
    """Each of them is answered at once, and none delays the end."""
    peers = [await wait(live, await cursor_of(live)) for _ in range(3)]
    live.service.stop()
    answers: list[Answer] = [await peer.answer() for peer in peers]
    assert [(answer.status, answer.json["quotes"]) for answer in answers] == [(200, {})] * 3
    await until(lambda: live.server.should_exit)


@pytest.mark.parametrize("version", [1, 4711])
@serving()
async def test_a_store_that_begins_anew_answers_waiting_requests(live: Live, version: int) -> None:
    """At once, with everything, even if nothing of their selection is in it; whether its version is lower or higher."""
    peers = [await wait(live, await cursor_of(live, query), f"&{query}") for query in ("", "symbols=BTC-*")]
    live.begin_anew({"EUR-USD": "1.08"}, epoch=7, version=version)
    answers = [(await peer.answer()).json for peer in peers]
    assert [(answer["since"], list(answer["quotes"])) for answer in answers] == [(None, ["EUR-USD"]), (None, [])]
    assert {answer["cursor"].rpartition(":")[0] for answer in answers} == {f"7:{version}"}
    peer = await wait(live, answers[0]["cursor"])
    live.begin_anew({"EUR-USD": "1.09"}, epoch=8, version=version)
    assert (await peer.answer()).json["quotes"]["EUR-USD"]["last"] == 1.09


@serving(limits={"connections": 1})
async def test_a_waiting_request_takes_a_connection_slot(live: Live) -> None:
    """Waiting takes a connection slot: foreign pages and the one too many are refused; others are not."""
    cursor = await cursor_of(live)
    await wait(live, cursor)
    answer = await live.get(f"/api/quotes?wait_s=1&cursor={cursor}")
    assert (answer.status, answer.json["code"]) == (503, "overloaded")
    answer = await live.get(f"/api/quotes?wait_s=1&cursor={cursor}", "Origin: http://evil.example")
    assert (answer.status, answer.json["code"]) == (403, "forbidden")
    assert (await live.get(f"/api/quotes?cursor={cursor}")).status == 200


@pytest.mark.parametrize("wait_s", ["-1", "31", "nan", "inf", "long", ""])
@serving()
async def test_a_wait_outside_0_to_30_seconds_is_refused(live: Live, wait_s: str) -> None:
    """It gets a 400 that names the parameter."""
    answer = await live.get(f"/api/quotes?wait_s={wait_s}")
    assert (answer.status, answer.json["code"]) == (400, "bad_request")
    assert "'wait_s'" in answer.json["detail"]


@serving()
async def test_a_reader_that_waits_is_woken_once(live: Live) -> None:
    """It takes any frame; further calls change nothing. What it knew when it came is no news.

    Seen: while very many readers were told of a version, a poller with its cursor got an empty answer at once.
    """
    waiting: Any = Waiting("192.0.2.1", 1, 4711)
    assert waiting.write(Frame("heartbeat", b"{}", version=4712))
    assert waiting.write(Frame("update", b"{}", version=4711))
    assert not waiting.over.done()
    for _ in range(2):
        assert waiting.write(Frame("update", b"{}", version=4712))
        waiting.say_bye(Frame("bye", b"{}"), 1012, "")
        assert waiting.over.done()
