"""Yahoo's charts: recorded answers, names, sessions and errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from feeds.exchange.change import DayChanges
from feeds.exchange.directory import Directory
from feeds.exchange.judge import Judge
from feeds.exchange.venue import Row
from feeds.rows import good_values
from feeds.venues.yahoo import YAHOO, parse_candles, parse_rest, rest_request, symbol, yahoo_name
from tests.clock import ManualClock
from ticker.errors import FeedError
from ticker.model import FeedStatus

OPEN, CLOSE = 1740061800, 1740085200


def answer(**changes: object) -> bytes:
    """A chart of a stock in its session."""
    meta: dict[str, Any] = {
        "symbol": "AAPL", "instrumentType": "EQUITY", "regularMarketTime": OPEN + 60, "regularMarketPrice": 244.60,
        "regularMarketDayHigh": 246.01, "regularMarketDayLow": 243.16, "regularMarketVolume": 32129951,
        "chartPreviousClose": 241.53, "range": "1d",
        "currentTradingPeriod": {"regular": {"start": OPEN, "end": CLOSE}},
    }  # fmt: skip
    return json.dumps({"chart": {"result": [{"meta": {**meta, **changes}}], "error": None}}).encode()


def the_row(**changes: object) -> Row:
    (row,) = parse_rest(answer(**changes))
    return row


@pytest.mark.parametrize(
    ("wire", "canonical"),
    [
        ("AAPL", "AAPL"),
        ("BTC-USD", "BTC-USD"),
        ("EURUSD=X", "EUR-USD"),
        ("BRK-B", "BRK.B"),
        ("SHEL.L", "SHEL.L"),
        ("7203.T", "7203.T"),
        ("GC=F", "GC_F"),
        ("^GSPC", "^GSPC"),
    ],
)
def test_names_are_converted_both_ways_without_a_list(wire: str, canonical: str) -> None:
    """Names go both ways without a list."""
    assert (symbol(wire), yahoo_name(canonical)) == (canonical, wire)


def test_an_answer_under_the_short_name_is_understood() -> None:
    """Yahoo may answer a request for `USDJPY=X` as `JPY=X`."""
    assert (symbol("JPY=X"), yahoo_name("USD-JPY")) == ("USD-JPY", "USDJPY=X")


def test_each_symbol_takes_one_request() -> None:
    """It is for the chart of one day, and a name cannot break out of the path."""
    assert rest_request(["EUR-USD", "^GSPC"]) == (
        "/v8/finance/chart/EURUSD=X?interval=1d&range=1d",
        "/v8/finance/chart/%5EGSPC?interval=1d&range=1d",
    )
    assert YAHOO.limits.symbols_per_request == 1
    assert YAHOO.kind == "delayed"


@pytest.mark.parametrize(
    ("traded_at", "state"), [(OPEN - 1, "closed"), (OPEN, "live"), (CLOSE - 1, "live"), (CLOSE, "closed")]
)
def test_a_price_outside_the_session_is_of_a_closed_market(traded_at: int, state: str) -> None:
    """The session is the one that the chart names."""
    assert the_row(regularMarketTime=traded_at).state == state


def test_the_market_is_closed_once_its_session_is_over() -> None:
    """That holds for late prices, too, and whenever its last trade was.

    A thin stock whose last trade was before the bell stayed live all night.
    """
    clock = ManualClock()
    judge = Judge(YAHOO, Directory("yahoo", YAHOO, ("AAPL",)), "reject", clock)
    seconds = clock.wall_ms() // 1000
    session = {"regular": {"start": seconds - 3600, "end": seconds + 60}}
    rows = parse_rest(answer(regularMarketTime=seconds - 600, currentTradingPeriod=session))
    states = []
    for _ in range(3):
        (quote,) = judge.answer(rows, FeedStatus("yahoo", "delayed"))
        states.append(quote.values["state"])
        clock.tick(60 + YAHOO.late_s / 2)
    assert states == ["live", "live", "closed"]


def test_without_a_session_the_market_has_no_state() -> None:
    """Without a session nothing is said of the market."""
    assert the_row(currentTradingPeriod=None).state is None
    assert the_row(regularMarketTime=None).state is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "1.2711"),
        ({"regularMarketPrice": 100.00025, "chartPreviousClose": 100}, "0.0002"),
        ({"regularMarketPrice": 100.00035, "chartPreviousClose": 100}, "0.0004"),
        ({"chartPreviousClose": 0}, None),
        ({"chartPreviousClose": None}, None),
        ({"regularMarketPrice": None}, None),
    ],
)
def test_the_change_is_since_the_previous_close(changes: dict[str, object], expected: str | None) -> None:
    """It is in percent with four decimals, half-even; without the close there is none."""
    row = the_row(**changes)
    assert row.raw is not None
    values = good_values(row.raw, "reject")[0] or {}
    DayChanges(YAHOO.change_from, 10).complete("yahoo:X", values)
    assert values.get("change_pct") == expected
    assert "previous_close" not in values


def test_a_longer_chart_gives_no_change() -> None:
    """The close before it is that of another day."""
    row = the_row(range="5d")
    assert row.raw is not None
    assert "previous_close" not in row.raw


def test_a_cryptocurrency_has_only_its_price() -> None:
    """Its high and low are since midnight, its volume is in dollars, and its market never closes."""
    assert the_row(symbol="BTC-USD", instrumentType="CRYPTOCURRENCY") == Row(
        "BTC-USD", {"last": "244.6"}, str(OPEN + 60)
    )


def test_a_chart_without_a_price_is_rejected() -> None:
    """One without a result is unreadable; an index has no volume."""
    body = json.dumps({"chart": {"result": [{"meta": {"symbol": "X"}}, 5], "error": None}}).encode()
    assert [row.raw for row in parse_rest(body)] == [None, None]
    with pytest.raises(ValueError, match="no list"):
        parse_rest(b'{"chart":{"result":null,"error":null}}')


@pytest.mark.parametrize("times", [5, "now", {"0": 1}, [{}], [None], ["x"]])
def test_bars_with_invalid_times_are_unreadable(times: object) -> None:
    """That is not logged as a bug."""
    prices = {name: [1.5] for name in ("open", "high", "low", "close", "volume")}
    chart = {"meta": {}, "timestamp": times, "indicators": {"quote": [prices]}}
    with pytest.raises(ValueError, match=r"no list|invalid literal"):
        parse_candles(json.dumps({"chart": {"result": [chart]}}).encode())


@pytest.mark.parametrize("where", ["chart", "finance"])
def test_an_error_with_status_200_is_a_failure(where: str) -> None:
    """An error with status 200 is a failure."""
    error = {"code": "Not Found", "description": "No data found,\nsymbol may be delisted"}
    with pytest.raises(FeedError, match="delisted") as caught:
        parse_rest(json.dumps({where: {"result": None, "error": error}}).encode())
    assert "\n" not in str(caught.value)
