"""The service as its users run it: a process of its own on a free port, talked to over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pathlib
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.conftest import ROOT

READY_S = 60.0
"""What another process may take before it counts as hung; only a failing test waits so long."""
WAITED = r"(?:ticker: (?:no prices from \S+ yet(?: \(.*\))?; still trying|live now)\n)*"
"""What a command may say first on a busy machine."""


def exact(text: str | bytes) -> Any:
    """JSON with every number kept as its text, so that `1.10` and `1.1` differ."""
    return json.loads(text, parse_float=str, parse_int=str)


@dataclass
class Running:
    """A started service; `log` grows with every line that it writes."""

    process: subprocess.Popen[str]
    log: list[str] = field(default_factory=list)
    url: str = ""

    def get(self, path: str) -> Any:
        """An answer as JSON, numbers as text."""
        return exact(self.fetch(path))

    def fetch(self, path: str) -> bytes:
        """An answer as it was sent; fails unless it is a success."""
        with urllib.request.urlopen(self.url + path, timeout=READY_S) as response:
            return bytes(response.read())

    def wait(self, condition: Callable[[], bool], what: str, patience_s: float = READY_S) -> None:
        """Wait until a condition holds; fail, with the log, if it does not within `patience_s`."""
        deadline, pause_s = time.monotonic() + patience_s, 0.02
        while not condition():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError(f"{what}; exit status {self.process.poll()}; log:\n" + "".join(self.log))
            threading.Event().wait(pause_s)
            pause_s = min(1.2 * pause_s, 0.2)  # most conditions are requests, which the service has to answer


@contextlib.contextmanager
def running(
    *arguments: str,
    command: tuple[str, ...] = (sys.executable, "-m", "ticker"),
    cwd: pathlib.Path = ROOT,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """Start `python -m ticker` with these arguments on a free port; it is stopped, and its log has no traceback."""
    process = subprocess.Popen(
        [*command, *arguments, *(() if "--port" in arguments else ("--port", "0"))],
        cwd=cwd, env=environ, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    service = Running(process)
    assert process.stderr is not None

    def read(stream: Any) -> None:
        for line in stream:
            service.log.append(line)
            if found := re.search(r"serving (https?://\S+)", line):
                service.url = found[1]

    reader = threading.Thread(target=read, args=(process.stderr,))
    reader.start()
    try:
        service.wait(lambda: bool(service.url), "the service never said where it listens")
        yield service
    finally:
        process.terminate()
        process.wait(READY_S)
        reader.join(READY_S)
        process.stderr.close()
    assert "Traceback" not in "".join(service.log), "".join(service.log)


@contextlib.asynccontextmanager
async def service_of(*arguments: str) -> AsyncIterator[Running]:
    """The same, started and stopped while this loop runs on."""
    with contextlib.ExitStack() as stack:
        yield await asyncio.to_thread(stack.enter_context, running(*arguments))
        await asyncio.to_thread(stack.close)
