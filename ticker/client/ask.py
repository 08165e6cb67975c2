"""One question to a service and its answer: the quotes of some symbols now."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from ticker.client.address import addressed, heads, wanted
from ticker.client.quote import Number, Quote, Record
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
    more = heads(headers, token, os.environ)
    number = float if make is float else str
    records: dict[str, Record] = {}
    unknown: dict[str, list[str]] = {}
    loading: list[str] = []
    for part in parts(names):
        query = {"symbols": ",".join(part)} | ({} if fields is None else {"fields": ",".join(fields)})
        path = f"/api/quotes?{urlencode(query, safe=',*:')}"
        answer = fetch(address, path, "quotes", more, timeout_s, number)
        records |= answer["quotes"]
        unknown |= {entry["symbol"]: entry["nearest"] for entry in answer.get("unknown", ())}
        loading = answer.get("loading", loading)
    if unknown:
        raise UnknownSymbolError(unknown, loading)
    named = [name for name in names if "*" not in name]
    if missing := [name for name in named if name not in records]:  # else they would be unknown
        text = "no feed has loaded its symbols yet; try again in a moment"
        raise UnreachableError(f"no price of {', '.join(missing)} yet: {text}")
    return [Quote(name, records[name], make) for name in (*named, *sorted(records.keys() - set(named)))]


def parts(patterns: Sequence[str] | dict[str, None]) -> Iterator[list[str]]:
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
