"""What holds for every request and answer, whatever the path: turns, slashes, sharing between sites, headers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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


class Guard:
    """Middleware for every path; plain ASGI, so that it sees WebSockets, too.

    * One request is started in each turn of the loop, so that many large ones at once do not delay readers.
    * Refused requests are answered: those for another host, which the stream's door has refused already if it is a
      handshake, and those with a body, which no path takes.
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

        asked = Headers(scope=scope)
        origin = asked.get("origin")
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

        refused = scope.get("extensions", {}).get(REFUSAL) or self._refusal(scope) or _with_body(asked)
        app = refused or (_preflight(scope, asked) if shared else None) or self._redirect(scope) or self._app
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


def _with_body(headers: Headers) -> Response | None:
    """The answer to a request with a body; None if it has none."""
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return None
    return problem(413, "too_large", "no path takes a request body", {"Connection": "close"})


def _preflight(scope: Scope, headers: Headers) -> Response | None:
    """The answer to a CORS preflight request; None if this is none."""
    asks = scope.get("method") == "OPTIONS" and "access-control-request-method" in headers
    return Response(status_code=204, headers=PREFLIGHT) if asks else None
