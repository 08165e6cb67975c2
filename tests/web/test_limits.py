"""Limits of what readers share: a client that exceeds one gets its error code, the others notice nothing."""

from __future__ import annotations

import json

import pytest

from tests.web.peer import BINARY, CONTINUATION, TEXT, Peer, frame
from tests.web.server import Live, serving, until


class Bystander:
    """A reader that must get every version, whatever others do."""

    def __init__(self, live: Live, peer: Peer) -> None:
        self._live = live
        self._peer = peer
        self._price = 0

    @classmethod
    async def of(cls, live: Live) -> Bystander:
        peer = await live.stream("?symbols=BTC-USD&fields=last")
        await peer.hear("snapshot")
        return cls(live, peer)

    async def gets_the_next_price(self) -> None:
        """The next price comes, as the very next data frame."""
        self._price += 1
        self._live.publish({"BTC-USD": f"{self._price}.5"})
        assert (await self._peer.hear("update"))["quotes"] == {"BTC-USD": {"last": self._price + 0.5}}


async def refused(peer: Peer, code: str, **message: object) -> dict[str, object]:
    """Expect a subscription to be answered by an error, after which the connection goes on."""
    await peer.say(op="subscribe", id=1, **message)
    error = await peer.hear("error")
    assert (error["code"], error["id"]) == (code, 1)
    await peer.say(op="ping", id=2)
    assert (await peer.hear("pong"))["id"] == 2
    return error


MANY = {f"S{i}-USD": "1" for i in range(20)} | {"BTC-USD": "1"}


@serving(limits={"cells": 30}, prices=MANY)
async def test_a_new_selection_is_overloaded_when_all_cells_are_taken(live: Live) -> None:
    """When all cells are taken, a new selection is `overloaded`; one that exists already may be shared."""
    bystander = await Bystander.of(live)
    first, second = await live.stream("?symbols=S*"), await live.stream()
    await first.hear("snapshot")
    error = await refused(second, "overloaded", symbols=["S1*"])
    assert error["retry"] is True
    await second.say(op="subscribe", symbols=["S*"])
    assert len((await second.hear("snapshot"))["quotes"]) == 20
    await bystander.gets_the_next_price()


@serving(limits={"cells": 30}, prices=MANY)
async def test_readers_that_have_left_take_no_cells(live: Live) -> None:
    """Selections kept for readers that may come back make room for connected ones."""
    first, second = await live.stream("?symbols=S*"), await live.stream()
    await first.hear("snapshot")
    first.sock.close()
    await until(lambda: len(live.connections) == 1)
    await second.say(op="subscribe", symbols=["S1*"])
    assert len((await second.hear("snapshot"))["quotes"]) == 11
    assert len(live.hub.groups) == 1


@serving(limits={"cells_per_address": 25}, prices=MANY)
async def test_an_address_cannot_take_more_than_its_cells(live: Live) -> None:
    """One address cannot take more cells than its share, by one connection or by several; another one has its own."""
    bystander = await Bystander.of(live)
    first, second = await live.stream("?symbols=S*"), await live.stream()
    await first.hear("snapshot")
    await refused(second, "overloaded", symbols=["S1*"])
    elsewhere = await live.connect(source="127.0.0.2")
    assert (await elsewhere.upgrade("/ws?symbols=S1*")).status == 101
    assert len((await elsewhere.hear("snapshot"))["quotes"]) == 11
    first.sock.close()
    await bystander.gets_the_next_price()


@serving(limits={"snapshot_symbols_per_s": 15}, prices=MANY)
async def test_snapshots_are_paced(live: Live) -> None:
    """Too many large snapshots are refused, over any connection of an address, until it has waited."""
    live.clock.stand()
    bystander = await Bystander.of(live)
    first, second = await live.stream(), await live.stream()
    for fields in ("last", "bid"):
        await first.say(op="subscribe", symbols=["S*"], fields=[fields])
        await first.hear("snapshot")
    error = await refused(second, "overloaded", symbols=["S*"], fields=["ask"])
    assert error["retry"] is True
    await bystander.gets_the_next_price()
    live.clock.skip(2)
    await second.say(op="subscribe", symbols=["S*"], fields=["ask"])
    assert len((await second.hear("snapshot"))["quotes"]) == 20


@pytest.mark.parametrize("path", ["/api/quotes", "/api/quotes?format=csv", "/api/symbols"])
@serving(limits={"snapshot_symbols_per_s": 50}, prices=MANY)
async def test_full_answers_are_paced_like_snapshots(live: Live, path: str) -> None:
    """Full answers of all kinds use the same budget; answers with changes only, or none, do not."""
    live.clock.stand()
    bystander = await Bystander.of(live)
    whole = (await live.get("/api/quotes?symbols=S*")).json
    while (answer := await live.get(path)).status == 200:
        pass
    assert (answer.status, answer.json["code"], answer.headers["retry-after"]) == (503, "overloaded", "1")
    await refused(await live.stream(), "overloaded", symbols=["S*"], fields=["ask"])
    since = await live.get(f"/api/quotes?symbols=S*&cursor={whole['cursor']}")
    assert (since.status, since.json["since"]) == (200, whole["version"])
    await bystander.gets_the_next_price()
    live.clock.skip(10)
    assert (await live.get(path)).status == 200


@pytest.mark.parametrize("path", ["/api/quotes", "/api/quotes?format=csv", "/api/stream"])
@serving(limits={"snapshot_symbols_per_s": 70}, prices=MANY)
async def test_new_patterns_over_http_are_paced(live: Live, path: str) -> None:
    """Testing all symbols against a new pattern is charged like symbols in answers; a known one costs nothing.

    Seen: with 25,000 symbols each request with 32 patterns that nobody had used took 50 to 100 ms of the loop.
    """
    live.clock.stand()
    bystander = await Bystander.of(live)
    cursor = (await live.get("/api/quotes?symbols=BTC-*")).json["cursor"]
    target = path + ("&" if "?" in path else "?") + "symbols=BTC-USD,"
    peer = await live.connect()
    await peer.request("GET", target + "A*,B*", "Connection: close")
    assert (await peer.answer(body=False)).status == 200
    answer = await live.get(target + "C*")
    assert (answer.status, answer.json["code"], answer.headers["retry-after"]) == (503, "overloaded", "1")
    assert (await live.get(f"/api/quotes?symbols=BTC-*&cursor={cursor}")).status == 200
    await bystander.gets_the_next_price()


@serving(limits={"work_per_s": 30}, prices=MANY)
async def test_subscribing_is_paced(live: Live) -> None:
    """Pattern tests beyond the budget of a connection are refused before they are made, until it has waited."""
    live.clock.stand()
    bystander = await Bystander.of(live)
    peer = await live.stream("?symbols=S*,S1*")
    await peer.hear("snapshot")
    error = await refused(peer, "rate_limited", symbols=["S2*"])
    assert error["retry"] is True
    await bystander.gets_the_next_price()
    live.clock.skip(10)
    await peer.say(op="subscribe", symbols=["S2*"])
    assert (await peer.hear("subscribed"))["matched"] == 20


@serving(limits={"symbols": 22}, prices=MANY)
async def test_new_symbols_beyond_the_limit_are_left_out(live: Live) -> None:
    """New symbols beyond the limit are left out and an error says so; the rest goes on; a new reader is refused."""
    bystander = await Bystander.of(live)
    peer = await live.stream("?symbols=*")
    assert len((await peer.hear("snapshot"))["quotes"]) == 21
    live.publish({"N1-USD": "1", "N2-USD": "1", "N3-USD": "1"})
    assert (await peer.hear("error"))["code"] == "too_many_symbols"
    assert (await peer.hear("update"))["quotes"].keys() == {"N1-USD"}
    live.publish({"N3-USD": "2", "S1-USD": "2"})
    assert (await peer.hear("update"))["quotes"].keys() == {"S1-USD"}
    await refused(await live.stream(), "too_many_symbols", symbols=["*"])
    await bystander.gets_the_next_price()


@serving(limits={"symbols": 22}, prices=MANY)
async def test_the_cursor_of_a_reader_without_all_symbols_is_not_trusted_over_http_either(live: Live) -> None:
    """Seen: `/api/quotes` answered the cursor of a stream from which a symbol had been left out by what had changed
    since, so that whoever went on there never learned of that symbol. Promise: it gets everything, as on the stream.
    """
    peer = await live.stream("?symbols=*")
    epoch, subscribed = (await peer.hear("hello"))["epoch"], await peer.hear("subscribed")
    live.publish({"N1-USD": "1", "N2-USD": "1"})
    assert (await peer.hear("update"))["quotes"].keys() == {"N1-USD"}
    live.feed.remove(["toy:S0-USD"])
    update = await peer.hear("update")
    assert update["gone"] == ["S0-USD"]
    cursor = f"{epoch}:{update['version']}:{subscribed['selection']}"
    answer = (await live.get(f"/api/quotes?symbols=*&cursor={cursor}&wait_s=30")).json
    assert answer["since"] is None
    assert "N2-USD" in answer["quotes"]


def text(**message: object) -> bytes:
    return frame(TEXT, json.dumps(message).encode())


ANSWERED = {
    "patterns": (text(op="subscribe", symbols=[f"X{i}" for i in range(41)]), "too_many_symbols"),
    "matched symbols": (text(op="subscribe", symbols=["S*"]), "too_many_symbols"),
    "wildcards": (text(op="subscribe", symbols=[f"X{i}*" for i in range(6)]), "rejected"),
    "stars": (text(op="subscribe", symbols=["X*X*X*"]), "rejected"),
    "length of a pattern": (text(op="subscribe", symbols=["X" * 81]), "rejected"),
    "characters of a pattern": (text(op="subscribe", symbols=["X/Y"]), "rejected"),
    "depth": (frame(TEXT, b"[" * 900), "bad_json"),
    "size of a number": (frame(TEXT, b'{"op":"ping","id":1' + b"0" * 400 + b"}"), "bad_json"),
}
"""What is sent, and the code of the error that answers it, or `rejected` by name within the answer."""


@pytest.mark.parametrize("name", ANSWERED)
@serving(limits={"patterns": 40, "symbols": 10, "wildcards": 5}, prices=MANY)
async def test_a_request_beyond_a_limit_gets_an_error(live: Live, name: str) -> None:
    """A short error with its code is the answer; the connection goes on, and nobody else notices."""
    data, code = ANSWERED[name]
    bystander, peer = await Bystander.of(live), await live.stream()
    await peer.hear("hello")
    await peer.write(data)
    answer = await peer.message()
    if code == "rejected":
        assert [entry["code"] for entry in answer["rejected"]] == ["bad_request"]
    else:
        assert (answer["type"], answer["code"]) == ("error", code)
    await bystander.gets_the_next_price()
    await peer.say(op="ping", id=2)
    assert (await peer.hear("pong"))["id"] == 2


CLOSED = {
    "message size": (frame(TEXT, b" " * 1025), 1009),
    "message size, in fragments": (frame(TEXT, b" " * 1000, fin=False) + frame(CONTINUATION, b" " * 25), 1009),
    "fragments": (frame(TEXT, b"", fin=False) + frame(CONTINUATION, b"", fin=False) * 64, 1009),
    "binary": (frame(BINARY, b"{}"), 1003),
    "message rate": (text(op="ping") * 62, 4029),
    "bad messages": (text(op="sing") * 22, 4000),
}
"""What is sent, and the code that the connection is closed with."""


@pytest.mark.parametrize("name", CLOSED)
@serving(limits={"message_bytes": 1024, "messages_per_s": 1})
async def test_a_gross_violation_closes_the_connection(live: Live, name: str) -> None:
    """The connection is closed with a code that says why; nobody else notices."""
    live.clock.stand()
    data, code = CLOSED[name]
    bystander, peer = await Bystander.of(live), await live.stream("?symbols=*")
    await peer.write(data)
    assert await peer.close_code() == code
    await bystander.gets_the_next_price()
    assert live.hub.counts.disconnects == {code: 1}


@serving()
async def test_an_idle_connection_is_closed(live: Live) -> None:
    """A connection without a request is closed after a few seconds; nobody else notices."""
    assert live.server.config.timeout_keep_alive <= 15
    live.server.config.timeout_keep_alive = 0
    bystander, peer = await Bystander.of(live), await live.connect()
    await peer.request("GET", "/healthz")
    assert (await peer.answer()).status == 200
    assert await peer.rest() == b""
    await bystander.gets_the_next_price()


@serving(hub={"stall_s": 1}, prices=MANY)
async def test_a_stalled_reader_is_closed_with_4008(live: Live) -> None:
    """A reader that takes no byte for `stall_s` is closed with 4008; another one gets every version meanwhile."""
    bystander, slow = await Bystander.of(live), await live.stream("?symbols=*", receive_buffer=4096)
    await slow.hear("snapshot")
    step = 0
    while not live.hub.paused:
        step += 1
        live.publish({f"S{i}-USD": f"{step}.5" for i in range(20)}, name=f"{step:02000}")
        live.hub.flush()
    live.clock.skip(2)
    await bystander.gets_the_next_price()
    await until(lambda: not live.hub.paused)
    await bystander.gets_the_next_price()
    assert live.hub.counts.disconnects == {4008: 1}
