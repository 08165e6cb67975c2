"""Minutes of everything at once: readers that come, stall, reset and vanish, a feed that fails, scrapes.

Expected: memory, open files, tasks and the service's own gauges stay flat, and the log has no error. One reader in ten
takes nothing; the exchange behind the second feed answers with random faults; prices come from the simulated market.
`python -m tests.bench soak --minutes 30`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import time
import urllib.request
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.running import running
from tests.web.peer import CLOSE, Peer

READERS = 200
SAMPLE_S = 5.0
SETTLE = 0.2
"""The share of the time in which caches fill; not judged."""
PATHS = (
    "/api/quotes", "/api/quotes?format=csv", "/api/symbols", "/api/feeds", "/api/status", "/readyz", "/nowhere",
    "/api/candles/BTC-USD?interval=1s", "/metrics",
)  # fmt: skip
FAULTS = (
    b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 429 Slow down\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n<html>no</html>",
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9000000\r\n\r\n{",
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"result":1}',
    b"",
    b"\x00\xff" * 500,
)  # fmt: skip


@dataclass
class Seen:
    """One entry per sample: resident MiB, open files, tasks."""

    at: list[float] = field(default_factory=list)
    rss_mib: list[float] = field(default_factory=list)
    history_mib: list[float] = field(default_factory=list)
    """The part that is bars. They would grow for hours, so their budget is small and soon full."""
    surplus: list[float] = field(default_factory=list)
    """Open files that are not readers' connections."""
    tasks: list[float] = field(default_factory=list)

    def judged(self, values: list[float]) -> list[float]:
        return values[int(len(values) * SETTLE) :]

    def thirds(self, values: list[float]) -> tuple[float, float]:
        """The means of the middle and of the last third."""
        third = max(1, len(values) // 3)
        middle, last = values[third : 2 * third] or values, values[-third:]
        return sum(middle) / len(middle), sum(last) / len(last)


def main(minutes: float, results: dict[str, Any]) -> list[str]:
    """Run it, print what was seen, and return what is wrong."""
    fault = socket.create_server(("127.0.0.1", 0))
    dead = f"kraken?mode=poll&interval_s=1&base_url=http://127.0.0.1:{fault.getsockname()[1]}"
    settings = ("history.max_mb=1", "hub.stall_s=3", "limits.connects_per_s=1000")
    arguments = [word for setting in settings for word in ("--set", setting)]
    with running("--feed", "sim:300", "--feed", dead, *arguments) as service:
        port = int(service.url.rpartition(":")[2])
        seen, idle = asyncio.run(_soak(fault, port, service.process.pid, minutes * 60))
        log = [line for line in service.log if " error " in line or "Traceback" in line]
    results["soak"] = asdict(seen)
    return _report(seen, idle, log, minutes)


def _report(seen: Seen, idle: dict[str, float], log: list[str], minutes: float) -> list[str]:
    history = seen.judged(seen.history_mib)
    rss = [whole - bars for whole, bars in zip(seen.judged(seen.rss_mib), history, strict=True)]
    slope = _slope(seen.judged(seen.at), rss) * 3600
    middle, last = seen.thirds(rss)
    surplus, tasks = seen.judged(seen.surplus), seen.judged(seen.tasks)
    print(
        f"soak, {minutes:g} min, {READERS} readers that come and go, one in ten stalled, feed faults, scrapes: "
        f"RSS without bars {rss[0]:.1f} → {rss[-1]:.1f} MiB, bars {history[0]:.1f} → {history[-1]:.1f} "
        f"(middle third {middle:.1f}, last {last:.1f}, slope {slope:+.1f} MiB/h); "
        f"files beside connections {min(surplus):g}–{max(surplus):g}, tasks {min(tasks):g}–{max(tasks):g}; afterwards "
        f"{idle['ticker_hub_connections']:g} connections, {idle['process_open_fds']:g} files, "
        f"{idle['ticker_event_loop_tasks']:g} tasks; {len(log)} errors in the log"
    )
    problems = [f"in the log: {line.strip()}" for line in log[:5]]
    if last > middle * 1.05:
        problems.append(f"memory grew: {middle:.1f} MiB in the middle third, {last:.1f} in the last")
    if idle["ticker_hub_connections"] or idle["ticker_hub_pending_bytes"] or idle["ticker_hub_lagging_connections"]:
        problems.append(f"readers are left: {idle}")
    if idle["process_open_fds"] > min(surplus) + 5:
        problems.append(f"files are left: {idle['process_open_fds']:g}, {min(surplus):g} at the least before")
    if idle["ticker_event_loop_tasks"] > min(tasks):
        problems.append(f"tasks are left: {idle['ticker_event_loop_tasks']:g}, {min(tasks):g} at the least before")
    return problems


def _slope(at: list[float], values: list[float]) -> float:
    """Growth per second, by least squares."""
    middle, mean = sum(at) / len(at), sum(values) / len(values)
    spread = sum((t - middle) ** 2 for t in at)
    return sum((t - middle) * (v - mean) for t, v in zip(at, values, strict=True)) / spread if spread else 0.0


async def _soak(fault: socket.socket, port: int, pid: int, seconds: float) -> tuple[Seen, dict[str, float]]:
    seen, dice = Seen(), random.Random(7)
    habits = (_reads, _leaves_politely, _resets, _events, _asks, _waits)

    async def again(habit: Callable[[int, random.Random], Coroutine[Any, Any, None]] | None) -> None:
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, AssertionError, ValueError, TimeoutError):
                await (habit or dice.choice(habits))(port, dice)
            await asyncio.sleep(dice.random() * 0.5)

    server = await asyncio.start_server(_faulty(dice), sock=fault)
    crowd = [asyncio.create_task(again(_stalls if i % 10 == 0 else None)) for i in range(READERS)]
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        await asyncio.sleep(SAMPLE_S)
        now = await asyncio.to_thread(_scrape, port)
        seen.at.append(time.monotonic())
        seen.history_mib.append(now["ticker_history_bytes"] / 2**20)
        seen.rss_mib.append(_rss_mib(pid))
        seen.surplus.append(now["process_open_fds"] - now["ticker_hub_connections"])
        seen.tasks.append(now["ticker_event_loop_tasks"])
    for task in crowd:
        task.cancel()
    await asyncio.wait(crowd)
    await asyncio.sleep(5)
    idle = await asyncio.to_thread(_scrape, port)
    server.close()
    return seen, idle


def _faulty(dice: random.Random) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(dice.choice(FAULTS))
            await writer.drain()
        writer.close()

    return answer


@contextlib.asynccontextmanager
async def _peer(port: int, receive_buffer: int | None = None) -> Any:
    with socket.socket() as sock:
        peer = Peer(sock)
        await peer.connect(port, receive_buffer)
        yield peer


async def _stream(peer: Peer, dice: random.Random) -> None:
    symbols = dice.choice(["*", "*-USD", "BTC-USD,ETH-USD", f"B*,{dice.choice('ABCDEFGH')}*", "sim:*"])
    answer = await peer.upgrade(f"/ws?symbols={symbols}&interval_ms={dice.choice([0, 0, 100, 1000])}")
    assert answer.status == 101


async def _reads(port: int, dice: random.Random) -> None:
    async with _peer(port) as peer:
        await _stream(peer, dice)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(dice.random() * 20):
                while True:
                    await peer.message()


async def _leaves_politely(port: int, dice: random.Random) -> None:
    async with _peer(port) as peer:
        await _stream(peer, dice)
        for _ in range(dice.randint(1, 20)):
            await peer.message()
        await peer.say(op="subscribe", symbols=[f"{dice.choice('ABCDEF')}*"])
        await peer.hear("subscribed")
        await peer.send(CLOSE, b"\x03\xe8")
        await peer.rest()


async def _resets(port: int, dice: random.Random) -> None:
    async with _peer(port) as peer:
        await _stream(peer, dice)
        await peer.hear("snapshot")
        peer.reset()


async def _stalls(port: int, dice: random.Random) -> None:
    async with _peer(port, receive_buffer=4096) as peer:
        await _stream(peer, dice)
        await asyncio.sleep(8)


async def _events(port: int, dice: random.Random) -> None:
    async with _peer(port) as peer:
        await peer.request("GET", "/api/stream?symbols=*-USD")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(dice.random() * 5):
                await peer.rest()


async def _asks(port: int, dice: random.Random) -> None:
    async with _peer(port) as peer:
        for _ in range(dice.randint(1, 5)):
            await peer.request("GET", dice.choice(PATHS))
            await peer.answer()


async def _waits(port: int, dice: random.Random) -> None:
    """A long poll: one selection has news at once, the other never; the client stays to the end or leaves before."""
    symbols = dice.choice(["BTC-USD", "kraken:*"])
    async with _peer(port) as peer:
        await peer.request("GET", f"/api/quotes?symbols={symbols}")
        cursor = (await peer.answer()).json["cursor"]
        await peer.request("GET", f"/api/quotes?symbols={symbols}&wait_s=2&cursor={cursor}")
        async with asyncio.timeout(dice.random() * 4):
            await peer.answer()


def _scrape(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    sums: dict[str, float] = {}
    for family in families:
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0) + sample.value
    return sums


def _rss_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
