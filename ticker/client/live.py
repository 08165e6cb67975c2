"""The library's two functions for asyncio."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from decimal import Decimal
from typing import Any, Literal, Unpack, overload

from ticker.client.ask import ask
from ticker.client.quote import Quote
from ticker.client.stream import Options, open_stream
from ticker.client.view import View

_ROOM = threading.Semaphore(8)
"""Requests that a process makes at the same time; the others wait."""


@overload
def watch(*symbols: str, exact: Literal[True] = True, **options: Unpack[Options]) -> View[Decimal]: ...
@overload
def watch(*symbols: str, exact: Literal[False], **options: Unpack[Options]) -> View[float]: ...
@overload
def watch(*symbols: str, exact: bool, **options: Unpack[Options]) -> View[Decimal] | View[float]: ...
def watch(*symbols: str, exact: bool = True, **options: Unpack[Options]) -> View[Decimal] | View[float]:
    """A live view of symbols and patterns, to be used by `async with`.

    Args:
        symbols: what to watch: `BTC-USD`, `alpha:*`. The service's address may come first.
        exact: prices as `Decimal`, digit for digit the exchange's; else as `float`, which is faster.
        options: see `Options`.

    Raises:
        ConfigError, PatternError: the arguments cannot be.
    """
    return View(open_stream(symbols, Decimal, **options)) if exact else View(open_stream(symbols, float, **options))


async def get(
    *symbols: str,
    exact: bool = False,
    url: str | None = None,
    fields: Sequence[str] | None = None,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 10.0,
) -> list[dict[str, Any]]:
    """The quotes of symbols and patterns, once: a list of dicts, as data frames take them.

    Symbols by name come in the order given, then what patterns match, sorted. Tries once, over HTTP, in a thread of its
    own: a question needs no stream. Once `get` is cancelled, nothing waits for that thread.

    Args:
        symbols: as in `watch`.
        exact: prices as `Decimal`; else as `float`.
        url: the service; default `TICKER_URL`, then this machine's.
        fields: which fields; default all.
        token: where the service asks for one; default `TICKER_TOKEN`.
        headers: to send with the request.
        timeout_s: how long each request for it may take; more than some hundreds of patterns take several.

    Raises:
        UnknownSymbolError: no such symbol; it has the nearest names.
        UnreachableError: no service, or it has no prices yet.
        RefusedError: the service refuses.
        ConfigError, PatternError: the arguments cannot be.
    """
    make: Any = Decimal if exact else float
    answer: Future[list[Quote[Any]]] = Future()

    def work() -> None:
        with _ROOM:
            if answer.set_running_or_notify_cancel():
                try:
                    answer.set_result(ask(symbols, make, url, fields, token, headers, timeout_s))
                except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the caller
                    answer.set_exception(error)

    threading.Thread(target=work, name="ticker.client.get", daemon=True).start()  # the loop would wait for its own
    return [quote.row() for quote in await asyncio.wrap_future(answer)]
