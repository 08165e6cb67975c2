"""What the paths of the API share: reading a selection, checking limits, making answers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Annotated, Any

import orjson
from fastapi import Depends, Query, Request
from fastapi.responses import Response

from ticker.errors import PatternError, ProtocolError, UnknownSymbolError, did_you_mean
from ticker.messages import LISTS, TOKEN
from ticker.scope import Scope
from ticker.selection import Selection
from ticker.service import Service
from ticker.slices import tested, untested
from ticker.suggestions import nearest_symbols, unknown_symbols
from web.problem import Problem

SYMBOLS_HELP = "Symbols or patterns with `*`, separated by commas; `*` alone means every consolidated symbol."
FIELDS_HELP = "Fields to send, separated by commas; all if absent."
Symbols = Annotated[tuple[str, ...], Query(description=SYMBOLS_HELP)]
Fields = Annotated[tuple[str, ...], Query(description=FIELDS_HELP)]
CURSOR_HELP = "The cursor of an earlier answer or event: send only what has changed since."


async def _in_hand() -> AsyncIterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


InHand = Annotated[contextlib.ExitStack, Depends(_in_hand)]
"""Closed when the answer has been taken, or its client has left."""
RETRY_SOON = {"Retry-After": "1"}


async def check_parameters(request: Request) -> None:
    """Refuse parameters that the path does not have, and repeated ones that are not lists: part would be ignored.

    Names that begin with `_` are allowed: spreadsheets and scripts add them to bypass caches. So is everything outside
    of `/api`: health checkers may add parameters of their own.

    Raises:
        Problem: 400, with the nearest name.
    """
    route, given = request.scope["route"], request.query_params
    known = {field.alias for field in route.dependant.query_params}
    for name in given if route.path.startswith("/api/") else ():
        if name == TOKEN or name[:1] == "_":
            continue
        if name not in known:
            hint = did_you_mean(name, known) or "; this path takes none"
            raise Problem(400, "bad_request", f"no parameter '{name}'{hint}")
        if len(given.getlist(name)) > 1 and name not in LISTS:
            raise Problem(400, "bad_request", f"parameter '{name}' is given twice")


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


def listed(texts: Iterable[str]) -> list[str]:
    """The items of a list parameter; of `A,B` and `C` if it was given twice."""
    return [part for part in ",".join(texts).split(",") if part]


def selection_of(symbols: Iterable[str], fields: Iterable[str], service: Service) -> Selection:
    """The selection that the parameters describe; no fields means all of them.

    Raises:
        Problem: 400, a pattern or field is malformed, or there are too many patterns.
    """
    patterns = set(listed(symbols))
    limits = service.settings.limits
    if len(patterns) > limits.patterns:
        raise Problem(400, "too_many_symbols", f"at most {limits.patterns} patterns a request")
    if sum("*" in pattern for pattern in patterns) > limits.wildcards:
        raise Problem(400, "too_many_symbols", f"at most {limits.wildcards} patterns with '*' a request")
    try:
        return Selection.of(patterns, listed(fields) or None)
    except PatternError as error:
        raise Problem(400, error.code, str(error)) from None


async def admit_patterns(service: Service, address: str, selection: Selection) -> None:
    """Match all symbols against the patterns that are new, and charge the address as for an answer with all of them.

    Raises:
        Problem: 503, the address has asked for too much lately.
    """
    if new := untested(service.store, selection):
        check_snapshot(service, address, sum(map(service.store.tests, new)))
        await service.hub.turns.complete(tested(service.store, selection))


@contextlib.contextmanager
def scope_of(service: Service, selection: Selection) -> Iterator[Scope]:
    """The selection, resolved for the duration of the block.

    Raises:
        Problem: 400, it matches more symbols than one reader may select.
    """
    scope = service.store.resolve(selection)
    try:
        matched, limit = service.store.matched(scope), service.settings.limits.symbols
        if matched > limit:
            raise Problem(400, "too_many_symbols", f"{matched} symbols match, {limit} are allowed")
        yield scope
    finally:
        service.store.release(scope)


def check_quota(
    service: Service, address: str, selection: Selection, interval_ms: int, cursor: str | None, *, made: bool = False
) -> int:
    """Refuse a reader that would exceed its address's quota; returns how many symbols the selection matches.

    Raises:
        Problem: 400, the selection is too large; 503, it may be accepted later.
    """
    with as_problem():
        return service.hub.groups.admit(address, selection, interval_ms, cursor, made=made)


def check_snapshot(service: Service, address: str, symbols: int, in_hand: contextlib.ExitStack | None = None) -> None:
    """Charge an address for the symbols of a full answer, and count them as in hand; see `ticker.quota`.

    Raises:
        Problem: 503, the address has asked for too much lately, or does not take what it asked for.
    """
    quota = service.hub.groups.quota
    with as_problem():
        if in_hand is not None:
            in_hand.enter_context(quota.in_hand(address, symbols))
        quota.check_snapshot(address, symbols)


@contextlib.contextmanager
def as_problem() -> Iterator[None]:
    """Turn a `ProtocolError` into a `Problem`."""
    try:
        yield
    except ProtocolError as error:
        if error.code == "overloaded":
            raise Problem(503, error.code, str(error), RETRY_SOON) from None
        raise Problem(400, error.code, str(error)) from None


def unknown_of(service: Service, address: str, selection: Selection) -> list[dict[str, Any]]:
    """The symbols that a selection names but that do not exist; none before a feed has loaded its symbols."""
    if not service.begun():
        return []
    return unknown_symbols(service.store, selection.patterns, lambda: _may_look(service, address))


def unknown_members(service: Service, address: str, selection: Selection) -> bytes:
    """The end of a document: `unknown` symbols, and the feeds `loading` that may still bring them; encoded."""
    unknown = unknown_of(service, address, selection)
    members = {"unknown": unknown, "loading": service.loading()} if unknown else {}
    return b"".join(b',"%b":%b' % (name.encode(), orjson.dumps(value)) for name, value in members.items() if value)


def unknown_symbol(service: Service, address: str, symbol: str) -> Problem:
    """What to raise for a symbol that does not exist: 404, or 503 before any feed has loaded its symbols."""
    if not service.begun():
        return Problem(503, "overloaded", "no feed has loaded its symbols yet", RETRY_SOON)
    near = nearest_symbols(symbol, service.store.symbols()) if _may_look(service, address) else []
    error = UnknownSymbolError({symbol: near}, service.loading())
    more: dict[str, Any] = {"loading": error.loading} if error.loading else {}
    return Problem(404, "unknown_symbol", str(error), nearest=near, **more)


def _may_look(service: Service, address: str) -> bool:
    """Whether similar names may be searched for; the address is charged as for an answer with all symbols."""
    try:
        check_snapshot(service, address, len(service.store))
    except Problem:
        return False
    return True
