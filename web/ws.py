"""`/ws`: who may connect, and the hand-over of the socket to the hub. The endpoint returns at once."""

from __future__ import annotations

import random
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.responses import Response
from starlette.websockets import WebSocket

from ticker.service import Service
from ticker.session import Budget, Session
from web.problem import problem
from web.transport import EXTENSION, SharedFrames


def make_router(service: Service) -> APIRouter:
    """The stream's endpoint for one service."""
    router = APIRouter()
    limits, hub = service.settings.limits, service.hub
    pace = Budget(limits.connects_per_s, limits.connects_per_s, limits.connects_per_s, service.clock.monotonic())

    def refusal(websocket: WebSocket) -> Response | None:
        if not same_origin(websocket.headers.get("origin"), websocket.headers.get("host", "")):
            hub.counts.rejects["origin"] += 1
            return problem(403, "forbidden", "pages of other sites may not connect; scripts without an Origin may")
        address = websocket.client.host if websocket.client else ""
        per_address = limits.connections_per_address
        full = (
            hub.draining
            or len(hub.connections) >= limits.connections
            or (per_address and hub.addresses[address] >= per_address)
            or not pace.take(service.clock.monotonic())
        )
        if full:
            hub.counts.rejects["full"] += 1
            wait_s = random.randint(1, 5)
            return problem(503, "overloaded", "too many connections now", {"Retry-After": str(wait_s)})
        return None

    @router.websocket("/ws")
    async def stream(websocket: WebSocket) -> None:
        refused = refusal(websocket)
        if refused is not None:
            await websocket.send_denial_response(refused)
            return
        connection = websocket.scope["extensions"].get(EXTENSION)
        if not isinstance(connection, SharedFrames):
            text = "this server cannot stream prices; start the service by 'python -m ticker'"
            await websocket.send_denial_response(problem(503, "internal", text))
            return
        await websocket.accept()
        session = Session(connection, hub.groups, service.facts)
        connection.detach(hub, session, session.open(websocket.query_params))

    return router


def same_origin(origin: str | None, host: str) -> bool:
    """Whether a request comes from a script (no Origin) or from a page of this very host and port."""
    if origin is None:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:  # what looks like an IPv6 address and is none
        return False
    return parts.scheme in {"http", "https"} and parts.netloc.lower() == host.lower() != ""
