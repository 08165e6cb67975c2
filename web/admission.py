"""Who may open a connection that stays: one check for every transport, made before anything is handed over.

Plain reads pass by; a WebSocket, a stream of events and a request that waits take a place, so they are checked.
"""

from __future__ import annotations

import ipaddress
import random
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from ticker.bucket import TokenBucket
from ticker.service import Service
from web.problem import problem

CONNECTION_ID = "Connection-Id"
"""Response header: the number by which the service's log knows a connection, or a refusal of one."""


class Admission:
    """Checks whose page asks, how many there are in all and of one address, how fast they come, whether we stop."""

    def __init__(self, service: Service) -> None:
        limits = service.settings.limits
        self._limits = limits
        self._origins = service.settings.server.origins
        self._proxies = [ipaddress.ip_network(text) for text in service.settings.server.trusted_proxies]
        self._hub = service.hub
        self._monotonic = service.clock.monotonic
        self._pace = TokenBucket(limits.connects_per_s, limits.connects_per_s, self._monotonic())

    def address(self, connection: HTTPConnection) -> str:
        """Where a client is, for the limits of an address; behind proxies of ours it is the last that they name."""
        address = connection.client.host if connection.client else ""
        address = address.removeprefix("::ffff:")  # an IPv4 address on a socket that is for both protocols
        forwarded = connection.headers.getlist("x-forwarded-for") if self._proxies else []
        for text in reversed(",".join(forwarded).split(",")):
            if not text.strip() or not self._is_proxy(address):
                break
            address = text.strip()[:45]
        return address

    def _is_proxy(self, address: str) -> bool:
        try:
            known = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(known in network for network in self._proxies)

    def refusal(self, connection: HTTPConnection) -> Response | None:
        """The answer to somebody who may not come in, counted; None: they may."""
        hub, address = self._hub, self.address(connection)
        origin = connection.headers.get("origin")
        if not same_origin(origin, connection.headers.get("host", "")) and origin not in self._origins:
            number = hub.refuse("origin", address)
            text = "pages of other sites may not connect; scripts without an Origin may"
            return problem(403, "forbidden", text, {CONNECTION_ID: str(number)})
        if text := self._full(address):
            number = hub.refuse("stopping" if hub.draining else "full", address)
            more = {"Retry-After": str(random.randint(1, 5)), CONNECTION_ID: str(number)}
            return problem(503, "overloaded", text, more)
        return None

    def _full(self, address: str) -> str:
        """Why there is no room now; empty if there is."""
        hub, most = self._hub, self._limits
        if hub.draining:
            return "the service is stopping"
        if len(hub.connections) >= most.connections:
            return "too many connections now"
        if most.connections_per_address and hub.addresses[address] >= most.connections_per_address:
            return "too many connections from this address now"
        return "" if self._pace.take(self._monotonic()) else "too many new connections now"


def same_origin(origin: str | None, host: str) -> bool:
    """Whether a request comes from a script (no Origin) or from a page of this very host and port."""
    if origin is None:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:  # what looks like an IPv6 address and is none
        return False
    return parts.scheme in {"http", "https"} and parts.netloc.lower() == host.lower() != ""
