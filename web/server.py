"""uvicorn embedded in our own loop: the listening socket, and a server that is one task.

Only this, `web.connection`, `web.handshake`, `web.transport` and a little of `web.sse` rely on uvicorn's internals.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import os
import socket
import ssl
import sys
from collections.abc import Callable, Generator
from typing import Any

import uvicorn

from ticker.errors import ConfigError, TickerError
from ticker.settings import Settings
from web.certificate import why
from web.connection import BoundedHttp
from web.handshake import Door
from web.transport import MAX_FRAGMENTS, SharedFrames

NOTSENT_LOWAT_BYTES = 16_384
"""How much the kernel may hold unsent for one connection before it takes no more."""
LEAVE_S = 2.0
"""How long answers may still take once the server stops."""
GRACEFUL_S = 3
"""When uvicorn loses patience with them: it would log each as an error, with a traceback, so none must be left."""


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

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, but answers that nobody takes, or that wait for an exchange, are dropped without a word."""
        timer = asyncio.get_running_loop().call_later(LEAVE_S, self._drop)
        try:
            await super().shutdown(sockets)
        finally:
            timer.cancel()

    def _drop(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for task in list(self.server_state.tasks):
            task.cancel()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals belong to the service."""
        yield


def make_server(
    app: Any, door: Door | None, settings: Settings, files: int = sys.maxsize, spare_files: int = 0
) -> Server:
    """A server for an app and its stream's door, to be run with `serve(sockets=[listen(…)])`.

    Args:
        app: what it serves.
        door: the stream's.
        settings: how it serves.
        files: how many files the process may open.
        spare_files: how many of them no client gets; see `web.connection.BoundedHttp`.

    Raises:
        ConfigError: certificate or key cannot be used.
    """
    cert, key = settings.server.tls_cert, settings.server.tls_key
    if key and not cert:
        raise ConfigError(f"server.tls_key {key}: give its certificate as server.tls_cert, too")
    http: dict[str, Any] = {"head_timeout_s": settings.limits.handshake_s, "stall_s": settings.hub.stall_s}
    if door is not None:
        http |= {"most_files": files - spare_files, "refused": door.full}
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
        timeout_graceful_shutdown=GRACEFUL_S,
        ssl_certfile=cert or None,
        ssl_keyfile=key or None,
        ssl_keyfile_password="none",  # noqa: S106 - else an encrypted key prompts; an empty password counts as none
    )
    try:
        config.load()
    except OSError as error:  # ssl.SSLError is one
        names = f"{cert} {key}" if key else cert
        raise ConfigError(f"server.tls_cert {names}: {why(error)}") from error
    if config.ssl is not None and door is not None:
        _limit_handshakes(config.ssl, spare_files, door.full)
    return Server(config, settings.limits.handshake_s)


def _limit_handshakes(context: ssl.SSLContext, spare_files: int, full: Callable[[str], object]) -> None:
    """Let a context begin no TLS handshake unless some files are free: `BoundedHttp` sees a connection only after it.

    What is refused here ends without an answer, which would have to be encrypted; only its transport knows its address.
    """
    begin = context.wrap_bio

    def wrap_bio(*args: Any, **kwargs: Any) -> ssl.SSLObject:
        if not _are_free(spare_files):
            full("")
            raise ConnectionRefusedError  # loops end the connection, and take this for the network's fault
        return begin(*args, **kwargs)

    context.wrap_bio = wrap_bio  # type: ignore[method-assign]


def _are_free(files: int) -> bool:
    """Whether as many files can be opened now."""
    opened: list[int] = []
    try:
        for _ in range(files):
            opened.append(os.dup(0))  # noqa: PERF401 - those before the one that fails are to be closed
    except OSError:
        return False
    finally:
        for file in opened:
            os.close(file)
    return True


def listen(host: str, port: int, *, reuse: bool = False) -> socket.socket:
    """A listening socket whose connections hold little unsent data in the kernel.

    With `reuse` other processes of this user may listen on the same port; the kernel shares out the connections.

    Raises:
        TickerError: the address is not available; the message says why and what to do.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
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
