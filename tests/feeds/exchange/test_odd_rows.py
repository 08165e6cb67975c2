"""Rows that come twice, late, from a wrong clock or under another name: what the service shows of them."""

from __future__ import annotations

import json
import logging

import pytest

from tests.clock import ManualClock
from tests.conftest import logged
from tests.feeds.exchange.test_watch import Service
from tests.feeds.fake_exchange import Reply
from tests.feeds.toy import LIST, LISTED, TALK, TICKERS, Stage, Theatre, answers, in_theatre, listing, on_stage, tickers

NOW_MS = ManualClock().wall_ms()


def row(last: str, time: int) -> dict[str, object]:
    return {"last": last, "time": time}


def test_late_and_future_rows_of_a_stream_are_counted_and_not_shown() -> None:
    """Rows older than the last one, or ahead of our clock, are counted; a repeated row changes nothing."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        service = Service(theatre, mode="stream")
        peer = await theatre.exchange.peer()
        for last, time in (
            ("1", 0),
            ("2", 10),
            ("2", 10),
            ("3", 5),
            ("4", 10),
            ("5", 61_000),
            ("6", 59_000),
            ("7", 58_000),
        ):
            peer.say({"rows": {"BTC/USD": row(last, NOW_MS + time)}})
        peer.say({"rows": {"BTC/USD": row("8", NOW_MS + 59_001)}})
        await theatre.until(lambda: service.status.updates == 6)
        service.intake.store.flush(0.0)
        record = service.intake.store.get("toy:BTC-USD")
        assert record is not None
        assert "8" in record.values
        assert {reason: n for reason, n in service.status.rejects.items() if n} == {"out_of_order": 2, "timestamp": 1}
        await service.stop()

    in_theatre(play)


def test_an_older_answer_changes_nothing() -> None:
    """An answer of a lagging cache, older than the one before, changes nothing; the next newer one counts."""

    async def play(theatre: Theatre) -> None:
        replies = [
            Reply(body=json.dumps({"BTC/USD": row(last, NOW_MS + t)}).encode())
            for last, t in (("2", 5), ("1", 0), ("3", 9))
        ]
        theatre.exchange.script(TICKERS, *replies)
        theatre.exchange.serve(TICKERS, replies[-1])
        theatre.lists("BTC")
        service = Service(theatre, mode="poll")
        shown = []
        for polls in (1, 2, 3):
            while service.status.polls["ok"] < polls:
                await service.passes(1.0)
            service.intake.store.flush(0.0)
            record = service.intake.store.get("toy:BTC-USD")
            assert record is not None
            shown.append(record.values[0])
        assert shown == ["2", "2", "3"]
        assert service.status.rejects["out_of_order"] == 1
        await service.stop()

    in_theatre(play)


def test_a_renamed_symbol_continues_under_its_new_name(caplog: pytest.LogCaptureFixture) -> None:
    """The old name is removed, once, when it is off the list, and that is logged."""
    caplog.set_level(logging.INFO, "ticker.feeds")

    async def play(stage: Stage) -> None:
        stage.exchange.serve(TICKERS, tickers(NEW="3"))
        stage.exchange.script(TICKERS, *[tickers(OLD="2")] * 30)
        stage.exchange.serve(LIST, listing(("NEW/USD", "NEW-USD", 1)))
        stage.exchange.script(LIST, listing(("OLD/USD", "OLD-USD", 1)))
        await stage.until(lambda: stage.clock.monotonic() > 2 * 3600, LISTED, interval_s=60.0)

    stage = on_stage(play)
    assert [event.data for event in stage.sink.events if event.what == "remove"] == [["toy:OLD-USD"]]
    assert logged(caplog).count("removing delisted symbols: toy:OLD-USD feed=toy") == 1
    assert set(stage.sink.polls[0]) == {"toy:OLD-USD"}
    assert set(stage.sink.polls[-1]) == {"toy:NEW-USD"}
    assert not any(stage.sink.status.rejects.values())
