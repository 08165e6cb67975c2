"""The options of an exchange's feed, checked before anything starts."""

from __future__ import annotations

import string
from dataclasses import dataclass, field
from urllib.parse import urlsplit

MODES = ("auto", "stream", "poll")
LONGEST_INTERVAL_S = 3600.0
_PATTERN_CHARACTERS = frozenset(string.ascii_letters + string.digits + "._^-*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeOptions:
    """The options of an exchange's feed; an interval or address of None means the exchange's own."""

    symbols: tuple[str, ...] = field(
        default=("*",), metadata={"help": "symbols wanted, `*` for any run of characters: BTC-USD,*-EUR"}
    )
    mode: str = field(
        default="auto",
        metadata={"help": "stream: WebSocket only; poll: HTTP only; auto: stream, and poll what it leaves out"},
    )
    interval_s: float | None = field(default=None, metadata={"help": "seconds from poll to poll"})
    base_url: str | None = field(
        default=None, metadata={"help": "scheme, host and port to use instead, for streams too"}
    )
    ws_url: str | None = field(default=None, metadata={"help": "scheme, host and port of the streams, if different"})
    proxy: str | None = field(default=None, metadata={"help": "URL of a proxy to go through"})
    timeout_s: float = field(
        default=5.0, metadata={"help": "deadline for one request, answer included, or one connect"}
    )
    crossed: str = field(
        default="reject", metadata={"help": "what to do with a bid above the ask: reject (both) or keep"}
    )
    key_env: str | None = field(
        default=None,
        metadata={"help": "environment variable with the exchange's key; several parts are separated by colons"},
    )
    key_file: str | None = field(default=None, metadata={"help": "file with the exchange's key"})
    record_raw: str | None = field(default=None, metadata={"help": "folder to record what the exchange sends in"})
    record_mb: int = field(default=200, metadata={"help": "size in MB at which the recording ends"})

    def __post_init__(self) -> None:
        """Raise ValueError for a value that cannot work."""
        if not self.symbols:
            raise ValueError("symbols: give at least one symbol or pattern, or '*' for all")
        for pattern in self.symbols:
            if not pattern or not _PATTERN_CHARACTERS.issuperset(pattern):
                raise ValueError(f"symbols: {pattern!r} has characters that no symbol has; write BTC-USD or *-EUR")
        if self.mode not in MODES:
            raise ValueError(f"mode: give auto, stream or poll, not {self.mode!r}")
        if self.interval_s is not None and not 0 < self.interval_s <= LONGEST_INTERVAL_S:
            raise ValueError(f"interval_s: give more than 0 and at most {LONGEST_INTERVAL_S:g} seconds")
        if not 0 < self.timeout_s <= 60:
            raise ValueError("timeout_s: give more than 0 and at most 60 seconds")
        if self.crossed not in {"reject", "keep"}:
            raise ValueError(f"crossed: give reject or keep, not {self.crossed!r}")
        if self.key_env and self.key_file:
            raise ValueError("key_file: give either key_env or key_file")
        if self.record_mb < 1:
            raise ValueError("record_mb: give at least 1")
        http, ws = ("http", "https"), ("ws", "wss")
        for name, url, schemes in (
            ("base_url", self.base_url, http), ("ws_url", self.ws_url, ws), ("proxy", self.proxy, http),
        ):  # fmt: skip
            if url is not None and not _is_url(url, schemes):
                raise ValueError(f"{name}: give a URL such as {schemes[0]}://127.0.0.1:8080")

    @property
    def names_all(self) -> bool:
        """Whether every symbol is named in full, without patterns."""
        return not any("*" in pattern for pattern in self.symbols)


def _is_url(url: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
