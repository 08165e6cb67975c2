"""Binance: its recorded payloads of both hosts, its subscriptions, and its errors."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from feeds.exchange.venue import Heard, Listing, Row
from feeds.venues.binance import ADAPTER, BINANCE, parse_rest, parse_stream, subscribe
from feeds.venues.binance_us import BINANCE_US
from tests.feeds.recorded import Recorded
from ticker.errors import FeedError

parse_instruments = BINANCE.parse_instruments

TICKER = {
    "e": "24hrTicker", "E": 1653812100450, "s": "ETHBTC", "p": "0.1", "P": "0.515", "c": "0.06150300",
    "b": "0.06150300", "B": "18.96220000", "a": "0.06150400", "A": "10.94010000", "o": "0.06118800",
    "h": "0.06221700", "l": "0.06079900", "v": "116854.45230000", "q": "7187.23459814", "C": 1653812100257,
}  # fmt: skip
BOOK = {"u": 400900217, "s": "ETHBTC", "b": "0.06150100", "B": "31.21", "a": "0.06150200", "A": "40.66"}


@pytest.fixture
def recorded(data_dir: pathlib.Path) -> Recorded:
    return Recorded(data_dir, "binance")


def hear(message: object, memory: dict[str, Any] | None = None) -> Heard:
    return parse_stream(json.dumps(message).encode(), {} if memory is None else memory)


def wrapped(data: object) -> dict[str, object]:
    return {"stream": "ethbtc@whatever", "data": data}


def book_row(raw: dict[str, Any]) -> Row:
    sides = {"bid": raw["b"], "bid_size": raw["B"], "ask": raw["a"], "ask_size": raw["A"]}
    return Row(raw["s"], sides, seq=raw["u"])


@pytest.mark.parametrize("name", ["v3_bookTicker_BTCUSDT.json", "v3_price_BTCUSDT.json"])
def test_an_answer_with_other_fields_has_an_unknown_shape(recorded: Recorded, name: str) -> None:
    """An answer of another request is not full of missing prices."""
    assert parse_rest(recorded.answer(name)) == [Row("BTCUSDT", None)]


@pytest.mark.parametrize(
    ("exchange", "name", "listed", "halted"),
    [
        ("binance", "exchangeInfo_2021-10-11.json", 1262, 433),
        ("binance", "v3_exchangeInfo.json", 12, 13),
        ("binance_us", "exchangeInfo_2021-08-14.json", 113, 4),
    ],
)
def test_recorded_lists_have_every_symbol_with_its_digits(
    data_dir: pathlib.Path, exchange: str, name: str, listed: int, halted: int
) -> None:
    """Every symbol that trades, or is halted, with its currencies and the digits of its price filter."""
    body = Recorded(data_dir, exchange).answer(name)
    raw = json.loads(body)["symbols"]
    expected = []
    for entry in raw:
        if entry["status"] in {"TRADING", "BREAK"}:
            (tick,) = (one["tickSize"] for one in entry["filters"] if one["filterType"] == "PRICE_FILTER")
            decimals = len(tick.rstrip("0").partition(".")[2])
            canonical = entry["baseAsset"] + "-" + entry["quoteAsset"]
            state = None if entry["status"] == "TRADING" else "halted"
            expected.append(Listing(canonical, (entry["symbol"],), decimals, state=state))
    assert parse_instruments(body) == expected
    opened = [listing for listing in expected if listing.state is None]
    assert (len(opened), len(raw) - len(opened)) == (listed, halted)


def test_the_list_tells_where_a_name_is_split(recorded: Recorded) -> None:
    """A guess by suffix would be wrong for these; a step of `1.00` needs no digits."""
    listings = parse_instruments(recorded.answer("exchangeInfo_2021-10-11.json"))
    found = {listing.wires[0]: listing for listing in listings}
    names = {wire: found[wire].symbol for wire in ("TUSDUSDT", "USDTTRY", "BUSDUSDT", "1INCHUSDT", "BTCUSDT")}
    assert names == {
        "TUSDUSDT": "TUSD-USDT", "USDTTRY": "USDT-TRY", "BUSDUSDT": "BUSD-USDT", "1INCHUSDT": "1INCH-USDT",
        "BTCUSDT": "BTC-USDT",
    }  # fmt: skip
    assert (found["BTCUSDT"].decimals, found["SHIBUSDT"].decimals, found["BNBIDRT"].decimals) == (2, 8, 0)


def test_any_documented_status_but_trading_is_a_halt() -> None:
    """A symbol with an unknown status is not listed."""
    states = ["TRADING", "HALT", "BREAK", "END_OF_DAY", "CANCEL_ONLY", "AUCTION_MATCH", "PRE_TRADING"]
    entries = [{"symbol": state, "baseAsset": state[:2], "quoteAsset": "USDT", "status": state} for state in states]
    listings = parse_instruments(json.dumps({"symbols": entries}).encode())
    found = {listing.wires[0]: listing.state for listing in listings}
    assert found == {"TRADING": None} | dict.fromkeys(states[1:-1], "halted")


def test_immediate_bid_and_ask_replace_those_of_the_ticker() -> None:
    """Once they have come, the ticker's older ones are dropped, for that symbol only."""
    memory: dict[str, Any] = {}
    (before,) = hear(wrapped(TICKER), memory).rows
    assert hear(wrapped(BOOK), memory).rows == [book_row(BOOK)]
    (after,) = hear(wrapped(TICKER), memory).rows
    (other,) = hear(wrapped({**TICKER, "s": "LTCBTC"}), memory).rows
    assert before.raw is not None
    assert other.raw == before.raw
    assert after.raw == {name: before.raw[name] for name in before.raw if not name.startswith(("bid", "ask"))}
    assert len(after.raw) == 7


def test_the_tickers_bid_and_ask_count_again_without_immediate_ones() -> None:
    """They count again after several tickers in a row."""
    memory: dict[str, Any] = {}
    told = []
    for message in (BOOK, TICKER, TICKER, BOOK, *[TICKER] * 5, BOOK, TICKER):
        (row,) = hear(wrapped(message), memory).rows
        assert row.raw is not None
        told.append("bid" in row.raw)
    assert told == [True, False, False, True, False, False, False, True, True, True, False]


def test_a_subscription_is_two_lower_case_streams_a_symbol() -> None:
    """All are in one message with its number."""
    assert subscribe(["BTCUSDT", "ETHBTC"], 7) == [
        '{"method":"SUBSCRIBE","params":["btcusdt@ticker","btcusdt@bookTicker","ethbtc@ticker","ethbtc@bookTicker"],"id":7}'
    ]


def test_a_confirmation_has_the_number_of_its_request() -> None:
    """A confirmation has only the number of what it confirms."""
    assert hear({"result": None, "id": 7}) == Heard(acked=(7,))


@pytest.mark.parametrize("message", [{"result": None, "id": None}, {}, wrapped([]), wrapped({}), wrapped(5)])
def test_other_messages_are_ignored(message: object) -> None:
    """Messages without prices are no failure."""
    assert hear(message) == Heard([])


@pytest.mark.parametrize(
    "message",
    [
        {"code": 2, "msg": "Invalid request: too many parameters"},
        {"error": {"code": 3, "msg": "Invalid JSON"}, "id": None},
    ],
)
def test_a_refusal_fails_the_connection(message: object) -> None:
    """Either form of it is a failure that quotes Binance."""
    with pytest.raises(FeedError, match="Invalid"):
        hear(message)


@pytest.mark.parametrize("wrap", [wrapped, dict])
def test_a_server_about_to_shut_down_asks_to_reconnect(wrap: Any) -> None:
    """A server that is about to shut down asks for another connection."""
    assert hear(wrap({"e": "serverShutdown", "E": 1770123456789})).reconnect is not None


@pytest.mark.parametrize("bad", [None, 5, {"s": 5}, {**BOOK, "u": "x"}, {**BOOK, "b": 5}])
def test_a_malformed_event_gives_no_price(bad: object) -> None:
    """Its neighbour is published."""
    rows = hear(wrapped([bad, BOOK])).rows
    assert rows[-1] == book_row(BOOK)
    assert all(row.raw is None or row.raw["bid"] == "5" for row in rows[:-1])


def test_an_error_object_is_a_failure_whatever_its_status(data_dir: pathlib.Path) -> None:
    """Any other JSON has an unknown shape."""
    with pytest.raises(FeedError, match="IP banned"):
        parse_rest(Recorded(data_dir, "_errors").answer("418_binance_ip_banned.json"))
    for body in (b"5", b"null", b'"x"', b"<html>"):
        with pytest.raises(ValueError, match=r"."):
            parse_rest(body)
    with pytest.raises(ValueError, match="symbols"):
        parse_instruments(b"[]")


def test_both_hosts_stay_within_their_weight() -> None:
    """An answer takes 80 of it."""
    assert (ADAPTER.name, BINANCE.rest_request(["BTC-USDT"])) == ("binance", "/api/v3/ticker/24hr")
    assert (BINANCE_US.name, BINANCE_US.base_url) == ("binance_us", "https://api.binance.us")
    for venue in (BINANCE, BINANCE_US):
        assert 60 / venue.limits.interval_s * 80 <= venue.limits.used_limit
        assert venue.stream is not None
        assert venue.base_url.removeprefix("https://api.") in venue.stream.url
        assert 2 * venue.stream.wires_per_connection <= 1024
        assert venue.stream.messages_per_s + 2 <= 5, "a ping and a pong count as well"
        assert venue.clock == "received"
        assert venue.candles is not None
        assert (1 in venue.candles.intervals) is (venue is BINANCE)
