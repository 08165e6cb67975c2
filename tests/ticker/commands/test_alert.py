"""When an alert fires."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest

from ticker.client import Quote
from ticker.client.quote import Raw
from ticker.commands.alert import _alert, _run
from ticker.commands.condition import Condition, Trigger
from ticker.errors import UnreachableError


def quote(**record: Raw) -> Quote[Decimal]:
    return Quote("A", record, Decimal)


def fired(condition: str, values: list[str], slack: str = "0", field: str = "last") -> list[str]:
    """Which of the values make it fire."""
    trigger = Trigger(Condition.of(condition), Decimal(slack))
    return [value for value in values if trigger.fires(quote(**{field: value}))]


def test_an_alert_fires_once_each_time_it_becomes_true() -> None:
    """It fires even if it is true from the start; at the level itself only `>=` and `<=` are true."""
    assert fired("A > 100", ["99", "100", "101", "102", "100", "103"]) == ["101", "103"]
    assert fired("A>=100", ["100", "101", "99.9", "100.0"]) == ["100", "100.0"]
    assert fired("A < 1.5", ["1", "1.5", "1.4999999999999999999"]) == ["1", "1.4999999999999999999"]
    assert fired("kraken:A <= -5", ["-4", "-5", "-4", "-6"]) == ["-5", "-6"]


def test_with_hysteresis_a_price_at_the_level_fires_once() -> None:
    """To fire again, the value must first go back by that much."""
    assert fired("A > 100", ["101", "99", "101", "95", "101"], slack="5") == ["101", "101"]
    assert fired("A < 100", ["99", "101", "99", "105", "99"], slack="5") == ["99", "99"]


def test_any_number_of_a_quote_can_be_compared() -> None:
    """The field is named; `price` is last, or the mid if there is none; an unknown value never fires."""
    assert fired("A change_pct < -5", ["-4", "-6"], field="change_pct") == ["-6"]
    assert fired("A > 1", ["2"], field="bid") == []
    assert Trigger(Condition.of("A > 1"), Decimal(0)).fires(quote(last=None, bid="1", ask="2"))


def test_stale_fires_for_stale_and_down() -> None:
    """The service judges that; a price that is live again can go stale again."""
    trigger = Trigger(Condition.of("A stale"), Decimal(0))
    assert [trigger.fires(quote(state=state)) for state in ("live", "stale", "down", "live", "down")] == [
        False, True, False, False, True,
    ]  # fmt: skip


def test_a_silent_service_makes_prices_stale_and_nothing_else() -> None:
    """Unknown is not live: `stale` fires once, and again after a live price; a level does not fire."""
    trigger = Trigger(Condition.of("A stale"), Decimal(0))
    live = quote(state="live")
    assert [trigger.fires(q) for q in (live, None, None, live, None)] == [False, True, False, False, True]
    assert not Trigger(Condition.of("A < 1"), Decimal(0)).fires(None)


def test_a_command_is_run_to_its_end(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """If --for is over while it runs, the alert still waits for it. Its failure is reported.

    Seen: it was left behind, and went on or was killed by chance.
    """
    begun, end, done = (tmp_path / name for name in ("begun", "end", "done"))
    command = (
        f"touch {begun}; while [ ! -e {end} ]; do sleep 0.01; done; echo $TICKER_SYMBOL $TICKER_VALUE > {done}; exit 3"
    )

    async def scenario() -> None:
        running = asyncio.create_task(_run(command, "A", "1"))
        while not begun.exists():  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.sleep(0)
        end.touch()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert done.read_text() == "A 1\n"

    asyncio.run(scenario())
    assert capfd.readouterr().err == "ticker: the command ended with status 3\n"


def test_the_end_of_an_alert_that_fired_is_no_failure_to_do_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen: one that had run its command said after --for that its condition was not met."""
    told: list[str] = []
    monkeypatch.setattr("ticker.commands.alert.note", told.append)

    async def one(value: str) -> AsyncGenerator[Quote[Decimal] | None]:
        yield quote(last=value)
        raise TimeoutError

    for value in ("0", "2"):
        trigger = Trigger(Condition.of("A > 1"), Decimal(0))
        view: Any = Mock(cursor="1:1:aa", close=AsyncMock())
        assert asyncio.run(_alert(view, one(value), trigger, "true", 60.0, "http://here")) == 1
    assert told == ["the condition was not met in time", "the time is over"]


@pytest.mark.parametrize("cursor", ["1:1:aa", None])
def test_a_timeout_differs_from_a_service_that_never_answered(cursor: str | None) -> None:
    """The former is status 1, the latter an error, as for `ticker tail`; the view is closed in both cases.

    Seen: an alert at a mistyped address ended as if its condition had not been met.
    """

    async def nothing() -> AsyncGenerator[Quote[Decimal] | None]:
        await asyncio.Event().wait()
        yield None

    view: Any = Mock(cursor=cursor, close=AsyncMock())
    trigger = Trigger(Condition.of("A > 1"), Decimal(0))
    ended = _alert(view, nothing(), trigger, None, 0.0, "http://here")
    if cursor:
        assert asyncio.run(ended) == 1
    else:
        with pytest.raises(UnreachableError, match="http://here did not answer within --for"):
            asyncio.run(ended)
    view.close.assert_awaited_once()


@pytest.mark.parametrize("text", ["", "A", "A = 3", "A > x", "A > 1 or B > 2", "A lst > 3", "A state > 3"])
def test_an_invalid_condition_is_refused_with_an_example(text: str) -> None:
    """The message shows how to write one, or names the nearest field."""
    with pytest.raises(ValueError, match=r"write 'BTC-USD > 100000'|did you mean|choose from:"):
        Condition.of(text)
