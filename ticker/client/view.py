"""A live view of some symbols, as a script sees it.

A loop over the view never sees an error that coming back mends; it sees `state`. What cannot be mended ends the
view, and every loop and call raises it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

from ticker.client.address import texts
from ticker.client.book import Backlog
from ticker.client.quote import Change, Frame, Number, Quote
from ticker.client.stream import State, Stream
from ticker.errors import ClientError

Item = TypeVar("Item")

_BREATH_S = 0.005
"""A loop that always finds something lets others run after so long."""


class View(Generic[Number]):
    """The current quotes of a selection, and loops over what changes in them. Made by `watch`; use it by `async with`.

    Entering waits for the first data, for as long as it takes if the service is not there yet.
    """

    def __init__(self, stream: Stream[Number]) -> None:
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
        """`live`, `reconnecting` or `stale`.

        Reconnecting: there is no connection. Stale: nothing has been heard for one and a half heartbeats, connected
        or not, or the line is so slow that what is heard is older than that; nor will anything be once the view has
        ended.
        """
        return self._stream.state

    @property
    def trouble(self) -> str:
        """Why the last connection ended or did not come about; empty if there was none before this one."""
        return self._stream.trouble

    # What is known

    def __getitem__(self, symbol: str) -> Quote[Number]:
        """The quote now; KeyError if the symbol is not in the view (yet)."""
        quote = self._book.quote(symbol)
        if quote is None:
            raise KeyError(symbol)
        return quote

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._book.quotes

    def __len__(self) -> int:
        return len(self._book.quotes)

    def get(self, symbol: str) -> Quote[Number] | None:
        """The quote now, None if the symbol is not in the view (yet)."""
        return self._book.quote(symbol)

    def quotes(self) -> dict[str, Quote[Number]]:
        """All quotes now."""
        return {symbol: self[symbol] for symbol in self._book.quotes}

    @property
    def feeds(self) -> dict[str, dict[str, object]]:
        """State and kind of each feed of the service, by name."""
        return {name: dict(feed) for name, feed in self._book.feeds.items()}

    @property
    def unknown(self) -> dict[str, list[str]]:
        """Symbols that are wanted and do not exist, each with the names most like it; they come if they ever do."""
        book = self._book
        return {
            symbol: list(names)
            for symbol, names in book.unknown.items()
            if symbol in book.wanted and symbol not in book.quotes
        }

    @property
    def cursor(self) -> str | None:
        """Where another view of the same selection may go on from, in another process too."""
        return self._book.cursor

    # What changes

    def __aiter__(self) -> Loop[Number, Change[Number]]:
        """Each symbol's changes one by one, first what is known already; ends only when the view does."""
        return Loop(self._stream, Backlog.change)

    def frames(self) -> Loop[Number, Frame[Number]]:
        """Whole steps from version to version, first what is known already."""
        return Loop(self._stream, Backlog.frame)

    async def wait_for(self, symbol: str, predicate: Callable[[Quote[Number]], bool]) -> Quote[Number]:
        """The first quote of a symbol, from now on, for which the predicate holds; merged changes are one."""
        async for frame in self.frames():
            quote = self.get(symbol) if symbol in frame.deltas else None
            if quote is not None and predicate(quote):
                return quote
        raise ClientError("the view is closed")

    # What is wanted

    async def subscribe(self, *patterns: str) -> None:
        """Take these symbols or patterns in; returns when their quotes are here."""
        added = [text for text in texts(patterns) if text not in self._book.wanted]
        await self._stream.ask(*self._book.subscribe(patterns), added)

    async def unsubscribe(self, *patterns: str) -> None:
        """Leave these out, exactly as they were given; returns when no more of them will come."""
        await self._stream.ask(*self._book.unsubscribe(texts(patterns)), [])


class Loop(Generic[Number, Item]):
    """One `async for` over a view. It ends when the view is closed, and raises what else ends it."""

    def __init__(self, stream: Stream[Number], take: Callable[[Backlog[Number]], Item | None]) -> None:
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
