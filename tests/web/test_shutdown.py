"""The process: it serves soon after its start, and a signal ends it cleanly whatever its readers do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.web.events import EventPeer
from tests.web.peer import CLOSE, Answer, Peer, View, close_code
from tests.web.server import Live, run, serving, until
from ticker.errors import TickerError
from ticker.model import Bar
from web.server import listen

DEAD_FEED = "kraken?base_url=http://127.0.0.1:9"
"""A feed whose exchange refuses every connection."""


class Process:
    """`python -m ticker` on a free port."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.log = ""
        self.port = 0
        self._process = process
        self._serving = asyncio.Event()

    async def read_log(self) -> None:
        """Collect the log until the process has ended."""
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self.log += line.decode()
            if found := re.search(r" serving http://127\.0\.0\.1:(\d+) ", line.decode()):
                self.port = int(found[1])
                self._serving.set()
        self._serving.set()

    async def serving(self) -> None:
        """Wait until it listens."""
        await self._serving.wait()
        assert self.port, f"it ended before it listened: {self.log}"

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end and return its exit status."""
        return await self._process.wait()

    async def ready(self) -> None:
        """Wait until it has prices."""
        await self.serving()
        while (await self.get("/readyz")).status != 200:  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(0.02)

    async def get(self, target: str) -> Answer:
        """One request over a connection of its own."""
        with socket.socket() as sock:
            peer = Peer(sock)
            await peer.connect(self.port)
            await peer.request("GET", target, "Connection: close")
            return await peer.answer()


@contextlib.asynccontextmanager
async def ticker(*args: str, by: Sequence[str] = ()) -> AsyncIterator[Process]:
    """Run the service, perhaps by another program; kill it if it does not end by itself, and check its log."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TICKER_")}
    started = await asyncio.create_subprocess_exec(
        *by, sys.executable, "-m", "ticker", "serve", *args,
        cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    process = Process(started)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(process.read_log())
        try:
            yield process
        finally:
            if started.returncode is None:
                started.kill()
            await started.wait()
    assert "Traceback" not in process.log, process.log
    assert " error " not in process.log, process.log


@contextlib.asynccontextmanager
async def readers(
    process: Process, count: int, query: str, receive_buffer: int | None = None
) -> AsyncIterator[list[Peer]]:
    """Open so many streams."""
    with contextlib.ExitStack() as sockets:
        peers = [Peer(sockets.enter_context(socket.socket())) for _ in range(count)]
        for peer in peers:
            await peer.connect(process.port, receive_buffer)
            assert (await peer.upgrade(f"/ws{query}")).status == 101
        yield peers


@contextlib.asynccontextmanager
async def events(process: Process) -> AsyncIterator[EventPeer]:
    """Open a stream of events."""
    with socket.socket() as sock:
        peer = Peer(sock)
        await peer.connect(process.port)
        await peer.request("GET", "/api/stream")
        yield EventPeer(peer, await peer.answer(body=False))


@pytest.fixture
def feed(tmp_path: Path) -> str:
    """A feed of 500 symbols, each with a new price twice a second: a snapshot of it fills a small socket."""
    rows = [f"{1_700_000_000_000 + ms},S{i}-USD,{i + 1}.{ms}" for ms in (0, 500) for i in range(500)]
    file = tmp_path / "prices.csv"
    file.write_text("\n".join(["ts_ms,symbol,last", *rows]))
    return f"replay:{file}?loop=true"


async def expect_farewell(peer: Peer, wanted: dict[str, object]) -> None:
    """Read up to the end of a stream: `bye` is its last message, the close code follows, and nothing else."""
    message: dict[str, object] = {}
    while message.get("type") != "bye":
        message = await peer.message()
    assert message == wanted
    opcode, payload = await peer.receive()
    assert (opcode, close_code(payload)) == (CLOSE, 1012)
    await peer.send(CLOSE, payload)
    assert await peer.rest() == b""


async def expect_last_event(stream: EventPeer, wanted: dict[str, object]) -> None:
    """The same for a stream of events."""
    assert (await stream.hear("bye")).json == wanted
    assert await stream.chunk() == b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_service_cleanly(number: signal.Signals, feed: str) -> None:
    """Every reader gets `bye` and close 1012, subscribed or not, or as events `bye` and the end; the service says that
    it is not ready; ten readers that take nothing do not keep it: it exits with 0 in the grace time.
    """

    async def scenario() -> None:
        async with ticker("--port", "0", "--feed", feed, "--set", "server.shutdown_grace_s=8") as process:
            await process.ready()
            async with (
                readers(process, 10, "?symbols=*", receive_buffer=4096),
                readers(process, 3, "?symbols=*") as good,
                readers(process, 1, "") as idle,
                events(process) as stream,
            ):
                for peer in good:
                    await peer.hear("update")
                bye = {"type": "bye", "reason": "shutdown", "reconnect": True, "retry_ms": [500, 5000]}
                async with asyncio.TaskGroup() as reading:  # all at once: who is not read meanwhile takes nothing
                    for peer in good + idle:
                        reading.create_task(expect_farewell(peer, bye))
                    reading.create_task(expect_last_event(stream, bye))
                    process.send(number)
                answer = await process.get("/readyz")
                assert (answer.status, answer.json["reasons"]) == (503, ["shutting down"])
                assert await process.ended() == 0
            assert " stopping readers=15 " in process.log
            assert "stopped before all readers had left" not in process.log

    run(scenario)


def test_the_service_outlives_its_terminal_under_nohup() -> None:
    """Started by nohup it goes on when the terminal closes, and ends as usual."""

    async def scenario() -> None:
        async with ticker("--port", "0", by=["nohup"]) as process:
            await process.serving()
            process.send(signal.SIGHUP)
            assert (await process.get("/healthz")).status == 200
            process.send(signal.SIGTERM)
            assert await process.ended() == 0

    run(scenario)


def test_stalled_readers_are_dropped_within_a_short_grace(feed: str) -> None:
    """Readers that take nothing are dropped when their part of the grace time is over; the exit status is still 0."""

    async def scenario() -> None:
        patient = ("--set", "hub.stall_s=300", "--set", "server.shutdown_grace_s=0.5")
        async with ticker("--port", "0", "--feed", feed, *patient) as process:
            await process.ready()
            async with readers(process, 10, "?symbols=*", receive_buffer=4096):
                process.send(signal.SIGTERM)
                assert await process.ended() == 0

    run(scenario)


def test_a_second_signal_ends_it_at_once(feed: str) -> None:
    """The second signal ends the grace time."""

    async def scenario() -> None:
        async with ticker("--port", "0", "--feed", feed, "--set", "server.shutdown_grace_s=300") as process:
            await process.ready()
            async with readers(process, 3, "?symbols=*", receive_buffer=4096), readers(process, 1, "") as idle:
                process.send(signal.SIGINT)
                await idle[0].hear("bye")
                process.send(signal.SIGINT)
                assert await process.ended() == 0
            assert " stopped before all readers had left readers=" in process.log

    run(scenario)


def test_a_taken_port_is_reported_in_one_line(feed: str) -> None:
    """If another process listens, this one ends with 1 and says in one line what to do."""

    async def scenario() -> None:
        with listen("127.0.0.1", 0) as taken:
            port = taken.getsockname()[1]
            async with ticker("--port", str(port), "--feed", feed) as process:
                assert await process.ended() == 1
            wanted = f"ticker: cannot listen on 127.0.0.1:{port}: Address already in use; choose another with --port\n"
            assert process.log == wanted

    run(scenario)


def test_the_service_starts_although_every_feed_is_down() -> None:
    """Without any exchange the service starts, is not ready, says why, and sends an empty snapshot."""

    async def scenario() -> None:
        async with ticker("--port", "0", "--feed", DEAD_FEED) as process:
            await process.serving()
            async with readers(process, 1, "?symbols=BTC-USD") as (peer,):
                view = View()
                await peer.follow(view, 1)
                assert view.quotes == {}
                assert (await process.get("/healthz")).status == 200
                assert (await process.get("/readyz")).status == 503
                assert (await process.get("/api/quotes/BTC-USD")).status == 503
                while (await process.get("/api/feeds")).json["feeds"]["kraken"]["state"] != "down":  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            process.send(signal.SIGTERM)
            assert await process.ended() == 0

    run(scenario)


def test_after_a_kill_the_next_run_serves_at_once(feed: str, port: int) -> None:
    """A killed process leaves nothing that hinders the next one on the same port; its readers start over there: their
    cursors are answered by a snapshot, never by an update.
    """

    async def scenario() -> None:
        async with ticker("--port", str(port), "--feed", feed) as first:
            await first.serving()
            async with readers(first, 5, "?symbols=S1-USD") as peers:
                epoch = (await peers[0].hear("hello"))["epoch"]
                digest = (await peers[0].hear("subscribed"))["selection"]
                first.send(signal.SIGKILL)
                assert await first.ended() == -signal.SIGKILL
                for peer in peers:
                    await peer.rest()
        async with ticker("--port", str(port), "--feed", feed) as second:
            await second.serving()
            async with readers(second, 1, f"?symbols=S1-USD&cursor={epoch}:1:{digest}") as (peer,):
                assert (await peer.hear("hello"))["epoch"] > epoch
                assert (await peer.hear("subscribed"))["resumed"] is False
                await peer.hear("snapshot")

    run(scenario)


@pytest.mark.parametrize("signals", [1, 2])
@serving(prices={f"S{i}-USD": "1.5" for i in range(3000)}, server={"shutdown_grace_s": 9})
async def test_answers_that_cannot_be_given_end_with_the_service(live: Live, signals: int) -> None:
    """A client that takes nothing of its answer, and one that waits for an exchange, are dropped without a word.

    Seen: for each the log of a clean stop had an error and a traceback of 60 lines.
    """
    asked = asyncio.Event()

    async def history(symbol: str, interval_s: int, limit: int) -> list[Bar]:
        asked.set()
        await asyncio.Event().wait()
        return []

    live.service.candles.past.offer("toy", history, local=False)
    deaf = await live.connect(receive_buffer=4096)
    await deaf.request("GET", "/api/quotes?symbols=*")
    waiting = await live.connect()
    await waiting.request("GET", "/api/candles/S1-USD")
    await asked.wait()
    await until(lambda: any(c.transport.get_write_buffer_size() for c in live.server.server_state.connections))
    for _ in range(signals):
        live.service.stop()
        await asyncio.sleep(0)
    assert live.running is not None
    await live.running
    live.running = None


@serving()
async def test_a_bug_in_the_hub_ends_the_service_in_one_line(live: Live) -> None:
    """Without a hub nothing works: readers are sent away as for a restart, and one line says what failed, and where.

    Seen: the process ended with the traceback of an ExceptionGroup of 60 lines, and readers with a reset.
    """

    def broken(flush: object) -> None:
        raise RuntimeError("boom")

    peer = await live.stream("?symbols=*")
    await peer.hear("snapshot")
    live.service.store.on_flush.append(broken)
    live.publish({"BTC-USD": "1.5"})
    await expect_farewell(peer, {"type": "bye", "reason": "shutdown", "reconnect": True, "retry_ms": [500, 5000]})
    assert live.running is not None
    with pytest.raises(TickerError, match=r"^a bug stopped the hub: RuntimeError: boom at test_shutdown.py:\d+$"):
        await live.running
    live.running = None
