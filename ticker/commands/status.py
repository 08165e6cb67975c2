"""`ticker status`: what `/api/status` and `/api/feeds` of a running service say, for people."""

from __future__ import annotations

import os

import click

from ticker.client.address import Address
from ticker.commands import options
from ticker.commands.lists import feeds
from ticker.commands.rest import fetch


@click.command()
@click.argument("address", metavar="[URL]", required=False)
@options.service
@click.pass_context
def status(ctx: click.Context, address: str | None, url: str | None) -> int:
    """Say whether the service is ready, and how its feeds are.

    Exit status 0 if it is ready for readers, 1 if it runs but is not, 4 if nobody answers.
    """
    where = address or url
    answer = fetch(where, "/api/status", "versions")
    version, reasons = answer["versions"]["ticker"], answer["reasons"]
    print(f"ticker {version} at {Address.of(where, os.environ)}: {'not ready' if reasons else 'ready'}")
    for reason in reasons:
        print(f"  {reason}")
    print()
    ctx.invoke(feeds, form=None, url=where)
    return 1 if reasons else 0
