"""Fixtures that every test folder shares."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib.util
import inspect
import logging
import os
import pathlib
import shutil
import signal
import socket
import sys
import traceback
import types
from collections.abc import Generator, Iterator
from traceback import StackSummary

import pytest
from hypothesis import HealthCheck, settings

from ticker.logs import ConsoleFormatter

settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")  # a busy machine makes no test fail

# asyncio's debug mode warns of each slow step; on a busy machine that says nothing, and tests read logs line by line.
logging.getLogger("asyncio").addFilter(lambda record: not record.getMessage().startswith("Executing "))


def extract_stack(f: types.FrameType | None = None, limit: int | None = None) -> StackSummary:
    """`traceback.extract_stack`, but empty if no frame is given: only asyncio calls it so."""
    frames = []
    while f is not None:
        frames.append((f, f.f_lineno))
        f = f.f_back
    stack = StackSummary.extract(iter(frames), limit=limit)
    stack.reverse()
    return stack


def walk_stack(f: types.FrameType | None) -> Iterator[tuple[types.FrameType, int]]:
    """`traceback.walk_stack`, but only the first frame: without `extract_stack` only uvloop calls it.

    Seen: with no frame at all a slow callback's warning was an IndexError in the log, for uvloop looks at the first.
    """
    return iter(() if f is None else ((f, f.f_lineno),))


def walk_stack_stepwise(f: types.FrameType | None) -> Iterator[tuple[types.FrameType, int]]:
    """The same as a generator, which that function is before Python 3.14."""
    if f is not None:
        yield f, f.f_lineno


def check_callback(_: object, callback: object, method: str) -> None:
    """Refuse a coroutine as a callback, as asyncio's own check does in many more steps."""
    code = getattr(callback, "__code__", None)
    if inspect.iscoroutine(callback) or (code is not None and code.co_flags & inspect.CO_COROUTINE):
        raise TypeError(f"coroutines cannot be used with {method}()")


# Debug mode notes where each coroutine, callback and future came from: half of what many tests cost, for nobody.
# The functions stay and get other code: their callers in C have them already.
traceback.extract_stack.__code__ = extract_stack.__code__
stepwise = inspect.isgeneratorfunction(traceback.walk_stack)
traceback.walk_stack.__code__ = (walk_stack_stepwise if stepwise else walk_stack).__code__
asyncio.constants.DEBUG_STACK_DEPTH = 1  # type: ignore[attr-defined]
asyncio.format_helpers.extract_stack = lambda *_: StackSummary()  # type: ignore[attr-defined]
asyncio.BaseEventLoop._check_callback = check_callback  # type: ignore[attr-defined]

# httpcore tries to import it with each request; where it is absent, that is a search of all folders.
if importlib.util.find_spec("sniffio") is None:
    sys.modules["sniffio"] = None  # type: ignore[assignment]

# Kept compiled: else each worker rewrites every assert itself, and each program that a test starts is compiled anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts its background jobs: our children would, too
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = pathlib.Path(__file__).resolve().parent.parent
CI = os.environ.get("CI") == "true"
ALIKE = {"chromium": ("chromium-headless-shell", "chromium")}
"""Programs of several names, the lightest first: without a window a browser takes a third less of the machine."""


@pytest.fixture(scope="session")
def data_dir() -> pathlib.Path:
    """Folder of the recordings (`exchanges/`, `ticks/`); the test is skipped where there is none."""
    folder = pathlib.Path(os.environ.get("TICKER_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        reason = f"no recordings: set TICKER_TEST_DATA to the folder with exchanges/ and ticks/ ({folder.name})"
        if CI:
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture
def ports() -> Iterator[list[int]]:
    """Three ports for programs that must be told where to listen: no other program gets one of them meanwhile."""
    with contextlib.ExitStack() as reserved:
        sockets = [reserved.enter_context(socket.socket()) for _ in range(3)]
        for sock in sockets:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # bound but silent, it lets another one listen
            sock.bind(("127.0.0.1", 0))
        yield [int(sock.getsockname()[1]) for sock in sockets]


@pytest.fixture
def port(ports: list[int]) -> int:
    """One of them."""
    return ports[0]


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines of the log as the console shows them, from their text on."""
    return [ConsoleFormatter().format(record).partition(f" {record.name} ")[2] for record in caplog.records]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that need a browser come first: they take longest, and share it. Of the others those that wait for servers
    take turns with those that compute, of which there are more: small ones fill the end.
    """
    browsing = {item.path for item in items if "browser" in getattr(item, "fixturenames", ())}
    turns: dict[pathlib.Path, int] = {}
    counts = {True: 0, False: 0}
    for path in dict.fromkeys(item.path for item in items if item.path not in browsing):
        computes = any(path.is_relative_to(ROOT / "tests" / folder) for folder in ("feeds", "ticker"))
        turns[path] = counts[computes] = counts[computes] + 1
    items.sort(key=lambda item: turns.get(item.path, 0))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Three thousand collected tests stay to the end: no collection of garbage need look at them, meanwhile or later,
    and of what tests make not after every 700 objects.

    Not from the import of this file on: benchmarks import it, too, and so does the process that hands out the tests.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20)
        gc.enable()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose real program is absent (a failure under CI); close the browser before a test that uses none."""
    if "browser" not in getattr(item, "fixturenames", ()):
        close_browser()
    for marker in item.iter_markers("needs"):
        program = marker.args[0]
        if find_program(program) is None:
            reason = f"{program} not found on PATH; install it or set TICKER_TEST_{program.upper()}"
            if CI:
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)


def pytest_sessionfinish() -> None:
    close_browser()


def close_browser() -> None:
    """Close the browser that tests share, if there is one."""
    module = sys.modules.get("tests.browser")
    if module is not None:
        module.shared.close()


def find_program(program: str) -> str | None:
    """Path of a program that tests may use: the environment's `TICKER_TEST_NAME`, then PATH."""
    chosen = os.environ.get(f"TICKER_TEST_{program.upper().replace('-', '_')}")
    return chosen or next(filter(None, map(shutil.which, ALIKE.get(program, (program,)))), None)
