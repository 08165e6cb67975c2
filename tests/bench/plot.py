"""The README's picture: CPU for each delivered update, a panel for each fan-out scenario, as plain SVG."""

from __future__ import annotations

import statistics
from html import escape
from typing import Any

PANELS = {
    "everyone": "Everyone watches everything",
    "lists": "Own watch lists",
    "saturation": "100,000 updates/s",
}
WIDTH, LABEL, BAR, ROW, HEAD, GAP = 860, 250, 440, 24, 34, 18
OURS_COLOUR, OTHERS_COLOUR = "#2a7de1", "#9aa3ad"


def draw(results: dict[str, Any]) -> str:
    """Bars for the medians, thin lines for the spread, ours in colour; scenarios that were not run are left out."""
    parts: list[str] = []
    y = GAP
    for name, title in PANELS.items():
        if name not in results:
            continue
        parts.append(f'<text x="16" y="{y + 16}" class="head">{escape(title)}: CPU µs per delivered update</text>')
        y += HEAD
        rows = {server: [run["cpu_us"] for run in runs] for server, runs in results[name].items()}
        scale = BAR / max(max(values) for values in rows.values())
        for server, values in rows.items():
            parts += _bar(server, values, y, scale)
            y += ROW
        y += GAP
    style = (
        "text{font:13px system-ui,sans-serif;fill:#30363d}.head{font-weight:600}"
        "@media(prefers-color-scheme:dark){text{fill:#e6edf3}}"
    )
    size = f'width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{style}</style>{"".join(parts)}</svg>\n'


def _bar(server: str, values: list[float], y: int, scale: float) -> list[str]:
    middle, least, most = statistics.median(values), min(values), max(values)
    colour = OURS_COLOUR if server.startswith("ticker") else OTHERS_COLOUR
    x, line = LABEL + 10, y + ROW // 2
    return [
        f'<text x="{LABEL}" y="{line + 4}" text-anchor="end">{escape(server)}</text>',
        f'<rect x="{x}" y="{y + 4}" width="{middle * scale:.1f}" height="{ROW - 8}" rx="2" fill="{colour}"/>',
        f'<path d="M{x + least * scale:.1f} {line}H{x + most * scale:.1f}" stroke="#30363d" stroke-width="1.5"/>',
        f'<text x="{x + most * scale + 8:.1f}" y="{line + 4}">{middle:.3g}</text>',
    ]
