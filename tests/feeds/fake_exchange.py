"""An exchange that says what a test tells it to, over real HTTP on loopback.

    async with FakeExchange() as exchange:
        exchange.serve("/0/public/Ticker?assetVersion=1", Reply(body=b"..."))
        exchange.script("/0/public/Ticker?assetVersion=1", TOO_MANY, HANG)   # the next answers, then the standing one
        feed = ADAPTER.build("kraken", PollingOptions(base_url=exchange.base_url), context)

It keeps what it was asked and how many requests were open at once. It never looks at what it sends: that is how
it can send what no server should.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import pathlib
import zlib
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, Self

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer, honest or not.

    Attributes:
        body: sent as it is, whatever the headers say of it.
        claimed_length: the Content-Length; None: the true one.
        byte_pause_s: wait before each byte of the body.
        hangs: nothing is ever sent.
        instead: these bytes are sent instead of an HTTP answer, and the connection ends.
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
    """What was asked: path with query, and the headers by lower-case name."""

    target: str
    headers: dict[str, str]


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
    """The recorded answers of one `rest` folder: by file name, what was asked and what was answered."""
    found = {}
    for line in (folder / "index.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        target = entry["path"] + ("?" + entry["query"] if entry["query"] else "")
        body = (folder / entry["file"]).read_bytes()
        found[entry["file"]] = (target, Reply(body=body, status=entry["status"], headers=entry["headers"]))
    return found


class FakeExchange:
    """The server; `requests` is what it was asked so far, `most_in_flight` how many requests overlapped."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.most_in_flight = 0
        self._in_flight = 0
        self._standing: dict[str, Reply] = {}
        self._scripts: defaultdict[str, deque[Reply]] = defaultdict(deque)
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[object], asyncio.StreamWriter] = {}

    def serve(self, target: str, reply: Reply) -> None:
        """Answer this from now on; what nobody serves is a JSON 404."""
        self._standing[target] = reply

    def serve_recorded(self, folder: pathlib.Path) -> None:
        """Answer everything that was recorded in this `rest` folder."""
        for target, reply in recordings(folder).values():
            self.serve(target, reply)

    def script(self, target: str, *replies: Reply) -> None:
        """Answer this once each, in order, before the standing answer comes again."""
        self._scripts[target].extend(replies)

    def asked(self, target: str) -> int:
        """How often this was asked."""
        return sum(request.target == target for request in self.requests)

    @property
    def base_url(self) -> str:
        """Scheme, host and port."""
        assert self._server is not None, "not running"
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._connections.values():  # asyncio logs a traceback for a cancelled handler
            writer.transport.abort()
        await asyncio.gather(*self._connections)
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
        """Read one request and answer it; whether the connection lives on."""
        first = await reader.readexactly(1)
        if not first.isalpha():  # a TLS handshake, for one
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return False
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request_line, *lines = head.strip().split("\r\n")
        target = request_line.split(" ")[1]
        headers = dict(line.split(": ", 1) for line in lines)
        self.requests.append(Request(target, {name.lower(): value for name, value in headers.items()}))
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            return await self._answer(self._reply(target), reader, writer)
        finally:
            self._in_flight -= 1

    def _reply(self, target: str) -> Reply:
        if script := self._scripts[target]:
            return script.popleft()
        return self._standing.get(target, Reply(status=404, body=b'{"error":["unknown path"]}'))

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
