"""A stream that stays open, answers pings and says nothing more, as a reader of the real service sees it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from websockets.asyncio.client import connect

from tests.feeds.fake_exchange import FakeExchange, Peer, Reply
from tests.running import service_of
from tests.view import View, read_until

PAIRS = b'{"error":[],"result":{"XXBTZUSD":{"altname":"XBTUSD","wsname":"XBT/USD","pair_decimals":1}}}'
SHOWN_WITHIN_MS = 10_000


async def trades(peer: Peer, prices: range) -> None:
    """Send tickers, twenty a second."""
    await peer.heard()
    for price in prices:
        row = {
            "symbol": "BTC/USD", "last": price, "bid": price, "bid_qty": 1, "ask": price + 1, "ask_qty": 1, "high": 9e5,
            "low": 1, "volume": 1, "change_pct": 0.1, "timestamp": datetime.now(UTC).isoformat(),
        }  # fmt: skip
        peer.say({"channel": "ticker", "type": "update", "data": [row]})
        await asyncio.sleep(0.05)


async def falls_mute(peer: Peer) -> None:
    """Be busy for two seconds, then send nothing but heartbeats."""
    await trades(peer, range(1000, 1040))
    while True:
        peer.send('{"channel":"heartbeat"}')
        await asyncio.sleep(1.0)


async def goes_on(peer: Peer) -> None:
    """Be busy for long."""
    await trades(peer, range(2000, 9000))


def test_mute_stream_is_shown_and_mended() -> None:
    """Within ten seconds of the last price feed and symbol are no longer live, and another connection makes them so."""

    async def play() -> None:
        async with FakeExchange() as exchange:
            exchange.serve("/0/public/AssetPairs", Reply(body=PAIRS))
            exchange.stream("/v2", falls_mute, goes_on)
            feed = f"kraken:BTC-USD?mode=stream&base_url={exchange.base_url}"
            async with service_of("--feed", feed) as service:
                url = service.url.replace("http", "ws") + "/ws?symbols=*,*:*"
                async with connect(url, compression=None) as socket:
                    view = View()

                    def shows(state: str) -> bool:
                        names = ("kraken:BTC-USD", "BTC-USD")
                        records = (view.feeds.get("kraken", {}), *(view.quotes.get(name, {}) for name in names))
                        return all(record.get("state") == state for record in records)

                    await read_until(socket, view, lambda: shows("live"))
                    await read_until(socket, view, lambda: shows("stale"))
                    quote = view.quotes["kraken:BTC-USD"]
                    assert quote["last"] == "1039", "the last price stays"
                    assert int(view.feeds["kraken"]["since"]) - int(quote["ts"]) < SHOWN_WITHIN_MS
                    await read_until(socket, view, lambda: shows("live"))
                    assert int(view.quotes["kraken:BTC-USD"]["last"]) >= 2000
                errors = (await asyncio.to_thread(service.get, "/api/feeds"))["feeds"]["kraken"]["errors"]
                assert errors == {"mute": "1"}

    asyncio.run(play())
