"""Records everything that a feed receives, so that a failure in production can become a test.

The format is that of the recordings that the tests replay:

    DIR/FEED/rest/index.jsonl     one line per answer: what was asked, status, headers, time, file of the body
    DIR/FEED/rest/…               the bodies, decompressed
    DIR/FEED/ws/….jsonl           one file per connection, one line per event: {"t", "dir": open|sent|recv, "url"|"raw"}

No key or token is written. When the given size is reached or the disk fails, recording ends, the log says so once,
and the feed goes on. Writes are not synced, so the loop never waits for more than the page cache.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from feeds.exchange.failures import without
from feeds.exchange.fetch import Answer
from ticker.clock import Clock
from ticker.harmless import redact

HARMLESS = ("content-type", "date", "age", "cache-control", "etag", "retry-after", "server", "location")
"""Headers that are kept, besides those about rate limits."""
ABOUT_LIMITS = ("limit", "weight", "remaining")
ENDINGS = {"json": ".json", "html": ".html"}

log = logging.getLogger("ticker.feeds")


class Recorder:
    """The recording of one feed.

    Args:
        feed: the feed's name, and its folder's.
        folder: where all recordings are.
        base_url: the address that it asks.
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
        """Record an answer; except that of a POST, which may hold a stream's token, and a 304, which has no body."""
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
        """Record that a stream was opened; returns a function to call with each message `sent` or `recv`."""
        self._count += 1
        path = self._folder / "ws" / f"{self._stamp()}_{self._count:06}.jsonl"

        def note(direction: str, text: str | bytes) -> None:
            raw = text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")
            name = "url" if direction == "open" else "raw"
            event = {"t": self._clock.wall_ms() / 1000, "dir": direction, name: raw}
            self._write(path, (json.dumps(event) + "\n").encode())

        note("open", redact(url))
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
