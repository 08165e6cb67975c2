"""How long a page takes to appear in a Chromium that is not observed by Playwright.

Playwright is notified of every request of a page, which costs about as much as loading this page; a person's browser
does not pay for that. Here DevTools is only asked for a window, a script in it, and the script's result.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.browser import FLAGS
from tests.conftest import find_program

SCREEN = {"width": 1440, "height": 900, "deviceScaleFactor": 1, "mobile": False}
SETTLE_S = 1.0
"""A new window is busy with its own start for a while."""
ASK_AGAIN_S = 0.1
PATIENCE_S = 120
WATCH = """(() => {
  const look = () => {
    if (%s) requestAnimationFrame(() => { window.shownMs = performance.now(); });
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})()"""
"""Takes the time in the frame after the one in which it is there: by then it has been painted."""


def shown_ms(url: str, there: str) -> float:
    """Milliseconds from the navigation until the expression `there` holds and has been painted.

    Measured on the second visit, without anything cached from the first: the browser is warm, as a person's is.
    """
    with _browser() as address, connect(address, max_size=None, compression=None) as socket:
        devtools = DevTools(socket)
        return [_visit(devtools, url, there) for _ in range(2)][-1]


def _visit(devtools: DevTools, url: str, there: str) -> float:
    context = devtools.ask("Target.createBrowserContext")["browserContextId"]
    target = devtools.ask("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
    page = devtools.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    devtools.ask("Emulation.setDeviceMetricsOverride", page, **SCREEN)
    devtools.ask("Page.enable", page)
    devtools.ask("Page.addScriptToEvaluateOnNewDocument", page, source=WATCH % there)
    time.sleep(SETTLE_S)
    devtools.ask("Page.navigate", page, url=url)
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        time.sleep(ASK_AGAIN_S)
        value = devtools.ask("Runtime.evaluate", page, expression="window.shownMs")["result"].get("value")
        if value is not None:
            devtools.ask("Target.disposeBrowserContext", browserContextId=context)
            return float(value)
    raise TimeoutError(f"{url} did not appear in {PATIENCE_S} s")


class DevTools:
    """Questions to a browser, one at a time."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)

    def ask(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """The answer's result; events are skipped."""
        number = next(self._ids)
        question = {"id": number, "method": method, "params": parameters}
        self._socket.send(json.dumps(question | ({"sessionId": session} if session else {})))
        while True:
            message = json.loads(self._socket.recv(timeout=PATIENCE_S))
            if message.get("id") == number:
                result: dict[str, Any] = message["result"]
                return result


@contextlib.contextmanager
def _browser() -> Iterator[str]:
    """The address of a fresh browser's DevTools."""
    program = find_program("chromium")
    assert program is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [program, "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}", *FLAGS]
        with subprocess.Popen(
            [*command, "about:blank"], stderr=subprocess.PIPE, text=True, start_new_session=True
        ) as process:
            assert process.stderr is not None
            try:
                lines = (re.search(r"DevTools listening on (\S+)", line) for line in process.stderr)
                yield next(found[1] for found in lines if found)
            finally:
                os.killpg(process.pid, signal.SIGTERM)  # the program may be a script that starts the browser
