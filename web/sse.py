"""`/api/stream`: the stream as server-sent events, for whoever has no WebSocket.

A response is a reader of the hub like any WebSocket: it stands in the same groups, takes a frame whole or refuses it,
and has no queue. An event is one chunk of the response, made once of the frame that a WebSocket gets, and shared; its
`id` is the cursor, so that a browser resumes by itself. The endpoint returns at once; no task waits for the end.
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
from web.answers import CURSOR_HELP, Fields, Symbols, admit_patterns, as_problem, check_quota, selection_of, unknown_of
from web.auth import Auth
from web.descriptions import described_text, problems
from web.pause import Pause
from web.problem import Problem
from web.server import EXCHANGE, BoundedHttp, Exchange
from web.transport import CLOSE_PATIENCE_S

HEADERS = {
    "Cache-Control": "no-store",
    "Connection": "close",
    "X-Accel-Buffering": "no",  # nginx would keep events until it has some kilobytes
}
EXAMPLE = (
    "event: update\nid: 1795386000123:4712:9f3a61c27b04d5e8\n"
    'data: {"type":"update","since":4711,"version":4712,"time":1795386012401,'
    '"quotes":{"BTC-USD":{"last":97412.40}}}\n\n'
)
RETRY_MS = (500, 1500)
"""The window within which a browser comes back after a cut; after a `bye` it is the one that this names."""
LAST_CHUNK = b"0\r\n\r\n"
LEFT, CUT = 1001, 1006
"""How a stream that its reader ended is counted: closed, or reset."""


def event(frame: Frame, epoch: int, digest: str) -> bytes:
    """The frame as an event, in the form of one chunk (RFC 9112, section 7.1); made once for a selection."""
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
                response_class=Response, responses=described_text("Events without end.", "text/event-stream", EXAMPLE)
                | problems(400, 403, 503))  # fmt: skip
    async def stream(
        request: Request,
        symbols: Symbols = ("*",),
        fields: Fields = (),
        interval_ms: Annotated[int, Query(ge=0, description="Least time between two events, rounded up.")] = 0,
        cursor: Annotated[str | None, Query(description=CURSOR_HELP)] = None,
        last_event_id: Annotated[str | None, Header(description="A cursor, too; it wins.")] = None,
    ) -> Response:
        """Each event has the type and the JSON of a frame of `/ws`, and with data a cursor as its `id`.

        `subscribed` comes first, and names in `unknown` which of the symbols do not exist. `snapshot` replaces what you
        have, `update` is merged into it, `heartbeat` says that nothing has changed, `bye` why the service ends the
        stream. A browser's `EventSource` comes back by itself and goes on where it was.
        """
        selection = selection_of(symbols, fields, service)
        if not selection.patterns:
            raise Problem(400, "bad_request", "'symbols' is empty; give at least one symbol or pattern")
        address = admission.address(request)
        await admit_patterns(service, address, selection)
        asked = last_event_id or cursor
        with as_problem():
            whole = await hub.turns.complete(hub.groups.whole(address, selection, None, asked))
        refused = admission.refusal(request)
        if hub.draining and refused is not None and refused.status_code == 503:
            return _farewell()
        if refused is not None:
            return refused
        exchange = request.scope.get("extensions", {}).get(EXCHANGE)
        if not isinstance(exchange, Exchange):
            raise Problem(503, "internal", "this server cannot stream prices; start the service by 'python -m ticker'")
        http, cycle = exchange.http(), exchange.cycle()
        assert http is not None
        assert cycle is not None, "the task that runs this has it, and it has the connection"
        if cycle.scope["method"] == "HEAD":
            head = Response(None, 200, HEADERS, "text/event-stream")
            del head.headers["content-length"]
            return head
        interval = interval_class(interval_ms)
        matched = check_quota(service, address, selection, interval, asked, made=whole is not None)
        unknown = unknown_of(service, address, selection) if service.loaded() else []  # here it is said once
        events = EventStream(http, cycle, hub, address, patience_s)

        def told(resumed: bool) -> Frame:
            return protocol.subscribed(
                None, selection, matched, interval, resumed=resumed, unknown=unknown, rejected=[]
            )

        def welcome() -> None:
            auth.watch(events, auth.shown(request))
            events.begin(selection, interval, asked, whole, told)

        return Events(welcome, events.number)

    return router


class EventStream:
    """A connection whose response is events; see `ticker.hub.Connection`.

    Attributes:
        open: false from the moment that nothing more may be written.
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
            cycle.chunked_encoding = False  # uvicorn would chunk for a client that does not know of it
        self._digest = ""
        self._patience_ms = int(patience_s * 1000)
        self._code = CUT
        self._abort_timer: asyncio.TimerHandle | None = None

    def begin(
        self,
        selection: Selection,
        interval_ms: int,
        asked: str | None,
        whole: Frame | None,
        told: Callable[[bool], Frame],
    ) -> None:
        """The head of the response is out: enter, and write the first events.

        `told` makes `subscribed`, of whether the reader resumes.
        """
        self._http.attach(self, self._cycle)
        if self._http.transport.is_closing():
            return
        self.open = True
        self._digest = selection.digest
        with contextlib.suppress(AttributeError, OSError):  # Linux alone; no ping tells that a peer is dead
            sock = self._http.transport.get_extra_info("socket")
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self._patience_ms)
        self._hub.add(self)
        first = self._hub.groups.join(self, selection, interval_ms, asked, whole)
        subscribed = told(bool(asked) and first.kind == "update")
        for frame in (subscribed, first):
            self._hub.groups.counts.sent(frame)
        self._write(self._form(_retry(RETRY_MS)) + self._event(subscribed), self._event(first))
        if self._http.flow.write_paused:  # since the head already, which nobody says again
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
        try:
            self._http.transport.writelines(data)  # no copy: a snapshot may be megabytes, and shared
        except Exception:  # noqa: BLE001 - uvloop raises whatever the socket met; it is this connection's end
            self.open = False
            self._http.loop.call_soon(self.abort)
            return False
        return True

    def pause(self) -> None:
        """The kernel is full; called by the transport, possibly inside `write`: only flags change."""
        if self.open and not self.paused:
            self._hub.pause(self, Pause(self._http.transport, self._hub.now()))

    def resume(self) -> None:
        """The kernel has taken everything: writes nothing, only says so."""
        self._hub.taken(self)

    @property
    def pending_bytes(self) -> int:
        """What waits in the process to be sent."""
        return self._http.transport.get_write_buffer_size()

    # Ending

    def say_bye(self, frame: Frame, code: int, reason: str) -> None:  # noqa: ARG002 - the frame has it
        """Write a last event, for who takes nothing now behind what waits, and end the response.

        The hub keeps it until its end, because a drain waits for that.
        """
        if not self.open:
            return
        self.open, self._code = False, code
        self._hub.groups.counts.sent(frame)
        self._write(self._form(_retry(GOODBYE_RETRY_MS)) + self._event(frame) + self._form(LAST_CHUNK))
        self._http.transport.close()

    def end(self, code: int, reason: str) -> None:
        """Leave the hub, say why as the last event, and end the response; whoever does not take that is dropped."""
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
    """The head of the response of a stream; the rest writes itself."""

    def __init__(self, welcome: Callable[[], None], number: int) -> None:
        super().__init__(None, 200, HEADERS | {CONNECTION_ID: str(number)}, "text/event-stream")
        del self.headers["content-length"]  # nobody knows it
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
    """To who comes while the service stops: a `bye`, since a browser's EventSource gives up for ever after a 503."""
    frame = protocol.bye("shutdown", GOODBYE_RETRY_MS)
    body = b"retry: %d\nevent: bye\ndata: %b\n\n" % (random.randint(*GOODBYE_RETRY_MS), frame.data)
    return Response(body, 200, HEADERS, "text/event-stream")
