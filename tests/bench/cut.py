"""A network that fails for half a minute: once with a reset at the start, once in silence.

Expected: the view says that it is stale, comes back by itself and resumes; no price or version ever goes back, and in
the end the view is what REST says, digit for digit. `python -m tests.bench cut`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from tests.cut import wire
from tests.running import Running, running
from tests.test_client import FEED, Watcher, equal, port_of
from ticker.client import watch

CUT_S = 30.0
BACK_S = 45.0
"""The client waits at most 30 s between two attempts."""


def main() -> list[str]:
    """Run it, print what was seen, and return what is wrong."""
    with running("--feed", FEED) as service:
        service.wait(lambda: service.get("/api/feeds")["feeds"]["sim"]["state"] == "live", "no price came")
        return asyncio.run(_cut(service))


async def _cut(service: Running) -> list[str]:
    watcher = Watcher()
    async with (
        wire(port_of(service)) as between,
        watch(f"http://127.0.0.1:{between.port}", "*") as view,
    ):
        reading = asyncio.create_task(watcher.follow(view))
        for name, cut in (("reset", between.drop), ("silent", between.stall)):
            seen = watcher.count
            await _until(lambda seen=seen: watcher.count > seen + 100 or reading.done())  # type: ignore[misc]
            cursor, heard = view.cursor, watcher.count
            cut()
            cut_at = time.monotonic()
            await _until(lambda: view.state == "stale")
            stale_s = time.monotonic() - cut_at
            await asyncio.sleep(CUT_S - stale_s)
            missed = watcher.count - heard
            between.mend()
            back_at = time.monotonic()
            await _until(lambda: view.state == "live")
            print(
                f"cut for {CUT_S:g} s, {name}: stale after {stale_s:.1f} s, {missed} changes meanwhile, live "
                f"{time.monotonic() - back_at:.1f} s after its end, {_resumed(cursor, view.cursor)}"
            )
        if reading.done():
            return [f"a price went back in time: {reading.exception()!r}"]
        try:
            known = await equal(view, service)
        except AssertionError:
            return ["the view is not what REST says"]
        reading.cancel()
        print(f"{watcher.count} changes, none older than one before; {len(known)} symbols are what REST says")
    return []


def _resumed(before: str | None, after: str | None) -> str:
    """Whether the cursor continued in the same epoch."""
    same = (before or "").split(":")[0] == (after or "").split(":")[0]
    return f"resumed from {before} to {after}" if same else f"another epoch: {before}, {after}"


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(BACK_S):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.01)
