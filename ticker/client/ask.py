"""Requests about symbols over HTTP: each is answered once, with what is known now."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from ticker.client import shapes
from ticker.client.address import Address, check_selection, request_headers, split_address
from ticker.client.quote import Number, Quote
from ticker.client.rest import fetch, names_in
from ticker.errors import UnknownSymbolError, UnreachableError

MAX_QUERY = 6000
"""Most characters of patterns in one request: proxies accept URLs of about 8,000."""
_TEXT = shapes.maybe(shapes.text)
SHAPES: dict[str, shapes.Shape] = {
    "quotes": {"quotes": {str: shapes.record}},
    "symbols": {"symbols": [{
        "symbol": shapes.text, "name": _TEXT, "base": _TEXT, "quote": _TEXT, "decimals": shapes.maybe(shapes.whole),
        "venues": [shapes.text],
    }]},
}  # fmt: skip


def ask(
    symbols: Sequence[str],
    make: Callable[[Any], Number],
    url: str | None = None,
    fields: Sequence[str] | None = None,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 10.0,
) -> list[Quote[Number]]:
    """The quotes that `get` turns into rows, with the same arguments and errors; `make` is `Decimal` or `float`."""
    address, patterns = split_address(symbols, url, os.environ)
    names = check_selection(patterns, fields)
    query = {} if fields is None else {"fields": ",".join(fields)}
    number = float if make is float else str
    sent = request_headers(headers, token, os.environ)
    records = inquire(address, "quotes", names, query, sent, timeout_s, number)
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
    """The entries of `/api/quotes` or `/api/symbols` by symbol, asked for in as many requests as the patterns need.

    Args:
        address: the service.
        what: `quotes` or `symbols`, the path and the member of its answer.
        patterns: which symbols.
        query: further parameters.
        headers: to send with each request.
        timeout_s: for each request.
        number: makes a number from the text of a decimal.

    Raises:
        UnknownSymbolError: some of the symbols do not exist.
        UnreachableError: there is no answer, or no feed has loaded its symbols yet.
        RefusedError: the service refuses the request.
    """
    names = list(patterns)
    records: dict[str, Any] = {}
    unknown: dict[str, list[str]] = {}
    loading: list[str] = []
    for part in parts(names):
        path = f"/api/{what}?{urlencode({'symbols': ','.join(part), **query}, safe=',*:')}"
        answer = fetch(address, path, SHAPES[what], headers, timeout_s, number)
        found = answer[what]
        records |= found if isinstance(found, dict) else {entry["symbol"]: entry for entry in found}
        if shapes.fits(entries := answer.get("unknown", []), [{"symbol": shapes.name}]):
            unknown |= {entry["symbol"]: names_in(entry, "nearest") for entry in entries}
        loading = names_in(answer, "loading") or loading
    if unknown:
        raise UnknownSymbolError(unknown, loading)
    missing = [name for name in names if "*" not in name and name not in records]  # not called unknown either
    if missing or (loading and not records):
        text = "no feed has loaded its symbols yet; try again in a moment, or see `ticker feeds`"
        raise UnreachableError(f"cannot look up {', '.join(missing or names)}: {text}")
    return records


def parts(patterns: Iterable[str]) -> Iterator[list[str]]:
    """The patterns, divided into as few requests as their length allows."""
    part: list[str] = []
    size = 0
    for text in patterns:
        if part and size + len(text) >= MAX_QUERY:
            yield part
            part, size = [], 0
        part.append(text)
        size += len(text) + 1
    yield part
