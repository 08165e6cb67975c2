"""`ticker tail`: print a line for each change, until interrupted or as long as asked."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click

from ticker.client import Frame, View, watch
from ticker.client.address import Address
from ticker.commands import options
from ticker.commands.notices import tell_lack, telling, waiting, warning
from ticker.commands.output import csv_lines, csv_row, json_line, json_text, plain, text_line
from ticker.errors import UnreachableError
from ticker.model import FIELDS


@click.command()
@options.symbols
@options.formats
@click.option("--count", type=click.IntRange(1), metavar="N", help="Stop after N lines.")
@click.option("--for", "for_s", type=options.duration, metavar="TIME", help="Stop after 10s, 5m or 1h.")
@options.fields
@click.option(
    "--interval",
    "interval_s",
    type=options.duration,
    metavar="TIME",
    help="Least time between a symbol's changes: 250ms, at most 1m.",
)
@click.option("--since", metavar="CURSOR", help="Resume where an earlier run stopped.")
@click.option("--no-reconnect", is_flag=True, help="End with status 4 when the connection fails.")
@options.service
def tail(symbols: tuple[str, ...], url: str | None, *, no_reconnect: bool, for_s: float | None, **given: Any) -> int:
    """Print a line for each change.

    First the current quotes, then their changes, merged if the reader is slow. Waits until the service is up, and
    reconnects if the connection is lost. At the end the cursor to resume from with --since is printed on standard
    error.
    """
    lines = Lines(given["form"], given["fields"], given["count"])
    options = {"fields": given["fields"], "interval_ms": round((given["interval_s"] or 0) * 1000)}
    options |= {"on_state": None if no_reconnect else telling(), "on_unknown": warning()}
    view = watch(*symbols, url=url, cursor=given["since"], reconnect=not no_reconnect, **options)
    try:
        return asyncio.run(follow(view, lines, for_s, str(Address.of(url, os.environ))))
    except KeyboardInterrupt:
        return 130
    except OSError:  # the last lines were not written
        lines.cursor = None
        raise
    finally:
        if lines.cursor is not None:
            print(f"cursor: {lines.cursor}", file=sys.stderr)


async def follow(view: View[Any], lines: Lines, for_s: float | None, address: str) -> int:
    """Print a view's changes until the count or the time is reached.

    Raises:
        BrokenPipeError: the reader of standard output has closed it.
        UnreachableError: the time was over before anything came.
    """
    try:
        with end_with_the_reader():
            async with asyncio.timeout(for_s):
                with waiting(address, lambda: view.trouble):
                    await view.__aenter__()
                tell_lack(view)
                async for frame in view.frames():
                    sys.stdout.writelines(lines.of(frame, view.cursor))
                    sys.stdout.flush()
                    if lines.left == 0:
                        break
    except TimeoutError:
        if not lines.begun:
            raise UnreachableError(f"{address} did not answer within --for") from None
    finally:
        await view.close()
    return 0


@dataclass
class Lines:
    """Formats frames as lines, and counts them.

    Attributes:
        left: how many lines are left to print, None for any number.
        begun: whether any frame has come.
        cursor: of the last frame whose lines were all printed: resuming there may repeat lines, but loses none.
    """

    form: str | None
    fields: list[str] | None
    left: int | None
    cursor: str | None = None
    begun: bool = False

    def __post_init__(self) -> None:
        self._names = [name for name in FIELDS if self.fields is None or name in self.fields]

    def of(self, frame: Frame[Any], cursor: str | None) -> Iterator[str]:
        """A frame's lines, each with its newline."""
        if self.form == "csv" and not self.begun:
            yield csv_lines([["symbol", *self._names]])
        self.begun = True
        for change in frame:
            if self.left == 0:
                return
            yield self._line(change)
            if self.left is not None:
                self.left -= 1
        self.cursor = cursor

    def _line(self, change: Any) -> str:
        if self.form == "csv":
            return csv_lines([csv_row(change.symbol, change.quote.raw, self._names)])
        if self.form == "json":
            gone = f'{{"symbol":{json_text(change.symbol)},"gone":true}}'
            return f"{gone if change.gone else json_line(change.symbol, change.quote.raw, self._names)}\n"
        text = f"{plain(change.symbol)} is gone" if change.gone else text_line(change.quote, self.fields, change.time)
        return f"{text}\n"


@contextlib.contextmanager
def end_with_the_reader() -> Iterator[None]:
    """End this task as soon as the reader of standard output closes the pipe, even if there is nothing to write.

    Raises:
        BrokenPipeError: in place of the cancellation that ends the task.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    try:
        output = sys.stdout.fileno()
        pipe = stat.S_ISFIFO(os.fstat(output).st_mode)
    except (OSError, ValueError):  # not a real file
        pipe = False
    if not pipe:
        yield
        return
    gone = False

    def closed() -> None:
        nonlocal gone
        gone = True
        loop.remove_reader(output)
        task.cancel()

    loop.add_reader(output, closed)  # a pipe's writing end becomes readable only when it fails
    try:
        yield
    except asyncio.CancelledError:
        if gone and task.uncancel() == 0:
            raise BrokenPipeError from None
        raise
    finally:
        loop.remove_reader(output)
