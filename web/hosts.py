"""The host names under which the service answers; a request for any other one is refused, whatever its path.

A service on a loopback address answers only to loopback names, so that no page of another site can reach it through a
name that resolves to 127.0.0.1 (DNS rebinding). Loopback names are served beside any listed names: health checks and
`ticker status` use them.
"""

from __future__ import annotations

import functools
import ipaddress

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Scope

from ticker.service import Service
from web.addresses import Addresses
from web.admission import CONNECTION_ID
from web.problem import problem


class Hosts:
    """Checks the Host header of requests."""

    def __init__(self, service: Service, addresses: Addresses) -> None:
        server = service.settings.server
        self._any = not server.hosts and not _is_loopback(server.host)
        self._names = frozenset(name.lower().strip("[]") for name in server.hosts)
        self._hub = service.hub
        self._addresses = addresses

    def refusal(self, scope: Scope) -> Response | None:
        """The answer to a request that is refused, which is counted if it is for a stream; None if it is not."""
        refused = self._refusal(Headers(scope=scope).getlist("host"), scope.get("http_version"))
        if refused and (scope["type"] == "websocket" or scope["path"].endswith("/api/stream")):
            number = self._hub.refuse("host", self._addresses.of(HTTPConnection(scope)))
            refused.headers[CONNECTION_ID] = str(number)
        return refused

    def _refusal(self, hosts: list[str], http_version: str | None) -> Response | None:
        # RFC 9112, section 3.2; of several, a proxy may have checked another one. Only HTTP/1.0 may leave it out.
        if len(hosts) > 1 or (not hosts and http_version != "1.0"):
            return problem(400, "bad_request", "a request must have exactly one Host header")
        name = _name("".join(hosts)).lower()
        if self._any or name in self._names or _is_loopback(name):
            return None
        text = "this service listens on loopback only; use localhost or 127.0.0.1"
        return problem(403, "forbidden", "this host name is not in server.hosts" if self._names else text)


def _name(host: str) -> str:
    """The host without its port."""
    return host[: host.rindex("]") + 1].strip("[]") if host.startswith("[") and "]" in host else host.partition(":")[0]


@functools.lru_cache(maxsize=64)
def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
