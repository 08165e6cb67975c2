"""The runner: whatever a feed does, the service gets one clear state, and nothing else is affected."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable

import pytest

from feeds.backoff import LONGEST_PAUSE_S, Backoff
from feeds.base import Context, Sink
from feeds.runner import Runner, log_fields
from tests.clock import ManualClock
from tests.conftest import logged
from tests.feeds.harness import InstantClock, RecordingSink, run, supervised
from ticker.errors import FatalFeedError, FeedError
from ticker.model import Bar, Quote

QUOTE = Quote("toy:BTC-USD", {"last": "1"})
Act = Callable[[Sink], Awaitable[None]]


class ScriptedFeed:
    """A feed with scripted runs; after the last one it waits for ever."""

    name, kind, clock, stale_after_s = "toy", "live", "received", 5.0

    def __init__(self, *acts: Act | BaseException) -> None:
        self._acts = list(acts)

    async def run(self, sink: Sink) -> None:
        if not self._acts:
            sink.state("connecting", "end of the script")
            await asyncio.get_running_loop().create_future()
        act = self._acts.pop(0)
        if isinstance(act, BaseException):
            raise act
        await act(sink)

    async def history(self, symbol: str, interval_s: int, limit: int) -> list[Bar]:
        return []


def delivers_then(error: Exception, clock: ManualClock | None = None) -> Act:
    """Publish and fail; with a clock, an hour later."""

    async def act(sink: Sink) -> None:
        sink.publish([QUOTE])
        if clock:
            clock.tick(3600.0)
        raise error

    return act


def play(*acts: Act | BaseException, clock: InstantClock | None = None) -> tuple[RecordingSink, InstantClock]:
    """Supervise a feed until its script has ended, or the runner has."""
    clock = clock or InstantClock()

    async def main() -> tuple[RecordingSink, InstantClock]:
        sink = RecordingSink(clock)
        async with supervised(ScriptedFeed(*acts), sink, clock) as task:
            ended = asyncio.ensure_future(sink.until(lambda: sink.status.message == "end of the script"))
            await asyncio.wait({task, ended}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
            ended.cancel()
            await asyncio.gather(ended, return_exceptions=True)
        return sink, clock

    return run(main)


def test_a_failure_sets_the_state_is_counted_and_retried() -> None:
    """A FeedError puts the feed down with its message, and is counted under its reason."""
    sink, _ = play(FeedError("refused", reason="connect"))
    assert [event[1:] for event in sink.events[:1]] == [("down", "refused")]
    assert {reason: n for reason, n in sink.status.errors.items() if n} == {"connect": 1}
    assert sink.status.reconnects == 1


@pytest.mark.parametrize(
    ("reason", "cap_s"),
    [("connect", 10), ("dns", 10), ("timeout", 10), ("http_5xx", 10), ("rate_limited", 30), ("banned", 30)],
)
def test_pauses_grow_up_to_the_cap_and_never_end(reason: str, cap_s: float) -> None:
    """Pauses are drawn from 0 to 1, 2, 4, 8, 10 seconds, for however many failures: that soon after an outage, however
    long, there are prices again. After a rate limit a pause is up to 30 seconds.

    Seen: feeds were without prices for up to 18.5 s after an outage of a minute.
    """
    _, clock = play(*[FeedError("no", reason=reason)] * 200)
    assert len(clock.slept) == 200
    longest = [min(cap_s, 2.0**n) for n in range(200)]
    assert all(0 <= pause <= limit for pause, limit in zip(clock.slept, longest, strict=True))
    assert max(clock.slept) > 0.9 * cap_s


def test_pauses_have_full_jitter() -> None:
    """Feeds that fail together come back spread over the whole pause, not all at once."""
    backoff = Backoff(random.Random(1))
    pauses = [backoff.pause_s(FeedError("no")) for _ in range(1000)][9:]
    tenths = {int(10 * pause / LONGEST_PAUSE_S) for pause in pauses}
    assert tenths == set(range(10))


@pytest.mark.parametrize(("asked_s", "least_s", "most_s"), [(40.0, 40, 41), (1e9, 3600, 3601), (0.0, 0, 1)])
def test_retry_after_delays_the_retry_up_to_an_hour(asked_s: float, least_s: float, most_s: float) -> None:
    """The retry comes after Retry-After and not much later; more than an hour is cut to an hour."""
    _, clock = play(FeedError("slow down", reason="rate_limited", retry_after_s=asked_s))
    assert least_s <= clock.slept[0] <= most_s


def test_data_resets_the_pause() -> None:
    """After a publish the next failure waits as briefly as a first one, whatever came before."""
    _, clock = play(*[FeedError("no")] * 8, delivers_then(FeedError("no")), FeedError("no"))
    assert clock.slept[8] <= 1.0
    assert clock.slept[9] <= 2.0


def test_one_failure_of_a_delivering_feed_keeps_its_state() -> None:
    """The failure is counted and shown until data comes again."""
    sink, _ = play(delivers_then(FeedError("refused", reason="connect")), delivers_then(FeedError("late")))
    assert [event[1:] for event in sink.events[1:2]] == [("live", "refused")]
    assert sink.status.errors["connect"] == 1
    assert "down" not in sink.story


def test_a_failure_with_outdated_prices_puts_the_feed_down() -> None:
    """The next failure puts it down once its last data is older than its patience."""
    clock = InstantClock()
    sink, _ = play(delivers_then(FeedError("refused"), clock), clock=clock)
    assert [event[1:] for event in sink.events[1:2]] == [("down", "refused")]


class KeepsMessages(RecordingSink):
    """Behaves like the service: data alone does not clear a message."""

    def publish(self, quotes: Iterable[Quote]) -> None:
        message = self.status.message
        super().publish(quotes)
        self.status.message = message


def test_data_clears_the_message_of_a_failure() -> None:
    """Data clears the failure's message and no other one."""

    async def main() -> list[object]:
        clock = InstantClock()
        sink = KeepsMessages(clock)

        async def says(sink: Sink) -> None:
            sink.publish([QUOTE])
            sink.state("live", "too many symbols")
            sink.publish([QUOTE])
            sink.state("connecting", "end of the script")

        feed = ScriptedFeed(delivers_then(FeedError("refused")), says)
        async with supervised(feed, sink, clock):
            await sink.until(lambda: sink.status.message == "end of the script")
        return [event.data for event in sink.events if event.what == "live"]

    assert run(main) == ["refused", None, "too many symbols"]


def test_connecting_alone_does_not_reset_the_pause() -> None:
    """Pauses keep growing until a price comes, even after a run that had some."""
    for acts in ([], [delivers_then(FeedError("no"))]):
        _, clock = play(*acts, *[FeedError("no")] * 40)
        assert sum(clock.slept) > 100


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (TypeError("x"), "TypeError"),
        (KeyError("x"), "KeyError"),
        (ValueError("x"), "ValueError"),
        (AssertionError(), "AssertionError"),
        (ExceptionGroup("tasks", [ExceptionGroup("more", [AttributeError("x")]), OSError()]), "AttributeError"),
    ],
)
def test_a_bug_stops_the_feed(error: Exception, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """A programming error is never retried; the log has its traceback, readers see only its kind."""
    sink, clock = play(error)
    assert sink.story == ["failed"]
    assert sink.status.message == f"stopped by a bug ({name}); see the log, restart to retry"
    assert clock.slept == []
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_a_fatal_failure_stops_the_feed(caplog: pytest.LogCaptureFixture) -> None:
    """It is shown with the feed's message, counted, and logged without a traceback."""
    sink, clock = play(FatalFeedError("bad key", reason="http_4xx"))
    assert [event[1:] for event in sink.events] == [("failed", "bad key")]
    assert sink.status.errors["http_4xx"] == 1
    assert clock.slept == []
    assert [(record.levelname, record.exc_info) for record in caplog.records] == [("ERROR", None)]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(TimeoutError(), "timeout"), (ConnectionRefusedError("no"), "connect"), (OSError(), "connect")],
)
def test_a_bare_os_error_is_retried(error: Exception, reason: str) -> None:
    """It is the network's fault, not a bug: it has a reason and some text."""
    sink, _ = play(error)
    assert sink.status.errors[reason] == 1
    assert sink.events[0].what == "down"
    assert sink.events[0].data


def test_an_unknown_reason_is_counted_as_protocol() -> None:
    """An adapter that invents a reason does not break its runner."""
    sink, _ = play(FeedError("?", reason="gremlins"))
    assert sink.status.errors["protocol"] == 1
    assert "gremlins" not in sink.status.errors


def test_a_feed_that_returns_is_not_run_again() -> None:
    """Its last message stays."""

    async def act(sink: Sink) -> None:
        sink.publish([QUOTE])
        sink.state("stale", "replay ended")

    sink, clock = play(act)
    assert sink.story == ["publish", "stale"]
    assert (sink.status.state, sink.status.message, clock.slept) == ("stale", "replay ended", [])


def test_only_changes_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Of a hundred failures of two alternating kinds the log has the first of each, and the recovery.

    Seen: an outage that was now a refusal, now a silence wrote a line for every other try of each connection.
    """
    caplog.set_level(logging.INFO, "ticker.feeds")
    refused, hung = FeedError("no", reason="connect"), FeedError("late", reason="timeout")
    clock = InstantClock()
    play(*[refused, hung] * 50, delivers_then(refused, clock), clock=clock)
    assert [line.split(" retry_s")[0] for line in logged(caplog)][:4] == [
        "no feed=toy state=down reason=connect",
        "late feed=toy state=down reason=timeout",
        "live feed=toy state=live",
        "no feed=toy state=down reason=connect",
    ]
    assert all(record.exc_info is None for record in caplog.records)


def test_every_log_line_has_the_feeds_own_name() -> None:
    """The lines of a feed's parts have it, too."""
    assert [log_fields(name) for name in ("kraken", "kraken polls", "kraken stream 1")] == [
        {"feed": "kraken"}, {"feed": "kraken", "part": "polls"}, {"feed": "kraken", "part": "stream 1"},
    ]  # fmt: skip


def test_a_message_that_comes_and_goes_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A live feed that reports the same problem again and again, as with a flapping connection, writes one line.

    Other counts in the same words are no other trouble: of seconds, of connections. Ever new words are told so often.
    """
    caplog.set_level(logging.INFO, "ticker.feeds")

    async def act(sink: Sink) -> None:
        sink.publish([QUOTE])
        for message in ("lost for 5 s", None, "lost for 17 s", *"abcdefghijklmnopqrstuvwxyz") * 50:
            sink.state("live", message)
        sink.state("stale", "lost")

    play(act)
    assert [line.removesuffix(" feed=toy state=live") for line in logged(caplog)][:-1] == [
        "live",
        "lost for 5 s",
        *"abcdefghijklmnopqrs",
        "lost feed=toy state=stale",
    ]


def test_a_feed_that_reports_itself_down_is_logged_as_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """A feed of several ways that reports all of them down is logged like a failure."""
    caplog.set_level(logging.INFO, "ticker.feeds")

    async def act(sink: Sink) -> None:
        sink.state("down", "all ways are down")
        sink.state("live", None)
        sink.state("down")  # it has nothing to do

    play(act)
    assert [record.levelname for record in caplog.records][:3] == ["WARNING", "INFO", "INFO"]


def test_cancelling_ends_the_runner_at_once() -> None:
    """It ends while the feed runs as well as in a pause, and without a message."""

    async def main() -> None:
        clock = ManualClock()
        for feed in (ScriptedFeed(), ScriptedFeed(FeedError("no"))):
            sink = RecordingSink(clock)
            task = asyncio.create_task(Runner(feed, sink, Context(clock, random.Random(1))).run())
            await sink.until(lambda: bool(sink.events))  # noqa: B023 - awaited before the loop goes on
            said = len(sink.events)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert len(sink.events) == said

    run(main)
