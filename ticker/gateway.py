"""A gateway's connection to the service that it follows. Part of the composition root, with `cli` and `run`.

It joins the client library, which connects, reconnects and resumes, with `ticker.upstream`, which shows what comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from ticker.client.address import Address, request_headers
from ticker.client.follower import Follower
from ticker.client.stream import Stream
from ticker.client.wire import PARCELS, Message, read, unpacked
from ticker.clock import Clock
from ticker.errors import ClientError, ConfigError, RefusedError, TickerError, UnreachableError
from ticker.garbage import uncollected
from ticker.incoming import SLICE, NotARecordError, check_records, check_symbols
from ticker.model import Value
from ticker.record import Contents
from ticker.secret import read_secret
from ticker.settings import Settings
from ticker.upstream import GATEWAY, MOST_SHOWN, Upstream

AFTER_REFUSAL_S = 5.0
"""How long a gateway with readers waits until it asks again to be let in."""
LONGEST_WAIT_S = 4.0
"""The longest backoff before a new connection: there are few gateways, and many readers wait behind each."""
LARGE_BYTES = 1 << 20
"""A frame of more than this is one of thousands of records."""
EVERYTHING = ("*", "*:*")
"""All consolidated symbols, and all of each venue."""

log = logging.getLogger("ticker.upstream")


class Target(NamedTuple):
    """Where the other service is, and what lets us in."""

    address: Address
    environ: Mapping[str, str]
    token_file: str = ""

    @classmethod
    def of(cls, settings: Settings, environ: Mapping[str, str]) -> Target:
        """What the settings say.

        Raises:
            ConfigError: the address or the file with the token is no good.
        """
        try:
            address = Address.of(settings.upstream.url, {})
        except ConfigError as error:
            raise ConfigError(f"upstream.url: {error}") from error
        target = cls(address, environ, settings.upstream.token_file)
        target._headers(f"upstream.token_file: {target.token_file}")
        return target

    def headers(self) -> dict[str, str]:
        """The headers of a request, with the token that is in the file now: it may have been renewed.

        Raises:
            ConfigError: there is none. It does not name the file, since readers may get to see it.
        """
        return self._headers("upstream.token_file")

    def _headers(self, where: str) -> dict[str, str]:
        token = None
        if self.token_file:
            try:
                token = read_secret(self.token_file)
            except ConfigError as error:
                raise ConfigError(f"{where}: {error}") from error
        return request_headers(None, token, self.environ)

    @property
    def base(self) -> str:
        """What the paths of requests follow, with the password if there is one."""
        return f"{'https' if self.address.secure else 'http'}://{self.address.authority}{self.address.path}"


async def follow(upstream: Upstream, target: Target, clock: Clock) -> None:
    """Follow another service until cancelled.

    Raises:
        TickerError: that service refuses, and has from the beginning. Later on a refusal may be a proxy's while the
            service is restarted, or a token that has expired: readers stay, and are told why prices are stale.
    """
    trouble = ""
    try:
        while True:
            stream = upstream.connection = Following(Everything(upstream), target, clock)
            stream.trouble = trouble
            try:
                await stream.open()
                await stream.book.over.wait()
                stream.ended()
            except ClientError as error:
                many = isinstance(error, RefusedError) and error.code == "too_many_symbols"
                trouble = stream.trouble = f"{error}{'; raise limits.symbols of that service' if many else ''}"
                if not upstream.begun():
                    raise TickerError(f"cannot follow {target.address}: {stream.trouble}") from error
            if not stream.token_renewed():
                await clock.sleep(AFTER_REFUSAL_S)
    finally:
        upstream.connection = None
        await stream.close()


class Following(Stream["Everything"]):
    """A stream of everything. Its large frames are taken in many turns of the loop, so that nobody else waits."""

    def __init__(self, book: Everything, target: Target, clock: Clock) -> None:
        super().__init__(book, target.address, clock=clock, longest_wait_s=LONGEST_WAIT_S)
        self._target = target
        self._sent: dict[str, str] = {}

    def headers(self) -> dict[str, str]:
        """The headers of the next connection.

        Raises:
            UnreachableError: there is no token at the moment.
        """
        try:
            self._sent = self._target.headers()
        except ConfigError as error:
            raise UnreachableError(str(error)) from error
        return self._sent

    def token_renewed(self) -> bool:
        """Whether there is another token than that of the last connection."""
        try:
            return self._target.headers() != self._sent
        except ConfigError:
            return False

    async def take(self, data: bytes) -> Message:
        """Take a frame; the next one is read after that."""
        with uncollected() if len(data) > LARGE_BYTES else contextlib.nullcontext():
            for message in self.book.steps(data):
                if message is None:
                    await asyncio.sleep(0)
        assert message is not None
        return message


class Everything(Follower):
    """Follows all that a service shows, and hands it on.

    Attributes:
        over: set once the stream has ended for good.
    """

    def __init__(self, upstream: Upstream) -> None:
        super().__init__(EVERYTHING)
        self.over = asyncio.Event()
        self._upstream = upstream
        self._contents = Contents(0)  # of a snapshot
        self._news: dict[str, dict[str, Value]] = {}  # of an update

    def open(self) -> tuple[int, bytes] | None:
        """Subscribe; from the beginning if what is shown is not what the service showed last."""
        if self._upstream.orphaned:
            self.forget()
        return super().open()

    def receive(self, data: bytes) -> Message:
        """Take a frame at once; see `steps`."""
        *_, message = self.steps(data)
        assert message is not None
        return message

    def steps(self, data: bytes) -> Iterator[Message | None]:
        """Take a frame, pausing after each slice of its records, and yield its message in the end.

        What it brings is checked first and then shown, at once, by the last step: the stream must be live when anybody
        looks next. If it is given up before that, nothing has changed.

        Raises:
            UnreachableError: see `Follower`; or something in it is not what the protocol says.
            RefusedError: see `accept`.
        """
        while self._contents.free(2 * SLICE):  # what was shown before the last snapshot
            yield None
        message = read(PARCELS, data)
        self._contents, self._news = Contents(message.version), {}
        add = self._contents.add if message.type == "snapshot" else self._news.__setitem__
        try:
            for _ in check_records(unpacked(message), message.feeds, add):
                self._upstream.hear()
                yield None
            check_symbols(message.gone)
        except NotARecordError as error:
            raise UnreachableError(f"it sent an invalid frame: {error}") from error
        yield self.accept(message)

    def accept(self, message: Message) -> Message:
        """Take a frame that was checked.

        Raises:
            UnreachableError: see `Follower`; or the service has nothing to show yet.
            RefusedError: it is a gateway, perhaps this one. In a circle of gateways that have lost their service each
                would take the others' old prices for live ones.
        """
        super().accept(message)
        if message.type == "heartbeat" and self.current:
            self._check_followed()
        if message.type == "hello" and message.server.endswith(GATEWAY):
            raise RefusedError("it is a gateway, too; follow the service that has the feeds", "upstream")
        if message.type == "error" and message.id is None and message.code == "too_many_symbols":  # there are more now
            log.warning("%s: %s; raise limits.symbols there", self._upstream.name, message.message[:MOST_SHOWN])
        return message

    def replace(self, message: Message) -> None:
        """Show a snapshot, unless it is of a service that has only just been started."""
        if not self.feeds:
            raise UnreachableError("it has no feeds yet")
        self._upstream.replace(message.epoch, self._contents)

    def merge(self, message: Message) -> None:
        """Show an update."""
        self._check_followed()
        self._upstream.merge(message.version, self._news, message.gone)

    def _check_followed(self) -> None:
        """Refuse to go on where the stream was: what is shown is not that any more."""
        if self._upstream.orphaned:
            self.forget()
            raise UnreachableError("it was silent for too long; beginning anew")

    def drop(self, keep: Callable[[str], bool]) -> None:
        """Nothing: the selection never changes."""

    def has(self, symbol: str) -> bool:
        """Whether a symbol is shown; only asked of symbols that are followed by name."""
        return self._upstream.store.get(symbol) is not None

    def wake(self) -> None:
        """The stream is over."""
        self.over.set()
