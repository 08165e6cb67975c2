"""A store with its doors, on a clock that only tests move."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.clock import ManualClock
from ticker.intake import FeedIntake, Intake
from ticker.model import Quote, Value
from ticker.staleness import TICK_S
from ticker.store import Store

STALE_AFTER_S = 4.0


class Service:
    """An intake with its store; time passes as in the service, with deadlines checked every `TICK_S`."""

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
            list(self.intake.expire())
        self.store.flush(self.clock.monotonic())

    def get(self, symbol: str, field: str = "state") -> Value:
        """A visible value."""
        self.store.flush(self.clock.monotonic())
        record = self.store.get(symbol)
        assert record is not None, symbol
        return record.get(field)

    def states(self, *symbols: str) -> list[Value]:
        return [self.get(symbol) for symbol in symbols]


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
