"""The contract between a feed and the service, and the description of an adapter.

A feed turns an outside source into `Quote`s and hands them to a `Sink`. It never touches the store, the web
or another feed. What feeds have in common lives beside this file: supervision in `runner`, the validation of rows
in `rows`, everything that exchanges share in `exchange`.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from feeds.budget import Budgets
from ticker.clock import Clock
from ticker.model import Bar, FeedStatus, Quote


class Sink(Protocol):
    """Where a feed puts what it learns. All calls are synchronous and cheap."""

    status: FeedStatus
    """Plain counters of this feed; the feed increments them directly."""

    def publish(self, quotes: Iterable[Quote]) -> None:
        """Hand over quotes, in order; this makes the feed `live`.

        A row that a poll returned is handed over even if it is unchanged: that confirms the price.
        """

    def state(self, state: str, message: str | None = None) -> None:
        """Set the feed's state (`connecting`, `live`, `stale`, `down` or `failed`) and the reason."""

    def remove(self, symbols: Iterable[str]) -> None:
        """Drop venue symbols that are gone for good (delisted)."""

    def loaded(self) -> None:
        """Report that the feed knows its symbols now."""


class Feed(Protocol):
    """One source of prices, run by `runner.Runner`."""

    name: str
    kind: str
    """One of `model.KINDS`."""
    clock: str
    """Whose time its quotes' `ts` is: `exchange` or `received`."""
    stale_after_s: float
    """A symbol is never stale sooner than this after its last data, in seconds."""

    async def run(self, sink: Sink) -> None:
        """Deliver until cancelled.

        Returning means that the source has ended for good (a replay that does not loop); its last prices then go
        stale by age. Raise `FeedError` to be retried with backoff, `FatalFeedError` to be marked as failed for good.
        """

    async def history(self, symbol: str, interval_s: int, limit: int) -> list[Bar]:
        """Past bars of a venue symbol, oldest first; the newest may be open. Empty if the source has none."""


@dataclass(frozen=True, slots=True)
class Context:
    """What every feed gets from outside: time, randomness, environment variables, and the shared rate budgets."""

    clock: Clock
    rng: random.Random
    environ: Mapping[str, str] = dataclasses.field(default_factory=dict)
    budgets: Budgets = dataclasses.field(default_factory=Budgets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What an adapter can deliver, and what polling it costs.

    Attributes:
        kind: one of `model.KINDS`.
        modes: `stream`, `poll` or both; empty for a source that needs no network.
        key: whether it needs a key.
        interval_s: default seconds from poll to poll.
        gap_s: minimum seconds from one request to the next.
        requests_per_symbol: requests that one poll of one symbol takes; 0: one request returns all symbols.
        fields: the fields of a quote that it fills, in the protocol's order.
        bars_s: the lengths of its historical bars, in seconds.
        lists: whether it can list its symbols.
    """

    kind: str = "live"
    modes: tuple[str, ...] = ()
    key: bool = False
    interval_s: float = 0.0
    gap_s: float = 0.0
    requests_per_symbol: int = 0
    fields: tuple[str, ...] = ()
    bars_s: tuple[int, ...] = ()
    lists: bool = False

    @property
    def poll_cost(self) -> str:
        """What polling costs, in words; empty if it is not polled."""
        if "poll" not in self.modes:
            return ""
        if not self.requests_per_symbol:
            return f"1 request for all, every {self.interval_s:g} s"
        plural = "s" if self.requests_per_symbol > 1 else ""
        pace = f"{1 / self.gap_s:.2g} a second" if self.gap_s <= 1 else f"1 every {self.gap_s:g} s"
        return f"{self.requests_per_symbol} request{plural} per symbol, {pace}"


@dataclass(frozen=True, slots=True)
class Adapter:
    """One way to get prices, as listed by `ticker adapters` and named in a configuration.

    Attributes:
        name: the value of a feed's `adapter` setting; also the feed's default name.
        summary: whose prices these are, and what is special about them, in one line for the list.
        options: a frozen dataclass, all of whose fields have defaults and are `str`, `int`, `float`, `bool`,
            `tuple[str, ...]`, or one of these or None; a field's `metadata["help"]` documents it. The field
            `symbols` takes what follows the colon of a feed spec.
        build: makes the feed: `build(feed_name, options, context)`. Raises `ConfigError`.
        offer: what it can deliver.
        venue: an exchange's `exchange.venue.Venue`, whose recordings a replay can play; None for other sources.
    """

    name: str
    summary: str
    options: type[Any]
    build: Callable[[str, Any, Context], Feed]
    offer: Offer = Offer()
    venue: object = None
