"""Bitstamp: its recorded answers and trades, its names and its many forms of errors."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from feeds.exchange.venue import Heard, Listing, Row
from feeds.venues.bitstamp import BITSTAMP, parse_instruments, parse_stream, subscribe
from ticker.errors import FeedError

parse_rest = BITSTAMP.parse_rest

TICKER = {
    "timestamp": "1643640186", "open": "2211.00", "high": "2811.00", "low": "2188.97", "last": "2211.00",
    "volume": "213.26801100", "vwap": "2189.80", "bid": "2188.97", "ask": "2211.00", "side": "0", "open_24": "2210.00",
    "percent_change_24": "-13.57", "market_type": "SPOT", "pair": "BTC/USD",
}  # fmt: skip


@pytest.fixture
def folder(data_dir: pathlib.Path) -> pathlib.Path:
    return data_dir / "exchanges" / "bitstamp"


def hear(message: dict[str, Any]) -> Heard:
    return parse_stream(json.dumps(message).encode(), {})


def test_each_row_of_a_bulk_answer_is_named() -> None:
    """It has open and change of 24 h where they are sent; a bad row is rejected alone."""
    older = {name: value for name, value in TICKER.items() if "24" not in name} | {"pair": "ETH/USD"}
    values: dict[str, str | None]
    values = {"last": "2211.00", "bid": "2188.97", "ask": "2211.00", "high": "2811.00", "low": "2188.97",
              "volume": "213.26801100"}  # fmt: skip
    assert parse_rest(json.dumps([TICKER, older, {"pair": "XRP/USD"}, None]).encode()) == [
        Row("BTC/USD", {**values, "open": "2210.00", "change_pct": "-13.57"}),
        Row("ETH/USD", values),
        Row("XRP/USD", None),
        Row("?", None),
    ]


def test_all_140_recorded_pairs_are_listed(folder: pathlib.Path) -> None:
    """All are open, known under both names, with the decimals of the quote currency."""
    body = (folder / "rest" / "trading-pairs-info_2022-01-04.json").read_bytes()
    sent, found = json.loads(body), parse_instruments(body)
    assert (len(sent), len(found)) == (140, 140)
    for pair, listing in zip(sent, found, strict=True):
        names = (pair["url_symbol"], pair["name"])
        assert listing == Listing(pair["name"].replace("/", "-"), names, pair["counter_decimals"])
    assert Listing("BTC-USD", ("btcusd", "BTC/USD"), 2) in found


def test_a_disabled_pair_is_halted_and_a_perpetual_has_its_own_name() -> None:
    """A bad entry is skipped.

    Seen: the list that was asked for is obsolete since 2026; without any there is no price at all.
    """
    assert BITSTAMP.instruments_request == "/api/v2/markets/"
    good = {"name": "BTC/USD-PERP", "market_symbol": "btcusd-perp", "counter_decimals": 0, "trading": "Enabled"}
    entries = [good, {**good, "trading": "Disabled", "counter_decimals": -1}, {**good, "name": "BTCUSD"}, {}, 5]
    assert parse_instruments(json.dumps(entries).encode()) == [
        Listing("BTC-USD.PERP", ("btcusd-perp", "BTC/USD-PERP"), 0),
        Listing("BTC-USD.PERP", ("btcusd-perp", "BTC/USD-PERP"), None, state="halted"),
    ]


def test_subscriptions_equal_the_recorded_ones(folder: pathlib.Path) -> None:
    """There is one message a channel, byte for byte the recorded one."""
    lines = (folder / "ws" / "live_trades_2021-04-17.jsonl").read_text(encoding="utf-8").splitlines()
    sent = [event["raw"] for event in map(json.loads, lines) if event["dir"] == "sent" and "trades" in event["raw"]]
    wires = [json.loads(text)["data"]["channel"].rpartition("_")[2] for text in sent]
    assert subscribe(wires, 1) == sent


def test_the_server_may_ask_to_reconnect_or_refuse_a_channel() -> None:
    """It may also fail the connection; heartbeats and other channels are ignored."""
    assert hear({"event": "bts:request_reconnect", "channel": "", "data": ""}).reconnect is not None
    refusal = {"event": "bts:error", "channel": "live_trades_x", "data": {"code": None, "message": "Bad channel."}}
    assert hear(refusal) == Heard(refused=(("x", "Bad channel."),))
    assert hear({"event": "bts:heartbeat", "channel": "", "data": {"status": "success"}}) == Heard()
    assert hear({"event": "data", "channel": "order_book_btcusd", "data": {}}) == Heard()
    with pytest.raises(FeedError, match="Incorrect JSON"):
        hear({"event": "bts:error", "channel": "", "data": {"code": 4001, "message": "Incorrect JSON format."}})


def test_a_malformed_trade_is_rejected() -> None:
    """It is counted and gives no price."""
    assert hear({"event": "trade", "channel": "live_trades_btcusd", "data": {"price": 1}}).rows == (
        Row("btcusd", None),
    )


@pytest.mark.parametrize(
    "error",
    [
        {"error": "Bitstamp.net is under scheduled maintenance. We'll be back soon."},
        {"error": {"__all__": ["Wrong"]}},
        {"status": "error", "reason": "Too many requests", "code": "400.002"},
        {"code": "404.001", "message": "Not found"},
    ],
)
def test_every_form_of_error_is_a_failure(error: dict[str, Any]) -> None:
    """That holds for prices and for the list."""
    for parse in (parse_rest, parse_instruments):
        with pytest.raises(FeedError, match="Bitstamp says"):
            parse(json.dumps(error).encode())
