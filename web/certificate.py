"""A certificate that is renewed while the service runs: who connects then gets the new one, nobody else notices."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

log = logging.getLogger("ticker.service")


def why(error: OSError) -> str:
    """What is wrong with files that cannot be loaded; OpenSSL itself says `[SSL] PEM lib` of most."""
    if isinstance(error, ssl.SSLError):
        return (
            "not a certificate in PEM form with the key that belongs to it; "
            "that may be in a file server.tls_key, but not behind a pass phrase"
        )
    return error.strerror or str(error)


class Certificate:
    """The files behind a TLS context, loaded again when they have changed.

    Not while they are being written, and never half a pair: they are tried on another context first.

    Args:
        context: what connections are made with; it has loaded them.
        cert: the certificate's file.
        key: that of its key; empty if it is in the same file.
    """

    def __init__(self, context: ssl.SSLContext, cert: str, key: str) -> None:
        self._context = context
        self._cert = cert
        self._key = key or cert
        self._loaded = self._seen = self._stamps()

    def check(self) -> None:
        """Look at the files; they count once they look as they did the last time."""
        before, self._seen = self._seen, self._stamps()
        if self._seen in (self._loaded, None) or self._seen != before:
            return
        self._loaded = self._seen
        try:
            for context in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self._context):
                context.load_cert_chain(self._cert, self._key, password="")  # an encrypted key must not ask a terminal
        except OSError as error:  # ssl.SSLError is one
            log.warning("the certificate stays as it was: %s", why(error))
        else:
            log.info("certificate read again")

    def _stamps(self) -> list[tuple[int, int, int]] | None:
        try:
            found = [Path(name).stat() for name in (self._cert, self._key)]
        except OSError:
            return None
        return [(status.st_mtime_ns, status.st_size, status.st_ino) for status in found]
