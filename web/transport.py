"""The socket: uvicorn embedded in our own loop, and its WebSocket protocol taught to share frames.

After the handshake an endpoint *detaches* a connection: the ASGI task ends, the socket stays, and from then on

* text goes straight to a `Session`, without a queue or a task;
* `write` is the only thing that touches the transport. It takes a frame whole or refuses it, and never raises;
  the bytes of a frame are made once and shared by all connections;
* at most one frame waits in the process: the write buffer's limit is zero, so "paused" means that the kernel did
  not take all of the last one. While paused, nothing is read either;
* a reader that takes no byte for too long is closed with 4008 and then aborted; so is one that answers no ping.

This file leans on undocumented attributes of uvicorn's sans-I/O protocol; `tests/web/test_transport.py` holds the
contract and fails loudly when it changes. Nothing else in the project knows uvicorn's inside.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import Generator
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Close, Opcode
from websockets.frames import Frame as WireFrame
from websockets.protocol import State

from ticker import protocol
from ticker.errors import TickerError
from ticker.groups import Group
from ticker.hub import Hub
from ticker.protocol import Frame
from ticker.session import Session

EXTENSION = "ticker.connection"
"""Key of `scope["extensions"]` under which an endpoint finds its `SharedFrames`."""
NOTSENT_LOWAT_BYTES = 16_384
"""What the kernel may hold unsent for one connection before it says "full"."""
MAX_FRAGMENTS = 64
CLOSE_PATIENCE_S = 2.0
"""How long a closing connection may take before it is aborted."""
HEAD_TIMEOUT_S = 10.0
MAX_HEAD_BYTES = 32_768
MAX_HEADER_LINES = 100


def wire(frame: Frame) -> bytes:
    """The frame as an unmasked WebSocket text frame (RFC 6455, section 5.2), made once."""
    if frame.wire is None:
        size = len(frame.data)
        if size < 126:
            head = struct.pack("!BB", 0x81, size)
        elif size < 65_536:
            head = struct.pack("!BBH", 0x81, 126, size)
        else:
            head = struct.pack("!BBQ", 0x81, 127, size)
        frame.wire = head + frame.data
    return frame.wire


class SharedFrames(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket connection, which an endpoint may detach and hand to the hub.

    Attributes:
        open: false from the moment that nothing more may be written.
        paused: the kernel has not taken all of the last write.
        group, since: see `ticker.groups.Reader`.
    """

    group: Group | None = None
    since = 0
    open = False
    paused = False
    address = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._hub: Hub | None = None
        self._session: Session | None = None
        self._unread: deque[WireFrame] = deque()
        self._fragments: list[bytes] = []
        self._paused_at = 0.0
        self._unsent = 0
        self._close_code = 1006
        self._abort_timer: asyncio.TimerHandle | None = None

    # Detaching

    def detach(self, hub: Hub, session: Session, first: list[Frame]) -> None:
        """Take the connection over from its endpoint, which must return now, and write the first frames."""
        self._hub, self._session = hub, session
        self.address = self.client[0] if self.client else ""
        self.open = True
        self.transport.set_write_buffer_limits(high=0)
        self.queue = _NO_QUEUE
        hub.add(self)
        self._reply(first)

    async def run_asgi(self) -> None:
        """As uvicorn's, but a detached connection outlives its endpoint."""
        extensions: dict[str, Any] = self.scope["extensions"]
        extensions[EXTENSION] = self
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except Exception:
            self.logger.exception("error in a WebSocket endpoint")
            self.send_500_response()
        if self._hub is None:
            if self.close_timer is None:
                self.transport.close()
            return
        for name in ("scope", "request", "response"):
            self.__dict__.pop(name, None)

    # Writing

    def write(self, frame: Frame) -> bool:
        """Take a frame whole, or refuse it; see `ticker.groups.Reader`."""
        if self.paused or not self.open:
            return False
        return self._write(wire(frame))

    def _write(self, data: bytes) -> bool:
        try:
            self.transport.write(data)
        except Exception:  # noqa: BLE001 - uvloop raises whatever the socket met; it is this connection's end
            self.open = False
            self.loop.call_soon(self.abort)
            return False
        return True

    def _reply(self, frames: list[Frame]) -> None:
        if frames and self.open:
            self._write(b"".join(map(wire, frames)))

    def pause_writing(self) -> None:
        """Called by the transport, possibly inside `write`: only flags change."""
        super().pause_writing()
        if self._hub is not None and not self.paused:
            self.paused = True
            self._paused_at = self._hub.now()
            self._unsent = self.transport.get_write_buffer_size()
            self._hub.paused.add(self)
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Called by the transport when the kernel has taken everything: writes nothing, only says so."""
        super().resume_writing()
        if self._hub is None:
            return
        self.paused = False
        self._hub.paused.discard(self)
        if self.open:
            self._handle_unread()
        if self.open and not self.paused:
            self.transport.resume_reading()
            self._hub.ready(self)

    @property
    def pending_bytes(self) -> int:
        """What waits in the process to be sent."""
        return self.transport.get_write_buffer_size()

    def check_stall(self, now: float, stall_s: float) -> None:
        """Close with 4008 once nothing at all was taken for `stall_s`."""
        unsent = self.transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent, self._paused_at = unsent, now
        elif self.open and now - self._paused_at >= stall_s:
            self._end(protocol.STALLED, "stalled")

    # Reading

    def data_received(self, data: bytes) -> None:
        self.conn.receive_data(data)
        if self.conn.parser_exc is not None and not self.handshake_complete:
            self._refuse_handshake()
        elif self.conn.parser_exc is not None:
            self.handle_parser_exception()
        elif self._session is None:
            self.handle_events()
        else:
            events = [event for event in self.conn.events_received() if isinstance(event, WireFrame)]
            if self.open:
                self._unread.extend(events)
                self._handle_unread()
            elif any(event.opcode is Opcode.CLOSE for event in events):
                self.transport.close()  # the answer to our close

    def _handle_unread(self) -> None:
        """Handle what was received, until the connection ends or its reader takes no more answers."""
        while self._unread and self.open and not self.paused:
            event = self._unread.popleft()
            if event.opcode is Opcode.PING:
                self._write(b"".join(self.conn.data_to_send()))
            elif event.opcode is Opcode.PONG:
                self.handle_pong(event)
            elif event.opcode is Opcode.CLOSE:
                self.handle_close(event)
            elif event.opcode is Opcode.BINARY:
                self._end(protocol.BINARY_FRAME, "send text frames, not binary ones")
            else:
                self._fragments.append(bytes(event.data))
                if event.fin:
                    message, self._fragments = b"".join(self._fragments), []
                    self._receive(message)
                elif len(self._fragments) >= MAX_FRAGMENTS:
                    self._end(protocol.TOO_LARGE, f"more than {MAX_FRAGMENTS} fragments in a message")

    def _receive(self, message: bytes) -> None:
        assert self._session is not None
        self._reply(self._session.receive(message))
        if self._session.closing is not None:
            self._end(*self._session.closing)

    def _refuse_handshake(self) -> None:
        """Answer a request that the parser refused; uvicorn would leave it hanging."""
        body = b"the request is not a WebSocket handshake, or its URL is over 8,000 bytes\n"
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\n"
            b"content-length: %d\r\n\r\n%b" % (len(body), body)
        )
        self.close_sent = self.handshake_complete = True
        self.transport.close()

    # Ending

    def _leave(self, code: int) -> None:
        """Nothing may be written any more: the same line that closes takes the reader out of its group."""
        self.open = False
        if self._hub is not None:
            self._hub.remove(self, code)

    def _end(self, code: int, reason: str, last: bytes = b"") -> None:
        """Start the closing handshake, after some last bytes, and abort if it takes too long."""
        if not self.open:
            return
        self._leave(code)
        self.stop_keepalive()
        if self.conn.state is State.OPEN:
            self.conn.send_close(code, reason)
        self.close_sent = True
        with contextlib.suppress(Exception):
            self.transport.write(last + b"".join(self.conn.data_to_send()))
        self.transport.resume_reading()
        self._abort_later()

    def _abort_later(self) -> None:
        if self._abort_timer is None:
            self._abort_timer = self.loop.call_later(CLOSE_PATIENCE_S, self.abort)

    def say_bye(self, frame: Frame, code: int, reason: str) -> None:
        """Write a last frame, unless the reader takes none, and start the closing handshake."""
        self._end(code, reason, b"" if self.paused else wire(frame))

    def abort(self) -> None:
        """Drop the connection at once."""
        self._leave(self._close_code)
        self.transport.abort()

    def handle_close(self, event: WireFrame) -> None:
        """The peer closes."""
        if self._session is None:
            super().handle_close(event)
            return
        self._leave(Close.parse(bytes(event.data)).code)
        self._write(b"".join(self.conn.data_to_send()))
        self.transport.close()
        self._abort_later()

    def handle_parser_exception(self) -> None:
        """The peer broke the protocol; the parser has already chosen the close code."""
        code = self.conn.close_sent.code if self.conn.close_sent is not None else 1002
        self._leave(code)
        super().handle_parser_exception()
        self._abort_later()

    def send_keepalive_ping(self) -> None:
        """A reader that takes no bytes is judged by its stall, not by pings."""
        if self._session is None or (self.open and not self.paused):
            super().send_keepalive_ping()
        elif self.open:
            self.schedule_ping()

    def keepalive_timeout(self) -> None:
        """No pong: 4009, and no waiting for a peer that is gone."""
        if self._session is None:
            super().keepalive_timeout()
        else:
            self._end(protocol.NO_PONG, "no pong")

    def shutdown(self) -> None:
        """The server stops; those who are still here were not drained."""
        if self._session is None:
            super().shutdown()
        else:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave(self._close_code)
        if self._abort_timer is not None:
            self._abort_timer.cancel()
        super().connection_lost(exc)
        self._unread.clear()
        self._session = None


class _NoQueue(asyncio.Queue[Any]):
    """Stands in for the queue of a detached connection, which nobody reads."""

    def put_nowait(self, item: Any) -> None:
        """Forget it."""


_NO_QUEUE = _NoQueue()


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's HTTP connection with limits on the time, the bytes and the lines of a request's head."""

    _head_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_done()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.cycle is None or self.cycle.response_complete:  # these bytes belong to a head
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(431, "the request head is too large")
                return
            if self._head_timer is None:
                self._expect_head()
        super().data_received(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        if len(self.headers) > MAX_HEADER_LINES:
            raise ValueError("too many header lines")

    def on_headers_complete(self) -> None:
        self._head_done()
        super().on_headers_complete()

    def _expect_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.abort)

    def _head_done(self) -> None:
        self._head_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, status: int, text: str) -> None:
        self._head_done()
        body = f"{text}\n".encode()
        self.transport.write(
            b"HTTP/1.1 %d Refused\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n%b"
            % (status, len(body), body)
        )
        self.transport.close()


class Server(uvicorn.Server):
    """uvicorn's server as one task of ours: it leaves the signals alone and is stopped by `should_exit`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals belong to the service."""
        yield


def make_server(app: Any, *, message_bytes: int, ping_interval_s: float, ping_timeout_s: float) -> Server:
    """A server for an app, to be run with `serve(sockets=[listen(…)])`."""
    config = uvicorn.Config(
        app,
        http=BoundedHttp,
        ws=SharedFrames,
        ws_max_size=message_bytes,
        ws_ping_interval=ping_interval_s,
        ws_ping_timeout=ping_timeout_s,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=3,
    )
    return Server(config)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket whose connections hold little unsent data in the kernel.

    Raises:
        TickerError: the address cannot be had; the message says why and what to do.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(AttributeError, OSError):  # only Linux and macOS have it
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOTSENT_LOWAT_BYTES)
        sock.bind((host, port))
        sock.listen(2048)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise TickerError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; choose another with --port"
        ) from error
    return sock
