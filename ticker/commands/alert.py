"""`ticker alert`: wait until a price meets a condition, then end or run a command."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator
from decimal import Decimal

import click

from ticker.client import Change, Quote, State, View, watch
from ticker.client.address import Address
from ticker.commands import options
from ticker.commands.condition import Condition, Trigger, slack
from ticker.commands.notices import note, tell_lack, telling, waiting, warning
from ticker.commands.tail import end_with_the_reader
from ticker.errors import UnreachableError


@click.command()
@click.argument("condition")
@click.option(
    "--exec",
    "command",
    metavar="CMD",
    help="Do not end, but run this in a shell each time; TICKER_SYMBOL and TICKER_VALUE are in its environment.",
)
@click.option(
    "--hysteresis", metavar="AMOUNT", default="0", help="How far the value must go back to fire again: 50 or 0.5%."
)
@click.option(
    "--for",
    "for_s",
    type=options.duration,
    metavar="TIME",
    help="Give up after 10s, 5m or 1h, with status 1, or 4 if the service never answered.",
)
@options.service
def alert(condition: str, command: str | None, hysteresis: str, for_s: float | None, url: str | None) -> int:
    """Wait until a price meets a condition: 'BTC-USD > 100000'.

    Ends when the condition is true, which may be at once. With --exec, it runs a command then, and each time the
    condition becomes true again. Any numeric field can be compared: 'BTC-USD change_pct <= -5'. 'BTC-USD stale' is
    true if the service calls the price stale or down, and if for one and a half heartbeats (7.5 s by default) nothing
    has come from the service, or only older data over a slow line.
    """
    try:
        parsed = Condition.of(condition)
        trigger = Trigger(parsed, slack(hysteresis, parsed.level))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    address = str(Address.of(url, os.environ))
    silence, tell = asyncio.Event(), telling()

    def notice(state: State) -> None:
        tell(state)
        if state == "stale":
            silence.set()

    view = watch(parsed.symbol, url=url, on_state=notice, on_unknown=warning())
    return asyncio.run(_alert(view, _quotes(view, silence, address), trigger, command, for_s, address))


async def _alert(
    view: View[Decimal], quotes: AsyncGenerator[Quote[Decimal] | None], trigger: Trigger, command: str | None,
    for_s: float | None, address: str,
) -> int:  # fmt: skip
    fired = False
    try:
        with end_with_the_reader():
            async with asyncio.timeout(for_s), contextlib.aclosing(quotes):
                async for quote in quotes:
                    if trigger.fires(quote):
                        symbol, value = trigger.condition.symbol, trigger.shown(quote)
                        print(symbol, trigger.condition.said(value), flush=True)
                        if command is None:
                            return 0
                        fired = True
                        await _run(command, symbol, value)
    except TimeoutError:
        if view.cursor is None:
            raise UnreachableError(f"{address} did not answer within --for") from None
        note("the time is over" if fired else "the condition was not met in time")
        return 1
    finally:
        await view.close()
    return 0


async def _quotes(view: View[Decimal], silence: asyncio.Event, address: str) -> AsyncGenerator[Quote[Decimal] | None]:
    """The symbol's quote after each change, and None each time that prices become stale for lack of current data."""
    changes = aiter(view)

    async def first() -> Change[Decimal]:
        with waiting(address, lambda: view.trouble):
            await view.__aenter__()
        tell_lack(view)
        return await anext(changes)

    change = asyncio.ensure_future(first())
    try:
        while True:
            silent = asyncio.ensure_future(silence.wait())
            await asyncio.wait({change, silent}, return_when=asyncio.FIRST_COMPLETED)
            silent.cancel()
            if silence.is_set():
                silence.clear()
                yield None
            if change.done():
                if not change.result().gone:
                    yield change.result().quote
                change = asyncio.ensure_future(anext(changes))
    finally:
        change.cancel()


async def _run(command: str, symbol: str, value: str) -> None:
    """Run the command and wait for it, even beyond --for; changes in the meantime are merged."""
    environ = os.environ | {"TICKER_SYMBOL": symbol, "TICKER_VALUE": value}
    process = await asyncio.create_subprocess_shell(command, env=environ)
    try:
        await process.wait()
    finally:
        if status := await process.wait():
            print(f"ticker: the command ended with status {status}", file=sys.stderr)
