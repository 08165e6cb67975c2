"""Every recorded error answer, of whatever host, against every adapter: what is shown stays right throughout.

One feed of each adapter lives through all of them, on a clock that is moved by hand, behind the part of the service
that judges feeds.
"""

from __future__ import annotations

import pathlib

import pytest

from tests.feeds.contract import Recording, healthy
from tests.feeds.contract_maps import MAPS
from tests.feeds.contract_service import Service
from tests.feeds.fake_exchange import FakeExchange, Reply, recordings
from tests.feeds.harness import run

GENERIC = {3: "redirect", 4: "http_4xx", 5: "http_5xx"}
REASONS = {200: "protocol", 418: "banned", 429: "rate_limited"}
UNDERSTOOD = {("bybit", 200): "rate_limited", ("bybit_linear", 200): "rate_limited"}
"""What only the exchange that has said it means by it."""
BUSY = Reply(status=503, body=b"<html>", headers={"Content-Type": "text/html"})


def reason_of(name: str, reply: Reply) -> str:
    """What an error answer is counted under."""
    return UNDERSTOOD.get((name, reply.status)) or REASONS.get(reply.status) or GENERIC[reply.status // 100]


@pytest.mark.parametrize("name", sorted(MAPS))
def test_each_recorded_error_is_one_failed_poll(name: str, everything: list[Recording], data_dir: pathlib.Path) -> None:
    """It is counted under its reason; prices stay as they were, and the next good answer ends it.

    When the last prices are too old the feed is down and they are marked, until an answer is good again.
    """
    errors = recordings(data_dir / "exchanges" / "_errors" / "rest")
    assert len(errors) >= 18

    async def play() -> None:
        async with FakeExchange() as exchange:
            service = Service(healthy(name, everything), exchange)
            status = service.status
            service.answers()
            async with service.running() as running:
                await service.until(lambda: status.state == "live")
                await service.until(lambda: status.polls["ok"] == 2 * service.a_poll)  # the list has the digits
                well, states = service.shown(), service.states()
                assert len(well) == len(service.wires)
                for file, (_, reply) in errors.items():
                    before, failed = service.counted(), status.polls["error"]
                    service.answers(reply)
                    await service.until(lambda: sum(status.errors.values()) > sum(before.values()))  # noqa: B023
                    grown = {reason for reason, n in service.counted().items() if n > before.get(reason, 0)}
                    assert grown == {reason_of(name, reply)}, file
                    assert status.polls["error"] > failed, file
                    assert status.state == "live", "one failure is no state"
                    assert status.message, file
                    assert service.shown() == well, file
                    updates = status.updates
                    service.answers()
                    await service.until(lambda: status.updates > updates and not status.message)  # noqa: B023
                    assert (status.state, service.shown()) == ("live", well), file
                service.answers(BUSY)
                await service.until(lambda: status.state == "down")
                assert (service.shown(), service.states()) == (well, {"down"})
                service.answers()
                await service.until(lambda: status.state == "live" and not status.message)
                assert service.shown() == well
                assert service.states() <= states | {"stale"}, "an answer that dates itself is old by now"
                assert not running.done()

    run(play)
