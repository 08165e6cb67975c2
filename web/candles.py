"""Price history over HTTP: bars of one symbol, and sparklines of many.

A handler waits for a venue's own bars at most as long as `ticker.past` does; bars recorded here need no waiting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from ticker.candles import Row
from ticker.past import MAX_BARS
from ticker.record import Record
from ticker.service import Service
from ticker.slices import parts
from web.addresses import Addresses
from web.answers import answer, in_turns, unknown_symbol
from web.descriptions import described, problems, with_csv
from web.parameters import listed, selection_of
from web.problem import Problem
from web.tables import bars_table, decimal, table_answer

SPARKLINES = 100
"""Most symbols in one request."""
POINTS = 240
"""Most minutes in one sparkline."""

Interval = Literal["1s", "1m", "5m", "15m", "1h", "4h", "1d"]

EXAMPLE_CSV = "t,open,high,low,close,volume,flags\r\n1795386060000,97412.40,97412.40,97409.90,97410.00,,o\r\n"


def make_router(service: Service, addresses: Addresses) -> APIRouter:
    """The two paths for one service."""
    router = APIRouter()

    @router.get("/api/candles/{symbol}", summary="Bars of one symbol", tags=["prices"], response_class=Response,
                responses=with_csv(described("Candles"), EXAMPLE_CSV) | problems(400, 404, 503))  # fmt: skip
    async def candles(
        request: Request,
        symbol: Annotated[str, Path(description="A symbol, `BTC-USD` or `alpha:BTC-USD`.")],
        interval: Annotated[Interval, Query(description="Length of a bar; bars start at multiples of it, UTC.")] = "1m",
        limit: Annotated[int, Query(ge=1, le=MAX_BARS, description="How many of the newest bars.")] = 500,
        shape: Annotated[Literal["json", "csv"], Query(alias="format", description="JSON, or a CSV table.")] = "json",
    ) -> Response:
        """A bar is `[start, open, high, low, close, volume or null, flags]`.

        Prices are `last`, or the mid where there is none. Flags: `o` still open, `g` data was missing in it, `v` the
        venue's own bar. An interval without changes repeats the close before it. `since` says when recording began;
        older bars are the venue's, if it has any.
        """
        selection_of([symbol], (), service)  # refuses a malformed symbol
        record = service.store.get(symbol)
        if record is None:
            raise unknown_symbol(service, addresses.of(request), symbol)
        since, rows = await service.candles.bars(record, interval, limit)
        digits = _digits(record)
        if shape == "csv":
            return table_answer(bars_table(rows, digits), {"Cache-Control": "no-store"})
        lines = await in_turns(service, (",".join(_bar(row, digits) for row in part).encode() for part in parts(rows)))
        head = orjson.dumps({"symbol": symbol, "interval": interval, "since": since})[:-1]
        return answer(b'%b,"bars":[%b]}' % (head, b",".join(lines)))

    @router.get("/api/sparklines", summary="Closes of the last minutes for many symbols", tags=["prices"],
                response_class=Response, responses=described("Sparklines") | problems(400))  # fmt: skip
    async def sparklines(
        symbols: Annotated[tuple[str, ...], Query(description=f"Symbols, separated by commas; at most {SPARKLINES}.")],
        points: Annotated[int, Query(ge=1, le=POINTS, description="How many minutes.")] = 60,
    ) -> Response:
        """`null` where nothing is known; unknown symbols are left out. The last minute, until `end`, is still open."""
        names = listed(symbols)
        if len(names) > SPARKLINES:
            raise Problem(400, "too_many_symbols", f"at most {SPARKLINES} symbols a request")
        records = [r for name in names if (r := service.store.get(name)) and not r.is_feed]
        end, closes = await service.candles.closes(records, points)
        lines = await in_turns(service, (b'"%b":%b' % (r.key.encode(), _rounded(r, row)) for r, row in closes))
        return answer(b'{"interval":"1m","end":%d,"closes":{%b}}' % (end, b",".join(lines)))

    return router


def _bar(row: Row, digits: int | None) -> str:
    """A bar as JSON, with numbers as in a table: no exponent, and as many decimals as the symbol is quoted in."""
    prices = ",".join(decimal(price, digits) for price in row[1:5])
    return f'[{row.t},{prices},{decimal(row.volume) or "null"},"{row.flags}"]'


def _rounded(record: Record, prices: Sequence[float | None]) -> bytes:
    """Prices as JSON, with as many decimals as the symbol is quoted in."""
    digits = _digits(record)
    digits = 12 if digits is None else digits  # enough for any price
    return orjson.dumps([price if price is None else round(price, digits) for price in prices])


def _digits(record: Record) -> int | None:
    """How many decimals the symbol is quoted in; None if that is not known."""
    decimals = record.get("decimals")
    return decimals if isinstance(decimals, int) else None
