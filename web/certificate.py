"""TLS certificates that are renewed while the service runs: new connections get the new one, others go on."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

log = logging.getLogger("ticker.service")


def why(error: OSError) -> str:
    """Why files cannot be loaded; of most, OpenSSL itself says only `[SSL] PEM lib`."""
    if isinstance(error, ssl.SSLError):
        return (
            "not a certificate in PEM form with its key; "
            "the key may be in a file of its own, server.tls_key, but not encrypted with a passphrase"
        )
    return error.strerror or str(error)


class Certificate:
    """The files of a TLS context, loaded again when they have changed.

    Never while they are being written, and never half a pair: they are tried on another context first.

    Args:
        context: the one for new connections; it has loaded the files already.
        cert: the certificate's file.
        key: the key's file; empty if that is in the same file.
    """

    def __init__(self, context: ssl.SSLContext, cert: str, key: str) -> None:
        self._context = context
        self._cert = cert
        self._key = key or cert
        self._loaded = self._seen = self._stamps()

    def check(self) -> None:
        """Look at the files, and load them if they have changed, but not since the last look."""
        before, self._seen = self._seen, self._stamps()
        if self._seen in (self._loaded, None) or self._seen != before:
            return
        self._loaded = self._seen
        try:
            for context in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self._context):
                context.load_cert_chain(self._cert, self._key, password="")  # an encrypted key must not prompt
        except OSError as error:  # ssl.SSLError is one
            log.warning("certificate not reloaded: %s", why(error))
        else:
            log.info("certificate reloaded")

    def _stamps(self) -> list[tuple[int, int, int]] | None:
        try:
            found = [Path(name).stat() for name in (self._cert, self._key)]
        except OSError:
            return None
        return [(status.st_mtime_ns, status.st_size, status.st_ino) for status in found]
