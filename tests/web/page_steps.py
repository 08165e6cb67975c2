"""What the page's tests check and do again and again: order, changes, flashes, bars, hiding the tab."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page

from tests.browser import PATIENCE_MS
from tests.web.page_server import START_MS

MINUTE_MS, MINUTES_5 = 60_000, 300_000

COLOURS = """() => {
  const channels = (text) => {
    const numbers = text.match(/-?[\\d.]+(e-?\\d+)?/g).map(Number);
    const [r, g, b, a = 1] = numbers;
    return text.startsWith("color(srgb") ? [r, g, b, a] : [r / 255, g / 255, b / 255, a];
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const contrast = (a, b) => {
    const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (light + 0.05) / (dark + 0.05);
  };
  const grounds = new Map([[null, [0, 0, 0, 1]]]);
  const ground = (node) => {
    if (!grounds.has(node)) {
      const own = channels(getComputedStyle(node).backgroundColor);
      grounds.set(node, own[3] === 1 ? own : over(own, ground(node.parentElement)));
    }
    return grounds.get(node);
  };
  const problems = [];
  const check = (what, colour, behind, least) => {
    const ratio = contrast(over(channels(colour), behind), behind);
    if (ratio < least) problems.push(`${what}: ${ratio.toFixed(2)} < ${least}`);
  };
  let texts = 0;
  for (const node of document.querySelectorAll("body *")) {
    const text = [...node.childNodes].filter((child) => child.nodeType === 3 && child.data.trim() !== "");
    if (text.length === 0 || !node.checkVisibility() || node.closest("noscript, title")) continue;
    texts += 1;
    const place = [node, node.closest("[data-column]"), node.closest(".row")].map((part) => part?.className);
    check(place.join(" in "), getComputedStyle(node).color, ground(node), node.matches(".arrow") ? 3 : 4.5);
  }
  const input = document.querySelector("#search");
  check("placeholder", getComputedStyle(input, "::placeholder").color, ground(input), 4.5);
  check("search field", getComputedStyle(input).borderColor, ground(input), 3);
  for (const star of document.querySelectorAll(".row .star")) {
    check("star", getComputedStyle(star).stroke, ground(star), 3);
  }
  const button = document.querySelector("#theme");
  check("theme button", getComputedStyle(button).color, ground(button), 3);

  const flashing = document.querySelectorAll(".flash-up, .flash-down");
  for (const cell of flashing) {
    const [with_, without] = [ground(cell), ground(cell.parentElement)];
    const [dark, light] = [luminance(with_), luminance(without)].sort((x, y) => x - y);
    if (light - dark >= 0.1 && dark < 0.8) problems.push(`${cell.className}: luminance ${dark} to ${light}`);
    const [r, g, b] = with_.map(linear);
    if (r / (r + g + b) >= 0.8) problems.push(`${cell.className}: saturated red`);
  }
  return { texts, problems, flashes: flashing.length };
}"""
"""Contrast and flashes of all that is shown: what has too little or too much, and how much was checked."""


def sorts(title: Locator, order: str | None) -> bool:
    return title.get_attribute("aria-sort") == order


def visible_symbols(page: Page) -> list[str]:
    """The symbols of the rows in view, from top to bottom."""
    symbols: list[str] = page.evaluate("""() => {
      const grid = document.querySelector("#grid").getBoundingClientRect();
      const top = document.querySelector(".grid-head").getBoundingClientRect().bottom;
      return [...document.querySelectorAll(".row:not([hidden])")]
        .map((row) => [row.getBoundingClientRect(), row.dataset.symbol])
        .filter(([box]) => box.bottom > top + 1 && box.top < grid.bottom - 1)
        .sort(([a], [b]) => a.top - b.top)
        .map(([, symbol]) => symbol);
    }""")
    return symbols


def waiting(page: Page, condition: Callable[[], bool]) -> bool:
    """Wait for a condition that is not one of the page alone; returns whether it was met."""
    for _ in range(PATIENCE_MS // 50):
        if condition():
            return True
        page.wait_for_timeout(50)
    return condition()


def shows(page: Page, symbols: list[str]) -> None:
    """Wait until exactly these rows are in view: each key and click is painted in its own frame."""
    waiting(page, lambda: visible_symbols(page) == symbols)
    assert visible_symbols(page) == symbols


def watch_changes(page: Page, symbol: str) -> None:
    """Record in `window.changes` which columns of a row are touched, and how their class changes when."""
    page.evaluate(
        """(symbol) => {
          window.changes = [];
          const note = (change) => {
            const node = change.target.nodeType === Node.TEXT_NODE ? change.target.parentNode : change.target;
            const cell = node.closest("[data-column]");
            const column = cell?.dataset.column ?? "row";
            window.changes.push({ at: performance.now(), column, own: node === cell, classes: [...node.classList] });
          };
          const observer = new MutationObserver((changes) => changes.forEach(note));
          const watched = { subtree: true, childList: true, characterData: true, attributes: true };
          observer.observe(document.querySelector(`.row[data-symbol="${symbol}"]`), watched);
        }""",
        symbol,
    )


def flashes(page: Page, column: str = "last") -> list[tuple[int, list[str]]]:
    """The recorded steps of a cell's flash: when, and its classes then."""
    changes: list[dict[str, Any]] = page.evaluate("window.changes")
    steps = [
        (round(change["at"]), [name for name in change["classes"] if name.startswith("flash") or name == "half"])
        for change in changes
        if change["column"] == column and change["own"]
    ]
    return [step for i, step in enumerate(steps) if i == 0 or step[1] != steps[i - 1][1]]


def last_change(page: Page) -> int:
    """When the watched row last changed, on the page's clock."""
    at: float = page.evaluate("Math.max(...window.changes.map((change) => change.at))")
    return round(at)


def bars(count: int) -> list[list[Any]]:
    """This many bars around 100, the last one open; of the others one half is the venue's."""
    closes = [100 + (i * 7 % 11) - 5 for i in range(count + 1)]
    begin = START_MS - (count - 1) * MINUTES_5
    return [
        [begin + i * MINUTES_5, a, max(a, b) + 1, min(a, b) - 1, b, 10 + i % 7 if i < count - 1 else None,
         "o" if i == count - 1 else "v" if i < count / 2 else ""]
        for i, (a, b) in enumerate(itertools.pairwise(closes))
    ]  # fmt: skip


ALERT_LINES = """async (bars) => {
  const { loadChart } = await import("/js/ui/chart.js");
  const { AlertLines } = await import("/js/ui/alertlines.js");
  const { Bars } = await import("/js/store/bars.js");
  const place = document.createElement("div");
  Object.assign(place.style, { position: "fixed", inset: "0 auto auto 0", width: "400px", height: "300px", zIndex: 9 });
  document.body.append(place);
  const chart = new (await loadChart())(place);
  const shown = new Bars(300_000);
  shown.merge(bars);
  const scale = { decimals: 2, format: String, formatTime: String, shiftMs: () => 0, days: false };
  chart.draw(shown.list, "candles", scale, false);
  const alerts = [
    { id: "a", kind: "price", op: ">=", value: 101 }, { id: "b", kind: "silence", op: ">=", value: 100 },
  ];
  window.moved = [];
  const move = (id, value) => window.moved.push([id, value]);
  const lines = new AlertLines(chart, place, { for: () => alerts, move }, (price) => Number(price.toFixed(2)));
  lines.show("X", chart.colours);
  return chart.priceSeries.priceToCoordinate(101);
}"""


HAS_INTER = """() => {
  const drawing = document.createElement("canvas").getContext("2d");
  const widths = ["Inter, monospace", "monospace"].map((family) => {
    drawing.font = `16px ${family}`;
    return drawing.measureText("iiiiWWWW").width;
  });
  return widths[0] !== widths[1];
}"""
"""Whether the page's usual font is there: texts are as wide as it makes them."""


DEADLINES = """
  window.deadlines = [];
  window.passDeadlines = () => { for (const one of deadlines) one.abort(new DOMException("late", "TimeoutError")); };
  AbortSignal.timeout = () => (deadlines.push(new AbortController()), deadlines.at(-1).signal);
"""
"""Lets the deadlines of questions pass when a test says so."""


SHOW = """(visible) => {
  Object.defineProperty(document, "visibilityState", { configurable: true, get: () => visible ? "visible" : "hidden" });
  Object.defineProperty(document, "hidden", { configurable: true, get: () => !visible });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def minutes(closes: list[float], last_ms: int) -> dict[str, Any]:
    """One-minute bars with these closes, the last of them, which began then, still open."""
    first_ms = last_ms - (len(closes) - 1) * MINUTE_MS
    flags = [""] * (len(closes) - 1) + ["o"]
    return {"bars": [[first_ms + i * MINUTE_MS, c, c + 1, c - 1, c, 5, flags[i]] for i, c in enumerate(closes)]}


def store(page: Page, key: str, value: object) -> None:
    """Store a value as another tab of the browser would."""
    page.evaluate(
        """([key, text]) => {
          localStorage.setItem(key, text);
          dispatchEvent(new StorageEvent("storage", { key }));
        }""",
        [key, json.dumps(value)],
    )
