"""Gateways as their users run them: processes that follow another one, on loopback, with real readers."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import itertools
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import urllib.error
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.conftest import ROOT
from tests.running import READY_S, Running, running
from tests.view import View
from ticker import __version__
from ticker.cli import main

EVERYTHING = "symbols=*,*:*"
TOKEN = "s3cret-of-the-gateway"


@contextlib.contextmanager
def gateway(upstream: str, *arguments: str) -> Iterator[Running]:
    """A gateway, ready."""
    with running("--upstream", upstream, *arguments) as service:
        service.wait(lambda: ready(service), "it never got ready")
        yield service


def ready(service: Running) -> bool:
    """Whether it says so."""
    try:
        return bool(service.get("/readyz")["status"] == "ready")
    except urllib.error.HTTPError:
        return False


def stream(service: Running, query: str = EVERYTHING) -> connect:
    """A connection to its stream."""
    return connect(service.url.replace("http", "ws") + "/ws?" + query, compression=None, max_size=None)


async def frame(socket: ClientConnection) -> Any:
    """The next frame; its numbers are text."""
    async with asyncio.timeout(READY_S):
        return json.loads(await socket.recv(), parse_float=str, parse_int=str)


async def until(socket: ClientConnection, view: View, wanted: str) -> Any:
    """Read until a frame shows `A-USD` in a state; that frame."""
    while True:
        async with asyncio.timeout(READY_S):
            view.apply(data := await socket.recv(decode=False))
        if view.quotes and next(iter(view.quotes.values()))["state"] == wanted:
            return json.loads(data)


def test_what_a_gateway_shows_is_what_its_upstream_shows(data_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """A replay at full speed ends at each gateway digit for digit as at its source, with the same epoch and version; so
    do the answers that are asked for there.
    """
    path = tmp_path / "ticks.csv"
    with gzip.open(data_dir / "ticks" / "multi_20140508_1200-1400utc.csv.gz", "rt") as lines:
        path.write_text("".join(itertools.islice(lines, 40_001)))
    feed = f"replay:{path}?speed=max&crossed=keep"
    with running("--feed", feed) as source, gateway(source.url) as first, gateway(source.url) as second:
        source.wait(lambda: ended(source), "it never ended")
        wanted = source.get("/api/quotes?" + EVERYTHING)
        for service in (first, second):
            service.wait(lambda: current(service, wanted["version"]), "it never caught up")  # noqa: B023
            answer = service.get("/api/quotes?" + EVERYTHING)
            assert {**answer, "time": 0} == {**wanted, "time": 0}
            for asked in ("/api/symbols?symbols=*:*", "/api/sources/EURUSD", "/api/candles/EURUSD?limit=3"):
                assert service.get(asked) == source.get(asked)
            assert service.get("/api/feeds")["feeds"]["replay"]["updates"] == "40000"


def ended(service: Running) -> bool:
    """Whether all of the replay is visible."""
    return "ended" in (service.get("/api/quotes")["feeds"]["replay"]["message"] or "")


def current(service: Running, version: str) -> bool:
    return bool(service.get("/api/status")["store"]["version"] == version)


@pytest.fixture(scope="module")
def source() -> Iterator[Running]:
    """A service to follow, ready."""
    with running("--feed", "sim:50") as service:
        service.wait(lambda: ready(service), "it never got ready")
        yield service


def test_a_reader_moves_between_services_by_its_cursor(source: Running) -> None:
    """From connection to connection, to whichever service, it is told only what has changed: no second snapshot."""
    dice = random.Random(3)

    async def travel(services: list[Running]) -> View:
        view, cursor = View(), ""
        for _ in range(40):
            async with stream(dice.choice(services), f"{EVERYTHING}&cursor={cursor}") as socket:
                for _ in range(dice.randint(3, 6)):
                    message = await frame(socket)
                    if message["type"] == "subscribed":
                        digest = message["selection"]
                        assert message["resumed"] == bool(cursor)
                    view.apply(json.dumps(message).encode())
            cursor = f"{view.epoch}:{view.version}:{digest}"
        return view

    with gateway(source.url) as first, gateway(source.url) as second:
        view = asyncio.run(travel([source, first, second]))
        assert len(view.quotes) == 100


def test_prices_of_a_mute_or_lost_upstream_are_stale_and_go_on_when_it_is_back(port: int) -> None:
    """An open reader of a gateway is told that its prices are stale when its upstream hangs with its connections open,
    and when it is killed; why; and everything anew afterwards. What only the upstream knows is 503 at once.
    """

    async def watch(service: Running, process: subprocess.Popen[bytes], restart: Callable[[], object]) -> None:
        view = View()
        async with stream(service, "symbols=*") as socket:
            await until(socket, view, "live")
            process.send_signal(signal.SIGSTOP)
            await until(socket, view, "stale")
            with pytest.raises(urllib.error.HTTPError) as caught:
                await asyncio.to_thread(service.get, "/api/feeds")
            assert caught.value.code == 503
            assert "no word from" in json.loads(caught.value.read())["detail"]
            process.send_signal(signal.SIGCONT)
            await until(socket, view, "live")
            process.kill()
            await asyncio.to_thread(process.wait)
            told = await until(socket, view, "stale")
            assert told["type"] == "snapshot"
            assert all(quote["last"] for quote in view.quotes.values())
            feed = told["feeds"]["sim"]
            assert feed["state"] == "stale"
            assert feed["message"].startswith(f"no word from http://127.0.0.1:{port}: ")
            assert not await asyncio.to_thread(ready, service)
            await asyncio.to_thread(restart)
            await until(socket, view, "live")
            await asyncio.to_thread(service.wait, lambda: ready(service), "it never got ready again")

    with contextlib.ExitStack() as stack:
        process = stack.enter_context(killable(port))
        service = stack.enter_context(gateway(f"http://127.0.0.1:{port}"))
        asyncio.run(watch(service, process, lambda: stack.enter_context(killable(port))))


@contextlib.contextmanager
def killable(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A service that is killed in the end, if it was not before; its silence is soon too long."""
    options = ("--port", str(port), "--set", "hub.heartbeat_ms=1000", "--log-level", "error")
    process = subprocess.Popen([sys.executable, "-m", "ticker", "--feed", "sim:5", *options], cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_gateway_waits_for_its_upstream(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Started first, it says what it waits for, and serves as soon as there is something to serve.

    `ticker status` says so, too. Seen: it ended as if the gateway could not be reached, since `/api/feeds` cannot say.
    """
    with running("--upstream", f"http://127.0.0.1:{port}") as service:
        service.wait(lambda: any("nothing has come yet" in line for line in service.log), "it never said so")
        with pytest.raises(urllib.error.HTTPError) as caught:
            service.get("/readyz")
        reason = json.loads(caught.value.read())["reasons"][0]
        assert reason == f"nothing has come yet from http://127.0.0.1:{port}: connection refused"
        assert main(["status", service.url]) == 1
        assert capsys.readouterr() == (f"ticker {__version__} at {service.url}: not ready\n  {reason}\n\n", "")
        assert "\nticker_upstream_up 0.0\n" in service.fetch("/metrics").decode()
        with killable(port):
            service.wait(lambda: ready(service), "it never got ready")
            assert len(service.get("/api/quotes")["quotes"]) == 5
            measured = service.fetch("/metrics").decode()
            assert "\nticker_upstream_up 1.0\n" in measured
            assert "\nticker_upstream_restarts_total 1.0\n" in measured


def test_a_gateway_that_is_refused_ends_and_says_why(tmp_path: pathlib.Path) -> None:
    """A wrong token, too many symbols, no service at all: one line, exit status 1. With the token it follows."""
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(f'[gateway]\nsha256 = "{hashlib.sha256(TOKEN.encode()).hexdigest()}"\n')
    with running("--feed", "sim:5", "--set", f"auth.tokens_file={tokens}") as source:
        why = "the service closed the stream with 4001: the token is missing, wrong or expired"
        assert refused(source.url).startswith(f"ticker: cannot follow {source.url}: {why}")
        (tmp_path / "token").write_text(f"{TOKEN}\n")
        with gateway(source.url, "--set", f"upstream.token_file={tmp_path / 'token'}") as service:
            assert len(service.get("/api/symbols")["symbols"]) == 5
    with running("--feed", "sim:5", "--set", "limits.symbols=9") as source:
        source.wait(lambda: ready(source), "it never got ready")
        assert refused(source.url).endswith("; raise limits.symbols of that service")


def refused(url: str) -> str:
    """What a gateway of this upstream says in the end."""
    command = [sys.executable, "-m", "ticker", "--upstream", url, "--port", "0", "--log-level", "error"]
    environ = {name: value for name, value in os.environ.items() if name != "TICKER_TOKEN"}
    ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=READY_S, check=False)
    assert ended.returncode == 1
    return ended.stderr.strip()


def test_a_gateway_does_not_follow_itself(port: int) -> None:
    """Nor any other gateway: prices would go round in a circle when the service with the feeds is lost."""
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "ticker", "--upstream", url, "--port", str(port)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=READY_S, check=False)
    why = "it is a gateway, too; follow the service that has the feeds"
    assert ended.stderr.splitlines()[-1] == f"ticker: cannot follow {url}: {why}"
    assert ended.returncode == 1


def test_several_gateways_share_a_port(source: Running, port: int) -> None:
    """With `server.reuse_port` the system shares out the connections to a port between processes."""
    shared = ("--port", str(port), "--set", "server.reuse_port=true")
    with gateway(source.url, *shared) as first, gateway(source.url, *shared):
        first.wait(lambda: len({first.get("/api/status")["started_at"] for _ in range(20)}) == 2, "one got all")
