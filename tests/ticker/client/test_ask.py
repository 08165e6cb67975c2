"""Requests over HTTP: what each answer means, long lists, deadlines, and a fast start."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT
from ticker import cli, client
from ticker.client import rest, sync
from ticker.client.ask import MAX_QUERY, parts
from ticker.clock import Clock
from ticker.errors import RefusedError, TickerError, UnreachableError


@contextlib.contextmanager
def answering(text: str) -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers one connection with `text`; yields its address and the requests it received."""
    asked: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            asked.append(connection.recv(65536))
            with contextlib.suppress(OSError):  # whoever has enough leaves
                connection.sendall(text.encode())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", asked
        thread.join()


def response(status: str, body: str = "", *headers: str) -> str:
    return "\r\n".join((f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", body))


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        (response("200 OK", "<html>"), UnreachableError, "answers, but is not a ticker service"),
        (response("200 OK", '{"status":"UP"}'), UnreachableError, "answers, but is not a ticker service"),
        (response("200 OK", "[" * 100_000), UnreachableError, "answers, but is not a ticker service"),
        (response("200 OK", "[]"), UnreachableError, "answers, but is not a ticker service"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{",
            UnreachableError,
            "the connection was lost before the answer was complete",
        ),
        (
            response("302 Found", "", "Location: http://elsewhere/"),
            RefusedError,
            r"127.0.0.1:\d+ answers with HTTP status 302",
        ),
        (
            response("403 Forbidden", '{"code":"forbidden","detail":"not from there"}'),
            RefusedError,
            r"127.0.0.1:\d+: not from there",
        ),
        (response("503 Busy", '{"code":"overloaded","detail":"wait"}'), UnreachableError, "wait"),
        (response("502 Bad Gateway", "<html>"), UnreachableError, "HTTP status 502"),
        (response("404 Not Found", "[]"), RefusedError, "HTTP status 404"),
        (response("200 OK", '{"quotes":')[:-3], UnreachableError, "the connection was lost"),
        ("220 mail.example ready\r\n", UnreachableError, "it does not speak HTTP"),
        ("", UnreachableError, "cannot connect"),
    ],
)
def test_each_answer_is_a_result_or_a_typed_error(text: str, kind: type[TickerError], said: str) -> None:
    """Refused, or unreachable for now."""
    with answering(text) as (host, _), pytest.raises(kind, match=said):
        sync.get(f"http://{host}", "BTC-USD")


def test_an_endless_answer_is_refused_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is in bytes, and the message names it."""
    monkeypatch.setattr(rest, "MAX_BODY_BYTES", 2 << 20)
    with answering(response("200 OK", " " * (3 << 20))) as (host, _), pytest.raises(UnreachableError, match="2 MB"):
        sync.get(f"http://{host}", "BTC-USD")


@pytest.mark.parametrize(
    "text", [response("200 OK", " " * (8 << 20)), response("200 OK", "", *(f"X-{i}: {' ' * 60_000}" for i in range(9)))]
)
def test_the_deadline_covers_a_dripping_answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """It holds for the whole answer, head and body, even while some of it keeps coming."""

    class Hasty(Clock):
        now = 0.0

        def monotonic(self) -> float:
            self.now += 3.0
            return self.now

    monkeypatch.setattr(rest, "Clock", Hasty)
    with answering(text) as (host, _), pytest.raises(UnreachableError, match="not complete in time"):
        sync.get(f"http://{host}", "BTC-USD")


def test_no_answer_in_time_is_reported_like_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that does not answer is given up at the deadline."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(
            UnreachableError, match=f"cannot connect to {url}: no answer in time; is the service running"
        ):
            sync.get(url, "BTC-USD", timeout_s=0.01)


def test_a_cancelled_get_does_not_delay_the_end_of_the_loop() -> None:
    """The loop ends while the request is still waiting for its answer.

    Seen: after Ctrl-C a script hung until `timeout_s` was over, as its loop waited for the threads of `to_thread`.
    """

    async def scenario() -> None:
        asking = asyncio.create_task(client.get(url, "BTC-USD", timeout_s=60))
        connections.append((await asyncio.to_thread(silent.accept))[0])
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    connections: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        asyncio.run(scenario())
    with connections[0] as connection:
        while connection.recv(1 << 16).find(b"\r\n\r\n") < 0:
            pass
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):  # else the question had given up, and the loop had waited for that
            connection.recv(1)


def test_an_address_may_hold_a_login_and_a_base_path() -> None:
    """A proxy in front may require a login; it is sent with the request and never shown."""
    with answering(response("401 Unauthorized")) as (host, asked), pytest.raises(RefusedError) as error:
        sync.get(f"http://me:hu%40sh@{host}/prices", "BTC-*", fields=["last"])
    head = asked[0].decode().splitlines()
    assert head[0] == "GET /prices/api/quotes?symbols=BTC-*&fields=last HTTP/1.1"
    assert "Authorization: Basic bWU6aHVAc2g=" in head
    assert "hu" not in str(error.value)


def test_long_lists_are_requested_in_parts() -> None:
    """No request's URL is too long for a proxy, and every symbol is requested once."""
    names = [f"VENUE:{i:05}-USD" for i in range(2000)]
    asked = list(parts(names))
    assert [name for part in asked for name in part] == names
    assert max(len(",".join(part)) for part in asked) <= MAX_QUERY
    assert len(asked) == 6
    assert list(parts(["*"])) == [["*"]]


def test_symbols_are_looked_up_by_one_request(capsys: pytest.CaptureFixture[str]) -> None:
    """One answer says which symbols exist, which do not, and which feeds may still bring them."""
    body = '{"symbols":[],"unknown":[{"symbol":"A:X","nearest":["A:XY"]}],"loading":["slow"]}'
    with answering(response("200 OK", body)) as (host, asked):
        assert cli.main(["symbols", "A:X", "*-EUR", "--url", f"http://{host}"]) == 3
    assert asked[0].startswith(b"GET /api/symbols?symbols=A:X,*-EUR HTTP")
    error = "ticker: no symbol 'A:X' so far (not loaded yet: slow); nearest: A:XY\n"
    assert capsys.readouterr() == ("", error)


def test_ticker_get_imports_neither_stream_nor_asyncio() -> None:
    """Importing them would take half of its time."""
    script = "import sys; from ticker.client.ask import ask; from ticker.commands.get import get; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"websockets", "msgspec", "orjson", "asyncio", "fastapi"} & set(done.stdout.split())
