"""Tokens, origins, hosts, proxies and TLS, from outside."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import re
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from tests.conftest import find_program
from tests.web.events import listen_to
from tests.web.peer import TEXT, Peer
from tests.web.server import Live, Sections, run, serving, start, until
from ticker.client import sync
from ticker.client.view import watch
from ticker.errors import ConfigError, RefusedError
from ticker.logs import ConsoleFormatter
from ticker.settings import Settings
from ticker.slices import LARGE
from web.addresses import Addresses
from web.server import make_server

SECRET, METRICS, SHORT = "s3cret-of-the-wall", "s3cret-of-prometheus", "s3cret-for-a-while"
BEARER = f"Authorization: Bearer {SECRET}"


def entry(name: str, token: str, more: str = "") -> str:
    return f'[{name}]\nsha256 = "{hashlib.sha256(token.encode()).hexdigest()}"\n{more}\n'


def rewrite(file: Path, text: str) -> None:
    """Set a file's time minutes back: what was written within this second does not count yet."""
    file.write_text(text)
    written = file.stat().st_mtime
    os.utime(file, (written, written - 300))


def guarded(**auth: object) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., None]]:
    """Make a test of a scenario that gets a service with tokens, and the tokens file."""

    def decorate(scenario: Callable[..., Awaitable[None]]) -> Callable[..., None]:
        def test(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
            file = tmp_path / "tokens.toml"
            file.write_text(entry("wall", SECRET) + entry("prometheus", METRICS, 'for = ["metrics"]'))
            caplog.set_level(logging.INFO)

            async def with_service() -> None:
                sections: Sections = {"auth": {"tokens_file": str(file)} | auth, "limits": {"handshake_s": 5}}
                async with start(sections) as live:
                    await scenario(live, file)

            run(with_service)
            lines = [ConsoleFormatter().format(record) for record in caplog.records]
            assert not [line for line in lines if "s3cret" in line], "a token stands in the log"

        test.__name__, test.__doc__ = scenario.__name__, scenario.__doc__
        return test

    return decorate


async def ended(peer: Peer) -> int:
    """The code with which a connection is closed before anything else was sent on it."""
    opcode, payload = await peer.receive()
    assert opcode == 8, payload
    return int.from_bytes(payload[:2], "big")


@guarded()
async def test_prices_need_a_token(live: Live, file: Path) -> None:
    """Without a good one REST answers 401 and says how to send one; page, health and reference are open.

    Seen: somebody whose token had expired was told that one is needed.
    """
    for path in ("/api/quotes", "/api/quotes/BTC-USD", "/api/symbols", "/api/feeds", "/api/candles/BTC-USD"):
        for header, said in (
            ("X: y", "is needed"),
            (f"Authorization: Basic {SECRET}", "is needed"),
            ("Authorization: Bearer", "is needed"),
            ("Authorization: Bearer wrong", "is unknown"),
            (f"Authorization: Bearer {METRICS}", "not for prices"),
        ):
            answer = await live.get(path, header)
            assert (answer.status, answer.json["code"]) == (401, "unauthorized"), (path, header)
            assert said in answer.json["detail"]
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "s3cret" not in answer.body.decode()
        assert (await live.get(path, BEARER)).status == 200
    assert (await live.get(f"/api/quotes?token={SECRET}")).status == 401, "not in the address unless switched on"
    for path in ("/", "/docs", "/openapi.json", "/healthz", "/readyz", "/metrics"):
        assert (await live.get(path)).status == 200
    assert live.hub.counts.rejects["auth"] == 26


@guarded(query=True, metrics=True)
async def test_a_token_in_the_url_and_one_for_metrics(live: Live, file: Path) -> None:
    """If switched on, a token may be in the URL, and metrics need one that is for metrics."""
    assert (await live.get(f"/api/quotes?token={SECRET}")).status == 200
    peer = await live.stream(f"?symbols=*&token={SECRET}")
    await peer.hear("snapshot")
    for header, status in ((BEARER, 401), ("X: y", 401), (f"Authorization: Bearer {METRICS}", 200)):
        assert (await live.get("/metrics", header)).status == status


@guarded()
async def test_a_stream_accepts_a_token_in_the_header(live: Live, file: Path) -> None:
    """With a good token all is as without tokens; a bad one gets 401 before the upgrade."""
    peer = await live.connect()
    assert (await peer.upgrade("/ws?symbols=*", BEARER)).status == 101
    assert (await peer.message())["type"] == "hello"
    await peer.hear("snapshot")
    answer = await (await live.connect()).upgrade("/ws?symbols=*", "Authorization: Bearer wrong")
    assert (answer.status, answer.json["code"]) == (401, "unauthorized")
    assert live.hub.counts.rejects["auth"] == 1


@guarded()
async def test_a_stream_accepts_a_token_in_the_first_message(live: Live, file: Path) -> None:
    """Before the token nothing is sent, not even a heartbeat; after it comes what the URL asked for."""
    peer = await live.stream("?symbols=*")
    assert not live.hub.idle
    live.publish({f"S{n}-USD": "1" for n in range(LARGE)} | {"BTC-USD": "5"})
    live.hub.flush()
    await peer.say(op="auth", token=SECRET)
    assert (await peer.message())["type"] == "hello"
    assert (await peer.hear("snapshot"))["quotes"]["BTC-USD"]["last"] == 5
    await peer.say(op="ping", id=1)
    assert (await peer.hear("pong"))["id"] == 1


@guarded()
async def test_a_stream_without_a_token_is_closed_with_4001(live: Live, file: Path) -> None:
    """A first message that is no good token closes with 4001, and so does silence."""
    for data in (json.dumps({"op": "auth", "token": "wrong"}), json.dumps({"op": "auth", "token": [SECRET]}),
                 json.dumps({"op": "subscribe", "symbols": ["*"]}), "{", "[]", json.dumps({"op": "auth"})):  # fmt: skip
        peer = await live.stream("?symbols=*")
        await peer.send(TEXT, data.encode())
        assert await ended(peer) == 4001
    silent = await live.stream("?symbols=*")
    live.clock.skip(6)
    assert await ended(silent) == 4001
    assert live.hub.counts.disconnects == {4001: 7}
    assert live.hub.counts.rejects["auth"] == 1, "one of them was a token"


@guarded()
async def test_a_stream_is_closed_when_its_token_expires(live: Live, file: Path) -> None:
    """A token that expires, or is taken out of the file, closes its streams with 4001; others stay; no restart."""
    peers = []
    rewrite(file, entry("wall", SECRET) + entry("guest", SHORT, "expires = 2100-01-01T00:00:00Z"))
    for token in (SECRET, SHORT):
        peer = await live.connect()
        await peer.upgrade("/ws?symbols=BTC-USD", f"Authorization: Bearer {token}")
        await peer.hear("snapshot")
        peers.append(peer)
    assert (await listen_to(live, "?symbols=BTC-USD")).answer.status == 401
    events = await listen_to(live, "?symbols=BTC-USD", f"Authorization: Bearer {SHORT}")
    await events.hear("snapshot")
    rewrite(file, entry("wall", SECRET) + entry("guest", SHORT, "expires = 2026-01-01T00:00:00Z"))
    while await events.chunk():
        pass
    assert await peers[1].close_code() == 4001
    assert (await live.get("/api/quotes", f"Authorization: Bearer {SHORT}")).status == 401
    live.publish({"BTC-USD": "5"})
    assert (await peers[0].hear("update"))["quotes"]["BTC-USD"]["last"] == 5
    rewrite(file, "")
    assert await peers[0].close_code() == 4001


# Origins, hosts, proxies


@serving(server={"origins": ["https://app.example", "http://[::1]:3000"]})
async def test_pages_of_listed_origins_may_read(live: Live) -> None:
    """Pages of listed sites may read, send a token and open streams, as CORS tells them; pages of others may not."""
    listed, other = "Origin: https://app.example", "Origin: https://app.example.evil.example"
    answer = await live.get("/api/quotes", listed)
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert (answer.headers["vary"], answer.headers["access-control-expose-headers"]) == (
        "Origin",
        "connection-id, etag, retry-after",
    )
    asked = await live.get("/api/quotes", listed, "Access-Control-Request-Method: GET", method="OPTIONS")
    assert (asked.status, asked.headers["access-control-allow-origin"]) == (204, "https://app.example")
    assert "authorization" in asked.headers["access-control-allow-headers"]
    assert (await (await live.connect()).upgrade("/ws", listed)).status == 101
    for origin in (other, "Origin: http://app.example", "Origin: https://app.example:443", "Origin: null"):
        answer = await live.get("/api/quotes", origin)
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["vary"] == "Origin"
        assert (await live.get("/", origin, "Access-Control-Request-Method: GET", method="OPTIONS")).status == 405
        assert (await (await live.connect()).upgrade("/ws", origin)).status == 403


@serving(server={"hosts": "prices.example,[2001:db8::1]"})
async def test_only_listed_hosts_are_served(live: Live) -> None:
    """A service on loopback behind a proxy answers to the listed names and to loopback names only."""
    for host, status in (("prices.example", 200), ("PRICES.example:443", 200), ("localhost", 200),
                         ("[2001:db8::1]", 200), ("[2001:DB8::1]:80", 200), ("[2001:db8::2]", 403),
                         ("evil.example", 403), ("prices.example.evil.example", 403), ("", 403)):  # fmt: skip
        assert (await live.get("/api/quotes", f"Host: {host}")).status == status, host


@serving(server={"host": "0.0.0.0", "hosts": "prices.example"})
async def test_loopback_names_are_served_beside_listed_hosts(live: Live) -> None:
    """Seen: with `server.hosts` in a container, its health check and `ticker status` in it got 403."""
    for host, status in (("127.0.0.1:8000", 200), ("[::1]", 200), ("prices.example", 200), ("10.0.0.7", 403)):
        assert (await live.get("/healthz", f"Host: {host}")).status == status, host


@serving(limits={"connections_per_address": 1}, server={"trusted_proxies": ["127.0.0.0/8", "192.0.2.7"]})
async def test_limits_count_the_client_behind_a_proxy(live: Live) -> None:
    """The address before our own proxies counts for limits, not what the client itself claims before that."""
    chains = [("198.51.100.1", 101), ("198.51.100.2", 101), ("198.51.100.1", 503), ("9.9.9.9, 198.51.100.2", 503),
              ("198.51.100.3, 192.0.2.7", 101), ("198.51.100.3", 503), ("unknown", 101),
              ("9.9.9.9, unknown", 503), ("198.51.100.4:5555", 101), ("198.51.100.4:5556", 503)]  # fmt: skip
    for chain, status in chains:
        answer = await (await live.connect()).upgrade("/ws", f"X-Forwarded-For: {chain}")
        assert answer.status == status, chain


@serving(server={"trusted_proxies": ["192.0.2.0/24"]})
async def test_an_address_is_the_same_over_both_protocols(live: Live) -> None:
    """On a socket for IPv6 and IPv4, `--host ::`, a proxy with an IPv4 address is known, too."""
    addresses, seen = Addresses(live.service.settings.server.trusted_proxies), []
    for client in ("192.0.2.7", "::ffff:192.0.2.7", "::ffff:198.51.100.7", "::1", "fe80::1%eth0", "a:b"):
        scope = {"type": "http", "client": (client, 1), "headers": [(b"x-forwarded-for", b"203.0.113.9")]}
        seen.append(addresses.of(HTTPConnection(scope)))
    assert seen == ["203.0.113.9", "203.0.113.9", "198.51.100.7", "::1", "fe80::/64", "a:b"]


@serving(limits={"connections_per_address": 1}, server={"trusted_proxies": "127.0.0.1"})
async def test_a_64_bit_network_of_ipv6_counts_as_one_address(live: Live) -> None:
    """A network of 64 bits, the least that anybody is given, counts as one address.

    Seen: each of its 2**64 addresses had connections and cells of its own, ten of them all that there are.
    """
    chains = [("2001:db8:0:1::1", 101), ("2001:db8:0:1:ffff::2", 503), ("[2001:DB8::1:0:0:0:3]:443", 503),
              ("2001:db8:0:2::1", 101), ("::ffff:198.51.100.1", 101), ("198.51.100.1", 503)]  # fmt: skip
    for chain, status in chains:
        answer = await (await live.connect()).upgrade("/ws", f"X-Forwarded-For: {chain}")
        assert answer.status == status, chain
    assert live.hub.addresses == {"2001:db8:0:1::/64": 1, "2001:db8:0:2::/64": 1, "198.51.100.1": 1}


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    make = [
        find_program("openssl") or "", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-days", "2", "-subj", "/CN=ticker", "-addext", "subjectAltName=IP:127.0.0.1",
        "-keyout", str(key), "-out", str(cert),
    ]  # fmt: skip
    asyncio.run(_call(make))
    return cert, key


async def _call(command: list[str]) -> None:
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()


@pytest.mark.needs("openssl")
def test_https_and_wss_are_served(certificate: tuple[Path, Path]) -> None:
    """With certificate and key it serves https and wss; a reader that stalls is cut off, too.

    Events came twice and no more there: behind TLS a write buffer with the limit 0 counts as full when it is empty.
    """
    from websockets.asyncio.client import connect

    cert, key = certificate
    trust = ssl.create_default_context(cafile=str(cert))

    async def scenario() -> None:
        server = {"tls_cert": str(cert), "tls_key": str(key)}
        many = {f"S{i}-USD": "1" for i in range(50)}
        async with start({"server": server, "hub": {"flush_interval_ms": 0, "stall_s": 0.5}}, many) as live:
            reader, writer = await asyncio.open_connection("127.0.0.1", live.port, ssl=trust)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
            writer.close()
            with pytest.raises(RefusedError, match=r"the certificate is not trusted: self.signed certificate"):
                await asyncio.to_thread(sync.get, f"https://127.0.0.1:{live.port}", "S1-USD")
            with pytest.raises(RefusedError, match=r"the certificate is not trusted: self.signed certificate"):
                async with watch(f"https://127.0.0.1:{live.port}", "S1-USD"):
                    pass
            url = f"wss://127.0.0.1:{live.port}/ws?symbols=*"
            async with connect(url, ssl=trust, proxy=None, compression=None) as good:
                kinds = [json.loads(await good.recv())["type"] for _ in range(3)]
                assert kinds == ["hello", "subscribed", "snapshot"]
                slow = await connect(url, ssl=trust, proxy=None, compression=None, max_queue=1)
                slow.transport.pause_reading()
                price = 0
                while 4008 not in live.hub.counts.disconnects:
                    price += 1
                    live.publish(dict.fromkeys(many, f"{price}.5"), name=f"{price:01000}")
                    live.hub.flush()
                    while json.loads(await good.recv())["type"] != "update":
                        pass
                assert live.hub.counts.disconnects == {4008: 1}
                slow.transport.abort()
                live.publish({"S1-USD": "77"})
                while json.loads(message := await good.recv())["type"] != "update":
                    pass
                assert json.loads(message)["quotes"]["S1-USD"]["last"] == 77
            reader, writer = await asyncio.open_connection("127.0.0.1", live.port, ssl=trust)
            writer.write(b"GET /api/stream?symbols=S1-USD&fields=last HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readuntil(b'"last":77')
            for last in ("78", "79", "80"):
                live.publish({"S1-USD": last})
                await reader.readuntil(f'"last":{last}'.encode())
            writer.close()

    run(scenario)


@pytest.mark.needs("openssl")
def test_a_client_that_sends_no_tls_handshake_is_dropped(certificate: tuple[Path, Path]) -> None:
    """Whoever connects and says nothing has as long as for a request's head; seen: 60 s, uvloop's own patience."""
    server = dict(zip(("tls_cert", "tls_key"), map(str, certificate), strict=True))

    async def scenario() -> None:
        async with start({"server": server, "limits": {"handshake_s": 0.2}}) as live:
            peer = await live.connect()
            assert await peer.rest() == b""

    run(scenario)


@pytest.mark.needs("openssl")
def test_a_client_that_takes_no_answer_is_dropped_over_tls(certificate: tuple[Path, Path]) -> None:
    """A client that takes nothing of an answer is dropped after `stall_s`, as without TLS.

    Seen: it counted as taken at once. So it was freed by the end of a closing handshake that nobody took part in, after
    40 s; and so was a long answer that somebody took slowly.
    """
    cert, key = certificate
    trust = ssl.create_default_context(cafile=str(cert))
    server = {"tls_cert": str(cert), "tls_key": str(key)}
    many = {f"S{i}-USD": "1" for i in range(4000)}

    async def scenario() -> None:
        async with start({"server": server, "hub": {"flush_interval_ms": 0, "stall_s": 0.5}}, many) as live:
            connections: Any = live.server.server_state.connections
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", live.port))
            _, writer = await asyncio.open_connection(sock=sock, limit=1000, ssl=trust, server_hostname="127.0.0.1")
            writer.write(b"GET /api/quotes HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await until(lambda: any(http._stall_timer for http in connections))
            await until(lambda: not connections)
            writer.transport.abort()

    run(scenario)


@pytest.mark.parametrize(
    ("cert", "key", "said"),
    [
        ("none.pem", "", "server.tls_cert none.pem: "),
        (__file__, "", f"server.tls_cert {__file__}: not a certificate in PEM form with its key; "),
        (__file__, __file__, f"server.tls_cert {__file__} {__file__}: not a certificate in PEM form with its key"),
        ("", "key.pem", "server.tls_key key.pem: give its certificate"),
    ],
)
def test_an_unusable_certificate_is_a_configuration_error(cert: str, key: str, said: str) -> None:
    """A missing file, or one that is not a certificate, is a configuration error that names the file."""
    settings = Settings.model_validate({"server": {"tls_cert": cert, "tls_key": key}})
    with pytest.raises(ConfigError, match=f"^{re.escape(said)}"):
        make_server(None, None, settings)
