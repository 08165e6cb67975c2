"""The service as one object: its parts wired together, whether it is ready, and the order in which it stops.

It knows neither the web nor the feeds: the composition root hands it a server and one coroutine per feed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Protocol

from ticker import __version__
from ticker.candles import Candles
from ticker.clock import Clock
from ticker.consolidate import Consolidator
from ticker.errors import TickerError
from ticker.harmless import redact
from ticker.hub import Hub, Origin
from ticker.intake import FeedIntake, Intake
from ticker.past import History
from ticker.session import Facts
from ticker.settings import Settings
from ticker.store import Store
from ticker.upstream import GATEWAY, Upstream

LAME_DUCK_S = 0.2
"""How long a stopping service goes on serving after it first reports that it is not ready."""
DRAIN_SHARE = 0.6
"""The share of the shutdown grace that readers get to leave."""
LOCAL_KINDS = frozenset({"replay", "simulated"})
"""Kinds of feeds without a real venue: asking for their history costs no one else anything."""

log = logging.getLogger("ticker.service")


class Server(Protocol):
    """The web server: returns from `serve` some time after `should_exit` was set."""

    should_exit: bool
    force_exit: bool

    async def serve(self, sockets: Any) -> None:
        """Serve on listening sockets."""


class Service:
    """Store, intake, consolidation, hub and history of one process; made inside the running loop.

    Attributes:
        upstream: what it follows if it is a gateway, which has no feeds.
        origin: what fills the store: that, or the intake.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.started_at = clock.wall_ms()
        self.store = Store(epoch=self.started_at)
        self.intake = Intake(self.store, clock, settings.store.max_symbols)
        self.consolidator = Consolidator(
            self.store.get,
            self.intake.rank,
            settings.store.failback_after_s,
            lambda: self.store.behind or self.intake.awaited(),
        )
        self.upstream = Upstream(self.store, clock, redact(settings.upstream.url)) if settings.upstream.url else None
        self.origin: Origin = self.upstream or self.intake
        self.hub = Hub(self.store, self.origin, clock, settings.hub, settings.limits)
        (self.upstream or self.intake).wake = self.hub.wake
        self.candles = Candles(clock, settings.history.max_mb * 2**20)
        if self.upstream is None:  # else its prices are consolidated already, and it has the bars
            self.store.derivation = self.consolidator
            self.intake.on_ingest.append(self.candles.tapes.take)
            self.hub.on_tick.append(self.candles.tapes.tick)
            self.store.on_flush.append(self.candles.tapes.flushed)  # after the hub's: readers come first
        self.facts = Facts(
            server=f"ticker/{__version__}" + (GATEWAY if self.upstream is not None else ""),
            heartbeat_ms=settings.hub.heartbeat_ms,
            limits=settings.limits,
            kinds=self.origin.kinds,
            loaded=self.loaded,
            clock=clock,
        )
        self._stopping = asyncio.Event()
        self._deadline: asyncio.Timeout | None = None
        self._failure: str | None = None

    def feed(
        self, name: str, kind: str, clock: str, stale_after_s: float, history: History | None = None
    ) -> FeedIntake:
        """Make the door of a feed; the order of these calls is the order of preference."""
        if history is not None:
            self.candles.past.offer(name, history, local=kind in LOCAL_KINDS)
        return self.intake.feed(name, kind, clock, self.settings.store.stale_after_s or stale_after_s)

    def loaded(self) -> bool:
        """Whether all feeds know their symbols, and these are visible: any other symbol is unknown."""
        return self.origin.begun() and not self.origin.loading()

    def not_ready(self) -> list[str]:
        """Why no new readers should be sent here; empty if they may."""
        return (["shutting down"] if self._stopping.is_set() else []) + self.origin.not_ready()

    def stop(self) -> None:
        """Begin to stop; the second call ends at once."""
        if not self._stopping.is_set():
            self._stopping.set()
        elif self._deadline is not None:
            self._deadline.reschedule(asyncio.get_running_loop().time())

    async def run(self, server: Server, sockets: Any, feeds: Sequence[Callable[[], Coroutine[Any, Any, None]]]) -> None:
        """Run until stopped by SIGTERM, SIGINT, a terminal that closes, or `stop`.

        Raises:
            TickerError: the hub or the server failed, and has been shut down. A failing feed never ends it.
        """
        loop = asyncio.get_running_loop()
        signals = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup: it is to outlive its terminal
            signals.append(signal.SIGHUP)
        with contextlib.suppress(ValueError):  # not the main thread: the caller uses stop()
            for number in signals:
                loop.add_signal_handler(number, self.stop)
        try:
            async with asyncio.TaskGroup() as tasks:
                serving = tasks.create_task(self.vital("server", server.serve(sockets=sockets)), name="server")
                hub = tasks.create_task(self.vital("hub", self.hub.run()), name="hub")
                running = [tasks.create_task(feed(), name=f"feed-{i}") for i, feed in enumerate(feeds)]
                stopped = tasks.create_task(self._stopping.wait(), name="stop")
                await asyncio.wait({serving, hub, stopped}, return_when=asyncio.FIRST_COMPLETED)
                await self._shut_down(server, serving, running)
                hub.cancel()
                stopped.cancel()
            if self._failure is not None:
                raise TickerError(self._failure)
        finally:
            self.hub.close()
            with contextlib.suppress(ValueError):
                for number in signals:
                    loop.remove_signal_handler(number)

    async def vital(self, part: str, work: Coroutine[Any, Any, None]) -> None:
        """Run a part without which there is no service: its failure is kept, and ends `run`."""
        try:
            await work
        except TickerError as error:
            self._failure = str(error)
            self._stopping.set()
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(last.filename).name}:{last.lineno}"
            self._failure = f"a bug stopped the {part}: {type(error).__name__}: {error} at {place}"
            log.debug("the traceback", exc_info=error)
            self._stopping.set()

    async def _shut_down(self, server: Server, serving: asyncio.Task[None], feeds: list[asyncio.Task[None]]) -> None:
        grace_s = self.settings.server.shutdown_grace_s
        self._stopping.set()
        log.info("stopping", extra={"readers": len(self.hub.connections), "grace_s": grace_s})
        try:
            async with asyncio.timeout(grace_s) as self._deadline:
                await asyncio.sleep(min(LAME_DUCK_S, grace_s / 10))
                for feed in feeds:
                    feed.cancel()
                await _settled(feeds)
                await self.hub.drain(grace_s * DRAIN_SHARE)
                server.should_exit = True
                await asyncio.shield(_settled([serving]))
        except TimeoutError:
            log.warning("stopped before all readers had left", extra={"readers": len(self.hub.connections)})
            for connection in list(self.hub.connections):
                connection.abort()
            for feed in feeds:
                feed.cancel()
            server.should_exit = server.force_exit = True
            serving.cancel()


async def _settled(tasks: Sequence[Awaitable[None]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
