"""One question to a service and its answer: the quotes of some symbols now."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from ticker.client.address import Address, addressed, heads, wanted
from ticker.client.quote import Number, Quote
from ticker.client.rest import fetch
from ticker.errors import UnknownSymbolError, UnreachableError

MAX_QUERY = 6000
"""Letters of patterns in one request; proxies take addresses of 8,000."""


def ask(
    symbols: Sequence[str],
    make: Callable[[Any], Number],
    url: str | None = None,
    fields: Sequence[str] | None = None,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 10.0,
) -> list[Quote[Number]]:
    """The quotes that `get` makes rows of."""
    address, patterns = addressed(symbols, url, os.environ)
    names = wanted(patterns, fields)
    query = {} if fields is None else {"fields": ",".join(fields)}
    number = float if make is float else str
    records = inquire(address, "quotes", names, query, heads(headers, token, os.environ), timeout_s, number)
    named = [name for name in names if "*" not in name]
    return [Quote(name, records[name], make) for name in (*named, *sorted(records.keys() - set(named)))]


def inquire(
    address: Address,
    what: str,
    patterns: Iterable[str],
    query: Mapping[str, str],
    headers: Mapping[str, str],
    timeout_s: float = 15.0,
    number: Callable[[str], Any] = str,
) -> dict[str, Any]:
    """What `/api/quotes` or `/api/symbols` answers, by symbol, in as many requests as the patterns need.

    Raises:
        UnknownSymbolError: some of the symbols do not exist.
        UnreachableError: there is no answer, or no feed has loaded its symbols yet.
        RefusedError: the service refuses.
    """
    names = list(patterns)
    records: dict[str, Any] = {}
    unknown: dict[str, list[str]] = {}
    loading: list[str] = []
    for part in parts(names):
        path = f"/api/{what}?{urlencode({'symbols': ','.join(part), **query}, safe=',*:')}"
        answer = fetch(address, path, what, headers, timeout_s, number)
        found = answer[what]
        records |= found if isinstance(found, dict) else {entry["symbol"]: entry for entry in found}
        unknown |= {entry["symbol"]: entry["nearest"] for entry in answer.get("unknown", ())}
        loading = answer.get("loading", loading)
    if unknown:
        raise UnknownSymbolError(unknown, loading)
    if missing := [name for name in names if "*" not in name and name not in records]:  # else they would be unknown
        text = "no feed has loaded its symbols yet; try again in a moment"
        raise UnreachableError(f"cannot look up {', '.join(missing)}: {text}")
    return records


def parts(patterns: Iterable[str]) -> Iterator[list[str]]:
    """The patterns in as few parts as requests need."""
    part: list[str] = []
    size = 0
    for text in patterns:
        if part and size + len(text) >= MAX_QUERY:
            yield part
            part, size = [], 0
        part.append(text)
        size += len(text) + 1
    yield part
