"""The stream: what comes first, subscribing by URL and by message, resuming, silence, and a connection's limits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.web.peer import Peer, View
from tests.web.server import PRICES, Live, run, serving, start
from ticker import __version__
from ticker.model import FIELDS


def client(live: Live, query: str = "") -> connect:
    """The client of the `websockets` library, which shares no code with ours."""
    return connect(f"ws://127.0.0.1:{live.port}/ws{query}", proxy=None)


async def read(reader: ClientConnection) -> dict[str, Any]:
    """The next message; heartbeats are skipped."""
    while (message := json.loads(await reader.recv()))["type"] == "heartbeat":
        pass
    assert isinstance(message, dict)
    return message


async def ask(reader: ClientConnection, **message: object) -> dict[str, Any]:
    """Send a message and read the next one."""
    await reader.send(json.dumps(message))
    return await read(reader)


# What is said


@serving(limits={"patterns": 7, "symbols": 77, "message_bytes": 2048, "messages_per_s": 9}, hub={"heartbeat_ms": 1234})
async def test_hello_comes_first(live: Live) -> None:
    """The first message has the server, the store's version, the kinds of prices and the limits."""
    async with client(live) as reader:
        hello = await read(reader)
    store = live.service.store
    assert abs(hello.pop("time") - live.clock.wall_ms()) < 60_000
    assert hello == {
        "type": "hello", "protocol": 1, "server": f"ticker/{__version__}", "epoch": store.epoch,
        "version": store.version, "kinds": ["live"], "heartbeat_ms": 1234, "connection": 1,
        "limits": {"patterns": 7, "wildcards": 32, "symbols": 77, "message_bytes": 2048, "messages_per_s": 9,
                   "work_per_s": 20_000, "snapshot_symbols_per_s": 500_000, "min_interval_ms": 0},
    }  # fmt: skip


@serving()
async def test_a_parameter_that_is_repeated_counts_each_time(live: Live) -> None:
    """`?symbols=A&symbols=B`, which many libraries make of a list, is `?symbols=A,B`; others may not be repeated."""
    async with client(live, "?symbols=BTC-USD&fields=ts&symbols=ETH-USD&fields=last") as reader:
        assert (await read(reader))["type"] == "hello"
        subscribed = await read(reader)
        assert (subscribed["patterns"], subscribed["fields"]) == (["BTC-USD", "ETH-USD"], ["last", "ts"])
    for twice in ("interval_ms=50&interval_ms=50", "cursor=1:2:3&cursor="):
        async with client(live, f"?symbols=BTC-USD&{twice}") as reader:
            assert (await read(reader))["type"] == "hello"
            error = await read(reader)
            assert (error["code"], "is given twice" in error["message"]) == ("bad_request", True)


@serving()
async def test_a_url_can_have_the_whole_subscription(live: Live) -> None:
    """Symbols, fields and interval may be in the URL; one `subscribed` without `id` and a snapshot follow."""
    async with client(live, "?symbols=BTC-USD,toy:*&fields=ts,last&interval_ms=51") as reader:
        assert (await read(reader))["type"] == "hello"
        subscribed = await read(reader)
        assert "id" not in subscribed
        assert subscribed["patterns"] == ["BTC-USD", "toy:*"]
        assert (subscribed["matched"], subscribed["fields"], subscribed["interval_ms"]) == (3, ["last", "ts"], 100)
        snapshot = await read(reader)
        assert snapshot["type"] == "snapshot"
        assert snapshot["quotes"].keys() == {"BTC-USD", "toy:BTC-USD", "toy:ETH-USD"}
        assert all(quote.keys() == {"last", "ts"} for quote in snapshot["quotes"].values())
        assert snapshot["feeds"]["toy"]["state"] == "live"


@serving()
async def test_a_bad_url_gets_an_error_and_a_message_may_still_subscribe(live: Live) -> None:
    """A bad URL gets `hello` and an error; a message can still subscribe."""
    async with client(live, "?symbols=BTC-USD&fields=lost") as reader:
        assert (await read(reader))["type"] == "hello"
        error = await read(reader)
        assert (error["type"], error["code"]) == ("error", "unknown_field")
        assert "did you mean 'last'" in error["message"]
        assert (await ask(reader, op="subscribe", symbols=["BTC-USD"]))["type"] == "subscribed"


@serving()
async def test_messages_subscribe_step_by_step(live: Live) -> None:
    """The first subscription brings a snapshot, a further one only the new symbols, complete; other fields start
    anew; what is unsubscribed comes no more.
    """
    async with client(live) as reader:
        await read(reader)
        subscribed = await ask(reader, op="subscribe", id=1, symbols=["BTC-USD"])
        assert (subscribed["type"], subscribed["id"], subscribed["resumed"]) == ("subscribed", 1, False)
        assert (await read(reader))["quotes"].keys() == {"BTC-USD"}

        assert (await ask(reader, op="subscribe", id="two", symbols=["ETH-USD"]))["id"] == "two"
        update = await read(reader)
        assert (update["type"], update["since"]) == ("update", update["version"])
        assert update["quotes"]["ETH-USD"].keys() == set(FIELDS)

        live.publish({"BTC-USD": "97001.50", "ETH-USD": "3101"})
        update = await read(reader)
        assert {s: q["last"] for s, q in update["quotes"].items()} == {"BTC-USD": 97001.5, "ETH-USD": 3101}

        await ask(reader, op="subscribe", symbols=["ETH-USD"], fields=["last"])
        snapshot = await read(reader)
        assert (snapshot["type"], snapshot["quotes"]["ETH-USD"]) == ("snapshot", {"last": 3101})

        await ask(reader, op="unsubscribe", id=4, symbols=["BTC-USD"])
        assert "quotes" not in await read(reader)
        live.publish({"BTC-USD": "97002.50", "ETH-USD": "3102"})
        assert (await read(reader))["quotes"] == {"ETH-USD": {"last": 3102}}


@serving()
async def test_a_price_keeps_its_own_decimal_text(live: Live) -> None:
    """The digits of the exchange arrive as they are, trailing zeros and more digits than a float has."""
    async with client(live, "?symbols=BTC-USD&fields=last") as reader:
        await reader.recv()
        await reader.recv()
        assert '"BTC-USD":{"last":97000.10}' in str(await reader.recv())
        live.publish({"BTC-USD": "0.12345678901234567890"})
        assert '"BTC-USD":{"last":0.12345678901234567890}' in str(await reader.recv())


@serving()
async def test_bad_messages_get_one_error_each(live: Live) -> None:
    """Every bad message gets one short error with its `id` and a stable code, and the stream goes on."""
    cases: list[tuple[str, str]] = [
        ("{", "bad_json"),
        ("[1]", "bad_request"),
        ('"' + "[" * 1000, "bad_json"),
        ("[" * 5000, "bad_json"),
        ('{"op":"sing"}', "unknown_op"),
        ('{"op":"subscribe","symbols":"BTC-USD"}', "bad_request"),
        ('{"op":"subscribe","symbols":["BTC-USD"],"fields":["lost"]}', "unknown_field"),
        ('{"op":"subscribe","symbols":["BTC-USD"],"interval_ms":-1}', "bad_request"),
        ('{"op":"unsubscribe","symbols":["BTC-USD"]}', "not_subscribed"),
        ('{"op":"ping","id":1e999}', "bad_json"),
        ('{"op":"ping","id":{}}', "bad_request"),
    ]
    async with client(live) as reader:
        await read(reader)
        for text, code in cases:
            await reader.send(text)
            error = await read(reader)
            assert (error["type"], error["code"]) == ("error", code), text
        assert (await ask(reader, op="ping", id=5))["id"] == 5


# Resuming


async def place(peer: Peer, view: View) -> str:
    """Follow a new stream to its first data frame and return the cursor."""
    epoch = (await peer.hear("hello"))["epoch"]
    digest = (await peer.hear("subscribed"))["selection"]
    view.apply(await peer.hear("snapshot"))
    return f"{epoch}:{view.version}:{digest}"


@pytest.mark.parametrize("way", ["url", "message"])
@serving()
async def test_a_cursor_resumes_over_a_new_connection(live: Live, way: str) -> None:
    """A reader that comes back with its last cursor gets one update with what it missed, and nothing else."""
    first, view = await live.stream("?symbols=BTC-USD,ETH-USD"), View()
    cursor = await place(first, view)
    first.reset()
    for last in ("3200", "3201.5"):
        live.publish({"ETH-USD": last})
        live.hub.flush()
    if way == "url":
        second = await live.stream(f"?symbols=ETH-USD,BTC-USD&cursor={cursor}")
    else:
        second = await live.stream()
        await second.say(op="subscribe", symbols=["ETH-USD", "BTC-USD"], cursor=cursor)
    assert (await second.hear("subscribed"))["resumed"] is True
    update = await second.hear("update")
    assert update["since"] == view.version
    assert update["quotes"].keys() == {"ETH-USD"}
    view.apply(update)
    assert view.quotes == (await live.get("/api/quotes?symbols=BTC-USD,ETH-USD")).json["quotes"]
    assert live.hub.groups.counts.resumes == {"update": 1, "snapshot": 0}


@serving()
async def test_any_other_cursor_gets_a_snapshot(live: Live) -> None:
    """A cursor of another selection, of a version never reached, or malformed, is answered by a snapshot."""
    cursor = await place(await live.stream("?symbols=BTC-USD"), View())
    epoch, version, digest = cursor.split(":")
    ahead = f"{epoch}:{int(version) + 1}:{digest}"
    for query in (
        f"ETH-USD&cursor={cursor}",
        f"BTC-USD&cursor={ahead}",
        "BTC-USD&cursor=x",
        f"BTC-USD&cursor={epoch}:1",
    ):
        peer = await live.stream(f"?symbols={query}")
        assert (await peer.hear("subscribed"))["resumed"] is False
        await peer.hear("snapshot")
    assert live.hub.groups.counts.resumes == {"update": 0, "snapshot": 4}


def test_a_cursor_of_an_earlier_run_gets_a_snapshot() -> None:
    """After a restart there is a new epoch: the old cursor is answered by a snapshot, though its version exists."""

    async def scenario() -> None:
        async with start() as before:
            cursor = await place(await before.stream("?symbols=*"), View())
        async with start() as after:
            assert after.service.store.epoch > before.service.store.epoch
            peer = await after.stream(f"?symbols=*&cursor={cursor}")
            assert (await peer.hear("subscribed"))["resumed"] is False
            assert (await peer.hear("snapshot"))["quotes"].keys() == PRICES.keys()
            assert after.hub.groups.counts.resyncs["epoch"] == 1

    run(scenario)


# Silence


@serving(hub={"heartbeat_ms": 60_000})
async def test_silence_is_filled_by_heartbeats(live: Live) -> None:
    """A reader that was sent nothing for `heartbeat_ms` gets a heartbeat, subscribed or not."""
    idle, reader = await live.stream(), await live.stream("?symbols=*")
    await reader.hear("snapshot")
    live.clock.skip(61)
    version = live.service.store.version
    assert (await reader.hear("heartbeat"))["version"] >= version
    assert (await idle.hear("heartbeat"))["version"] == 0, "it was told nothing yet"


# Limits of a connection


@serving(limits={"messages_per_s": 1})
async def test_too_many_messages_end_the_connection(live: Live) -> None:
    """Each message above the rate gets `rate_limited`; a client that does not slow down is closed with 4029."""
    live.clock.stand()
    async with client(live) as reader:
        for _ in range(100):
            await reader.send('{"op":"ping"}')
        kinds: list[str] = []

        async def read_all() -> None:
            while True:
                message = await read(reader)
                kinds.append(message.get("code", message["type"]))

        with pytest.raises(ConnectionClosed) as closed:
            await read_all()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4029
    assert kinds == ["hello"] + ["pong"] * 50 + ["rate_limited"] * 10


@serving(limits={"messages_per_s": 100})
async def test_too_many_bad_messages_end_the_connection(live: Live) -> None:
    """Twenty bad messages in a minute are answered, one more closes with 4000 after its own answer."""
    live.clock.stand()
    async with client(live) as reader:
        await read(reader)
        for _ in range(20):
            assert (await ask(reader, op="sing"))["code"] == "unknown_op"
        live.clock.skip(3)
        assert (await ask(reader, op="sing"))["code"] == "unknown_op"
        assert (await ask(reader, op="sing"))["code"] == "unknown_op"
        with pytest.raises(ConnectionClosed) as closed:
            await reader.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4000, "too many bad messages")
