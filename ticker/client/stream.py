"""One stream that outlives its connections: it reconnects for ever, resumes by cursor, and keeps a `Follower` current.

At any time it is connected, waiting for its next attempt, or has raised why it will not try again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Generic, Literal, NamedTuple, TypedDict, TypeVar, Unpack

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.protocol import State as SocketState

from ticker.client.address import Address, request_headers, split_address
from ticker.client.book import Book
from ticker.client.follower import Follower
from ticker.client.line import Line
from ticker.client.quote import Number
from ticker.client.retry import LONGEST_WAIT_S, Retry, judge
from ticker.client.wire import MAX_FRAME_BYTES, Message
from ticker.clock import Clock
from ticker.errors import ClientError, RefusedError, UnreachableError, did_you_mean
from ticker.protocol import PROTOCOL

Kept = TypeVar("Kept", bound=Follower)
State = Literal["live", "reconnecting", "stale"]

ENTERED = "a view can be entered only once; call watch() again"

_STALE, _DEAD = 6, 10
"""In quarters of a heartbeat: the silence or lateness after which prices are stale, and the silence after which the
connection is given up. A long message that is still arriving is not silence."""


class Options(TypedDict, total=False):
    """Keyword arguments of `watch`.

    Attributes:
        url: the service, http(s) or ws(s); default `TICKER_URL`, then this machine.
        fields: which fields; default all.
        interval_ms: least time between two frames, at most 60,000; default 0.
        cursor: resume from here; the view then contains only what has changed since.
        reconnect: if False, any failure of the connection ends the view, even the first; default True.
        on_state: called with each new state; in a blocking view, by another thread.
        on_unknown: called likewise with symbols that do not exist, each with the nearest names, when the service says
            so: after subscribing, or once its feeds have loaded.
        token: if the service requires one; default `TICKER_TOKEN`.
        headers: to send with each HTTP request.
    """

    url: str | None
    fields: Sequence[str] | None
    interval_ms: int
    cursor: str | None
    reconnect: bool
    on_state: Callable[[State], object] | None
    on_unknown: Callable[[dict[str, list[str]]], object] | None
    token: str | None
    headers: Mapping[str, str] | None


class Stream(Generic[Kept]):
    """Keeps a book, or any other follower, current.

    Attributes:
        state: as `View.state`.
        trouble: as `View.trouble`.

    Args:
        book: what is known and wanted.
        address: the service.
        reconnect: if False, any failure of the connection ends the stream.
        on_state: called with each new state.
        on_unknown: called with symbols that do not exist.
        headers: to send with each HTTP request.
        clock, dice: sources of time and randomness.
        longest_wait_s: the longest backoff before a new connection.
        lock: held while the book changes.
    """

    def __init__(
        self,
        book: Kept,
        address: Address,
        *,
        reconnect: bool = True,
        on_state: Callable[[State], object] | None = None,
        on_unknown: Callable[[dict[str, list[str]]], object] | None = None,
        headers: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        dice: random.Random | None = None,
        longest_wait_s: float = LONGEST_WAIT_S,
        lock: contextlib.AbstractContextManager[object] | None = None,
    ) -> None:
        self.state: State = "reconnecting"
        self.trouble = ""
        self.book = book
        self.address = address
        self.clock = clock or Clock()
        self._reconnect = reconnect
        self._on_state = on_state
        self._on_unknown = on_unknown
        self._headers = headers
        self._retry = Retry(dice or random.Random(), longest_wait_s)
        self._lock = lock or contextlib.nullcontext()
        self._socket: Line | None = None
        self._silence = self._idle = 0  # whole quarters of a heartbeat without a message, and without a part of one
        self._taking = False  # a message has come and is not taken yet
        self._questions: dict[int, _Question] = {}
        self._answered: list[asyncio.Future[None]] = []  # wait for the next data frame
        self._task: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._closed = False

    @property
    def connected(self) -> bool:
        """Whether there is a connection that has brought data; it may be mute now."""
        return self._socket is not None and self.book.current

    async def open(self) -> None:
        """Start; returns when the first data is here, however long that takes."""
        if self._task is not None:
            raise RuntimeError(ENTERED)
        first = asyncio.get_running_loop().create_future()
        self._questions[0] = _Question([first], [])
        self._task = asyncio.create_task(self._run(), name="ticker.client")
        try:
            await first
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End the connection and all loops."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def check_entered(self) -> None:
        """Raise RuntimeError if the stream was never opened: waiting for it would never end."""
        if self._task is None:
            raise RuntimeError("enter the view first, by `with` or `async with`")

    def ended(self) -> bool:
        """Whether the stream was closed; raises the failure if one ended it."""
        self.check_entered()
        if self._failure is not None and not self._closed:
            raise self._failure
        return self._closed

    async def ask(self, number: int, message: bytes, added: list[str]) -> None:
        """Send a message of the book; returns when its answer and the data after it have come.

        Raises:
            RefusedError: the service refuses it; the patterns in `added` are not wanted any more.
        """
        self.check_entered()
        if self._failure is not None:
            raise self._failure
        answer = asyncio.get_running_loop().create_future()
        self._questions[number] = _Question([answer], added)
        if self._socket is not None:  # else the next connection subscribes to all that is wanted
            with contextlib.suppress(ConnectionClosed):
                await self._socket.send(message, text=True)
        await answer

    def headers(self) -> Mapping[str, str] | None:
        """What to send with the request for the next connection."""
        return self._headers

    async def take(self, data: bytes) -> Message:
        """Hand a frame to the book. A subclass may take its time: the next frame is read only after that."""
        with self._lock:
            return self.book.receive(data)

    async def _run(self) -> None:
        tasks = [
            asyncio.create_task(self._stay_connected(), name="ticker.client.stream"),
            asyncio.create_task(self._watch_silence(), name="ticker.client.silence"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            self._failure = done.pop().exception()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            self.state = "stale"
            self._closed = self._failure is None
            self._failure = self._failure or ClientError("the view is closed")
            for question in (*self._questions.values(), _Question(self._answered, [])):
                question.fail(self._failure)
            self.book.wake()

    async def _stay_connected(self) -> None:
        while True:
            pause_s, self.trouble = await self._connection()
            if self.state == "live":
                self._enter("reconnecting")
            if not self._reconnect:
                raise UnreachableError(f"{self.address}: {self.trouble}")
            await self.clock.sleep(pause_s)

    async def _connection(self) -> tuple[float, str]:
        """Connect and read until it ends; returns how long to wait before the next one, and why it ended."""
        try:
            async with connected(self.address, self.headers()) as socket:
                await self._read(socket)
        except (ConnectionClosed, OSError, EOFError, InvalidHandshake, InvalidURI, UnreachableError) as error:
            reason, least_s = judge(error)
            code = error.rcvd.code if isinstance(error, ConnectionClosed) and error.rcvd else None
            return self._retry.pause_s(code, least_s), reason
        finally:
            self._socket = None
            self._taking = False
        raise AssertionError("reading ends only by an error")

    async def _read(self, socket: Line) -> None:
        with self._lock:
            opening = self.book.open()
        waiting = [future for question in self._questions.values() for future in question.futures] + self._answered
        self._questions, self._answered = {}, []
        self._silence = self._idle = -1
        self._socket = socket
        if opening is None:
            _resolve(waiting)
        else:
            self._questions[opening[0]] = _Question(waiting, [], opening=True)
            await socket.send(opening[1], text=True)
        while True:
            data = await socket.recv(decode=False)
            self._taking = True
            message = await self.take(data)
            self._taking = False
            with self._lock:
                again = self.book.recheck(message)
            self._silence = self._idle = -1  # the quarter in which it came is not a silent one
            self._heard(message)
            if again is not None:
                await socket.send(again[1], text=True)

    def _heard(self, message: Message) -> None:
        kind = message.type
        if kind in {"update", "snapshot"}:
            self._retry.data()
            if self._answered:
                _resolve(self._answered)
                self._answered = []
        elif kind in {"subscribed", "unsubscribed"}:
            self._accepted(message)
        elif kind == "error":
            self._refused(message)
        elif kind == "bye":
            self._retry.bye(message)
        elif kind == "hello" and message.protocol != PROTOCOL:
            text = f"{self.address} speaks protocol {message.protocol}, this library {PROTOCOL}; upgrade the older one"
            raise RefusedError(text, "protocol")
        if self.state != "live" and (self.book.current or not self.book.wanted) and not self._late:
            self._enter("live")

    @property
    def _late(self) -> bool:
        """Whether frames arrive so late that their prices are stale."""
        return self._socket is not None and self._socket.late >= _STALE

    def _accepted(self, message: Message) -> None:
        question = self._question(message)
        self._answered += question.futures
        if message.unknown and self._on_unknown is not None:
            self._on_unknown({entry.symbol: list(entry.nearest) for entry in message.unknown})
        if message.rejected:
            for refused in message.rejected:
                self.book.wanted.pop(refused.pattern, None)
            first = message.rejected[0]
            self._refuse(question, RefusedError(f"'{first.pattern}': {first.message}", first.code))

    def _refused(self, message: Message) -> None:
        question = self._question(message)
        self._answered += question.futures
        if question.opening and message.retry:
            raise UnreachableError(message.message)
        for text in question.added:
            self.book.wanted.pop(text, None)
        self._refuse(question, RefusedError(message.message, message.code))

    def _refuse(self, question: _Question, refusal: RefusedError) -> None:
        if question.opening:  # there is no stream without it
            raise refusal
        question.fail(refusal)

    def _question(self, message: Message) -> _Question:
        number = message.id if isinstance(message.id, int) else 0
        return self._questions.pop(number, _Question([], []))

    async def _watch_silence(self) -> None:
        while True:
            await self.clock.sleep(self.book.hello.heartbeat_ms / 4000)
            if self._taking:
                continue
            self._silence += 1
            self._idle += 1
            if self._socket is not None:
                self._socket.look()
                self._idle = 0 if self._socket.busy else self._idle
            if (self._silence >= _STALE or self._late) and self.state != "stale":
                self._enter("stale")
            if self._idle >= _DEAD and self._socket is not None:
                self._socket.transport.abort()

    def _enter(self, state: State) -> None:
        self.state = state
        if self._on_state is not None:
            self._on_state(state)


@contextlib.asynccontextmanager
async def connected(address: Address, headers: Mapping[str, str] | None) -> AsyncIterator[Line]:
    """A connection to the stream, closed properly whatever ends its use."""
    try:
        socket = await connect(
            address.stream, compression=None, max_size=MAX_FRAME_BYTES, ping_interval=None, close_timeout=1,
            additional_headers=headers, proxy=None, create_connection=Line,
        )  # fmt: skip
    except ssl.SSLError:  # one of certificates is a ValueError, too
        raise
    except ValueError as error:  # a redirect has a port or host name that cannot be
        raise RefusedError(f"cannot connect to {address}: {error}", "redirect") from error
    except AssertionError as error:  # of websockets: whoever is there talks and hangs up before it was asked
        raise UnreachableError("it does not speak WebSocket") from error
    assert isinstance(socket, Line)
    try:
        yield socket
    finally:
        if socket.state is not SocketState.CLOSED:  # else it may abort a closed transport, which fails
            await socket.close()


def open_stream(
    symbols: Sequence[str],
    make: Callable[[Any], Number],
    *,
    lock: contextlib.AbstractContextManager[object] | None = None,
    **options: Unpack[Options],
) -> Stream[Book[Number]]:
    """A stream that is not open yet.

    Args:
        symbols: patterns; the service's address may come first.
        make: `Decimal` or `float`.
        lock: held while the book changes.
        options: those of `watch`.
    """
    known = {"exact", *Options.__annotations__}
    for name in options.keys() - known:
        raise TypeError(f"watch() has no argument '{name}'{did_you_mean(name, known)}")
    address, patterns = split_address(symbols, options.pop("url", None), os.environ)
    book = Book(
        patterns, options.pop("fields", None), options.pop("interval_ms", 0), make, options.pop("cursor", None)
    )  # fmt: skip
    options["headers"] = request_headers(options.get("headers"), options.pop("token", None), os.environ)
    return Stream(book, address, lock=lock, **options)  # type: ignore[misc]  # the others are popped


class _Question(NamedTuple):
    """A message that the service has not answered yet: the futures that wait for it, and the patterns it adds."""

    futures: list[asyncio.Future[None]]
    added: list[str]
    opening: bool = False

    def fail(self, error: BaseException) -> None:
        for future in self.futures:
            if not future.done():
                future.set_exception(error)


def _resolve(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():  # a cancelled caller's is
            future.set_result(None)
