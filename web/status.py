"""The service's own health in numbers: what its page shows beside `/api/feeds`, without Prometheus."""

from __future__ import annotations

import functools
import platform
import resource
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import orjson
from fastapi import APIRouter
from fastapi.responses import Response

from ticker import __version__
from ticker.histogram import Histogram
from ticker.service import Service
from web.answers import answer
from web.descriptions import described, problems

LIBRARIES = ("fastapi", "uvicorn", "uvloop", "websockets", "orjson", "httpx")


def make_router(service: Service) -> APIRouter:
    """The one path."""
    router = APIRouter()
    versions = {"ticker": __version__, "python": platform.python_version()} | _installed()

    @router.get("/api/status", summary="Status of the service", tags=["service"], response_class=Response,
                responses=described("Status") | problems())  # fmt: skip
    async def status() -> Response:
        """Counters count from the start; a histogram's `counts` has one more entry than its `bounds`."""
        return answer(orjson.dumps(_status(service, versions)))

    return router


def _status(service: Service, versions: dict[str, str]) -> dict[str, Any]:
    hub, store = service.hub, service.store
    fanout = hub.groups.counts
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "time": service.clock.wall_ms(),
        "started_at": service.started_at,
        "reasons": service.not_ready(),
        "versions": versions,
        "memory_bytes": _memory_bytes(usage.ru_maxrss),
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "store": {
            "epoch": store.epoch, "version": store.version, "symbols": store.count,
            "stale": service.origin.stale, "history_bytes": service.candles.bytes,
        },
        "readers": {
            "connected": hub.connected, "subscriptions": len(hub.groups), "lagging": hub.groups.lagging,
            "pending_bytes": hub.pending_bytes, "conflated": fanout.conflated, "sent_rows": fanout.rows,
            "sent_bytes": fanout.bytes, "disconnects": {str(code): n for code, n in hub.counts.disconnects.items()},
            "rejects": hub.counts.rejects,
        },
        "flush_s": _histogram(hub.counts.flush),
        "fanout_s": _histogram(hub.counts.fanout_lag),
        "loop_s": _histogram(hub.counts.loop_lag),
    }  # fmt: skip


def _histogram(histogram: Histogram) -> dict[str, Any]:
    return {"bounds": histogram.bounds, "counts": histogram.counts, "total": histogram.total}


@functools.cache
def _installed() -> dict[str, str]:
    """Versions of libraries, looked up once: each takes half a millisecond."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # installed without its metadata
            continue
    return found


def _memory_bytes(peak: int) -> int:
    """Resident memory now; its peak where the system does not tell."""
    statm = Path("/proc/self/statm")
    if statm.is_file():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    return peak if sys.platform == "darwin" else peak * 1024
