"""Replaying a recording: the same quotes as then, at the recorded pace, and no exchange is asked."""

from __future__ import annotations

import dataclasses
import datetime as dt
import email.utils
import json
import pathlib
from collections import Counter
from typing import Any

import pytest

from feeds.exchange.session import Session
from feeds.registry import build
from feeds.replay.folder import QUOTES_PER_TURN, Playback
from feeds.replay.options import ReplayOptions
from tests.clock import ManualClock
from tests.conftest import logged
from tests.feeds.contract import Recording, scenes
from tests.feeds.contract_stage import played
from tests.feeds.exchange.test_record import session
from tests.feeds.harness import RecordingSink, context, run
from tests.feeds.toy import LIST, TALKS, TICKERS, Theatre, in_theatre, said
from ticker.errors import ConfigError
from ticker.model import Quote

T0 = 1_795_386_000.0


def play(folder: pathlib.Path, seconds: float = 0.0, **options: Any) -> RecordingSink:
    """Play a folder of the toy: all that has come after some time."""
    clock = ManualClock()
    sink = RecordingSink(clock)
    venue = options.pop("venue", TALKS)
    given = ReplayOptions(**{"speed": "max", **options})

    async def main() -> None:
        import asyncio

        task = asyncio.create_task(Playback("again", venue, folder, given, context(clock)).run(sink))
        await clock.advance(seconds)
        if not seconds:
            await task
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(main)
    return sink


def quotes(sink: RecordingSink) -> list[Quote]:
    return [quote for event in sink.events if event.what == "publish" for quote in event.data]  # type: ignore[attr-defined]


def write(folder: pathlib.Path, *messages: tuple[float | None, str], name: str = "a") -> None:
    """Add a connection on which these came, some seconds after the beginning."""
    (folder / "ws").mkdir(parents=True, exist_ok=True)
    events = [{"t": at if at is None else T0 + at, "dir": "recv", "raw": raw} for at, raw in messages]
    (folder / "ws" / f"{name}.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))


def answer(folder: pathlib.Path, at: float, target: str, body: str, status: int = 200) -> None:
    """Add an answer."""
    (folder / "rest").mkdir(parents=True, exist_ok=True)
    file = f"{len(list((folder / 'rest').iterdir()))}.json"
    (folder / "rest" / file).write_text(body)
    path, _, query = target.partition("?")
    minute, second = divmod(at, 60)
    recorded_at = f"2026-11-22T22:{20 + int(minute):02}:{second:06.3f}+00:00"
    line = {"file": file, "path": path, "query": query, "status": status, "recorded_at": recorded_at}
    with (folder / "rest" / "index.jsonl").open("a") as index:
        index.write(json.dumps(line) + "\n")


def test_a_replayed_session_ends_at_the_same_prices_and_counts(tmp_path: pathlib.Path) -> None:
    """Polls and streams of a feed, with a failure and a broken connection."""

    async def record(theatre: Theatre) -> None:
        await session(theatre, record_raw=str(tmp_path))

    before = in_theatre(record)
    after = play(tmp_path / "toy")
    view: dict[str, dict[str, object]] = {}
    for quote in quotes(after):
        view.setdefault(quote.symbol.removeprefix("toy:"), {}).update(quote.values)
    assert view == before.view()
    assert after.status.rejects == before.sink.status.rejects
    assert after.status.errors["http_5xx"] == before.sink.status.errors["http_5xx"] > 0
    assert after.story == ["publish", "stale"]
    assert after.status.loaded


def test_a_replay_ignores_todays_trading_hours(tmp_path: pathlib.Path) -> None:
    """Seen: a recorded day of a stock exchange, played in the evening, was closed while its prices moved."""
    venue = dataclasses.replace(TALKS, session=Session("UTC", dt.time(9, 30), dt.time(16)))
    write(tmp_path, (0.0, json.dumps({"rows": {"BTC/USD": {"last": "1", "time": f"{T0 * 1000 - 50_000_000:.0f}"}}})))
    assert [quote.values.get("state") for quote in quotes(play(tmp_path, venue=venue))] == [None]


@pytest.mark.parametrize("name", ["coinbase", "kucoin"])
def test_a_replay_of_a_real_exchange_gives_the_same_quotes(
    name: str, everything: list[Recording], tmp_path: pathlib.Path
) -> None:
    """What the feed of a real exchange made of each recording, a replay of its own recording makes as well."""
    for number, scene in enumerate(scenes(name, everything)):
        folder = tmp_path / str(number)
        before = played(scene, record_raw=str(folder))
        clock = ManualClock()
        sink = RecordingSink(clock)
        table = {"adapter": "replay", "symbols": str(folder), "speed": "max"}
        feed = build("again", table, context(clock))
        assert feed.kind == "replay"
        run(lambda: feed.run(sink))  # noqa: B023 - run at once
        after = [quote for quote in quotes(sink) if any(quote.symbol == other.symbol for other in before.quotes)]
        assert after[-len(before.quotes) :] == before.quotes
        assert set(before.rejects) <= set(+Counter(sink.status.rejects))


def test_messages_are_due_at_the_recorded_pace(tmp_path: pathlib.Path) -> None:
    """Messages of several connections come in order, at that pace or so many times faster."""
    write(tmp_path, (0, said(A="1")), (10, said(A="3")), (None, said(A="4")))
    write(tmp_path, (5, said(B="2")), name="b")
    for pace in (1.0, 10.0):
        sink = play(tmp_path, 100.0, speed=f"{pace:g}")
        came = [(event.at, event.data) for event in sink.events if event.what == "publish"]
        assert [(at, [quote.values["last"] for quote in batch]) for at, batch in came] == [  # type: ignore[attr-defined]
            (0.0, ["1"]), (5 / pace, ["2"]), (10 / pace, ["3", "4"]),
        ]  # fmt: skip


def test_a_replay_at_full_speed_plays_one_answer_a_turn(tmp_path: pathlib.Path) -> None:
    """Seen: the quotes of a hundred answers of any length were handed over at once."""
    for second in range(5):
        rows = {f"A{n}/USD": {"last": f"{second + 1}"} for n in range(QUOTES_PER_TURN)}
        answer(tmp_path, second, TICKERS, json.dumps(rows))
    sink = play(tmp_path)
    assert [len(poll) for poll in sink.polls] == [QUOTES_PER_TURN] * 5


def test_a_gap_of_days_is_skipped(tmp_path: pathlib.Path) -> None:
    """Where nothing was recorded, a replay does not wait."""
    write(tmp_path, (0, said(A="1")), (400_000, said(A="2")), (400_001, said(A="3")))
    sink = play(tmp_path, 100.0, speed="1")
    assert [event.at for event in sink.events if event.what == "publish"] == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("asked", [LIST, f"{LIST}?of=all"])
def test_the_first_recorded_list_applies_from_the_start(tmp_path: pathlib.Path, asked: str) -> None:
    """Later ones apply when they come; a broken one is counted.

    A list that was recorded before there was a choice is one as well.
    """
    answer(tmp_path, 0, TICKERS, '{"BTC": {"last": "1"}}')
    answer(tmp_path, 1, LIST, '[["BTC", "BTC-EUR", 3]]')
    answer(tmp_path, 2, LIST, "[")
    answer(tmp_path, 3, LIST, '[["BTC", "BTC-JPY", 0]]')
    answer(tmp_path, 4, TICKERS, '{"BTC": {"last": "2"}}')
    sink = play(tmp_path, venue=dataclasses.replace(TALKS, instruments_request=asked))
    assert [(q.symbol, q.values["decimals"]) for q in quotes(sink)] == [("toy:BTC-EUR", 3), ("toy:BTC-JPY", 0)]
    assert {reason: n for reason, n in sink.status.errors.items() if n} == {"protocol": 1}


@pytest.mark.parametrize("http", [False, True])
def test_an_answer_only_adds_what_the_stream_lacks(tmp_path: pathlib.Path, *, http: bool) -> None:
    """Once the stream has long been silent, all of the answer counts.

    When that was may stand there as HTTP writes dates; an answer without a date came with the one before it.
    """
    write(tmp_path, (0, said(A="3")))
    for at, last in ((5, "1"), (5, "2"), (11, "4")):
        answer(tmp_path, at, TICKERS, json.dumps({"A/USD": {"last": last, "bid": "0.5"}}))
    index = tmp_path / "rest" / "index.jsonl"
    lines = [json.loads(text) for text in index.read_text().splitlines()]
    for line in lines if http else ():
        line["recorded_at"] = email.utils.format_datetime(dt.datetime.fromisoformat(line["recorded_at"]), usegmt=True)
    lines[1]["recorded_at"] = "yesterday" if http else None
    index.write_text("".join(json.dumps(line) + "\n" for line in (lines[0], [], *lines[1:])))
    sink = play(tmp_path, 20.0, speed="1")
    assert [(event.at, quote.values.get("last"), quote.values.get("bid"))
            for event in sink.events if event.what == "publish" for quote in event.data] == [  # type: ignore[attr-defined]
        (0.0, "3", None), (5.0, None, "0.5"), (5.0, None, "0.5"), (11.0, "4", "0.5"),
    ]  # fmt: skip


def test_recorded_failures_are_counted_again(tmp_path: pathlib.Path) -> None:
    """Each bad answer and message is counted as it was then, and the replay goes on."""
    answer(tmp_path, 0, TICKERS, "<p>", status=429)
    answer(tmp_path, 1, TICKERS, "<p>")
    answer(tmp_path, 2, TICKERS, '{"failed": 1}')
    write(tmp_path, (0, "no word"), (1, '{"failed": "no"}'), (2, said(A="5")))
    sink = play(tmp_path)
    assert [quote.values["last"] for quote in quotes(sink)] == ["5"]
    assert {reason: n for reason, n in sink.status.errors.items() if n} == {"rate_limited": 3, "protocol": 1}
    assert sink.status.rejects["schema"] == 1
    assert sink.status.polls == {"ok": 0, "error": 1, "skipped": 0}


def test_each_round_of_a_loop_is_newer_than_the_last(tmp_path: pathlib.Path) -> None:
    """That holds whatever times and sequence numbers it has."""
    write(tmp_path, (0, said(A="1")), (0.5, said(A="2")))
    found = quotes(play(tmp_path, 4.0, speed="1", loop=True))
    assert [quote.values["last"] for quote in found] == ["1", "2"] * 3
    assert [quote.seq for quote in found] == list(range(6))


def test_a_truncated_last_line_ends_the_replay_with_a_warning(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A recorder that was killed leaves such a line; everything before it is played."""
    write(tmp_path, (0, said(A="1")))
    with (tmp_path / "ws" / "a.jsonl").open("a") as file:
        file.write('{"t": 1, "di')
    assert len(quotes(play(tmp_path))) == 1
    assert logged(caplog) == ["a line is not JSON; the rest of the file is ignored recording=a.jsonl line=2"]


@pytest.mark.parametrize(
    "line",
    [
        '{"t":1e999,"dir":"recv","raw":"{}"}',
        f'{{"t":1{"0" * 400},"dir":"recv","raw":"{{}}"}}',
        '{"t":NaN,"dir":"recv","raw":"{}"}',
        "[" * 100_000,
    ],
)
def test_malformed_lines_are_skipped(tmp_path: pathlib.Path, line: str) -> None:
    """An invalid time is skipped, an unreadable end is left out; everything before it is played."""
    write(tmp_path, (0, said(A="1")))
    answer(tmp_path, 0, TICKERS, "{}")
    index = tmp_path / "rest" / "index.jsonl"
    index.write_text(index.read_text().replace("2026-11-22T22", "Mon, 01 Jan 2024 00:00:00 +99999999999999999999 "))
    with (tmp_path / "ws" / "a.jsonl").open("a") as file:
        file.write(line)
    sink = play(tmp_path)
    assert [quote.values["last"] for quote in quotes(sink)] == ["1"]


def test_a_folder_that_cannot_be_played_says_what_to_do(tmp_path: pathlib.Path) -> None:
    """Each error says what to do instead."""

    def refused(folder: pathlib.Path, **table: object) -> str:
        with pytest.raises(ConfigError) as caught:
            build("again", {"adapter": "replay", "symbols": str(folder), **table}, context(ManualClock()))
        return str(caught.value)

    assert "it has no folder rest or ws" in refused(tmp_path)
    write(tmp_path / "krakn", (0, "{}"))
    assert "no exchange is called 'krakn'; give venue=ADAPTER; did you mean 'kraken'?" in refused(tmp_path)
    assert "yahoo has no stream" in refused(tmp_path, venue="yahoo")
    write(tmp_path / "okx")
    assert "give one of its folders: krakn, okx" in refused(tmp_path)
    assert "it has no recorded answers or messages" in refused(tmp_path / "okx")
    assert "speed" in refused(tmp_path / "krakn", venue="kraken", speed="fast")
    answer(tmp_path / "bitstamp", 0, TICKERS, "[]")
    (tmp_path / "bitstamp" / "rest" / "0.json").unlink()
    assert "index.jsonl has an entry that cannot be played: FileNotFoundError" in refused(tmp_path / "bitstamp")
