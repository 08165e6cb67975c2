"""Where a service is, what is asked of it, and what goes along with each request. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from ticker.errors import ConfigError
from ticker.selection import check_patterns, field_mask

DEFAULT_ADDRESS = "http://127.0.0.1:8000"
UNAUTHORIZED = "the token is missing, wrong or expired; TICKER_TOKEN can hold a good one"
_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_SENDABLE = re.compile(r"[!-~]+")
"""What may stand in a request's first line."""


class Address(NamedTuple):
    """Where a service is, by any of its URLs."""

    secure: bool
    authority: str
    path: str

    @classmethod
    def of(cls, url: str | None, environ: Mapping[str, str]) -> Address:
        """Read `http://HOST:PORT/BASE`, or the same with https, ws or wss; `/ws` at its end is allowed.

        Args:
            url: None means `TICKER_URL` of the environment, and without that the service on this machine.
            environ: the environment.

        Raises:
            ConfigError: it is no such URL.
        """
        text, origin = (url, "") if url else (environ.get("TICKER_URL") or DEFAULT_ADDRESS, "TICKER_URL: ")
        try:
            parts = urlsplit(text)
            host = (parts.hostname or "").encode("idna").decode()
            good = parts.scheme in _SCHEMES and host and parts.port != 0 and _SENDABLE.fullmatch(host + parts.path)
        except ValueError:  # a port that is no number, a name that is none
            good = False
        if not good or parts.query or parts.fragment:
            raise ConfigError(f"{origin}'{text}' is no address of a service; give one like {DEFAULT_ADDRESS}")
        path = parts.path.rstrip("/").removesuffix("/ws")
        return cls(_SCHEMES[parts.scheme] == "wss", parts.netloc, path)

    @property
    def stream(self) -> str:
        """The stream's URL."""
        return f"{'wss' if self.secure else 'ws'}://{self.authority}{self.path}/ws"

    def __str__(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.authority.rpartition('@')[2]}{self.path}"


def addressed(arguments: Sequence[str], url: str | None, environ: Mapping[str, str]) -> tuple[Address, list[str]]:
    """Where to ask, and for what: the address may stand before the symbols, which never contain `://`."""
    patterns = list(arguments)
    if patterns and "://" in patterns[0]:
        url = patterns.pop(0)
    return Address.of(url, environ), patterns


def heads(headers: Mapping[str, str] | None, token: str | None, environ: Mapping[str, str]) -> dict[str, str]:
    """What to send with each request: headers as given, and a token, default `TICKER_TOKEN` of the environment.

    Raises:
        ConfigError: the token cannot be sent; it is not shown.
    """
    token, origin = (token, "") if token else (environ.get("TICKER_TOKEN"), "TICKER_TOKEN: ")
    if token and not (token.isascii() and token.isprintable()):
        raise ConfigError(f"{origin}a token is ASCII on one line; there is something else in it")
    return dict(headers or {}) | ({"Authorization": f"Bearer {token}"} if token else {})


def texts(patterns: Iterable[str]) -> list[str]:
    """The patterns, if they are texts: a list of them is one that mypy sees, but no script.

    Raises:
        ConfigError: one is none.
    """
    patterns = list(patterns)
    if any(not isinstance(text, str) for text in patterns):
        raise ConfigError("give symbols and patterns as texts, each for itself: 'BTC-USD', 'ETH-*'")
    return patterns


def wanted(patterns: Iterable[str], fields: Sequence[str] | None) -> dict[str, None]:
    """The patterns, each once, if they and the fields can be.

    Raises:
        PatternError: a pattern or a field that cannot be.
        ConfigError: no pattern.
    """
    each = dict.fromkeys(texts(patterns))
    if not each:
        raise ConfigError("give at least one symbol or pattern; '*' is every consolidated symbol")
    check_patterns(each)
    if isinstance(fields, str):  # one that mypy lets pass
        raise ConfigError("give fields as a list of names: ('last', 'bid')")
    field_mask(fields)
    return each
