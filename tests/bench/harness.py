"""What all scenarios measure with: server and load in separate processes, pinned to different cores.

CPU time is the kernel's figure, in nanoseconds, for all threads of the server. The load generator is a C program,
compiled when it is first needed; it reports its own CPU use.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WORK = Path(tempfile.gettempdir()) / "ticker-bench"
"""Where the compiled load generator and Node's packages are."""
CORES = sorted(os.sched_getaffinity(0))
WARM_UP_S = 1.5

Load = dict[str, Any]
"""What the load generator reports; see `load.c`."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A server to measure: what to start and, if it is ours, with which settings."""

    name: str
    module: str
    settings: tuple[str, ...] = ()

    @property
    def is_ours(self) -> bool:
        return self.module == "ours"

    @property
    def greeting(self) -> str:
        """What to add to a query to get a first message; ours sends one anyway."""
        return "" if self.is_ours else "&greet"

    def command(self) -> list[str] | None:
        """The program and its first argument; None if it is not installed."""
        script = HERE / "servers" / self.module
        modules = WORK / "node_modules"
        if script.suffix != ".mjs":
            return [sys.executable, "-m", f"tests.bench.servers.{self.module}"]
        if self.module == "bun.mjs":
            bun = shutil.which("bun") or shutil.which("bun", path=modules / ".bin")
            return [bun, str(script)] if bun else None
        node = shutil.which("node")
        return [node, str(script)] if node and (modules / "ws").is_dir() else None


OURS = Peer("ticker", "ours")
FLOOR = Peer("uvloop, ready-made frames (floor)", "floor")
TUTORIAL = Peer("FastAPI tutorial", "tutorial")
BROADCAST = Peer("websockets.broadcast", "broadcast")
NODE_WS = Peer("Node ws", "node_ws.mjs")
BUN = Peer("Bun", "bun.mjs")


def install_peers() -> None:
    """Install the two peers that come from npm into the work folder."""
    WORK.mkdir(exist_ok=True)
    subprocess.run(["npm", "install", "--no-fund", "--no-audit", "--prefix", str(WORK), "ws", "bun"], check=True)


def installed(peers: Sequence[Peer]) -> list[Peer]:
    """The peers that can run here; prints which are left out."""
    missing = [peer.name for peer in peers if peer.command() is None]
    if missing:
        print(f"not installed, left out: {', '.join(missing)} (--install-peers fetches them)", file=sys.stderr)
    return [peer for peer in peers if peer.command() is not None]


@contextlib.contextmanager
def server(peer: Peer, symbols: int, per_second: int, shape: str = "batch") -> Iterator[Server]:
    """A server process on a free port, pinned to the first core."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = peer.command()
    assert command is not None, f"{peer.name} is not installed"
    environment = os.environ | {"NODE_MODULES": str(WORK / "node_modules"), "PYTHONPATH": str(HERE.parent.parent)}
    with subprocess.Popen(
        [*on_core(0), *command, str(port), str(symbols), str(per_second), shape, *peer.settings],
        env=environment, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            for _ in range(600):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                    break
                time.sleep(0.05)
            yield Server(process, port)
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    process: subprocess.Popen[str]
    port: int

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all its threads so far."""
        tasks = Path(f"/proc/{self.process.pid}/task")
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9

    def metric(self, series: str) -> float:
        """One value of its metrics; ours only."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(series + " "))

    @property
    def rss_bytes(self) -> int:
        """Its resident memory."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def longest_turn_ms(self) -> float:
        """The longest turn of the event loop since the last call; ours only. The first call starts the measurement."""
        assert self.process.stdout is not None
        self.process.send_signal(signal.SIGUSR1)
        return float(self.process.stdout.readline())


@contextlib.contextmanager
def load(
    port: int, clients: Sequence[str], seconds: float, *, warm_up_s: float = WARM_UP_S, mode: str = "steady"
) -> Iterator[subprocess.Popen[str]]:
    """A load generator, pinned to the last core; it prints "start", then its report. For `clients` see `load.c`."""
    with subprocess.Popen(
        [*on_core(-1), str(load_program()), str(port), str(seconds), str(warm_up_s), mode],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        process.stdin.write("".join(f"{client}\n" for client in clients))
        process.stdin.close()
        process.stdin = None
        try:
            yield process
        finally:
            process.kill()


def started(process: subprocess.Popen[str]) -> None:
    """Wait until a load generator begins to measure."""
    assert process.stdout is not None
    if process.stdout.readline().strip() != "start":
        raise SystemExit("the load generator has failed; its message is above")


def finished(process: subprocess.Popen[str]) -> Load:
    """Wait for a load generator's report."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit("the load generator has failed; its message is above")
    report: Load = json.loads(line)
    return report


def measure(at: Server, clients: Sequence[str], seconds: float) -> tuple[float, Load]:
    """The server's CPU seconds while a load is measured, and the load's report."""
    with load(at.port, clients, seconds) as process:
        started(process)
        before = at.cpu_s
        report = finished(process)
        return at.cpu_s - before, report


def sampled(targets: Sequence[str], samples: int, flag: str = "r") -> list[str]:
    """Clients for the load generator: `samples` of them parse what they get, the others only count it."""
    step = max(1, len(targets) // samples)
    return [f"{'s' if i % step == 0 else flag} {target}" for i, target in enumerate(targets)]


@functools.cache
def load_program() -> Path:
    """The load generator, compiled."""
    source, program = HERE / "load.c", WORK / f"load-{os.getuid()}"
    WORK.mkdir(exist_ok=True)
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise SystemExit("the load generator needs a C compiler: install gcc and libc6-dev")
    fresh = program.with_suffix(f".{os.getpid()}")
    subprocess.run([compiler, "-O2", "-o", str(fresh), str(source)], check=True)
    fresh.rename(program)
    return program


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median, then the least and the most in brackets."""
    middle = statistics.median(values)
    if len(values) == 1:
        return f"{middle:.{digits}f}"
    return f"{middle:.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def on_core(number: int) -> list[str]:
    """What to put before a command to pin it to a core, with high priority where that is allowed."""
    first = ["nice", "-n", "-15"] if os.geteuid() == 0 else []
    return [*first, "taskset", "-c", str(CORES[number])]
