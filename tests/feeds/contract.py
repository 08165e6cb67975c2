"""The quotes that the recordings of an exchange must lead to, derived from the field maps without the product's code.

Finds the recordings, pairs each with an instrument list, and validates their rows independently. `contract_stage`
plays them.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fnmatch import fnmatch
from typing import NamedTuple

from tests.feeds.contract_maps import MAPS, UNREAD, Json, Map, Named, Said, at, decode
from tests.feeds.fake_exchange import Reply, received, recordings
from ticker.model import SYMBOL, Quote

PRICES = ("last", "bid", "ask")
SIDES = {"bid_size": "bid", "ask_size": "ask"}
MAY_BE_ZERO = {"bid_size", "ask_size", "volume", "quote_volume", "change_pct"}
FROM_ELSEWHERE = {"decimals", "name", "state"}
"""Fields of a quote that come from the list or from the market's state."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Recording(NamedTuple):
    """A recorded file, `binance/rest/….json`; for an answer with the path that was asked for and the reply.

    Attributes:
        by_hand: messages of a stream, instead of a file.
    """

    name: str
    file: pathlib.Path
    path: str = ""
    reply: Reply | None = None
    by_hand: tuple[str, ...] = ()

    @property
    def unread(self) -> list[str]:
        """The entries of `UNREAD` that match it."""
        return [pattern for pattern in UNREAD if fnmatch(self.name, pattern)]

    def role(self, of: Map) -> str | None:
        """What it is to an adapter: `list`, `tickers` or `stream`; None: nothing."""
        if self.unread or self.name.partition("/")[0] != of.folder:
            return None
        if self.reply is None:
            return "stream" if of.stream_at else None
        if self.path in of.lists_recorded_at:
            return "list"
        return "tickers" if any(map(self.path.startswith, of.tickers_recorded_at)) else None

    def messages(self) -> list[str | bytes]:
        """The received messages of a stream, in order."""
        return list(self.by_hand) or received(self.file)


def found(exchanges: pathlib.Path) -> list[Recording]:
    """All recordings."""
    every = []
    for folder in sorted(path for path in exchanges.iterdir() if path.is_dir()):
        if (folder / "rest").is_dir():
            for file, (target, reply) in recordings(folder / "rest").items():
                path = folder / "rest" / file
                every.append(Recording(f"{folder.name}/rest/{file}", path, target.partition("?")[0], reply))
        every += [Recording(f"{folder.name}/ws/{path.name}", path) for path in sorted((folder / "ws").glob("*"))]
    return every


# What must come


class Wanted(NamedTuple):
    """An expected quote; None means "no price"."""

    symbol: str
    numbers: dict[str, Decimal | None]
    ts: int | None
    seq: int | None

    def is_said_by(self, came: Quote) -> bool:
        """Whether a quote has exactly these numbers, as plain text with the exchange's own digits."""
        texts = {name: text for name, text in came.values.items() if name not in FROM_ELSEWHERE}
        if "change_pct" not in self.numbers and texts.pop("change_pct", None) != self._change():
            return False
        if (came.symbol, came.ts, came.seq) != (self.symbol, self.ts, self.seq) or texts.keys() != self.numbers.keys():
            return False
        return all(texts[name] == (None if n is None else plain(n)) for name, n in self.numbers.items())

    def _change(self) -> str | None:
        """The change since the price 24 h ago, if both prices are known: four decimals, half-even."""
        last, before = self.numbers.get("last"), self.numbers.get("open")
        if last is None or before is None:
            return None
        return f"{((last / before - 1) * 100).quantize(Decimal('0.0001')):f}"


def plain(number: Decimal) -> str:
    """A number with all its digits, without an exponent; zero has no sign."""
    return f"{number or abs(number):f}"


Judged = tuple[Wanted | None, str | None]
"""The expected quote of a row, or None, and the reason it is rejected for, or None."""


def symbol_of(of: Map, wire: str, names: Mapping[str, str]) -> str | None:
    """Our symbol for a wire name, from the list first; None if it is not a valid symbol."""
    symbol = names.get(wire) or of.symbol(wire)
    return symbol if symbol and SYMBOL.fullmatch(symbol) and symbol.count("-") <= 1 else None


def wanted(name: str, of: Map, said: Said, names: Mapping[str, str], shut: Container[str] = ()) -> Judged:
    """The expected result of a row; a row without a price is not counted if its market is closed."""
    texts: dict[str, Json] = {}
    for ours, path in said.fields.texts.items():
        try:
            texts[ours] = at(said.raw, path.removeprefix("%"))
        except LookupError:
            if ours in said.fields.null_if_absent:
                texts[ours] = None
            elif ours not in said.fields.may_lack:
                return None, "schema"
    symbol = symbol_of(of, said.wire, names)
    if symbol is None:
        return None, "symbol"
    numbers: dict[str, Decimal | None] = {}
    reason = None
    for ours, text in texts.items():
        number = Decimal(text) if text else None
        if number and number < 0 and ours != "change_pct":
            reason = "price"
        elif number is None or (not number and ours not in MAY_BE_ZERO):
            numbers[ours] = None
        else:
            numbers[ours] = number.scaleb(2) if said.fields.texts[ours][0] == "%" else number
    bid, ask = numbers.get("bid"), numbers.get("ask")
    if bid and ask and bid > ask:
        reason = "crossed"
        del numbers["bid"], numbers["ask"]
    if any(side in texts and side not in numbers for side in SIDES.values()):  # one of them alone could cross
        for field in (*SIDES, *SIDES.values()):
            numbers.pop(field, None)
    if not any(numbers.get(price) for price in PRICES):
        return None, reason or (None if symbol in shut else "price")
    seq = int(said.raw[said.fields.seq]) if said.fields.seq else None
    return Wanted(f"{name}:{symbol}", numbers, moment_ms(said, of.time_unit), seq), reason


def moment_ms(said: Said, unit: str) -> int | None:
    """The exchange's time of a row, if it has one."""
    if said.fields.time is None:
        return None
    sent = at(said.raw, said.fields.time)
    if unit != "iso":
        return int(sent) * 1000 // {"s": 1, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000}[unit]
    parsed = datetime.fromisoformat(sent)
    return (parsed.replace(tzinfo=parsed.tzinfo or UTC) - EPOCH) // timedelta(milliseconds=1)


# Recordings with their lists


def rows_of(of: Map, messages: Iterable[str | bytes]) -> list[Said]:
    """All rows in the messages of one connection, read by the map."""
    memory: dict[str, Json] = {}
    assert of.read_stream is not None
    return [said for message in messages for said in of.read_stream(decode(message), memory)]


def body_of(recording: Recording) -> bytes:
    assert recording.reply is not None
    return recording.reply.body


class Scene(NamedTuple):
    """A recording to play: its rows, the wire names that it refuses, and the instrument list to play it with."""

    of: Map
    name: str
    recording: Recording
    rows: list[Said]
    refused: list[str]
    list_name: str
    list_body: bytes | None
    listed: list[Named]

    @property
    def names(self) -> dict[str, str]:
        """Symbols by the wire names of the list."""
        return {wire: one.symbol for one in self.listed for wire in one.wires}

    @property
    def known(self) -> int:
        """How many rows have a name in the list."""
        names = self.names
        return sum(row.wire in names for row in self.rows)


def scenes(name: str, everything: list[Recording]) -> Iterator[Scene]:
    """Each recording of an adapter with the list that has most of its names, and every other list with a recording."""
    of = MAPS[name]
    lists = [one for one in everything if one.role(of) == "list"]
    unused = {one.name for one in lists}
    spare: list[Scene] = []
    for recording in everything + by_hand(of):
        if recording.role(of) not in {"tickers", "stream"}:
            continue
        rows, refused = heard(of, recording)
        wires = [row.wire for row in rows] + refused
        several = [
            Scene(of, name, recording, rows, refused, one.name, body_of(one), list(of.read_list(decode(body_of(one)))))
            for one in lists
            if of.read_list
        ] or [Scene(of, name, recording, rows, refused, "a list that is made", *made(of, wires))]
        best = max(several, key=lambda scene: scene.known)
        unused.discard(best.list_name)
        spare += [scene for scene in several if scene is not best and scene.known]
        yield best
    for scene in spare:
        if scene.list_name in unused:
            unused.discard(scene.list_name)
            yield scene
    assert not unused, f"no recording speaks of what these list: {unused}"


def by_hand(of: Map) -> list[Recording]:
    """The messages of a stream without recordings, from the documentation."""
    return [Recording(f"{of.folder}/ws/by hand", pathlib.Path(), by_hand=of.told)] if of.told else []


def heard(of: Map, recording: Recording) -> tuple[list[Said], list[str]]:
    """The rows of a recording and the wire names that it refuses."""
    if recording.role(of) == "stream":
        messages = recording.messages()
        return rows_of(of, messages), [wire for message in messages for wire in of.refused(decode(message))]
    assert of.read_tickers is not None
    rows = of.read_tickers(decode(answer_of(of, recording)), {})
    return [row if row.wire else row._replace(wire=of.wire_in(recording.path)) for row in rows], []


def answer_of(of: Map, recording: Recording) -> bytes:
    """The body to serve."""
    body = body_of(recording)
    return json.dumps(of.rebuilt(decode(body))).encode() if of.rebuilt else body


def made(of: Map, wires: Sequence[str]) -> tuple[bytes | None, list[Named]]:
    """A list made from the names in the recording, if the exchange has lists and none was recorded."""
    if of.read_list is None:
        return None, []
    assert of.made_list is not None, "no list was recorded"
    sent = of.made_list(dict.fromkeys(wires))
    return json.dumps(sent).encode(), list(of.read_list(sent))


def healthy(name: str, everything: list[Recording]) -> Scene:
    """A good answer of an adapter's exchange: the first recorded one, else the one written by hand."""
    of = MAPS[name]
    for scene in scenes(name, everything):
        if scene.recording.role(of) == "tickers":
            return scene
    assert of.read_tickers is not None
    (body,) = of.by_hand.values()
    rows = [row if row.wire else row._replace(wire=of.wire_in("")) for row in of.read_tickers(decode(body), {})]
    answer = Recording("an answer by hand", pathlib.Path(), reply=Reply(body=body))
    return Scene(of, name, answer, rows, [], "a list that is made", *made(of, [row.wire for row in rows]))


def must_come(scene: Scene) -> list[Judged]:
    """The expected results of a recording, row by row."""
    names = scene.names
    shut = {one.symbol for one in scene.listed} - {one.symbol for one in scene.listed if one.trades}
    judged = [wanted(scene.name, scene.of, row, names, shut) for row in scene.rows]
    if scene.recording.role(scene.of) == "stream":
        return [*judged, *((None, "symbol") for _ in scene.refused)]
    return once_each(judged)


def once_each(rows: Iterable[Judged]) -> list[Judged]:
    """Keep one row per symbol in an answer: the newest, else the first; the others are out of order."""
    best: dict[str, Wanted] = {}
    told: list[Judged] = []
    for quote, reason in rows:
        told.append((None, reason))
        if quote is None:
            continue
        first = best.get(quote.symbol)
        if first is not None:
            told.append((None, "out_of_order"))
        if first is None or (quote.ts or 0) > (first.ts or 0):
            best[quote.symbol] = quote
    return [*told, *((quote, None) for quote in best.values())]
