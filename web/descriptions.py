"""How the reference describes answers: each path says which of these it may give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from web.problem import details
from web.schemas import BODIES, ref

Described = dict[int | str, dict[str, Any]]

PROBLEMS: dict[int | str, tuple[str, dict[str, Any] | None, dict[str, str]]] = {
    400: ("A parameter is malformed; `detail` says which.",
          details(400, "unknown_field", "no field 'lasst'; did you mean 'last'?"), {}),
    401: ("A token is needed, or this one is not good.",
          details(401, "unauthorized", "a token for prices is needed: Authorization: Bearer …"),
          {"WWW_Authenticate": "`Bearer`."}),
    403: ("The page of another site asks.",
          details(403, "forbidden", "pages of other sites may not connect; scripts without an Origin may"), {}),
    404: ("No such symbol; `nearest` names some that are like it.",
          BODIES["Problem"]["examples"][0], {}),
    503: ("Not ready, or too many connections.",
          details(503, "overloaded", "not every feed has loaded its symbols yet"),
          {"Retry_After": "Seconds after which to come back."}),
    "default": ("Any other problem.", None, {}),
}  # fmt: skip


def described(schema: str, **headers: str) -> Described:
    """How a success looks, for the reference: a schema of `web.schemas.BODIES`, with its example."""
    body = BODIES[schema]
    content = {"application/json": {"schema": ref(schema), "example": body["examples"][0]}}
    return {200: {"description": body["description"], "content": content, "headers": _headers(headers)}}


def described_text(description: str, media: str, example: str) -> Described:
    """How a success looks that is no JSON."""
    return {200: {"description": description, "content": {media: {"schema": {"type": "string"}, "example": example}}}}


def with_csv(described: Described, example: str) -> Described:
    """The same success as a table, too."""
    described[200]["content"]["text/csv"] = {"schema": {"type": "string"}, "example": example}
    return described


def problems(*statuses: int, open_to_all: bool = False) -> Described:
    """How these failures look, for the reference; and 401, but for paths that are open to all."""
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
