"""One WebSocket to an exchange, with everything that can go wrong turned into a `FeedError`.

Promises: a deadline on connecting; no message longer than allowed, decompressed; no redirect followed, no proxy
taken from the environment; no address that may hold a secret in any error or log. Knows nothing of what is said.
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable, Collection, Mapping
from http import HTTPStatus

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    ProxyError,
    WebSocketException,
)
from websockets.frames import CloseCode

from feeds.exchange.fetch import Route, failure_of, retry_after_s, status_reason, tls_failure, without
from ticker import __version__
from ticker.clock import Clock
from ticker.errors import FatalFeedError, FeedError

CLOSE_S = 1.0
"""How long the other side may take to say goodbye."""

Note = Callable[[str, str | bytes], None]
"""Hears of each message: `sent` or `recv`, and the message."""


class Socket:
    """An open connection; closed by `close`, or at once by `abort`."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.note: Note | None = None
        self.secrets: Collection[str] = ()
        """What no message and no failure shall repeat."""

    async def receive(self) -> bytes:
        """The next message.

        Raises:
            FeedError: the connection has ended, or was ended for what came over it.
        """
        try:
            message = await self._connection.recv(decode=False)
        except ConnectionClosed as error:
            raise _ended(error, self.secrets) from error
        message = without(self.secrets, message)
        if self.note:
            self.note("recv", message)
        return message

    async def send(self, text: str) -> None:
        """Send a message; waits while the other side does not read.

        Raises:
            FeedError: the connection has ended.
        """
        if self.note:
            self.note("sent", text)
        try:
            await self._connection.send(text)
        except ConnectionClosed as error:
            raise _ended(error, self.secrets) from error

    async def ping(self) -> None:
        """Send a ping and wait for its pong, for as long as the connection lives.

        Raises:
            FeedError: the connection has ended.
        """
        try:
            await (await self._connection.ping())
        except ConnectionClosed as error:
            raise _ended(error, self.secrets) from error

    async def close(self) -> None:
        """Say goodbye, and end the connection even if there is no answer."""
        await self._connection.close()

    def abort(self) -> None:
        """End the connection now."""
        self._connection.transport.abort()


async def open_socket(
    url: str,
    clock: Clock,
    *,
    headers: Mapping[str, str],
    timeout_s: float,
    message_bytes: int,
    proxy: str | None,
    tls: ssl.SSLContext | None,
) -> Socket:
    """Connect.

    Args:
        url: ws or wss; never shown to anybody.
        clock: for a Retry-After that is a date.
        headers: sent beside those of the protocol; never shown to anybody.
        timeout_s: from the first packet to the end of the handshake.
        message_bytes: longest message, after decompression.
        proxy: URL of a proxy, or None.
        tls: what to trust, for wss.

    Raises:
        FeedError: it did not work, with its reason and the server's Retry-After.
        FatalFeedError: the key is not accepted.
    """
    try:
        connection = await _Connect(
            url,
            compression="deflate",
            additional_headers=headers,
            user_agent_header=f"ticker/{__version__}",
            proxy=proxy,
            open_timeout=timeout_s,
            ping_interval=None,  # whoever holds the connection judges what a missing pong means
            close_timeout=CLOSE_S,
            max_size=message_bytes,
            logger=logging.Logger("silent", logging.CRITICAL + 1),  # noqa: LOG001 - nobody's: its lines hold addresses
            ssl=tls if url.startswith("wss:") else None,
        )
    except InvalidStatus as error:
        code = error.response.status_code
        if code == HTTPStatus.UNAUTHORIZED:
            raise FatalFeedError("stream: HTTP status 401: the key is not accepted", reason="http_4xx") from None
        wait_s = retry_after_s(error.response.headers.get("Retry-After"), clock.wall_ms())
        raise FeedError(f"stream: HTTP status {code}", reason=status_reason(code), retry_after_s=wait_s) from None
    except (OSError, WebSocketException) as error:
        raise _refused(error, Route.of(url, proxy), timeout_s) from None
    return Socket(connection)


class _Connect(connect):
    """The library's connect without redirects: the host is who was configured, and nobody else."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


def _refused(error: Exception, route: Route, timeout_s: float) -> FeedError:
    match error:
        case TimeoutError():
            return FeedError(f"stream: {route} did not answer within {timeout_s:g} s", reason="timeout")
        case socket.gaierror():
            return FeedError(f"stream: no address for {route.first}", reason="dns")
        case ssl.SSLError():
            return FeedError(f"stream: TLS with {route.host} failed: {tls_failure(error)}", reason="tls")
        case ProxyError():
            return FeedError(f"stream: the proxy {route.proxy} does not connect to {route.host}", reason="connect")
        case InvalidMessage() if isinstance(error.__cause__, EOFError):
            return FeedError(f"stream: {route} hung up", reason="closed")
        case InvalidHandshake():
            return FeedError(f"stream: {route} speaks no WebSocket ({type(error).__name__})")
        case ConnectionResetError() | ConnectionClosed():
            return FeedError(f"stream: {route} hung up", reason="closed")
        case OSError():
            return FeedError(f"stream: {route.first}: {failure_of(error)}", reason="connect")
    return FeedError(f"stream: {type(error).__name__}")


def _ended(error: ConnectionClosed, secrets: Collection[str]) -> FeedError:
    if error.sent and not error.rcvd_then_sent:  # it was us: the library does not take what came
        reason = "too_large" if error.sent.code == CloseCode.MESSAGE_TOO_BIG else "protocol"
        return FeedError(f"stream: a message that cannot be taken (close code {error.sent.code})", reason=reason)
    if error.rcvd is None:
        return FeedError("stream: the connection was lost", reason="closed")
    reason = without(secrets, error.rcvd.reason.encode()).decode()
    why = f" {reason[:100]!r}" if reason else ""
    return FeedError(f"stream: closed by the exchange, code {error.rcvd.code}{why}", reason="closed")
