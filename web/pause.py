"""Backpressure: while a connection is paused it gets no frames, most often because the last has not arrived yet.

Such a pause ends when the rest is about to arrive, not as soon as the kernel has taken it: what the kernel and the
network hold is old when it is read, over a slow line by many seconds. So a slow reader gets one frame after another,
each as new as the line allows, and a line that moves is never mistaken for one that stalls.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import sys
from typing import Any

from ticker import hub
from ticker.session import Session
from ticker.staleness import TICK_S

_SIOCOUTQ = 0x5411
"""Linux's request code for how many bytes the peer has not acknowledged."""
_INT = struct.Struct("i")
_ACKNOWLEDGED_AT = 120
"""Where Linux's `TCP_INFO` has the number of bytes that were acknowledged, in eight bytes."""
_DELIVERED_AT = 192
"""Where Linux's `TCP_INFO` has the number of packets delivered, which counts those behind a lost one, too."""


def unsent_bytes(transport: Any) -> int:
    """What waits in the process, and on Linux also what the peer has not acknowledged."""
    waiting: int = transport.get_write_buffer_size()
    if sys.platform != "linux":
        return waiting
    try:
        answer = fcntl.ioctl(transport.get_extra_info("socket").fileno(), _SIOCOUTQ, bytes(_INT.size))
    except (AttributeError, OSError, ValueError):  # it is closed
        return waiting
    return waiting + int(_INT.unpack(answer)[0])


def acknowledged_bytes(transport: Any) -> int | None:
    """How many bytes the peer has acknowledged since the connection began; None where the system does not tell."""
    told = _tcp_info(transport, _ACKNOWLEDGED_AT, 8)
    return int.from_bytes(told, sys.byteorder) if told else None


def pending_bytes(transport: Any, written: int | None) -> int:
    """What waits in the process to be sent; over TLS, which does not tell, what has not arrived.

    `written` is the count of all bytes so far, as a connection over TLS keeps it; None for any other.
    """
    if written is None or (arrived := acknowledged_bytes(transport)) is None:
        return int(transport.get_write_buffer_size())
    return max(0, written - arrived)


def delivered(transport: Any) -> bytes:
    """A value that changes whenever a packet arrives: those behind a lost one are not acknowledged until it has."""
    return _tcp_info(transport, _DELIVERED_AT, 4)


def _tcp_info(transport: Any, at: int, size: int) -> bytes:
    """Some bytes of Linux's `TCP_INFO`; none if the connection is closed, and on other systems."""
    if sys.platform != "linux":
        return b""
    try:
        told = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, at + size)
    except (AttributeError, OSError, ValueError):
        return b""
    return bytes(told[at:])


class Making:
    """Lasts while an answer is made in slices, which no update may overtake.

    Args:
        session: makes the answer.
        before: the pause in which the connection was already.
    """

    __slots__ = ("_before", "_session")

    def __init__(self, session: Session, before: hub.Pause | None) -> None:
        self._session = session
        self._before = before

    def over(self, now: float) -> bool:
        """Whether the answer is made, and what was written before has arrived."""
        arrived = self._before is None or self._before.over(now)
        return arrived and not self._session.busy

    def stalled_s(self, now: float) -> float:
        """For how long nothing of what was written before was taken; 0 if the reader waits only for the answer."""
        return 0.0 if self._before is None else self._before.stalled_s(now)


class Pause:
    """Begins when the kernel did not take all of a write.

    Args:
        transport: the connection's.
        now: monotonic seconds.
    """

    __slots__ = ("_began_at", "_delivered", "_left", "_moved_at", "_size", "_transport")

    def __init__(self, transport: Any, now: float) -> None:
        self._transport = transport
        self._began_at = self._moved_at = now
        self._size = self._left = unsent_bytes(transport)
        self._delivered = delivered(transport)

    def over(self, now: float) -> bool:
        """Whether nothing waits in the process, and the rest will arrive within a tick at the pace so far."""
        self._look(now)
        waiting = self._transport.get_write_buffer_size()
        return not waiting and self._left * (now - self._began_at) <= (self._size - self._left) * TICK_S

    def stalled_s(self, now: float) -> float:
        """For how long nothing at all was taken, as of the last look."""
        return now - self._moved_at

    def _look(self, now: float) -> None:
        left, arrived = unsent_bytes(self._transport), delivered(self._transport)
        if (left, arrived) != (self._left, self._delivered):
            self._left, self._delivered, self._moved_at = left, arrived, now
