"""What people are told beside the data, on standard error: what is waited for, is lost and back, or does not exist."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ticker.errors import UnknownSymbolError
from ticker.logs import escape

if TYPE_CHECKING:
    from ticker.client import State

PATIENCE_S = 1.0
"""What takes no longer is not worth a word."""


def note(text: str) -> None:
    """Tell a person something that is no data; nobody, if standard error is not a terminal."""
    if sys.stderr.isatty():
        _say(text)


def warning() -> Callable[[dict[str, list[str]]], None]:
    """What to call with symbols that do not exist: tells each once, also where there is no terminal."""
    said: set[str] = set()

    def warn(unknown: dict[str, list[str]]) -> None:
        for symbol in [symbol for symbol in unknown if symbol not in said]:
            _say(str(UnknownSymbolError({symbol: unknown[symbol]})))
        said.update(unknown)

    return warn


@contextlib.contextmanager
def patience(text: str, more: Callable[[], str] = str) -> Iterator[None]:
    """Say what is waited for, and more, once it has taken longer than a second; take that back at the end."""
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
    """Wait for a service, however long that takes; also where there is no terminal that is said, why, and its end."""

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


_NEWS = {
    "live": "live again",
    "reconnecting": "connection lost; reconnecting",
    "stale": "no current data; prices are stale",
}


def telling() -> Callable[[State], None]:
    """What to call with each state of a view: tells, also where there is no terminal, when it is lost and is back."""
    was_live = False

    def tell(state: State) -> None:
        nonlocal was_live
        if was_live:
            _say(_NEWS[state])
        was_live = was_live or state == "live"

    return tell


@contextlib.contextmanager
def _overdue(say: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Call `say` if this takes longer than a second; what is given ends that, and tells whether it was called."""
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
    first = "\r\x1b[K" if sys.stderr.isatty() else ""  # what is waited for stands there
    print(f"{first}ticker: {escape(text)}", file=sys.stderr, flush=True)
