"""What holds for every path: who is refused whatever they ask, and what every answer carries."""

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
"""Longer bodies are sent in pieces, each when the one before it has been taken."""
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Allow-Headers": "authorization, if-none-match, last-event-id",
    "Access-Control-Max-Age": "600",
}
"""What the page of a listed site may send."""
EXPOSED = {"Access-Control-Expose-Headers": "connection-id, etag, retry-after"}


class Front:
    """Which requests are refused whatever their path.

    * A service on a loopback address answers only to loopback names: no page of another site can reach it through
      a name that its owner points at 127.0.0.1 (DNS rebinding). A list of names is served beside these, wherever it
      listens: health checks and `ticker status` ask by them.
    * Who names several hosts is not served by any of these names.
    * No path takes a request body.

    Args:
        count: count a stream that is refused by its Host; returns the number by which that is known.
    """

    def __init__(self, host: str, names: Sequence[str], count: Callable[[Scope], int]) -> None:
        self._any = not names and not _is_loopback(host)
        self._names = frozenset(name.lower().strip("[]") for name in names)
        self._count = count

    def refusal(self, scope: Scope) -> Response | None:
        """The answer to a request that is refused."""
        headers = Headers(scope=scope)
        if refused := self._misnamed(headers, scope):
            if scope["type"] == "websocket" or scope["path"].endswith("/api/stream"):
                refused.headers[CONNECTION_ID] = str(self._count(scope))
            return refused
        if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
            return problem(413, "too_large", "no path takes a request body", {"Connection": "close"})
        return None

    def _misnamed(self, headers: Headers, scope: Scope) -> Response | None:
        hosts = headers.getlist("host")
        # RFC 9112, section 3.2: of several a proxy may have looked at another one; only HTTP/1.0 knows of none
        if len(hosts) > 1 or (not hosts and scope.get("http_version") != "1.0"):
            return problem(400, "bad_request", "a request has one Host header")
        name = _host_name(headers.get("host", "")).lower()
        if not (self._any or name in self._names or _is_loopback(name)):
            text = "this service listens on loopback only; use localhost or 127.0.0.1"
            return problem(403, "forbidden", "no such host here; see server.hosts" if self._names else text)
        return None


class Guard:
    """Plain ASGI, so that it sees WebSockets too: what holds for every path.

    * Requests are answered one a turn of the loop: many who ask for much at once keep no reader waiting.
    * Who is refused is told so: a handshake by the stream's door, all else by `Front`.
    * The pages of listed sites may read the answers (CORS).
    * Paths count with and without the base path: a proxy may strip it or not. No path but the page's ends with a slash.
    * HEAD is GET without the body, which the server leaves away.
    * Every answer carries the security headers, and goes out as fast as it is taken.
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
        if scope["type"] == "http":  # handshakes take theirs before they come here
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
        app = refused or (_preflight(scope) if shared else None) or self._detour(scope) or self._app
        scope = {**scope, "root_path": self._base_path}
        if scope.get("method") == "HEAD":
            scope["method"] = "GET"
        await app(scope, receive, send_guarded)

    def _detour(self, scope: Scope) -> Response | None:
        """To the path that is meant, if the page's last slash is missing, or another path ends with one.

        Without scheme and host, which only a proxy knows.
        """
        base, path = self._base_path, scope["path"]
        inside = path[len(base) :] if path == base or path.startswith(f"{base}/") else path
        if scope["type"] != "http" or inside == "/" or (inside and inside[-1] != "/"):
            return None
        query = scope["query_string"].decode("latin-1")
        meant = base + quote(f"/{inside.strip('/')}", safe="/:")  # one slash: behind two a host would begin
        return Response(None, 307, {"Location": meant + (f"?{query}" if query else "")})


def _pieces(message: Message) -> Iterator[Message]:
    """A message, a long body as several: of what is written behind TLS at once nobody learns whether it is taken."""
    body = message.get("body", b"")
    if len(body) <= PIECE_BYTES:
        yield message
        return
    for i in range(0, len(body), PIECE_BYTES):
        more = i + PIECE_BYTES < len(body) or message.get("more_body", False)
        yield {**message, "body": body[i : i + PIECE_BYTES], "more_body": more}


def _preflight(scope: Scope) -> Response | None:
    """The answer to a browser that asks on behalf of a listed site whether it may ask."""
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
