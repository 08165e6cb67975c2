"""Bitfinex: its recorded arrays, its channel numbers, its own currency codes and its errors."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from feeds.exchange.venue import Heard, Listing, Row
from feeds.venues.bitfinex import BITFINEX, parse_instruments, parse_rest, parse_stream, subscribe
from ticker.errors import FeedError


@pytest.fixture
def folder(data_dir: pathlib.Path) -> pathlib.Path:
    return data_dir / "exchanges" / "bitfinex"


def hear(message: object, memory: dict[str, Any] | None = None) -> Heard:
    return parse_stream(json.dumps(message).encode(), {} if memory is None else memory)


def test_a_longer_row_is_read_and_a_shorter_one_rejected() -> None:
    """So is anything that is no array.

    Seen: what stands beside bid and ask was shown as their size. It is the sum of the best 25 levels of the book.
    """
    row = ["tA:USD", 1, 2, 3, 4, 5, -4.3e-7, 7, 8, 9, 10]
    grown, short, *others = parse_rest(json.dumps([[*row, 11, "new"], row[:-1], 5, [], [None, 1]]).encode())
    assert grown == Row(
        "tA:USD",
        {"bid": "1", "ask": "3", "change_pct": "-0.000043", "last": "7", "volume": "8", "high": "9", "low": "10"},
    )
    assert short == Row("tA:USD", None)
    assert others == [Row("?", None)] * 3


def test_lending_and_derivatives_are_ignored(folder: pathlib.Path) -> None:
    """They are left out of an answer, and do not count as unknown names.

    Of Bitfinex's rows a fifth are derivatives; the alert for rows that are not sane never ended.
    """
    (futures,) = json.loads((folder / "rest" / "conf_list_pair_future_2021-09-19.json").read_bytes())
    row = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    wires = [*(f"t{pair}" for pair in futures), "fUSD", "fF0:X", "tBTCUSD", "tF0X:USD"]
    assert [one.wire for one in parse_rest(json.dumps([[wire, *row] for wire in wires]).encode())] == wires[-2:]


def test_all_293_recorded_pairs_are_listed(folder: pathlib.Path) -> None:
    """Split at the colon, else in the middle, with the codes that all others use."""
    body = (folder / "rest" / "conf_list_pair_exchange_2021-09-19.json").read_bytes()
    (pairs,) = json.loads(body)
    found = {listing.wires: listing.symbol for listing in parse_instruments(body)}
    assert (len(pairs), len(found)) == (293, 293)
    for pair in pairs:
        base, quote = pair.split(":") if ":" in pair else (pair[:3], pair[-3:])
        codes = [{"UST": "USDT", "DSH": "DASH"}.get(code, code) for code in (base, quote)]
        assert found["t" + pair,] == "-".join(codes)
    assert (found["tBTCUST",], found["tAAVE:USD",], found["tDSHBTC",]) == ("BTC-USDT", "AAVE-USD", "DASH-BTC")
    rows = parse_rest((folder / "rest" / "v2_tickers_ALL_2019-07-29.json").read_bytes())
    assert sum((row.wire,) in found for row in rows) == 178


def test_the_lists_map_of_currency_codes_counts() -> None:
    """Without the map the best known codes are known."""
    assert BITFINEX.instruments_request == "/v2/conf/pub:list:pair:exchange,pub:map:currency:sym"
    answer = [["ALGUST", "DSHBTC", "DOGUSD"], [["ALG", "ALGO"], ["UST", "USDt"], ["DOG", "MDOGE"], ["X"], 5]]
    assert parse_instruments(json.dumps(answer).encode()) == [
        Listing("ALGO-USDT", ("tALGUST",)), Listing("DASH-BTC", ("tDSHBTC",)), Listing("MDOGE-USD", ("tDOGUSD",)),
    ]  # fmt: skip


def test_a_channel_number_is_valid_on_its_connection_only() -> None:
    """On any other one it means nothing."""
    memory: dict[str, Any] = {}
    ticker = [5, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]]
    assert hear({"event": "subscribed", "channel": "ticker", "chanId": 5, "symbol": "tBTCUSD"}, memory).acked
    assert hear({"event": "subscribed", "channel": "trades", "chanId": 6, "symbol": "tETHUSD"}, memory) == Heard()
    assert [row.wire for row in hear(ticker, memory).rows] == ["tBTCUSD"]
    assert hear([6, "te", [1, 2, 3, 4]], memory) == hear([5, "hb"], memory) == hear(ticker) == Heard()
    assert hear([5, [1, 2]], memory).rows == (Row("tBTCUSD", None),)


def test_subscriptions_equal_the_recorded_ones(folder: pathlib.Path) -> None:
    """There is one message a channel, byte for byte the recorded one."""
    lines = (folder / "ws" / "v2_ticker_trades_2021-04-17.jsonl").read_text(encoding="utf-8").splitlines()
    sent = [event["raw"] for event in map(json.loads, lines) if event["dir"] == "sent" and '"ticker"' in event["raw"]]
    assert subscribe([json.loads(text)["symbol"] for text in sent], 1) == sent
    assert BITFINEX.stream is not None
    assert BITFINEX.stream.wires_per_connection == 25


def test_a_refusal_names_its_pair_or_fails_the_connection() -> None:
    """A pair that is subscribed already counts as confirmed."""
    refusal = {"event": "error", "msg": "symbol: invalid", "code": 10300, "channel": "ticker", "symbol": "tX"}
    assert hear(refusal) == Heard(refused=(("tX", "symbol: invalid"),))
    assert hear({**refusal, "msg": "subscribe: dup", "code": 10301}) == Heard(acked=("tX",))
    with pytest.raises(FeedError, match="10305"):
        hear({"event": "error", "msg": "Reached limit of open channels", "code": 10305})


@pytest.mark.parametrize("code", [20051, 20061])
def test_a_restart_or_end_of_maintenance_asks_to_reconnect(code: int) -> None:
    """Both call for another connection."""
    assert hear({"event": "info", "code": code, "msg": "..."}).reconnect is not None


@pytest.mark.parametrize(
    "info", [{"code": 20060, "msg": "Entering maintenance"}, {"version": 2, "platform": {"status": 0}}]
)
def test_maintenance_fails_the_connection(info: dict[str, Any]) -> None:
    """Whether it begins now or has begun before the connection."""
    with pytest.raises(FeedError, match="Bitfinex says"):
        hear({"event": "info", **info})


def test_greeting_and_pong_are_ignored() -> None:
    """Neither has any news."""
    assert hear({"event": "info", "version": 2, "platform": {"status": 1}}) == Heard()
    assert hear({"event": "pong", "ts": 1511545528111, "cid": 1}) == Heard()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (["error", 11010, "ratelimit: error"], "rate_limited"),
        ({"error": "ERR_RATE_LIMIT"}, "rate_limited"),
        (["error", 10020, "symbol: invalid"], "protocol"),
        ({"message": "whatever"}, "protocol"),
    ],
)
def test_an_error_array_or_object_is_a_failure(error: object, reason: str) -> None:
    """Neither is ever read as prices."""
    for parse in (parse_rest, parse_instruments):
        with pytest.raises(FeedError) as caught:
            parse(json.dumps(error).encode())
        assert caught.value.reason == reason


def test_the_recorded_rate_limit_is_read_as_one(data_dir: pathlib.Path) -> None:
    """The recorded rate limit is read as one."""
    with pytest.raises(FeedError) as caught:
        parse_rest((data_dir / "exchanges" / "_errors" / "rest" / "429_bitfinex_ratelimit.json").read_bytes())
    assert caught.value.reason == "rate_limited"
