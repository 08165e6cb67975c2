"""`/ws`: admission to the stream, and handing the connection over to the hub.

After a restart all clients reconnect at once, and the framework's layers cost more than the handshake itself. So the
transport answers handshakes, after it has asked the `Door`; those that are refused go to the guard, like all other
requests.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl

from fastapi import APIRouter
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Scope
from starlette.websockets import WebSocket

from ticker.service import Service
from ticker.session import Session
from web.admission import Admission
from web.auth import Auth
from web.pings import Pings
from web.problem import OTHER_SERVER, Problem, problem
from web.transport import SharedFrames


class Door:
    """Admits connections to the stream of one service.

    Args:
        wrong_host: the answer to requests for another host; see `web.hosts`.
    """

    def __init__(
        self, service: Service, admission: Admission, auth: Auth, wrong_host: Callable[[Scope], Response | None]
    ) -> None:
        self.paths = frozenset({"/ws", service.settings.server.base_path + "/ws"})
        self._service = service
        self._admission = admission
        self._auth = auth
        self._wrong_host = wrong_host
        self.spread = service.hub.turns.spread
        hub = service.settings.hub
        self._pings = Pings(service.hub, hub.ping_interval_s, hub.ping_timeout_s)

    def refusal(self, request: HTTPConnection) -> Response | None:
        """The answer to a handshake that is refused, which is counted; None if it is admitted."""
        return self._wrong_host(request.scope) or self._admission.refusal(request) or self._auth.refusal(request)

    def full(self, address: str) -> int:
        """Count a connection that is refused before its request; returns the number that it has in the journal."""
        return self._service.hub.refuse("full", address)

    def begin(self, connection: SharedFrames, request: HTTPConnection, head: bytes) -> None:
        """Hand an admitted connection over to the hub; `head` answers the handshake and goes before the frames."""
        hub, auth = self._service.hub, self._auth
        connection.address, connection.number = self._admission.address(request), hub.journal.number()
        query = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        session = Session(connection, hub.groups, self._service.facts)

        def admit(token: str) -> bool:
            if good := auth.watch(connection, token):
                hub.idle.add(connection)
            return good

        if auth.watch(connection, auth.presented(request)):
            connection.detach(hub, session, session.open(query, connection.number), head)
        else:
            session.await_token(admit, query, connection.number)
            connection.detach(hub, session, [], head)
            hub.idle.discard(connection)  # no heartbeats before its token has come
        self._pings.watch(connection)


def make_router() -> APIRouter:
    """The stream's path for requests that the transport does not answer: they cannot have the stream."""
    router = APIRouter()

    @router.get("/ws", include_in_schema=False)
    async def not_a_stream() -> Response:
        text = "open a WebSocket here, or read the same as server-sent events at /api/stream"
        wanted = {"Upgrade": "websocket", "Connection": "upgrade", "Sec-WebSocket-Version": "13"}
        raise Problem(426, "bad_request", text, wanted)

    @router.websocket("/ws")
    async def not_here(websocket: WebSocket) -> None:
        await websocket.send_denial_response(problem(503, "internal", OTHER_SERVER))

    return router
