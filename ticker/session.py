"""One reader's side of the protocol: messages in, frames out, no I/O.

A session owns its reader's selection and rate limits. It answers every message with exactly one reply, followed by one
data frame if the selection changed; all other frames come from the groups. The answer to a large subscription is made
in slices: the session is `busy`, and its owner calls `step` once per turn until it is not. A new reader who wants very
much gets the snapshot that others got a moment ago, and in a second frame what has changed since.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any

from ticker import messages, protocol
from ticker.bucket import TokenBucket
from ticker.clock import Clock
from ticker.errors import ProtocolError
from ticker.groups import Groups
from ticker.messages import Message, Subscribe, Unsubscribe
from ticker.protocol import Frame
from ticker.readers import Reader
from ticker.selection import ALL_FIELDS, Selection
from ticker.settings import Limits
from ticker.slices import LARGE, untested
from ticker.suggestions import unknown_symbols

MESSAGE_BURST = 50
MAX_REFUSALS_PER_MINUTE = 10
"""How many messages over the rate are answered by an error before the connection is closed."""
MAX_BAD_PER_MINUTE = 20
LONG_BYTES = 1024
"""A longer message is answered in a turn of its own: a thousand names take 5 ms, and many messages may come at once."""
MANY = 100
"""A subscription by message to at least this many symbols is answered in a turn of its own, too."""
LOOKS_PER_TEST = 10
"""How many symbols that a reader already has can be looked through in the time of one pattern test."""

ANNOUNCED = (
    "patterns", "wildcards", "symbols", "message_bytes", "messages_per_s", "work_per_s", "snapshot_symbols_per_s",
)  # fmt: skip
"""The limits that `hello` tells."""

Query = Iterable[tuple[str, str]]
"""The parameters of a connection's URL."""
Entrance = tuple[Callable[[str], bool], Query, int]
"""Whether a token's text is good, and the arguments of `Session.open`."""
Steps = Generator[list[Frame], None, None]
"""What makes an answer: nothing at each pause, then its frames."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a session must know about the service.

    Attributes:
        kinds: the kinds of all feeds, now.
        loaded: whether every feed knows its symbols yet.
    """

    server: str
    heartbeat_ms: int
    limits: Limits
    kinds: Callable[[], list[str]]
    loaded: Callable[[], bool]
    clock: Clock


class Session:
    """One reader.

    Attributes:
        selection: what it has subscribed to; None before the first subscription.
        coming: while it is busy, the large frame that will be sent, once that is made.
        closing: the close code and reason once the connection must end; nothing is read after that.
    """

    __slots__ = (
        "_bad", "_drops", "_entrance", "_facts", "_groups", "_messages", "_reader", "_refusals", "_steps", "_work",
        "closing", "coming", "interval_ms", "selection",
    )  # fmt: skip

    def __init__(self, reader: Reader, groups: Groups, facts: Facts) -> None:
        now = facts.clock.monotonic()
        rate, work = facts.limits.messages_per_s, facts.limits.work_per_s
        self.selection: Selection | None = None
        self.interval_ms = 0
        self.closing: tuple[int, str] | None = None
        self.coming: Frame | None = None
        self._reader = reader
        self._groups = groups
        self._facts = facts
        self._messages = TokenBucket(rate, MESSAGE_BURST, now)
        self._refusals = TokenBucket(MAX_REFUSALS_PER_MINUTE / 60, MAX_REFUSALS_PER_MINUTE, now)
        self._bad = TokenBucket(MAX_BAD_PER_MINUTE / 60, MAX_BAD_PER_MINUTE, now)
        self._work = TokenBucket(work, work, now)
        self._drops = TokenBucket(work, work, now)  # its own bucket: subscribing to much must not forbid unsubscribing
        self._steps: Steps | None = None
        self._entrance: Entrance | None = None  # while no good token has come

    @property
    def busy(self) -> bool:
        """Whether an answer is still being made: call `step`, and do not hand in another message meanwhile."""
        return self._steps is not None

    def step(self) -> list[Frame]:
        """Go on making the answer; returns nothing until it is complete."""
        assert self._steps is not None
        try:
            frames = next(self._steps)
        except ProtocolError as problem:
            frames = [self._refuse(problem)]
        if frames:
            self._steps = self.coming = None
        return self._counted(frames)

    def give_up(self) -> None:
        """Make no more of the answer: its reader has left, and other large answers wait for it to end."""
        if self._steps is not None:
            self._steps.close()
            self._steps = self.coming = None

    def await_token(self, admit: Callable[[str], bool], query: Query, number: int) -> None:
        """Do nothing until a first message brings a good token, as `admit` says, which `open` then answers."""
        self._entrance = admit, query, number

    def open(self, query: Query, number: int) -> list[Frame]:
        """The first frames: `hello`, with the connection's number, and the answer to the parameters of the URL."""
        facts, store = self._facts, self._groups.store
        limits = facts.limits
        frames = [
            protocol.hello(
                facts.server, store.epoch, store.version, facts.clock.wall_ms(), facts.kinds(), facts.heartbeat_ms,
                number, {name: getattr(limits, name) for name in ANNOUNCED} | {"min_interval_ms": 0},
            )
        ]  # fmt: skip
        try:
            message = messages.parse_subscribe_query(query, limits.patterns)
            if message is not None:
                frames += self._subscribe(message, LARGE)  # a handshake already has a turn of its own
        except ProtocolError as problem:
            frames.append(self._refuse(problem))
        return self._counted(frames)

    def receive(self, data: bytes) -> list[Frame]:
        """Answer one text message; bad UTF-8 ends the connection. After a long message the session is `busy`."""
        if self._entrance is not None:
            return self._enter(data, *self._entrance)
        if not self._messages.take(self._facts.clock.monotonic()):
            return self._counted(self._over_rate())
        if len(data) > LONG_BYTES:
            self._steps = self._in_turn(data)
            return []
        return self._counted(self._answer(data))

    def _enter(self, data: bytes, admit: Callable[[str], bool], query: Query, number: int) -> list[Frame]:
        token = messages.parse_token(data)
        if self.closing is not None or token is None or not admit(token):
            self.closing = (protocol.UNAUTHORIZED, "the first message must be a good token")
            return []
        self._entrance = None
        return self.open(query, number)

    def _in_turn(self, data: bytes) -> Steps:
        yield self._answer(data)  # empty if it is made in slices, which have replaced this step

    def _answer(self, data: bytes) -> list[Frame]:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self.closing = (protocol.BAD_UTF8, "a text message must be UTF-8")
            return []
        message: Message | None = None
        try:
            message = messages.parse_message(text, self._facts.limits.patterns)
            received = self._groups.counts.received
            if isinstance(message, Subscribe):
                received["subscribe"] += 1
                return self._subscribe(message, MANY)
            if isinstance(message, Unsubscribe):
                received["unsubscribe"] += 1
                return self._unsubscribe(message)
            received["ping"] += 1
            return [protocol.pong(message.reply_id, self._facts.clock.wall_ms())]
        except ProtocolError as problem:
            if message is not None:
                problem.reply_id = message.reply_id
            return [self._refuse(problem)]

    def _counted(self, frames: list[Frame]) -> list[Frame]:
        for frame in frames:
            self._groups.counts.sent(frame)
        return frames

    def _over_rate(self) -> list[Frame]:
        if not self._refusals.take(self._facts.clock.monotonic()):
            self.closing = (protocol.TOO_MANY_MESSAGES, "too many messages")
            return []
        rate = self._facts.limits.messages_per_s
        return [protocol.error(None, "rate_limited", f"more than {rate} messages a second", retry=True)]

    def _refuse(self, problem: ProtocolError) -> Frame:
        self._groups.counts.received["invalid"] += 1
        early = problem.code in {"rate_limited", "overloaded"}
        if not early and not self._bad.take(self._facts.clock.monotonic()):
            self.closing = (protocol.BAD_MESSAGES, "too many bad messages")
        return protocol.error(problem.reply_id, problem.code, str(problem), retry=early)

    def _subscribe(self, message: Subscribe, many: int) -> list[Frame]:
        """Answer at once if fewer than `many` symbols must be told, else in slices."""
        old = self.selection
        if message.cursor is not None and old is not None:
            raise ProtocolError("bad_request", "a cursor is allowed only in the first subscribe of a connection")
        patterns, surplus = self._within_wildcards(set(old.patterns) if old else set(), message.patterns)
        mask = message.mask or (old.mask if old else ALL_FIELDS)
        selection = Selection(tuple(sorted(patterns)), mask)
        interval_ms = self.interval_ms if message.interval_ms is None else message.interval_ms
        self._check_patterns(selection)
        message = message._replace(rejected=message.rejected + surplus)
        store = self._groups.store
        new = len(store) >= LARGE and untested(store, selection)
        if new or self._groups.fresh(self._reader.group, selection, message.cursor) >= many:
            self._steps = self._in_slices(message, selection, interval_ms)
            return []
        return self._place(message, selection, interval_ms)

    def _in_slices(self, message: Subscribe, selection: Selection, interval_ms: int) -> Steps:
        yield []  # one such answer per turn: many may be asked for at once
        reader = self._reader
        try:
            for coming in self._groups.whole(reader.address, selection, reader.group, message.cursor):
                self.coming = coming
                yield []
            yield self._place(message, selection, interval_ms)
        except ProtocolError as problem:
            problem.reply_id = message.reply_id
            raise

    def _place(self, message: Subscribe, selection: Selection, interval_ms: int) -> list[Frame]:
        reader, made = self._reader, self.coming is not None
        matched = self._groups.admit(
            reader.address, selection, interval_ms, message.cursor, old=reader.group, made=made
        )
        old, self.selection, self.interval_ms = self.selection, selection, interval_ms
        resumed = False
        if old is None:
            data = self._groups.join(reader, selection, interval_ms, message.cursor, self.coming)
            resumed = bool(message.cursor) and data.kind == "update"
        else:
            data = self._groups.change(reader, selection, interval_ms, self.coming)
        reply = protocol.subscribed(
            message.reply_id, selection, matched, interval_ms, resumed=resumed,
            unknown=self._unknown(message.patterns), rejected=message.rejected,
        )  # fmt: skip
        return [reply, data]

    def _unsubscribe(self, message: Unsubscribe) -> list[Frame]:
        old = self.selection
        have = set(old.patterns) if old else set()
        missing = [p for p in message.patterns if p not in have]
        if old is None or missing:
            text = f"not subscribed to {missing[0][:80]!r}; give patterns as they were subscribed"
            raise ProtocolError("not_subscribed", text)
        self._pay(self._drops, have.difference(message.patterns), set())
        self.selection = Selection(tuple(sorted(have.difference(message.patterns))), old.mask)
        data = self._groups.change(self._reader, self.selection, self.interval_ms)
        return [protocol.unsubscribed(message.reply_id, self.selection, self._groups.matched(self.selection)), data]

    def _within_wildcards(self, have: set[str], more: list[str]) -> tuple[set[str], list[dict[str, str]]]:
        most, wildcards = self._facts.limits.wildcards, sum("*" in p for p in have)
        surplus = []
        for pattern in more:
            if "*" in pattern and pattern not in have:
                if wildcards >= most:
                    text = f"at most {most} patterns with '*' per connection"
                    surplus.append({"pattern": pattern, "code": "bad_request", "message": text})
                    continue
                wildcards += 1
            have.add(pattern)
        return have, surplus

    def _check_patterns(self, selection: Selection) -> None:
        most = self._facts.limits.patterns
        if len(selection.patterns) > most:
            raise ProtocolError("too_many_symbols", f"at most {most} patterns per connection; nothing was changed")
        have = set(self.selection.patterns) if self.selection else set[str]()
        self._pay(self._work, have, set(selection.patterns) - have)

    def _pay(self, bucket: TokenBucket, kept: set[str], new: set[str]) -> None:
        """Take from a bucket what resolving a selection may cost, before the work is done.

        What its reader already has is not tested again, only looked through.
        """
        scope = self._reader.group.scope if self._reader.group is not None else None
        sizes = sorted(len(w.symbols) for w in scope.wildcards if w.text in kept) if scope else []
        cost = sum(map(self._groups.store.tests, new)) + len(kept) + sum(sizes) // LOOKS_PER_TEST + sum(sizes[:-1])
        if not bucket.take(self._facts.clock.monotonic(), cost):
            most = self._facts.limits.work_per_s
            text = f"subscribing costs more than {most} symbols and pattern tests a second; wait"
            raise ProtocolError("rate_limited", text)

    def _unknown(self, patterns: list[str]) -> list[dict[str, Any]]:
        if not self._facts.loaded():
            return []
        store, now = self._groups.store, self._facts.clock.monotonic()
        return unknown_symbols(store, patterns, lambda: self._work.take(now, len(store)))
