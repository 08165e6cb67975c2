"""A place in the stream, without I/O: what is wanted, how far it has come, and which messages to send.

What the frames bring goes to a subclass, which keeps of it what it needs. No frame is lost on the way, and none is
merged out of order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from ticker.client.address import check_selection
from ticker.client.wire import EXACT, FLOATS, Message, read
from ticker.errors import ConfigError, RefusedError, UnreachableError
from ticker.messages import INTERVALS_MS
from ticker.model import pattern_matches
from ticker.protocol import Cursor
from ticker.selection import check_patterns

MESSAGE_HEAD_BYTES = 512
"""Upper bound of an opening message without its patterns."""
RECHECK_MS = 5000
"""Wait before asking again about missing symbols; it doubles each time."""


class Follower(ABC):
    """Follows one selection. A subclass says what becomes of the data.

    It may keep and change the quotes of a message; the feeds of a message are in `feeds` already. The cursor moves
    when `replace` or `merge` has returned: what one of them refuses by UnreachableError comes again, over a new
    connection.

    Attributes:
        wanted: the patterns to subscribe to, on this connection or the next.
        feeds: the records of feeds by name.
        version, time: of the last frame; version 0 before the first.
        hello: the connection's first message.
        current: whether this connection has delivered data.
        unknown: symbols that the service called unknown on this connection, each with the nearest names.

    Args:
        patterns: what to subscribe to.
        fields: which fields, None for all.
        interval_ms: least time between two frames, at most 60,000.
        exact: whether prices come as the exchange's own text; otherwise as floats.
        cursor: where to resume.

    Raises:
        PatternError: a pattern is malformed, or a field does not exist.
        ConfigError: there is no pattern, the interval is too long, or the cursor is malformed.
    """

    def __init__(
        self,
        patterns: Iterable[str],
        fields: Sequence[str] | None = None,
        interval_ms: int = 0,
        *,
        exact: bool = True,
        cursor: str | None = None,
    ) -> None:
        self.wanted = check_selection(patterns, fields)
        if isinstance(interval_ms, int) and interval_ms > INTERVALS_MS[-1]:  # what is no number the service judges
            raise ConfigError(f"the interval may be at most a minute, not {interval_ms / 1000:g} s")
        start = Cursor.parse(cursor) if cursor is not None else Cursor(0, 0, "")
        if start is None:
            raise ConfigError(f"'{cursor}' is not a cursor; one looks like 1795386000123:4711:9f3a61c27b04d5e8")
        self.feeds: dict[str, dict[str, Any]] = {}
        self.version = start.version
        self.time = 0
        self.hello = Message("hello")
        self.current = False
        self.unknown: dict[str, list[str]] = {}
        self._decoder = EXACT if exact else FLOATS
        self._fields = None if fields is None else list(fields)
        self._interval_ms = interval_ms
        self._epoch = start.epoch
        self._selection = start.digest
        self._announced = start.digest  # takes effect with the data frame that follows `subscribed`
        self._gap = False
        self._last_id = 0
        self._recheck_at, self._recheck_ms = 0, RECHECK_MS  # by the service's clock

    @property
    def cursor(self) -> str | None:
        """Where another connection can resume; None before the first data."""
        return str(Cursor(self._epoch, self.version, self._selection)) if self._selection else None

    def forget(self) -> None:
        """Begin from nothing on the next connection."""
        self._selection = ""

    # What a subclass does

    @abstractmethod
    def replace(self, message: Message) -> None:
        """Take a snapshot: its `quotes` are all there are, as of its `epoch` and `version`."""

    @abstractmethod
    def merge(self, message: Message) -> None:
        """Take an update: assign the fields in `quotes`, drop the symbols in `gone`.

        Nothing was lost before it. It may repeat what is known already, and bring nothing but feeds.
        """

    @abstractmethod
    def drop(self, keep: Callable[[str], bool]) -> None:
        """Drop the symbols that are not to be kept: they are not wanted any more."""

    @abstractmethod
    def has(self, symbol: str) -> bool:
        """Whether there is a quote of this symbol; if not, the service is asked about it again."""

    @abstractmethod
    def wake(self) -> None:
        """Wake all who wait for data: the stream is over."""

    # Messages to send: the id of each is that of its answer

    def open(self) -> tuple[int, bytes] | None:
        """The first message of a new connection: all wanted patterns and the cursor; None if nothing is wanted."""
        self.current, self.unknown = False, {}
        self._recheck_at, self._recheck_ms = 0, RECHECK_MS
        if not self.wanted:
            self.drop(lambda _: False)
            return None
        message: dict[str, Any] = {"symbols": list(self.wanted), "interval_ms": self._interval_ms}
        if self._fields is not None:
            message["fields"] = self._fields
        if self.cursor is not None:
            message["cursor"] = self.cursor
        return self._ask("subscribe", message)

    def subscribe(self, patterns: Iterable[str]) -> tuple[int, bytes]:
        """Add patterns to what is wanted.

        Raises:
            PatternError: a pattern is malformed.
            RefusedError: all that is wanted would not fit into the opening message of the next connection.
        """
        more = list(patterns)
        check_patterns(more)
        grown, most = self.wanted | dict.fromkeys(more), self.hello.limits.message_bytes
        if MESSAGE_HEAD_BYTES + sum(len(text) + len('"",') for text in grown) > most:
            text = f"the patterns of a view must fit into a message of {most} bytes; open another view for more"
            raise RefusedError(text, "too_large")
        self.wanted = grown
        return self._ask("subscribe", {"symbols": more})

    def unsubscribe(self, patterns: Iterable[str]) -> tuple[int, bytes]:
        """Remove patterns, exactly as they were given, from what is wanted.

        Raises:
            RefusedError: one was not subscribed to.
        """
        less = list(patterns)
        for text in less:
            if text not in self.wanted:
                raise RefusedError(f"not subscribed to '{text}'; give patterns as they were given", "not_subscribed")
        for text in less:
            self.wanted.pop(text, None)
        return self._ask("unsubscribe", {"symbols": less})

    def recheck(self, message: Message) -> tuple[int, bytes] | None:
        """After each frame: ask again about symbols with neither a quote nor an answer; None if none, or too early.

        The service knows which symbols do not exist once all feeds have loaded theirs, and says so only when asked.
        """
        if not self.current or message.time < self._recheck_at or not self.feeds:
            return None
        if any(feed.get("state") in ("connecting", "down") for feed in self.feeds.values()):
            return None
        self._recheck_at, self._recheck_ms = message.time + self._recheck_ms, 2 * self._recheck_ms
        mute = [text for text in self.wanted if "*" not in text and text not in self.unknown and not self.has(text)]
        return self._ask("subscribe", {"symbols": mute}) if mute else None

    def _ask(self, op: str, message: dict[str, Any]) -> tuple[int, bytes]:
        self._last_id += 1
        return self._last_id, msgspec.json.encode({"op": op, "id": self._last_id, **message})

    # Frames

    def receive(self, data: bytes) -> Message:
        """Take one frame from the service, and return it.

        Raises:
            UnreachableError: the frame is malformed, or one was lost; only a new connection helps.
        """
        return self.accept(read(self._decoder, data))

    def accept(self, message: Message) -> Message:
        """`receive` for a frame that was decoded already."""
        if message.type == "update":
            self._update(message)
        elif message.type == "snapshot":
            self._snapshot(message)
        elif message.type == "heartbeat":
            self.version = max(self.version, message.version) if self.current else self.version
        elif message.type in {"subscribed", "unsubscribed"}:
            self._announced = message.selection
            self.unknown |= {entry.symbol: entry.nearest for entry in message.unknown}
            if message.type == "unsubscribed":
                self.drop(lambda symbol: any(pattern_matches(text, symbol) for text in message.patterns))
        elif message.type == "hello":
            self.hello = message
        return message

    def _snapshot(self, message: Message) -> None:
        self.feeds = message.feeds
        self.replace(message)
        self._epoch = message.epoch
        self._arrived(message)

    def _update(self, message: Message) -> None:
        if message.since > self.version or not self._epoch:
            if self._gap:  # resuming by cursor did not help
                self.forget()
            self._gap = True
            raise UnreachableError("frames of the stream were lost")
        if message.version < self.version:
            return
        for name, feed in message.feeds.items():
            self.feeds.setdefault(name, {}).update(feed)
        self.merge(message)
        self._arrived(message)

    def _arrived(self, message: Message) -> None:
        self.version, self.time = message.version, message.time
        self._selection = self._announced
        self._gap = False
        self.current = True
