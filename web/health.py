"""Health: whether the process lives, and whether it is ready for readers."""

from __future__ import annotations

import orjson
from fastapi import APIRouter
from fastapi.responses import Response

from ticker.service import Service
from web.answers import answer
from web.descriptions import described, problems
from web.schemas import ref

NOT_READY = {"description": "Not ready yet, or shutting down.", "content": {"application/json": {
    "schema": ref("Readiness"), "example": {"status": "not ready", "reasons": ["shutting down"]}}}}  # fmt: skip


def make_router(service: Service) -> APIRouter:
    """The two paths."""
    router = APIRouter()

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
