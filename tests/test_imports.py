"""The layers of the design, read from the imports: downwards only, no cycles, nothing foreign below the shell."""

from __future__ import annotations

import ast
import functools
import graphlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tests.conftest import ROOT

PACKAGES = ("ticker", "feeds", "web")

LAYERS: tuple[frozenset[str], ...] = (
    frozenset(
        {
            "ticker",
            "ticker.errors",
            "ticker.harmless",
            "ticker.histogram",
            "ticker.model",
            "ticker.clock",
            "ticker.logs",
            "ticker.secret",
        }
    ),
    frozenset(
        {
            "ticker.record",
            "ticker.selection",
            "ticker.scope",
            "ticker.store",
            "ticker.protocol",
            "ticker.messages",
            "ticker.config",
            "ticker.feed_spec",
            "ticker.settings",
            "ticker.bars",
            "ticker.bucket",
            "ticker.rhythm",
            "ticker.tokens",
        }
    ),
    frozenset(
        {
            "ticker.groups",
            "ticker.growth",
            "ticker.interest",
            "ticker.readers",
            "ticker.quota",
            "ticker.session",
            "ticker.suggestions",
            "ticker.slices",
            "ticker.large_frames",
            "ticker.consolidate",
            "ticker.intake",
            "ticker.source",
            "ticker.staleness",
            "ticker.upstream",
            "ticker.incoming",
        }
    ),
    frozenset(
        {
            "ticker.journal",
            "ticker.hub",
            "ticker.turns",
            "ticker.metrics",
            "ticker.price_gauges",
            "ticker.service",
            "ticker.candles",
            "ticker.past",
            "ticker.tapes",
        }
    ),
    frozenset({"feeds", "web", "ticker.client"}),
    frozenset(
        {
            "ticker.cli",
            "ticker.commands",
            "ticker.run",
            "ticker.gateway",
            "ticker.garbage",
            "ticker.outlet",
            "ticker.progress",
            "ticker.__main__",
        }
    ),
)
"""From the bottom up. A new module of `ticker` must be given its place here; `feeds`, `web` and the client library
are one layer whole."""
CLIENT_SEES = {f"ticker.{name}" for name in ("errors", "model", "clock", "protocol", "messages", "selection")}
"""A script brings no part of the service: values, and what the wire's own words mean."""
COMMANDS = "ticker.commands"
"""The commands that ask a running service; they see the client library and what that sees."""
ASKS_EXCHANGES = f"{COMMANDS}.adapters"
"""The one command that shows what the feeds are instead."""

THIRD_PARTY = {
    "ticker.protocol": {"msgspec", "orjson"},
    "ticker.messages": {"orjson"},
    "ticker.config": {"pydantic"},
    "ticker.settings": {"pydantic"},
}
"""What the three lower layers may use besides the standard library."""
NETWORK = {"socket", "ssl", "http", "urllib", "urllib.request", "socketserver", "select", "selectors"}
LOWER = sorted(frozenset().union(*LAYERS[:3]))
SYNCHRONOUS = (
    "record", "selection", "scope", "store", "protocol", "messages", "readers", "groups", "slices", "large_frames",
    "quota", "bucket", "session", "suggestions", "consolidate", "intake", "source", "staleness", "rhythm", "errors",
    "growth", "interest", "upstream", "incoming", "harmless", "histogram", "model", "secret",
)  # fmt: skip
ASYNC_NODES = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}


@functools.cache
def tree(name: str) -> ast.Module:
    """A module's code, read when a test asks for it: every process that runs tests loads this file."""
    return ast.parse(SOURCES[name].read_bytes(), str(SOURCES[name]))


def imported(code: ast.AST) -> Iterator[str]:
    """The full names of the modules that are imported anywhere in some code, in functions and for types as well."""
    for node in ast.walk(code):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the layers"
            assert node.module is not None
            within = [f"{node.module}.{alias.name}" for alias in node.names]
            modules = [name for name in within if name in SOURCES]
            yield from modules
            if len(modules) < len(within):
                yield node.module
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "importlib.import_module":
            yield from (str(arg.value) for arg in node.args if isinstance(arg, ast.Constant))


@functools.cache
def imports(name: str) -> frozenset[str]:
    return frozenset(imported(tree(name)))


def ours(name: str) -> set[str]:
    """What a module imports of our own."""
    return {other for other in imports(name) if other in SOURCES}


def package(name: str) -> str:
    return name.partition(".")[0]


def is_client(name: str) -> bool:
    return f"{name}.".startswith("ticker.client.")


def is_command(name: str) -> bool:
    return f"{name}.".startswith(f"{COMMANDS}.")


def layer(name: str) -> int:
    """The number of a module's layer, 0 at the bottom."""
    known = name if package(name) == "ticker" else package(name)
    known = "ticker.client" if is_client(name) else COMMANDS if is_command(name) else known
    places = [i for i, names in enumerate(LAYERS) if known in names]
    assert len(places) == 1, f"{name} has no place, or several, in the layers of {Path(__file__).name}"
    return places[0]


def wrong(names: Iterable[str], of: Callable[[str], object]) -> dict[str, object]:
    """What is wrong with each of these modules, if anything is."""
    return {name: found for name in names if (found := of(name))}


def test_sources_were_found() -> None:
    """The test looks at real files: the modules that must exist are among them, and their imports are seen."""
    assert {"ticker.store", "feeds.base", "web.app", "feeds.venues.kraken"} <= set(SOURCES)
    assert "ticker.record" in ours("ticker.store")
    assert "orjson" in imports("ticker.protocol")


def test_imports_go_downwards() -> None:
    """A module imports from its own layer or from lower ones."""
    assert wrong(SOURCES, lambda name: {other for other in ours(name) if layer(other) > layer(name)}) == {}


def test_every_layered_module_exists() -> None:
    """The table of layers names nothing that is gone."""
    assert {name for names in LAYERS for name in names} <= set(SOURCES)


def test_no_cycles() -> None:
    """Modules can be put into an order in which each needs only those before it."""
    order = list(graphlib.TopologicalSorter({name: ours(name) for name in SOURCES}).static_order())
    assert set(order) == set(SOURCES)


def test_feeds_import_only_the_bottom_layers_and_feeds() -> None:
    """A feed knows values, clock, errors and the feeds' own base, but neither store nor web."""
    feeds = {name for name in SOURCES if package(name) == "feeds"}
    assert wrong(feeds, lambda name: {other for other in ours(name) - feeds if layer(other) > 0}) == {}


def test_web_imports_no_feed() -> None:
    """That no feed imports the web is tested above."""
    shell = {name for name in SOURCES if package(name) == "web"}
    assert wrong(shell, lambda name: {other for other in ours(name) if package(other) == "feeds"}) == {}


def test_only_commands_import_the_client_library() -> None:
    """It needs nothing of the service."""
    library = {name for name in SOURCES if is_client(name)}
    assert wrong(library, lambda name: ours(name) - library - CLIENT_SEES - {"ticker"}) == {}
    below = {name for name in SOURCES if layer(name) < len(LAYERS) - 1}
    assert wrong(below - library, lambda name: ours(name) & library) == {}


def test_commands_import_no_part_of_the_service() -> None:
    """A command that asks a running service starts fast."""
    seen = (
        {name for name in SOURCES if is_client(name) or is_command(name)} | CLIENT_SEES | {"ticker", "ticker.harmless"}
    )
    asking = {name for name in SOURCES if is_command(name)} - {ASKS_EXCHANGES}
    assert wrong(asking, lambda name: ours(name) - seen) == {}


def test_core_is_synchronous() -> None:
    """The core neither awaits nor knows the loop: what reads and writes shared state cannot be interrupted."""
    core = [f"ticker.{name}" for name in SYNCHRONOUS]
    waits = wrong(core, lambda name: [node.lineno for node in ast.walk(tree(name)) if isinstance(node, ASYNC_NODES)])
    assert waits == {}
    assert wrong(core, lambda name: imports(name) & {"asyncio"}) == {}


def test_lower_layers_use_no_foreign_library() -> None:
    """Below the hub there is no web framework, no network and no metrics library; pydantic is for the settings only."""

    def foreign(name: str) -> set[str]:
        roots = {package(other) for other in imports(name)}
        return roots - sys.stdlib_module_names - {"__future__", *PACKAGES} - THIRD_PARTY.get(name, set())

    def network(name: str) -> set[str]:
        return {other for other in imports(name) if other in NETWORK or package(other) in NETWORK - {"urllib"}}

    assert wrong(LOWER, foreign) == {}
    assert wrong(LOWER, network) == {}


def test_only_the_configuration_uses_pydantic() -> None:
    """All other models are dataclasses."""
    others = SOURCES.keys() - {"ticker.config", "ticker.settings"}
    assert wrong(others, lambda name: {other for other in imports(name) if other.startswith("pydantic")}) == {}


def test_no_exchange_is_named_outside_its_file() -> None:
    """Generic code is generic to the letter: in names, texts and examples, including those of the page."""
    exchanges = {name.rpartition(".")[2].partition("_")[0] for name in SOURCES if name.startswith("feeds.venues.")}
    assert {"kraken", "binance"} <= exchanges
    word = re.compile("|".join(sorted(exchanges)), re.IGNORECASE)
    files = [path for folder in PACKAGES for path in sorted((ROOT / folder).rglob("*.*")) if path.suffix != ".pyc"]
    elsewhere = [path for path in files if (ROOT / "feeds" / "venues") not in path.parents]
    named = {str(path.relative_to(ROOT)): word.findall(path.read_text("utf-8", "replace")) for path in elsewhere}
    assert {name: words for name, words in named.items() if words} == {}


def test_a_benchmark_collects_garbage_like_the_service() -> None:
    """Seen: it was measured without, for it imports `conftest`, which had switched that off until tests are there."""
    code = "import gc, tests.bench.parse; print(gc.isenabled())"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert told.stdout == "True\n"
