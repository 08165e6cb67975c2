"""Gemini: its recorded list and errors, its names, its streams, and its errors."""

from __future__ import annotations

import json
import pathlib
from collections import Counter

import pytest

from feeds.exchange.venue import Heard, Listing, Row
from feeds.times import time_ms
from feeds.venues.gemini import GEMINI, parse_instruments, parse_stream, rest_request, subscribe, wire
from tests.feeds.recorded import Recorded
from ticker.errors import FeedError

parse_rest = GEMINI.parse_rest


@pytest.fixture
def recorded(data_dir: pathlib.Path) -> Recorded:
    return Recorded(data_dir, "gemini")


def hear(message: object) -> Heard:
    return parse_stream(json.dumps(message).encode(), {})


def test_the_108_recorded_spot_markets_are_listed(recorded: Recorded) -> None:
    """The list has 111 markets; 106 of the spot ones trade; each has its name in the stream and in REST."""
    raw = json.loads(recorded.answer("symbols_details_all.json"))
    listed = parse_instruments(recorded.answer("symbols_details_all.json"))
    assert len(raw) == 111
    assert Counter(one.state for one in listed) == {None: 106, "halted": 2}
    assert {one.wires[1] for one in listed} == {entry["symbol"] for entry in raw if entry["product_type"] == "spot"}
    assert all((wire(one.symbol), one.wires[0].upper()) == one.wires for one in listed)
    found = {one.symbol: one for one in listed}
    assert found["BTC-USD"] == Listing("BTC-USD", ("btcusd", "BTCUSD"), 2)
    assert found["SHIB-USD"].decimals == 9, "1e-09"


@pytest.mark.parametrize("status", ["closed", "cancel_only", "post_only", "of a later day"])
def test_a_market_that_matches_no_orders_is_halted(status: str) -> None:
    """Where no orders meet the market is halted."""
    entry = {"symbol": "BTCUSD", "base_currency": "BTC", "quote_currency": "USD", "product_type": "spot"}
    listed = parse_instruments(json.dumps([{**entry, "status": status}, {**entry, "symbol": None}, 5]).encode())
    assert [(one.symbol, one.state) for one in listed] == [("BTC-USD", "halted")]


def test_one_request_a_symbol_and_one_message_for_all_streams() -> None:
    """Each symbol has two streams."""
    assert rest_request(["BTC-USD", "1INCH-USD"]) == ("/v2/ticker/BTCUSD", "/v2/ticker/1INCHUSD")
    (text,) = subscribe(["btcusd", "ethbtc"], 4)
    assert json.loads(text) == {
        "id": 4, "method": "subscribe",
        "params": ["btcusd@bookTicker", "btcusd@trade", "ethbtc@bookTicker", "ethbtc@trade"],
    }  # fmt: skip


def test_bid_and_ask_are_dated_in_nanoseconds() -> None:
    """A trade is a price without a time; order events and depth are ignored."""
    top = {"u": 1, "E": 1751508438600117161, "s": "btcusd", "b": "8", "B": "1.25", "a": "9", "A": "0.75"}
    (row,) = hear(top).rows
    assert row.raw == {"bid": "8", "ask": "9", "bid_size": "1.25", "ask_size": "0.75"}
    assert time_ms(row.time, GEMINI.time_unit) == 1751508438600
    trade = {"E": 1751508438600990000, "s": "btcusd", "t": 1, "p": "8.5", "q": "0.05", "m": True}
    assert hear(trade).rows == (Row("btcusd", {"last": "8.5"}),)
    for other in ({**top, "e": "depthUpdate"}, {"lastUpdateId": 1, "bids": [], "asks": []}, {}):
        assert hear(other) == Heard()


def test_acks_and_refusals_have_the_messages_number() -> None:
    """An error without one fails the connection."""
    assert hear({"id": 2, "status": 200, "result": None}) == Heard(acked=[2])
    error = {"status": 400, "error": {"code": -1013, "msg": "Invalid parameters"}}
    assert hear({"id": 2, **error}) == Heard(refused=[(2, "Invalid parameters")])
    with pytest.raises(FeedError, match="Invalid parameters"):
        hear({"id": None, **error})


def test_the_recorded_error_is_a_failure(recorded: Recorded) -> None:
    """That holds for prices and for the list; a rate limit is told apart."""
    for parse in (parse_rest, parse_instruments):
        with pytest.raises(FeedError, match="not a valid symbol") as caught:
            parse(recorded.answer("v1_pubticker_invalid.json"))
        assert caught.value.reason == "protocol"
    with pytest.raises(FeedError) as caught:
        parse_rest(b'{"result":"error","reason":"RateLimit","message":"Requests were made too frequently"}')
    assert caught.value.reason == "rate_limited"
