"""The log goes out without anybody waiting for it, whatever is at the other end."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
from collections.abc import Callable, Iterator

import pytest

from ticker import outlet
from ticker.outlet import Outlet

LINE = "x" * 999 + "\n"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe: where it is read, and where it is written."""
    reader, writer = os.pipe()
    yield reader, writer
    for end in (reader, writer):
        with contextlib.suppress(OSError):
            os.close(end)


def wait(condition: Callable[[], bool]) -> None:
    """Wait for another thread."""
    while not condition():
        threading.Event().wait(0.001)


def fill(writer: int) -> int:
    """Write to a pipe until it takes no more; returns how many bytes that were."""
    os.set_blocking(writer, False)
    filled = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            filled += os.write(writer, b"-" * 4096)
    os.set_blocking(writer, True)
    return filled


def everything(reader: int) -> str:
    """Read up to the end."""
    with open(reader, encoding="utf-8", closefd=False) as file:
        return file.read()


def test_lines_come_out_in_order_and_are_taken_before_the_end(pipe: tuple[int, int]) -> None:
    """Closing waits for them; what the encoding lacks is escaped; what is written after that comes out, too."""
    reader, writer = pipe
    out = Outlet(writer, "ascii")
    for number in range(100):
        out.write(f"{number} é\n")
    out.close()
    out.write("late\n")
    os.close(writer)
    assert everything(reader) == "".join(f"{number} \\xe9\n" for number in range(100)) + "late\n"


def test_lines_wait_for_a_reader_that_hangs(pipe: tuple[int, int]) -> None:
    """With a full pipe writing and closing return, and the lines come once somebody reads.

    After that nobody else waits there. Seen: a gateway that was refused by its upstream stayed, as its message waited.
    """
    reader, writer = pipe
    filled = fill(writer)
    out = Outlet(writer, "utf-8")
    for _ in range(100):
        out.write(LINE)
    out.close()
    assert select.select([], [writer], [], 0)[1] == [writer]
    came = b""
    while len(came) < filled + 100 * len(LINE):
        came += os.read(reader, 4096)
    assert came == b"-" * filled + 100 * LINE.encode()


def test_what_exceeds_the_room_is_left_out_and_counted(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Memory is bounded; when lines are taken again the log says how many are missing."""
    reader, writer = pipe
    monkeypatch.setattr(outlet, "ROOM_BYTES", 10 * len(LINE))
    filled = fill(writer)
    out = Outlet(writer, "utf-8")
    out.write("first\n")
    wait(lambda: not out._waiting)  # it is being written
    for _ in range(15):
        out.write(LINE)
    assert len(out._waiting) == 10 * len(LINE)
    os.read(reader, filled)
    wait(lambda: not out._waiting)
    with caplog.at_level(logging.WARNING):
        out.write("last\n")
        out.write("very last\n")
    assert [getattr(record, "left_out", None) for record in caplog.records] == [5]
    out.close()
    os.close(writer)
    assert everything(reader) == "first\n" + 10 * LINE + "last\nvery last\n"


def test_a_pipe_that_others_made_non_blocking_loses_nothing(pipe: tuple[int, int]) -> None:
    """Programs that share a terminal with us may have done that, as Node does: all lines come, however slowly read."""
    reader, writer = pipe
    os.set_blocking(writer, False)
    out = Outlet(writer, "utf-8")
    for _ in range(500):
        out.write(LINE)
    got = 0
    while got < 500 * len(LINE):
        select.select([reader], [], [])
        got += len(os.read(reader, 4096))
    out.close()


def test_a_reader_that_has_gone_is_no_error(pipe: tuple[int, int]) -> None:
    """`ticker 2>&1 | head -1` ends its pipe: the lines after that are lost, and nothing else."""
    reader, writer = pipe
    os.close(reader)
    out = Outlet(writer, "utf-8")
    out.write(LINE)
    out.close()
    out.write(LINE)
