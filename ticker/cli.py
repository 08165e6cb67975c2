"""The command line: the composition root, the only module that may import everything.

Data goes to standard output, all else to standard error, an error as one line `ticker: …` without a traceback.
Exit status: 0 done, 1 failed at run time, 2 wrong usage or configuration, 130 interrupted. What a command needs
is imported inside it, so that `ticker --help` costs nothing.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ticker import __version__
from ticker.errors import ConfigError, TickerError, did_you_mean

if TYPE_CHECKING:
    from feeds.base import Context, Feed
    from ticker.config import Flags, Settings

Command = TypeVar("Command", bound=Callable[..., Any])


def main(args: Sequence[str] | None = None) -> int:
    """Run a command line, the process's own by default, and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # text that is not UTF-8 came in by an argument or a variable
            stream.reconfigure(errors="backslashreplace")
    try:
        status = cli.main(args, prog_name="ticker", standalone_mode=False)
        print(end="", flush=True)  # a closed pipe shows here, not at exit
    except click.NoSuchOption as error:
        known = [name for option in error.ctx.command.params for name in option.opts] if error.ctx else []
        return _fail(f"no option '{error.option_name}'{did_you_mean(error.option_name, known)}", 2)
    except click.ClickException as error:
        return _fail(error.format_message(), 2)
    except ConfigError as error:
        return _fail(str(error), 2)
    except TickerError as error:
        return _fail(str(error), 1)
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:  # the reader, `head` say, has enough; nor shall the flush at exit complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status or 0


def _fail(message: str, status: int) -> int:
    from ticker.logs import escape  # noqa: PLC0415

    for line in message.split("\n"):
        print(f"ticker: {escape(line)}", file=sys.stderr)
    return status


class ServeByDefault(click.Group):
    """A group that takes a command line without a command as one for `serve`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {name for option in self.get_params(ctx) for name in option.opts}
        if not ctx.resilient_parsing and (not args or (args[0].startswith("-") and args[0] not in own)):
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not ctx.resilient_parsing and args[0] not in self.commands:
            raise click.UsageError(f"no command '{args[0]}'{did_you_mean(args[0], self.commands)}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=ServeByDefault, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Live market prices: exchange feeds in, WebSocket deltas, a dashboard and metrics out.

    Without a command it serves: `ticker --port 9000` is `ticker serve --port 9000`, and `ticker` alone serves a
    simulated market on http://127.0.0.1:8000.
    """


def configured(command: Command) -> Command:
    """Give a command the options that make settings; it gets them as `config` and in keyword arguments."""
    options = [
        click.option("--config", metavar="FILE", help="Settings, a TOML file."),
        click.option("--host", metavar="ADDRESS", help="Address to listen on.  [127.0.0.1]"),
        click.option("--port", metavar="PORT", help="TCP port to listen on, 0 for a free one.  [8000]"),
        click.option(
            "--feed",
            metavar="SPEC",
            multiple=True,
            help="Run this feed, [NAME=]ADAPTER[:SELECTION][?option=value&…]; repeatable. Replaces the feeds of "
            "file and environment.  [sim]",
        ),
        click.option("--set", metavar="SECTION.KEY=VALUE", multiple=True, help="Set anything; repeatable."),
        click.option("--log-level", metavar="LEVEL", help="debug, info, warning or error.  [info]"),
    ]
    for option in reversed(options):
        command = option(command)
    return command


EPILOG = """A value given here wins over the environment (TICKER_SECTION__KEY, for example TICKER_SERVER__PORT),
that over the file, that over the default. `ticker show-config` lists all settings and where their values come
from, `ticker adapters` what a feed can be.

\b
Feeds, for example:
  --feed 'sim:5000?seed=7'
  --feed 'replay:quotes.csv.gz?speed=max&loop=true'
  --feed 'kraken:*-USD?interval_s=1' --feed 'eu=kraken:*-EUR'
"""


@cli.command(epilog=EPILOG)
@configured
def serve(config: str | None, **given: Any) -> int:
    """Run the service until it gets SIGINT or SIGTERM."""
    from ticker import logs  # noqa: PLC0415
    from ticker.config import load  # noqa: PLC0415

    settings = load(Path(config) if config else None, _flags(given), os.environ)
    logs.configure(settings.log.level, settings.log.format, sys.stderr)
    context = _context()
    feeds = _build(settings, context)
    from ticker.run import serve as run  # noqa: PLC0415

    return run(settings, feeds, context)


@cli.command(epilog=EPILOG)
@configured
def check_config(config: str | None, **given: Any) -> None:
    """Check the configuration and its feeds; start nothing."""
    from ticker.config import load  # noqa: PLC0415

    settings = load(Path(config) if config else None, _flags(given), os.environ)
    feeds = _build(settings, _context())
    noun = "feed" if len(feeds) == 1 else "feeds"
    print(f"ok: {len(feeds)} {noun}: {', '.join(feed.name for feed in feeds)}")


@cli.command(epilog=EPILOG)
@configured
def show_config(config: str | None, **given: Any) -> None:
    """Print the settings in force as TOML, each with its origin."""
    from ticker.config import explain  # noqa: PLC0415

    print(explain(Path(config) if config else None, _flags(given), os.environ), end="")


@cli.command()
def adapters() -> None:
    """List what a feed can be, and its options."""
    from feeds import registry  # noqa: PLC0415

    for name, adapter in registry.adapters().items():
        print(f"{name}: {adapter.summary}")
        for option in dataclasses.fields(adapter.options):
            print(f"  {_assignment(option):<28} {option.metadata.get('help', '')}".rstrip())


def _assignment(option: dataclasses.Field[Any]) -> str:
    default = option.default
    if default is None or default in ("", ()):
        return f"{option.name}="
    if isinstance(default, bool):
        default = str(default).lower()
    return f"{option.name}={','.join(default) if isinstance(default, tuple) else default}"


def _flags(given: dict[str, Any]) -> Flags:
    """The options of `configured` as `config.load` takes them."""
    flags: list[tuple[str, str]] = []
    for name, value in given.items():
        texts = value if isinstance(value, tuple) else () if value is None else (value,)
        flags += [(f"--{name.replace('_', '-')}", text) for text in texts]
    return flags


def _context() -> Context:
    import random  # noqa: PLC0415

    from feeds.base import Context  # noqa: PLC0415
    from ticker.clock import Clock  # noqa: PLC0415

    return Context(Clock(), random.Random())


def _build(settings: Settings, context: Context) -> list[Feed]:
    """Make all feeds, or say what is wrong with each of them."""
    from feeds import registry  # noqa: PLC0415

    feeds, errors = [], []
    for name, table in settings.feeds.items():
        try:
            feeds.append(registry.build(name, table, context))
        except ConfigError as error:
            errors.append(str(error))
    if errors:
        raise ConfigError("\n".join(errors))
    return feeds
