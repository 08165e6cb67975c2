"""What the Python peers share: the market as frames, and which client watches what."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable
from typing import Generic, TypeVar
from urllib.parse import parse_qs, urlsplit

from tests.bench.market import EPOCH_MS, paced, stamp_us, text

T = TypeVar("T")


class Watchers(Generic[T]):
    """Clients by the symbols that their URL names; `*` is everything."""

    def __init__(self) -> None:
        self._by_name: dict[str, dict[T, None]] = {}

    def join(self, client: T, target: str) -> None:
        (names,) = parse_qs(urlsplit(target).query).get("symbols", ["*"])
        for name in names.split(","):
            self._by_name.setdefault(name, {})[client] = None

    def leave(self, client: T) -> None:
        for clients in self._by_name.values():
            clients.pop(client, None)

    def of(self, name: str) -> Iterable[T]:
        """The clients that get a frame of this symbol; a frame of everything has the name `*`."""
        found = list(self._by_name.get("*", ()))
        return found if name == "*" else found + list(self._by_name.get(name, ()))


async def frames(symbols: int, per_second: int, shape: str) -> AsyncIterator[list[tuple[str, str]]]:
    """Each tick's frames, each with the name of its content: one for the whole batch, or one for each update."""
    async for rows in paced(symbols, per_second):
        stamp, ts = stamp_us(), EPOCH_MS + time.monotonic_ns() // 1_000_000
        if shape == "batch":
            yield [("*", frame(",".join(text(row, stamp, ts) for row in rows)))]
        else:
            yield [(row.symbol, frame(text(row, stamp, ts))) for row in rows]


def frame(quotes: str) -> str:
    return f'{{"type":"update","since":4711,"version":4712,"time":{EPOCH_MS},"quotes":{{{quotes}}}}}'
