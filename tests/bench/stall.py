"""Fifty clients that stop reading, beside fifty that read, at 2,000 updates a second.

Expected: the server's memory stays flat, the readers' latency is the same as without the stalled clients, and each of
these, once it reads again, gets one catch-up frame and is exact.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, field

from tests.bench.harness import Peer, finished, load, server, started
from tests.view import View

READERS = STALLED = 50
PER_SECOND = 2000
SETTINGS = ("hub.stall_s=300", "hub.flush_interval_ms=10")
"""No client is cut off here: the point is what stalled ones cost while they are kept."""
RECEIVE_BUFFER_BYTES = 8192
NOISE_MS = 50
"""The same p99 was 1 ms or 26 ms, depending on the machine, also without them; waiting for them would take seconds."""
CATCH_UP = 100
"""A frame over this many versions, a second's worth, counts as a catch-up frame."""


@dataclass
class Report:
    """The figures: resident memory in MiB at the end of each third, readers' p99, what the stalled clients got."""

    rss_mib: list[float] = field(default_factory=list)
    alone_p99_ms: float = 0.0
    beside_p99_ms: float = 0.0
    catch_ups: list[int] = field(default_factory=list)
    exact: int = 0

    @property
    def problems(self) -> list[str]:
        """Which limits are broken; empty if none."""
        found = []
        if self.rss_mib[2] > self.rss_mib[1] * 1.05:
            found.append(f"memory grew: {self.rss_mib}")
        if self.beside_p99_ms > 2 * self.alone_p99_ms + NOISE_MS:
            found.append(f"readers were disturbed: p99 {self.alone_p99_ms} -> {self.beside_p99_ms} ms")
        if self.exact != STALLED or set(self.catch_ups) != {1}:
            found.append(f"{self.exact} of {STALLED} exact, catch-up frames each: {sorted(self.catch_ups)}")
        return found


class Stalled:
    """A client that subscribes and then reads nothing until told to."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall(
            b"GET /ws?symbols=* HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self.view = View()
        self.jumps: list[int] = []
        self._buffer = b""
        self._open = False

    def catch_up(self, version: int) -> None:
        """Read until the view is at a version or beyond."""
        while self.view.version < version:
            data = self.socket.recv(65_536)
            if not data:
                raise SystemExit("a stalled client was cut off")
            self._buffer += data
            if not self._open:
                _, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
                self._open = True
            while self.view.version < version and (payload := self._frame()) is not None:
                before = self.view.version
                if self.view.apply(payload)["type"] == "update":
                    self.jumps.append(self.view.version - before)

    def _frame(self) -> bytes | None:
        data = self._buffer
        if len(data) < 10:
            return None
        size, start = data[1] & 127, 2
        if size >= 126:
            start = 4 if size == 126 else 10
            size = int.from_bytes(data[2:start])
        if len(data) < start + size:
            return None
        self._buffer = data[start + size :]
        return data[start : start + size]


def main(seconds: float) -> list[str]:
    """Run the scenario, print what was seen, and return what is wrong."""
    report = Report()
    with server(Peer("ticker", "ours", SETTINGS), 100, PER_SECOND) as at:
        readers = ["s /ws?symbols=*"] * READERS
        with load(at.port, readers, min(10.0, seconds)) as process:
            started(process)
            report.alone_p99_ms = finished(process)["p99_ms"]
        stalled = [Stalled(at.port) for _ in range(STALLED)]
        with load(at.port, readers, seconds) as process:
            started(process)
            for _ in range(3):
                time.sleep(seconds / 3)
                report.rss_mib.append(at.rss_bytes / 2**20)
            report.beside_p99_ms = finished(process)["p99_ms"]
        for client in stalled:
            fresh = Stalled(at.port)
            fresh.catch_up(1)
            pair = (client, fresh)
            while (newest := max(one.view.version for one in pair)) != min(one.view.version for one in pair):
                for one in pair:
                    one.catch_up(newest)
            report.exact += client.view.quotes == fresh.view.quotes
            report.catch_ups.append(sum(jump >= CATCH_UP for jump in client.jumps))
            client.socket.close()
            fresh.socket.close()
    print(
        f"{STALLED} stalled beside {READERS} readers, {PER_SECOND:,} updates/s, {seconds:g} s: "
        f"RSS {' → '.join(f'{mib:.1f}' for mib in report.rss_mib)} MiB; "
        f"readers' p99 {report.alone_p99_ms:.1f} ms alone, {report.beside_p99_ms:.1f} ms beside them; "
        f"{report.exact} of {STALLED} exact after {sum(report.catch_ups)} catch-up frames"
    )
    return report.problems
