"""The progress of replays: on the last line of a terminal, below the log, and nowhere else."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence

from feeds.base import Feed
from ticker.clock import Clock
from ticker.logs import Stream

PATIENCE_S = 1.0
"""What takes no longer than this needs no display."""


class StatusLine:
    """A stream for the log on a terminal, with a status below it on the last line."""

    def __init__(self, terminal: Stream) -> None:
        self._terminal = terminal
        self._shown = ""

    def write(self, text: str) -> int:
        """Write whole lines above the status."""
        self._terminal.write(f"\r\x1b[K{text}{self._shown}" if self._shown else text)
        return len(text)

    def show(self, text: str) -> None:
        """Show this status from now on; an empty text removes it."""
        text = text[: shutil.get_terminal_size().columns - 1]
        if text != self._shown:
            self._terminal.write(f"\r\x1b[K{text}")
            self._shown = text


def reporter(feeds: Sequence[Feed], line: StatusLine, clock: Clock) -> Callable[[], None]:
    """A function to call regularly: it shows the `progress` of those feeds that have an end."""
    began = clock.monotonic()

    def report() -> None:
        far = {feed.name: getattr(feed, "progress", None) for feed in feeds}
        parts = [f"{name} {share:.0%}" for name, share in far.items() if share is not None]
        line.show(" · ".join(parts) if clock.monotonic() - began > PATIENCE_S else "")

    return report
