"""Gate.io: its recorded list and subscriptions, its two channels, and its errors."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from feeds.exchange.venue import NOW_S, Heard, Listing, Row
from feeds.venues.gateio import GATEIO, parse_stream, subscribe
from tests.feeds.recorded import Recorded
from ticker.errors import FeedError

parse_rest, parse_instruments = GATEIO.parse_rest, GATEIO.parse_instruments

TICKER = {"currency_pair": "BTC_USDT", "last": "9", "lowest_ask": "10", "highest_bid": "8", "base_volume": "1",
          "quote_volume": "2", "high_24h": "9", "low_24h": "7", "change_percentage": "-1.5"}  # fmt: skip
BOOK = {"t": 1606293275123, "u": 48733182, "s": "BTC_USDT", "b": "8.5", "B": "0.3", "a": "9.5", "A": "0.09"}
UNKNOWN = "unknown currency pair FOO_USDT"


@pytest.fixture
def recorded(data_dir: pathlib.Path) -> Recorded:
    return Recorded(data_dir, "gate")


def update(channel: str, result: object) -> dict[str, Any]:
    return {"time": 1606293275, "time_ms": 1606293275723, "channel": channel, "event": "update", "result": result}


def hear(message: object, memory: dict[str, Any] | None = None) -> Heard:
    return parse_stream(json.dumps(message).encode(), {} if memory is None else memory)


def test_all_1458_recorded_pairs_are_listed(recorded: Recorded) -> None:
    """Those that can be bought and sold are open, all others halted; digits are the price's."""
    body = recorded.answer("v4_currency_pairs_2021-04-22.json")
    raw, listed = json.loads(body), parse_instruments(body)
    assert len(raw) == len(listed) == 1458
    assert sum(one.state is None for one in listed) == 1408
    assert {one.state for one in listed} == {None, "halted"}
    for entry, listing in zip(raw, listed, strict=True):
        assert listing[:3] == (f"{entry['base']}-{entry['quote']}", (entry["id"],), entry["precision"])
        assert GATEIO.symbol is not None
        assert GATEIO.wire is not None
        assert (GATEIO.symbol(entry["id"]), GATEIO.wire(listing.symbol)) == (listing.symbol, entry["id"])


def test_the_coins_name_is_used_where_a_list_has_it() -> None:
    """Today's lists have it."""
    entry = {"id": "ETH_USDT", "base": "ETH", "base_name": "Ethereum", "quote": "USDT", "precision": 6,
             "trade_status": "tradable"}  # fmt: skip
    assert parse_instruments(json.dumps([entry]).encode()) == [Listing("ETH-USDT", ("ETH_USDT",), 6, "Ethereum")]


def test_an_answer_of_the_old_api_is_rejected(recorded: Recorded) -> None:
    """Its volumes are swapped."""
    with pytest.raises(ValueError, match="no list"):
        parse_rest(recorded.answer("legacy_v2_tickers_2017-11-23.json"))


def test_subscriptions_equal_the_recorded_ones(data_dir: pathlib.Path) -> None:
    """A message for each channel; the time is that of sending, the number comes back."""
    lines = (data_dir / "exchanges/gate/ws/v4_tickers_trades_2021-04-22.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    sent = [json.loads(event["raw"]) for event in events if event["dir"] == "sent"]
    (recorded,) = [message for message in sent if message["channel"] == "spot.tickers"]
    first, second = map(json.loads, subscribe(recorded["payload"], 7))
    assert first == recorded | {"time": NOW_S, "id": 7}
    assert second == first | {"channel": "spot.book_ticker"}


def test_the_tickers_bid_and_ask_count_until_the_books_come() -> None:
    """On one connection the ticker, once a second, is older than the book, which comes at once."""
    memory: dict[str, Any] = {}
    (before,) = hear(update("spot.tickers", TICKER), memory).rows
    assert hear(update("spot.book_ticker", BOOK), memory).rows == (
        Row("BTC_USDT", {"bid": "8.5", "ask": "9.5", "bid_size": "0.3", "ask_size": "0.09"}, "1606293275123", 48733182),
    )
    (after,) = hear(update("spot.tickers", TICKER), memory).rows
    assert before.raw is not None
    assert after.raw is not None
    assert before.raw == after.raw | {"bid": "8", "ask": "10"}
    assert "bid" not in after.raw


def test_acks_and_refusals_have_the_messages_number() -> None:
    """One unknown pair fails its whole message, and is named."""
    answer = {"time": 1, "channel": "spot.tickers", "event": "subscribe", "id": 3, "error": None}
    assert hear({**answer, "result": {"status": "success"}}) == Heard(acked=[3])
    for reason, refused in ((UNKNOWN, "FOO_USDT"), ("Server side error happened", 3)):
        error = {"error": {"code": 2, "message": reason}, "result": None}
        assert hear({**answer, **error}) == Heard(refused=[(refused, reason)])
    with pytest.raises(FeedError, match="Server side"):
        hear({**answer, **error, "id": None})


@pytest.mark.parametrize(
    "message",
    [
        {"time": 1, "channel": "spot.pong", "event": "", "error": None, "result": None},
        {"channel": "spot.trades", "event": "subscribe", "result": {"status": "success"}},
        update("spot.trades", {"currency_pair": "BTC_USDT", "price": "1"}), {},
    ],
)  # fmt: skip
def test_other_messages_are_ignored(message: object) -> None:
    """Pongs, other channels and acks without a number have no effect."""
    assert hear(message) == Heard(acked=[]) or hear(message) == Heard()


def test_pings_have_the_time_of_sending() -> None:
    """Gate.io's own ping is dated, too."""
    assert GATEIO.stream is not None
    assert GATEIO.stream.ping is not None
    assert json.loads(GATEIO.stream.ping[0]) == {"time": NOW_S, "channel": "spot.ping"}


@pytest.mark.parametrize(("label", "reason"), [("TOO_MANY_REQUESTS", "rate_limited"), ("INVALID_KEY", "protocol")])
def test_an_error_with_a_good_status_is_a_failure(label: str, reason: str) -> None:
    """That holds for prices and for the list."""
    for parse in (parse_rest, parse_instruments):
        with pytest.raises(FeedError) as caught:
            parse(json.dumps({"label": label, "message": "x\n"}).encode())
        assert caught.value.reason == reason
