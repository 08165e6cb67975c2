"""The list of symbols, made in slices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response

from ticker.model import currencies
from ticker.record import Record
from ticker.service import Service
from ticker.slices import parts
from web.addresses import Addresses
from web.answers import answer, in_turns, unknown_members
from web.charges import InHand, admit_patterns, check_snapshot, scope_of
from web.descriptions import described, problems
from web.parameters import Symbols, selection_of


def make_router(service: Service, addresses: Addresses) -> APIRouter:
    """The one path."""
    router = APIRouter()

    @router.get("/api/symbols", summary="List of symbols", tags=["prices"], response_class=Response,
                responses=described("Symbols") | problems(400, 503))  # fmt: skip
    async def symbols(request: Request, in_hand: InHand, symbols: Symbols = ("*",)) -> Response:
        """Sorted by name; `venues` are in order of preference.

        `unknown` lists the requested symbols that do not exist (yet), `loading` the feeds that may still bring them.
        """
        address, selection = addresses.of(request), selection_of(symbols, (), service)
        await admit_patterns(service, address, selection)
        with scope_of(service, selection) as scope:
            records = [record for name in scope.symbols() if (record := service.store.get(name)) is not None]
        check_snapshot(service, address, len(records), in_hand)
        entries = b",".join(await in_turns(service, _instruments(service, records)))
        return answer(b'{"symbols":[%b]%b}' % (entries, unknown_members(service, address, selection)))

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
