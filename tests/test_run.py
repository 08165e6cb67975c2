"""The composition root, as far as it does more than put parts together."""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import weakref

import pytest

from tests.clock import ManualClock
from tests.ticker.incoming import contents
from ticker.clock import Clock
from ticker.garbage import FROZEN_S, freezer
from ticker.gateway import Everything
from ticker.model import Quote
from ticker.run import _shown, _within_files
from ticker.service import Service
from ticker.settings import Settings, Upstream


def test_objects_that_stay_are_frozen_for_the_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    """When every feed knows its symbols, and when many more have come, what exists is set aside for the collector."""
    done: list[str] = []
    monkeypatch.setattr(gc, "collect", lambda: done.append("collect"))
    monkeypatch.setattr(gc, "freeze", lambda: done.append("freeze"))

    async def scenario() -> None:
        service = Service(Settings(), Clock())
        feed, tick = service.feed("toy", "live", "received", 5.0), freezer(service)

        def grow(symbols: int) -> int:
            feed.publish([Quote(f"toy:S{i}-USD", {"last": "1"}) for i in range(symbols)])
            service.hub.flush()
            for _ in range(3):
                tick()
            times = len(done) // 2
            assert done == ["collect", "freeze"] * times
            return times

        assert grow(10) == 0
        feed.loaded()
        assert [grow(symbols) for symbols in (10, 10, 14, 16, 23, 25)] == [1, 1, 1, 2, 2, 3]
        service.store.restart(7, contents(5, {"A": {"last": "1"}}))  # as in a gateway: its records are made anew
        assert done.pop() == "freeze"
        assert [grow(0), grow(0)] == [4, 4]

    asyncio.run(scenario())


class Ring:
    """What only the collector can free, as of a connection that was cut."""

    def __init__(self) -> None:
        self.itself = self


def test_a_gateway_whose_upstream_restarts_again_and_again_does_not_grow() -> None:
    """What was garbage when a snapshot was shown, or open then and left garbage later, is freed in the end.

    Seen: each snapshot set aside for good all that was there, with the remains of the last connection to the upstream.
    """
    feeds = {"k": {"state": "live", "since": 5, "kind": "live", "clock": "exchange", "message": None}}

    async def scenario() -> None:
        clock = ManualClock()
        service = Service(Settings(upstream=Upstream(url="http://up")), clock)
        assert service.upstream is not None
        tick, everything, left = freezer(service), Everything(service.upstream), weakref.WeakSet[Ring]()
        for minute in range(40):
            still_open = Ring()
            left |= {still_open, Ring()}
            frame = {"type": "snapshot", "epoch": minute // 2, "version": 5, "quotes": {"A": {"last": "1"}}}
            everything.receive(json.dumps(frame | {"feeds": feeds}).encode())
            del still_open
            tick()
            clock.tick(60)
            assert len(left) <= 2 * (FROZEN_S / 60 + 1)
        service.hub.close()

    asyncio.run(scenario())


def test_the_address_in_the_log_can_be_opened() -> None:
    """A service that listens on all addresses is reached on this machine, too."""
    shown = {host: _shown(host) for host in ("127.0.0.1", "0.0.0.0", "::", "::1", "10.0.0.7")}
    assert shown == {
        "127.0.0.1": "127.0.0.1", "0.0.0.0": "localhost", "::": "localhost", "::1": "[::1]", "10.0.0.7": "10.0.0.7",
    }  # fmt: skip


def test_a_limit_of_open_files_that_cannot_be_lifted_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some systems refuse to have no limit of open files; the number that they allow counts."""

    def refuse(_: int, __: tuple[int, int]) -> None:
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1000, resource.RLIM_INFINITY))
    assert _within_files(Settings()).limits.connections == 800


def test_the_limit_of_open_files_is_raised_on_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen: macOS names no limit, refuses to have none, and begins with 256 files, which made 128 connections."""
    soft = [256]

    def change(_: int, limits: tuple[int, int]) -> None:
        if not 0 <= limits[0] <= 10_240:
            raise ValueError("current limit exceeds maximum limit")
        soft[0] = limits[0]

    monkeypatch.setattr(resource, "setrlimit", change)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft[0], resource.RLIM_INFINITY))
    assert _within_files(Settings()).limits.connections == 10_040
    soft[0] = 30_000
    assert _within_files(Settings()).limits.connections == 20_000
