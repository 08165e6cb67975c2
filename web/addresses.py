"""The address that a client counts under, also behind proxies."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Sequence

from starlette.requests import HTTPConnection


class Addresses:
    """Tells the addresses of clients.

    Args:
        trusted_proxies: the setting `server.trusted_proxies`.
    """

    def __init__(self, trusted_proxies: Sequence[str]) -> None:
        self._proxies = [ipaddress.ip_network(text) for text in trusted_proxies]

    def of(self, connection: HTTPConnection) -> str:
        """The address; behind trusted proxies, the last one in X-Forwarded-For that is not one of them.

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
