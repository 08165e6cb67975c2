"""Readers over TLS, whose transport does not tell how much of what was written still waits."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys
from pathlib import Path

import pytest

from tests.web.peer import UPGRADE
from tests.web.server import Live, run, serving, start, until
from tests.web.test_certificate import make
from web.pause import acknowledged_bytes, delivered, unsent_bytes

PRICES = {f"S{i}-USD": "1.5" for i in range(200)}
WAITS = 100_000
"""More than a kernel holds for a reader with a small buffer."""


def connect(port: int, *lines: str) -> ssl.SSLSocket:
    """Send a request over TLS; the kernel takes little of the answer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", port))
    client = context.wrap_socket(sock)
    client.sendall("\r\n".join((*lines, "Host: localhost", "", "")).encode())
    client.setblocking(False)
    return client


@pytest.mark.needs("openssl")
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's count of acknowledged bytes")
@pytest.mark.parametrize("lines", [("GET /ws?symbols=S* HTTP/1.1", *UPGRADE), ("GET /api/stream?symbols=S* HTTP/1.1",)])
def test_what_waits_for_a_reader_over_tls_is_known(tmp_path: Path, lines: tuple[str, ...]) -> None:
    """It is what was written and has not arrived, until the reader takes it.

    Seen: always nothing, so that neither the metrics nor the bound for an address knew of megabytes.
    """
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make(cert, key)

    async def story() -> None:
        async with start({"server": {"tls_cert": str(cert), "tls_key": str(key)}}, PRICES) as live:
            live.publish(PRICES, name="N" * 1000)
            live.hub.flush()
            client = await asyncio.to_thread(connect, live.port, *lines)
            await until(lambda: [c for c in live.hub.connections if c.group is not None])
            (held,) = live.hub.connections
            live.publish({"S0-USD": "2"})  # a second, small frame behind the snapshot of 200 KB
            live.hub.flush()
            await until(lambda: held.paused)
            assert live.hub.pending_bytes == held.pending_bytes > WAITS

            def taken() -> bool:
                with contextlib.suppress(ssl.SSLWantReadError):
                    client.recv(65_536)
                return held.pending_bytes == 0

            await until(taken)
            client.close()

    run(story)


@serving()
async def test_of_a_connection_that_is_over_nothing_is_known(live: Live) -> None:
    """Who looks at it once more gets no error.

    Seen: a client that left while its stream was prepared put a traceback into the log.
    """
    peer = await live.stream()
    transport = live.connection(peer).transport
    peer.sock.close()
    await until(lambda: not live.hub.connections)
    assert (acknowledged_bytes(transport), delivered(transport), unsent_bytes(transport)) == (None, b"", 0)
