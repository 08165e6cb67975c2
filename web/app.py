"""The web application: its paths, and how their errors become problem details."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ticker.service import Service
from web import candles, feeds, health, metrics, page, quotes, reference, sse, status, symbols, vendor, ws
from web.addresses import Addresses
from web.admission import Admission
from web.auth import Auth
from web.charges import RETRY_SOON
from web.guard import SECURITY_HEADERS, Guard
from web.hosts import Hosts
from web.parameters import check_parameters
from web.problem import Problem, answer_problem, problem


def create_app(service: Service, upstream: tuple[str, Callable[[], Mapping[str, str]]] | None = None) -> FastAPI:
    """The application of one service; `/ws` and `/api/stream` need the embedded server of `web.server`.

    Args:
        service: whose prices it serves.
        upstream: of a gateway, the URL of the service that it follows, and what gives the headers of a request to it.
    """
    app = FastAPI(
        docs_url=None, redoc_url=None, redirect_slashes=False, generate_unique_id_function=lambda route: route.name
    )
    app.add_exception_handler(Problem, answer_problem)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _bad_parameter)
    app.add_exception_handler(Exception, _crashed)
    server = service.settings.server
    addresses = Addresses(server.trusted_proxies)
    admission = Admission(service, addresses)
    auth = Auth(service, addresses)
    hosts = Hosts(service, addresses)
    app.state.door = ws.Door(service, admission, auth, hosts.refusal)
    checks = [Depends(auth.require("prices")), Depends(check_parameters)]
    for router in (
        quotes.make_router(service, admission),
        health.make_router(service),
        status.make_router(service),
        sse.make_router(service, admission, auth),
    ):
        app.include_router(router, dependencies=checks)
    if upstream is not None:
        from web.forward import Elsewhere, Forward, answer_elsewhere

        forward = app.state.forward = Forward(*upstream, addresses)
        app.add_exception_handler(Elsewhere, answer_elsewhere)
        checks = [*checks, Depends(_followed(service)), Depends(forward)]
    for router in (
        symbols.make_router(service, addresses),
        feeds.make_router(service),
        candles.make_router(service, addresses),
    ):
        app.include_router(router, dependencies=checks)
    app.include_router(metrics.make_router(service), dependencies=[Depends(auth.require("metrics"))])
    for router in (ws.make_router(), vendor.make_router(), reference.make_router(server.base_path)):
        app.include_router(router)
    reference.describe(app, with_tokens=auth.required)

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        return page.answer(page.STATIC / "docs.html", request.headers)

    @app.get("/status", include_in_schema=False)
    async def status_page(request: Request) -> Response:
        return page.answer(page.STATIC / "status.html", request.headers)

    app.mount("/", page.Page())
    app.add_middleware(
        Guard,
        turn=service.hub.requests.wait,
        refusal=hosts.refusal,
        origins=frozenset(server.origins),
        frame_ancestors=server.frame_ancestors,
        base_path=server.base_path,
    )
    return app


def _followed(service: Service) -> Callable[[], None]:
    """A dependency that asks nothing of an upstream which is known to be away."""

    def check() -> None:
        if reasons := service.origin.not_ready():
            raise Problem(503, "overloaded", reasons[0], RETRY_SOON)

    return check


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.NOT_FOUND:
        return problem(404, "bad_request", "there is nothing at this path; /docs describes the API")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return problem(405, "bad_request", "only GET and HEAD are allowed", {"Allow": "GET, HEAD"})
    return problem(error.status_code, "bad_request", str(error.detail))


async def _bad_parameter(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    what = " is required" if first["type"] == "missing" else f": {first['msg']}"
    return problem(400, "bad_request", f"parameter '{first['loc'][-1]}'{what}")


async def _crashed(_: Request, __: Exception) -> Response:
    """The server logs the error itself. This answer does not pass through the guard, so it needs its headers."""
    return problem(500, "internal", "the service failed to answer; its log says why", SECURITY_HEADERS)
