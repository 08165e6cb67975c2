"""Blocking requests to the service's HTTP paths, with the standard library alone so that `ticker get` starts fast."""

from __future__ import annotations

import base64
import contextlib
import http.client
import io
import json
import os
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from ticker.client import shapes
from ticker.client.address import UNAUTHORIZED, Address
from ticker.clock import Clock
from ticker.errors import RefusedError, UnknownSymbolError, UnreachableError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

MAX_BODY_BYTES = 64 << 20
"""About four times the size of 50,000 quotes."""
_LATER = {429, 502, 503, 504}
"""Statuses after which a retry may help."""


class Answer(NamedTuple):
    """An HTTP response."""

    status: int
    body: bytes


def request(address: Address, path: str, headers: Mapping[str, str] | None = None, timeout_s: float = 15.0) -> Answer:
    """GET a path; any status is an answer. Uses no proxy and follows no redirect.

    The answer must be complete within `timeout_s`, which is also the limit for connecting to each of the host's
    addresses.

    Raises:
        UnreachableError: there is no answer.
        RefusedError: the certificate is not trusted.
    """
    login, _, host = address.authority.rpartition("@")
    basic = {"Authorization": f"Basic {base64.b64encode(unquote(login).encode()).decode()}"} if login else {}
    kind = http.client.HTTPSConnection if address.secure else http.client.HTTPConnection
    clock = Clock()
    deadline = clock.monotonic() + timeout_s
    connection = kind(host, timeout=timeout_s)
    try:
        connection.request("GET", f"{address.path}{path}", headers=basic | dict(headers or {}))
        incoming: Any = _Incoming(connection.sock, lambda: deadline - clock.monotonic())
        response = http.client.HTTPResponse(incoming, method="GET")
        response.begin()
        return Answer(response.status, _body(response))
    except ssl.SSLCertVerificationError as error:
        raise certificate_error(error) from error
    except (OSError, http.client.HTTPException) as error:
        why = reason(error) if isinstance(error, OSError) else "it does not speak HTTP"
        raise UnreachableError(f"cannot connect to {address}: {why}; is the service running?") from error
    finally:
        connection.close()


def fetch(
    address: Address,
    path: str,
    shape: shapes.Shape,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 15.0,
    number: Callable[[str], Any] = str,
) -> dict[str, Any]:
    """GET a JSON object.

    Args:
        address: the service.
        path: below the service's base path, with its query.
        shape: of the object; without its first member another server has answered.
        headers: to send with the request.
        timeout_s: as in `request`.
        number: makes a number from the text of a decimal.

    Raises:
        UnknownSymbolError: the path's symbol does not exist.
        UnreachableError: there is no answer, or a later try may succeed.
        RefusedError: the service refuses the request.
    """
    status, body = request(address, path, headers, timeout_s)
    try:
        document = json.loads(body, parse_float=number, parse_constant=_refuse)
    except (ValueError, RecursionError):
        document = None
    problem = document if isinstance(document, dict) else {}
    if status == 200:
        if next(iter(shape)) not in problem:
            raise UnreachableError(f"{address} answers, but is not a ticker service")
        if not shapes.fits(problem, shape):
            raise UnreachableError(f"{address} answers, but not as this version of ticker expects")
        return problem
    code = problem.get("code", status)
    if code == "unknown_symbol":
        symbol = unquote(path.partition("?")[0].rpartition("/")[2])
        raise UnknownSymbolError({symbol: names_in(problem, "nearest")}, names_in(problem, "loading"))
    detail = UNAUTHORIZED if status == 401 else problem.get("detail")
    text = f"{address}: {detail}" if detail else f"{address} answers with HTTP status {status}"
    if status in _LATER:
        raise UnreachableError(text)
    raise RefusedError(text, code)


def names_in(document: Mapping[str, Any], member: str) -> list[str]:
    """A member that is a list of names; empty if it is missing, or something else."""
    found: Any = document.get(member)
    return found if shapes.fits(found, [shapes.name]) else []


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are not JSON


def reason(error: OSError) -> str:
    """Why there is no connection, for a message."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLError):
        words = (error.reason or str(error)).replace("_", " ").lower()
        return "it does not speak TLS" if words == "wrong version number" else f"TLS failed: {words}"
    number = re.search(r"\[Errno (\d+)\]", str(error))  # of the first address, if several were tried
    text = os.strerror(int(number[1])) if number else error.strerror or str(error)
    return text[:1].lower() + text[1:]


def certificate_error(error: ssl.SSLCertVerificationError) -> RefusedError:
    """The error to raise for a certificate that is not trusted."""
    hint = "to trust it, set SSL_CERT_FILE to a file with it or its CA"
    return RefusedError(f"the certificate is not trusted: {error.verify_message}; {hint}", "tls")


def _body(response: http.client.HTTPResponse) -> bytes:
    parts, size = [], 0
    try:
        while part := response.read1(1 << 20):
            parts.append(part)
            size += len(part)
            if size > MAX_BODY_BYTES:
                text = f"the answer is larger than {MAX_BODY_BYTES >> 20} MB; ask for fewer symbols or fields"
                raise UnreachableError(text)
        lost = bool(response.length)
    except (ConnectionError, http.client.IncompleteRead):
        lost = True
    if lost:
        raise UnreachableError("the connection was lost before the answer was complete")
    return b"".join(parts)


class _Incoming(io.RawIOBase):
    """What a socket receives before a deadline, in the form in which `HTTPResponse` takes a socket.

    Args:
        sock: the connection.
        left_s: returns the seconds until the deadline.
    """

    def __init__(self, sock: socket.socket, left_s: Callable[[], float]) -> None:
        self._sock = sock
        self._left_s = left_s
        self._begun = False

    def makefile(self, _: str) -> io.BufferedReader:
        """A file that reads from here."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Wait for bytes until the deadline.

        Raises:
            TimeoutError: nothing has come at all.
            UnreachableError: only a part of the answer has come.
        """
        left_s = self._left_s()
        if left_s > 0:
            self._sock.settimeout(left_s)
            with contextlib.suppress(TimeoutError):
                size = self._sock.recv_into(buffer)
                self._begun = True
                return size
        if self._begun:
            raise UnreachableError("the answer was not complete in time; ask for fewer symbols or fields")
        raise TimeoutError
