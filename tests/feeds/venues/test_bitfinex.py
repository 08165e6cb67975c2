"""Bitfinex: its recorded arrays, its channel numbers, its own currency codes and its ways to say no."""

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


def test_arrays_of_other_shapes() -> None:
    """A longer array is read like any other; a shorter one, or no array at all, costs itself.

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


def test_other_markets(folder: pathlib.Path) -> None:
    """Lending and derivatives are left out of an answer, and do not count as names that nobody knows.

    Of Bitfinex's rows a fifth are derivatives; the alert for rows that are not sane never ended.
    """
    (futures,) = json.loads((folder / "rest" / "conf_list_pair_future_2021-09-19.json").read_bytes())
    row = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    wires = [*(f"t{pair}" for pair in futures), "fUSD", "fF0:X", "tBTCUSD", "tF0X:USD"]
    assert [one.wire for one in parse_rest(json.dumps([[wire, *row] for wire in wires]).encode())] == wires[-2:]


def test_recorded_list(folder: pathlib.Path) -> None:
    """All 293 pairs are listed: split at the colon, else in the middle, with the codes that all others use."""
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


def test_list_with_its_map() -> None:
    """Where Bitfinex says what its codes stand for, that counts; without it, the best known ones are known."""
    assert BITFINEX.instruments_request == "/v2/conf/pub:list:pair:exchange,pub:map:currency:sym"
    answer = [["ALGUST", "DSHBTC", "DOGUSD"], [["ALG", "ALGO"], ["UST", "USDt"], ["DOG", "MDOGE"], ["X"], 5]]
    assert parse_instruments(json.dumps(answer).encode()) == [
        Listing("ALGO-USDT", ("tALGUST",)), Listing("DASH-BTC", ("tDSHBTC",)), Listing("MDOGE-USD", ("tDOGUSD",)),
    ]  # fmt: skip


def test_numbers_are_of_one_connection() -> None:
    """What a number stands for is known only on the connection that told it."""
    memory: dict[str, Any] = {}
    ticker = [5, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]]
    assert hear({"event": "subscribed", "channel": "ticker", "chanId": 5, "symbol": "tBTCUSD"}, memory).acked
    assert hear({"event": "subscribed", "channel": "trades", "chanId": 6, "symbol": "tETHUSD"}, memory) == Heard()
    assert [row.wire for row in hear(ticker, memory).rows] == ["tBTCUSD"]
    assert hear([6, "te", [1, 2, 3, 4]], memory) == hear([5, "hb"], memory) == hear(ticker) == Heard()
    assert hear([5, [1, 2]], memory).rows == (Row("tBTCUSD", None),)


def test_subscribing_is_what_was_recorded(folder: pathlib.Path) -> None:
    """One message a channel, letter for letter like the recorder's."""
    lines = (folder / "ws" / "v2_ticker_trades_2021-04-17.jsonl").read_text(encoding="utf-8").splitlines()
    sent = [event["raw"] for event in map(json.loads, lines) if event["dir"] == "sent" and '"ticker"' in event["raw"]]
    assert subscribe([json.loads(text)["symbol"] for text in sent], 1) == sent
    assert BITFINEX.stream is not None
    assert BITFINEX.stream.wires_per_connection == 25


def test_refusals() -> None:
    """A pair may be refused, or be subscribed already; an error that names none is about the whole connection."""
    refusal = {"event": "error", "msg": "symbol: invalid", "code": 10300, "channel": "ticker", "symbol": "tX"}
    assert hear(refusal) == Heard(refused=(("tX", "symbol: invalid"),))
    assert hear({**refusal, "msg": "subscribe: dup", "code": 10301}) == Heard(acked=("tX",))
    with pytest.raises(FeedError, match="10305"):
        hear({"event": "error", "msg": "Reached limit of open channels", "code": 10305})


@pytest.mark.parametrize("code", [20051, 20061])
def test_asked_to_reconnect(code: int) -> None:
    """A restart and the end of a maintenance call for another connection."""
    assert hear({"event": "info", "code": code, "msg": "..."}).reconnect is not None


@pytest.mark.parametrize(
    "info", [{"code": 20060, "msg": "Entering maintenance"}, {"version": 2, "platform": {"status": 0}}]
)
def test_maintenance(info: dict[str, Any]) -> None:
    """During a maintenance the connection is of no use, whether it begins now or was on before us."""
    with pytest.raises(FeedError, match="Bitfinex says"):
        hear({"event": "info", **info})


def test_greeting_and_pong() -> None:
    """Neither says anything."""
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
def test_errors(error: object, reason: str) -> None:
    """An error is an array of its own kind, or an object, never prices."""
    for parse in (parse_rest, parse_instruments):
        with pytest.raises(FeedError) as caught:
            parse(json.dumps(error).encode())
        assert caught.value.reason == reason


def test_recorded_error(data_dir: pathlib.Path) -> None:
    """The recorded rate limit is read as one."""
    with pytest.raises(FeedError) as caught:
        parse_rest((data_dir / "exchanges" / "_errors" / "rest" / "429_bitfinex_ratelimit.json").read_bytes())
    assert caught.value.reason == "rate_limited"
