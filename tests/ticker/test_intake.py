"""The door of the prices: order, limits, and when silence becomes staleness, on a clock that only tests move."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticker.clock import ManualClock
from ticker.intake import GAPS, TICK_S, FeedIntake, Intake, Rhythm
from ticker.model import Change, Quote, Value
from ticker.store import Store

STALE_AFTER_S = 4.0


class Service:
    """An intake with its store; time passes as in the service, a look at the deadlines every `TICK_S`."""

    def __init__(self, max_symbols: int = 100) -> None:
        self.clock = ManualClock()
        self.store = Store(epoch=1)
        self.woken = False
        self.intake = Intake(self.store, self.clock, max_symbols, wake=self._wake)

    def _wake(self) -> None:
        self.woken = True

    def has_woken(self) -> bool:
        """Whether a flush was asked for since the last call."""
        woken, self.woken = self.woken, False
        return woken

    def feed(self, name: str = "v", kind: str = "live", stale_after_s: float = STALE_AFTER_S) -> FeedIntake:
        return self.intake.feed(name, kind, "exchange", stale_after_s)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        for _ in range(round(seconds / TICK_S)):
            self.clock.tick(TICK_S)
            self.intake.expire()
        self.store.flush(self.clock.monotonic())

    def get(self, symbol: str, field: str = "state") -> Value:
        """A visible value."""
        self.store.flush(self.clock.monotonic())
        record = self.store.get(symbol)
        assert record is not None, symbol
        return record.get(field)

    def states(self, *symbols: str) -> list[Value]:
        return [self.get(symbol) for symbol in symbols]


@pytest.fixture
def service() -> Service:
    return Service()


def put(feed: FeedIntake, *symbols: str, ts: int | None = None, seq: int | None = None, **values: Any) -> None:
    """Publish one row for each symbol."""
    feed.publish([Quote(symbol, values or {"last": "1"}, ts, seq) for symbol in symbols])


def beat(service: Service, feed: FeedIntake, symbols: Iterable[str], times: int, gap_s: float) -> None:
    """Publish changing rows in a steady rhythm; the last one is published now."""
    for i in range(times):
        if i:
            service.wait(gap_s)
        put(feed, *symbols, last=f"{service.clock.monotonic():.2f}1")


def others_go_on(service: Service, feed: FeedIntake, seconds: int) -> None:
    """Time in which another symbol of the feed changes every second."""
    for _ in range(seconds):
        service.wait(1.0)
        put(feed, "v:B", last=f"{service.clock.monotonic() + 1}")


def rejects(feed: FeedIntake) -> dict[str, int]:
    return {reason: count for reason, count in feed.status.rejects.items() if count}


# What comes in


def test_first_row_makes_a_live_record_of_its_venue(service: Service) -> None:
    """A new symbol is live, says its venue, keeps the price's text, and is dated by its arrival if not otherwise."""
    feed = service.feed("kraken")
    put(feed, "kraken:BTC-USD", last="97412.30", bid=None)
    fields = ("last", "bid", "state", "source", "ts")
    assert [service.get("kraken:BTC-USD", field) for field in fields] == [
        "97412.30", None, "live", "kraken", service.clock.wall_ms(),
    ]  # fmt: skip
    put(feed, "kraken:BTC-USD", ts=5_000, last="97412.40")
    assert service.get("kraken:BTC-USD", "ts") == 5_000


def test_feed_is_live_from_its_first_data(service: Service) -> None:
    """A feed's record is there at once as connecting, and its first row, not its first call, makes it live."""
    started = service.clock.wall_ms()
    feed = service.feed("kraken")
    assert [service.get("@kraken", f) for f in ("state", "since", "kind", "clock", "message")] == [
        "connecting", started, "live", "exchange", None,
    ]  # fmt: skip
    service.clock.tick(3.0)
    feed.publish([])
    assert service.get("@kraken") == "connecting"
    put(feed, "kraken:A")
    assert [service.get("@kraken", f) for f in ("state", "since")] == ["live", started + 3000]


def test_counters(service: Service) -> None:
    """Accepted rows, symbols, the time of the last data and the rate are counted for each feed."""
    feed, other = service.feed("v"), service.feed("w")
    put(feed, "v:A", "v:B")
    service.wait(1.0)
    put(feed, "v:A", seq=4)
    put(feed, "v:A", "v:C", seq=3)
    status = feed.status
    assert (status.updates, status.symbols, rejects(feed)) == (4, 3, {"out_of_order": 1})
    assert status.last_data_at == service.clock.wall_ms()
    service.wait(1.0)
    assert status.rate == 2.0
    service.wait(2.0)
    assert status.rate == 0.0
    put(feed, "v:A", "v:B", "v:C", seq=9)
    service.wait(2.0)
    assert status.rate == 1.5
    assert (other.status.updates, other.status.symbols, other.status.last_data_at) == (0, 0, None)


def test_loaded_is_the_feeds_word(service: Service) -> None:
    """A feed says when it knows its symbols."""
    feed = service.feed()
    assert feed.status.loaded is False
    feed.loaded()
    assert feed.status.loaded is True


@pytest.mark.parametrize(
    ("lasts", "jumps"),
    [("1 1.5 1", 0), ("1 1.51", 1), ("3 2 3", 0), ("3 1.9 1.9", 1), ("100 0.1 100", 2), ("5 ", 0), ("5  9", 1)],
)
def test_jumps_are_shown_and_counted(service: Service, lasts: str, jumps: int) -> None:
    """A last price far from the one before is shown like any other, and counted, also over a gap without any."""
    feed = service.feed()
    for last in lasts.split(" "):
        put(feed, "v:A", last=last or None)
        assert service.get("v:A", "last") == (last or None)
    assert feed.status.jumps == jumps


def test_listener_sees_every_accepted_row(service: Service) -> None:
    """Before anything is merged, each accepted row is shown with its time of arrival, and no refused one is."""
    seen: list[tuple[Quote, int]] = []
    service.intake.on_ingest.append(lambda quote, wall_ms: seen.append((quote, wall_ms)))
    rows = [Quote("v:A", {"last": "1"}, 1000), Quote("v:A", {"last": "2"}, 900), Quote("v:A", {"last": "1"}, 1000)]
    service.feed().publish(iter([*rows, Quote("v:?", {"last": "1"})]))
    at = service.clock.wall_ms()
    assert seen == [(rows[0], at), (rows[2], at)]


def test_flush_is_asked_for_only_when_there_is_something(service: Service) -> None:
    """Accepted rows, states and removals wake the hub; refused and empty publications do not."""
    feed = service.feed()
    feed.publish([])
    put(feed, "v:?")
    assert (service.has_woken(), service.intake.oldest_at) == (False, None)
    service.clock.tick(2.0)
    put(feed, "v:A", ts=10)
    assert (service.has_woken(), service.intake.oldest_at) == (True, 2.0)
    service.clock.tick(1.0)
    put(feed, "v:A", ts=9)
    assert (service.has_woken(), service.intake.oldest_at) == (False, 2.0)
    put(feed, "v:A", ts=11)
    assert (service.has_woken(), service.intake.oldest_at) == (True, 2.0)
    feed.remove(["v:A"])
    assert service.has_woken()
    feed.state("down", "without symbols")
    assert service.has_woken()
    put(feed, "v:A")
    service.wait(59.75)
    assert service.has_woken()
    service.wait(0.25)
    assert service.has_woken(), "the symbol became stale"


def test_intake_works_without_a_hub() -> None:
    """Nobody has to listen."""
    clock = ManualClock()
    store = Store(1)
    put(Intake(store, clock, 1).feed("v", "live", "received", 5.0), "v:A")
    assert store.flush(0.0) is not None


# Order


def test_late_row_is_dropped_by_time(service: Service) -> None:
    """A row that dates itself before the last one is counted and dropped; at equal time the later arrival wins."""
    feed = service.feed()
    put(feed, "v:A", ts=1000, last="1")
    put(feed, "v:A", ts=999, last="2")
    assert service.get("v:A", "last") == "1"
    put(feed, "v:A", ts=1000, last="3")
    assert service.get("v:A", "last") == "3"
    put(feed, "v:A", last="4")
    put(feed, "v:A", ts=999, last="5")
    assert service.get("v:A", "last") == "4"
    assert rejects(feed) == {"out_of_order": 2}


def test_late_row_is_dropped_by_sequence_before_time(service: Service) -> None:
    """Where a source numbers its rows, the number decides, whatever their times say."""
    feed = service.feed()
    put(feed, "v:A", seq=10, ts=1000, last="1")
    put(feed, "v:A", seq=9, ts=2000, last="2")
    assert service.get("v:A", "last") == "1"
    put(feed, "v:A", seq=11, ts=500, last="3")
    assert service.get("v:A", "last") == "3"
    put(feed, "v:A", seq=11, ts=500, last="4")
    assert service.get("v:A", "last") == "4"
    assert rejects(feed) == {"out_of_order": 1}


def test_order_is_each_symbols_own(service: Service) -> None:
    """Neither time nor sequence of one symbol is compared with those of another."""
    feed = service.feed()
    put(feed, "v:A", seq=10, ts=1000)
    put(feed, "v:B", seq=3, ts=10, last="2")
    assert (service.get("v:B", "last"), rejects(feed)) == ("2", {})


@pytest.mark.parametrize("state", ["down", "connecting", "failed"])
def test_sequence_starts_anew_with_a_new_run(service: Service, state: str) -> None:
    """After the feed was away, a source may count from one again, each symbol for itself; time still decides."""
    feed = service.feed()
    put(feed, "v:A", "v:B", seq=1000, ts=1000)
    feed.state(state)
    put(feed, "v:A", seq=1, ts=999, last="2")
    assert rejects(feed) == {"out_of_order": 1}
    put(feed, "v:A", seq=1, ts=1001, last="3")
    put(feed, "v:A", seq=0, ts=1002, last="4")
    put(feed, "v:B", seq=1, ts=1001, last="5")
    assert [service.get(symbol, "last") for symbol in ("v:A", "v:B")] == ["3", "5"]
    assert rejects(feed) == {"out_of_order": 2}


def test_sequence_goes_on_when_the_feed_was_only_stale(service: Service) -> None:
    """A silent feed that comes back on the same connection goes on counting."""
    feed = service.feed()
    put(feed, "v:A", seq=1000)
    feed.state("stale")
    put(feed, "v:A", seq=1)
    assert rejects(feed) == {"out_of_order": 1}


def test_sequence_that_began_anew_without_an_outage(service: Service) -> None:
    """What is behind by its number is late while the number ahead is news; after that the source counts anew.

    Seen: an exchange restarted its counting and the feed was back before it counted as down, or one absurd number
    came. Bid and ask then stood still for good, as live, for rows without a number went on.
    """
    feed = service.feed()
    put(feed, "v:A", seq=2**63, ts=1000, bid="1")
    for number in range(1, 5):
        service.wait(STALE_AFTER_S / 4)
        put(feed, "v:A", last=f"{number}")
        put(feed, "v:A", seq=number, ts=1000, bid="2")
    assert (service.get("v:A", "bid"), rejects(feed)) == ("1", {"out_of_order": 4})
    service.wait(TICK_S)
    put(feed, "v:A", seq=6, ts=999, bid="3")
    put(feed, "v:A", seq=7, ts=1000, bid="4")
    put(feed, "v:A", seq=6, ts=1000, bid="5")
    assert (service.get("v:A", "bid"), rejects(feed)) == ("4", {"out_of_order": 6})


def test_a_number_ahead_is_news_after_any_silence(service: Service) -> None:
    """As in the second round of a replay, whose times are older, of a symbol that is quoted rarely."""
    feed = service.feed("v", "replay")
    put(feed, "v:A", seq=1, ts=2000, last="1")
    service.wait(10 * STALE_AFTER_S)
    put(feed, "v:A", seq=2, ts=1000, last="2")
    assert (service.get("v:A", "last"), rejects(feed)) == ("2", {})


@settings(deadline=None)
@given(st.lists(st.tuples(st.none() | st.integers(0, 5), st.none() | st.integers(0, 5)), max_size=20))
def test_visible_price_is_never_older_than_one_before(rows: list[tuple[int | None, int | None]]) -> None:
    """In any mix of rows, what becomes visible is never before the last accepted one, by number or else by time."""
    service = Service()
    feed = service.feed("v", "replay")
    seq = ts = None
    accepted = "0"
    for i, (row_seq, row_ts) in enumerate(rows, 1):
        put(feed, "v:A", seq=row_seq, ts=row_ts, last=str(i))
        if row_seq is not None and seq is not None:
            late = row_seq < seq
        else:
            late = row_ts is not None and ts is not None and row_ts < ts
        if not late:
            accepted = str(i)
            seq, ts = (row_seq if row_seq is not None else seq), (row_ts if row_ts is not None else ts)
        assert service.get("v:A", "last") == accepted


# Limits


@pytest.mark.parametrize("symbol", ["", "BTC-USD", "v:", "v:BTC/USD", "V:A", "v:A:B", "v:*", "v:" + "A" * 65, "v:\n"])
def test_malformed_symbol_is_counted_and_dropped(service: Service, symbol: str) -> None:
    """A name that is no venue symbol never enters the store; the other rows of the publication do."""
    feed = service.feed()
    put(feed, symbol, "v:GOOD")
    assert (rejects(feed), feed.status.symbols) == ({"symbol": 1}, 1)
    service.store.flush(0.0)
    assert list(service.store.symbols()) == ["v:GOOD"]


def test_surplus_symbols_are_counted_and_said() -> None:
    """Over `max_symbols`, which holds for all feeds together, new symbols are left out and the feed says so."""
    service = Service(max_symbols=3)
    feed, other = service.feed("v"), service.feed("w")
    put(feed, "v:A", "v:B")
    put(other, "w:A", "w:B", "w:C")
    assert (rejects(feed), rejects(other), other.status.symbols) == ({}, {"limit": 2}, 1)
    assert service.get("@v", "message") is None
    message = service.get("@w", "message")
    assert message == "more symbols than store.max_symbols = 3; the rest is left out"
    put(other, "w:A", "w:B", last="2")
    assert (service.get("w:A", "last"), rejects(other)) == ("2", {"limit": 3})
    assert len(other.status.changes) == 1


def test_surplus_is_said_by_a_feed_that_is_live(service: Service) -> None:
    """The limit may be reached later; the state stays live, with a message."""
    service.intake.max_symbols = 1
    feed = service.feed()
    put(feed, "v:A")
    since = service.get("@v", "since")
    service.clock.tick(1.0)
    put(feed, "v:B")
    assert [service.get("@v", f) for f in ("state", "since")] == ["live", since]
    assert "left out" in str(service.get("@v", "message"))


def test_surplus_alone_does_not_make_a_feed_live(caplog: pytest.LogCaptureFixture) -> None:
    """A feed none of whose rows has room delivers nothing, and says why; the log hears of it once."""
    service = Service(max_symbols=0)
    put(service.feed(), "v:A")
    put(service.feed("w"), "w:A", "w:B")
    assert [service.get("@w", field) for field in ("state", "message")] == [
        "connecting", "more symbols than store.max_symbols = 0; the rest is left out",
    ]  # fmt: skip
    assert [line for line in caplog.messages if "feed=w" in line] == [
        "feed=w more symbols than store.max_symbols = 0; the rest is left out"
    ]
    assert service.get("@v") == "connecting"


def test_room_of_removed_symbols_is_free_again() -> None:
    """The limit counts what exists."""
    service = Service(max_symbols=1)
    feed = service.feed()
    put(feed, "v:A")
    feed.remove(["v:A"])
    put(feed, "v:B")
    assert (service.states("v:B"), rejects(feed)) == (["live"], {})


# Rhythm


def test_rhythm_is_not_known_before_eight_gaps() -> None:
    """Until then a minute is granted, or what the feed asks for if that is longer."""
    rhythm = Rhythm(0.0)
    for i in range(1, 8):
        rhythm.beat(float(i))
    assert (rhythm.known, rhythm.limit_s(5.0), rhythm.limit_s(90.0)) == (False, 60.0, 90.0)
    rhythm.beat(8.0)
    assert (rhythm.known, rhythm.limit_s(5.0), rhythm.limit_s(90.0)) == (True, 8.0, 90.0)


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        ([0.25] * 40, 5.0),
        ([2.0] * 8, 16.0),
        ([2.0] * 20 + [500.0] * 16, 3600.0),
        ([1.0] * 31 + [500.0], 8.0),
        ([500.0] + [1.0] * 30 + [20.0], 80.0),
        ([0.25] * 30 + [1.5] * 2, 6.0),
        ([500.0] * 100 + [2.0] * GAPS, 16.0),
        ([2.0] * GAPS + [4.0] * 17, 32.0),
        ([600.0] * 10, 3600.0),
    ],
)
def test_limit_follows_the_gaps(gaps: list[float], expected: float) -> None:
    """It is 8 medians of the last 32 gaps or 4 of the longest but one, at least what is asked for, at most an hour."""
    rhythm, now = Rhythm(0.0), 0.0
    for gap in gaps:
        now += gap
        rhythm.beat(now)
    assert rhythm.limit_s(5.0) == expected


@pytest.mark.parametrize("trades", [1, 2, 3])
def test_symbol_that_comes_in_bursts_is_judged_by_the_time_between_them(service: Service, trades: int) -> None:
    """Seen: a quiet market in which an order takes several others at a time was stale between any two orders.

    Cause: most gaps were those between trades of one order. Promise: what comes in one moment counts once.
    """
    feed = service.feed()
    for _ in range(40):
        for _ in range(trades):
            put(feed, "v:A", last=f"{service.clock.monotonic() + 1}")
            service.clock.tick(0.001)
        others_go_on(service, feed, 30)
        assert service.get("v:A") == "live"
    others_go_on(service, feed, 8 * 30)
    assert service.get("v:A") == "stale"


def test_prices_that_come_in_clusters_are_not_stale_between_two(service: Service) -> None:
    """Seen: of a day's real quotes of EUR-USD, those of a quarter of the time were called stale, 3,000 times.

    Cause: half of the gaps are those within a cluster. Promise: silence as long as it often is says nothing.
    """
    feed = service.feed()
    for i in range(60):
        beat(service, feed, ["v:A"], 6, 0.25)
        others_go_on(service, feed, (6, 20, 11, 15)[i % 4])
        assert service.get("v:A") == "live" or i < 4
    others_go_on(service, feed, 80)
    assert service.get("v:A") == "stale"


def test_silent_symbol_is_stale_after_its_own_limit(service: Service) -> None:
    """While others go on, a symbol is stale after 8 of its gaps in silence, not sooner; nothing else of it changes."""
    feed = service.feed()
    beat(service, feed, ["v:A", "v:B"], 10, 1.0)
    last, ts = service.get("v:A", "last"), service.get("v:A", "ts")
    others_go_on(service, feed, 7)
    assert service.get("v:A") == "live"
    others_go_on(service, feed, 1)
    assert service.states("v:A", "v:B", "@v") == ["stale", "live", "live"]
    assert (service.get("v:A", "last"), service.get("v:A", "ts")) == (last, ts)
    put(feed, "v:C")
    assert service.intake.stale == 1


def test_data_ends_staleness(service: Service) -> None:
    """The next row makes the symbol live, and it can become stale again."""
    feed = service.feed()
    beat(service, feed, ["v:A", "v:B"], 10, 1.0)
    for _ in range(2):
        others_go_on(service, feed, 20)
        assert service.get("v:A") == "stale"
        put(feed, "v:A")
        assert service.get("v:A") == "live"


def test_new_symbol_has_a_minute(service: Service) -> None:
    """Whose rhythm is not known yet is not judged by the least silence, but after a minute it is."""
    feed = service.feed()
    put(feed, "v:A")
    others_go_on(service, feed, 59)
    assert service.get("v:A") == "live"
    others_go_on(service, feed, 1)
    assert service.get("v:A") == "stale"


def test_every_symbol_is_judged() -> None:
    """Hundreds that fall silent together are stale together."""
    service = Service(max_symbols=400)
    feed = service.feed()
    symbols = [f"v:S{i}" for i in range(300)]
    put(feed, *symbols)
    others_go_on(service, feed, 59)
    assert service.intake.stale == 0
    others_go_on(service, feed, 1)
    assert set(service.states(*symbols)) == {"stale"}
    assert service.intake.stale == 300


def test_deadlines_do_not_pile_up(service: Service) -> None:
    """However many rows come, each symbol has one deadline; the next row after a stale time sets the next one."""
    feed = service.feed()
    beat(service, feed, ["v:A", "v:B"], 200, 0.25)
    assert len(service.intake._deadlines) == 2
    others_go_on(service, feed, 60)
    assert service.get("v:A") == "stale"
    beat(service, feed, ["v:A", "v:B"], 200, 0.25)
    assert len(service.intake._deadlines) == 2


def test_illiquid_symbol_is_not_flagged(service: Service) -> None:
    """One trade every five minutes is a rhythm: 39 minutes of silence are usual then, 41 are not."""
    feed = service.feed()
    for i in range(20):
        put(feed, "v:THIN", last=str(i + 1))
        others_go_on(service, feed, 300)
        assert service.get("v:THIN") == ("live" if i >= 8 else "stale"), "known after eight gaps"
    others_go_on(service, feed, 34 * 60)
    assert service.get("v:THIN") == "live"
    others_go_on(service, feed, 2 * 60)
    assert service.get("v:THIN") == "stale"


def test_quickened_symbol_is_judged_by_its_new_rhythm(service: Service) -> None:
    """Seen: a symbol that fell silent after a lively minute was called live for up to an hour more.

    Cause: it was looked at again only when its earlier, slower rhythm would have run out. Promise: not later than
    its present limit, and at most the feed's least silence after it.
    """
    feed = service.feed()
    beat(service, feed, ["v:A", "v:B"], 10, 300.0)
    beat(service, feed, ["v:A", "v:B"], GAPS + 1, 1.0)
    others_go_on(service, feed, 8 + int(STALE_AFTER_S))
    assert service.states("v:A", "v:B") == ["stale", "live"]


@pytest.mark.parametrize("market", ["halted", "closed"])
def test_halted_or_closed_market_is_never_stale(service: Service, market: str) -> None:
    """What the venue says of its market stands however long nothing comes, even when the whole feed is silent."""
    feed = service.feed()
    put(feed, "v:A", state=market, last="5")
    put(feed, "v:B")
    others_go_on(service, feed, 400)
    assert service.get("v:A") == market
    service.wait(4000.0)
    assert service.states("v:A", "v:B", "@v") == [market, "stale", "stale"]


def test_feed_without_patience_does_not_keep_the_service_busy(service: Service) -> None:
    """Even where every silence counts at once, a halted symbol is looked at once in a tick, not for ever."""
    feed = service.feed(stale_after_s=0.0)
    put(feed, "v:A", state="halted")
    service.wait(120.0)
    assert service.get("v:A") == "halted"


def test_opened_market_is_judged_again_at_once(service: Service) -> None:
    """A market that has just opened and falls silent is stale like any other, not when a halt is next looked at."""
    feed = service.feed()
    beat(service, feed, ["v:A", "v:B"], 10, 1.0)
    put(feed, "v:A", state="halted")
    others_go_on(service, feed, 70)
    assert service.get("v:A") == "halted"
    put(feed, "v:A", state="live")
    assert service.get("v:A") == "live"
    others_go_on(service, feed, 8 + int(STALE_AFTER_S))
    assert service.get("v:A") == "stale"


def test_market_state_stays_until_the_venue_says_another(service: Service) -> None:
    """A row without a state does not open a halted market; `live`, or a state that is cleared, does."""
    feed = service.feed()
    put(feed, "v:A", state="halted", last="1")
    put(feed, "v:A", last="2")
    assert (service.get("v:A"), service.get("v:A", "last")) == ("halted", "2")
    for state in ("live", None):
        put(feed, "v:A", state="halted")
        assert service.get("v:A") == "halted"
        put(feed, "v:A", state=state, last="3")
        assert service.get("v:A") == "live"


# Whole feeds


def test_silent_feed_is_stale_with_all_its_symbols_at_once(service: Service) -> None:
    """When nothing at all comes for 8 usual gaps of the feed, it is stale and so are even its slowest symbols."""
    feed, other = service.feed("v"), service.feed("w")
    put(other, "w:A")
    put(feed, "v:SLOW")
    beat(service, feed, ["v:A"], 10, 1.0)
    service.wait(7.75)
    assert service.states("@v", "v:A", "v:SLOW") == ["live", "live", "live"]
    service.wait(0.5)
    assert service.states("@v", "v:A", "v:SLOW") == ["stale", "stale", "stale"]
    assert service.get("@v", "message") == "no data for 8 s"
    assert service.states("@w", "w:A") == ["live", "live"]


def test_heartbeats_are_no_data(service: Service) -> None:
    """Empty publications and rows that are refused do not keep a feed live."""
    feed = service.feed()
    beat(service, feed, ["v:A"], 10, 1.0)
    put(feed, "v:A", ts=service.clock.wall_ms())
    for _ in range(10):
        service.wait(1.0)
        feed.publish([])
        put(feed, "v:?")
        put(feed, "v:A", ts=5)
    assert service.states("@v", "v:A") == ["stale", "stale"]


def test_data_ends_a_feeds_staleness(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """The next row makes the feed live without its old message; each symbol waits for its own row; the log has both."""
    caplog.set_level("INFO")
    feed = service.feed()
    beat(service, feed, ["v:A", "v:B"], 10, 1.0)
    service.wait(10.0)
    put(feed, "v:A")
    assert service.states("@v", "v:A", "v:B") == ["live", "live", "stale"]
    assert service.get("@v", "message") is None
    put(feed, "v:B")
    assert service.get("v:B") == "live"
    assert caplog.messages == ['feed=v state=stale message="no data for 8 s"', "feed=v state=live"]


def test_frozen_cache_is_stale(service: Service) -> None:
    """Polls that go on but whose rows do not change for far longer than usual make the feed stale as a whole."""
    feed = service.feed()
    beat(service, feed, ["v:A", "v:B"], 10, 2.0)
    put(feed, "v:HALT", state="halted", last="3")
    for _ in range(8):
        assert service.get("@v") == "live"
        service.wait(2.0)
        put(feed, "v:A", "v:B", last="18.001")
    service.wait(0.25)
    assert service.states("@v", "v:A", "v:B", "v:HALT") == ["stale", "stale", "stale", "halted"]
    assert service.get("@v", "message") == "no row has changed for 16 s"
    for _ in range(40):
        put(feed, "v:A", "v:B", last="18.001")
        put(feed, "v:HALT", state="halted", last="3")
        service.wait(2.0)
    assert service.states("@v", "v:A", "v:B", "v:HALT") == ["stale", "stale", "stale", "halted"]


@pytest.mark.parametrize("market", ["halted", "closed"])
def test_rows_of_shut_markets_are_no_frozen_cache(service: Service, market: str) -> None:
    """Seen: a feed of one stock exchange was stale each evening, and paged, though its polls went on.

    Cause: its rows do not change until the next session. Promise: they count again from when a market is open.
    """
    feed = service.feed()
    beat(service, feed, ["v:A", "v:B"], 10, 2.0)
    for _ in range(1000):
        put(feed, "v:A", "v:B", last="18.001", state=market)
        service.wait(2.0)
        assert feed.status.state == "live"
    for _ in range(8):
        put(feed, "v:A", last="18.001", state="live")
        assert service.states("@v", "v:A", "v:B") == ["live", "live", market]
        service.wait(2.0)
    service.wait(4.0)
    assert service.states("@v", "v:A", "v:B") == ["stale", "stale", market]


def test_one_changed_row_thaws_a_frozen_cache(service: Service) -> None:
    """With the first change the feed is live again, and so are all rows of that poll."""
    feed = service.feed()
    beat(service, feed, ["v:A", "v:B"], 10, 2.0)
    for _ in range(10):
        service.wait(2.0)
        put(feed, "v:A", "v:B", last="18.001")
    assert service.states("@v", "v:A", "v:B") == ["stale", "stale", "stale"]
    feed.publish([Quote("v:A", {"last": "18.001"}), Quote("v:B", {"last": "19"})])
    assert service.states("@v", "v:A", "v:B") == ["live", "live", "live"]
    assert service.get("@v", "message") is None


def test_refused_rows_do_not_hide_a_frozen_cache(service: Service) -> None:
    """Seen: a feed with one malformed or surplus symbol was never found frozen.

    Cause: a row that is not in the store always differed from it. Promise: only rows that may enter count.
    """
    service.intake.max_symbols = 1
    feed = service.feed()
    beat(service, feed, ["v:A", "v:?", "v:SURPLUS"], 10, 2.0)
    for _ in range(9):
        service.wait(2.0)
        put(feed, "v:A", "v:?", "v:SURPLUS", last="18.001")
    assert service.states("@v", "v:A") == ["stale", "stale"]


def test_feed_that_hardly_ever_changed_is_not_judged_by_changes(service: Service) -> None:
    """With fewer than eight changes nobody knows how often rows change; good polls confirm them."""
    feed = service.feed()
    for _ in range(500):
        put(feed, "v:A", last="5")
        service.wait(2.0)
    assert service.states("@v", "v:A") == ["live", "live"]


def test_cache_is_still_frozen_after_an_outage(service: Service) -> None:
    """Seen: a frozen feed that broke off and came back, still frozen, stayed `down` while it delivered.

    Cause: only a feed that is not frozen was shown again. Promise: it is what it was before, and live with a change.
    """
    feed = service.feed()
    beat(service, feed, ["v:A"], 10, 2.0)
    for _ in range(10):
        service.wait(2.0)
        put(feed, "v:A", last="18.001")
    feed.state("down", "connection lost")
    assert service.states("@v", "v:A") == ["down", "down"]
    put(feed, "v:A", last="18.001")
    assert service.states("@v", "v:A") == ["stale", "stale"]
    assert "no row has changed" in str(service.get("@v", "message"))
    put(feed, "v:A", last="20")
    assert service.states("@v", "v:A") == ["live", "live"]


@pytest.mark.parametrize("state", ["down", "failed"])
def test_feed_that_is_down_takes_its_symbols_along(service: Service, state: str) -> None:
    """All its symbols are `down` at once, halted and stale ones too, with their last values, and stay so in silence."""
    feed, other = service.feed("v"), service.feed("w")
    put(feed, "v:A", "v:HALT")
    put(feed, "v:HALT", state="halted")
    put(other, "w:A")
    feed.state("stale", "because")
    feed.state(state, "connection refused")
    service.wait(120.0)
    assert service.states("@v", "v:A", "v:HALT") == [state, "down", "down"]
    assert (service.get("@v", "message"), service.get("v:A", "last")) == ("connection refused", "1")
    assert service.states("w:A") == ["stale"]


def test_next_data_ends_an_outage(service: Service) -> None:
    """The first row makes the feed live; each symbol comes back with its own row, in the state of its market."""
    feed = service.feed()
    put(feed, "v:A", "v:B", "v:HALT")
    put(feed, "v:HALT", state="halted")
    feed.state("down", "x")
    put(feed, "v:A")
    assert service.states("@v", "v:A", "v:B", "v:HALT") == ["live", "live", "down", "down"]
    put(feed, "v:B", "v:HALT")
    assert service.states("v:B", "v:HALT") == ["live", "halted"]


def test_state_is_told_once(service: Service) -> None:
    """The same state again is no news; another message keeps `since`; every real change is remembered."""
    feed = service.feed()
    put(feed, "v:A")
    service.clock.tick(1.0)
    at = service.clock.wall_ms()
    feed.state("down", "one")
    service.clock.tick(1.0)
    feed.state("down", "one")
    service.store.flush(0.0)
    version = service.store.version
    feed.state("down", "one")
    service.store.flush(0.0)
    assert service.store.version == version
    feed.state("down", "two")
    assert [service.get("@v", f) for f in ("state", "since", "message")] == ["down", at, "two"]
    assert list(feed.status.changes) == [
        Change(at - 1000, "live", None), Change(at, "down", "one"), Change(at + 1000, "down", "two"),
    ]  # fmt: skip


def test_feed_may_be_live_with_a_word(service: Service) -> None:
    """What a live feed says of itself stays while its data come."""
    feed = service.feed()
    feed.state("live", "half of the list")
    put(feed, "v:A")
    assert [service.get("@v", f) for f in ("state", "message")] == ["live", "half of the list"]


def test_connecting_says_nothing_of_the_symbols(service: Service) -> None:
    """A feed that connects anew keeps its prices as they are until it is known to be down."""
    feed = service.feed()
    put(feed, "v:A")
    feed.state("connecting")
    assert service.states("@v", "v:A") == ["connecting", "live"]


def test_feed_without_data_is_not_judged_by_silence(service: Service) -> None:
    """Who never delivered is connecting, not stale."""
    service.feed()
    service.wait(300.0)
    assert service.get("@v") == "connecting"


# Rows that date themselves


def test_row_with_an_old_time_is_stale(service: Service) -> None:
    """A price that a good poll returns but the exchange dates too far back is shown, as stale, until it is fresh."""
    feed = service.feed()
    old = service.clock.wall_ms() - 61_000
    put(feed, "v:A", ts=old, last="5")
    assert (service.get("v:A"), service.get("v:A", "last")) == ("stale", "5")
    put(feed, "v:A", ts=service.clock.wall_ms() - 60_000, last="6")
    assert service.get("v:A") == "live"
    beat(service, feed, ["v:A"], 10, 1.0)
    put(feed, "v:A", ts=service.clock.wall_ms() - 8_000)
    assert service.get("v:A") == "live"
    put(feed, "v:A", ts=service.clock.wall_ms() - 7_000)
    assert service.get("v:A") == "live"


def test_old_rows_do_not_confirm(service: Service) -> None:
    """The exchange answers with the same old row for ever: the symbol becomes stale and stays so."""
    feed = service.feed()
    beat(service, feed, ["v:A", "v:B"], 10, 1.0)
    ts = service.clock.wall_ms()
    put(feed, "v:A", ts=ts, last="5")
    for _ in range(100):
        service.wait(1.0)
        put(feed, "v:A", ts=ts, last="5")
        put(feed, "v:B", last=str(service.clock.monotonic()))
        assert service.get("v:A") == "live" or service.clock.monotonic() > 9 + 8
    assert service.states("v:A", "v:B") == ["stale", "live"]


def test_old_row_is_stale_whatever_it_says_of_its_market(service: Service) -> None:
    """A venue that calls its market open with every row cannot make an old row a live one."""
    feed = service.feed()
    for last in "12":
        put(feed, "v:A", ts=1_600_000_000_000, state="live", last=last)
        assert (service.get("v:A"), service.get("v:A", "last")) == ("stale", last)


@pytest.mark.parametrize("kind", ["delayed", "replay", "simulated"])
def test_only_live_feeds_are_judged_by_the_exchanges_time(service: Service, kind: str) -> None:
    """Delayed and replayed rows are old by nature."""
    feed = service.feed(kind=kind)
    put(feed, "v:A", ts=1_600_000_000_000)
    assert service.get("v:A") == "live"


def test_old_row_of_a_closed_market_is_closed(service: Service) -> None:
    """The closing price is as old as it is."""
    feed = service.feed()
    put(feed, "v:A", ts=1_600_000_000_000, state="closed", last="1")
    assert service.get("v:A") == "closed"
    put(feed, "v:A", ts=1_600_000_000_001, state="live")
    assert service.get("v:A") == "stale"


# Removal and ranks


def test_removed_symbol_is_gone(service: Service) -> None:
    """A delisted symbol leaves the store, and neither time nor its feed brings it back."""
    feed = service.feed()
    put(feed, "v:A", "v:B")
    service.wait(1.0)
    feed.remove(["v:A", "v:NEVER"])
    service.wait(200.0)
    feed.state("down", "x")
    service.wait(1.0)
    assert list(service.store.symbols()) == ["v:B"]
    assert (feed.status.symbols, len(service.intake.sources)) == (1, 1)


def test_feed_cannot_remove_what_is_not_its_own(service: Service) -> None:
    """A symbol belongs to the feed that brought it."""
    feed, other = service.feed("v"), service.feed("w")
    put(feed, "v:A")
    other.remove(["v:A"])
    assert service.get("v:A") == "live"


@pytest.mark.parametrize("first", ["kraken", "old"])
def test_recording_of_a_venue_that_has_a_feed_here(service: Service, first: str) -> None:
    """Recorded prices never get under a live feed's names, whoever comes first; the recording says what it misses.

    Seen: `--feed kraken --feed 'old=replay:DIR/kraken'` showed both prices in turn, as live, as `kraken:BTC-USD`.
    """
    live, old = service.feed("kraken"), service.feed("old", "replay")
    feeds = [(live, "60000"), (old, "100")]
    for feed, price in feeds if first == "kraken" else reversed(feeds):
        put(feed, "kraken:BTC-USD", last=price)
    put(old, "kraken:OLD-USD", "oanda:EUR-USD")
    assert (service.get("kraken:BTC-USD", "last"), rejects(live), rejects(old)) == ("60000", {}, {"symbol": 2})
    assert sorted(service.store.symbols()) == ["kraken:BTC-USD", "oanda:EUR-USD"]
    assert service.get("@old", "message") == "kraken:BTC-USD belongs to another feed; what does is left out"


def test_recordings_of_one_venue(service: Service) -> None:
    """Two of a kind may share a venue's name, but no symbol: that is of the feed that brought it first."""
    first, second = service.feed("oanda", "replay"), service.feed("more", "replay")
    put(first, "oanda:EUR-USD", last="1.1")
    put(second, "oanda:EUR-USD", "oanda:XAU-USD", last="1.2")
    assert [service.get(f"oanda:{symbol}", "last") for symbol in ("EUR-USD", "XAU-USD")] == ["1.1", "1.2"]


def test_reborn_symbol_starts_anew(service: Service) -> None:
    """After a removal, order and rhythm of the same name begin again, and it is watched like any new one."""
    feed = service.feed()
    put(feed, "v:A", seq=100, ts=service.clock.wall_ms(), last="1", bid="1")
    feed.remove(["v:A"])
    service.wait(1.0)
    put(feed, "v:A", seq=1, ts=service.clock.wall_ms() - 1000, last="2")
    assert [service.get("v:A", f) for f in ("state", "last", "bid", "source")] == ["live", "2", None, "v"]
    assert rejects(feed) == {}
    others_go_on(service, feed, 62)
    assert service.get("v:A") == "stale"


def test_rank_is_kind_then_place(service: Service) -> None:
    """Better kinds come first, and within a kind the feed that was configured first."""
    for name, kind in (("sim", "simulated"), ("b", "live"), ("a", "live"), ("old", "replay"), ("late", "delayed")):
        put(service.feed(name, kind), f"{name}:A")
    assert sorted(service.intake.sources, key=service.intake.rank) == ["b:A", "a:A", "late:A", "old:A", "sim:A"]
