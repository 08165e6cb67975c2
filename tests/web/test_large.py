"""Large answers: they are made in slices, one a turn of the loop, over every transport, and come whole and in order."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import logging
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

import pytest

from tests.web.events import Event, listen_to
from tests.web.peer import TEXT, View, frame
from tests.web.server import PRICES, Live, serving, until
from tests.web.test_compression import browser, receive
from ticker import protocol
from ticker.harmless import safe
from ticker.model import FIELDS, currencies
from ticker.protocol import Frame
from ticker.record import Changes, Record
from ticker.scope import Wildcard
from ticker.selection import Selection
from ticker.session import Session
from ticker.slices import LARGE, SLICE
from web import answers, candles, health, symbols, tables
from web.pause import Making
from web.wire import pack

P = ParamSpec("P")
T = TypeVar("T")
MANY = [f"S{i:04d}-USD" for i in range(LARGE + SLICE)]


def fill(live: Live, price: str) -> None:
    """Publish so many symbols that an answer with all of them is large."""
    live.publish(dict.fromkeys(MANY, price))
    live.hub.flush()


def in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every large answer fail that is put together in one turn."""
    pieces = protocol.data_pieces

    def few(changes: Changes) -> tuple[list[bytes], list[bytes]]:
        assert len(changes.records) < LARGE
        return pieces(changes)

    monkeypatch.setattr(protocol, "data_pieces", few)


async def move(live: Live) -> None:
    """Change a price in every turn of the loop."""
    for price in itertools.count(2):
        live.publish({MANY[4]: str(price)})
        live.hub.flush()
        await asyncio.sleep(0)


class Turns:
    """The most of something that was done in one turn of the loop."""

    def __init__(self) -> None:
        self.in_turn = self.most = 0

    def count(self) -> None:
        if not self.in_turn:
            asyncio.get_running_loop().call_soon(self._next)
        self.in_turn += 1

    def counted(self, function: Callable[P, T]) -> Callable[P, T]:
        """The function, each call of which counts."""

        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            self.count()
            return function(*args, **kwargs)

        return call

    def _next(self) -> None:
        self.in_turn, self.most = 0, max(self.most, self.in_turn)


@serving()
async def test_no_turn_encodes_more_than_a_slice(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four readers want everything, over four transports: each turn of the loop encodes at most a slice."""
    fill(live, "1.50")
    turns, piece = Turns(), protocol.piece

    def counted(record: Record, mask: int) -> bytes:
        if mask not in record.pieces:
            turns.count()
        return piece(record, mask)

    monkeypatch.setattr(protocol, "piece", counted)
    peer, late = await live.stream("?symbols=*"), await live.stream("?symbols=S0001-USD")
    reader = await listen_to(live, "?symbols=*&fields=last")
    await late.say(op="subscribe", symbols=["*"], fields=["bid", "last"])
    answer = (await live.get("/api/quotes?fields=last,ts")).json
    snapshots = [await peer.hear("snapshot"), (await reader.event()).json]
    await late.hear("snapshot")
    snapshots.append(await late.hear("snapshot"))
    assert [len(found["quotes"]) for found in (answer, *snapshots)] == [len(live.service.store) // 2] * 4
    await until(lambda: not turns.in_turn)
    assert 0 < turns.most <= SLICE


@serving()
async def test_no_turn_writes_more_rows_than_a_slice(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables and the list of symbols, too: they are whole, in order, and each of one moment.

    Seen: a table of 25,000 symbols made everybody else wait for 0.2 s.
    """
    fill(live, "1.50")
    turns = Turns()

    monkeypatch.setattr(tables, "safe", turns.counted(safe))
    monkeypatch.setattr(symbols, "currencies", turns.counted(currencies))
    table = asyncio.create_task(live.get("/api/quotes?fields=last&format=csv"))
    await until(lambda: turns.most)
    fill(live, "2.50")
    head, *rows = (await table).body.decode().split()
    names = sorted([*MANY, *PRICES])
    assert head == "symbol,last"
    assert rows == [f"{name},{PRICES.get(name, '1.50')}" for name in names]
    assert [entry["symbol"] for entry in (await live.get("/api/symbols")).json["symbols"]] == names
    await until(lambda: not turns.in_turn)
    assert 0 < turns.most <= SLICE


@serving()
async def test_requests_are_answered_one_a_turn(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many requests come at once; and beside them at most one sparkline is made.

    Seen: fifty connections that asked for charts again and again made everybody else wait for more than a second.
    """
    turns = Turns()
    monkeypatch.setattr(health, "answer", turns.counted(answers.answer))
    monkeypatch.setattr(candles, "_rounded", turns.counted(candles._rounded))
    peers = [await live.connect() for _ in range(9)]
    for peer in peers[1:]:
        peer.sock.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    peers[0].sock.send(b"GET /api/sparklines?symbols=BTC-USD,ETH-USD HTTP/1.1\r\nHost: localhost\r\n\r\n")
    told = [await peer.answer() for peer in peers]
    assert {answer.status for answer in told} == {200}
    assert list(told[0].json["closes"]) == ["BTC-USD", "ETH-USD"]
    await until(lambda: not turns.in_turn)
    assert 0 < turns.most <= 2


@serving(limits={"work_per_s": 1_000_000})
async def test_messages_that_ask_for_much_are_answered_one_a_turn(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages that are long or want many symbols, however many come at once, from one reader or from several.

    Seen: twenty connections that changed their minds as often as they may made everybody else wait for half a second.
    """
    fill(live, "1.50")
    turns = Turns()
    monkeypatch.setattr(protocol, "subscribed", turns.counted(protocol.subscribed))
    peers = [await live.stream() for _ in range(5)]
    wishes: list[dict[str, object]] = [{"symbols": [f"{name}-NO" for name in MANY[:100]]}, {"symbols": ["S00*"]}]
    wishes += [{"symbols": ["S00*"], "fields": [field]} for field in ("last", "bid")]
    texts = [json.dumps({"op": "subscribe", "id": i, **wish}).encode() for i, wish in enumerate(wishes)]
    for peer in peers:
        peer.sock.send(b"".join(frame(TEXT, text) for text in texts))
    for peer in peers:
        assert [(await peer.hear("subscribed"))["matched"] for _ in wishes] == [0, 100, 100, 100]
    await until(lambda: not turns.in_turn)
    assert 0 < turns.most <= 2


@serving()
async def test_no_turn_tests_more_than_a_slice(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Symbols are tested against patterns that nobody has used yet a slice a turn, over every transport.

    Seen: a message or a request with 32 of them took 100 ms of the loop in one turn with 25,000 symbols; and with
    100,000 as much for one of them.
    """
    fill(live, "1.50")
    turns, fits = Turns(), Wildcard.fits

    def counted(wildcard: Wildcard, symbol: str) -> bool:
        turns.count()
        return fits(wildcard, symbol)

    peer = await live.stream()
    await peer.hear("hello")
    monkeypatch.setattr(Wildcard, "fits", counted)
    monkeypatch.setattr("ticker.slices.TESTS", 500)
    await peer.say(op="subscribe", symbols=["A*", "Q*", "S1*"])
    assert len((await peer.hear("snapshot"))["quotes"]) == SLICE
    for path in ("/api/quotes?symbols=C*,D*,E*", "/api/symbols?symbols=F*,G*,H*"):
        assert (await live.get(path)).status == 200
    await (await listen_to(live, "?symbols=I*,J*,K*")).event()
    await until(lambda: not turns.in_turn)
    assert turns.most == 500


@serving()
async def test_messages_sent_during_a_large_answer_are_answered_after_it(live: Live) -> None:
    """Messages sent after a large subscription are answered after it; prices that move meanwhile are in it."""
    fill(live, "1.50")
    peer = await live.stream("?symbols=S0001-USD")
    await peer.hear("snapshot")
    messages = [{"op": "subscribe", "symbols": ["*"]}, {"op": "ping", "id": 1}]
    await peer.write(b"".join(frame(TEXT, json.dumps(message).encode()) for message in messages))
    session = live.connection(peer)._session
    assert session is not None
    await until(lambda: session.busy)
    live.publish({MANY[0]: "2.50", MANY[-1]: "3.50"})
    live.hub.flush()
    assert session.busy
    subscribed = await peer.message()
    assert (subscribed["type"], subscribed["matched"]) == ("subscribed", len(live.service.store) // 2)
    quotes = (await peer.message())["quotes"]
    assert (quotes[MANY[0]]["last"], quotes[MANY[-1]]["last"]) == (2.5, 3.5)
    assert (await peer.message())["type"] == "pong"


@serving()
async def test_nothing_is_read_while_a_large_answer_is_made(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a client sends while its large answer is made waits in the kernel, not in the process, up to 64 MB of it."""
    fill(live, "1.50")
    done = False

    def endless(*_: object) -> Iterator[None]:
        while not done:
            yield

    monkeypatch.setattr("ticker.groups.tested", endless)
    peer = await live.stream()
    await peer.hear("hello")
    connection = live.connection(peer)
    await peer.say(op="subscribe", symbols=["*"])
    await until(lambda: connection._session is not None and connection._session.busy)
    assert not connection.transport.is_reading()
    done = True
    await peer.hear("snapshot")
    await peer.say(op="ping", id=1)
    assert (await peer.hear("pong"))["id"] == 1


@serving()
async def test_a_cursor_is_resumed_and_a_closed_reader_forgotten(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cursor is resumed in slices if much has changed; a reader that leaves in the middle leaves nothing behind."""
    fill(live, "1.50")
    in_slices(monkeypatch)
    first, view = await live.stream("?symbols=*"), View()
    digest = (await first.hear("subscribed"))["selection"]
    view.apply(await first.hear("snapshot"))
    first.sock.close()
    live.publish({MANY[5]: "7.50"})
    live.hub.flush()
    again = await live.stream(f"?symbols=*&cursor={live.service.store.epoch}:{view.version}:{digest}")
    assert (await again.hear("subscribed"))["resumed"]
    assert list((await again.hear("update"))["quotes"]) == [MANY[5]]
    fill(live, "8.50")
    answer = (await live.get(f"/api/quotes?cursor={live.service.store.epoch}:{view.version}:{digest}")).json
    assert (answer["since"], answer["quotes"].keys()) == (view.version, set(MANY))
    reader = await listen_to(live, f"?cursor={live.service.store.epoch}:{view.version}:{digest}")
    assert ((event := await reader.event()).kind, event.json["since"]) == ("update", view.version)
    assert event.json["quotes"] == answer["quotes"]
    reader.peer.sock.close()
    again.sock.close()
    leaves = await live.stream()
    await leaves.say(op="subscribe", symbols=["*"], fields=["ask"])
    leaves.sock.close()
    await until(lambda: len(live.hub.connections) == 1)


@serving()
async def test_a_reader_that_is_ended_holds_up_no_other_answer(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen: a half-made answer of a closed connection was kept until a collection of garbage, and all others waited."""
    fill(live, "1.50")
    in_slices(monkeypatch)
    peer = await live.stream()
    connection = live.connection(peer)
    gc.disable()
    try:
        await peer.say(op="subscribe", symbols=["*"])
        await until(lambda: live.hub.groups.line)
        connection.end(4001, "the token has ended")
        assert set(MANY) <= (await live.get("/api/quotes")).json["quotes"].keys()
    finally:
        gc.enable()
    assert not live.hub.groups.line


@serving(limits={"cells_per_address": 2 * len(MANY)})
async def test_limits_are_checked_when_a_waiting_request_has_its_turn(live: Live) -> None:
    """Three large answers are asked for in the same turn where two are allowed: the third is refused all the same."""
    fill(live, "1.50")
    peers = [await live.stream() for _ in range(3)]
    for field, peer in zip(("last", "bid", "ask"), peers, strict=True):
        await peer.hear("hello")
        await peer.say(op="subscribe", symbols=["S*"], fields=[field])
    heard = [await peer.message() for peer in peers]
    assert sorted(message["type"] for message in heard) == ["error", "subscribed", "subscribed"]
    assert {message["code"] for message in heard if message["type"] == "error"} == {"overloaded"}


@serving(limits={"snapshot_symbols_per_s": 2 * len(MANY) + 50})
async def test_readers_that_come_at_once_share_a_snapshot(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many want all symbols when the service is back, over whatever transport: the frame is made once, by and
    by, and counts once for an address. So it is for those who had other fields, and ask by message.

    Seen: of a hundred who wanted 50,000 symbols each took 0.1 s of the loop, and 80 were refused; of those who read
    events, or changed their fields, each got one made in one turn.
    """
    fill(live, "1.50")
    live.clock.stand()
    in_slices(monkeypatch)
    other = [await live.stream("?symbols=S000*&fields=last") for _ in range(2)]
    for peer in other:
        await peer.hear("snapshot")
    moves = asyncio.create_task(move(live))
    peers = [await live.stream("?symbols=*") for _ in range(3)]
    await asyncio.gather(*(peer.say(op="subscribe", symbols=["*"], fields=FIELDS) for peer in other))
    readers = await asyncio.gather(*(listen_to(live) for _ in range(3)))
    for peer in other:
        assert (await peer.hear("subscribed"))["matched"] == live.service.store.count // 2
    moves.cancel()
    live.publish({MANY[3]: "2.50"})
    live.hub.flush()
    for hear in [peer.message for peer in [*peers, *other]] + [reader.event for reader in readers]:
        view = View()
        while view.quotes.get(MANY[3], {}).get("last") != 2.5:
            heard = await hear()
            view.apply(heard.json if isinstance(heard, Event) else heard)
        assert len(view.quotes) == live.service.store.count // 2
    assert live.hub.groups.counts.messages["snapshot"] == 2 + 8
    assert (await live.get("/api/quotes?symbols=*")).status == 200


@pytest.mark.parametrize("query", ["", "&format=csv"])
@serving(limits={"snapshot_symbols_per_s": len(MANY)})
async def test_an_address_that_does_not_take_its_answers_gets_no_more(
    live: Live, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    """What an address may ask for at once is also what the process holds for it; when it has left it may ask again.

    Seen: who took a byte now and then of each of many large answers was never dropped, nor was what they took.
    """
    live.publish(dict.fromkeys(MANY, "1.50"), name="x" * 3000)  # more than the kernel takes
    live.hub.flush()
    quota, target = live.hub.groups.quota, f"/api/quotes?symbols=S*{query}"
    monkeypatch.setattr(quota, "check_snapshot", lambda *_: None)  # the rate is another limit
    peers = [await live.connect(receive_buffer=4096) for _ in range(2)]
    for peer in peers:
        await peer.request("GET", target)
    await until(lambda: quota._in_hand["127.0.0.1"] == 2 * len(MANY))
    refused = await live.get(target)
    assert (refused.status, refused.json["code"]) == (503, "overloaded")
    assert "on their way" in refused.json["detail"]
    for peer in peers:
        peer.sock.close()
    await until(lambda: not quota._in_hand)
    assert (await live.get(target)).status == 200


@serving()
async def test_a_large_frame_without_readers_is_not_made(live: Live) -> None:
    """A large frame whose readers have all left is forgotten, for others would wait for it in vain."""
    fill(live, "1.50")
    groups = live.hub.groups
    leaves, stays = (groups.whole("", Selection.of(["*"], [field])) for field in ("last", "bid"))
    assert (next(leaves), next(stays)) == (None, None)
    leaves.close()
    assert next(made for made in stays if made is not None)
    assert len(groups._large_frames._known) == 1


@serving(limits={"snapshot_symbols_per_s": len(MANY)})
async def test_a_reader_that_missed_little_is_charged_little(live: Live) -> None:
    """However many readers come back to a large selection at once, also from one address, over either transport.

    Seen: after a short cut the third reader of an office was told that its address had had too many symbols.
    """
    fill(live, "1.50")
    live.clock.stand()
    first = await live.stream("?symbols=*")
    digest = (await first.hear("subscribed"))["selection"]
    version = (await first.hear("snapshot"))["version"]
    cursor = f"{live.service.store.epoch}:{version}:{digest}"
    live.publish({MANY[3]: "2.50"})
    live.hub.flush()
    for _ in range(3):
        peer = await live.stream(f"?symbols=*&cursor={cursor}")
        assert list((await peer.hear("update"))["quotes"]) == [MANY[3]]
        reader = await listen_to(live, f"?cursor={cursor}")
        assert list((await reader.event()).json["quotes"]) == [MANY[3]]


@serving(limits={"snapshot_symbols_per_s": len(MANY)}, store={"stale_after_s": 3600.0})
async def test_a_reader_that_missed_little_is_charged_little_even_for_a_forgotten_pattern(live: Live) -> None:
    """Testing a pattern anew is work, but what is told then is still little.

    Seen: after a cut of more than ten seconds, in which others wanted other patterns, the third was refused.
    """
    fill(live, "1.50")
    live.clock.stand()
    cursors = {}
    for pattern in ("S*", "S*D", "*-USD"):
        first = await live.stream(f"?symbols={pattern}")
        digest = (await first.hear("subscribed"))["selection"]
        cursors[pattern] = f"{live.service.store.epoch}:{(await first.hear('snapshot'))['version']}:{digest}"
        first.sock.close()
        await until(lambda: not live.hub.connections)
        live.clock.skip(11)
    live.hub.groups.forget_empty()
    wildcards = live.service.store.wildcards
    for i in range(40):
        wildcards.release(wildcards.acquire(f"NO{i}*", ()))
    assert not any(map(wildcards.known, cursors))
    for pattern, cursor in cursors.items():
        peer = await live.stream(f"?symbols={pattern}&cursor={cursor}")
        assert (await peer.hear("update")).get("quotes", {}) == {}


@serving()
async def test_no_turn_compresses_more_than_a_part(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large snapshot is compressed part by part before its reader joins the group; what that gets then is exact."""
    fill(live, "1.50")
    turns = Turns()
    monkeypatch.setattr("web.wire.PACK_BYTES", 10_000)
    monkeypatch.setattr("web.transport.pack", turns.counted(pack))
    peer, _ = await browser(live)
    await until(lambda: turns.most)
    live.publish({MANY[3]: "2.50"})
    live.hub.flush()
    view = View()
    while view.quotes.get(MANY[3], {}).get("last") != 2.5:
        view.apply(json.loads((await receive(peer))[1]))
    assert len(view.quotes) == live.service.store.count // 2
    assert turns.most == 1


@serving(hub={"ping_interval_s": 0.02, "ping_timeout_s": 0.02})
async def test_a_reader_is_not_closed_for_pings_while_its_answer_is_made(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No reader is closed for unanswered pings while it is not read because its large answer is being made.

    Seen: of a hundred who asked for 50,000 symbols at once many were closed with 4009 before they were answered.
    """
    fill(live, "1.50")
    held: list[Iterator[None]] = []
    spread = live.hub.turns.spread
    monkeypatch.setattr(live.hub.turns, "spread", held.append)
    peer = await live.stream("?symbols=*")
    await until(lambda: held)
    connection = live.connection(peer)
    begun = connection.pinged_at
    await until(lambda: connection.pinged_at > begun + 0.4)
    monkeypatch.undo()
    for steps in held:
        spread(steps)
    assert len((await peer.hear("snapshot"))["quotes"]) == live.service.store.count // 2


@serving(limits={"snapshot_symbols_per_s": 2 * len(MANY)})
async def test_a_poll_is_charged_for_changes_only(live: Live) -> None:
    """A poll is charged for the changes only, also if they are so many that the answer is made in slices.

    Seen: each poll of a large market was charged with all of it, and every second one refused.
    """
    fill(live, "1.50")
    live.clock.stand()
    cursor = (await live.get("/api/quotes?symbols=S*")).json["cursor"]
    for price in ("2.1", "2.2"):
        live.publish(dict.fromkeys(MANY[: LARGE // 2], price))
        live.hub.flush()
        answer = await live.get(f"/api/quotes?symbols=S*&cursor={cursor}")
        assert (answer.status, len(answer.json["quotes"])) == (200, LARGE // 2)
        cursor = answer.json["cursor"]
    for _ in range(6):  # a wait in vain costs nothing
        assert (await live.get(f"/api/quotes?symbols=S*&cursor={cursor}&wait_s=0.01")).status == 200


@serving()
async def test_no_turn_looks_for_changes_in_more_than_a_slice(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request with `wait_s` looks for changes since its cursor in slices, whether it then waits or not.

    Seen: one with an old cursor looked at 50,000 records in one turn, for 100 ms, only to see whether it had to wait.
    """
    fill(live, "1.50")
    query = "/api/quotes?symbols=*&fields=open&cursor={}&wait_s={}"
    cursor = (await live.get("/api/quotes?symbols=*&fields=open")).json["cursor"]
    fill(live, "2.50")
    turns, changed_since = Turns(), Record.changed_since
    monkeypatch.setattr(Record, "changed_since", turns.counted(changed_since))
    answer = (await live.get(query.format(cursor, 0.1))).json
    assert (answer["quotes"], live.hub.counts.connects["poll"]) == ({}, 1)
    await until(lambda: not turns.in_turn)
    assert SLICE <= turns.most < LARGE
    live.publish({MANY[-1]: "2.50"}, open="1.25")
    live.hub.flush()
    answer = (await live.get(query.format(cursor, 30))).json
    assert (answer["quotes"], live.hub.counts.connects["poll"]) == ({MANY[-1]: {"open": 1.25}}, 1)
    live.publish({MANY[0]: "2.75"})
    live.feed.remove([f"toy:{MANY[0]}"])
    live.hub.flush()
    answer = (await live.get(query.format(cursor, 30))).json
    assert (answer["gone"], live.hub.counts.connects["poll"]) == ([MANY[0]], 1)


@pytest.mark.parametrize("wait_s", [0, 30])
@pytest.mark.parametrize("epoch", [None, 7])
@serving()
async def test_a_large_answer_is_not_made_of_two_epochs(
    live: Live, monkeypatch: pytest.MonkeyPatch, wait_s: int, epoch: int | None
) -> None:
    """If the store begins anew while an answer is made, or while changes are looked for before a wait, everything that
    is there then is answered, at once.

    Seen: the answer had the ETag of before. Once a gateway was back in that epoch, 304 said that it was still right.
    """
    fill(live, "1.50")
    fields = "open" if wait_s else "open,last"
    first = await live.get(f"/api/quotes?symbols=*&fields={fields}")
    fill(live, "2.50")
    again, store, changed_since = epoch or live.service.store.epoch, live.service.store, Record.changed_since

    def restart() -> None:
        live.begin_anew({"S0001-USD": "7"}, epoch=again, version=store.version + 1)

    def once(record: Record, since: int) -> int:
        monkeypatch.undo()
        asyncio.get_running_loop().call_soon(restart)
        return changed_since(record, since)

    monkeypatch.setattr(Record, "changed_since", once)
    target = f"/api/quotes?symbols=*&fields={fields}&cursor="
    answer = await live.get(f"{target}{first.json['cursor']}&wait_s={wait_s}")
    assert (answer.json["since"], list(answer.json["quotes"]), store.epoch) == (None, ["S0001-USD"], again)
    assert answer.json["cursor"].startswith(f"{again}:{store.version}:")
    now = await live.get(target + answer.json["cursor"])
    assert (now.json["quotes"], now.headers["etag"]) == ({}, answer.headers["etag"])
    assert now.headers["etag"] != first.headers["etag"]


@serving()
async def test_small_changes_for_large_selections_need_no_slices(live: Live) -> None:
    """A good cursor, or one symbol more for a reader of thousands, needs no slices; a step from few to all does."""
    fill(live, "1.50")
    store = live.service.store
    peer = await live.stream("?symbols=*")
    digest = (await peer.hear("subscribed"))["selection"]
    version = (await peer.hear("snapshot"))["version"]
    groups, selection = live.hub.groups, Selection.of(["*"])
    cursor = f"{store.epoch}:{version}:{digest}"
    new, old = live.connection(peer).group, live.connection(await live.stream("?symbols=S0001-USD")).group
    more = Selection.of(["*", "toy:S0001-USD"])
    assert groups.fresh(old, selection, cursor) == 0
    assert groups.fresh(new, more, None) == 1
    assert groups.fresh(old, selection, None) == len(store) // 2 - 1
    assert groups.fresh(old, selection, f"{store.epoch}:{version}:other") == len(store) // 2 - 1
    assert groups.fresh(old, Selection.of(["*"], ["last"]), None) == len(store) // 2
    await peer.say(op="subscribe", symbols=["toy:S0001-USD"])
    assert list((await peer.hear("update"))["quotes"]) == ["toy:S0001-USD"]
    few = await live.stream("?symbols=S0001-USD")
    version = (await few.hear("snapshot"))["version"]
    await few.say(op="subscribe", symbols=["*"])
    added = await few.hear("update")
    assert (added["since"], len(added["quotes"])) == (version, len(store) // 2 - 1)


@serving(hub={"heartbeat_ms": 60_000, "flush_interval_ms": 0})
async def test_a_bug_in_a_slice_ends_its_connection_alone(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong while a large answer is made, the service goes on for everybody else."""
    fill(live, "1.50")
    other = await live.stream("?symbols=S0001-USD")
    await other.hear("snapshot")

    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("ticker.groups.Groups.join", broken)
    said: list[str] = []
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "exception", lambda text, **_: said.append(text))
    peer = await live.stream("?symbols=*")
    await peer.hear("hello")
    assert await peer.rest() == b""
    assert said == ["error in a WebSocket connection"]
    live.publish({MANY[1]: "2.50"})
    live.hub.flush()
    assert (await other.hear("update"))["quotes"]["S0001-USD"]["last"] == 2.5


class Arriving:
    """A pause that a test ends."""

    def __init__(self) -> None:
        self.arrived = False

    def over(self, now: float) -> bool:
        return self.arrived

    def stalled_s(self, now: float) -> float:
        return now


@serving()
async def test_a_paused_reader_stays_paused_until_its_large_answer_is_written(live: Live) -> None:
    """A reader that was paused when a large answer began stays so until both are over; it stalls by what was written.

    Seen: a slow reader that changed its fields was told new prices, and after them an older snapshot.
    """
    peer = await live.stream("?symbols=S0001-USD")
    session, before = live.connection(peer)._session, Arriving()
    assert isinstance(session, Session)
    making = Making(session, before)
    assert (making.over(0.0), making.stalled_s(3.0)) == (False, 3.0)
    before.arrived = True
    assert making.over(0.0)
    alone = Making(session, None)
    assert (alone.over(0.0), alone.stalled_s(3.0)) == (True, 0.0)
    session._steps = (list[Frame]() for _ in range(1))
    live.connection(peer).pause_writing()  # a full socket in the middle of it ends nothing
    assert isinstance(live.hub.paused[live.connection(peer)], Making)
    assert not live.hub.paused[live.connection(peer)].over(live.hub.now())
    session._steps = None
    assert live.hub.paused[live.connection(peer)].over(live.hub.now())
