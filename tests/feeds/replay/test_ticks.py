"""The replay of a tick file: what a row becomes, when it is due, and what a bad file or row leads to."""

from __future__ import annotations

import asyncio
import csv
import gzip
import logging
import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from feeds.base import Context, Feed
from feeds.options import parse_options
from feeds.replay.adapter import ADAPTER
from feeds.replay.options import LOOP_GAP_S
from feeds.replay.ticks import MAX_SYMBOLS, ROWS_PER_TURN
from tests.clock import ManualClock
from tests.conftest import logged
from ticker.errors import ConfigError, FatalFeedError
from ticker.model import FeedStatus, Quote, Value

T0 = 1_399_550_400_000
"""2014-05-08 12:00 UTC."""


class Heard:
    """A sink that keeps everything, with the clock's time of it."""

    def __init__(self, clock: ManualClock) -> None:
        self.status = FeedStatus("replay", "replay")
        self.batches: list[tuple[float, list[Quote]]] = []
        self.states: list[tuple[str, str | None]] = []
        self.loads = 0
        self._clock = clock

    def publish(self, quotes: Iterable[Quote]) -> None:
        self.batches.append((self._clock.monotonic(), list(quotes)))

    def state(self, state: str, message: str | None = None) -> None:
        self.states.append((state, message))

    def remove(self, symbols: Iterable[str]) -> None:
        raise AssertionError("a replay removes nothing")

    def loaded(self) -> None:
        self.loads += 1
        self.status.loaded = True

    @property
    def quotes(self) -> list[Quote]:
        return [quote for _, batch in self.batches for quote in batch]

    @property
    def times(self) -> list[tuple[float, list[int | None]]]:
        """When which `ts` came, `ts` counted from T0."""
        return [(at, [quote.ts and quote.ts - T0 for quote in batch]) for at, batch in self.batches]

    @property
    def rejects(self) -> dict[str, int]:
        return {reason: count for reason, count in self.status.rejects.items() if count}


def build(path: Path, clock: ManualClock, **options: object) -> Feed:
    parsed = parse_options("feeds.replay", ADAPTER.options, {"symbols": str(path), **options})
    return ADAPTER.build("replay", parsed, Context(clock, random.Random(1)))


def play(path: Path, **options: object) -> Heard:
    """The whole file at once."""
    clock = ManualClock()
    heard = Heard(clock)
    asyncio.run(build(path, clock, **{"speed": "max", **options}).run(heard))
    return heard


def play_for(seconds: float, path: Path, clock: ManualClock | None = None, **options: object) -> Heard:
    """The first seconds of a file, by the service's clock."""

    clock = clock or ManualClock()
    heard = Heard(clock)
    feed = build(path, clock, **options)

    async def run() -> None:
        task = asyncio.create_task(feed.run(heard))
        await clock.advance(seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    return heard


@pytest.fixture
def ticks(tmp_path: Path) -> Path:
    return tmp_path / "ticks.csv"


def write(path: Path, *rows: str, header: str = "ts_ms_utc,venue,symbol,bid,ask") -> Path:
    path.write_text("\n".join((header, *rows)) + "\n" if header else "\n".join(rows))
    return path


def at(*offsets_ms: int) -> list[str]:
    return [f"{T0 + offset},oanda,EURUSD,1.{i + 1},2.0" for i, offset in enumerate(offsets_ms)]


# -- what a row becomes


def test_a_row_becomes_one_quote(ticks: Path) -> None:
    """It has the file's own text, its time, its row number and the digits of its price."""
    heard = play(write(ticks, f"{T0},oanda,XAUUSD,1290.330,1290.66"))
    values: dict[str, Value] = {"bid": "1290.330", "ask": "1290.66", "decimals": 3}
    assert [Quote("oanda:XAUUSD", values, T0, 1)] == heard.quotes


def test_a_file_of_trades_gives_last(ticks: Path) -> None:
    """The quantity of a trade is no field of ours."""
    row = "2021-01-08T00:00:00.278000+00:00,553287559,39432.48,0.000263,True"
    heard = play(write(ticks, row, header="timestamp,trade_id,price,quantity,buyer_maker"), symbol="BTC-USDT")
    expected = Quote("replay:BTC-USDT", {"last": "39432.48", "decimals": 2}, 1_610_064_000_278, 1)
    assert [expected] == heard.quotes


def test_columns_are_found_by_name(ticks: Path) -> None:
    """Order and case do not matter, nor a byte order mark or Windows line ends."""
    ticks.write_bytes(b"\xef\xbb\xbfAsk, Bid_Qty ,TIMESTAMP,extra,Bid,Pair,offer\r\n2.5,0,1399550400,x,2.4,A-B,9\r\n")
    values: dict[str, Value] = {"bid": "2.4", "ask": "2.5", "bid_size": "0", "decimals": 1}
    assert [Quote("replay:A-B", values, T0, 1)] == play(ticks).quotes


def test_an_empty_cell_keeps_its_field_and_a_zero_clears_it(ticks: Path) -> None:
    """An empty cell says nothing about its field; a zero says that there is no price."""
    heard = play(write(ticks, f"{T0},A,1.5,,", f"{T0},A,,1.4,0", header="ts_ms,symbol,last,bid,ask"))
    assert [quote.values for quote in heard.quotes] == [{"last": "1.5", "decimals": 1}, {"bid": "1.4", "ask": None}]


def test_decimals_are_sent_when_they_grow(ticks: Path) -> None:
    """They are sent when a price of that symbol has more digits than any before, and only then."""
    rows = [f"{T0},{symbol},{last}" for symbol, last in [("A", "1"), ("A", "1.25"), ("A", "1.3"), ("B", "2.5")]]
    heard = play(write(ticks, *rows, header="ts_ms,symbol,last"))
    assert [quote.values.get("decimals") for quote in heard.quotes] == [0, 2, None, 1]


def test_decimals_of_a_rejected_row_do_not_count(ticks: Path) -> None:
    """They are sent with the first good quote that has as many."""
    heard = play(write(ticks, f"{T0},v,A,2.001,1.001", f"{T0},v,A,1.001,1.002"))
    assert [quote.values.get("decimals") for quote in heard.quotes] == [3]


def test_the_venue_is_the_column_or_else_the_option(ticks: Path) -> None:
    """The column is taken in lower case; `venue=` applies to rows without one."""
    path = write(ticks, f"{T0},FXCM,EURUSD,1,2", f"{T0},,EURUSD,1,2")
    assert [quote.symbol for quote in play(path, venue="Desk").quotes] == ["fxcm:EURUSD", "desk:EURUSD"]


def test_map_renames_a_symbol_of_the_file(ticks: Path) -> None:
    """All others are taken as written."""
    path = write(ticks, f"{T0},v,EURUSD,1,2", f"{T0},v,a:b/c,1,2", f"{T0},v,EURGBP,1,2")
    heard = play(path, map=["EURUSD:EUR-USD", "a:b/c:ABC"])
    assert [quote.symbol for quote in heard.quotes] == ["v:EUR-USD", "v:ABC", "v:EURGBP"]


def test_a_row_with_an_invalid_symbol_is_counted_and_named_once(ticks: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log also says how to map it."""
    heard = play(write(ticks, f"{T0},v,BTC/USDT,1,2", f"{T0},v,BTC/USDT,1,2", f"{T0},v,A,1,2"))
    assert heard.rejects == {"symbol": 2}
    assert [quote.symbol for quote in heard.quotes] == ["v:A"]
    (line,) = logged(caplog)
    assert "first_line=2" in line
    assert "map=BTC/USDT:BASE-QUOTE" in line


@pytest.mark.parametrize(("crossed", "rejects", "bids"), [("reject", {"crossed": 1}, 1), ("keep", {}, 2)])
def test_a_crossed_quote_is_rejected_unless_kept(ticks: Path, crossed: str, rejects: dict[str, int], bids: int) -> None:
    """A bid above the ask is counted; with `crossed=keep` it is published; bid and ask may be equal."""
    heard = play(write(ticks, f"{T0},v,A,1.2,1.1", f"{T0},v,A,1.1,1.1"), crossed=crossed)
    assert rejects == heard.rejects
    assert bids == len(heard.quotes)


# -- time


@pytest.mark.parametrize(
    ("text", "ts"),
    [
        ("1399550400", T0),
        ("1399550400.0119", T0 + 11),
        ("1399550400011", T0 + 11),
        ("1399550400011.99", T0 + 11),
        ("100000000000000", 100_000_000_000),
        ("1399550400011999", T0 + 11),
        ("1399550400011999999", T0 + 11),
        ("2014-05-08T12:00:00.011Z", T0 + 11),
        ("2014-05-08T12:00:00.011999", T0 + 11),
        ("2014-05-08 07:00:00.011000-05:00", T0 + 11),
    ],
)
def test_times_are_exact_to_the_millisecond(ticks: Path, text: str, ts: int) -> None:
    """Any unit is read exactly, and fractions of a millisecond are cut off."""
    assert [ts] == [quote.ts for quote in play(write(ticks, f"{text},1", header="time,last"), symbol="A").quotes]


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "noon", "12:00", "nan", "1e400", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00+23:00",
             "9999-12-31T23:59:59-23:00", "2014-13-01T00:00:00Z", "१३९९५५०४००", "9" * 19, "9" * 5000, "1795386060001"],
)  # fmt: skip
def test_a_row_with_an_impossible_time_is_rejected(ticks: Path, text: str) -> None:
    """A time before 1970, in the future, or none at all."""
    heard = play(write(ticks, f"{text},1", f"{T0},1", header="time,last"), symbol="A")
    assert heard.rejects == {"timestamp": 1}
    assert [quote.ts for quote in heard.quotes] == [T0]


def test_a_row_may_be_a_minute_ahead(ticks: Path) -> None:
    """The clocks of exchanges and ours differ: a minute ahead of our clock is accepted."""
    heard = play(write(ticks, "1795386060000,1", header="time,last"), symbol="A")
    assert ([quote.ts for quote in heard.quotes], heard.rejects) == ([1_795_386_060_000], {})


@pytest.mark.parametrize(("offset_h", "ahead_ms"), [(0, 0), (-5, -18_000_000), (5.5, 19_800_000)])
def test_ms_counts_from_midnight_of_the_given_date(ticks: Path, offset_h: float, ahead_ms: int) -> None:
    """The midnight is that of its time zone, and is itself a valid time."""
    path = write(ticks, "0,1,2", "43200042.4312,1,2", "86399999.9,1,2", header="")
    columns = {"columns": "ms,bid,ask", "symbol": "EURUSD", "date": "20140508", "utc_offset_h": offset_h}
    midnight = T0 - 43_200_000 - ahead_ms
    expected = [midnight, midnight + 43_200_042, midnight + 86_399_999]
    assert expected == [quote.ts for quote in play(path, **columns).quotes]


def test_an_empty_ms_is_not_midnight(ticks: Path) -> None:
    """Such a row is rejected."""
    path = write(ticks, ",1,2", header="")
    assert play(path, columns="ms,bid,ask", symbol="A", date="20140508").rejects == {"timestamp": 1}


def test_an_underscore_skips_a_column(ticks: Path) -> None:
    """`_` among the columns stands for one that is not wanted."""
    heard = play(write(ticks, f"{T0},x,7,y", header=""), columns=["ts", "_", "last", "_"], symbol="A")
    assert [quote.values for quote in heard.quotes] == [{"last": "7", "decimals": 0}]


# -- pace


@pytest.mark.parametrize(("speed", "factor"), [("1", 1.0), (4, 4.0), (0.5, 0.5)])
def test_rows_are_due_at_their_recorded_distance_divided_by_speed(ticks: Path, speed: object, factor: float) -> None:
    """The distance is counted from the first row."""
    heard = play_for(10, write(ticks, *at(0, 250, 250, 1000, 3000)), speed=speed)
    expected = [(0.0, [0]), (0.25 / factor, [250, 250]), (1 / factor, [1000]), (3 / factor, [3000])]
    assert expected == heard.times


def test_no_row_is_early(ticks: Path) -> None:
    """A row is not out a millisecond before it is due."""
    path = write(ticks, *at(0, 250))
    assert play_for(0.249, path).times == [(0.0, [0])]
    assert play_for(0.25, path).times == [(0.0, [0]), (0.25, [250])]


def test_rows_a_millisecond_apart_share_a_batch(ticks: Path) -> None:
    """They go out a few milliseconds late, and never early."""
    heard = play_for(1, write(ticks, *at(100, 101, 102, 105, 106, 300)))
    assert [offsets for _, offsets in heard.times] == [[100], [101, 102, 105], [106], [300]]
    assert pytest.approx([0, 0.005, 0.010, 0.200]) == [when for when, _ in heard.times]


class HastyClock(ManualClock):
    """A clock whose sleeps end a tenth of a millisecond early, as a real timer's may."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds - 0.0001)


def test_an_early_timer_does_not_split_rows_of_one_millisecond(ticks: Path) -> None:
    """They go out together although the wait for them ended early."""
    heard = play_for(3, write(ticks, *at(0, 1000, 1000, 2000, 2000)), clock=HastyClock())
    assert [batch for _, batch in heard.times] == [[0], [1000, 1000], [2000, 2000]]


def test_a_gap_of_days_is_waited_for(ticks: Path) -> None:
    """It is a wait like any other."""
    two_days_s = 2 * 86_400
    path = write(ticks, *at(0, two_days_s * 1000))
    assert len(play_for(two_days_s - 1, path).quotes) == 1
    assert len(play_for(two_days_s, path).quotes) == 2


def test_speed_max_never_waits(ticks: Path) -> None:
    """A whole file goes out while the clock stands still."""
    assert play(write(ticks, *at(0, 1000, 86_400_000))).times == [(0.0, [0, 1000, 86_400_000])]


def test_rows_out_of_time_order_keep_the_files_order(ticks: Path) -> None:
    """They cause no wait and are newer by `seq`."""
    heard = play_for(2, write(ticks, *at(0, 1000, 400, 1001, 2000)))
    assert heard.times == [(0.0, [0]), (1.0, [1000, 400]), (1.005, [1001]), (2.0, [2000])]
    assert [quote.seq for quote in heard.quotes] == [1, 2, 3, 4, 5]


def test_a_long_file_leaves_turns_to_others(ticks: Path) -> None:
    """It does so while rows are rejected, too, and batches are bounded."""
    rows = at(*range(2 * ROWS_PER_TURN)) + ["bad"] * 2 * ROWS_PER_TURN
    feed = build(write(ticks, *rows), clock := ManualClock(), speed="max")

    async def turns_meanwhile() -> int:
        task = asyncio.create_task(feed.run(heard))
        turns = 0
        while not task.done():
            turns += 1
            await asyncio.sleep(0)
        return turns

    heard = Heard(clock)
    assert asyncio.run(turns_meanwhile()) >= 4
    assert len(heard.quotes) == 2 * ROWS_PER_TURN
    assert max(len(batch) for _, batch in heard.batches) <= ROWS_PER_TURN


# -- the end, and the next round


def test_the_end_of_a_file_is_reported_with_its_last_time(ticks: Path) -> None:
    """The symbols were reported as known once."""
    heard = play(write(ticks, *at(0, 11)))
    assert heard.states == [("stale", "replay ended at 2014-05-08T12:00:00.011Z")]
    assert heard.loads == 1


def test_a_loop_repeats_prices_and_times_at_the_same_pace(ticks: Path) -> None:
    """Each round is newer by `seq`."""
    heard = play_for(2 * (0.5 + LOOP_GAP_S), write(ticks, *at(0, 500)), loop="true")
    second = 0.5 + LOOP_GAP_S
    assert [(0.0, [0]), (0.5, [500]), (second, [0]), (second + 0.5, [500]), (2 * second, [0])] == heard.times
    assert [quote.seq for quote in heard.quotes] == [1, 2, 3, 4, 5]
    assert not heard.states


def test_a_loop_at_full_speed_can_be_stopped(ticks: Path) -> None:
    """A short file goes round until then."""
    heard = play_for(0, write(ticks, *at(0, 1)), speed="max", loop=True)
    assert len(heard.batches) > 2


@pytest.mark.parametrize("rows", [[], ["bad", "worse"]])
def test_a_loop_without_a_usable_row_ends(ticks: Path, rows: list[str]) -> None:
    """It is not read for ever; a wait for its symbols ends, too."""
    heard = play(write(ticks, *rows), loop=True)
    assert heard.states == [("stale", "replay ended without a usable row")]
    assert heard.rejects == ({"schema": 2} if rows else {})
    assert heard.loads == 1


def test_a_replay_has_no_older_bars(ticks: Path) -> None:
    """A replay has no older bars to give."""
    feed = build(write(ticks, *at(0)), ManualClock())
    assert asyncio.run(feed.history("oanda:EURUSD", 60, 10)) == []


# -- bad rows, bad files, bad options


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f"{T0},v,A,1", "schema"),
        (f"{T0},v,A,1,2,3", "schema"),
        (f'{T0},v,"A,1,2', "schema"),
        (f"{T0},v,A,,", "schema"),
        ("noon,v,A,1,2", "timestamp"),
        (f"{T0},v,,1,2", "symbol"),
        (f"{T0},v v,A,1,2", "symbol"),
        (f"{T0},v,A,x,y", "price"),
        (f"{T0},v,A,-1,NaN", "price"),
        (f"{T0},v,A,0,0", "price"),
    ],
)
def test_a_bad_row_is_counted_each_time_and_logged_once(
    ticks: Path, caplog: pytest.LogCaptureFixture, row: str, reason: str
) -> None:
    """The log has its line number, and the replay goes on."""
    good = f"{T0},v,GOOD,1,2"
    heard = play(write(ticks, good, row, "", row, good))
    assert {reason: 2} == heard.rejects
    assert [quote.symbol for quote in heard.quotes] == ["v:GOOD", "v:GOOD"]
    (line,) = logged(caplog)
    assert f"rejects={reason} first_line=3" in line
    assert caplog.records[0].levelno == logging.WARNING


def test_surplus_symbols_of_a_file_are_counted(ticks: Path) -> None:
    """A file cannot have more symbols than a store holds."""
    heard = play(write(ticks, *(f"{T0},v,S{number},1,2" for number in range(MAX_SYMBOLS + 2))))
    assert len(heard.quotes) == MAX_SYMBOLS
    assert heard.rejects == {"limit": 2}


def test_a_bad_bid_drops_its_ask_and_keeps_the_trade(ticks: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is counted and logged."""
    heard = play(write(ticks, f"{T0},A,1.5,x,2.5", header="ts_ms,symbol,last,bid,ask"))
    assert heard.rejects == {"price": 1}
    assert [quote.values for quote in heard.quotes] == [{"last": "1.5", "decimals": 1}]
    assert "first_line=2" in logged(caplog)[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speed": "fast"}, "speed: give a positive number or max, not 'fast'"),
        ({"speed": 0}, "speed: give"),
        ({"speed": "nan"}, "speed: give"),
        ({"speed": "inf"}, "speed: give"),
        ({"crossed": "maybe"}, "crossed: give reject or keep"),
        ({"map": "EURUSD"}, "map: give SYMBOL_IN_FILE:SYMBOL"),
        ({"map": "EURUSD:EUR/USD"}, "map: give SYMBOL_IN_FILE:SYMBOL"),
        ({"venue": "my desk"}, "venue: give"),
        ({"symbol": "BTC/USDT"}, "map=BTC/USDT:BASE-QUOTE"),
        ({"utc_offset_h": 24}, "utc_offset_h: give hours between"),
        ({"utc_offset_h": "nan"}, "utc_offset_h: give hours between"),
        ({"utc_offset_h": -5}, "a column ms needs date"),
        ({"date": "20140508"}, "a column ms needs date"),
        ({"columns": "ms,bid,ask", "symbol": "A"}, "a column ms needs date"),
        ({"columns": "ms,bid,ask", "symbol": "A", "date": "8 May"}, "date: give YYYYMMDD, not '8 May'"),
        ({"columns": "ms,bid,ask", "date": "20140508"}, "give symbol="),
        ({"columns": "ts,bdi,ask", "symbol": "A"}, "'bdi' is unknown (_ skips a column); did you mean 'bid'?"),
        ({"columns": "ts,bid_size", "symbol": "A"}, "no columns for time and price"),
        ({"sped": 2}, "feeds.replay.sped: unknown option; did you mean 'speed'?"),
        ({"loop": "perhaps"}, "feeds.replay.loop: give true or false"),
    ],
)
def test_a_wrong_option_is_refused_at_the_start(ticks: Path, options: dict[str, object], message: str) -> None:
    """One line says what to give."""
    with pytest.raises(ConfigError) as refused:
        build(write(ticks, *at(0)), ManualClock(), **options)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.csv", None, "no such file"),
        ("", None, "it has no folder rest or ws"),
        ("/dev/null", None, "not a file"),
        ("x" * 300, None, "unreadable after line 0: File name too long"),
        ("empty.csv", b"", "no columns for time and price"),
        ("headerless.csv", b"17007,1.39147,1.39148\n", "columns=ms,bid,ask"),
        ("untimed.csv", b"bid,ask\n1,2\n", "no columns for time and price"),
        ("unpriced.csv", b"ts,symbol,volume\n", "no columns for time and price"),
        ("nameless.csv", b"ts,bid,ask\n", "give symbol="),
        ("quoted.csv", b'ts,"bid,ask\n', "unexpected end of data"),
        ("plain.csv.gz", b"ts,symbol,last\n", "unreadable after line 0"),
        ("short.csv.gz", gzip.compress(b"ts,symbol,last\n", mtime=0)[:12], "unreadable after line 0"),
        ("binary.csv", b"\x1f\x8b\x08\xff\n", "line 1 is not UTF-8"),
        ("endless.csv", b"x" * 100_000, "line 1 is longer than 65536 bytes"),
    ],
)
def test_an_unusable_file_is_a_configuration_error(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    """A missing file, or one that cannot be a tick file, is named."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        build(path, ManualClock())
    assert message in str(refused.value)
    assert f"feeds.replay: cannot replay {str(path)!r}: " in str(refused.value)


PRICES = [str(price) for price in random.Random(2).choices(range(1, 10**9), k=20_000)]
BODY = "\n".join(["ts_ms,last", *(f"{T0},{price}" for price in PRICES), ""]).encode()
ZIPPED = gzip.compress(BODY, mtime=0)


@pytest.mark.parametrize(
    ("name", "content", "good_rows", "message"),
    [
        ("cut.csv.gz", ZIPPED[: len(ZIPPED) // 2], 9_000, "unreadable after line"),
        ("damaged.csv.gz", ZIPPED[:60_000] + b"\xff" * 500 + ZIPPED[60_500:], 9_000, "unreadable after line"),
        ("wrong_sum.csv.gz", ZIPPED[:-8] + bytes(4) + ZIPPED[-4:], 20_000, "unreadable after line 20001: CRC"),
        ("latin.csv", BODY + b"%d,7\xe9\n%d,8\n" % (T0, T0), 20_000, "line 20002 is not UTF-8 text"),
        ("endless.csv", BODY + b"0" * 70_000, 20_000, "line 20002 is longer than 65536 bytes"),
    ],
)
def test_damage_further_on_stops_the_feed_and_is_located(
    tmp_path: Path, name: str, content: bytes, good_rows: int, message: str
) -> None:
    """The rows before it are published."""
    path = tmp_path / name
    path.write_bytes(content)
    clock = ManualClock()
    heard = Heard(clock)
    feed = build(path, clock, symbol="A", speed="max")
    with pytest.raises(FatalFeedError) as failure:
        asyncio.run(feed.run(heard))
    assert message in str(failure.value)
    assert str(tmp_path) not in str(failure.value)
    assert [quote.values["last"] for quote in heard.quotes[:good_rows]] == PRICES[:good_rows]
    assert heard.states == []


def test_a_file_that_vanished_is_not_retried(ticks: Path) -> None:
    """One that vanishes between configuration and start ends the feed."""
    feed = build(write(ticks, *at(0)), clock := ManualClock())
    ticks.unlink()
    with pytest.raises(FatalFeedError, match="no such file"):
        asyncio.run(feed.run(Heard(clock)))


# -- the recordings

MULTI = "multi_20140508_1200-1400utc.csv.gz"
LEAN = {"columns": "ms,bid,ask", "date": "20140508"}
FXCM = {**LEAN, "venue": "fxcm", "utc_offset_h": -5}
OANDA = {**LEAN, "venue": "oanda"}
RECORDINGS: list[tuple[str, dict[str, object], int]] = [
    ("oanda_eurusd_20140508.csv.gz", {**OANDA, "symbol": "EURUSD"}, 87_833),
    ("truefx_usdjpy_20130101.csv", {"symbol": "USD-JPY"}, 1_000),
    ("binance_btcusdt_trades_20210108.csv", {"symbol": "BTC-USDT"}, 2_001),
    ("binance_btcusdt_quotes_20210108.csv", {"map": "BTC/USDT:BTC-USDT"}, 451),
]


def read(path: Path) -> list[list[str]]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        return list(csv.reader(file))


@pytest.mark.parametrize(("name", "options", "rows"), RECORDINGS, ids=[name for name, _, _ in RECORDINGS])
def test_every_row_of_a_real_recording_is_published_or_rejected(
    data_dir: Path, name: str, options: dict[str, object], rows: int
) -> None:
    """Rows are rejected only as crossed, and none is lost."""
    heard = play(data_dir / "ticks" / name, **options)
    assert rows == len(heard.quotes) + sum(heard.rejects.values())
    assert heard.rejects.keys() <= {"crossed"}


def test_a_day_in_its_own_zone_has_its_utc_times(data_dir: Path) -> None:
    """The same as its rows in the recording merged by UTC."""
    folder = data_dir / "ticks"
    day = play(folder / "fxcm_nzdusd_20140508.csv.gz", crossed="keep", symbol="NZDUSD", **FXCM)
    assert len(day.quotes) == 103_173
    merged = [(int(row[0]), row[3]) for row in read(folder / MULTI)[1:] if row[1:3] == ["fxcm", "NZDUSD"]]
    in_two_hours = [(q.ts, q.values["bid"]) for q in day.quotes if q.ts and T0 <= q.ts < T0 + 7_200_000]
    assert in_two_hours == merged


def test_sixty_times_the_pace_plays_ten_minutes_in_ten_seconds(data_dir: Path) -> None:
    """No row of the burst recording is early, or 5 ms late."""
    path = data_dir / "ticks" / MULTI
    heard = play_for(10.005, path, speed=60, crossed="keep")
    recorded_s = [int(row[0]) / 1000 for row in read(path)[1:]]
    late_s = [at_s - (q.ts / 1000 - recorded_s[0]) / 60 for at_s, batch in heard.batches for q in batch if q.ts]
    assert len(late_s) >= sum(moment <= recorded_s[0] + 600 for moment in recorded_s)
    assert min(late_s) > -1e-6
    assert max(late_s) < 0.005 + 1e-6
