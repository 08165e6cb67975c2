"""The browser of the tests, the pictures and the benchmarks: the system's Chromium, without a window."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from playwright.sync_api import Browser, expect, sync_playwright

from tests.conftest import find_program

FLAGS = [
    "--no-sandbox", "--no-zygote", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip

PATIENCE_MS = 45_000
"""How long anything may take before it counts as missing; only a failing test waits so long."""

expect.set_options(timeout=PATIENCE_MS)


@contextlib.contextmanager
def launched(*flags: str) -> Iterator[Browser]:
    """A browser for as long as the block lasts."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_program("chromium"), args=[*FLAGS, *flags])
        yield browser
        browser.close()


class Shared:
    """One browser for all the tests in a row that want one, with the pages that they pass on to each other."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._browser: Browser | None = None

    def get(self) -> Browser:
        """The browser, started now if there is none."""
        if self._browser is None:
            self._browser = self._stack.enter_context(launched())
        return self._browser

    def close(self) -> None:
        """Close it: while its driver runs, no other event loop can."""
        self._browser = None
        self._stack.close()


shared = Shared()
