"""Admission of connections that stay open: one check for every transport, before anything is handed over.

Those are WebSockets, event streams and requests that wait; plain requests are not checked.
"""

from __future__ import annotations

import random
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from ticker.bucket import TokenBucket
from ticker.service import Service
from web.addresses import Addresses
from web.problem import problem

CONNECTION_ID = "Connection-Id"
"""Response header: the number of a connection, or of its refusal, in the service's log."""
OTHER_SITE = "pages of other sites may not connect unless server.origins lists them; clients without an Origin may"


class Admission:
    """Checks the origin, the number of connections in all and per address, their rate, and whether we are stopping.

    Attributes:
        address: gives a client's address.
    """

    def __init__(self, service: Service, addresses: Addresses) -> None:
        limits = service.settings.limits
        self.address = addresses.of
        self._limits = limits
        self._origins = service.settings.server.origins
        self._hub = service.hub
        self._monotonic = service.clock.monotonic
        self._pace = TokenBucket(limits.connects_per_s, limits.connects_per_s, self._monotonic())

    def refusal(self, connection: HTTPConnection) -> Response | None:
        """The answer to a connection that is refused, which is counted; None if it is admitted."""
        hub, address = self._hub, self.address(connection)
        origin = connection.headers.get("origin")
        if not same_origin(origin, connection.headers.get("host", "")) and origin not in self._origins:
            number = hub.refuse("origin", address)
            return problem(403, "forbidden", OTHER_SITE, {CONNECTION_ID: str(number)})
        if text := self._full(address):
            number = hub.refuse("stopping" if hub.draining else "full", address)
            more = {"Retry-After": str(random.randint(1, 5)), CONNECTION_ID: str(number)}
            return problem(503, "overloaded", text, more)
        return None

    def _full(self, address: str) -> str:
        """Why no connection can be admitted now; empty if one can."""
        hub, most = self._hub, self._limits
        if hub.draining:
            return "the service is stopping"
        if len(hub.connections) >= most.connections:
            return "too many connections now"
        if most.connections_per_address and hub.addresses[address] >= most.connections_per_address:
            return "too many connections from this address now"
        return "" if self._pace.take(self._monotonic()) else "too many new connections now"


def same_origin(origin: str | None, host: str) -> bool:
    """Whether a request comes from a script (no Origin) or from a page of this same host and port."""
    if origin is None:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:  # a malformed IPv6 address
        return False
    port = {"http": ":80", "https": ":443"}.get(parts.scheme)  # which an Origin never has, and a proxy may add to Host
    return port is not None and parts.netloc.lower() == host.lower().removesuffix(port) != ""
