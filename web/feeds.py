"""How each feed is."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter
from fastapi.responses import Response

from ticker.model import FeedStatus
from ticker.service import Service
from web.answers import answer
from web.descriptions import described, problems


def make_router(service: Service) -> APIRouter:
    """The one path."""
    router = APIRouter()

    @router.get("/api/feeds", summary="Feeds and their health", tags=["service"], response_class=Response,
                responses=described("Feeds") | problems())  # fmt: skip
    async def feeds() -> Response:
        """State, counters, errors by reason and the last 20 changes of each feed."""
        return answer(orjson.dumps({"feeds": {feed.name: _feed(feed) for feed in service.intake.statuses}}))

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
