"""uvicorn embedded in our own loop: the listening socket, bounded request heads, and a server that is one task.

Only this, `web.handshake`, `web.transport` and a little of `web.sse` rely on uvicorn's internals.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import socket
import sys
import weakref
from collections.abc import Generator
from typing import Any, NamedTuple, Protocol

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ticker.errors import ConfigError, TickerError
from ticker.settings import Settings
from web.certificate import why
from web.handshake import Door
from web.pause import unsent_bytes
from web.problem import raw_problem
from web.transport import MAX_FRAGMENTS, SharedFrames

NOTSENT_LOWAT_BYTES = 16_384
"""How much the kernel may hold unsent for one connection before it takes no more."""
EXCHANGE = "ticker.http"
"""Key of `scope["extensions"]` under which an endpoint finds its `Exchange`."""
MAX_HEAD_BYTES = 32_768
MAX_HEADER_LINES = 100
MAX_WAITING_REQUESTS = 100
"""How many pipelined requests may wait for the answer to the one before them."""


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
    """

    _stream: Stream | None = None
    _running: RequestResponseCycle | None = None
    head_timeout_s = 10.0
    stall_s = 10.0
    _head_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # To pause as soon as the kernel does not take all. TLS pauses at the limit, not above it: always, if it is 0.
        transport.set_write_buffer_limits(high=1 if self.scheme == "https" else 0, low=0)
        self._expect_head()

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
        super()._start_asgi_task(cycle, app)

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
        super().data_received(data)

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
        """Stay with HTTP, as RFC 9110 (section 7.8) allows: Java's client asks for h2c with each of its requests."""

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

    def _refuse(self, status: int, code: str, text: str) -> None:
        self._head_done()
        self.transport.write(raw_problem(status, code, text))
        self.transport.close()


class Exchange(NamedTuple):
    """A connection and its current request; weak, since both refer to what has this."""

    http: weakref.ref[BoundedHttp]
    cycle: weakref.ref[RequestResponseCycle]


class Server(uvicorn.Server):
    """uvicorn's server as one task of ours: it leaves the signals alone and is stopped by `should_exit`.

    Args:
        config: uvicorn's.
        handshake_s: how long a TLS handshake may take, and its goodbye; uvicorn has no say in it, and loops give 60 s.
    """

    def __init__(self, config: uvicorn.Config, handshake_s: float = 10.0) -> None:
        super().__init__(config)
        self._handshake_s = handshake_s

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, but for TLS."""
        config, loop = self.config, asyncio.get_running_loop()
        protocol: Any = config.http_protocol_class
        make = functools.partial(
            protocol,
            config=config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        more: dict[str, Any] = {"ssl": config.ssl, "backlog": config.backlog}
        if config.ssl:
            more |= {"ssl_handshake_timeout": self._handshake_s, "ssl_shutdown_timeout": self._handshake_s}
        servers = [await loop.create_server(make, sock=sock, **more) for sock in sockets or ()]
        await super().startup([])
        self.servers = servers

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals belong to the service."""
        yield


def make_server(app: Any, door: Door | None, settings: Settings) -> Server:
    """A server for an app and its stream's door, to be run with `serve(sockets=[listen(…)])`.

    Raises:
        ConfigError: certificate or key cannot be used.
    """
    cert, key = settings.server.tls_cert, settings.server.tls_key
    if key and not cert:
        raise ConfigError(f"server.tls_key {key}: give its certificate as server.tls_cert, too")
    http = {"head_timeout_s": settings.limits.handshake_s, "stall_s": settings.hub.stall_s}
    ws = {
        "door": door,
        "compress": settings.hub.compress,
        "frames_per_s": MAX_FRAGMENTS * settings.limits.messages_per_s,
    }
    config = uvicorn.Config(
        app,
        http=type("Http", (BoundedHttp,), http),
        ws=type("Stream", (SharedFrames,), ws),
        ws_max_size=settings.limits.message_bytes,
        ws_ping_interval=None,  # `web.pings` does this
        ws_per_message_deflate=False,  # `web.wire` does this
        proxy_headers=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=3,
        ssl_certfile=cert or None,
        ssl_keyfile=key or None,
        ssl_keyfile_password="none",  # noqa: S106 - else an encrypted key prompts; an empty password counts as none
    )
    try:
        config.load()
    except OSError as error:  # ssl.SSLError is one
        files = f"{cert} {key}" if key else cert
        raise ConfigError(f"server.tls_cert {files}: {why(error)}") from error
    return Server(config, settings.limits.handshake_s)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket whose connections hold little unsent data in the kernel.

    Raises:
        TickerError: the address is not available; the message says why and what to do.
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
        flag = "--port" if error.errno in {errno.EADDRINUSE, errno.EACCES} else "--host"
        raise TickerError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; choose another with {flag}"
        ) from error
    return sock
