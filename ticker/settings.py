"""The settings of the service: what there is to set, with defaults, bounds and meanings; `config` reads them.

Feeds are kept as plain tables: what an adapter can be told is the adapter's business.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from ticker.selection import check_patterns


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if not isinstance(value, list | tuple):
        raise ValueError("should be a list, or one text with commas")
    return tuple(value)


Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
"""Several texts: a list, or one text with commas."""


def _patterns(values: tuple[str, ...]) -> tuple[str, ...]:
    check_patterns(values)
    return values


def _host(text: str) -> str:
    """An address; one of IPv6 may stand in brackets, as in a URL."""
    inner = text[1:-1] if re.fullmatch(r"\[[^\[\]]*:[^\[\]]*\]", text) else text
    if "[" in inner or "]" in inner or "/" in inner or inner.count(":") == 1:
        raise ValueError("should be an address alone, the port is one of its own: 0.0.0.0, ::1 or [::1]")
    return inner


def _hosts(values: tuple[str, ...]) -> tuple[str, ...]:
    for text in values:
        if not re.fullmatch(r"[A-Za-z0-9._-]+|\[?[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*\]?", text):
            raise ValueError("should be names or addresses, without scheme and port: prices.example")
    return values


def _origins(values: tuple[str, ...]) -> tuple[str, ...]:
    for text in values:
        if not re.fullmatch(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:.]+\](:[0-9]{1,5})?", text):
            raise ValueError("should be scheme, host and port alone, in small letters: https://app.example")
    return values


def _path(text: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", text):
        raise ValueError("should be a path that begins with a slash and ends without one: /prices")
    return text


def _networks(values: tuple[str, ...]) -> tuple[str, ...]:
    for text in values:
        try:
            ipaddress.ip_network(text)
        except ValueError:
            raise ValueError("should be addresses, or networks by their first address: 10.0.0.0/8") from None
    return values


class Section(BaseModel):
    """One table of the configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Server(Section):
    """`[server]`: where it listens and how it stops."""

    host: Annotated[str, AfterValidator(_host)] = Field(
        default="127.0.0.1", min_length=1, description="Address to listen on."
    )
    port: int = Field(default=8000, ge=0, le=65_535, description="TCP port to listen on; 0 takes a free one.")
    shutdown_grace_s: float = Field(default=10, gt=0, le=300, description="Seconds from the stop signal to the exit.")
    base_path: Annotated[str, AfterValidator(_path)] = Field(
        default="", description="Path that a proxy puts before ours: /prices."
    )
    hosts: Annotated[Names, AfterValidator(_hosts)] = Field(
        default=(), description="Host names that are served beside loopback's; empty: any, but none on loopback."
    )
    origins: Annotated[Names, AfterValidator(_origins)] = Field(
        default=(), description="Other sites whose pages may read prices: https://app.example."
    )
    frame_ancestors: Annotated[Names, AfterValidator(_origins)] = Field(
        default=(), description="Other sites whose pages may show ours in a frame: https://app.example."
    )
    trusted_proxies: Annotated[Names, AfterValidator(_networks)] = Field(
        default=(), description="Addresses and networks of proxies whose X-Forwarded-For is believed: 10.0.0.0/8."
    )
    tls_cert: str = Field(default="", description="Certificate file (PEM, with its chain); serves https and wss.")
    tls_key: str = Field(default="", description="Its key file, if it is not in the same file.")


class Hub(Section):
    """`[hub]`: the rhythm of the stream, and when a client counts as gone."""

    flush_interval_ms: int = Field(
        default=20,
        ge=0,
        le=1000,
        description="Least milliseconds between two flushes, on average; more when each takes long.",
    )
    heartbeat_ms: int = Field(
        default=5000, ge=100, le=60_000, description="Milliseconds without a frame before a heartbeat is sent."
    )
    stall_s: float = Field(default=10, gt=0, le=300, description="Seconds without taking a byte that end a client.")
    ping_interval_s: float = Field(default=20, gt=0, le=3600, description="Seconds between two WebSocket pings.")
    ping_timeout_s: float = Field(default=20, gt=0, le=3600, description="Seconds to wait for the answer to a ping.")
    compress: bool = Field(default=True, description="Compress frames, once for all who share them.")


class Store(Section):
    """`[store]`: how many symbols there may be, and when a price is old."""

    max_symbols: int = Field(default=50_000, ge=1, le=1_000_000, description="Symbols kept; what is more is rejected.")
    stale_after_s: float | None = Field(
        default=None,
        gt=0,
        le=86_400,
        description="Least seconds of silence that may be stale; unset: as each feed says.",
    )
    failback_after_s: float = Field(
        default=30, ge=0, le=86_400, description="Seconds a better source must be back before it is used again."
    )


class Limits(Section):
    """`[limits]`: what one client, and all of them together, may take."""

    patterns: int = Field(default=1000, ge=1, le=100_000, description="Patterns that one client may subscribe to.")
    wildcards: int = Field(default=32, ge=0, le=1000, description="Patterns with `*` that one client may have.")
    symbols: int = Field(
        default=50_000, ge=1, le=1_000_000, description="Symbols that one client's patterns may match."
    )
    cells: int = Field(
        default=2_000_000, ge=1, le=100_000_000, description="Symbols of all different selections together."
    )
    cells_per_address: int = Field(
        default=200_000, ge=1, le=100_000_000, description="The same, of the clients of one address."
    )
    work_per_s: int = Field(
        default=20_000,
        ge=1,
        le=10_000_000,
        description="Symbols and pattern tests a second of one client's subscribing.",
    )
    snapshot_symbols_per_s: int = Field(
        default=500_000,
        ge=1,
        le=10_000_000,
        description="Symbols a second in snapshots and whole answers for one address, or tested for its requests.",
    )
    message_bytes: int = Field(default=65_536, ge=1024, le=2**24, description="Bytes of one message of a client.")
    messages_per_s: int = Field(default=20, ge=1, le=100_000, description="Messages per second of one client.")
    connections: int = Field(
        default=20_000, ge=1, le=1_000_000, description="Connections in all, as far as open files allow."
    )
    connections_per_address: int = Field(
        default=0, ge=0, le=1_000_000, description="Connections from one address; 0 for no such limit."
    )
    connects_per_s: int = Field(default=5000, ge=1, le=1_000_000, description="New connections per second.")
    handshake_s: float = Field(
        default=10, gt=0, le=300, description="Seconds that a request's head, or the message with a token, may take."
    )


class History(Section):
    """`[history]`: how much of the past is remembered."""

    max_mb: int = Field(
        default=256, ge=1, le=65_536, description="Megabytes for bars; what nobody asked for is forgotten first."
    )


class Auth(Section):
    """`[auth]`: who may read, if not everybody."""

    tokens_file: str = Field(default="", description="File with the tokens that may read; empty: everybody may.")
    query: bool = Field(default=False, description="Whether a token may also stand in the URL: ?token=….")
    metrics: bool = Field(default=False, description="Whether /metrics asks for a token, one for metrics.")


class Metrics(Section):
    """`[metrics]`: what Prometheus may read beside the service's own counters."""

    prices: Annotated[Names, AfterValidator(_patterns)] = Field(
        default=(), description="Patterns of consolidated symbols whose prices stand at /metrics/prices; empty: none."
    )


class Log(Section):
    """`[log]`: what is written to standard error, and how."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level written.")
    format: Literal["console", "json"] = Field(default="console", description="Lines for people, or JSON lines.")


class Settings(Section):
    """All settings. `feeds` maps names, in order of preference, to `adapter` and that adapter's options."""

    server: Server = Server()
    hub: Hub = Hub()
    store: Store = Store()
    limits: Limits = Limits()
    history: History = History()
    auth: Auth = Auth()
    metrics: Metrics = Metrics()
    log: Log = Log()
    feeds: Mapping[str, Mapping[str, object]] = {"sim": {"adapter": "sim"}}
