"""`ticker.client` for asyncio: `watch` for a live view of some symbols, `get` for quotes once.

A loop over the view sees no error that reconnecting can fix; `state` shows it. Any other error ends the view, and
every loop and call raises it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from decimal import Decimal
from types import TracebackType
from typing import Any, Generic, Literal, Self, TypeVar, Unpack, overload

from ticker.client.address import check_strings
from ticker.client.ask import ask
from ticker.client.book import Backlog, Book
from ticker.client.quote import Change, Frame, Number, Quote
from ticker.client.stream import Options, State, Stream, open_stream
from ticker.errors import ClientError

Item = TypeVar("Item")

_BREATH_S = 0.005
"""A loop that never has to wait yields to other tasks this often."""
_ROOM = threading.Semaphore(8)
"""Limits the requests that a process makes at the same time."""


class View(Generic[Number]):
    """The current quotes of a selection, and loops over their changes. Made by `watch`; enter it by `async with`.

    Entering waits for the first data, however long that takes if the service is not up yet.
    """

    def __init__(self, stream: Stream[Book[Number]]) -> None:
        self._stream = stream
        self._book = stream.book

    async def __aenter__(self) -> Self:
        await self._stream.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection and all loops."""
        await self._stream.close()

    @property
    def state(self) -> State:
        """`live`, `reconnecting` (there is no connection) or `stale`.

        Stale: for one and a half heartbeats nothing has come, connected or not; or the line is so slow that what
        comes is older than that; or the view has ended.
        """
        return self._stream.state

    @property
    def trouble(self) -> str:
        """Why the last connection ended or could not be made; empty if that has not happened yet."""
        return self._stream.trouble

    # What is known

    def __getitem__(self, symbol: str) -> Quote[Number]:
        """The current quote; KeyError if the symbol is not in the view (yet)."""
        quote = self._book.quote(symbol)
        if quote is None:
            raise KeyError(symbol)
        return quote

    __iter__ = None  # or `for` without `async`, finding only __getitem__, would fail for want of a symbol 0

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._book.quotes

    def __len__(self) -> int:
        return len(self._book.quotes)

    def get(self, symbol: str) -> Quote[Number] | None:
        """The current quote; None if the symbol is not in the view (yet)."""
        return self._book.quote(symbol)

    def quotes(self) -> dict[str, Quote[Number]]:
        """All current quotes by symbol."""
        return {symbol: self[symbol] for symbol in self._book.quotes}

    @property
    def feeds(self) -> dict[str, dict[str, object]]:
        """The service's feeds by name: `state`, `since`, `kind`, `clock` and `message` of each."""
        return {name: dict(feed) for name, feed in self._book.feeds.items()}

    @property
    def unknown(self) -> dict[str, list[str]]:
        """Requested symbols that do not exist, each with the nearest names. If one appears, the view gets it."""
        book = self._book
        return {
            symbol: list(names)
            for symbol, names in book.unknown.items()
            if symbol in book.wanted and symbol not in book.quotes
        }

    @property
    def cursor(self) -> str | None:
        """Where another view of the same selection can resume, even in another process; None before the first data."""
        return self._book.cursor

    # What changes

    def __aiter__(self) -> Loop[Number, Change[Number]]:
        """Changes symbol by symbol, first those that make up the current quotes; ends only with the view."""
        return Loop(self._stream, Backlog.change)

    def frames(self) -> Loop[Number, Frame[Number]]:
        """Changes as whole frames, the first one with all current quotes; ends only with the view."""
        return Loop(self._stream, Backlog.frame)

    async def wait_for(self, symbol: str, predicate: Callable[[Quote[Number]], bool]) -> Quote[Number]:
        """The first quote of a symbol, the current one included, for which the predicate holds.

        It does not see the intermediate values of changes that were merged.

        Raises:
            ConfigError: no pattern of the view matches the symbol.
        """
        self._book.check_wanted(symbol)
        async for frame in self.frames():
            quote = self.get(symbol) if symbol in frame.deltas else None
            if quote is not None and predicate(quote):
                return quote
        raise ClientError("the view is closed")

    # What is wanted

    async def subscribe(self, *patterns: str) -> None:
        """Add symbols or patterns; returns when their quotes are here."""
        added = [text for text in check_strings(patterns) if text not in self._book.wanted]
        await self._stream.ask(*self._book.subscribe(patterns), added)

    async def unsubscribe(self, *patterns: str) -> None:
        """Remove symbols or patterns, exactly as they were given; returns when their changes no longer come."""
        await self._stream.ask(*self._book.unsubscribe(check_strings(patterns)), [])


class Loop(Generic[Number, Item]):
    """One `async for` over a view. It ends when the view is closed, and raises any error that ends the view."""

    def __init__(self, stream: Stream[Book[Number]], take: Callable[[Backlog[Number]], Item | None]) -> None:
        self._stream = stream
        self._take = take
        self._news = asyncio.Event()
        self._backlog = stream.book.backlog(self._news.set)
        self._breath_at = stream.clock.monotonic()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        while True:
            self._news.clear()
            item = self._take(self._backlog)
            if item is not None:
                break
            if self._stream.ended():
                raise StopAsyncIteration
            await self._news.wait()
            self._breath_at = self._stream.clock.monotonic()
        if self._stream.clock.monotonic() > self._breath_at + _BREATH_S:
            await asyncio.sleep(0)
            self._breath_at = self._stream.clock.monotonic()
        return item


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
