"""Coinbase Exchange: its recorded payloads, its subscriptions, and its errors."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from feeds.exchange.venue import Heard, Listing, Row
from feeds.venues.coinbase import ADAPTER, COINBASE, parse_instruments, parse_rest, parse_stream, subscribe
from tests.feeds.recorded import Recorded
from ticker.errors import FeedError

STREAM = "exchange_ticker_matches_2021-04-17.jsonl"


@pytest.fixture
def recorded(data_dir: pathlib.Path) -> Recorded:
    return Recorded(data_dir, "coinbase")


def hear(message: object) -> Heard:
    return parse_stream(json.dumps(message).encode(), {})


def streamed_row(raw: dict[str, Any]) -> Row:
    """The map from their names to ours once more, from Coinbase's documentation."""
    texts = {
        "last": raw["price"], "bid": raw["best_bid"], "ask": raw["best_ask"], "open": raw["open_24h"],
        "high": raw["high_24h"], "low": raw["low_24h"], "volume": raw["volume_24h"],
    }  # fmt: skip
    return Row(raw["product_id"], texts, raw["time"], raw["sequence"])


def test_sizes_are_used_where_a_ticker_has_them(recorded: Recorded) -> None:
    """Those of best bid and ask were added later."""
    raw = next(raw for raw in map(json.loads, recorded.frames(STREAM)) if raw["type"] == "ticker")
    expected = streamed_row(raw)
    assert expected.raw is not None
    (row,) = hear({**raw, "best_bid_size": "0.5", "best_ask_size": "1.25"}).rows
    assert row == expected._replace(raw={**expected.raw, "bid_size": "0.5", "ask_size": "1.25"})


@pytest.mark.parametrize("missing", ["price", "best_bid", "best_ask", "open_24h", "volume_24h", "sequence"])
def test_a_ticker_without_a_field_is_rejected(recorded: Recorded, missing: str) -> None:
    """It is rejected under its name."""
    raw = next(raw for raw in map(json.loads, recorded.frames(STREAM)) if raw["type"] == "ticker")
    del raw[missing]
    assert hear(raw) == Heard((Row(raw["product_id"], None),))


def test_messages_of_advanced_trade_are_ignored(recorded: Recorded) -> None:
    """They have no type, and must not be misread."""
    assert [parse_stream(frame, {}) for frame in recorded.frames("advanced_ws_fixture.jsonl")] == [Heard()] * 3


def test_one_message_subscribes_to_all_products() -> None:
    """One message asks for the tickers of all given products."""
    assert subscribe(["BTC-USD", "ETH-EUR"], 1) == [
        '{"type":"subscribe","product_ids":["BTC-USD","ETH-EUR"],"channels":["ticker"]}'
    ]


def test_a_bad_product_alone_is_refused() -> None:
    """It fails the whole message, but is refused alone, in Coinbase's words."""
    reason = "FOO-BAR is not a valid product"
    message = {"type": "error", "message": "Failed to subscribe", "reason": reason}
    assert hear(message) == Heard(refused=(("FOO-BAR", reason),))


@pytest.mark.parametrize("reason", ["No channels provided", " is not a valid product", None])
def test_a_refusal_without_a_product_fails_the_connection(reason: str | None) -> None:
    """A refusal that names no product is a failure of the connection."""
    with pytest.raises(FeedError, match="Failed"):
        hear({"type": "error", "message": "Failed to subscribe", "reason": reason})


@pytest.mark.parametrize("message", [{}, {"type": 5}, {"type": "heartbeat", "sequence": 1}, {"type": "status"}])
def test_other_messages_are_ignored(message: object) -> None:
    """Heartbeats and unknown types have no effect."""
    assert hear(message) == Heard()


def test_the_day_of_a_product_has_no_price() -> None:
    """The second answer only completes the first one."""
    body = b'{"open":"1.0","high":"3.0","low":"0.5","last":"2.0","volume":"9","volume_30day":"99"}'
    assert parse_rest(body) == [Row("", {"open": "1.0", "high": "3.0", "low": "0.5"})]


def test_each_product_takes_two_requests() -> None:
    """Two requests for each product."""
    assert COINBASE.rest_request(["BTC-USD"]) == ("/products/BTC-USD/ticker", "/products/BTC-USD/stats")
    assert COINBASE.limits.symbols_per_request == 1
    assert COINBASE.limits.gap_s > 0.1


def test_answers_of_advanced_trade_are_rejected(recorded: Recorded) -> None:
    """They lack what a ticker has."""
    assert parse_rest(recorded.answer("advanced_market_trades_ticker_BTC-USD_2026-04-07.json")) == [Row("", None)]
    with pytest.raises(ValueError, match="object"):
        parse_rest(recorded.answer("products_2021-04-17.json"))
    with pytest.raises(ValueError, match="no list"):
        parse_instruments(recorded.answer("advanced_products.json"))


@pytest.mark.parametrize(("name", "count"), [("products_2021-04-17.json", 162), ("gdax_products_2017-10-03.json", 9)])
def test_every_recorded_product_is_listed(recorded: Recorded, name: str, count: int) -> None:
    """Each has its own name and the digits of its price; old lists have no status."""
    raw = json.loads(recorded.answer(name))
    expected = [
        Listing(
            f"{entry['base_currency']}-{entry['quote_currency']}",
            (entry["id"],),
            len(entry["quote_increment"].rstrip("0").partition(".")[2]),
        )
        for entry in raw
    ]
    assert parse_instruments(recorded.answer(name)) == expected
    assert len(expected) == count
    assert all(listing.symbol == COINBASE.symbol(listing.wires[0]) for listing in expected if COINBASE.symbol)


@pytest.mark.parametrize(
    ("change", "halted"),
    [
        ({"status": "delisted"}, False),
        ({"status": "offline"}, True),
        ({"trading_disabled": True}, True),
        ({"cancel_only": True}, True),
    ],
)
def test_an_offline_product_is_halted_and_a_delisted_one_not_listed(
    recorded: Recorded, change: dict[str, object], halted: bool
) -> None:
    """So is one that takes no orders."""
    first, second, *_ = json.loads(recorded.answer("products_2021-04-17.json"))
    body = json.dumps([{**first, **change}, second]).encode()
    found = {listing.wires[0]: listing.state for listing in parse_instruments(body)}
    assert found == {second["id"]: None} | ({first["id"]: "halted"} if halted else {})


def test_an_error_object_is_a_failure(data_dir: pathlib.Path) -> None:
    """It is one whatever its status."""
    for body in (Recorded(data_dir, "_errors").answer("429_coinbase_public.json"), b'{"message":"NotFound"}'):
        with pytest.raises(FeedError, match="Coinbase says"):
            parse_rest(body)


def test_prices_have_coinbases_own_time() -> None:
    """The times are in ISO format."""
    assert (ADAPTER.name, COINBASE.clock, COINBASE.time_unit) == ("coinbase", "exchange", "iso")
