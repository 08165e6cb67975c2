"""WebSocket handshakes: those that open the stream are answered here, one in each turn of the loop.

Through the framework each would cost more than twice as much, and after a restart all clients reconnect at once: all of
them in one turn would delay everybody else. Those that are refused, or for other paths, go to the application.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import unquote

from starlette.requests import HTTPConnection
from starlette.responses import Response
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from web.problem import raw_problem
from web.wire import DEFLATE

REFUSAL = "ticker.refusal"
"""Key of `scope["extensions"]` under which the guard finds the answer to a refused handshake for the stream."""


class Door(Protocol):
    """Admits connections to the stream; see `web.ws.Door`."""

    paths: frozenset[str]

    def spread(self, steps: Iterator[None]) -> None:
        """Do work one step a turn; see `ticker.turns.Turns.spread`."""

    def refusal(self, request: HTTPConnection) -> Response | None:
        """The answer to a handshake that is refused, which is counted; None if it is admitted."""

    def full(self, address: str) -> object:
        """Count a connection that is refused before its request: there is no file left for it."""

    def begin(self, connection: Any, request: HTTPConnection, head: bytes) -> None:
        """Detach an admitted connection; `head` answers the handshake."""


class Handshake(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket connection until it is open."""

    door: Door
    """Decides on handshakes for the stream."""
    compress = True
    """Whether compression is offered; each message by itself, so that its bytes can be shared."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.compress:
            self.conn.available_extensions = [DEFLATE]

    def data_received(self, data: bytes) -> None:
        """As uvicorn's, which would leave requests without an answer that the parser has refused."""
        self.conn.receive_data(data)
        if (self.conn.handshake_exc or self.conn.parser_exc) is not None:
            self._refuse()
        else:
            self.handle_events()

    def handle_connect(self, event: Request) -> None:
        """As uvicorn's, but a client of another version learns which one is supported (RFC 6455, section 4.4)."""
        if event.headers.get_all("Sec-WebSocket-Version") != ["13"]:
            self._refuse(426, "only version 13 of the WebSocket protocol is supported", {"Sec-WebSocket-Version": "13"})
        else:
            self.transport.pause_reading()  # what a client sends too early waits for ours
            self.door.spread(self._in_turn(event))

    def _in_turn(self, request: Request) -> Iterator[None]:
        """Answer it, in a turn of its own."""
        try:
            if not self.transport.is_closing():
                self.transport.resume_reading()
                self._decide(request)
        except Exception:  # a bug must end this connection only
            self.logger.exception("error in a WebSocket handshake")
            self.transport.abort()
        yield

    def _decide(self, request: Request) -> None:
        """Answer a handshake that opens the stream, or one that is malformed; others go to the application."""
        response = self.conn.accept(request)
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            allow = {"Allow": "GET"} if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED else None
            self._refuse(response.status_code, response.body.decode().strip(), allow)
            return
        raw_path, _, query = request.path.partition("?")
        path = unquote(raw_path)
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in request.headers.raw_items()]
        connection = HTTPConnection({
            "type": "websocket", "scheme": self.scheme, "client": self.client, "path": path, "headers": headers,
            "query_string": query.encode(),
        })  # fmt: skip
        refused = self.door.refusal(connection) if path in self.door.paths else None
        if refused is not None or path not in self.door.paths:
            super().handle_connect(request)
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[REFUSAL] = refused  # before the endpoint's task has begun
            return
        self.conn.send_response(response)
        self.handshake_complete = True
        self.transport.set_protocol(self)  # told if the first write is not taken whole
        self.door.begin(self, connection, b"".join(self.conn.data_to_send()))

    async def run_asgi(self) -> None:
        """As uvicorn's, to which it is an error if the answer is not a WebSocket."""
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except Exception:
            self.logger.exception("error in a WebSocket endpoint")
            self.send_500_response()
        self.transport.close()

    def _refuse(
        self,
        status: int = 400,
        text: str = "the request is not a WebSocket handshake, or its URL is longer than 8,000 bytes",
        headers: dict[str, str] | None = None,
    ) -> None:
        """Answer a request that is not a valid handshake."""
        self.transport.write(raw_problem(status, "bad_request", text, headers))
        self.close_sent = self.handshake_complete = True
        self.transport.close()
