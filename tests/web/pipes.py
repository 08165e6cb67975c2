"""Connections without sockets: a transport with a kernel buffer of given size, and readers that take what they like.

The readers know `protocol.md`, RFC 6455 and the specification of server-sent events, and nothing of the service's code.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Callable
from typing import Any

from tests.ticker.model_reader import ModelReader
from tests.web.peer import CLOSE, PING, PONG, TEXT, UPGRADE, close_code, frame

KERNEL_BYTES = 700
"""What a kernel takes for who does not read: no more than a frame or two, so that any byte may be the last for now."""


class Pipe(asyncio.Transport):
    """The server's transport; callbacks come in the order and at the moments in which uvloop makes them."""

    def __init__(self, port: int) -> None:
        super().__init__({"peername": ("192.0.2.1", port), "sockname": ("192.0.2.9", 80)})
        self._loop = asyncio.get_running_loop()
        self._protocol: Any = None
        self._kernel = bytearray()
        self._waiting = bytearray()
        self._inbox: list[bytes] = []
        self._reading, self._full, self._closing, self._lost = True, False, False, False

    def write(self, data: Any) -> None:
        if self._lost or self._closing:
            return
        self._waiting += data
        self._fill()
        if self._waiting and not self._full:
            self._full = True
            self._protocol.pause_writing()

    def _fill(self) -> None:
        room = max(0, KERNEL_BYTES - len(self._kernel))
        self._kernel += self._waiting[:room]
        del self._waiting[:room]

    def writelines(self, parts: Any) -> None:
        self.write(b"".join(parts))

    def take(self, most: int) -> bytes:
        """The peer reads."""
        data = bytes(self._kernel[:most])
        del self._kernel[:most]
        self._fill()
        if self._full and not self._waiting and not self._lost:
            self._full = False
            self._loop.call_soon(self._tell, "resume_writing")
        if self._closing and not self._waiting:
            self._end(None)
        return data

    def say(self, data: bytes) -> None:
        """The peer writes."""
        self._inbox.append(data)
        self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        while self._inbox and self._reading and not self._closing and not self._lost:
            self._protocol.data_received(self._inbox.pop(0))

    def _tell(self, what: str) -> None:
        if not self._lost:
            getattr(self._protocol, what)()

    def _end(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = True
            self._loop.call_soon(self._protocol.connection_lost, error)

    def reset(self) -> None:
        """The connection breaks."""
        self._kernel.clear()
        self._waiting.clear()
        self._end(ConnectionResetError())

    @property
    def over(self) -> bool:
        """Whether the peer will read nothing more."""
        return (self._closing or self._lost) and not self._kernel and not self._waiting

    # What a protocol asks for

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high == 0, "full is what the kernel did not take"

    def get_write_buffer_size(self) -> int:
        return len(self._waiting)

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        self._loop.call_soon(self._deliver)

    def is_reading(self) -> bool:
        return self._reading

    def is_closing(self) -> bool:
        return self._closing or self._lost

    def close(self) -> None:
        self._closing, self._reading = True, False
        if not self._waiting:
            self._end(None)

    def abort(self) -> None:
        self._closing = True
        self._waiting.clear()
        self._end(None)


class Reader:
    """A client: its transport's other end, what it knows, and what it still waits for.

    Args:
        check: called with each frame that brought data, and whether that was the answer to a question.
    """

    def __init__(
        self, pipe: Pipe, model: ModelReader, check: Callable[[Reader, dict[str, Any], bool], None], *, events: bool
    ) -> None:
        self.pipe = pipe
        self.model = model
        self.events = events
        self.fields: list[str] | None = None
        self.asked: list[dict[str, Any]] = []
        """Messages without an answer."""
        self.due = False
        """Whether the next frame must be the data behind an answer."""
        self.said: list[str] = []
        self.subscribed = False
        self.closed: int | None = None
        self._check = check
        self._bytes = bytearray()
        self._head_seen = False
        self._text = ""
        model.connect()

    def read(self, most: int) -> None:
        """Take so many bytes, and understand what is whole."""
        self._bytes += self.pipe.take(most)
        if not self._head_seen:
            if b"\r\n\r\n" not in self._bytes:
                return
            self._head_seen = True
            head, _, rest = bytes(self._bytes).partition(b"\r\n\r\n")
            self._bytes = bytearray(rest)
            self.status = int(head.split()[1])
            self.deflates = b"permessage-deflate" in head
        if self.status not in {101, 200}:
            assert self.status == 503
            self.asked.clear()
            self.pipe.reset()
        else:
            while self._one_event() if self.events else self._one_frame():
                pass

    def _one_frame(self) -> bool:
        data = self._bytes
        if len(data) < 2:
            return False
        first, size, at = data[0], data[1], 2
        assert size < 128, "servers do not mask"
        assert first & 0x80, "and ours does not fragment"
        if size > 125:
            at += 2 if size == 126 else 8
            size = int.from_bytes(data[2:at], "big")
        if len(data) < at + size:
            return False
        payload = bytes(data[at : at + size])
        del data[: at + size]
        assert self.closed is None, "a frame behind the close"
        if first & 0x40:
            assert self.deflates
            payload = zlib.decompressobj(-15).decompress(payload + b"\0\0\xff\xff")
        if first & 0x0F == TEXT:
            self._message(payload)
        elif first & 0x0F == PING:
            self.pipe.say(frame(PONG, payload))
        elif first & 0x0F == CLOSE:
            self.closed = close_code(payload)
            self.pipe.say(frame(CLOSE, payload))
        return True

    def _one_event(self) -> bool:
        size, line, rest = bytes(self._bytes).partition(b"\r\n")
        if not line or len(rest) < int(size, 16) + 2:
            return False
        self._bytes = bytearray(rest[int(size, 16) + 2 :])
        self._text += rest[: int(size, 16)].decode()
        if size == b"0":
            assert not self._text, "the response ends within an event"
            self.closed = 0
        while "\n\n" in self._text:
            event, _, self._text = self._text.partition("\n\n")
            fields = dict(line.split(": ", 1) for line in event.split("\n"))
            assert fields["event"] == json.loads(fields["data"])["type"]
            self._message(fields["data"].encode())
            if fields["event"] in {"snapshot", "update"}:
                assert fields["id"] == self.model.cursor
        return True

    def _message(self, text: bytes) -> None:
        message = json.loads(text)
        kind = message["type"]
        self.said.append(kind)
        if self.due:
            assert kind in {"snapshot", "update"}, "an answer without its data behind it"
        self.model.apply(text)
        if kind in {"subscribed", "unsubscribed", "error"}:
            question = self.asked.pop(0)
            assert message.get("id") == question.get("id"), "an answer to something else"
            assert kind == "error" or kind.startswith(question["op"])
            self.due = kind != "error"
            self.subscribed |= self.due
            if self.due:
                self.fields = question.get("fields") or self.fields
        elif kind in {"snapshot", "update"}:
            answers, self.due = self.due, False
            self._check(self, message, answers)

    def ask(self, **message: Any) -> None:
        """Send a message."""
        self.asked.append(message)
        self.pipe.say(frame(TEXT, json.dumps(message).encode()))


def request(target: str, *, events: bool, deflates: bool = False) -> bytes:
    """The head of a reader's request."""
    headers = ["Host: localhost"]
    if not events:
        headers += UPGRADE
    if deflates:
        headers.append("Sec-WebSocket-Extensions: permessage-deflate")
    return "\r\n".join((f"GET {target} HTTP/1.1", *headers, "", "")).encode()
