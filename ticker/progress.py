"""How far replays are: on the last line of a terminal, below the log, and nowhere else."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from typing import TextIO

from feeds.base import Feed
from ticker.clock import Clock

PATIENCE_S = 1.0
"""What takes no longer needs no display."""


class StatusLine:
    """A stream for the log of a terminal, whose last line says something that changes."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        self._shown = ""

    def write(self, text: str) -> int:
        """Write whole lines above what is shown."""
        self._terminal.write(f"\r\x1b[K{text}{self._shown}" if self._shown else text)
        return len(text)

    def flush(self) -> None:
        """Let it be seen."""
        self._terminal.flush()

    def show(self, text: str) -> None:
        """Show this from now on; an empty text takes it away."""
        text = text[: shutil.get_terminal_size().columns - 1]
        if text != self._shown:
            self._terminal.write(f"\r\x1b[K{text}")
            self._terminal.flush()
            self._shown = text


def reporter(feeds: Sequence[Feed], line: StatusLine, clock: Clock) -> Callable[[], None]:
    """What to call now and then: the line says how far those feeds are that have an end, by their `progress`."""
    began = clock.monotonic()

    def report() -> None:
        far = {feed.name: getattr(feed, "progress", None) for feed in feeds}
        parts = [f"{name} {share:.0%}" for name, share in far.items() if share is not None]
        line.show(" · ".join(parts) if clock.monotonic() - began > PATIENCE_S else "")

    return report
