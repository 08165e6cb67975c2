"""How failures of the network are told, over HTTP and WebSocket alike: the reason to count, and words without secrets.

Pure: no I/O, and no library of either.
"""

from __future__ import annotations

import email.utils
import os
import re
import ssl
from collections.abc import Collection
from datetime import UTC
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote, urlsplit


class Route(NamedTuple):
    """Where a connection goes, as messages name it: by host names only, since a URL may hold a key or a password."""

    host: str
    proxy: str | None = None

    @classmethod
    def of(cls, url: str, proxy: str | None) -> Route:
        """The route to a URL, through the proxy at another URL if one is given."""
        return cls(urlsplit(url).hostname or "", proxy and urlsplit(proxy).hostname)

    @property
    def first(self) -> str:
        """The host that is resolved and connected to."""
        return self.host if self.proxy is None else f"the proxy {self.proxy}"

    @property
    def unresolved(self) -> str:
        """The message for a host name without an address."""
        return f"cannot resolve {self.first}; check its name and this machine's DNS"

    @property
    def key_rejected(self) -> str:
        """The message for a key that is not accepted."""
        return f"{self} rejects the key (HTTP status 401); check key_env or key_file, then restart"

    def __str__(self) -> str:
        return self.host if self.proxy is None else f"{self.host} through the proxy {self.proxy}"


def without(secrets: Collection[str], data: bytes) -> bytes:
    """Data without secrets: an answer that rejects a key may repeat it, and is shown in the log and on the page."""
    for secret in secrets:
        for spelling in {secret, quote(secret), quote(secret, ""), secret.replace("/", "\\/")}:  # the last in JSON
            data = data.replace(spelling.encode(), b"SECRET")
    return data


def failure_of(error: BaseException) -> str:
    """Why a connection could not be made; if the host has several addresses, to the first."""
    number = re.search(r"\[Errno (\d+)\]", str(error))
    return os.strerror(int(number[1])).lower() if number else type(error).__name__


def tls_failure(error: BaseException) -> str:
    """Why the TLS handshake failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted, {error.verify_message}"
    text = isinstance(error, ssl.SSLError) and error.reason
    return text.replace("_", " ").lower() if text else "unknown"


def status_reason(code: int) -> str:
    """The reason to count an HTTP status under."""
    if code == HTTPStatus.TOO_MANY_REQUESTS:
        return "rate_limited"
    if code in {HTTPStatus.FORBIDDEN, HTTPStatus.IM_A_TEAPOT}:
        return "banned"
    return {3: "redirect", 4: "http_4xx", 5: "http_5xx"}.get(code // 100, "protocol")


def status_text(code: int) -> str:
    """An HTTP status in a message, with what it means where the number alone does not tell an operator."""
    return f"HTTP status {code}" + (" (it may be blocking this machine)" if status_reason(code) == "banned" else "")


def retry_after_s(header: str | None, now_ms: int) -> float | None:
    """The seconds that a Retry-After asks for, as a number or as a date; None if it is missing or invalid."""
    header = (header or "").strip()
    if header.isascii() and header.isdigit():
        return float(header[:9])
    try:
        moment = email.utils.parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:  # `-0000`: UTC
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now_ms / 1000)
