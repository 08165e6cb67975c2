"""The log: one line per event on one stream, for people (`console`) or for machines (`json`).

What a caller gives as `extra={"feed": name}` follows the message as key=value on the console, and is a field of
the object in JSON. Control characters are escaped everywhere, so nothing that a client or an exchange sends can
forge a line or move a terminal's cursor. Libraries log through the same handler, and only warnings: their lines
per request or connection would drown ours, and httpx prints whole URLs. A token or a password in a URL is never
written.
"""

from __future__ import annotations

import json
import logging
import math
from datetime import UTC, datetime
from typing import Protocol

from ticker.harmless import escape, redact

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_UVICORN = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")
_LIBRARIES = ("httpx", "httpcore", "websockets", "asyncio")


class Stream(Protocol):
    """Where lines go."""

    def write(self, text: str, /) -> object:
        """Write it."""


def configure(level: str, fmt: str, stream: Stream) -> None:
    """Send every logger's lines to one stream. A later call replaces what an earlier one set.

    Args:
        level: `debug`, `info`, `warning` or `error`. At `debug` uvicorn's lines per request are included.
        fmt: `console` or `json`.
        stream: usually standard error.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if fmt == "json" else ConsoleFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _UVICORN:  # uvicorn may have given them handlers of their own
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    logging.getLogger("uvicorn").setLevel(logging.INFO if level == "debug" else logging.WARNING)
    if level != "debug":  # it warns about each malformed request: anyone could fill the disk
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)


class ConsoleFormatter(logging.Formatter):
    """`HH:MM:SS.mmm level logger message key=value`, local time; a traceback follows, indented behind a bar."""

    def format(self, record: logging.LogRecord) -> str:
        time = f"{self.formatTime(record, '%H:%M:%S')}.{int(record.msecs):03}"
        words = [time, f"{record.levelname.lower():<7}", record.name, redact(record.getMessage())]
        words += [f"{key}={_word(value)}" for key, value in _extras(record).items()]
        lines = [escape(" ".join(words))]
        if record.exc_info:
            lines += [f"    | {escape(line)}" for line in self.formatException(record.exc_info).split("\n")]
        return "\n".join(lines)


class JsonFormatter(logging.Formatter):
    """One JSON object per line: `time` (UTC), `level`, `logger`, `message`, the extras, `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = _extras(record) | {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        first = ("time", "level", "logger", "message")
        return json.dumps({key: fields[key] for key in (*first, *fields)})


def _extras(record: logging.LogRecord) -> dict[str, object]:
    """What the caller gave as `extra`, each value as a type that JSON has."""
    return {key: _plain(value) for key, value in vars(record).items() if key not in _STANDARD}


def _plain(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if value is None or isinstance(value, str | int) else str(value)


def _word(value: object) -> str:
    text = str(value)
    return text if text and not set(text) & set(' "=') else json.dumps(text, ensure_ascii=False)
