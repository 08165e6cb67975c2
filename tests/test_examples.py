"""The README's examples, run as they stand there: browser, Node, Python, curl, websocat, spreadsheet."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import pytest

from tests.browser import launched
from tests.conftest import ROOT, find_program
from tests.cut import wire
from tests.running import Running, running

README = (ROOT / "README.md").read_text()
HERE = "localhost:8000"
PATIENCE_S = 100.0
pytestmark = pytest.mark.timeout(2.5 * PATIENCE_S)  # other programs start slowly on a busy machine
PRICE = re.compile(r"[0-9]+(\.[0-9]+)?")
SHORT, RECONNECTING = "const socket = new WebSocket('", "function connect()"


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    """A simulated market that has its first prices."""
    with running("--feed", "sim:BTC-USD,ETH-USD") as service:
        service.wait(lambda: len(service.get("/api/quotes?symbols=BTC-USD,ETH-USD")["quotes"]) == 2, "no price came")
        yield service


def example(language: str, mark: str, service: Running) -> str:
    """As `example_text`, at this service's address."""
    return example_text(language, mark).replace(HERE, urlsplit(service.url).netloc)


def example_text(language: str, mark: str) -> str:
    """The one block of code in the README with this mark in it."""
    found: str
    (found,) = [code for code in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if mark in code]
    return found


@contextlib.contextmanager
def printing(command: list[str], **more: object) -> Iterator[Iterator[str]]:
    """The lines that a command prints; after the block it and all it started are terminated."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, **more,  # type: ignore[call-overload]  # passed through
    )  # fmt: skip
    late = threading.Timer(PATIENCE_S, os.killpg, (process.pid, signal.SIGKILL))
    late.start()
    try:
        yield (line for line in process.stdout)
    finally:
        late.cancel()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.communicate()
        late.join()


def in_node(script: Path) -> list[str]:
    """The command that runs a script in Node with a WebSocket."""
    node = str(find_program("node"))
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return [node, *(["--experimental-websocket"] if int(version[1:].partition(".")[0]) < 22 else []), str(script)]


def check_prices(lines: Iterator[str]) -> None:
    """Lines keep coming, and the sixth is a price."""
    prices = [line.strip() for _, line in zip(range(6), lines, strict=False)]
    assert PRICE.fullmatch(prices[-1]), prices


# Browser and Node


@pytest.mark.needs("chromium")
def test_the_browser_example_prints_prices(service: Running) -> None:
    """Plain WebSocket and plain EventSource print prices in a real browser, without an error."""
    with launched() as browser:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        page.goto(f"{service.url}/healthz")
        for mark in (SHORT, RECONNECTING, "new EventSource"):
            code = example("js", mark, service)
            with page.expect_console_message(lambda message: PRICE.fullmatch(message.text) is not None):
                page.evaluate(f"() => {{ {code} }}")


@pytest.mark.needs("node")
@pytest.mark.parametrize("mark", [SHORT, RECONNECTING], ids=["short", "reconnecting"])
def test_the_browser_example_prints_prices_in_node(mark: str, service: Running, tmp_path: Path) -> None:
    """The same code prints prices in Node, with the WebSocket that is built into it."""
    script = tmp_path / "watch.mjs"
    script.write_text(example("js", mark, service))
    with printing(in_node(script)) as lines:
        check_prices(lines)


@pytest.mark.needs("node")
def test_the_reconnecting_example_goes_on_where_its_connection_ended(service: Running, tmp_path: Path) -> None:
    """After a reset it prints again, and its cursor was answered with what it had missed."""
    script = tmp_path / "watch.mjs"
    resumes = re.compile(r'^ticker_hub_resumes_total\{outcome="update"\} [1-9]', re.MULTILINE)

    def resumed() -> bool:
        return resumes.search(service.fetch("/metrics").decode()) is not None

    async def scenario() -> None:
        async with wire(urlsplit(service.url).port or 0) as between:
            script.write_text(example_text("js", RECONNECTING).replace(HERE, f"127.0.0.1:{between.port}"))
            with printing(in_node(script)) as lines:
                await asyncio.to_thread(check_prices, lines)
                assert not resumed()
                between.drop()
                between.mend()
                async with asyncio.timeout(PATIENCE_S):
                    while not resumed():  # noqa: ASYNC110 - the script tells nobody
                        await asyncio.sleep(0.1)
                await asyncio.to_thread(check_prices, lines)

    asyncio.run(scenario())


# Python


def test_the_websockets_example_prints_prices(service: Running) -> None:
    """A dozen lines on websockets print prices, without a deprecation warning."""
    with printing([sys.executable, "-W", "error", "-c", example("python", "websockets.sync", service)]) as lines:
        check_prices(lines)


def test_the_pandas_example_loads_both_tables(service: Running) -> None:
    """Both tables load as data frames: a price, and the close of the newest bar."""
    with printing([sys.executable, "-c", example("python", "pandas.read_csv", service)]) as lines:
        last, close = next(lines).split()
    assert PRICE.fullmatch(last)
    assert PRICE.fullmatch(close)


class Exchange(BaseHTTPRequestHandler):
    """Answers as the example's exchange would, with one bad price."""

    ANSWERS: ClassVar = {
        "/instruments": [
            {"symbol": "BTCUSD", "base": "BTC", "quote": "USD", "status": "TRADING", "tickSize": "0.01"},
            {"symbol": "ETHUSD", "base": "ETH", "quote": "USD", "status": "TRADING", "tickSize": "0.1"},
        ],
        "/tickers": [
            {"symbol": "BTCUSD", "ts": 1795386012345, "lastPrice": "97412.30", "bidPrice": "97412", "askPrice": 97413},
            {"symbol": "ETHUSD", "ts": 1795386012345, "lastPrice": "-1", "bidPrice": "3100.5", "askPrice": None},
        ],
    }

    def do_GET(self) -> None:
        body = json.dumps({"data": self.ANSWERS[self.path]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_the_adapter_example_serves_prices(tmp_path: Path) -> None:
    """The module, installed with its entry point, is an adapter whose prices are served.

    Seen: it lacked its imports.
    """
    points = tomllib.loads(example_text("toml", "ticker.feeds"))["project"]["entry-points"]
    (tmp_path / "example.py").write_text(example_text("python", "ADAPTER = "))
    info = tmp_path / "example-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: example\nVersion: 1\n")
    lines = [line for group, of in points.items() for line in (f"[{group}]", *(f"{k} = {v}" for k, v in of.items()))]
    (info / "entry_points.txt").write_text("\n".join(lines))
    with HTTPServer(("127.0.0.1", 0), Exchange) as server, contextlib.ExitStack() as stack:
        threading.Thread(target=server.serve_forever).start()
        stack.callback(server.shutdown)
        feed = f"example?base_url=http://127.0.0.1:{server.server_port}"
        with running("--feed", feed, environ=os.environ | {"PYTHONPATH": str(tmp_path)}) as service:
            service.wait(lambda: bool(service.get("/api/quotes?symbols=ETH-USD")["quotes"]), "no price came")
            quotes = service.get("/api/quotes?fields=last,bid,ask,ts,decimals")["quotes"]
    assert quotes == {
        "BTC-USD": {"last": "97412.30", "bid": "97412", "ask": "97413", "ts": "1795386012345", "decimals": "2"},
        "ETH-USD": {"last": None, "bid": "3100.5", "ask": None, "ts": "1795386012345", "decimals": "1"},
    }


# The shell


@pytest.mark.needs("curl")
def test_the_cursor_loop_prints_only_changes(service: Running) -> None:
    """First everything, then, turn by turn, only what has changed since the turn before."""
    with printing(["sh", "-c", example("sh", "wait_s=30", service)]) as lines:
        first, second, third = [next(lines) for _ in range(3)]
    assert '"since":null' in first
    assert '"bid"' not in first
    for before, after in ((first, second), (second, third)):
        version = re.search(r'"version":(\d+)', before)
        assert version is not None
        assert f'"since":{version[1]},' in after


@pytest.mark.parametrize("tool", ["websocat", "python -m websockets"])
def test_the_websocket_tools_print_the_stream(service: Running, tool: str) -> None:
    """Third-party programs read the stream as it is."""
    command = next(line for line in example("sh", "websocat", service).splitlines() if line.startswith(tool))
    environ = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with printing(["sh", "-c", command], env=environ) as lines:
        seen = ""
        while '"type":"update"' not in seen:
            seen += next(lines)
    for kind in ("hello", "subscribed", "snapshot"):
        assert f'"type":"{kind}"' in seen


def test_the_spreadsheet_formula_loads_a_table(service: Running) -> None:
    """Its address gives a table with a header and a row for each symbol."""
    (address,) = re.findall(r'=IMPORTDATA\("(.*?)"\)', README)
    parts = urlsplit(address)
    table = list(csv.reader(io.StringIO(service.fetch(f"{parts.path}?{parts.query}").decode(), newline="")))
    assert [row[0] for row in table] == ["symbol", "BTC-USD", "ETH-USD"]
    assert table[0] == ["symbol", "last", "bid", "ask"]
    assert all(PRICE.fullmatch(cell) for row in table[1:] for cell in row[1:])
