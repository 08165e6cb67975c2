"""The commands that ask a running service, against a real one: output, errors and exit status."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.conftest import ROOT
from tests.running import READY_S, WAITED, Running, running
from tests.web.server import Live, serving, until
from ticker import __version__
from ticker.cli import main
from ticker.model import FIELDS
from ticker.past import MAX_BARS

Call = Callable[..., tuple[int, str, str]]
PYTHON = [sys.executable, "-m", "ticker"]


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    """One service for all tests: a small, fast market."""
    with running("--feed", "sim:BTC-USD,ETH-USD,BTC-EUR,AAPL?rate=200&faults=false") as started:
        started.wait(lambda: started.get("/api/feeds")["feeds"]["sim"]["state"] == "live", "no price came")
        yield started


@pytest.fixture
def called(service: Running, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run a command line in this process; returns status, standard output and standard error."""
    monkeypatch.setenv("TICKER_URL", service.url)

    def call(*args: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(args)
        out, errors = capsys.readouterr()
        return status, out, errors

    return call


def test_get_prints_quotes_once(called: Call) -> None:
    """It prints columns, JSON lines or CSV, with numbers in their own text and only the requested fields."""
    status, out, errors = called("get", "BTC-USD", "*-EUR")
    assert (status, errors) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == ["symbol", "BTC-USD", "BTC-EUR"]
    assert len(called("get")[1].splitlines()) == 5, "everything, if no symbol is given"
    assert [line.split() for line in called("get", "AAPL", "--fields", "name,decimals")[1].splitlines()] == [
        ["symbol", "decimals", "name"], ["AAPL", "2", "Apple"],
    ]  # fmt: skip
    status, out, _ = called("get", "BTC-USD", "--json")
    assert list(json.loads(out)) == ["symbol", *FIELDS]
    status, out, _ = called("get", "ETH-USD", "AAPL", "--csv", "--fields", "name,last")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [list(row) for row in rows] == [["symbol", "last", "name"]] * 2
    assert [row["name"] for row in rows] == ["Ethereum", "Apple"]
    assert Decimal(rows[0]["last"]) > 0


def test_get_says_that_nothing_matches(called: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern may select nothing; a person is told, and the output is empty."""
    told: list[str] = []
    monkeypatch.setattr("ticker.commands.get.note", told.append)
    assert called("get", "ZZZ-*") == (0, "", "")
    assert called("get", "ZZZ-*", "--json") == (0, "", "")
    assert told == ["no symbol matches"]


def test_exit_statuses_of_get(called: Call) -> None:
    """2 for wrong usage, 3 for an unknown symbol, with the nearest, 4 without a service; nothing on standard output."""
    assert called("get", "BTC-USDX") == (
        3, "", "ticker: no symbol 'BTC-USDX'; nearest: BTC-USD, BTC-EUR\n",
    )  # fmt: skip
    nobody = "ticker: cannot connect to http://127.0.0.1:1: connection refused; is the service running?\n"
    for command in (("get", "BTC-USD"), ("symbols",), ("candles", "BTC-USD")):
        assert called(*command, "--url", "http://127.0.0.1:1") == (4, "", nobody)
    for arguments in (("get", "B D"), ("get", "BTC-USD", "--fields", "lst"), ("get", "BTC-USD", "--url", "x")):
        status, out, errors = called(*arguments)
        assert (status, out, errors.count("\n")) == (2, "", 1)
    assert called("candles", "BTC-USDX")[0] == 3
    assert called("symbols", "BTC-USDX")[0] == 3


def test_tail_prints_changes_and_its_cursor(called: Call, service: Running) -> None:
    """First the current quotes, then changes; a later run resumes at the cursor, printed on standard error."""
    status, out, errors = called("tail", "BTC-USD", "ETH-USD", "--json", "--count", "5", "--fields", "last,ts")
    assert status == 0
    rows = [json.loads(line) for line in out.splitlines()]
    assert {row["symbol"] for row in rows[:2]} == {"BTC-USD", "ETH-USD"}
    assert len(rows) == 5
    seen = {row["symbol"]: row["ts"] for row in rows}
    cursor = re.fullmatch(r"cursor: (\d+:\d+:[0-9a-f]{16})", errors.splitlines()[-1])
    assert cursor is not None
    options = ("--csv", "--count", "3", "--fields", "last,ts", "--interval", "50ms")
    status, out, errors = called("tail", "BTC-USD", "ETH-USD", *options, "--since", cursor[1])
    lines = out.splitlines()
    assert (status, lines[0], len(lines)) == (0, "symbol,last,ts", 4)
    symbol, _, ts = lines[1].split(",")
    assert int(ts) >= seen[symbol]
    assert service.get("/api/quotes")["cursor"].split(":")[0] == cursor[1].split(":")[0]


def test_tail_gives_up_when_told_to(called: Call) -> None:
    """It waits for a service, unless told not to, or how long."""
    for arguments in (["--no-reconnect"], ["--for", "200ms"]):
        status, out, errors = called("tail", "BTC-USD", "--url", "http://127.0.0.1:1", *arguments)
        assert (status, out, errors.count("\n")) == (4, "", 1)


def test_a_mistyped_symbol_is_reported(called: Call, service: Running) -> None:
    """A command that would wait for it for ever names the nearest symbols, even without a terminal."""
    said = "ticker: no symbol 'BTC-USDX'; nearest: BTC-USD, BTC-EUR\n"
    status, out, errors = called("tail", "BTC-USDX", "BTC-USD", "--count", "1", "--csv", "--fields", "name")
    assert (status, out, said in errors) == (0, "symbol,name\nBTC-USD,Bitcoin\n", True)
    with subprocess.Popen(
        [*PYTHON, "alert", "BTC-USDX > 1", "--url", service.url],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert said in iter(process.stderr.readline, "")
        process.terminate()
        assert process.communicate(timeout=READY_S)[0] == ""


@serving()
async def test_a_mistyped_symbol_is_reported_once_the_feeds_have_loaded(
    live: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is reported even to a command that started before the feeds had loaded.

    Seen: `tail` of one that does not exist, started with the service, was mute until its time was up.
    """
    late = live.service.feed("late", "live", "received", 5.0)
    late.state("connecting", "on its way")
    live.hub.flush()
    options = ["--count", "2", "--for", "30s", "--url", f"http://127.0.0.1:{live.port}"]
    tail = asyncio.create_task(asyncio.to_thread(main, ["tail", "BTC-USDX", "ETH-USD", *options]))
    await until(lambda: live.connections and live.connections[0].group)
    late.loaded()
    late.state("live")
    errors: list[str] = []

    def told() -> bool:
        errors.append(capsys.readouterr().err)
        return "no symbol" in "".join(errors)

    await until(told)
    live.publish({"ETH-USD": "3101"})
    assert await tail == 0
    assert "".join(errors).count("ticker: no symbol 'BTC-USDX'; nearest: BTC-USD\n") == 1


def test_symbols_and_feeds_are_listed(called: Call) -> None:
    """Symbols, selected by patterns, and feeds, as columns and as data."""
    assert called("symbols", "BTC-*", "--csv")[1].splitlines() == [
        "symbol,name,base,quote,decimals,venues",
        "BTC-EUR,Bitcoin / Euro,BTC,EUR,2,sim",
        "BTC-USD,Bitcoin,BTC,USD,2,sim",
    ]
    assert called("symbols", "sim:BTC-*", "AAPL", "--csv")[1].splitlines()[1:] == [
        "AAPL,Apple,AAPL,,2,sim",
        "sim:BTC-EUR,Bitcoin / Euro,BTC,EUR,2,sim",
        "sim:BTC-USD,Bitcoin,BTC,USD,2,sim",
    ]
    status, _, errors = called("symbols", "sim:BTC-USDX")
    assert (status, "sim:BTC-USD" in errors) == (3, True)
    status, out, _ = called("feeds")
    assert (status, out.splitlines()[1].split()[:2]) == (0, ["sim", "live"])
    feed = json.loads(called("feeds", "--json")[1])
    assert feed["kind"] == "simulated"
    assert isinstance(feed["rate"], float), "a number here as it is at /api/feeds"
    head, row = called("feeds", "--csv")[1].splitlines()
    assert head == "feed,state,since,kind,symbols,rate,last_data,errors,message"
    assert row.startswith(f"sim,live,{feed['since']},simulated,"), "times to calculate with; seen: 7 m"


@serving(prices={})
async def test_a_symbol_that_may_still_come_is_not_unknown(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    """While no feed has loaded its symbols it is status 4; then 3, with the feeds that have not loaded yet.

    Seen: of whoever asked for everything, or by a pattern, `get` said that nothing matches, with status 0.
    """
    dead = live.service.feed("dead", "live", "received", 5.0)

    async def said(status: int) -> list[str]:
        errors = []
        for command in ("get", "symbols", "candles"):
            arguments = [command, "BTC-USD", "--url", f"http://127.0.0.1:{live.port}"]
            assert await asyncio.to_thread(main, arguments) == status
            errors.append(capsys.readouterr().err)
        return errors

    assert all("no feed has loaded its symbols yet" in errors for errors in await said(4))
    for arguments in (["get"], ["get", "*-EUR", "--json"], ["symbols"]):
        assert await asyncio.to_thread(main, [*arguments, "--url", f"http://127.0.0.1:{live.port}"]) == 4
        out, errors = capsys.readouterr()
        assert (out, "no feed has loaded its symbols yet" in errors) == ("", True)
    live.feed.loaded()
    assert await asyncio.to_thread(main, ["get", "--url", f"http://127.0.0.1:{live.port}"]) == 0, "they have no symbols"
    capsys.readouterr()
    assert await said(3) == ["ticker: no symbol 'BTC-USD' so far (not loaded yet: dead)\n"] * 3
    dead.loaded()
    assert await said(3) == ["ticker: no symbol 'BTC-USD'\n"] * 3


@serving(prices={})
async def test_whoever_waits_is_told_what_the_feeds_lack(live: Live) -> None:
    """Seen: where no exchange could be reached, `tail` and `alert` were silent for ever."""
    live.feed.state("down", "cannot resolve api.example")
    for command in (["tail", "BTC-USD"], ["alert", "BTC-USD > 1"]):
        process = await asyncio.create_subprocess_exec(
            *PYTHON, *command, "--url", f"http://127.0.0.1:{live.port}", cwd=ROOT, stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr is not None
        told = ""
        while "yet;" not in told:  # on a busy machine there are words of waiting before it
            told = (await process.stderr.readline()).decode()
        assert told == "ticker: no prices yet; feed toy is down: cannot resolve api.example\n"
        process.terminate()
        await process.communicate()


def test_status_of_a_ready_service_is_0(called: Call, service: Running) -> None:
    """Release, address and readiness in one line, then the feeds; without a service it is 4."""
    status, out, errors = called("status")
    assert (status, errors) == (0, "")
    assert out.splitlines()[0] == f"ticker {__version__} at {service.url}: ready"
    assert re.search(r"^sim +live ", out, re.MULTILINE)
    status, out, errors = called("status", "http://127.0.0.1:9")
    assert (status, out) == (4, "")
    assert errors.startswith("ticker: cannot connect to http://127.0.0.1:9: ")


@serving(prices={})
async def test_status_of_a_service_that_is_not_ready_is_1(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    """Each reason has a line."""
    assert await asyncio.to_thread(main, ["status", f"http://127.0.0.1:{live.port}"]) == 1
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.endswith(": not ready")
    assert lines[:2] == ["  feed toy has not delivered yet", "  no feed has delivered a price"]


class Dying(BaseHTTPRequestHandler):
    """A proxy whose service dies after its first answer."""

    def do_GET(self) -> None:
        alive = self.path == "/api/status" and not vars(self.server).setdefault("asked", [])
        vars(self.server)["asked"].append(self.path)
        self.send_response(200 if alive else 502)
        self.end_headers()
        self.wfile.write(b'{"versions":{"ticker":"0"},"reasons":[]}' if alive else b"<h1>Bad Gateway</h1>")

    def log_message(self, *_: object) -> None:
        pass


def test_an_error_of_the_proxy_is_not_taken_for_a_status(capsys: pytest.CaptureFixture[str]) -> None:
    """When the service dies while it is asked, the proxy in front answers for it."""
    with HTTPServer(("127.0.0.1", 0), Dying) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        status = main(["status", f"http://127.0.0.1:{proxy.server_port}"])
        proxy.shutdown()
        thread.join()
    assert (status, "HTTP status 502" in capsys.readouterr().err) == (4, True)
    assert vars(proxy)["asked"] == ["/api/status", "/api/feeds"], "each once: what it says is of one moment"


def test_candles_are_data_without_a_terminal(called: Call) -> None:
    """CSV by default, JSON lines on request, oldest first."""
    status, out, _ = called("candles", "BTC-USD", "--interval", "5m", "--limit", "3")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert (status, len(rows)) == (0, 3)
    assert rows == sorted(rows, key=lambda row: row["time"])
    out = called("candles", "BTC-USD", "--limit", "1", "--json")[1]
    assert list(json.loads(out)) == ["time", "open", "high", "low", "close", "volume", "flags"]
    assert called("candles", "BTC-USD", "--limit", str(MAX_BARS))[0] == 0
    status, _, errors = called("candles", "BTC-USD", "--limit", str(MAX_BARS + 1))
    assert (status, "'--limit'" in errors) == (2, True), "what the service refuses is wrong usage"


def test_alert_ends_when_it_fires(called: Call) -> None:
    """Status 0 and a line when the condition holds, 2 for wrong usage, 4 if the service never answered."""
    status, out, _ = called("alert", "BTC-USD > 1")
    assert status == 0
    assert re.fullmatch(r"BTC-USD price \d+\.\d+ > 1\n", out)
    nobody = "http://127.0.0.1:1"
    assert called("alert", "BTC-USD > 1", "--for", "50ms", "--url", nobody) == (
        4, "", f"ticker: {nobody} did not answer within --for\n",
    )  # fmt: skip
    assert called("alert", "BTC-USD")[0] == 2
    assert called("alert", "BTC-USD > 1", "--hysteresis", "much")[0] == 2
    status, _, errors = called("alert", "BTC-USD > 1", "--for", "soon")
    assert (status, "'soon' is not a duration; write 250ms, 10s, 5m or 1h" in errors) == (2, True)


def test_the_death_of_the_service_ends_what_was_told_not_to_wait() -> None:
    """A price that cannot be known is stale: after kill -9 of the service `alert` fires, and ends. `tail`, told not to
    reconnect, ends with status 4, the cursor for a later run, and the reason; it does not say that it reconnects.
    """
    with contextlib.ExitStack() as stack:
        service = stack.enter_context(running("--feed", "sim:BTC-USD?faults=false", "--set", "hub.heartbeat_ms=1000"))
        alert, tail = [
            stack.enter_context(subprocess.Popen(
                [*PYTHON, *command, "--url", service.url],
                cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            ))
            for command in (["alert", "BTC-USD stale"], ["tail", "BTC-USD", "--no-reconnect"])
        ]  # fmt: skip
        assert tail.stdout is not None
        assert tail.stdout.readline()
        service.wait(lambda: service.get("/api/status")["readers"]["connected"]["ws"] == "2", "not both came")
        assert alert.poll() is None
        service.process.kill()
        said, _ = alert.communicate(timeout=READY_S)
        _, errors = tail.communicate(timeout=READY_S)
    assert (alert.returncode, said) == (0, "BTC-USD is unreachable\n")
    assert tail.returncode == 4
    why = f"ticker: {service.url}: the connection was lost\n"
    assert re.fullmatch(WAITED + r"cursor: \d+:\d+:[0-9a-f]{16}\n" + re.escape(why), errors)


def test_completion_for_every_shell(called: Call) -> None:
    """The script calls back by the shell's own protocol, which completes commands and options."""
    for shell in ("zsh", "fish", "bash"):
        status, out, _ = called("completion", shell)
        assert (status, "_TICKER_COMPLETE" in out) == (0, True)
    environ = os.environ | {"_TICKER_COMPLETE": "bash_complete", "COMP_WORDS": "ticker tail --js", "COMP_CWORD": "2"}
    done = subprocess.run(PYTHON, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["plain,--json"]


def test_tail_ends_quietly_when_its_pipe_is_closed(service: Running) -> None:
    """`| head -2` ends at once, even if nothing more is written: the closed pipe itself is noticed."""
    process = subprocess.Popen(
        [*PYTHON, "tail", "AAPL", "--json", "--fields", "name", "--url", service.url],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == {"symbol": "AAPL", "name": "Apple"}
    process.stdout.close()  # a name never changes: no further line would show it
    assert process.wait(READY_S) == 1
    assert process.stderr is not None
    with process.stderr as errors:
        assert re.fullmatch(WAITED, errors.read())


def test_ctrl_c_ends_tail_cleanly(service: Running) -> None:
    """Status 130, complete lines, the cursor, and no traceback."""
    with subprocess.Popen(
        [*PYTHON, "tail", "*", "--json", "--url", service.url],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for _ in range(6):
            assert json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        rest, errors = _last_words(process)
    assert process.returncode == 130
    assert all(json.loads(line) for line in rest.splitlines())
    assert re.fullmatch(WAITED + r"cursor: \S+\n", errors)


def test_waiting_is_reported_without_a_terminal(port: int) -> None:
    """Standard error says once each that there is no service, that it is up, and that it is lost; output is data."""
    stranger = HTTPServer(("127.0.0.1", port), BaseHTTPRequestHandler)  # speaks HTTP/1.0
    thread = threading.Thread(target=stranger.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{port}"
    with contextlib.ExitStack() as stack:
        waiting = [
            stack.enter_context(subprocess.Popen(
                [*PYTHON, *command, "--url", url],
                cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            ))
            for command in (["tail", "BTC-USD"], ["watch", "BTC-USD"], ["alert", "BTC-USD < 0"])
        ]  # fmt: skip
        pipes = [(process.stdout, process.stderr) for process in waiting if process.stdout and process.stderr]
        for _, errors in pipes:
            why = r"( \(it does not speak WebSocket\))?"  # a busy machine may not have tried yet
            assert re.fullmatch(f"ticker: no prices from {url} yet{why}; still trying\n", errors.readline())
        stranger.shutdown()
        thread.join()
        stranger.server_close()
        with running("--port", str(port), "--feed", "sim:BTC-USD?rate=200&faults=false"):
            for out, errors in pipes:
                assert errors.readline() == "ticker: live now\n"
                if out is not pipes[-1][0]:  # an alert that is not true has nothing to say
                    assert "BTC-USD" in out.readline()
        for process, (_, errors) in zip(waiting, pipes, strict=True):
            assert errors.readline() == "ticker: connection lost; reconnecting\n"
            process.send_signal(signal.SIGINT)
            rest, last = _last_words(process)
            assert process.wait(READY_S) == 130
            assert all("BTC-USD" in line for line in rest.splitlines())
            assert re.fullmatch(r"(cursor: \S+)?\n", last)


def test_watch_draws_a_table_and_restores_the_terminal(service: Running) -> None:
    """On a terminal of 80×24: rows, state and kind of prices; when killed, it restores the screen."""
    leader, follower = pty.openpty()
    environ = os.environ | {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    with subprocess.Popen(
        [*PYTHON, "watch", "BTC-*", "AAPL", "--url", service.url],
        cwd=ROOT, stdout=follower, stderr=follower, stdin=follower, env=environ,
    ) as process:  # fmt: skip
        os.close(follower)
        screen = _read_until(leader, lambda text: "● live" in text and "AAPL" in text)
        process.terminate()
        screen += _read_until(leader, lambda text: "\x1b[?1049l" in text)
        assert process.wait(READY_S) == 128 + signal.SIGTERM
    os.close(leader)
    assert screen.index("BTC-EUR") < screen.index("BTC-USD") < screen.index("AAPL")
    assert "SIMULATED" in screen
    assert screen.rindex("\x1b[?25h") > screen.rindex("\x1b[?25l"), "the cursor is shown again"


def test_watch_draws_its_table_on_windows(service: Running) -> None:
    """Without SIGHUP, signal handlers of the loop, `resource` and uvloop, none of which Windows has."""
    windows = (
        "import asyncio, signal, sys; del signal.SIGHUP; sys.modules |= {'resource': None, 'uvloop': None};"
        "asyncio.SelectorEventLoop.add_signal_handler = asyncio.AbstractEventLoop.add_signal_handler;"
        "from ticker.cli import main; sys.exit(main())"
    )
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", windows, "watch", "AAPL", "--url", service.url],
        cwd=ROOT, stdout=follower, stderr=follower, stdin=follower, env=os.environ | {"TERM": "xterm-256color"},
    ) as process:  # fmt: skip
        os.close(follower)
        _read_until(leader, lambda text: "● live" in text and "AAPL" in text)
        process.send_signal(signal.SIGINT)
        _read_until(leader, lambda text: "\x1b[?1049l" in text)
        assert process.wait(READY_S) == 130
    os.close(leader)


@pytest.mark.parametrize(
    ("command", "environ", "colored"),
    [
        ("watch", {"TERM": "dumb"}, False),
        ("candles", {"TERM": "dumb"}, False),
        ("candles", {"NO_COLOR": "1"}, False),
        ("candles", {"NO_COLOR": ""}, True),
    ],
)
def test_a_dumb_terminal_gets_plain_output(
    service: Running, command: str, environ: dict[str, str], *, colored: bool
) -> None:
    """A dumb one gets lines and plain charts, and still shows data; `NO_COLOR` counts unless it is empty."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [*PYTHON, command, "BTC-USD", "--url", service.url],
        cwd=ROOT, stdout=follower, stderr=subprocess.DEVNULL, env=os.environ | {"TERM": "xterm"} | environ,
    ) as process:  # fmt: skip
        os.close(follower)
        screen = _read_until(leader, lambda text: "BTC-USD" in text and "\n" in text)
        process.terminate()
    os.close(leader)
    assert ("\x1b" in screen) == colored


def _last_words(process: subprocess.Popen[str]) -> tuple[str, str]:
    """The rest of its output and errors, until it ends; `communicate` loses what `readline` has read ahead."""
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdout.read(), process.stderr.read()


def _read_until(descriptor: int, condition: Callable[[str], bool]) -> str:
    """What a terminal receives until a condition holds for it."""
    text, deadline = "", time.monotonic() + READY_S
    while not condition(text):
        assert time.monotonic() < deadline, text
        if select.select([descriptor], [], [], 0.5)[0]:
            text += os.read(descriptor, 65536).decode(errors="replace")
    return text


def test_watch_prints_lines_without_a_terminal(service: Running) -> None:
    """It prints the same lines as `tail`."""
    with subprocess.Popen(
        [*PYTHON, "watch", "BTC-USD", "--url", service.url], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert "BTC-USD" in process.stdout.readline()
        process.stdout.close()
        assert process.wait(READY_S) == 1


def test_watch_without_rich_says_how_to_install_it(called: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is for the interpreter that runs it, whose environment may have no pip."""
    told: list[str] = []
    monkeypatch.setattr("ticker.commands.watch.note", told.append)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert called("watch", "B D")[0] == 2
    assert told == [f"the live table needs rich: pip --python {sys.executable} install rich"]
