"""What both kinds of replay share: their options, their pace, and how quotes are handed over."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, field

from feeds.base import Sink
from ticker.model import VENUE_SYMBOL, Quote

LATENESS_S = 0.005
"""What is due sooner than this waits this long, so that what follows closely shares its batch."""
LOOP_GAP_S = 1.0
"""Recorded time from the end of a round to the beginning of the next; no recording says it."""


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What a replay is told; a `ValueError` says what cannot be."""

    symbols: str = field(default="", metadata={"help": "the file, CSV or CSV.gz, or a folder of record_raw"})
    speed: str = field(default="1", metadata={"help": "times the recorded pace, or max"})
    loop: bool = field(default=False, metadata={"help": "start again from the first row at the end"})
    venue: str = field(
        default="replay", metadata={"help": "the venue, where no column says it; of a folder, the adapter"}
    )
    map: tuple[str, ...] = field(default=(), metadata={"help": "symbols to rename, EURUSD:EUR-USD"})
    columns: tuple[str, ...] = field(default=(), metadata={"help": "all columns of a headerless file, _ skips"})
    symbol: str | None = field(default=None, metadata={"help": "the symbol, where no column says it"})
    date: str | None = field(default=None, metadata={"help": "YYYYMMDD, whose midnight a column ms counts from"})
    utc_offset_h: float = field(default=0.0, metadata={"help": "hours by which that midnight is ahead of UTC"})
    crossed: str = field(default="reject", metadata={"help": "reject or keep a bid above the ask"})

    def __post_init__(self) -> None:
        if self.crossed not in {"reject", "keep"}:
            raise ValueError(f"crossed: give reject or keep, not {self.crossed!r}")
        if not -24 < self.utc_offset_h < 24:
            raise ValueError(f"utc_offset_h: give hours between -24 and 24, not {self.utc_offset_h}")
        if not VENUE_SYMBOL.fullmatch(f"{self.venue.lower()}:X"):
            raise ValueError(f"venue: give up to 32 of a-z, 0-9, _ and -, not {self.venue!r}")

    @property
    def pace(self) -> float:
        """Recorded seconds per second; infinite for `max`. A `ValueError` says what is none."""
        with contextlib.suppress(ValueError):
            pace = math.inf if self.speed == "max" else float(self.speed)
            if 0 < pace < math.inf or self.speed == "max":
                return pace
        raise ValueError(f"speed: give a positive number or max, not {self.speed!r}")


def hand_over(batch: list[Quote], sink: Sink) -> None:
    """Publish what is due, if anything is, and empty the list."""
    if batch:
        sink.publish(batch.copy())
        batch.clear()
        if not sink.status.loaded:
            sink.loaded()
