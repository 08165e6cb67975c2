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
"""Limits the requests that a process makes at the same time."""


@overload
def watch(*symbols: str, exact: Literal[True] = True, **options: Unpack[Options]) -> View[Decimal]: ...
@overload
def watch(*symbols: str, exact: Literal[False], **options: Unpack[Options]) -> View[float]: ...
@overload
def watch(*symbols: str, exact: bool, **options: Unpack[Options]) -> View[Decimal] | View[float]: ...
def watch(*symbols: str, exact: bool = True, **options: Unpack[Options]) -> View[Decimal] | View[float]:
    """A live view of symbols and patterns, to be entered by `async with`.

    Args:
        symbols: what to watch: `BTC-USD`, `sim:*`. The service's address may come first.
        exact: prices as `Decimal`, digit for digit those of the exchange; otherwise as `float`, which is faster.
        options: see `Options`.

    Raises:
        ConfigError, PatternError: an argument is invalid.
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
    """The current quotes of symbols and patterns: a list of dicts, ready for a data frame.

    First the symbols given by name, in that order, then those that patterns match, sorted. Asks once, over HTTP, in a
    thread of its own; a cancelled `get` does not wait for that thread.

    Args:
        symbols: as in `watch`.
        exact: prices as `Decimal`; otherwise as `float`.
        url: the service; default `TICKER_URL`, then this machine.
        fields: which fields; default all.
        token: if the service requires one; default `TICKER_TOKEN`.
        headers: to send with each request.
        timeout_s: time limit of each request; several hundred patterns take more than one.

    Raises:
        UnknownSymbolError: a symbol does not exist; `nearest` has similar names.
        UnreachableError: the service cannot be reached, or no feed has loaded its symbols yet.
        RefusedError: the service refuses the request.
        ConfigError, PatternError: an argument is invalid.
    """
    make: Any = Decimal if exact else float
    answer: Future[list[Quote[Any]]] = Future()

    def work() -> None:
        with _ROOM:
            if answer.set_running_or_notify_cancel():
                try:
                    answer.set_result(ask(symbols, make, url, fields, token, headers, timeout_s))
                except BaseException as error:  # noqa: BLE001 - for the caller
                    answer.set_exception(error)

    # A daemon, not `asyncio.to_thread`: `asyncio.run` would wait at its end even for a request that was cancelled.
    threading.Thread(target=work, name="ticker.client.get", daemon=True).start()
    return [quote.row() for quote in await asyncio.wrap_future(answer)]
