"""Kraken's stream: the recorded messages of its second version, its subscriptions, and its errors."""

from __future__ import annotations

import json
import pathlib

import pytest

from feeds.exchange.venue import Heard, Row
from feeds.venues.kraken import KRAKEN, parse_instruments, parse_stream, subscribe, symbol, wire
from tests.feeds.recorded import Recorded
from ticker.errors import FeedError

parse_rest = KRAKEN.parse_rest


@pytest.fixture
def recorded(data_dir: pathlib.Path) -> Recorded:
    return Recorded(data_dir, "kraken")


def hear(message: object) -> Heard:
    return parse_stream(json.dumps(message).encode(), {})


def test_a_ticker_needs_a_price_but_no_time(recorded: Recorded) -> None:
    """The time was added later."""
    ticker = json.loads(recorded.frames("v2_fixture.jsonl")[1])
    (entry,) = ticker["data"]
    untimed = {name: value for name, value in entry.items() if name != "timestamp"}
    priceless = {name: value for name, value in entry.items() if name != "bid"}
    first, second = hear({**ticker, "type": "update", "data": [untimed, priceless]}).rows
    assert first.raw is not None
    assert (first.raw["last"], first.time) == ("105899.4", None)
    assert second == Row("BTC/USD", None)


@pytest.mark.parametrize("name", ["v1_ticker_2021-04-17.jsonl", "v1_trade_2021-04-17.jsonl"])
def test_messages_of_the_first_version_are_never_prices(recorded: Recorded, name: str) -> None:
    """Arrays have no known shape, events are ignored."""
    frames = recorded.frames(name)
    assert len(frames) in {49, 60}
    for frame in frames:
        if isinstance(json.loads(frame), list):
            with pytest.raises(ValueError, match="object"):
                parse_stream(frame, {})
        else:
            assert parse_stream(frame, {}) == Heard()


def test_the_subscription_wants_every_move_of_bid_and_ask() -> None:
    """It also wants a snapshot first."""
    (text,) = subscribe(["BTC/USD", "SHIB/USD:BTNL"], 7)
    assert text == (
        '{"method":"subscribe","params":{"channel":"ticker","symbol":["BTC/USD","SHIB/USD:BTNL"],'
        '"event_trigger":"bbo","snapshot":true},"req_id":7}'
    )


def test_an_unknown_pair_is_refused_by_name() -> None:
    """The reason is in Kraken's words."""
    reason = "Currency pair not supported XBT/EUR"
    message = {"error": reason, "method": "subscribe", "success": False, "symbol": "XBT/EUR"}
    assert hear(message) == Heard(refused=(("XBT/EUR", reason),))


def test_an_error_without_a_pair_fails_the_connection() -> None:
    """An error that names no pair is a failure of the connection."""
    with pytest.raises(FeedError) as caught:
        hear({"error": "EGeneral:Too many requests", "method": "subscribe", "success": False})
    assert caught.value.reason == "rate_limited"


@pytest.mark.parametrize(
    "message",
    [
        {"channel": "heartbeat"}, {"method": "pong", "req_id": 1}, {},
        {"channel": "status", "type": "update", "data": [{"system": "online", "version": "2.0.10"}]},
        {"method": "unsubscribe", "result": {"symbol": "BTC/USD"}, "success": True},
    ],
)  # fmt: skip
def test_other_messages_are_ignored(message: object) -> None:
    """Heartbeats, the greeting and answers to pings have no effect."""
    assert hear(message) == Heard()


def test_every_symbol_has_a_name_in_the_stream(data_dir: pathlib.Path) -> None:
    """It leads back to the symbol, and has no old code in it."""
    listings = parse_instruments(Recorded(data_dir, "kraken").answer("AssetPairs_2021-04-17.json"))
    assert len(listings) == 293
    for listing in listings:
        name = wire(listing.symbol)
        assert symbol(name) == listing.symbol
        assert not {"XBT", "XDG"} & set(name.split("/"))
    assert [wire(name) for name in ("BTC-USD", "SHIB-USD.BTNL", "ETH2.S-ETH")] == [
        "BTC/USD", "SHIB/USD:BTNL", "ETH2.S/ETH",
    ]  # fmt: skip


def test_luna_and_luna2_have_their_usual_symbols(recorded: Recorded) -> None:
    """Kraken calls LUNA what others call LUNC, and LUNA2 what they call LUNA.

    Seen: `LUNA-USD` of Kraken was a thousandth of what everybody else has under that name.
    """
    body = recorded.answer("Ticker_all_assetVersion1_2026-06-24.json")
    last = {symbol(row.wire): row.raw["last"] for row in parse_rest(body) if row.raw}
    assert last["LUNC-USD"] == "0.000060590000"
    assert "LUNA-USD" not in last
    assert [symbol("LUNA/EUR"), symbol("LUNA2/EUR")] == ["LUNC-EUR", "LUNA-EUR"]
    assert [wire("LUNC-EUR"), wire("LUNA-EUR")] == ["LUNA/EUR", "LUNA2/EUR"]


def test_a_pair_in_cancel_only_mode_is_halted() -> None:
    """A pair whose orders can only be cancelled is halted."""
    pair = {"altname": "XBTUSD", "wsname": "XBT/USD", "pair_decimals": 1}
    pairs = {"A": {**pair, "status": "cancel_only"}, "B": {**pair, "status": "online"}}
    body = json.dumps({"error": [], "result": pairs}).encode()
    assert [(listing.wires[0], listing.state) for listing in parse_instruments(body)] == [("A", "halted"), ("B", None)]


def test_streamed_prices_have_krakens_own_time() -> None:
    """The times are in ISO format, and connections are opened no faster than Kraken allows."""
    assert KRAKEN.stream is not None
    assert KRAKEN.polled_clock == "received"
    assert (KRAKEN.clock, KRAKEN.time_unit, KRAKEN.stream.url) == ("exchange", "iso", "wss://ws.kraken.com/v2")
    assert KRAKEN.stream.connects_per_s <= 150 / 600
