"""`/api/sources`: the venues of an instrument, and the one from which it has failed over."""

from __future__ import annotations

from tests.web.server import Live, serving
from ticker.model import Quote


@serving()
async def test_a_failover_is_shown_with_its_time(live: Live) -> None:
    """Venues are in order of preference; when the source goes down the next one takes over, as the answer says."""
    other = live.service.feed("other", "live", "received", 5.0)
    other.publish([Quote("other:BTC-USD", {"last": "97001"})])
    live.service.hub.flush()
    told = (await live.get("/api/sources/BTC-USD")).json
    assert told == {"symbol": "BTC-USD", "source": "toy", "since": None, "before": None, "venues": ["toy", "other"]}
    earliest = live.clock.wall_ms()
    live.feed.state("down", "gone fishing")
    live.service.hub.flush()
    live.clock.skip(20)
    told = (await live.get("/api/sources/BTC-USD")).json
    since = int(told.pop("since"))
    assert told == {"symbol": "BTC-USD", "source": "other", "before": "toy", "venues": ["toy", "other"]}
    assert earliest - 20_100 <= since <= live.clock.wall_ms() - 19_000


@serving()
async def test_only_instruments_have_sources(live: Live) -> None:
    """A venue's own symbol, a feed and an unknown name are 404, a malformed one is 400."""
    for symbol, status in (("toy:BTC-USD", 404), ("BTC-USDX", 404), ("@toy", 400), ("B%2A%2A%2AC", 400)):
        answer = await live.get(f"/api/sources/{symbol}")
        assert (symbol, answer.status) == (symbol, status)
    venue = (await live.get("/api/sources/toy:BTC-USD")).json
    assert venue["detail"] == "'toy:BTC-USD' is a venue's own price; ask for 'BTC-USD'"
