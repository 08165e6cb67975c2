"""`/ws`: the hand-over of the socket to the hub. The endpoint returns at once."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response
from starlette.websockets import WebSocket

from ticker.service import Service
from ticker.session import Session
from web.admission import Admission
from web.problem import Problem, problem
from web.transport import EXTENSION, SharedFrames


def make_router(service: Service, admission: Admission) -> APIRouter:
    """The stream's endpoint for one service."""
    router = APIRouter()

    @router.get("/ws", include_in_schema=False)
    async def not_a_stream() -> Response:
        text = "open a WebSocket here, or read the same as server-sent events at /api/stream"
        raise Problem(426, "bad_request", text, {"Upgrade": "websocket", "Connection": "upgrade"})

    @router.websocket("/ws")
    async def stream(websocket: WebSocket) -> None:
        refused = admission.refusal(websocket)
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
        session = Session(connection, service.hub.groups, service.facts)
        connection.detach(service.hub, session, session.open(websocket.query_params))

    return router
