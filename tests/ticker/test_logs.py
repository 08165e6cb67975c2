"""The log: one line per event in both formats, whatever it contains."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from ticker.harmless import escape, redact
from ticker.logs import configure

HOSTILE = "a\nb\r\x1b[2J\x00\x85\u2028\u202e\udcff|é"
HOSTILE_ESCAPED = r"a\nb\r\x1b[2J\x00\x85\u2028\u202e\udcff|é"
TOUCHED = (None, "uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "httpx", "httpcore", "websockets")


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in TOUCHED]
    before = [(logger, logger.level, logger.handlers[:], logger.propagate) for logger in loggers]
    yield
    for logger, level, handlers, propagate in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.propagate = propagate


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def console_line(stream: io.StringIO) -> str:
    """The one line that was written, without its time."""
    [line] = stream.getvalue().splitlines()
    match = re.fullmatch(r"\d\d:\d\d:\d\d\.\d\d\d (.*)", line)
    assert match, line
    return match[1]


def test_a_console_line_has_time_level_logger_message_and_extras(stream: io.StringIO) -> None:
    """`HH:MM:SS.mmm level logger message key=value`, values quoted where they would run into each other."""
    configure("info", "console", stream)
    extra = {"feed": "kraken", "retry_after_s": 1.5, "why": 'no "x" = y', "none": None, "empty": ""}
    logging.getLogger("feeds.runner").warning("feed is %s", "down", extra=extra)
    assert console_line(stream) == (
        r'warning feeds.runner feed is down feed=kraken retry_after_s=1.5 why="no \"x\" = y" none=None empty=""'
    )


def test_a_json_line_has_the_same_as_fields(stream: io.StringIO) -> None:
    """One object per line with UTC time, level, logger, message, then the extras; numbers stay numbers."""
    configure("info", "json", stream)
    record = logging.makeLogRecord(
        {"name": "hub", "levelname": "INFO", "levelno": 20, "msg": "full: %d", "args": (3,), "created": 1795386017.402}
        | {"n": 3, "ok": True, "x": 0.5, "nan": float("nan"), "path": ("a", 1), "time": "forged"}
    )
    logging.getLogger().handle(record)
    assert stream.getvalue() == (
        '{"time": "2026-11-22T22:20:17.402Z", "level": "info", "logger": "hub", "message": "full: 3", '
        '"n": 3, "ok": true, "x": 0.5, "nan": "nan", "path": "(\'a\', 1)"}\n'
    )


def test_only_the_level_and_above_is_written(stream: io.StringIO) -> None:
    """A lower level is silent, and a later configuration takes the earlier one's place."""
    configure("debug", "json", stream)
    configure("warning", "console", stream)
    logging.getLogger("a").info("quiet")
    logging.getLogger("b").error("loud")
    assert console_line(stream) == "error   b loud"


def test_printable_text_is_written_unchanged() -> None:
    """That holds for text in any script."""
    for text in ("", "plain text", "é 価格 🙂 back\\slash"):
        assert escape(text) == text
    assert escape(HOSTILE) == HOSTILE_ESCAPED


def test_control_characters_are_escaped_on_the_console(stream: io.StringIO) -> None:
    """Line ends, escape sequences and text direction marks come out as backslash sequences, wherever they were."""
    configure("info", "console", stream)
    logging.getLogger("x").info("got %s", HOSTILE, extra={"value": HOSTILE})
    assert console_line(stream) == f"info    x got {HOSTILE_ESCAPED} value={HOSTILE_ESCAPED}"


def test_control_characters_are_escaped_in_json(stream: io.StringIO) -> None:
    """In JSON the same text is one line of ASCII that reads back as it was."""
    configure("info", "json", stream)
    logging.getLogger("x").info("got %s", HOSTILE, extra={"value": HOSTILE, HOSTILE: 1})
    [line] = stream.getvalue().splitlines()
    assert line.isascii()
    fields = json.loads(line)
    assert (fields["message"], fields["value"], fields[HOSTILE]) == (f"got {HOSTILE}", HOSTILE, 1)


def fail(message: str) -> None:
    raise ValueError(message)


def test_every_line_of_a_traceback_is_marked(stream: io.StringIO) -> None:
    """Every line of a console traceback is behind a bar, also those an exception's message tries to make."""
    configure("info", "console", stream)
    try:
        fail("bad\n12:00:00.000 info    x forged\r\x1b[2J")
    except ValueError:
        logging.getLogger("x").exception("it failed")
    first, *others = stream.getvalue().rstrip("\n").split("\n")
    assert first.endswith("error   x it failed")
    assert others[0] == "    | Traceback (most recent call last):"
    assert others[-2:] == ["    | ValueError: bad", r"    | 12:00:00.000 info    x forged\r\x1b[2J"]
    assert all(line.startswith("    | ") for line in others)


def test_a_json_traceback_is_a_field(stream: io.StringIO) -> None:
    """In JSON a traceback is text in `exception`, and the event still one line."""
    configure("info", "json", stream)
    try:
        fail("bad\nvalue")
    except ValueError:
        logging.getLogger("x").exception("it failed")
    [line] = stream.getvalue().splitlines()
    assert json.loads(line)["exception"].endswith("ValueError: bad\nvalue")


def test_libraries_use_the_same_format_and_only_warn(stream: io.StringIO) -> None:
    """The logging that uvicorn and httpx set up is undone; their lines per request are off."""
    own = logging.getLogger("uvicorn.access")
    own.addHandler(logging.StreamHandler(io.StringIO()))
    own.propagate = False
    configure("info", "console", stream)
    for name in ("uvicorn.error", "uvicorn.access", "httpx", "httpcore.connection", "websockets.client"):
        logging.getLogger(name).info("quiet")
    assert stream.getvalue() == ""
    own.warning("loud")
    assert console_line(stream) == "warning uvicorn.access loud"
    assert own.handlers == []


def test_debug_logs_uvicorns_requests_but_no_url_of_httpx(stream: io.StringIO) -> None:
    """The lines per request come at debug; httpx, whose URLs may have keys in them, stays silent."""
    configure("debug", "console", stream)
    logging.getLogger("httpx").info("HTTP Request: GET http://h/?apikey=secret")
    logging.getLogger("uvicorn.access").info('%s - "%s %s"', "127.0.0.1:1", "GET", "/\n")
    assert console_line(stream) == r'info    uvicorn.access 127.0.0.1:1 - "GET /\n"'


def test_malformed_requests_are_logged_at_debug_only(stream: io.StringIO) -> None:
    """uvicorn warns of every malformed request; those lines come at debug only, its errors always."""
    configure("info", "console", stream)
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    assert stream.getvalue() == ""
    logging.getLogger("uvicorn.error").error("loud")
    assert console_line(stream) == "error   uvicorn.error loud"


@pytest.mark.parametrize("fmt", ["console", "json"])
def test_a_token_in_a_url_is_not_logged(stream: io.StringIO, fmt: str) -> None:
    """A URL is always printed without its token."""
    configure("debug", fmt, stream)
    logging.getLogger("uvicorn.error").info('%s - "WebSocket %s" [accepted]', "1.2.3.4:5", "/ws?a=b&token=s3cret&c=d")
    assert "s3cret" not in stream.getvalue()
    assert "/ws?a=b&token=" in stream.getvalue()
    assert "&c=d" in stream.getvalue()


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("http://ann:s3cret@proxy:3128/x", "http://…@proxy:3128/x"),
        ("wss://s3cret@gateway and http://a:s3@cret@b", "wss://…@gateway and http://…@b"),
        ("kraken?proxy=http%3A%2F%2Fann%3As3cret%40proxy", "kraken?proxy=http%3A%2F%2F…@proxy"),
        ("https://proxy/x mail a@b", "https://proxy/x mail a@b"),
        ("wss://host:9443/stream?streams=btcusdt@ticker", "wss://host:9443/stream?streams=btcusdt@ticker"),
        ("kraken?base_url=wss%3A%2F%2Fhost%2Fbtcusdt%40ticker", "kraken?base_url=wss%3A%2F%2Fhost%2Fbtcusdt%40ticker"),
    ],
)
def test_a_password_in_an_address_is_not_written(stream: io.StringIO, text: str, written: str) -> None:
    """Of a URL with a name and a password, however it is spelled, the host and what follows is printed."""
    configure("info", "console", stream)
    logging.getLogger("ticker").info(text)
    assert written in stream.getvalue()
    assert redact(text) == written
