"""Polling: good answers arrive complete and on time, and each row is judged by itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import pytest

from feeds.base import Adapter
from feeds.exchange.adapter import exchange
from feeds.exchange.options import ExchangeOptions
from feeds.exchange.polling import with_names
from feeds.exchange.venue import Row
from feeds.options import parse_options
from tests.feeds.fake_exchange import Reply
from tests.feeds.harness import RecordingSink
from tests.feeds.toy import LIST, LISTED, TICKERS, TOY, Stage, last_prices, listing, on_stage, tickers
from ticker.errors import ConfigError
from ticker.model import Bar, Quote


def test_every_good_row_is_published_in_one_call() -> None:
    """Unchanged rows are published, too: that confirms them."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, tickers(BTC="1.50", ETH="2"))
        await stage.polls(3)

    stage = on_stage(play)
    assert stage.sink.story == ["publish"]
    assert [last_prices(poll) for poll in stage.sink.polls] == [{"toy:BTC-USD": "1.50", "toy:ETH-USD": "2"}] * 3
    assert stage.sink.status.polls == {"ok": 3, "error": 0, "skipped": 0}
    assert stage.sink.status.received_bytes == 3 * len(tickers(BTC="1.50", ETH="2").body)
    assert stage.sink.status.loaded


class SlowSink(RecordingSink):
    """A sink that takes 4 seconds for each publish, and 25 for the second."""

    def publish(self, quotes: Iterable[Quote]) -> None:
        super().publish(quotes)
        self._clock.tick(25.0 if len(self.polls) == 2 else 4.0)


def test_polls_begin_at_multiples_of_the_interval() -> None:
    """The first poll begins at once; missed ones are counted."""

    async def play(stage: Stage) -> None:
        stage.sink = SlowSink(stage.clock)
        stage.exchange.serve(TICKERS, tickers(BTC="1"))
        await stage.polls(4, interval_s=10.0)

    stage = on_stage(play)
    assert [event.at for event in stage.sink.events[:4]] == [0.0, 10.0, 40.0, 50.0]
    assert stage.sink.status.polls["skipped"] == 2


def test_a_bad_row_is_counted_once_and_the_others_are_published() -> None:
    """It is counted under its reason."""
    body = b"""{"BTC/USD": {"last": 1.50}, "ETH/USD": {"last": NaN}, "ADA/USD": 7, "DOT/USD": {"bid": "3", "ask": "2"},
        "XRP/USD": {"last": "2", "time": "1795386060001"}, "LTC/USD": {"last": "2", "time": "noon"},
        "what": {"last": "1"},
        "B-AD/USD": {"last": "1"}, "SOL/USD": {"last": "-1", "bid": "0", "ask": null},
        "UNI/USD": {"last": 0, "ask": 3.0}}"""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, Reply(body=body))
        await stage.polls(1)

    stage = on_stage(play)
    found = {symbol: quote.values for symbol, quote in stage.sink.polls[0].items()}
    assert found == {
        "toy:BTC-USD": {"last": "1.50", "decimals": 2},
        "toy:UNI-USD": {"last": None, "ask": "3.0", "decimals": 1},
    }
    rejects = {reason: n for reason, n in stage.sink.status.rejects.items() if n}
    assert rejects == {"price": 2, "schema": 1, "crossed": 1, "timestamp": 2, "symbol": 2}
    assert stage.sink.status.polls == {"ok": 1, "error": 0, "skipped": 0}


def test_a_bad_row_is_counted_in_every_poll() -> None:
    """It is counted again even if nothing in it has changed."""

    async def play(stage: Stage) -> None:
        body = b'{"BTC/USD": {"last": "1", "bid": "-1"}, "ETH/USD": {"last": "0"}, "ADA/USD": 5}'
        stage.exchange.serve(TICKERS, Reply(body=body))
        await stage.polls(3)

    rejects = on_stage(play).sink.status.rejects
    assert (rejects["price"], rejects["schema"]) == (6, 3)


def test_a_changed_row_is_judged_again() -> None:
    """A row that has changed is judged again, and so is one that has changed back."""

    async def play(stage: Stage) -> None:
        stage.exchange.script(TICKERS, *[tickers(BTC=p, ETH="5") for p in ("1", "2", "2", "x", "1")])
        await stage.polls(5)

    stage = on_stage(play)
    assert [poll["toy:BTC-USD"].values["last"] if "toy:BTC-USD" in poll else None for poll in stage.sink.polls] == [
        "1", "2", "2", None, "1",
    ]  # fmt: skip


def test_the_newest_of_two_rows_for_a_symbol_is_published() -> None:
    """Times are converted to ms; of rows with equal times the first is published; the other one is counted."""
    body = b"""{"BTC/USD": {"last": "1", "time": 1795385999000}, "BTC/USD!": {"last": "2", "time": 1795385999001},
        "ETH/USD": {"last": "3"}, "ETH/USD!": {"last": "4"}, "ADA/USD": {"last": "5", "time": 1},
        "ADA/USD!": {"last": "6"}}"""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, Reply(body=body))
        await stage.polls(1)

    stage = on_stage(play)
    (poll, *_) = stage.sink.polls
    assert stage.sink.status.rejects["out_of_order"] == 3
    assert {symbol: (quote.values["last"], quote.ts) for symbol, quote in poll.items()} == {
        "toy:BTC-USD": ("2", 1795385999001), "toy:ETH-USD": ("3", None), "toy:ADA-USD": ("5", 1),
    }  # fmt: skip


def test_the_option_crossed_keep_reaches_the_rows() -> None:
    """With `crossed = "keep"` a bid above the ask is published."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, Reply(body=b'{"BTC/USD": {"bid": "3", "ask": "2"}}'))
        await stage.polls(1, crossed="keep")

    stage = on_stage(play)
    assert stage.sink.polls[0]["toy:BTC-USD"].values["bid"] == "3"


def test_only_selected_symbols_are_published() -> None:
    """Rows of others are neither published nor counted as bad."""

    async def play(stage: Stage) -> None:
        body = b'{"BTC/USD": {"last": "1"}, "BTC/EUR": {"last": "1"}, "ETH/USD": {"last": "-1"}}'
        stage.exchange.serve(TICKERS, Reply(body=body))
        await stage.polls(1, symbols=("*-EUR", "ADA-USD"))

    stage = on_stage(play)
    assert set(stage.sink.polls[0]) == {"toy:BTC-EUR"}
    assert not any(stage.sink.status.rejects.values())


def test_only_exact_names_are_requested_one_by_one() -> None:
    """A venue that can be asked for single symbols gets their names; with a pattern among them all symbols are
    requested.
    """

    async def play(stage: Stage) -> None:
        for target in (TICKERS, TICKERS + "?s=BTC-USD,ETH-USD"):
            stage.exchange.serve(target, tickers(BTC="1"))
        await stage.polls(1, symbols=("BTC-USD", "ETH-USD"))
        await stage.polls(2, symbols=("BTC-USD", "E*"))

    stage = on_stage(play)
    assert [request.target for request in stage.exchange.requests[:1]] == [TICKERS + "?s=BTC-USD,ETH-USD"]
    assert stage.exchange.requests[-1].target == TICKERS


def test_a_good_answer_without_wanted_prices_is_reported() -> None:
    """The feed says so instead of seeming live."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, tickers(BTC="1"))
        stage.exchange.script(TICKERS, tickers(ETH="1"), tickers(BTC="0"))
        await stage.polls(1, symbols=("BTC-US*",))

    stage = on_stage(play)
    assert stage.sink.story == ["stale", "publish"]
    assert stage.sink.events[0].data == "no price for BTC-US* among 1 rows; check the feed's symbols"
    assert stage.sink.status.polls["ok"] == 3


def test_no_symbol_is_unknown_before_a_list_or_a_price() -> None:
    """A wanted symbol may still appear, so it is not reported as unknown."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, tickers(ETH="1"))
        await stage.until(lambda: "stale" in stage.sink.story, symbols=("BTC-US*",))

    assert not on_stage(play).sink.status.loaded


class KeepsMessages(RecordingSink):
    """Behaves like the service: data alone does not clear a message."""

    def publish(self, quotes: Iterable[Quote]) -> None:
        message = self.status.message
        super().publish(quotes)
        self.status.message = message


def test_a_named_symbol_without_a_price_is_reported() -> None:
    """A symbol wanted by name is named in the message as long as no price of it has come.

    Seen: a misspelt share at Yahoo, which has no list, was nowhere to be seen but in the count of HTTP's 404.
    """
    limits = dataclasses.replace(TOY.limits, symbols_per_request=1)
    venue = dataclasses.replace(TOY, symbol=str, wire=str, limits=limits)

    async def play(stage: Stage) -> None:
        stage.sink = KeepsMessages(stage.clock)
        stage.exchange.serve(TICKERS + "?s=BTC", Reply(body=b'{"BTC": {"last": 1}}'))
        stage.exchange.serve(TICKERS + "?s=ODD", Reply(body=b'{"ODD": {"last": 1}}'))
        stage.exchange.script(TICKERS + "?s=ODD", *[Reply(status=404)] * 3)
        await stage.until(lambda: len(stage.sink.polls) >= 9, venue, symbols=("BTC", "ODD"))

    stage = on_stage(play)
    said = [event for event in stage.sink.events if event.what != "publish"]
    assert [event[1:] for event in said] == [("live", "no price yet for ODD"), ("live", None)]


def test_another_message_of_the_feed_is_not_overwritten() -> None:
    """A message about something else, such as too many symbols, is not replaced by the one about missing prices."""

    async def play(stage: Stage) -> None:
        stage.sink = KeepsMessages(stage.clock)
        stage.sink.status.message = "more symbols than 1; the rest is left out"
        stage.exchange.serve(TICKERS, tickers(BTC="1"))
        await stage.polls(3, symbols=("BTC-USD", "ODD-USD"))

    assert on_stage(play).sink.story == ["publish"]


def test_an_unnamed_row_is_for_the_symbol_requested() -> None:
    """A named row keeps its name; if several symbols were requested, none is guessed."""
    rows = [Row("", {"last": "1"}), Row("B", {"last": "2"})]
    assert [row.wire for row in with_names(rows, ["A"])] == ["A", "B"]
    assert with_names(rows, ["A", "B"]) is with_names(rows, []) is rows


def test_decimals_come_from_the_list_or_else_from_the_prices() -> None:
    """Without the list, the most digits seen so far count, so that dropped zeros do not make them flicker."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(LIST, listing(("BTC/USD", "BTC-USD", 1), ("ADA/USD", "ADA-USD", None)))
        stage.exchange.script(TICKERS, *[tickers(BTC="1.25", ADA=p) for p in ("0.5", "0.50", "0.125", "1")])
        await stage.polls(4, LISTED)

    stage = on_stage(play)
    decimals = [[poll[f"toy:{base}-USD"].values["decimals"] for base in ("BTC", "ADA")] for poll in stage.sink.polls]
    assert decimals == [[2, 1], [1, 2], [1, 3], [1, 3]]


def test_a_polled_feed_describes_itself() -> None:
    """Name, kind, clock and patience follow from the venue and the interval; there are no older bars."""

    async def play(stage: Stage) -> None:
        fast, slow = stage.feed(interval_s=0.5), stage.feed(interval_s=20.0)
        assert (fast.name, fast.kind, fast.clock) == ("toy", "live", "received")
        assert (fast.stale_after_s, slow.stale_after_s) == (5.0, 60.0)
        dated_by_its_stream = dataclasses.replace(TOY, clock="exchange", polled_clock="received")
        assert stage.feed(dated_by_its_stream).clock == "received"
        bars: list[Bar] = await fast.history("toy:BTC-USD", 60, 10)
        assert bars == []

    on_stage(play)


def test_every_option_is_documented_and_has_a_default() -> None:
    """That holds for every option of a polled exchange."""
    adapter = exchange(TOY)
    assert isinstance(adapter, Adapter)
    assert (adapter.name, adapter.summary) == ("toy", "a toy")
    assert all(field.metadata["help"] for field in dataclasses.fields(adapter.options))
    assert adapter.options() == ExchangeOptions()


@pytest.mark.parametrize(
    ("name", "value"),
    [("symbols", ""), ("symbols", "kraken:BTC-USD"), ("symbols", "BTC/USD"), ("interval_s", "0"), ("interval_s", "-1"),
     ("interval_s", "nan"), ("interval_s", "inf"), ("timeout_s", "0"), ("timeout_s", "nan"), ("timeout_s", "61"),
     ("crossed", "maybe"), ("base_url", "127.0.0.1:80"), ("base_url", "ftp://x"), ("base_url", "http://"),
     ("base_url", "http://x:99999"), ("proxy", "nowhere"), ("speed", "1"), ("mode", "both"), ("ws_url", "http://x"),
     ("record_mb", "0")],
)  # fmt: skip
def test_an_option_that_cannot_work_is_refused_by_name(name: str, value: str) -> None:
    """A value that cannot work is refused before anything starts."""
    with pytest.raises(ConfigError, match=name):
        parse_options("feeds.toy", ExchangeOptions, {name: value})
