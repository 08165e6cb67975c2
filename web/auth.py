"""Tokens: which one a request carries, which paths need one, and an end to connections whose token is no longer valid.

A token comes in the header `Authorization: Bearer …`, on a WebSocket also as its first message, and in the query
(`?token=…`) only if that is switched on: URLs end up in logs and histories.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from ticker import protocol
from ticker.hub import Connection
from ticker.messages import TOKEN
from ticker.service import Service
from ticker.tokens import Token, Tokens
from web.addresses import Addresses
from web.admission import CONNECTION_ID
from web.problem import Problem


class Auth:
    """Checks the tokens of one service; without a tokens file everybody may read."""

    def __init__(self, service: Service, addresses: Addresses) -> None:
        auth = service.settings.auth
        self._tokens = Tokens(Path(auth.tokens_file), service.clock.wall_ms) if auth.tokens_file else None
        self._from_query = auth.query
        self._guard_metrics = auth.metrics
        self._hub = service.hub
        self._addresses = addresses
        self._handshake_s = service.settings.limits.handshake_s
        self._admitted: dict[Connection, Token] = {}
        self._waiting: dict[Connection, float] = {}
        if self._tokens is not None:
            self._hub.on_tick.append(self._check)

    @property
    def required(self) -> bool:
        """Whether a token is needed to read prices."""
        return self._tokens is not None

    def presented(self, connection: HTTPConnection) -> str | None:
        """The text of the token that a request carries."""
        kind, _, text = connection.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return text.strip()
        return connection.query_params.get(TOKEN) if self._from_query else None

    def _find(self, text: str | None, use: str = "prices") -> Token | None:
        assert self._tokens is not None
        return self._tokens.find(text, use) if text else None

    def _refused(self, connection: HTTPConnection, use: str = "prices") -> Problem:
        number = self._hub.refuse("auth", self._addresses.of(connection))
        detail = f"a token for {use} is needed: Authorization: Bearer …"
        if self.presented(connection):
            detail = f"this token is unknown, has expired, or is not for {use}"
        return Problem(401, "unauthorized", detail, {"WWW-Authenticate": "Bearer", CONNECTION_ID: str(number)})

    def require(self, use: str) -> Callable[[Request], Awaitable[None]]:
        """A dependency for routers: refuses requests without a good token, for prices only those below `/api`."""

        async def check(request: Request) -> None:
            wanted = self._guard_metrics if use == "metrics" else request.scope["route"].path.startswith("/api/")
            if self.required and wanted and self._find(self.presented(request), use) is None:
                raise self._refused(request, use)

        return check

    def refusal(self, connection: HTTPConnection) -> Response | None:
        """The answer to a WebSocket with a bad token; one without may still send it as its first message."""
        text = self.presented(connection)
        if not self.required or text is None or self._find(text) is not None:
            return None
        return self._refused(connection).response

    def watch(self, connection: Connection, text: str | None) -> bool:
        """Let a connection stay as long as its token is valid, or wait for one; returns whether it may read now."""
        if not self.required:
            return True
        token = self._find(text)
        if token is not None:
            self._waiting.pop(connection, None)
            self._admitted[connection] = token
        elif text:  # the caller closes it with 4001
            self._hub.counts.rejects["auth"] += 1
        else:
            self._waiting[connection] = self._hub.now()
        return token is not None

    def _check(self) -> None:
        assert self._tokens is not None
        for watched in (self._admitted, self._waiting):
            for connection in [c for c in watched if c not in self._hub.connections]:
                del watched[connection]
        lost = {token for token in set(self._admitted.values()) if not self._tokens.holds(token)}  # looks at the file
        for connection in [c for c, token in self._admitted.items() if token in lost]:
            connection.end(protocol.UNAUTHORIZED, "the token is no longer valid")
        for connection, since in list(self._waiting.items()):
            if self._hub.now() - since >= self._handshake_s:
                connection.end(protocol.UNAUTHORIZED, "no token was sent in time")
