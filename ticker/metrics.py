"""What Prometheus sees: one collector that reads the plain counters of the core when it is scraped.

Nothing on the hot path knows of metrics. Labels come from fixed sets (feed names from the configuration, reasons,
kinds and close codes from tables), and every combination exists from the start, so that `rate()` sees the first
error too.
"""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from ticker import __version__
from ticker.histogram import Histogram
from ticker.journal import ORDINARY, REASONS
from ticker.model import FeedStatus
from ticker.service import Service

CLOSE_CODES = sorted({*REASONS, *ORDINARY})
"""Those that have a series of their own."""

_OF_FEEDS: tuple[tuple[Any, str, str, Callable[[FeedStatus], float]], ...] = (
    (GaugeMetricFamily, "ticker_feed_up", "1 while the feed delivers.", lambda f: f.state == "live"),
    (GaugeMetricFamily, "ticker_feed_last_update_timestamp_seconds", "When data last came.",
     lambda f: (f.last_data_at or 0) / 1000),
    (GaugeMetricFamily, "ticker_feed_symbols", "Symbols of the feed.", lambda f: f.symbols),
    (CounterMetricFamily, "ticker_feed_updates", "Accepted quotes.", lambda f: f.updates),
    (CounterMetricFamily, "ticker_feed_reconnects", "Starts after a failure.", lambda f: f.reconnects),
    (CounterMetricFamily, "ticker_feed_jumps", "Last prices far from the previous one, shown.", lambda f: f.jumps),
    (CounterMetricFamily, "ticker_feed_received_bytes", "Bytes received.", lambda f: f.received_bytes),
    (CounterMetricFamily, "ticker_feed_idle_messages", "Heartbeats of a stream, and messages of unknown kinds.",
     lambda f: f.idle_messages),
    (CounterMetricFamily, "ticker_feed_rate_limit_wait_seconds", "Time spent waiting for our own rate limit.",
     lambda f: f.rate_limit_wait_s),
)  # fmt: skip
"""Metrics with one value per feed: family, name, help, value."""


def make_registry(service: Service) -> CollectorRegistry:
    """A registry of its own with the service, the process and the garbage collector in it."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ServiceCollector(service))
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class ServiceCollector(Collector):
    """Reads one service; called in its event loop."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """All families, with their current values."""
        yield InfoMetricFamily(
            "ticker_build", "The running release.", {"version": __version__, "python": platform.python_version()}
        )
        yield from self._feeds()
        yield from self._store()
        yield GaugeMetricFamily("ticker_history_bytes", "Memory taken by bars.", self._service.candles.bytes)
        yield from self._hub()
        yield from self._upstream()

    def _feeds(self) -> Iterator[Metric]:
        feeds = self._service.intake.statuses
        for family, name, text, value in _OF_FEEDS:
            metric = family(name, text, labels=["feed"])
            for feed in feeds:
                metric.add_metric([feed.name], value(feed))
            yield metric
        polls = CounterMetricFamily("ticker_feed_polls", "Polls, by outcome.", labels=["feed", "outcome"])
        errors = CounterMetricFamily("ticker_feed_errors", "Failures, by reason.", labels=["feed", "reason"])
        rejects = CounterMetricFamily("ticker_feed_rejects", "Rows not shown, by reason.", labels=["feed", "reason"])
        for feed in feeds:
            for family, counts in ((polls, feed.polls), (errors, feed.errors), (rejects, feed.rejects)):
                for label, count in counts.items():
                    family.add_metric([feed.name, label], count)
        yield from (polls, errors, rejects)
        yield _histograms("ticker_feed_poll_duration_seconds", "Response time of the exchange, per request.",
                          {f.name: f.answer_time for f in feeds})  # fmt: skip
        yield _histograms("ticker_feed_source_lag_seconds",
                          "From the exchange's time to receipt, for the newest row of each batch; includes clock skew.",
                          {f.name: f.source_lag for f in feeds})  # fmt: skip

    def _store(self) -> Iterator[Metric]:
        store = self._service.store
        yield GaugeMetricFamily("ticker_store_symbols", "Symbols in the store.", store.count)
        yield GaugeMetricFamily("ticker_store_stale_symbols", "Venue symbols that are stale.",
                                self._service.origin.stale)  # fmt: skip
        yield GaugeMetricFamily("ticker_store_version", "The store's version.", store.version)
        yield CounterMetricFamily("ticker_store_commits", "Flushes that changed something.", store.counts.commits)
        yield _by_label("ticker_store_updates", "Ingested rows.", "result",
                        {"changed": store.counts.changed, "unchanged": store.counts.unchanged})  # fmt: skip
        yield GaugeMetricFamily("ticker_store_tombstones", "Removed symbols still remembered.", store.tombstones)

    def _hub(self) -> Iterator[Metric]:
        hub = self._service.hub
        fanout, counts = hub.groups.counts, hub.counts
        connections = GaugeMetricFamily("ticker_hub_connections", "Readers connected now.", labels=["transport"])
        for via, connected in hub.connected.items():
            connections.add_metric([via], connected)
        yield connections
        yield _by_label("ticker_hub_connects", "Connections accepted.", "transport", counts.connects)
        yield _by_label("ticker_hub_rejects", "Handshakes refused.", "reason", counts.rejects)
        yield _by_label(
            "ticker_hub_disconnects", "Connections ended, by close code.", "code", _codes(counts.disconnects)
        )
        yield GaugeMetricFamily("ticker_hub_subscriptions", "Distinct selections.", len(hub.groups))
        yield _by_label("ticker_hub_messages_received", "Messages from readers.", "op", hub.groups.counts.received)
        yield _by_label("ticker_hub_messages_sent", "Frames sent.", "kind", fanout.messages)
        yield CounterMetricFamily("ticker_hub_updates_sent", "Symbol rows sent.", fanout.rows)
        yield CounterMetricFamily("ticker_hub_sent_bytes", "Payload bytes sent.", fanout.bytes)
        yield CounterMetricFamily("ticker_hub_conflated_updates", "Versions merged for slow readers.",
                                  fanout.conflated)  # fmt: skip
        yield _by_label("ticker_hub_resumes", "Cursors presented, by the answer.", "outcome", fanout.resumes)
        yield _by_label("ticker_hub_resyncs", "Full snapshots forced, by reason.", "reason", fanout.resyncs)
        yield GaugeMetricFamily("ticker_hub_lagging_connections", "Readers that missed a frame.", hub.groups.lagging)
        yield GaugeMetricFamily("ticker_hub_pending_bytes", "Bytes waiting for slow readers.", hub.pending_bytes)
        yield _histograms("ticker_hub_fanout_lag_seconds", "From the receipt of a price to its write to the sockets.",
                          {None: counts.fanout_lag})  # fmt: skip
        yield _histograms("ticker_hub_flush_duration_seconds", "One flush, or a turn of a long one.",
                          {None: counts.flush})  # fmt: skip
        yield _histograms("ticker_event_loop_lag_seconds", "How late the loop's own tick was.",
                          {None: counts.loop_lag})  # fmt: skip
        yield GaugeMetricFamily("ticker_event_loop_tasks", "Tasks in the loop; readers need none.",
                                len(asyncio.all_tasks()))  # fmt: skip

    def _upstream(self) -> Iterator[Metric]:
        if (upstream := self._service.upstream) is not None:
            yield GaugeMetricFamily("ticker_upstream_up", "1 while what the upstream shows comes in.", upstream.live)
            yield CounterMetricFamily("ticker_upstream_updates", "Records that have come as changed, or gone.",
                                      upstream.updates)  # fmt: skip
            yield CounterMetricFamily("ticker_upstream_restarts", "Times that all readers got a new snapshot.",
                                      upstream.restarts)  # fmt: skip


def _by_label(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family


def _codes(disconnects: Mapping[int, int]) -> dict[str, float]:
    known: dict[str, float] = {str(code): disconnects.get(code, 0) for code in CLOSE_CODES}
    known["other"] = sum(count for code, count in disconnects.items() if code not in CLOSE_CODES)
    return known


def _histograms(name: str, text: str, histograms: Mapping[str, Histogram] | Mapping[None, Histogram]) -> Metric:
    """One family, by feed, or without a label where the key is None."""
    family = HistogramMetricFamily(name, text, labels=[] if None in histograms else ["feed"])
    for label, histogram in histograms.items():
        cumulative, buckets = 0, []
        for bound, count in zip((*map(str, histogram.bounds), "+Inf"), histogram.counts, strict=True):
            cumulative += count
            buckets.append((bound, cumulative))
        family.add_metric([] if label is None else [label], buckets, sum_value=histogram.total)
    return family
