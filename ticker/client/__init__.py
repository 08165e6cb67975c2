"""Prices for scripts: `watch` for a live view, `get` for quotes once. `ticker.client.sync` has both without asyncio.

    async with watch("BTC-USD", "sim:*") as view:
        async for change in view:
            print(change.symbol, change.quote.last)

A view reconnects, resumes where it was, and merges changes for a slow reader. The library needs neither the service's
web framework nor its settings library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ticker.errors import (
    ClientError,
    ConfigError,
    PatternError,
    RefusedError,
    UnknownSymbolError,
    UnreachableError,
)

if TYPE_CHECKING:
    from ticker.client.quote import Change, Frame, Quote
    from ticker.client.stream import Options, State
    from ticker.client.view import View, get, watch

__all__ = [
    "Change", "ClientError", "ConfigError", "Frame", "Options", "PatternError", "Quote", "RefusedError", "State",
    "UnknownSymbolError", "UnreachableError", "View", "get", "watch",
]  # fmt: skip

_HOMES = {
    "Change": "quote", "Frame": "quote", "Options": "stream", "Quote": "quote", "State": "stream", "View": "view",
    "get": "view", "watch": "view",
}  # fmt: skip
"""The module of each name, imported on first use: `ticker get` imports this package, and must start fast."""


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'ticker.client' has no attribute '{name}'")
    return getattr(importlib.import_module(f"ticker.client.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
