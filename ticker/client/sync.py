"""`ticker.client` for programs without an event loop: the same names, blocking.

A view reads in a thread of its own, so it stays current while the program is busy elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from decimal import Decimal
from types import TracebackType
from typing import Any, Generic, Literal, Self, TypeVar, Unpack, overload

from ticker.client import view as live
from ticker.client.ask import ask
from ticker.client.book import Backlog, Book
from ticker.client.quote import Change, Frame, Number, Quote
from ticker.client.stream import ENTERED, Options, State, Stream, open_stream
from ticker.errors import (
    ClientError,
    ConfigError,
    PatternError,
    RefusedError,
    UnknownSymbolError,
    UnreachableError,
)

__all__ = [
    "Change", "ClientError", "ConfigError", "Frame", "Options", "PatternError", "Quote", "RefusedError", "State",
    "UnknownSymbolError", "UnreachableError", "View", "get", "watch",
]  # fmt: skip

Item = TypeVar("Item")


class _Lock:
    """A view's lock, usable only in the process that made it.

    A forked process has no thread that updates the view, nor perhaps the one that held the lock: prices would be old.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._process = os.getpid()

    def here(self) -> threading.Lock:
        """The lock, for `with` to acquire: if this acquired it, Ctrl-C could come before the block begins."""
        if os.getpid() != self._process:
            raise RuntimeError("a view does not survive a fork; call watch() in the new process")
        return self.lock


class View(Generic[Number]):
    """As `ticker.client.View`, for `with` and `for`. Any thread may use it, but not a forked process."""

    def __init__(self, stream: Stream[Book[Number]], lock: _Lock) -> None:
        self._stream = stream
        self._view = live.View(stream)
        self._lock = lock
        self._entered: Future[None] = Future()
        self._running: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = Future()
        self._ended: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="ticker.client", daemon=True)

    def __enter__(self) -> Self:
        if self._thread.ident is not None:
            raise RuntimeError(ENTERED)
        self._thread.start()
        try:
            self._entered.result()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection and all loops; returns when that is done."""
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError, OSError):  # the loop has just ended, or could not start
                loop, task = self._running.result()
                loop.call_soon_threadsafe(task.cancel)
            if threading.current_thread() is not self._thread:  # a callback cannot wait for its own thread
                self._thread.join()

    def _run(self) -> None:
        runner = asyncio.Runner()
        try:
            runner.get_loop()
        except OSError as error:  # e.g. too many open files
            self._running.set_exception(error)
            self._entered.set_exception(error)
        else:
            with runner, contextlib.suppress(asyncio.CancelledError):
                runner.run(self._live())
        finally:
            self._ended.set_result(None)

    async def _live(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.set_result((asyncio.get_running_loop(), task))
        try:
            await self._view.__aenter__()
        except BaseException as error:
            self._entered.set_exception(error)
            if isinstance(error, asyncio.CancelledError):
                raise
            return
        try:
            self._entered.set_result(None)
            await asyncio.Event().wait()
        finally:
            await self._view.close()

    # What is known

    @property
    def state(self) -> State:
        """`live`, `reconnecting` or `stale`, as in `ticker.client.View`."""
        with self._lock.here():
            return self._view.state

    @property
    def trouble(self) -> str:
        """Why the last connection ended or could not be made, as in `ticker.client.View`."""
        with self._lock.here():
            return self._view.trouble

    @property
    def cursor(self) -> str | None:
        """Where another view of the same selection can resume, even in another process; None before the first data."""
        with self._lock.here():
            return self._view.cursor

    @property
    def unknown(self) -> dict[str, list[str]]:
        """Requested symbols that do not exist, as in `ticker.client.View`."""
        with self._lock.here():
            return self._view.unknown

    @property
    def feeds(self) -> dict[str, dict[str, object]]:
        """The service's feeds by name: `state`, `since`, `kind`, `clock` and `message` of each."""
        with self._lock.here():
            return self._view.feeds

    def __getitem__(self, symbol: str) -> Quote[Number]:
        """The current quote; KeyError if the symbol is not in the view (yet)."""
        with self._lock.here():
            return self._view[symbol]

    def __contains__(self, symbol: object) -> bool:
        with self._lock.here():
            return symbol in self._view

    def __len__(self) -> int:
        with self._lock.here():
            return len(self._view)

    def get(self, symbol: str) -> Quote[Number] | None:
        """The current quote; None if the symbol is not in the view (yet)."""
        with self._lock.here():
            return self._view.get(symbol)

    def quotes(self) -> dict[str, Quote[Number]]:
        """All current quotes by symbol."""
        with self._lock.here():
            return self._view.quotes()

    # What changes

    def __iter__(self) -> Loop[Number, Change[Number]]:
        """Changes symbol by symbol, first those that make up the current quotes; ends only with the view."""
        return Loop(self._stream, self._lock, Backlog.change)

    def frames(self) -> Loop[Number, Frame[Number]]:
        """Changes as whole frames, the first one with all current quotes; ends only with the view."""
        return Loop(self._stream, self._lock, _frozen)

    def wait_for(
        self, symbol: str, predicate: Callable[[Quote[Number]], bool], timeout_s: float | None = None
    ) -> Quote[Number]:
        """The first quote of a symbol, the current one included, for which the predicate holds.

        It does not see the intermediate values of changes that were merged.

        Raises:
            TimeoutError: there was none within `timeout_s`; None waits for ever.
            ConfigError: no pattern of the view matches the symbol.
        """
        with self._lock.here():
            self._stream.book.check_wanted(symbol)
        clock, frames = self._stream.clock, self.frames()
        deadline = None if timeout_s is None else clock.monotonic() + timeout_s
        while True:
            frame = frames.next(None if deadline is None else max(0.0, deadline - clock.monotonic()))
            for change in frame:
                if change.symbol == symbol and not change.gone and predicate(change.quote):
                    return change.quote

    # What is wanted

    def subscribe(self, *patterns: str) -> None:
        """Add symbols or patterns; returns when their quotes are here."""
        self._do(self._view.subscribe, patterns)

    def unsubscribe(self, *patterns: str) -> None:
        """Remove symbols or patterns, exactly as they were given; returns when their changes no longer come."""
        self._do(self._view.unsubscribe, patterns)

    def _do(self, act: Callable[..., Coroutine[None, None, None]], patterns: Sequence[str]) -> None:
        with self._lock.here():
            self._stream.check_entered()
        if threading.current_thread() is self._thread:
            raise RuntimeError("a callback cannot change its own view, whose thread it runs in; use another thread")
        call = act(*patterns)
        try:
            done = asyncio.run_coroutine_threadsafe(call, self._running.result()[0])
        except RuntimeError:  # the loop is closed
            done = Future()
        wait((done, self._ended), return_when=FIRST_COMPLETED)
        if not done.done() or done.cancelled():  # the loop has ended with it, or before it
            call.close()
            raise ClientError("the view is closed")
        done.result()


def _frozen(backlog: Backlog[Number]) -> Frame[Number] | None:
    return backlog.frame(freeze=True)


class Loop(Generic[Number, Item]):
    """One `for` over a view. It ends when the view is closed, and raises any error that ends the view."""

    def __init__(
        self, stream: Stream[Book[Number]], lock: _Lock, take: Callable[[Backlog[Number]], Item | None]
    ) -> None:
        self._stream = stream
        self._lock = lock
        self._take = take
        self._news = threading.Event()
        with lock.here():
            self._backlog = stream.book.backlog(self._news.set)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Item:
        try:
            return self.next(None)
        except ClientError:
            if self._stream.ended():
                raise StopIteration from None
            raise

    def next(self, timeout_s: float | None) -> Item:
        """The next item.

        Raises:
            TimeoutError: there was none within `timeout_s`; None waits for ever.
            ClientError: the view is closed.
        """
        while True:
            self._news.clear()
            with self._lock.here():
                item = self._take(self._backlog)
            if item is not None:
                return item
            if self._stream.ended():
                raise ClientError("the view is closed")
            if not self._news.wait(timeout_s):
                raise TimeoutError("no change in time")


@overload
def watch(*symbols: str, exact: Literal[True] = True, **options: Unpack[Options]) -> View[Decimal]: ...
@overload
def watch(*symbols: str, exact: Literal[False], **options: Unpack[Options]) -> View[float]: ...
@overload
def watch(*symbols: str, exact: bool, **options: Unpack[Options]) -> View[Decimal] | View[float]: ...
def watch(*symbols: str, exact: bool = True, **options: Unpack[Options]) -> View[Decimal] | View[float]:
    """A live view of symbols and patterns, to be entered by `with`; arguments as in `ticker.client.watch`."""
    lock = _Lock()
    if exact:
        return View(open_stream(symbols, Decimal, lock=lock.lock, **options), lock)
    return View(open_stream(symbols, float, lock=lock.lock, **options), lock)


def get(
    *symbols: str,
    exact: bool = False,
    url: str | None = None,
    fields: Sequence[str] | None = None,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 10.0,
) -> list[dict[str, Any]]:
    """The current quotes of symbols and patterns; arguments, rows and errors as in `ticker.client.get`."""
    make: Any = Decimal if exact else float
    return [quote.row() for quote in ask(symbols, make, url, fields, token, headers, timeout_s)]
