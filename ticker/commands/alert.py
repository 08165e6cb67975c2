"""`ticker alert`: wait until a price crosses a line, then end or run a command."""

from __future__ import annotations

import asyncio
import contextlib
import operator
import os
import re
import sys
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import click

from ticker.client import Change, Quote, State, View, watch
from ticker.client.address import Address
from ticker.client.quote import PRICES
from ticker.commands import options
from ticker.commands.notices import note, telling, waiting, warn_of
from ticker.commands.tail import end_with_the_reader
from ticker.errors import did_you_mean

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip
_LEVEL = re.compile(r"([A-Za-z0-9._^:-]+)(?:\s+([a-z_]+))?\s*(>=|<=|>|<)\s*(-?\d{1,20}(?:\.\d{1,20})?)")
_STALE = re.compile(r"([A-Za-z0-9._^:-]+)\s+stale")


class Condition(NamedTuple):
    """`BTC-USD > 100000`, `BTC-USD change_pct <= -5`, or `BTC-USD stale`.

    Attributes:
        field: what is compared, None for the price (last, or the mid where there is none).
        sign: one of `> >= < <=`; `stale` for a quote that is stale or down, or cannot be known.
    """

    symbol: str
    field: str | None
    sign: str
    level: Decimal

    @classmethod
    def of(cls, text: str) -> Condition:
        """Read one.

        Raises:
            ValueError: it is none; the message shows how to write one.
        """
        text = text.strip()
        if match := _STALE.fullmatch(text):
            return cls(match[1], None, "stale", Decimal(0))
        match = _LEVEL.fullmatch(text)
        if match is None:
            raise ValueError(f"'{text}' is no condition; write 'BTC-USD > 100000' or 'BTC-USD stale'")
        if match[2] is not None and match[2] not in PRICES:
            raise ValueError(f"no number '{match[2]}'{did_you_mean(match[2], PRICES)}")
        return cls(match[1], match[2], match[3], Decimal(match[4]))

    def said(self, value: str) -> str:
        """That it is true, with the value that made it so."""
        return f"is {value}" if self.sign == "stale" else f"{self.field or 'price'} {value} {self.sign} {self.level}"


@dataclass
class Trigger:
    """A condition that fires once each time it becomes true.

    Attributes:
        slack: how far the value must go back behind the level before it can fire again.
        armed: whether it can fire.
    """

    condition: Condition
    slack: Decimal
    armed: bool = True

    def fires(self, quote: Quote[Decimal] | None) -> bool:
        """Whether this quote makes it fire; None: nothing has been heard of the service for too long."""
        sign = self.condition.sign
        if sign == "stale":
            true = quote is None or quote.state in {"stale", "down"}
            back = not true
        elif quote is None:
            return False
        else:
            value = self.value(quote)
            if value is None:
                return False
            true = _COMPARE[sign](value, self.condition.level)
            beyond = self.condition.level + (-self.slack if sign[0] == ">" else self.slack)
            back = not true and (value <= beyond if sign[0] == ">" else value >= beyond)
        fired = self.armed and true
        self.armed = back or (self.armed and not true)
        return fired

    def value(self, quote: Quote[Decimal]) -> Decimal | None:
        """What is compared."""
        field = self.condition.field
        if field is not None:
            return quote[field]
        return quote.last if quote.last is not None else quote.mid

    def shown(self, quote: Quote[Decimal] | None) -> str:
        """What made it fire, for people and commands."""
        if quote is None:
            return "unreachable"
        return str(quote.state if self.condition.sign == "stale" else self.value(quote))


@click.command()
@click.argument("condition")
@click.option(
    "--exec",
    "command",
    metavar="CMD",
    help="Run this in a shell each time, to its end, and go on; TICKER_SYMBOL and TICKER_VALUE tell it what.",
)
@click.option(
    "--hysteresis", metavar="AMOUNT", default="0", help="Fire again only after the value went back by 50 or 0.5%."
)
@click.option(
    "--for", "for_s", type=options.Duration(), metavar="TIME", help="Give up after 10s, 5m or 1h, with status 1."
)
@options.service
def alert(condition: str, command: str | None, hysteresis: str, for_s: float | None, url: str | None) -> int:
    """Wait for a price: 'BTC-USD > 100000'.

    Ends as soon as the condition holds, also if it does from the start. With --exec it runs a command then, and each
    time the condition becomes true again. Any number of a quote can be compared: 'BTC-USD change_pct <= -5'.
    'BTC-USD stale' waits for a price that nothing renews: the service says that it is stale or down, or nothing has
    been heard of the service for one and a half heartbeats, as a rule 7.5 s.
    """
    try:
        parsed = Condition.of(condition)
        trigger = Trigger(parsed, _slack(hysteresis, parsed.level))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    address = str(Address.of(url, os.environ))
    silence, tell = asyncio.Event(), telling()

    def notice(state: State) -> None:
        tell(state)
        if state == "stale":
            silence.set()

    view = watch(parsed.symbol, url=url, on_state=notice)
    return asyncio.run(_alert(view, _quotes(view, silence, address), trigger, command, for_s))


async def _alert(
    view: View[Decimal], quotes: AsyncGenerator[Quote[Decimal] | None], trigger: Trigger, command: str | None,
    for_s: float | None,
) -> int:  # fmt: skip
    try:
        with end_with_the_reader():
            async with asyncio.timeout(for_s), contextlib.aclosing(quotes):
                async for quote in quotes:
                    if trigger.fires(quote):
                        symbol, value = trigger.condition.symbol, trigger.shown(quote)
                        print(symbol, trigger.condition.said(value), flush=True)
                        if command is None:
                            return 0
                        await _run(command, symbol, value)
    except TimeoutError:
        note("the condition did not come true in time")
        return 1
    finally:
        await view.close()
    return 0


async def _quotes(view: View[Decimal], silence: asyncio.Event, address: str) -> AsyncGenerator[Quote[Decimal] | None]:
    """The symbol's quote after each change, and None each time that nothing is heard of the service any more."""
    changes = aiter(view)

    async def first() -> Change[Decimal]:
        with waiting(address, lambda: view.trouble):
            await view.__aenter__()
        warn_of(view.unknown)
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
    """Run the command to its end, also if the time for waiting ends before; what changes meanwhile is merged."""
    environ = os.environ | {"TICKER_SYMBOL": symbol, "TICKER_VALUE": value}
    process = await asyncio.create_subprocess_shell(command, env=environ)
    try:
        await process.wait()
    finally:
        if status := await process.wait():
            print(f"ticker: the command ended with status {status}", file=sys.stderr)


def _slack(text: str, level: Decimal) -> Decimal:
    match = re.fullmatch(r"(\d{1,20}(?:\.\d{1,20})?)(%?)", text.strip())
    if match is None:
        raise ValueError(f"--hysteresis: '{text}' is no amount; write 50 or 0.5%")
    return Decimal(match[1]) * (abs(level) / 100 if match[2] else 1)
