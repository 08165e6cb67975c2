"""One request: its result is a complete good answer or an error with the right reason, in bounded time and memory."""

from __future__ import annotations

import asyncio
import email.utils
import socket
import ssl
import tracemalloc
from datetime import UTC, datetime

import httpx
import pytest

from feeds.exchange.failures import retry_after_s, without
from feeds.exchange.fetch import HttpSource, reason_of
from tests.clock import ManualClock
from tests.feeds.fake_exchange import CLOSED, HANG, JSON, FakeExchange, Reply, gzip, gzip_bomb
from tests.feeds.harness import run
from ticker.errors import FeedError
from ticker.model import FeedStatus

NOW_MS = 1_795_386_000_000
LIMIT = 5_000_000


def get(*replies: Reply, base_url: str | None = None, timeout_s: float = 5.0) -> tuple[bytes | FeedError, FeedStatus]:
    """Ask once for each reply: the last outcome, and the counters."""

    async def main() -> tuple[bytes | FeedError, FeedStatus]:
        status = FeedStatus("toy", "live")
        outcome: bytes | FeedError = b""
        async with FakeExchange() as exchange:
            exchange.script("/x?y=1", *replies)
            url = base_url or exchange.base_url
            async with HttpSource(url, ManualClock(NOW_MS), timeout_s=timeout_s, body_bytes=LIMIT) as source:
                for _ in replies or (None,):
                    try:
                        outcome = (await source.ask("/x?y=1", status)).body
                    except FeedError as error:
                        outcome = error
        return outcome, status

    return run(main)


def failure(*replies: Reply, base_url: str | None = None, timeout_s: float = 5.0) -> FeedError:
    outcome, _ = get(*replies, base_url=base_url, timeout_s=timeout_s)
    assert isinstance(outcome, FeedError), outcome
    return outcome


def test_secrets_are_masked_in_every_spelling() -> None:
    """Each of several secrets is masked as it is, percent-encoded, and with escaped slashes as in JSON."""
    said = b'{"bad": "n4me s3cr/t s3cr%2Ft s3cr\\/t"}'
    assert without(("n4me", "s3cr/t"), said) == b'{"bad": "SECRET SECRET SECRET SECRET"}'


def test_a_key_that_makes_an_invalid_header_is_not_logged() -> None:
    """Seen: a key with a leading space made an invalid header, and the error in the log contained the key."""

    async def main() -> str:
        async with FakeExchange() as exchange:
            source = HttpSource(
                exchange.base_url, ManualClock(NOW_MS), timeout_s=5.0, body_bytes=LIMIT, secrets={"X-Key": " s3cret"}
            )
            async with source:
                with pytest.raises(FeedError) as failed:
                    await source.ask("/x", FeedStatus("toy", "live"))
        return str(failed.value)

    said = run(main)
    assert "SECRET" in said
    assert "s3cret" not in said


def test_a_good_answer_is_returned_and_its_bytes_are_counted() -> None:
    """The body is returned as it was sent."""
    outcome, status = get(Reply(body=b'{"a": 1}'))
    assert (outcome, status.received_bytes) == (b'{"a": 1}', 8)


def test_a_gzip_answer_is_decompressed() -> None:
    """The bytes that are counted are those on the wire."""
    body = b'{"a": "' + b"x" * 100_000 + b'"}'
    squeezed = gzip(body)
    outcome, status = get(Reply(body=squeezed, headers={**JSON, "Content-Encoding": "gzip"}))
    assert (outcome, status.received_bytes) == (body, len(squeezed))


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "Application/JSON; charset=utf-8"}])
def test_any_spelling_of_the_json_content_type_is_accepted(headers: dict[str, str]) -> None:
    """The content type may be missing; case and parameters do not matter."""
    outcome, _ = get(Reply(headers=headers))
    assert outcome == b"{}"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(status=429), "rate_limited"),
        (Reply(status=418), "banned"),
        (Reply(status=403), "banned"),
        (Reply(status=404), "http_4xx"),
        (Reply(status=500, body=b'{"error":[],"result":{}}'), "http_5xx"),
        (Reply(status=599), "http_5xx"),
        (Reply(status=301, headers={"Location": "/elsewhere"}), "redirect"),
        (Reply(status=302, headers={"Location": "http://[broken"}), "redirect"),
        (Reply(status=204, body=b""), "protocol"),
        (Reply(body=b"<html>", headers={"Content-Type": "text/html"}), "protocol"),
        (Reply(headers={"Content-Type": "image/png"}), "protocol"),
        (Reply(headers={**JSON, "Content-Encoding": "br"}), "protocol"),
        (Reply(body=b"no gzip", headers={**JSON, "Content-Encoding": "gzip"}), "protocol"),
        (Reply(body=gzip(b"x" * 9000)[:-9], headers={**JSON, "Content-Encoding": "gzip"}), "protocol"),
        (Reply(body=gzip(b"{}") + bytes(9000), headers={**JSON, "Content-Encoding": "gzip"}), "protocol"),
        (Reply(body=b"{", claimed_length=10), "protocol"),
        (Reply(instead=b"\x00\xffgarbage\r\n\r\n"), "protocol"),
        (Reply(instead=b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}"), "protocol"),
        (Reply(body=b" " * (LIMIT + 1)), "too_large"),
        (CLOSED, "closed"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.status}",
)
def test_each_kind_of_failure_has_its_own_reason(reply: Reply, reason: str) -> None:
    """The error names the host; the status is checked before the body."""
    error = failure(reply)
    assert (error.reason, "\n" in str(error)) == (reason, False)
    assert "127.0.0.1" in str(error), "it names the host"


def test_a_lost_connection_has_the_same_message_at_every_stage() -> None:
    """The message is the same wherever it was lost: if it changed from try to try, every try would be logged."""
    assert str(failure(CLOSED)) == "127.0.0.1 closed the connection before its answer was complete"


def test_an_answer_of_exactly_the_limit_is_accepted() -> None:
    """An answer of exactly the limit is read, plain or compressed."""
    body = b" " * LIMIT
    for reply in (Reply(body=body), Reply(body=gzip(body), headers={**JSON, "Content-Encoding": "gzip"})):
        outcome, _ = get(reply)
        assert outcome == body


def test_a_gzip_bomb_is_abandoned_at_the_limit() -> None:
    """A hundred megabytes in a hundred kilobytes are given up at the limit; memory never holds three times that."""
    bomb = gzip_bomb(100_000_000)
    tracemalloc.start()
    try:
        error = failure(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert error.reason == "too_large"
    assert peak < 3 * LIMIT


@pytest.mark.parametrize("reply", [HANG, Reply(body=b" " * 10_000, byte_pause_s=0.01)], ids=["hang", "drip"])
def test_the_deadline_covers_the_whole_request(reply: Reply) -> None:
    """Neither silence nor a slow drip of data extends it."""
    error = failure(reply, timeout_s=0.2)
    assert error.reason == "timeout"


@pytest.mark.parametrize("turns", range(6))
def test_the_fake_exchange_closes_a_connection_dropped_at_once(turns: int) -> None:
    """Seen: on a busy machine the deadline passed while the connection was being made, and the fake exchange was gone
    before it had accepted it: another test was blamed for the open socket.
    """

    async def main() -> None:
        async with FakeExchange() as exchange:
            with socket.create_connection(("127.0.0.1", exchange.port)):
                for _ in range(turns):
                    await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main)


def test_a_request_after_failures_is_answered_as_usual() -> None:
    """A timeout, a cut connection and refusals leave nothing behind that spoils the next request."""
    outcome, _ = get(HANG, CLOSED, Reply(status=500), Reply(body=b"{", claimed_length=9), Reply(), timeout_s=1.0)
    assert outcome == b"{}"


def test_a_refused_connection_has_the_reason_connect() -> None:
    """A port on which nothing listens is the reason `connect`."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        assert failure(base_url=f"http://127.0.0.1:{silent.getsockname()[1]}").reason == "connect"


def test_an_error_names_the_unreachable_host_or_proxy() -> None:
    """The message says whether the exchange or the proxy was not reached, and never contains a password or key."""

    async def said(url: str, proxy: str | None = None) -> str:
        source = HttpSource(url, ManualClock(), timeout_s=5, body_bytes=LIMIT, proxy=proxy)
        with pytest.raises(FeedError) as caught:
            async with source:
                await source.ask("/x?token=SECRET", FeedStatus("toy", "live"))
        assert "SECRET" not in str(caught.value)
        return str(caught.value)

    async def main() -> None:
        async with FakeExchange() as unwilling:
            nobody = f"u:SECRET@127.0.0.1:{unused.getsockname()[1]}"
            refuses = unwilling.base_url.replace("//", "//u:SECRET@")
            unresolved = "cannot resolve {}; check its name and this machine's DNS"
            assert await said("https://nowhere.invalid") == unresolved.format("nowhere.invalid")
            told = await said("https://a.invalid", "http://u:SECRET@b.invalid:1")
            assert told == unresolved.format("the proxy b.invalid")
            assert await said(f"https://{nobody}") == "cannot connect to 127.0.0.1: connection refused"
            told = await said("https://a.invalid", f"http://{nobody}")
            assert told == "cannot connect to the proxy 127.0.0.1: connection refused"
            told = await said("https://a.invalid", refuses)
            assert told == "the proxy 127.0.0.1 refuses to connect to a.invalid: HTTP status 404"

    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        run(main)


def test_a_server_without_tls_has_the_reason_tls() -> None:
    """A server that does not speak TLS is the reason `tls`."""

    async def main() -> FeedError:
        async with FakeExchange() as exchange:
            url = exchange.base_url.replace("http:", "https:")
            async with HttpSource(url, ManualClock(), timeout_s=5, body_bytes=LIMIT) as source:
                with pytest.raises(FeedError) as caught:
                    await source.ask("/", FeedStatus("toy", "live"))
        return caught.value

    assert run(main).reason == "tls"


def test_authorities_are_loaded_only_for_https() -> None:
    """Certificate authorities are loaded only for https; without TLS the context trusts none."""

    def known(url: str) -> tuple[int, ssl.VerifyMode]:
        tls = HttpSource(url, ManualClock(), timeout_s=5, body_bytes=LIMIT)._tls
        return tls.cert_store_stats()["x509_ca"], tls.verify_mode

    assert known("http://127.0.0.1:9") == (0, ssl.CERT_REQUIRED)
    authorities, mode = known("https://127.0.0.1:9")
    assert (authorities > 50, mode) == (True, ssl.CERT_REQUIRED)


def test_the_reason_comes_from_the_innermost_cause() -> None:
    """The HTTP library's own exceptions hide DNS and TLS failures; the chain of causes tells them apart."""

    def because(error: httpx.HTTPError, *causes: BaseException) -> str:
        top: BaseException = error
        for cause in causes:
            top.__cause__ = cause
            top = cause
        return reason_of(error)

    assert because(httpx.ConnectError(""), OSError(), socket.gaierror(-2, "unknown")) == "dns"
    assert because(httpx.ConnectError(""), ssl.SSLCertVerificationError("expired")) == "tls"
    assert because(httpx.ConnectError(""), OSError(), ConnectionRefusedError()) == "connect"
    assert because(httpx.ProxyError("407")) == "connect"
    assert because(httpx.ConnectTimeout("")) == "timeout"
    assert because(httpx.ReadError(""), ConnectionResetError()) == "closed"


def test_proxies_in_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request goes to the configured host directly."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    outcome, _ = get(Reply())
    assert outcome == b"{}"


def test_a_configured_proxy_gets_the_full_address() -> None:
    """The request goes to the proxy, with an absolute URL."""

    async def main() -> list[str]:
        async with FakeExchange() as proxy:
            proxy.serve("http://exchange.invalid/x", Reply())
            options = {"timeout_s": 5.0, "body_bytes": LIMIT}
            source = HttpSource("http://exchange.invalid", ManualClock(), proxy=proxy.base_url, **options)  # type: ignore[arg-type]
            async with source:
                await source.ask("/x", FeedStatus("toy", "live"))
            return [request.target for request in proxy.requests]

    assert run(main) == ["http://exchange.invalid/x"]


def test_requests_carry_no_cookies_and_accept_gzipped_json() -> None:
    """A cookie that the exchange sets is not sent back."""

    async def main() -> list[dict[str, str]]:
        async with FakeExchange() as exchange:
            exchange.serve("/", Reply(headers={**JSON, "Set-Cookie": "track=me; Path=/"}))
            async with HttpSource(exchange.base_url, ManualClock(), timeout_s=5, body_bytes=LIMIT) as source:
                for _ in range(2):
                    await source.ask("/", FeedStatus("toy", "live"))
            return [request.headers for request in exchange.requests]

    first, second = run(main)
    assert first == second
    assert (first["accept"], first["accept-encoding"]) == ("application/json", "gzip")
    assert "cookie" not in second


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        (email.utils.format_datetime(datetime.fromtimestamp(NOW_MS / 1000 + 90, UTC), usegmt=True), 90.0),
        (email.utils.format_datetime(datetime.fromtimestamp(NOW_MS / 1000 - 90, UTC), usegmt=True), 0.0),
        ("Mon, 23 Nov 2026 04:21:30 -0000", 1_795_407_690 - NOW_MS / 1000),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("nan", None),
        ("\u0663", None),
        ("Mon, 99 Nov 2026 00:00:00 GMT", None),
        ("9" * 400, 999_999_999.0),
    ],
)
def test_retry_after_takes_seconds_and_http_dates(header: str | None, expected: float | None) -> None:
    """A date in the past means zero; an invalid value means nothing."""
    assert retry_after_s(header, NOW_MS) == expected


@pytest.mark.parametrize("status", [429, 418, 503, 403])
def test_an_error_carries_retry_after_whatever_its_status(status: int) -> None:
    """The wait that the server asks for is in the exception and in its message."""
    error = failure(Reply(status=status, headers={"Retry-After": "40"}))
    assert error.retry_after_s == 40.0
    assert "40 s" in str(error)
