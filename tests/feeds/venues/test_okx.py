"""OKX: its recorded payloads, its subscriptions, and its errors."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from feeds.exchange.venue import Heard, Listing
from feeds.venues.okx import ADAPTER, OKX, parse_stream, subscribe
from tests.feeds.recorded import Recorded
from ticker.errors import FeedError

parse_rest, parse_instruments = OKX.parse_rest, OKX.parse_instruments


@pytest.fixture
def recorded(data_dir: pathlib.Path) -> Recorded:
    return Recorded(data_dir, "okx")


def hear(message: object) -> Heard:
    return parse_stream(json.dumps(message).encode(), {})


def test_an_empty_side_of_the_book_is_no_price(recorded: Recorded) -> None:
    """It is sent as an empty text."""
    (raw,) = json.loads(recorded.answer("v5_tickers_BTC-USDT_2022-11-24.json"))["data"]
    (one,) = parse_rest(json.dumps({"code": "0", "data": [{**raw, "bidPx": "", "bidSz": ""}]}).encode())
    assert one.raw is not None
    assert (one.raw["bid"], one.raw["bid_size"], one.raw["ask"]) == ("", "", "16580.5")


def test_every_live_recorded_pair_is_listed(recorded: Recorded) -> None:
    """Each has its own name and the digits of its step."""
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


def test_contracts_are_not_listed(recorded: Recorded) -> None:
    """They have no two currencies: none of the 135 is."""
    body = recorded.answer("v5_instruments_SWAP_2021-07-22.json")
    assert len(json.loads(body)["data"]) == 135
    assert parse_instruments(body) == []


@pytest.mark.parametrize("state", ["suspend", "preopen", "test", None])
def test_a_suspended_pair_is_halted(recorded: Recorded, state: str | None) -> None:
    """One in any other state than live is not listed."""
    first, second, *_ = json.loads(recorded.answer("v5_instruments_SPOT_2021-07-22.json"))["data"]
    body = json.dumps({"code": "0", "data": [{**first, "state": state}, second]}).encode()
    found = {listing.wires[0]: listing.state for listing in parse_instruments(body)}
    assert found == {second["instId"]: None} | ({first["instId"]: "halted"} if state == "suspend" else {})


def test_an_answer_of_the_old_api_is_rejected(recorded: Recorded) -> None:
    """An answer of the old interface is of no known shape."""
    with pytest.raises(ValueError, match="object"):
        parse_rest(recorded.answer("legacy_v3_okexkorea_ticker_all_2019-09-03.json"))


def test_one_message_has_an_argument_for_each_pair() -> None:
    """One message has an argument for each pair."""
    assert subscribe(["BTC-USDT", "ETH-BTC"], 1) == [
        '{"op":"subscribe","args":[{"channel":"tickers","instId":"BTC-USDT"},{"channel":"tickers","instId":"ETH-BTC"}]}'
    ]
    assert OKX.stream is not None
    longest = subscribe(["1234567890-1234567890"] * OKX.stream.wires_per_message, 1)
    assert len(longest[0]) < 65_536


def test_a_pong_is_a_bare_word() -> None:
    """It is not JSON."""
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
def test_an_unknown_pair_is_refused_by_name(message: dict[str, Any]) -> None:
    """The reason is in OKX's words."""
    heard = hear({"event": "error", "code": "60018", "connId": "a4d3ae55", **message})
    assert heard == Heard(refused=[("FOO-BAR", message["msg"])])


@pytest.mark.parametrize(
    ("code", "reason"), [("60012", "protocol"), ("60014", "rate_limited"), ("50011", "rate_limited")]
)
def test_an_error_without_a_pair_is_a_failure(code: str, reason: str) -> None:
    """A rate limit is told apart."""
    with pytest.raises(FeedError) as caught:
        hear({"event": "error", "code": code, "msg": "Invalid request"})
    assert caught.value.reason == reason
    with pytest.raises(FeedError) as caught:
        parse_rest(json.dumps({"code": code, "msg": "x", "data": []}).encode())
    assert caught.value.reason == reason


def test_a_notice_of_an_upgrade_asks_to_reconnect() -> None:
    """It has a message of its own."""
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
def test_other_messages_are_ignored(message: object) -> None:
    """Counts of connections, other channels and unknown messages have no effect."""
    assert hear(message) == Heard()


@pytest.mark.parametrize("body", [b"", b"ping", b"[]", b'{"arg":{"channel":"tickers"},"data":5}'])
def test_a_malformed_message_is_a_value_error(body: bytes) -> None:
    """It raises ValueError and no other exception."""
    with pytest.raises(ValueError, match=r"."):
        parse_stream(body, {})


def test_prices_have_okxs_own_time() -> None:
    """The times are in ms."""
    assert (ADAPTER.name, OKX.clock, OKX.time_unit) == ("okx", "exchange", "ms")
    assert OKX.rest_request(["BTC-USDT"]) == "/api/v5/market/tickers?instType=SPOT"
