"""KuCoin: its recorded answers and stream, its names, its handshake and its errors."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from feeds.exchange.venue import Heard, Listing, Row
from feeds.venues.kucoin import parse_instruments, parse_open, parse_rest, parse_stream, subscribe
from ticker.errors import FeedError


@pytest.fixture
def folder(data_dir: pathlib.Path) -> pathlib.Path:
    return data_dir / "exchanges" / "kucoin"


def good(data: object) -> bytes:
    return json.dumps({"code": "200000", "data": data}).encode()


def hear(message: dict[str, Any]) -> Heard:
    return parse_stream(json.dumps(message).encode(), {})


def test_sizes_and_turnover_are_used_where_sent() -> None:
    """A coin may have no price at all."""
    ticker = {"symbol": "A-B", "symbolName": "C-B", "last": None, "buy": "1", "sell": "2", "high": None, "low": None,
              "vol": "0", "volValue": "0.5", "changeRate": None, "bestBidSize": "3", "bestAskSize": "4"}  # fmt: skip
    assert parse_rest(good({"time": 1, "ticker": [ticker, {"symbol": "D-B"}, 5]})) == [
        Row(
            "A-B",
            {
                "last": None,
                "bid": "1",
                "ask": "2",
                "high": None,
                "low": None,
                "volume": "0",
                "bid_size": "3",
                "ask_size": "4",
                "quote_volume": "0.5",
                "change_pct": None,
            },
        ),
        Row("D-B", None),
        Row("?", None),
    ]


def test_recorded_pairs_are_listed_under_todays_names(folder: pathlib.Path) -> None:
    """633 of 634 are open; a renamed coin has today's name under its old id; decimals are the tick's."""
    body = (folder / "rest" / "symbols_2021-07-22.json").read_bytes()
    sent = [pair for pair in json.loads(body)["data"] if pair["enableTrading"]]
    listed = parse_instruments(body)
    found = [listing for listing in listed if listing.state is None]
    assert (len(sent), len(found), len(listed)) == (633, 633, 634)
    for pair, listing in zip(sent, found, strict=True):
        decimals = len(pair["priceIncrement"].partition(".")[2])
        assert listing == Listing(pair["name"].upper(), (pair["symbol"],), decimals)
    assert Listing("BSV-USDT", ("BCHSV-USDT",), 3) in found
    assert Listing("LYXE-USDT", ("LYXE-USDT",), 5) in found


def test_subscriptions_equal_the_recorded_ones(folder: pathlib.Path) -> None:
    """One message with a growing id requests all names."""
    lines = (folder / "ws" / "ticker_2021-04-22.jsonl").read_text(encoding="utf-8").splitlines()
    recorded = json.loads(json.loads(lines[1])["raw"])
    wires = recorded["topic"].partition(":")[2].split(",")
    (text,) = subscribe(wires, 7)
    assert json.loads(text) | {"privateChannel": False} == recorded | {"id": 7}


def test_the_handshake_gives_address_token_and_ping_interval() -> None:
    """The interval comes in milliseconds."""
    server = {"endpoint": "wss://ws.example/endpoint", "pingInterval": 18000, "pingTimeout": 10000}
    answer = {"token": "2neAi=.W&x", "instanceServers": [server]}
    assert parse_open(good(answer)) == ("wss://ws.example/endpoint?token=2neAi%3D.W%26x", 18.0)
    for odd in (10**400, 0, -1, "18000", None):
        assert parse_open(good({"token": "x", "instanceServers": [server | {"pingInterval": odd}]}))[1] is None
    with pytest.raises(ValueError, match="no address"):
        parse_open(good({"token": "x", "instanceServers": []}))


def test_acks_and_refusals_have_the_messages_number() -> None:
    """An error without one fails the connection.

    Seen: a refusal that names one pair was taken for all hundred of its message.
    """
    assert hear({"id": "2", "type": "ack"}) == Heard(acked=(2,))
    one, all_of_it = "topic /market/ticker:X-Y is not found", "topic /market/ticker:A-B,X-Y is not found"
    refusal = {"id": "2", "type": "error", "code": 404}
    assert hear({**refusal, "data": one}) == Heard(refused=(("X-Y", one),))
    assert hear({**refusal, "data": all_of_it}) == Heard(refused=((2, all_of_it),))
    assert hear({"id": "ping", "type": "pong"}) == Heard()
    with pytest.raises(FeedError, match="token is expired"):
        hear({"type": "error", "code": 401, "data": "token is expired"})


def test_a_ticker_without_a_field_is_rejected() -> None:
    """Other channels and kinds of messages are ignored."""
    assert hear({"type": "message", "topic": "/market/ticker:A-B", "data": {"price": "1"}}).rows == (Row("A-B", None),)
    assert hear({"type": "message", "topic": "/market/match:A-B", "data": {}}) == Heard()
    assert hear({"type": "notice"}) == Heard()


@pytest.mark.parametrize(("code", "reason"), [("429000", "rate_limited"), ("400100", "protocol"), ("", "protocol")])
def test_any_code_but_200000_is_a_failure(code: str, reason: str) -> None:
    """That holds for prices, list and handshake alike, though the status is 200."""
    body = json.dumps({"code": code, "msg": "Too Many\nRequests", "data": {"ticker": []}}).encode()
    for parse in (parse_rest, parse_instruments, parse_open):
        with pytest.raises(FeedError) as caught:
            parse(body)
        assert caught.value.reason == reason
        assert "\n" not in str(caught.value)
