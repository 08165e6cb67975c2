"""The command line: the composition root, the only module that may import everything.

Data goes to standard output, all else to standard error, an error as one line `ticker: …` without a traceback.
Exit status: 0 done, 1 failed at run time, 2 wrong usage or configuration, 3 unknown symbol, 4 nobody answers,
130 interrupted. What a command needs is imported inside it, so that `ticker --help` is fast; the commands that
ask a running service are in modules of `ticker.commands`, imported when one is called.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from ticker import __version__
from ticker.errors import (
    ConfigError,
    PatternError,
    TickerError,
    UnknownSymbolError,
    UnreachableError,
    did_you_mean,
)

if TYPE_CHECKING:
    from feeds.base import Context, Feed
    from ticker.config import Flags
    from ticker.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])

STATUSES: dict[type[TickerError], int] = {ConfigError: 2, PatternError: 2, UnknownSymbolError: 3, UnreachableError: 4}
"""Exit status by error; any other is 1."""
_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""Errors of standard output that are not bugs of ours."""
ASKING = {
    "adapters": ("adapters", "List the adapters that a feed can use."),
    "alert": ("alert", "Wait until a price meets a condition: 'BTC-USD > 100000'."),
    "candles": ("candles", "Chart a symbol's recent bars."),
    "completion": ("completion", "Print a shell's completion script."),
    "feeds": ("lists", "List the feeds of the running service and their state."),
    "get": ("get", "Print quotes once."),
    "status": ("status", "Show whether the service is ready, and its feeds."),
    "symbols": ("lists", "List the symbols of the running service, or of an exchange."),
    "tail": ("tail", "Print a line for each change."),
    "watch": ("watch", "Watch prices in a live table."),
}
"""Commands in modules of `ticker.commands`, by name: the module that has them as an attribute, and their short help."""


def main(args: Sequence[str] | None = None) -> int:
    """Run a command line, the process's own by default, and return its exit status."""
    _mend_standard_streams()
    try:
        status = cli.main(args, prog_name="ticker", standalone_mode=False)
        sys.stdout.flush()  # a closed pipe shows here, not at exit; an empty write might wait for a stopped terminal
    except click.NoSuchOption as error:
        params = error.ctx.command.get_params(error.ctx) if error.ctx else []
        known = [name for option in params if isinstance(option, click.Option) for name in option.opts]
        return _fail(f"no option '{error.option_name}'{did_you_mean(error.option_name, known)}", 2)
    except click.ClickException as error:
        return _fail(" ".join(error.format_message().split()), 2)
    except TickerError as error:
        return _fail(str(error), next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 1))
    except (click.Abort, KeyboardInterrupt):
        return 130
    except OSError as error:
        enough = isinstance(error, BrokenPipeError)  # the reader, `head` for example, has all it wants
        if not enough and error.errno not in _UNWRITABLE:
            raise
        _discard(sys.stdout)
        return 1 if enough else _fail(f"cannot write to standard output: {error.strerror}", 1)
    return status or 0


def _mend_standard_streams() -> None:
    """Make sure that all three standard streams exist, and that any text can be written to the two outputs."""
    while (spare := os.open(os.devnull, os.O_RDWR)) <= 2:  # closed when we started; no socket may take its number
        pass
    os.close(spare)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123 - for the life of the process
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # text from an argument or a variable need not be UTF-8
            stream.reconfigure(errors="backslashreplace")


def _fail(message: str, status: int) -> int:
    from ticker.harmless import escape, redact

    several = status in {2, 3}  # faults or symbols; other messages may quote what a service sent
    try:
        for line in message.split("\n") if several else [message]:
            print(f"ticker: {escape(redact(line))}", file=sys.stderr)
    except OSError:  # whoever does not get the message gets the status
        _discard(sys.stderr)
    return status


def _discard(stream: TextIO) -> None:
    """Let what waits in a stream go nowhere, so that the flush at exit does not fail, too."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class ServeByDefault(click.Group):
    """A group that takes a command line without a command as one for `serve`, and imports commands on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands' names."""
        return sorted({*super().list_commands(ctx), *ASKING})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name."""
        if cmd_name not in ASKING:
            return super().get_command(ctx, cmd_name)
        command = getattr(importlib.import_module(f"ticker.commands.{ASKING[cmd_name][0]}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List all commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, ASKING[name][1] if name in ASKING else self.commands[name].get_short_help_str(100))
                    for name in self.list_commands(ctx)
                ]
            )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {name for option in self.get_params(ctx) for name in option.opts}
        if not ctx.resilient_parsing and (not args or (args[0].startswith("-") and args[0] not in own)):
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if not ctx.resilient_parsing and args[0] not in known:
            raise click.UsageError(f"no command '{args[0]}'{did_you_mean(args[0], known)}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=ServeByDefault, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Live market prices: exchange feeds in, WebSocket deltas out, with a dashboard, a REST API and Prometheus metrics.

    Without a command it serves: `ticker --port 9000` is `ticker serve --port 9000`, and `ticker` alone serves a
    simulated market on http://127.0.0.1:8000.
    """


def configured(command: Command) -> Command:
    """Add the options that make settings; the command gets them as `config` and keyword arguments."""
    options = [
        click.option("--config", metavar="FILE", help="TOML file of settings."),
        click.option("--host", metavar="ADDRESS", help="Address to listen on.  [127.0.0.1]"),
        click.option("--port", metavar="PORT", help="TCP port to listen on, 0 for a free one.  [8000]"),
        click.option(
            "--feed",
            metavar="SPEC",
            multiple=True,
            help="A feed to run, as [NAME=]ADAPTER[:SELECTION][?option=value&…]. Repeatable; replaces all feeds of "
            "the file and the environment.  [sim]",
        ),
        click.option(
            "--upstream",
            metavar="URL",
            help="Follow the service at this address, and serve its prices to more readers, instead of running feeds.",
        ),
        click.option("--set", metavar="SECTION.KEY=VALUE", multiple=True, help="Any setting; repeatable."),
        click.option("--log-level", metavar="LEVEL", help="debug, info, warning or error.  [info]"),
    ]
    for option in reversed(options):
        command = option(command)
    return command


EPILOG = """Options override the environment (TICKER_SECTION__KEY, for example TICKER_SERVER__PORT), which overrides
the file, which overrides the defaults. `ticker show-config` lists all settings and where their values come from,
`ticker adapters` the adapters for feeds, and `ticker adapters NAME` the options of one.

\b
Feeds, for example:
  --feed 'sim:5000?seed=7'
  --feed 'replay:quotes.csv.gz?speed=max&loop=true'
  --feed 'EXCHANGE:*-USD?interval_s=1' --feed 'eu=EXCHANGE:*-EUR'
"""


@cli.command(epilog=EPILOG)
@configured
def serve(config: str | None, **given: Any) -> int:
    """Run the service until Ctrl-C or SIGTERM."""
    if sys.platform == "win32":
        raise TickerError("the service runs on Linux and macOS; on Windows, run it in WSL or a container")
    with _ending_at_once():
        from ticker import logs
        from ticker.config import load

        settings = load(_file(config), _flags(given), os.environ)
        from ticker.outlet import Outlet
        from ticker.progress import StatusLine

        with contextlib.closing(Outlet(sys.stderr.fileno(), sys.stderr.encoding)) as outlet:
            line = StatusLine(outlet) if sys.stderr.isatty() else None
            logs.configure(settings.log.level, settings.log.format, line or outlet)
            context = _context()
            feeds = _build(settings, context)
            from ticker.run import serve as run

            return run(settings, feeds, context, line)


@contextlib.contextmanager
def _ending_at_once() -> Iterator[None]:
    """Let a signal end the process with status 0 until the service has handlers of its own: nothing has begun yet."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = [(number, signal.signal(number, lambda *_: os._exit(0))) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


@cli.command(epilog=EPILOG)
@configured
def check_config(config: str | None, **given: Any) -> None:
    """Check the configuration with its feeds and files, then exit."""
    from ticker.config import check
    from ticker.gateway import Target
    from ticker.harmless import redact
    from ticker.tokens import Tokens
    from web.server import make_server

    settings, errors = check(_file(config), _flags(given), os.environ)
    context = _context()
    feeds: list[Feed] = []
    for made in (
        lambda: feeds.extend(_build(settings, context)),
        lambda: settings.upstream.url and Target.of(settings, context.environ),
        lambda: make_server(None, None, settings),
        lambda: settings.auth.tokens_file and Tokens(Path(settings.auth.tokens_file), context.clock.wall_ms),
    ):
        try:
            made()
        except ConfigError as error:
            errors.append(str(error))
    if errors:
        raise ConfigError("\n".join(errors))
    noun = "feed" if len(feeds) == 1 else "feeds"
    if settings.upstream.url:
        print(f"ok: follows {redact(settings.upstream.url)}")
    else:
        print(f"ok: {len(feeds)} {noun}: {', '.join(feed.name for feed in feeds)}")


@cli.command(epilog=EPILOG)
@configured
def show_config(config: str | None, **given: Any) -> None:
    """Print the effective settings as TOML, each with its origin."""
    from ticker.config import explain

    print(explain(_file(config), _flags(given), os.environ), end="")


def _file(config: str | None) -> Path | None:
    if config == "":  # an unset shell variable: serving something else would be worse
        raise ConfigError("--config: name a file, or leave it out")
    return None if config is None else Path(config)


def _flags(given: dict[str, Any]) -> Flags:
    """The options of `configured` as `config.load` takes them."""
    flags: list[tuple[str, str]] = []
    for name, value in given.items():
        texts = value if isinstance(value, tuple) else () if value is None else (value,)
        flags += [(f"--{name.replace('_', '-')}", text) for text in texts]
    return flags


def _context() -> Context:
    import random

    from feeds.base import Context
    from ticker.clock import Clock

    return Context(Clock(), random.Random(), os.environ)


def _build(settings: Settings, context: Context) -> list[Feed]:
    """Make all feeds, or say what is wrong with each of them."""
    from feeds import registry

    feeds, errors = [], []
    for name, table in settings.feeds.items():
        try:
            feeds.append(registry.build(name, table, context))
        except ConfigError as error:
            errors.append(str(error))
    if errors:
        raise ConfigError("\n".join(errors))
    return feeds
