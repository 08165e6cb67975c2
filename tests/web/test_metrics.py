"""Metrics as Prometheus gets them: accepted by its own tool, complete from the start, moved by traffic."""

from __future__ import annotations

import asyncio
import math
import subprocess
from collections.abc import Iterable, Mapping

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.conftest import find_program
from tests.web.peer import BINARY, View
from tests.web.server import PRICES, Live, serving, until
from ticker import __version__
from ticker.metrics import CLOSE_CODES
from ticker.model import ERROR_REASONS, REJECT_REASONS, Quote
from ticker.protocol import FRAME_KINDS
from web.metrics import INLINE

OPENMETRICS = "Accept: application/openmetrics-text; version=1.0.0"
Samples = dict[str, float]
"""Values by name and labels, as Prometheus writes them: `ticker_store_updates_total{result="changed"}`."""

LABELS = {
    "ticker_feed_up": {"toy"},
    "ticker_feed_polls_total": {"ok", "error", "skipped"},
    "ticker_feed_errors_total": set(ERROR_REASONS),
    "ticker_feed_rejects_total": set(REJECT_REASONS),
    "ticker_store_updates_total": {"changed", "unchanged"},
    "ticker_hub_connections": {"ws", "sse", "poll"},
    "ticker_hub_connects_total": {"ws", "sse", "poll"},
    "ticker_hub_rejects_total": {"full", "stopping", "host", "origin", "auth"},
    "ticker_hub_disconnects_total": {*map(str, CLOSE_CODES), "other"},
    "ticker_hub_messages_received_total": {"subscribe", "unsubscribe", "ping", "invalid"},
    "ticker_hub_messages_sent_total": set(FRAME_KINDS),
    "ticker_hub_resumes_total": {"update", "snapshot"},
    "ticker_hub_resyncs_total": {"epoch", "selection", "pruned"},
    "ticker_feed_poll_duration_seconds_count": {"toy"},
    "ticker_feed_source_lag_seconds_count": {"toy"},
}
"""What the last label of a family may be, all from the start."""


def flatten(families: Iterable[Metric]) -> Samples:
    """All samples of some families."""
    return {series(s.name, s.labels): s.value for family in families for s in family.samples}


def series(name: str, labels: Mapping[str, str]) -> str:
    """A series as Prometheus writes it."""
    inner = ",".join(f'{label}="{value}"' for label, value in labels.items())
    return f"{name}{{{inner}}}" if inner else name


async def scrape(live: Live) -> Samples:
    """What `/metrics` says now."""
    return flatten(parse_text((await live.get("/metrics")).body.decode()))


async def promtool(text: bytes, what: str) -> tuple[int | None, str]:
    """What Prometheus' own checker says about a page."""
    tool = await asyncio.create_subprocess_exec(
        str(find_program("promtool")), "check", what,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await tool.communicate(text)
    return tool.returncode, said.decode()


@pytest.mark.needs("promtool")
@serving()
async def test_promtool_accepts_the_metrics(live: Live) -> None:
    """Prometheus' own checker accepts the page and all its names, units and help texts."""
    await live.stream("?symbols=*")
    page = (await live.get("/metrics")).body
    assert await promtool(page, "metrics") == (0, "")


@serving()
async def test_both_formats_have_the_same_series(live: Live) -> None:
    """Text by default, OpenMetrics on request; both are well-formed and have the same series."""
    text, modern = await live.get("/metrics"), await live.get("/metrics", OPENMETRICS)
    assert text.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert modern.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert modern.body.endswith(b"# EOF\n")
    ours, theirs = flatten(parse_text(text.body.decode())), flatten(parse_openmetrics(modern.body.decode()))  # type: ignore[no-untyped-call]  # the library's
    assert ours.keys() == theirs.keys()
    assert len(ours) > 100


@serving()
async def test_an_invalid_version_in_accept_gets_the_text_format(live: Live) -> None:
    """Seen: a stranger's `Accept` was answered by 500, and by a traceback of 60 lines in the log."""
    for kind in ("text/plain", "application/openmetrics-text"):
        answer = await live.get("/metrics", f"Accept: {kind};version=1.x")
        assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")


@serving(prices={})
async def test_every_series_exists_from_the_start(live: Live) -> None:
    """Before anything has happened each counter is there with each of its labels, so that `rate()` sees the first
    event; the series stay the same when things happen.
    """
    before = await scrape(live)
    for family, values in LABELS.items():
        names = [name for name in before if name.startswith(family + "{")]
        assert {name.rpartition('="')[2].rstrip('"}') for name in names} == values, family
    counters = [name for name in before if "ticker" in name and "_total" in name]
    assert {name: before[name] for name in counters if before[name]} == {}
    live.publish(PRICES)
    peer = await live.stream("?symbols=*")
    await peer.send(BINARY)
    await peer.close_code()
    assert (await scrape(live)).keys() == before.keys()


@serving(limits={"connections": 2})
async def test_counters_move_with_traffic(live: Live) -> None:
    """Connections, refusals, messages, frames, rows, bytes and closes are counted where they happen."""
    before = await scrape(live)
    peer, view = await live.stream("?symbols=*"), View()
    await peer.follow(view, live.service.store.version)
    await peer.say(op="ping")
    await peer.hear("pong")
    await peer.say(op="sing")
    await peer.hear("error")
    live.publish({"BTC-USD": "97001.5", "ETH-USD": "3101.5"})
    live.hub.flush()
    await peer.follow(view, live.service.store.version)
    other = await live.stream(f"?symbols=*&cursor=1:1:{'0' * 16}")
    await other.hear("snapshot")
    for header in ("Origin: http://evil.example", "X: y"):
        await (await live.connect()).upgrade("/ws", header)
    after = await scrape(live)
    moved = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    wanted = {
        'ticker_hub_connections{transport="ws"}': 2,
        'ticker_hub_connects_total{transport="ws"}': 2,
        'ticker_hub_rejects_total{reason="origin"}': 1,
        'ticker_hub_rejects_total{reason="full"}': 1,
        "ticker_hub_subscriptions": 1,
        'ticker_hub_messages_received_total{op="ping"}': 1,
        'ticker_hub_messages_received_total{op="invalid"}': 1,
        'ticker_hub_messages_sent_total{kind="hello"}': 2,
        'ticker_hub_messages_sent_total{kind="snapshot"}': 2,
        'ticker_hub_messages_sent_total{kind="update"}': 1,
        'ticker_hub_messages_sent_total{kind="pong"}': 1,
        'ticker_hub_messages_sent_total{kind="error"}': 1,
        "ticker_hub_updates_sent_total": 6,
        'ticker_hub_resumes_total{outcome="snapshot"}': 1,
        'ticker_hub_resyncs_total{reason="epoch"}': 1,
        'ticker_feed_updates_total{feed="toy"}': 2,
        "ticker_store_commits_total": 1,
        "ticker_store_version": 1,
        'ticker_store_updates_total{result="changed"}': 2,
        "ticker_hub_fanout_lag_seconds_count": 2,
    }
    assert {name: moved.get(name) for name in wanted} == wanted
    assert moved["ticker_hub_sent_bytes_total"] > 1000
    peer.reset()
    await until(lambda: len(live.hub.connections) == 1)
    assert (await scrape(live))['ticker_hub_disconnects_total{code="1006"}'] == 1


@serving()
async def test_feed_records_are_not_counted_as_symbols(live: Live) -> None:
    """A feed's own record is not counted as a symbol.

    Seen: `ticker_store_symbols` was 847 beside the 846 of `/api/status`.
    """
    live.feed.state("down", "no route")
    live.hub.flush()
    counted = (await live.get("/api/status")).json["store"]["symbols"]
    assert (await scrape(live))["ticker_store_symbols"] == counted == 2 * len(PRICES)


@serving()
async def test_a_slow_reader_is_visible_in_gauges(live: Live) -> None:
    """Lagging readers, and the bytes that wait for them, are gauges; updates merged for them are counted."""
    live.publish({f"S{i}": "1" for i in range(200)}, name="x" * 500)
    live.hub.flush()
    slow, view = await live.stream("?symbols=S*", receive_buffer=4096), View()
    for step in range(10):
        live.publish({f"S{i}": f"{step}.5" for i in range(200)}, name=f"{step:0500}")
        live.hub.flush()
    during = await scrape(live)
    assert during["ticker_hub_lagging_connections"] == 1
    assert 0 < during["ticker_hub_pending_bytes"] < 200_000
    await slow.follow(view, live.service.store.version)
    after = await scrape(live)
    assert (after["ticker_hub_lagging_connections"], after["ticker_hub_pending_bytes"]) == (0, 0)
    assert after["ticker_hub_conflated_updates_total"] - during["ticker_hub_conflated_updates_total"] >= 8


@serving()
async def test_invented_close_codes_are_one_series(live: Live) -> None:
    """Close codes that clients invent are counted as one, so that there are few series."""
    before = (await scrape(live)).keys()
    for code in (3000, 3999, 4999):
        peer = await live.stream()
        await peer.send(8, code.to_bytes(2, "big"))
        await peer.close_code()
    after = await scrape(live)
    assert after.keys() == before
    assert after['ticker_hub_disconnects_total{code="other"}'] == 3


@serving()
async def test_process_and_release_have_series(live: Live) -> None:
    """The release is a series; the process' memory and processor time, and the collector's work, are there."""
    samples = await scrape(live)
    (build,) = [name for name in samples if name.startswith("ticker_build_info")]
    assert f'version="{__version__}"' in build
    assert samples["process_resident_memory_bytes"] > 1e6
    assert samples["process_cpu_seconds_total"] > 0
    assert 'python_gc_collections_total{generation="0"}' in samples


@serving()
async def test_histograms_are_cumulative(live: Live) -> None:
    """Each histogram's buckets grow up to its count, the last one has no bound, and the sum fits the count."""
    await live.stream("?symbols=*")
    for step in range(5):
        live.publish({"BTC-USD": f"{step + 1}.5"})
        live.hub.flush()
    for family in parse_text((await live.get("/metrics")).body.decode()):
        if family.type == "histogram":
            buckets = [(float(s.labels["le"]), s.value) for s in family.samples if s.name.endswith("_bucket")]
            values = {s.name: s.value for s in family.samples}
            assert buckets == sorted(buckets)
            assert buckets[-1] == (math.inf, values[f"{family.name}_count"])
            assert values[f"{family.name}_sum"] >= 0
    assert (await scrape(live))["ticker_hub_flush_duration_seconds_count"] >= 5


NAMES = {
    "build": "info",
    "event": "loop_lag_seconds",
    "feed": (
        "errors idle_messages jumps last_update_timestamp_seconds poll_duration_seconds polls rate_limit_wait_seconds "
        "received_bytes reconnects rejects source_lag_seconds symbols up updates"
    ),
    "history": "bytes",
    "hub": (
        "conflated_updates connections connects disconnects fanout_lag_seconds flush_duration_seconds "
        "lagging_connections messages_received messages_sent pending_bytes rejects resumes resyncs "
        "sent_bytes subscriptions updates_sent"
    ),
    "store": "commits stale_symbols symbols tombstones updates version",
}
"""What alerts and graphs of others build on: a name may come, but none may go."""


@serving()
async def test_every_metric_of_earlier_releases_still_exists(live: Live) -> None:
    """Every family that a release has had is there, under its name."""
    families = {family.name for family in parse_text((await live.get("/metrics")).body.decode())}
    assert families >= {f"ticker_{part}_{name}" for part, names in NAMES.items() for name in names.split()}


@serving(prices={})
async def test_the_age_of_prices_on_arrival_is_counted_for_each_batch(live: Live) -> None:
    """The newest row of a batch says how far the exchange's time lies back; a time ahead of ours counts as none; a
    feed that dates nothing has no such time.
    """
    feed = live.service.feed("dated", "live", "exchange", 5.0)
    now = live.clock.wall_ms()
    feed.publish([Quote("dated:A", {"last": "1"}, now - 3_600_000), Quote("dated:B", {"last": "1"}, now - 2000)])
    feed.publish([Quote("dated:C", {"last": "1"}, now + 5000)])
    live.publish(PRICES)
    samples = await scrape(live)
    name = "ticker_feed_source_lag_seconds"
    assert samples[f'{name}_bucket{{feed="dated",le="1.0"}}'] == 1
    assert samples[f'{name}_bucket{{feed="dated",le="30.0"}}'] == 2
    assert 2 <= samples[f'{name}_sum{{feed="dated"}}'] < 30
    assert samples[f'{name}_count{{feed="toy"}}'] == 0


@serving(prices={})
async def test_a_page_of_many_series_is_complete(live: Live) -> None:
    """With many feeds the page is encoded in another thread, and is complete."""
    for i in range(20):
        live.service.feed(f"f{i}", "live", "received", 5.0)
    assert len(await scrape(live)) > INLINE
    assert sum(name.startswith("ticker_feed_up{") for name in await scrape(live)) == 21


@serving()
async def test_prices_are_no_metrics_by_default(live: Live) -> None:
    """Without `metrics.prices` its page is a problem that says how to switch it on."""
    answer = await live.get("/metrics/prices")
    assert (answer.status, "metrics.prices" in answer.json["detail"]) == (404, True)


@pytest.mark.needs("promtool")
@serving(metrics={"prices": ["*-USD", "EURUSD"]}, prices=PRICES | {"EURUSD": "1.07", "DOGE-EUR": "0.1"})
async def test_selected_prices_are_gauges(live: Live) -> None:
    """The selected consolidated symbols have a price and its time, the mid where there is no last one; Prometheus'
    own checker accepts the page, and `/metrics` has none of it.
    """
    live.feed.publish(
        [Quote("toy:FX-USD", {"last": None, "bid": "1.25", "ask": "1.75"}), Quote("toy:NONE-USD", {"last": None})]
    )
    live.hub.flush()
    page = (await live.get("/metrics/prices")).body
    samples = flatten(parse_text(page.decode()))
    prices = {name: value for name, value in samples.items() if name.startswith("ticker_price{")}
    assert prices == {
        'ticker_price{symbol="BTC-USD"}': 97000.1, 'ticker_price{symbol="ETH-USD"}': 3100.5,
        'ticker_price{symbol="EURUSD"}': 1.07, 'ticker_price{symbol="FX-USD"}': 1.5,
    }  # fmt: skip
    times = [value for name, value in samples.items() if name.startswith("ticker_price_timestamp_seconds{")]
    assert len(times) == len(prices)
    assert all(abs(value - live.clock.wall_ms() / 1000) < 60 for value in times)
    assert samples["ticker_prices_omitted"] == 0
    assert not any(name.startswith("ticker_price") for name in await scrape(live))
    assert await promtool(page, "metrics") == (0, "")


@serving(metrics={"prices": "*"}, prices={f"S{i:03}": "1" for i in range(503)})
async def test_prices_as_metrics_are_limited_to_500(live: Live) -> None:
    """At most 500 symbols have series; how many more were selected is shown."""
    samples = flatten(parse_text((await live.get("/metrics/prices")).body.decode()))
    assert (sum(name.startswith("ticker_price{") for name in samples), samples["ticker_prices_omitted"]) == (500, 3)
