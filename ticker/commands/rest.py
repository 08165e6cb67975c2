"""Requests of the commands to a service's HTTP paths."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from ticker.client import rest, shapes
from ticker.client.address import Address, request_headers
from ticker.commands.notices import patience


def fetch(url: str | None, path: str, shape: shapes.Shape, *, quiet: bool = False) -> dict[str, Any]:
    """GET a JSON object by `ticker.client.rest.fetch`; shows that it waits, unless `quiet`."""
    address = Address.of(url, os.environ)
    with contextlib.nullcontext() if quiet else patience(f"asking {address}"):
        return rest.fetch(address, path, shape, request_headers(None, None, os.environ))
