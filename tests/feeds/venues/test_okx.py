"""OKX: its recorded payloads, its subscriptions, and its ways to say no."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from feeds.exchange.venue import Heard, Listing
from feeds.venues.okx import ADAPTER, OKX, parse_instruments, parse_rest, parse_stream, subscribe
from tests.feeds.recorded import Recorded
from ticker.errors import FeedError


@pytest.fixture
def recorded(data_dir: pathlib.Path) -> Recorded:
    return Recorded(data_dir, "okx")


def hear(message: object) -> Heard:
    return parse_stream(json.dumps(message).encode(), {})


def test_empty_side_of_the_book(recorded: Recorded) -> None:
    """An empty text is handed on as what it is: no price."""
    (raw,) = json.loads(recorded.answer("v5_tickers_BTC-USDT_2022-11-24.json"))["data"]
    (one,) = parse_rest(json.dumps({"code": "0", "data": [{**raw, "bidPx": "", "bidSz": ""}]}).encode())
    assert one.raw is not None
    assert (one.raw["bid"], one.raw["bid_size"], one.raw["ask"]) == ("", "", "16580.5")


def test_recorded_list(recorded: Recorded) -> None:
    """Every spot pair that is live is listed under its own name, with the digits of its step."""
    body = recorded.answer("v5_instruments_SPOT_2021-07-22.json")
    raw = json.loads(body)["data"]
    assert parse_instruments(body) == [
        Listing(
            f"{entry['baseCcy']}-{entry['quoteCcy']}",
            (entry["instId"],),
            len(entry["tickSz"].partition(".")[2]),
        )
        for entry in raw
    ]
    assert len(raw) == 475


def test_recorded_contracts(recorded: Recorded) -> None:
    """Contracts have no two currencies, so none of the 135 is listed."""
    body = recorded.answer("v5_instruments_SWAP_2021-07-22.json")
    assert len(json.loads(body)["data"]) == 135
    assert parse_instruments(body) == []


@pytest.mark.parametrize("state", ["suspend", "preopen", "test", None])
def test_pairs_that_do_not_trade(recorded: Recorded, state: str | None) -> None:
    """A suspended pair is halted; one in any other state than live is not listed."""
    first, second, *_ = json.loads(recorded.answer("v5_instruments_SPOT_2021-07-22.json"))["data"]
    body = json.dumps({"code": "0", "data": [{**first, "state": state}, second]}).encode()
    found = {listing.wires[0]: listing.state for listing in parse_instruments(body)}
    assert found == {second["instId"]: None} | ({first["instId"]: "halted"} if state == "suspend" else {})


def test_legacy_answer(recorded: Recorded) -> None:
    """An answer of the old interface is of no known shape."""
    with pytest.raises(ValueError, match="object"):
        parse_rest(recorded.answer("legacy_v3_okexkorea_ticker_all_2019-09-03.json"))


def test_subscribe() -> None:
    """One message has an argument for each pair."""
    assert subscribe(["BTC-USDT", "ETH-BTC"], 1) == [
        '{"op":"subscribe","args":[{"channel":"tickers","instId":"BTC-USDT"},{"channel":"tickers","instId":"ETH-BTC"}]}'
    ]
    assert OKX.stream is not None
    longest = subscribe(["1234567890-1234567890"] * OKX.stream.wires_per_message, 1)
    assert len(longest[0]) < 65_536


def test_ping_is_no_json() -> None:
    """The answer to a ping is a bare word."""
    assert OKX.stream is not None
    assert OKX.stream.ping == ("ping", 20.0)
    assert parse_stream(b"pong", {}) == Heard()


@pytest.mark.parametrize(
    "message",
    [
        {"msg": "Wrong URL or channel:tickers,instId:FOO-BAR doesn't exist. Please use the correct URL."},
        {"msg": "doesn't exist", "arg": {"channel": "tickers", "instId": "FOO-BAR"}},
    ],
)
def test_refused_pair(message: dict[str, Any]) -> None:
    """A pair that is not there is refused by its name, in OKX's words."""
    heard = hear({"event": "error", "code": "60018", "connId": "a4d3ae55", **message})
    assert heard == Heard(refused=[("FOO-BAR", message["msg"])])


@pytest.mark.parametrize(
    ("code", "reason"), [("60012", "protocol"), ("60014", "rate_limited"), ("50011", "rate_limited")]
)
def test_refusal_of_nothing_in_particular(code: str, reason: str) -> None:
    """An error that names no pair is a failure, and asking too often is told apart."""
    with pytest.raises(FeedError) as caught:
        hear({"event": "error", "code": code, "msg": "Invalid request"})
    assert caught.value.reason == reason
    with pytest.raises(FeedError) as caught:
        parse_rest(json.dumps({"code": code, "msg": "x", "data": []}).encode())
    assert caught.value.reason == reason


def test_notice_asks_for_another_connection() -> None:
    """Before an upgrade OKX asks to reconnect, in a message of its own."""
    words = "The connection will soon be closed for a service upgrade. Please reconnect."
    assert hear({"event": "notice", "code": "64008", "msg": words}) == Heard(reconnect=words)


@pytest.mark.parametrize(
    "message",
    [
        {"event": "channel-conn-count", "channel": "tickers", "connCount": "2", "connId": "abcd"},
        {"event": "subscribe", "arg": {"channel": "trades", "instId": "BTC-USDT"}},
        {"event": "unsubscribe", "arg": {"channel": "tickers", "instId": "BTC-USDT"}},
        {"arg": "tickers"}, {"arg": {"channel": 5}}, {},
    ],
)  # fmt: skip
def test_messages_without_news(message: object) -> None:
    """Counts of connections, other channels and unknown messages are passed over."""
    assert hear(message) == Heard()


@pytest.mark.parametrize("body", [b"", b"ping", b"[]", b'{"arg":{"channel":"tickers"},"data":5}'])
def test_messages_of_another_shape(body: bytes) -> None:
    """A message of no known shape is a ValueError and nothing else."""
    with pytest.raises(ValueError, match=r"."):
        parse_stream(body, {})


def test_prices_are_dated() -> None:
    """OKX dates its prices in ms."""
    assert (ADAPTER.name, OKX.clock, OKX.time_unit) == ("okx", "exchange", "ms")
    assert OKX.rest_request(["BTC-USDT"]) == "/api/v5/market/tickers?instType=SPOT"
