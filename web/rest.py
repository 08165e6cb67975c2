"""Symbols, feeds and health: plain reads in the loop's own thread, long ones spread over several turns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response

from ticker.model import FeedStatus, currencies
from ticker.record import Record
from ticker.service import Service
from ticker.slices import parts
from web.admission import Admission
from web.answers import (
    InHand,
    Symbols,
    admit_patterns,
    answer,
    check_snapshot,
    in_turns,
    scope_of,
    selection_of,
    unknown_members,
)
from web.descriptions import described, problems
from web.schemas import ref

NOT_READY = {"description": "Not ready yet, or shutting down.", "content": {"application/json": {
    "schema": ref("Readiness"), "example": {"status": "not ready", "reasons": ["shutting down"]}}}}  # fmt: skip


def make_router(service: Service, admission: Admission) -> APIRouter:
    """The paths for one service."""
    router = APIRouter()

    @router.get("/api/symbols", summary="List of symbols", tags=["prices"], response_class=Response,
                responses=described("Symbols") | problems(400, 503))  # fmt: skip
    async def symbols(request: Request, in_hand: InHand, symbols: Symbols = ("*",)) -> Response:
        """Sorted by name; `venues` are in order of preference.

        `unknown` lists the requested symbols that do not exist (yet), `loading` the feeds that may still bring them.
        """
        address, selection = admission.address(request), selection_of(symbols, (), service)
        await admit_patterns(service, address, selection)
        with scope_of(service, selection) as scope:
            records = [record for name in scope.symbols() if (record := service.store.get(name)) is not None]
        check_snapshot(service, address, len(records), in_hand)
        entries = b",".join(await in_turns(service, _instruments(service, records)))
        return answer(b'{"symbols":[%b]%b}' % (entries, unknown_members(service, address, selection)))

    @router.get("/api/feeds", summary="Feeds and their health", tags=["service"], response_class=Response,
                responses=described("Feeds") | problems())  # fmt: skip
    async def feeds() -> Response:
        """State, counters, errors by reason and the last 20 changes of each feed."""
        return answer(orjson.dumps({"feeds": {f.status.name: _feed(f.status) for f in service.intake.feeds.values()}}))

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


def _instruments(service: Service, records: Iterable[Record]) -> Iterator[bytes]:
    """The entries of these records, sorted by name and separated by commas, a slice at a time."""
    for part in parts(sorted(records, key=attrgetter("key"))):
        yield orjson.dumps([_instrument(service, record) for record in part])[1:-1]


def _instrument(service: Service, record: Record) -> dict[str, Any]:
    base, quote = currencies(record.instrument or record.key)
    sources = [record.key] if record.instrument else service.consolidator.venues(record.key)
    return {
        "symbol": record.key, "name": record.get("name"), "base": base, "quote": quote,
        "decimals": record.get("decimals"), "venues": [symbol.partition(":")[0] for symbol in sources],
    }  # fmt: skip


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
