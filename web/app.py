"""The web application: paths, the page, and what every answer must carry."""

from __future__ import annotations

import importlib.util
import ipaddress
from pathlib import Path

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ticker import __version__
from ticker.service import Service
from web import rest, ws
from web.problem import Problem, answer_problem, problem

STATIC = Path(__file__).parent / "static"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
DOCS_FILES = ("swagger-ui-bundle.js", "swagger-ui.css")
"""What `/docs` needs of the package that carries the viewer."""


def create_app(service: Service) -> FastAPI:
    """The application of one service; needs the embedded server of `web.transport` for `/ws`."""
    app = FastAPI(
        title="ticker",
        version=__version__,
        summary="Live market prices: snapshots, what changed since, and a stream.",
        docs_url=None,
        redoc_url=None,
        root_path=service.settings.server.base_path,
        root_path_in_servers=False,
    )
    app.add_exception_handler(Problem, answer_problem)
    app.add_exception_handler(HTTPException, _http_error)
    app.include_router(rest.make_router(service))
    app.include_router(ws.make_router(service))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return FileResponse(STATIC / "docs.html", headers={"Cache-Control": "no-cache"})

    @app.get("/vendor/{name}", include_in_schema=False)
    async def vendor(name: str) -> Response:
        folder = _package_folder("fastapi_offline")
        if name not in DOCS_FILES or folder is None:
            raise HTTPException(404)
        return FileResponse(folder / "static" / name, headers={"Cache-Control": "public, max-age=86400"})

    app.mount("/", Page(directory=STATIC, html=True))
    app.add_middleware(Guard, loopback_only=_is_loopback(service.settings.server.host))
    return app


class Page(StaticFiles):
    """The page's own files: always revalidated, so that a new release is seen at once."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        """As the base's, with `Cache-Control`."""
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]  # passed through unchanged
        response.headers["Cache-Control"] = "no-cache"
        return response


class Guard:
    """Plain ASGI, so that it sees WebSockets too: the Host check and the security headers.

    A service on a loopback address answers only to loopback names: no page of another site can reach it through
    a name that its owner points at 127.0.0.1 (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, *, loopback_only: bool) -> None:
        self._app = app
        self._loopback_only = loopback_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        host = next((v.decode("latin-1") for k, v in scope["headers"] if k == b"host"), "")
        if self._loopback_only and not _is_loopback(_host_name(host)):
            refusal = problem(403, "forbidden", "this service listens on loopback only; use localhost or 127.0.0.1")
            if scope["type"] == "http":
                await refusal(scope, receive, send)
            else:
                await send({"type": "websocket.http.response.start", "status": 403, "headers": refusal.raw_headers})
                await send({"type": "websocket.http.response.body", "body": refusal.body})
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers["Cross-Origin-Opener-Policy"] = "same-origin"
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
            await send(message)

        await self._app(scope, receive, send_guarded)


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    codes = {404: "bad_request", 405: "bad_request", 413: "too_large"}
    return problem(error.status_code, codes.get(error.status_code, "bad_request"), str(error.detail))


def _package_folder(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _host_name(host: str) -> str:
    return host[: host.rindex("]") + 1].strip("[]") if host.startswith("[") and "]" in host else host.partition(":")[0]


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
