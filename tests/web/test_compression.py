"""Compression: negotiated to the letter of RFC 7692, done once for all, and understood by a real client."""

from __future__ import annotations

import asyncio
import json
import zlib

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.web.peer import TEXT, Peer, View, frame
from tests.web.server import Live, serving, until
from tests.web.test_transport import tapped
from ticker.protocol import Frame
from web.transport import SharedFrames
from web.wire import packed, wire

BROWSER = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
"""What Chromium and Firefox offer."""
PLAIN, PACKED = 0x81, 0xC1
MANY = {f"S{i:03d}-USD": f"{90_000 + i}.25" for i in range(120)}
"""Enough symbols for a snapshot that is compressed for one, and an update that is compressed for four."""


async def receive(peer: Peer) -> tuple[int, bytes]:
    """Read one frame: its first byte as it is, and its payload, inflated if it is a compressed one."""
    first, size = await peer._exactly(2)
    if size >= 126:
        size = int.from_bytes(await peer._exactly(2 if size == 126 else 8))
    payload = await peer._exactly(size)
    if first & 0x40:
        payload = zlib.decompressobj(-zlib.MAX_WBITS).decompress(payload + b"\x00\x00\xff\xff")
    return first, payload


async def hear(peer: Peer, kind: str) -> int:
    """Read up to a message of a type; returns the first byte of its frame."""
    while True:
        first, payload = await receive(peer)
        if json.loads(payload)["type"] == kind:
            return first


async def browser(live: Live, offer: str = BROWSER) -> tuple[Peer, str]:
    """A client that offers compression, and the extensions that the server accepted."""
    peer = await live.connect()
    answer = await peer.upgrade("/ws?symbols=*", *([offer] if offer else []))
    assert answer.status == 101, answer
    return peer, answer.headers.get("sec-websocket-extensions", "")


@serving(prices=MANY)
async def test_each_message_to_a_browser_is_compressed_by_itself(live: Live) -> None:
    """Its offer is accepted without context takeover in either direction; a snapshot then opens with RSV1 set, and
    inflates without any other frame.
    """
    peer, accepted = await browser(live)
    assert accepted == "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    assert await hear(peer, "snapshot") == PACKED


@serving(prices=MANY)
async def test_four_readers_share_compressed_bytes(live: Live) -> None:
    """Four readers of a group share one compressed object; three get a plain one, since compressing would not pay."""
    peers = [(await browser(live))[0] for _ in range(4)]
    for peer in peers:
        await hear(peer, "snapshot")
    written: list[bytes] = []
    for connection in live.connections:
        connection.transport = tapped(connection.transport, written.append)
    for count, first in ((4, PACKED), (3, PLAIN)):
        live.publish(dict.fromkeys(MANY, f"{count}.5"))
        live.hub.flush()
        assert [await hear(peer, "update") for peer in peers] == [first] * count
        assert len(written) == count
        assert all(data is written[0] for data in written)
        written.clear()
        peers.pop().reset()
        await until(lambda: len(live.hub.connections) < count)  # noqa: B023 - called in this turn


@serving(prices=MANY)
async def test_a_short_frame_is_not_compressed(live: Live) -> None:
    """However many share a frame, it is compressed from 1 KiB on: below that the bytes saved are not worth the time."""
    peers = [(await browser(live))[0] for _ in range(4)]
    for peer in peers:
        await hear(peer, "snapshot")
    sizes = {PLAIN: 0, PACKED: 1 << 20}
    for count in range(20, 60):
        live.publish(dict.fromkeys(list(MANY)[:count], f"{count}.5"))
        live.hub.flush()
        ((first, payload), *others) = [await receive(peer) for peer in peers]
        assert [opening for opening, _ in others] == [first] * 3
        sizes[first] = (max if first == PLAIN else min)(sizes[first], len(payload))
    assert 768 < sizes[PLAIN] < 1024 <= sizes[PACKED] < 1280, "what was seen on both sides of the limit"


@pytest.mark.parametrize(
    "offer", ["", "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10",
              "Sec-WebSocket-Extensions: x-webkit-deflate-frame"],
)  # fmt: skip
@serving(prices=MANY)
async def test_a_client_that_cannot_take_shared_frames_gets_plain_ones(live: Live, offer: str) -> None:
    """No offer, an unknown one, or a smaller window than the shared bytes need: plain frames, the same content."""
    peer, _ = await browser(live, offer)
    assert await hear(peer, "snapshot") == PLAIN


@serving(prices=MANY, hub={"compress": False})
async def test_compression_can_be_switched_off(live: Live) -> None:
    """With `hub.compress` off nothing is accepted, and nothing is compressed."""
    peer, accepted = await browser(live)
    assert accepted == ""
    assert await hear(peer, "snapshot") == PLAIN


def deflated(text: bytes) -> bytes:
    """A client's frame with a text compressed by itself."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = frame(1, (deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4])
    return bytes([data[0] | 0x40]) + data[1:]


@serving(prices=MANY)
async def test_compressed_messages_are_understood(live: Live) -> None:
    """A client may compress, too (RFC 7692); a message that inflates to more than the limit closes with 1009."""
    peer, _ = await browser(live)
    await peer.write(deflated(b'{"op":"ping","id":7}'))
    await hear(peer, "pong")
    await peer.write(deflated(b" " * 1_000_000))
    while (received := await receive(peer))[0] & 15 != 8:
        pass
    assert int.from_bytes(received[1][:2]) == 1009


@serving(prices=MANY)
async def test_small_frames_that_inflate_to_much_are_bounded(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is within the limit of a message, but together they wait inflated while an answer is made.

    Seen: 90 KB, a thousand messages of 64 KiB each, took 64 MB of one connection.
    """
    live.clock.stand()
    peer, _ = await browser(live)
    handle, most = SharedFrames._handle_unread, 0

    def watched(connection: SharedFrames) -> None:
        nonlocal most
        most = max(most, sum(len(event.data) for event in connection._unread))
        handle(connection)

    monkeypatch.setattr(SharedFrames, "_handle_unread", watched)
    await peer.write(deflated(b" " * 65_000) * 600)
    await until(lambda: not live.hub.connections)
    assert live.hub.counts.disconnects == {4029: 1}
    assert 0 < most < 8_000_000


@serving(limits={"message_bytes": 1 << 20})
async def test_longer_messages_are_allowed_where_a_setting_says_so(live: Live) -> None:
    """What may wait grows with the longest message. Seen: the sixth message of 1 MB closed the connection with 4029."""
    live.clock.stand()
    peer = await live.stream()
    for number in range(20):
        await peer.send(TEXT, b'{"op":"ping","id":%d}' % number + b" " * 1_000_000)
        assert (await peer.hear("pong"))["id"] == number


@serving(prices=MANY)
async def test_a_real_client_follows_compressed_and_plain_frames(live: Live) -> None:
    """Ten clients of the `websockets` library, some compressing, some not, see exactly what is visible."""

    async def follow(client: ClientConnection, view: View, version: int) -> None:
        while view.version < version:
            view.apply(json.loads(await client.recv()))

    url = f"ws://127.0.0.1:{live.port}/ws?symbols=*"
    offers = ["deflate", None] * 5
    clients = [await connect(url, compression=o, proxy=None, max_size=None) for o in offers]
    views = [View() for _ in clients]
    for step in range(6):
        live.publish(dict.fromkeys(list(MANY)[:: step + 1], f"{step + 1}.25"))
        live.hub.flush()
        version = live.service.store.version
        await asyncio.gather(*(follow(c, v, version) for c, v in zip(clients, views, strict=True)))
    assert sum(connection.unpacks for connection in live.connections) == 5
    for view in views:
        assert view.quotes == views[0].quotes
        assert len(view.quotes) == len(MANY)
    for client in clients:
        await client.close()


def test_a_frame_that_would_grow_stays_plain() -> None:
    """What compression does not make smaller is sent as it is."""
    short = Frame("update", b"{}")
    assert packed(short) is wire(short)


@serving()
async def test_no_compressor_is_kept_for_a_connection(live: Live) -> None:
    """Neither direction keeps a context: a connection that has sent and received compressed messages holds none."""
    peer, _ = await browser(live)
    await hear(peer, "snapshot")
    connection = live.connections[0]
    assert isinstance(connection, SharedFrames)
    (extension,) = connection.conn.extensions
    assert not hasattr(extension, "encoder")
    assert not hasattr(extension, "decoder")
