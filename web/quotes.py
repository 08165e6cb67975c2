"""Quotes over HTTP: the stream's question, "what has changed since?", answered once, at once or when something has.

Every answer is of one version. A small one is read in one turn of the loop; a large one is made in slices, and is of
the version at its end. A table is read in one turn and then written in slices. A request that waits does so first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import Response

from ticker import protocol
from ticker.protocol import Cursor, members
from ticker.scope import Scope
from ticker.selection import ALL_FIELDS, Selection
from ticker.service import Service
from ticker.slices import LARGE, feed_pieces, parts
from ticker.store import Store
from web.admission import Admission
from web.answers import answer, in_turns, unknown_members, unknown_symbol
from web.charges import InHand, admit_patterns, as_problem, check_snapshot, scope_of
from web.descriptions import described, problems, with_csv
from web.parameters import CURSOR_HELP, Fields, Symbols, selection_of
from web.problem import Problem
from web.tables import quotes_table, table_answer
from web.waiting import wait_for_news

LONGEST_WAIT_S = 30

FORMAT_HELP = "JSON, or a CSV table, which is always complete and takes no cursor."
ETAG = "To be sent back in `If-None-Match`."
EXAMPLE_CSV = "symbol,last,ts\r\nBTC-USD,97412.35,1795386012345\r\n"


def make_router(service: Service, admission: Admission) -> APIRouter:
    """The two paths for one service."""
    router = APIRouter()
    store, hub, groups = service.store, service.hub, service.hub.groups

    @router.get("/api/quotes", summary="Quotes, all or those changed since a cursor", tags=["prices"],
                response_class=Response, responses=with_csv(described("Quotes", ETag=ETAG), EXAMPLE_CSV)
                | {304: {"description": "Nothing in the selection has changed."}}
                | problems(400, 403, 503))  # fmt: skip
    async def quotes(
        request: Request,
        in_hand: InHand,
        symbols: Symbols = ("*",),
        fields: Fields = (),
        cursor: Annotated[str | None, Query(description=CURSOR_HELP)] = None,
        wait_s: Annotated[float, Query(ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for a change.")] = 0,
        shape: Annotated[Literal["json", "csv"], Query(alias="format", description=FORMAT_HELP)] = "json",
        if_none_match: Annotated[str | None, Header(description="An earlier `ETag`.")] = None,
    ) -> Response:
        """`since: null` means a full answer: replace what you have. Otherwise merge it, and drop what is in `gone`.

        A full answer lists in `unknown` the requested symbols that do not exist (yet), and in `loading` the feeds that
        may still bring them.

        With `wait_s`, if nothing has changed since `cursor`, the answer comes when something does, or with empty
        `quotes` when the time is up.
        """
        selection = selection_of(symbols, fields, service)
        address = admission.address(request)
        if cursor and shape == "csv":
            raise Problem(400, "bad_request", "a CSV table is always complete: leave out 'cursor' or 'format=csv'")

        def document(since: int | None, quotes: list[bytes], gone: list[str], others: list[bytes]) -> bytes:
            unknown = unknown_members(service, address, selection) if since is None else b""
            body = members(quotes, gone, others, always=True)
            return _document(service, _here(store, selection), since, body, unknown)

        await admit_patterns(service, address, selection)
        with scope_of(service, selection) as scope:
            if wait_s and await _is_quiet(service, scope, cursor):
                if (refused := admission.refusal(request)) is not None:
                    return refused
                with as_problem():
                    groups.admit(address, selection, 0, cursor)
                await wait_for_news(request, hub, selection, groups.since(selection, cursor) or 0, wait_s, address)
            since = groups.since(selection, cursor)
            if since is not None and store.is_behind(since):
                there = Cursor(store.epoch, since, selection.digest)
                return answer(_document(service, there, since, members([], [], [], always=True), b""))
            headers = {"ETag": _etag(store, scope, shape), "Cache-Control": "no-cache"}
            if not wait_s and _has(if_none_match, headers["ETag"]):
                return Response(status_code=304, headers=headers)
            much = since is None or store.changed(since, LARGE) >= LARGE
            if much and shape == "json" and (matched := store.matched(scope)) >= LARGE:
                check_snapshot(service, address, matched if since is None else store.changed(since, matched), in_hand)

                def large(quotes: list[bytes], gone: list[str]) -> Response:
                    headers["ETag"] = _etag(store, scope, shape)
                    return answer(document(since, quotes, gone, feed_pieces(store, since)), headers=headers)

                made = await hub.turns.complete(groups.line.make(address, selection, since, large))
                if made is not None:
                    return made
                in_hand.close()  # it could not be made; what follows counts anew
                since, headers["ETag"] = groups.since(selection, cursor), _etag(store, scope, shape)
            if shape == "csv":
                records = [record for symbol in scope.symbols() if (record := store.get(symbol))]
                check_snapshot(service, address, len(records), in_hand)
                return table_answer(b"".join(await in_turns(service, quotes_table(records, selection.mask))), headers)
            changes = store.changes(scope, since)
            if changes.since is None:
                check_snapshot(service, address, len(changes.records), in_hand)
            quotes, others = protocol.data_pieces(changes)
            return answer(document(changes.since, quotes, changes.gone, others), headers=headers)

    @router.get("/api/quotes/{symbol}", summary="One quote", tags=["prices"], response_class=Response,
                responses=described("Quote") | problems(400, 404, 503))  # fmt: skip
    async def quote(
        request: Request,
        symbol: Annotated[str, Path(description="A symbol, `BTC-USD` or `alpha:BTC-USD`.")],
    ) -> Response:
        """404 lists the nearest symbols, and feeds that may still bring it; 503 before any feed has loaded symbols."""
        selection = selection_of([symbol], (), service)
        record = store.get(symbol)
        if record is None or record.is_feed or "*" in symbol:
            raise unknown_symbol(service, admission.address(request), symbol)
        cursor = _here(store, selection)
        body = protocol.piece(record, ALL_FIELDS).split(b":{", 1)[1]
        return answer(b'{"symbol":"%b","cursor":"%b","quote":{%b}' % (symbol.encode(), str(cursor).encode(), body))

    return router


def _etag(store: Store, scope: Scope, shape: str) -> str:
    return f'"{store.epoch}-{store.newest(scope)}-{scope.selection.digest}-{shape}"'


def _has(if_none_match: str | None, etag: str) -> bool:
    """Whether the client has this; the header may be a list, with `W/` from a proxy, and `*` matches anything."""
    return if_none_match is not None and (etag in if_none_match or if_none_match.strip() == "*")


async def _is_quiet(service: Service, scope: Scope, cursor: str | None) -> bool:
    """Whether nothing in a selection has changed since a cursor; many changes are looked through in slices."""
    store = service.store
    epoch, since = store.epoch, service.hub.groups.since(scope.selection, cursor)
    if since is None or store.is_behind(since):
        return since is not None
    if store.changed(since, LARGE) >= LARGE and store.matched(scope) >= LARGE:
        version = await service.hub.turns.complete(_looked_through(store, scope, since))
        if version is None or store.epoch != epoch:
            return False
        since = version  # what is left to look at has come meanwhile
    changes = store.changes(scope, since)
    return changes.since is not None and not changes.records and not changes.gone


def _looked_through(store: Store, scope: Scope, since: int) -> Iterator[int | None]:
    """Look for a change since a version; the last step has the version up to which there was none, or None."""
    version, wanted = store.version, scope.selection.mask
    found = any(store.gone_since(scope, since)) or any(record.changed_since(since) for record in store.feeds())
    for part in parts(list(scope.symbols())):
        found = found or any((r := store.get(symbol)) and r.changed_since(since) & wanted for symbol in part)
        yield None if found else version
        if found:
            return


def _here(store: Store, selection: Selection) -> Cursor:
    return Cursor(store.epoch, store.version, selection.digest)


def _document(service: Service, cursor: Cursor, since: int | None, body: Iterable[bytes], unknown: bytes) -> bytes:
    head = b'{"cursor":"%b","since":%b,"version":%d,"time":%d' % (
        str(cursor).encode(), b"null" if since is None else b"%d" % since, cursor.version, service.clock.wall_ms(),
    )  # fmt: skip
    return b"".join([head, *body, unknown, b"}"])
