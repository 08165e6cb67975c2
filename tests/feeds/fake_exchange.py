"""A scripted exchange: real HTTP and WebSocket on one port of the loopback interface.

    async with FakeExchange() as exchange:
        exchange.serve("/0/public/Ticker?assetVersion=1", Reply(body=b"..."))
        exchange.script("/0/public/Ticker?assetVersion=1", TOO_MANY, HANG)   # the next answers, then the standing one
        exchange.stream("/v2", recorded(folder / "ws" / "v2_fixture.jsonl"))   # what happens on each connection there
        feed = ADAPTER.build("kraken", ExchangeOptions(base_url=exchange.base_url), context)
        peer = await exchange.peer()                                         # or a test talks to the client itself
        await peer.send("...")

It records its requests and how many of them were open at once. It never checks what it sends, so that it can send
what no server should.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import pathlib
import zlib
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, Self

from websockets.frames import Frame, Opcode
from websockets.http11 import Request as Handshake
from websockets.server import ServerProtocol

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer, valid or not.

    Attributes:
        body: sent unchanged, whatever the headers say about it.
        claimed_length: the Content-Length header; None: the true length.
        byte_pause_s: wait before each byte of the body.
        hangs: nothing is ever sent.
        instead: bytes to send instead of an HTTP answer; then the connection ends.
    """

    body: bytes = b"{}"
    status: int = 200
    headers: Mapping[str, str | list[str]] = field(default_factory=lambda: JSON)
    claimed_length: int | None = None
    byte_pause_s: float = 0.0
    hangs: bool = False
    instead: bytes | None = None

    def head(self) -> bytes:
        """Status line and headers."""
        lines = [f"HTTP/1.1 {self.status} Whatever"]
        for name, values in self.headers.items():
            lines += [f"{name}: {value}" for value in ([values] if isinstance(values, str) else values)]
        length = len(self.body) if self.claimed_length is None else self.claimed_length
        return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode("latin-1")


class Request(NamedTuple):
    """A request: path with query, and the headers by lower-case name."""

    target: str
    headers: dict[str, str]


ACCEPTED_TURNS = 5
"""After this many turns of the loop a connection has its handler, even if the client gave up at once."""
HANG = Reply(hangs=True)
CLOSED = Reply(instead=b"")


def gzip(data: bytes) -> bytes:
    """`data` as a gzip stream."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    return squeeze.compress(data) + squeeze.flush()


def gzip_bomb(size_bytes: int) -> Reply:
    """Zeros, a thousand times smaller on the wire."""
    return Reply(body=gzip(bytes(size_bytes)), headers={**JSON, "Content-Encoding": "gzip"})


def recordings(folder: pathlib.Path) -> dict[str, tuple[str, Reply]]:
    """The recorded answers of one `rest` folder, by file name: the request target and the answer."""
    found = {}
    for line in (folder / "index.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        target = entry["path"] + ("?" + entry["query"] if entry["query"] else "")
        body = (folder / entry["file"]).read_bytes()
        found[entry["file"]] = (target, Reply(body=body, status=entry["status"], headers=entry["headers"]))
    return found


class Peer:
    """A client's WebSocket, as the exchange sees it.

    Attributes:
        target: path and query that it connected to.
        said: the texts that it has sent so far.
        pings: how many pings it has sent.
        reads: if false, nothing that it sends is answered, not even a ping: a half-dead connection.
        gone: whether the connection has ended.
    """

    def __init__(self, target: str, protocol: ServerProtocol, writer: asyncio.StreamWriter, news: News) -> None:
        self.target = target
        self.said: list[str] = []
        self.pings = 0
        self.reads = True
        self.gone = False
        self._protocol = protocol
        self._writer = writer
        self._news = news

    def send(self, *texts: str | bytes) -> None:
        """Send messages: text as text, bytes as binary."""
        for text in texts:
            if isinstance(text, str):
                self._protocol.send_text(text.encode())
            else:
                self._protocol.send_binary(text)
        self.flush()

    def say(self, data: object) -> None:
        """Send JSON."""
        self.send(json.dumps(data))

    def write(self, raw: bytes) -> None:
        """Send raw bytes, which need not be valid WebSocket frames."""
        self._writer.write(raw)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Start the closing handshake."""
        self._protocol.send_close(code, reason)
        self.flush()

    def cut(self) -> None:
        """End the connection without a closing handshake."""
        self._writer.transport.abort()

    async def heard(self, count: int = 1) -> list[str]:
        """Wait until it has sent at least `count` texts; returns all of them."""
        await self._news.until(lambda: len(self.said) >= count or self.gone)
        assert len(self.said) >= count, f"it has gone and said only {self.said}"
        return self.said

    async def left(self) -> None:
        """Wait until the connection has ended."""
        await self._news.until(lambda: self.gone)

    def flush(self) -> None:
        """Send what the protocol has queued."""
        self._writer.write(b"".join(self._protocol.data_to_send()))

    def take(self, frame: Frame) -> None:
        """Take note of a frame."""
        if frame.opcode is Opcode.PING:
            self.pings += 1
        elif frame.opcode in {Opcode.TEXT, Opcode.BINARY}:
            self.said.append(bytes(frame.data).decode())


class News:
    """Lets tests wait for something to happen at the exchange."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def __call__(self) -> None:
        """Something has happened."""
        event, self._event = self._event, asyncio.Event()
        event.set()

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait for a condition."""
        async with asyncio.timeout(60):
            while not happened():
                await self._event.wait()


Play = Callable[[Peer], Awaitable[None]]
"""What the exchange does on a connection; after it has returned, the connection stays open and silent."""


async def mute(_peer: Peer) -> None:
    """Read and answer pings, but never send a message."""


def says(*texts: str | bytes) -> Play:
    """Wait for the client's first message, then send these."""

    async def play(peer: Peer) -> None:
        await peer.heard()
        peer.send(*texts)

    return play


def recorded(path: pathlib.Path) -> Play:
    """Wait for the client's first message, then send everything that a recording has received, in order."""
    return says(*received(path))


def received(path: pathlib.Path) -> list[str | bytes]:
    """The received messages of a recorded stream."""
    events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [_frame(event["raw"]) for event in events if event["dir"] == "recv"]


def _frame(raw: str) -> str | bytes:
    """A recorded message as text, or as bytes if it was not text."""
    try:
        raw.encode()
    except UnicodeEncodeError:
        return raw.encode("utf-8", "surrogateescape")
    return raw


class FakeExchange:
    """The server.

    While it is `dead` it cuts every new connection; `die` also cuts the open ones. `requests` has all requests so
    far, WebSockets included, `most_in_flight` the most that overlapped, `peers` all WebSockets so far.
    """

    def __init__(self) -> None:
        self.dead = False
        self.requests: list[Request] = []
        self.most_in_flight = 0
        self.peers: list[Peer] = []
        self.news = News()
        self._in_flight = 0
        self._plays: dict[str, list[Play]] = {}
        self._standing: dict[str, Reply] = {}
        self._scripts: defaultdict[str, deque[Reply]] = defaultdict(deque)
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[object], asyncio.StreamWriter] = {}

    def serve(self, target: str, reply: Reply) -> None:
        """Answer a target from now on; a path without a query stands for every query. Others get a JSON 404."""
        self._standing[target] = reply

    def serve_recorded(self, folder: pathlib.Path) -> None:
        """Serve all answers recorded in this `rest` folder."""
        for target, reply in recordings(folder).values():
            self.serve(target, reply)

    def script(self, target: str, *replies: Reply) -> None:
        """Send these answers once each, in order, before the standing answer comes again."""
        self._scripts[target].extend(replies)

    def stream(self, path: str, *plays: Play) -> None:
        """Accept WebSockets on this path from now on: one play for each, the last play for all that follow.

        A reply scripted for the path is sent first and refuses one of them.
        """
        self._plays[path] = list(plays)

    def die(self) -> None:
        """Drop all connections, and answer nothing until `dead` is reset."""
        self.dead = True
        for writer in self._connections.values():
            writer.transport.abort()

    async def peer(self, count: int = 1) -> Peer:
        """Wait for the WebSocket with this number, counted from 1."""
        await self.news.until(lambda: len(self.peers) >= count)
        return self.peers[count - 1]

    def asked(self, target: str) -> int:
        """How many requests this target had."""
        return sum(request.target == target for request in self.requests)

    @property
    def port(self) -> int:
        assert self._server is not None, "not running"
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def base_url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=2**20)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        for _ in range(ACCEPTED_TURNS):
            await asyncio.sleep(0)
        self._server.close()
        for writer in self._connections.values():  # asyncio logs a traceback for a cancelled handler
            writer.transport.abort()
        await asyncio.gather(*self._connections)
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.dead:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = writer
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        finally:
            writer.close()
            del self._connections[task]

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Read one request and answer it; returns whether the connection stays open."""
        first = await reader.readexactly(1)
        if not first.isalpha():  # a TLS handshake, for one
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return False
        raw = first + await reader.readuntil(b"\r\n\r\n")
        head = raw.decode("latin-1")
        request_line, *lines = head.strip().split("\r\n")
        target = request_line.split(" ")[1]
        headers = dict(line.split(": ", 1) for line in lines)
        request = Request(target, {name.lower(): value for name, value in headers.items()})
        self.requests.append(request)
        self.news()
        path = target.partition("?")[0]
        if "upgrade" in request.headers and path in self._plays and not self._scripts[path]:
            await self._converse(raw, path, target, reader, writer)
            return False
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            return await self._answer(self._reply(target), reader, writer)
        finally:
            self._in_flight -= 1

    async def _converse(
        self, raw: bytes, path: str, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve a WebSocket until it ends."""
        protocol = ServerProtocol()
        protocol.receive_data(raw)
        for event in protocol.events_received():
            assert isinstance(event, Handshake)
            protocol.send_response(protocol.accept(event))
        peer = Peer(target, protocol, writer, self.news)
        peer.flush()
        self.peers.append(peer)
        self.news()
        plays = self._plays[path]
        playing = asyncio.ensure_future((plays.pop(0) if len(plays) > 1 else plays[0])(peer))
        try:
            while data := await reader.read(65_536):
                if not peer.reads:
                    continue
                protocol.receive_data(data)
                for event in protocol.events_received():
                    assert isinstance(event, Frame)
                    peer.take(event)
                    if event.opcode is Opcode.CLOSE:
                        peer.flush()
                        writer.close()
                peer.flush()
                self.news()
        finally:
            peer.gone = True
            playing.cancel()
            self.news()
            await asyncio.gather(playing, return_exceptions=True)

    def _reply(self, target: str) -> Reply:
        for key in (target, target.partition("?")[0]):
            if script := self._scripts[key]:
                return script.popleft()
        unknown = Reply(status=404, body=b'{"error":["unknown path"]}')
        return self._standing.get(target) or self._standing.get(target.partition("?")[0], unknown)

    async def _answer(self, reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if reply.hangs:
            await reader.read()  # until the client gives up
            return False
        if reply.instead is not None:
            writer.write(reply.instead)
            return False
        writer.write(reply.head())
        if reply.byte_pause_s:
            for byte in reply.body:
                with contextlib.suppress(TimeoutError):  # a pause that ends at once if the client has left
                    await asyncio.wait_for(reader.readexactly(1), reply.byte_pause_s)
                writer.write(bytes([byte]))
                await writer.drain()
        else:
            writer.write(reply.body)
        await writer.drain()
        return reply.claimed_length in {None, len(reply.body)}
