"""Polling under faults: whatever the exchange does, nothing bad is published and the feed comes back by itself."""

from __future__ import annotations

import email.utils
import itertools

import pytest

from tests.clock import ManualClock
from tests.feeds.fake_exchange import CLOSED, HANG, Reply, gzip_bomb
from tests.feeds.toy import LIST, LISTED, TICKERS, Stage, last_prices, listing, on_stage, tickers

LATER = email.utils.formatdate(ManualClock().wall_ms() / 1000 + 71, usegmt=True)
"""70 seconds after the poll at 1 s."""

FAULTS = {
    "429": (Reply(status=429), "rate_limited"),
    "429 in seconds": (Reply(status=429, headers={"Retry-After": "70"}), "rate_limited"),
    "429 until a date": (Reply(status=429, headers={"Retry-After": LATER}), "rate_limited"),
    "418": (Reply(status=418, headers={"Retry-After": "70"}), "banned"),
    "403": (Reply(status=403), "banned"),
    "404": (Reply(status=404), "http_4xx"),
    "503 HTML": (Reply(status=503, body=b"<html>", headers={"Content-Type": "text/html"}), "http_5xx"),
    "500 with good JSON": (Reply(status=500, body=tickers(BTC="9").body), "http_5xx"),
    "redirect": (Reply(status=302, headers={"Location": TICKERS}), "redirect"),
    "HTML with 200": (Reply(body=b"<html>busy", headers={"Content-Type": "text/html"}), "protocol"),
    "HTML that says JSON": (Reply(body=b"<html>busy"), "protocol"),
    "wrong content type": (Reply(body=tickers(BTC="9").body, headers={"Content-Type": "text/css"}), "protocol"),
    "truncated JSON": (Reply(body=tickers(BTC="9", ETH="8").body[:-9]), "protocol"),
    "cut body": (Reply(body=tickers(BTC="9").body, claimed_length=999), "protocol"),
    "bad UTF-8": (Reply(body=b'{"BTC/USD": {"last": "9", "name": "\xff"}}'), "protocol"),
    "garbage": (Reply(instead=b"\x16\x03garbage\r\n\r\n"), "protocol"),
    "closed": (CLOSED, "closed"),
    "empty": (Reply(body=b""), "protocol"),
    "no rows": (Reply(body=b"{}"), "protocol"),
    "wrong shape": (Reply(body=b'["BTC/USD"]'), "protocol"),
    "wrong rows": (Reply(body=b'{"BTC/USD": 9, "ETH/USD": null}'), "protocol"),
    "nested": (Reply(body=b'{"BTC/USD":' + b"[" * 90_000), "protocol"),
    "error object": (Reply(body=b'{"BTC/USD": {"last": "9"}, "failed": 1}'), "rate_limited"),
    "gzip bomb": (gzip_bomb(20_000_000), "too_large"),
    "huge": (Reply(body=b" " * 5_000_001), "too_large"),
    "hang": (HANG, "timeout"),
    "drip": (Reply(body=tickers(BTC="9").body, byte_pause_s=0.2), "timeout"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_failed_poll_with_its_reason(fault: str) -> None:
    """Nothing of the answer is published, and the feed recovers by itself."""
    reply, reason = FAULTS[fault]

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, tickers(BTC="1"))
        stage.exchange.script(TICKERS, tickers(BTC="1"), reply)
        await stage.polls(2, timeout_s=1.0 if reason == "timeout" else 30.0)

    stage = on_stage(play)
    status = stage.sink.status
    assert stage.sink.story == ["publish", "live", "publish"], "one failure is no state"
    assert [last_prices(poll) for poll in stage.sink.polls] == [{"toy:BTC-USD": "1"}] * 2
    assert {name: n for name, n in status.errors.items() if n} == {reason: 1}
    assert not any(status.rejects.values())
    assert (status.polls["ok"], status.polls["error"], status.reconnects) == (2, 1, 1)
    assert stage.exchange.most_in_flight == 1
    failed, back = stage.sink.events[1:3]
    assert failed.data, "the failure is told"
    wait_s = 90 if fault == "error object" else 70 if "Retry-After" in reply.headers else 0
    assert failed.at + wait_s <= back.at <= failed.at + wait_s + 31


def test_a_failing_feed_is_down_once_its_prices_are_too_old() -> None:
    """Until its last prices are older than its patience, the feed keeps its state, with each failure as message."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, tickers(BTC="1"))
        stage.exchange.script(TICKERS, tickers(BTC="1"), *[Reply(status=502)] * 12)
        await stage.polls(2)

    stage = on_stage(play)
    assert stage.sink.story == ["publish", "live", "down", "publish"]
    (published, *failed, _) = stage.sink.events
    assert len(failed) == 12
    for event in failed:
        assert event.what == ("live" if event.at - published.at <= 5.0 else "down")


def test_a_feed_that_never_had_a_price_is_down_at_its_first_failure() -> None:
    """A feed that never had a good answer has nothing to show."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, tickers(BTC="1"))
        stage.exchange.script(TICKERS, Reply(status=502))
        await stage.polls(1)

    assert on_stage(play).sink.story == ["down", "publish"]


def test_a_bug_in_an_adapter_is_not_retried() -> None:
    """The feed is stopped."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, Reply(body=b'{"bug": {}}'))
        await stage.until(lambda: stage.sink.status.state == "failed")

    stage = on_stage(play)
    assert stage.exchange.asked(TICKERS) == 1


def test_a_failing_exchange_is_asked_less_and_less_often() -> None:
    """A hundred failures in a row take far longer than a hundred seconds; the first good answer ends that."""

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, tickers(BTC="1"))
        stage.exchange.script(TICKERS, *[Reply(status=502)] * 100)
        await stage.polls(1)

    stage = on_stage(play)
    assert stage.clock.monotonic() > 400
    assert stage.sink.status.errors["http_5xx"] == 100


def test_restarts_keep_the_gap_between_requests() -> None:
    """A restart after a short pause still keeps the gap; the polls missed meanwhile are counted."""

    async def play(stage: Stage) -> None:
        replies = [tickers(BTC="1"), Reply(status=502)] * 20
        stage.exchange.script(TICKERS, *replies)
        stage.exchange.serve(TICKERS, tickers(BTC="1"))
        stage.exchange.serve(LIST, listing(("BTC/USD", "BTC-USD", 1)))
        await stage.polls(21, LISTED, interval_s=3.0)

    stage = on_stage(play)
    published = [event.at for event in stage.sink.events if event.what == "publish"]
    failed = [event.at for event in stage.sink.events if event.what != "publish"]
    moments = sorted(published + failed)
    assert min(b - a for a, b in itertools.pairwise(moments)) >= 1.0
    assert stage.sink.status.rate_limit_wait_s > 0
