"""`/api/stream`: the stream as server-sent events, for clients without WebSockets.

A response is a reader of the hub like any WebSocket: it is in the same groups, takes a frame whole or refuses it, and
has no queue. An event is one chunk of the response, made once from the frame that WebSockets get, and shared; its `id`
is the cursor, so that a browser resumes by itself. The endpoint returns at once; no task waits for the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from ticker import protocol
from ticker.hub import GOODBYE_RETRY_MS, Hub
from ticker.messages import interval_class
from ticker.protocol import Cursor, Frame
from ticker.readers import Group
from ticker.selection import Selection
from ticker.service import Service
from web.admission import CONNECTION_ID, Admission
from web.answers import unknown_of
from web.auth import Auth
from web.charges import admit_patterns, as_problem
from web.connection import EXCHANGE, BoundedHttp, Exchange
from web.descriptions import described_text, problems
from web.parameters import CURSOR_HELP, Fields, Symbols, selection_of
from web.pause import Pause, acknowledged_bytes, pending_bytes
from web.problem import OTHER_SERVER, Problem
from web.transport import CLOSE_PATIENCE_S

HEADERS = {
    "Cache-Control": "no-store, no-transform",  # a proxy that compresses may keep events until it has many
    "Connection": "close",
    "X-Accel-Buffering": "no",  # else nginx would hold events back until it has some kilobytes
}
EXAMPLE = (
    "event: update\nid: 1795386000123:4712:9f3a61c27b04d5e8\n"
    'data: {"type":"update","since":4711,"version":4712,"time":1795386012401,'
    '"quotes":{"BTC-USD":{"last":97412.40}}}\n\n'
)
RETRY_MS = (500, 1500)
"""The window within which a browser reconnects after a cut; after a `bye` it is `GOODBYE_RETRY_MS`."""
LAST_CHUNK = b"0\r\n\r\n"
LEFT, CUT = 1001, 1006
"""The close codes under which streams that the client has ended are counted: closed, or reset."""


def event(frame: Frame, epoch: int, digest: str) -> bytes:
    """The frame as an event, framed as one HTTP chunk (RFC 9112, section 7.1); made once per selection."""
    if frame.event is None or frame.event[0] != digest:
        cursor = f"id: {Cursor(epoch, frame.version, digest)}\n" if frame.version else ""
        head = b"event: %b\n%bdata: " % (frame.kind.encode(), cursor.encode())
        size = len(head) + len(frame.data) + 2
        frame.event = (digest, b"%x\r\n%b%b\n\n\r\n" % (size, head, frame.data))
    return frame.event[1]


def make_router(service: Service, admission: Admission, auth: Auth) -> APIRouter:
    """The path for one service."""
    router = APIRouter()
    hub, ping = service.hub, service.settings.hub
    patience_s = ping.ping_interval_s + ping.ping_timeout_s

    @router.get("/api/stream", summary="The stream, as server-sent events", tags=["prices"],
                response_class=Response, responses=described_text("Endless events.", "text/event-stream", EXAMPLE)
                | problems(400, 403, 503))  # fmt: skip
    async def stream(
        request: Request,
        symbols: Symbols = ("*",),
        fields: Fields = (),
        interval_ms: Annotated[int, Query(ge=0, description="Least ms between events, up to 60,000; rounded up.")] = 0,
        cursor: Annotated[str | None, Query(description=CURSOR_HELP)] = None,
        last_event_id: Annotated[str | None, Header(description="A cursor, too; wins over `cursor`.")] = None,
    ) -> Response:
        """Each event has the type and the JSON of a frame of `/ws`; those with data have a cursor as their `id`.

        `subscribed` comes first; its `unknown` lists the requested symbols that do not exist. A `snapshot` replaces
        what you have, an `update` is merged into it, a `heartbeat` says that nothing has changed, a `bye` why the
        service ends the stream. A browser's `EventSource` reconnects by itself and resumes where it was.
        """
        selection = selection_of(symbols, fields, service)
        if not selection.patterns:
            raise Problem(400, "bad_request", "'symbols' is empty; give at least one symbol or pattern")
        address = admission.address(request)
        await admit_patterns(service, address, selection)
        resume_from = last_event_id or cursor
        with as_problem():
            whole = await hub.turns.complete(hub.groups.whole(address, selection, None, resume_from))
        refused = admission.refusal(request)
        if hub.draining and refused is not None and refused.status_code == 503:
            return _farewell()
        if refused is not None:
            return refused
        exchange = request.scope.get("extensions", {}).get(EXCHANGE)
        if not isinstance(exchange, Exchange):
            raise Problem(503, "internal", OTHER_SERVER)
        http, cycle = exchange.http(), exchange.cycle()
        assert http is not None
        assert cycle is not None, "this task holds it, and it holds the connection"
        if cycle.scope["method"] == "HEAD":
            head = Response(None, 200, HEADERS, "text/event-stream")
            del head.headers["content-length"]
            return head
        interval = interval_class(interval_ms)
        with as_problem():
            matched = hub.groups.admit(address, selection, interval, resume_from, made=whole is not None)
        unknown = unknown_of(service, address, selection) if service.loaded() else []  # it is sent only once
        events = EventStream(http, cycle, hub, address, patience_s)

        def subscribed(resumed: bool) -> Frame:
            return protocol.subscribed(
                None, selection, matched, interval, resumed=resumed, unknown=unknown, rejected=[]
            )

        def welcome() -> None:
            auth.watch(events, auth.presented(request))
            events.begin(selection, interval, resume_from, whole, subscribed)

        return Events(welcome, events.number)

    return router


class EventStream:
    """A connection whose response is events; see `ticker.hub.Connection`.

    Attributes:
        open: whether anything may still be written.
        paused: while what was written has not arrived; see `web.pause`.
        group, since: see `ticker.readers.Reader`.
        number: see `ticker.hub.Connection`.
    """

    via = "sse"
    group: Group | None = None
    since = 0

    def __init__(
        self, http: BoundedHttp, cycle: RequestResponseCycle, hub: Hub, address: str, patience_s: float
    ) -> None:
        self.open = False
        self.paused = False
        self.address = address
        self.number = hub.journal.number()
        self._http = http
        self._cycle = cycle
        self._hub = hub
        self._chunked = cycle.scope["http_version"] != "1.0"
        if not self._chunked:
            cycle.chunked_encoding = False  # else uvicorn would chunk, which HTTP/1.0 does not know
        self._digest = ""
        self._patience_ms = int(patience_s * 1000)
        self._code = CUT
        # Bytes in all, those of earlier answers included; counted over TLS alone.
        self._written = acknowledged_bytes(http.transport) if http.scheme == "https" else None
        self._abort_timer: asyncio.TimerHandle | None = None

    def begin(
        self,
        selection: Selection,
        interval_ms: int,
        resume_from: str | None,
        whole: Frame | None,
        subscribed: Callable[[bool], Frame],
    ) -> None:
        """The head of the response is written: join the hub, and write the first events.

        `subscribed` makes the first of them; its argument says whether the reader has resumed.
        """
        self._http.attach(self, self._cycle)
        if self._http.transport.is_closing():
            return
        self.open = True
        self._digest = selection.digest
        with contextlib.suppress(AttributeError, OSError):  # Linux only; there are no pings to detect a dead peer
            sock = self._http.transport.get_extra_info("socket")
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self._patience_ms)
        self._hub.add(self)
        first = self._hub.groups.join(self, selection, interval_ms, resume_from, whole)
        reply = subscribed(bool(resume_from) and first.kind == "update")
        for frame in (reply, first):
            self._hub.groups.counts.sent(frame)
        self._write(self._form(_retry(RETRY_MS)) + self._event(reply), self._event(first))
        if self._http.flow.write_paused:  # already by the head, before `attach`: it is not called again
            self.pause()

    # Writing

    def write(self, frame: Frame) -> bool:
        """Take a frame whole, or refuse it; see `ticker.readers.Reader`."""
        if self.paused or not self.open:
            return False
        return self._write(self._event(frame))

    def _event(self, frame: Frame) -> bytes:
        return self._form(event(frame, self._hub.store.epoch, self._digest))

    def _form(self, chunk: bytes) -> bytes:
        return chunk if self._chunked else chunk[chunk.index(b"\r\n") + 2 : -2]

    def _write(self, *data: bytes) -> bool:
        if self._written is not None:
            self._written += sum(map(len, data))
        try:
            self._http.transport.writelines(data)  # no copy: a snapshot may be megabytes, and shared
        except Exception:  # noqa: BLE001 - uvloop raises whatever the socket met; it is this connection's end
            self.open = False
            self._http.loop.call_soon(self.abort)
            return False
        return True

    def pause(self) -> None:
        """The kernel takes no more; called by the transport, possibly inside `write`, so only flags change."""
        if self.open and not self.paused:
            self._hub.pause(self, Pause(self._http.transport, self._hub.now()))

    def resume(self) -> None:
        """The kernel has taken everything: tell the hub, and write nothing."""
        self._hub.taken(self)

    @property
    def pending_bytes(self) -> int:
        """How much waits in the process to be sent."""
        return pending_bytes(self._http.transport, self._written)

    # Ending

    def say_bye(self, frame: Frame, code: int, reason: str) -> None:  # noqa: ARG002 - the frame has it
        """Write a last event, even while paused, and end the response.

        The hub keeps the connection until that is lost, because a drain waits for it.
        """
        if not self.open:
            return
        self.open, self._code = False, code
        self._hub.groups.counts.sent(frame)
        self._write(self._form(_retry(GOODBYE_RETRY_MS)) + self._event(frame) + self._form(LAST_CHUNK))
        self._http.transport.close()

    def end(self, code: int, reason: str) -> None:
        """Leave the hub, say why in a last event, and end the response; drop the connection if that takes too long."""
        if self.open:
            again = code != protocol.UNAUTHORIZED
            self.say_bye(protocol.bye(reason, GOODBYE_RETRY_MS, reconnect=again), code, reason)
            self._leave(code)
            self._abort_timer = self._http.loop.call_later(CLOSE_PATIENCE_S, self.abort)

    def abort(self) -> None:
        """Drop the connection at once."""
        self._leave(self._code)
        self._http.transport.abort()

    def lost(self, error: Exception | None) -> None:
        """The connection is over."""
        self._leave(LEFT if error is None and self._code == CUT else self._code)
        if self._abort_timer is not None:
            self._abort_timer.cancel()

    def _leave(self, code: int) -> None:
        self.open = False
        self._hub.remove(self, code)


class Events(Response):
    """The head of a stream's response; `EventStream` writes the rest."""

    def __init__(self, welcome: Callable[[], None], number: int) -> None:
        super().__init__(None, 200, HEADERS | {CONNECTION_ID: str(number)}, "text/event-stream")
        del self.headers["content-length"]  # unknown
        self._welcome = welcome

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Write the head and let the stream begin."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        self._welcome()


def _retry(window_ms: tuple[int, int]) -> bytes:
    return _chunk(b"retry: %d\n" % random.randint(*window_ms))


def _chunk(text: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(text), text)


def _farewell() -> Response:
    """The answer while the service stops: a `bye`, since a browser's EventSource gives up for good after a 503."""
    frame = protocol.bye("shutdown", GOODBYE_RETRY_MS)
    body = b"retry: %d\nevent: bye\ndata: %b\n\n" % (random.randint(*GOODBYE_RETRY_MS), frame.data)
    return Response(body, 200, HEADERS, "text/event-stream")
