"""The stream as server-sent events: the same frames as a WebSocket, resumed by the browser's own header."""

from __future__ import annotations

import itertools
import os
import socket

import pytest

from tests.running import exact
from tests.web.events import EventPeer, listen_to
from tests.web.peer import Answer, View
from tests.web.server import PRICES, Live, serving, until
from ticker.hub import GOODBYE_RETRY_MS
from web.sse import RETRY_MS

MANY = [f"S{i}-USD" for i in range(200)]


def publish_large(live: Live, step: int) -> None:
    """Change 200 symbols so that an update about them all has 100 KB."""
    live.publish(dict.fromkeys(MANY, f"{step + 1}.5"), name=f"{step:0500}")
    live.hub.flush()


# What comes


@serving()
async def test_events_are_the_frames_of_a_websocket(live: Live) -> None:
    """A snapshot, then each update, byte for byte what a WebSocket gets, with the cursor as `id`."""
    socket_peer = await live.stream("?symbols=BTC-USD,ETH-USD")
    digest = (await socket_peer.hear("subscribed"))["selection"]
    reader, view = await listen_to(live, "?symbols=ETH-USD,BTC-USD"), View()
    assert reader.answer.status == 200
    assert reader.answer.headers["content-type"].startswith("text/event-stream")
    assert reader.answer.headers["cache-control"] == "no-store, no-transform"
    first = await reader.event()
    view.apply(first.json)
    store = live.service.store
    assert reader.answer.headers["x-accel-buffering"] == "no", "a proxy would keep events until there are many"
    assert (first.kind, first.id) == ("snapshot", f"{store.epoch}:{store.version}:{digest}")
    assert RETRY_MS[0] <= int(reader.subscribed.retry or 0) <= RETRY_MS[1]
    await socket_peer.hear("snapshot")
    for price in ("97001.50", "97002.500"):
        live.publish({"BTC-USD": price})
        live.hub.flush()
        event = await reader.event()
        _, payload = await socket_peer.receive()
        assert event.text.encode() == payload
        assert (event.kind, event.id) == ("update", f"{store.epoch}:{store.version}:{digest}")
        assert exact(event.text)["quotes"]["BTC-USD"]["last"] == price
        view.apply(event.json)
    assert view.quotes == (await live.get("/api/quotes")).json["quotes"]
    assert len(live.hub.groups) == 1, "both stand in one group"


@serving()
async def test_without_symbols_everything_comes(live: Live) -> None:
    """No `symbols` means every consolidated symbol, as for REST; fields and interval are those of the stream."""
    reader = await listen_to(live, "?fields=ts,last&interval_ms=51")
    quotes = (await reader.event()).json["quotes"]
    assert {symbol: tuple(quote) for symbol, quote in quotes.items()} == dict.fromkeys(PRICES, ("last", "ts"))
    assert [group.interval_ms for group in live.hub.groups] == [100]
    live.publish({"BTC-USD": "97001.5"})
    live.publish({"BTC-USD": "97002.5"})
    live.hub.flush()
    assert (await reader.event()).json["quotes"]["BTC-USD"]["last"] == 97002.5


@serving()
async def test_a_symbol_that_appears_later_is_not_missed(live: Live) -> None:
    """A symbol that does not exist yet comes whole when it does, and leaves by `gone`."""
    reader = await listen_to(live, "?symbols=NEW-USD")
    assert (await reader.event()).json["quotes"] == {}
    live.publish({"NEW-USD": "1.5"})
    live.hub.flush()
    assert (await reader.event()).json["quotes"]["NEW-USD"]["last"] == 1.5
    live.feed.remove(["toy:NEW-USD"])
    live.hub.flush()
    assert (await reader.event()).json["gone"] == ["NEW-USD"]


@serving()
async def test_unknown_symbols_are_named_in_the_first_event(live: Live) -> None:
    """The first event is `subscribed`, as for a WebSocket with parameters; it is not data, so it has no `id`.

    Seen: a stream of a name that does not exist was mute for ever.
    """
    query = "?symbols=BTC-USX,BTC-USD&fields=last&interval_ms=51"
    reader, told = await listen_to(live, query), await (await live.stream(query)).hear("subscribed")
    cursor = (await reader.event()).id
    assert (reader.subscribed.json, reader.subscribed.id) == (told, None)
    assert told["unknown"] == [{"symbol": "BTC-USX", "nearest": ["BTC-USD"]}]
    again = await listen_to(live, query, f"Last-Event-ID: {cursor}")
    await again.event()
    assert (told["resumed"], again.subscribed.json) == (False, told | {"resumed": True})
    live.service.feed("dead", "live", "received", 5.0)  # may still bring it, and nothing more would be said then
    early, told = await listen_to(live, query), await (await live.stream(query)).hear("subscribed")
    await early.event()
    assert early.subscribed.json["unknown"] == told["unknown"] == []


@serving(hub={"heartbeat_ms": 100, "flush_interval_ms": 0})
async def test_a_heartbeat_fills_silence(live: Live) -> None:
    """A heartbeat comes when nothing else does; its `id` is a valid cursor."""
    reader = await listen_to(live, "?symbols=BTC-USD")
    await reader.event()
    live.publish({"ETH-USD": "3101.5"})
    live.hub.flush()
    beat = await reader.hear("heartbeat")
    while beat.json["version"] != live.service.store.version:
        beat = await reader.hear("heartbeat")
    again = await listen_to(live, "?symbols=BTC-USD", f"Last-Event-ID: {beat.id}")
    event = await again.event()
    assert (event.kind, event.json["since"]) == ("update", live.service.store.version)
    assert "quotes" not in event.json


# Coming back


@serving()
async def test_last_event_id_resumes(live: Live) -> None:
    """`Last-Event-ID` is answered by one update with all that was missed; so is `cursor`, over which it wins."""
    reader, view = await listen_to(live), View()
    view.apply((await reader.event()).json)
    old = reader.cursor
    live.publish({"BTC-USD": "97001.5"})
    live.hub.flush()
    view.apply((await reader.event()).json)
    reader.peer.reset()
    live.publish({"ETH-USD": "3101.5"})
    live.hub.flush()
    live.publish({"ETH-USD": "3102.5"})
    live.hub.flush()
    back = await listen_to(live, f"?cursor={old}", f"Last-Event-ID: {reader.cursor}")
    event = await back.event()
    assert (event.kind, event.json["since"], event.json["quotes"].keys()) == ("update", view.version, {"ETH-USD"})
    view.apply(event.json)
    assert view.quotes == (await live.get("/api/quotes")).json["quotes"]
    by_url = (await (await listen_to(live, f"?cursor={old}")).event()).json
    assert by_url["quotes"].keys() == {"BTC-USD", "ETH-USD"}
    counts = live.hub.groups.counts
    assert (counts.resumes, sum(counts.resyncs.values())) == ({"update": 2, "snapshot": 0}, 0)


@serving()
async def test_any_other_cursor_gets_a_snapshot(live: Live) -> None:
    """Another selection, another epoch, or nonsense: a snapshot."""
    reader = await listen_to(live, "?symbols=BTC-USD")
    await reader.event()
    _, version, digest = reader.cursor.split(":")
    for other in (f"1:{version}:{digest}", "nonsense", reader.cursor):
        event = await (await listen_to(live, "", f"Last-Event-ID: {other}")).event()
        assert (event.kind, event.json["quotes"].keys()) == ("snapshot", PRICES.keys())
    assert live.hub.groups.counts.resyncs == {"epoch": 2, "selection": 1, "pruned": 0}


# Slow readers


@serving()
async def test_a_stalled_reader_is_dropped_and_others_miss_nothing(live: Live) -> None:
    """A reader that takes nothing of 3 MB holds one frame and is dropped after `stall_s`; others miss nothing.

    One that is closed by the service, as when its token expires, holds little more than that, and is dropped soon.
    """
    live.clock.stand()
    publish_large(live, 0)
    good, view = await listen_to(live, "?symbols=S*"), View()
    before = live.hub.groups.counts.bytes
    stalled = await listen_to(live, "?symbols=S*", receive_buffer=4096)
    held = stalled.connection(live)
    first_bytes = live.hub.groups.counts.bytes - before
    unwanted = (await listen_to(live, "?symbols=S*", receive_buffer=4096)).connection(live)
    await good.follow(view, live.service.store.version)
    for step in range(1, 31):
        publish_large(live, step)
        (update,) = await good.follow(view, live.service.store.version)
        assert update.json["version"] == update.json["since"] + 1
        assert 0 < held.pending_bytes < first_bytes + 100
    assert held.paused
    unwanted.end(4001, "the token has ended")
    assert live.hub.pending_bytes == held.pending_bytes
    assert unwanted.pending_bytes < first_bytes + 400
    live.hub.look_at_paused(live.hub.now(), live.service.settings.hub.stall_s)  # what the kernel took is no news now
    live.clock.go_on()  # the hub ticks by it
    live.clock.skip(live.service.settings.hub.stall_s)
    await until(lambda: held not in live.hub.connections)
    assert live.hub.counts.disconnects == {4001: 1, 4008: 1}
    await until(lambda: len(live.server.server_state.connections) == 1)
    assert live.hub.connected["sse"] == 1


@serving()
async def test_a_reader_that_comes_back_gets_one_frame_and_is_exact(live: Live) -> None:
    """What a slow reader missed comes as one update from its own version to now, and then it shows the truth."""
    publish_large(live, 0)
    slow, view = await listen_to(live, "?symbols=S*", receive_buffer=4096), View()
    steps = itertools.count(1)
    while not live.hub.groups.lagging:
        publish_large(live, next(steps))
    connection = slow.connection(live)
    missed_from = connection.since
    for _ in range(10):
        publish_large(live, next(steps))
    version = live.service.store.version
    events = await slow.follow(view, version)
    catch_up = events[-1].json
    assert (catch_up["since"], catch_up["version"]) == (missed_from, version)
    assert view.quotes == (await live.get("/api/quotes?symbols=S*")).json["quotes"]
    publish_large(live, next(steps))
    (update,) = await slow.follow(view, version + 1)
    assert update.kind == "update", "it is a member like any other again"
    await until(lambda: connection not in live.hub.paused)
    assert connection.open, "nor is it watched over as if it were full"


@serving()
async def test_a_stream_on_a_full_socket_holds_one_frame(live: Live) -> None:
    """A reader that does not even take the head of its answer holds one frame, and is dropped after `stall_s`.

    Seen: the stream did not know that its socket was full, so it wrote on and on, and never counted as stalled.
    """
    peer = await live.connect(receive_buffer=4096)
    await until(lambda: live.server.server_state.connections)
    (http,) = live.server.server_state.connections
    number, refusals = http.transport.get_extra_info("socket").fileno(), 0

    def full() -> bool:
        nonlocal refusals
        try:
            os.write(number, b"an answer before it" * 100)
            refusals = 0
        except BlockingIOError:  # for now: what is on its way makes room once more
            refusals += 1
        return refusals == 100

    await until(full)
    await peer.request("GET", "/api/stream?symbols=S*")
    await until(lambda: live.hub.connections)
    held = EventPeer(peer, Answer(200, {}, b"")).connection(live)
    publish_large(live, 0)
    waiting = held.pending_bytes
    publish_large(live, 1)
    assert held.pending_bytes == waiting
    assert live.hub.pending_bytes == waiting > 0
    live.clock.skip(live.service.settings.hub.stall_s)
    await until(lambda: not live.hub.connections)
    assert live.hub.counts.disconnects == {4008: 1}


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux has this socket option")
@serving()
async def test_a_dead_peer_is_found_without_pings(live: Live) -> None:
    """The kernel drops a connection that acknowledges no bytes, after the time that a WebSocket has for a pong."""
    reader = await listen_to(live)
    sock = reader.connection(live)._http.transport.get_extra_info("socket")
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 40_000


@serving()
async def test_resets_cost_other_readers_no_frame(live: Live) -> None:
    """Readers that vanish while prices flow cost the others no frame, and leave nothing behind."""
    good, view = await listen_to(live), View()
    for step in range(10):
        readers = [await listen_to(live) for _ in range(5)]
        for reader in readers:
            reader.peer.reset()
        for part in range(3):
            live.publish({"BTC-USD": f"97{step}{part}.5"})
            live.hub.flush()
        for event in (await good.follow(view, live.service.store.version))[1:]:
            assert event.json["version"] == event.json["since"] + 1
    await until(lambda: len(live.server.server_state.connections) == 1)
    assert live.hub.connected["sse"] == 1
    assert view.quotes == (await live.get("/api/quotes")).json["quotes"]


# Ends


@serving()
async def test_a_reader_that_leaves_is_forgotten(live: Live) -> None:
    """A reader that closes or drops its connection leaves the hub at once and is counted."""
    readers = [await listen_to(live) for _ in range(3)]
    for reader in readers:
        await reader.event()
    assert live.hub.connected == {"ws": 0, "sse": 3, "poll": 0}
    readers[0].peer.sock.close()
    await until(lambda: live.hub.connected["sse"] == 2)
    readers[1].peer.reset()
    await until(lambda: live.hub.connected["sse"] == 1)
    assert sum(live.hub.counts.disconnects.values()) == 2
    assert set(live.hub.counts.disconnects) <= {1001, 1006}
    metrics = (await live.get("/metrics")).body.decode()
    assert 'ticker_hub_connections{transport="sse"} 1.0' in metrics
    assert 'ticker_hub_connects_total{transport="sse"} 3.0' in metrics


@serving()
async def test_a_stopping_service_sends_bye(live: Live) -> None:
    """`bye` with its own retry time, then the end of the response, also for a reader that was full at that moment;
    a client that connects meanwhile gets a `bye`, too, not 503.

    A browser's EventSource gives up for good after any status but 200.
    """
    publish_large(live, 0)
    slow = await listen_to(live, "?symbols=S*", receive_buffer=4096)  # keeps the service from its end
    reader = await listen_to(live)
    await reader.event()
    live.service.stop()
    bye = await reader.hear("bye")
    assert bye.json == {"type": "bye", "reason": "shutdown", "reconnect": True, "retry_ms": list(GOODBYE_RETRY_MS)}
    assert GOODBYE_RETRY_MS[0] <= int(bye.retry or 0) <= GOODBYE_RETRY_MS[1]
    assert bye.id is None, "the cursor stays that of the last data"
    assert await reader.chunk() == b""
    assert await reader.peer.rest() == b""
    late = await live.get("/api/stream")
    assert (late.status, b"event: bye\n" in late.body, b"retry: " in late.body) == (200, True, True)
    assert not live.server.should_exit
    assert [(await slow.event()).kind for _ in range(2)] == ["snapshot", "bye"]
    assert await slow.chunk() == b""
    await until(lambda: not live.hub.connections)
    assert live.hub.counts.disconnects == {1012: 2}


@serving()
async def test_bye_has_the_reason(live: Live) -> None:
    """`bye` has the reason and whether to reconnect; a slow reader gets it after what had waited for it.

    Seen: a stream whose token had expired, or that had stalled, ended without a word, a slow one with a reset.
    """
    publish_large(live, 0)
    slow, quick = await listen_to(live, "?symbols=S*", receive_buffer=4096), await listen_to(live)
    await quick.event()
    assert slow.connection(live).paused
    for code, again in ((4001, False), (4008, True)):
        (reader := quick if again else slow).connection(live).end(code, "a reason")
        bye = await reader.hear("bye")
        assert (bye.json["reason"], bye.json["reconnect"], bye.id) == ("a reason", again, None)
        assert await reader.chunk() == b""
        assert await reader.peer.rest() == b""
    assert live.hub.counts.disconnects == {4001: 1, 4008: 1}
    assert not live.hub.connections


# The door


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?symbols=a:b:c", "bad_request"),
        ("?symbols=", "bad_request"),  # an empty list in a script: the stream would be mute for ever
        ("?fields=pirce", "unknown_field"),
        ("?interval_ms=-1", "bad_request"),
        ("?interval_ms=soon", "bad_request"),
        ("?symbols=" + ",".join(f"S{i}" for i in range(41)), "too_many_symbols"),
        ("?symbols=" + ",".join(f"S{i}*" for i in range(33)), "too_many_symbols"),
        ("?symbols=*,*:*", "too_many_symbols"),
    ],
)
@serving(limits={"patterns": 40, "symbols": 3})
async def test_an_invalid_request_is_400(live: Live, query: str, code: str) -> None:
    """What cannot be streamed gets 400 and says why, before anything else."""
    answer = await live.get(f"/api/stream{query}")
    assert (answer.status, answer.json["code"]) == (400, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert live.hub.counts.connects["sse"] == 0


@serving(limits={"connections": 2})
async def test_admission_is_shared_with_websockets(live: Live) -> None:
    """Foreign pages get 403; connections of all transports count together, and the one too many gets 503."""
    answer = await live.get("/api/stream", "Origin: http://evil.example")
    assert (answer.status, answer.json["code"]) == (403, "forbidden")
    await live.stream()
    assert (await listen_to(live, "", f"Origin: http://127.0.0.1:{live.port}")).answer.status == 200
    answer = await live.get("/api/stream")
    assert (answer.status, answer.json["code"]) == (503, "overloaded")
    assert int(answer.headers["retry-after"]) >= 1


@serving()
async def test_head_has_the_headers_and_takes_no_slot(live: Live) -> None:
    """HEAD has the headers of GET, ends at once, and takes no connection slot."""
    head, got = await live.get("/api/stream", method="HEAD"), (await listen_to(live)).answer
    assert (head.status, head.headers["content-type"]) == (200, got.headers["content-type"])
    assert "content-length" not in head.headers
    assert live.hub.counts.connects["sse"] == 1


@serving()
async def test_an_old_client_gets_no_chunks(live: Live) -> None:
    """HTTP/1.0 has no chunks: the events come bare, and the connection's end is theirs."""
    peer = await live.connect()
    await peer.write(b"GET /api/stream?symbols=BTC-USD HTTP/1.0\r\nHost: localhost\r\n\r\n")
    answer = await peer.answer()
    assert "transfer-encoding" not in answer.headers
    await until(lambda: live.hub.connected["sse"])
    live.publish({"BTC-USD": "97001.5"})
    live.hub.flush()
    live.service.stop()
    body = (await peer.rest()).decode()
    assert body.startswith("retry: ")
    assert body.endswith("\n\n")
    kinds = [line for line in body.split("\n") if line.startswith("event: ")]
    assert kinds == ["event: subscribed", "event: snapshot", "event: update", "event: bye"]


@serving()
async def test_nothing_is_read_behind_the_request(live: Live) -> None:
    """Requests sent after that of a stream are not answered; however much comes, it is discarded."""
    peer = await live.connect()
    stream = "GET /api/stream?symbols=BTC-USD HTTP/1.1\r\nHost: localhost\r\n\r\n"
    other = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    await peer.write((stream + other).encode())
    reader = EventPeer(peer, await peer.answer(body=False))
    assert (await reader.event()).kind == "snapshot"
    await peer.write(b"X: " + b"y" * 300_000)
    live.publish({"BTC-USD": "97001.5"})
    live.hub.flush()
    assert (await reader.event()).kind == "update"
    peer.sock.shutdown(socket.SHUT_WR)
    await until(lambda: not live.hub.connections)
