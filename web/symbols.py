"""What instruments there are: the list of symbols, made in slices, and where the price of one comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from ticker.model import currencies
from ticker.record import Record
from ticker.service import Service
from ticker.slices import parts
from web.addresses import Addresses
from web.answers import answer, in_turns, unknown_members, unknown_symbol
from web.charges import InHand, admit_patterns, check_snapshot, scope_of
from web.descriptions import described, problems
from web.parameters import Symbols, selection_of
from web.problem import Problem


def make_router(service: Service, addresses: Addresses) -> APIRouter:
    """The two paths for one service."""
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
            "before": None if turn is None else _venue(turn[0]),
            "venues": list(map(_venue, service.consolidator.venues(symbol))),
        }))  # fmt: skip

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
        "decimals": record.get("decimals"), "venues": list(map(_venue, sources)),
    }  # fmt: skip


def _venue(symbol: str) -> str:
    return symbol.partition(":")[0]
