"""One question to a service and its answer, blocking, without asyncio."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.sync.client import connect

from ticker.client.once import Question
from ticker.client.quote import Number, Quote
from ticker.client.wire import MAX_FRAME_BYTES, addressed, heads, judge
from ticker.clock import Clock
from ticker.errors import UnreachableError


def ask(
    symbols: Sequence[str],
    make: Callable[[Any], Number],
    url: str | None = None,
    fields: Sequence[str] | None = None,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 10.0,
) -> list[Quote[Number]]:
    """The quotes that `ticker.client.sync.get` makes rows of."""
    address, patterns = addressed(symbols, url, os.environ)
    question = Question(patterns, fields, make)
    clock = Clock()
    deadline = clock.monotonic() + timeout_s
    try:
        with connect(
            address.stream, compression=None, max_size=MAX_FRAME_BYTES, ping_interval=None, close_timeout=1,
            open_timeout=timeout_s, additional_headers=heads(headers, token, os.environ), proxy=None,
        ) as socket:  # fmt: skip
            socket.send(question.message, text=True)
            quotes = None
            while quotes is None:
                quotes = question.receive(socket.recv(max(0.0, deadline - clock.monotonic()), decode=False))
            return quotes
    except (ConnectionClosed, OSError, EOFError, InvalidHandshake, InvalidURI) as error:
        raise UnreachableError(f"cannot connect to {address}: {judge(error)[0]}; is it running?") from error
