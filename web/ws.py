"""`/ws`: who may come in, and the hand-over of the socket to the hub.

After a restart everybody comes at once, and the framework's layers cost more than the handshake itself: a good
handshake is answered by the transport, which asks the `Door`. What is refused goes to the guard, like everything
else.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl

from fastapi import APIRouter
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Scope
from starlette.websockets import WebSocket

from ticker.doorman import Doorman
from ticker.protocol import Frame
from ticker.service import Service
from ticker.session import Session
from web.admission import Admission
from web.auth import Auth
from web.pings import Pings
from web.problem import Problem, problem
from web.transport import SharedFrames


class Door:
    """The way in to the stream of one service.

    Args:
        guard: the answer to whoever is refused at every path; see `web.guard.Front`.
    """

    def __init__(
        self, service: Service, admission: Admission, auth: Auth, guard: Callable[[Scope], Response | None]
    ) -> None:
        self.paths = frozenset({"/ws", service.settings.server.base_path + "/ws"})
        self._service = service
        self._admission = admission
        self._auth = auth
        self._guard = guard
        self.spread = service.hub.turns.spread
        hub = service.settings.hub
        self._pings = Pings(service.hub, hub.ping_interval_s, hub.ping_timeout_s)

    def refusal(self, request: HTTPConnection) -> Response | None:
        """The answer to a handshake that is refused, counted; None: they may come in."""
        return self._guard(request.scope) or self._admission.refusal(request) or self._auth.refusal(request)

    def begin(self, connection: SharedFrames, request: HTTPConnection, head: bytes) -> None:
        """Hand an accepted connection over; `head` is the handshake's answer, written before the first frames."""
        hub, auth = self._service.hub, self._auth
        connection.address, connection.number = self._admission.address(request), hub.journal.number()
        query = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)

        def start() -> tuple[Session, list[Frame]]:
            session = Session(connection, hub.groups, self._service.facts)
            return session, session.open(query, connection.number)

        def admit(token: str) -> bool:
            if good := auth.watch(connection, token):
                hub.idle.add(connection)
            return good

        if auth.watch(connection, auth.shown(request)):
            connection.detach(hub, *start(), head)
        else:
            connection.detach(hub, Doorman(admit, start), [], head)
            hub.idle.discard(connection)  # it hears nothing before it has said its token
        self._pings.watch(connection)


def make_router() -> APIRouter:
    """The stream's endpoint, for those to whom no transport of ours opens it."""
    router = APIRouter()

    @router.get("/ws", include_in_schema=False)
    async def not_a_stream() -> Response:
        text = "open a WebSocket here, or read the same as server-sent events at /api/stream"
        wanted = {"Upgrade": "websocket", "Connection": "upgrade", "Sec-WebSocket-Version": "13"}
        raise Problem(426, "bad_request", text, wanted)

    @router.websocket("/ws")
    async def not_here(websocket: WebSocket) -> None:
        text = "this server cannot stream prices; start the service by 'python -m ticker'"
        await websocket.send_denial_response(problem(503, "internal", text))

    return router
