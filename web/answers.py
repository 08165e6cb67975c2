"""What the paths of the API share: their answers, how the reference describes them, and how they read a selection."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from fastapi.responses import Response

from ticker.errors import PatternError
from ticker.selection import Scope, Selection
from ticker.service import Service
from ticker.session import nearest_symbols
from web.problem import Problem

SYMBOLS_HELP = "Symbols or patterns with `*`, separated by commas; `*` alone is every consolidated symbol."
FIELDS_HELP = "Fields to send, separated by commas; all if absent."
CURSOR_HELP = "Only what changed since; from an earlier answer."


def described(description: str, example: Any, media: str = "application/json") -> dict[int | str, dict[str, Any]]:
    """How a success looks, for the reference."""
    return {200: {"description": description, "content": {media: {"example": example}}}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How these failures look, for the reference."""
    texts = {
        403: "The page of another site asks.",
        400: "A parameter is malformed; `detail` says which.",
        404: "No such symbol; `nearest` names some that are like it.",
        503: "Not ready yet; come back after `Retry-After` seconds.",
    }
    described: dict[int | str, str] = {s: texts[s] for s in statuses} | {"default": "Any other problem."}
    return {s: {"description": text, "content": {"application/problem+json": {}}} for s, text in described.items()}


def answer(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response that no cache keeps."""
    return Response(body, status, {"Cache-Control": "no-store"} | (headers or {}), "application/json")


def selection_of(symbols: str, fields: str | None, service: Service) -> Selection:
    """What comma-separated patterns and fields select.

    Raises:
        Problem: 400, which of them is malformed.
    """
    patterns = [part for part in symbols.split(",") if part]
    limits = service.settings.limits
    if len(patterns) > limits.patterns:
        raise Problem(400, "too_many_symbols", f"at most {limits.patterns} patterns a request")
    if sum("*" in pattern for pattern in patterns) > limits.wildcards:
        raise Problem(400, "too_many_symbols", f"at most {limits.wildcards} patterns with '*' a request")
    try:
        return Selection.of(patterns, [f for f in fields.split(",") if f] if fields else None)
    except PatternError as error:
        raise Problem(400, "bad_request", str(error)) from None


@contextlib.contextmanager
def scope_of(service: Service, selection: Selection) -> Iterator[Scope]:
    """A selection resolved while the block lasts.

    Raises:
        Problem: 400, it matches more symbols than one reader may have.
    """
    scope = service.store.resolve(selection)
    try:
        matched, limit = service.store.matched(scope), service.settings.limits.symbols
        if matched > limit:
            raise Problem(400, "too_many_symbols", f"{matched} symbols match, {limit} are allowed")
        yield scope
    finally:
        service.store.release(scope)


def unknown_symbol(service: Service, symbol: str) -> Problem:
    """What to raise for a symbol that is not there: 404 with the nearest, or 503 while it may still come."""
    if not service.loaded():
        return Problem(503, "overloaded", "not every feed has loaded its symbols yet", {"Retry-After": "1"})
    near = nearest_symbols(symbol, service.store.symbols())
    hint = f"; the nearest are {', '.join(near)}" if near else ""
    return Problem(404, "unknown_symbol", f"no symbol '{symbol}'{hint}", nearest=near)
