"""Bybit, spot and linear contracts: its recorded payloads, merged deltas, subscriptions and errors."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from feeds.exchange.venue import Heard, Listing, Row
from feeds.venues.bybit import ADAPTER, BYBIT, parse_instruments, parse_stream, subscribe
from feeds.venues.bybit_linear import BYBIT_LINEAR
from tests.feeds.recorded import Recorded
from ticker.errors import FeedError

assert BYBIT.stream is not None
assert BYBIT_LINEAR.stream is not None
parse_linear = BYBIT_LINEAR.stream.parse
SPOT, CONTRACT = "tickers.BTC-USDT", "tickers.BTCUSDT"


@pytest.fixture
def recorded(data_dir: pathlib.Path) -> Recorded:
    return Recorded(data_dir, "bybit")


@pytest.fixture
def tickers(recorded: Recorded) -> dict[str, list[bytes]]:
    """The recorded messages by topic, in order."""
    found: dict[str, list[bytes]] = {}
    for frame in recorded.frames("v5_ws_tickers.jsonl"):
        found.setdefault(json.loads(frame)["topic"], []).append(frame)
    return found


def hear(message: object) -> Heard:
    return parse_stream(json.dumps(message).encode(), {})


def test_deltas_are_merged_by_symbol(tickers: dict[str, list[bytes]]) -> None:
    """Each symbol is merged with itself only."""
    memory: dict[str, Any] = {}
    first = [parse_linear(tickers[topic][0], memory) for topic in (CONTRACT, "tickers.BTCPERP")]
    then = [parse_linear(tickers[topic][1], memory) for topic in (CONTRACT, "tickers.BTCPERP")]
    lasts = [one.rows[0].raw["last"] for one in first + then if one.rows[0].raw]
    assert lasts == ["61874.00", "61945.70"] * 2


def test_a_delta_without_a_snapshot_is_no_price(tickers: dict[str, list[bytes]]) -> None:
    """A new connection begins without the memory of the old one."""
    parse_linear(tickers[CONTRACT][0], {})
    assert parse_linear(tickers[CONTRACT][1], {}) == Heard((Row("BTCUSDT", None),))


def book(kind: str, bids: object, asks: object) -> dict[str, object]:
    data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": 18521288, "seq": 7961638724}
    return {"topic": "orderbook.1.BTCUSDT", "type": kind, "ts": 1672304484978, "data": data, "cts": 1672304484976}


@pytest.mark.parametrize(
    ("kind", "bids", "asks", "expected"),
    [
        ("snapshot", [["16493.50", "0.006"]], [["16611.00", "0.029"]],
         {"bid": "16493.50", "bid_size": "0.006", "ask": "16611.00", "ask_size": "0.029"}),
        ("snapshot", [], [["16611.00", "0.029"]],
         {"bid": None, "bid_size": None, "ask": "16611.00", "ask_size": "0.029"}),
        ("delta", [], [["16611.00", "0"], ["16612.00", "1"]], {"ask": "16612.00", "ask_size": "1"}),
        ("delta", [["16493.50", "0"]], [], {"bid": None, "bid_size": None}),
        ("snapshot", [5, ["1"], ["16493.50", 2.5]], [],
         {"bid": "16493.50", "bid_size": "2.5", "ask": None, "ask_size": None}),
    ],
)  # fmt: skip
def test_bid_and_ask_are_the_top_of_the_spot_book(
    kind: str, bids: object, asks: object, expected: dict[str, str | None]
) -> None:
    """An empty side is no price in a snapshot, and no change in a delta."""
    assert hear(book(kind, bids, asks)) == Heard((Row("BTCUSDT", expected),))


def test_a_change_of_one_side_repeats_the_other() -> None:
    """Thus always a whole pair is judged.

    Alone, the bid of a change could stand above the ask of the message before, and readers were shown that pair.
    """
    memory: dict[str, Any] = {}
    told = []
    for message in (
        book("snapshot", [["100", "1"]], [["101", "2"]]),
        book("delta", [["102", "3"]], []),
        book("delta", [], [["103", "4"]]),
        book("delta", [["102", "0"]], []),
        book("snapshot", [], [["99", "5"]]),
    ):
        (row,) = parse_stream(json.dumps(message).encode(), memory).rows
        assert row.raw is not None
        told.append((row.raw["bid"], row.raw["ask"]))
    assert told == [("100", "101"), ("102", "101"), ("102", "103"), (None, "103"), (None, "99")]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"success": True, "ret_msg": "subscribe", "req_id": "7"}, Heard(acked=[7])),
        ({"success": False, "ret_msg": "error:handler not found,topic:tickers.FOOUSDT", "req_id": "7"},
         Heard(refused=[("FOOUSDT", "error:handler not found,topic:tickers.FOOUSDT")])),
        ({"success": False, "ret_msg": "Invalid symbol :[orderbook.1.FOOUSDT]", "req_id": "7"},
         Heard(refused=[("FOOUSDT", "Invalid symbol :[orderbook.1.FOOUSDT]")])),
        ({"success": False, "ret_msg": "args size >10", "req_id": "7"}, Heard(refused=[(7, "args size >10")])),
        ({"success": False, "ret_msg": "error:already subscribed,topic:tickers.FOOUSDT", "req_id": "7"},
         Heard(acked=["FOOUSDT"])),
    ],
)  # fmt: skip
def test_a_refusal_is_of_its_symbol_or_else_of_its_message(message: dict[str, object], expected: Heard) -> None:
    """A topic that is subscribed already is no refusal.

    Seen: a pair that trades again after a halt is asked for on the connection that still has it. It counted as refused
    and was polled from then on, beside a stream that brought it.
    """
    assert hear({"op": "subscribe", "conn_id": "x", **message}) == expected


def test_a_refusal_without_topic_or_message_fails_the_connection() -> None:
    """A refusal that names neither topic nor message is a failure of the connection."""
    with pytest.raises(FeedError, match="nothing works"):
        hear({"op": "subscribe", "success": False, "ret_msg": "nothing works"})


@pytest.mark.parametrize(
    "message",
    [
        {"success": True, "ret_msg": "pong", "conn_id": "x", "op": "ping"}, {"op": "pong"}, {"topic": 5},
        {"topic": "tickers.BTCUSDT"}, {"topic": "publicTrade.BTCUSDT", "data": []}, {},
    ],
)  # fmt: skip
def test_other_messages_are_ignored(message: object) -> None:
    """Answers to pings, other topics and unknown messages have no effect."""
    assert hear(message) == Heard()


@pytest.mark.parametrize("message", [book("snapshot", 5, []), {"topic": "orderbook.1.X", "type": "snapshot"}])
def test_a_book_without_sides_is_a_value_error(message: object) -> None:
    """It raises ValueError and no other exception."""
    with pytest.raises(ValueError, match="no list"):
        hear(message)


def test_subscriptions_keep_to_the_limits_of_topics() -> None:
    """Spot needs two topics a symbol, ten a message; contracts need one."""
    assert BYBIT.stream is not None
    assert BYBIT_LINEAR.stream is not None
    assert subscribe(["BTCUSDT"], 3) == [
        '{"op":"subscribe","args":["tickers.BTCUSDT","orderbook.1.BTCUSDT"],"req_id":"3"}'
    ]
    assert BYBIT_LINEAR.stream.subscribe(["BTCUSDT", "BTCPERP"], 3) == [
        '{"op":"subscribe","args":["tickers.BTCUSDT","tickers.BTCPERP"],"req_id":"3"}'
    ]
    assert 2 * BYBIT.stream.wires_per_message <= 10
    for stream in (BYBIT.stream, BYBIT_LINEAR.stream):
        topics = json.loads(stream.subscribe(["10000LADYSUSDT"] * stream.wires_per_connection, 1)[0])["args"]
        assert sum(map(len, topics)) <= 21_000


def listed(**change: object) -> dict[str, object]:
    entry = {
        "symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "status": "Trading",
        "priceFilter": {"tickSize": "0.10", "minPrice": "0.10"},
    }  # fmt: skip
    return entry | change


def answer(*entries: object) -> bytes:
    return json.dumps({"retCode": 0, "retMsg": "OK", "result": {"list": entries, "nextPageCursor": ""}}).encode()


def test_trading_pairs_are_listed_with_the_digits_of_their_step() -> None:
    """The others, and bad entries, are skipped."""
    body = answer(listed(), listed(status="PreLaunch"), listed(baseCoin=None), 5, listed(symbol="ABC", priceFilter=5))
    assert parse_instruments(body) == [Listing("BTC-USDT", ("BTCUSDT",), 1), Listing("BTC-USDT", ("ABC",))]


def test_a_contract_has_a_symbol_of_its_own() -> None:
    """It is never that of its coin, nor that of a contract with another expiry."""
    assert BYBIT_LINEAR.parse_instruments is not None
    body = answer(
        listed(),
        listed(symbol="BTCPERP", quoteCoin="USDC"),
        listed(symbol="BTCUSDT-26DEC25"),
        listed(symbol="1000PEPEUSDT", baseCoin="1000PEPE"),
    )
    assert [(one.symbol, one.wires) for one in BYBIT_LINEAR.parse_instruments(body)] == [
        ("BTC-USDT.PERP", ("BTCUSDT",)),
        ("BTC-USDC.PERP", ("BTCPERP",)),
        ("BTC-USDT.26DEC25", ("BTCUSDT-26DEC25",)),
        ("1000PEPE-USDT.PERP", ("1000PEPEUSDT",)),
    ]


def test_a_rate_limit_with_status_200_is_told_apart(data_dir: pathlib.Path) -> None:
    """It is not counted like other failures.

    The time of the answer is no part of what is said: each try would be another line in the log, and twenty of them all
    that is known of the feed's past.
    """
    with pytest.raises(FeedError) as caught:
        BYBIT.parse_rest(Recorded(data_dir, "_errors").answer("200_bybit_10006.json"))
    assert (str(caught.value), caught.value.reason) == ("Bybit says '10006 Too many visits'", "rate_limited")
    with pytest.raises(FeedError) as caught:
        BYBIT.parse_rest(b'{"retCode":10001,"retMsg":"params error","result":{}}')
    assert caught.value.reason == "protocol"


@pytest.mark.parametrize("body", [b"[]", b'{"retCode":0}', b'{"retCode":0,"result":[]}', b'{"retCode":0,"result":{}}'])
def test_an_answer_without_a_list_has_an_unknown_shape(body: bytes) -> None:
    """An answer without a list is of no known shape."""
    with pytest.raises(ValueError, match=r"."):
        BYBIT.parse_rest(body)


def test_spot_and_linear_differ_only_in_what_they_request() -> None:
    """They share everything that they owe Bybit."""
    assert (ADAPTER.name, BYBIT_LINEAR.name) == ("bybit", "bybit_linear")
    assert BYBIT.rest_request(()) == "/v5/market/tickers?category=spot"
    assert BYBIT_LINEAR.rest_request(()) == "/v5/market/tickers?category=linear"
    assert BYBIT.limits is BYBIT_LINEAR.limits
    assert (BYBIT.limits.ban_s, BYBIT.clock) == (600.0, "received")
