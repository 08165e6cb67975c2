"""The stream protocol, version 1: the messages that a client sends, checked. No I/O, no state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from ticker.errors import PatternError, ProtocolError, did_you_mean
from ticker.selection import MAX_PATTERN_LENGTH, check_pattern, field_mask

INTERVALS_MS = (0, 50, 100, 250, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000)
"""The classes that a reader's `interval_ms` is rounded up to."""
TOKEN = "token"  # noqa: S105 - a name
"""The parameter of a URL that may carry a token; see `web.auth`."""

LISTS = ("symbols", "fields")
"""The parameters of a URL that may be repeated, `symbols=A&symbols=B`: many libraries write a list that way."""

_PARAMETERS = ("symbols", "fields", "interval_ms", "cursor", TOKEN)
_MAX_ID_LENGTH = 64


class Subscribe(NamedTuple):
    """`fields`, `interval_ms` and `cursor` are None where the message does not give them."""

    reply_id: int | str | None
    patterns: list[str]
    rejected: list[dict[str, str]]
    mask: int | None
    interval_ms: int | None
    cursor: str | None


class Unsubscribe(NamedTuple):
    """Patterns exactly as they were given."""

    reply_id: int | str | None
    patterns: list[str]


class Ping(NamedTuple):
    """Asks for a `pong`."""

    reply_id: int | str | None


Message = Subscribe | Unsubscribe | Ping


def parse_message(data: bytes | str, max_symbols: int) -> Message:
    """Read one message of a client.

    Args:
        data: its text.
        max_symbols: how many symbols one message may name; more are refused before any is examined.

    Raises:
        ProtocolError: with the code, and a message that says what to do.
    """
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise ProtocolError("bad_json", "a message is one JSON object, for example "
                            '{"op":"subscribe","symbols":["BTC-USD"]}') from None  # fmt: skip
    if not isinstance(message, dict):
        raise ProtocolError("bad_request", "a message is a JSON object with a field 'op'")
    reply_id = message.get("id")
    if reply_id is not None and not _is_id(reply_id):
        raise ProtocolError("bad_request", "field 'id' must be an integer, or a string of at most 64 characters")
    try:
        return _parse(message, reply_id, max_symbols)
    except ProtocolError as problem:
        problem.reply_id = reply_id
        raise


def parse_subscribe_query(parameters: Iterable[tuple[str, str]], max_symbols: int) -> Subscribe | None:
    """The subscription that a URL asks for; None if it asks for none. `max_symbols` as in `parse_message`.

    Raises:
        ProtocolError: an unknown, repeated or impossible parameter.
    """
    query: dict[str, str] = {}
    for name, value in parameters:
        if name[:1] == "_":  # a cache buster, as over HTTP
            continue
        if name not in _PARAMETERS:
            raise ProtocolError("bad_request", f"no parameter {name[:80]!r}{did_you_mean(name[:80], _PARAMETERS)}")
        if name in query and name not in LISTS:
            raise ProtocolError("bad_request", f"parameter {name!r} is given twice")
        query[name] = f"{query[name]},{value}" if name in query else value
    if "symbols" not in query:
        if lonely := [name for name in query if name != TOKEN]:
            raise ProtocolError("bad_request", f"{lonely[0]!r} has no effect without 'symbols'")
        return None
    message: dict[str, Any] = {"symbols": _split(query["symbols"])}
    if query.get("fields"):
        message["fields"] = _split(query["fields"])
    if "interval_ms" in query:
        text = query["interval_ms"]
        message["interval_ms"] = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else text
    if "cursor" in query:
        message["cursor"] = query["cursor"]
    return _parse_subscribe(message, None, max_symbols)


def parse_token(data: bytes) -> str | None:
    """The token of an `auth` message; None for anything else."""
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    token = message.get("token") if isinstance(message, dict) and message.get("op") == "auth" else None
    return token if isinstance(token, str) else None


def interval_class(interval_ms: int) -> int:
    """The class that an interval is rounded up to, ms."""
    return next((c for c in INTERVALS_MS if c >= interval_ms), INTERVALS_MS[-1])


def _split(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


def _is_id(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _MAX_ID_LENGTH
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63


def _parse(message: dict[str, Any], reply_id: int | str | None, max_symbols: int) -> Message:
    op = message.get("op")
    if op == "subscribe":
        return _parse_subscribe(message, reply_id, max_symbols)
    if op == "unsubscribe":
        return Unsubscribe(reply_id, _symbols(message, max_symbols))
    if op == "ping":
        return Ping(reply_id)
    if op == "auth":
        raise ProtocolError("bad_request", "no 'auth' is expected: no token is required, or one was accepted already")
    raise ProtocolError("unknown_op", "field 'op' must be subscribe, unsubscribe or ping")


def _parse_subscribe(message: dict[str, Any], reply_id: int | str | None, max_symbols: int) -> Subscribe:
    patterns: list[str] = []
    rejected: list[dict[str, str]] = []
    for text in dict.fromkeys(_symbols(message, max_symbols)):
        try:
            check_pattern(text)
            patterns.append(text)
        except PatternError as problem:
            shown = text[:MAX_PATTERN_LENGTH]
            rejected.append({"pattern": shown, "code": problem.code, "message": str(problem)})
    mask, interval_ms = _mask(message.get("fields")), _interval_ms(message.get("interval_ms"))
    cursor = message.get("cursor")
    if cursor is not None and not isinstance(cursor, str):
        raise ProtocolError("bad_request", "field 'cursor' must be a string")
    return Subscribe(reply_id, patterns, rejected, mask, interval_ms, cursor)


def _symbols(message: dict[str, Any], max_symbols: int) -> list[str]:
    symbols = message.get("symbols")
    if not isinstance(symbols, list) or not all(isinstance(s, str) for s in symbols):
        raise ProtocolError("bad_request", "field 'symbols' must be a list of strings")
    if not symbols:
        raise ProtocolError("bad_request", "field 'symbols' is empty; give at least one symbol or pattern")
    if len(symbols) > max_symbols:
        text = f"at most {max_symbols} symbols or patterns in a message; nothing was changed"
        raise ProtocolError("too_many_symbols", text)
    return symbols


def _mask(fields: object) -> int | None:
    if fields is None:
        return None
    if not isinstance(fields, list) or not fields or not all(isinstance(f, str) for f in fields):
        text = "field 'fields' must be a list of field names, not empty; leave it out to keep the current ones"
        raise ProtocolError("bad_request", text)
    try:
        return field_mask(f[:MAX_PATTERN_LENGTH] for f in fields)
    except PatternError as problem:
        raise ProtocolError(problem.code, str(problem)) from None


def _interval_ms(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ProtocolError("bad_request", "field 'interval_ms' must be a whole number of milliseconds")
    return interval_class(value)
