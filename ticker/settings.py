"""The settings of the service: names, defaults, bounds and meanings; `config` reads them.

Feeds are kept as plain tables: which options an adapter takes is the adapter's business.
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
        raise ValueError("should be a list, or one string with commas")
    return tuple(value)


Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
"""Several strings: a list, or one string with commas."""


def _patterns(values: tuple[str, ...]) -> tuple[str, ...]:
    check_patterns(values)
    return values


def _host(text: str) -> str:
    """An address; an IPv6 one may be in brackets, as in a URL."""
    inner = text[1:-1] if re.fullmatch(r"\[[^\[\]]*:[^\[\]]*\]", text) else text
    if "[" in inner or "]" in inner or "/" in inner or inner.count(":") == 1:
        raise ValueError("should be an address, the port is a setting of its own: 0.0.0.0, ::1 or [::1]")
    return inner


def _hosts(values: tuple[str, ...]) -> tuple[str, ...]:
    for text in values:
        if not re.fullmatch(r"[A-Za-z0-9._-]+|\[?[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*\]?", text):
            raise ValueError("should be names or addresses, without scheme and port: prices.example")
    return values


def _origins(values: tuple[str, ...]) -> tuple[str, ...]:
    for text in values:
        if not re.fullmatch(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:.]+\](:[0-9]{1,5})?", text):
            raise ValueError("should be scheme, host and port only, in lower case: https://app.example")
    return values


def _path(text: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", text):
        raise ValueError("should be a path that begins with a slash and ends without one: /prices")
    return text


def _service(text: str) -> str:
    if text and not re.fullmatch(r"(https?|wss?)://[!-~]+", text):
        raise ValueError("should be the address of a service: http://ingest.example:8000")
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
    port: int = Field(default=8000, ge=0, le=65_535, description="TCP port to listen on; 0 picks a free one.")
    reuse_port: bool = Field(
        default=False,
        description="Whether other processes of this user may listen on the same port, each to get its share.",
    )
    shutdown_grace_s: float = Field(default=10, gt=0, le=300, description="Seconds from the stop signal to the exit.")
    base_path: Annotated[str, AfterValidator(_path)] = Field(
        default="", description="Path below which a proxy serves this service: /prices."
    )
    hosts: Annotated[Names, AfterValidator(_hosts)] = Field(
        default=(), description="Host names accepted besides loopback's; empty: any, or none if it listens there."
    )
    origins: Annotated[Names, AfterValidator(_origins)] = Field(
        default=(), description="Other sites whose pages may read prices: https://app.example."
    )
    frame_ancestors: Annotated[Names, AfterValidator(_origins)] = Field(
        default=(), description="Other sites that may embed the page in a frame: https://app.example."
    )
    trusted_proxies: Annotated[Names, AfterValidator(_networks)] = Field(
        default=(), description="Addresses and networks of proxies whose X-Forwarded-For is trusted: 10.0.0.0/8."
    )
    tls_cert: str = Field(default="", description="Certificate file (PEM, with its chain); turns on https and wss.")
    tls_key: str = Field(default="", description="Private key file, if the key is not in the certificate file.")


class Hub(Section):
    """`[hub]`: the pace of the stream, and when a client counts as gone."""

    flush_interval_ms: int = Field(
        default=20,
        ge=0,
        le=1000,
        description="Minimum milliseconds between two flushes, on average; more when flushes take long.",
    )
    heartbeat_ms: int = Field(
        default=5000, ge=100, le=60_000, description="Milliseconds without a frame before a heartbeat is sent."
    )
    stall_s: float = Field(
        default=10, gt=0, le=300, description="Seconds without taking a byte after which a client is disconnected."
    )
    ping_interval_s: float = Field(default=20, gt=0, le=3600, description="Seconds between two WebSocket pings.")
    ping_timeout_s: float = Field(default=20, gt=0, le=3600, description="Seconds to wait for the answer to a ping.")
    compress: bool = Field(default=True, description="Compress frames, once for all clients that share them.")


class Upstream(Section):
    """`[upstream]`: the service that a gateway follows, instead of having feeds."""

    url: Annotated[str, AfterValidator(_service)] = Field(
        default="", description="Service to follow: http://ingest.example:8000; empty: this one has feeds of its own."
    )
    token_file: str = Field(
        default="", description="File with the token that service requires; empty: TICKER_TOKEN, if it is set."
    )


class Store(Section):
    """`[store]`: how many symbols there may be, and when a price is stale."""

    max_symbols: int = Field(default=50_000, ge=1, le=1_000_000, description="Symbols kept; more are rejected.")
    stale_after_s: float | None = Field(
        default=None,
        gt=0,
        le=86_400,
        description="Minimum seconds of silence before a price is stale; unset: each feed's own.",
    )
    failback_after_s: float = Field(
        default=30, ge=0, le=86_400, description="Seconds that a better source must be live again before it is used."
    )


class Limits(Section):
    """`[limits]`: what one client, and all of them together, may take."""

    patterns: int = Field(default=1000, ge=1, le=100_000, description="Patterns that one client may subscribe to.")
    wildcards: int = Field(default=32, ge=0, le=1000, description="Patterns with `*` that one client may have.")
    symbols: int = Field(
        default=50_000, ge=1, le=1_000_000, description="Symbols that one client's patterns may match."
    )
    cells: int = Field(
        default=2_000_000, ge=1, le=100_000_000, description="Symbols of all distinct selections together."
    )
    cells_per_address: int = Field(
        default=200_000, ge=1, le=100_000_000, description="The same, for the clients of one address."
    )
    work_per_s: int = Field(
        default=20_000,
        ge=1,
        le=10_000_000,
        description="Symbols and pattern tests per second that one client's subscribing may cost.",
    )
    snapshot_symbols_per_s: int = Field(
        default=500_000,
        ge=1,
        le=10_000_000,
        description="Symbols per second in snapshots and whole answers for one address, or tested for its requests.",
    )
    message_bytes: int = Field(default=65_536, ge=1024, le=2**24, description="Bytes in one message from a client.")
    messages_per_s: int = Field(default=20, ge=1, le=100_000, description="Messages per second from one client.")
    connections: int = Field(
        default=20_000,
        ge=1,
        le=1_000_000,
        description="Connections in total, as far as the limit on open files allows.",
    )
    connections_per_address: int = Field(
        default=0, ge=0, le=1_000_000, description="Connections from one address; 0: no limit."
    )
    connects_per_s: int = Field(default=5000, ge=1, le=1_000_000, description="New connections per second.")
    handshake_s: float = Field(
        default=10,
        gt=0,
        le=300,
        description="Seconds allowed for a TLS handshake, a request's head, or the message with a token.",
    )


class History(Section):
    """`[history]`: how much of the past is remembered."""

    max_mb: int = Field(
        default=256, ge=1, le=65_536, description="Megabytes for bars; those that nobody asked for are dropped first."
    )


class Auth(Section):
    """`[auth]`: who may read prices, if not everyone."""

    tokens_file: str = Field(
        default="", description="File with the tokens that grant access; empty: no token is needed."
    )
    query: bool = Field(default=False, description="Whether a token may also be given in the URL: ?token=….")
    metrics: bool = Field(default=False, description="Whether /metrics requires a token, one for metrics.")


class Metrics(Section):
    """`[metrics]`: what Prometheus may read besides the service's own counters."""

    prices: Annotated[Names, AfterValidator(_patterns)] = Field(
        default=(),
        description="Patterns of consolidated symbols whose prices are served at /metrics/prices; empty: none.",
    )


class Log(Section):
    """`[log]`: what is written to standard error, and how."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Lowest level written.")
    format: Literal["console", "json"] = Field(
        default="console", description="console: lines for people; json: JSON lines."
    )


class Settings(Section):
    """All settings. `feeds` maps names, in order of preference, to `adapter` and that adapter's options."""

    server: Server = Server()
    hub: Hub = Hub()
    upstream: Upstream = Upstream()
    store: Store = Store()
    limits: Limits = Limits()
    history: History = History()
    auth: Auth = Auth()
    metrics: Metrics = Metrics()
    log: Log = Log()
    feeds: Mapping[str, Mapping[str, object]] = {"sim": {"adapter": "sim"}}
