"""The command line as its user meets it: output, errors and exit status, mostly of real processes."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from feeds.registry import loaders
from ticker import __version__, cli

ROOT = Path(__file__).resolve().parents[1]
ENVIRON = {name: text for name, text in os.environ.items() if not name.startswith("TICKER_")}


Ended = tuple[int, str, list[str]]
"""Exit status, standard output, and lines of standard error."""
Run = Callable[..., Ended]


def ticker(*args: str | bytes, **environ: str) -> Ended:
    """Run the command line."""
    done = subprocess.run(
        [sys.executable, "-m", "ticker", *args],
        cwd=ROOT,
        env=ENVIRON | environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr.splitlines()


@pytest.fixture
def main(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The same in this process, which saves the third of a second that a new one takes to start."""
    for name in os.environ.keys() - ENVIRON.keys():
        monkeypatch.delenv(name)
    monkeypatch.chdir(ROOT)

    def run(*args: str, **environ: str) -> Ended:
        with monkeypatch.context() as patched:
            for name, text in environ.items():
                patched.setenv(name, text)
            status = cli.main(args)
        out, errors = capfd.readouterr()
        return status, out, errors.splitlines()

    return run


def test_version_is_printed() -> None:
    """`--version` prints the one version there is."""
    assert ticker("--version") == (0, f"ticker {__version__}\n", [])


def test_help_lists_every_command_untruncated() -> None:
    """The help has each command on a line of its own, not cut off, and says what `ticker` alone does."""
    status, out, errors = ticker("--help")
    assert (status, errors) == (0, [])
    lines = out.split("Commands:\n")[1].splitlines()
    commands = cli.cli.list_commands(click.Context(cli.cli))
    assert [line.split()[0] for line in lines] == commands
    assert {"adapters", "check-config", "get", "serve", "show-config", "tail", "watch"} <= set(commands)
    assert all(line.endswith(".") and not line.endswith("...") for line in lines)
    assert "`ticker` alone serves a simulated market" in " ".join(out.split())


def test_ctrl_c_during_startup_is_quiet(tmp_path: Path) -> None:
    """Status 130 and no traceback, even while the command line itself is still being imported."""
    assert signalled(tmp_path, "click", "SIGINT") == (130, "", "")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("module", ["pydantic", "fastapi"])
def test_a_stop_during_startup_is_an_ordinary_one(tmp_path: Path, module: str, name: str) -> None:
    """Status 0, and quiet, however the service is stopped.

    Seen: a service that was stopped in its first second had status -15, or 130 after Ctrl-C, as if it had failed.
    """
    assert signalled(tmp_path, module, name) == (0, "", "")


def signalled(folder: Path, module: str, name: str) -> tuple[int, str, str]:
    """What the service ends with if this signal comes while it imports the module."""
    (folder / f"{module}.py").write_text(
        f"import os, signal, time\nos.kill(os.getpid(), signal.{name})\ntime.sleep(10)\n"
    )
    status, out, errors = ticker("serve", "--port", "0", PYTHONPATH=str(folder))
    return status, out, "".join(errors)


@pytest.mark.parametrize("command", ["serve", "check-config", "show-config"])
def test_the_help_of_each_command_lists_all_flags(command: str, main: Run) -> None:
    """All three take the same flags, and show how to write feeds."""
    status, out, errors = main(command, "-h")
    assert (status, errors) == (0, [])
    for expected in (
        *("--config FILE", "--host ADDRESS", "--port PORT", "--feed SPEC", "--log-level LEVEL"),
        "--set SECTION.KEY=VALUE",
        "--feed 'EXCHANGE:*-USD?interval_s=1' --feed 'eu=EXCHANGE:*-EUR'",
    ):
        assert expected in out


def test_help_imports_nothing_that_only_a_command_needs() -> None:
    """Printing the help is fast, since it imports no more than the help needs."""
    heavy = {"asyncio", "fastapi", "feeds", "httpx", "pydantic", "uvicorn", "websockets"}
    code = f"import sys; from ticker.cli import main; main(['--help']); sys.exit(str({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == "set()\n"


def test_the_list_of_commands_has_each_commands_first_sentence() -> None:
    """It is taken from the command's own help."""
    for name, (_, text) in cli.ASKING.items():
        command = cli.cli.get_command(click.Context(cli.cli), name)
        assert command is not None
        assert (command.help or "").splitlines()[0] == text


def test_show_config_prints_a_loadable_configuration(tmp_path: Path, main: Run) -> None:
    """It prints TOML with origins; loaded as a file, it gives the same settings."""
    status, out, errors = main("show-config", "--port", "9000", TICKER_LOG__LEVEL="debug")
    assert (status, errors) == (0, [])
    shown = tomllib.loads(out)
    assert (shown["server"]["port"], shown["log"]["level"], shown["feeds"]) == (
        9000,
        "debug",
        {"sim": {"adapter": "sim"}},
    )
    assert "# --port" in out
    assert "# TICKER_LOG__LEVEL" in out
    file = tmp_path / "shown.toml"
    file.write_text(out, "utf-8")
    status, again, _ = main("show-config", "--config", str(file))
    assert (status, tomllib.loads(again)) == (0, shown)


PASSWORD = "s3cret"
PROXY = f"http://ann:{PASSWORD}@127.0.0.1:3128"


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["show-config", "--feed", f"kraken?proxy={PROXY}"], 'proxy = "http://…@127.0.0.1:3128"'),
        (["show-config", "--set", f"feeds.kraken.base_url={PROXY}"], 'base_url = "http://…@127.0.0.1:3128"'),
        (["check-config", "--feed", f"kraken?proxy={PROXY}&x"], "--feed kraken?proxy=http://…@127.0.0.1:3128&x: "),
        (["symbols", "--adapter", f"kraken?base_url=http://ann:{PASSWORD}@127.0.0.1:9"], "at http://…@127.0.0.1:9: "),
        (["get", "--url", f"{PROXY}/?x"], "'http://…@127.0.0.1:3128/?x' is not the address of a service"),
        (["get", PROXY], "'http://…@127.0.0.1:3128' is not a symbol"),
    ],
)
def test_a_password_in_a_url_is_not_printed(main: Run, arguments: list[str], shown: str) -> None:
    """Neither settings nor messages show the password of a proxy, a gateway or a service.

    Seen: `show-config`, and messages about a wrong address, printed it, for anyone who reads the terminal or a log.
    """
    _, out, errors = main(*arguments)
    printed = "\n".join((out, *errors))
    assert shown in printed
    assert PASSWORD not in printed


def test_check_config_builds_the_feeds(main: Run) -> None:
    """A good configuration is `ok` with its feeds in order; nothing configured is the simulator."""
    feeds = ("--feed", "kraken:*-USD?interval_s=1&base_url=http://127.0.0.1:9000", "--feed", "eu=kraken:*-EUR")
    assert main("check-config", *feeds) == (0, "ok: 2 feeds: kraken, eu\n", [])
    assert main("check-config", TICKER_URL="ws://elsewhere") == (0, "ok: 1 feed: sim\n", [])


def test_check_config_checks_a_gateway(main: Run, tmp_path: Path) -> None:
    """A gateway has an upstream in place of feeds, which is named without its password; what is wrong is one line."""
    followed = f"http://ann:{PASSWORD}@127.0.0.1:9"
    assert main("check-config", "--upstream", followed) == (0, "ok: follows http://…@127.0.0.1:9\n", [])
    both = ("check-config", "--upstream", "http://127.0.0.1:9", "--feed", "sim", "--feed", "kraken")
    line = "ticker: --upstream: a service with upstream.url has no feeds of its own; remove: sim, kraken"
    assert main(*both) == (2, "", [line])
    wrong = "ticker: --upstream: should be the address of a service: http://ingest.example:8000, not '127.0.0.1:9'"
    assert main("check-config", "--upstream", "127.0.0.1:9") == (2, "", [wrong])
    missing, empty = tmp_path / "missing", tmp_path / "empty"
    empty.touch()
    for file, why in ((missing, "no such file or directory"), (empty, "there is nothing in it")):
        given = ("--upstream", "http://127.0.0.1:9", "--set", f"upstream.token_file={file}")
        assert main("check-config", *given) == (2, "", [f"ticker: upstream.token_file: {file}: {why}"])


def test_key_env_reads_the_environment(main: Run) -> None:
    """Seen: `key_env` never worked, as feeds did not get the environment: every variable "holds no key"."""
    feed = ("check-config", "--feed", "finnhub:AAPL?key_env=STOCKS")
    assert main(*feed, STOCKS="c0ffee") == (0, "ok: 1 feed: finnhub\n", [])
    assert main(*feed) == (2, "", ["ticker: feeds.finnhub.key_env: the variable STOCKS holds no key"])


def test_adapters_are_printed_as_a_table(main: Run) -> None:
    """Each adapter has a line with its modes and costs, sorted by name; also as JSON lines and as CSV.

    Below it is what it offers, with its fields; nothing is wider than the terminal, even at 80 columns.
    """
    for width in (80, 120):
        status, out, errors = ticker("adapters", COLUMNS=str(width))
        assert (status, errors) == (0, [])
        head, *lines = out.splitlines()
        assert head.split()[:4] == ["adapter", "modes", "key", "polling"]
        assert max(map(len, lines)) <= width
        names = [line.split()[0] for line in lines if line[0] != " "]
        assert names == sorted(names)
        told = " ".join(out.split())
        assert "yahoo delayed poll 1 request per symbol" in told
        assert "Kraken: a ticker whenever bid or ask changes; all fields but open quote_volume" in told
        assert "a seeded market that needs no network; all fields upbit" in told
        assert "the session's figures polled; only last open high low change_pct" in told
    assert {"kraken", "replay", "sim"} <= set(names)
    objects = [json.loads(line) for line in main("adapters", "--json")[1].splitlines()]
    assert [one["adapter"] for one in objects] == names
    kraken = next(one for one in objects if one["adapter"] == "kraken")
    assert kraken["modes"] == ["stream", "poll"]
    assert kraken["fields"][:3] == ["last", "bid", "ask"]
    rows = list(csv.DictReader(io.StringIO(main("adapters", "coinbase", "finnhub", "--csv")[1])))
    assert [(row["adapter"], row["key"]) for row in rows] == [("coinbase", ""), ("finnhub", "yes")]
    assert rows[0]["polling"] == "2 requests per symbol, 8 a second"
    assert rows[1]["fields"] == "last open high low change_pct"


def test_an_adapter_alone_is_explained(main: Run) -> None:
    """Its fields, and each of its options with its default and what it means."""
    status, out, errors = main("adapters", "replay")
    assert (status, errors) == (0, [])
    options = [line.split(maxsplit=1) for line in out.splitlines()[2:]]
    assert ["loop=false", "start over at the end"] in options
    assert all("=" in option[0] and len(option) == 2 for option in options)


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["--prt", "3"], "no option '--prt'; did you mean '--port'?"),
        (["show-config", "--hots=x"], "no option '--hots'; did you mean '--host'?"),
        (["alert", "--hlp"], "no option '--hlp'; did you mean '--help'?"),
        (["status", "--json"], "no option '--json'; choose from: --help, --url, -h"),
        (["adapters", "krakn"], "no adapter 'krakn'; did you mean 'kraken'?"),
        (["adapters", ""], f"no adapter ''; choose from: {', '.join(sorted(loaders()))}"),
        (["symbols", "--adapter", ""], "a feed's name is 1 to 32 of a-z 0-9 _ -, not ''"),
        (["symbols", "--adapter", "krakn"], "no adapter 'krakn'; did you mean 'kraken'?"),
        (["symbols", "--adapter", "sim"], "sim is not an exchange, so it has no list of symbols"),
        (["symbols", "--adapter", "yahoo"], "yahoo has no list of its symbols; name the ones you want"),
        (["--port"], "Option '--port' requires an argument."),
        (["--port", "http"], "--port: should be a valid integer, not 'http'"),
        (["completion"], "Missing argument '{bash|zsh|fish}'. Choose from: bash, zsh, fish"),
        (
            ["candles", "BTC/USD"],
            "'BTC/USD': a pattern may contain only letters, digits and . _ ^ : * -; a pair is BTC-USD",
        ),
        (["tail", "ws://x", "BTC-USD"], "'ws://x' is not a symbol; give the service's address with --url"),
        (["serve", "now"], "Got unexpected extra argument (now)"),
        (["--config", ""], "--config: name a file, or leave it out"),
        (["tail", "--json", "--csv"], "give --json or --csv, not both"),
        (["adapters", "--csv", "--json"], "give --json or --csv, not both"),
        (["show-config", "--config", ""], "--config: name a file, or leave it out"),
        (["check-config", "--set", "auth.tokens_file=no"], "auth.tokens_file no: no such file or directory"),
        (["check-config", "--set", "server.tls_cert=no"], "server.tls_cert no: No such file or directory"),
        (["--config", "no.toml"], "no.toml: no such file or directory"),
        (["check-config", "--feed", "replay:no.csv"], "feeds.replay: cannot replay 'no.csv': no such file"),
        (["check-config", "--feed", "replay"], "feeds.replay: name the file or folder to play: replay:quotes.csv.gz"),
        (["check-config", "--set", "server.prot=\x1b[2J"], "--set server.prot: unknown; did you mean 'port'?"),
        (
            ["--set", "\x1b[2J=1"],
            (
                r"--set \x1b[2J: unknown; "
                "choose from: auth, feeds, history, hub, limits, log, metrics, server, store, upstream"
            ),
        ),
    ],
)
def test_wrong_usage_or_configuration_is_status_2(args: list[str], error: str, main: Run) -> None:
    """One line on standard error says what is wrong and what to do; nothing is printed or started."""
    assert main(*args) == (2, "", [f"ticker: {error}"])


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["chek-config"], "no command 'chek-config'; did you mean 'check-config'?"),
        (["--feed", "krakn:*-USD"], "feeds.krakn.adapter: unknown 'krakn'; did you mean 'kraken'?"),
        (["--feed", "replay:no.csv"], "feeds.replay: cannot replay 'no.csv': no such file"),
        (
            ["--feed", "kraken?intervall_s=1"],
            "feeds.kraken.intervall_s: unknown option; did you mean 'interval_s'?",
        ),
    ],
)
def test_a_process_that_cannot_begin_ends_with_status_2(args: list[str], error: str) -> None:
    """The same for real processes: one with wrong usage, and some that have set up logging before they build feeds."""
    assert ticker(*args) == (2, "", [f"ticker: {error}"])


def test_all_mistakes_are_reported_at_once(tmp_path: Path, main: Run) -> None:
    """Each mistake has a line: first those in settings, then those in feeds and files."""
    file = tmp_path / "ticker.toml"
    file.write_text("[server]\nport = 'x'\ntls_cert = 'no.pem'\n[store]\nmax_symbol = 3\n[feeds.krakn]\n", "utf-8")
    assert main("check-config", "--config", str(file), "--set", "auth.tokens_file=no") == (
        2,
        "",
        [
            f"ticker: {file}: server.port: should be a valid integer, not 'x'",
            f"ticker: {file}: store.max_symbol: unknown; did you mean 'max_symbols'?",
            "ticker: feeds.krakn.adapter: unknown 'krakn'; did you mean 'kraken'?",
            "ticker: server.tls_cert no.pem: No such file or directory",
            "ticker: auth.tokens_file no: no such file or directory",
        ],
    )
    assert main("check-config", "--feed", "krakn", "--feed", "kraken?x=1")[2] == [
        "ticker: feeds.krakn.adapter: unknown 'krakn'; did you mean 'kraken'?",
        (
            "ticker: feeds.kraken.x: unknown option; choose from: base_url, crossed, interval_s, key_env, key_file, "
            "mode, proxy, record_mb, record_raw, symbols, timeout_s, ws_url"
        ),
    ]


def test_text_that_is_not_utf8_is_no_traceback() -> None:
    """Bytes that are not UTF-8 in an argument are shown escaped."""
    status, out, errors = ticker("show-config", "--log-level", b"\xff")
    assert (status, out) == (2, "")
    [line] = errors
    assert line.startswith("ticker: --log-level: should be a valid string")
    assert line.endswith(r"not '\udcff'")
    assert ticker("show-config", "--feed", b"sim:\xff")[0] == 0


def test_a_platform_that_cannot_serve_gets_one_line(main: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen: on Windows the first command of the README ended in a traceback of `import resource`."""
    monkeypatch.setattr(sys, "platform", "win32")
    said = "ticker: the service runs on Linux and macOS; on Windows, run it in WSL or a container"
    assert main("--port", "0") == (1, "", [said])


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_closed_pipe_causes_no_error_message(unbuffered: str) -> None:
    """A reader that has enough, such as `head`, causes no error message; the status says that not all was written."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "ticker", "show-config"],
            cwd=ROOT,
            env=ENVIRON | {"PYTHONUNBUFFERED": unbuffered},
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_reported_in_one_line(unbuffered: str) -> None:
    """A full disk, at the first byte or at the last flush, is reported with status 1."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ticker", "show-config"],
            cwd=ROOT,
            env=ENVIRON | {"PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    expected = b"ticker: cannot write to standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, expected)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(("args", "status"), [(["--bogus"], 2), (["get", "A", "--url", "http://127.0.0.1:9"], 4)])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_the_exit_status_does_not_depend_on_the_disk(args: list[str], status: int, unbuffered: str) -> None:
    """Seen: where standard error went to a full disk, every failure had status 1."""
    command, environ = [sys.executable, "-m", "ticker", *args], ENVIRON | {"PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, cwd=ROOT, env=environ, stderr=full, check=False)
    assert done.returncode == status


def test_a_closed_standard_output_is_harmless() -> None:
    """If it is closed from the start, output is discarded."""
    command = [sys.executable, "-m", "ticker", "adapters"]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command], cwd=ROOT, env=ENVIRON, stderr=subprocess.PIPE, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_without_standard_input_the_service_stops_cleanly() -> None:
    """No socket gets the descriptor of a closed standard stream: the event loop would abort on closing it."""
    with subprocess.Popen(
        ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-m", "ticker", "--port", "0"],
        cwd=ROOT, env=ENVIRON, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        while "state=live" not in process.stderr.readline():
            assert process.poll() is None
        process.terminate()
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, "Assertion" in errors) == (0, False)
