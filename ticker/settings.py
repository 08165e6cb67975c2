"""The settings of the service: names, defaults, bounds and meanings; `config` reads them.

Feeds are kept as plain tables: which options an adapter takes is the adapter's business.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

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


def setting(default: Any, meaning: str, **bounds: Any) -> Any:
    """One setting; the README has its meaning, too."""
    return Field(default=default, description=meaning, **bounds)


class Section(BaseModel):
    """One table of the configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Server(Section):
    """`[server]`: where it listens and how it stops."""

    host: Annotated[str, AfterValidator(_host)] = setting("127.0.0.1", "Address to listen on.", min_length=1)
    port: int = setting(8000, "TCP port to listen on; 0 picks a free one.", ge=0, le=65_535)
    reuse_port: bool = setting(
        False, "Whether other processes of this user may listen on the same port, each to get its share."
    )
    shutdown_grace_s: float = setting(10, "Seconds from the stop signal to the exit.", gt=0, le=300)
    base_path: Annotated[str, AfterValidator(_path)] = setting(
        "", "Path below which a proxy serves this service: /prices."
    )
    hosts: Annotated[Names, AfterValidator(_hosts)] = setting(
        (), "Host names accepted besides loopback's; empty: any, or none if it listens there."
    )
    origins: Annotated[Names, AfterValidator(_origins)] = setting(
        (), "Other sites whose pages may read prices: https://app.example."
    )
    frame_ancestors: Annotated[Names, AfterValidator(_origins)] = setting(
        (), "Other sites that may embed the page in a frame: https://app.example."
    )
    trusted_proxies: Annotated[Names, AfterValidator(_networks)] = setting(
        (), "Addresses and networks of proxies whose X-Forwarded-For is trusted: 10.0.0.0/8."
    )
    tls_cert: str = setting("", "Certificate file (PEM, with its chain); turns on https and wss.")
    tls_key: str = setting("", "Private key file, if the key is not in the certificate file.")


class Hub(Section):
    """`[hub]`: the pace of the stream, and when a client counts as gone."""

    flush_interval_ms: int = setting(
        20, "Minimum milliseconds between two flushes, on average; more when flushes take long.", ge=0, le=1000
    )
    heartbeat_ms: int = setting(5000, "Milliseconds without a frame before a heartbeat is sent.", ge=100, le=60_000)
    stall_s: float = setting(10, "Seconds without taking a byte after which a client is disconnected.", gt=0, le=300)
    ping_interval_s: float = setting(20, "Seconds between two WebSocket pings.", gt=0, le=3600)
    ping_timeout_s: float = setting(20, "Seconds to wait for the answer to a ping.", gt=0, le=3600)
    compress: bool = setting(True, "Compress frames, once for all clients that share them.")


class Upstream(Section):
    """`[upstream]`: the service that a gateway follows, instead of having feeds."""

    url: Annotated[str, AfterValidator(_service)] = setting(
        "", "Service to follow: http://ingest.example:8000; empty: this one has feeds of its own."
    )
    token_file: str = setting("", "File with the token that service requires; empty: TICKER_TOKEN, if it is set.")


class Store(Section):
    """`[store]`: how many symbols there may be, and when a price is stale."""

    max_symbols: int = setting(50_000, "Symbols kept; more are rejected.", ge=1, le=1_000_000)
    stale_after_s: float | None = setting(
        None, "Minimum seconds of silence before a price is stale; unset: each feed's own.", gt=0, le=86_400
    )
    failback_after_s: float = setting(
        30, "Seconds that a better source must be live again before it is used.", ge=0, le=86_400
    )


class Limits(Section):
    """`[limits]`: what one client, and all of them together, may take."""

    patterns: int = setting(1000, "Patterns that one client may subscribe to.", ge=1, le=100_000)
    wildcards: int = setting(32, "Patterns with `*` that one client may have.", ge=0, le=1000)
    symbols: int = setting(50_000, "Symbols that one client's patterns may match.", ge=1, le=1_000_000)
    cells: int = setting(2_000_000, "Symbols of all distinct selections together.", ge=1, le=100_000_000)
    cells_per_address: int = setting(200_000, "The same, for the clients of one address.", ge=1, le=100_000_000)
    work_per_s: int = setting(
        20_000, "Symbols and pattern tests per second that one client's subscribing may cost.", ge=1, le=10_000_000
    )
    snapshot_symbols_per_s: int = setting(
        500_000,
        "Symbols per second in snapshots and whole answers for one address, or tested for its requests.",
        ge=1,
        le=10_000_000,
    )
    message_bytes: int = setting(65_536, "Bytes in one message from a client.", ge=1024, le=2**24)
    messages_per_s: int = setting(20, "Messages per second from one client.", ge=1, le=100_000)
    connections: int = setting(
        20_000, "Connections in total, as far as the limit on open files allows.", ge=1, le=1_000_000
    )
    connections_per_address: int = setting(0, "Connections from one address; 0: no limit.", ge=0, le=1_000_000)
    connects_per_s: int = setting(5000, "New connections per second.", ge=1, le=1_000_000)
    handshake_s: float = setting(
        10, "Seconds allowed for a TLS handshake, a request's head, or the message with a token.", gt=0, le=300
    )


class History(Section):
    """`[history]`: how much of the past is remembered."""

    max_mb: int = setting(256, "Megabytes for bars; those that nobody asked for are dropped first.", ge=1, le=65_536)


class Auth(Section):
    """`[auth]`: who may read prices, if not everyone."""

    tokens_file: str = setting("", "File with the tokens that grant access; empty: no token is needed.")
    query: bool = setting(False, "Whether a token may also be given in the URL: ?token=….")
    metrics: bool = setting(False, "Whether /metrics requires a token, one for metrics.")


class Metrics(Section):
    """`[metrics]`: what Prometheus may read besides the service's own counters."""

    prices: Annotated[Names, AfterValidator(_patterns)] = setting(
        (), "Patterns of consolidated symbols whose prices are served at /metrics/prices; empty: none."
    )


class Log(Section):
    """`[log]`: what is written to standard error, and how."""

    level: Literal["debug", "info", "warning", "error"] = setting("info", "Lowest level written.")
    format: Literal["console", "json"] = setting("console", "console: lines for people; json: JSON lines.")


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
