"""The exceptions of the project.

    TickerError
    ├── ConfigError      the user's configuration or command line is wrong: exit status 2
    ├── FeedError        a feed failed; `reason` is one of model.ERROR_REASONS; it is retried
    │   └── FatalFeedError   retrying cannot help (a bad key): the feed is parked as failed
    ├── PatternError     a selection is malformed; `code` is one of protocol.ERROR_CODES
    ├── ProtocolError    a client's message is refused; `code` is one of protocol.ERROR_CODES
    └── ClientError      reading from a service failed; raised by `ticker.client` only
        ├── UnreachableError     it cannot be reached, or has no prices yet: exit status 4
        ├── RefusedError         it refuses, and would do so again; `code` says why
        └── UnknownSymbolError   it knows no such symbol; `nearest` has similar ones: exit status 3

Messages say what is wrong and what to do, in one line, without secrets.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any


class TickerError(Exception):
    """Root of all exceptions that this project raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it as it is; the default would rebuild it from its message alone, which fails."""
        return type(self).__new__, (type(self), *self.args), self.__dict__


class ConfigError(TickerError):
    """The configuration is wrong; nothing was started."""


class FeedError(TickerError):
    """A feed could not get prices.

    Args:
        message: one line for people, without secrets.
        reason: one of `model.ERROR_REASONS`, the label it is counted under.
        retry_after_s: when the exchange said to come back, in seconds.
    """

    def __init__(self, message: str, *, reason: str = "protocol", retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after_s = retry_after_s


class FatalFeedError(FeedError):
    """A feed failed in a way that retrying cannot mend."""


class PatternError(TickerError, ValueError):
    """A pattern is malformed, or a field does not exist.

    Args:
        message: which, and what to do.
        code: one of `protocol.ERROR_CODES`.
    """

    def __init__(self, message: str, code: str = "bad_request") -> None:
        super().__init__(message)
        self.code = code


class ProtocolError(TickerError):
    """A client's message is refused.

    Attributes:
        reply_id: the message's own `id`, echoed in the error frame; set by the first caller that knows it.

    Args:
        code: one of `protocol.ERROR_CODES`.
        message: what to do about it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reply_id: int | str | None = None


class ClientError(TickerError):
    """Reading from a service failed in a way that the client library cannot recover from."""


class UnreachableError(ClientError):
    """The service cannot be reached, or does not know its symbols yet; a later attempt may succeed."""


class RefusedError(ClientError):
    """The service refuses the request, and would refuse it again.

    Args:
        message: what it says.
        code: one of `protocol.ERROR_CODES`, a WebSocket close code, or an HTTP status.
    """

    def __init__(self, message: str, code: str | int) -> None:
        super().__init__(message)
        self.code = code


class UnknownSymbolError(ClientError):
    """The service knows its symbols, and these are not among them.

    Args:
        nearest: for each unknown symbol the names most like it, best first.
        loading: the feeds that do not know their symbols yet; these may be among them.
    """

    def __init__(self, nearest: dict[str, list[str]], loading: Sequence[str] = ()) -> None:
        hints = {symbol: f"; nearest: {', '.join(names)}" if names else "" for symbol, names in nearest.items()}
        so_far = f" so far (not loaded yet: {', '.join(loading)})" if loading else ""
        super().__init__("\n".join(f"no symbol '{symbol}'{so_far}{hint}" for symbol, hint in hints.items()))
        self.nearest = nearest
        self.loading = list(loading)


def nearest(word: str, known: Iterable[str], count: int = 1) -> list[str]:
    """The known words most like `word`, best first; for "did you mean …?"."""
    by_fold = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), by_fold, n=count, cutoff=0.5)
    return [by_fold[name] for name in close]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A clause to append to an error about an unknown word: `; did you mean 'x'?`, or a list of all."""
    words = sorted(known)
    if close := nearest(word, words):
        return f"; did you mean '{close[0]}'?"
    return f"; choose from: {', '.join(words)}" if words else ""
