"""The contract of all adapters with bars: requested as the exchange documents it, its answer becomes the right bars.

No exchange's bars were recorded but Yahoo's; the others' answers are written by hand, shape and order as documented.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest

from feeds.exchange.venue import Venue
from feeds.registry import adapters, loaders
from feeds.venues import yahoo
from tests.feeds.contract_maps import MAPS, Json
from tests.feeds.contract_stage import Stage
from tests.feeds.fake_exchange import FakeExchange, Reply
from tests.feeds.harness import run, supervised
from tests.feeds.recorded import Recorded
from ticker.model import Bar

VENUES = {name: one.venue for name, one in adapters(loaders(())).items() if isinstance(one.venue, Venue)}
TELLING = sorted(name for name, venue in VENUES.items() if venue.candles)

BEGIN_S = 1_795_381_200
"""The whole hour before the one in which the clock of a stage starts; `+ HOUR` begins that."""
HOUR = 3600
BARS = [
    Bar(BEGIN_S * 1000, 100.5, 110.25, 90.125, 105.0, 12.5),
    Bar((BEGIN_S + HOUR) * 1000, 105.0, 106.0, 104.0, 105.5, 0.75),
]
OLD, OPEN = ("100.5", "110.25", "90.125", "105.0", "12.5"), ("105.0", "106", "104", "105.5", "0.75")


@dataclass(frozen=True)
class Told:
    """What an exchange is asked, with the times of just before the first bar and the end of the last; its answer."""

    symbol: str
    target: str
    answer: Json
    list_answer: Json = None


def ohlcv(unit: int, *, text: bool = True, more: tuple[object, ...] = ()) -> list[list[object]]:
    """Both bars in the usual order of columns, the older first."""
    starts = (BEGIN_S * unit, (BEGIN_S + HOUR) * unit)
    return [[str(t) if text else t, *bar, *more] for t, bar in zip(starts, (OLD, OPEN), strict=True)]


def ordered(rows: list[list[object]], order: str) -> list[list[object]]:
    """The columns in another order, of `tohlcv`; what follows them stays."""
    return [[*(row["tohlcv".index(column)] for column in order), *row[6:]] for row in rows]


def numbers(rows: list[list[object]]) -> list[list[object]]:
    """Every text as a JSON number."""
    return [[json.loads(str(value)) for value in row] for row in rows]


_BINANCE_LIST = {"symbols": [{"symbol": "BTCUSDT", "baseAsset": "BTC", "quoteAsset": "USDT", "status": "TRADING"}]}
_BINANCE = Told(
    "BTC-USDT",
    "/api/v3/klines?symbol=BTCUSDT&interval=1h&startTime={begin_ms}&endTime={end_ms}&limit=1000",
    ohlcv(1000, text=False, more=(BEGIN_S * 1000 + 3_599_999, "1250.1", 7, "1", "100.1", "0")),
    _BINANCE_LIST,
)
_BYBIT_LIST = [{"symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "status": "Trading"}]


def _bybit(symbol: str, category: str) -> Told:
    return Told(
        symbol,
        "/v5/market/kline?symbol=BTCUSDT&interval=60&start={begin_ms}&end={end_ms}&limit=1000&category=" + category,
        {"retCode": 0, "retMsg": "OK", "result": {"list": ohlcv(1000, more=("1250.1",))[::-1]}},
        {"retCode": 0, "retMsg": "OK", "result": {"list": _BYBIT_LIST}},
    )


TOLD = {
    "alpaca": Told(
        "AAPL",
        "/v2/stocks/AAPL/bars?timeframe=1Hour&start=2026-11-22T20:59:59.999Z&end=2026-11-22T22:59:59.999Z&limit=10000"
        "&feed=iex",
        {
            "bars": [
                {"t": start, **dict(zip("ohlcv", map(float, bar), strict=True)), "n": 3, "vw": 101.5}
                for start, bar in (("2026-11-22T21:00:00Z", OLD), ("2026-11-22T22:00:00Z", OPEN))
            ],
            "symbol": "AAPL",
            "next_page_token": None,
        },
    ),
    "binance": _BINANCE,
    "binance_us": _BINANCE,
    "bitfinex": Told(
        "BTC-USD",
        "/v2/candles/trade:1h:tBTCUSD/hist?start={begin_ms}&end={end_ms}&limit=10000&sort=1",
        numbers(ordered(ohlcv(1000), "tochlv")),
        [["BTCUSD"], []],
    ),
    "bitstamp": Told(
        "BTC-USD",
        "/api/v2/ohlc/btcusd/?step=3600&start={begin_s}&end={end_s}&limit=1000",
        {"data": {"pair": "BTC/USD", "ohlc": [
            dict(zip(("timestamp", "open", "high", "low", "close", "volume"), row, strict=True)) for row in ohlcv(1)
        ]}},
        [{"url_symbol": "btcusd", "name": "BTC/USD", "trading": "Enabled"}],
    ),
    "bybit": _bybit("BTC-USDT", "spot"),
    "bybit_linear": _bybit("BTC-USDT.PERP", "linear"),
    "coinbase": Told(
        "BTC-USD",
        "/products/BTC-USD/candles?granularity=3600&start=2026-11-22T20:59:59.999Z&end=2026-11-22T22:59:59.999Z",
        numbers(ordered(ohlcv(1), "tlhocv"))[::-1],
        [{"id": "BTC-USD", "base_currency": "BTC", "quote_currency": "USD", "status": "online"}],
    ),
    "gateio": Told(
        "BTC-USDT",
        "/api/v4/spot/candlesticks?currency_pair=BTC_USDT&interval=1h&from={begin_s}&to={end_s}",
        [[t, "1250.1", close, high, low, first, volume, "true"] for t, first, high, low, close, volume in ohlcv(1)],
        [{"id": "BTC_USDT", "base": "BTC", "quote": "USDT", "trade_status": "tradable"}],
    ),
    "gemini": Told(
        "BTC-USD",
        "/v2/candles/btcusd/1hr",
        numbers(ohlcv(1000))[::-1],
        [{"symbol": "BTCUSD", "base_currency": "BTC", "quote_currency": "USD", "status": "open",
          "product_type": "spot"}],
    ),
    "kraken": Told(
        "BTC-USD",
        "/0/public/OHLC?pair=XXBTZUSD&interval=60&since={begin_s}",
        {"error": [], "result": {
            "XXBTZUSD": [[int(str(t)), *bar[:4], "99.9", bar[4], 7] for t, *bar in ohlcv(1)], "last": BEGIN_S,
        }},
        {"error": [], "result": {"XXBTZUSD": {"altname": "XBTUSD", "wsname": "XBT/USD"}}},
    ),
    "kucoin": Told(
        "BTC-USDT",
        "/api/v1/market/candles?symbol=BTC-USDT&type=1hour&startAt={begin_s}&endAt={end_s}",
        {"code": "200000", "data": ordered(ohlcv(1, more=("1250.1",)), "tochlv")[::-1]},
        {"code": "200000", "data": [
            {"symbol": "BTC-USDT", "baseCurrency": "BTC", "quoteCurrency": "USDT", "enableTrading": True}
        ]},
    ),
    "okx": Told(
        "BTC-USDT",
        "/api/v5/market/candles?instId=BTC-USDT&bar=1H&after={end_ms}&limit=300",
        {"code": "0", "msg": "", "data": ohlcv(1000, more=("1250.1", "1250.1", "0"))[::-1]},
        {"code": "0", "data": [{"instId": "BTC-USDT", "baseCcy": "BTC", "quoteCcy": "USDT", "state": "live"}]},
    ),
    "upbit": Told(
        "BTC-KRW",
        "/v1/candles/minutes/60?market=KRW-BTC&to=2026-11-22T22:59:59.999Z&count=200",
        [
            {"market": "KRW-BTC", "candle_date_time_utc": start, "candle_date_time_kst": "2026-11-23T06:00:00",
             "opening_price": float(bar[0]), "high_price": float(bar[1]), "low_price": float(bar[2]),
             "trade_price": float(bar[3]), "timestamp": 1795388399000, "candle_acc_trade_price": 1250.1,
             "candle_acc_trade_volume": float(bar[4]), "unit": 60}
            for start, bar in (("2026-11-22T22:00:00", OPEN), ("2026-11-22T21:00:00", OLD))
        ],
        [{"market": "KRW-BTC", "korean_name": "", "english_name": "Bitcoin"}],
    ),
    "yahoo": Told(
        "AAPL",
        "/v8/finance/chart/AAPL?interval=15m&period1={begin_s}&period2={end_s}",  # its hours are of the session
        {"chart": {"error": None, "result": [{
            "meta": {"instrumentType": "EQUITY", "dataGranularity": "15m", "gmtoffset": -18000},
            "timestamp": [BEGIN_S + 1800, BEGIN_S + 2700, BEGIN_S + HOUR, BEGIN_S + HOUR + 900],
            "indicators": {"quote": [{
                "open": [100.5, 100, 105.0, None], "high": [110.25, 110, 106, None], "low": [91, 90.125, 104, None],
                "close": [100, 105.0, 105.5, None], "volume": [12, 0.5, 0.75, None],
            }]},
        }]}},
    ),
}  # fmt: skip


def test_every_adapter_with_bars_is_here() -> None:
    assert sorted(TOLD) == TELLING


@pytest.mark.parametrize("name", TELLING)
def test_documented_requests_give_the_right_bars(name: str) -> None:
    """The very URL that is documented is requested, and its answer becomes the bars, oldest first."""
    told, of = TOLD[name], MAPS[name]

    async def main() -> tuple[list[Bar], list[str]]:
        async with FakeExchange() as exchange:
            stage = Stage(name, of, exchange)
            stage.lists(json.dumps(told.list_answer).encode())
            if of.list_at:  # a fixed answer whatever the query
                exchange.serve(of.list_at.partition("?")[0], Reply(body=json.dumps(told.list_answer).encode()))
            path = told.target.partition("?")[0]
            exchange.serve(path, Reply(body=json.dumps(told.answer).encode()))
            feed = stage.feed("stream" if of.stream_at else "poll", [told.symbol], timeout_s=60.0)
            async with supervised(feed, stage.sink, stage.clock):
                await stage.until(lambda: stage.sink.status.loaded or of.list_at is None)
                asking = asyncio.ensure_future(feed.history(f"{name}:{told.symbol}", HOUR, 2))
                await stage.until(asking.done)
            return asking.result(), [
                request.target for request in exchange.requests if request.target.partition("?")[0] == path
            ]

    bars, asked = run(main)
    begin, end = BEGIN_S * 1000 - 1, (BEGIN_S + 2 * HOUR) * 1000 - 1
    times = {"begin_ms": begin, "end_ms": end, "begin_s": begin // 1000, "end_s": end // 1000}
    assert asked[-1] == told.target.format(**times)
    assert bars == BARS


@pytest.mark.parametrize(
    ("name", "days"), [("AAPL", [2]), ("EURUSD=X", [1, 2, 3]), ("BTC-USD", [1, 2, 3])]
)  # fmt: skip
def test_each_recorded_day_is_a_bar_from_midnight(data_dir: Any, name: str, days: list[int]) -> None:
    """Each day of the recorded charts has a volume where that counts shares."""
    body = Recorded(data_dir, "yahoo").answer(f"chart-{name}-2020-01-01-to-2020-01-03.json")
    (sent,) = json.loads(body)["chart"]["result"]
    columns = sent["indicators"]["quote"][0]
    rows = yahoo.parse_candles(body)
    assert [row[0] // 86_400 - 18_261 for row in rows] == days
    for i, row in enumerate(rows):
        assert [float(text) for text in row[1:5]] == [columns[field][i] for field in ("open", "high", "low", "close")]
        assert row[5:] == ([columns["volume"][i]] if name == "AAPL" else [])
