"""`ticker adapters`, and the symbol list of an exchange for `ticker symbols --adapter`; neither needs a service.

The only command module that imports the feeds: what it prints is what the adapters declare.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import random
import shutil
import textwrap
from collections.abc import Collection, Mapping
from typing import Any

import click

from feeds import registry
from feeds.base import Adapter, Context
from feeds.exchange.venue import Listing, Venue
from feeds.options import parse_options
from ticker.clock import Clock
from ticker.commands import options
from ticker.commands.output import columns, print_table
from ticker.errors import ConfigError, FatalFeedError, FeedError, UnreachableError, did_you_mean
from ticker.feed_spec import parse_feed_spec
from ticker.harmless import escape
from ticker.model import DECIMAL_FIELDS


@click.command()
@click.argument("names", metavar="[NAME...]", nargs=-1)
@options.formats
def adapters(names: tuple[str, ...], form: str | None) -> None:
    """List the adapters that a feed can use.

    For each: its kind unless live, its modes, whether it needs a key, what polling costs, the lengths of its own bars,
    and whether it can list its symbols; below, whose prices it has and which fields it fills. With NAME, only that
    adapter, with its options.
    """
    known = registry.loaders()
    for name in names:
        if name not in known:
            raise ConfigError(f"no adapter '{name}'{did_you_mean(name, known)}")
    chosen = {name: known[name]() for name in names} if names else registry.adapters(known)
    if form is None and names:
        for name, adapter in chosen.items():
            _explain(name, adapter)
    elif form is None:
        _print_columns(chosen)
    else:
        heads = ("adapter", "kind", "modes", "key", "polling", "bars", "list", "prices of", "fields")
        rows = [[name, *_cells(adapter)] for name, adapter in chosen.items()]
        print_table(form, heads, rows, [_object(name, adapter) for name, adapter in chosen.items()])


def listings(spec: str) -> tuple[str, list[Listing]]:
    """The feed's name in a feed spec, and the symbols that its exchange lists now.

    Raises:
        ConfigError: the spec is wrong, or its adapter cannot list symbols.
        UnreachableError: the exchange does not answer.
    """
    name, table = parse_feed_spec(spec)
    adapter_name, known = str(table.pop("adapter")), registry.loaders()
    if adapter_name not in known:
        raise ConfigError(f"no adapter '{adapter_name}'{did_you_mean(adapter_name, known)}")
    adapter = known[adapter_name]()
    if not isinstance(adapter.venue, Venue):
        raise ConfigError(f"{adapter_name} is not an exchange, so it has no list of symbols")
    given = parse_options(f"feeds.{name}", adapter.options, table)
    from feeds.exchange.adapter import listed

    try:
        context = Context(Clock(), random.Random(), os.environ)
        return name, asyncio.run(listed(adapter.venue, given, context))
    except FatalFeedError as error:
        raise ConfigError(str(error)) from error
    except FeedError as error:
        where = given.base_url or adapter.venue.base_url
        raise UnreachableError(f"cannot list the symbols of {adapter_name} at {where}: {error}") from error


def _print_columns(chosen: Mapping[str, Adapter]) -> None:
    """The short cells in columns, the long ones below, so that lines fit into 80 characters."""
    heads = ["adapter", "modes", "key", "polling", "bars", "list"]
    rows = []
    for name, adapter in chosen.items():
        kind, modes, *short, _, _ = _cells(adapter)
        rows.append([name, modes if kind == "live" else f"{kind} {modes}".rstrip(), *short])
    head, *lines = columns([heads, *rows]).splitlines()
    width = shutil.get_terminal_size().columns
    print(head)
    for line, adapter in zip(lines, chosen.values(), strict=True):
        print(line)
        text = escape(f"{adapter.summary}; {_filled(adapter.offer.fields)}")
        print(textwrap.fill(text, width, initial_indent="  ", subsequent_indent="  "))


def _filled(fields: Collection[str]) -> str:
    """The fields, or those that are missing if these are fewer."""
    lacking = [name for name in DECIMAL_FIELDS if name not in fields]
    if len(fields) < len(lacking):
        return f"only {' '.join(fields)}" if fields else "fields by its options"
    return f"all fields but {' '.join(lacking)}" if lacking else "all fields"


def _cells(adapter: Adapter) -> list[str]:
    offer = adapter.offer
    bars = [_length(length) for length in offer.bars_s]
    return [
        offer.kind,
        " ".join(offer.modes),
        "yes" if offer.key else "",
        offer.poll_cost,
        f"{bars[0]}–{bars[-1]}" if bars else "",
        "yes" if offer.lists else "",
        adapter.summary,
        " ".join(offer.fields),
    ]


def _object(name: str, adapter: Adapter) -> dict[str, Any]:
    return {"adapter": name, "summary": adapter.summary, **dataclasses.asdict(adapter.offer)}


def _explain(name: str, adapter: Adapter) -> None:
    print(f"{name}: {adapter.summary}")
    print(f"  fills {', '.join(adapter.offer.fields) or 'fields by its options'}")
    for option in dataclasses.fields(adapter.options):
        print(f"  {_assignment(option):<28} {option.metadata.get('help', '')}".rstrip())


def _assignment(option: dataclasses.Field[Any]) -> str:
    default = option.default
    if default is None or default in ("", ()):
        return f"{option.name}="
    if isinstance(default, bool):
        default = str(default).lower()
    return f"{option.name}={','.join(default) if isinstance(default, tuple) else default}"


def _length(seconds: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
