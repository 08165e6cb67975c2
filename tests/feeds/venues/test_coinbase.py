"""Coinbase Exchange: its recorded payloads, its subscriptions, and its ways to say no."""

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


def test_sizes_of_newer_tickers(recorded: Recorded) -> None:
    """Sizes of best bid and ask, which came later, are taken where they are."""
    raw = next(raw for raw in map(json.loads, recorded.frames(STREAM)) if raw["type"] == "ticker")
    expected = streamed_row(raw)
    assert expected.raw is not None
    (row,) = hear({**raw, "best_bid_size": "0.5", "best_ask_size": "1.25"}).rows
    assert row == expected._replace(raw={**expected.raw, "bid_size": "0.5", "ask_size": "1.25"})


@pytest.mark.parametrize("missing", ["price", "best_bid", "best_ask", "open_24h", "volume_24h", "sequence"])
def test_ticker_of_another_shape(recorded: Recorded, missing: str) -> None:
    """A ticker without one of its fields is a row of unknown shape under its name."""
    raw = next(raw for raw in map(json.loads, recorded.frames(STREAM)) if raw["type"] == "ticker")
    del raw[missing]
    assert hear(raw) == Heard((Row(raw["product_id"], None),))


def test_recorded_advanced_trade(recorded: Recorded) -> None:
    """Messages of the Advanced Trade interface have no type: they are passed over, never misread."""
    assert [parse_stream(frame, {}) for frame in recorded.frames("advanced_ws_fixture.jsonl")] == [Heard()] * 3


def test_subscribe() -> None:
    """One message asks for the tickers of all given products."""
    assert subscribe(["BTC-USD", "ETH-EUR"], 1) == [
        '{"type":"subscribe","product_ids":["BTC-USD","ETH-EUR"],"channels":["ticker"]}'
    ]


def test_refused_product() -> None:
    """One bad product fails its message: it alone is refused, in Coinbase's words."""
    reason = "FOO-BAR is not a valid product"
    message = {"type": "error", "message": "Failed to subscribe", "reason": reason}
    assert hear(message) == Heard(refused=(("FOO-BAR", reason),))


@pytest.mark.parametrize("reason", ["No channels provided", " is not a valid product", None])
def test_refusal_of_nothing_in_particular(reason: str | None) -> None:
    """A refusal that names no product is a failure of the connection."""
    with pytest.raises(FeedError, match="Failed"):
        hear({"type": "error", "message": "Failed to subscribe", "reason": reason})


@pytest.mark.parametrize("message", [{}, {"type": 5}, {"type": "heartbeat", "sequence": 1}, {"type": "status"}])
def test_messages_without_news(message: object) -> None:
    """Heartbeats and unknown types are passed over."""
    assert hear(message) == Heard()


def test_day_of_a_product() -> None:
    """The other answer of a product completes it and says nothing of its price."""
    body = b'{"open":"1.0","high":"3.0","low":"0.5","last":"2.0","volume":"9","volume_30day":"99"}'
    assert parse_rest(body) == [Row("", {"open": "1.0", "high": "3.0", "low": "0.5"})]


def test_requests() -> None:
    """Two requests for each product."""
    assert COINBASE.rest_request(["BTC-USD"]) == ("/products/BTC-USD/ticker", "/products/BTC-USD/stats")
    assert COINBASE.limits.symbols_per_request == 1
    assert COINBASE.limits.gap_s > 0.1


def test_answers_of_another_shape(recorded: Recorded) -> None:
    """An answer of Advanced Trade lacks what a ticker has, and a list is none."""
    assert parse_rest(recorded.answer("advanced_market_trades_ticker_BTC-USD_2026-04-07.json")) == [Row("", None)]
    with pytest.raises(ValueError, match="object"):
        parse_rest(recorded.answer("products_2021-04-17.json"))
    with pytest.raises(ValueError, match="no list"):
        parse_instruments(recorded.answer("advanced_products.json"))


@pytest.mark.parametrize(("name", "count"), [("products_2021-04-17.json", 162), ("gdax_products_2017-10-03.json", 9)])
def test_recorded_lists(recorded: Recorded, name: str, count: int) -> None:
    """Every product is listed under its own name, with the digits of its price; old lists have no status."""
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
def test_products_that_do_not_trade(recorded: Recorded, change: dict[str, object], halted: bool) -> None:
    """A product that is offline, or of which no order is taken, is halted; one that is delisted is not listed."""
    first, second, *_ = json.loads(recorded.answer("products_2021-04-17.json"))
    body = json.dumps([{**first, **change}, second]).encode()
    found = {listing.wires[0]: listing.state for listing in parse_instruments(body)}
    assert found == {second["id"]: None} | ({first["id"]: "halted"} if halted else {})


def test_errors_of_answers(data_dir: pathlib.Path) -> None:
    """An error object is Coinbase's failure whatever its status."""
    for body in (Recorded(data_dir, "_errors").answer("429_coinbase_public.json"), b'{"message":"NotFound"}'):
        with pytest.raises(FeedError, match="Coinbase says"):
            parse_rest(body)


def test_prices_are_dated() -> None:
    """Coinbase dates its prices, in text of a date."""
    assert (ADAPTER.name, COINBASE.clock, COINBASE.time_unit) == ("coinbase", "exchange", "iso")
