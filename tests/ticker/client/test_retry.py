"""Addresses, waits between connections, and what failures mean."""

from __future__ import annotations

import random
import socket
import ssl

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidMessage, InvalidStatus, InvalidURI
from websockets.frames import Close
from websockets.http11 import Response

from tests.ticker.client.scripted import Most
from ticker import protocol
from ticker.client.address import Address, request_headers, split_address
from ticker.client.retry import Retry, judge
from ticker.client.wire import Message
from ticker.errors import ConfigError, RefusedError


@pytest.mark.parametrize(
    ("url", "stream", "shown"),
    [
        ("http://localhost:8000", "ws://localhost:8000/ws", "http://localhost:8000"),
        ("ws://localhost:8000/ws", "ws://localhost:8000/ws", "http://localhost:8000"),
        ("https://prices.example/base/", "wss://prices.example/base/ws", "https://prices.example/base"),
        ("wss://[::1]:9/base/ws", "wss://[::1]:9/base/ws", "https://[::1]:9/base"),
        ("https://me:secret@prices.example", "wss://me:secret@prices.example/ws", "https://prices.example"),
    ],
)
def test_any_url_of_a_service_is_accepted_as_its_address(url: str, stream: str, shown: str) -> None:
    """http or ws, with or without `/ws`, below a base path; the password is not shown."""
    address = Address.of(url, {})
    assert (stream, shown) == (address.stream, str(address))


def test_the_default_address_is_ticker_url_or_else_this_machine() -> None:
    """`TICKER_URL`, then the service's own default; an address may come before the symbols."""
    assert Address.of(None, {}).stream == "ws://127.0.0.1:8000/ws"
    assert Address.of(None, {"TICKER_URL": "http://prices:80"}).stream == "ws://prices:80/ws"
    address, symbols = split_address(["ws://one:1", "BTC-USD"], "ws://two:2", {"TICKER_URL": "ws://three:3"})
    assert (address.authority, symbols) == ("one:1", ["BTC-USD"])


@pytest.mark.parametrize(
    "url",
    ["localhost:8000", "ftp://prices", "http://", "http://x:port", "ws://x/ws?symbols=*", "http://a..b", "http://a b",
     "http://x/ä", "http://x/a b", f"http://{'x' * 64}"],
)  # fmt: skip
def test_an_invalid_address_is_named(url: str) -> None:
    """One line says what is wrong, and where the value came from."""
    with pytest.raises(ConfigError, match="is not the address of a service; give one like http"):
        Address.of(url, {})
    with pytest.raises(ConfigError, match=r"^TICKER_URL: "):
        Address.of(None, {"TICKER_URL": url})


def test_international_host_names() -> None:
    """Host names may be international, and a login is sent encoded."""
    assert str(Address.of("http://grüße.example:80/base", {})) == "http://grüße.example:80/base"
    assert str(Address.of("http://jörg@prices", {})) == "http://prices"


@pytest.mark.parametrize("token", ["secret\r", "two\nlines", "€"])
def test_a_token_that_cannot_be_sent_is_refused_and_not_shown(token: str) -> None:
    """It cannot be a header; the message says where it came from, and does not show it."""
    assert request_headers(None, "a b", {}) == {"Authorization": "Bearer a b"}
    with pytest.raises(ConfigError, match=r"^a token is one line of printable ASCII") as error:
        request_headers(None, token, {})
    assert token not in str(error.value)
    with pytest.raises(ConfigError, match=r"^TICKER_TOKEN: a token is"):
        request_headers(None, None, {"TICKER_TOKEN": token})


def test_waits_double_to_30_seconds_and_restart_after_data() -> None:
    """Full jitter: anything from 0 to 0.5 s × 2ⁿ, at most 30 s, or what was asked for."""
    retry = Retry(Most())
    assert [retry.pause_s() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    hasty = Retry(Most(), 3.0)
    assert [hasty.pause_s() for _ in range(5)] == [0.5, 1, 2, 3, 3]
    retry.data()
    assert retry.pause_s() == 0.5
    waits = [Retry(random.Random(seed)).pause_s() for seed in range(200)]
    assert min(waits) < 0.05
    assert 0.45 < max(waits) <= 0.5


def test_a_bye_says_when_to_reconnect() -> None:
    """Its window is used once, for the close that it announced."""
    retry = Retry(Most())
    retry.bye(Message("bye", retry_ms=(500, 5000)))
    assert [retry.pause_s(protocol.RESTART), retry.pause_s()] == [5.0, 0.5]
    retry.bye(Message("bye", reason="go elsewhere", reconnect=False))
    with pytest.raises(RefusedError, match="go elsewhere"):
        retry.pause_s(protocol.RESTART)


def test_a_bye_cannot_ask_for_a_storm() -> None:
    """Whatever window it names, reconnecting is not faster than after a cut, and slows down while no data comes.

    Seen: a service that said `bye` with no wait to each connection was connected to over a hundred times a second.
    """
    retry, bye = Retry(Most()), Message("bye", retry_ms=(0, 0))
    waits = []
    for _ in range(4):
        retry.bye(bye)
        waits.append(retry.pause_s(protocol.RESTART))
    assert waits == [0.5, 1, 2, 4]
    retry.data()
    retry.bye(bye)
    assert retry.pause_s(protocol.RESTART) == 0.5


@pytest.mark.parametrize("code", [1003, 1007, 1009, 4000, 4001])
def test_final_close_codes_are_refusals(code: int) -> None:
    """ "Do not reconnect" in the protocol means a typed error with the code."""
    with pytest.raises(RefusedError, match=str(code)) as refusal:
        judge(ConnectionClosedError(Close(code, ""), None))
    assert refusal.value.code == code


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1012, 4008, 4009, None])
def test_all_other_close_codes_are_retried(code: int | None) -> None:
    """The view reconnects at the usual pace, but more slowly after too many messages."""
    assert Retry(Most()).pause_s(code) == 0.5
    assert Retry(Most()).pause_s(protocol.TOO_MANY_MESSAGES) == 8


def status(code: int, **headers: str) -> InvalidStatus:
    return InvalidStatus(Response(code, "", Headers({k.replace("_", "-"): v for k, v in headers.items()})))


@pytest.mark.parametrize(
    ("code", "who", "why"),
    [(401, "the service refuses", ": the token is .*TICKER_TOKEN.*"), (403, "the service refuses", ""),
     (426, "the service refuses", ""), (200, "no ticker service at", ""), (404, "no ticker service at", "")],
)  # fmt: skip
def test_a_refused_upgrade_is_final(code: int, who: str, why: str) -> None:
    """Without a token, from a wrong origin, at a wrong path or another server, a retry cannot help."""
    with pytest.raises(RefusedError, match=f"^{who}.* HTTP status {code}{why}$"):
        judge(status(code))


def test_temporary_failures_may_say_how_long_to_wait() -> None:
    """A full or restarting service may say when to retry; anything but a number of seconds is ignored."""
    assert judge(status(503, Retry_After="3")) == ("HTTP status 503", 3.0)
    assert judge(status(429, Retry_After="Wed, 21 Oct 2026")) == ("HTTP status 429", 0.0)
    assert judge(status(503, Retry_After="9999"))[1] == 60.0
    assert Retry(Most()).pause_s(least_s=3.0) == 3.5
    assert judge(ConnectionRefusedError(111, "Connect call failed"))[0] == "connection refused"
    each = "[Errno 111] Connect call failed ('::1', 1), [Errno 111] Connect call failed ('127.0.0.1', 1)"
    assert judge(OSError(f"Multiple exceptions: {each}"))[0] == "connection refused"
    assert judge(socket.gaierror(-2, "Name or service not known"))[0] == "name or service not known"
    assert judge(TimeoutError())[0] == "no answer in time"
    assert judge(InvalidMessage("x"))[0] == "it does not speak WebSocket"
    assert judge(ConnectionClosedError(None, None)) == ("the connection was lost", 0.0)
    with pytest.raises(RefusedError, match="the service redirects: ftp://x"):
        judge(InvalidURI("ftp://x", "no WebSocket"))


def test_a_bad_certificate_is_final() -> None:
    """A bad certificate is final; other failures of TLS may be temporary."""
    bad = ssl.SSLCertVerificationError()
    bad.verify_message = "self-signed certificate"
    with pytest.raises(RefusedError, match=r"^the certificate is not trusted: .*; to trust it, set SSL_CERT_FILE"):
        judge(bad)
    plain, strict = ssl.SSLError(1, "…"), ssl.SSLError(1, "…")
    plain.reason, strict.reason = "WRONG_VERSION_NUMBER", "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    assert judge(plain)[0] == "it does not speak TLS"
    assert judge(strict)[0] == "TLS failed: tlsv13 alert certificate required"
