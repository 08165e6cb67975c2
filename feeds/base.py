"""The contract between a feed and the service, and the description of an adapter.

A feed turns some outside source into `Quote`s and hands them to a `Sink`. It never touches the store, the web
or another feed. What every feed needs and no feed should write again lives beside this file: supervision in
`runner`, the judging of rows in `rows`, all that exchanges share in `exchange`.
"""

from __future__ import annotations

import dataclasses
import random
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from feeds.budget import Budgets
from ticker.clock import Clock
from ticker.errors import ConfigError, did_you_mean
from ticker.model import Bar, FeedStatus, Quote


class Sink(Protocol):
    """Where a feed puts what it learns. All calls are synchronous and cheap."""

    status: FeedStatus
    """Plain counters of this feed; the feed adds to them directly."""

    def publish(self, quotes: Iterable[Quote]) -> None:
        """Hand over quotes, in order; this makes the feed `live`.

        A row that a poll returned is handed over even if unchanged: that confirms it.
        """

    def state(self, state: str, message: str | None = None) -> None:
        """Say that the feed is now `connecting`, `live`, `stale`, `down` or `failed`, and why."""

    def remove(self, symbols: Iterable[str]) -> None:
        """These venue symbols are gone for good (delisted)."""

    def loaded(self) -> None:
        """The feed knows its symbols now."""


class Feed(Protocol):
    """One source of prices, run by `runner.Runner`."""

    name: str
    kind: str
    """One of `model.KINDS`."""
    clock: str
    """Whose time its quotes' `ts` is: `exchange` or `received`."""
    stale_after_s: float
    """Least silence of a symbol that may count as stale."""

    async def run(self, sink: Sink) -> None:
        """Deliver until cancelled.

        Returning means the source has ended for good (a replay that does not loop); its last prices then go stale
        by age. Raise `FeedError` to be tried again with backoff, `FatalFeedError` to be parked as failed.
        """

    async def history(self, symbol: str, interval_s: int, limit: int) -> list[Bar]:
        """Older bars of a venue symbol, oldest first, the newest may be open; empty if the source has none."""


@dataclass(frozen=True, slots=True)
class Context:
    """What all feeds get from outside: time, randomness, the environment's variables, and what they share."""

    clock: Clock
    rng: random.Random
    environ: Mapping[str, str] = dataclasses.field(default_factory=dict)
    budgets: Budgets = dataclasses.field(default_factory=Budgets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What an adapter can give, and what asking for it costs.

    Attributes:
        kind: one of `model.KINDS`.
        modes: `stream`, `poll` or both; none where nobody is asked.
        key: whether it takes a key.
        interval_s: seconds from poll to poll by default.
        gap_s: fewest seconds from one request to the next.
        requests_per_symbol: what one poll of one symbol takes; 0: one request brings all symbols.
        fields: the fields of a quote that it fills, in the protocol's order.
        bars_s: the lengths of bars of its past, in seconds.
        lists: whether it can say which symbols it has.
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
        """What polling costs, in words; empty where it is not polled."""
        if "poll" not in self.modes:
            return ""
        if not self.requests_per_symbol:
            return f"all in a request, every {self.interval_s:g} s"
        noun = "a request" if self.requests_per_symbol == 1 else f"{self.requests_per_symbol} requests"
        pace = f"{1 / self.gap_s:.2g} a second" if self.gap_s < 1 else f"one every {self.gap_s:g} s"
        return f"{noun} a symbol, {pace}"


@dataclass(frozen=True, slots=True)
class Adapter:
    """One way to get prices, as listed by `ticker adapters` and named in a configuration.

    Attributes:
        name: what a feed's `adapter` says; the default name of the feed.
        summary: whose prices these are, and what is special about them, in one line for the list.
        options: a frozen dataclass, all of whose fields have defaults and are `str`, `int`, `float`, `bool`,
            `tuple[str, ...]`, or one of these or None; a field's `metadata["help"]` documents it. A field
            `symbols` takes what stands behind the colon of a feed spec.
        build: makes the feed: `build(feed_name, options, context)`. Raises `ConfigError`.
        offer: what it can give.
        venue: of an exchange its `exchange.venue.Venue`, whose recordings a replay can play; else None.
    """

    name: str
    summary: str
    options: type[Any]
    build: Callable[[str, Any, Context], Feed]
    offer: Offer = Offer()
    venue: object = None


_BOOLS = {**dict.fromkeys(("true", "yes", "on", "1"), True), **dict.fromkeys(("false", "no", "off", "0"), False)}


def parse_options(where: str, options: type[Any], given: Mapping[str, object]) -> Any:
    """Make an options object of a TOML table or of a spec's query, strings converted to the fields' types.

    Args:
        where: for messages, `feeds.alpha`.
        options: the adapter's dataclass.
        given: names and values.

    Raises:
        ConfigError: an unknown name (with the nearest right one), or a value of the wrong type.
    """
    hints = typing.get_type_hints(options)
    known = {f.name for f in dataclasses.fields(options)}
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise ConfigError(f"{where}.{name}: unknown option{did_you_mean(name, known)}")
        values[name] = _convert(f"{where}.{name}", hints[name], value)
    try:
        return options(**values)
    except ValueError as error:  # a dataclass may check itself in __post_init__
        raise ConfigError(f"{where}: {error}") from error


def _convert(where: str, hint: Any, value: object) -> Any:
    if isinstance(hint, types.UnionType):
        [hint] = set(typing.get_args(hint)) - {type(None)}
    if typing.get_origin(hint) is tuple:
        return _to_texts(where, value)
    if hint is bool:
        return _to_bool(where, value)
    if hint is str:
        return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return _to_number(where, hint, value)


def _to_texts(where: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value):
        return tuple(value)
    raise ConfigError(f"{where}: give a list of strings, or one string with commas")


def _to_bool(where: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _BOOLS:
        return _BOOLS[value.lower()]
    raise ConfigError(f"{where}: give true or false, not {value!r}")


def _to_number(where: str, hint: Any, value: object) -> Any:
    try:
        if not isinstance(value, bool) and not (hint is int and isinstance(value, float)):  # which would be cut
            return hint(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise ConfigError(f"{where}: give {'a whole number' if hint is int else 'a number'}, not {value!r}")
