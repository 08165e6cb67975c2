"""The two reference documents, made of the code's own types: `/openapi.json` for HTTP, `/asyncapi.json` for the stream.

FastAPI knows the paths and parameters; their exact meaning and the schema of every body are added here.
"""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response

from ticker import __version__
from ticker.protocol import PROTOCOL
from web.answers import answer
from web.schemas import (
    BODIES,
    CURSOR,
    FIELD_ITEM,
    FRAMES,
    MESSAGES,
    PATTERN_ITEM,
    RECORDS,
    SYMBOL_ITEM,
    Schema,
    listing,
    value,
)  # fmt: skip

SUMMARY = "Live market prices: snapshots, changes since a cursor, and a stream."
ABOUT = """One idea carries all of it: the store has one *version*, and every answer is "what changed since version V".

Send the `cursor` of an answer back to get only what has changed since; with `wait_s`, as soon as something does. The
same changes are pushed over a WebSocket at `/ws`, described in [asyncapi.json](asyncapi.json), and as server-sent
events at `/api/stream`.

Prices and sizes are JSON numbers whose text is the exchange's own decimal text, without an exponent, trailing zeros
kept: to keep them exact, parse numbers as decimals. Times are milliseconds since 1970 UTC. Errors are problem details
(RFC 9457)."""
CLOSE_CODES = """Close codes: 1000, 1001 and 1012 (after `bye`): reconnect within its `retry_ms`. 1002, 1003, 1007 and
1009: a broken frame, a binary frame, bad UTF-8, a message too large: a bug in the client. 4000: too many bad messages.
4001: the token is missing, wrong or no longer valid. 4008 and 4009: took no bytes, answered no ping: reconnect with the
cursor. 4029: too many messages or frames: reconnect, and send fewer."""

_LIST: Schema = {"style": "form", "explode": False}
PARAMETERS: dict[str, Schema] = {
    "symbols": _LIST
    | {"schema": listing("patterns", PATTERN_ITEM, maxItems=1000, default=["*"]), "example": ["BTC-USD", "*-EUR"]},
    "fields": _LIST | {"schema": listing("fields", FIELD_ITEM, minItems=1), "example": ["last", "bid", "ask"]},
    "symbol": {"schema": SYMBOL_ITEM, "example": "BTC-USD"},
    "cursor": {"schema": CURSOR, "example": CURSOR["examples"][0]},
    "last-event-id": {"schema": CURSOR, "example": CURSOR["examples"][0]},
    "if-none-match": {"schema": {"type": "string"}, "example": '"1795386000123-4711-9f3a61c27b04d5e8-json"'},
    "wait_s": {"example": 0},
    "format": {"example": "json"},
    "interval_ms": {"example": 250},
    "interval": {"example": "1m"},
    "limit": {"example": 100},
    "points": {"example": 60},
}
"""What FastAPI cannot know about a parameter: that a string is a list, what it may contain, and an example."""
SPARKLINE_SYMBOLS = _LIST | {"schema": listing("symbols", {"type": "string"}, maxItems=100), "example": ["BTC-USD"]}


def describe(app: FastAPI, *, with_tokens: bool) -> None:
    """Complete an application's `/openapi.json`; `with_tokens`: prices need a token."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _openapi(app)
            if with_tokens:
                _ask_for_tokens(app.openapi_schema)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def make_router(base_path: str) -> APIRouter:
    """The path of the stream's description."""
    router = APIRouter()

    @router.get("/asyncapi.json", include_in_schema=False)
    async def stream_description(request: Request) -> Response:
        secure = request.url.scheme == "https"
        return answer(orjson.dumps(asyncapi(request.url.netloc, base_path, secure=secure)))

    return router


def _openapi(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title="ticker", version=__version__, summary=SUMMARY, description=ABOUT, routes=app.routes)
    for path, methods in document["paths"].items():
        for parameter in methods["get"].get("parameters", ()):
            name = parameter["name"]
            plain = path == "/api/sparklines" and name == "symbols"
            parameter.update(SPARKLINE_SYMBOLS if plain else PARAMETERS[name])
    document["components"] = {"schemas": RECORDS | BODIES | FRAMES}
    document["info"]["license"] = {"name": "MIT", "identifier": "MIT"}
    return document


def _ask_for_tokens(document: dict[str, Any]) -> None:
    document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, methods in document["paths"].items():
        if path.startswith("/api/"):
            methods["get"]["security"] = [{"token": []}]


def asyncapi(host: str, base_path: str, *, secure: bool) -> dict[str, Any]:
    """The AsyncAPI 3.0 document of the stream, for clients that reach the service under this host."""
    messages = {name: _message(name, schema) for name, schema in (FRAMES | MESSAGES).items()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "ticker", "version": __version__, "license": {"name": "MIT"},
            "description": f"The stream protocol, version {PROTOCOL}. {SUMMARY}\n\n{CLOSE_CODES}",
        },
        "defaultContentType": "application/json",
        "servers": {"this": {
            "host": host, "protocol": "wss" if secure else "ws",
            **({"pathname": base_path} if base_path else {}),
        }},
        "channels": {"stream": {
            "address": "/ws", "title": "The stream", "servers": [{"$ref": "#/servers/this"}],
            "description": "One JSON object per text frame. The URL can replace the first `subscribe`.",
            "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            "bindings": {"ws": {"method": "GET", "query": _URL, "bindingVersion": "0.1.0"}},
        }},
        "operations": {
            "tell": _operation("send", "What the service sends: replies, and changes as they happen.", FRAMES),
            "ask": _operation("receive", "What a client may send; each message gets exactly one reply.", MESSAGES),
        },
        "components": {"messages": messages, "schemas": RECORDS | FRAMES | MESSAGES},
    }  # fmt: skip


_URL: Schema = {"type": "object", "properties": {
    "symbols": value("string", "patterns, separated by commas", "BTC-USD,alpha:*"),
    "fields": value("string", "fields, separated by commas", "last,ts"),
    "interval_ms": MESSAGES["subscribe"]["properties"]["interval_ms"], "cursor": CURSOR,
}}  # fmt: skip


def _message(name: str, schema: Schema) -> Schema:
    return {"name": name, "title": name, "summary": schema["description"],
            "payload": {"$ref": f"#/components/schemas/{name}"}}  # fmt: skip


def _operation(action: str, summary: str, messages: dict[str, Schema]) -> Schema:
    return {
        "action": action, "summary": summary, "channel": {"$ref": "#/channels/stream"},
        "messages": [{"$ref": f"#/channels/stream/messages/{name}"} for name in messages],
    }  # fmt: skip
