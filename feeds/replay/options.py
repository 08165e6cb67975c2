"""The options of a replay, of a tick file or of a folder."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, field

from ticker.model import VENUE_SYMBOL

LOOP_GAP_S = 1.0
"""Recorded time from the end of a round to the start of the next."""


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """The options of a replay; raises `ValueError` for invalid ones."""

    symbols: str = field(default="", metadata={"help": "the file, CSV or CSV.gz, or a folder written by record_raw"})
    speed: str = field(default="1", metadata={"help": "multiple of the recorded pace, or max"})
    loop: bool = field(default=False, metadata={"help": "start over at the end"})
    venue: str = field(default="replay", metadata={"help": "the venue, if no column has it; for a folder, the adapter"})
    map: tuple[str, ...] = field(default=(), metadata={"help": "symbols to rename, EURUSD:EUR-USD"})
    columns: tuple[str, ...] = field(
        default=(), metadata={"help": "all columns of a file without a header; _ skips one"}
    )
    symbol: str | None = field(default=None, metadata={"help": "the symbol, if no column has it"})
    date: str | None = field(
        default=None, metadata={"help": "YYYYMMDD, the day from whose midnight a column ms counts"}
    )
    utc_offset_h: float = field(default=0.0, metadata={"help": "UTC offset of that midnight, in hours"})
    crossed: str = field(
        default="reject", metadata={"help": "what to do with a bid above the ask: reject (both) or keep"}
    )

    def __post_init__(self) -> None:
        if self.crossed not in {"reject", "keep"}:
            raise ValueError(f"crossed: give reject or keep, not {self.crossed!r}")
        if not -24 < self.utc_offset_h < 24:
            raise ValueError(f"utc_offset_h: give hours between -24 and 24, not {self.utc_offset_h}")
        if not VENUE_SYMBOL.fullmatch(f"{self.venue.lower()}:X"):
            raise ValueError(f"venue: give up to 32 of a-z, 0-9, _ and -, not {self.venue!r}")

    @property
    def pace(self) -> float:
        """Recorded seconds per second; infinite for `max`. Raises `ValueError` for anything else."""
        with contextlib.suppress(ValueError):
            pace = math.inf if self.speed == "max" else float(self.speed)
            if 0 < pace < math.inf or self.speed == "max":
                return pace
        raise ValueError(f"speed: give a positive number or max, not {self.speed!r}")
