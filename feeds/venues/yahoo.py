"""Yahoo's charts: delayed prices of stocks, funds, indices, currencies and futures, one request per symbol, no key.

High, low, volume and the change since the previous close are the session's. For cryptocurrencies they are not used:
Yahoo's are since midnight, with the volume in dollars. The market is closed if the price is not from the session that
Yahoo names, or if that is over. There is no list, so symbols must be named; they are Yahoo's except for `EUR-USD`
(`EURUSD=X`), `BRK.B` (`BRK-B`) and `GC_F` (`GC=F`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from feeds.exchange.adapter import exchange
from feeds.exchange.shapes import Shape, at, list_at, read_object, text_at
from feeds.exchange.venue import INTERVALS, Candles, Limits, Row, Venue
from ticker.errors import FeedError

_TICKER = Shape(
    wire="symbol", time="regularMarketTime", fields={"last": "regularMarketPrice"},
    optional={"high": "regularMarketDayHigh", "low": "regularMarketDayLow", "volume": "regularMarketVolume"},
)  # fmt: skip
_CURRENCIES = re.compile(
    "AED|ARS|AUD|BRL|CAD|CHF|CLP|CNH|CNY|COP|CZK|DKK|EGP|EUR|GBP|HKD|HUF|IDR|ILS|INR|ISK|JPY|KRW|KWD|MAD|MXN|MYR|"
    "NGN|NOK|NZD|PEN|PHP|PKR|PLN|QAR|RON|RUB|SAR|SEK|SGD|THB|TRY|TWD|UAH|USD|VND|ZAR"
)
_FX = re.compile(r"([A-Z]{3})?([A-Z]{3})=X")


def symbol(wire: str) -> str:
    if fx := _FX.fullmatch(wire):
        return f"{fx[1] or 'USD'}-{fx[2]}"  # `JPY=X` is USD-JPY
    return re.sub(r"-([ABC])\Z", r".\1", wire).replace("=", "_")


def yahoo_name(symbol: str) -> str:
    """The reverse of `symbol`; after a dot, A to C are share classes and other letters stock exchanges."""
    base, _, quoted = symbol.partition("-")
    if _CURRENCIES.fullmatch(base) and _CURRENCIES.fullmatch(quoted):
        return f"{base}{quoted}=X"
    return re.sub(r"\.([ABC])\Z", r"-\1", symbol).replace("_", "=")


def rest_request(symbols: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"/v8/finance/chart/{quote(yahoo_name(one), safe='=')}?interval=1d&range=1d" for one in symbols)


def parse_rest(body: bytes) -> list[Row]:
    return [_row(at(result, "meta")) for result in _results(body)]


def parse_candles(body: bytes) -> list[Any]:
    """Answers are in columns, with nulls where nobody traded; a day begins with its session."""
    (result,) = _results(body)
    meta, times, prices = at(result, "meta"), at(result, "timestamp"), at(result, "indicators", "quote", 0)
    columns = [times, *(at(prices, name) for name in ("open", "high", "low", "close", "volume"))]
    later_s = int(text_at(meta, "gmtoffset")) if text_at(meta, "dataGranularity") == "1d" else 0
    rows = zip(*(list_at(column or []) for column in columns), strict=True)
    bars = [[int(text_at(t)) + later_s, *bar] for t, *bar in rows if any(bar)]
    counted = text_at(meta, "instrumentType") not in {"CRYPTOCURRENCY", "CURRENCY"}  # others are in dollars or zero
    return bars if counted else [bar[:5] for bar in bars]


def _results(body: bytes) -> list[Any]:
    answer = read_object(body)
    if at(answer, "chart", "error") or at(answer, "finance", "error"):
        raise FeedError(f"Yahoo says {body[:150]!r}")
    return list_at(answer, "chart", "result")


def _row(meta: Any) -> Row:
    row, kind = _TICKER.row(meta), text_at(meta, "instrumentType")
    if row.raw is None or kind == "CRYPTOCURRENCY":
        return row._replace(raw=row.raw and {"last": row.raw["last"]})
    if kind == "CURRENCY":
        row.raw.pop("volume", None)  # always 0
    if text_at(meta, "range") == "1d":  # else it is the close before a longer range
        row.raw["previous_close"] = text_at(meta, "chartPreviousClose")
    begin, end = (at(meta, "currentTradingPeriod", "regular", edge) for edge in ("start", "end"))
    traded = at(meta, "regularMarketTime")
    if isinstance(begin, int) and isinstance(traded, int) and isinstance(end, int):
        return row._replace(state="live" if begin <= traded < end else "closed", until=end * 1000)
    return row


YAHOO = Venue(
    name="yahoo",
    summary="Yahoo charts: stocks, funds, indices, currencies, futures",
    base_url="https://query2.finance.yahoo.com",
    limits=Limits(interval_s=15.0, gap_s=1.0, symbols_per_request=1),
    rest_request=rest_request, parse_rest=parse_rest, fields=_TICKER.names, symbol=symbol, wire=yahoo_name,
    kind="delayed", clock="exchange", time_unit="s", change_from="previous_close", late_s=1800.0,
    candles=Candles(  # its hours begin with the session, so they are built from quarters, which it keeps for 60 days
        request="/v8/finance/chart/{wire}?interval={interval}&period1={begin_s}&period2={end_s}", rows=parse_candles,
        time_unit="s", intervals={s: INTERVALS[s] for s in (60, 300, 900, 86_400)}, most=5000, kept=5000,
    ),
)  # fmt: skip
ADAPTER = exchange(YAHOO)
