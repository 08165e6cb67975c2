"""Bars and sparklines over HTTP: their form, refusals, and a page that is complete from the start."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from tests.running import READY_S, running
from tests.web.server import PRICES, Live, serving, until
from ticker.model import BAR_LENGTHS_MS, Bar, Quote
from ticker.past import MAX_BARS, PAUSE_MS
from ticker.protocol import ERROR_CODES
from web.candles import POINTS, SPARKLINES, Interval

HOUR = 3_600_000


def offer_past(live: Live, *, local: bool = False) -> None:
    """Give the feed a past; its prices have more digits than are quoted."""

    async def history(symbol: str, interval_s: int, limit: int) -> list[Bar]:
        assert symbol in {f"toy:{name}" for name in PRICES}
        span_ms = interval_s * 1000
        newest = live.clock.wall_ms() // span_ms
        return [Bar(n * span_ms, 1.123, 9e5, 0.5, 2.5, 0.125) for n in range(newest - limit + 1, newest + 1)]

    live.service.candles.past.offer("toy", history, local=local)


async def check_problem(live: Live, target: str, status: int, code: str, word: str) -> dict[str, Any]:
    """The answer is a problem document of this status and code, and its detail contains the word."""
    answer = await live.get(target)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert (answer.json["status"], answer.json["code"]) == (status, code)
    assert code in ERROR_CODES
    assert word in answer.json["detail"]
    return dict(answer.json)


@serving()
async def test_bars_have_times_prices_volume_and_flags(live: Live) -> None:
    """Each is start, open, high, low, close, volume or null, flags; `since` says when recording began."""
    offer_past(live)
    answer = await live.get("/api/candles/BTC-USD?interval=1h&limit=2")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json.keys() == {"symbol", "interval", "since", "bars"}
    assert (answer.json["symbol"], answer.json["interval"]) == ("BTC-USD", "1h")
    assert 0 <= live.clock.wall_ms() - answer.json["since"] < HOUR
    older, newest = answer.json["bars"]
    assert older[1:] == [1.123, 9e5, 0.5, 2.5, 0.125, "v"]
    assert newest == [older[0] + HOUR, 1.123, 9e5, 0.5, 97000.1, None, "ov"]
    assert older[0] % HOUR == 0


@serving()
async def test_json_and_csv_have_the_same_numbers(live: Live) -> None:
    """Seen: 0.00000150 was 1.5e-06 in JSON, and 72.50 was 72.5, contrary to the reference."""
    live.feed.publish([Quote("toy:PEPE-USD", {"last": "0.00000150", "decimals": 8})])
    live.hub.flush()
    document = (await live.get("/api/candles/PEPE-USD")).body.decode()
    table = (await live.get("/api/candles/PEPE-USD?format=csv")).body.decode()
    assert ",0.00000150,0.00000150,0.00000150,0.00000150," in table
    assert ",0.00000150,0.00000150,0.00000150,0.00000150,null," in document


@serving()
async def test_every_interval_of_the_protocol_is_answered(live: Live) -> None:
    """All seven are answered, for a venue symbol as well; the newest bar is open; 1m and 500 are the defaults."""
    offer_past(live)
    assert get_args(Interval) == tuple(BAR_LENGTHS_MS) == ("1s", "1m", "5m", "15m", "1h", "4h", "1d")
    for interval, span_ms in BAR_LENGTHS_MS.items():
        for symbol in ("BTC-USD", "toy:BTC-USD"):
            answer = (await live.get(f"/api/candles/{symbol}?interval={interval}&limit=3")).json
            assert (answer["symbol"], answer["interval"]) == (symbol, interval)
            times = [bar[0] for bar in answer["bars"]]
            assert times == [times[0] + n * span_ms for n in range(3)]
            assert ["o" in bar[6] for bar in answer["bars"]] == [False, False, True]
    answer = (await live.get("/api/candles/BTC-USD")).json
    assert (answer["interval"], len(answer["bars"])) == ("1m", 500)
    assert len((await live.get(f"/api/candles/BTC-USD?limit={MAX_BARS}")).json["bars"]) == MAX_BARS


@pytest.mark.parametrize(
    ("target", "status", "code", "word"),
    [
        ("/api/candles/BTC-USDX", 404, "unknown_symbol", "BTC-USD"),
        ("/api/candles/other:BTC-USD", 404, "unknown_symbol", "other:BTC-USD"),
        ("/api/candles/*", 404, "unknown_symbol", "'*'"),
        ("/api/candles/@toy", 400, "bad_request", "letters"),
        ("/api/candles/BTC-USD?interval=2m", 400, "bad_request", "'5m'"),
        ("/api/candles/BTC-USD?limit=0", 400, "bad_request", "'limit'"),
        (f"/api/candles/BTC-USD?limit={MAX_BARS + 1}", 400, "bad_request", str(MAX_BARS)),
        ("/api/candles/BTC-USD?limit=many", 400, "bad_request", "integer"),
        ("/api/sparklines", 400, "bad_request", "'symbols' is required"),
        (f"/api/sparklines?symbols=BTC-USD&points={POINTS + 1}", 400, "bad_request", str(POINTS)),
        ("/api/sparklines?symbols=" + ",".join(f"S{n}" for n in range(SPARKLINES + 1)), 400, "too_many_symbols", "100"),
    ],
)
@serving()
async def test_wrong_requests_get_a_problem_document(
    live: Live, target: str, status: int, code: str, word: str
) -> None:
    """Unknown symbols, intervals and counts get a problem document that says what is wrong."""
    await check_problem(live, target, status, code, word)


@serving()
async def test_an_unknown_symbol_is_404_with_the_nearest(live: Live) -> None:
    """404 lists the nearest symbols, as for a quote."""
    problem = await check_problem(live, "/api/candles/BTC-USDX", 404, "unknown_symbol", "BTC-USD")
    assert problem["nearest"][0] == "BTC-USD"


@serving({})
async def test_no_symbol_is_unknown_before_a_feed_has_loaded(live: Live) -> None:
    """A page that asks too early is told to ask again; sparklines are just empty."""
    answer = await live.get("/api/candles/BTC-USD")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert (await live.get("/api/sparklines?symbols=BTC-USD")).json["closes"] == {}


@serving()
async def test_a_suspended_machine_leaves_a_gap(live: Live) -> None:
    """After a pause of a minute, in which the process stood still, it is unknown what prices did meanwhile."""
    await until(lambda: sum(live.hub.counts.loop_lag.counts) > 1)  # it has ticked
    live.clock.step(60)
    live.publish({"BTC-USD": "98000"})
    bars = (await live.get("/api/candles/BTC-USD?interval=1s&limit=50")).json["bars"]
    assert {bar[6] for bar in bars[:-1]} == {"g"}


@serving()
async def test_sparklines_have_a_close_a_minute(live: Live) -> None:
    """One close a minute, oldest first, null where nothing is known; unknown symbols and feeds are left out."""
    answer = await live.get("/api/sparklines?symbols=BTC-USD,toy:ETH-USD,NO-USD,@toy,*,,BTC-USD&points=3")
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    now = live.clock.wall_ms()
    assert answer.json.keys() == {"interval", "end", "closes"}
    assert answer.json["interval"] == "1m"
    assert answer.json["end"] % 60_000 == 0
    assert 0 <= answer.json["end"] - now <= 60_000
    closes = answer.json["closes"]
    assert {symbol: len(line) for symbol, line in closes.items()} == {"BTC-USD": 3, "toy:ETH-USD": 3}
    # Between first and last, a minute may have begun since the price was said.
    assert [(line[0], line[-1]) for line in closes.values()] == [(None, 97000.1), (None, 3100.5)]


@serving()
async def test_sparklines_of_a_local_feed_are_complete(live: Live) -> None:
    """60 points by default, none of them missing."""
    offer_past(live, local=True)
    line = (await live.get("/api/sparklines?symbols=ETH-USD")).json["closes"]["ETH-USD"]
    assert (len(line), line[:58], line[-1]) == (60, [2.5] * 58, 3100.5)


@serving()
async def test_prices_have_the_digits_of_their_symbol(live: Live) -> None:
    """No float noise is sent, neither for a mid nor for a venue's own bar; a volume stays as it is."""
    offer_past(live)
    live.feed.publish([Quote("toy:ETH-USD", {"last": None, "bid": "0.10", "ask": "0.20", "decimals": 2})])
    live.hub.flush()
    older, newest = (await live.get("/api/candles/ETH-USD?interval=1h&limit=2")).json["bars"]
    assert (older[1:], newest[4]) == ([1.12, 900000.0, 0.5, 2.5, 0.125, "v"], 0.15)
    line = (await live.get("/api/sparklines?symbols=ETH-USD&points=1")).json["closes"]["ETH-USD"]
    assert line == [0.15]


@serving()
async def test_a_gauge_has_the_memory_of_history(live: Live) -> None:
    """`/metrics` says how much memory history takes, which is more after a request."""
    offer_past(live)

    async def gauge() -> float:
        lines = (await live.get("/metrics")).body.decode().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith("ticker_history_bytes "))

    before = await gauge()
    await live.get("/api/candles/toy:BTC-USD?limit=100")
    assert before < await gauge() == live.service.candles.bytes <= live.service.settings.history.max_mb * 2**20


@pytest.mark.timeout(240)
def test_the_first_page_of_the_simulator_is_complete() -> None:
    """A fresh service with no network answers full sparklines for forty symbols, and a full chart with volumes."""
    with running("--feed", "sim:40") as service:
        service.wait(lambda: len(service.get("/api/symbols")["symbols"]) == 40, "not all prices came")
        symbols = [entry["symbol"] for entry in service.get("/api/symbols")["symbols"]]
        lines: dict[str, list[str | None]] = {}

        def full() -> bool:
            """A busy machine takes more than one request's patience to make the past of forty symbols."""
            lines.update(service.get(f"/api/sparklines?symbols={','.join(symbols)}&points=60")["closes"])
            return not any(None in line for line in lines.values())

        again_s = PAUSE_MS[1] / 1000  # what did not come in time is asked for again after that
        service.wait(full, "the trends never filled", again_s + READY_S)
        assert list(lines) == symbols
        assert {len(line) for line in lines.values()} == {60}
        bars = service.get("/api/candles/BTC-USD?interval=5m&limit=50")["bars"]
        assert len(bars) == 50
        assert {bar[6] for bar in bars[:48]} == {"v"}  # one more may have ended since the feed told it
        assert all(float(bar[5]) > 0 for bar in bars[:48])
