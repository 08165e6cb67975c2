"""The library's two functions for asyncio."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, Unpack, overload

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from ticker.client.address import addressed, heads
from ticker.client.once import Question
from ticker.client.stream import Options, connected, open_stream
from ticker.client.view import View
from ticker.client.wire import judge
from ticker.errors import UnreachableError


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

    Symbols by name come in the order given, then what patterns match, sorted. Tries once.

    Args:
        symbols: as in `watch`.
        exact: prices as `Decimal`; else as `float`.
        url: the service; default `TICKER_URL`, then this machine's.
        fields: which fields; default all.
        token: where the service asks for one; default `TICKER_TOKEN`.
        headers: to send with the request.
        timeout_s: how long it may take in all.

    Raises:
        UnknownSymbolError: no such symbol; it has the nearest names.
        UnreachableError: no service, or it has no prices yet.
        RefusedError: the service refuses.
        ConfigError, PatternError: the arguments cannot be.
    """
    address, patterns = addressed(symbols, url, os.environ)
    question: Question[Any] = Question(patterns, fields, Decimal if exact else float)
    try:
        async with (
            asyncio.timeout(timeout_s),
            connected(address, heads(headers, token, os.environ)) as socket,
        ):
            await socket.send(question.message, text=True)
            while (quotes := question.receive(await socket.recv(decode=False))) is None:
                pass
            return [quote.row() for quote in quotes]
    except (ConnectionClosed, OSError, EOFError, InvalidHandshake, InvalidURI) as error:
        raise UnreachableError(f"cannot connect to {address}: {judge(error)[0]}; is it running?") from error
