"""The smallest complete reader: what `docs` of the protocol promise in five lines, and nothing of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection

from tests.running import exact


@dataclass
class View:
    """What a reader knows. Numbers are kept as their text.

    Attributes:
        cursor: where to go on from on another connection; None before the first data frame.
        snapshots, updates: how many came.
    """

    quotes: dict[str, dict[str, Any]] = field(default_factory=dict)
    feeds: dict[str, dict[str, Any]] = field(default_factory=dict)
    epoch: str = ""
    version: int = 0
    selection: str = ""
    snapshots: int = 0
    updates: int = 0

    @property
    def cursor(self) -> str | None:
        return f"{self.epoch}:{self.version}:{self.selection}" if self.version else None

    def apply(self, text: str | bytes) -> dict[str, Any]:
        """Take a frame; returns it."""
        frame: dict[str, Any] = exact(text)
        kind = frame["type"]
        if kind in {"subscribed", "unsubscribed"}:
            self.selection = frame["selection"]
        elif kind == "snapshot":
            self.snapshots += 1
            self.quotes, self.feeds = frame.get("quotes", {}), frame.get("feeds", {})
            self.epoch, self.version = frame["epoch"], int(frame["version"])
        elif kind == "update":
            self.updates += 1
            assert int(frame["since"]) <= self.version <= int(frame["version"]), "something was lost, or time ran back"
            for name, record in frame.get("quotes", {}).items():
                self.quotes.setdefault(name, {}).update(record)
            for name, record in frame.get("feeds", {}).items():
                self.feeds.setdefault(name, {}).update(record)
            for name in frame.get("gone", ()):
                self.quotes.pop(name, None)
            self.version = int(frame["version"])
        return frame


async def read_until(socket: ClientConnection, view: View, happened: Callable[[], bool]) -> None:
    """Take frames until something is true."""
    async with asyncio.timeout(60):
        while not happened():
            view.apply(await socket.recv(decode=False))
