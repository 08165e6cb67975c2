"""Arguments and options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_UNITS_S = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(text: str) -> float:
    """A type of option: `250ms`, `10s`, `5m`, `1h`, `1d`, or a number of seconds; converted to seconds."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d|)", text)
    if match is None:
        raise click.BadParameter(f"'{text}' is not a duration; write 250ms, 10s, 5m or 1h")
    return float(match[1]) * _UNITS_S[match[2]]


def _names(text: str) -> list[str]:
    """Field names separated by commas, checked where they are used."""
    return [name.strip() for name in text.split(",") if name.strip()]


def service(command: Command) -> Command:
    """Give a command `--url`."""
    text = "Address of the service.  [TICKER_URL, or http://127.0.0.1:8000]"
    return click.option("--url", metavar="URL", help=text)(command)


def symbols(command: Command) -> Command:
    """Give a command symbols and patterns as its arguments; the default is all consolidated symbols."""
    return click.argument("symbols", metavar="[SYMBOL...]", nargs=-1, callback=_symbols)(command)


def _symbols(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    if address := next((text for text in given if "://" in text), None):
        raise click.UsageError(f"'{address}' is not a symbol; give the service's address with --url")
    return given or ("*",)


def fields(command: Command) -> Command:
    """Give a command `--fields`."""
    return click.option("--fields", type=_names, metavar="NAME,...", help="Only these fields.  [all]")(command)


def formats(command: Command) -> Command:
    """Give a command `--json` and `--csv`, of which it accepts one, as the parameter `form`; None for text."""
    for form, text in (("csv", "CSV with a header line."), ("json", "One JSON object per line.")):
        option = click.option(f"--{form}", is_flag=True, expose_value=False, callback=_form, help=text)
        command = option(command)
    return command


def _form(ctx: click.Context, param: click.Parameter, given: bool) -> None:
    if given and ctx.params.get("form"):
        raise click.UsageError("give --json or --csv, not both")
    ctx.params["form"] = param.name if given else ctx.params.get("form")
