"""Health: how each feed is, whether the process lives, and whether it is ready for readers."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter
from fastapi.responses import Response

from ticker.model import FeedStatus
from ticker.service import Service
from web.answers import answer
from web.descriptions import described, problems
from web.schemas import ref

NOT_READY = {"description": "Not ready yet, or shutting down.", "content": {"application/json": {
    "schema": ref("Readiness"), "example": {"status": "not ready", "reasons": ["shutting down"]}}}}  # fmt: skip


def make_router(service: Service) -> APIRouter:
    """The three paths."""
    router = APIRouter()

    @router.get("/api/feeds", summary="Feeds and their health", tags=["service"], response_class=Response,
                responses=described("Feeds") | problems())  # fmt: skip
    async def feeds() -> Response:
        """State, counters, errors by reason and the last 20 changes of each feed."""
        return answer(orjson.dumps({"feeds": {feed.name: _feed(feed) for feed in service.intake.statuses}}))

    @router.get("/healthz", summary="Liveness", tags=["service"], response_class=Response,
                responses=described("Health") | problems(open_to_all=True))  # fmt: skip
    async def healthz() -> Response:
        """200 as long as the process answers."""
        return answer(b'{"status":"ok"}')

    @router.get("/readyz", summary="Readiness", tags=["service"], response_class=Response,
                responses=described("Readiness") | {503: NOT_READY}
                | problems(open_to_all=True))  # fmt: skip
    async def readyz() -> Response:
        """200 once the feeds have delivered prices; 503 with the reasons before that, and while shutting down."""
        reasons = service.not_ready()
        body = orjson.dumps({"status": "not ready" if reasons else "ready", "reasons": reasons})
        return answer(body, 503 if reasons else 200)

    return router


def _feed(status: FeedStatus) -> dict[str, Any]:
    return {
        "state": status.state, "since": status.since, "kind": status.kind, "clock": status.clock,
        "message": status.message, "symbols": status.symbols, "last_data": status.last_data_at,
        "rate": round(status.rate, 1), "updates": status.updates, "reconnects": status.reconnects,
        "received_bytes": status.received_bytes, "idle_messages": status.idle_messages, "polls": status.polls,
        "errors": {reason: n for reason, n in status.errors.items() if n},
        "rejects": {reason: n for reason, n in status.rejects.items() if n},
        "changes": [change._asdict() for change in status.changes],
    }  # fmt: skip
