"""The door for prices: order, limits, removal and rank, on a clock that only tests move."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.clock import ManualClock
from tests.conftest import logged
from tests.ticker.doors import STALE_AFTER_S, Service, others_go_on, put, rejects
from ticker.intake import Intake
from ticker.model import Quote
from ticker.staleness import TICK_S
from ticker.store import Store


@pytest.fixture
def service() -> Service:
    return Service()


# What comes in


def test_the_first_row_of_a_symbol_makes_a_live_record(service: Service) -> None:
    """A new symbol is live, names its venue, keeps the price's text, and is dated by its arrival without a time."""
    feed = service.feed("kraken")
    put(feed, "kraken:BTC-USD", last="97412.30", bid=None)
    fields = ("last", "bid", "state", "source", "ts")
    assert [service.get("kraken:BTC-USD", field) for field in fields] == [
        "97412.30", None, "live", "kraken", service.clock.wall_ms(),
    ]  # fmt: skip
    put(feed, "kraken:BTC-USD", ts=5_000, last="97412.40")
    assert service.get("kraken:BTC-USD", "ts") == 5_000


def test_feed_is_live_from_its_first_data(service: Service) -> None:
    """A feed's record starts as connecting, and its first row, not its first call, makes it live."""
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


def test_rows_symbols_and_rate_are_counted_for_each_feed(service: Service) -> None:
    """The time of the last data is kept, too."""
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


def test_a_feed_reports_that_its_symbols_are_known(service: Service) -> None:
    """A feed says when it knows its symbols."""
    feed = service.feed()
    assert feed.status.loaded is False
    feed.loaded()
    assert feed.status.loaded is True


@pytest.mark.parametrize(
    ("lasts", "jumps"),
    [("1 1.5 1", 0), ("1 1.51", 1), ("3 2 3", 0), ("3 1.9 1.9", 1), ("100 0.1 100", 2), ("5 ", 0), ("5  9", 1)],
)
def test_a_price_jump_is_shown_and_counted(service: Service, lasts: str, jumps: int) -> None:
    """A last price far from the previous one is shown like any other and counted, even after rows without one."""
    feed = service.feed()
    for last in lasts.split(" "):
        put(feed, "v:A", last=last or None)
        assert service.get("v:A", "last") == (last or None)
    assert feed.status.jumps == jumps


def test_a_listener_gets_every_accepted_row(service: Service) -> None:
    """Listeners get each accepted row, before anything is merged, with its time of arrival, and no refused one."""
    seen: list[tuple[Quote, int]] = []
    service.intake.on_ingest.append(lambda quotes, wall_ms: seen.extend((quote, wall_ms) for quote in quotes))
    rows = [Quote("v:A", {"last": "1"}, 1000), Quote("v:A", {"last": "2"}, 900), Quote("v:A", {"last": "1"}, 1000)]
    service.feed().publish(iter([*rows, Quote("v:?", {"last": "1"})]))
    at = service.clock.wall_ms()
    assert seen == [(rows[0], at), (rows[2], at)]


def test_a_flush_is_requested_only_for_changes(service: Service) -> None:
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


def test_the_intake_works_without_a_hub() -> None:
    """There is nothing to wake then."""
    clock = ManualClock()
    store = Store(1)
    put(Intake(store, clock, 1).feed("v", "live", "received", 5.0), "v:A")
    assert store.flush(0.0) is not None


# Order


def test_late_row_is_dropped_by_time(service: Service) -> None:
    """A row dated before the last one is counted and dropped; at equal time the later arrival wins."""
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
def test_sequence_numbers_restart_after_an_outage(service: Service, state: str) -> None:
    """After a feed's outage a source may count from one again, each symbol for itself; time still decides."""
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


def test_sequence_numbers_continue_when_a_feed_was_only_stale(service: Service) -> None:
    """A silent feed that comes back on the same connection goes on counting."""
    feed = service.feed()
    put(feed, "v:A", seq=1000)
    feed.state("stale")
    put(feed, "v:A", seq=1)
    assert rejects(feed) == {"out_of_order": 1}


def test_a_lower_sequence_number_counts_once_the_higher_one_is_old(service: Service) -> None:
    """A row with a lower number is late while the higher one is recent; after that the source has restarted its count.

    Seen: an exchange restarted its count and the feed was back before it counted as down, or one absurd number came.
    Bid and ask then stood still for good, and live, because rows without a number went on.
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


def test_a_higher_sequence_number_is_news_after_any_silence(service: Service) -> None:
    """An example is a rarely quoted symbol in the second round of a replay, with its older times."""
    feed = service.feed("v", "replay")
    put(feed, "v:A", seq=1, ts=2000, last="1")
    service.wait(10 * STALE_AFTER_S)
    put(feed, "v:A", seq=2, ts=1000, last="2")
    assert (service.get("v:A", "last"), rejects(feed)) == ("2", {})


@settings(deadline=None)
@given(st.lists(st.tuples(st.none() | st.integers(0, 5), st.none() | st.integers(0, 5)), max_size=20))
def test_visible_price_is_never_older_than_one_before(rows: list[tuple[int | None, int | None]]) -> None:
    """In any mix of rows, none is accepted that is older than the last accepted one, by number or else by time."""
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
    """A name that is not a venue symbol never enters the store; the other rows of the publication do."""
    feed = service.feed()
    put(feed, symbol, "v:GOOD")
    assert (rejects(feed), feed.status.symbols) == ({"symbol": 1}, 1)
    service.store.flush(0.0)
    assert list(service.store.symbols()) == ["v:GOOD"]


def test_surplus_symbols_are_counted_and_reported() -> None:
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


def test_a_live_feed_reports_surplus_symbols(service: Service) -> None:
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
    """A feed whose rows all exceed the limit delivers nothing, and says why; it is logged once."""
    service = Service(max_symbols=0)
    put(service.feed(), "v:A")
    put(service.feed("w"), "w:A", "w:B")
    assert [service.get("@w", field) for field in ("state", "message")] == [
        "connecting", "more symbols than store.max_symbols = 0; the rest is left out",
    ]  # fmt: skip
    assert [line for line in logged(caplog) if "feed=w" in line] == [
        "more symbols than store.max_symbols = 0; the rest is left out feed=w"
    ]
    assert service.get("@v") == "connecting"


def test_removed_symbols_free_their_places() -> None:
    """The limit counts only existing symbols."""
    service = Service(max_symbols=1)
    feed = service.feed()
    put(feed, "v:A")
    feed.remove(["v:A"])
    put(feed, "v:B")
    assert (service.states("v:B"), rejects(feed)) == (["live"], {})


# Removal and ranks


def test_a_removed_symbol_does_not_come_back_by_itself(service: Service) -> None:
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


def test_a_feed_can_only_remove_its_own_symbols(service: Service) -> None:
    """A symbol belongs to the feed that brought it."""
    feed, other = service.feed("v"), service.feed("w")
    put(feed, "v:A")
    other.remove(["v:A"])
    assert service.get("v:A") == "live"


@pytest.mark.parametrize("first", ["kraken", "old"])
def test_a_recording_never_publishes_under_a_live_feeds_names(service: Service, first: str) -> None:
    """Recorded prices never get under a live feed's names, whichever comes first; the recording says what is left out.

    Seen: `--feed kraken --feed 'old=replay:DIR/kraken'` showed both prices in turn, as live, as `kraken:BTC-USD`.
    """
    live, old = service.feed("kraken"), service.feed("old", "replay")
    feeds = [(live, "60000"), (old, "100")]
    for feed, price in feeds if first == "kraken" else reversed(feeds):
        put(feed, "kraken:BTC-USD", last=price)
    put(old, "kraken:OLD-USD", "oanda:EUR-USD")
    assert (service.get("kraken:BTC-USD", "last"), rejects(live), rejects(old)) == ("60000", {}, {"symbol": 2})
    assert sorted(service.store.symbols()) == ["kraken:BTC-USD", "oanda:EUR-USD"]
    assert service.get("@old", "message") == "kraken:BTC-USD belongs to another feed; such symbols are left out"


def test_a_symbol_belongs_to_the_feed_that_brought_it_first(service: Service) -> None:
    """Two feeds of a kind may share a venue's name, but no symbol."""
    first, second = service.feed("oanda", "replay"), service.feed("more", "replay")
    put(first, "oanda:EUR-USD", last="1.1")
    put(second, "oanda:EUR-USD", "oanda:XAU-USD", last="1.2")
    assert [service.get(f"oanda:{symbol}", "last") for symbol in ("EUR-USD", "XAU-USD")] == ["1.1", "1.2"]


def test_a_reborn_symbol_has_a_new_order_and_rhythm(service: Service) -> None:
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


def test_sources_rank_by_kind_and_then_by_order(service: Service) -> None:
    """Better kinds come first, and within a kind the feed that was configured first."""
    for name, kind in (("sim", "simulated"), ("b", "live"), ("a", "live"), ("old", "replay"), ("late", "delayed")):
        put(service.feed(name, kind), f"{name}:A")
    assert sorted(service.intake.sources, key=service.intake.rank) == ["b:A", "a:A", "late:A", "old:A", "sim:A"]
