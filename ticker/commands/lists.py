"""`ticker symbols` and `ticker feeds`: lists of what a running service has."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import click

from ticker.client import shapes
from ticker.client.address import Address, request_headers
from ticker.client.ask import inquire
from ticker.clock import Clock
from ticker.commands import options
from ticker.commands.notices import patience
from ticker.commands.output import age_text, print_table
from ticker.commands.rest import fetch
from ticker.errors import UnknownSymbolError, nearest
from ticker.model import currencies, pattern_matches
from ticker.selection import check_patterns

_FEED = {
    "state": shapes.text, "since": shapes.whole, "kind": shapes.text, "symbols": shapes.whole, "rate": shapes.number,
    "last_data": shapes.maybe(shapes.whole), "errors": {str: shapes.whole}, "message": shapes.maybe(shapes.text),
}  # fmt: skip


@click.command()
@click.argument("patterns", metavar="[PATTERN...]", nargs=-1)
@click.option("--adapter", metavar="SPEC", help="Ask an exchange instead: an adapter's name or a feed spec.")
@options.formats
@options.service
def symbols(patterns: tuple[str, ...], adapter: str | None, form: str | None, url: str | None) -> None:
    """List the symbols of the running service, or of an exchange.

    PATTERN narrows the list: BTC-*, *-EUR; sim:* are the symbols of one venue.
    """
    check_patterns(patterns)
    listed = _of_service(patterns, url) if adapter is None else _of_exchange(adapter, patterns)
    columns = ("symbol", "name", "base", "quote", "decimals", "venues")
    rows = [[*(entry[column] for column in columns[:-1]), " ".join(entry["venues"])] for entry in listed]
    print_table(form, columns, rows, listed)


@click.command()
@options.formats
@options.service
def feeds(form: str | None, url: str | None) -> None:
    """List the feeds of the running service and their state."""
    listed = fetch(url, "/api/feeds", {"feeds": {str: _FEED}})["feeds"]
    now_ms = Clock().wall_ms()
    columns = ("feed", "state", "for", "kind", "symbols", "updates/s", "last data", "errors", "message")
    if form == "csv":
        columns = ("feed", "state", "since", "kind", "symbols", "rate", "last_data", "errors", "message")
    rows = []
    for name, feed in listed.items():
        since, last = feed["since"], feed["last_data"]
        if form != "csv":
            since, last = age_text(now_ms - since), None if last is None else age_text(now_ms - last)
        facts = [feed["state"], since, feed["kind"], feed["symbols"], feed["rate"], last]
        rows.append([name, *facts, sum(feed["errors"].values()), feed["message"]])
    objects = [{"feed": name, **feed, "rate": float(feed["rate"])} for name, feed in listed.items()]
    print_table(form, columns, rows, objects)


def _of_service(patterns: Sequence[str], url: str | None) -> list[dict[str, Any]]:
    address = Address.of(url, os.environ)
    with patience(f"asking {address}"):
        found = inquire(address, "symbols", patterns or ["*"], {}, request_headers(None, None, os.environ))
    return [found[symbol] for symbol in sorted(found)]


def _of_exchange(spec: str, patterns: Sequence[str]) -> list[dict[str, Any]]:
    """The symbols that an exchange lists, in the form of `/api/symbols`, with each one's wire names and state."""
    from ticker.commands.adapters import listings

    with patience(f"asking {spec.partition('?')[0]}"):
        name, listed = listings(spec)
    entries: list[dict[str, Any]] = []
    for one in listed:
        base, quote = currencies(one.symbol)
        entry = {"symbol": one.symbol, "name": one.name, "base": base, "quote": quote, "decimals": one.decimals}
        entries.append({**entry, "venues": [name], "wires": list(one.wires), "state": one.state or "live"})
    names = [entry["symbol"] for entry in entries]
    if unknown := [text for text in patterns if "*" not in text and text not in names]:
        raise UnknownSymbolError({text: nearest(text, names, 3) for text in unknown})
    return [entry for entry in entries if any(pattern_matches(text, entry["symbol"]) for text in patterns or ["*"])]
