"""The transport: uvicorn's WebSocket protocol, extended to share frames.

After the handshake a connection is *detached*: there is no ASGI task, only the socket, and from then on

* text goes straight to a `Session`, without a queue or a task;
* `write` is the only thing that touches the transport. It takes a frame whole or refuses it, and never raises;
  the bytes of a frame are made once and shared by all connections, compressed ones too;
* at most one frame waits in the process: the write buffer's limit is zero, so a pause begins when the kernel did not
  take all of the last one. Until it has, and while an answer is made in slices, nothing is read either;
* a reader that takes no byte for too long is closed with 4008 and then aborted; one that answers no ping, with 4009.

This file and `handshake` rely on undocumented attributes of uvicorn's sans-I/O protocol; `tests/web/test_transport.py`
is their contract test and fails loudly when they change. `connection` and `sse` rely on those of its HTTP protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator
from typing import Any

from websockets.frames import Close, Opcode
from websockets.frames import Frame as WireFrame
from websockets.protocol import State

from ticker import protocol
from ticker.bucket import TokenBucket
from ticker.hub import Hub
from ticker.protocol import Frame
from ticker.readers import Group
from ticker.session import Session
from web.handshake import Handshake
from web.pause import Making, Pause, acknowledged_bytes, pending_bytes
from web.wire import headed, pack, packed, shares, wire

MAX_FRAGMENTS = 64
FRAME_BURST = 1000
PART_BYTES = 4096
"""How many frames a client may send at once, and how much of what was read is parsed before they are counted: 32 reads
in one turn of the loop may bring a million empty pings, and the parser takes some 5 µs for each. For each
sixteenth of the longest message that is allowed, what a frame inflates to counts as a further frame."""
CLOSE_PATIENCE_S = 2.0
"""How long a closing connection may take before it is aborted."""


class SharedFrames(Handshake):
    """uvicorn's WebSocket connection, which may be detached and handed to the hub.

    Attributes:
        open: whether anything may still be written.
        paused: while what was written has not arrived, or an answer is made; see `web.pause`.
        address, group, since: see `ticker.readers.Reader`.
        number: see `ticker.hub.Connection`; set, like the address, before the connection is detached.
        unpacks: whether it takes frames that were compressed once for all.
        answers, pinged_at: whether it has answered the last ping, and when that was; see `web.pings`.
    """

    via = "ws"
    group: Group | None = None
    since = 0
    open = False
    paused = False
    unpacks = False
    answers = True
    pinged_at = 0.0
    address = ""
    number = 0
    frames_per_s = 1280
    """How many frames of any kind a client may send per second; messages have a limit of their own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._hub: Hub | None = None
        self._session: Session | None = None
        self._unread: deque[WireFrame] = deque()
        self._fragments: list[bytes] = []
        self._pace: TokenBucket | None = None
        self._full = False  # the kernel has not taken all of the last write
        self._written: int | None = None  # bytes in all, those of the handshake included; counted over TLS alone
        self._close_code = 1006
        self._abort_timer: asyncio.TimerHandle | None = None

    @property
    def deaf(self) -> bool:
        """Whether no pong can be expected: the ping would wait behind a frame, or nothing is read now."""
        return self.paused or (self._session is not None and self._session.busy)

    # Detaching

    def detach(self, hub: Hub, session: Session, first: list[Frame], head: bytes) -> None:
        """Hand the connection over to the hub, and write `head`, which answers the handshake, and the first frames."""
        self._hub, self._session = hub, session
        self._pace = TokenBucket(self.frames_per_s, FRAME_BURST, hub.now())
        self.open = True
        if self.scheme == "wss":
            self._written = acknowledged_bytes(self.transport)
        self.unpacks = any(map(shares, self.conn.extensions))
        self.queue = _NO_QUEUE
        hub.add(self)
        self._reply(first, head)
        self._go_on()

    # Writing

    def write(self, frame: Frame) -> bool:
        """Take a frame whole, or refuse it; see `ticker.readers.Reader`."""
        return not self.paused and self.open and self._write(self._bytes(frame))

    def _bytes(self, frame: Frame) -> bytes:
        if frame.pays and self.unpacks:
            return frame.packed or packed(frame)
        return frame.wire or wire(frame)

    def _write(self, data: bytes | list[bytes]) -> bool:
        try:
            if self._written is not None:
                self._written += len(data) if isinstance(data, bytes) else sum(map(len, data))
            if isinstance(data, bytes):
                self.transport.write(data)
            else:
                self.transport.writelines(data)  # no copy: a snapshot may be megabytes, and shared
        except Exception:  # noqa: BLE001 - uvloop raises whatever the socket met; it is this connection's end
            self.open = False
            self.loop.call_soon(self.abort)
            return False
        return True

    def ping(self) -> None:
        """Send a ping; the pong sets `answers`."""
        self._write(_PING)

    def _reply(self, frames: list[Frame], head: bytes = b"") -> None:
        if (frames or head) and self.open:
            self._write([head, *map(self._bytes, frames)])

    def pause_writing(self) -> None:
        """Called by the transport, possibly inside `write`, so only flags change."""
        super().pause_writing()
        if self._hub is not None:
            self._full = True
            self.transport.pause_reading()
            if self.open:  # else these are the last bytes, and the hub has forgotten us
                pause, session = Pause(self.transport, self._hub.now()), self._session
                self._hub.pause(self, Making(session, pause) if session is not None and session.busy else pause)

    def resume_writing(self) -> None:
        """Called by the transport when the kernel has taken everything."""
        super().resume_writing()
        if self._hub is not None:
            self._full = False
            self._hub.taken(self)
            self._listen()

    @property
    def pending_bytes(self) -> int:
        """How much waits in the process to be sent."""
        return pending_bytes(self.transport, self._written)

    # Reading

    def data_received(self, data: bytes) -> None:
        if not self.handshake_complete:
            super().data_received(data)
            return
        for at in range(0, len(data), PART_BYTES):
            self.conn.receive_data(data[at : at + PART_BYTES])
            if self.conn.parser_exc is not None:
                self.handle_parser_exception()
                return
            if self._session is None or not self._take(self.conn.events_received()):
                return

    def _take(self, events: list[Any]) -> bool:
        """Handle what was received, or let it wait; False if nothing more must be read."""
        assert self._hub is not None
        assert self._pace is not None
        frames = [event for event in events if isinstance(event, WireFrame)]
        unit = self.config.ws_max_size // 16  # ninety bytes may hold 64 KiB
        cost = len(frames) + sum(len(frame.data) for frame in frames) // unit
        if frames and not self._pace.take(self._hub.now(), cost):
            self.end(protocol.TOO_MANY_MESSAGES, "too many messages")
            self.transport.pause_reading()
            return False
        if self.open:
            self._unread.extend(frames)
            self._handle_unread()
            return True
        self.conn.data_to_send()  # pongs, which may not follow our close
        if self.conn.close_rcvd is not None:
            self.transport.close()
        return self.conn.close_rcvd is None

    def _handle_unread(self) -> None:
        """Handle what was received, until the connection ends or cannot take more answers now."""
        assert self._session is not None
        while self._unread and self.open and not self._full and not self._session.busy:
            event = self._unread.popleft()
            if event.opcode is Opcode.PING:
                self._write(self._pongs())
            elif event.opcode is Opcode.PONG:
                self.answers = True
            elif event.opcode is Opcode.CLOSE:
                self.handle_close(event)
            elif event.opcode is Opcode.BINARY:
                self.end(protocol.BINARY_FRAME, "send text frames, not binary ones")
            else:
                self._fragments.append(bytes(event.data))
                if event.fin:
                    message, self._fragments = b"".join(self._fragments), []
                    self._receive(message)
                elif len(self._fragments) >= MAX_FRAGMENTS:
                    self.end(protocol.TOO_LARGE, f"more than {MAX_FRAGMENTS} fragments in a message")

    def _pongs(self) -> bytes:
        """All pongs that are due; the answer to a close, and the end of the stream after it, wait for their turn."""
        writes = self.conn.data_to_send()
        if self.conn.close_rcvd is not None:
            writes, self.conn.writes = writes[:-2], writes[-2:]
        return b"".join(writes)

    def _receive(self, message: bytes) -> None:
        assert self._session is not None
        self._reply(self._session.receive(message))
        self._go_on()
        if self._session.closing is not None:
            self.end(*self._session.closing)

    def _listen(self) -> None:
        """Handle what has waited, and read on, unless writing is paused or an answer is still being made."""
        if self.open:
            self._handle_unread()
        if self.open and not self._full and self._session is not None and not self._session.busy:
            self.transport.resume_reading()

    def _go_on(self) -> None:
        """Go on with an answer that is made in slices; further messages, and other frames, wait until it is sent."""
        session, hub = self._session, self._hub
        if session is not None and session.busy and hub is not None and self.open:
            self.transport.pause_reading()
            before = hub.paused.get(self)
            if self.group is not None and not isinstance(before, Making):
                hub.pause(self, Making(session, before))
            hub.turns.spread(self._slices(session))

    def _slices(self, session: Session) -> Iterator[None]:
        try:
            while self.open and session.busy:
                yield
                if self.open and (coming := session.coming) and coming.pays and self.unpacks and not coming.packed:
                    pack(coming)
                elif self.open:
                    self._reply(session.step())
                if self.open and session.closing is not None:
                    self.end(*session.closing)
            if not self.open:
                session.give_up()
            assert self._hub is not None
            self._hub.taken(self)
            self._listen()
        except Exception:  # a bug must end this connection only
            self.logger.exception("error in a WebSocket connection", extra={"connection": self.number})
            self.abort()
            session.give_up()

    # Ending

    def _leave(self, code: int) -> None:
        """Let nothing more be written, and at the same moment take the reader out of its group."""
        self.open = False
        if self._hub is not None:
            self._hub.remove(self, code)

    def end(self, code: int, reason: str) -> None:
        """Leave the hub and start the closing handshake."""
        if self.open:
            self._leave(code)
            self._hang_up(code, reason)

    def _hang_up(self, code: int, reason: str, last: bytes = b"") -> None:
        """Start the closing handshake, after some last bytes, and abort if it takes too long."""
        if self.conn.state is State.OPEN:
            self.conn.send_close(code, reason)
        self.close_sent = True
        with contextlib.suppress(Exception):
            self.transport.write(last + b"".join(self.conn.data_to_send()))
        if self.conn.close_rcvd is None:
            self.transport.resume_reading()
        else:  # its close has come already
            self.transport.close()
        self._abort_later()

    def _abort_later(self) -> None:
        if self._abort_timer is None:
            self._abort_timer = self.loop.call_later(CLOSE_PATIENCE_S, self.abort)

    def say_bye(self, frame: Frame, code: int, reason: str) -> None:
        """Write a last frame, even while paused, and start the closing handshake.

        The hub keeps the connection until that is lost, because a drain waits for it.
        """
        if not self.open or self._hub is None:
            return
        self.open, self._close_code = False, code
        self._hub.groups.counts.sent(frame)
        self._hang_up(code, reason, wire(frame))

    def abort(self) -> None:
        """Drop the connection at once."""
        self._leave(self._close_code)
        self.transport.abort()

    def handle_close(self, event: WireFrame) -> None:
        """The peer closes."""
        self._leave(min(Close.parse(bytes(event.data)).code, 3000))  # all private codes are counted as one
        self._write(b"".join(self.conn.data_to_send()))
        self.transport.close()
        self._abort_later()

    def handle_parser_exception(self) -> None:
        """The peer broke the protocol; the parser has already chosen the close code."""
        close = self.conn.close_rcvd
        if close is not None and self.conn.close_rcvd_then_sent:
            # It takes a close within a message for a fault; a control frame may stand there (RFC 6455, section 5.4).
            payload = close.serialize() if close.code != 1005 else b""
            self.conn.writes[-2] = headed(0x88, payload)
            self.handle_close(WireFrame(Opcode.CLOSE, payload))
            return
        code = self.conn.close_sent.code if self.conn.close_sent is not None else 1002
        self._leave(code)
        super().handle_parser_exception()
        self._abort_later()

    def shutdown(self) -> None:
        """The server stops, and this connection was not drained."""
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave(self._close_code)
        if self._abort_timer is not None:
            self._abort_timer.cancel()
        super().connection_lost(exc)
        self._unread.clear()
        self._session = None


class _NoQueue(asyncio.Queue[Any]):
    """The queue of detached connections, which nobody reads."""

    def put_nowait(self, item: Any) -> None:
        """Discard it."""


_NO_QUEUE = _NoQueue()
_PING = headed(0x89, b"tick")
