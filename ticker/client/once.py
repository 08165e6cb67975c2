"""One question, answered once: the quotes of some symbols now. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic

from ticker.client.book import Book
from ticker.client.quote import Number, Quote
from ticker.errors import RefusedError, UnknownSymbolError, UnreachableError


class Question(Generic[Number]):
    """Asks for some symbols' quotes.

    Attributes:
        message: what to send.

    Raises:
        PatternError: a pattern or a field that cannot be.
    """

    def __init__(self, symbols: Sequence[str], fields: Sequence[str] | None, make: Callable[[Any], Number]) -> None:
        self._book: Book[Number] = Book(symbols, fields, 0, make)
        opening = self._book.open()
        assert opening is not None
        self.message: bytes = opening[1]
        self._unknown: dict[str, list[str]] = {}

    def receive(self, data: bytes) -> list[Quote[Number]] | None:
        """Take a frame of the service; the quotes, once they are complete: by name as asked for, then the others.

        Raises:
            RefusedError: the service refuses.
            UnreachableError: it does not know its symbols yet.
            UnknownSymbolError: it knows them, and some of these are not there.
        """
        book = self._book
        message = book.receive(data)
        if message.type == "error":
            kind = UnreachableError(message.message) if message.retry else RefusedError(message.message, message.code)
            raise kind
        if message.type == "subscribed":
            for refused in message.rejected:
                raise RefusedError(f"'{refused.pattern}': {refused.message}", refused.code)
            self._unknown = {entry.symbol: entry.nearest for entry in message.unknown}
        if not book.current:
            return None
        named = [text for text in book.wanted if "*" not in text]
        missing = [text for text in named if text not in book.quotes]
        if unknown := {text: self._unknown[text] for text in missing if text in self._unknown}:
            raise UnknownSymbolError(unknown)
        if missing:
            raise UnreachableError(f"the service has no price of {', '.join(missing)} yet; try again in a moment")
        names = [*named, *sorted(book.quotes.keys() - set(named))]
        return [quote for name in names if (quote := book.quote(name)) is not None]
