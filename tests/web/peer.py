"""A client that sends exactly what it is told, and reads only when told; and a reader of the protocol."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from dataclasses import dataclass, field
from typing import Any, NamedTuple

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0
"""Opcodes of WebSocket frames."""
UPGRADE = (
    "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)  # fmt: skip
"""Headers that ask for a WebSocket."""


class Answer(NamedTuple):
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class View:
    """The five-line reader of the protocol: what it shows after the frames so far."""

    version: int = 0
    quotes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def apply(self, message: dict[str, Any]) -> None:
        """Take a message; it is an error if it does not continue what is known."""
        if message["type"] == "snapshot":
            self.quotes = message["quotes"]
        elif message["type"] == "update":
            assert message["since"] <= self.version <= message["version"], "the stream has a gap"
            for symbol, quote in message.get("quotes", {}).items():
                self.quotes.setdefault(symbol, {}).update(quote)
            for symbol in message.get("gone", ()):
                self.quotes.pop(symbol, None)
        else:
            return
        self.version = message["version"]


class Peer:
    """A bare client: it sends what a library would never send, and reads only when told."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._buffer = bytearray()
        self._loop = asyncio.get_running_loop()

    async def connect(self, port: int, receive_buffer: int | None = None) -> None:
        """Connect to a server of this machine."""
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.setblocking(False)
        await self._loop.sock_connect(self.sock, ("127.0.0.1", port))

    @property
    def port(self) -> int:
        """Its own port, by which the server knows it."""
        return int(self.sock.getsockname()[1])

    async def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        await self._loop.sock_sendall(self.sock, data)

    async def request(self, method: str, target: str, *headers: str) -> None:
        """Send a request's head; without a `Host` among the headers it names the server itself."""
        if not any(line.lower().startswith("host:") for line in headers):
            headers = (f"Host: 127.0.0.1:{self.sock.getpeername()[1]}", *headers)
        await self.write("\r\n".join((f"{method} {target} HTTP/1.1", *headers, "", "")).encode("latin-1"))

    async def upgrade(self, target: str = "/ws", *headers: str) -> Answer:
        """Ask for a WebSocket; the body is read only of a refusal."""
        await self.request("GET", target, *UPGRADE, *headers)
        return await self.answer()

    async def answer(self, *, body: bool = True) -> Answer:
        """Read a response; `body` is whether one follows a head that announces it."""
        head = bytes(await self._until(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        size = int(headers.get("content-length", 0)) if body else 0
        return Answer(int(first.split()[1]), headers, await self._exactly(size))

    async def send(self, opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True) -> None:
        """Send one frame."""
        await self.write(frame(opcode, payload, fin=fin, masked=masked))

    async def say(self, **message: object) -> None:
        """Send a message of the protocol."""
        await self.send(TEXT, json.dumps(message).encode())

    async def receive(self) -> tuple[int, bytes]:
        """Read one whole frame: its opcode and payload."""
        first, size = await self._exactly(2)
        assert first & 0xF0 == 0x80, "the server never fragments and sets no reserved bit"
        if size == 126:
            (size,) = struct.unpack("!H", await self._exactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self._exactly(8))
        return first & 0x0F, await self._exactly(size)

    async def message(self) -> dict[str, Any]:
        """Read the next message; heartbeats are skipped."""
        while (message := await self._any_message())["type"] == "heartbeat":
            pass
        return message

    async def hear(self, kind: str) -> dict[str, Any]:
        """Read up to the next message of a type."""
        while (message := await self._any_message())["type"] != kind:
            pass
        return message

    async def follow(self, view: View, version: int) -> list[dict[str, Any]]:
        """Read until a view has reached a version; returns the snapshots and updates that were read."""
        frames = []
        while view.version < version:
            message = await self.message()
            view.apply(message)
            if message["type"] in {"snapshot", "update"}:
                frames.append(message)
        return frames

    async def close_code(self) -> int:
        """Read up to the close frame and return its code; 1005 if it has none."""
        while True:
            opcode, payload = await self.receive()
            if opcode == CLOSE:
                return close_code(payload)

    async def rest(self) -> bytes:
        """Read until the server has closed its side, or dropped the connection."""
        with contextlib.suppress(ConnectionError):
            while data := await self._loop.sock_recv(self.sock, 65_536):
                self._buffer += data
        return bytes(self._buffer)

    def reset(self) -> None:
        """Drop the connection without a word, as a crash would."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    async def _any_message(self) -> dict[str, Any]:
        while True:
            opcode, payload = await self.receive()
            assert opcode != CLOSE, f"closed with {close_code(payload)}"
            if opcode == TEXT:
                return dict(json.loads(payload))

    async def take(self, most: int) -> None:
        """Take some bytes off the socket, to be read later."""
        self._buffer += await self._loop.sock_recv(self.sock, most)

    async def _until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            await self._fill()
        return await self._exactly(self._buffer.index(mark) + len(mark))

    async def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            await self._fill()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    async def _fill(self) -> None:
        data = await self._loop.sock_recv(self.sock, 65_536)
        if not data:
            raise ConnectionError("the server has closed the connection")
        self._buffer += data


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True) -> bytes:
    """A client's frame."""
    size, bit = len(payload), 0x80 if masked else 0
    head = bytes([fin << 7 | opcode])
    if size < 126:
        head += bytes([bit | size])
    elif size < 65_536:
        head += struct.pack("!BH", bit | 126, size)
    else:
        head += struct.pack("!BQ", bit | 127, size)
    return head + bytes(4 if masked else 0) + payload  # the mask of zeros changes nothing


def close_code(payload: bytes) -> int:
    """The code in the payload of a close frame."""
    return int(struct.unpack("!H", payload[:2])[0]) if payload else 1005
