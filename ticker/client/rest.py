"""The service's HTTP paths, asked by the standard library alone, blocking: who asks once must start fast."""

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

from ticker.client.address import UNAUTHORIZED, Address
from ticker.clock import Clock
from ticker.errors import RefusedError, UnknownSymbolError, UnreachableError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

MAX_BODY_BYTES = 64 << 20
"""50,000 quotes are about a quarter of it."""
_LATER = {429, 502, 503, 504}
"""Statuses after which another try may help."""


class Answer(NamedTuple):
    """What a path answered."""

    status: int
    body: bytes


def request(address: Address, path: str, headers: Mapping[str, str] | None = None, timeout_s: float = 15.0) -> Answer:
    """The answer of a path, whatever its status; neither by a proxy nor after a redirect.

    Connecting to each of the host's addresses may take `timeout_s`, and the answer must be complete by then.

    Raises:
        UnreachableError: there is none.
        RefusedError: the certificate is not good.
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
        raise distrust(error) from error
    except (OSError, http.client.HTTPException) as error:
        why = reason(error) if isinstance(error, OSError) else "no HTTP answered there"
        raise UnreachableError(f"cannot connect to {address}: {why}; is it running?") from error
    finally:
        connection.close()


def fetch(
    address: Address,
    path: str,
    member: str,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 15.0,
    number: Callable[[str], Any] = str,
) -> dict[str, Any]:
    """The JSON object at a path, by its `member` a ticker's; `number` makes something of the text of each decimal.

    Raises:
        UnknownSymbolError: the path's symbol does not exist.
        UnreachableError: there is no answer, or not yet.
        RefusedError: the service refuses.
    """
    status, body = request(address, path, headers, timeout_s)
    try:
        document = json.loads(body, parse_float=number)
    except (ValueError, RecursionError):
        document = None
    problem = document if isinstance(document, dict) else {}
    if status == 200:
        if member not in problem:
            raise UnreachableError(f"{address} answers, but is no ticker")
        return problem
    code = problem.get("code", status)
    if code == "unknown_symbol":
        symbol = unquote(path.partition("?")[0].rpartition("/")[2])
        raise UnknownSymbolError({symbol: problem.get("nearest", [])}, problem.get("loading", ()))
    text = str(problem.get("detail") or f"the service refuses with HTTP status {status}")
    if status == 401:
        text = f"the service refuses: {UNAUTHORIZED}"
    if status in _LATER:
        raise UnreachableError(f"{address}: {text}")
    raise RefusedError(text, code)


def reason(error: OSError) -> str:
    """Why there is no connection, for people."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLError):
        words = (error.reason or str(error)).replace("_", " ").lower()
        return "no TLS answered there" if words == "wrong version number" else f"TLS failed: {words}"
    number = re.search(r"\[Errno (\d+)\]", str(error))  # if several addresses were tried, that of the first
    text = os.strerror(int(number[1])) if number else error.strerror or str(error)
    return text[:1].lower() + text[1:]


def distrust(error: ssl.SSLCertVerificationError) -> RefusedError:
    """What is raised for a certificate that is not good."""
    return RefusedError(
        f"the certificate is not trusted: {error.verify_message}; SSL_CERT_FILE can name one that is", "tls"
    )


def _body(response: http.client.HTTPResponse) -> bytes:
    parts, size = [], 0
    while part := response.read1(1 << 20):
        parts.append(part)
        size += len(part)
        if size > MAX_BODY_BYTES:
            text = f"the answer has more than {MAX_BODY_BYTES >> 20} MB; ask for fewer symbols or fields"
            raise UnreachableError(text)
    if response.length:
        raise UnreachableError("the connection was lost before the answer was complete")
    return b"".join(parts)


class _Incoming(io.RawIOBase):
    """What a socket receives before its time is up; stands in for the socket that an `HTTPResponse` reads from.

    Args:
        sock: the connection.
        left_s: how many seconds are left.
    """

    def __init__(self, sock: socket.socket, left_s: Callable[[], float]) -> None:
        self._sock = sock
        self._left_s = left_s
        self._begun = False

    def makefile(self, _: str) -> io.BufferedReader:
        """The file to read from."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Receive what has come, or wait for it.

        Raises:
            TimeoutError: nothing came in time.
            UnreachableError: only a part came in time.
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
