"""Recording: everything received is on disk, nothing secret is, and a replay gives the same prices again."""

from __future__ import annotations

import dataclasses
import json
import logging
import pathlib
from typing import Any

import pytest

from feeds.exchange.fetch import Answer
from feeds.exchange.record import Recorder
from tests.conftest import logged
from tests.feeds.fake_exchange import Peer, Reply, recorded, recordings
from tests.feeds.toy import LIST, TALK, TALKS, TICKERS, Theatre, answers, in_theatre, listing, said, tickers
from ticker.clock import Clock

SECRET = "s3cr/t-key"
KEYED = dataclasses.replace(
    TALKS, key_headers=("X-Key",), stream=dataclasses.replace(TALKS.stream, key_query="token")  # type: ignore[type-var]
)  # fmt: skip


async def session(theatre: Theatre, **options: Any) -> None:
    """One poll, one stream with a few words, a failing poll, another stream."""
    theatre.lists("BTC", "ETH")
    theatre.exchange.stream(TALK, answers)
    theatre.exchange.serve(TICKERS, tickers(BTC="1.10"))
    async with theatre.running(symbols=("BTC*", "ETH*"), **options):
        await theatre.until(lambda: theatre.last("BTC") == "1.10")
        await theatre.passes(1.0)
        peer = await theatre.exchange.peer(1)
        await peer.heard()
        theatre.exchange.serve(TICKERS, Reply(status=503, body=b"<p>busy", headers={"Content-Type": "text/html"}))
        await theatre.passes(2.0, lambda: bool(theatre.errors()))
        peer.send(said(BTC="2", ETH="3"), "no word of the toy's", b"\xff\xfe")
        await theatre.until(lambda: theatre.last("ETH") == "3")
        peer.cut()
        await theatre.until(lambda: "closed" in theatre.errors())
        await theatre.passes(2.0)
        peer = await theatre.exchange.peer(2)
        await peer.heard()
        peer.send(said(BTC="4"))
        await theatre.until(lambda: theatre.last("BTC") == "4")


def events(file: pathlib.Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_every_answer_and_message_is_recorded_in_order(tmp_path: pathlib.Path) -> None:
    """Each answer with its request, status and body, and each message of each connection."""

    async def play(theatre: Theatre) -> None:
        await session(theatre, record_raw=str(tmp_path))
        theatre.url = theatre.exchange.base_url  # type: ignore[attr-defined]

    theatre = in_theatre(play)
    host = theatre.url.removeprefix("http://")  # type: ignore[attr-defined]
    index = events(tmp_path / "toy" / "rest" / "index.jsonl")
    first, second, *_ = index
    assert (first["method"], first["scheme"], first["host"], first["path"], first["query"], first["status"]) == (
        "GET", "http", host, TICKERS, "", 200,
    )  # fmt: skip
    assert (tmp_path / "toy" / "rest" / first["file"]).read_bytes() == tickers(BTC="1.10").body
    assert second["path"] == LIST
    failed = [line for line in index if line["status"] == 503]
    assert (tmp_path / "toy" / "rest" / failed[0]["file"]).read_bytes() == b"<p>busy"
    assert failed[0]["headers"]["Content-Type".lower()] == "text/html"
    one, two = (events(file) for file in sorted((tmp_path / "toy" / "ws").iterdir()))
    assert one[0]["url"] == f"ws://{host}{TALK}"
    assert [(event["dir"], event["raw"]) for event in one[1:]] == [
        ("sent", '{"want": ["BTC/USD", "ETH/USD"], "id": 1}'),
        ("recv", '{"acked": [1]}'),
        ("recv", said(BTC="2", ETH="3")),
        ("recv", "no word of the toy's"),
        ("recv", "\udcff\udcfe"),
    ]
    assert two[-1]["raw"] == said(BTC="4")
    assert one[0]["t"] < two[0]["t"]


def test_a_recording_served_again_gives_the_same_result(tmp_path: pathlib.Path) -> None:
    """Served by a fake exchange to a new feed, it ends at the same prices and the same counts."""

    async def record(theatre: Theatre) -> None:
        await session(theatre, record_raw=str(tmp_path))

    async def replay(theatre: Theatre) -> None:
        folder = tmp_path / "toy"
        for target, reply in recordings(folder / "rest").values():
            theatre.exchange.script(target, reply)

        def then_hangs_up(file: pathlib.Path, *, last: bool) -> Any:
            async def play(peer: Peer) -> None:
                await recorded(file)(peer)
                if not last:
                    await theatre.until(lambda: theatre.last("ETH") == "3")
                    peer.cut()

            return play

        files = sorted((folder / "ws").iterdir())
        theatre.exchange.stream(TALK, *[then_hangs_up(file, last=file is files[-1]) for file in files])
        async with theatre.running(symbols=("BTC*", "ETH*")):
            while theatre.last("BTC") != "4":
                await theatre.passes(1.0)

    before, after = in_theatre(record), in_theatre(replay)
    assert after.view() == before.view()
    assert after.sink.status.rejects["schema"] == before.sink.status.rejects["schema"] == 2


def test_a_key_is_never_recorded(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    """It goes to the exchange in header and URL, but into no file, message, state or log line."""
    caplog.set_level(logging.DEBUG)
    (tmp_path / "key").write_text(SECRET + "\n")
    logging.getLogger("websockets.server").setLevel(logging.WARNING)  # the fake exchange's, which shows what came

    async def play(theatre: Theatre) -> None:
        theatre.exchange.serve(TICKERS, Reply(body=json.dumps({"BTC/USD": {"last": 1}, SECRET: 7}).encode()))
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        options: dict[str, Any] = {"record_raw": str(tmp_path), "key_file": str(tmp_path / "key")}
        async with theatre.running(KEYED, **options):
            await theatre.passes(2.0)
            peer = await theatre.exchange.peer()
            assert peer.target == TALK + "?token=s3cr%2Ft-key"
            peer.send(said(BTC="1"), json.dumps({"rows": {SECRET: {"last": "1"}}}))
            await theatre.until(lambda: theatre.last("BTC") == "1")
            theatre.exchange.script(TALK, Reply(status=503))
            peer.close(1008, "bye")
            await theatre.passes(3.0, lambda: theatre.errors().get("http_5xx") == 1)
            theatre.exchange.script(TALK, Reply(instead=b"?"))
            await theatre.passes(5.0, lambda: theatre.errors().get("protocol") == 1 or "closed" in theatre.errors())
        headers = [r.headers["x-key"] for r in theatre.exchange.requests if r.target in {TICKERS, LIST}]
        assert set(headers) == {SECRET}

    theatre = in_theatre(play)
    files = [file for file in (tmp_path / "toy").rglob("*") if file.is_file()]
    assert len(files) >= 3
    for file in files:
        assert b"s3cr" not in file.read_bytes()
    assert "s3cr" not in caplog.text
    assert not any("s3cr" in str(event.data) for event in theatre.sink.events if event.what != "publish")


def test_no_password_of_an_address_is_written(tmp_path: pathlib.Path) -> None:
    """Of a gateway whose address has a name and a password, the host is recorded.

    Seen: a stream's address was recorded whole.
    """
    recorder = Recorder("toy", tmp_path, "https://ann:s3cret@gate", 10_000, (), Clock())
    recorder.answer("GET", "/x", Answer(200, {}, b"{}"))
    recorder.connection("wss://ann:s3cret@gate/talk")("recv", "{}")
    written = [file.read_text() for file in tmp_path.rglob("*") if file.is_file()]
    assert len(written) == 3
    assert "s3cret" not in "".join(written)
    assert '"url": "wss://\\u2026@gate/talk"' in "".join(written)


def test_recording_ends_at_the_given_size(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    """That is logged once, and the feed continues."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(mode="stream", record_raw=str(tmp_path), record_mb=1):
            peer = await theatre.exchange.peer()
            await peer.heard()
            for number in range(300):
                peer.send(said(BTC=f"{number + 1}") + " " * 10_000)
            await theatre.until(lambda: theatre.last("BTC") == "300")

    in_theatre(play)
    size = sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
    assert 900_000 < size <= 1_000_000
    assert [line for line in logged(caplog) if "recording" in line] == [
        f"recording in {tmp_path / 'toy'} ended: it has reached the size given by record_mb feed=toy"
    ]


def test_a_failing_disk_ends_the_recording_only(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    """That is logged once; prices are not affected."""
    (tmp_path / "toy").write_text("a file where the folder should be")

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.serve(TICKERS, tickers(BTC="1"))
        async with theatre.running(mode="poll", record_raw=str(tmp_path)):
            await theatre.passes(10.0, lambda: len(theatre.sink.polls) > 3)
        assert theatre.sink.story == ["publish"]

    in_theatre(play)
    (line,) = [line for line in logged(caplog) if "recording" in line]
    assert line.startswith(f"recording in {tmp_path / 'toy'} ended: "), line


def test_a_stream_address_with_a_token_is_not_recorded(tmp_path: pathlib.Path) -> None:
    """Neither the address that the exchange hands out nor its token is in any file."""
    stream = dataclasses.replace(
        TALKS.stream,  # type: ignore[type-var]
        url="",
        open_request="/open",
        parse_open=lambda body: (json.loads(body)["url"], None),
    )
    venue = dataclasses.replace(TALKS, stream=stream)

    async def play(theatre: Theatre) -> None:
        theatre.exchange.serve(LIST, listing(("BTC/USD", "BTC-USD", 1)))
        theatre.exchange.serve("/open", Reply(body=b'{"url": "wss://stream.toy.invalid/talk?token=s3cr"}'))
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(venue, mode="stream", record_raw=str(tmp_path)):
            await theatre.passes(2.0)
            peer = await theatre.exchange.peer()
            await peer.heard()
            assert peer.target == TALK + "?token=s3cr"

    in_theatre(play)
    for file in tmp_path.rglob("*.*"):
        assert b"s3cr" not in file.read_bytes()
