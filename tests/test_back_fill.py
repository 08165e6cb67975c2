"""A chart that begins before the service did: the exchange's own bars, joined with what was recorded since."""

from __future__ import annotations

import asyncio
import json
import time

from tests.feeds.fake_exchange import FakeExchange, Reply
from tests.running import service_of

PAIRS = b'{"error":[],"result":{"XXBTZUSD":{"altname":"XBTUSD","wsname":"XBT/USD","pair_decimals":1}}}'
DAY = ["1", "1"]
TICKER = {"a": ["201.0", "1", "1"], "b": ["199.0", "1", "1"], "c": ["200.5", "1"], "h": DAY, "l": DAY, "v": DAY}


def test_the_exchanges_own_bars_are_joined_with_live_ones() -> None:
    """Minutes before the start are the exchange's, marked `v`; the open one ends with our own price."""
    minute = int(time.time()) // 60 * 60
    sent = [[minute + 60 * i, "150.1", "160.2", "140.3", "155.4", "150", "2.25", 9] for i in range(-20, 5)]

    async def play() -> None:
        async with FakeExchange() as exchange:
            exchange.serve("/0/public/AssetPairs", Reply(body=PAIRS))
            ticker = {"error": [], "result": {"BTC/USD": TICKER}}
            exchange.serve("/0/public/Ticker", Reply(body=json.dumps(ticker).encode()))
            past = {"error": [], "result": {"XXBTZUSD": sent, "last": minute}}
            exchange.serve("/0/public/OHLC", Reply(body=json.dumps(past).encode()))
            feed = f"kraken:BTC-USD?mode=poll&base_url={exchange.base_url}"
            async with service_of("--feed", feed) as service:

                def is_priced() -> bool:
                    return bool(service.get("/api/quotes?symbols=BTC-USD")["quotes"])

                await asyncio.to_thread(service.wait, is_priced, "the exchange's price never came")
                answer = await asyncio.to_thread(service.get, "/api/candles/BTC-USD?interval=1m&limit=10")
                *past_bars, last = answer["bars"]
                assert [bar[1:] for bar in past_bars[:8]] == [["150.1", "160.2", "140.3", "155.4", "2.25", "v"]] * 8
                assert len(past_bars) == 9
                assert (last[2], last[4], last[6][0]) == ("200.5", "200.5", "o")
                asked = [one.target for one in exchange.requests if one.target.startswith("/0/public/OHLC")]
                assert len(asked) == 1, "one question for all that is missing"
                feeds = await asyncio.to_thread(service.get, "/api/feeds")
                assert feeds["feeds"]["kraken"]["errors"] == {}

    asyncio.run(play())
