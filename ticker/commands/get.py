"""`ticker get`: quotes once, and out."""

from __future__ import annotations

import os
import sys
from decimal import Decimal

import click

from ticker.client.address import Address
from ticker.commands import options
from ticker.commands.output import columns, csv_lines, csv_row, json_line, note, patience, plain, price_text
from ticker.model import FIELDS


@click.command()
@options.symbols
@options.formats
@options.fields
@options.service
def get(symbols: tuple[str, ...], form: str | None, fields: list[str] | None, url: str | None) -> None:
    """Print quotes once.

    A symbol is BTC-USD, a venue's own alpha:BTC-USD; * stands for anything. Exit status 3 if one does not exist, 4 if
    the service cannot be reached.
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
    elif quotes:
        if fields is not None:
            table = [["symbol", *names], *([q.symbol, *(plain(q.raw.get(name)) for name in names)] for q in quotes)]
        else:
            table = [["symbol", "last", "bid", "ask", "change", "state", "source"]]
            for q in quotes:
                change = "–" if q.change_pct is None else f"{q.change_pct:+.2f}%"
                texts = [plain(q.raw.get(name)) for name in ("bid", "ask", "state", "source")]
                table.append([q.symbol, price_text(q), *texts[:2], change, *texts[2:]])
        sys.stdout.write(columns(table, range(1, 5) if fields is None else range(1, len(names) + 1)))
    else:
        note("no symbol matches")
