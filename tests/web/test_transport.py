"""The socket: the contract with uvicorn, shared frames, peers that break the protocol, stall, flood or vanish."""

from __future__ import annotations

import ast
import asyncio
import functools
import inspect
import itertools
import socket
import struct
from collections.abc import Callable
from typing import cast

import pytest
import uvicorn
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from tests.web.peer import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Peer, View, frame
from tests.web.server import Live, serving, until
from ticker.errors import TickerError
from ticker.protocol import Frame
from web.connection import BoundedHttp
from web.server import NOTSENT_LOWAT_BYTES, Server, listen
from web.transport import SharedFrames

# The contract with uvicorn


def own_attributes(ours: type, parsed: ast.ClassDef) -> set[str]:
    """The attributes that our class uses and does not define: those of uvicorn's class."""
    nodes = [n for n in ast.walk(parsed) if isinstance(n, ast.Attribute)]
    used = {n.attr for n in nodes if isinstance(n.value, ast.Name) and n.value.id == "self"}
    used |= {n.attr for n in nodes if isinstance(n.value, ast.Call) and ast.unparse(n.value) == "super()"}
    given = {n.attr for n in nodes if isinstance(n.ctx, ast.Store)} - {"queue", "close_sent", "handshake_complete"}
    return used - given - {name for name in vars(ours) if not hasattr(ours.__mro__[1], name)}


@pytest.mark.parametrize(
    ("ours", "theirs"), [(SharedFrames, WebSocketsSansIOProtocol), (BoundedHttp, HttpToolsProtocol)]
)
def test_uvicorn_has_every_attribute_that_the_subclass_uses(ours: type, theirs: type) -> None:
    """A uvicorn that has renamed one of its undocumented attributes is noticed here, not in production."""

    async def app(scope: object, receive: object, send: object) -> None:
        raise AssertionError("nobody calls it")

    async def check() -> set[str]:
        config = Config(app, http=HttpToolsProtocol, ws=WebSocketsSansIOProtocol, lifespan="off", log_config=None)
        config.load()
        protocol = theirs(config=config, server_state=ServerState(), app_state={})
        of_a_request = {"scope", "request", "response"}
        return {name for name in used - of_a_request if not hasattr(protocol, name)}

    (parsed,) = ast.parse(inspect.getsource(ours)).body
    assert isinstance(parsed, ast.ClassDef)
    used = own_attributes(ours, parsed)
    assert {"transport", "loop"} < used, "the test still finds what the subclass uses"
    assert asyncio.run(check()) == set()


def test_uvicorns_server_leaves_the_signals_alone() -> None:
    """The method that our server replaces is still the one by which uvicorn takes the signals."""
    assert "capture_signals" in inspect.getsource(uvicorn.Server.serve)
    with Server(Config("", log_config=None)).capture_signals() as captured:
        assert captured is None


@serving()
async def test_a_detached_connection_needs_no_task(live: Live) -> None:
    """No endpoint or request is kept for it; messages and pings are answered all the same."""
    peer = await live.stream()
    await until(lambda: not live.server.server_state.tasks)
    connection = live.connection(peer)
    assert not {"scope", "request", "response"} & vars(connection).keys()
    for number in (1, 2):
        await peer.say(op="ping", id=number)
        assert (await peer.hear("pong"))["id"] == number
    await peer.send(PING, b"still there?")
    assert await peer.receive() == (PONG, b"still there?")
    assert connection in live.server.server_state.connections, "uvicorn still counts it, for its shutdown"


def tapped(inner: asyncio.Transport, tap: Callable[[bytes], None]) -> asyncio.Transport:
    """A transport that calls `tap` before each write."""

    class Tap:
        def __getattr__(self, name: str) -> object:
            return getattr(inner, name)

        def write(self, data: bytes) -> None:
            tap(data)
            inner.write(data)

    return cast("asyncio.Transport", Tap())


@serving()
async def test_equal_readers_get_the_same_bytes_object(live: Live) -> None:
    """The WebSocket frame of an update is made once and written to every member of the group."""
    written: list[bytes] = []
    peers = [await live.stream("?symbols=*") for _ in range(3)]
    for connection in live.connections:
        connection.transport = tapped(connection.transport, written.append)
    live.publish({"BTC-USD": "97001.5"})
    await until(lambda: len(written) == 3)
    assert all(data is written[0] for data in written)
    assert {(await peer.hear("update"))["quotes"]["BTC-USD"]["last"] for peer in peers} == {97001.5}


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
@serving()
async def test_a_frame_of_any_length_has_the_right_header(live: Live, size: int) -> None:
    """The three forms of a length (RFC 6455, 5.2) are used where they belong; a reader gets the frame whole."""
    peer = await live.stream()
    await peer.hear("hello")
    assert live.connection(peer).write(Frame("update", b"x" * size))
    assert await peer.receive() == (TEXT, b"x" * size)


# What peers send


@serving()
async def test_a_fragmented_message_is_assembled(live: Live) -> None:
    """Fragments become one message, though a character is cut in two and a ping stands between them."""
    peer = await live.stream()
    text = '{"op":"ping","id":"größer"}'.encode()
    cut = text.index("ö".encode()) + 1
    await peer.send(TEXT, text[:5], fin=False)
    await peer.send(CONTINUATION, text[5:cut], fin=False)
    await peer.send(PING, b"between")
    await peer.send(CONTINUATION, b"", fin=False)
    await peer.send(CONTINUATION, text[cut:])
    await peer.hear("hello")
    assert await peer.receive() == (PONG, b"between")
    assert (await peer.hear("pong"))["id"] == "größer"


@serving()
async def test_the_largest_message_and_the_most_fragments_are_accepted(live: Live) -> None:
    """A message of exactly `message_bytes`, and one of 64 fragments, are still answered."""
    peer = await live.stream()
    text = b'{"op":"ping","id":1}'
    await peer.send(TEXT, text.ljust(live.service.settings.limits.message_bytes))
    assert (await peer.hear("pong"))["id"] == 1
    await peer.send(TEXT, text, fin=False)
    for _ in range(62):
        await peer.send(CONTINUATION, b" ", fin=False)
    await peer.send(CONTINUATION, b" ")
    assert (await peer.hear("pong"))["id"] == 1


VIOLATIONS = {
    "binary": (1003, frame(BINARY, b"{}")),
    "bad UTF-8": (1007, frame(TEXT, b'{"op":"\xff"}')),
    "too large": (1009, frame(TEXT, b" " * 1025)),
    "too large in fragments": (1009, frame(TEXT, b" " * 1000, fin=False) + frame(CONTINUATION, b" " * 25)),
    "65 fragments": (1009, frame(TEXT, b" ", fin=False) + frame(CONTINUATION, b" ", fin=False) * 63),
    "empty fragments": (1009, frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * 63),
    "unmasked": (1002, frame(TEXT, b'{"op":"ping"}', masked=False)),
    "reserved bit": (1002, b"\xc1" + frame(TEXT, b"{}")[1:]),
    "unknown opcode": (1002, frame(3, b"")),
    "lone continuation": (1002, frame(CONTINUATION, b"{}")),
    "long ping": (1002, frame(PING, b" " * 126)),
    "close code that must not be sent": (1002, frame(CLOSE, struct.pack("!H", 1006))),
}


@pytest.mark.parametrize("name", VIOLATIONS)
@serving(limits={"message_bytes": 1024})
async def test_a_violation_is_answered_by_its_close_code(live: Live, name: str) -> None:
    """A client that breaks the protocol gets a close code that says why; it is counted; then the connection ends."""
    code, data = VIOLATIONS[name]
    peer = await live.stream("?symbols=*")
    await peer.write(data)
    assert await peer.close_code() == code
    assert live.hub.counts.disconnects == {code: 1}
    await peer.send(CLOSE, struct.pack("!H", code))
    assert await peer.rest() == b""


@serving()
async def test_a_message_after_a_violation_is_not_answered(live: Live) -> None:
    """The close is the last frame: a good message right after a bad one gets no answer."""
    for name in ("binary", "bad UTF-8"):
        code, data = VIOLATIONS[name]
        peer = await live.stream()
        await peer.write(data + frame(TEXT, b'{"op":"ping"}'))
        assert await peer.close_code() == code
        await peer.send(CLOSE, struct.pack("!H", code))
        assert await peer.rest() == b""


@serving()
async def test_pings_after_the_servers_close_pile_up_nowhere(live: Live) -> None:
    """A client that goes on pinging after it was closed gets no pong, and none is kept for it."""
    peer = await live.stream()
    await peer.hear("hello")
    connection = live.connection(peer)
    await peer.send(BINARY)
    assert await peer.close_code() == 1003
    await peer.write(frame(PING, b"anybody?") * 100 + frame(CLOSE))
    assert await peer.rest() == b""
    assert connection.conn.writes == []


@serving()
async def test_a_close_is_echoed(live: Live) -> None:
    """Every code that a client may close with, and none at all, comes back, and the server ends the connection.

    Private codes are counted as one. Seen: a client that said 4008 was counted, and logged, as stalled.
    """
    codes = [1000, 1001, 1011, 3000, 4008, 4999]
    for payload in [*(struct.pack("!H", code) + b"why" for code in codes), b""]:
        peer = await live.stream()
        await peer.hear("hello")
        await peer.send(CLOSE, payload)
        while (echo := await peer.receive())[0] == TEXT:  # a heartbeat was under way
            pass
        assert echo == (CLOSE, payload)
        assert await peer.rest() == b""
    assert live.hub.counts.disconnects == {1000: 1, 1001: 1, 1011: 1, 3000: 3, 1005: 1}
    assert not live.hub.connections


@serving()
async def test_nothing_follows_a_close(live: Live) -> None:
    """A client that has closed gets the echo as the last frame, whatever is published meanwhile."""
    peer = await live.stream("?symbols=*")
    await peer.hear("snapshot")
    await peer.send(CLOSE, struct.pack("!H", 1000))
    live.publish({"BTC-USD": "1.5"})
    while (received := await peer.receive())[0] != CLOSE:
        pass
    assert received == (CLOSE, struct.pack("!H", 1000))
    live.publish({"BTC-USD": "2.5"})
    assert await peer.rest() == b""


@serving()
async def test_a_close_waits_for_what_came_before_it(live: Live) -> None:
    """Pings, a message and a close in one segment are answered in this order (RFC 6455, section 5.5.1).

    Seen: the pongs, the close, and behind it the answer to the message. Cause: the parser has its answers to pings and
    close ready at once, and they were sent together. Promise: nothing is sent behind a close.
    """
    peer = await live.stream()
    await peer.hear("hello")
    ask, close = frame(TEXT, b'{"op":"ping","id":1}'), struct.pack("!H", 1000)
    await peer.write(frame(PING, b"1") + ask + frame(PING, b"2") + frame(CLOSE, close))
    seen = [await peer.receive() for _ in range(4)]
    assert [opcode for opcode, _ in seen] == [PONG, PONG, TEXT, CLOSE]
    assert seen[-1][1] == close
    assert await peer.rest() == b""


@serving()
async def test_a_close_behind_a_bad_frame_ends_the_connection_at_once(live: Live) -> None:
    """A client whose close is already there when the server closes is not kept waiting for a second one.

    Seen: binary frame and close in one segment; the connection stayed until the abort timer dropped it. Cause:
    the close had been parsed already, and no other one comes. Promise: the server closes right away.
    """
    peer = await live.stream()
    await peer.hear("hello")
    connection = live.connection(peer)
    await peer.write(frame(BINARY, b"") + frame(CLOSE, struct.pack("!H", 1000)))
    await peer.close_code()
    assert connection.transport.is_closing()
    assert await peer.rest() == b""


@serving(hub={"ping_interval_s": 0.05})
async def test_no_ping_goes_unanswered_while_the_process_stands_still(live: Live) -> None:
    """After a suspension a reader has its time to answer the last ping; in the meantime its answer could not be read.

    Seen: those whose answer was under way when the machine was suspended were closed with 4009 at its return.
    """
    reader, ticks = await live.stream(), live.hub.counts.loop_lag.counts
    for _ in range(2):
        while (received := await reader.receive())[0] != PING:
            pass
        live.clock.skip(3600)
        two_later = sum(ticks) + 2
        await until(functools.partial(lambda count: sum(ticks) >= count, two_later))
        await reader.send(PONG, received[1])
    assert live.hub.counts.disconnects == {}


@serving(hub={"ping_interval_s": 0.05, "ping_timeout_s": 1})
async def test_a_reader_that_answers_no_ping_is_closed_with_4009(live: Live) -> None:
    """A reader that answers every ping stays; one that reads but does not answer is closed with 4009."""
    mute, good = await live.stream(), await live.stream()

    answered: list[bytes] = []

    async def answer_pings() -> None:
        while True:
            opcode, payload = await good.receive()
            if opcode == PING:
                answered.append(payload)
                await good.send(PONG, payload)

    async with asyncio.TaskGroup() as tasks:
        answering = tasks.create_task(answer_pings())
        assert await mute.close_code() == 4009
        answering.cancel()
    assert [live.connection(good)] == live.connections
    assert len(answered) > 1, "an answer brings the next ping"
    assert live.hub.counts.disconnects == {4009: 1}


# Peers that vanish


@serving()
async def test_resets_cost_other_readers_no_version(live: Live) -> None:
    """While 20 readers are reset in each of 15 rounds, between change and flush, all others get every version."""
    survivors = [(await live.stream("?symbols=*"), View()) for _ in range(5)]
    for peer, view in survivors:
        await peer.follow(view, live.service.store.version)
    price = itertools.count(1)

    def change() -> None:
        live.publish({"BTC-USD": f"{next(price)}.5"})

    for _ in range(15):
        doomed = [await live.stream("?symbols=*") for _ in range(20)]
        for peer in doomed:
            peer.reset()
            change()
            live.hub.flush()
        await until(lambda: len(live.hub.connections) == len(survivors))
        for peer, view in survivors:
            updates = await peer.follow(view, live.service.store.version)
            assert [m["version"] - m["since"] for m in updates] == [1] * 20
    assert live.hub.counts.disconnects == {1006: 300}


@serving()
async def test_a_write_that_fails_ends_one_connection(live: Live) -> None:
    """Whatever a transport raises in the middle of a fan-out: that reader is dropped, all others get the frame."""

    def fail(_: bytes) -> None:
        raise RuntimeError("the handler is closed")

    peers = [await live.stream("?symbols=*") for _ in range(5)]
    broken = live.connection(peers[2])
    broken.transport = tapped(broken.transport, fail)
    live.publish({"BTC-USD": "97001.5"})
    live.hub.flush()
    assert not broken.open
    del peers[2]
    for peer in peers:
        assert (await peer.hear("update"))["version"] == live.service.store.version
    await until(lambda: len(live.hub.connections) == 4)
    assert live.hub.counts.disconnects == {1006: 1}


@pytest.mark.parametrize("ending", ["reset", "close"])
@serving()
async def test_a_client_that_is_gone_before_the_answer_is_forgotten(live: Live, ending: str) -> None:
    """A handshake whose client has vanished when the server reads it leaves no reader and no error."""
    for _ in range(10):
        with socket.create_connection(("127.0.0.1", live.port)) as sock:
            sock.sendall(
                b"GET /ws?symbols=* HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            if ending == "reset":
                Peer(sock).reset()
    last = await live.stream()  # behind all the others
    await until(lambda: len(live.hub.connections) == len(live.server.server_state.connections) == 1)
    assert live.connections == [live.connection(last)]


# Listening


@serving()
async def test_connections_inherit_the_small_send_queue(live: Live) -> None:
    """The kernel holds at most 16 KiB unsent for an accepted connection before it takes no more."""
    peer = await live.stream()
    sock = live.connection(peer).transport.get_extra_info("socket")
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == NOTSENT_LOWAT_BYTES


def test_a_taken_port_is_named() -> None:
    """Listening on a taken or impossible address raises one line that says what to do, and leaks no socket."""
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TickerError, match=f"cannot listen on 127.0.0.1:{port}: .*; choose another with --port"):
            listen("127.0.0.1", port)
    with pytest.raises(TickerError, match=r"cannot listen on 192\.0\.2\.1:0: .*; choose another with --host"):
        listen("192.0.2.1", 0)
