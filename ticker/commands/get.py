"""`ticker get`: print quotes once."""

from __future__ import annotations

import os
import sys
from decimal import Decimal

import click

from ticker.client.address import Address
from ticker.client.quote import Quote
from ticker.commands import options
from ticker.commands.notices import note, patience
from ticker.commands.output import columns, csv_lines, csv_row, json_line, plain, price_text
from ticker.model import FIELDS

_HEADS = ["symbol", "last", "bid", "ask", "change", "state", "source"]


@click.command()
@options.symbols
@options.formats
@options.fields
@options.service
def get(symbols: tuple[str, ...], form: str | None, fields: list[str] | None, url: str | None) -> None:
    """Print quotes once.

    SYMBOL is a name (BTC-USD), the price at one venue (sim:BTC-USD) or a pattern (*-EUR, sim:*); by default, all
    consolidated symbols. Exit status 3 if a symbol does not exist, 4 if the service cannot be reached or has no
    symbols yet.
    """
    from ticker.client.ask import ask

    with patience(f"asking {Address.of(url, os.environ)}"):
        quotes = ask(symbols, Decimal, url, fields)
    names = [name for name in FIELDS if fields is None or name in fields]
    if form == "json":
        sys.stdout.writelines(f"{json_line(quote.symbol, quote.raw, names)}\n" for quote in quotes)
    elif form == "csv":
        sys.stdout.write(csv_lines([["symbol", *names]]))
        sys.stdout.write(csv_lines(csv_row(quote.symbol, quote.raw, names) for quote in quotes))
    elif not quotes:
        note("no symbol matches")
    elif fields is None:
        sys.stdout.write(columns([_HEADS, *map(_row, quotes)], range(1, 5)))
    else:
        rows = ([quote.symbol, *(plain(quote.raw.get(name)) for name in names)] for quote in quotes)
        sys.stdout.write(columns([["symbol", *names], *rows], range(1, len(names) + 1)))


def _row(quote: Quote[Decimal]) -> list[str]:
    """The cells below `_HEADS`."""
    bid, ask, state, source = (plain(quote.raw.get(name)) for name in ("bid", "ask", "state", "source"))
    change = "–" if quote.change_pct is None else f"{quote.change_pct:+.2f}%"
    return [quote.symbol, price_text(quote), bid, ask, change, state, source]
