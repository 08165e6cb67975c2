"""The socket before a stream: heads of requests are bounded in bytes, lines and time."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import pytest

from tests.web.peer import UPGRADE, Peer
from tests.web.server import Live, serving, until
from web.connection import BoundedHttp


async def refused(live: Live, data: bytes) -> tuple[int, str]:
    """Status and detail of the answer to these bytes, after which the server ends the connection."""
    peer = await live.connect()
    await peer.write(data)
    answer = await peer.answer()
    assert await peer.rest() == b""
    return answer.status, answer.json["detail"]


@serving()
async def test_a_request_head_is_bounded(live: Live) -> None:
    """Over 32 KiB of head are refused with 431, over 100 lines with 400, which say so; just below is served.

    Seen: too many lines, or waiting requests, were answered like nonsense, with "Invalid HTTP request received."
    """
    start = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
    too_long, too_many = start + b"X: " + b"a" * 32_768, start + b"X: a\r\n" * 100 + b"\r\n"
    assert await refused(live, too_long) == (431, "the request head has more than 32768 bytes")
    assert await refused(live, too_many) == (400, "the request head has more than 100 lines")
    assert await refused(live, b"nonsense\r\n\r\n") == (400, "Invalid HTTP request received.")
    lines = [f"X-{i}: {'a' * 300}" for i in range(98)]  # with Host and Connection 100 lines
    assert (await live.get("/healthz", *lines)).status == 200


@serving()
async def test_a_url_of_the_stream_is_bounded(live: Live) -> None:
    """A URL of 8,000 bytes is served; a longer one is answered with 400, not left hanging."""
    peer = await live.connect()
    assert (await peer.upgrade("/ws?symbols=".ljust(8000, "A"))).status == 101
    peer = await live.connect()
    assert (await peer.upgrade("/ws?symbols=".ljust(8300, "A"))).status == 400
    assert await peer.rest() == b""


@serving()
async def test_a_url_that_is_no_text_is_refused(live: Live) -> None:
    """Bytes above 127 in a URL are answered with 400, for a page and for the stream."""
    assert (await live.get("/api/quotes?symbols=\xff")).status == 400
    peer = await live.connect()
    assert (await peer.upgrade("/ws?symbols=\xff")).status == 400


@serving()
async def test_a_dripping_head_is_dropped(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """A head has its time, however many bytes come: at the start of a connection and after an answer."""
    second = await live.connect()
    await second.request("GET", "/healthz")
    assert (await second.answer()).status == 200
    monkeypatch.setattr(live.server.config.http_protocol_class, "head_timeout_s", 0.1)  # no good head is late
    silent, first = [await live.connect() for _ in range(2)]

    async def drip(peer: Peer) -> None:
        await peer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ")
        with contextlib.suppress(ConnectionError):
            while True:
                await peer.write(b"a")
                await asyncio.sleep(0.001)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(drip(first))
        tasks.create_task(drip(second))
        for peer in (silent, first, second):
            assert await peer.rest() == b"", "no answer, just the end"


@serving()
async def test_requests_in_a_row_are_all_answered(live: Live) -> None:
    """The limit is for each head: a kept connection may carry more than 32 KiB of heads in all."""
    peer = await live.connect()
    for _ in range(5):
        await peer.request("GET", "/healthz", "X: " + "a" * 10_000)
        assert (await peer.answer()).status == 200
    await peer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
    assert [(await peer.answer()).status for _ in range(20)] == [200] * 20


@serving()
async def test_an_offer_of_http_2_is_ignored(live: Live, caplog: pytest.LogCaptureFixture) -> None:
    """Each request of Java's client offers HTTP/2: they are answered over the same connection, and not logged."""
    peer = await live.connect()
    for path in ("/healthz", "/api/quotes?symbols=*", "/healthz"):
        await peer.request("GET", path, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEA")
        answer = await peer.answer()
        assert (answer.status, answer.headers.get("connection")) == (200, None)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


@serving()
async def test_requests_behind_such_an_offer_are_answered(live: Live) -> None:
    """Pipelined requests may each offer another protocol; as many may wait as without that.

    Seen: what came together with such a request was dropped, and its client waited for answers until it was cut off.
    """
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    peer = await live.connect()
    await peer.write(request * 101)
    assert [(await peer.answer()).status for _ in range(101)] == [200] * 101
    assert await refused(live, request * 102) == (400, "more than 100 pipelined requests")


@serving()
async def test_a_head_behind_a_request_that_waits_is_bounded(live: Live) -> None:
    """A head that comes while the request before it waits has the same limit; else it could grow for half a minute."""
    cursor = (await live.get("/api/quotes?symbols=BTC-USD")).json["cursor"]
    peer = await live.connect()
    await peer.request("GET", f"/api/quotes?symbols=BTC-USD&wait_s=30&cursor={cursor}")
    await until(lambda: live.hub.connected["poll"])
    await peer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 32_768)
    assert (await peer.answer()).status == 431
    assert await peer.rest() == b""


@serving()
async def test_requests_that_wait_for_others_are_bounded(live: Live) -> None:
    """A hundred may wait behind the one that is being answered; with more of them the connection ends.

    Seen: after each answer more was read, so that one connection with half a million requests held 1.5 GB.
    """
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    peer = await live.connect()
    await peer.write(request * 101)
    assert [(await peer.answer()).status for _ in range(101)] == [200] * 101
    assert await refused(live, request * 102) == (400, "more than 100 pipelined requests")


@serving()
async def test_no_stream_begins_behind_a_request_that_waits(live: Live) -> None:
    """A pipelined WebSocket handshake is refused while a request before it has no answer yet.

    Seen: the answer came later, among the frames; of a client that had left by then the log got a traceback.
    """
    cursor = (await live.get("/api/quotes?symbols=BTC-USD")).json["cursor"]
    peer = await live.connect()
    await peer.request("GET", f"/api/quotes?symbols=BTC-USD&wait_s=30&cursor={cursor}")
    await until(lambda: live.hub.connected["poll"])
    assert (await peer.upgrade()).status == 400
    assert await peer.rest() == b""
    assert live.hub.counts.connects["ws"] == 0


@serving()
async def test_no_stream_begins_behind_an_answer_that_is_not_taken(live: Live) -> None:
    """A WebSocket is refused while the socket is full of the answer before it.

    Seen: the stream did not know that its socket was full, so it wrote on and on, and its reader never stalled.
    """
    live.publish({f"S{i}-USD": "1.5" for i in range(130)}, name="x" * 150)
    live.hub.flush()
    peer = await live.connect(receive_buffer=4096)
    await peer.request("GET", "/api/quotes?symbols=S*")
    await until(lambda: live.server.server_state.connections)
    (http,) = live.server.server_state.connections
    assert isinstance(http, BoundedHttp)
    await until(lambda: http.flow.write_paused and http.cycle.response_complete)
    await peer.request("GET", "/ws", *UPGRADE)
    await until(http.transport.is_closing)
    assert len((await peer.answer()).json["quotes"]) == 130
    assert (await peer.answer()).status == 400
    assert await peer.rest() == b""
    assert live.hub.counts.connects["ws"] == 0
