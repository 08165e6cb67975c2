"""Errors over HTTP: problem details (RFC 9457), one form for every path."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

OTHER_SERVER = "this server cannot stream prices; start the service with 'python -m ticker'"
"""What the streams answer under any server but `web.server`."""


class Problem(Exception):  # noqa: N818 - the RFC's own word
    """A request that cannot be answered as asked.

    Args:
        status: HTTP status.
        code: one of `protocol.ERROR_CODES`.
        detail: what is wrong and what to do.
        headers: further response headers.
        members: further members of the body, such as `nearest`.
    """

    def __init__(
        self, status: int, code: str, detail: str, headers: dict[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.response = problem(status, code, detail, headers, **members)


def details(status: int, code: str, detail: str, **members: Any) -> dict[str, Any]:
    """The body, as an object."""
    title = HTTPStatus(status).phrase
    return {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail} | members


def problem(status: int, code: str, detail: str, headers: dict[str, str] | None = None, **members: Any) -> Response:
    """The response itself."""
    body = orjson.dumps(details(status, code, detail, **members))
    return Response(body, status, {"Cache-Control": "no-store"} | (headers or {}), "application/problem+json")


def raw_problem(status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> bytes:
    """A whole HTTP response, which ends its connection; for errors before the application is called."""
    response = problem(status, code, detail, {"Connection": "close"} | (headers or {}))
    head = b"".join(b"%b: %b\r\n" % pair for pair in response.raw_headers)
    return b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, HTTPStatus(status).phrase.encode(), head) + response.body


async def answer_problem(_: Request, error: Exception) -> Response:
    """Exception handler of `Problem`."""
    assert isinstance(error, Problem)
    return error.response
