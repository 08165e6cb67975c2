"""Admission of connections that stay open: one check for every transport, before anything is handed over.

Those are WebSockets, event streams and requests that wait; plain requests are not checked.
"""

from __future__ import annotations

import functools
import ipaddress
import random
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from ticker.bucket import TokenBucket
from ticker.service import Service
from web.problem import problem

CONNECTION_ID = "Connection-Id"
"""Response header: the number of a connection, or of its refusal, in the service's log."""
OTHER_SITE = "pages of other sites may not connect unless server.origins lists them; clients without an Origin may"


class Admission:
    """Checks the origin, the number of connections in all and per address, their rate, and whether we are stopping."""

    def __init__(self, service: Service) -> None:
        limits = service.settings.limits
        self._limits = limits
        self._origins = service.settings.server.origins
        self._proxies = [ipaddress.ip_network(text) for text in service.settings.server.trusted_proxies]
        self._hub = service.hub
        self._monotonic = service.clock.monotonic
        self._pace = TokenBucket(limits.connects_per_s, limits.connects_per_s, self._monotonic())

    def address(self, connection: HTTPConnection) -> str:
        """A client's address; behind trusted proxies, the last one in X-Forwarded-For that is not one of them.

        For IPv6 it is the /64 network: whoever has one address has all of it.
        """
        address = connection.client.host if connection.client else ""
        address = address.removeprefix("::ffff:")  # an IPv4 client on a dual-stack socket
        forwarded = connection.headers.getlist("x-forwarded-for") if self._proxies else []
        for text in reversed(",".join(forwarded).split(",")):
            if not text.strip() or not self._is_proxy(address):
                break
            address = _bare(text.strip())[:45]
        return _network(address) if ":" in address else address

    def _is_proxy(self, address: str) -> bool:
        try:
            known = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(known in network for network in self._proxies)

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


def _bare(address: str) -> str:
    """An address of X-Forwarded-For without the port that some proxies append."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


@functools.lru_cache(maxsize=10_000)
def _network(address: str) -> str:
    try:
        known = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    network = ipaddress.IPv6Network((int(known) >> 64 << 64, 64))
    return str(known if known.is_loopback else known.ipv4_mapped or network)


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
