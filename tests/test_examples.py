"""The README's examples, run as they stand there: in a browser, in Node, by Python, curl, websocat, a spreadsheet."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.browser import launched
from tests.conftest import ROOT, find_program
from tests.running import Running, running

README = (ROOT / "README.md").read_text()
HERE = "localhost:8000"
PATIENCE_S = 100.0
pytestmark = pytest.mark.timeout(2.5 * PATIENCE_S)  # other programs start slowly where others work
PRICE = re.compile(r"[0-9]+(\.[0-9]+)?")


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    """A simulated market that is all there."""
    with running("--feed", "sim:BTC-USD,ETH-USD") as service:
        service.wait(lambda: len(service.get("/api/quotes?symbols=BTC-USD,ETH-USD")["quotes"]) == 2, "no price came")
        yield service


def example(language: str, mark: str, service: Running) -> str:
    """The one block of code in the README with this mark in it, at this service's address."""
    found: str
    (found,) = [code for code in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if mark in code]
    return found.replace(HERE, urlsplit(service.url).netloc)


@contextlib.contextmanager
def printing(command: list[str], **more: object) -> Iterator[Iterator[str]]:
    """The lines that a command prints; it, and what it has started, is ended after the block."""
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


def check_prices(lines: Iterator[str]) -> None:
    """Something is printed again and again, and it comes to be a price."""
    prices = [line.strip() for _, line in zip(range(6), lines, strict=False)]
    assert PRICE.fullmatch(prices[-1]), prices


# Browser and Node


@pytest.mark.needs("chromium")
def test_the_browser_code(service: Running) -> None:
    """Plain WebSocket and plain EventSource print prices in a real browser, without an error."""
    with launched() as browser:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        page.goto(f"{service.url}/healthz")
        for mark in ("new WebSocket", "new EventSource"):
            code = example("js", mark, service)
            with page.expect_console_message(lambda message: PRICE.fullmatch(message.text) is not None):
                page.evaluate(f"() => {{ {code} }}")


@pytest.mark.needs("node")
def test_the_browser_code_in_node(service: Running, tmp_path: Path) -> None:
    """The same code prints prices in Node, with the WebSocket that is built into it."""
    node = str(find_program("node"))
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    flags = ["--experimental-websocket"] if int(version[1:].partition(".")[0]) < 22 else []
    script = tmp_path / "watch.mjs"
    script.write_text(example("js", "new WebSocket", service))
    with printing([node, *flags, str(script)]) as lines:
        check_prices(lines)


# Python


def test_the_python_code(service: Running) -> None:
    """A dozen lines on websockets print prices, in no way that the library has deprecated."""
    with printing([sys.executable, "-W", "error", "-c", example("python", "websockets.sync", service)]) as lines:
        check_prices(lines)


def test_the_pandas_code(service: Running) -> None:
    """Both tables are frames at once: a price, and the close of the newest bar."""
    with printing([sys.executable, "-c", example("python", "pandas.read_csv", service)]) as lines:
        last, close = next(lines).split()
    assert PRICE.fullmatch(last)
    assert PRICE.fullmatch(close)


# The shell


@pytest.mark.needs("curl")
def test_the_cursor_loop(service: Running) -> None:
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
def test_the_websocket_tools(service: Running, tool: str) -> None:
    """Programs that nobody here wrote read the stream unchanged."""
    command = next(line for line in example("sh", "websocat", service).splitlines() if line.startswith(tool))
    environ = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with printing(["sh", "-c", command], env=environ) as lines:
        seen = ""
        while '"type":"update"' not in seen:
            seen += next(lines)
    for kind in ("hello", "subscribed", "snapshot"):
        assert f'"type":"{kind}"' in seen


def test_the_spreadsheets_formula(service: Running) -> None:
    """Its address gives a table with a head and a row for each symbol."""
    (address,) = re.findall(r'=IMPORTDATA\("(.*?)"\)', README)
    parts = urlsplit(address)
    table = list(csv.reader(io.StringIO(service.fetch(f"{parts.path}?{parts.query}").decode(), newline="")))
    assert [row[0] for row in table] == ["symbol", "BTC-USD", "ETH-USD"]
    assert table[0] == ["symbol", "last", "bid", "ask"]
    assert all(PRICE.fullmatch(cell) for row in table[1:] for cell in row[1:])
