"""bitFlyer: its recorded answers and stream, its names and its errors."""

from __future__ import annotations

import json
import pathlib
from decimal import Decimal
from typing import Any

import pytest

from feeds.exchange.venue import Heard, Listing, Row
from feeds.venues.bitflyer import (
    BITFLYER,
    parse_instruments,
    parse_rest,
    parse_stream,
    product_code,
    rest_request,
    subscribe,
    symbol,
)
from ticker.errors import FeedError

TICKER = {
    "product_code": "BTC_JPY", "state": "RUNNING", "timestamp": "2021-07-22T22:29:23.0441643Z", "tick_id": 1,
    "best_bid": 3539640.0, "best_ask": 3541058.0, "best_bid_size": 0.008, "best_ask_size": 0.041,
    "total_bid_depth": 1.0, "total_ask_depth": 1.0, "ltp": 3539894.0, "volume": 9.0, "volume_by_product": 3.5,
}  # fmt: skip


@pytest.fixture
def folder(data_dir: pathlib.Path) -> pathlib.Path:
    return data_dir / "exchanges" / "bitflyer"


def hear(message: dict[str, Any]) -> Heard:
    return parse_stream(json.dumps({"jsonrpc": "2.0", **message}).encode(), {})


def test_recorded_lists_have_spot_and_derivatives(folder: pathlib.Path) -> None:
    """Spot, the derivative and dated futures, each under a symbol of its own."""
    found = parse_instruments((folder / "rest" / "markets_2_2021-12-12.json").read_bytes())
    assert len(found) == len({listing.symbol for listing in found}) == 11
    assert found[0] == Listing("BTC-JPY", ("BTC_JPY",))
    assert Listing("BTC-JPY.FX", ("FX_BTC_JPY",)) in found
    assert Listing("BTCJPY17DEC2021", ("BTCJPY17DEC2021",)) in found
    european = parse_instruments((folder / "rest" / "markets_0_2021-12-12.json").read_bytes())
    assert [listing.symbol for listing in european] == ["BTC-EUR", "BTC-JPY"]


@pytest.mark.parametrize(
    ("wire", "canonical"),
    [("BTC_JPY", "BTC-JPY"), ("FX_BTC_JPY", "BTC-JPY.FX"), ("ETH_BTC", "ETH-BTC"), ("BTCJPY17DEC2021",) * 2],
)
def test_names_are_converted_both_ways_without_a_list(wire: str, canonical: str) -> None:
    """Names go both ways without a list."""
    assert (symbol(wire), product_code(canonical)) == (canonical, wire)


def test_each_symbol_takes_one_request() -> None:
    """Each request has bitFlyer's own name."""
    assert rest_request(["BTC-JPY.FX"]) == ("/v1/ticker?product_code=FX_BTC_JPY",)
    assert BITFLYER.limits.symbols_per_request == 1


@pytest.mark.parametrize(
    ("said", "state"),
    [("RUNNING", "live"), ("CLOSED", "closed"), ("MATURED", "closed"), ("CIRCUIT BREAK", "halted"), ("STOP", "halted")],
)
def test_the_state_of_the_market_comes_with_the_price(said: str, state: str) -> None:
    """What bitFlyer says of the market goes with the price."""
    (row,) = parse_rest(json.dumps({**TICKER, "state": said}).encode())
    assert row.state == state


def test_a_subscription_is_one_message_a_channel() -> None:
    """Each has an id, so that it is answered."""
    assert [json.loads(text) for text in subscribe(["FX_BTC_JPY"], 3)] == [
        {"method": "subscribe", "params": {"channel": "lightning_ticker_FX_BTC_JPY"}, "id": 3}
    ]
    assert BITFLYER.stream is not None
    assert BITFLYER.stream.wires_per_message == 1


def test_acks_and_refusals_have_the_messages_id() -> None:
    """An error without one fails the connection."""
    assert hear({"id": 3, "result": True}) == Heard(acked=(3,))
    refusal = {"id": 3, "error": {"code": -32602, "message": "Invalid channel"}}
    assert hear(refusal) == Heard(refused=((3, "Invalid channel"),))
    with pytest.raises(FeedError, match="Parse error"):
        hear({"id": None, "error": {"code": -32700, "message": "Parse error"}})


def test_a_ticker_without_a_field_is_rejected() -> None:
    """That holds for REST and for the stream."""
    lacking = {name: value for name, value in TICKER.items() if name != "ltp"}
    assert parse_rest(json.dumps(lacking).encode()) == [Row("BTC_JPY", None, state="live")]
    params = {"channel": "lightning_ticker_BTC_JPY", "message": lacking}
    assert [row.raw for row in hear({"method": "channelMessage", "params": params}).rows] == [None]


@pytest.mark.parametrize("status", [-1, -2, -500])
def test_an_error_object_is_a_failure(status: int) -> None:
    """It is one whatever its number."""
    with pytest.raises(FeedError, match="bitFlyer says"):
        parse_rest(json.dumps({"status": status, "error_message": "Over\nload", "data": None}).encode())


def test_bid_and_ask_have_their_own_sizes() -> None:
    """The sizes keep all their digits."""
    (row,) = parse_rest(json.dumps(TICKER).encode())
    assert row.raw is not None
    assert (row.raw["bid_size"], row.raw["ask_size"]) == ("0.008", "0.041")
    assert Decimal(row.raw["volume"] or "") == Decimal("3.5")
