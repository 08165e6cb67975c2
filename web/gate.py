"""Who shows which token, where tokens are asked for; and that nobody stays longer than theirs lasts.

A token comes in the header `Authorization: Bearer …`, on a WebSocket also as its first message, and in the query
(`?token=…`) only where that is switched on: addresses end up in logs and histories.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from ticker import protocol
from ticker.hub import Connection
from ticker.service import Service
from ticker.tokens import Token, Tokens
from web.problem import Problem

CHALLENGE = {"WWW-Authenticate": "Bearer"}


class Gate:
    """The tokens of one service; without a file of them everybody may read."""

    def __init__(self, service: Service) -> None:
        auth = service.settings.auth
        self._tokens = Tokens(Path(auth.tokens_file), service.clock.wall_ms) if auth.tokens_file else None
        self._from_query = auth.query
        self._guard_metrics = auth.metrics
        self._hub = service.hub
        self._handshake_s = service.settings.limits.handshake_s
        self._guests: dict[Connection, Token] = {}
        self._waiting: dict[Connection, float] = {}
        if self._tokens is not None:
            self._hub.on_tick.append(self._check)

    @property
    def shut(self) -> bool:
        """Whether a token is needed to read prices."""
        return self._tokens is not None

    def shown(self, connection: HTTPConnection) -> str | None:
        """The token's text that a request brings along."""
        kind, _, text = connection.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return text.strip()
        return connection.query_params.get("token") if self._from_query else None

    def find(self, text: str | None, use: str = "prices") -> Token | None:
        """The good token of a text, if it is one; a refusal is counted."""
        assert self._tokens is not None
        found = self._tokens.find(text, use) if text else None
        if found is None:
            self._hub.counts.rejects["auth"] += 1
        return found

    def guard(self, use: str) -> Callable[[Request], Awaitable[None]]:
        """What a router depends on whose paths need a token; those below `/api`, or all for metrics."""

        async def check(request: Request) -> None:
            wanted = self._guard_metrics if use == "metrics" else request.scope["route"].path.startswith("/api/")
            if self.shut and wanted and self.find(self.shown(request), use) is None:
                raise Problem(401, "unauthorized", f"a token for {use} is needed: Authorization: Bearer …", CHALLENGE)

        return check

    def refusal(self, connection: HTTPConnection) -> Response | None:
        """The answer to a WebSocket whose token is not good; one that shows none may still say it."""
        text = self.shown(connection)
        if not self.shut or text is None or self.find(text) is not None:
            return None
        return Problem(401, "unauthorized", "this token is not known, or has expired", CHALLENGE).response

    def watch(self, connection: Connection, text: str | None) -> bool:
        """Let a connection stay as long as its token lasts, or wait for one; whether it may read now."""
        if not self.shut:
            return True
        token = self.find(text) if text else None
        if token is not None:
            self._waiting.pop(connection, None)
            self._guests[connection] = token
        elif not text:
            self._waiting[connection] = self._hub.now()
        return token is not None

    def _check(self) -> None:
        assert self._tokens is not None
        for guests in (self._guests, self._waiting):
            for connection in [c for c in guests if c not in self._hub.connections]:
                del guests[connection]
        for connection, token in list(self._guests.items()):
            if not self._tokens.holds(token):
                connection.end(protocol.UNAUTHORIZED, "the token has expired")
        for connection, since in list(self._waiting.items()):
            if self._hub.now() - since >= self._handshake_s:
                connection.end(protocol.UNAUTHORIZED, "no token came")
