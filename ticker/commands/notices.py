"""Notices for people on standard error: waiting, no prices, connection lost and restored, unknown symbols."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ticker.errors import UnknownSymbolError
from ticker.harmless import escape

if TYPE_CHECKING:
    from ticker.client import State, View

PATIENCE_S = 1.0
"""A wait no longer than this is not mentioned."""


def note(text: str) -> None:
    """Print a notice if standard error is a terminal."""
    if sys.stderr.isatty():
        _say(text)


def warning() -> Callable[[dict[str, list[str]]], None]:
    """A callback for symbols that do not exist: prints each once, even without a terminal."""
    said: set[str] = set()

    def warn(unknown: dict[str, list[str]]) -> None:
        for symbol in [symbol for symbol in unknown if symbol not in said]:
            _say(str(UnknownSymbolError({symbol: unknown[symbol]})))
        said.update(unknown)

    return warn


@contextlib.contextmanager
def patience(text: str, more: Callable[[], str] = str) -> Iterator[None]:
    """On a terminal, show what the block waits for once it has taken a second, and erase that at its end.

    Args:
        text: what to show.
        more: called for text to add.
    """
    if not sys.stderr.isatty():
        yield
        return
    with _overdue(lambda: print(f"{escape(text + more())} …", end="", file=sys.stderr, flush=True)) as settled:
        try:
            yield
        finally:
            if settled():
                print("\r\x1b[K", end="", file=sys.stderr, flush=True)


@contextlib.contextmanager
def waiting(address: str, trouble: Callable[[], str]) -> Iterator[None]:
    """Print that the block waits for a service, and why, and that it ended; even without a terminal."""

    def why() -> str:
        return f" ({trouble()})" if trouble() else ""

    if sys.stderr.isatty():
        with patience(f"waiting for {address}", why):
            yield
        return
    with _overdue(lambda: _say(f"no prices from {address} yet{why()}; still trying")) as settled:
        yield
        if settled():
            _say("live now")


def lack(feeds: Mapping[str, Mapping[str, object]]) -> str:
    """Why a service has no price of what was asked for: what its feeds complain of, or nothing if none does."""
    reasons = [
        f"feed {name} is {feed.get('state')}: {feed['message']}" for name, feed in feeds.items() if feed.get("message")
    ]
    return f"no prices yet; {'; '.join(reasons)}" if reasons else ""


def tell_lack(view: View[Any]) -> None:
    """Print why a view that has just been entered is empty, if the service says so; even without a terminal."""
    if (text := lack(view.feeds)) and not len(view):
        _say(text)


_NEWS = {
    "live": "live again",
    "reconnecting": "connection lost; reconnecting",
    "stale": "no current data; prices are stale",
}


def telling() -> Callable[[State], None]:
    """A callback for a view's states: prints each change after the first `live`, even without a terminal."""
    was_live = False

    def tell(state: State) -> None:
        nonlocal was_live
        if was_live:
            _say(_NEWS[state])
        was_live = was_live or state == "live"

    return tell


@contextlib.contextmanager
def _overdue(say: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Call `say` once the block has taken a second; yields a function that stops the clock and tells whether it did."""
    said = threading.Event()

    def overdue() -> None:
        said.set()
        say()

    def settled() -> bool:
        timer.cancel()
        timer.join()
        return said.is_set()

    timer = threading.Timer(PATIENCE_S, overdue)
    timer.daemon = True
    timer.start()
    try:
        yield settled
    finally:
        settled()


def _say(text: str) -> None:
    first = "\r\x1b[K" if sys.stderr.isatty() else ""  # erases the text of `patience`
    print(f"{first}ticker: {escape(text)}", file=sys.stderr, flush=True)
