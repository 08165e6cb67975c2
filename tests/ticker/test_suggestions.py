"""Suggestions for a symbol that does not exist."""

from __future__ import annotations

from ticker.suggestions import nearest_symbols


def test_suggestions_are_of_the_same_kind() -> None:
    """A name is compared with names, a venue symbol with venue symbols, whatever the case."""
    symbols = ["BTC-USD", "BTC-USDT", "BTC-USDC", "ETH-USD", "k:BTC-USD", "kraken:BTC-USD", "BTCDOM"]
    assert nearest_symbols("btc-usd", symbols, 1) == ["BTC-USD"]
    assert sorted(nearest_symbols("btc-usdx", symbols)) == ["BTC-USD", "BTC-USDC", "BTC-USDT"]
    assert nearest_symbols("kraken:BTC-USDX", symbols)[0] == "kraken:BTC-USD"
    assert nearest_symbols("krakn:BTC-USD", symbols)[0] == "kraken:BTC-USD"
    assert nearest_symbols("B", ["B2", "ETH"]) == ["B2"]
    assert nearest_symbols("zzz", symbols) == []


def test_the_nearest_symbol_is_found_among_many_of_its_venue() -> None:
    """Seen: with 1,500 symbols of a venue, the right one was not suggested. Cause: only the first 500 with the same
    first letters were compared, and all venue symbols begin with their venue. Promise: what follows it decides.
    """
    symbols = [f"kraken:S{i}-USD" for i in range(1500)] + ["kraken:BTC-USD"]
    assert nearest_symbols("kraken:BTC-USX", symbols) == ["kraken:BTC-USD"]
