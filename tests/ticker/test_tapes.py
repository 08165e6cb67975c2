"""History within its budget: what is counted, and what is dropped first."""

from __future__ import annotations

import sys
import tracemalloc

import pytest

from tests.ticker.candle_market import BIG, Market
from ticker import bars, tapes
from ticker.bars import CHUNK, TAPE_BYTES, Tape

CHUNK_BYTES = 41 * CHUNK


def ring_bytes(*tapes: Tape) -> int:
    """What the rings really take."""
    rings = [ring for tape in tapes for ring in (tape.seconds, tape.minutes) if ring is not None]
    return sum(sys.getsizeof(ring._cells) - sys.getsizeof(bytearray(1)) + 1 for ring in rings if ring._cells)


@pytest.mark.parametrize("question", ["bars", "sparklines"])
def test_the_arrays_stay_within_the_budget(question: str) -> None:
    """They do so whatever is recorded and requested, and the count is exact."""
    budget = 40_000
    market = Market(budget)
    venue = market.feed("a", local=True)
    symbols = [f"a:S{n}" for n in range(20)]
    market.say(dict.fromkeys(symbols, "10"))
    for n in range(400):
        market.clock.tick(1)
        market.say(dict.fromkeys(symbols[: 5 + n // 25], "10"))
        if n > 200 and n % 10 == 0:
            symbol = f"S{n // 10 % 20}"
            if question == "bars":
                market.rows(symbol, "1s", limit=100)
            else:
                market.closes(symbol, points=50)
        tapes = market.candles.tapes._tapes.values()
        assert market.candles.bytes <= budget
        assert market.candles.past.bytes <= budget / 4
        assert market.candles.bytes - market.candles.past.bytes == ring_bytes(*tapes) + TAPE_BYTES * len(tapes)
        assert {tape for listening in market.candles.tapes._listeners.values() for tape in listening} == set(tapes)
    assert len(venue.asked) > 10
    assert market.candles.bytes > budget / 2, "the budget is made use of"


def test_a_clock_set_back_frees_the_memory_of_all_bars() -> None:
    """A clock set back by more than a minute frees them; the count stays exact."""
    market = Market()
    market.feed("a", local=True)
    market.say({"a:X": "10", "a:Y": "10"})
    market.candles.tapes.tick()
    for _ in range(200):
        market.beat(1, {"a:X": "10"})
        market.candles.tapes.tick()
    market.rows("X", "1s", limit=100)
    market.clock.ahead_ms = -10_000
    market.candles.tapes.tick()
    assert market.candles.bytes > 2 * TAPE_BYTES, "a little: the newest bar only lasts longer"
    market.clock.ahead_ms = -100_000
    market.candles.tapes.tick()
    assert (market.candles.bytes, ring_bytes(*market.candles.tapes._tapes.values())) == (2 * TAPE_BYTES, 0)


def grown(market: Market, *symbols: str) -> dict[str, str]:
    """How much each symbol has: `all`, `minutes`, or nothing."""
    tapes = market.candles.tapes._tapes
    return {s: "minutes" if tapes[s].seconds is None else "all" for s in symbols if s in tapes}


def test_the_least_recently_requested_symbols_are_forgotten_first() -> None:
    """Symbols that were never requested lose their seconds, then all bars; then the others, the least recently
    requested first.
    """
    symbols = ["S0", "S1", "S2", "S3"]
    full = 4 * (TAPE_BYTES + CHUNK_BYTES)
    wanted = [
        (full, {"S0": "all", "S1": "all", "S2": "all", "S3": "all"}),
        (full - CHUNK_BYTES, {"S0": "all", "S1": "minutes", "S2": "all", "S3": "all"}),
        (full - 2 * CHUNK_BYTES, {"S0": "all", "S1": "minutes", "S2": "all", "S3": "minutes"}),
        (full - 2 * CHUNK_BYTES - 1, {"S0": "all", "S2": "all", "S3": "minutes"}),
        (full - 2 * CHUNK_BYTES - TAPE_BYTES - 1, {"S0": "all", "S2": "all"}),
        (full - 2 * CHUNK_BYTES - 2 * TAPE_BYTES - 1, {"S0": "all", "S2": "minutes"}),
        (full - 3 * CHUNK_BYTES - 2 * TAPE_BYTES - 1, {"S0": "minutes", "S2": "minutes"}),
        (full - 4 * CHUNK_BYTES - 2 * TAPE_BYTES - 1, {"S0": "minutes"}),
        (TAPE_BYTES - 1, {}),
    ]
    for budget, left in wanted:
        market = Market()
        market.feed("a")
        market.say({f"a:{symbol}": "10" for symbol in symbols})
        for symbol in ("S0", "S2", "S0"):
            market.rows(symbol)
        market.beat(1, {f"a:{symbol}": "11" for symbol in symbols})
        market.candles.tapes._max_bytes = budget
        market.candles.tapes.make_room()
        assert grown(market, *symbols) == left


def test_all_seconds_are_dropped_before_any_minutes() -> None:
    """A symbol that was requested long ago keeps its minutes as long as another one has seconds."""
    market = Market(2 * TAPE_BYTES)
    market.feed("a")
    market.say({"a:X": "10", "a:Y": "10"})
    market.beat(1, {"a:X": "11", "a:Y": "11"})
    market.candles.tapes._max_bytes = BIG
    market.rows("X", "1m")
    market.rows("Y", "1s")
    market.beat(2, {"a:X": "11", "a:Y": "11"})
    assert grown(market, "X", "Y") == {"X": "minutes", "Y": "all"}
    market.candles.tapes._max_bytes = 2 * TAPE_BYTES
    market.candles.tapes.make_room()
    assert grown(market, "X", "Y") == {"X": "minutes", "Y": "minutes"}


def test_dropped_seconds_are_recorded_again_on_request() -> None:
    """A request for bars of seconds gets them recorded again; a chart of minutes does not need them."""
    market = Market(2 * TAPE_BYTES)
    market.feed("a")
    market.say({"a:X": "10"})
    market.beat(1, {"a:X": "11"})
    assert grown(market, "X") == {"X": "minutes"}
    market.candles.tapes._max_bytes = BIG
    market.rows("X", "1m")
    assert grown(market, "X") == {"X": "minutes"}
    market.rows("X", "1s")
    market.beat(2, {"a:X": "12"})
    assert market.brief("X") == [(11, 11, 11, ""), (12, 12, 12, ""), (12, 12, 12, "o")]


def test_a_forgotten_symbol_starts_again_when_requested() -> None:
    """There is always an answer, if only the current price; flushes alone do not bring a tape back."""
    market = Market(TAPE_BYTES - 1)
    market.feed("a")
    market.say({"a:X": "10"})
    market.beat(3, {"a:X": "11"})
    assert market.candles.bytes == 0
    assert market.brief("X") == [(11, 11, 11, "og")]
    market.candles.tapes._max_bytes = BIG
    market.feeds["a"].state("stale", "for the test")
    market.beat(1, {"a:X": "12"})
    assert market.candles.bytes == 0
    market.rows("X")
    market.beat(1, {"a:X": "13"})
    assert market.brief("X") == [(12, 12, 12, "g"), (13, 13, 13, "o")]


def test_the_counted_bytes_are_those_python_takes() -> None:
    """No fewer bytes are counted than Python takes."""
    market = Market()
    market.feed("a")
    prices = {f"a:S{n}": "10.5" for n in range(300)}
    market.say(prices, flush=False)
    tracemalloc.start()
    try:
        market.flush()
        market.beat(3, prices)
        market.wait(60)
        market.beat(1, prices)
        ours = [tracemalloc.Filter(True, str(module.__file__)) for module in (bars, tapes)]
        taken = sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(ours).traces)
    finally:
        tracemalloc.stop()
    assert taken <= market.candles.bytes < 1.5 * taken
