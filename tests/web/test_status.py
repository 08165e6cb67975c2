"""`/api/status`: the numbers of the service page are those of the process."""

from __future__ import annotations

from tests.web.server import Live, serving, until
from ticker import __version__


@serving()
async def test_the_status_has_the_numbers_of_the_process(live: Live) -> None:
    """Readers, symbols, flushes and memory are those of the service; histograms have a count above the last bound."""
    before = (await live.get("/api/status")).json
    peer = await live.stream("?symbols=*")
    await until(lambda: len(live.hub.groups) == 1)
    live.publish({"BTC-USD": "97001.5", "NEW-USD": "1"})
    live.hub.flush()
    told = (await live.get("/api/status")).json
    assert told["readers"]["connected"]["ws"] == before["readers"]["connected"]["ws"] + 1 == 1
    assert (told["readers"]["subscriptions"], told["readers"]["lagging"], told["reasons"]) == (1, 0, [])
    assert told["readers"]["sent_rows"] > before["readers"]["sent_rows"]
    assert told["store"]["symbols"] == before["store"]["symbols"] + 2  # the instrument, and the venue's own
    assert told["store"]["version"] == live.service.store.version
    assert told["versions"]["ticker"] == __version__
    assert told["started_at"] <= told["time"]
    assert 5e6 < told["memory_bytes"] < 5e9
    for name in ("flush_s", "fanout_s", "loop_s"):
        assert len(told[name]["counts"]) == len(told[name]["bounds"]) + 1
    assert sum(told["flush_s"]["counts"]) > sum(before["flush_s"]["counts"])
    peer.sock.close()


@serving()
async def test_the_service_page_has_an_address_without_an_ending(live: Live) -> None:
    """`/status` is the page, which browsers always revalidate."""
    page = await live.get("/status")
    assert (page.status, page.headers["cache-control"]) == (200, "no-cache")
    assert b"js/status.js" in page.body
