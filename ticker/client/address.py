"""Where a service is, what to ask it for, and the headers of each request. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from ticker.errors import ConfigError
from ticker.selection import check_patterns, field_mask

DEFAULT_ADDRESS = "http://127.0.0.1:8000"
UNAUTHORIZED = "the token is missing, wrong or expired; set TICKER_TOKEN to a valid one"
_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_SENDABLE = re.compile(r"[!-~]+")
"""The characters allowed in the first line of a request."""


class Address(NamedTuple):
    """Where a service is, from any of its URLs."""

    secure: bool
    authority: str
    path: str

    @classmethod
    def of(cls, url: str | None, environ: Mapping[str, str]) -> Address:
        """Parse `http://HOST:PORT/BASE`, or the same with https, ws or wss; it may end in `/ws`.

        Args:
            url: None for `TICKER_URL` of the environment or, without that, the service on this machine.
            environ: the environment.

        Raises:
            ConfigError: it is not such a URL.
        """
        text, origin = (url, "") if url else (environ.get("TICKER_URL") or DEFAULT_ADDRESS, "TICKER_URL: ")
        try:
            parts = urlsplit(text)
            host = (parts.hostname or "").encode("idna").decode()
            good = parts.scheme in _SCHEMES and host and parts.port != 0 and _SENDABLE.fullmatch(host + parts.path)
        except ValueError:  # an invalid port or host name
            good = False
        if not good or parts.query or parts.fragment:
            shown = re.sub("//.*@", "//…@", text)  # without a password
            raise ConfigError(f"{origin}'{shown}' is not the address of a service; give one like {DEFAULT_ADDRESS}")
        path = parts.path.rstrip("/").removesuffix("/ws")
        return cls(_SCHEMES[parts.scheme] == "wss", parts.netloc, path)

    @property
    def stream(self) -> str:
        """The stream's URL."""
        return f"{'wss' if self.secure else 'ws'}://{self.authority}{self.path}/ws"

    def __str__(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.authority.rpartition('@')[2]}{self.path}"


def split_address(arguments: Sequence[str], url: str | None, environ: Mapping[str, str]) -> tuple[Address, list[str]]:
    """The service's address and the patterns: the address may come first, as no pattern contains `://`."""
    patterns = check_strings(arguments)
    if patterns and "://" in patterns[0]:
        url = patterns.pop(0)
    return Address.of(url, environ), patterns


def request_headers(headers: Mapping[str, str] | None, token: str | None, environ: Mapping[str, str]) -> dict[str, str]:
    """The headers of each request: those given, and the token, by default `TICKER_TOKEN` of the environment.

    Raises:
        ConfigError: the token cannot be sent. The message does not show it.
    """
    token, origin = (token, "") if token else (environ.get("TICKER_TOKEN"), "TICKER_TOKEN: ")
    if token and not (token.isascii() and token.isprintable()):
        raise ConfigError(f"{origin}a token is one line of printable ASCII; this one is not")
    return dict(headers or {}) | ({"Authorization": f"Bearer {token}"} if token else {})


def check_strings(patterns: Iterable[str]) -> list[str]:
    """The patterns, if all are strings: mypy reports a list passed as one argument, but a script may not use mypy.

    Raises:
        ConfigError: one is not a string.
    """
    patterns = list(patterns)
    if any(not isinstance(text, str) for text in patterns):
        raise ConfigError("give each symbol or pattern as a string of its own: 'BTC-USD', 'ETH-*'")
    return patterns


def check_selection(patterns: Iterable[str], fields: Sequence[str] | None) -> dict[str, None]:
    """The patterns without duplicates, if they and the fields are valid.

    Raises:
        PatternError: a pattern is malformed, or a field does not exist.
        ConfigError: there is no pattern, or an argument has the wrong type.
    """
    unique = dict.fromkeys(check_strings(patterns))
    if not unique:
        raise ConfigError("give at least one symbol or pattern; '*' is every consolidated symbol")
    check_patterns(unique)
    if isinstance(fields, str):  # a str is a Sequence[str], so mypy accepts it
        raise ConfigError("give fields as a list of names: ('last', 'bid')")
    field_mask(fields)
    return unique
