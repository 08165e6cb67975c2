"""What the page's tests look at, again and again: order, changes, flashes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page

from tests.browser import PATIENCE_MS


def sorts(title: Locator, order: str | None) -> bool:
    return title.get_attribute("aria-sort") == order


def visible_symbols(page: Page) -> list[str]:
    """Symbols of the rows that a person sees, from top to bottom."""
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
    """Wait until a condition holds that is not one of the page alone; returns whether it came to hold."""
    for _ in range(PATIENCE_MS // 50):
        if condition():
            return True
        page.wait_for_timeout(50)
    return condition()


def shows(page: Page, symbols: list[str]) -> None:
    """Wait until a person sees just these rows: each key and click is painted in a frame of its own."""
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
    """The recorded steps of a cell's flash: when, and which of its classes then say so."""
    changes: list[dict[str, Any]] = page.evaluate("window.changes")
    steps = [
        (round(change["at"]), [name for name in change["classes"] if name.startswith("flash") or name == "half"])
        for change in changes
        if change["column"] == column and change["own"]
    ]
    return [step for i, step in enumerate(steps) if i == 0 or step[1] != steps[i - 1][1]]


def last_change(page: Page) -> int:
    """When the watched row was touched last, on the page's clock."""
    at: float = page.evaluate("Math.max(...window.changes.map((change) => change.at))")
    return round(at)
