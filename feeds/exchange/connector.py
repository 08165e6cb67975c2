"""Opens the streams of one exchange: at the right address, with the key, at the pace that the exchange allows."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from urllib.parse import quote, urlsplit, urlunsplit

import httpx

from feeds.base import Context
from feeds.budget import Budget
from feeds.exchange.options import ExchangeOptions
from feeds.exchange.record import Recorder
from feeds.exchange.rest import Rest
from feeds.exchange.venue import Limits, Stream
from feeds.exchange.websocket import Socket, open_socket
from ticker.errors import FeedError
from ticker.model import FeedStatus


class Connector:
    """Opens connections, one after another.

    Args:
        stream: where to connect, and how fast.
        options: addresses that replace the exchange's own, proxy and deadline.
        limits: the size of a message and the length of a ban.
        secrets: the headers that carry the exchange's key, if it needs one.
        rest: for exchanges that hand out the stream's address over HTTP.
        budget: shared by all feeds of the host.
        recorder: records everything, or None.
        context: time.
    """

    def __init__(
        self,
        stream: Stream,
        options: ExchangeOptions,
        limits: Limits,
        secrets: Mapping[str, str],
        rest: Rest,
        budget: Budget,
        recorder: Recorder | None,
        context: Context,
    ) -> None:
        self._stream = stream
        self._options = options
        self._message_bytes = limits.body_bytes
        self._ban_s = limits.ban_s
        self._secrets = secrets
        self._rest = rest
        self._budget = budget
        self._recorder = recorder
        self._clock = context.clock
        self._tls: ssl.SSLContext | None = None

    async def open(self, status: FeedStatus) -> tuple[Socket, tuple[str, float] | None]:
        """Open a connection as soon as the budget allows; returns it, and the text and interval (seconds) of its pings.

        Raises:
            FeedError: it could not be opened.
        """
        await self._budget.connect(self._clock, self._stream.connects_per_s)
        try:
            return await self._open(status)
        except FeedError as error:
            self._budget.obey(self._clock, error, self._ban_s, requests=False, connects=True)
            raise

    async def _open(self, status: FeedStatus) -> tuple[Socket, tuple[str, float] | None]:
        url, ping = await self._address(status)
        url = moved(url, self._options.ws_url or self._options.base_url)
        headers = self._secrets
        if self._stream.key_query:
            (key,), headers = self._secrets.values(), {}
            url += ("&" if "?" in url else "?") + f"{self._stream.key_query}={quote(key, safe='')}"
        if self._tls is None and url.startswith("wss:"):
            self._tls = httpx.create_ssl_context(trust_env=False)  # 20 ms
        socket = await open_socket(
            url,
            self._clock,
            headers=headers,
            timeout_s=self._options.timeout_s,
            message_bytes=self._message_bytes,
            proxy=self._options.proxy,
            tls=self._tls,
        )
        socket.secrets = self._secrets.values()
        if self._recorder:
            handed_out = self._stream.open_request is not None
            socket.note = self._recorder.connection(url.partition("?")[0] if handed_out else url)
        return socket, ping

    async def _address(self, status: FeedStatus) -> tuple[str, tuple[str, float] | None]:
        stream = self._stream
        if stream.open_request is None or stream.parse_open is None:
            return stream.url, stream.ping
        url, every_s = await self._rest.ask(stream.open_request, stream.parse_open, status, method="POST")
        try:
            secure = urlsplit(url).scheme == "wss"  # an answer must not make us send plain text to any host it likes
        except ValueError:  # what looks like an IPv6 address and is none
            secure = False
        if not secure:
            raise FeedError(f"{self._rest.source.route} gave a stream address that is not wss")
        return url, (stream.ping[0], every_s) if stream.ping and every_s else stream.ping


def moved(url: str, onto: str | None) -> str:
    """The same path and query on another host; http becomes ws, https becomes wss."""
    if onto is None:
        return url
    parts, new = urlsplit(url), urlsplit(onto)
    scheme = {"http": "ws", "https": "wss"}.get(new.scheme, new.scheme)
    return urlunsplit((scheme, new.netloc, new.path.rstrip("/") + parts.path, parts.query, ""))
