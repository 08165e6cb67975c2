"""Faults of the machine: a full disk, a log that nobody reads, no more open files, a clock that is set, …

A kill is in `web/`.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import os
import pty
import re
import resource
import shutil
import socket
import ssl
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.running import running
from tests.test_rolling import get, ready
from tests.web.peer import Peer, View
from tests.web.server import Live, serving
from tests.web.test_certificate import make
from ticker.model import Quote

FILES = 40


def test_a_log_that_cannot_be_written_does_not_stop_the_service(port: int) -> None:
    """With a full disk behind the log the service starts, serves, and ends with 0."""

    async def scenario() -> None:
        with Path("/dev/full").open("w") as full:  # noqa: ASYNC230 - no file
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "ticker", "--port", str(port), "--feed", "sim:5", cwd=ROOT, stderr=full
            )
        try:
            await ready(port)
            assert (await get(port, "/api/quotes"))[0] == 200
        finally:
            process.terminate()
        assert await process.wait() == 0

    asyncio.run(asyncio.wait_for(scenario(), 100))


def test_a_log_that_nobody_reads_does_not_stop_the_service(port: int) -> None:
    """With a full pipe behind the log the service starts, serves, and ends with 0.

    Seen: whoever looked at the log with `less`, or stopped the terminal with Ctrl-S, stopped the service with the next
    line: no reader got anything, and no signal ended it.
    """

    async def scenario() -> None:
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while os.write(writer, bytes(4096)):
                pass
        os.set_blocking(writer, True)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ticker", "--port", str(port), "--feed", "sim:5", cwd=ROOT, stderr=writer
        )
        os.close(writer)
        try:
            await ready(port)
            assert (await get(port, "/api/quotes"))[0] == 200
            process.terminate()
            assert await process.wait() == 0
        finally:
            kill(process)
            os.close(reader)

    asyncio.run(asyncio.wait_for(scenario(), 100))


def test_a_stopped_terminal_does_not_stop_the_service(port: int) -> None:
    """With Ctrl-S in its terminal the service starts, serves, and ends with 0.

    Seen: at its end it wrote nothing, with zero bytes, to standard output; a terminal takes not even that while a line
    of the log waits there, so the process stayed.
    """

    async def scenario() -> None:
        leader, follower = pty.openpty()
        termios.tcflow(follower, termios.TCOOFF)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ticker", "--port", str(port), "--feed", "sim:5",
            cwd=ROOT, stdin=follower, stdout=follower, stderr=follower,
        )  # fmt: skip
        try:
            await ready(port)
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 50) == 0
        finally:
            termios.tcflow(follower, termios.TCOON)
            kill(process)
            os.close(follower)
            os.close(leader)

    asyncio.run(asyncio.wait_for(scenario(), 100))


def test_at_the_limit_of_open_files_newcomers_get_503(port: int) -> None:
    """Where the system allows few open files the service says so, takes as many readers as fit, tells the others 503
    and when to come back, and serves on; when some have left there is room again.
    """

    async def scenario() -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ticker", "--port", str(port), "--feed", "sim:5", cwd=ROOT, stderr=subprocess.PIPE,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES)),
        )  # fmt: skip
        with contextlib.ExitStack() as sockets:
            try:
                await ready(port)
                peers = [Peer(sockets.enter_context(socket.socket())) for _ in range(FILES // 2 + 10)]
                answers = []
                for peer in peers:
                    await peer.connect(port)
                    answers.append(await peer.upgrade("/ws?symbols=*"))
                statuses = collections.Counter(answer.status for answer in answers)
                assert statuses == {101: FILES // 2, 503: 10}
                assert all("retry-after" in answer.headers for answer in answers if answer.status == 503)
                await peers[0].hear("update")
                assert (await get(port, "/healthz"))[0] == 200
                peers[1].sock.close()
                while True:
                    late = Peer(sockets.enter_context(socket.socket()))
                    await late.connect(port)
                    if (await late.upgrade("/ws?symbols=*")).status == 101:
                        break
            finally:
                process.terminate()
                _, log = await process.communicate()
        assert process.returncode == 0
        said = f"ticker.service at most {FILES // 2} connections, not 20000: open files are limited to {FILES}\n"
        assert f"info    {said}" in log.decode()  # nobody has asked for more
        assert "Traceback" not in log.decode()

    asyncio.run(asyncio.wait_for(scenario(), 100))


def test_what_clients_cannot_take_are_the_files_of_the_service_itself(port: int) -> None:
    """Clients that connect and say nothing fill all files but a few: newcomers get 503, all others any answer.

    Seen: with the last file gone a feed could not reconnect, pages and /api/status were errors 500, and the tracebacks
    could not be logged, for want of a file to load an encoding from; newcomers got a reset, and the log said nothing.
    """

    async def scenario() -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ticker", "--port", str(port), "--feed", "sim:5", cwd=ROOT, stderr=subprocess.PIPE,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (2 * FILES, 2 * FILES)),
        )  # fmt: skip
        with contextlib.ExitStack() as sockets:
            try:
                await ready(port)
                kept = Peer(sockets.enter_context(socket.socket()))
                await kept.connect(port)
                silent = [Peer(sockets.enter_context(socket.socket())) for _ in range(2 * FILES)]
                for peer in silent:
                    await peer.connect(port)
                refused = await silent[-1].answer()
                assert (refused.status, refused.json["code"]) == (503, "overloaded")
                assert 1 <= int(refused.headers["retry-after"]) <= 5
                for path in ("/docs", "/status", "/api/status", "/metrics"):
                    await kept.request("GET", path)
                    assert (await kept.answer()).status == 200
            finally:
                process.terminate()
                _, log = await process.communicate()
        assert process.returncode == 0
        assert "refused connection=1 address=127.0.0.1 reason=full" in log.decode()
        assert "Traceback" not in log.decode()

    asyncio.run(asyncio.wait_for(scenario(), 100))


@pytest.mark.needs("openssl")
def test_handshakes_that_nobody_ends_leave_the_last_files_to_the_service(port: int, tmp_path: Path) -> None:
    """The same behind TLS, where a connection is one of ours only after its handshake.

    Seen: clients that connected and sent nothing took every file for `limits.handshake_s`; /docs was an error 500, and
    its traceback could not be logged.
    """
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make(cert, key)
    trust = ssl.create_default_context(cafile=str(cert))
    trust.check_hostname = False

    async def scenario() -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ticker", "--port", str(port), "--feed", "sim:5", "--set", f"server.tls_cert={cert}",
            "--set", f"server.tls_key={key}", "--set", "limits.handshake_s=60", cwd=ROOT, stderr=subprocess.PIPE,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (2 * FILES, 2 * FILES)),
        )  # fmt: skip
        with contextlib.ExitStack() as sockets:
            try:
                while True:
                    with contextlib.suppress(OSError):
                        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
                        break
                    await asyncio.sleep(0.05)
                silent = [Peer(sockets.enter_context(socket.socket())) for _ in range(2 * FILES)]
                for peer in silent:
                    await peer.connect(port)
                ends = [asyncio.create_task(peer.rest()) for peer in silent]
                refused, others = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                assert {task.result() for task in refused} == {b""}
                for task in others:
                    task.cancel()
                for path in ("/docs", "/status", "/api/status", "/metrics"):
                    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                    head = await reader.readuntil(b"\r\n\r\n")
                    assert head.startswith(b"HTTP/1.1 200 ")
                    await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
                writer.close()
            finally:
                process.terminate()
                _, log = await process.communicate()
        assert process.returncode == 0
        assert "reason=full" in log.decode()
        assert "Traceback" not in log.decode()

    asyncio.run(asyncio.wait_for(scenario(), 100))


def test_an_upgrade_in_place_does_not_change_the_page_of_a_running_service(tmp_path: Path) -> None:
    """The page is that of the release that runs, whatever becomes of its files before the restart.

    Seen: files that nobody had asked for yet came from the new release, and were kept by browsers under the old one's
    address for ever; and while the folder was away, /status and /docs were errors 500 with tracebacks.
    """
    for package in ("ticker", "feeds", "web"):
        shutil.copytree(ROOT / package, tmp_path / package)
    with running("--feed", "sim:5", cwd=tmp_path) as service:
        script = re.search(r'src="([0-9a-f]{16}/js/main.js)"', service.fetch("/").decode())
        assert script is not None
        static = tmp_path / "web" / "static"
        shutil.copytree(static, tmp_path / "kept")
        (static / "js" / "main.js").write_text("another()")
        assert b"another" not in service.fetch("/" + script[1])
        shutil.rmtree(static)
        for name in ("docs", "status"):
            assert service.fetch(f"/{name}") == (tmp_path / "kept" / f"{name}.html").read_bytes()


def kill(process: asyncio.subprocess.Process) -> None:
    """End it, if it has not ended."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc asks a file of aliases for a name without dots")
def test_a_hanging_dns_lookup_does_not_delay_the_stop(port: int, tmp_path: Path) -> None:
    """While a lookup hangs the service serves, and it ends with 0 when asked to.

    Seen: with a name server that did not answer it stopped only after 12 s, longer than it is given, and was killed.
    """
    aliases = tmp_path / "aliases"
    os.mkfifo(aliases)

    async def scenario() -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ticker", "--port", str(port), "--feed", "sim:5",
            "--feed", "kraken?mode=poll&base_url=http://nameless",
            cwd=ROOT, env=os.environ | {"HOSTALIASES": str(aliases)}, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        with contextlib.ExitStack() as stack:
            stack.callback(kill, process)
            while True:  # until the lookup reads it, as it then does for as long as nothing is written
                with contextlib.suppress(OSError):
                    stack.callback(os.close, os.open(aliases, os.O_WRONLY | os.O_NONBLOCK))
                    break
                await asyncio.sleep(0.02)
            assert (await get(port, "/healthz"))[0] == 200
            process.terminate()
            assert await process.wait() == 0

    asyncio.run(asyncio.wait_for(scenario(), 100))


@pytest.mark.parametrize("step_s", [3600, -3600])
@serving(prices={})
async def test_a_clock_that_is_set_makes_no_wrong_price_live(live: Live, step_s: int) -> None:
    """An hour forth or back: what we date ourselves stays live and goes on; what the exchange dates is stale while
    the clocks contradict each other in its disfavour, and live again when they agree; no version is lost.
    """
    dated = live.service.feed("dated", "live", "exchange", 5.0)
    truth_ms = live.clock.wall_ms()

    def publish(price: str) -> None:
        live.publish({"BTC-USD": price})
        dated.publish([Quote("dated:EUR-USD", {"last": price}, truth_ms)])
        live.hub.flush()

    def state(symbol: str) -> str:
        record = live.service.store.get(symbol)
        assert record is not None
        return str(record.get("state"))

    publish("1.5")
    peer, view = await live.stream("?symbols=*:*"), View()
    await peer.follow(view, live.service.store.version)
    live.clock.step(step_s)
    list(live.service.intake.expire())
    assert state("toy:BTC-USD") == "live"
    publish("2.5")
    assert state("toy:BTC-USD") == "live"
    assert state("dated:EUR-USD") == ("stale" if step_s > 0 else "live")
    live.clock.step(-step_s)
    truth_ms += 10
    publish("3.5")
    assert (state("toy:BTC-USD"), state("dated:EUR-USD")) == ("live", "live")
    await peer.follow(view, live.service.store.version)
    assert {quote["last"] for quote in view.quotes.values()} == {3.5}
    assert (await live.get("/readyz")).status == 200
