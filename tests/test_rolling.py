"""Two instances, or gateways, behind a real nginx, restarted in turn: no request fails, and no reader is lost."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx_sse import aconnect_sse
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.conftest import ROOT, find_program
from tests.running import running
from tests.web.server import until

SITE = (ROOT / "deploy" / "nginx.conf").read_text()
PATHS = ("/api/quotes?symbols=*", "/api/symbols", "/", "/healthz")


@contextlib.asynccontextmanager
async def nginx(folder: Path, port: int, instances: list[int]) -> AsyncIterator[None]:
    """A real nginx with our own site, on another port and in a folder of its own."""
    site = SITE.replace("listen 80;", f"listen 127.0.0.1:{port};")
    for written, real in zip((8000, 8001), instances, strict=True):
        site = site.replace(f"127.0.0.1:{written} ", f"127.0.0.1:{real} ")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"pid {folder}/pid;\nerror_log {folder}/error.log;\ndaemon off;\nworker_processes 1;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{folders}{site}}}\n"
    )
    process = await asyncio.create_subprocess_exec(
        find_program("nginx") or "", "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log"),
        stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        _, said = await process.communicate()
        assert process.returncode == 0, said.decode()


async def instance(port: int, *source: str) -> asyncio.subprocess.Process:
    """A service on a port, ready; its prices are from this source, as given on a command line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ticker", "--port", str(port), *source, "--log-level", "warning",
        cwd=ROOT, stderr=subprocess.PIPE,
    )  # fmt: skip
    await ready(port)
    return process


async def ready(port: int) -> None:
    while (await get(port, "/readyz"))[0] != 200:  # noqa: ASYNC110 - another process has no event
        await asyncio.sleep(0.05)


async def get(port: int, path: str) -> tuple[int, bytes]:
    """Status and body of one request; 0 if there was no answer."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()
    except OSError:
        return 0, b""
    return (int(answer.split()[1]), answer) if answer.startswith(b"HTTP/1.1 ") else (0, answer)


async def ask(port: int, seen: dict[int, int]) -> None:
    """Ask for one thing after another, and count the answers by status."""
    while True:
        for path in PATHS:
            status, _ = await get(port, path)
            seen[status] = seen.get(status, 0) + 1
            await asyncio.sleep(0.03)


@dataclass
class Reader:
    """What a reader that stays connected receives: it reconnects at once after a `bye`, with its cursor, and notes
    which instance it gets.
    """

    epochs: list[int] = field(default_factory=list)
    byes: list[str] = field(default_factory=list)
    updates: int = 0
    version: int = 0
    selection: str = ""
    away: bool = True

    def hear(self, message: Any) -> None:
        """Take a frame; an update that does not join on to what is known is an error."""
        if message["type"] == "snapshot":
            self.epochs.append(message["epoch"])
            self.version, self.away = message["version"], False
        elif message["type"] == "update":
            assert message["since"] <= self.version <= message["version"], "the stream has a gap"
            self.updates, self.version, self.away = self.updates + 1, message["version"], False
        elif message["type"] == "subscribed":
            self.selection = message["selection"]
        elif message["type"] == "bye":
            self.byes.append(message["reason"])
            self.away = True

    @property
    def cursor(self) -> str:
        """Where it goes on."""
        return f"{self.epochs[-1]}:{self.version}:{self.selection}" if self.epochs else ""

    def check(self, *, anew: bool) -> None:
        """It got a `bye` at least once. If everything came `anew` each time, it found another instance, never the one
        that was stopping; else everything came once.
        """
        assert self.byes
        assert set(self.byes) == {"shutdown"}
        if anew:
            assert len(set(self.epochs)) == len(self.epochs) > 1
        else:
            assert len(self.epochs) == 1


async def read(port: int, reader: Reader) -> None:
    """A WebSocket."""
    while True:
        with contextlib.suppress(ConnectionClosed):
            async with connect(f"ws://127.0.0.1:{port}/ws?symbols=*&cursor={reader.cursor}", proxy=None) as stream:
                async for text in stream:
                    reader.hear(json.loads(text))


async def listen_to(port: int, reader: Reader) -> None:
    """Server-sent events, with another project's client; it gives the last cursor it has."""
    url, last = f"http://127.0.0.1:{port}/api/stream?symbols=*", ""
    async with httpx.AsyncClient(trust_env=False, timeout=None) as http:
        while True:
            async with aconnect_sse(http, "GET", url, headers={"Last-Event-ID": last}) as source:
                assert source.response.status_code == 200
                async for event in source.aiter_sse():
                    reader.hear(event.json())
                    last = event.id or last


@pytest.mark.timeout(120)
@pytest.mark.needs("nginx")
@pytest.mark.parametrize("gateways", [False, True])
def test_a_rolling_restart_fails_no_request_and_loses_no_reader(
    tmp_path: Path, ports: list[int], gateways: bool
) -> None:
    """While both instances are replaced every request is answered with 200, over the page, REST and health; a stream
    gets `bye` from the one that goes and finds another one at its first try, over WebSocket and as events. It gets a
    snapshot there, but from a gateway only what it has missed.
    """

    front, *backends = ports

    async def scenario(*source: str) -> None:
        services = list(await asyncio.gather(*(instance(port, *source) for port in backends)))
        seen: dict[int, int] = {}
        readers = [Reader(), Reader()]
        try:
            async with nginx(tmp_path, front, backends):
                await ready(front)
                work = (ask(front, seen), read(front, readers[0]), listen_to(front, readers[1]))
                users = [asyncio.create_task(one) for one in work]

                def heard(updates: int) -> bool:
                    failed = any(user.done() for user in users)
                    return failed or all(reader.updates > updates and not reader.away for reader in readers)

                await until(lambda: heard(0))
                for i, port in enumerate(backends):
                    services[i].terminate()
                    assert await services[i].wait() == 0
                    services[i] = await instance(port, *source)
                await until(lambda: heard(20))
                for user in users:
                    assert not user.done(), user.exception()
                    user.cancel()
                await asyncio.wait(users)
        finally:
            for service in services:
                with contextlib.suppress(ProcessLookupError):
                    service.terminate()
                await service.communicate()
        assert seen.keys() == {200}, seen
        assert seen[200] > 20
        for reader in readers:
            reader.check(anew=not gateways)

    feed = ("--feed", "sim:5")
    with running(*feed) if gateways else contextlib.nullcontext() as upstream:
        source = ("--upstream", upstream.url) if upstream else feed
        asyncio.run(asyncio.wait_for(scenario(*source), 110))  # four starts, on a machine that others load
