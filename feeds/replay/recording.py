"""Reads what `record_raw` has written: a folder's answers and messages, in order of time.

The format is described in `feeds.exchange.record`, which writes it.
"""

from __future__ import annotations

import email.utils
import heapq
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ticker.errors import FatalFeedError

END_S = 253_402_300_800
"""The year 10,000, an upper bound for recorded times."""

log = logging.getLogger("ticker.feeds")


class Event(NamedTuple):
    """A recorded answer or message.

    Attributes:
        at: when it came, in seconds since 1970 UTC.
        of: a message's file, or the path and query that were asked for.
        status: an answer's HTTP status; None for a message.
    """

    at: float
    of: str
    body: bytes
    status: int | None = None


def events(folder: Path) -> Iterator[Event]:
    """All recorded events, in order of time.

    Raises:
        FatalFeedError: a file of the recording is missing or broken.
    """
    streams = [_messages(path) for path in sorted((folder / "ws").glob("*.jsonl"))]
    return heapq.merge(answers(folder / "rest"), *streams, key=lambda event: event.at)


def answers(folder: Path) -> Iterator[Event]:
    """The recorded answers of a folder `rest`, in their recorded order; raises like `events`."""
    at = 0.0
    for line in _lines(folder / "index.jsonl"):
        at = max(at, _moment(line.get("recorded_at")) or at)
        try:
            target = line["path"] + (f"?{line['query']}" if line.get("query") else "")
            body = (folder / Path(line["file"]).name).read_bytes()
            event = Event(at, target, body, int(line["status"]))
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise FatalFeedError(f"rest/index.jsonl has an entry that cannot be played: {error!r}") from error
        yield event


def _messages(path: Path) -> Iterator[Event]:
    at = 0.0
    for line in _lines(path):
        if isinstance(line.get("t"), (int, float)) and 0 < line["t"] < END_S:
            at = max(at, float(line["t"]))
        if line.get("dir") == "recv" and isinstance(line.get("raw"), str):
            yield Event(at, path.name, line["raw"].encode("utf-8", "surrogateescape"))


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        return
    number = 0
    try:
        with path.open("rb") as file:
            for text in file:
                number += 1
                line = json.loads(text)
                if isinstance(line, dict):
                    yield line
    except OSError as error:
        raise FatalFeedError(f"{path.name} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError):  # the last line, if the recorder was killed
        why = "a line is not JSON; the rest of the file is ignored"
        log.warning(why, extra={"recording": path.name, "line": number})


def _moment(text: object) -> float | None:
    """Seconds since 1970 UTC from ISO 8601 or an HTTP date; None if it is neither."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = email.utils.parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
