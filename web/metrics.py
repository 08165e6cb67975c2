"""What a scraper reads: `/metrics`, and `/metrics/prices` where that is switched on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from ticker.metrics import make_registry
from ticker.price_gauges import PriceCollector
from ticker.selection import Selection
from ticker.service import Service
from web.descriptions import described_text, problems
from web.problem import Problem

INLINE = 1000
"""Most samples that are encoded in the loop's own thread; more would delay all readers."""

PAGE = described_text("Counters and gauges, in the format that the scraper asks for.", "text/plain",
                      'ticker_feed_up{feed="alpha"} 1.0\n')  # fmt: skip
PAGE[200]["content"]["application/openmetrics-text"] = PAGE[200]["content"]["text/plain"]


class Collected:
    """A collector's metrics at one moment, for an encoder in another thread."""

    def __init__(self, collector: Collector) -> None:
        self._families = list(collector.collect())
        self.samples = sum(len(family.samples) for family in self._families)

    def collect(self) -> Iterable[Metric]:
        """The metrics; what an encoder calls."""
        return self._families


def make_router(service: Service) -> APIRouter:
    """The pages for one service."""
    router = APIRouter()
    registry = make_registry(service)
    patterns = service.settings.metrics.prices
    prices = PriceCollector(service.store, Selection.of(patterns)) if patterns else None

    @router.get("/metrics", summary="Metrics for Prometheus", tags=["service"], response_class=Response,
                responses=PAGE | problems())  # fmt: skip
    async def metrics(request: Request) -> Response:
        """Prometheus text, or OpenMetrics if the scraper asks for it."""
        return await _page(registry, request)

    @router.get("/metrics/prices", include_in_schema=prices is not None, summary="Prices for Prometheus",
                tags=["service"], response_class=Response, responses=PAGE | problems(404))  # fmt: skip
    async def price_metrics(request: Request) -> Response:
        """One gauge for each symbol that `metrics.prices` selects."""
        if prices is None:
            raise Problem(404, "bad_request", "price metrics are off; the setting metrics.prices selects symbols")
        return await _page(prices, request)

    return router


async def _page(collector: Collector, request: Request) -> Response:
    try:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
    except (TypeError, ValueError):  # the library takes any version for one of numbers
        encode, content_type = choose_encoder("")
    collected = Collected(collector)
    if collected.samples <= INLINE:
        body = encode(collected)
    else:
        body = await asyncio.to_thread(encode, collected)
    return Response(body, media_type=content_type, headers={"Cache-Control": "no-store"})
