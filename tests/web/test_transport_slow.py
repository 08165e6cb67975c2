"""The socket: readers that stall, come back, flood, or are full at the goodbye; memory stays bounded."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import sys
from typing import Any

import pytest

from tests.web.peer import CONTINUATION, PING, PONG, TEXT, View, frame
from tests.web.server import Live, serving, until
from ticker.protocol import Frame
from web import transport
from web.pause import delivered, unsent_bytes
from web.transport import FRAME_BURST

MANY = [f"S{i}-USD" for i in range(200)]


def publish_large(live: Live, step: int) -> None:
    """Change 200 symbols so that an update about them all has 100 KB."""
    live.publish(dict.fromkeys(MANY, f"{step + 1}.5"), name=f"{step:0500}")
    live.hub.flush()


@serving()
async def test_a_stalled_reader_is_closed_with_4008_and_others_get_every_version(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that takes nothing of 6 MB holds one frame at most, is closed with 4008 and then dropped; meanwhile
    the others get every single version.
    """
    monkeypatch.setattr(transport, "CLOSE_PATIENCE_S", 0.1)
    live.clock.stand()
    publish_large(live, 0)
    good = [(await live.stream("?symbols=S*"), View()) for _ in range(3)]
    before = live.hub.groups.counts.bytes
    stalled = await live.stream("?symbols=S*", receive_buffer=4096)
    held = live.connection(stalled)
    first_bytes = live.hub.groups.counts.bytes - before  # hello, subscribed and snapshot, written in one go
    for peer, view in good:
        await peer.follow(view, live.service.store.version)
    sent = 0
    for step in range(1, 61):
        before = live.hub.groups.counts.bytes
        publish_large(live, step)
        for peer, view in good:
            (update,) = await peer.follow(view, live.service.store.version)
            assert update["version"] == update["since"] + 1
        sent += (live.hub.groups.counts.bytes - before) // len(good)
        assert 0 < held.pending_bytes < first_bytes
    assert sent > 5_000_000
    assert held.paused
    assert live.hub.pending_bytes == held.pending_bytes > 0
    live.hub.look_at_paused(live.hub.now(), live.service.settings.hub.stall_s)  # what the kernel took is no news now
    live.clock.go_on()  # the hub ticks by it
    live.clock.skip(live.service.settings.hub.stall_s)
    await until(lambda: held not in live.hub.connections)
    assert live.hub.counts.disconnects == {4008: 1}
    assert len(live.hub.connections) == len(good)
    await until(lambda: held not in live.server.server_state.connections)
    assert live.hub.groups.lagging == 0


@serving()
async def test_a_reader_that_comes_back_gets_one_frame_and_is_exact(live: Live) -> None:
    """What a slow reader missed comes as one update from its own version to now, and then it shows the truth."""
    publish_large(live, 0)
    slow, view = await live.stream("?symbols=S*", receive_buffer=4096), View()
    connection = live.connection(slow)
    steps = itertools.count(1)
    while not live.hub.groups.lagging:
        publish_large(live, next(steps))
    missed_from = connection.since
    assert connection.write(Frame("update", b"refused")) is False
    for _ in range(20):
        publish_large(live, next(steps))
    version = live.service.store.version
    messages = await slow.follow(view, version)
    *small, catch_up = [m for m in messages if m["type"] == "update"]
    assert [m["version"] - m["since"] for m in small] == [1] * len(small)
    assert (catch_up["since"], catch_up["version"]) == (missed_from, version)
    assert version - missed_from > 20
    assert view.quotes == (await live.get("/api/quotes?symbols=S*")).json["quotes"]
    publish_large(live, next(steps))
    (update,) = await slow.follow(view, version + 1)
    assert update["type"] == "update", "it is a member like any other again"
    await slow.say(op="ping", id=7)
    assert (await slow.hear("pong"))["id"] == 7, "and is read again"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what has arrived")
@serving()
async def test_a_slow_reader_that_takes_some_bytes_is_not_stalled(live: Live) -> None:
    """A reader that takes some kilobytes in `stall_s`, and no more, is slow and stays.

    Seen over 5 kB/s: closed with 4008 again and again, because the kernel wants no more of a large frame before it
    is rid of some ten kilobytes of it. Promise: what the reader's side has acknowledged counts.
    """
    publish_large(live, 0)
    live.clock.stand()
    slow = await live.stream("?symbols=S*", receive_buffer=4096)
    held = live.connection(slow)
    await until(lambda: held.paused)
    kept, stall_s = held.pending_bytes, live.service.settings.hub.stall_s
    while held.pending_bytes == kept:  # from here on the kernel is content for a while
        await slow.take(1024)
    kept = held.pending_bytes
    live.hub.look_at_paused(live.hub.now(), stall_s)
    for _ in range(2):
        left = unsent_bytes(held.transport)
        while unsent_bytes(held.transport) == left:
            await slow.take(1024)
        live.clock.skip(0.9 * stall_s)
        live.hub.look_at_paused(live.hub.now(), stall_s)
    assert held.open
    assert held.pending_bytes == kept, "else this shows nothing"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what has arrived")
@serving()
async def test_the_kernels_count_of_delivered_packets_is_read(live: Live) -> None:
    """Its count of packets delivered, found by its offset in the answer, grows as a reader takes bytes."""
    publish_large(live, 0)
    slow = await live.stream("?symbols=S*", receive_buffer=4096)
    held = live.connection(slow)
    await until(lambda: held.paused)
    for _ in range(2):
        before = delivered(held.transport)
        assert int.from_bytes(before, sys.byteorder) > 0
        while delivered(held.transport) == before:
            await slow.take(1024)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what has arrived")
@serving()
async def test_a_slow_reader_gets_its_next_frame_when_the_last_has_arrived(live: Live) -> None:
    """Prices that wait in the kernel grow old there; those that are not written yet are the newest when they are.

    Seen over 20 kB/s: prices were four to ten seconds old when they were read. Promise: the next frame is made when
    the one before it is about to have arrived, and has all that came meanwhile.
    """
    publish_large(live, 0)
    live.clock.stand()
    slow, view = await live.stream("?symbols=S*", receive_buffer=4096), View()
    held = live.connection(slow)
    await until(lambda: held.paused)
    live.clock.skip(5)
    while held.pending_bytes:
        await slow.take(1024)
    for step in range(1, 4):
        publish_large(live, step)
    assert held.paused
    assert live.hub.groups.lagging
    await slow.say(op="ping", id=1)
    view.apply(await slow.hear("snapshot"))
    assert (await slow.message())["type"] == "pong", "meanwhile it is read, and would be seen to leave"
    (update,) = await slow.follow(view, live.service.store.version)
    assert update["version"] == update["since"] + 3


@serving()
async def test_at_most_one_small_frame_waits(live: Live) -> None:
    """However small the frames are, no more than one of them waits in the process."""
    slow = await live.stream("?symbols=BTC-USD", receive_buffer=4096)
    held = live.connection(slow)
    for step in itertools.count(1):
        live.publish({"BTC-USD": f"{step}.5"}, name=f"{step:0500}")
        live.hub.flush()
        if live.hub.groups.lagging:
            break
    assert 0 < held.pending_bytes < 700


@serving()
async def test_the_service_waits_until_slow_readers_have_their_bye(live: Live) -> None:
    """A reader that is behind when the service stops still gets what was written to it, `bye`, and its close code.

    Seen: the drain was over at once and the server dropped everybody. Cause: readers that had been sent a goodbye
    were out of the hub, and the drain waits only until that is empty. Promise: the server goes on until all have gone.
    """
    publish_large(live, 0)
    slow = await live.stream("?symbols=S*", receive_buffer=4096)
    good = await live.stream()
    live.service.stop()
    await good.hear("bye")
    for _ in range(50):  # turns of the loop, in which the service could go on to its end
        await asyncio.sleep(0)
    assert not live.server.should_exit
    assert live.connection(slow).paused
    await slow.hear("snapshot")
    assert (await slow.message())["type"] == "bye"
    assert await slow.close_code() == 1012


@serving()
async def test_a_message_that_waits_behind_a_full_socket_is_answered_later(live: Live) -> None:
    """A message that arrives together with one whose answer fills the socket is handled once the reader reads."""
    publish_large(live, 0)
    peer = await live.stream(receive_buffer=4096)
    connection = live.connection(peer)
    subscribe = frame(TEXT, b'{"op":"subscribe","symbols":["S*"]}')
    await peer.write(subscribe + frame(TEXT, b'{"op":"ping","id":2}') + frame(PING, b"third"))
    await until(lambda: connection.paused)
    assert (await peer.hear("snapshot"))["quotes"].keys() == set(MANY)
    assert (await peer.hear("pong"))["id"] == 2
    assert await peer.receive() == (PONG, b"third")


@serving()
async def test_a_reader_that_only_pings_is_not_read_any_more(live: Live) -> None:
    """A client that sends pings and never takes the pongs fills its own socket, not the server's memory."""
    peer = await live.stream(receive_buffer=4096)
    connection = live.connection(peer)
    pings = frame(PING, b"x" * 125) * 50
    while not connection.paused:
        await peer.write(pings)
        await asyncio.sleep(0)
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
    unread, pending = len(connection._unread), connection.pending_bytes
    for _ in range(300):  # turns of the loop, in each of which the server could read
        with contextlib.suppress(BlockingIOError):
            peer.sock.send(pings)
        await asyncio.sleep(0)
    assert len(connection._unread) == unread <= FRAME_BURST
    assert connection.pending_bytes <= pending
    assert connection in live.hub.connections


@serving(hub={"ping_interval_s": 0.05, "ping_timeout_s": 60})
async def test_a_full_reader_is_not_pinged(live: Live) -> None:
    """A reader that takes no bytes is judged by that alone: no ping is added to what waits for it, none is missed."""
    publish_large(live, 0)
    good, slow = await live.stream(), await live.stream("?symbols=S*", receive_buffer=4096)
    held = live.connection(slow)
    await until(lambda: held.paused)
    pending = held.pending_bytes
    for _ in range(3):
        while (received := await good.receive())[0] != PING:
            pass
        await good.send(PONG, received[1])
    assert held.pending_bytes == pending
    assert held.pong_timer is None


@serving()
async def test_a_burst_of_frames_that_cannot_be_answered_ends_the_connection(live: Live) -> None:
    """Frames that came in one piece and wait for a full socket are bounded in number: 4029.

    Seen in reading: 256 KB of empty pings are 40,000 frames, and as objects they take 10 MB for as long as the
    reader takes nothing. Promise: no more than some thousand frames wait.
    """
    live.clock.stand()  # a slow machine's client has earned more frames until they are read
    publish_large(live, 0)
    peer = await live.stream(receive_buffer=4096)
    subscribe = frame(TEXT, b'{"op":"subscribe","symbols":["S*"]}')
    await peer.write(subscribe + frame(PING) * (2 * FRAME_BURST))
    await until(lambda: not live.hub.connections)
    assert live.hub.counts.disconnects == {4029: 1}


@pytest.mark.parametrize("opcode", [PING, PONG])
@serving()
async def test_a_flood_of_frames_ends_the_connection(live: Live, opcode: int) -> None:
    """Pings and pongs are bounded in number, too, and what is beyond the limit is not even parsed: 4029.

    Seen: one client that wrote empty pings as fast as it could kept the loop for nine seconds, and everybody waited.
    """
    live.clock.stand()
    bystander, peer = await live.stream(), await live.stream()
    connection = live.connection(peer)
    flood = asyncio.create_task(peer.write(frame(opcode) * 1_000_000))
    assert await peer.close_code() == 4029
    assert not connection.transport.is_reading()
    peer.reset()
    with contextlib.suppress(OSError):
        await flood
    await until(lambda: len(live.connections) == 1)
    await bystander.say(op="ping", id=1)
    assert (await bystander.hear("pong"))["id"] == 1


@serving(hub={"ping_interval_s": 3600})
async def test_frames_within_their_rate_are_answered(live: Live) -> None:
    """As many messages as a client may send, each in as many pieces as it may have, for as long as it likes."""
    live.clock.stand()
    peer = await live.stream()
    await peer.hear("hello")
    for _ in range(100):
        live.clock.skip(1)
        text, empty = b'{"op":"ping","id":1}', frame(CONTINUATION, fin=False) * 62
        message = frame(TEXT, text[:9], fin=False) + empty + frame(CONTINUATION, text[9:])
        await peer.write(message * 10)
        for _ in range(10):
            assert (await peer.message())["type"] == "pong"


@serving()
async def test_a_full_reader_is_forgotten_after_its_bye(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader whose last bytes do not fit is dropped after a while, and nothing remembers it.

    Seen: the hub went on watching a connection that was gone. Cause: the write of the last bytes paused it, after
    it had been taken out of the hub. Promise: a connection that has left the hub stays out.
    """
    monkeypatch.setattr(transport, "CLOSE_PATIENCE_S", 0.1)
    peer = await live.stream(receive_buffer=4096)
    connection = live.connection(peer)
    connection.say_bye(Frame("bye", b" " * 8_000_000), 1012, "restart")
    assert connection.pending_bytes
    assert connection not in live.hub.paused
    await until(lambda: connection not in live.server.server_state.connections)
    assert live.hub.counts.disconnects == {1012: 1}


@serving(hub={"stall_s": 0.5})
async def test_a_client_that_takes_no_answer_is_dropped(live: Live) -> None:
    """A client that takes nothing of a large answer loses its connection; a slow one gets it whole.

    Seen: each held its answer in memory, and an open file, for ever: uvicorn closes a connection after an answer only
    once that is taken.
    """
    live.publish(dict.fromkeys(MANY, "1.5"), name="n" * 40_000)
    live.hub.flush()
    slow, stalled = [await live.connect(receive_buffer=4096) for _ in range(2)]
    await slow.request("GET", "/api/quotes?symbols=S*")
    connections: set[Any] = live.server.server_state.connections
    await until(lambda: any(http._stall_timer for http in connections))
    (http,) = (http for http in connections if http._stall_timer)
    await stalled.request("GET", "/api/quotes?symbols=S*")
    first = http._stall_timer
    head = await slow._until(b"\r\n\r\n")
    await slow._exactly(1_000_000)
    await until(lambda: http._stall_timer is not first)
    size = int(head.lower().partition(b"content-length: ")[2].split()[0])
    assert (await slow._exactly(size - 1_000_000)).endswith(b"}")
    await until(lambda: connections == {http})
    assert len(await stalled.rest()) < size


@serving()
async def test_an_answer_is_not_dropped_because_the_process_stood_still(live: Live) -> None:
    """The timer is late then, and fires before the socket has its turn: that alone is no reason."""
    live.publish(dict.fromkeys(MANY, "1.5"), name="n" * 40_000)
    live.hub.flush()
    peer = await live.connect(receive_buffer=4096)
    await peer.request("GET", "/api/quotes?symbols=S*")
    connections: set[Any] = live.server.server_state.connections
    await until(lambda: any(http._stall_timer for http in connections))
    (http,) = connections
    http._expect_taken(unsent_bytes(http.transport))
    assert (await peer.answer()).status == 200
