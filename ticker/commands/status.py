"""`ticker status`: a running service's `/api/status` and `/api/feeds`, for people."""

from __future__ import annotations

import os

import click

from ticker.client import shapes
from ticker.client.address import Address
from ticker.commands import options
from ticker.commands.lists import feeds
from ticker.commands.rest import fetch
from ticker.errors import UnreachableError
from ticker.harmless import escape


@click.command()
@click.argument("address", metavar="[URL]", required=False)
@options.service
@click.pass_context
def status(ctx: click.Context, address: str | None, url: str | None) -> int:
    """Show whether the service is ready, and its feeds.

    Exit status 0 if it is ready for readers, 1 if it runs but is not ready, 4 if it cannot be reached.
    """
    where = address or url
    answer = fetch(where, "/api/status", {"versions": {"ticker": shapes.text}, "reasons": [shapes.text]})
    version, reasons = answer["versions"]["ticker"], answer["reasons"]
    print(f"ticker {escape(version)} at {Address.of(where, os.environ)}: {'not ready' if reasons else 'ready'}")
    for reason in reasons:
        print(f"  {escape(reason)}")
    print()
    try:
        ctx.invoke(feeds, form=None, url=where)
    except UnreachableError:
        if not reasons:  # else it is a gateway, which cannot ask the upstream that it waits for
            raise
    return 1 if reasons else 0
