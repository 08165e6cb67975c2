"""What a request asks for: the parameters of the API's paths, read and checked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import Query, Request

from ticker.errors import PatternError, did_you_mean
from ticker.messages import LISTS, TOKEN
from ticker.selection import Selection
from ticker.service import Service
from web.problem import Problem

SYMBOLS_HELP = "Symbols or patterns with `*`, separated by commas; `*` alone means every consolidated symbol."
FIELDS_HELP = "Fields to send, separated by commas; all if absent."
Symbols = Annotated[tuple[str, ...], Query(description=SYMBOLS_HELP)]
Fields = Annotated[tuple[str, ...], Query(description=FIELDS_HELP)]
CURSOR_HELP = "The cursor of an earlier answer or event: send only what has changed since."


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
