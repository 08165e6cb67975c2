"""The simulated market: what its quotes, its past, its rhythm and its faults promise."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import random
import statistics
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from decimal import ROUND_HALF_EVEN, Decimal

import pytest

from feeds.base import Context, Feed
from feeds.decimals import percent, price, size
from feeds.options import parse_options
from feeds.sim.feed import ADAPTER
from feeds.sim.instruments import MAX_INSTRUMENTS, Instrument, choose, named
from tests.clock import ManualClock
from ticker.clock import Clock
from ticker.errors import ConfigError
from ticker.intake import Intake
from ticker.model import FIELDS, SYMBOL, Bar, FeedStatus, Quote, Value
from ticker.store import Store

START_MS = 1_795_386_000_000  # on a minute
DAY_MS = 86_400_000


class Tape:
    """A sink that keeps every batch with the time at which it came."""

    def __init__(self, clock: ManualClock) -> None:
        self.status = FeedStatus("sim", "simulated")
        self.batches: list[tuple[float, list[Quote]]] = []
        self.is_loaded = asyncio.Event()
        self._clock = clock

    def publish(self, quotes: Iterable[Quote]) -> None:
        self.batches.append((self._clock.monotonic(), list(quotes)))

    def state(self, state: str, message: str | None = None) -> None:
        raise AssertionError(f"the simulator has no trouble of its own: {state} {message}")

    def remove(self, symbols: Iterable[str]) -> None:
        raise AssertionError(f"nothing is delisted: {symbols}")

    def loaded(self) -> None:
        self.is_loaded.set()

    @property
    def quotes(self) -> list[Quote]:
        return [quote for _, batch in self.batches for quote in batch]

    def after(self, seconds: float) -> list[Quote]:
        return [quote for at, batch in self.batches for quote in batch if at > seconds]


def make(clock: Clock | None = None, /, **options: object) -> Feed:
    context = Context(clock or ManualClock(START_MS), random.Random(0))
    return ADAPTER.build("sim", parse_options("feeds.sim", ADAPTER.options, options), context)


def alone() -> ManualClock:
    """The clock of a feed that runs alone: a wake-up needs no more turns than its own."""
    return ManualClock(START_MS, turns=2)


async def play(seconds: float, **options: object) -> tuple[Feed, Tape, ManualClock]:
    """Run a feed for this many simulated seconds."""
    clock = alone()
    feed, tape = make(clock, **options), Tape(clock)
    async with playing(feed, tape):
        await clock.advance(seconds)
    return feed, tape, clock


@contextlib.asynccontextmanager
async def playing(feed: Feed, tape: Tape) -> AsyncIterator[None]:
    """The feed runs within this block, from its last complete greeting on."""
    task = asyncio.create_task(feed.run(tape))
    await tape.is_loaded.wait()
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def bars_of(feed: Feed, symbol: str, interval_s: int, limit: int) -> list[Bar]:
    return asyncio.run(feed.history(f"sim:{symbol}", interval_s, limit))


def listed() -> dict[str, Instrument]:
    return {f"sim:{instrument.symbol}": instrument for instrument in [*named(), *choose("450", "")[-27:]]}


@pytest.fixture(scope="module")
def minutes() -> Tape:
    """Two minutes of everything, and some synthetic symbols."""
    return asyncio.run(play(120, symbols="450", rate=300))[1]


@pytest.fixture(scope="module")
def long_run() -> Tape:
    """Eight minutes of a market of 60 symbols in which things go wrong."""
    return asyncio.run(play(480, symbols="60", rate=60))[1]


def test_the_same_seed_and_clock_give_the_same_quotes() -> None:
    """Two feeds of one seed send equal batches at equal times; another seed sends others."""
    first, again, other = (asyncio.run(play(5, symbols="40", seed=seed))[1].batches for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_the_first_quote_of_a_symbol_is_complete(minutes: Tape) -> None:
    """Every symbol begins with all the fields that a feed can say, once, before the feed says that it is loaded."""
    greetings = minutes.quotes[:450]
    assert {quote.symbol for quote in greetings} == set(listed()) and len(set(listed())) == 450  # noqa: PT018
    for quote in greetings:
        assert set(quote.values) == set(FIELDS) - {"ts", "source"}
        assert quote.ts == START_MS
        assert quote.values["state"] == "live"


def test_numbers_are_plain_text_with_the_symbols_decimals(minutes: Tape) -> None:
    """Whatever is sent passes the validation at the service's edge unchanged, and looks as the symbol is quoted."""
    instruments = listed()
    for quote in minutes.quotes:
        instrument = instruments[quote.symbol]
        for field in quote.values.keys() & {"last", "bid", "ask", "open", "high", "low"}:
            text = quote.values[field]
            assert isinstance(text, str)
            assert price(text) == text
            assert len(text.partition(".")[2]) == instrument.decimals
            assert int(text.replace(".", "")) % instrument.tick == 0
        for field in quote.values.keys() & {"bid_size", "ask_size", "volume", "quote_volume"}:
            text = quote.values[field]
            assert isinstance(text, str)
            assert size(text) == text
            assert float(text) > 0
        if (change := quote.values.get("change_pct")) is not None:
            assert isinstance(change, str)
            assert percent(change) == change


def test_records_are_consistent_at_every_moment(minutes: Tape) -> None:
    """At every moment bid < ask, low <= last <= high, low <= open <= high, and the change is last over open."""
    records: defaultdict[str, dict[str, Value]] = defaultdict(dict)
    for quote in minutes.quotes:
        record = records[quote.symbol]
        record.update(quote.values)
        number = {name: Decimal(str(record[name])) for name in ("last", "bid", "ask", "open", "high", "low")}
        assert 0 < number["bid"] < number["ask"]
        assert number["last"] in {number["bid"], number["ask"]}
        assert number["low"] <= min(number["last"], number["open"])
        assert number["high"] >= max(number["last"], number["open"])
        exact = (number["last"] / number["open"] - 1) * 100
        assert record["change_pct"] == f"{exact.quantize(Decimal('0.0001'), ROUND_HALF_EVEN):f}".replace(
            "-0.0000", "0.0000"
        )


def test_an_update_says_only_what_changes(minutes: Tape) -> None:
    """After the greeting no price, name or state is repeated; bid, ask and sizes come each time."""
    records: defaultdict[str, dict[str, Value]] = defaultdict(dict)
    for quote in minutes.quotes:
        record = records[quote.symbol]
        assert {"decimals", "name", "state"}.isdisjoint(quote.values) or not record or "state" in quote.values
        if record and "open" not in quote.values and "last" in quote.values:
            assert quote.values["last"] != record["last"]
        record.update(quote.values)


def test_times_are_those_of_the_clock_and_never_go_back(minutes: Tape) -> None:
    """Each quote carries the wall time at which it happened, at most a few wake-ups ago."""
    latest: dict[str, int] = {}
    for at, batch in minutes.batches:
        for quote in batch:
            assert quote.ts is not None
            assert 0 <= START_MS + at * 1000 - quote.ts <= 41
            assert quote.ts >= latest.get(quote.symbol, 0)
            latest[quote.symbol] = quote.ts


def test_the_figures_of_a_day_are_those_of_its_bars() -> None:
    """Open, high, low and volume of a record are those of the bars of exactly the same 24 hours."""
    feed, tape, _ = asyncio.run(play(0, symbols="BTC-USD,EUR-JPY,7203.T"))
    for quote in tape.quotes:
        bars = bars_of(feed, quote.symbol.removeprefix("sim:"), 60, 1441)
        assert (bars[0].t, bars[-1].t) == (START_MS - DAY_MS, START_MS)
        assert float(str(quote.values["open"])) == bars[0].open
        assert float(str(quote.values["high"])) == max(bar.high for bar in bars)
        assert float(str(quote.values["low"])) == min(bar.low for bar in bars)
        volume = sum(bar.volume or 0 for bar in bars)
        assert float(str(quote.values["volume"])) == pytest.approx(volume, rel=1e-3)
        mean = sum((bar.volume or 0) * bar.close for bar in bars) / volume
        assert float(str(quote.values["quote_volume"])) == pytest.approx(volume * mean, rel=0.05)


def test_figures_carried_on_for_a_day_remain_those_of_the_bars() -> None:
    """Over more than a day, figures that are updated and not computed anew remain those of the bars."""

    async def days() -> list[tuple[int, dict[str, Value]]]:
        clock = alone()
        feed, tape = make(clock, symbols="BTC-USD", rate=50), Tape(clock)
        async with playing(feed, tape):
            for _ in range(160):
                clock.tick(600)
                await clock.advance(0.5)
        return [(quote.ts or 0, quote.values) for quote in tape.quotes if "open" in quote.values]

    renewed = asyncio.run(days())
    assert len(renewed) > 160
    bars = bars_of(make(ManualClock(renewed[-1][0])), "BTC-USD", 60, 2 * 1440 + 200)
    for ts, values in renewed[::8]:
        inside = [bar for bar in bars if ts - DAY_MS <= bar.t <= ts - 60_000]
        around = [bar for bar in bars if ts - DAY_MS - 60_000 <= bar.t <= ts]
        assert max(bar.high for bar in inside) <= float(str(values["high"])) <= max(bar.high for bar in around)
        assert min(bar.low for bar in inside) >= float(str(values["low"])) >= min(bar.low for bar in around)
    assert len({values["high"] for _, values in renewed}) > 3


@pytest.mark.parametrize("symbol", ["BTC-USD", "USD-JPY", "BRK.B", "005930.KS"])
def test_history_joins_the_live_price_without_a_step(symbol: str) -> None:
    """At any interval the open bar closes at the last price, and each bar opens about where the one before closed."""
    feed, tape, clock = asyncio.run(play(17.3, symbols=symbol, rate=50))
    last = next(quote.values["last"] for quote in reversed(tape.quotes) if "last" in quote.values)
    for interval_s in (1, 60, 300, 900, 3600, 14400, 86400):
        bars = bars_of(feed, symbol, interval_s, 40)
        assert bars[-1].t == clock.wall_ms() // (interval_s * 1000) * interval_s * 1000
        assert bars[-1].close == float(str(last))
        for before, bar in itertools.pairwise(bars):
            assert bar.t - before.t == interval_s * 1000
            assert bar.open == pytest.approx(before.close, rel=0.002)
            assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high


@pytest.mark.parametrize(("fine_s", "coarse_s", "count"), [(1, 60, 20), (60, 300, 40), (60, 3600, 9), (300, 14400, 6)])
def test_a_coarse_bar_is_the_fold_of_its_fine_bars(fine_s: int, coarse_s: int, count: int) -> None:
    """That holds whichever way it was computed."""
    feed = make(ManualClock(START_MS + 777_250))
    for symbol in ("ETH-USD", "BTC-EUR", "AAPL"):
        fine = bars_of(feed, symbol, fine_s, count * coarse_s // fine_s)
        for bar in bars_of(feed, symbol, coarse_s, count)[1:]:
            parts = [part for part in fine if bar.t <= part.t < bar.t + coarse_s * 1000]
            assert bar[:5] == (
                parts[0].t, parts[0].open, max(part.high for part in parts), min(part.low for part in parts),
                parts[-1].close,
            )  # fmt: skip
            assert bar.volume == pytest.approx(sum(part.volume or 0 for part in parts), rel=1e-3, abs=1e-3)


def test_history_gives_at_most_limit_bars() -> None:
    """It gives none for a symbol that the feed does not have."""
    feed = make(symbols="BTC-USD")
    assert len(bars_of(feed, "BTC-USD", 60, 7)) == 7
    assert bars_of(feed, "BTC-USD", 60, 0) == []
    assert bars_of(feed, "ETH-USD", 60, 7) == []


def returns(feed: Feed, symbol: str) -> list[float]:
    closes = [bar.close for bar in bars_of(feed, symbol, 60, 720)]
    return [math.log(after / before) for before, after in itertools.pairwise(closes)]


def test_symbols_of_a_market_move_together_and_those_of_others_do_not() -> None:
    """Minute by minute BTC goes with ETH, EUR with GBP and AAPL with SAP; BTC knows nothing of the dollar's rates."""
    feed = make()
    btc, eur = returns(feed, "BTC-USD"), returns(feed, "EUR-USD")
    assert statistics.correlation(btc, returns(feed, "ETH-USD")) > 0.35
    assert statistics.correlation(eur, returns(feed, "GBP-USD")) > 0.25
    assert statistics.correlation(eur, returns(feed, "USD-JPY")) < -0.25
    assert statistics.correlation(returns(feed, "AAPL"), returns(feed, "SAP.DE")) > 0.2
    assert abs(statistics.correlation(btc, eur)) < 0.1


def test_moves_are_as_large_as_the_table_says() -> None:
    """Over months the daily move of BTC has about its volatility, and the price stays about its anchor."""
    closes = [bar.close for bar in bars_of(make(symbols="BTC-USD"), "BTC-USD", 86_400, 200)]
    moves = [math.log(after / before) for before, after in itertools.pairwise(closes)]
    assert 0.015 < statistics.stdev(moves) < 0.03
    assert 97_412 * 0.7 < min(closes) < max(closes) < 97_412 * 1.3


def test_volatility_and_volume_are_clustered() -> None:
    """A lively quarter of an hour follows a lively one, and more is traded in it: it is not even noise."""
    bars = bars_of(make(symbols="BTC-USD"), "BTC-USD", 900, 960)
    ranges = [bar.high / bar.low - 1 for bar in bars]
    assert statistics.correlation(ranges[:-1], ranges[1:]) > 0.2
    assert statistics.correlation(ranges, [bar.volume or 0 for bar in bars]) > 0.2


def test_a_cross_rate_is_the_quotient_of_its_two_sides() -> None:
    """It is so to within a tick: there is no arbitrage."""
    feed = make(ManualClock(START_MS + 5_000_000))
    for cross, base, quote in (("BTC-EUR", "BTC-USD", "EUR-USD"), ("XAU-XAG", "XAU-USD", "XAG-USD")):
        dear, cheap, made = (bars_of(feed, symbol, 60, 1)[0].close for symbol in (base, quote, cross))
        assert made == pytest.approx(dear / cheap, rel=1e-4)
    eur_jpy, eur, jpy = (bars_of(feed, symbol, 60, 1)[0].close for symbol in ("EUR-JPY", "EUR-USD", "USD-JPY"))
    assert eur_jpy == pytest.approx(eur * jpy, rel=1e-4)


@pytest.mark.parametrize("rate", [20, 1000])
def test_the_asked_rate_is_kept(rate: int) -> None:
    """The requested number of updates a second comes, spread over wake-ups."""
    _, tape, _ = asyncio.run(play(20, symbols="100", rate=rate, faults=False))
    assert len(tape.after(0)) == pytest.approx(20 * rate, rel=0.06)
    assert max(len(batch) for at, batch in tape.batches if at > 0) < max(rate / 20, 12)


def test_there_are_busy_symbols_and_quiet_ones() -> None:
    """By default BTC is updated several times a second, some symbols hardly ever, and none less often than once a
    minute.
    """
    _, tape, _ = asyncio.run(play(60, faults=False))
    counts = Counter(quote.symbol for quote in tape.after(0))
    assert counts["sim:BTC-USD"] > 200
    assert counts.keys() == {f"sim:{instrument.symbol}" for instrument in named()}
    assert min(counts.values()) <= 4
    assert 100 < sum(counts.values()) / 60 < 300


def test_a_late_loop_does_not_catch_up() -> None:
    """After the loop was blocked for a minute, the next batch is as large as a tenth of a second's, and the feed goes
    on.
    """

    async def blocked() -> Tape:
        clock = alone()
        feed, tape = make(clock, symbols="100", rate=1000, faults=False), Tape(clock)
        async with playing(feed, tape):
            await clock.advance(1)
            clock.tick(60)
            await clock.advance(1)
        return tape

    tape = asyncio.run(blocked())
    assert max(len(batch) for at, batch in tape.batches if at > 0) <= 200
    assert len(tape.after(61.01)) == pytest.approx(1000, rel=0.15)


def test_a_burst_is_published_in_slices() -> None:
    """At a high rate even a tenth of a second is too much for one turn of the loop."""

    async def blocked() -> Tape:
        clock = alone()
        feed, tape = make(clock, symbols="100", rate=50_000, faults=False), Tape(clock)
        async with playing(feed, tape):
            await clock.advance(0.1)
            clock.tick(1)
            await clock.advance(0.02)
        return tape

    late = [len(batch) for at, batch in asyncio.run(blocked()).batches if at > 1]
    assert sum(late) > 4000
    assert max(late) < 3500


def test_a_symbol_is_halted_now_and_then(long_run: Tape) -> None:
    """Beginning and end are told in `state`; in between it is confirmed as halted, and no price of it comes."""
    halted: dict[str, int] = {}
    lasted: list[int] = []
    for quote in long_run.quotes[60:]:
        assert quote.ts is not None
        state = quote.values.get("state")
        if state == "halted":
            assert set(quote.values) == {"state"}
            halted.setdefault(quote.symbol, quote.ts)
        elif quote.symbol in halted:
            assert state == "live"
            lasted.append(quote.ts - halted.pop(quote.symbol))
        else:
            assert state is None
    assert len(lasted) >= 4
    assert all(10_000 < ms < 60_000 for ms in lasted)


def gaps_ms(tape: Tape) -> dict[str, list[int]]:
    times: defaultdict[str, list[int]] = defaultdict(list)
    for quote in tape.quotes:
        times[quote.symbol].append(quote.ts or 0)
    return {symbol: [after - before for before, after in itertools.pairwise(at)] for symbol, at in times.items()}


def test_a_symbol_falls_silent_now_and_then(long_run: Tape) -> None:
    """Its silence is too long for its rhythm to explain; then prices come again."""
    silences = [(max(gaps), statistics.median(gaps)) for gaps in gaps_ms(long_run).values()]
    mute = [(longest, usual) for longest, usual in silences if longest > 100_000]
    assert mute
    assert all(longest > 8 * usual for longest, usual in mute)


def test_the_first_ten_symbols_have_no_faults(long_run: Tape) -> None:
    """The most prominent symbols are never halted or silent."""
    first = [f"sim:{instrument.symbol}" for instrument in named()[:10]]
    assert {quote.symbol for quote in long_run.quotes[60:] if "state" in quote.values}.isdisjoint(first)
    assert all(max(gaps_ms(long_run)[symbol]) < 10_000 for symbol in first)


def test_faults_can_be_switched_off() -> None:
    """Without faults no symbol is halted, and no gap is longer than the service's patience with that symbol."""
    _, tape, _ = asyncio.run(play(120, symbols="60", rate=60, faults=False))
    assert all("state" not in quote.values for quote in tape.quotes[60:])
    assert all(max(gaps) <= 3 * statistics.median(gaps) for gaps in gaps_ms(tape).values())


def test_a_second_run_begins_with_every_field() -> None:
    """It sends them all, whatever the first run had sent."""

    async def twice() -> Tape:
        clock = alone()
        feed = make(clock, symbols="30")
        async with playing(feed, Tape(clock)):
            await clock.advance(3)
        again = Tape(clock)
        async with playing(feed, again):
            await clock.advance(1)
        return again

    for quote in asyncio.run(twice()).quotes[:30]:
        assert set(quote.values) == set(FIELDS) - {"ts", "source"}


class Wall(ManualClock):
    """A clock whose wall time is somebody else's to set; the feed is alone with it."""

    def __init__(self) -> None:
        super().__init__(START_MS, turns=2)
        self.ahead_ms = 0

    def wall_ms(self) -> int:
        return super().wall_ms() + self.ahead_ms


def test_prices_follow_a_wall_clock_that_is_set_back() -> None:
    """Price and figures are those of the earlier time from the next update on."""

    async def there_and_back() -> tuple[list[Quote], list[Quote]]:
        clock = Wall()
        clock.ahead_ms = 7_200_000
        feed, tape = make(clock, symbols="BTC-USD", rate=100), Tape(clock)
        async with playing(feed, tape):
            await clock.advance(1)
            clock.ahead_ms = 0
            await clock.advance(1)
        return tape.quotes, tape.after(1.1)

    quotes, later = asyncio.run(there_and_back())
    now = ManualClock(later[-1].ts or 0)
    record: dict[str, Value] = {}
    for quote in quotes:
        record.update(quote.values)
    bars = bars_of(make(now), "BTC-USD", 60, 1442)
    assert float(str(record["last"])) == bars[-1].close
    assert min(bar.low for bar in bars) <= float(str(record["low"]))
    assert max(bar.high for bar in bars) >= float(str(record["high"]))
    assert float(str(record["open"])) == pytest.approx(bars[1].open, rel=1e-3)


def test_prices_stay_live_when_the_wall_clock_is_set_back() -> None:
    """Seen: the whole market was stale until the earlier time had come again, for its rows looked late."""

    async def there_and_back() -> FeedStatus:
        clock = Wall()
        clock.ahead_ms = 7_200_000
        door = Intake(Store(epoch=1), clock, 100).feed("sim", "simulated", "exchange", 5.0)
        running = asyncio.create_task(make(clock, symbols="BTC-USD", rate=10).run(door))
        await clock.advance(10)
        clock.ahead_ms = 0
        await clock.advance(10)
        running.cancel()
        return door.status

    status = asyncio.run(there_and_back())
    assert status.updates > 150
    assert not any(status.rejects.values())


def test_halts_end_when_the_wall_clock_is_set_back() -> None:
    """Seen: what was halted or silent at that moment stayed so until the earlier time had come again, for a day."""

    async def there_and_back() -> dict[str, float]:
        clock = Wall()
        clock.ahead_ms = 86_400_000
        feed, tape = make(clock, symbols="40", rate=30), Tape(clock)
        async with playing(feed, tape):
            await clock.advance(300)
            clock.ahead_ms = 0
            await clock.advance(60)
        return {quote.symbol: at for at, batch in tape.batches for quote in batch if "bid" in quote.values}

    assert min(asyncio.run(there_and_back()).values()) > 300


def test_the_table_has_300_plausible_instruments() -> None:
    """Their symbols differ, they are of many kinds and named, and prices have a sensible number of ticks."""
    table = named()
    symbols = {instrument.symbol for instrument in table}
    assert len(symbols) == len(table) >= 300
    assert {"BTC-USD", "USD-JPY", "XAU-USD", "AAPL", "BRK.B", "7203.T", "SAP.DE", "ETH-BTC"} <= symbols
    assert [instrument.symbol for instrument in table[:4]] == ["BTC-USD", "ETH-USD", "SOL-USD", "EUR-USD"]
    for instrument in table:
        assert SYMBOL.fullmatch(instrument.symbol)
        assert len(instrument.name) >= 2
        assert instrument.price * 10**instrument.decimals / instrument.tick > 200
    names = {instrument.symbol: instrument.name for instrument in table}
    assert names["USD-JPY"] == "US Dollar / Yen"
    assert names["XAU-USD"] == "Gold, troy ounce"
    assert names["7203.T"] == "Toyota Motor (JPY)"


def test_a_number_selects_exactly_that_many_symbols() -> None:
    """The biggest come first, then synthetic ones."""
    table = named()
    assert choose("3", "") == table[:3]
    many = choose("5000", "")
    assert len({instrument.symbol for instrument in many}) == len(many) == 5000
    assert many[: len(table)] == table
    assert (many[-1].symbol, many[-1].name) == ("SIM5000-USD", "Simulated 5000")


def test_patterns_select_symbols() -> None:
    """Symbols and patterns separated by commas; each instrument once, the biggest first."""
    chosen = [instrument.symbol for instrument in choose("*-EUR, ETH-USD,BTC-*R,BTC-USD", "")]
    assert chosen[:3] == ["BTC-USD", "ETH-USD", "BTC-EUR"]
    assert len(set(chosen)) == len(chosen) > 10
    assert all(symbol.endswith("-EUR") for symbol in chosen[2:])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"symbols": "BTC-USDX"}, "feeds.sim.symbols: the simulator has no 'BTC-USDX'; did you mean 'BTC-USD'?"),
        ({"symbols": "btc-usd"}, "feeds.sim.symbols: the simulator has no 'btc-usd'; did you mean 'BTC-USD'?"),
        ({"symbols": "*-XYZ"}, "the simulator has no '*-XYZ'"),
        ({"symbols": "BTC USD"}, "feeds.sim.symbols: 'BTC USD' is neither a number nor a symbol or pattern"),
        ({"symbols": "0"}, f"feeds.sim.symbols: give a number from 1 to {MAX_INSTRUMENTS}, not 0"),
        ({"symbols": "-5"}, f"feeds.sim.symbols: give a number from 1 to {MAX_INSTRUMENTS}, not -5"),
        ({"symbols": 50_001}, f"feeds.sim.symbols: give a number from 1 to {MAX_INSTRUMENTS}, not 50001"),
        ({"rate": 0}, "feeds.sim: rate: give more than 0 and at most 1000000 updates a second, not 0"),
        ({"rate": "nan"}, "feeds.sim: rate: give more than 0"),
        ({"rate": "fast"}, "feeds.sim.rate: give a number, not 'fast'"),
        ({"rate": 10**400}, "feeds.sim.rate: give a number, not 1000"),
        ({"seed": "x"}, "feeds.sim.seed: give a whole number, not 'x'"),
        ({"seed": 1.7}, "feeds.sim.seed: give a whole number, not 1.7"),
        ({"seed": math.inf}, "feeds.sim.seed: give a whole number, not inf"),
        ({"sed": 1}, "feeds.sim.sed: unknown option; did you mean 'seed'?"),
    ],
)
def test_wrong_options_are_refused_with_the_nearest_right_word(options: dict[str, object], message: str) -> None:
    """The error says where, what, and what would be right."""
    with pytest.raises(ConfigError) as caught:
        make(None, **options)
    assert message in str(caught.value)
