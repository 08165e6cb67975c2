"""The host names under which the service answers; a request for any other one is refused, whatever its path.

A service on a loopback address answers only to loopback names, so that no page of another site can reach it through a
name that resolves to 127.0.0.1 (DNS rebinding). Loopback names are served beside any listed names: health checks and
`ticker status` use them.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable, Sequence

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from web.admission import CONNECTION_ID
from web.problem import problem


class Hosts:
    """Checks the Host header of requests.

    Args:
        host: the address that the service listens on.
        names: the setting `server.hosts`.
        count: counts a stream that is refused; returns the refusal's number in the log.
    """

    def __init__(self, host: str, names: Sequence[str], count: Callable[[Scope], int]) -> None:
        self._any = not names and not _is_loopback(host)
        self._names = frozenset(name.lower().strip("[]") for name in names)
        self._count = count

    def refusal(self, scope: Scope) -> Response | None:
        """The answer to a request that is refused; None if it is not."""
        refused = self._refusal(Headers(scope=scope).getlist("host"), scope.get("http_version"))
        if refused and (scope["type"] == "websocket" or scope["path"].endswith("/api/stream")):
            refused.headers[CONNECTION_ID] = str(self._count(scope))
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
