"""One request at a time to one fixed host, with everything that can go wrong turned into a `FeedError`.

There is one deadline for the whole request, body included, and a limit on the decompressed body. Redirects are not
followed; proxies and certificates are not taken from the environment. Nothing is retried: that is up to the runner.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import zlib
from collections.abc import AsyncGenerator, Callable, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import NamedTuple, Self, cast

import httpcore
import httpx

from feeds.exchange.failures import Route, failure_of, retry_after_s, status_reason, status_text, tls_failure, without
from ticker import __version__
from ticker.clock import Clock
from ticker.errors import FatalFeedError, FeedError
from ticker.model import FeedStatus

_GZIP = 31
"""zlib's `wbits` for a gzip stream."""
ERROR_BYTES = 65_536
"""How much of an answer with a bad status or content type is read for `on_answer`."""


class Answer(NamedTuple):
    """An answer: the body is decompressed, and empty if the status is 304."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpSource:
    """A host that gets one request at a time.

    Open it with `async with`; it can be opened again after it was closed.

    Args:
        base_url: scheme, host, port and perhaps a path in front of every target.
        clock: for a Retry-After that is a date.
        timeout_s: for one request, from its start to the last byte of its answer.
        body_bytes: longest body, after decompression.
        proxy: URL of a proxy, or None.
        secrets: headers that every request carries and no message shows; with any, status 401 is fatal.
        on_answer: called with the method, target and answer of every request, bad answers included.
    """

    def __init__(
        self,
        base_url: str,
        clock: Clock,
        *,
        timeout_s: float,
        body_bytes: int,
        proxy: str | None = None,
        secrets: Mapping[str, str] | None = None,
        on_answer: Callable[[str, str, Answer], None] | None = None,
    ) -> None:
        self.route = Route.of(base_url, proxy)
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._timeout_s = timeout_s
        self._body_bytes = body_bytes
        self._proxy = proxy
        self._secrets = dict(secrets or {})
        self._on_answer = on_answer
        self._turn = asyncio.Lock()
        # Loading the certificates takes 20 ms: done once, and not for a host without TLS.
        plain = base_url.startswith("http:")
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else httpx.create_ssl_context(trust_env=False)
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        self._client = httpx.AsyncClient(
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": f"ticker/{__version__}",
                **self._secrets,
            },
            limits=httpx.Limits(max_connections=1),
            proxy=self._proxy,
            timeout=self._timeout_s,  # for each step; `ask` adds a deadline that slow drips of data cannot extend
            trust_env=False,
            verify=self._tls,
        )
        # No cookies: a server could set more and more of them.
        self._client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def ask(
        self, target: str, status: FeedStatus, *, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """A good JSON answer, or one with status 304 if `headers` made the request conditional.

        Args:
            target: path and query.
            status: its `received_bytes` grows by the bytes on the wire.
            method: GET or POST, without a body.
            headers: for this request only.

        Raises:
            FeedError: anything else, with its reason and the server's Retry-After.
        """
        assert self._client is not None, "open the source first"
        try:
            async with (
                self._turn,
                asyncio.timeout(self._timeout_s),
                self._client.stream(method, self._base_url + target, headers=headers) as response,
            ):
                try:
                    return await self._answer(response, method, target)
                finally:
                    status.received_bytes += response.num_bytes_downloaded
        except TimeoutError as error:
            raise self._late() from error
        except httpx.HTTPError as error:
            raise self._failure(error) from error

    def _late(self) -> FeedError:
        return FeedError(f"{self.route} sent no complete answer within {self._timeout_s:g} s", reason="timeout")

    def _failure(self, error: httpx.HTTPError) -> FeedError:
        reason, route, root = reason_of(error), self.route, root_of(error)
        match reason:
            case "timeout":
                return self._late()
            case "dns":
                text = route.unresolved
            case "tls":
                text = f"TLS with {route.host} failed: {tls_failure(root)}"
            case "connect" if isinstance(error, httpx.ProxyError):
                status = str(error).partition(" ")[0]
                text = f"the proxy {route.proxy} refuses to connect to {route.host}: HTTP status {status[:3]}"
            case "connect":
                text = f"cannot connect to {route.first}: {failure_of(root)}"
            case "closed":
                text = f"{route} closed the connection before its answer was complete"
            case _:
                said = without(self._secrets.values(), str(error).encode()).decode()  # it may quote a header
                text = f"{route}: {said[:200] or type(error).__name__}"
        return FeedError(text, reason=reason)

    async def _answer(self, response: httpx.Response, method: str, target: str) -> Answer:
        try:
            self._check(response)
        except FeedError:
            if self._on_answer:
                with contextlib.suppress(FeedError, httpx.HTTPError):
                    bad = await self._body(response, ERROR_BYTES)
                    self._on_answer(method, target, Answer(response.status_code, response.headers, bad))
            raise
        body = await self._body(response, self._body_bytes) if response.status_code == httpx.codes.OK else b""
        answer = Answer(response.status_code, response.headers, body)
        if self._on_answer:
            self._on_answer(method, target, answer)
        return answer

    def _check(self, response: httpx.Response) -> None:
        code = response.status_code
        if code == httpx.codes.NOT_MODIFIED and "if-none-match" in response.request.headers:
            return
        if code == httpx.codes.UNAUTHORIZED and self._secrets:
            raise FatalFeedError(self.route.key_rejected, reason="http_4xx")
        if code != httpx.codes.OK:
            wait_s = retry_after_s(response.headers.get("retry-after"), self._clock.wall_ms())
            asked = "" if wait_s is None else f" and asked us to wait {wait_s:.0f} s"
            text = f"{self.route} answered with {status_text(code)}{asked}"
            raise FeedError(text, reason=status_reason(code), retry_after_s=wait_s)
        content_type = response.headers.get("content-type", "application/json")
        if "json" not in content_type.lower():
            raise FeedError(f"{self.route} answered with {content_type[:60]!r} instead of JSON")

    async def _body(self, response: httpx.Response, most_bytes: int) -> bytes:
        # httpx's own decoders decompress a whole network chunk at once, to a thousand times its size at worst; this
        # stops one byte after the limit.
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {"identity", "gzip"}:
            raise FeedError(f"{self.route} answered with the encoding {encoding[:40]!r}, which was not asked for")
        inflate = zlib.decompressobj(_GZIP) if encoding == "gzip" else None
        parts: list[bytes] = []
        left = most_bytes
        # Closed explicitly: left to the garbage collector, the generator would outlive its client after a failure.
        async with contextlib.aclosing(cast("AsyncGenerator[bytes, None]", response.aiter_raw())) as chunks:
            async for chunk in chunks:
                try:
                    part = inflate.decompress(chunk, left + 1) if inflate else chunk
                except zlib.error as error:
                    raise FeedError(f"{self.route} sent broken gzip: {error}") from error
                if inflate and inflate.unused_data:  # zlib keeps all of it, and copies it with each chunk
                    raise FeedError(f"{self.route} sent something after the end of the gzip")
                left -= len(part)
                if left < 0:
                    raise FeedError(f"{self.route} sent more than {most_bytes} bytes", reason="too_large")
                parts.append(part)
        if inflate and not inflate.eof:
            raise FeedError(f"{self.route} sent gzip that ends too early")
        return without(self._secrets.values(), b"".join(parts))


def root_of(error: BaseException) -> BaseException:
    """The root cause of a failure, or the first cause that concerns TLS or name resolution."""
    while not isinstance(error, ssl.SSLError | socket.gaierror):
        below = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__ or error.__context__
        if below is None:
            break
        error = below
    return error


def reason_of(error: httpx.HTTPError) -> str:
    """The reason to count a transport failure under, from its root cause."""
    root = root_of(error)
    if isinstance(root, ssl.SSLError):
        return "tls"
    if isinstance(root, socket.gaierror):
        return "dns"
    match error:
        case httpx.TimeoutException():
            return "timeout"
        case httpx.ConnectError() | httpx.ProxyError():
            return "connect"
        case httpx.NetworkError():
            return "closed"
        case httpx.RemoteProtocolError() if isinstance(root, httpcore.RemoteProtocolError):
            return "closed"  # the connection ended before the answer began; a malformed answer has a cause of h11's
        case _:
            return "protocol"
