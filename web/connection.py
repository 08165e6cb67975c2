"""uvicorn's HTTP connection with limits: on a request's head, and on how long an answer may wait to be taken.

An endpoint may also take the connection over, to write a stream without an end. The counterpart for WebSockets is
`web.handshake` and `web.transport`.
"""

from __future__ import annotations

import asyncio
import random
import sys
import weakref
from typing import Any, NamedTuple, Protocol

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from web.pause import unsent_bytes
from web.problem import raw_problem

EXCHANGE = "ticker.http"
"""Key of `scope["extensions"]` under which an endpoint finds its `Exchange`."""
MAX_HEAD_BYTES = 32_768
MAX_HEADER_LINES = 100
MAX_WAITING_REQUESTS = 100
"""How many pipelined requests may wait for the answer to the one before them."""
REFUSED_S = 1.0
"""How long a connection that is refused for want of open files may take to end."""


class HeadError(Exception):
    """What is wrong with a request head that the parser would accept."""


class Stream(Protocol):
    """A response that writes to the connection itself, and is told of its state."""

    def pause(self) -> None:
        """The kernel did not take all of the last write; possibly called inside `write`."""

    def resume(self) -> None:
        """The kernel has taken everything."""

    def lost(self, error: Exception | None) -> None:
        """The connection is over."""


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's HTTP connection with limits on the time, the bytes and the lines of a request's head.

    A client that takes nothing at all of an answer for `stall_s` is dropped; streams are watched by the hub instead.
    An endpoint may attach a stream, which then writes to `transport` itself; its response must be the last one.

    Attributes:
        most_files: a connection whose file has this number, or a higher one, is refused. As the system gives each the
            lowest that is free, then all below are open, and the rest is for feeds, the page's files and the like.
    """

    most_files = sys.maxsize
    _stream: Stream | None = None
    _running: RequestResponseCycle | None = None
    head_timeout_s = 10.0
    stall_s = 10.0
    _head_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _data = _unparsed = b""
    _stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # To pause as soon as the kernel does not take all. TLS pauses at the limit, not above it: always, if it is 0.
        transport.set_write_buffer_limits(high=1 if self.scheme == "https" else 0, low=0)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.fileno() >= self.most_files:
            self.refused(self.client[0] if self.client else "")
            self._refuse(503, "overloaded", "too many connections now", {"Retry-After": str(random.randint(1, 5))})
            self.loop.call_later(REFUSED_S, transport.abort)
        else:
            self._expect_head()

    def refused(self, address: str) -> None:
        """Count a connection that is refused because of its file; see `web.handshake.Door.full`."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_done()
        self._taken()
        super().connection_lost(exc)
        if self._running is not None:  # of pipelined requests uvicorn tells only the last, which has not begun
            self._running.disconnected = True
            self._running.message_event.set()
        # They refer back to this: all would wait for the garbage collector.
        self.cycle = self._running = None  # type: ignore[assignment]
        if self._stream is not None:
            self._stream.lost(exc)
            self._stream = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle

        async def until_dropped(scope: Any, receive: Any, send: Any) -> None:
            try:
                await app(scope, receive, send)
            except asyncio.CancelledError:  # the server stops; uvicorn takes this for a bug, and would answer 500
                cycle.disconnected = True

        super()._start_asgi_task(cycle, until_dropped)

    def attach(self, stream: Stream, cycle: RequestResponseCycle) -> None:
        """Let a response write to the connection itself from now on; whatever the client still sends is ignored.

        For uvicorn the response is complete, so that its endpoint may return.
        """
        self.pipeline.clear()
        self.cycle = cycle
        cycle.response_complete = True
        self.flow.resume_reading()  # else a disconnect would go unnoticed
        self._taken()
        self._stream = stream

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stream is not None:
            self._stream.pause()
        else:
            self._expect_taken()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._taken()
        if self._stream is not None:
            self._stream.resume()

    def data_received(self, data: bytes) -> None:
        if self._stream is not None:
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(431, "too_large", f"the request head has more than {MAX_HEAD_BYTES} bytes")
            return
        if self._head_timer is None and (self.cycle is None or self.cycle.response_complete):
            self._expect_head()
        while data:
            self._data = data
            super().data_received(data)
            data, self._unparsed = self._unparsed, b""
        self._data = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        if len(self.headers) > MAX_HEADER_LINES:
            raise HeadError(f"the request head has more than {MAX_HEADER_LINES} lines")

    def _should_upgrade(self) -> bool:
        """Only HTTP/1.1 may become a WebSocket (RFC 6455, section 4.1); uvicorn accepts 1.0, too.

        That a `Connection` header asks for an upgrade is known here; uvicorn looks at the last such header only.
        """
        return self.scope["http_version"] != "1.0" and dict(self.headers).get(b"upgrade", b"").lower() == b"websocket"

    def _unsupported_upgrade_warning(self) -> None:
        """Stay with HTTP, as RFC 9110 (section 7.8) allows: Java's client asks for h2c with each of its requests.

        The parser has stopped behind the request, and uvicorn drops what came with it: further, pipelined ones.
        """
        stopped = sys.exception()
        assert isinstance(stopped, httptools.HttpParserUpgrade)
        self._unparsed = self._data[stopped.args[0] :]

    def handle_websocket_upgrade(self) -> None:
        self._taken()
        super().handle_websocket_upgrade()
        self.parser = None  # type: ignore[assignment]  # it refers to this, as in `connection_lost`

    def on_headers_complete(self) -> None:
        self._head_done()
        super().on_headers_complete()
        if len(self.pipeline) > MAX_WAITING_REQUESTS:
            raise HeadError(f"more than {MAX_WAITING_REQUESTS} pipelined requests")
        if self.cycle is not None and self.cycle.scope is self.scope:
            exchange: Any = Exchange(weakref.ref(self), weakref.ref(self.cycle))
            self.scope["extensions"] = {EXCHANGE: exchange}  # before the endpoint's task has begun
        elif self.cycle is not None and not (
            self.cycle.response_complete and self.transport.get_write_buffer_size() == 0
        ):
            raise HeadError("open a WebSocket on a new connection, or after the answer to the last request")
        else:  # it becomes a WebSocket, whose parser does not know absolute URIs (RFC 6455, section 4.2.1)
            url = httptools.parse_url(self.url)
            self.url = url.path + (b"?" + url.query if url.query else b"")

    def _expect_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_timeout_s, self.transport.abort)

    def _head_done(self) -> None:
        self._head_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _expect_taken(self, before: int = 0, again: bool = False) -> None:
        """Abort if nothing is taken twice in a row; once may be because the process itself stood still."""
        unsent = unsent_bytes(self.transport)
        stalled = unsent == before
        if stalled and again:
            self.transport.abort()
        else:
            self._stall_timer = self.loop.call_later(self.stall_s / 2, self._expect_taken, unsent, stalled)

    def _taken(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser refused, or one of our own checks, whose error is the context of the parser's."""
        error = getattr(sys.exception(), "__context__", None)
        self._refuse(400, "bad_request", str(error) if isinstance(error, HeadError) else msg)

    def _refuse(self, status: int, code: str, text: str, headers: dict[str, str] | None = None) -> None:
        self._head_done()
        self.transport.write(raw_problem(status, code, text, headers))
        self.transport.close()


class Exchange(NamedTuple):
    """A connection and its current request; weak, since both refer to what has this."""

    http: weakref.ref[BoundedHttp]
    cycle: weakref.ref[RequestResponseCycle]
