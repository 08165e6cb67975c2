"""The contract of all adapters for undocumented input: recordings in which anything has been changed.

Nothing but a `ValueError` or a `FeedError` comes of them, for anything else parks the feed as broken; every row that
is read becomes a quote or is counted; and only sane prices leave. The changes are the same in each run.
"""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator
from decimal import Decimal

import pytest

from feeds.exchange.directory import Directory
from feeds.exchange.judge import Judge
from feeds.exchange.subscriptions import Subscriptions
from feeds.exchange.venue import Listing, Row, Venue
from feeds.registry import adapters, loaders
from tests.clock import ManualClock
from tests.feeds.contract import Recording, answer_of, scenes
from tests.feeds.contract_maps import MAPS, Json
from ticker.errors import FeedError
from ticker.model import FeedStatus, Quote

CHANGES = 60
"""So many changed messages of each kind."""
MOST_ROWS, MOST_MESSAGES = 4, 12
PLAIN = re.compile(r"-?(?:0|[1-9][0-9]{0,19})(?:\.[0-9]{1,30})?")
NASTY: list[Json] = [
    None, True, False, 0, -1, 1.5, 2**64, -(2**70), 10**400, 1e22, "", " ", "0", "-0", "-1.5", "1e5", "1E-7", "1e999",
    "+5", "00.5", ".5", "5.", "1,5", "NaN", "1\n", "9" * 50, "1." + "1" * 40, "\u0661", "0x10", "a" * 300, "\U0001f600",
    "2026-11-22T00:00:00Z", "9999-12-31T23:59:59.999999Z", "A-B-C", "error", [], {}, [[]], [{}], {"a": 1}, [1, 2, 3],
]  # fmt: skip


def venue_of(name: str) -> Venue:
    venue = adapters(loaders(()))[name].venue
    assert isinstance(venue, Venue)
    return venue


def shortened(sent: Json) -> Json:
    """The first rows of an answer."""
    if isinstance(sent, dict):
        return {name: shortened(value) for name, value in list(sent.items())[:40]}
    if isinstance(sent, list):
        return [shortened(value) for value in (sent[:MOST_ROWS] if len(sent) > 30 else sent)]
    return sent


def places(sent: Json) -> Iterator[tuple[Json, Json]]:
    """Every object and list in a value, with each of its keys."""
    for key in list(sent) if isinstance(sent, dict) else range(len(sent)) if isinstance(sent, list) else ():
        yield sent, key
        yield from places(sent[key])


def changed(dice: random.Random, sent: Json) -> bytes:
    """A value as JSON text after one to three changes; some texts are cut, or have two of a key."""
    sent = copy.deepcopy(sent)
    for _ in range(dice.randint(1, 3)):
        if not (found := list(places(sent))):
            break
        within, key = dice.choice(found)
        match dice.randrange(8):
            case 0:
                del within[key]
            case 1:
                within[key] = [within[key]]
            case 2:
                other, name = dice.choice(found)
                within[key] = copy.deepcopy(other[name]) if name in other or isinstance(other, list) else None
            case _:
                within[key] = copy.deepcopy(dice.choice(NASTY))
    text = json.dumps(sent)
    match dice.randrange(20):
        case 0:
            text = text[: dice.randrange(len(text))]
        case 1:
            text = text.replace('"1.5"', "NaN", 1)
        case 2:
            text = text.replace("{", '{"symbol": 5, "data": null, "code": 0, ', 1)
    return text.encode()


def check(quote: Quote) -> None:
    """Only sane numbers leave, and of a pair of prices bid is not above ask."""
    values = quote.values
    for name, value in values.items():
        if name == "state":
            assert value in {"live", "halted", "closed"}, quote
        elif name == "decimals":
            assert (type(value), value in range(31)) == (int, True), quote
        elif name != "name" and value is not None:
            assert isinstance(value, str), quote
            assert PLAIN.fullmatch(value), quote
            assert Decimal(value) > 0 or name in {"bid_size", "ask_size", "volume", "quote_volume", "change_pct"}, quote
            assert Decimal(value) >= 0 or name == "change_pct", quote
    if (bid := values.get("bid")) and (ask := values.get("ask")):
        assert Decimal(bid) <= Decimal(ask), quote
    assert quote.ts is None or type(quote.ts) is int


class Desk:
    """A judge that knows the names of some rows."""

    def __init__(self, venue: Venue, rows: list[Row]) -> None:
        self.directory = Directory("toy", venue, ("*",))
        wires = dict.fromkeys(row.wire for row in rows)
        self.directory.load(Listing(f"S{i}-USD", (wire,)) for i, wire in enumerate(wires))
        self._judge = Judge(venue, self.directory, "reject", ManualClock())
        self._status = FeedStatus("toy", "live")

    def takes(self, rows: list[Row], *, streamed: bool = False) -> None:
        """Each row becomes a quote or is counted."""
        before = sum(self._status.rejects.values())
        quotes = self._judge.message(rows, self._status) if streamed else self._judge.answer(rows, self._status)
        assert len(quotes) + sum(self._status.rejects.values()) - before >= len(rows)
        for quote in quotes:
            check(quote)


def answers(name: str, everything: list[Recording]) -> list[Json]:
    """The answers of an exchange, recorded or by hand, shortened."""
    of = MAPS[name]
    recorded = [json.loads(answer_of(of, s.recording)) for s in scenes(name, everything) if s.recording.reply]
    return [shortened(sent) for sent in (*recorded, *map(json.loads, of.by_hand.values()))]


@pytest.mark.parametrize("name", sorted(MAPS))
def test_mutated_answers_give_only_sane_quotes(name: str, everything: list[Recording]) -> None:
    """Rows that can be read count, with all that they say about names and numbers."""
    venue, dice = venue_of(name), random.Random(1)
    for sent in answers(name, everything):
        desk = Desk(venue, list(venue.parse_rest(json.dumps(sent).encode())))
        for _ in range(CHANGES):
            body = changed(dice, sent)
            try:
                rows = venue.parse_rest(body)
            except (ValueError, FeedError):
                continue
            desk.takes(rows)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(name for name, of in MAPS.items() if of.list_at))
def test_mutated_lists_give_only_valid_markets(name: str, everything: list[Recording]) -> None:
    """Markets that can be read are known, and can be subscribed to."""
    venue, dice = venue_of(name), random.Random(2)
    bodies = {scene.list_body for scene in scenes(name, everything)}
    for sent in [shortened(json.loads(body)) for body in sorted(body for body in bodies if body)]:
        for _ in range(CHANGES):
            try:
                listings = venue.parse_instruments(changed(dice, sent))
            except (ValueError, FeedError):
                continue
            directory = Directory("toy", venue, ("*",))
            directory.load(listings)
            wires = list(directory.wanted)
            assert all(wires)
            if venue.stream and wires:
                assert all(isinstance(text, str) for text in venue.stream.subscribe(wires, 1))
            for entry in (directory.entry(wire) for listing in listings for wire in listing.wires):
                check(Quote("toy:X", {**entry.extra} if entry else {}))


@pytest.mark.parametrize("name", sorted(name for name, of in MAPS.items() if of.stream_at))
def test_mutated_messages_do_not_spoil_what_follows(name: str, everything: list[Recording]) -> None:
    """Of each stream, one connection after the other, whatever was changed leaves the messages after it readable."""
    venue, dice = venue_of(name), random.Random(3)
    stream = venue.stream
    assert stream
    for scene in scenes(name, everything):
        if scene.recording.reply:
            continue
        messages = [one if isinstance(one, bytes) else one.encode() for one in scene.recording.messages()]
        for _ in range(CHANGES // 10):
            first = dice.randrange(len(messages))
            memory: dict[str, object] = {}
            subscriptions = Subscriptions(stream)
            desk = Desk(venue, [Row(said.wire, None) for said in scene.rows])
            subscriptions.ask([said.wire for said in scene.rows[:20]])
            for message in messages[:3] + messages[first : first + MOST_MESSAGES]:
                body = message
                if message[:1] in b"{[" and dice.random() < 0.6:
                    body = changed(dice, json.loads(message))
                try:
                    heard = stream.parse(body, memory)
                except (ValueError, FeedError):
                    continue
                subscriptions.hear(heard)
                assert isinstance(heard.reconnect, str | None)
                desk.takes(list(heard.rows), streamed=True)
