"""Admission to the stream: by origin, host, number in all and per address, rate, and while stopping."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from starlette.requests import HTTPConnection
from starlette.responses import Response

from tests.web.peer import UPGRADE, Peer
from tests.web.server import Live, serving, until
from web.admission import Admission, same_origin


@pytest.mark.parametrize(
    ("origin", "host", "welcome"),
    [
        (None, "localhost:8000", True),
        ("http://localhost:8000", "localhost:8000", True),
        ("https://prices.example", "prices.example", True),
        ("HTTP://LOCALHOST:8000", "localhost:8000", True),
        ("https://prices.example", "prices.example:443", True),
        ("http://prices.example", "prices.example:80", True),
        ("https://prices.example", "prices.example:80", False),
        ("http://prices.example", "prices.example:443", False),
        ("https://prices.example:8443", "prices.example:443", False),
        ("https://", ":443", False),
        ("null", "localhost:8000", False),
        ("", "localhost:8000", False),
        ("http://evil.example", "localhost:8000", False),
        ("http://localhost:8001", "localhost:8000", False),
        ("http://localhost", "localhost:8000", False),
        ("http://localhost:8000.evil.example", "localhost:8000", False),
        ("http://evil-localhost:8000", "localhost:8000", False),
        ("http://localhost:8000@evil.example", "localhost:8000", False),
        ("http://evil.example@localhost:8000", "localhost:8000", False),
        ("ftp://localhost:8000", "localhost:8000", False),
        ("http://", "", False),
        ("http://[::1", "localhost:8000", False),
    ],
)
def test_only_the_pages_own_origin_may_connect(origin: str | None, host: str, welcome: bool) -> None:
    """A script has no Origin and may connect; a page must come from exactly this host and port.

    A proxy may add the port of https or http to Host (nginx with `$host:$server_port`), which no Origin has.
    """
    assert same_origin(origin, host) is welcome


async def request_stream(live: Live, *headers: str, source: str | None = None) -> tuple[Peer, int, dict[str, str]]:
    """Ask for the stream and return the answer."""
    peer = await live.connect(source=source)
    answer = await peer.upgrade("/ws", *headers)
    if answer.status != 101:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json["status"] == answer.status
        assert await peer.rest() == b""
    return peer, answer.status, answer.headers


def refusals(live: Live) -> dict[str, int]:
    """How many were refused, by reason."""
    return {reason: count for reason, count in live.hub.counts.rejects.items() if count}


@serving()
async def test_a_foreign_page_is_refused_before_the_upgrade(live: Live) -> None:
    """The origin of another site gets 403 and is counted; the page's own origin and none at all are served."""
    for origin in ("http://evil.example", "null", "http://[::1"):
        assert (await request_stream(live, f"Origin: {origin}"))[1] == 403
    assert refusals(live) == {"origin": 3}
    assert (await request_stream(live, f"Origin: http://127.0.0.1:{live.port}"))[1] == 101
    assert (await request_stream(live))[1] == 101


@serving()
async def test_a_rebound_name_is_refused(live: Live) -> None:
    """On loopback a Host that is no loopback name gets 403, though its Origin matches it (DNS rebinding)."""
    assert (await request_stream(live, "Host: evil.example", "Origin: http://evil.example"))[1] == 403
    assert (await request_stream(live, "Host: 127.0.0.1.evil.example"))[1] == 403
    assert (await request_stream(live, "Host: localhost:1", "Origin: http://localhost:1"))[1] == 101
    assert (await request_stream(live, "Host: [::1]:1", "Origin: http://[::1]:1"))[1] == 101


@serving(server={"base_path": "/prices"})
async def test_a_stream_refused_by_its_host_is_counted_and_numbered(
    live: Live, caplog: pytest.LogCaptureFixture
) -> None:
    """So is one refused by its Origin, so that a misconfigured proxy is found; plain requests are not counted.

    Seen: such streams had no number, no line in the log, and counted as nothing.
    """
    caplog.set_level(logging.INFO, "ticker.connections")
    numbers = []
    for path in ("/ws", "/prices/ws", "/nowhere"):
        answer = await (await live.connect()).upgrade(path, "Host: evil.example")
        assert answer.status == 403
        numbers.append(answer.headers["connection-id"])
    for path in ("/api/stream", "/prices/api/stream"):
        answer = await live.get(path, "Host: evil.example")
        assert answer.status == 403
        numbers.append(answer.headers["connection-id"])
    answer = await live.get("/api/stream", "Host: a.example", "Host: b.example")
    assert answer.status == 400
    numbers.append(answer.headers["connection-id"])
    assert (len(set(numbers)), refusals(live)) == (6, {"host": 6})
    said = [(r.__dict__["reason"], str(r.__dict__["connection"])) for r in caplog.records if r.message == "refused"]
    assert said == [("host", number) for number in numbers]
    answer = await live.get("/api/quotes", "Host: evil.example")
    assert (answer.status, "connection-id" in answer.headers, refusals(live)) == (403, False, {"host": 6})


@serving(limits={"connections": 2})
async def test_more_connections_than_allowed_are_refused(live: Live) -> None:
    """The one too many gets 503 and when to come back; when somebody has gone there is room again."""
    first, second = [await request_stream(live) for _ in range(2)]
    assert (first[1], second[1]) == (101, 101)
    _, status, headers = await request_stream(live)
    assert status == 503
    assert 1 <= int(headers["retry-after"]) <= 5
    assert live.hub.counts.rejects["full"] == 1
    waits = {(await request_stream(live))[2]["retry-after"] for _ in range(30)}
    assert len(waits) > 1, "everybody was told to come back at the same moment"
    second[0].reset()
    await until(lambda: len(live.hub.connections) == 1)
    assert (await request_stream(live))[1] == 101


@serving(limits={"connections_per_address": 1})
async def test_one_address_cannot_take_all_connections(live: Live) -> None:
    """The second connection of an address gets 503, whatever it says of proxies; another address is served."""
    assert (await request_stream(live))[1] == 101
    assert (await request_stream(live))[1] == 503
    assert (await request_stream(live, "X-Forwarded-For: 192.0.2.1"))[1] == 503
    refused = await (await live.connect()).upgrade("/ws")
    assert refused.json["detail"] == "too many connections from this address now"
    assert (await request_stream(live, source="127.0.0.2"))[1] == 101


@serving(limits={"connects_per_s": 3})
async def test_connections_beyond_the_rate_get_503(live: Live) -> None:
    """More connections a second than allowed get 503; a second later there is room again."""
    live.clock.stand()
    assert [(await request_stream(live))[1] for _ in range(4)] == [101, 101, 101, 503]
    live.clock.skip(1)
    assert (await request_stream(live))[1] == 101


@serving()
async def test_a_stopping_service_refuses_connections(live: Live) -> None:
    """While readers are told goodbye a new one gets 503, and the service says that it is not ready.

    Seen: a restart was counted and logged as `full`, and told "too many connections now".
    """
    peer = await live.stream()
    live.service.stop()
    await peer.hear("bye")
    refused = await (await live.connect()).upgrade("/ws")
    assert (refused.status, refused.json["detail"]) == (503, "the service is stopping")
    assert refusals(live) == {"stopping": 1}
    answer = await live.get("/readyz")
    assert (answer.status, answer.json["reasons"]) == (503, ["shutting down"])
    assert live.hub.groups.counts.messages["bye"] == 1
    assert await peer.close_code() == 1012


@serving()
async def test_an_unknown_path_is_no_stream(live: Live) -> None:
    """A WebSocket anywhere but at `/ws`, however that is written, is refused over HTTP, without an error in the log."""
    for path in ("/", "/ws/", "/api/quotes", "/nowhere"):
        peer = await live.connect()
        assert (await peer.upgrade(path)).status in {403, 404}
    assert (await (await live.connect()).upgrade("/%77s")).status == 101


@serving()
async def test_a_server_without_our_protocol_class_refuses_streams(live: Live) -> None:
    """Under a server without our protocol class the stream refuses and names the command to use."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await live.server.config.loaded_app(
        {"type": "websocket", "path": "/ws", "query_string": b"", "headers": [(b"host", b"localhost")],
         "client": ("127.0.0.1", 1), "extensions": {"websocket.http.response": {}}},
        receive, send,
    )  # fmt: skip
    start_message, body_message = sent
    assert (start_message["type"], start_message["status"]) == ("websocket.http.response.start", 503)
    assert "python -m ticker" in json.loads(body_message["body"])["detail"]


@serving()
async def test_an_error_in_a_handshake_ends_only_that_one(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception during a handshake ends that one only; the next one is served."""
    refusal, said = Admission.refusal, list[str]()

    def broken(self: Admission, connection: HTTPConnection) -> Response | None:
        if "bug" in connection.query_params:
            raise RuntimeError("a bug")
        return refusal(self, connection)

    monkeypatch.setattr(Admission, "refusal", broken)
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "exception", lambda text, **_: said.append(text))
    peers = [await live.connect() for _ in range(3)]
    for peer, query in zip(peers, ("", "?bug=1", ""), strict=True):
        await peer.request("GET", f"/ws{query}", *UPGRADE)
    assert [(await peer.answer()).status for peer in (peers[0], peers[2])] == [101, 101]
    assert await peers[1].rest() == b""
    monkeypatch.setattr(live.server.config, "loaded_app", broken)
    assert (await (await live.connect()).upgrade("/nowhere")).status == 500
    assert said == ["error in a WebSocket handshake", "error in a WebSocket endpoint"]
