"""History as readers get it: recorded from every quote, completed by the venue."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ticker.candle_market import MINUTE, START, Market
from ticker.bars import TAPE_BYTES
from ticker.candles import Row
from ticker.model import BAR_LENGTHS_MS, Bar, Quote


@pytest.fixture
def market() -> Market:
    return Market()


# What is recorded


def test_prices_between_two_flushes_count(market: Market) -> None:
    """High and low are those of every quote, though readers of the stream only see the last of each flush."""
    market.feed("a")
    market.say({"a:X": "10"})
    market.wait(1)
    for last in ("11", "15", "8", "12"):
        market.say({"a:X": last}, flush=False)
    market.flush()
    assert market.brief("X") == [(10, 10, 10, "g"), (15, 8, 12, "o")]


def test_a_consolidated_symbol_follows_its_source(market: Market) -> None:
    """Another venue's prices are no part of its bars until it becomes the source; then its price counts at once.

    The previous source has bars of its own, which continue.
    """
    market.feed("a")
    market.feed("b")
    market.say({"a:X": "10", "b:X": "20"})
    assert market.brief("a:X") == [(10, 10, 10, "og")]
    market.wait(1)
    market.say({"a:X": "11", "b:X": "21"})
    market.feeds["a"].state("down", "for the test")
    market.flush()
    market.say({"a:X": "30", "b:X": "22"}, flush=False)
    assert market.record("X").get("source") == "b"
    assert market.brief("X") == [(10, 10, 10, "g"), (22, 11, 22, "o")]
    assert market.brief("a:X") == [(10, 10, 10, "g"), (30, 11, 30, "og")]


def test_a_venue_symbol_is_recorded_from_the_first_request_on(market: Market) -> None:
    """A symbol that was never requested costs nothing; the first answer has the current price."""
    market.feed("a")
    market.say({"a:X": "10"})
    market.beat(3, {"a:X": "11"})
    before = market.candles.bytes
    assert market.brief("a:X") == [(11, 11, 11, "og")]
    assert market.since("a:X") == START + 3000
    assert market.candles.bytes == before + TAPE_BYTES
    market.beat(1, {"a:X": "12"})
    assert market.brief("a:X") == [(11, 11, 11, "g"), (12, 12, 12, "o")]
    assert market.since("X") == START


def test_a_quiet_symbol_is_no_gap(market: Market) -> None:
    """As long as it is not stale, an interval without a quote carries the price, and is whole."""
    market.feed("a")
    market.say({"a:X": "10"})
    market.wait(3)
    assert market.brief("X") == [(10, 10, 10, "g"), (10, 10, 10, ""), (10, 10, 10, ""), (10, 10, 10, "o")]


def test_a_stale_symbol_has_a_gap(market: Market) -> None:
    """From the moment it is stale to the moment data comes again, bars say that data was missing."""
    market.feed("a")
    market.say({"a:X": "10"})
    market.feeds["a"].state("stale", "for the test")
    market.wait(2)
    market.say({"a:X": "12"})
    market.wait(1)
    assert market.brief("X") == [(10, 10, 10, "g"), (10, 10, 10, "g"), (12, 12, 12, "g"), (12, 12, 12, "o")]


@pytest.mark.parametrize("first", ["tick", "data"])
def test_a_suspended_machine_leaves_a_gap(market: Market, first: str) -> None:
    """Seen: after a laptop's sleep the hours were flat bars, taken as known, which no venue's bars replaced.

    Cause: no symbol was stale before, and the next price ended the silence. Promise: until the process is back data is
    missing, whichever part notices first; a symbol that was down before gets no new quote.
    """
    market.feed("a", local=False)
    market.say({"a:X": "10", "a:DOWN": "5"})
    market.intake.mark(market.intake.sources["a:DOWN"], "down")
    for _ in range(4):
        market.wait(1)
        market.candles.tapes.tick()
    market.clock.tick(300)
    if first == "tick":
        market.candles.tapes.tick()
    market.say({"a:X": "12"})
    market.candles.tapes.tick()
    quiet, venues = (10, 10, 10, ""), (200, 40, 60, "v")
    assert market.brief("X", limit=305)[:6] == [venues, quiet, quiet, quiet, venues, venues]
    assert market.brief("X", "1m", limit=6)[:5] == [venues] * 5
    market.wait(2)
    assert market.brief("X")[-2:] == [(12, 12, 12, ""), (12, 12, 12, "o")]
    assert [row.flags for row in market.rows("DOWN", "1m", limit=2)] == ["v", "ogv"]


@pytest.mark.parametrize("first", ["tick", "data"])
def test_a_clock_that_was_far_ahead_leaves_nothing_behind(market: Market, first: str) -> None:
    """Seen: where the clock was two hours ahead until it was set, no price went into a bar for two hours.

    Cause: the newest bar lasts until the time at which it began has come again, and the venue's bars were final until
    then. Promise: bars dated so are dropped, except the price, and the venue is asked again.
    """
    venue = market.feed("a", local=False)
    market.clock.ahead_ms = 120 * MINUTE
    market.say({"a:X": "10", "a:QUIET": "5"})
    market.candles.tapes.tick()
    market.rows("X", "1m", 5)
    market.clock.ahead_ms = 0
    if first == "tick":
        market.candles.tapes.tick()
    market.say({"a:X": "11"})
    market.candles.tapes.tick()
    for _ in range(130):
        market.beat(1, {"a:X": "12"})
        market.candles.tapes.tick()
    venue.asked.clear()
    assert market.brief("X", "1m", 3) == [(200, 40, 60, "v"), (12, 12, 12, ""), (12, 12, 12, "o")]
    assert venue.asked == [("a:X", 60, 3)]
    assert market.closes("QUIET", points=3)[0][0] == 5
    assert market.since("X") == START


def test_a_symbol_that_is_stale_from_the_start_has_only_gaps(market: Market) -> None:
    """A price that was stale when it arrived is shown, but with a gap."""
    market.feed("a")
    market.feeds["a"].publish([Quote("a:X", {"last": "10"}, ts=START - 10 * MINUTE)])
    market.flush()
    market.clock.tick(1)
    assert market.record("X").get("state") == "stale"
    assert market.brief("X") == [(10, 10, 10, "g"), (10, 10, 10, "og")]


def test_a_closed_market_is_no_gap(market: Market) -> None:
    """A halt is known, not missing."""
    market.feed("a")
    market.feeds["a"].publish([Quote("a:X", {"last": "10", "state": "halted"})])
    market.wait(120)
    assert market.brief("X", limit=2) == [(10, 10, 10, ""), (10, 10, 10, "o")]


def test_a_removed_symbols_bars_are_forgotten(market: Market) -> None:
    """A delisted symbol frees its memory; reborn, it starts from scratch."""
    market.feed("a")
    market.say({"a:X": "10", "a:Y": "5"})
    market.beat(3, {"a:X": "11"})
    market.rows("a:X")
    market.feeds["a"].remove(["a:X"])
    market.flush()
    assert market.candles.bytes == TAPE_BYTES
    market.say({"a:X": "12"})
    assert market.brief("X") == [(12, 12, 12, "og")]


def test_a_symbol_reborn_within_a_flush_keeps_its_bars(market: Market) -> None:
    """Removed and reborn within one flush, it was never gone."""
    market.feed("a")
    market.say({"a:X": "10"})
    market.wait(1)
    market.feeds["a"].remove(["a:X"])
    market.say({"a:X": "12"})
    market.wait(1)
    market.say({"a:X": "13"})
    assert market.brief("X") == [(10, 10, 10, "g"), (12, 12, 12, ""), (13, 13, 13, "o")]


@pytest.mark.parametrize("interval", BAR_LENGTHS_MS)
def test_bars_begin_at_multiples_of_their_interval(market: Market, interval: str) -> None:
    """The newest bar is the open one, and they follow one another without a hole."""
    market.feed("a", local=False)
    market.say({"a:X": "10"})
    rows = market.rows("X", interval, limit=50)
    span_ms = BAR_LENGTHS_MS[interval]
    now = market.clock.wall_ms()
    assert [row.t for row in rows] == [(now // span_ms - n) * span_ms for n in reversed(range(50))]
    assert [row.flags[:1] == "o" for row in rows] == [False] * 49 + [True]


# What the venue adds


def test_bars_from_before_the_recording_are_the_venues_own(market: Market) -> None:
    """They are marked, and have their volume."""
    venue = market.feed("a", local=False)
    market.say({"a:X": "70"})
    assert market.rows("X", "1m", limit=3) == [
        Row(START - 2 * MINUTE, 50, 200, 40, 60, 7, "v"),
        Row(START - MINUTE, 50, 200, 40, 60, 7, "v"),
        Row(START, 50, 200, 40, 70, None, "ov"),
    ]
    assert venue.asked == [("a:X", 60, 3)]
    assert market.since("X") == START


def test_the_open_bar_joins_the_venues_part_with_the_recorded_one(market: Market) -> None:
    """It begins as the venue says and continues with what was recorded since, higher highs included."""
    market.feed("a", local=False)
    market.say({"a:X": "70"})
    market.rows("X", "1m", limit=1)
    market.beat(2, {"a:X": "300"})
    market.beat(2, {"a:X": "30"})
    market.beat(2, {"a:X": "80"})
    assert market.rows("X", "1m", limit=1) == [Row(START, 50, 300, 30, 80, None, "ov")]


def test_prices_received_while_the_venue_is_asked_count(market: Market) -> None:
    """The answer is of the moment in which it is given."""
    venue = market.feed("a")
    market.say({"a:X": "10"})

    async def history(symbol: str, interval_s: int, limit: int) -> list[Bar]:
        market.say({"a:X": "99"})
        return await venue.history(symbol, interval_s, limit)

    market.candles.past.offer("a", history, local=False)
    assert [row.close for row in market.rows("X", "1m", 2)] == [60, 99]


def test_a_gap_after_the_venues_answer_stays_a_gap(market: Market) -> None:
    """Until the venue is asked again, a bar that both know only in part is marked as having a gap."""
    market.feed("a", local=False)
    market.say({"a:X": "70"})
    market.rows("X", "1m", limit=1)
    market.feeds["a"].state("stale", "for the test")
    market.wait(1)
    assert market.brief("X", "1m", limit=1) == [(200, 40, 70, "ogv")]
    market.say({"a:X": "71"})
    assert market.brief("X", "1m", limit=1) == [(200, 40, 71, "ogv")]


def test_a_price_from_before_a_gap_is_no_part_of_a_later_bar(market: Market) -> None:
    """Seen: while a feed was down, the price of before was the close, and the high, of what the venue told of now."""
    market.feed("a", local=False)
    market.say({"a:X": "300"})
    market.feeds["a"].state("down", "for the test")
    market.flush()
    market.wait(61)
    assert market.brief("X", "1m", limit=2) == [(200, 40, 60, "v"), (200, 40, 60, "ogv")]


def test_an_open_bar_with_a_gap_is_requested_again(market: Market) -> None:
    """The venue is asked for the rest of a bar that is still open, if data was missing since it told the first part."""
    venue = market.feed("a", local=False)
    market.say({"a:X": "70"})
    market.rows("X", "1h", limit=1)
    market.feeds["a"].state("stale", "for the test")
    market.wait(1)
    market.say({"a:X": "71"})
    market.beat(60, {"a:X": "72"})
    assert market.brief("X", "1h", limit=1) == [(200, 40, 72, "ov")]
    market.beat(60, {"a:X": "73"})
    assert market.brief("X", "1h", limit=1) == [(200, 40, 73, "ov")]
    assert len(venue.asked) == 2, "nothing was missing after that"


def test_a_bar_with_a_gap_is_replaced_when_it_has_ended(market: Market) -> None:
    """The first minute was not seen from its beginning: the venue's bar replaces it once it is final."""
    venue = market.feed("a", local=False)
    market.wait(10)
    market.say({"a:X": "70"})
    market.rows("X", "1m", limit=1)
    market.beat(130, {"a:X": "70"})
    assert [row.flags for row in market.rows("X", "1m", limit=3)] == ["v", "", "o"]
    assert venue.asked == [("a:X", 60, 1), ("a:X", 60, 3)]
    assert [row.volume for row in market.rows("X", "1m", limit=3)] == [7, 7, None]
    market.beat(120, {"a:X": "70"})
    assert [row.flags for row in market.rows("X", "1m", limit=5)] == ["v", "", "", "", "o"]
    assert len(venue.asked) == 2, "all else was recorded here"


def test_a_venue_that_fails_leaves_what_was_recorded(market: Market) -> None:
    """Without the venue's bars there are fewer, and gaps stay gaps."""
    venue = market.feed("a", local=False)
    venue.down = True
    market.say({"a:X": "70"})
    market.beat(1, {"a:X": "71"})
    assert market.brief("X") == [(70, 70, 70, "g"), (71, 71, 71, "o")]


def test_a_venues_open_bar_before_the_recording_has_a_gap(market: Market) -> None:
    """What came between its answer and the recording is missing."""
    venue = market.feed("a", local=False)
    market.say({"a:X": "70"})
    market.rows("a:X", "1m", limit=1)
    market.feeds["a"].remove(["a:X"])
    market.wait(60)
    market.say({"a:X": "71"})
    venue.down = True
    assert market.brief("X", "1m", limit=2) == [(200, 40, 60, "gv"), (71, 71, 71, "og")]


def test_a_consolidated_symbols_past_is_its_sources(market: Market) -> None:
    """It is shared with that of the venue symbol."""
    a, b = market.feed("a", local=False), market.feed("b", local=False)
    market.say({"a:X": "70", "b:X": "71"})
    market.rows("X", "5m", limit=3)
    market.rows("a:X", "5m", limit=3)
    market.feeds["a"].state("down", "for the test")
    market.flush()
    market.rows("X", "5m", limit=3)
    assert (a.asked, b.asked) == ([("a:X", 300, 3)], [("b:X", 300, 3)])


def test_a_local_feed_gives_every_bar_its_volume(market: Market) -> None:
    """Where requests cost nothing, bars that were recorded without a gap get the feed's volume."""
    market.feed("a", local=True)
    market.say({"a:X": "70"})
    market.beat(185, {"a:X": "70"})
    assert [(row.close, row.volume, row.flags) for row in market.rows("X", "1m", limit=3)] == [
        (70, 7, ""), (70, 7, ""), (70, None, "o")
    ]  # fmt: skip


# Sparklines


def test_sparklines_of_a_local_feed_are_full_at_once(market: Market) -> None:
    """The first page gets the whole hour; from then on the recording alone continues it."""
    venue = market.feed("a", local=True)
    market.say({"a:X": "70", "a:Y": "80"})
    assert market.closes("X", "a:Y") == [[60, 60, 60, 60, 70], [60, 60, 60, 60, 80]]
    market.beat(60, {"a:X": "71", "a:Y": "81"})
    assert market.closes("X", "a:Y") == [[60, 60, 60, 71, 71], [60, 60, 60, 81, 81]]
    assert venue.asked == [("a:X", 60, 5), ("a:Y", 60, 5)]


def test_sparklines_do_not_ask_venues(market: Market) -> None:
    """A page of a hundred symbols costs a venue nothing; bars that were fetched for a chart are used."""
    venue = market.feed("a", local=False)
    market.say({"a:X": "70"})
    assert market.closes("X") == [[None, None, None, None, 70]]
    assert venue.asked == []
    market.rows("X", "1m", limit=3)
    assert market.closes("X") == [[None, None, 60, 60, 70]]


def test_a_sparkline_closes_as_the_chart_does(market: Market) -> None:
    """A minute whose end was missed here closes as the venue says, once it has; seen: as before its end."""
    market.feed("a", local=False)
    market.say({"a:X": "70"})
    market.feeds["a"].state("down", "for the test")
    market.wait(61)
    market.say({"a:X": "71"})
    assert market.closes("X", points=2) == [[70, 71]]
    assert [row.close for row in market.rows("X", "1m", limit=2)] == [60, 71]
    assert market.closes("X", points=2) == [[60, 71]]


def test_a_missing_minute_is_unknown_in_a_sparkline(market: Market) -> None:
    """A quiet minute has the previous close; one that is nothing but gap has none."""
    market.feed("a")
    market.feeds["a"].publish([Quote("a:X", {"last": "10", "state": "halted"})])
    market.wait(125)
    market.feeds["a"].state("down", "for the test")
    market.wait(120)
    market.say({"a:X": "11"})
    assert market.closes("X") == [[10, 10, 10, None, 11]]


# Any story


Step = tuple[str, int]
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["trade", "trade", "trade", "ask", "ask 1m"]), st.integers(250, 3000)),
        st.tuples(st.sampled_from(["trade", "down", "ask", "ask 1m", "venue"]), st.integers(250, 150_000)),
    ),
    max_size=30,
)


class Truth:
    """Every trade, including those that were not received, and the bars that they make."""

    def __init__(self) -> None:
        self.trades = [(START - 90_000, 90.0), (START - 30_500, 95.0)]
        self.fails = False

    def bar(self, t: int, span_ms: int) -> Bar | None:
        """A bar made in the plainest way; None if there was no trade."""
        prices = [price for at, price in self.trades if t <= at < t + span_ms]
        return Bar(t, prices[0], max(prices), min(prices), prices[-1], float(len(prices))) if prices else None

    def carried(self, t: int, span_ms: int) -> Bar:
        """The same, or the previous close."""
        last = [price for at, price in self.trades if at < t + span_ms][-1]
        return self.bar(t, span_ms) or Bar(t, last, last, last, last, 0)


@settings(max_examples=100, derandomize=True)
@given(steps)
def test_a_bar_without_a_gap_is_the_one_all_trades_make(story: list[Step]) -> None:
    """That holds whatever was received, missed and fetched.

    A bar with a gap has no price from another time, once the venue has delivered it.
    """
    market, truth = Market(), Truth()
    market.feed("a")

    async def history(_symbol: str, interval_s: int, limit: int) -> list[Bar]:
        if truth.fails:
            raise OSError
        span_ms = interval_s * 1000
        newest = market.clock.wall_ms() // span_ms * span_ms
        bars = (truth.bar(t, span_ms) for t in range(newest - (limit - 1) * span_ms, newest + 1, span_ms))
        return [bar for bar in bars if bar]

    def trade(price: int) -> None:
        truth.trades.append((market.clock.wall_ms(), float(price)))

    def ask(interval: str) -> None:
        for row in market.rows("X", interval, 4):
            true = truth.carried(row.t, BAR_LENGTHS_MS[interval])
            if "g" not in row.flags:
                assert row[1:5] == true[1:5]
                assert row.volume in {None, true.volume}
            elif "v" in row.flags:
                assert (row.open, true.low <= row.low, row.high <= true.high) == (true.open, True, True)

    market.candles.past.offer("a", history, local=False)
    trade(100)
    market.say({"a:X": "100"})
    down = False
    for what, ms in story:
        market.clock.tick(ms / 1000)
        price = 90 + ms % 20
        trade(price)
        if what == "trade":
            market.say({"a:X": str(price)})
            down = False
            continue
        if not down:  # else it is missed
            market.say({"a:X": str(price)})
        if what == "down":
            market.feeds["a"].state("down", "for the test")
            market.flush()
            down = True
        elif what == "venue":
            truth.fails = not truth.fails
        else:
            ask(what.removeprefix("ask").strip() or "1s")
    ask("1m")
    ask("1h")
