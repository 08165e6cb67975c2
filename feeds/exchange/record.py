"""Writes down everything that a feed receives, so that what went wrong in the field becomes a test.

The format is that of the recordings that the tests replay:

    DIR/FEED/rest/index.jsonl       one line an answer: what was asked, status, headers, time, file of the body
    DIR/FEED/rest/…                 the bodies, decompressed
    DIR/FEED/ws/….jsonl             one file a connection, one line an event: {"t", "dir": open|sent|recv, "url"|"raw"}

Promises: no key and no token is written, and no more than the given size. When that is full or the disk fails,
recording ends, the log says so once, and the feed goes on. It never waits for more than the disk's own cache.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from feeds.exchange.fetch import Answer, without
from ticker.clock import Clock

HARMLESS = ("content-type", "date", "age", "cache-control", "etag", "retry-after", "server", "location")
"""Headers that are kept, beside those that tell of limits."""
ABOUT_LIMITS = ("limit", "weight", "remaining")
ENDINGS = {"json": ".json", "html": ".html"}

log = logging.getLogger("ticker.feeds")


class Recorder:
    """The recording of one feed.

    Args:
        feed: its name, and that of its folder.
        folder: where all recordings are.
        base_url: whom it asks.
        most_bytes: size at which recording ends.
        secrets: texts that must not be written.
        clock: for receive times.
    """

    def __init__(
        self, feed: str, folder: Path, base_url: str, most_bytes: int, secrets: Collection[str], clock: Clock
    ) -> None:
        self._feed = feed
        self._folder = folder / feed
        self._base_url = base_url.rstrip("/")
        self._left_bytes = most_bytes
        self._secrets = secrets
        self._clock = clock
        self._count = 0
        self._ended = False

    def answer(self, method: str, target: str, answer: Answer) -> None:
        """Write an answer down. What a POST hands out opens streams, and a 304 has nothing: they are left out."""
        if method == "POST" or answer.status == HTTPStatus.NOT_MODIFIED:
            return
        self._count += 1
        kind = answer.headers.get("content-type", "json")
        ending = next((ending for word, ending in ENDINGS.items() if word in kind), ".txt")
        file = f"{self._stamp()}_{self._count:06}{ending}"
        parts = urlsplit(self._base_url + target)
        at = datetime.fromtimestamp(self._clock.wall_ms() / 1000, UTC)
        line = {
            "file": file,
            "method": method,
            "scheme": parts.scheme,
            "host": parts.netloc.rpartition("@")[2],
            "path": parts.path,
            "query": parts.query,
            "status": answer.status,
            "headers": {name: value for name, value in answer.headers.items() if _is_harmless(name.lower())},
            "recorded_at": at.isoformat(timespec="milliseconds"),
            "provenance": "recorded",
            "source": f"ticker, feed {self._feed}",
        }
        self._write(self._folder / "rest" / file, answer.body)
        self._write(self._folder / "rest" / "index.jsonl", (json.dumps(line) + "\n").encode())

    def connection(self, url: str) -> Callable[[str, str | bytes], None]:
        """Write down that a stream was opened; what comes back is called with each `sent` and `recv` of it."""
        self._count += 1
        path = self._folder / "ws" / f"{self._stamp()}_{self._count:06}.jsonl"

        def note(direction: str, text: str | bytes) -> None:
            raw = text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")
            name = "url" if direction == "open" else "raw"
            event = {"t": self._clock.wall_ms() / 1000, "dir": direction, name: raw}
            self._write(path, (json.dumps(event) + "\n").encode())

        note("open", url)
        return note

    def _stamp(self) -> str:
        return datetime.fromtimestamp(self._clock.wall_ms() // 1000, UTC).strftime("%Y%m%dT%H%M%SZ")

    def _write(self, path: Path, data: bytes) -> None:
        data = without(self._secrets, data)
        if self._ended:
            return
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            self._end("it has reached the size given by record_mb")
            return
        try:
            if not path.parent.is_dir():
                path.parent.mkdir(parents=True)
            with path.open("ab") as file:
                file.write(data)
        except OSError as error:
            self._end(error.strerror or type(error).__name__)

    def _end(self, why: str) -> None:
        self._ended = True
        log.warning("recording in %s ended: %s", self._folder, why, extra={"feed": self._feed})


def _is_harmless(header: str) -> bool:
    return header in HARMLESS or any(word in header for word in ABOUT_LIMITS)
