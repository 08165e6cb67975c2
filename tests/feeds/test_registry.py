"""Adapters by name: found without an import, built with their options, and told apart from unknown ones."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from feeds import registry
from feeds.base import Adapter, Context, Feed, Sink
from tests.clock import ManualClock
from ticker.errors import ConfigError
from ticker.model import Bar

ROOT = Path(__file__).resolve().parents[2]
CONTEXT = Context(ManualClock(), random.Random(1))


@dataclass(frozen=True)
class Options:
    symbols: tuple[str, ...] = ("*",)
    interval_s: float = 1.0
    folder: str | None = None


@dataclass
class QuietFeed:
    """A feed that only remembers what it was made of."""

    name: str
    options: Options
    context: Context
    kind: str = "live"
    clock: str = "received"
    stale_after_s: float = 5.0

    async def run(self, sink: Sink) -> None:
        sink.loaded()

    async def history(self, symbol: str, interval_s: int, limit: int) -> list[Bar]:
        return []


ADAPTER = Adapter("quiet", "says nothing", Options, QuietFeed)
NO_ADAPTER = "something else"


def never() -> Adapter:
    raise AssertionError("imported although nobody wants it")


KNOWN: dict[str, Callable[[], Adapter]] = {"quiet": lambda: ADAPTER, "other": never}


def quiet(feed: Feed) -> QuietFeed:
    assert isinstance(feed, QuietFeed)
    return feed


def test_a_feed_is_built_from_its_table() -> None:
    """The options are converted and handed to the adapter with name and context; no other adapter is imported."""
    table = {"adapter": "quiet", "symbols": "A, B", "interval_s": "2", "folder": ["C", "D"]}
    before = table.copy()
    feed = quiet(registry.build("eu", table, CONTEXT, KNOWN))
    assert (feed.name, feed.options, feed.context) == ("eu", Options(("A", "B"), 2.0, "C,D"), CONTEXT)
    assert table == before


def test_a_feed_is_named_after_its_adapter() -> None:
    """A table without `adapter` means the adapter of the feed's name."""
    assert quiet(registry.build("quiet", {}, CONTEXT, KNOWN)).options == Options()


@pytest.mark.parametrize(
    ("name", "table", "message"),
    [
        ("quite", {}, "feeds.quite.adapter: unknown 'quite'; did you mean 'quiet'?"),
        ("eu", {"adapter": "quit"}, "feeds.eu.adapter: unknown 'quit'; did you mean 'quiet'?"),
        ("eu", {"adapter": "zzzz"}, "feeds.eu.adapter: unknown 'zzzz'; choose from: other, quiet"),
        ("eu", {"adapter": 3}, "feeds.eu.adapter: unknown 3; choose from: other, quiet"),
        ("eu", {"adapter": ["quiet"]}, "feeds.eu.adapter: unknown ['quiet']; did you mean 'quiet'?"),
        ("quiet", {"intervall_s": 1}, "feeds.quiet.intervall_s: unknown option; did you mean 'interval_s'?"),
        ("quiet", {"interval_s": "x"}, "feeds.quiet.interval_s: give a number, not 'x'"),
        ("quiet", {"interval_s": True}, "feeds.quiet.interval_s: give a number, not True"),
        ("quiet", {"symbols": [1]}, "feeds.quiet.symbols: give a list of strings, or one string separated by commas"),
    ],
)
def test_an_unknown_adapter_or_option_is_named_with_the_nearest(
    name: str, table: dict[str, object], message: str
) -> None:
    """So is a wrong value: the error has its place and what would be right."""
    with pytest.raises(ConfigError) as caught:
        registry.build(name, table, CONTEXT, KNOWN)
    assert str(caught.value) == message


def test_all_adapters_are_listed_by_name() -> None:
    """The list is complete and sorted."""
    other = Adapter("another", "", Options, QuietFeed)
    listed = registry.adapters({"quiet": lambda: ADAPTER, "another": lambda: other})
    assert list(listed.items()) == [("another", other), ("quiet", ADAPTER)]


def test_every_built_in_adapter_is_found_by_its_module_name() -> None:
    """Simulator, replay and each module of `feeds.venues`; names agree, so a module's name finds it."""
    venues = {file.stem for file in (ROOT / "feeds" / "venues").glob("[!_]*.py")}
    assert venues
    own = {name: load() for name, load in registry.loaders().items() if name in {"sim", "replay", *venues}}
    assert {name: adapter.name for name, adapter in own.items()} == {name: name for name in ("sim", "replay", *venues)}
    assert all(adapter.summary for adapter in own.values())


def point(value: str, name: str = "mine") -> EntryPoint:
    return EntryPoint(name=name, value=value, group=registry.ENTRY_POINT_GROUP)


def test_an_adapter_of_another_package_is_found() -> None:
    """It is registered under its entry point's name, and imported when wanted."""
    known = registry.loaders([point(f"{__name__}:ADAPTER"), point("no_such_package:ADAPTER", "broken")])
    assert quiet(registry.build("eu", {"adapter": "mine"}, CONTEXT, known)).name == "eu"


def test_a_package_that_cannot_be_imported_is_named() -> None:
    """So is one whose object is no adapter, in one line."""
    for value, reason in (
        ("no_such_package:ADAPTER", "cannot be imported: No module named 'no_such_package'"),
        (f"{__name__}:MISSING", f"cannot be imported: module '{__name__}' has no attribute 'MISSING'"),
        (f"{__name__}:NO_ADAPTER", "is not a feeds.base.Adapter"),
    ):
        with pytest.raises(ConfigError) as caught:
            registry.build("mine", {}, CONTEXT, registry.loaders([point(value)]))
        assert str(caught.value) == f"adapter 'mine' ({value}) {reason}"


def test_a_package_cannot_replace_a_built_in_adapter() -> None:
    """A built-in adapter stays what it is, whatever is installed."""
    known = registry.loaders([point(f"{__name__}:ADAPTER", "kraken")])
    assert known["kraken"]().name == "kraken"


def test_an_adapter_is_imported_when_wanted_and_alone() -> None:
    """Building the simulator imports no HTTP client and no venue."""
    code = """
import random, sys
from feeds import registry
from feeds.base import Context
from ticker.clock import Clock
registry.build("sim", {}, Context(Clock(), random.Random(1)))
print(sorted(name for name in sys.modules if name in ("httpx", "fastapi") or name.startswith("feeds.venues.")))
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
