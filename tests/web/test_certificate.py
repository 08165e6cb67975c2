"""A certificate that is renewed under a running service, as its users see it."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import find_program
from tests.running import running
from ticker.errors import ConfigError
from ticker.settings import Settings
from web.server import make_server


def make(cert: Path, key: Path) -> bytes:
    """A new certificate and its key, in these files."""
    command = [
        find_program("openssl") or "", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-days", "2", "-subj", "/CN=ticker", "-keyout", str(key), "-out", str(cert),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return ssl.PEM_cert_to_DER_cert(cert.read_text())


@pytest.mark.needs("openssl")
def test_a_renewed_certificate_is_served(tmp_path: Path) -> None:
    """After a renewal new connections get the new certificate; one that cannot be used changes nothing.

    Seen: the first one was served until a restart, also after its end, though the file had long been renewed.
    """
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    first = make(cert, key)
    with running("--set", f"server.tls_cert={cert}", "--set", f"server.tls_key={key}") as service:
        address = urlsplit(service.url)

        def served() -> bytes:
            return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((str(address.hostname), address.port or 0)))

        def said(text: str) -> bool:
            return any(text in line for line in service.log)

        assert served() == first
        cert.rename(tmp_path / "old.pem")
        cert.write_text("no certificate")
        service.wait(lambda: said("certificate not reloaded: "), "nothing is said of a bad certificate")
        assert served() == first
        second = make(cert, key)
        service.wait(lambda: said("certificate reloaded"), "nothing is said of the new certificate")
        assert served() == second != first


@pytest.mark.needs("openssl")
def test_an_encrypted_key_is_refused(tmp_path: Path) -> None:
    """There is no prompt for a passphrase; the message says that there must be none.

    Seen: the start stood still at "Enter PEM pass phrase:", and without a terminal said "Invalid argument".
    """
    cert, key, locked = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "locked.pem"
    make(cert, key)
    command = [find_program("openssl") or "", "pkey", "-aes128", "-passout", "pass:x", "-in", str(key)]
    subprocess.run([*command, "-out", str(locked)], check=True, capture_output=True)
    settings = Settings.model_validate({"server": {"tls_cert": str(cert), "tls_key": str(locked)}})
    with pytest.raises(ConfigError, match=f"^server.tls_cert {cert} {locked}: .* not encrypted with a passphrase$"):
        make_server(None, None, settings)
