"""One WebSocket to an exchange, with everything that can go wrong turned into a `FeedError`.

Connecting has a deadline, and messages a size limit after decompression. Redirects are not followed, and proxies are
not taken from the environment. Errors and log lines show host names only, since a URL may hold a secret.
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

from feeds.exchange.failures import Route, failure_of, retry_after_s, status_reason, status_text, tls_failure, without
from ticker import __version__
from ticker.clock import Clock
from ticker.errors import FatalFeedError, FeedError

CLOSE_S = 1.0
"""How long the closing handshake may take, in seconds."""

Note = Callable[[str, str | bytes], None]
"""Called with each message: `sent` or `recv`, and the message."""


class Socket:
    """An open connection; closed by `close`, or at once by `abort`."""

    def __init__(self, connection: ClientConnection, host: str) -> None:
        self.host = host
        self._connection = connection
        self.note: Note | None = None
        self.secrets: Collection[str] = ()
        """Texts to be removed from messages and failures."""

    async def receive(self) -> bytes:
        """The next message.

        Raises:
            FeedError: the connection has ended, or was closed because of an invalid message.
        """
        try:
            message = await self._connection.recv(decode=False)
        except ConnectionClosed as error:
            raise self._ended(error) from error
        message = without(self.secrets, message)
        if self.note:
            self.note("recv", message)
        return message

    async def send(self, text: str) -> None:
        """Send a message; waits while the exchange does not read.

        Raises:
            FeedError: the connection has ended.
        """
        if self.note:
            self.note("sent", text)
        try:
            await self._connection.send(text)
        except ConnectionClosed as error:
            raise self._ended(error) from error

    async def ping(self) -> None:
        """Send a ping and wait for its pong, as long as the connection lives.

        Raises:
            FeedError: the connection has ended.
        """
        try:
            await (await self._connection.ping())
        except ConnectionClosed as error:
            raise self._ended(error) from error

    async def close(self) -> None:
        """Close with a closing handshake, or without one if the exchange does not answer."""
        await self._connection.close()

    def abort(self) -> None:
        """End the connection now."""
        self._connection.transport.abort()

    def _ended(self, error: ConnectionClosed) -> FeedError:
        if error.sent and not error.rcvd_then_sent:  # we closed it: the library does not accept what came
            code = error.sent.code
            if code == CloseCode.MESSAGE_TOO_BIG:
                return FeedError(f"{self.host} sent a message that is too large", reason="too_large")
            return FeedError(f"{self.host} sent an invalid message (close code {code})")
        if error.rcvd is None:
            return FeedError(f"the connection to {self.host} was lost", reason="closed")
        reason = without(self.secrets, error.rcvd.reason.encode()).decode()
        why = f" {reason[:100]!r}" if reason else ""
        return FeedError(f"{self.host} closed the connection, code {error.rcvd.code}{why}", reason="closed")


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
        url: ws or wss; never shown in messages.
        clock: for a Retry-After that is a date.
        headers: sent besides those of the protocol; never shown in messages.
        timeout_s: from the first packet to the end of the handshake.
        message_bytes: longest message, after decompression.
        proxy: URL of a proxy, or None.
        tls: the TLS context, for wss.

    Raises:
        FeedError: it failed; with the reason and the server's Retry-After.
        FatalFeedError: the key is not accepted.
    """
    route = Route.of(url, proxy)
    try:
        connection = await _Connect(
            url,
            compression="deflate",
            additional_headers=headers,
            user_agent_header=f"ticker/{__version__}",
            proxy=proxy,
            open_timeout=timeout_s,
            ping_interval=None,  # the owner pings, and decides what a missing pong means
            close_timeout=CLOSE_S,
            max_size=message_bytes,
            logger=logging.Logger("silent", logging.CRITICAL + 1),  # noqa: LOG001 - a mute one: its lines hold URLs
            ssl=tls if url.startswith("wss:") else None,
        )
    except InvalidStatus as error:
        code = error.response.status_code
        if code == HTTPStatus.UNAUTHORIZED:
            raise FatalFeedError(route.key_rejected, reason="http_4xx") from None
        wait_s = retry_after_s(error.response.headers.get("Retry-After"), clock.wall_ms())
        text = f"{route} refuses the WebSocket with {status_text(code)}"
        raise FeedError(text, reason=status_reason(code), retry_after_s=wait_s) from None
    except (OSError, ValueError, WebSocketException) as error:  # ValueError: an invalid port or host name
        raise _refused(error, route, timeout_s) from None
    return Socket(connection, route.host)


class _Connect(connect):
    """The library's connect without redirects: only the configured host is contacted."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


def _refused(error: Exception, route: Route, timeout_s: float) -> FeedError:
    match error:
        case TimeoutError():
            return FeedError(f"{route} did not open a WebSocket within {timeout_s:g} s", reason="timeout")
        case socket.gaierror():
            return FeedError(route.unresolved, reason="dns")
        case ssl.SSLError():
            return FeedError(f"TLS with {route.host} failed: {tls_failure(error)}", reason="tls")
        case ProxyError():
            return FeedError(f"the proxy {route.proxy} refuses to connect to {route.host}", reason="connect")
        case InvalidMessage() if isinstance(error.__cause__, EOFError):
            return FeedError(f"{route} closed the connection during the handshake", reason="closed")
        case InvalidHandshake():
            return FeedError(f"{route} does not speak WebSocket ({type(error).__name__})")
        case ConnectionResetError() | ConnectionClosed():
            return FeedError(f"{route} closed the connection during the handshake", reason="closed")
        case OSError():
            return FeedError(f"cannot connect to {route.first}: {failure_of(error)}", reason="connect")
        case ValueError():
            return FeedError(f"{route}: the stream's address has an invalid host name or port")
    return FeedError(f"{route}: {type(error).__name__}")
