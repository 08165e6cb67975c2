"""From an exchange to a reader, on real input, by a real process."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import gzip
import json
import pathlib
import random
import threading
from collections.abc import Iterator
from typing import Any

from websockets.asyncio.client import connect

from feeds.backoff import LONGEST_PAUSE_S
from tests.feeds.fake_exchange import FakeExchange, Reply, recordings
from tests.running import READY_S, Running, running
from tests.view import View

TICKS = "multi_20140508_1200-1400utc.csv.gz"
"""Two hours of four feeds, 184,506 rows; its venues really cross."""


def ticks(data_dir: pathlib.Path) -> pathlib.Path:
    return data_dir / "ticks" / TICKS


def last_rows(path: pathlib.Path) -> dict[str, dict[str, str]]:
    """The last row of each venue symbol."""
    with gzip.open(path, "rt") as text:
        return {f"{row['venue']}:{row['symbol']}": row for row in csv.DictReader(text)}


def ended(service: Running) -> bool:
    """Whether all of the replay is visible: its feed's record is flushed with or after its last price."""
    return "ended" in (service.get("/api/quotes")["feeds"]["replay"]["message"] or "")


def socket_url(service: Running, query: str) -> str:
    return service.url.replace("http", "ws") + "/ws?" + query


def test_a_replay_at_full_speed_ends_at_the_files_last_values(data_dir: pathlib.Path) -> None:
    """Store, REST and a WebSocket client end at the last value of every symbol, digit for digit."""
    path = ticks(data_dir)
    with running("--feed", f"replay:{path}?speed=max&crossed=keep") as service:

        async def watch() -> tuple[View, Any]:
            view = View()
            async with connect(socket_url(service, "symbols=*,*:*"), compression=None) as socket:
                while True:
                    async with asyncio.timeout(READY_S):
                        view.apply(await socket.recv(decode=False))
                    if view.feeds and "ended" in (view.feeds["replay"]["message"] or ""):
                        rest = await asyncio.to_thread(service.get, "/api/quotes?symbols=*,*:*")
                        if rest["version"] == str(view.version):  # else a last `ts` is still to come
                            return view, rest

        view, rest = asyncio.run(watch())
        feed = service.get("/api/feeds")["feeds"]["replay"]
    expected = last_rows(path)
    for quotes in (view.quotes, rest["quotes"]):
        assert {s for s in quotes if ":" in s} == expected.keys()
        for symbol, row in expected.items():
            quote = quotes[symbol]
            assert (quote["bid"], quote["ask"], quote["ts"]) == (row["bid"], row["ask"], row["ts_ms_utc"])
    assert view.quotes == rest["quotes"]
    for symbol in ("EURUSD", "XAUUSD", "NZDUSD"):
        quote = rest["quotes"][symbol]
        assert quote == rest["quotes"][f"{quote['source']}:{symbol}"]
    assert (feed["updates"], feed["rejects"]) == ("184506", {})


def test_a_reader_cut_a_hundred_times_misses_nothing(data_dir: pathlib.Path) -> None:
    """It resumes by cursor each time, gets no second snapshot, and then shows digit for digit what REST does."""
    dice = random.Random(7)
    view = View()

    def reading(service: Running) -> connect:
        query = "symbols=*,*:*" + (f"&cursor={view.cursor}" if view.cursor else "")
        return connect(socket_url(service, query), compression=None)

    async def read_once(service: Running, frames: int) -> None:
        async with reading(service) as socket:
            while view.updates + view.snapshots < frames:
                async with asyncio.timeout(READY_S):
                    frame = view.apply(await socket.recv(decode=False))
                if frame["type"] == "subscribed" and view.version:
                    assert frame["resumed"] is True
            socket.transport.abort()

    async def read_what_rest_says(service: Running) -> Any:
        async with reading(service) as socket:
            rest: dict[str, Any] = {"version": "-1"}
            while rest["version"] != str(view.version):
                rest = await asyncio.to_thread(service.get, "/api/quotes?symbols=*,*:*")
                while view.version < int(rest["version"]):
                    async with asyncio.timeout(READY_S):
                        view.apply(await socket.recv(decode=False))
        return rest

    feed = f"replay:{ticks(data_dir)}?speed=60&crossed=keep"  # two minutes of it
    with running("--feed", feed, "--set", "hub.flush_interval_ms=10") as service:
        for _ in range(100):
            asyncio.run(read_once(service, view.updates + view.snapshots + dice.randint(1, 4)))
        rest = asyncio.run(read_what_rest_says(service))
        assert not ended(service), "prices came to the end"
    assert view.snapshots == 1
    assert view.updates > 100
    assert view.quotes == rest["quotes"]


@contextlib.contextmanager
def fake_kraken(data_dir: pathlib.Path) -> Iterator[tuple[FakeExchange, asyncio.AbstractEventLoop]]:
    """The recorded Kraken on loopback, in a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    exchange = FakeExchange()
    exchange.serve_recorded(data_dir / "exchanges" / "kraken" / "rest")
    asyncio.run_coroutine_threadsafe(exchange.__aenter__(), loop).result(10)
    try:
        yield exchange, loop
    finally:
        asyncio.run_coroutine_threadsafe(exchange.__aexit__(None, None, None), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def test_krakens_recorded_bulk_answer_gives_exactly_the_good_rows(data_dir: pathlib.Path) -> None:
    """Of 1,530 rows 108 have no last price: 97 of them have a bid, 2 more only an ask, 9 no price at all."""
    body = (data_dir / "exchanges/kraken/rest/Ticker_all_assetVersion1_2026-06-24.json").read_text()
    rows = json.loads(body)["result"]
    mute = {name for name, row in rows.items() if not any(float(row[side][0]) for side in "abc")}
    with (
        fake_kraken(data_dir) as (exchange, _),
        running("--feed", f"kraken?base_url={exchange.base_url}&interval_s=1") as service,
    ):
        quotes: dict[str, Any] = {}

        def came() -> bool:
            quotes.update(service.get("/api/quotes?symbols=kraken:*")["quotes"])
            return bool(quotes)

        def counted() -> bool:
            refused = int(service.get("/api/feeds")["feeds"]["kraken"]["rejects"].get("price", 0))
            return refused > 0 and refused % len(mute) == 0

        service.wait(came, "no price came")
        service.wait(counted, "other rows were refused")  # of an answer that is being judged, some are
        ready = service.get("/readyz")
    assert len(rows) == 1530
    assert len(quotes) == len(rows) - len(mute) == 1521
    silent = [quote for quote in quotes.values() if quote["last"] is None]
    assert len(silent) == 99
    assert sum(quote["bid"] is not None for quote in silent) == 97
    assert all(quote["bid"] or quote["ask"] for quote in silent)
    assert ready["status"] == "ready"
    quote, row = quotes["kraken:BTC-USD"], rows["BTC/USD"]
    assert (quote["bid"], quote["ask"], quote["last"]) == (row["b"][0], row["a"][0], row["c"][0])
    assert (quote["volume"], quote["high"], quote["low"], quote["open"]) == (
        row["v"][1],
        row["h"][1],
        row["l"][1],
        None,
    )


def test_a_failing_exchange_is_shown_as_down_until_it_answers(data_dir: pathlib.Path) -> None:
    """The last good prices stay, marked down, and the reason is counted; a good answer ends that."""
    target = "/0/public/Ticker?assetVersion=1"
    recorded = recordings(data_dir / "exchanges/kraken/rest").values()
    good_reply = next(found for asked, found in recorded if asked == target)
    with (
        fake_kraken(data_dir) as (exchange, loop),
        running("--feed", f"kraken:BTC-USD?base_url={exchange.base_url}&mode=poll&interval_s=1") as service,
    ):

        def state() -> str:
            return str(service.get("/api/quotes/BTC-USD")["quote"]["state"])

        def failures() -> int:
            return int(service.get("/api/feeds")["feeds"]["kraken"]["errors"].get("protocol", 0))

        service.wait(lambda: service.get("/api/feeds")["feeds"]["kraken"]["state"] == "live", "no price came")
        busy = Reply(body=b"<html>busy</html>", headers={"Content-Type": "text/html"})
        loop.call_soon_threadsafe(exchange.serve, target, busy)
        service.wait(lambda: failures() > 0, "the failure was not counted")
        good = service.get("/api/quotes/BTC-USD")["quote"]  # nothing better comes any more
        service.wait(lambda: state() == "down", "the failure was not shown", LONGEST_PAUSE_S + READY_S)
        bad = service.get("/api/quotes/BTC-USD")["quote"]
        assert bad == {**good, "state": "down"}
        assert bad["last"] == json.loads(good_reply.body)["result"]["BTC/USD"]["c"][0]
        loop.call_soon_threadsafe(exchange.serve, target, good_reply)
        service.wait(lambda: state() == "live", "it did not come back", LONGEST_PAUSE_S + READY_S)
