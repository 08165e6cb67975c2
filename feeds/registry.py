"""Finds adapters by name, and makes feeds.

An adapter is the `ADAPTER` of a module in `feeds.venues` (named after the module), an entry point in the group
`ticker.feeds` of another package (named after the entry point), or `sim` or `replay`, which need no exchange. A
module is imported only when its adapter is used: a simulated market needs no HTTP client. Another package cannot
take over a built-in name.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.metadata import EntryPoint, entry_points

from feeds import venues
from feeds.base import Adapter, Context, Feed
from feeds.options import parse_options
from ticker.errors import ConfigError, did_you_mean

Loaders = Mapping[str, Callable[[], Adapter]]
"""Names of adapters, and what imports each."""

ENTRY_POINT_GROUP = "ticker.feeds"


def loaders(installed: Iterable[EntryPoint] | None = None) -> Loaders:
    """All adapters by name, none of them imported yet; `installed` are the entry points of other packages."""
    points = entry_points(group=ENTRY_POINT_GROUP) if installed is None else installed
    found = {point.name: partial(_load_entry_point, point) for point in points}
    modules = {
        module.name: f"{venues.__name__}.{module.name}"
        for module in pkgutil.iter_modules(venues.__path__)
        if not module.name.startswith("_")
    }
    modules |= {"sim": "feeds.sim.feed", "replay": "feeds.replay.adapter"}
    return {**found, **{name: partial(_load_module, module) for name, module in modules.items()}}


def adapters(known: Loaders | None = None) -> dict[str, Adapter]:
    """All adapters, imported, by name.

    Raises:
        ConfigError: another package's adapter cannot be imported.
    """
    known = loaders() if known is None else known
    return {name: known[name]() for name in sorted(known)}


def build(name: str, table: Mapping[str, object], context: Context, known: Loaders | None = None) -> Feed:
    """Make a feed from its table in the configuration.

    Args:
        name: the feed's name, the prefix of its symbols.
        table: `adapter` (default: the feed's name) and that adapter's options.
        context: what the feed gets from outside.
        known: where to look adapters up.

    Raises:
        ConfigError: the adapter is unknown, or rejects its options.
    """
    known = loaders() if known is None else known
    adapter_name = table.get("adapter", name)
    if not isinstance(adapter_name, str) or adapter_name not in known:
        clause = did_you_mean(str(adapter_name), known)
        raise ConfigError(f"feeds.{name}.adapter: unknown {adapter_name!r}{clause}")
    adapter = known[adapter_name]()
    given = {option: value for option, value in table.items() if option != "adapter"}
    options = parse_options(f"feeds.{name}", adapter.options, given)
    return adapter.build(name, options, context)


def _load_module(module: str) -> Adapter:
    adapter: Adapter = importlib.import_module(module).ADAPTER
    return adapter


def _load_entry_point(point: EntryPoint) -> Adapter:
    try:
        adapter = point.load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"adapter '{point.name}' ({point.value}) cannot be imported: {error}") from error
    if not isinstance(adapter, Adapter):
        raise ConfigError(f"adapter '{point.name}' ({point.value}) is not a feeds.base.Adapter")
    return adapter
