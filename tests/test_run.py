"""The composition root, as far as it does more than put parts together."""

from __future__ import annotations

import asyncio
import gc

import pytest

from ticker.clock import Clock
from ticker.config import Settings
from ticker.run import _freeze_once
from ticker.service import Service


def test_what_stays_is_set_aside_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """When every feed knows its symbols, not before and not again: later garbage is looked for among later things."""
    done: list[str] = []
    monkeypatch.setattr(gc, "collect", lambda: done.append("collect"))
    monkeypatch.setattr(gc, "freeze", lambda: done.append("freeze"))

    async def scenario() -> None:
        service = Service(Settings(), Clock())
        feed, tick = service.feed("toy", "live", "received", 5.0), _freeze_once(service)
        for _ in range(2):
            tick()
        assert done == []
        feed.loaded()
        for _ in range(3):
            tick()

    asyncio.run(scenario())
    assert done == ["collect", "freeze"]
