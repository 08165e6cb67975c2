"""Connections that end are freed at once: none waits for the garbage collector, whose runs stop the whole process."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from tests.web.events import listen_to
from tests.web.server import Live, serving, until

OURS = ("web.", "ticker.", "uvicorn.", "httptools.", "uvloop.", "websockets.", "starlette.")


async def stream(live: Live) -> None:
    peer = await live.stream("?symbols=BTC-USD")
    await peer.hear("snapshot")
    peer.sock.close()


async def stream_by_messages(live: Live) -> None:
    peer = await live.stream()
    await peer.say(op="subscribe", symbols=["*"])
    await peer.hear("snapshot")
    live.connection(peer).abort()


async def refused(live: Live) -> None:
    peer = await live.connect()
    assert (await peer.upgrade("/ws", "Origin: https://evil.example")).status == 403
    peer.sock.close()


async def events(live: Live) -> None:
    reader = await listen_to(live, "?symbols=BTC-USD")
    await reader.event()
    reader.peer.sock.close()


async def request(live: Live) -> None:
    assert (await live.get("/api/quotes/BTC-USD")).status == 200


@pytest.mark.parametrize("visit", [stream, stream_by_messages, refused, events, request])
def test_ended_connections_leave_nothing_for_the_garbage_collector(visit: Callable[[Live], Awaitable[None]]) -> None:
    """With the collector switched off, ten visitors of a kind leave no object of ours that only it could free."""

    async def scenario(live: Live) -> None:
        async def ten() -> None:
            for _ in range(10):
                await visit(live)
                await until(lambda: not live.hub.connections)
            await until(lambda: not live.server.server_state.connections and not live.server.server_state.tasks)

        await ten()  # the first ones fill caches
        gc.collect()
        gc.freeze()  # what exists already is not looked at again, in later tests neither
        gc.disable()
        try:
            await ten()
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            left = Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.garbage)
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
        assert {name: count for name, count in left.items() if name.startswith(OURS)} == {}

    serving()(scenario)()
