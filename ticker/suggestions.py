"""Unknown symbols, and the existing ones that a reader may have meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ticker.errors import nearest
from ticker.store import Store

MAX_SUGGESTIONS = 5
"""For how many unknown symbols of one message the nearest names are looked up."""


def unknown_symbols(store: Store, patterns: Iterable[str], may_look: Callable[[], bool]) -> list[dict[str, Any]]:
    """The symbols among patterns that do not exist; the first few with the nearest names, if `may_look` allows."""
    unknown: list[dict[str, Any]] = []
    for name in patterns:
        if "*" not in name and store.get(name) is None:
            near = len(unknown) < MAX_SUGGESTIONS and may_look()
            unknown.append({"symbol": name, "nearest": nearest_symbols(name, store.symbols()) if near else []})
    return unknown


def nearest_symbols(name: str, symbols: Iterable[str], count: int = 3) -> list[str]:
    """The existing symbols most like an unknown one, best first; venue symbols for a venue symbol.

    Only those whose first two letters after the venue are the same are compared in full, so that the cost stays small
    with many symbols, and one venue's many symbols do not crowd out the right one.
    """
    head = name.rpartition(":")[2][:2].upper()
    size = len(head)
    if ":" in name:
        alike = [s for s in symbols if (at := s.find(":") + 1) and s[at : at + size].upper() == head]
    else:
        alike = [s for s in symbols if s[:size].upper() == head and ":" not in s]
    return nearest(name, alike[:500], count)
