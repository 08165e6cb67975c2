"""What the web's tests use: a real service on a free port.

Everything runs in the loop that production uses, over real sockets. A service that leaves a task, a thread or a
socket behind, or has an error or a traceback in its log, fails its test.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import os
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import uvloop

from tests.ticker.incoming import contents
from tests.web.peer import Answer, Peer
from ticker.clock import Clock
from ticker.intake import FeedIntake
from ticker.model import FIELDS, Quote, Value
from ticker.service import Service
from ticker.settings import Settings
from web.app import create_app
from web.server import Server, listen, make_server
from web.transport import SharedFrames

PATIENCE_S = 60.0
"""What a scenario may take before it counts as hung."""
PRICES = {"BTC-USD": "97000.10", "ETH-USD": "3100.5"}

Sections = Mapping[str, Mapping[str, object]]


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is true in the server: sockets have no event that a test could await."""
    while not condition():  # noqa: ASYNC110 - see above
        await asyncio.sleep(0.002)


class SkippingClock(Clock):
    """The machine's clock, which a test can set forward."""

    def __init__(self) -> None:
        self._skipped_s = 0.0
        self._stepped_ms = 0
        self._stands_at: float | None = None

    def monotonic(self) -> float:
        return (super().monotonic() if self._stands_at is None else self._stands_at) + self._skipped_s

    def wall_ms(self) -> int:
        return super().wall_ms() + self._stepped_ms

    def step(self, seconds: float) -> None:
        """Set the wall clock; no time passes."""
        self._stepped_ms += round(seconds * 1000)

    def stand(self) -> None:
        """From now on only skipped time passes, however slow the machine is."""
        self._stands_at = super().monotonic()

    def go_on(self) -> None:
        """Time passes again, from where it stood."""
        now = self.monotonic()
        self._stands_at = None
        self._skipped_s += now - self.monotonic()

    def skip(self, seconds: float) -> None:
        """Let so much time pass at once."""
        self._skipped_s += seconds


class Live:
    """A running service with one feed, `toy`, whose prices the test publishes."""

    def __init__(self, service: Service, clock: SkippingClock, server: Server, feed: FeedIntake, port: int) -> None:
        self.service = service
        self.clock = clock
        self.hub = service.hub
        self.server = server
        self.feed = feed
        self.port = port
        self.running: asyncio.Task[None] | None = None
        """The service's own task; None once a test has seen its end."""
        self._peers: list[Peer] = []

    def publish(self, prices: Mapping[str, str], **values: str) -> None:
        """Let the feed publish these last prices, and the same further values for each."""
        self.feed.publish(Quote(f"toy:{symbol}", {"last": last, **values}) for symbol, last in prices.items())

    def begin_anew(self, prices: Mapping[str, str], *, epoch: int, version: int) -> None:
        """Show these prices instead, as the store of a gateway does; the feed must publish nothing after that."""
        rows: dict[str, dict[str, Value]] = {
            symbol: dict.fromkeys(FIELDS) | {"last": last} for symbol, last in prices.items()
        }
        self.service.store.restart(epoch, contents(version, rows))
        self.hub.wake()

    @property
    def connections(self) -> list[SharedFrames]:
        """The readers, as the server sees them."""
        return [c for c in self.hub.connections if isinstance(c, SharedFrames)]

    def connection(self, peer: Peer) -> SharedFrames:
        """The server's side of a client."""
        return next(c for c in self.connections if c.client is not None and c.client[1] == peer.port)

    async def connect(self, receive_buffer: int | None = None, source: str | None = None) -> Peer:
        """Open a connection, from another local address if wanted; a small receive buffer is soon full."""
        peer = Peer(socket.socket())
        self._peers.append(peer)
        if source is not None:
            peer.sock.bind((source, 0))
        await peer.connect(self.port, receive_buffer)
        return peer

    async def stream(self, query: str = "", receive_buffer: int | None = None, before: str = "") -> Peer:
        """Open a stream, below a base path if wanted, and wait until the hub has it."""
        peer = await self.connect(receive_buffer)
        answer = await peer.upgrade(f"{before}/ws{query}")
        assert answer.status == 101, answer
        return peer

    async def get(self, target: str, *headers: str, method: str = "GET") -> Answer:
        """One request over a connection of its own, which the server closes."""
        peer = await self.connect()
        await peer.request(method, target, "Connection: close", *headers)
        answer = await peer.answer(body=method != "HEAD")
        assert await peer.rest() == b"", "nothing follows the body"
        peer.sock.close()
        return answer

    def end(self) -> None:
        """Close the clients, and what the server still holds open."""
        for peer in self._peers:
            peer.sock.close()
        for listener in self.server.servers:
            listener.close()
        for connection in list(self.server.server_state.connections):
            connection.transport.abort()


@contextlib.asynccontextmanager
async def start(sections: Sections | None = None, prices: Mapping[str, str] = PRICES) -> AsyncIterator[Live]:
    """Run a service until the block ends. With prices, its feed has loaded and published them."""
    settings = Settings.model_validate({"hub": {"flush_interval_ms": 0}} | dict(sections or {}))
    clock = SkippingClock()
    service = Service(settings, clock)
    feed = service.feed("toy", "live", "received", 5.0)
    app = create_app(service)
    server = make_server(app, app.state.door, settings)
    sock = listen("127.0.0.1", 0)
    live = Live(service, clock, server, feed, sock.getsockname()[1])
    if prices:
        feed.loaded()
        live.publish(prices)
        service.hub.flush()
    running = live.running = asyncio.create_task(service.run(server, [sock], []), name="service")
    await until(lambda: server.started or running.done())
    try:
        yield live
    finally:
        if live.running is not None:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
        live.end()
        await until(lambda: not server.server_state.connections and not server.server_state.tasks)
    assert not service.hub.connections, "a reader outlived its connection"
    assert not service.hub.paused, "a paused reader outlived its connection"
    assert not any(len(group.members) + len(group.lagging) for group in service.hub.groups), "a group kept a reader"


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario in production's loop; check that it leaves nothing behind, and nothing bad in the log."""
    threads, sockets = set(threading.enumerate()), _open_sockets()

    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await scenario()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not others, "tasks outlived the scenario"

    with clean_log(), asyncio.Runner(debug=True, loop_factory=uvloop.new_event_loop) as runner:
        runner.run(bounded())
    for thread in set(threading.enumerate()) - threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), f"thread {thread.name} outlived the scenario"
    assert _open_sockets() <= sockets, "sockets outlived the scenario"


def serving(
    prices: Mapping[str, str] = PRICES, **sections: Mapping[str, object]
) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., None]]:
    """Make a test of a scenario that gets a `Live` first; its other arguments stay pytest's."""

    def decorate(scenario: Callable[..., Awaitable[None]]) -> Callable[..., None]:
        def test(**fixtures: object) -> None:
            async def with_service() -> None:
                async with start(sections, prices) as live:
                    await scenario(live, **fixtures)

            run(with_service)

        _, *others = inspect.signature(scenario).parameters.values()
        test.__name__, test.__doc__ = scenario.__name__, scenario.__doc__
        test.__signature__ = inspect.Signature(others)  # type: ignore[attr-defined]  # what pytest reads
        return test

    return decorate


@contextlib.contextmanager
def clean_log() -> Iterator[None]:
    """Fail if anything is logged as an error or with a traceback."""
    bad: list[str] = []

    class Watch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.ERROR or record.exc_info:
                bad.append(logging.Formatter().format(record))

    watch = Watch()
    logging.getLogger().addHandler(watch)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(watch)
    assert not bad, "\n".join(bad)


def _open_sockets() -> set[str]:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():  # not Linux: the interpreter's ResourceWarning must do
        return set()
    links = set()
    for entry in folder.iterdir():
        with contextlib.suppress(OSError):
            links.add(os.readlink(entry))  # noqa: PTH115 - the text of the link is wanted, not a path
    return {link for link in links if link.startswith("socket:")}
