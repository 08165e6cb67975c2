"""Prices as gauges, for graphs beside the service's own: opt-in, for some symbols only, and capped.

One series per symbol is a heavy load for a metrics store, so they have a path of their own (`/metrics/prices`), to be
scraped by a job of its own with a limit of its own. Consolidated symbols only: their names do not change with the
venue.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ticker.record import Record
from ticker.selection import Selection
from ticker.store import Store

MOST = 500
"""The most symbols that are shown; the number of those left out is a series of its own."""


class PriceCollector(Collector):
    """Reads the consolidated symbols of one selection from one store."""

    def __init__(self, store: Store, selection: Selection) -> None:
        self._store = store
        self._selection = selection

    def collect(self) -> Iterator[Metric]:
        """The current prices, in alphabetical order of the symbols; a symbol without a price has no series."""
        prices = GaugeMetricFamily("ticker_price", "Last price, or the mid where there is none.", labels=["symbol"])
        times = GaugeMetricFamily("ticker_price_timestamp_seconds", "The time of the price.", labels=["symbol"])
        scope = self._store.resolve(self._selection)
        found = (record for symbol in scope.symbols() if (record := self._store.get(symbol)) and not record.instrument)
        wanted = sorted(found, key=attrgetter("key"))
        self._store.release(scope)
        for record in wanted[:MOST]:
            if (price := _price(record)) is not None:
                prices.add_metric([record.key], price)
                times.add_metric([record.key], int(record.get("ts") or 0) / 1000)
        yield from (prices, times)
        omitted = max(0, len(wanted) - MOST)
        yield GaugeMetricFamily("ticker_prices_omitted", "Selected symbols beyond the cap.", omitted)


def _price(record: Record) -> float | None:
    last, bid, ask = record.get("last"), record.get("bid"), record.get("ask")
    if last is not None:
        return float(last)
    return (float(bid) + float(ask)) / 2 if bid is not None and ask is not None else None
