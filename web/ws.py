"""`/ws`: the hand-over of the socket to the hub. The endpoint returns at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from fastapi.routing import APIWebSocketRoute
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from ticker.doorman import Doorman
from ticker.protocol import Frame
from ticker.service import Service
from ticker.session import Session
from web.admission import Admission
from web.gate import Gate
from web.problem import Problem, problem
from web.transport import EXTENSION, SharedFrames


def make_router(service: Service, admission: Admission, gate: Gate) -> APIRouter:
    """The stream's endpoint for one service."""
    router = APIRouter()
    hub = service.hub

    @router.get("/ws", include_in_schema=False)
    async def not_a_stream() -> Response:
        text = "open a WebSocket here, or read the same as server-sent events at /api/stream"
        wanted = {"Upgrade": "websocket", "Connection": "upgrade", "Sec-WebSocket-Version": "13"}
        raise Problem(426, "bad_request", text, wanted)

    @router.websocket("/ws")
    async def stream(websocket: WebSocket) -> None:
        refused = admission.refusal(websocket) or gate.refusal(websocket)
        if refused is not None:
            await websocket.send_denial_response(refused)
            return
        connection = websocket.scope["extensions"].get(EXTENSION)
        if not isinstance(connection, SharedFrames):
            text = "this server cannot stream prices; start the service by 'python -m ticker'"
            await websocket.send_denial_response(problem(503, "internal", text))
            return
        await websocket.accept()
        connection.address = admission.address(websocket)
        query = dict(websocket.query_params)

        def begin() -> tuple[Session, list[Frame]]:
            session = Session(connection, hub.groups, service.facts)
            return session, session.open(query)

        def admit(token: str) -> bool:
            if good := gate.watch(connection, token):
                hub.idle.add(connection)
            return good

        if gate.watch(connection, gate.shown(websocket)):
            connection.detach(hub, *begin())
        else:
            connection.detach(hub, Doorman(admit, begin), [])
            hub.idle.discard(connection)  # it hears nothing before it has said its token

    return router


class Straight:
    """Plain ASGI: a handshake for the stream goes to its endpoint past the framework's layers and other routes.

    They cost as much again as the handshake itself, and after a restart everybody comes at once.
    """

    def __init__(self, app: ASGIApp, *, endpoint: Callable[[WebSocket], Awaitable[None]]) -> None:
        self._app = app
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a handshake, or pass anything else on."""
        if scope["type"] == "websocket" and scope["path"].removeprefix(scope["root_path"]) == "/ws":
            await self._endpoint(WebSocket(scope, receive, send))
        else:
            await self._app(scope, receive, send)


def endpoint_of(router: APIRouter) -> Callable[[WebSocket], Awaitable[None]]:
    """The stream's endpoint."""
    (route,) = (route for route in router.routes if isinstance(route, APIWebSocketRoute))
    endpoint: Callable[[WebSocket], Awaitable[None]] = route.endpoint
    return endpoint
