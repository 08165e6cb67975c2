"""Binance's real bulk reply from bytes to store: symbols per second of CPU, against ccxt and cryptofeed.

Ours is what the feed does with an answer and the service with its quotes, stage by stage: decode to rows, judge them
(the peers' parsers end here), intake, flush with the consolidated symbols, which adds a second record for each. ccxt
reads the same bytes with its own `parse_json` and `parse_tickers`. cryptofeed has no parser for this reply: it decodes
the bytes, and each row's bid and ask are made into one of its stream's messages, which becomes its `Ticker`. All get
their markets from the same recorded list; nothing touches a network. Every price and amount changes from reply to
reply; "nothing changed" is the other extreme. Real replies lie between: quiet and halted symbols stay the same, but of
ten middling ones in a recorded stream, 60 % had another best bid or ask, or size of one, after 1 s, 92 % after 5 s.

The peers are not dependencies: a missing one is reported. Their pins are older than ours, so install them first, in an
environment of their own: `pip install ccxt cryptofeed`, then `pip install -r requirements-dev.txt`.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from feeds.exchange.directory import Directory
from feeds.exchange.judge import Judge
from feeds.venues.binance import BINANCE
from tests.conftest import ROOT
from ticker.clock import Clock
from ticker.consolidate import Consolidator
from ticker.intake import Intake
from ticker.store import Store

Round = Callable[[int], int]
"""Reads the reply of this number and returns how many symbols it got."""

FEWEST_RUNS = 5
ROUNDS = 24
"""Replies that one parser reads in one run."""
REPLIES = 8
LIMIT = 2.5
"""How many times as fast as ccxt ours must be, on any machine."""
STAGES = ("decode", "judge", "intake", "flush")

PRICES = ("lastPrice", "bidPrice", "askPrice", "openPrice", "highPrice", "lowPrice")
AMOUNTS = ("bidQty", "askQty", "volume", "quoteVolume")


class Ours:
    """The path of an answer through the feed into the store, the same as in the poller and the service."""

    def __init__(self, instruments: bytes) -> None:
        clock = Clock()
        self._now = clock.monotonic
        self.store = Store(epoch=clock.wall_ms())
        intake = Intake(self.store, clock, max_symbols=50_000)
        self.store.derivation = Consolidator(self.store.get, intake.rank, failback_after_s=30.0)
        self._door = intake.feed("binance", BINANCE.kind, BINANCE.clock, 6.0)
        directory = Directory("binance", BINANCE, ["*"])
        directory.load(BINANCE.parse_instruments(instruments))
        self._judge = Judge(BINANCE, directory, "reject", clock)
        self.spent_s = dict.fromkeys(STAGES, 0.0)

    def read(self, reply: bytes) -> int:
        times = [time.process_time()]
        rows = BINANCE.parse_rest(reply)
        times.append(time.process_time())
        quotes = self._judge.answer(rows, self._door.status)
        times.append(time.process_time())
        self._door.publish(quotes)
        times.append(time.process_time())
        self.store.flush(self._now())
        times.append(time.process_time())
        for stage, begin, end in zip(STAGES, times, times[1:], strict=False):
            self.spent_s[stage] += end - begin
        return len(quotes)


def main(runs: int) -> list[str]:
    """Run all parsers in turn, print a table, and return which limits are broken."""
    folder = Path(os.environ.get("TICKER_TEST_DATA") or ROOT.parent / "shared" / "data") / "exchanges/binance/rest"
    if not folder.is_dir():
        raise SystemExit("no recordings: set TICKER_TEST_DATA to the folder with exchanges/")
    # The list is two years younger than the reply; what was delisted in between counts as open.
    instruments = (folder / "exchangeInfo_2021-10-11.json").read_bytes().replace(b'"BREAK"', b'"TRADING"')
    sent = json.loads((folder / "ticker_24hr_all_2019-08-22.json").read_bytes())
    rows = priced(sent, instruments)
    replies = [
        json.dumps([moved(row, step) for row in rows], separators=(",", ":")).encode() for step in range(REPLIES)
    ]
    ours = Ours(instruments)
    parsers = build(ours, instruments, replies)
    check(instruments, replies)
    for read in parsers.values():
        assert [read(number) for number in range(REPLIES)] == [len(rows)] * REPLIES
    speeds = measure(ours, parsers, max(runs, FEWEST_RUNS))
    print(f"{len(rows)} of the reply's {len(sent)} rows (listed, with prices), {len(replies[0]):,} bytes, ", end="")
    print(f"medians of {max(runs, FEWEST_RUNS)} runs of {ROUNDS} replies (min–max)\n")
    print(table(speeds))
    if "ccxt" in speeds and max(speeds["ours"]) < LIMIT * max(speeds["ccxt"]):
        return [f"ours is {max(speeds['ours']) / max(speeds['ccxt']):.1f} × ccxt, limit {LIMIT:g} ×"]
    return []


def priced(sent: Sequence[dict[str, Any]], instruments: bytes) -> list[dict[str, Any]]:
    """The rows from which every parser makes a price."""
    listed = {entry["symbol"] for entry in json.loads(instruments)["symbols"]}
    return [row for row in sent if row["symbol"] in listed and all(Decimal(row[name]) for name in PRICES[:3])]


def moved(row: dict[str, Any], step: int) -> dict[str, Any]:
    """The row with every price `step` ticks higher, and every amount by as many units of its own last digit.

    So neither a cache of unchanged rows nor a comparison with visible values makes a round cheap, while prices keep as
    many digits as they really have.
    """
    tick = min(_last_digit(row[name]) for name in PRICES)
    steps = dict.fromkeys(PRICES, tick) | {name: _last_digit(row[name]) for name in AMOUNTS}
    return row | {name: f"{Decimal(row[name]) + step * unit:f}" for name, unit in steps.items()}


def _last_digit(text: str) -> Decimal:
    exponent = Decimal(text).normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return Decimal(1).scaleb(min(exponent, 0))


def check(instruments: bytes, replies: Sequence[bytes]) -> None:
    """Check that each reply changes every symbol's last price in the store to what the reply says."""
    ours = Ours(instruments)
    names = {entry["symbol"]: f"binance:{entry['baseAsset']}-{entry['quoteAsset']}"
             for entry in json.loads(instruments)["symbols"]}  # fmt: skip
    for reply in replies:
        rows = {names[row["symbol"]]: row["lastPrice"] for row in json.loads(reply)}
        assert all(ours.store.differs(symbol, {"last": last}) for symbol, last in rows.items())
        ours.read(reply)
        assert not any(ours.store.differs(symbol, {"last": last}) for symbol, last in rows.items())


def build(ours: Ours, instruments: bytes, replies: Sequence[bytes]) -> dict[str, Round]:
    """All parsers that are installed."""
    unmoved = Ours(instruments)
    parsers: dict[str, Round] = {
        "ours": lambda number: ours.read(replies[number]),
        "ours, nothing changed": lambda _: unmoved.read(replies[0]),
    }
    for name, peer in (("ccxt", ccxt), ("cryptofeed", cryptofeed)):
        if importlib.util.find_spec(name):
            parsers[name] = peer(instruments, replies)
    return parsers


def ccxt(instruments: bytes, replies: Sequence[bytes]) -> Round:
    exchange = importlib.import_module("ccxt").binance()
    exchange.options |= {"crossMarginPairsData": [], "isolatedMarginPairsData": []}  # lists that it would load as well
    exchange.set_markets(exchange.parse_markets(json.loads(instruments)["symbols"]))
    return lambda number: len(exchange.parse_tickers(exchange.parse_json(replies[number].decode())))


def cryptofeed(instruments: bytes, replies: Sequence[bytes]) -> Round:
    symbols = importlib.import_module("cryptofeed.symbols").Symbols
    binance = importlib.import_module("cryptofeed.exchanges").Binance
    decode = importlib.import_module("yapic.json").loads  # what it decodes every message with
    symbols.set(binance.id, *binance._parse_symbol_data(json.loads(instruments)))
    feed = binance()

    def read(number: int) -> int:
        rows = decode(replies[number], parse_float=Decimal)
        for row in rows:
            message = {
                "s": row["symbol"], "b": row["bidPrice"], "B": row["bidQty"], "a": row["askPrice"], "A": row["askQty"],
            }  # fmt: skip
            try:
                feed._ticker(message, 0.0).send(None)
            except StopIteration:  # it had nothing to wait for: nobody listens
                continue
            raise AssertionError("cryptofeed waits for something")
        return len(rows)

    return read


def measure(ours: Ours, parsers: dict[str, Round], runs: int) -> dict[str, list[float]]:
    """Symbols per second of CPU, of each parser and of our stages, run by run, all in turn."""
    stages = [f"ours, {stage} alone" for stage in STAGES]
    speeds: dict[str, list[float]] = {name: [] for name in ("ours", "ours, bytes to quotes", *stages, *parsers)}
    gc.collect()
    gc.freeze()  # keep the peers' modules and markets out of garbage collections
    for run in range(runs):
        for name, read in parsers.items():
            gc.collect()
            ours.spent_s = dict.fromkeys(STAGES, 0.0)
            started = time.process_time()
            symbols = sum(read(number % REPLIES) for number in range(ROUNDS))
            speeds[name].append(symbols / (time.process_time() - started))
            print(f"run {run + 1} {name}: {speeds[name][-1]:,.0f} symbols/s", file=sys.stderr)
            if name == "ours":
                for stage, spent_s in zip(stages, ours.spent_s.values(), strict=True):
                    speeds[stage].append(symbols / spent_s)
                to_quotes_s = ours.spent_s["decode"] + ours.spent_s["judge"]
                speeds["ours, bytes to quotes"].append(symbols / to_quotes_s)
    gc.unfreeze()
    return speeds


def table(speeds: dict[str, list[float]]) -> str:
    """Medians and spread, and ours to the store and to quotes as multiples of each, as Markdown."""
    head = "| parser | symbols per CPU second | µs per symbol | ours to the store is | ours to quotes is |"
    lines = [head, "| --- | --- | --- | --- | --- |"]
    for name, runs in speeds.items():
        middle = statistics.median(runs)
        line = f"| {name} | {middle:,.0f} ({min(runs):,.0f}–{max(runs):,.0f}) | {1e6 / middle:.2f} |"
        for of in ("ours", "ours, bytes to quotes"):
            ratios = [ours / speed for ours, speed in zip(speeds[of], runs, strict=True)]
            line += f" {statistics.median(ratios):.2f} × ({min(ratios):.2f}–{max(ratios):.2f}) |"
        lines.append(line)
    lines += [f"| {name} | not installed | | | |" for name in ("ccxt", "cryptofeed") if name not in speeds]
    return "\n".join(lines)
