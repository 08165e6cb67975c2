"""The stream protocol, version 1: the frames that the service sends, as bytes. No I/O, no state.

A record is encoded once per set of changed fields and then shared by every frame that carries it. Prices are
written as JSON numbers whose text is the exchange's own.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
import orjson

from ticker.model import FEED_FIELDS, FIELDS, NUMBER_FIELDS
from ticker.record import Changes, Record, bits
from ticker.selection import Selection

PROTOCOL = 1

ERROR_CODES = (
    "bad_json", "bad_request", "unknown_op", "unknown_symbol", "unknown_field", "too_many_symbols", "too_large",
    "rate_limited", "unauthorized", "forbidden", "not_subscribed", "internal", "overloaded",
)  # fmt: skip

NORMAL, GOING_AWAY, RESTART = 1000, 1001, 1012
BINARY_FRAME, BAD_UTF8, TOO_LARGE = 1003, 1007, 1009
BAD_MESSAGES, UNAUTHORIZED, STALLED, NO_PONG, TOO_MANY_MESSAGES = 4000, 4001, 4008, 4009, 4029

MAX_PIECES = 8
"""How many encoded forms of a record are kept: one that never changes would collect one for each set of fields."""

FRAME_KINDS = ("hello", "subscribed", "unsubscribed", "snapshot", "update", "heartbeat", "pong", "error", "bye")

_NUMBER_KEYS = tuple(f'"{name}":' if name in NUMBER_FIELDS else None for name in FIELDS)
_TEXT_KEYS = tuple(f'"{name}":'.encode() for name in FIELDS)


class Frame(msgspec.Struct, eq=False, gc=False):
    """One text frame, made once and sent to many.

    Attributes:
        kind: one of `FRAME_KINDS`.
        data: the JSON text.
        rows: how many symbols it carries.
        version: the version that its reader has reached with it; 0 if it does not say.
        epoch: the epoch of that version; known of large frames alone, which may be sent a while later.
        wire, event: the transports' own forms of it, cached; an event is made for one selection, whose digest comes
            first.
        pays: whether compressing it once pays: it is large, or many share it.
        packed: the compressed form, cached.
        packing: what makes that, until it is done.
    """

    kind: str
    data: bytes
    rows: int = 0
    version: int = 0
    epoch: int = 0
    wire: bytes | None = None
    event: tuple[str, bytes] | None = None
    pays: bool = False
    packed: bytes | None = None
    packing: Iterator[None] | None = None


class Cursor(NamedTuple):
    """A place in the stream: everything of a selection (its digest) is known up to a version of an epoch."""

    epoch: int
    version: int
    digest: str

    def __str__(self) -> str:
        return f"{self.epoch}:{self.version}:{self.digest}"

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """Read a cursor; None for anything that is not one, which then means "from the beginning"."""
        parts = text.split(":")
        if len(parts) == 3 and all(p.isascii() and p.isdigit() and len(p) < 20 for p in parts[:2]):
            return cls(int(parts[0]), int(parts[1]), parts[2])
        return None

    def since(self, epoch: int, selection: Selection) -> int | None:
        """The version to resume from, if the cursor is of this epoch and selection."""
        return self.version if self.epoch == epoch and self.digest == selection.digest else None


# Records and data frames


def piece(record: Record, mask: int) -> bytes:
    """A record's fields in a mask, as `"SYMBOL":{…}`; cached until the record changes or newer forms displace it."""
    cached = record.pieces.get(mask)
    if cached is None:
        if len(record.pieces) >= MAX_PIECES:
            del record.pieces[next(iter(record.pieces))]
        cached = record.pieces[mask] = _feed_piece(record, mask) if record.is_feed else _quote_piece(record, mask)
    return cached


@functools.cache
def _template(mask: int) -> tuple[str, Callable[[list[Any]], tuple[Any, ...]]] | None:
    """A format string for a piece without nulls, and what picks its values; None if some need quoting."""
    picked = bits(mask)
    if len(picked) < 2 or any(FIELDS[i] not in NUMBER_FIELDS for i in picked):
        return None
    return '"%s":{' + ",".join(f'"{FIELDS[i]}":%s' for i in picked) + "}", operator.itemgetter(*picked)


def _quote_piece(record: Record, mask: int) -> bytes:
    template = _template(mask)
    if template is not None and None not in (values := template[1](record.values)):
        return (template[0] % (record.key, *values)).encode()
    parts = []
    for i in bits(mask):
        value = record.values[i]
        if value is None:
            parts.append(f'"{FIELDS[i]}":null')
        elif (key := _NUMBER_KEYS[i]) is not None:
            parts.append(f"{key}{value}")
        else:
            parts.append((_TEXT_KEYS[i] + orjson.dumps(value)).decode())
    return f'"{record.key}":{{{",".join(parts)}}}'.encode()


def _feed_piece(record: Record, mask: int) -> bytes:
    fields = {FEED_FIELDS[i]: record.values[i] for i in bits(mask)}
    return b'"%b":%b' % (record.key[1:].encode(), orjson.dumps(fields))


def data_frame(changes: Changes, time_ms: int, told: int | None = None) -> Frame:
    """A `snapshot` (changes since nothing) or an `update`.

    Args:
        changes: what to tell.
        time_ms: now, wall clock.
        told: the version to write as `since`, if that is older than that of the changes.
    """
    quotes, feeds = data_pieces(changes)
    if changes.since is None:
        return snapshot(changes.epoch, changes.version, time_ms, quotes, feeds)
    since = changes.since if told is None else told
    return update(since, changes.version, time_ms, quotes, changes.gone, feeds)


def update(since: int, version: int, time_ms: int, quotes: list[bytes], gone: list[str], feeds: list[bytes]) -> Frame:
    """What has changed; `quotes` and `feeds` are pieces."""
    head = b'{"type":"update","since":%d,"version":%d,"time":%d' % (since, version, time_ms)
    return Frame("update", b"".join([head, *members(quotes, gone, feeds), b"}"]), len(quotes), version)


def snapshot(epoch: int, version: int, time_ms: int, quotes: list[bytes], feeds: list[bytes]) -> Frame:
    """Everything; `quotes` and `feeds` are pieces."""
    head = b'{"type":"snapshot","epoch":%d,"version":%d,"time":%d' % (epoch, version, time_ms)
    # `quotes` even if empty: a reader may always write `view = m.quotes`.
    return Frame("snapshot", b"".join([head, *members(quotes, [], feeds, always=True), b"}"]), len(quotes), version)


def data_pieces(changes: Changes) -> tuple[list[bytes], list[bytes]]:
    """The encoded records of an answer: quotes, and feeds."""
    quotes = [r.pieces.get(mask) or piece(r, mask) for r, mask in changes.records if not r.is_feed]
    return quotes, [piece(r, mask) for r, mask in changes.records if r.is_feed]


def members(quotes: list[bytes], gone: list[str], feeds: list[bytes], *, always: bool = False) -> Iterator[bytes]:
    """The JSON members `quotes`, `gone` and `feeds`; each is left out if empty, `quotes` not if `always`."""
    if quotes or always:
        yield from (b',"quotes":{', b",".join(quotes), b"}")
    if gone:
        yield b',"gone":' + orjson.dumps(gone)
    if feeds:
        yield from (b',"feeds":{', b",".join(feeds), b"}")


class Updates:
    """The updates to one version, for many groups; their common parts are encoded once.

    Args:
        version: the version that readers have reached after them.
        time_ms: now, wall clock.
        feeds: the feeds' records that changed; every update carries them.
    """

    __slots__ = ("_feeds", "_heads", "_tail", "version")

    def __init__(self, version: int, time_ms: int, feeds: Iterable[Record] = ()) -> None:
        self.version = version
        self._tail = b',"version":%d,"time":%d' % (version, time_ms)
        self._feeds = [piece(record, record.mask) for record in feeds]
        self._heads: dict[int, bytes] = {}

    def frame(self, told: int, quotes: list[bytes], gone: list[str]) -> Frame:
        """The update for readers that know everything up to `told`; `quotes` are pieces."""
        head = self._heads.get(told)
        if head is None:
            head = self._heads[told] = b'{"type":"update","since":%d%b' % (told, self._tail)
        if gone or self._feeds:
            data = b"".join([head, *members(quotes, gone, self._feeds), b"}"])
        else:
            data = head + b',"quotes":{' + b",".join(quotes) + b"}}"
        return Frame("update", data, len(quotes), self.version)


# Other frames


def hello(server: str, epoch: int, version: int, time_ms: int, kinds: list[str], heartbeat_ms: int,
          connection: int, limits: Mapping[str, int]) -> Frame:  # fmt: skip
    """The first frame of every connection."""
    return _frame("hello", {
        "protocol": PROTOCOL, "server": server, "epoch": epoch, "version": version, "time": time_ms,
        "kinds": kinds, "heartbeat_ms": heartbeat_ms, "connection": connection, "limits": dict(limits),
    })  # fmt: skip


def subscribed(reply_id: int | str | None, selection: Selection, matched: int, interval_ms: int, *, resumed: bool,
               unknown: list[dict[str, Any]], rejected: list[dict[str, str]]) -> Frame:  # fmt: skip
    """The answer to `subscribe`."""
    return _frame("subscribed", _with_id(reply_id) | {
        "patterns": list(selection.patterns), "matched": matched,
        "fields": None if selection.fields is None else list(selection.fields), "interval_ms": interval_ms,
        "selection": selection.digest, "resumed": resumed, "unknown": unknown, "rejected": rejected,
    })  # fmt: skip


def unsubscribed(reply_id: int | str | None, selection: Selection, matched: int) -> Frame:
    """The answer to `unsubscribe`."""
    return _frame("unsubscribed", _with_id(reply_id) | {
        "patterns": list(selection.patterns), "matched": matched, "selection": selection.digest,
    })  # fmt: skip


def heartbeat(version: int, time_ms: int) -> Frame:
    """Nothing of yours has changed up to `version`."""
    return Frame("heartbeat", b'{"type":"heartbeat","version":%d,"time":%d}' % (version, time_ms), 0, version)


def pong(reply_id: int | str | None, time_ms: int) -> Frame:
    """The answer to `ping`."""
    return _frame("pong", _with_id(reply_id) | {"time": time_ms})


def error(reply_id: int | str | None, code: str, message: str, *, retry: bool = False) -> Frame:
    """A message was refused; `retry` says whether the same one may be accepted later."""
    return _frame("error", _with_id(reply_id) | {"code": code, "message": message, "retry": retry})


def bye(reason: str, retry_ms: tuple[int, int], *, reconnect: bool = True) -> Frame:
    """The server ends the connection; reconnect after a random time within `retry_ms`."""
    return _frame("bye", {"reason": reason, "reconnect": reconnect, "retry_ms": list(retry_ms)})


def _with_id(reply_id: int | str | None) -> dict[str, Any]:
    return {} if reply_id is None else {"id": reply_id}


def _frame(kind: str, members: dict[str, Any]) -> Frame:
    return Frame(kind, orjson.dumps({"type": kind} | members))
