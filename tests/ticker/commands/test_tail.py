"""When `ticker tail` ends by itself, and with what status."""

from __future__ import annotations

import asyncio
import json
import queue
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from unittest.mock import Mock

import pytest

from ticker.client import Change, Quote
from ticker.commands import notices, output
from ticker.commands.tail import Lines, follow
from ticker.errors import UnreachableError

ONE = [Change("A", Quote("A", {"last": "1.50"}, Decimal), ("last",), 1, 1, snapshot=True)]


class Quiet:
    """A view of these frames, after which nothing more comes."""

    def __init__(self, *frames: list[Change[Decimal]]) -> None:
        self.unknown: dict[str, list[str]] = {}
        self.feeds: dict[str, dict[str, object]] = {}
        self.cursor = "1:1:aa"
        self.closed = False
        self._frames = frames

    async def __aenter__(self) -> None:
        if not self._frames:
            await asyncio.Event().wait()

    async def frames(self) -> AsyncIterator[list[Change[Decimal]]]:
        for frame in self._frames:
            yield frame
        await asyncio.Event().wait()

    async def close(self) -> None:
        self.closed = True


def test_a_timeout_after_data_is_status_0(capsys: pytest.CaptureFixture[str]) -> None:
    """All lines are printed, and the cursor is the one after them."""
    view: Any = Quiet(ONE)
    lines = Lines("csv", ["last"], None)
    assert asyncio.run(follow(view, lines, 0.0, "http://here")) == 0
    assert capsys.readouterr().out == "symbol,last\nA,1.50\n"
    assert (lines.cursor, view.closed) == ("1:1:aa", True)


def test_a_timeout_before_any_data_is_an_error() -> None:
    """It names the address that did not answer, and the view is closed."""
    view: Any = Quiet()
    with pytest.raises(UnreachableError, match="http://here did not answer within --for"):
        asyncio.run(follow(view, Lines(None, None, None), 0.0, "http://here"))
    assert view.closed


@pytest.mark.parametrize("form", [None, "json"])
def test_names_states_and_times_are_escaped(form: str | None) -> None:
    """Invalid ones, for terminals and for readers of JSON."""
    record: dict[str, Any] = {"last": "1.50", "bid": "1\x1b[2J", "state": "odd\n", "ts": 10**18}
    for symbol in ("A\n\x1b[2J", 'A"'):
        change = Change(symbol, Quote(symbol, record, Decimal), ("last",), 1, 10**18, snapshot=True)
        lines = Lines(form, ["last", "ts"] if form else None, None)
        (line,) = lines.of([change], None)  # type: ignore[arg-type]  # a frame, as far as it goes
        (gone,) = lines.of([change._replace(gone=True)], None)  # type: ignore[arg-type]
        assert (line + gone).replace("\n", "", 2).isprintable()
        assert form is None or [json.loads(text)["symbol"] for text in (line, gone)] == [symbol, symbol]


def test_fields_unchanged_since_a_cursor_are_left_out() -> None:
    """A quote resumed by a cursor has only what changed; the rest is left out, as a dash means "not known".

    Seen: after `--since` the price of a symbol whose ask had changed stood there as unknown.
    """
    changed = Quote("A", {"ask": "2.5"}, Decimal)
    assert output.text_line(changed, None, 0).split() == ["00:00:00.000", "A", "ask", "2.5"]
    assert output.text_line(changed, ["last", "ask"], 0).split() == ["00:00:00.000", "A", "ask", "2.5"]
    unknown = Quote("A", {"last": None, "bid": None, "ask": "2.5"}, Decimal)
    assert output.text_line(unknown, None, 0).split() == ["00:00:00.000", "A", "–", "bid", "–", "ask", "2.5"]


def test_the_waiting_line_gives_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what tells a mistyped name from a service that is not started."""
    said: queue.Queue[str] = queue.Queue()
    monkeypatch.setattr(notices, "PATIENCE_S", 0)
    monkeypatch.setattr(notices, "_say", said.put)
    with notices.waiting("http://x", lambda: "connection refused"):
        assert said.get(timeout=30) == "no prices from http://x yet (connection refused); still trying"
    with notices.waiting("http://x", lambda: ""):
        assert [said.get(timeout=30), said.get(timeout=30)] == ["live now", "no prices from http://x yet; still trying"]


def test_a_terminal_shows_a_waiting_line_and_erases_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control characters in the reason are escaped, and the line is erased at the end."""
    said: queue.Queue[str] = queue.Queue()
    monkeypatch.setattr(notices, "PATIENCE_S", 0)
    monkeypatch.setattr(sys, "stderr", Mock(isatty=lambda: True, write=said.put))
    with notices.waiting("http://x", lambda: "\x1b[2J"):
        assert said.get(timeout=30) == r"waiting for http://x (\x1b[2J) …"
    rest = [said.get(timeout=30) for _ in range(said.qsize())]
    assert "".join(rest) == "\r\x1b[K"
