"""`ticker watch`: a live table in a terminal, plain lines otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from ticker.client import View, shapes
from ticker.client import watch as watch_prices
from ticker.client.address import Address
from ticker.clock import Clock
from ticker.commands import options
from ticker.commands.notices import lack, note, telling, warning
from ticker.commands.output import dumb
from ticker.commands.rest import fetch
from ticker.commands.tail import Lines, follow
from ticker.errors import ClientError

if TYPE_CHECKING:
    from rich.live import Live

    from ticker.commands.board import Board

REFRESH_S = 0.2
SPARKLINES_S = 20.0
MOST_SPARKLINES = 100


@click.command()
@options.symbols
@options.service
def watch(symbols: tuple[str, ...], url: str | None) -> int:
    """Watch prices in a live table.

    Waits until the service is up, reconnects if the connection is lost, and shows when prices are not live. If
    standard output is not a terminal, or a dumb one, it prints a line for each change, as `ticker tail` does.
    """
    address = Address.of(url, os.environ)
    rich = importlib.util.find_spec("rich") is not None
    if not sys.stdout.isatty() or dumb() or not rich:
        if not rich:
            note(f"the live table needs rich: pip --python {sys.executable} install rich")
        view = watch_prices(*symbols, url=url, on_state=telling(), on_unknown=warning())
        return asyncio.run(follow(view, Lines(None, None, None), None, str(address)))
    from ticker.commands.board import Board

    view = watch_prices(*symbols, url=url, interval_ms=100)
    return asyncio.run(_watch(view, Board(symbols, str(address)), url))


async def _watch(view: View[Any], board: Board, url: str | None) -> int:
    from rich.console import Console
    from rich.live import Live

    ended: list[int] = []
    loop, stop = asyncio.get_running_loop(), threading.Event()
    reader = asyncio.create_task(_read(view, board), name="ticker.watch")

    def end(number: int) -> None:
        ended.append(number)
        reader.cancel()

    with contextlib.suppress(AttributeError, NotImplementedError):  # Windows has neither SIGHUP nor signal handlers
        for number in (signal.SIGTERM, signal.SIGHUP):  # the terminal must be restored
            loop.add_signal_handler(number, end, number)
    threading.Thread(target=_sparklines, args=(board, url, stop), name="ticker.sparklines", daemon=True).start()
    try:
        with Live(console=Console(highlight=False), screen=True, auto_refresh=False) as live:
            await _draw(view, board, live, reader)
    finally:
        stop.set()
        reader.cancel()
        await asyncio.wait([reader])
        await view.close()
    if not ended:
        await reader  # raises what ended it
    return 128 + ended[0] if ended else 0


async def _read(view: View[Any], board: Board) -> None:
    clock = Clock()
    await view.__aenter__()
    async for frame in view.frames():
        board.skew_ms = frame.time - clock.wall_ms()
        for change in frame:
            board.take(change)


async def _draw(view: View[Any], board: Board, live: Live, reader: asyncio.Task[None]) -> None:
    clock = Clock()
    while not reader.done():
        width, height = live.console.size
        board.unknown, board.trouble, board.lack = view.unknown, view.trouble, lack(view.feeds)
        kinds = {str(feed["kind"]) for feed in view.feeds.values() if "kind" in feed}
        live.update(board.render(width, height, view.state, kinds, clock.wall_ms() + board.skew_ms), refresh=True)
        await asyncio.wait([reader], timeout=REFRESH_S)


def _sparklines(board: Board, url: str | None, stop: threading.Event) -> None:
    """Fetch the last minutes' closes at intervals; if that fails, the table goes without."""
    from ticker.commands.board import SPARK

    while not stop.wait(SPARKLINES_S if board.closes else REFRESH_S):
        names = ",".join(quote(symbol, safe=":") for symbol in board.order()[:MOST_SPARKLINES])
        if names:
            with contextlib.suppress(ClientError):
                path = f"/api/sparklines?symbols={names}&points={SPARK}"
                board.closes = fetch(url, path, {"closes": {str: [shapes.maybe(shapes.number)]}}, quiet=True)["closes"]
