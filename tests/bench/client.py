"""The client library against the same work by hand: updates decoded in a second of CPU, and how fast `ticker get` is.

"By hand" is raw `websockets` with `orjson` and the protocol's five lines. All readers get the same frames, made
beforehand by the server, as fast as they take them.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from statistics import median
from typing import Any

import orjson
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from tests.bench.harness import spread
from tests.running import running
from ticker.client import watch

SIZES = {100: 2_000, 5: 15_000}
"""Symbols in a frame, and how many frames."""
READERS = ("by hand", "floats", "exact", "exact, each price read", "floats, change by change")
LEAST = {"floats": 0.8, "exact": 0.5}
MOST_START = 1.5
STARTS = 15


def frames(symbols: int, count: int) -> list[str]:
    """A snapshot and updates of all symbols, each with the fields that move."""

    def quote(i: int, n: int) -> dict[str, Any]:
        cents = 9_741_235 + (i * 7919 + n * 31) % 5000
        return {"last": cents / 100, "bid": (cents - 5) / 100, "ask": (cents + 5) / 100, "ts": 1_795_386_000_000 + n}

    rest = dict.fromkeys(("bid_size", "ask_size", "open", "high", "low", "volume", "change_pct"), 1.25)
    whole = {f"S{i:04d}-USD": quote(i, 0) | rest | {"state": "live", "source": "sim"} for i in range(symbols)}
    head = {"time": 1_795_386_000_000}
    made = [json.dumps({"type": "snapshot", "epoch": 1, "version": 1, **head, "quotes": whole})]
    for n in range(1, count + 1):
        quotes = {f"S{i:04d}-USD": quote(i, n) for i in range(symbols)}
        made.append(json.dumps({"type": "update", "since": n, "version": n + 1, **head, "quotes": quotes}))
    return made


async def by_hand(url: str, last: int) -> float:
    """The bare work, without reconnecting or resuming."""
    view: dict[str, dict[str, Any]] = {}
    async with connect(f"{url.replace('http', 'ws')}/ws", compression=None, max_size=None) as socket:
        await socket.send('{"op":"subscribe","id":1,"symbols":["*"]}')
        started = 0.0
        while True:
            message = orjson.loads(await socket.recv(decode=False))
            if message["type"] == "snapshot":
                view = message["quotes"]
                started = time.process_time()
            elif message["type"] == "update":
                for symbol, quote in message["quotes"].items():
                    view[symbol].update(quote)
                if message["version"] == last:
                    return time.process_time() - started


async def by_view(url: str, last: int, reader: str) -> float:
    """The same through the library."""
    async with watch(url, "*", exact=False) if reader.startswith("floats") else watch(url, "*") as view:
        started = time.process_time()
        if reader.endswith("change by change"):
            async for change in view:
                if change.version == last:
                    break
        else:
            async for frame in view.frames():
                if reader.endswith("read"):
                    for change in frame:
                        _ = change.quote.last
                if frame.version == last:
                    break
        return time.process_time() - started


async def _read(url: str, last: int, reader: str) -> None:
    print(await (by_hand(url, last) if reader == "by hand" else by_view(url, last, reader)))


async def _measure(symbols: int, count: int) -> dict[str, float]:
    """Updates in a second of CPU, by reader; each reader is a process of its own."""
    made = frames(symbols, count)

    async def send(socket: ServerConnection) -> None:
        await socket.send('{"type":"hello","protocol":1,"heartbeat_ms":60000}')
        asked = orjson.loads(await socket.recv())
        await socket.send(json.dumps({"type": "subscribed", "id": asked["id"], "patterns": ["*"], "selection": "aa"}))
        for text in made:
            await socket.send(text)
        await socket.wait_closed()

    figures = {}
    async with serve(send, "127.0.0.1", 0, compression=None, max_size=None) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for reader in READERS:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.bench.client", url, str(count + 1), reader, stdout=subprocess.PIPE
            )
            out, _ = await process.communicate()
            figures[reader] = symbols * count / float(out)
    return figures


def starts() -> dict[str, list[tuple[float, float]]]:
    """Wall and CPU seconds of `ticker get` against a running service, and of importing its libraries alone."""
    seconds: dict[str, list[tuple[float, float]]] = {"get": [], "imports": []}
    with running() as service, tempfile.TemporaryDirectory() as compiled:
        service.wait(lambda: service.get("/api/feeds")["feeds"]["sim"]["state"] == "live", "no price came")
        commands = {
            "get": [sys.executable, "-m", "ticker", "get", "BTC-USD", "--url", service.url],
            "imports": [sys.executable, "-c", "import click, websockets.sync.client"],
        }
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environ["PYTHONPYCACHEPREFIX"] = compiled  # as on a user's machine: compiled, except at the first start
        for turn in range(STARTS + 1):
            for name, command in commands.items():
                started, before = time.monotonic(), _children_s()
                subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL)
                if turn:
                    seconds[name].append((time.monotonic() - started, _children_s() - before))
    return seconds


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main(runs: int, results: dict[str, Any]) -> list[str]:
    """Measure, print, and return which limits are broken."""
    problems = []
    for symbols, count in SIZES.items():
        rounds = [asyncio.run(_measure(symbols, count)) for _ in range(runs)]
        print(
            f"{symbols} symbols a frame, thousand updates in a second of CPU; × by hand, median of {runs} (least–most)"
        )
        for reader in READERS:
            ratios = sorted(figures[reader] / figures["by hand"] for figures in rounds)
            speed = median(figures[reader] for figures in rounds) / 1000
            print(f"  {reader:<26} {speed:8.0f}   {median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f})")
            results.setdefault("client", {}).setdefault(str(symbols), {})[reader] = ratios
            if symbols == max(SIZES) and median(ratios) < LEAST.get(reader, 0):
                problems.append(f"{reader}: {median(ratios):.2f} of by hand, at least {LEAST[reader]}")
    seconds = starts()
    for i, kind in enumerate(("wall", "CPU")):
        got, imported = ([pair[i] for pair in seconds[name]] for name in ("get", "imports"))
        ratios = sorted(a / b for a, b in zip(got, imported, strict=True))
        print(f"ticker get, {kind}: {median(got):.3f} s, × the imports {spread(ratios)}, {STARTS} starts in turn")
    if median(ratios) > MOST_START:
        problems.append(f"ticker get takes {median(ratios):.2f} times its imports' CPU, at most {MOST_START}")
    return problems


if __name__ == "__main__":
    asyncio.run(_read(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
