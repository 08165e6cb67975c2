"""Bars: what they are made of, quiet and missing intervals, and how much memory rings take."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.bars import CHUNK, GAP, MINUTE_MS, SECOND_MS, SECONDS, TAPE_BYTES, Ring, Slot, Tape
from ticker.model import Value

START = 1_795_386_000_000  # a whole hour
SPANS = (SECOND_MS, MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, 60 * MINUTE_MS, 240 * MINUTE_MS, 1440 * MINUTE_MS)


class Event(NamedTuple):
    """A price comes, or data goes missing (`price` None), some time after the event before."""

    wait_ms: int
    price: int | None


def slots(tape: Tape, span_ms: int, now: int, count: int = 300) -> list[Slot]:
    """The bars of the last intervals, up to the current one."""
    last = now - now % span_ms
    return tape.slots(span_ms, last - (count - 1) * span_ms, last)


def tape_of(*said: tuple[int, str | dict[str, Value]]) -> Tape:
    """A tape that took prices, or whole quotes, at these times in ms after the start."""
    tape = Tape()
    for at_ms, quote in said:
        tape.take({"last": quote} if isinstance(quote, str) else quote, START + at_ms)
    return tape


def by_hand(events: Iterable[Event], span_ms: int) -> list[Slot]:
    """The same bars made in the plainest way: from all quotes, interval by interval."""
    now = START
    said: list[tuple[int, float]] = []
    lost: list[tuple[int, float]] = []  # from when to when data was missing
    for wait_ms, price in events:
        now += wait_ms
        if price is not None:
            said.append((now, float(price)))
            if lost and lost[-1][1] == math.inf:
                lost[-1] = (lost[-1][0], now)
        elif said and not (lost and lost[-1][1] == math.inf):
            said.append((now, said[-1][1]))  # the price stood until then
            lost.append((now, math.inf))
    found = []
    first = said[0][0] if said else now + span_ms
    close = math.nan
    for t in range(first - first % span_ms, now + 1, span_ms):
        prices = [price for at, price in said if t <= at < t + span_ms]
        gap = t <= first or any(begin < t + span_ms and end >= t for begin, end in lost)
        ohlc = (prices[0], max(prices), min(prices), prices[-1]) if prices else (close,) * 4
        close = ohlc[3]
        found.append(Slot(t, *ohlc, gap, quoted=bool(prices)))
    return found


waits = st.one_of(st.integers(0, 900), st.integers(0, 5000), st.integers(0, 40 * MINUTE_MS))
histories = st.lists(st.builds(Event, waits, st.one_of(st.integers(90, 110), st.integers(90, 110), st.none())))


@given(histories)
def test_folded_bars_equal_those_of_every_single_price(events: list[Event]) -> None:
    """That holds for any prices, pauses and gaps, and for each length."""
    tape, now = Tape(), START
    for wait_ms, price in events:
        now += wait_ms
        if price is None:
            if tape.since is not None:
                tape.mark(missing=True, wall_ms=now)
        else:
            tape.take({"last": str(price)}, now)
            tape.mark(missing=False, wall_ms=now)
    for span_ms in SPANS:
        assert slots(tape, span_ms, now) == by_hand(events, span_ms)[-300:]


@pytest.mark.parametrize(
    ("quotes", "close"),
    [
        pytest.param([{"last": "10.5", "bid": "1", "ask": "2"}], 10.5, id="last counts before the mid"),
        pytest.param([{"last": None, "bid": "1", "ask": "2"}], 1.5, id="mid without a last"),
        pytest.param([{"bid": "1"}, {"ask": "2"}], 1.5, id="sides said one after the other"),
        pytest.param([{"bid": "1", "ask": "2"}, {"bid": "1.5"}], 1.75, id="one side moves"),
        pytest.param([{"bid": "1", "ask": "2"}, {"bid": None}], 1.5, id="one side withdrawn: the price stands"),
        pytest.param([{"bid": "1", "ask": "2"}, {"last": "7"}, {"bid": "1.5"}], 7, id="a last comes and stays"),
        pytest.param([{"last": "7"}, {"last": None, "bid": "1", "ask": "2"}], 1.5, id="last withdrawn"),
        pytest.param([{"last": "7"}, {"last": None}, {"bid": "1"}], 7, id="stands until both sides are said"),
        pytest.param([{"last": "7"}, {"state": "halted"}], 7, id="a quote without a price repeats it"),
    ],
)
def test_a_bar_takes_the_last_price_or_else_the_mid(quotes: list[dict[str, Value]], close: float) -> None:
    """Absent fields keep their values."""
    tape = tape_of(*((0, quote) for quote in quotes))
    assert [slot.close for slot in slots(tape, SECOND_MS, START)] == [close]


def test_without_a_price_there_is_no_bar() -> None:
    """A quote without a price, or with one side only, begins no bar."""
    tape = tape_of((0, {"bid": "1"}), (0, {"state": "live"}))
    tape.mark(missing=True, wall_ms=START)
    assert (slots(tape, SECOND_MS, START), slots(tape, MINUTE_MS, START), tape.since) == ([], [], None)


def test_a_quiet_interval_carries_the_close() -> None:
    """Without quotes but with nothing missing, the price stood still, and the bar has no gap."""
    tape = tape_of((0, "10"), (300, "12"), (2500, "11"))
    assert slots(tape, SECOND_MS, START + 3999) == [
        Slot(START, 10, 12, 10, 12, gap=True, quoted=True),  # its beginning was not seen
        Slot(START + 1000, 12, 12, 12, 12, gap=False, quoted=False),
        Slot(START + 2000, 11, 11, 11, 11, gap=False, quoted=True),
        Slot(START + 3000, 11, 11, 11, 11, gap=False, quoted=False),
    ]


def test_a_missing_interval_carries_the_close_and_is_a_gap() -> None:
    """From the moment that data is missing until it is back, bars have a gap; the quiet time before is none."""
    tape = tape_of((0, "10"))
    tape.mark(missing=True, wall_ms=START + 2400)
    assert tape.whole_since == math.inf
    tape.take({"last": "13"}, START + 4200)
    tape.mark(missing=False, wall_ms=START + 4210)
    assert tape.whole_since == START + 4210
    assert [(s.close, s.gap, s.quoted) for s in slots(tape, SECOND_MS, START + 5000)] == [
        (10, True, True), (10, False, False), (10, True, True), (10, True, False), (13, True, True), (13, False, False)
    ]  # fmt: skip


def test_stale_and_then_down_is_one_gap() -> None:
    """Being marked again as missing adds nothing."""
    tape = tape_of((0, "10"))
    for at_ms in (1000, 3000):
        tape.mark(missing=True, wall_ms=START + at_ms)
    assert [s.quoted for s in slots(tape, SECOND_MS, START + 4000)] == [True, True, False, False, False]


def test_a_new_source_continues_with_its_own_price() -> None:
    """Bid and ask of the old source do not mix with those of the new one."""
    tape = tape_of((0, {"bid": "1", "ask": "2"}))
    tape.follow("b:X", {"last": None, "bid": None, "ask": "9"}, START + 100)
    tape.take({"bid": "7"}, START + 200)
    assert (tape.source, tape.slots(SECOND_MS, START, START)[0].close) == ("b:X", 8)


def test_a_clock_set_back_keeps_order_and_older_bars() -> None:
    """The newest bar lasts until the time at which it began has come again."""
    tape = tape_of((0, "10"), (5000, "11"), (1000, "15"), (4000, "9"), (6000, "12"))
    assert [(s.high, s.low) for s in slots(tape, SECOND_MS, START + 6000)] == [
        (10, 10), (10, 10), (10, 10), (10, 10), (10, 10), (15, 9), (12, 12)
    ]  # fmt: skip


def test_bars_before_the_requested_range_are_not_returned() -> None:
    """The one before it gives the close that a quiet first bar carries."""
    tape = tape_of((0, "10"), (7000, "11"), (10_000, "12"))
    assert [(s.t - START, s.close) for s in slots(tape, SECOND_MS, START + 11_000, count=3)] == [
        (9000, 11), (10_000, 12), (11_000, 12)
    ]  # fmt: skip


def test_a_tape_without_seconds_still_has_the_current_one() -> None:
    """It also still has all minutes."""
    tape = tape_of((0, "10"), (1000, "11"))
    tape.seconds = None
    tape.take({"last": "12"}, START + 2000)
    assert [s.close for s in slots(tape, SECOND_MS, START + 2000)] == [12]
    assert [(s.open, s.close) for s in slots(tape, MINUTE_MS, START + 2000)] == [(10, 12)]
    assert tape.bytes == TAPE_BYTES + tape.minutes.bytes


def test_a_bar_whose_beginning_was_forgotten_has_a_gap() -> None:
    """A folded bar, if its ring has lost its first part."""
    tape = Tape()
    for minute in range(1440 + 7):
        tape.take({"last": "10"}, START + minute * MINUTE_MS)
    folded = slots(tape, 5 * MINUTE_MS, START + 1446 * MINUTE_MS)
    assert [(s.t, s.gap) for s in folded[:2]] == [(START + 5 * MINUTE_MS, True), (START + 10 * MINUTE_MS, False)]


def test_rings_grow_by_chunks_and_keep_the_newest() -> None:
    """A ring takes exactly the bytes that it says, never more than its capacity, and returns what went in."""
    ring = Ring(SECONDS)
    bare = sys.getsizeof(ring._cells)
    bars = [(START + i * SECOND_MS, 1.0 + i, 2.0 + i, 0.5 + i, 1.5 + i, GAP * (i % 2)) for i in range(SECONDS * 2 + 7)]
    grown = 0
    for i, bar in enumerate(bars, 1):
        grown += ring.append(bar)
        assert ring.bytes == grown
        assert sys.getsizeof(ring._cells) - bare - ring.bytes in {0, 1}  # Python ends it with a zero
        if i in {1, CHUNK, CHUNK + 1, SECONDS - 1, SECONDS, SECONDS + 1, SECONDS * 2 + 7}:
            assert list(ring.newest(SECONDS * 3)) == bars[max(0, i - SECONDS) : i]
            assert list(ring.newest(3)) == bars[max(0, i - 3) : i]
            assert list(ring.newest(0)) == []
    assert ring.bytes == SECONDS * 41
