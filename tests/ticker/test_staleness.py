"""When silence becomes staleness: of symbols, of whole feeds, and of rows with an old time of their own."""

from __future__ import annotations

import pytest

from tests.conftest import logged
from tests.ticker.doors import STALE_AFTER_S, Service, beat, others_go_on, put
from ticker.model import Change, Quote
from ticker.rhythm import GAPS
from ticker.staleness import SLICE


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.mark.parametrize("trades", [1, 2, 3])
def test_a_bursty_symbol_is_judged_by_the_time_between_bursts(service: Service, trades: int) -> None:
    """Seen: a quiet market in which each order fills several others was stale between any two orders.

    Cause: most gaps were those between trades of one order. Promise: events in one moment count once.
    """
    feed = service.feed()
    for _ in range(40):
        for _ in range(trades):
            put(feed, "v:A", last=f"{service.clock.monotonic() + 1}")
            service.clock.tick(0.001)
        others_go_on(service, feed, 30)
        assert service.get("v:A") == "live"
    others_go_on(service, feed, 6 * 30)
    assert service.get("v:A") == "live"
    others_go_on(service, feed, 2 * 30)
    assert service.get("v:A") == "stale"


def test_thousands_of_deadlines_are_checked_over_several_turns() -> None:
    """Seen: 50,000 symbols, most of them due in the same moment, blocked the loop for 60 ms every few seconds.

    Rows that come between two turns still count.
    """
    service = Service(2 * SLICE)
    feed = service.feed()
    names = [f"v:S{i}" for i in range(2 * SLICE)]
    feed.publish([Quote(name, {"last": "1"}) for name in names])
    service.clock.tick(5.0)
    list(service.intake.expire())  # their rhythms are not known: they are looked at again
    service.clock.tick(55.1)
    steps = service.intake.expire()
    states, pauses = service.intake.sources, 0
    while next(steps, "end") is None:
        assert 0 < sum(states[name].state == "stale" for name in names) <= SLICE * (pauses + 1)
        if not pauses:
            put(feed, names[-1], last="2")
        pauses += 1
    assert pauses == 2
    assert [name for name in names if states[name].state == "live"] == names[-1:]


def test_prices_in_clusters_are_not_stale_between_clusters(service: Service) -> None:
    """Seen: on a day of real quotes EUR-USD was called stale for a quarter of the time, 3,000 times.

    Cause: half of the gaps are within clusters. Promise: a silence that is often as long means nothing.
    """
    feed = service.feed()
    for i in range(60):
        beat(service, feed, ["v:A"], 6, 0.25)
        others_go_on(service, feed, (6, 20, 11, 15)[i % 4])
        assert service.get("v:A") == "live" or i < 4
    others_go_on(service, feed, 80)
    assert service.get("v:A") == "stale"


def test_a_silent_symbol_is_stale_after_its_own_limit(service: Service) -> None:
    """While others go on, a symbol is stale after 8 of its gaps in silence, not sooner; its other fields stay."""
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


def test_a_new_symbol_is_stale_only_after_a_minute(service: Service) -> None:
    """A symbol whose rhythm is unknown is stale only after a minute, not after the minimum silence."""
    feed = service.feed()
    put(feed, "v:A")
    others_go_on(service, feed, 59)
    assert service.get("v:A") == "live"
    others_go_on(service, feed, 1)
    assert service.get("v:A") == "stale"


def test_all_symbols_that_fall_silent_together_are_stale() -> None:
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
    assert len(service.intake.deadlines._heap) == 2
    others_go_on(service, feed, 60)
    assert service.get("v:A") == "stale"
    beat(service, feed, ["v:A", "v:B"], 200, 0.25)
    assert len(service.intake.deadlines._heap) == 2


def test_a_rarely_traded_symbol_is_not_stale_between_trades(service: Service) -> None:
    """One trade every five minutes is a rhythm: 39 minutes of silence are normal then, 41 are not."""
    feed = service.feed()
    for i in range(20):
        put(feed, "v:THIN", last=str(i + 1))
        others_go_on(service, feed, 300)
        assert service.get("v:THIN") == ("live" if i >= 8 else "stale"), "known after eight gaps"
    others_go_on(service, feed, 34 * 60)
    assert service.get("v:THIN") == "live"
    others_go_on(service, feed, 2 * 60)
    assert service.get("v:THIN") == "stale"


def test_a_livelier_symbol_is_judged_by_its_new_rhythm(service: Service) -> None:
    """Seen: a symbol that fell silent after a lively minute was called live for up to an hour more.

    Cause: it was checked again only when its earlier, slower limit would have expired. Promise: it is at the latest
    when its present limit has, plus the feed's minimum silence.
    """
    feed = service.feed()
    beat(service, feed, ["v:A", "v:B"], 10, 300.0)
    beat(service, feed, ["v:A", "v:B"], GAPS + 1, 1.0)
    others_go_on(service, feed, 8 + int(STALE_AFTER_S))
    assert service.states("v:A", "v:B") == ["stale", "live"]


@pytest.mark.parametrize("market", ["halted", "closed"])
def test_a_halted_or_closed_market_is_never_stale(service: Service, market: str) -> None:
    """A market's own state stays however long nothing comes, even when the whole feed is silent."""
    feed = service.feed()
    put(feed, "v:A", state=market, last="5")
    put(feed, "v:B")
    others_go_on(service, feed, 400)
    assert service.get("v:A") == market
    service.wait(4000.0)
    assert service.states("v:A", "v:B", "@v") == [market, "stale", "stale"]


def test_a_feed_with_no_patience_does_not_keep_the_service_busy(service: Service) -> None:
    """Even where every silence counts at once, a halted symbol is checked once per tick, not endlessly."""
    feed = service.feed(stale_after_s=0.0)
    put(feed, "v:A", state="halted")
    service.wait(120.0)
    assert service.get("v:A") == "halted"


def test_a_reopened_market_is_judged_again_at_once(service: Service) -> None:
    """A market that has just opened and falls silent is stale like any other, not only at the next check of a halt."""
    feed = service.feed()
    beat(service, feed, ["v:A", "v:B"], 10, 1.0)
    put(feed, "v:A", state="halted")
    others_go_on(service, feed, 70)
    assert service.get("v:A") == "halted"
    put(feed, "v:A", state="live")
    assert service.get("v:A") == "live"
    others_go_on(service, feed, 8 + int(STALE_AFTER_S))
    assert service.get("v:A") == "stale"


def test_a_market_state_stays_until_the_venue_sends_another(service: Service) -> None:
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


def test_a_silent_feed_is_stale_with_all_its_symbols_at_once(service: Service) -> None:
    """When nothing at all comes for 8 usual gaps of the feed, it is stale, and so are even its slowest symbols."""
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


def test_empty_publications_do_not_keep_a_feed_live(service: Service) -> None:
    """Rejected rows do not keep it live, either."""
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
    """The next row makes the feed live and clears its message; each symbol waits for its own row; both are logged."""
    caplog.set_level("INFO")
    feed = service.feed()
    beat(service, feed, ["v:A", "v:B"], 10, 1.0)
    service.wait(10.0)
    put(feed, "v:A")
    assert service.states("@v", "v:A", "v:B") == ["live", "live", "stale"]
    assert service.get("@v", "message") is None
    put(feed, "v:B")
    assert service.get("v:B") == "live"
    assert logged(caplog) == ["no data for 8 s feed=v state=stale", "live feed=v state=live"]


def test_a_feed_whose_rows_never_change_is_stale(service: Service) -> None:
    """Polls of a frozen cache go on, but its rows do not change for far longer than usual."""
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
def test_rows_of_closed_markets_do_not_make_a_feed_stale(service: Service, market: str) -> None:
    """Seen: a feed of one stock exchange was stale each evening, and paged its operator, though its polls went on.

    Cause: its rows do not change until the next session. Promise: they count again once a market is open.
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


def test_delayed_prices_may_be_unchanged_for_longer(service: Service) -> None:
    """They end a quarter of an hour after their session, and only later is it known that no more will come."""
    feed = service.feed(kind="delayed")
    beat(service, feed, ["v:A"], 10, 2.0)
    for minutes, state in ((29, "live"), (2, "stale")):
        for _ in range(minutes * 4):
            put(feed, "v:A", last="18.001")
            service.wait(15.0)
        assert service.states("@v", "v:A") == [state, state]


def test_closed_markets_end_the_staleness_of_a_feed(service: Service) -> None:
    """Seen: prices of stocks stopped a little before they were called closed, and their feed was stale all night."""
    feed = service.feed()
    beat(service, feed, ["v:A", "v:B"], 10, 2.0)
    for _ in range(10):
        put(feed, "v:A", "v:B", last="18.001")
        service.wait(2.0)
    put(feed, "v:B", last="18.001", state="closed")
    assert service.states("@v", "v:A", "v:B") == ["stale", "stale", "closed"]
    put(feed, "v:A", last="18.001", state="closed")
    assert service.states("@v", "v:A", "v:B") == ["live", "closed", "closed"]
    assert service.get("@v", "message") is None
    service.wait(300.0)
    assert service.states("@v", "v:A", "v:B") == ["live", "closed", "closed"], "no row at all is no fault then"
    feed.remove(["v:A", "v:B"])
    service.wait(300.0)
    assert service.states("@v") == ["stale"], "but it is where there is no market at all"


def test_one_changed_row_ends_the_staleness_of_a_feed(service: Service) -> None:
    """With the first change the feed is live again, and so are all symbols of that poll."""
    feed = service.feed()
    beat(service, feed, ["v:A", "v:B"], 10, 2.0)
    for _ in range(10):
        service.wait(2.0)
        put(feed, "v:A", "v:B", last="18.001")
    assert service.states("@v", "v:A", "v:B") == ["stale", "stale", "stale"]
    feed.publish([Quote("v:A", {"last": "18.001"}), Quote("v:B", {"last": "19"})])
    assert service.states("@v", "v:A", "v:B") == ["live", "live", "live"]
    assert service.get("@v", "message") is None


def test_rejected_rows_do_not_hide_unchanged_ones(service: Service) -> None:
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


def test_a_feed_with_few_changes_is_not_judged_by_them(service: Service) -> None:
    """With fewer than eight changes it is unknown how often rows change; good polls confirm them."""
    feed = service.feed()
    for _ in range(500):
        put(feed, "v:A", last="5")
        service.wait(2.0)
    assert service.states("@v", "v:A") == ["live", "live"]


def test_unchanged_rows_after_an_outage_are_stale_not_down(service: Service) -> None:
    """Seen: a frozen feed that broke off and came back, still frozen, stayed `down` while it delivered.

    Cause: only a feed that is not frozen was shown again. Promise: it is shown as before, and is live with the first
    change.
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
def test_all_symbols_of_a_feed_that_is_down_are_down(service: Service, state: str) -> None:
    """Its symbols are all `down`, even halted and stale ones, with their last values, and stay so in silence."""
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


def test_a_repeated_state_is_no_change(service: Service) -> None:
    """The same state again is no change; another message keeps `since`; every real change is remembered."""
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
    feed.state("failed", "two")
    assert list(feed.status.changes) == [
        Change(at - 1000, "live", None), Change(at, "down", "one"), Change(at + 1000, "down", "two"),
        Change(at + 1000, "failed", "two"),
    ]  # fmt: skip


def test_a_message_with_other_counts_is_no_change(service: Service) -> None:
    """A message repeated with other counts is the same change, in its newest wording; a status code is no count.

    Seen: each lost or restored connection of an exchange took one of the twenty changes that are kept.
    """
    feed = service.feed()
    put(feed, "v:A")
    at = service.clock.wall_ms()
    lost = ("stream 1: lost", "stream 1 and 1 more: lost", "stream 1 and 2 more: lost", "stream 2 and 1 more: lost")
    for message in (*lost, "HTTP status 500", "HTTP status 429, wait 7 s", "HTTP status 429, wait 9 s", None):
        feed.state("live", message)
        service.clock.tick(1.0)
    assert list(feed.status.changes) == [
        Change(at, "live", None), Change(at, "live", "stream 1: lost"),
        Change(at + 1000, "live", "stream 2 and 1 more: lost"), Change(at + 4000, "live", "HTTP status 500"),
        Change(at + 5000, "live", "HTTP status 429, wait 9 s"), Change(at + 7000, "live", None),
    ]  # fmt: skip


def test_a_live_feed_may_have_a_message(service: Service) -> None:
    """The message of a live feed stays while data comes."""
    feed = service.feed()
    feed.state("live", "half of the list")
    put(feed, "v:A")
    assert [service.get("@v", f) for f in ("state", "message")] == ["live", "half of the list"]


def test_connecting_leaves_the_symbols_as_they_are(service: Service) -> None:
    """A feed that reconnects keeps its prices as they are until it is known to be down."""
    feed = service.feed()
    put(feed, "v:A")
    feed.state("connecting")
    assert service.states("@v", "v:A") == ["connecting", "live"]


def test_a_feed_that_never_delivered_is_connecting_not_stale(service: Service) -> None:
    """A feed that never delivered is connecting, not stale."""
    service.feed()
    service.wait(300.0)
    assert service.get("@v") == "connecting"


# Rows that date themselves


def test_a_row_with_an_old_time_is_stale(service: Service) -> None:
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
    """If the exchange keeps answering with the same old row, the symbol becomes stale and stays so."""
    feed = service.feed()
    beat(service, feed, ["v:A", "v:B"], 10, 1.0)
    ts = service.clock.wall_ms()
    put(feed, "v:A", ts=ts, last="5")
    for _ in range(100):
        service.wait(1.0)
        put(feed, "v:A", ts=ts, last="5")
        put(feed, "v:B", last=str(service.clock.monotonic()))
        assert service.get("v:A") == ("live" if service.clock.monotonic() <= 9 + 8 else "stale")
    assert service.get("v:B") == "live"


def test_time_of_a_quiet_trade_is_judged_by_the_rhythm_of_trades(service: Service) -> None:
    """Seen: a symbol that traded every two minutes was stale for one of them, though a poll had just confirmed its last
    trade.

    Cause: a row dated by its trade was judged by the rhythm of polls. Promise: by that of trades, where it is known;
    and without a trade for far longer it is stale after all.
    """
    feed = service.feed()
    seen = set()
    for trade in range(30):
        ts = service.clock.wall_ms()
        for _ in range(12):
            put(feed, "v:A", ts=ts, last=f"{trade + 1}")
            put(feed, "v:B", last=f"{service.clock.monotonic() + 1}")
            service.wait(10.0)
            if trade > 10:
                seen.add(service.get("v:A"))
    assert seen == {"live"}
    for minute in range(20):
        for _ in range(6):
            put(feed, "v:A", ts=ts, last="30")
            put(feed, "v:B", last=f"{service.clock.monotonic() + 1}")
            service.wait(10.0)
        assert minute > 10 or service.get("v:A") == "live"
    assert service.states("v:A", "v:B") == ["stale", "live"]


def test_an_old_row_is_stale_even_if_its_market_is_open(service: Service) -> None:
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


def test_an_old_row_of_a_closed_market_is_closed(service: Service) -> None:
    """The closing price is as old as it is."""
    feed = service.feed()
    put(feed, "v:A", ts=1_600_000_000_000, state="closed", last="1")
    assert service.get("v:A") == "closed"
    put(feed, "v:A", ts=1_600_000_000_001, state="live")
    assert service.get("v:A") == "stale"
