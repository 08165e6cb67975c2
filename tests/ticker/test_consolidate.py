"""Consolidated symbols on a real store: the best live source, failover at once, return with patience."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticker.consolidate import Consolidator
from ticker.model import FIELDS, Value
from ticker.record import Flush
from ticker.selection import field_mask
from ticker.store import Store

FAILBACK_S = 30.0
RANKS = {"a": (0, 0), "b": (0, 1), "c": (0, 2), "late": (1, 3), "sim": (3, 4), "sim2": (3, 5)}
"""Feeds by kind and place: three live ones, a delayed one, two simulated ones."""


class Market:
    """A store with its consolidation, and a clock that is a number."""

    def __init__(self) -> None:
        self.now = 0.0
        self.store = Store(epoch=1)
        self.awaited = False
        rank = lambda symbol: RANKS[symbol.partition(":")[0]]  # noqa: E731
        self.consolidator = Consolidator(self.store.get, rank, FAILBACK_S, lambda: self.awaited)
        self.store.derivation = self.consolidator

    def put(self, feed: str, state: str | None = None, symbol: str = "BTC-USD", **values: Any) -> None:
        """A row of a feed, for the next flush."""
        given_state = {} if state is None else {"state": state, "source": feed}
        self.store.ingest(f"{feed}:{symbol}", values | given_state, received_ms=round(self.now * 1000))

    def flush(self, wait_s: float = 0.0) -> Flush | None:
        self.now += wait_s
        return self.store.flush(self.now)

    def start(self, *feeds: str) -> None:
        """All of these feeds deliver at once."""
        for i, feed in enumerate(feeds):
            self.put(feed, "live", last=f"{i + 1}.00")
        self.flush()

    def values(self, symbol: str = "BTC-USD") -> Mapping[str, Value]:
        record = self.store.get(symbol)
        return dict(zip(FIELDS, record.values, strict=True)) if record else {}

    @property
    def source(self) -> Value:
        """The venue that the price comes from."""
        return self.values()["source"]


@pytest.fixture
def market() -> Market:
    return Market()


def test_the_price_is_that_of_the_first_live_source(market: Market) -> None:
    """Of several live sources the first in order gives the price, and `source` says which."""
    market.start("c", "b")
    assert (market.source, market.values()["last"]) == ("b", "2.00")
    assert market.values() == market.values("b:BTC-USD")


def test_source_and_consolidated_symbol_change_in_one_version(market: Market) -> None:
    """A price is visible as its source's own and as the consolidated one in the same version, with equal fields."""
    market.start("a", "b")
    version = market.store.version
    market.now = 1.0
    market.put("a", last="5.50", bid="5.40")
    flush = market.flush()
    assert flush is not None
    assert {(r.key, r.mask, r.version) for r in flush.changed} == {
        (key, field_mask(["last", "bid", "ts"]), version + 1) for key in ("a:BTC-USD", "BTC-USD")
    }
    assert market.values() == market.values("a:BTC-USD")


def test_other_sources_do_not_touch_the_price(market: Market) -> None:
    """A row of a venue that is not the source changes only its own record."""
    market.start("a", "b")
    market.put("b", last="9.99")
    flush = market.flush(1.0)
    assert flush is not None
    assert [record.key for record in flush.changed] == ["b:BTC-USD"]
    assert market.values()["last"] == "1.00"


@pytest.mark.parametrize("state", ["stale", "down", "halted", "closed"])
def test_failover_is_immediate(market: Market, state: str) -> None:
    """A source that is no longer live is left in the same flush, for the next live one in order."""
    market.start("a", "b", "c")
    market.put("a", state, last="0.50")
    flush = market.flush(1.0)
    assert flush is not None
    assert (market.source, market.values()["last"], market.values()["state"]) == ("b", "2.00", "live")
    assert {record.version for record in flush.changed} == {market.store.version}


def test_a_switch_replaces_all_fields(market: Market) -> None:
    """After a switch no field of the old source is left: what the new one does not know is null."""
    market.put("a", "live", last="1.00", bid="0.99", name="Bitcoin", decimals=2)
    market.put("b", "live", last="2.00", volume="7")
    market.flush()
    market.put("a", "down")
    market.flush(1.0)
    assert market.values() == market.values("b:BTC-USD")
    assert market.values()["bid"] is None
    assert market.values()["name"] is None


def test_the_source_is_kept_when_none_is_live(market: Market) -> None:
    """When no source is live the price stays where it is, and its state is told; the first live one takes over."""
    market.start("a", "b")
    market.put("b", "stale")
    market.put("a", "stale")
    market.flush(1.0)
    assert (market.source, market.values()["state"]) == ("a", "stale")
    market.put("a", "down")
    market.flush(1.0)
    assert (market.source, market.values()["state"]) == ("a", "down")
    market.put("b", "live")
    market.flush(1.0)
    assert (market.source, market.values()["state"]) == ("b", "live")


def test_the_first_source_in_order_is_shown_when_none_is_live(market: Market) -> None:
    """A symbol that starts stale is shown all the same."""
    market.put("b", "stale", last="2.00")
    market.put("a", "halted", last="1.00")
    market.flush()
    assert (market.source, market.values()["state"]) == ("a", "halted")


def test_a_better_source_is_taken_again_after_a_delay(market: Market) -> None:
    """A source that was away must be live for `failback_after_s` without a break before the price returns to it."""
    market.start("a", "b")
    market.put("a", "stale")
    market.flush(1.0)
    market.put("a", "live", last="1.10")
    market.flush(10.0)
    market.put("a", last="1.20")
    market.flush(29.0)
    assert (market.source, market.consolidator.due(market.now)) == ("b", False)
    market.now += 1.0
    assert market.consolidator.due(market.now)
    assert market.store.waiting(market.now)
    flush = market.flush()
    assert flush is not None
    assert (market.source, market.values()["last"]) == ("a", "1.20")
    assert [record.key for record in flush.changed] == ["BTC-USD"]
    assert not market.consolidator.due(market.now)
    assert market.flush(100.0) is None


def test_a_new_failure_restarts_the_delay(market: Market) -> None:
    """A better source that fails again while it is waited for has to be live for the whole time once more."""
    market.start("a", "b")
    market.put("a", "stale")
    market.flush(1.0)
    market.put("a", "live")
    market.flush(1.0)
    market.put("a", "stale")
    market.flush(20.0)
    market.put("a", "live")
    market.flush(1.0)
    assert market.consolidator.due(market.now + 9.0)
    market.flush(9.0)
    assert market.source == "b"
    market.flush(20.9)
    assert market.source == "b"
    market.flush(0.1)
    assert market.source == "a"


def test_a_flapping_source_has_one_deadline(market: Market) -> None:
    """However often a better source fails and comes back while its return is pending, there is one deadline, not one
    each time: a thousand symbols of such a feed would fill the memory, and wake the loop for nothing.
    """
    market.start("a", "b")
    for _ in range(100):
        market.put("a", "stale")
        market.flush(0.1)
        market.put("a", "live")
        market.flush(0.1)
    looks = 0
    while market.source == "b":
        market.now += 0.1
        looks += market.consolidator.due(market.now)
        market.flush()
    assert (looks, round(market.now)) == (2, 50)


def test_the_symbols_of_a_returning_feed_switch_back_in_parts(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are all due in the same moment: each flush takes as many as one turn of the loop allows."""
    monkeypatch.setattr("ticker.consolidate.RETURNS", 2)
    names = [f"S{i}" for i in range(5)]
    for state in ("live", "down", "live"):
        for name in names:
            market.put("a", state, name, last="1")
            market.put("b", "live", name, last="2")
        market.flush(1.0)
    market.now += FAILBACK_S
    returned = []
    while market.store.waiting(market.now):
        flush = market.flush()
        assert flush is not None
        returned.append([record.key for record in flush.changed])
    assert returned == [["S0", "S1"], ["S2", "S3"], ["S4"]]
    assert {market.values(name)["source"] for name in names} == {"a"}


def test_the_delay_ends_when_the_stand_in_fails(market: Market) -> None:
    """A live price now is better than a stable one later."""
    market.start("a", "b")
    market.put("a", "down")
    market.flush(1.0)
    market.put("a", "live")
    market.flush(1.0)
    market.put("b", "down")
    market.flush(1.0)
    assert market.source == "a"
    assert market.flush(100.0) is None
    assert market.source == "a"


def test_the_best_of_several_returning_sources_wins(market: Market) -> None:
    """The price returns step by step to the best source that has been live long enough."""
    market.start("a", "b", "c")
    for feed in ("a", "b"):
        market.put(feed, "down")
    market.flush(1.0)
    market.put("b", "live")
    market.flush(1.0)
    market.put("a", "live")
    market.flush(10.0)
    assert market.source == "c"
    market.flush(20.0)
    assert market.source == "b"
    market.flush(10.0)
    assert market.source == "a"


def test_a_source_that_was_never_away_is_taken_at_once(market: Market) -> None:
    """At start the feeds come one by one; a better one needs no patience, a first row that is not live does."""
    market.start("c")
    assert market.source == "c"
    market.put("b", "live", last="2")
    market.flush(1.0)
    assert market.source == "b"
    market.put("a", "stale", last="1")
    market.flush(1.0)
    market.put("a", "live")
    market.flush(1.0)
    assert market.source == "b"
    market.flush(FAILBACK_S)
    assert market.source == "a"


def test_a_real_price_is_never_replaced_by_a_simulated_one(market: Market) -> None:
    """While a live feed has the symbol, delayed and simulated ones are no source, even if it is down."""
    market.start("sim", "late")
    assert market.source == "late"
    market.put("b", "stale", last="5")
    market.flush(1.0)
    assert (market.source, market.values()["state"]) == ("b", "stale")
    market.put("a", "live", last="4")
    market.flush(1.0)
    market.put("a", "down")
    market.put("b", "down")
    market.flush(1.0)
    assert (market.source, market.values()["state"]) == ("a", "down")


def test_simulated_prices_wait_for_real_ones_at_the_start(market: Market) -> None:
    """Seen: while an exchange was away at the start, and for a second at each start, `BTC-USD` was simulated, and live.

    Promise: as long as a feed of real prices has not delivered any, it may have any instrument. Delayed ones are real.
    """
    market.awaited = True
    for name in ("BTC-USD", "ETH-USD", "S-USD"):
        market.put("sim", "live", name, last="1.00")
    market.put("late", "live", "S-USD", last="2.00")
    market.flush()
    assert [market.values(name).get("source") for name in ("BTC-USD", "ETH-USD", "S-USD")] == [None, None, "late"]
    assert market.values("sim:BTC-USD")["last"] == "1.00"
    assert not market.store.waiting(1e9)
    market.put("a", "live", last="3.00")
    market.awaited = False
    market.flush()
    assert [market.values(name)["source"] for name in ("BTC-USD", "ETH-USD")] == ["a", "sim"]
    assert not market.store.waiting(1e9)


def test_simulated_prices_fail_over_among_themselves(market: Market) -> None:
    """Within the best available kind, order and failover work as usual."""
    market.start("sim", "sim2")
    market.put("sim", "stale")
    market.flush(1.0)
    assert market.source == "sim2"


def test_a_removed_source_is_replaced_at_once(market: Market) -> None:
    """When the source is delisted the next live one takes over in the same version."""
    market.start("a", "b")
    market.store.remove("a:BTC-USD")
    flush = market.flush(1.0)
    assert flush is not None
    assert (flush.gone, market.source) == (["a:BTC-USD"], "b")
    assert market.consolidator.venues("BTC-USD") == ["b:BTC-USD"]


def test_a_removed_source_is_replaced_even_by_a_stale_one(market: Market) -> None:
    """The first of the remaining ones is shown, even if stale; a worse kind only if nothing else is left."""
    market.start("sim", "a", "b")
    market.put("b", "stale")
    market.store.remove("a:BTC-USD")
    market.flush(1.0)
    assert (market.source, market.values()["state"]) == ("b", "stale")
    market.store.remove("b:BTC-USD")
    market.flush(1.0)
    assert (market.source, market.values()["state"]) == ("sim", "live")


def test_removal_of_another_source_changes_nothing(market: Market) -> None:
    """Only the source matters to the price."""
    market.start("a", "b")
    market.store.remove("b:BTC-USD")
    flush = market.flush(1.0)
    assert flush is not None
    assert ([r.key for r in flush.changed], flush.gone, market.source) == ([], ["b:BTC-USD"], "a")


def test_a_symbol_without_sources_is_removed(market: Market) -> None:
    """With its last source the consolidated symbol goes, in the same version; it may be born again."""
    market.start("a", "b")
    market.put("a", "down")
    market.flush(1.0)
    market.put("a", "live")
    market.flush(1.0)
    market.store.remove("a:BTC-USD")
    market.store.remove("b:BTC-USD")
    flush = market.flush(1.0)
    assert flush is not None
    assert sorted(flush.gone) == ["BTC-USD", "a:BTC-USD", "b:BTC-USD"]
    assert market.consolidator.venues("BTC-USD") == []
    assert market.flush(100.0) is None
    market.put("c", "live", last="7")
    market.flush(1.0)
    assert (market.source, market.values()["last"]) == ("c", "7")


def test_a_source_reborn_within_a_flush_is_a_new_record(market: Market) -> None:
    """A source that is removed and reborn within one flush is a new record, followed as a whole."""
    market.put("a", "live", last="1", bid="0.9")
    market.flush()
    market.store.remove("a:BTC-USD")
    market.put("a", "live", last="2")
    flush = market.flush(1.0)
    assert flush is not None
    assert flush.gone == []
    assert market.values() == market.values("a:BTC-USD")
    assert (market.values()["last"], market.values()["bid"]) == ("2", None)


def test_a_source_reborn_as_stale_is_stale(market: Market) -> None:
    """A source that was live, was delisted and comes back stale is stale, and must then prove itself."""
    market.start("a", "b")
    market.store.remove("a:BTC-USD")
    market.flush(1.0)
    market.put("a", "stale", last="1")
    market.flush(1.0)
    assert market.source == "b"
    market.put("a", "live")
    market.flush(1.0)
    assert market.source == "b"
    market.flush(FAILBACK_S)
    assert market.source == "a"


def test_each_instrument_has_its_own_sources(market: Market) -> None:
    """A feed's record is none of them, and other instruments do not affect it."""
    market.store.ingest("@a", {"state": "live"})
    market.put("a", "live", symbol="BTC-USD", last="1")
    market.put("a", "live", symbol="BTC-USDT", last="2")
    market.put("b", "live", symbol="BTC-USDT", last="3")
    market.flush()
    market.put("a", "stale", symbol="BTC-USDT")
    market.flush(1.0)
    assert [market.values(s)["source"] for s in ("BTC-USD", "BTC-USDT")] == ["a", "b"]
    assert sorted(market.store.symbols()) == ["BTC-USD", "BTC-USDT", "a:BTC-USD", "a:BTC-USDT", "b:BTC-USDT"]


def test_a_record_without_a_venue_is_no_source(market: Market) -> None:
    """A record without a venue is no source, neither when it appears nor when it goes."""
    market.store.ingest("AAPL", {"state": "live", "last": "1"})
    flush = market.flush()
    assert flush is not None
    assert [record.key for record in flush.changed] == ["AAPL"]
    market.store.remove("AAPL")
    flush = market.flush(1.0)
    assert flush is not None
    assert (flush.gone, len(market.store)) == (["AAPL"], 0)


def test_venues_are_listed_best_first(market: Market) -> None:
    """The venue symbols of an instrument come in order of preference; an unknown one has none."""
    market.start("sim", "c", "late", "a")
    assert market.consolidator.venues("BTC-USD") == ["a:BTC-USD", "c:BTC-USD", "late:BTC-USD", "sim:BTC-USD"]
    assert market.consolidator.venues("ETH-USD") == []


events = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(sorted(RANKS)), st.sampled_from(["live", "live", "stale", "down", "halted", "gone"])),
        st.tuples(st.just("wait"), st.sampled_from([0.0, 1.0, 10.0, 29.0, 30.0, 31.0])),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=150)
@given(events)
def test_the_source_is_best_and_stable_in_any_story(story: list[tuple[str, Any]]) -> None:
    """After every flush: an exact copy of one source of the best kind, live if any of those is, and never a return to
    one that was live for less than `failback_after_s` while its stand-in was live.
    """
    market = Market()
    back_at: dict[str, float] = {}
    before: Value = None
    for i, (feed, what) in enumerate(story):
        if feed == "wait":
            market.now += what
        elif what == "gone":
            market.store.remove(f"{feed}:BTC-USD")
            back_at.pop(feed, None)
        else:
            old = market.values(f"{feed}:BTC-USD").get("state")
            if old != what:
                back_at[feed] = market.now if what == "live" and old is not None else float("-inf")
            market.put(feed, what, last=str(i + 1))
        market.flush()
        states = {f: market.values(f"{f}:BTC-USD").get("state") for f in RANKS}
        there = [f for f, state in states.items() if state is not None]
        if not there:
            assert market.values() == {}
            before = None
            continue
        source = str(market.source)
        assert market.values() == market.values(f"{source}:BTC-USD")
        rivals = [f for f in there if RANKS[f][0] == min(RANKS[f][0] for f in there)]
        assert source in rivals
        live = [f for f in rivals if states[f] == "live"]
        assert states[source] == "live" or not live
        waited = [f for f in live if market.now - back_at[f] >= FAILBACK_S]
        if before in live and before != source:
            assert source in waited
        if live:
            assert all(RANKS[source] <= RANKS[f] for f in waited)
        before = source


@pytest.mark.parametrize("feeds", [("a",), ("a", "b")])
def test_a_source_removed_and_reborn_is_still_followed(market: Market, feeds: tuple[str, ...]) -> None:
    """If another record takes the name of the source within one flush, the price follows that one, with all fields."""
    market.start(*feeds)
    market.store.remove("a:BTC-USD")
    market.put("a", "live", last="7.00")
    market.flush()
    assert (market.source, market.values()["last"], market.values()["bid"]) == ("a", "7.00", None)
    market.put("a", last="8.00")
    flush = market.flush(1.0)
    assert flush is not None
    assert [record.key for record in flush.changed] == ["a:BTC-USD", "BTC-USD"]
    assert market.values() == market.values("a:BTC-USD")


def test_the_old_source_does_not_move_the_price_after_a_failover(market: Market) -> None:
    """After a failover only the new source moves the price."""
    market.start("a", "b")
    market.put("a", "stale")
    market.flush()
    assert market.source == "b"
    market.put("a", last="9.00")
    flush = market.flush(1.0)
    assert flush is not None
    assert [record.key for record in flush.changed] == ["a:BTC-USD"]
    assert market.values()["last"] == "2.00"
