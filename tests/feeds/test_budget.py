"""The budget of a host: one pace for all who send it requests, and silence when it wants that."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import pytest

from feeds.base import Context
from feeds.budget import TOO_FAST_S, Budget, Budgets
from feeds.exchange.adapter import exchange
from feeds.exchange.options import ExchangeOptions
from tests.clock import ManualClock
from tests.feeds.fake_exchange import FakeExchange, Reply
from tests.feeds.harness import InstantClock, RecordingSink, context, run, supervised
from tests.feeds.toy import TICKERS, TOY, tickers
from ticker.errors import FeedError


def test_feeds_share_a_budget_if_they_share_an_address() -> None:
    """Feeds of one address share its budget, and no others do."""
    budgets = Budgets()
    assert budgets.of("https://a.example/") is budgets.of("https://A.example")
    assert budgets.of("https://a.example") is not budgets.of("https://b.example")


def moments(ask: Callable[[Budget, ManualClock], Awaitable[object]], *, tasks: int) -> list[float]:
    """When each of several tasks that start at the same time gets its turn."""

    async def main() -> list[float]:
        budget, clock = Budget(), ManualClock()
        found: list[float] = []

        async def one() -> None:
            await ask(budget, clock)
            found.append(clock.monotonic())

        running = [asyncio.create_task(one()) for _ in range(tasks)]
        await clock.advance(0.5)
        budget.pause(clock, 100.0, connects=True)
        await clock.advance(1000.0)
        await asyncio.gather(*running)
        return found

    return run(main)


def test_requests_take_turns_at_the_hosts_pace() -> None:
    """All wait for each other and for the host's pause; then the pace is as before."""
    assert moments(lambda budget, clock: budget.request(clock, 2.0), tasks=4) == [0.0, 100.5, 102.5, 104.5]


def test_connections_take_turns_at_their_own_pace() -> None:
    """A ban applies to them, too."""
    assert moments(lambda budget, clock: budget.connect(clock, 0.5), tasks=4) == [0.0, 100.5, 102.5, 104.5]


def test_a_cancelled_waiter_does_not_delay_the_others() -> None:
    """A waiter that gives up, such as the reader of a chart, costs no turn.

    Seen: during a ban each chart that somebody looked at kept its turn, so that prices came back minutes after its end.
    """

    async def main() -> float:
        budget, clock = Budget(), ManualClock()
        budget.pause(clock, 600.0)
        charts = [asyncio.create_task(budget.request(clock, 2.0)) for _ in range(50)]
        await clock.advance(5.0)
        for chart in charts:
            chart.cancel()
        await asyncio.gather(*charts, return_exceptions=True)
        price = asyncio.create_task(budget.request(clock, 2.0))
        await clock.advance(1000.0)
        return await price

    assert run(main) == 595.0


def test_a_rate_limit_on_requests_does_not_delay_connections() -> None:
    """A rate limit on requests does not delay connections."""

    async def main() -> float:
        budget, clock = Budget(), ManualClock()
        budget.pause(clock, 100.0)
        await budget.connect(clock, 1.0)
        return clock.monotonic()

    assert run(main) == 0.0


@pytest.mark.parametrize(
    ("reason", "named_s", "ban_s", "waits_s"),
    [
        ("rate_limited", None, 60.0, TOO_FAST_S), ("rate_limited", 7.0, 60.0, 7.0), ("banned", None, 60.0, 60.0),
        ("banned", 7.0, 0.0, 7.0), ("banned", None, 0.0, 0.0), ("http_5xx", 7.0, 60.0, 0.0),
    ],
)  # fmt: skip
def test_a_rate_limit_pauses_every_feed_of_the_host(
    reason: str, named_s: float | None, ban_s: float, waits_s: float
) -> None:
    """The pause is as long as the host says, else as usual; other failures, and a ban of one path, pause no other."""

    async def main() -> float:
        budget, clock = Budget(), InstantClock()
        error = FeedError("no", reason=reason, retry_after_s=named_s)
        budget.obey(clock, error, ban_s)
        assert (error.retry_after_s or 0.0) >= waits_s, "the one who was told waits as well"
        return await budget.request(clock, 1.0)

    assert run(main) == waits_s


def test_a_pause_is_never_longer_than_an_hour() -> None:
    """A server that asks for years, by mistake or not, is asked again after an hour, over HTTP and for a stream."""

    async def main() -> tuple[float, float]:
        budget, clock = Budget(), InstantClock()
        budget.pause(clock, 1e9, connects=True)
        waited_s = await budget.request(clock, 1.0)
        await budget.connect(clock, 1.0)
        return waited_s, clock.monotonic()

    assert run(main) == (3600.0, 3600.0)


@pytest.mark.parametrize(("used", "waits_s"), [(4799, 0.0), (4800, 39.0), (7000, 39.0)])
def test_requests_wait_near_the_end_of_a_minutes_allowance(used: int, waits_s: float) -> None:
    """The next request then waits for the next minute."""

    async def main() -> float:
        budget, clock = Budget(), InstantClock()
        clock.tick(21.0)
        budget.used(clock, used, 6000)
        await budget.request(clock, 1.0)
        return clock.monotonic() - 21.0

    assert run(main) == waits_s


def asked_at(venue_feeds: int, script: Callable[[FakeExchange], None]) -> tuple[list[float], FakeExchange]:
    """Poll one exchange with several feeds of one process for 20 answers: when each request came."""

    async def main() -> tuple[list[float], FakeExchange]:
        clock = InstantClock()
        shared = context(clock)
        async with FakeExchange() as fake:
            script(fake)
            sinks = [RecordingSink(clock) for _ in range(venue_feeds)]
            async with _all_supervised(fake, sinks, clock, shared):
                await sinks[0].until(lambda: sum(len(sink.polls) for sink in sinks) >= 20)
        return sorted(event.at for sink in sinks for event in sink.events if event.what == "publish"), fake

    return run(main)


class _all_supervised:  # noqa: N801 - used like a function
    def __init__(self, fake: FakeExchange, sinks: list[RecordingSink], clock: InstantClock, shared: Context) -> None:
        options = ExchangeOptions(base_url=fake.base_url, interval_s=1.0)
        self._managers = [
            supervised(exchange(TOY).build(f"toy{i}", options, shared), sink, clock) for i, sink in enumerate(sinks)
        ]

    async def __aenter__(self) -> None:
        for manager in self._managers:
            await manager.__aenter__()

    async def __aexit__(self, *error: object) -> None:
        for manager in self._managers:
            await manager.__aexit__(None, None, None)


def test_two_feeds_of_one_venue_share_its_pace() -> None:
    """Together they keep within the exchange's rate limit."""
    at, fake = asked_at(2, lambda fake: fake.serve(TICKERS, tickers(BTC="1")))
    assert fake.most_in_flight <= 2
    assert all(b - a >= 1.0 for a, b in itertools.pairwise(at))


def test_two_feeds_of_one_venue_share_a_ban() -> None:
    """When one of them is told to wait, both wait."""

    def script(fake: FakeExchange) -> None:
        fake.serve(TICKERS, tickers(BTC="1"))
        fake.script(TICKERS, *[tickers(BTC="1")] * 4, Reply(status=418, headers={"Retry-After": "300"}))

    at, _ = asked_at(2, script)
    gaps = [b - a for a, b in itertools.pairwise(at)]
    assert sum(gap >= 290 for gap in gaps) == 1
    assert max(gaps) < 400
