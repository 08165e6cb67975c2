"""A script of five lines, through everything that can happen between it and the service, in real processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.cut import wire
from tests.running import READY_S, Running, running
from ticker.client import Change, RefusedError, State, View, sync, watch

FEED = "sim:20?rate=1000&faults=false"

SCRIPT = """
from ticker.client.sync import watch
with watch("*") as view:
    for change in view:
        print(change.symbol, change.version, change.time, change.quote.ts, flush=True)
"""
"""The five lines, printing what is needed to check the order."""


class Script:
    """A running script; `lines` collects what it prints."""

    def __init__(self, url: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT], cwd=ROOT, env=os.environ | {"TICKER_URL": url}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.lines: list[list[str]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.split())

    def seen(self, count: int) -> bool:
        return len(self.lines) >= count

    def end(self) -> str:
        """Interrupt it; what it wrote on standard error."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(READY_S)
        self._reader.join(READY_S)
        assert self.process.stderr is not None
        with self.process.stderr as stream, self.process.stdout or stream:
            return stream.read()


def wait(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition without a service to ask."""
    for _ in range(int(READY_S / 0.02)):
        if condition():
            return
        threading.Event().wait(0.02)
    raise AssertionError(what)


def test_a_script_survives_its_service(port: int) -> None:
    """Started first, it prints prices once the service is up, and again after kill -9 and a restart.

    Within one life of the service, versions and each symbol's times never go back. It reports no error.
    """
    script = Script(f"http://127.0.0.1:{port}")
    lives: list[list[list[str]]] = []
    try:
        for _ in range(2):
            begun = len(script.lines)
            with running("--feed", FEED, "--port", str(port)) as service:
                service.wait(lambda begun=begun: script.seen(begun + 100), "the script printed nothing", 2 * READY_S)  # type: ignore[misc]
                service.process.send_signal(signal.SIGKILL)
                service.process.wait(READY_S)
            lives.append(script.lines[begun:])
        assert script.process.poll() is None
    finally:
        errors = script.end()
    assert errors.splitlines()[-1] == "KeyboardInterrupt"
    for life in lives:
        newest: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for symbol, version, _, ts in (line for line in life if line[3] != "None"):
            assert newest[symbol] <= (int(version), int(ts))
            newest[symbol] = (int(version), int(ts))


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    """A busy little market."""
    with running("--feed", FEED, "--set", "hub.heartbeat_ms=1000") as started:
        started.wait(lambda: started.get("/api/feeds")["feeds"]["sim"]["state"] == "live", "no price came")
        yield started


def port_of(service: Running) -> int:
    return int(service.url.rpartition(":")[2])


async def equal(view: View[Decimal], service: Running) -> dict[str, Any]:
    """Wait until REST answers at the view's version, and compare: they are equal, digit for digit."""
    async with asyncio.timeout(READY_S):
        while True:
            rest = await asyncio.to_thread(service.get, "/api/quotes")
            if rest["version"] == str(view._book.version):
                break
    known = {s: {n: v if v is None else str(v) for n, v in q.raw.items()} for s, q in view.quotes().items()}
    assert known == rest["quotes"]
    return known


class Watcher:
    """Reads changes at its own pace, and checks that no symbol goes back in time."""

    def __init__(self) -> None:
        self.count = 0
        self.newest: dict[str, tuple[int, int]] = {}

    def take(self, change: Change[Decimal]) -> None:
        self.count += 1
        at = (change.version, change.quote.ts or 0)
        assert self.newest.get(change.symbol, (0, 0)) <= at
        self.newest[change.symbol] = at

    async def follow(self, view: View[Decimal], pause_s: float = 0.0) -> None:
        async for change in view:
            self.take(change)
            if pause_s:
                await asyncio.sleep(pause_s)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(READY_S):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.01)


def test_a_view_survives_a_network_that_drops_and_stalls(service: Running) -> None:
    """Cut once by a reset and once in silence: the view says so, resumes, and ends with what REST has."""
    states: list[State] = []

    async def scenario() -> None:
        watcher = Watcher()
        async with (
            wire(port_of(service)) as between,
            watch(f"http://127.0.0.1:{between.port}", "*", on_state=states.append) as view,
        ):
            reading = asyncio.create_task(watcher.follow(view))
            await until(lambda: watcher.count > 50)
            epoch = view._book.cursor.split(":")[0] if view._book.cursor else ""
            between.drop()
            await until(lambda: view.state == "stale")
            between.mend()
            await until(lambda: view.state == "live")
            between.stall()
            await until(lambda: view.state == "stale")
            between.mend()
            between.drop()
            between.mend()
            await until(lambda: view.state == "live")
            seen = watcher.count
            await until(lambda: watcher.count > seen + 50)
            assert (view.cursor or "").startswith(f"{epoch}:")
            await equal(view, service)
            reading.cancel()
        await asyncio.wait([reading])

    asyncio.run(scenario())
    assert {"live", "reconnecting", "stale"} == set(states)


def test_a_subscription_too_large_to_reconnect_with_is_refused(service: Running) -> None:
    """A subscription too large for the opening message of a reconnect is refused at once, and changes nothing.

    Seen: a view that had grown by several subscribes beyond 64 KiB of names died with 1009 at its first reconnect.
    """
    names = [f"{i:X<70}-USD" for i in range(900)]

    async def scenario() -> None:
        async with (
            wire(port_of(service)) as between,
            watch(f"http://127.0.0.1:{between.port}", "BTC-USD") as view,
        ):
            await view.subscribe(*names[:450])
            with pytest.raises(RefusedError, match="must fit into a message of 65536 bytes") as refused:
                await view.subscribe(*names[450:])
            assert refused.value.code == "too_large"
            cursor = view.cursor
            between.drop()
            await until(lambda: view.state != "live")
            between.mend()
            await until(lambda: view.state == "live" and view.cursor != cursor)
            assert len(view.unknown) == 450

    asyncio.run(scenario())


def test_a_slow_script_gets_the_latest_values(service: Running) -> None:
    """At 100 ms per change it falls behind more and more, but still gets each symbol's latest value, merged."""

    async def scenario() -> None:
        watcher, fast = Watcher(), Watcher()
        async with watch(service.url, "*") as view:
            slow = asyncio.create_task(watcher.follow(view, 0.1))
            quick = asyncio.create_task(fast.follow(view))
            await until(lambda: fast.count > 500 and watcher.count > 5)
            assert watcher.count < fast.count / 5
            assert all(len(backlog._pending) <= len(view) for backlog in view._book.backlogs())
            await equal(view, service)
            slow.cancel()
            quick.cancel()
        await asyncio.wait([slow, quick])

    asyncio.run(scenario())


def test_a_blocking_view_stays_current_while_its_loop_sleeps(service: Running) -> None:
    """Its thread keeps reading; the loop's next frame is complete and current."""
    with sync.watch(service.url, "*") as view:
        frames = view.frames()
        first = next(frames)
        wait(lambda: view._stream.book.version > first.version + 20, "the view stood still")
        second = next(frames)
        assert second.version > first.version + 20
        assert all(change.version == second.version for change in second)
        json.dumps(sync.get(service.url, "*"))
