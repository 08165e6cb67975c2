"""The web application: paths, the page, and what every answer must carry."""

from __future__ import annotations

import ipaddress
from http import HTTPStatus
from pathlib import Path

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ticker import __version__
from ticker.service import Service
from web import candles, metrics, quotes, rest, sources, sse, vendor, ws
from web.admission import Admission
from web.problem import Problem, answer_problem, problem

STATIC = Path(__file__).parent / "static"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def create_app(service: Service) -> FastAPI:
    """The application of one service; needs the embedded server of `web.transport` for `/ws`."""
    app = FastAPI(
        title="ticker",
        version=__version__,
        summary="Live market prices: snapshots, what changed since, and a stream.",
        docs_url=None,
        redoc_url=None,
    )
    app.add_exception_handler(Problem, answer_problem)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _bad_parameter)
    app.add_exception_handler(Exception, _crashed)
    admission = Admission(service)
    app.include_router(quotes.make_router(service, admission))
    app.include_router(rest.make_router(service))
    app.include_router(candles.make_router(service))
    app.include_router(metrics.make_router(service))
    app.include_router(sources.make_router(service))
    app.include_router(vendor.make_router())
    app.include_router(ws.make_router(service, admission))
    app.include_router(sse.make_router(service, admission))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return FileResponse(STATIC / "docs.html", headers={"Cache-Control": "no-cache"})

    app.mount("/", Page(directory=STATIC, html=True))
    server = service.settings.server
    app.add_middleware(Guard, loopback_only=_is_loopback(server.host), base_path=server.base_path)
    return app


class Page(StaticFiles):
    """The page's own files: always revalidated, so that a new release is seen at once."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        """As the base's, with `Cache-Control`."""
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]  # passed through unchanged
        response.headers["Cache-Control"] = "no-cache"
        return response


class Guard:
    """Plain ASGI, so that it sees WebSockets too: what holds for every path.

    * A service on a loopback address answers only to loopback names: no page of another site can reach it through
      a name that its owner points at 127.0.0.1 (DNS rebinding).
    * Paths count with and without the base path: a proxy may strip it or not.
    * No path takes a request body.
    * HEAD is GET without the body, which the server leaves away.
    * Every answer carries the security headers.
    """

    def __init__(self, app: ASGIApp, *, loopback_only: bool, base_path: str) -> None:
        self._app = app
        self._loopback_only = loopback_only
        self._base_path = base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"].endswith("http.response.start"):
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        app = self._refusal(scope) or self._app
        scope = {**scope, "root_path": self._base_path}
        if scope.get("method") == "HEAD":
            scope["method"] = "GET"
        await app(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if self._loopback_only and not _is_loopback(_host_name(headers.get("host", ""))):
            return problem(403, "forbidden", "this service listens on loopback only; use localhost or 127.0.0.1")
        if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
            return problem(413, "too_large", "no path takes a request body", {"Connection": "close"})
        return None


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    allow = {"Allow": "GET, HEAD"} if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else None
    return problem(error.status_code, "bad_request", str(error.detail), allow)


async def _bad_parameter(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return problem(400, "bad_request", f"parameter '{first['loc'][-1]}': {first['msg']}")


async def _crashed(_: Request, __: Exception) -> Response:
    """The error itself is logged by the server; this answer goes out past the guard."""
    return problem(500, "internal", "the service has failed to answer; its log says why", SECURITY_HEADERS)


def _host_name(host: str) -> str:
    return host[: host.rindex("]") + 1].strip("[]") if host.startswith("[") and "]" in host else host.partition(":")[0]


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
