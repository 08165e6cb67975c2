"""How far a replay is, on the last line of a terminal and nowhere else."""

from __future__ import annotations

import gzip
import io
import os
import pty
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from feeds.base import Context
from feeds.replay.options import ReplayOptions
from feeds.replay.ticks import Replay
from tests.conftest import ROOT
from ticker.clock import Clock
from ticker.model import FeedStatus
from ticker.progress import StatusLine

HEAD = "ts,symbol,last,id\n"


def rows(count: int) -> str:
    """Rows that stay long when they are compressed, which is read in large pieces."""
    noise = random.Random(1)
    return "".join(f"{1_431_302_400_000 + 1000 * i},EURUSD,1.{i:06},{noise.getrandbits(64):x}\n" for i in range(count))


def test_log_lines_appear_above_the_progress_line() -> None:
    """A log line takes its place, and it is drawn again below; an empty one leaves nothing."""
    terminal = io.StringIO()
    line = StatusLine(terminal)
    line.write("one\n")
    line.show("a 10%")
    line.write("two\n")
    line.show("a 10%")
    line.show("")
    line.write("three\n")
    assert terminal.getvalue() == "one\n\r\x1b[Ka 10%\r\x1b[Ktwo\na 10%\r\x1b[Kthree\n"


@pytest.mark.parametrize("name", ["quotes.csv", "quotes.csv.gz"])
def test_a_replay_reports_its_progress_through_the_file(tmp_path: Path, name: str) -> None:
    """Its share of the file on disk grows from line to line; there is none before the start and after the end."""
    path, text = tmp_path / name, (HEAD + rows(50_000)).encode()
    path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    replay = Replay("replay", ReplayOptions(symbols=str(path)), Context(Clock(), random.Random(1)))
    seen = [replay.progress]
    for number, _ in enumerate(replay._quotes(FeedStatus("replay", "exchange"))):
        if number in {0, 25_000, 45_000}:
            seen.append(replay.progress)
    seen.append(replay.progress)
    assert (seen[0], seen[-1]) == (None, None)
    first, middle, late = (share or 0.0 for share in seen[1:-1])
    assert 0 < first < middle < late <= 1


def test_a_terminal_shows_the_progress_below_the_log(tmp_path: Path) -> None:
    """It is gone when the service has ended."""
    file = tmp_path / "quotes.csv"
    file.write_text(HEAD + rows(1000))
    control, terminal = pty.openpty()
    command = [sys.executable, "-m", "ticker", "--port", "0", "--feed", f"replay:{file}"]
    with subprocess.Popen(command, cwd=ROOT, stdin=terminal, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        seen = ""
        while not re.search(r"replay \d+%", seen):
            seen += os.read(control, 4096).decode()
        process.terminate()
        try:
            while more := os.read(control, 4096):
                seen += more.decode()
        except OSError:  # what reading a terminal that nobody has says
            pass
    os.close(control)
    assert seen.endswith("\r\x1b[K")
    assert process.returncode == 0
