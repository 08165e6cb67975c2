"""`ticker status`: what `/readyz` and `/api/feeds` of a running service say, for people."""

from __future__ import annotations

import json
import os

import click

from ticker.client.address import Address
from ticker.client.rest import request
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
    place = Address.of(where, os.environ)
    version = fetch(where, "/api/status", "versions")["ticker"]
    ready = json.loads(request(place, "/readyz").body)  # it says why, too, if it is not
    print(f"ticker {version} at {place}: {ready['status']}")
    for reason in ready["reasons"]:
        print(f"  {reason}")
    print()
    ctx.invoke(feeds, form=None, url=where)
    return 0 if ready["status"] == "ready" else 1
