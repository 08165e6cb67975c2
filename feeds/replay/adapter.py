"""The adapter of recordings: a tick file, or a folder written by `record_raw`."""

from __future__ import annotations

import os

from feeds.base import Adapter, Context, Feed, Offer
from feeds.replay.options import ReplayOptions
from feeds.replay.ticks import Replay
from ticker.errors import ConfigError, FatalFeedError


def _build(name: str, options: ReplayOptions, context: Context) -> Feed:
    if not options.symbols:
        raise ConfigError(f"feeds.{name}: name the file or folder to play: replay:quotes.csv.gz")
    try:
        if os.path.isdir(options.symbols):  # noqa: PTH112 - Path.is_dir raises for a name that is too long
            from feeds.replay.folder import of_folder

            return of_folder(name, options, context)
        return Replay(name, options, context)
    except (ValueError, FatalFeedError) as error:
        raise ConfigError(f"feeds.{name}: cannot replay {options.symbols!r}: {error}") from error


ADAPTER = Adapter(
    "replay",
    "recorded tick files (CSV, CSV.gz), and folders written by record_raw",
    ReplayOptions,
    _build,
    Offer(kind="replay", fields=("last", "bid", "ask")),
)
