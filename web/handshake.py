"""The beginning of a WebSocket: a good handshake for the stream is answered here, one in each turn of the loop.

Through the framework it would cost more than twice as much, and after a restart everybody comes at once: all of them
in one turn would keep the others waiting. What is refused, and every other path, goes to the application.
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
"""Key of `scope["extensions"]` under which the guard finds the answer to a handshake for the stream that is refused."""


class Door(Protocol):
    """Who may come in; see `web.ws.Door`."""

    paths: frozenset[str]

    def spread(self, steps: Iterator[None]) -> None:
        """Do work a step a turn; see `ticker.turns.Turns.spread`."""

    def refusal(self, request: HTTPConnection) -> Response | None:
        """The answer to a handshake that is refused, counted."""

    def begin(self, connection: Any, request: HTTPConnection, head: bytes) -> None:
        """Detach an accepted connection; `head` is the handshake's answer."""


class Handshake(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket connection until it is open."""

    door: Door
    """Whom to ask."""
    compress = True
    """Whether compression is offered; each message by itself, so that its bytes can be shared."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.compress:
            self.conn.available_extensions = [DEFLATE]

    def data_received(self, data: bytes) -> None:
        """As uvicorn's, which would leave a request hanging that the parser refused."""
        self.conn.receive_data(data)
        if (self.conn.handshake_exc or self.conn.parser_exc) is not None:
            self._refuse()
        else:
            self.handle_events()

    def handle_connect(self, event: Request) -> None:
        """As uvicorn's, but another version is told which one is spoken (RFC 6455, section 4.4)."""
        if event.headers.get_all("Sec-WebSocket-Version") != ["13"]:
            self._refuse(426, "speak version 13 of the protocol", {"Sec-WebSocket-Version": "13"})
        else:
            self.transport.pause_reading()  # what a client sends too early waits for the answer
            self.door.spread(self._in_turn(event))

    def _in_turn(self, request: Request) -> Iterator[None]:
        """Answer it, in a turn of its own."""
        try:
            if not self.transport.is_closing():
                self.transport.resume_reading()
                self._knock(request)
        except Exception:  # a bug, which is this connection's end and nobody else's
            self.logger.exception("error in a WebSocket handshake")
            self.transport.abort()
        yield

    def _knock(self, request: Request) -> None:
        """Answer a good handshake for the stream, and one that is none at all; another one goes to the application."""
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
        self.transport.set_protocol(self)  # who is told when the first write is not taken whole
        self.door.begin(self, connection, b"".join(self.conn.data_to_send()))

    async def run_asgi(self) -> None:
        """As uvicorn's, to which an answer that opens nothing is an error."""
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
        text: str = "the request is not a WebSocket handshake, or its URL is over 8,000 bytes",
        headers: dict[str, str] | None = None,
    ) -> None:
        """Answer a request that the parser refused; uvicorn would leave it hanging."""
        self.transport.write(raw_problem(status, "bad_request", text, headers))
        self.close_sent = self.handshake_complete = True
        self.transport.close()
