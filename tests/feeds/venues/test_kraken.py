"""Kraken: its recorded answers, its names and its errors, over real HTTP with only the address changed."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable

import pytest

from feeds.exchange.options import ExchangeOptions
from feeds.exchange.venue import Listing, Row
from feeds.venues.kraken import ADAPTER, KRAKEN, parse_instruments, symbol
from tests.feeds.fake_exchange import JSON, FakeExchange, Reply, recordings
from tests.feeds.harness import InstantClock, RecordingSink, context, run, supervised
from ticker.errors import FeedError

parse_rest = KRAKEN.parse_rest

TICKER, ASSET_PAIRS = "/0/public/Ticker?assetVersion=1", "/0/public/AssetPairs"
BULK, PAIRS = "Ticker_all_assetVersion1_2026-06-24.json", "AssetPairs_2021-04-17.json"

ROW = {
    "a": ["62000.20000", "1", "1.500"], "b": ["62000.10000", "2", "2.500"], "c": ["62000.10000", "0.00100000"],
    "v": ["10.0", "2345.67890123"], "p": ["61900.0", "61800.0"], "t": [5, 60000], "l": ["61500.0", "61000.0"],
    "h": ["62100.0", "62500.0"], "o": "61700.00000",
}  # fmt: skip


def answer(result: object = None, error: tuple[str, ...] = ()) -> Reply:
    body = {"error": error} if result is None else {"error": error, "result": result}
    return Reply(body=json.dumps(body).encode(), headers=JSON)


def play(script: Callable[[FakeExchange], None], until: Callable[[RecordingSink], bool]) -> RecordingSink:
    """Run the real feed against an exchange until its sink is satisfied."""

    async def main() -> RecordingSink:
        clock = InstantClock()
        sink = RecordingSink(clock)
        async with FakeExchange() as exchange:
            script(exchange)
            feed = ADAPTER.build("kraken", ExchangeOptions(base_url=exchange.base_url, mode="poll"), context(clock))
            async with supervised(feed, sink, clock):
                await sink.until(lambda: until(sink))
        return sink

    return run(main)


def polled(count: int) -> Callable[[RecordingSink], bool]:
    return lambda sink: len(sink.polls) >= count


@pytest.fixture
def rest(data_dir: pathlib.Path) -> pathlib.Path:
    return data_dir / "exchanges" / "kraken" / "rest"


def test_every_recorded_pair_is_known_under_all_its_names(rest: pathlib.Path) -> None:
    """Only the dark pools, which have no `wsname`, are not listed."""
    body = (rest / PAIRS).read_bytes()
    found = {wire: entry.symbol for entry in parse_instruments(body) for wire in entry.wires}
    pairs = json.loads(body)["result"]
    public = {key: pair for key, pair in pairs.items() if "wsname" in pair}
    assert len(pairs) - len(public) == 11
    for key, pair in public.items():
        base, quote = ({"XBT": "BTC", "XDG": "DOGE"}.get(part, part) for part in pair["wsname"].split("/"))
        assert [found[name] for name in (key, pair["altname"], pair["wsname"])] == [f"{base}-{quote}"] * 3
    assert (found["XXBTZUSD"], found["XDGUSD"], found["XTZUSD"]) == ("BTC-USD", "DOGE-USD", "XTZ-USD")


def test_legacy_names_are_read_with_the_list(rest: pathlib.Path) -> None:
    """`BCHEUR` of 2017 is BCH-EUR."""
    _, recorded = recordings(rest)["Ticker_BCHEUR_2017-10-03.json"]
    legacy = {"XXBTZUSD": ROW, "XBTEUR": ROW, "XDGUSD": ROW, "XETHZUSD.d": ROW, "NOSUCH": ROW}

    def script(exchange: FakeExchange) -> None:
        exchange.serve_recorded(rest)
        exchange.script(TICKER, answer(legacy), recorded, answer(legacy))

    sink = play(script, polled(2))
    assert [sorted(poll) for poll in sink.polls[:2]] == [
        ["kraken:BCH-EUR"], ["kraken:BTC-EUR", "kraken:BTC-USD", "kraken:DOGE-USD"],
    ]  # fmt: skip
    assert sink.polls[0]["kraken:BCH-EUR"].values["low"] == "346.000000"
    assert sink.status.rejects["symbol"] == 5 + 2


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        ("BTC/USD", "BTC-USD"),
        ("XBT/USD", "BTC-USD"),
        ("XDG/XBT", "DOGE-BTC"),
        ("SHIB/USD:BTNL", "SHIB-USD.BTNL"),
        ("ETH2.S/ETH", "ETH2.S-ETH"),
        ("XTZ/ZEC", "XTZ-ZEC"),
        ("XXBTZUSD", None),
    ],
)
def test_krakens_codes_become_the_usual_ones(wire: str, expected: str | None) -> None:
    """Nothing is cut off names that begin with X or Z."""
    assert symbol(wire) == expected


def test_a_row_has_sizes_and_figures_of_24_hours() -> None:
    """Lot volumes are the sizes; `open`, which is of 00:00, is not used."""
    (row,) = parse_rest(answer({"BTC/USD": ROW}).body)
    assert row == Row(
        "BTC/USD",
        {"last": "62000.10000", "bid": "62000.10000", "ask": "62000.20000", "bid_size": "2.500", "ask_size": "1.500",
         "high": "62500.0", "low": "61000.0", "volume": "2345.67890123"},
    )  # fmt: skip


@pytest.mark.parametrize(
    "bad",
    [None, [], "x", 5, {}, {**ROW, "a": []}, {**ROW, "c": "1"}, {**ROW, "v": ["1"]}, {**ROW, "h": None}]
    + [{name: value for name, value in ROW.items() if name != missing} for missing in "abcvlh"],
)
def test_a_malformed_row_is_rejected_alone(bad: object) -> None:
    """Its neighbour is published."""
    bad_row, good_row = parse_rest(answer({"BAD/USD": bad, "BTC/USD": ROW}).body)
    assert bad_row == Row("BAD/USD", None)
    assert good_row.raw is not None


def test_additional_members_of_a_row_are_ignored() -> None:
    """More fields and longer lists than today; numbers may come as numbers."""
    grown = {**ROW, "a": [62000.2, 1, 1.5, "new"], "z": {"new": True}}
    (row,) = parse_rest(answer({"BTC/USD": grown}).body)
    assert row.raw is not None
    assert (row.raw["ask"], row.raw["ask_size"]) == ("62000.2", "1.5")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("EQuery:Unknown asset pair", "protocol"),
        ("EGeneral:Too many requests", "rate_limited"),
        ("EAPI:Rate limit exceeded", "rate_limited"),
        ("EGeneral:Temporary lockout", "banned"),
        ("EService:Unavailable", "protocol"),
    ],
)
def test_an_error_with_status_200_is_a_failed_poll(error: str, reason: str) -> None:
    """It is one even beside a result; the feed recovers by itself."""

    def script(exchange: FakeExchange) -> None:
        exchange.serve(TICKER, answer({"BTC/USD": ROW}))
        exchange.script(TICKER, answer({"BTC/USD": ROW}), answer({"BTC/USD": ROW}, (error,)), answer(None, (error,)))

    sink = play(script, lambda sink: "live" in sink.story and sink.story[-1] == "publish")
    assert [told for told in sink.story if told != "down"] == ["publish", "live", "publish"], "down until it may ask"
    assert sink.status.errors[reason] == 2
    assert error in next(str(event.data) for event in sink.events if event.what == "live")


def test_a_warning_is_no_error() -> None:
    """The result beside a `W…` entry counts."""
    assert len(parse_rest(answer({"BTC/USD": ROW}, ("WGeneral:Deprecated",)).body)) == 1


@pytest.mark.parametrize(
    "body", [b"{}", b'{"error":[]}', b'{"result":{}}', b'{"error":null,"result":{}}', b"[]", b'{"error":[5]}']
)
def test_an_answer_without_error_and_result_is_unreadable(body: bytes) -> None:
    """An answer that is neither is unreadable as a whole."""
    with pytest.raises(ValueError, match=r"."):
        parse_rest(body)


def test_a_bad_entry_of_the_list_is_skipped() -> None:
    """Impossible decimals count as unknown."""
    good = {"altname": "XBTUSD", "wsname": "XBT/USD", "pair_decimals": 1}
    entries = {"A": good, "B": 5, "C": {}, "D": {**good, "wsname": "nothing"}, "E": {**good, "pair_decimals": -1}}
    assert parse_instruments(answer(entries).body) == [
        Listing("BTC-USD", ("A", "XBTUSD", "XBT/USD"), 1),
        Listing("BTC-USD", ("E", "XBTUSD", "XBT/USD"), None),
    ]


def test_recorded_errors_of_any_host_are_failed_polls(data_dir: pathlib.Path) -> None:
    """Each with a reason that fits its status, never a price."""
    replies = recordings(data_dir / "exchanges" / "_errors" / "rest")
    reasons = {200: "protocol", 403: "banned", 418: "banned", 429: "rate_limited"}
    assert len(replies) == 18
    for name, (_, reply) in replies.items():

        def script(exchange: FakeExchange, reply: Reply = reply) -> None:
            exchange.serve(TICKER, answer({"BTC/USD": ROW}))
            exchange.script(TICKER, answer({"BTC/USD": ROW}), reply)

        sink = play(script, polled(2))
        generic = {3: "redirect", 4: "http_4xx", 5: "http_5xx"}.get(reply.status // 100, "protocol")
        counted = {reason: n for reason, n in sink.status.errors.items() if n}
        counted["http_4xx"] = counted.get("http_4xx", 0) - 1  # the list of pairs, which nobody serves here
        expected = {"http_4xx": 0}
        expected[reasons.get(reply.status, generic)] = 1
        assert counted == expected, name
        assert sink.story == ["publish", "live", "publish"], name


def test_an_error_text_cannot_break_a_log_line() -> None:
    """Kraken's words are quoted."""
    with pytest.raises(FeedError) as caught:
        parse_rest(answer(None, ("E\nfeed=kraken state=live",)).body)
    assert "\n" not in str(caught.value)


def test_kraken_is_polled_once_a_second_by_default() -> None:
    """Without options Kraken itself is asked, for everything."""
    options = ADAPTER.options()
    assert (ADAPTER.name, options.symbols, options.base_url, options.interval_s) == ("kraken", ("*",), None, None)
    assert KRAKEN.base_url == "https://api.kraken.com"
    assert KRAKEN.limits.interval_s >= 1
    assert KRAKEN.limits.gap_s >= 1
