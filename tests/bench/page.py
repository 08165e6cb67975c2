"""The page in a real Chromium against the real service: is it as light as it is meant to be?

2,000 simulated symbols at 1,000 updates a second, 1440×900. Every figure is the best of the runs, and the limits are
wide, so that a busy machine does not fail a good page. `--soak` runs it for minutes at 5,000 updates a second with the
details open, and kills the service in the middle.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page

from tests.bench.quiet import shown_ms
from tests.browser import launched

FLAGS = ("--js-flags=--expose-gc", "--enable-precise-memory-info")
MEASURE_S = 5.0
PATIENCE_MS = 120_000
"""Generous: a slow machine should show in the figures, not as a timeout."""
SYMBOLS = 2000

# What CI fails at. Its machines differ: the same page sorted its rows in 20 ms on one and in 56 on another.
LIMITS: dict[str, tuple[str, float, Callable[[float, float], bool]]] = {
    "first_ms": ("navigation to first full screen, ms", 1000, lambda seen, most: seen <= most),
    "fps": ("frames a second", 50, lambda seen, least: seen >= least),
    "frame_p95_ms": ("time between frames p95, ms", 34, lambda seen, most: seen <= most),
    "busy": ("main thread busy, details closed, ms/s", 600, lambda seen, most: seen <= most),
    "busy_open": ("main thread busy, details open, ms/s", 700, lambda seen, most: seen <= most),
    "long_tasks": ("tasks over 50 ms", 2, lambda seen, most: seen <= most),
    "nodes": ("DOM nodes", 3000, lambda seen, most: seen <= most),
    "paint_p95_ms": ("server send to paint p95, ms", 250, lambda seen, most: seen <= most),
    "busy_hidden": ("main thread busy, hidden, ms/s", 50, lambda seen, most: seen <= most),
    "sort_ms": ("re-sort of 2,000 rows with painting, ms", 80, lambda seen, most: seen <= most),
    "search_ms": ("keystroke to filtered rows, ms", 150, lambda seen, most: seen <= most),
}
AIMS = {"first_ms": 500, "fps": 60, "frame_p95_ms": 17, "busy": 320, "busy_open": 380, "long_tasks": 0, "nodes": 1800,
        "paint_p95_ms": 120, "busy_hidden": 10, "sort_ms": 10, "search_ms": 50}  # fmt: skip
HEAP_GROWTH_MB = 8.0

FULL = "document.querySelectorAll('.row:not([hidden]) .value').length > 20"
FRAMES = """(ms) => new Promise((done) => {
  const times = [], long = [];
  const watch = new PerformanceObserver((list) => long.push(...list.getEntries()));
  watch.observe({ type: "longtask" });
  const step = (now) => {
    times.push(now);
    if (now - times[0] < ms) return requestAnimationFrame(step);
    watch.disconnect();
    const gaps = times.slice(1).map((time, i) => time - times[i]).sort((a, b) => a - b);
    done({ fps: gaps.length / (now - times[0]) * 1000, p95: gaps[Math.floor(gaps.length * 0.95)], long: long.length });
  };
  requestAnimationFrame(step);
})"""
HIDE = """() => {
  Object.defineProperty(document, "hidden", { get: () => true });
  Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
  const later = window.setTimeout;
  window.setTimeout = (job, ms, ...rest) => later(job, ms === 30000 ? 0 : ms, ...rest); // the 30 s until it rests
  document.dispatchEvent(new Event("visibilitychange"));
  window.setTimeout = later;
}"""
ACT = """([act, painted]) => new Promise((done) => {
  const began = performance.now();
  new Function(act)();
  const shown = new Function(`return ${painted}`);
  const look = () => (shown() ? done(performance.now() - began) : requestAnimationFrame(look));
  requestAnimationFrame(() => setTimeout(look));
})"""
"""From an act to its picture, including the wait for a frame, as a person sees it."""
WORK = """([act, painted]) => new Promise((done, fail) => {
  const began = performance.now();
  new Function(act)();
  const handled = performance.now();
  const afterwards = new MessageChannel();
  requestAnimationFrame((frameMs) => {
    afterwards.port1.onmessage = () => {
      if (!new Function(`return ${painted}`)()) fail(new Error("not painted in the next frame"));
      done(handled - began + performance.now() - Math.max(handled, frameMs));
    };
    afterwards.port2.postMessage(null);
  });
})"""
"""The cost of an act: its handling, and the whole frame that paints it, without the wait between the two."""


def main(runs: int) -> list[str]:
    """Measure, print, and return which limits even the best run broke."""
    seen: dict[str, list[float]] = {}
    with served(f"sim:{SYMBOLS}?rate=1000") as url, launched(*FLAGS) as browser:
        for _ in range(runs):
            for name, value in measure(browser, url).items():
                seen.setdefault(name, []).append(value)
    problems = []
    for name, (words, limit, holds) in LIMITS.items():
        values = seen[name]
        best = max(values) if name == "fps" else min(values)
        print(f"{words:<48} {best:8.1f}  ({min(values):.1f}–{max(values):.1f}; aim {AIMS[name]}, limit {limit:g})")
        if not holds(best, limit):
            problems.append(f"{words}: {best:.1f}, limit {limit:g}")
    return problems


def measure(browser: Browser, url: str) -> dict[str, float]:
    """All figures of one visit, except the heap."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, bypass_csp=True)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    cdp = context.new_cdp_session(page)
    cdp.send("Performance.enable")
    found: dict[str, float] = {}
    found["first_ms"] = shown_ms(url + "/", FULL)
    page.goto(url + "/")
    page.wait_for_function(f"() => {FULL}")
    page.wait_for_timeout(2000)
    found["busy"], frames = busy(page, cdp, MEASURE_S)
    found["fps"], found["frame_p95_ms"], found["long_tasks"] = frames["fps"], frames["p95"], frames["long"]
    found["nodes"] = page.evaluate("document.querySelectorAll('*').length")
    found["paint_p95_ms"] = float(page.locator("#figures .p95").inner_text().replace(",", ""))
    column = 'document.querySelector(`.head-cell[data-column="last"]`)'
    turns = ("'descending'", "'ascending'", "null") * 2
    clicks = [[f"{column}.firstChild.click()", f"{column}.ariaSort === {turn}"] for turn in turns]
    found["sort_ms"] = min(page.evaluate(WORK, click) for click in clicks)  # other work in the same frame is chance
    typed = "const s = document.querySelector('#search'); s.value = 'a'; s.dispatchEvent(new Event('input'))"
    found["search_ms"] = page.evaluate(ACT, [typed, "+document.querySelector('#grid').ariaRowCount < 2000"])
    page.evaluate(ACT, [typed.replace("'a'", "''"), "+document.querySelector('#grid').ariaRowCount > 2000"])
    page.locator(".row:not([hidden])").first.click()
    page.locator("#details canvas").first.wait_for()
    page.wait_for_timeout(1000)
    found["busy_open"], _ = busy(page, cdp, MEASURE_S)
    page.evaluate(HIDE)
    page.wait_for_timeout(1500)
    before = task_seconds(cdp)
    page.wait_for_timeout(2000)
    found["busy_hidden"] = (task_seconds(cdp) - before) / 2 * 1000
    context.close()
    return found


def busy(page: Page, cdp: CDPSession, seconds: float) -> tuple[float, dict[str, float]]:
    """Milliseconds of main-thread work per second, and the frames' timing."""
    before, began = task_seconds(cdp), time.monotonic()
    frames: dict[str, float] = page.evaluate(FRAMES, seconds * 1000)
    return (task_seconds(cdp) - before) / (time.monotonic() - began) * 1000, frames


def task_seconds(cdp: CDPSession) -> float:
    metrics = {m["name"]: m["value"] for m in cdp.send("Performance.getMetrics")["metrics"]}
    return float(metrics["TaskDuration"])


OUTAGE = """() => {
  const seen = window.outage = { prices: texts(".row:not([hidden]) .value"), flashes: null };
  new MutationObserver((_, observer) => {
    if (document.querySelector("#cluster").dataset.state !== "live") return;
    observer.disconnect();
    const count = () => { seen.flashes = document.querySelectorAll(".flash-up, .flash-down").length; };
    requestAnimationFrame(() => setTimeout(count)); // the snapshot is painted, the next batch has not come yet
  }).observe(document.querySelector("#cluster"), { attributeFilter: ["data-state"] });
  function texts(place) { return [...document.querySelectorAll(place)].map((one) => one.textContent).join(); }
  seen.same = () => seen.prices === texts(".row:not([hidden]) .value");
}"""
AGES = """[...document.querySelectorAll(".row[data-state=stale]:not([hidden]) [data-column=age]")]
  .map(({ textContent }) => parseInt(textContent))"""
OUTAGE_S = 12


def soak(seconds: float) -> list[str]:
    """Run at full load with details open, kill and restart the service in the middle; return what is wrong.

    While it is gone, prices stay and their ages grow; when it is back, nothing flashes and no row is rebuilt.
    """
    port = free_port()
    feed = f"sim:{SYMBOLS}?rate=5000"
    with contextlib.ExitStack() as stack, launched(*FLAGS) as browser:
        service = stack.enter_context(started(feed, port))
        page = browser.new_page(viewport={"width": 1440, "height": 900}, bypass_csp=True)
        page.set_default_timeout(PATIENCE_MS)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(f"uncaught {error}"))
        page.goto(f"http://127.0.0.1:{port}/")
        page.wait_for_function(f"() => {FULL}")
        page.locator(".row:not([hidden])").first.click()
        page.locator("#details canvas").first.wait_for()
        page.wait_for_timeout(5000)
        first = heap_mb(page)
        page.evaluate("window.kept = [...document.querySelectorAll('.row')]")
        page.wait_for_timeout(seconds / 2 * 1000)
        before = page.evaluate(FRAMES, MEASURE_S * 1000)
        service.kill()
        service.wait()
        page.wait_for_function("() => document.querySelector('#cluster').dataset.state === 'offline'")
        page.evaluate(OUTAGE)
        page.wait_for_timeout(OUTAGE_S * 1000)
        ages, same = page.evaluate(AGES), page.evaluate("window.outage.same()")
        stack.enter_context(started(feed, port))
        page.wait_for_function("() => window.outage.flashes !== null")
        page.wait_for_timeout(seconds / 2 * 1000)
        after = page.evaluate(FRAMES, MEASURE_S * 1000)
        last = heap_mb(page)
        kept = page.evaluate("window.kept.every((row) => row.isConnected)")
        flashes = page.evaluate("window.outage.flashes")
        print(f"{seconds:g} s at 5,000 updates/s: heap {first:.1f} → {last:.1f} MB, rows kept: {kept}")
        print(f"frames a second {before['fps']:.1f}, after the restart {after['fps']:.1f}")
        print(f"cut off for {OUTAGE_S} s: prices stand {same}, ages {min(ages, default=0)}–{max(ages, default=0)} s")
        print(f"flashes as it came back: {flashes}")
        limit, holds = LIMITS["fps"][1:]
        wrong = {
            f"the heap grew by {last - first:.1f} MB, limit {HEAP_GROWTH_MB:g}": last - first > HEAP_GROWTH_MB,
            "rows were built anew by the restart": not kept,
            f"less than {limit:g} frames a second": not holds(min(before["fps"], after["fps"]), limit),
            "prices changed while nothing came": not same,
            "ages did not grow": not ages or max(ages) < OUTAGE_S - 1,
            "rows flashed as the service came back": flashes > 0,
        }
    return problems + [sentence for sentence, broken in wrong.items() if broken]


def heap_mb(page: Page) -> float:
    """Heap in use after garbage collection."""
    used: float = page.evaluate("gc(), gc(), performance.memory.usedJSHeapSize")
    return used / 2**20


@contextlib.contextmanager
def served(feed: str) -> Iterator[str]:
    port = free_port()
    with started(feed, port):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def started(feed: str, port: int) -> Iterator[subprocess.Popen[Any]]:
    """The service on this port, ready."""
    with subprocess.Popen(
        [sys.executable, "-m", "ticker", "--port", str(port), "--feed", feed], stderr=subprocess.DEVNULL
    ) as process:
        try:
            while process.poll() is None:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                time.sleep(0.05)
            yield process
        finally:
            process.terminate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
