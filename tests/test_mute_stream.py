"""A stream that stays open, answers pings and sends nothing more, as readers of the service and its page see it."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from playwright.sync_api import expect
from websockets.asyncio.client import connect

from tests.browser import PATIENCE_MS, launched
from tests.conftest import find_program
from tests.feeds.fake_exchange import FakeExchange, Peer, Reply
from tests.running import service_of
from tests.view import View, read_until

PAIRS = b'{"error":[],"result":{"XXBTZUSD":{"altname":"XBTUSD","wsname":"XBT/USD","pair_decimals":1}}}'
RHYTHM_AT = 1020
"""By this price the service knows the stream's rhythm."""


async def trades(peer: Peer, prices: range) -> None:
    """Send tickers, twenty a second, of these prices again and again."""
    await peer.heard()
    for price in itertools.cycle(prices):
        row = {
            "symbol": "BTC/USD", "last": price, "bid": price, "bid_qty": 1, "ask": price + 1, "ask_qty": 1, "high": 9e5,
            "low": 1, "volume": 1, "change_pct": 0.1, "timestamp": datetime.now(UTC).isoformat(),
        }  # fmt: skip
        peer.say({"channel": "ticker", "type": "update", "data": [row]})
        await asyncio.sleep(0.05)


async def falls_silent(peer: Peer, watched: asyncio.Event) -> None:
    """Be busy until all are watching, then send nothing but heartbeats."""
    busy = asyncio.ensure_future(trades(peer, range(1000, 2000)))
    await watched.wait()
    busy.cancel()
    while True:
        peer.send('{"channel":"heartbeat"}')
        await asyncio.sleep(1.0)


async def stays_busy(peer: Peer) -> None:
    """Be busy for long."""
    await trades(peer, range(2000, 9000))


def chip_states(url: str, watching: Callable[[], object]) -> list[str]:
    """What the feed's chip on the page says from the first price on, until it is live again: its states and texts."""
    with launched() as browser:
        page = browser.new_page()
        page.goto(url)
        chip = page.locator(".feed", has_text="kraken")
        expect(chip).to_have_attribute("data-state", "live")
        page.evaluate("""() => {
          const chip = document.querySelector(".feed");
          const note = () => window.said.push(`${chip.dataset.state}: ${chip.textContent}`);
          window.said = [];
          new MutationObserver(note).observe(chip, { attributes: true, subtree: true, childList: true });
          note();
        }""")
        watching()
        page.wait_for_function(
            "() => window.said.some((text) => text.startsWith('stale')) && window.said.at(-1).startsWith('live')",
            timeout=PATIENCE_MS,
        )
        said: list[str] = page.evaluate("window.said")
        return said


def test_a_silent_stream_is_shown_and_replaced() -> None:
    """After the last price feed and symbol are no longer live, the page says so at its feed, and another connection
    makes them live again. The ten seconds that it may take are promised by `test_watch.py`, by a manual clock.
    """

    async def play() -> None:
        watched = asyncio.Event()
        watching = partial(asyncio.get_running_loop().call_soon_threadsafe, watched.set)
        async with FakeExchange() as exchange:
            exchange.serve("/0/public/AssetPairs", Reply(body=PAIRS))
            exchange.stream("/v2", partial(falls_silent, watched=watched), stays_busy)
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
                    await read_until(socket, view, lambda: int(view.quotes["kraken:BTC-USD"]["last"]) > RHYTHM_AT)
                    page = None
                    if find_program("chromium"):
                        page = asyncio.create_task(asyncio.to_thread(chip_states, service.url, watching))
                    if page is None:
                        watching()
                    await read_until(socket, view, lambda: shows("stale"))
                    quote = view.quotes["kraken:BTC-USD"]
                    assert 1000 <= int(quote["last"]) < 2000, "the last price stays"
                    await read_until(socket, view, lambda: shows("live"))
                    assert int(view.quotes["kraken:BTC-USD"]["last"]) >= 2000
                    if page is not None:
                        said = await page
                        assert re.match(r"live: .*kraken", said[0])
                        assert any(re.match(r"stale: .*kraken.*no data", text) for text in said), said
                        assert said[-1].startswith("live")
                errors = (await asyncio.to_thread(service.get, "/api/feeds"))["feeds"]["kraken"]["errors"]
                assert errors == {"mute": "1"}

    asyncio.run(play())
