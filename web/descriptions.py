"""Descriptions of responses for the reference; each path picks those that it may give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from web.admission import OTHER_SITE
from web.problem import details
from web.schemas import BODIES, ref

Described = dict[int | str, dict[str, Any]]

PROBLEMS: dict[int | str, tuple[str, dict[str, Any] | None, dict[str, str]]] = {
    400: ("A parameter is invalid; `detail` says which and why.",
          details(400, "unknown_field", "no field 'lasst'; did you mean 'last'?"), {}),
    401: ("The token is missing or invalid.",
          details(401, "unauthorized", "a token for prices is needed: Authorization: Bearer …"),
          {"WWW_Authenticate": "`Bearer`."}),
    403: ("Pages of other sites may not connect.",
          details(403, "forbidden", OTHER_SITE), {}),
    404: ("No such symbol; `nearest` lists similar ones.",
          BODIES["Problem"]["examples"][0], {}),
    503: ("Not ready, too many connections, or too much asked for lately; `detail` says which.",
          details(503, "overloaded", "no feed has loaded its symbols yet"),
          {"Retry_After": "Seconds to wait before the next attempt."}),
    "default": ("Any other problem.", None, {}),
}  # fmt: skip


def described(schema: str, **headers: str) -> Described:
    """The 200 response: a schema of `web.schemas.BODIES` with its example."""
    body = BODIES[schema]
    content = {"application/json": {"schema": ref(schema), "example": body["examples"][0]}}
    return {200: {"description": body["description"], "content": content, "headers": _headers(headers)}}


def described_text(description: str, media: str, example: str) -> Described:
    """A 200 response that is not JSON."""
    return {200: {"description": description, "content": {media: {"schema": {"type": "string"}, "example": example}}}}


def with_csv(described: Described, example: str) -> Described:
    """Add the same response as a CSV table."""
    described[200]["content"]["text/csv"] = {"schema": {"type": "string"}, "example": example}
    return described


def problems(*statuses: int, open_to_all: bool = False) -> Described:
    """The problem responses with these statuses, and 401 unless the path is open to all."""
    described: Described = {}
    wanted: list[int | str] = sorted({*statuses, *(() if open_to_all else (401,))})
    wanted.append("default")
    for status in wanted:
        text, example, headers = PROBLEMS[status]
        content = {"schema": ref("Problem")} | ({"example": example} if example else {})
        described[status] = {
            "description": text,
            "content": {"application/problem+json": content},
            "headers": _headers(headers),
        }
    return described


def _headers(texts: Mapping[str, str]) -> dict[str, Any]:
    return {name.replace("_", "-"): {"description": text, "schema": {"type": "string"}} for name, text in texts.items()}
