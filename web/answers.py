"""What the paths of the API answer alike: a JSON response, pieces made in turns, symbols that do not exist."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from fastapi.responses import Response

from ticker.errors import UnknownSymbolError
from ticker.selection import Selection
from ticker.service import Service
from ticker.suggestions import nearest_symbols, unknown_symbols
from web.charges import RETRY_SOON, check_snapshot
from web.problem import Problem


def answer(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response; unless `headers` say otherwise, no cache keeps it."""
    return Response(body, status, {"Cache-Control": "no-store"} | (headers or {}), "application/json")


async def in_turns(service: Service, pieces: Iterator[bytes]) -> list[bytes]:
    """The pieces of an answer, each made in its own turn of the loop."""
    made: list[bytes] = []

    def steps() -> Iterator[None]:
        for piece in pieces:
            made.append(piece)
            yield

    await service.hub.turns.complete(steps())
    return made


def unknown_of(service: Service, address: str, selection: Selection) -> list[dict[str, Any]]:
    """The symbols that a selection names but that do not exist; none before a feed has loaded its symbols."""
    if not service.origin.begun():
        return []
    return unknown_symbols(service.store, selection.patterns, lambda: _may_look(service, address))


def unknown_members(service: Service, address: str, selection: Selection) -> bytes:
    """The end of a document: `unknown` symbols, and the feeds `loading` that may still bring them; encoded.

    Before any feed has loaded its symbols there is only the latter.
    """
    unknown = unknown_of(service, address, selection)
    loading = service.origin.loading() if unknown or not service.origin.begun() else []
    members = {"unknown": unknown, "loading": loading}
    return b"".join(b',"%b":%b' % (name.encode(), orjson.dumps(value)) for name, value in members.items() if value)


def unknown_symbol(service: Service, address: str, symbol: str) -> Problem:
    """What to raise for a symbol that does not exist: 404, or 503 before any feed has loaded its symbols."""
    if not service.origin.begun():
        return Problem(503, "overloaded", "no feed has loaded its symbols yet", RETRY_SOON)
    near = nearest_symbols(symbol, service.store.symbols()) if _may_look(service, address) else []
    error = UnknownSymbolError({symbol: near}, service.origin.loading())
    more: dict[str, Any] = {"loading": error.loading} if error.loading else {}
    return Problem(404, "unknown_symbol", str(error), nearest=near, **more)


def _may_look(service: Service, address: str) -> bool:
    """Whether similar names may be searched for; the address is charged as for an answer with all symbols."""
    try:
        check_snapshot(service, address, len(service.store))
    except Problem:
        return False
    return True
