"""Who may read prices: tokens from a file, kept as hashes, each with a name, its uses, and perhaps an expiry.

    [grafana]                                  # the name, for the log
    sha256 = "9f86d081884c7d659a2feaa0…"       # of the token's text
    expires = 2027-01-01T00:00:00Z             # optional
    for = ["prices", "metrics"]                # optional; without it ["prices"]

The file is read again after a change, so tokens come and go without a restart. It must have been left alone for a
second first, as half a file may look like a whole one. If it is then broken nothing changes, and the log says so once.
Comparison takes constant time, and nothing here keeps, shows or logs the text of a token.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from ticker.errors import ConfigError, did_you_mean

USES = ("prices", "metrics")
SETTLED_MS = 1000
"""A file that was not written to for this long is taken as complete."""

log = logging.getLogger("ticker.tokens")


class Token(NamedTuple):
    """One entry of the file; `expires` is in ms since 1970 UTC."""

    name: str
    digest: bytes
    expires: int | None
    uses: frozenset[str]


class Tokens:
    """The tokens of one file.

    Args:
        path: the file.
        wall_ms: the clock that tokens expire by.

    Raises:
        ConfigError: it cannot be read or is faulty.
    """

    def __init__(self, path: Path, wall_ms: Callable[[], int]) -> None:
        self._path = path
        self._wall_ms = wall_ms
        self._read = self._told = self._stamp()
        self._tokens = _tokens(_bytes(path), path)

    def find(self, text: str, use: str) -> Token | None:
        """The token with this text, if it is known, has not expired, and is for this use."""
        self._refresh()
        digest = hashlib.sha256(text.encode(errors="surrogateescape")).digest()
        found = None
        for token in self._tokens:  # always all of them: constant time
            if hmac.compare_digest(token.digest, digest) and use in token.uses and self._lasts(token):
                found = token
        return found

    def holds(self, token: Token) -> bool:
        """Whether a token that was good still is: it has not expired and is still in the file."""
        self._refresh()
        return token in self._tokens and self._lasts(token)

    def _lasts(self, token: Token) -> bool:
        return token.expires is None or self._wall_ms() < token.expires

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _refresh(self) -> None:
        stamp = self._stamp()
        if stamp == self._read or (stamp and abs(self._wall_ms() - stamp[0] // 1_000_000) < SETTLED_MS):
            return
        try:
            data = _bytes(self._path)  # retried until it succeeds: too many open files, say, is temporary
            self._read = stamp
            self._tokens = _tokens(data, self._path)
        except ConfigError as error:
            if stamp != self._told:
                log.warning("tokens stay as they were: %s", error)
        else:
            log.info("tokens read again", extra={"count": len(self._tokens)})
        self._told = stamp


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"auth.tokens_file {path}: {(error.strerror or str(error)).lower()}") from error


def _tokens(data: bytes, path: Path) -> tuple[Token, ...]:
    try:
        document = tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"auth.tokens_file {path}: {error}") from error
    return tuple(_token(f"auth.tokens_file {path}: {name}", name, table) for name, table in document.items())


def _token(where: str, name: str, table: object) -> Token:
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where}: should be a table, [{name}], with sha256 = …")
    for key in table:
        if key not in {"sha256", "expires", "for"}:
            raise ConfigError(f"{where}.{key}: unknown{did_you_mean(str(key), ('sha256', 'expires', 'for'))}")
    digest, expires, uses = table.get("sha256"), table.get("expires"), table.get("for", ["prices"])
    if not isinstance(digest, str) or not re.fullmatch("[0-9a-fA-F]{64}", digest):
        raise ConfigError(f"{where}.sha256: give the SHA-256 of the token as 64 hexadecimal digits")
    if expires is not None and not (isinstance(expires, datetime) and expires.tzinfo):
        raise ConfigError(f"{where}.expires: give a time with its zone, 2027-01-01T00:00:00Z")
    if not isinstance(uses, list) or not uses or not set(map(str, uses)) <= set(USES):
        raise ConfigError(f"{where}.for: give a list of {' and '.join(USES)}")
    ends = round(expires.timestamp() * 1000) if expires is not None else None
    return Token(name, bytes.fromhex(digest), ends, frozenset(map(str, uses)))
