"""Alpaca: its snapshots, its messages of several rows, its bars and its errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from feeds.exchange.venue import Heard, Row
from feeds.times import time_ms
from feeds.venues.alpaca import ALPACA, parse_candles, parse_rest, parse_stream, rest_request, subscribe
from ticker.errors import FeedError

TRADE = {"t": "2022-03-18T14:33:58.448432206Z", "x": "V", "p": 161.1998, "s": 200}
TOP = {"t": "2022-03-18T14:33:58.547942Z", "ap": 161.2, "as": 2, "bp": 161.19, "bs": 5}
DAY = {"t": "2022-03-18T04:00:00Z", "o": 160.59, "h": 161.92, "l": 159.76, "c": 161.365, "v": 31749988}
BEFORE = {"t": "2022-03-17T04:00:00Z", "o": 158.6, "h": 161, "l": 157.63, "c": 160.62, "v": 73839892}


def snapshot(**parts: Any) -> Row:
    parts = {
        "symbol": "AAPL",
        "latestTrade": TRADE,
        "latestQuote": TOP,
        "dailyBar": DAY,
        "prevDailyBar": BEFORE,
    } | parts
    (row,) = parse_rest(json.dumps(parts).encode())
    return row


def hear(*messages: dict[str, Any]) -> Heard:
    return parse_stream(json.dumps(messages).encode(), {})


def test_a_snapshot_has_day_trade_and_book() -> None:
    """The time is the later one of trade and quote; the close before the day is there, too.

    By the trade's alone a stock without one today is closed, though bid and ask move.
    """
    row = snapshot()
    assert row.wire == "AAPL"
    assert row.raw == {"last": "161.1998", "bid": "161.19", "ask": "161.2", "open": "160.59", "high": "161.92",
                       "low": "159.76", "volume": "31749988", "previous_close": "160.62"}  # fmt: skip
    assert time_ms(row.time, ALPACA.time_unit) == 1647614038547
    assert time_ms(snapshot(latestQuote=None).time, ALPACA.time_unit) == 1647614038448


def test_before_the_first_bar_of_its_day_the_last_bar_is_yesterdays() -> None:
    """Its close is then the previous one, and the rest of it is not used."""
    row = snapshot(latestTrade=TRADE | {"t": "2022-03-21T12:01:00Z"})
    assert row.raw == {"last": "161.1998", "bid": "161.19", "ask": "161.2", "previous_close": "161.365"}


@pytest.mark.parametrize("part", ["latestTrade", "latestQuote", "dailyBar"])
def test_null_parts_are_missing_and_malformed_ones_fail_the_snapshot(part: str) -> None:
    """A part that never existed is null; one of another shape makes the snapshot unreadable."""
    raw = snapshot(**{part: None}).raw
    assert raw
    assert len(raw) < 8
    assert snapshot(**{part: {"t": "2022-03-18T14:33:58Z", "y": 1}}) == Row("AAPL", None)


def test_an_empty_snapshot_has_no_row() -> None:
    assert parse_rest(b'{"symbol":"AAPL"}') == [Row("AAPL", None)]


def test_one_request_a_symbol_with_the_key_in_headers_only() -> None:
    """Nothing in a name can lead the request elsewhere; the key is in no text."""
    assert rest_request(["AAPL", "A/../B?"]) == (
        "/v2/stocks/AAPL/snapshot?feed=iex",
        "/v2/stocks/A%2F..%2FB%3F/snapshot?feed=iex",
    )
    asked = [json.loads(text) for text in subscribe(["AAPL", "BRK.B"], 1)]
    assert asked == [{"action": "subscribe", "trades": ["AAPL", "BRK.B"], "quotes": ["AAPL", "BRK.B"]}]


def test_bid_and_ask_are_not_dated_and_trades_are() -> None:
    """They may overtake each other within a message of several rows."""
    heard = hear(
        {"T": "q", "S": "AAPL", "bp": 161.1, "ap": 161.11, "t": "2022-03-18T14:02:43.651613184Z"},
        {"T": "b", "S": "AAPL", "o": 1, "h": 1, "l": 1, "c": 1, "v": 1, "t": "2022-03-18T14:02:00Z"},
        {"T": "t", "S": "MSFT", "p": 300, "t": "2022-03-18T14:02:43.7Z"},
        {"T": "t", "S": "MSFT"},
    )
    assert heard == Heard(
        [
            Row("AAPL", {"bid": "161.1", "ask": "161.11"}),
            Row("MSFT", {"last": "300"}, "2022-03-18T14:02:43.7Z"),
            Row("MSFT", None),
        ],
        [],
    )


def test_names_are_subscribed_after_authentication() -> None:
    """An error about the symbol limit answers no name: those left over are polled instead."""
    assert not hear({"T": "success", "msg": "connected"}).ready
    assert hear({"T": "success", "msg": "authenticated"}).ready
    assert hear({"T": "subscription", "trades": ["AAPL", {}], "quotes": ["AAPL"]}).acked == ["AAPL", "{}"]
    assert hear({"T": "error", "code": 405, "msg": "symbol limit exceeded"}) == Heard([], [])


@pytest.mark.parametrize("code", [400, 402, 406, 500])
def test_any_other_error_fails_the_connection(code: int) -> None:
    """All other errors are about the whole connection."""
    with pytest.raises(FeedError, match=f"Alpaca says .*{code}"):
        hear({"T": "error", "code": code, "msg": "connection limit exceeded"})


def test_a_time_without_trades_has_no_bars() -> None:
    assert parse_candles(b'{"bars":null,"next_page_token":null,"symbol":"AAPL"}') == []
    with pytest.raises(ValueError, match="bars"):
        parse_candles(b'{"message":"forbidden"}')
