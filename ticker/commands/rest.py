"""One request to the service's REST paths, with the standard library: these commands must start fast."""

from __future__ import annotations

import contextlib
import json
import os
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import unquote

from ticker.client.wire import Address, heads
from ticker.commands.output import patience
from ticker.errors import RefusedError, UnknownSymbolError, UnreachableError

TIMEOUT_S = 15.0


def fetch(url: str | None, path: str, *, quiet: bool = False) -> Any:
    """The JSON at a path of the service; decimals keep their text. Says that it waits, unless `quiet`.

    Raises:
        UnreachableError: nobody answers, or not yet.
        UnknownSymbolError: the path's symbol does not exist.
        RefusedError: the service refuses.
    """
    address = Address.of(url, os.environ)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(f"{address}{path}", headers=heads(None, None, os.environ))  # noqa: S310 - checked
    try:
        waiting = contextlib.nullcontext() if quiet else patience(f"asking {address}")
        with waiting, direct.open(request, timeout=TIMEOUT_S) as response:
            return json.loads(response.read(), parse_float=str)
    except urllib.error.HTTPError as error:
        problem = _problem(error)
        if problem.get("code") == "unknown_symbol":
            raise UnknownSymbolError(
                {unquote(path.partition("?")[0].rpartition("/")[2]): problem.get("nearest", [])}
            ) from None
        text = str(problem.get("detail") or f"HTTP status {error.code}")
        if error.code in {429, 502, 503, 504}:
            raise UnreachableError(f"{address}: {text}") from None
        raise RefusedError(text, problem.get("code", error.code)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        text = os.strerror(reason.errno).lower() if isinstance(reason, OSError) and reason.errno else str(reason)
        raise UnreachableError(f"cannot connect to {address}: {text}; is it running?") from error


def _problem(error: urllib.error.HTTPError) -> dict[str, Any]:
    try:
        problem = json.loads(error.read())
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
