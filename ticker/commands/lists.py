"""`ticker symbols` and `ticker feeds`: what a running service has."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

import click

from ticker.commands import options
from ticker.commands.output import age_text, columns, csv_lines, plain
from ticker.commands.rest import fetch
from ticker.errors import UnknownSymbolError, nearest
from ticker.model import pattern_matches
from ticker.selection import check_pattern


@click.command()
@click.argument("patterns", metavar="[PATTERN...]", nargs=-1)
@options.formats
@options.service
def symbols(patterns: tuple[str, ...], form: str | None, url: str | None) -> None:
    """List the symbols of the running service.

    Patterns narrow the list: BTC-*, *-EUR.
    """
    for text in patterns:
        check_pattern(text)
    listed = fetch(url, "/api/symbols")["symbols"]
    names = [entry["symbol"] for entry in listed]
    unknown = [text for text in patterns if "*" not in text and text not in names]
    if unknown:
        raise UnknownSymbolError({text: nearest(text, names, 3) for text in unknown})
    if patterns:
        listed = [entry for entry in listed if any(pattern_matches(text, entry["symbol"]) for text in patterns)]
    heads = ("symbol", "name", "base", "quote", "decimals", "venues")
    _print(
        form, heads, [[*(entry[head] for head in heads[:-1]), " ".join(entry["venues"])] for entry in listed], listed
    )


@click.command()
@options.formats
@options.service
def feeds(form: str | None, url: str | None) -> None:
    """List the feeds of the running service, and how they are."""
    listed = fetch(url, "/api/feeds")["feeds"]
    now_ms = round(datetime.now(UTC).timestamp() * 1000)
    heads = ("feed", "state", "for", "kind", "symbols", "updates/s", "last data", "errors", "message")
    rows = []
    for name, feed in listed.items():
        last = None if feed["last_data"] is None else age_text(now_ms - feed["last_data"])
        times = [feed["state"], age_text(now_ms - feed["since"]), feed["kind"], feed["symbols"], feed["rate"], last]
        rows.append([name, *times, sum(feed["errors"].values()), feed["message"]])
    _print(form, heads, rows, [{"feed": name, **feed} for name, feed in listed.items()])


def _print(form: str | None, heads: tuple[str, ...], rows: list[list[Any]], objects: list[dict[str, Any]]) -> None:
    if form == "json":
        sys.stdout.writelines(f"{json.dumps(entry, ensure_ascii=False)}\n" for entry in objects)
    elif form == "csv":
        sys.stdout.write(csv_lines([heads, *rows]))
    else:
        numbers = [i for i, head in enumerate(heads) if head in {"decimals", "symbols", "updates/s", "errors"}]
        sys.stdout.write(columns([list(heads), *([plain(cell) for cell in row] for row in rows)], numbers))
