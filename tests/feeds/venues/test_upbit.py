"""Upbit: its recorded list, its names, its one subscription, and its errors."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from feeds.exchange.venue import Heard, Listing, Row
from feeds.venues.upbit import UPBIT, parse_instruments, parse_stream, subscribe, swapped
from tests.feeds.recorded import Recorded
from ticker.errors import FeedError

parse_rest = UPBIT.parse_rest

TICKER = {"type": "ticker", "code": "KRW-BTC", "trade_price": 36929000.0, "signed_change_rate": -0.0082180744,
          "acc_trade_volume_24h": 0.22569412, "acc_trade_price_24h": 8320.40577449}  # fmt: skip


@pytest.fixture
def recorded(data_dir: pathlib.Path) -> Recorded:
    return Recorded(data_dir, "upbit")


def hear(message: object) -> Heard:
    return parse_stream(json.dumps(message).encode(), {})


def test_all_294_recorded_pairs_are_listed(recorded: Recorded) -> None:
    """Each with the coin's name, and turned round: Upbit puts the quote currency first."""
    body = recorded.answer("market_all_2021-04-17.json")
    listed = parse_instruments(body)
    assert len(listed) == len(json.loads(body)) == 294
    assert listed[0] == Listing("BTC-KRW", ("KRW-BTC",), name="Bitcoin")
    assert {one.symbol.partition("-")[2] for one in listed} == {"KRW", "BTC", "USDT"}
    assert all(swapped(one.symbol) == one.wires[0] for one in listed)


def test_figures_of_the_utc_day_are_left_out(recorded: Recorded) -> None:
    """Opening, high and low are of the UTC day; volumes are of 24 h, the change is since the previous close."""
    (row,) = parse_rest(recorded.answer("v1_ticker_KRW-BTC_2018-07-08a.json"))
    assert row == Row("KRW-BTC", {
        "last": "7517000.0", "volume": "2492.79203083", "quote_volume": "18663661697.71772000",
        "change_pct": "-0.43708609",
    })  # fmt: skip


def test_one_message_subscribes_to_all_pairs() -> None:
    """It wants the ticker and the top of the book of each; the next one repeats all pairs."""
    (text,) = subscribe(["KRW-BTC", "BTC-ETH"], 3)
    ticket, ticker, tops, form = json.loads(text)
    assert ticket.keys() == {"ticket"}
    assert ticker == {"type": "ticker", "codes": ["KRW-BTC", "BTC-ETH"]}
    assert tops == {"type": "orderbook", "codes": ["KRW-BTC.1", "BTC-ETH.1"]}
    assert form == {"format": "DEFAULT"}
    assert UPBIT.stream is not None
    assert (UPBIT.stream.replaces, UPBIT.stream.acks) == (True, False)
    assert UPBIT.stream.wires_per_message == UPBIT.stream.wires_per_connection


@pytest.mark.parametrize(
    ("state", "ours"), [("ACTIVE", "live"), ("PREVIEW", "halted"), ("DELISTED", "halted"), (None, None)]
)
def test_an_inactive_market_does_not_trade(state: str | None, ours: str | None) -> None:
    """Without a state nothing is known."""
    (row,) = hear({**TICKER, "market_state": state}).rows
    assert row.state == ours


def test_an_empty_book_clears_bid_and_ask() -> None:
    """One of another shape is rejected."""
    book: dict[str, Any] = {"type": "orderbook", "code": "KRW-BTC", "timestamp": 1746601573804, "orderbook_units": []}
    empty = dict.fromkeys(("bid", "ask", "bid_size", "ask_size"))
    assert hear(book).rows == (Row("KRW-BTC", empty, "1746601573804"),)
    assert hear({**book, "orderbook_units": [5]}).rows[0].raw is None
    with pytest.raises(ValueError, match="orderbook_units"):
        hear({**book, "orderbook_units": None})


def test_an_error_object_is_a_failure() -> None:
    """That holds for answers and for the stream; a rate limit is told apart."""
    body = b'{"error":{"name":"%s","message":"x"}}'
    with pytest.raises(FeedError, match="INVALID_PARAM"):
        parse_stream(body % b"INVALID_PARAM", {})
    for name, reason in ((b"too_many_requests", "rate_limited"), (b"not_found", "protocol")):
        for parse in (parse_rest, parse_instruments):
            with pytest.raises(FeedError) as caught:
                parse(body % name)
            assert caught.value.reason == reason


@pytest.mark.parametrize("message", [{"status": "UP"}, {"type": "trade", "code": "KRW-BTC"}, {}])
def test_other_messages_are_ignored(message: object) -> None:
    """Keepalives, other channels and unknown messages have no effect."""
    assert hear(message) == Heard()
