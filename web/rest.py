"""Prices over HTTP: the same question as on the stream, "what changed since?", answered once.

Handlers are plain reads of the store in the loop's own thread; none of them waits.
"""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Path, Query
from fastapi.responses import Response

from ticker import protocol
from ticker.protocol import Cursor
from ticker.record import Record
from ticker.selection import ALL_FIELDS, Selection
from ticker.service import Service
from web.answers import (
    CURSOR_HELP,
    FIELDS_HELP,
    SYMBOLS_HELP,
    answer,
    described,
    problems,
    selection_of,
    unknown_symbol,
)

EXAMPLE_QUOTES = {
    "cursor": "1795386000123:4711:9f3a61c27b04d5e8", "since": None, "version": 4711, "time": 1795386012345,
    "quotes": {"BTC-USD": {"last": 97412.35, "bid": 97412.30, "ask": 97412.35, "state": "live", "source": "kraken"}},
}  # fmt: skip


def make_router(service: Service) -> APIRouter:
    """All paths under `/api`, and health, for one service."""
    router = APIRouter()

    @router.get("/api/quotes", summary="Quotes, whole or since a cursor", tags=["prices"],
                response_class=Response, responses=described("Quotes, and the new cursor.", EXAMPLE_QUOTES)
                | {304: {"description": "Nothing inside the selection has changed."}} | problems(400))  # fmt: skip
    async def quotes(
        symbols: Annotated[str, Query(description=SYMBOLS_HELP)] = "*",
        fields: Annotated[str | None, Query(description=FIELDS_HELP)] = None,
        cursor: Annotated[str | None, Query(description=CURSOR_HELP)] = None,
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        """`since: null` means everything: replace what you have. Otherwise merge, and drop what is in `gone`."""
        return _quotes(service, selection_of(symbols, fields, service), cursor, if_none_match)

    @router.get("/api/quotes/{symbol}", summary="One quote", tags=["prices"], response_class=Response,
                responses=described("The quote, with a cursor for `/api/quotes`.", {
                    "symbol": "BTC-USD", "cursor": "1795386000123:4711:9f3a61c27b04d5e8",
                    "quote": EXAMPLE_QUOTES["quotes"]["BTC-USD"]}) | problems(400, 404, 503))  # type: ignore[index]  # fmt: skip
    async def quote(
        symbol: Annotated[str, Path(description="A symbol, `BTC-USD` or `kraken:BTC-USD`.")],
    ) -> Response:
        """404 names the nearest symbols; 503 while no feed knows its symbols yet."""
        selection = selection_of(symbol, None, service)
        record = service.store.get(symbol)
        if record is None or record.is_feed or "*" in symbol:
            raise unknown_symbol(service, symbol)
        cursor = Cursor(service.store.epoch, service.store.version, selection.digest)
        body = protocol.piece(record, ALL_FIELDS).split(b":{", 1)[1]
        return answer(b'{"symbol":"%b","cursor":"%b","quote":{%b}' % (symbol.encode(), str(cursor).encode(), body))

    @router.get("/api/symbols", summary="What there is", tags=["prices"], response_class=Response,
                responses=described("Every consolidated symbol.", {"symbols": [
                    {"symbol": "BTC-USD", "name": "Bitcoin", "base": "BTC", "quote": "USD", "decimals": 2,
                     "venues": ["coinbase", "kraken"]}]}))  # fmt: skip
    async def symbols() -> Response:
        """Sorted by name; `venues` best first."""
        listed = [_instrument(service, r) for r in service.store.records() if not r.is_feed and ":" not in r.key]
        return answer(orjson.dumps({"symbols": sorted(listed, key=lambda entry: str(entry["symbol"]))}))

    @router.get("/api/feeds", summary="Where prices come from", tags=["service"], response_class=Response)
    async def feeds() -> Response:
        """State, counters, errors by reason and the last 20 changes of each feed."""
        return answer(orjson.dumps({"feeds": {f.status.name: _feed(f.status) for f in service.intake.feeds.values()}}))

    @router.get("/healthz", summary="The process lives", tags=["service"], response_class=Response)
    async def healthz() -> Response:
        """200 as long as the loop answers."""
        return answer(b'{"status":"ok"}')

    @router.get("/readyz", summary="Readers may come", tags=["service"], response_class=Response)
    async def readyz() -> Response:
        """200 once the feeds have delivered; 503 with the reasons before, and while shutting down."""
        reasons = service.not_ready()
        body = orjson.dumps({"status": "not ready" if reasons else "ready", "reasons": reasons})
        return answer(body, 503 if reasons else 200)

    return router


def _quotes(service: Service, selection: Selection, cursor_text: str | None, etag_seen: str | None) -> Response:
    store = service.store
    scope = store.resolve(selection)
    try:
        etag = f'"{store.epoch}-{store.newest(scope)}-{selection.digest}-json"'
        if etag_seen and etag in etag_seen:  # quotes and all, so in a list and behind a proxy's `W/`, too
            return Response(status_code=304, headers={"ETag": etag, "Cache-Control": "no-cache"})
        cursor = Cursor.parse(cursor_text) if cursor_text else None
        changes = store.changes(scope, cursor.since(store.epoch, selection) if cursor else None)
    finally:
        store.release(scope)
    body, rows = protocol.data_body(changes.records, changes.gone)
    since = b"null" if changes.since is None else b"%d" % changes.since
    head = b'{"cursor":"%b","since":%b,"version":%d,"time":%d' % (
        str(Cursor(store.epoch, store.version, selection.digest)).encode(), since, store.version,
        service.clock.wall_ms(),
    )  # fmt: skip
    if not rows:
        body = b',"quotes":{}' + body
    return answer(head + body + b"}", headers={"ETag": etag, "Cache-Control": "no-cache"})


def _instrument(service: Service, record: Record) -> dict[str, Any]:
    base, _, quote = record.key.partition("-")
    venues = [symbol.partition(":")[0] for symbol in service.consolidator.venues(record.key)]
    return {
        "symbol": record.key, "name": record.get("name"), "base": base, "quote": quote or None,
        "decimals": record.get("decimals"), "venues": venues,
    }  # fmt: skip


def _feed(status: Any) -> dict[str, Any]:
    return {
        "state": status.state, "since": status.since, "kind": status.kind, "clock": status.clock,
        "message": status.message, "symbols": status.symbols, "last_data": status.last_data_at,
        "rate": round(status.rate, 1), "updates": status.updates, "reconnects": status.reconnects,
        "received_bytes": status.received_bytes, "polls": status.polls,
        "errors": {reason: n for reason, n in status.errors.items() if n},
        "rejects": {reason: n for reason, n in status.rejects.items() if n},
        "changes": [change._asdict() for change in status.changes],
    }  # fmt: skip
