"""The same page, fed by polling every second or by the stream: bytes, requests, CPU, and the age of a price when seen.

Each symbol changes every two seconds, so polling once a second misses no change. The age runs from a change to the
moment when the page has it.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import Any

import orjson
import uvloop

from tests.bench.harness import OURS, Server, measure, on_core, server, spread, table
from tests.bench.market import stamp_us

PAGES = 50
SYMBOLS, PER_SECOND = 200, 100
SECONDS = 8.0
WAYS = ("asks for all", "asks with its cursor", "stream", "stream, interval_ms=1000")


def main(runs: int, results: dict[str, Any]) -> list[str]:
    """Measure and print a table; there is no limit to break."""
    figures: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for run in range(runs):
        for way, seen in figures.items():
            with server(OURS, SYMBOLS, PER_SECOND) as at:
                spent, report = _stream(at, way) if way.startswith("stream") else _poll(at, way)
            pages = PAGES * report["seconds"]
            seen.append(
                {
                    "kib_per_s": report["bytes"] / pages / 1024, "requests_per_s": report.get("requests", 0) / pages,
                    "cpu": spent / report["seconds"], "p50_ms": report["p50_ms"], "p99_ms": report["p99_ms"],
                }
            )  # fmt: skip
            print(f"polling {run + 1} {way}: {seen[-1]}", file=sys.stderr)
    print(f"**Asking or being told**: {PAGES} pages of {SYMBOLS} symbols, {PER_SECOND} changes/s, {runs} runs\n")
    head = ["the page", "KiB/s a page", "requests/s a page", "CPU % of a core", "age when seen, p50 ms", "p99 ms"]
    rows = [
        [
            way, spread([s["kib_per_s"] for s in seen], 1), spread([s["requests_per_s"] for s in seen], 1),
            spread([s["cpu"] * 100 for s in seen], 1), spread([s["p50_ms"] for s in seen], 0),
            spread([s["p99_ms"] for s in seen], 0),
        ]
        for way, seen in figures.items()
    ]  # fmt: skip
    print(table(head, rows), end="\n\n")
    results["polling"] = figures
    return []


def _stream(at: Server, way: str) -> tuple[float, dict[str, Any]]:
    interval = way.partition(", ")[2]
    return measure(at, [f"s /ws?symbols=*&{interval}"] * PAGES, SECONDS)


def _poll(at: Server, way: str) -> tuple[float, dict[str, Any]]:
    command = [sys.executable, "-m", "tests.bench.polling", str(at.port), "cursor" if way == WAYS[1] else "all"]
    with subprocess.Popen([*on_core(-1), *command], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "start\n"
        before = at.cpu_s
        report: dict[str, Any] = json.loads(process.stdout.readline())
        return at.cpu_s - before, report


class Page:
    """A page that polls every second over one connection that it keeps open."""

    def __init__(self, *, by_cursor: bool) -> None:
        self._by_cursor = by_cursor
        self._cursor = ""
        self._stamps: dict[str, int] = {}
        self.bytes = self.requests = 0
        self.ages_us: list[int] = []

    async def run(self, port: int, offset_s: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        loop = asyncio.get_running_loop()
        due = loop.time() + offset_s
        while True:
            await asyncio.sleep(due - loop.time())
            due += 1
            query = f"?cursor={self._cursor}" if self._by_cursor and self._cursor else ""
            writer.write(f"GET /api/quotes{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(size)
            self.bytes += len(head) + size
            self.requests += 1
            self._take(orjson.loads(body), stamp_us())

    def _take(self, answer: dict[str, Any], now: int) -> None:
        self._cursor = answer["cursor"]
        for symbol, quote in answer["quotes"].items():
            stamp = quote.get("bid_size")
            if stamp is None or stamp == self._stamps.get(symbol):
                continue
            if symbol in self._stamps:
                self.ages_us.append(now - stamp)
            self._stamps[symbol] = stamp


async def _pages(port: int, *, by_cursor: bool) -> None:
    pages = [Page(by_cursor=by_cursor) for _ in range(PAGES)]
    tasks = [asyncio.create_task(page.run(port, i / PAGES)) for i, page in enumerate(pages)]
    await asyncio.sleep(2.5)
    print("start", flush=True)
    for page in pages:
        page.bytes = page.requests = 0
        page.ages_us.clear()
    await asyncio.sleep(SECONDS)
    ages = sorted(age for page in pages for age in page.ages_us)
    report = {
        "seconds": SECONDS,
        "bytes": sum(page.bytes for page in pages),
        "requests": sum(page.requests for page in pages),
        "p50_ms": ages[len(ages) // 2] / 1000,
        "p99_ms": ages[len(ages) * 99 // 100] / 1000,
    }
    print(json.dumps(report), flush=True)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    uvloop.run(_pages(int(sys.argv[1]), by_cursor=sys.argv[2] == "cursor"))
