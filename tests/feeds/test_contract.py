"""The contract of all adapters: each recording of its exchange becomes the right quotes, and nothing is lost silently.

Adapters and recordings are found here, not listed: a new one of either is played, or fails until a map of its
fields is written or the table says why nothing reads it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import pytest

from feeds.exchange.options import ExchangeOptions
from feeds.registry import adapters, loaders
from tests.feeds.contract import FROM_ELSEWHERE, Judged, Recording, must_come, scenes
from tests.feeds.contract_maps import MAPS, UNREAD, Named
from tests.feeds.contract_stage import Came, played

EXCHANGES = sorted(name for name, one in adapters(loaders(())).items() if one.options is ExchangeOptions)
NOT_RECORDED = {
    "alpaca": {"open", "high", "low", "volume", "change_pct"},
    "bitstamp": {"open", "change_pct"},
    "coinbase": {"bid_size", "ask_size"},
    "finnhub": {"open", "high", "low", "change_pct"},
    "kucoin": {"quote_volume"},
    "yahoo": {"change_pct"},
}
"""Fields that an exchange has, and its recordings have not."""


def test_every_adapter_has_a_map() -> None:
    """A new adapter needs a map of its exchange's fields, and a map needs its adapter."""
    assert sorted(MAPS) == EXCHANGES


def test_every_recording_is_read_or_listed_as_unread(everything: list[Recording]) -> None:
    """What no adapter reads is in the table with its reason; the table has nothing else."""
    lost = [one.name for one in everything if not one.unread and not any(one.role(of) for of in MAPS.values())]
    assert lost == [], "write a map for these, or name them in contract_maps.UNREAD"
    used = Counter(pattern for one in everything for pattern in one.unread)
    assert set(used) == set(UNREAD), "these entries name nothing"
    assert all(len(one.unread) <= 1 for one in everything)


def check(what: str, came: Came, rows: Iterable[Judged], listed: Sequence[Named]) -> None:
    """Every row became its quote or was counted, and nothing else came."""
    rows = list(rows)
    quotes = [quote for quote, _ in rows if quote]
    rejects = Counter(reason for _, reason in rows if reason)
    assert len(came.quotes) == len(quotes), what
    for got, must in zip(came.quotes, quotes, strict=True):
        assert must.is_said_by(got), f"{what}: {got} instead of {must}"
    assert (came.rejects, came.errors) == (rejects, {}), what
    decimals = {one.symbol: one.decimals for one in reversed(listed) if one.decimals is not None}
    for got in came.quotes:
        symbol = got.symbol.partition(":")[2]
        assert got.values["decimals"] == decimals.get(symbol, got.values["decimals"]), f"{what}: {got}"


@pytest.mark.parametrize("name", EXCHANGES)
def test_each_recorded_row_is_the_right_quote_or_counted(name: str, everything: list[Recording]) -> None:
    """Quotes come in the order of the rows, and a row that gives none is counted under a reason."""
    count, filled = 0, set[str]()
    for scene in scenes(name, everything):
        came, halted = played(scene), {f"{name}:{one.symbol}" for one in scene.listed if not one.trades}
        assert all(quote.values["state"] in {"halted", "closed"} for quote in came.quotes if quote.symbol in halted)
        check(f"{scene.recording.name} with {scene.list_name}", came, must_come(scene), scene.listed)
        filled |= {field for quote in came.quotes for field, value in quote.values.items() if value is not None}
        count += 1
    offered = set(adapters(loaders(()))[name].offer.fields)
    assert filled - FROM_ELSEWHERE == offered - NOT_RECORDED.get(name, set()), "the fields that its file names"
    assert count, "no recording of this exchange: write down its answers, see `record_raw`"
