"""Reconnecting, or not: against a service that fails in every way of the protocol."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
import uvloop
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode

from tests.ticker.client.scripted import Most, NoWait, Scripted, scripted
from ticker.client.address import Address
from ticker.client.book import Book
from ticker.client.stream import State, Stream
from ticker.client.view import View
from ticker.client.wire import Message
from ticker.clock import Clock
from ticker.errors import RefusedError, UnreachableError


def view(url: str, *symbols: str, states: list[State] | None = None, reconnect: bool = True) -> View[Decimal]:
    """A view that reconnects without waiting."""
    book: Book[Decimal] = Book(symbols or ("A",), None, 0, Decimal)
    on_state = None if states is None else states.append
    address = Address.of(url, {})
    return View(Stream(book, address, reconnect=reconnect, on_state=on_state, dice=NoWait()))


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario; no task outlives it."""

    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scenario()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(bounded(), debug=True)


def test_a_lost_connection_is_resumed_by_cursor() -> None:
    """The loop gets no error, only what changed; `state` shows the gap."""
    states: list[State] = []
    cursors: list[Any] = []

    async def script(connection: Scripted) -> None:
        if connection.number == 1:
            await connection.welcome(A={"last": 1, "bid": 1})
            connection.socket.transport.abort()
            return
        await connection.say("hello", epoch=7)
        asked = await connection.hear()
        cursors.append(asked["cursor"])
        await connection.say("subscribed", id=asked["id"], selection="aa", resumed=True)
        await connection.say("update", since=1, version=2, quotes={"A": {"last": 2}})
        await connection.until_closed()

    async def scenario() -> None:
        async with scripted(script) as url, view(url, states=states) as reader:
            changes = aiter(reader)
            first, second = await anext(changes), await anext(changes)
        assert (first.quote.row(), first.snapshot) == ({"symbol": "A", "last": 1, "bid": 1}, True)
        assert (second.quote.row(), second.fields) == ({"symbol": "A", "last": 2, "bid": 1}, ("last",))

    run(scenario)
    assert cursors == ["7:1:aa"]
    assert states == ["live", "reconnecting", "live"]


@pytest.mark.parametrize("code", [1003, 1007, 1009, 4000, 4001])
def test_a_final_close_code_ends_every_loop(code: int) -> None:
    """It is raised as a typed error where the script waits and by whatever it does next; `state` is stale."""

    async def script(connection: Scripted) -> None:
        await connection.welcome(A={"last": 1})
        await connection.socket.close(code)

    async def scenario() -> None:
        async with scripted(script) as url, view(url) as reader:
            with pytest.raises(RefusedError) as refusal:
                async for _ in reader:
                    pass
            assert refusal.value.code == code
            assert reader.state == "stale", "who only looks must not take the prices for live"
            with pytest.raises(RefusedError):
                await reader.wait_for("A", lambda quote: quote.last == 2)
            with pytest.raises(RefusedError):
                await reader.subscribe("B")

    run(scenario)


def test_a_bye_without_reconnect_ends_every_loop() -> None:
    """Whatever the close code, a service that says not to reconnect is left alone."""

    async def script(connection: Scripted) -> None:
        await connection.welcome(connection.number, A={"last": connection.number})
        await connection.say("bye", reason="go elsewhere", reconnect=False)
        await connection.socket.close(1012)

    async def scenario() -> None:
        async with scripted(script) as url, view(url) as reader:
            with pytest.raises(RefusedError, match="go elsewhere"):
                await reader.wait_for("A", lambda quote: quote.last == 2)

    run(scenario)


@pytest.mark.parametrize("target", ["ws://[::1", "ws://127.0.0.1:99999/", f"ws://{'a' * 300}/", "https://elsewhere/"])
def test_a_redirect_to_nowhere_is_refused(target: str) -> None:
    """An address that cannot be is an error of the library, as one of another kind is.

    Seen: a ValueError of the libraries below, which the commands showed as a traceback.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async def scenario() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            with pytest.raises(RefusedError, match=r"redirects|cannot connect to http://127"):
                async with view(url):
                    pass

    run(scenario)


@pytest.mark.parametrize("code", [1000, 1001, 1012, 4008, 4009])
def test_a_view_reconnects_after_any_other_close_code(code: int) -> None:
    """The connection is opened again."""

    async def script(connection: Scripted) -> None:
        await connection.welcome(connection.number, A={"last": connection.number})
        if connection.number < 3:
            await connection.socket.close(code)
        await connection.until_closed()

    async def scenario() -> None:
        async with scripted(script) as url, view(url) as reader:
            await reader.wait_for("A", lambda quote: quote.last == 3)

    run(scenario)


def test_a_new_connection_is_one_once_it_has_brought_data() -> None:
    """Seen: a gateway whose service has short heartbeats had lost it for two seconds. When it was there again, and made
    its snapshot, the silence of before was taken for that of the new connection, and all prices were stale.
    """
    asked, answer = asyncio.Event(), asyncio.Event()

    async def script(connection: Scripted) -> None:
        if connection.number == 1:
            await connection.welcome(A={"last": 1})
            return
        await connection.hear()
        asked.set()
        await answer.wait()
        await connection.say("hello", epoch=7)
        await connection.say("snapshot", epoch=7, version=2, quotes={"A": {"last": 2}})
        await connection.until_closed()

    async def scenario() -> None:
        async with scripted(script) as url:
            stream = Stream(Book(("A",), None, 0, Decimal), Address.of(url, {}), dice=NoWait())
            await stream.open()
            await asked.wait()
            before = stream.connected
            answer.set()
            while stream.book.version < 2:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.005)
            assert (before, stream.connected) == (False, True)
            await stream.close()

    run(scenario)


def test_temporary_refusals_only_delay_the_first_data() -> None:
    """A full or a starting service refuses for a while, and is then connected to."""

    async def script(connection: Scripted) -> None:
        await connection.welcome(A={"last": 1})
        await connection.until_closed()

    async def scenario() -> None:
        busy = {1: (503, "full"), 2: (429, "slow"), 3: (502, "proxy")}
        async with scripted(script, busy.get) as url, view(url) as reader:
            assert reader["A"].last == 1

    run(scenario)


def test_waits_between_tries_grow() -> None:
    """They grow so that a service that is starting is not overrun."""
    waits: list[float] = []

    class Noting(Clock):
        async def sleep(self, seconds: float) -> None:
            if seconds != 1.25:  # a quarter of a heartbeat: who listens for silence
                waits.append(seconds)
            await asyncio.sleep(0)

    async def scenario() -> None:
        address = Address.of("http://127.0.0.1:1", {})
        stream = Stream(Book(("A",), None, 0, Decimal), address, clock=Noting(), dice=Most())
        entering = asyncio.create_task(stream.open())
        while len(waits) < 4:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
        entering.cancel()
        await asyncio.wait([entering])

    run(scenario)
    assert waits == [0.5, 1, 2, 4]


def test_who_talks_before_it_is_asked_is_no_service_yet() -> None:
    """Seen: a server that says something and hangs up at once, as one of mail that is full, ended a gateway by an
    assertion of the library, if the words were there before the request was written. It is tried again.
    """

    def hang_up(listening: socket.socket) -> None:
        for _ in range(20):
            accepted, _ = listening.accept()
            with accepted:
                accepted.sendall(b"421 busy\r\n")

    async def scenario(listening: socket.socket) -> None:
        reader = view(f"http://127.0.0.1:{listening.getsockname()[1]}")
        entering = asyncio.create_task(reader.__aenter__())
        served = asyncio.create_task(asyncio.to_thread(hang_up, listening))
        await asyncio.wait({entering, served}, return_when=asyncio.FIRST_COMPLETED)
        assert not entering.done()
        assert reader.trouble in {"it does not speak WebSocket", "the connection was lost"}
        entering.cancel()
        await asyncio.wait({entering})

    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop,
    ):
        listening.settimeout(10)
        loop.run(scenario(listening))


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_upgrade_is_raised_on_entering(status: int) -> None:
    """A wrong token or path is raised at once."""

    async def scenario() -> None:
        async with scripted(Scripted.until_closed, lambda _: (status, "no")) as url:
            with pytest.raises(RefusedError, match=str(status)):
                async with view(url):
                    pass

    run(scenario)


def test_a_refused_subscription_is_raised() -> None:
    """A permanent error ends the view; a temporary one is retried."""

    async def script(connection: Scripted) -> None:
        asked = await connection.hear()
        if connection.number == 1:
            await connection.say("error", id=asked["id"], code="rate_limited", message="wait", retry=True)
        await connection.say("error", id=asked["id"], code="too_many_symbols", message="at most 3", retry=False)
        await connection.until_closed()

    async def scenario() -> None:
        async with scripted(script) as url:
            with pytest.raises(RefusedError, match="at most 3") as refusal:
                async with view(url):
                    pass
        assert refusal.value.code == "too_many_symbols"

    run(scenario)


def test_a_service_of_another_protocol_is_refused() -> None:
    """A later protocol is not misread."""

    async def script(connection: Scripted) -> None:
        await connection.say("hello", protocol=2)
        await connection.until_closed()

    async def scenario() -> None:
        async with scripted(script) as url:
            with pytest.raises(RefusedError, match="protocol 2"):
                async with view(url):
                    pass

    run(scenario)


def test_without_reconnect_every_failure_ends_the_view() -> None:
    """A refused and a lost connection are both raised."""

    async def script(connection: Scripted) -> None:
        await connection.welcome(A={"last": 1})

    async def scenario() -> None:
        async with scripted(script) as url, view(url, reconnect=False) as reader:
            assert reader.trouble == ""
            with pytest.raises(UnreachableError, match="the connection was lost"):
                await reader.wait_for("A", lambda quote: quote.last == 2)
            assert reader.trouble == "the connection was lost"
        with pytest.raises(UnreachableError, match="connection refused"):
            async with view(url, reconnect=False):
                pass

    run(scenario)


def test_a_silent_connection_is_stale_and_then_replaced() -> None:
    """A network that drops everything shows as silence: prices go stale, then the view reconnects."""
    states: list[State] = []

    async def script(connection: Scripted) -> None:
        await connection.welcome(connection.number, heartbeat_ms=20, A={"last": connection.number})
        while connection.number > 1:
            await connection.say("heartbeat", version=2)
            await Clock().sleep(0.002)
        await connection.until_closed()

    async def scenario() -> None:
        async with scripted(script) as url:
            muted = view(url, states=states)
            muted._book.hello.heartbeat_ms = 20  # else the first look is after half of the usual five seconds
            await follow(muted)

    async def follow(muted: View[Decimal]) -> None:
        async with muted as reader:
            await reader.wait_for("A", lambda quote: quote.last == 2)
            while reader.state != "live":  # noqa: ASYNC110 - it changes within the next message
                await asyncio.sleep(0)

    run(scenario)
    assert states[:3] == ["live", "stale", "live"]


class HeartbeatClock(Clock):
    """A clock whose quarters of a heartbeat pass when a test says so."""

    def __init__(self) -> None:
        self._passed = asyncio.Semaphore(0)
        self._slept = 0

    async def sleep(self, seconds: float) -> None:
        self._slept += 1
        await self._passed.acquire()

    def let_pass(self) -> None:
        """Let one pass, whatever has arrived."""
        self._passed.release()

    async def quarter(self) -> None:
        """Let one pass, and what then happens happen."""
        slept = self._slept
        self.let_pass()
        while self._slept == slept:  # noqa: ASYNC110 - who listens for silence tells nobody
            await asyncio.sleep(0)

    async def pass_by(self, stream: Stream[Book[Decimal]]) -> None:
        """Let two pass, once everything sent has arrived."""
        while stream._socket is None or not stream._socket._received:  # noqa: ASYNC110 - a socket tells nobody
            await asyncio.sleep(0)
        await self.quarter()
        await self.quarter()
        while stream._socket is not None and stream._socket._received:  # noqa: ASYNC110 - see above
            await asyncio.sleep(0)


def test_prices_are_not_stale_before_one_and_a_half_heartbeats() -> None:
    """Seen: the time in which a message came counted as silence, however short the rest of it was. A reader of quiet
    symbols, who hears one heartbeat after the other, was told every minute or two that prices were stale.
    """
    clock = HeartbeatClock()
    states: list[State] = []

    async def script(connection: Scripted) -> None:
        await connection.welcome(A={"last": 1})
        await connection.until_closed()

    async def scenario() -> None:
        async with scripted(script) as url:
            stream = Stream(Book(("A",), None, 0, Decimal), Address.of(url, {}), clock=clock, on_state=states.append)
            await stream.open()
            for _ in range(6):  # the first of them may have been over at once
                await clock.quarter()
            assert states == ["live"]
            await clock.quarter()
            assert states == ["live", "stale"]
            await stream.close()

    run(scenario)


def test_a_long_message_over_a_slow_line_is_kept_but_stale() -> None:
    """While bytes come the connection is kept, but data that took too long is not live.

    Seen over 5 kB/s: a snapshot takes 30 s, was given up after 12.5 s, and asked for again, for ever; over 20 kB/s
    prices that were ten seconds old were live. Promise: it comes, is stale, and live once the line is quick again.
    """
    stream: Stream[Book[Decimal]]
    clock = HeartbeatClock()
    states: list[State] = []
    connections: list[Scripted] = []

    async def script(connection: Scripted) -> None:
        connections.append(connection)
        await connection.say("hello", protocol=1, epoch=7, version=1)
        asked = await connection.hear()
        await connection.say("subscribed", id=asked["id"], patterns=asked["symbols"], selection="aa")
        connection.socket.transport.pause_reading()  # the answer to a ping would come behind the snapshot
        text = b'{"type":"snapshot","time":1,"epoch":7,"version":1,"quotes":{"A":{"last":1}}}'
        message = WireFrame(Opcode.TEXT, text).serialize(mask=False)
        await clock.pass_by(stream)
        for at in range(8):
            connection.socket.transport.write(message[at : at + 1])
            await clock.pass_by(stream)
        connection.socket.transport.write(message[8:])
        await connection.until_closed()

    async def scenario() -> None:
        nonlocal stream
        async with scripted(script) as url:
            stream = Stream(Book(("A",), None, 0, Decimal), Address.of(url, {}), clock=clock, on_state=states.append)
            async with View(stream) as reader:
                assert reader["A"].last == 1
                assert states == ["stale"]
                connections[0].socket.transport.resume_reading()
                while states[-1] != "live":
                    await connections[0].say("heartbeat", version=1)
                    await clock.pass_by(stream)
        assert len(connections) == 1

    run(scenario)
    assert states == ["stale", "live"]


class Slow(Stream[Book[Decimal]]):
    """One that takes its time over each frame with data."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    async def take(self, data: bytes) -> Message:
        if b"quotes" in data:
            self.begun.set()
            await self.go_on.wait()
        return await super().take(data)


def test_a_frame_that_is_being_taken_is_no_silence() -> None:
    """However long that takes: what comes meanwhile is read afterwards, and the connection is kept."""
    states: list[State] = []
    clock = HeartbeatClock()

    async def script(connection: Scripted) -> None:
        assert connection.number == 1
        await connection.welcome(A={"last": 1})
        await connection.say("heartbeat", version=2)
        await connection.until_closed()

    async def scenario() -> None:
        async with scripted(script) as url:
            stream = Slow(Book(("A",), None, 0, Decimal), Address.of(url, {}), clock=clock, on_state=states.append)
            opening = asyncio.create_task(stream.open())
            await stream.begun.wait()
            for _ in range(20):
                clock.let_pass()
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            assert (states, stream.book.version) == ([], 0)
            stream.go_on.set()
            await opening
            while stream.book.version < 2:  # noqa: ASYNC110 - a book tells nobody
                await asyncio.sleep(0)
            await stream.close()

    run(scenario)
    assert states == ["live"]


def many() -> list[str]:
    """Patterns whose subscription is more than the kernel buffers while the service does not read."""
    return [f"{number:060}-USD" for number in range(150_000)]


def test_the_close_code_is_read_although_a_long_message_is_unsent() -> None:
    """The reason of a service that closes before it has read a whole subscription is not hidden by unsent bytes."""

    async def scenario() -> None:
        async with scripted(Scripted.until_closed, max_size=1000) as url:
            with pytest.raises(RefusedError, match="a message was too large"):
                async with view(url, *many()):
                    pass

    run(scenario)


def test_a_service_that_does_not_read_is_reconnected_to() -> None:
    """A subscription that cannot be sent counts as silence, too: the view reconnects."""
    asked: list[int] = []
    deaf: list[Scripted] = []

    async def script(connection: Scripted) -> None:
        if connection.number == 1:
            deaf.append(connection)
            connection.socket.transport.pause_reading()
            await connection.until_closed()
        deaf[0].socket.transport.abort()
        asked.append(len((await connection.welcome(heartbeat_ms=5000))["symbols"]))
        await connection.until_closed()

    async def scenario() -> None:
        async with scripted(script) as url:
            stuck = view(url, *many())
            stuck._book.hello.heartbeat_ms = 20
            async with stuck:
                pass

    run(scenario)
    assert asked == [150_000]


def test_a_subscription_cut_off_before_its_answer_is_sent_again() -> None:
    """What was requested on a connection that broke is requested on the next one, and then answered."""

    async def script(connection: Scripted) -> None:
        if connection.number == 1:
            await connection.welcome(A={"last": 1})
            await connection.hear()
            connection.socket.transport.abort()
            return
        asked = await connection.welcome(2, A={"last": 1}, B={"last": 2})
        assert asked["symbols"] == ["A", "B"]
        await connection.until_closed()

    async def scenario() -> None:
        async with scripted(script) as url, view(url) as reader:
            await reader.subscribe("B")
            assert reader["B"].last == 2

    run(scenario)


def test_a_callback_that_fails_ends_the_view() -> None:
    """The view raises its error."""

    async def script(connection: Scripted) -> None:
        await connection.welcome(A={"last": 1})
        await connection.until_closed()

    def boom(_: State) -> None:
        raise ZeroDivisionError

    async def scenario() -> None:
        async with scripted(script) as url:
            book: Book[Decimal] = Book(["A"], None, 0, Decimal)
            async with View(Stream(book, Address.of(url, {}), on_state=boom)) as reader:
                with pytest.raises(ZeroDivisionError):
                    await reader.wait_for("A", lambda _: False)

    run(scenario)
