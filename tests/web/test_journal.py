"""A connection's number is the same for its client and in the log."""

from __future__ import annotations

import logging

import pytest

from tests.web.peer import BINARY
from tests.web.server import run, start, until


def test_a_client_is_told_its_number_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """`hello` of a stream, and a header of events and refusals, have the number; so have the lines of the log."""
    caplog.set_level(logging.DEBUG, "ticker.connections")

    async def scenario() -> None:
        async with start({"limits": {"connections": 2}}) as live:
            peer = await live.stream()
            hello = await peer.hear("hello")
            events = await live.connect()
            await events.request("GET", "/api/stream?symbols=*")
            streamed = await events.answer(body=False)
            refused = await (await live.connect()).upgrade()
            foreign = await live.get("/api/stream", "Origin: http://evil.example")
            await peer.send(BINARY)
            assert await peer.close_code() == 1003
            events.reset()
            await until(lambda: not live.hub.connections)
        numbers = [
            hello["connection"],
            *(int(answer.headers["connection-id"]) for answer in (streamed, refused, foreign)),
        ]
        assert len(set(numbers)) == 4
        lines = {(record.message, vars(record)["connection"], vars(record).get("reason")) for record in caplog.records}
        assert lines >= {
            ("opened", numbers[0], None), ("ended", numbers[0], "sent a binary frame"),
            ("opened", numbers[1], None), ("ended", numbers[1], "lost"),
            ("refused", numbers[2], "full"), ("refused", numbers[3], "origin"),
        }  # fmt: skip

    run(scenario)
