"""Standard error of a process that must not wait for whoever reads it.

A pipe that nobody reads, a terminal stopped by Ctrl-S and a disk that hangs have one thing in common: the next line
written there may never return, and with it would stop the event loop. So a thread writes. What it has not got rid of
waits, up to a bound; lines beyond that are left out, and the log says how many once there is room again.
"""

from __future__ import annotations

import logging
import os
import select
import threading

ROOM_BYTES = 1 << 20
"""How much may wait."""
PATIENCE_S = 1.0
"""How long the end of the process waits for the last lines to be taken."""

log = logging.getLogger("ticker.service")


class Outlet:
    """A text stream whose `write` returns at once, whatever becomes of the text.

    Args:
        fd: where it goes; whoever has made that non-blocking, as some programs do with their terminal, loses nothing.
        encoding: the stream's; what it lacks becomes backslash sequences.
    """

    def __init__(self, fd: int, encoding: str) -> None:
        self._fd = fd
        self._encoding = encoding
        self._changed = threading.Condition()
        self._waiting = bytearray()
        self._left_out = 0
        self._closed = False
        self._writer = threading.Thread(target=self._work, name="outlet", daemon=True)
        self._writer.start()

    def write(self, text: str) -> int:
        """Let it be written, or count it as left out."""
        if self._left_out and len(self._waiting) <= ROOM_BYTES // 2:
            left_out, self._left_out = self._left_out, 0
            log.warning("the log was not read for some time", extra={"left_out": left_out})  # calls this again
        data = text.encode(self._encoding, "backslashreplace")
        with self._changed:
            if self._left_out or len(self._waiting) + len(data) > ROOM_BYTES:
                self._left_out += 1
            elif self._writer.is_alive():
                self._waiting += data
                self._changed.notify()
            else:
                self._put(data)
        return len(text)

    def close(self) -> None:
        """Wait for what was written to be taken, but not long; if it is not, what others write there goes nowhere."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._writer.join(PATIENCE_S)
        if self._writer.is_alive():  # the message of a fatal error must not wait, either: the status tells of it
            fd, self._fd = self._fd, os.dup(self._fd)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, fd)
            os.close(nowhere)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                data = bytes(self._waiting)
                self._waiting.clear()
            if not data:
                return
            self._put(data)

    def _put(self, data: bytes) -> None:
        try:
            while data:
                try:
                    data = data[os.write(self._fd, data) :]
                except BlockingIOError:
                    select.select([], [self._fd], [])
        except OSError:  # a full disk, or a pipe whose reader has gone: nobody can be told
            pass
