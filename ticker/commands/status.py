"""`ticker status`: what `/readyz` and `/api/feeds` of a running service say, for people."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from typing import Any

import click

from ticker.client.wire import Address
from ticker.commands import options
from ticker.commands.lists import feeds
from ticker.commands.rest import TIMEOUT_S, fetch
from ticker.errors import UnreachableError


@click.command()
@click.argument("address", metavar="[URL]", required=False)
@options.service
@click.pass_context
def status(ctx: click.Context, address: str | None, url: str | None) -> int:
    """Say whether the service is ready, and how its feeds are.

    Exit status 0 if it is ready for readers, 1 if it runs but is not, 4 if nobody answers.
    """
    where = address or url
    ready = _readiness(where)
    version = fetch(where, "/openapi.json", quiet=True)["info"]["version"]
    print(f"ticker {version} at {Address.of(where, os.environ)}: {ready['status']}")
    for reason in ready["reasons"]:
        print(f"  {reason}")
    print()
    ctx.invoke(feeds, form=None, url=where)
    return 0 if ready["status"] == "ready" else 1


def _readiness(url: str | None) -> Any:
    """What `/readyz` says, also when that is no."""
    address = Address.of(url, os.environ)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{address}/readyz", timeout=TIMEOUT_S) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return json.loads(error.read())
    except (OSError, ValueError) as error:
        raise UnreachableError(f"cannot connect to {address}: {getattr(error, 'reason', error)}") from error
