"""Where the price of one instrument comes from: its venues, the one followed now, and the one before."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from ticker.service import Service
from web.addresses import Addresses
from web.answers import answer, unknown_symbol
from web.descriptions import described, problems
from web.parameters import selection_of
from web.problem import Problem


def make_router(service: Service, addresses: Addresses) -> APIRouter:
    """The one path."""
    router = APIRouter()

    @router.get("/api/sources/{symbol}", summary="Source of a price", tags=["prices"], response_class=Response,
                responses=described("Source") | problems(400, 404, 503))  # fmt: skip
    async def sources(
        request: Request,
        symbol: Annotated[str, Path(description="A consolidated symbol, `BTC-USD`.")],
    ) -> Response:
        """`venues` are in order of preference; at `since`, `source` took over from `before`, `null` if from none."""
        selection_of([symbol], (), service)  # refuses a malformed symbol
        venue, _, instrument = symbol.rpartition(":")
        if venue:
            detail = f"'{symbol}' is a venue's own price; ask for '{instrument}'"
            raise Problem(404, "unknown_symbol", detail, nearest=[instrument])
        record = service.store.get(symbol)
        if record is None or record.is_feed:
            raise unknown_symbol(service, addresses.of(request), symbol)
        turn = service.consolidator.turn(symbol)
        ago_s = None if turn is None else service.clock.monotonic() - turn[1]
        return answer(orjson.dumps({
            "symbol": symbol,
            "source": record.get("source"),
            "since": None if ago_s is None else round(service.clock.wall_ms() - 1000 * ago_s),
            "before": None if turn is None else turn[0].partition(":")[0],
            "venues": [venue.partition(":")[0] for venue in service.consolidator.venues(symbol)],
        }))  # fmt: skip

    return router
