"""`ticker symbols --adapter`: an exchange's own list, asked without a service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from tests.feeds.fake_exchange import FakeExchange, Reply
from ticker.cli import main

PAIRS = {
    "XETHZEUR": {"altname": "ETHEUR", "wsname": "ETH/EUR", "pair_decimals": 2, "status": "cancel_only"},
    "XXBTZUSD": {"altname": "XBTUSD", "wsname": "XBT/USD", "pair_decimals": 1, "status": "online"},
}
LIST = Reply(body=json.dumps({"error": [], "result": PAIRS}).encode())

Asked = Callable[..., tuple[int, str, str]]


@pytest.fixture
def asked(capsys: pytest.CaptureFixture[str]) -> Asked:
    """Call `symbols --adapter` with an exchange behind it that gives one answer; status, output and errors."""

    def call(reply: Reply, selection: str, *args: str) -> tuple[int, str, str]:
        async def play() -> int:
            async with FakeExchange() as exchange:
                exchange.serve("/0/public/AssetPairs", reply)
                spec = f"kraken{selection}?base_url={exchange.base_url}"
                return await asyncio.to_thread(main, ["symbols", "--adapter", spec, *args])

        status = asyncio.run(play())
        return status, *capsys.readouterr()

    return call


def test_symbols_of_an_exchange_are_listed(asked: Asked) -> None:
    """Canonical symbols in order, as columns, CSV or JSON lines; the spec and the patterns narrow them."""
    status, out, errors = asked(LIST, "")
    assert (status, errors) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == ["symbol", "BTC-USD", "ETH-EUR"]
    entries = [json.loads(line) for line in asked(LIST, "", "--json")[1].splitlines()]
    assert entries[0] == {
        "symbol": "BTC-USD", "name": None, "base": "BTC", "quote": "USD", "decimals": 1, "venues": ["kraken"],
        "wires": ["XXBTZUSD", "XBTUSD", "XBT/USD"], "state": "live",
    }  # fmt: skip
    assert entries[1]["state"] == "halted"
    assert asked(LIST, ":*-EUR", "--csv")[1].splitlines()[1:] == ["ETH-EUR,,ETH,EUR,2,kraken"]
    assert asked(LIST, "", "BTC-*", "--csv")[1].splitlines()[1:] == ["BTC-USD,,BTC,USD,1,kraken"]
    assert asked(LIST, "", "BTC-USDX")[0] == 3


def test_a_list_that_cannot_be_loaded_is_status_4(asked: Asked) -> None:
    """One line names the exchange, its address and what is wrong; status 4."""
    status, out, errors = asked(Reply(status=503), "")
    assert (status, out) == (4, "")
    assert errors.startswith("ticker: cannot list the symbols of kraken at http://127.0.0.1:")
    assert errors.endswith(": 127.0.0.1 answered with HTTP status 503\n")
