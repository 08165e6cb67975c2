"""What holds for every path: which requests are refused, and the headers of every answer."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Awaitable, Callable, Iterator, Sequence
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.admission import CONNECTION_ID
from web.handshake import REFUSAL
from web.problem import problem

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors "
)
"""Followed by the sites that may show the page in a frame."""
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY + "'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
PIECE_BYTES = 65_536
"""Longer bodies are sent in pieces, each once the one before it has been taken."""
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Allow-Headers": "authorization, if-none-match, last-event-id",
    "Access-Control-Max-Age": "600",
}
"""What the pages of listed sites may send."""
EXPOSED = {"Access-Control-Expose-Headers": "connection-id, etag, retry-after"}


class Front:
    """Refuses requests, whatever their path.

    * A service on a loopback address answers only to loopback names, so that no page of another site can reach it
      through a name that resolves to 127.0.0.1 (DNS rebinding). Loopback names are served beside any listed names:
      health checks and `ticker status` use them.
    * A request has one Host header.
    * No path takes a request body.

    Args:
        count: counts a stream that is refused for its Host; returns the refusal's number in the log.
    """

    def __init__(self, host: str, names: Sequence[str], count: Callable[[Scope], int]) -> None:
        self._any = not names and not _is_loopback(host)
        self._names = frozenset(name.lower().strip("[]") for name in names)
        self._count = count

    def refusal(self, scope: Scope) -> Response | None:
        """The answer to a request that is refused; None if it is not."""
        headers = Headers(scope=scope)
        if refused := self._wrong_host(headers, scope):
            if scope["type"] == "websocket" or scope["path"].endswith("/api/stream"):
                refused.headers[CONNECTION_ID] = str(self._count(scope))
            return refused
        if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
            return problem(413, "too_large", "no path takes a request body", {"Connection": "close"})
        return None

    def _wrong_host(self, headers: Headers, scope: Scope) -> Response | None:
        hosts = headers.getlist("host")
        # RFC 9112, section 3.2; of several, a proxy may have checked another one. Only HTTP/1.0 may leave it out.
        if len(hosts) > 1 or (not hosts and scope.get("http_version") != "1.0"):
            return problem(400, "bad_request", "a request must have exactly one Host header")
        name = _host_name(headers.get("host", "")).lower()
        if not (self._any or name in self._names or _is_loopback(name)):
            text = "this service listens on loopback only; use localhost or 127.0.0.1"
            return problem(403, "forbidden", "this host name is not in server.hosts" if self._names else text)
        return None


class Guard:
    """Middleware for every path; plain ASGI, so that it sees WebSockets, too.

    * One request is started in each turn of the loop, so that many large ones at once do not delay readers.
    * Refused requests are answered: handshakes as the stream's door has decided, all others as `Front` does.
    * The pages of listed sites may read the answers (CORS).
    * Paths work with and without the base path: a proxy may strip it or not. Only the page's own ends with a slash.
    * HEAD is treated as GET; the server leaves the body out.
    * Every answer carries the security headers, and is sent only as fast as the client takes it.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        turn: Callable[[], Awaitable[None]],
        refusal: Callable[[Scope], Response | None],
        origins: frozenset[str],
        frame_ancestors: Sequence[str],
        base_path: str,
    ) -> None:
        self._app = app
        self._turn = turn
        self._refusal = refusal
        self._origins = origins
        self._base_path = base_path
        policy = CONTENT_SECURITY_POLICY + (" ".join(frame_ancestors) or "'none'")
        self._headers = SECURITY_HEADERS | {"Content-Security-Policy": policy}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        if scope["type"] == "http":  # handshakes have had theirs already
            await self._turn()

        origin = Headers(scope=scope).get("origin")
        shared = {"Access-Control-Allow-Origin": origin, **EXPOSED} if origin and origin in self._origins else {}

        async def send_guarded(message: Message) -> None:
            if message["type"].endswith("http.response.start"):
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                headers.update(shared)
                if self._origins:
                    headers.add_vary_header("Origin")
            for part in _pieces(message):
                await send(part)

        refused = scope.get("extensions", {}).get(REFUSAL) or self._refusal(scope)
        app = refused or (_preflight(scope) if shared else None) or self._redirect(scope) or self._app
        scope = {**scope, "root_path": self._base_path}
        if scope.get("method") == "HEAD":
            scope["method"] = "GET"
        await app(scope, receive, send_guarded)

    def _redirect(self, scope: Scope) -> Response | None:
        """A redirect if the slash at the end of the page's path is missing, or another path has one.

        Without scheme and host, which only a proxy knows.
        """
        base, path = self._base_path, scope["path"]
        inside = path[len(base) :] if path == base or path.startswith(f"{base}/") else path
        if scope["type"] != "http" or inside == "/" or (inside and inside[-1] != "/"):
            return None
        query = scope["query_string"].decode("latin-1")
        meant = base + quote(f"/{inside.strip('/')}", safe="/:")  # one slash: after two, a host name would follow
        return Response(None, 307, {"Location": meant + (f"?{query}" if query else "")})


def _pieces(message: Message) -> Iterator[Message]:
    """A message, split if its body is long: of a single write over TLS one cannot tell how much was taken."""
    body = message.get("body", b"")
    if len(body) <= PIECE_BYTES:
        yield message
        return
    for i in range(0, len(body), PIECE_BYTES):
        more = i + PIECE_BYTES < len(body) or message.get("more_body", False)
        yield {**message, "body": body[i : i + PIECE_BYTES], "more_body": more}


def _preflight(scope: Scope) -> Response | None:
    """The answer to a CORS preflight request; None if this is none."""
    asks = scope.get("method") == "OPTIONS" and "access-control-request-method" in Headers(scope=scope)
    return Response(status_code=204, headers=PREFLIGHT) if asks else None


def _host_name(host: str) -> str:
    return host[: host.rindex("]") + 1].strip("[]") if host.startswith("[") and "]" in host else host.partition(":")[0]


@functools.lru_cache(maxsize=64)
def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
