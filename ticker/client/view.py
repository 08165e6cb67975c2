"""A live view of some symbols, as a script sees it.

A loop over the view sees no error that reconnecting can fix; `state` shows it. Any other error ends the view, and
every loop and call raises it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

from ticker.client.address import check_strings
from ticker.client.book import Backlog, Book
from ticker.client.quote import Change, Frame, Number, Quote
from ticker.client.stream import State, Stream
from ticker.errors import ClientError

Item = TypeVar("Item")

_BREATH_S = 0.005
"""A loop that never has to wait yields to other tasks this often."""


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
