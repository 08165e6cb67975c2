"""The page looks as it did: pictures of frozen data are compared with those in `tests/web/reference`.

Both are compared at a quarter of their size, so that another version's font smoothing makes no difference, and anything
a person would notice does. A missing picture is written, to be looked at.
"""

from __future__ import annotations

import base64
import math
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.conftest import CI
from tests.web.page_server import (
    START_MS,
    PageServer,
    advance,
    book,
    cell,
    frozen,
    paint,
    quote,
    row,
    until,
    until_price,
)
from tests.web.page_steps import HAS_INTER

pytestmark = pytest.mark.needs("chromium")

REFERENCE = Path(__file__).parent / "reference"
SCREENS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 640}},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}
MOST_DIFFERENT = 0.003
"""Share of the pixels that may differ visibly."""
DIFFERENT = """async (pictures) => {
  const [one, other] = await Promise.all(pictures.map(async (picture) => {
    const image = new Image();
    image.src = `data:image/png;base64,${picture}`;
    await image.decode();
    const width = Math.round(image.width / 4), height = Math.round(image.height / 4);
    const drawing = new OffscreenCanvas(width, height).getContext("2d");
    drawing.imageSmoothingQuality = "high";
    drawing.drawImage(image, 0, 0, width, height);
    return { width, height, points: drawing.getImageData(0, 0, width, height).data };
  }));
  if (one.width !== other.width || one.height !== other.height) return 1;
  let different = 0;
  for (let i = 0; i < one.points.length; i += 4) {
    if ([0, 1, 2].some((j) => Math.abs(one.points[i + j] - other.points[i + j]) > 16)) different += 1;
  }
  return different / (one.points.length / 4);
}"""


def market() -> dict[str, dict[str, Any]]:
    """Forty symbols, and some that are stale, halted, tiny, huge, unnamed or without trades."""
    return book(40) | {
        "BTC-USD": quote(last=97412.35, bid=97412.3, ask=97412.35, open=95608.15, high=98120.0, low=95204.4,
                         quote_volume=1.79e9, change_pct=1.89, name="Bitcoin"),
        "OLD-USD": quote(last=6.1834, decimals=4, quote_volume=1.6e9, change_pct=-0.92, state="stale", name="Old",
                         ts=START_MS - 14_000),
        "HALT-USD": quote(last=12.384, decimals=3, quote_volume=1.5e9, change_pct=-3.21, state="halted", name="Halt"),
        "PEPE-USD": quote(last=0.00002048, decimals=8, quote_volume=1.4e9, change_pct=11.36, name="Pepe"),
        "EUR-USD": quote(bid=1.04182, ask=1.04214, decimals=5, quote_volume=1.3e9, change_pct=0.0),
    }  # fmt: skip


@pytest.mark.parametrize("screen", list(SCREENS))
def test_the_page_matches_its_reference_picture(browser: Browser, server: PageServer, screen: str) -> None:
    """Nearly every pixel has the colour of the reference picture."""
    file = REFERENCE / f"{screen}.png"
    server.closes = {
        symbol: [price * (1 + math.sin(i / 7 + phase) / 99 + i % (phase + 2) / 999) for i in range(60)]
        for phase, (symbol, q) in enumerate(market().items())
        for price in (q["last"] or q["bid"],)
    }
    with frozen(browser, server, market(), "?theme=dark&locale=en-US", **SCREENS[screen]) as visit:
        page, service = visit.page, visit.service
        until(visit, lambda: page.locator(".row:not([hidden]) .spark:is(.up, .down)").count() > 12)
        service.update({"S0000-USD": {"last": 100.5}, "BTC-USD": {"last": 97412.3}})
        until_price(visit, "S0000-USD", "100.50")
        until(visit, lambda: row(page, "OLD-USD").get_attribute("data-state") == "stale")
        until(visit, lambda: cell(page, "BTC-USD", "last").locator(".arrow").inner_text() == "▼")
        advance(visit, 1000)  # flashes end
        if not page.evaluate(HAS_INTER) and not CI:
            pytest.skip("the pictures are set in Inter: install fonts-inter")
        # Measured figures vary.
        page.locator(".cluster, .figures").evaluate_all("(all) => all.forEach((one) => { one.style.opacity = 0 })")
        paint(page)
        taken = page.screenshot()
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(taken)
            pytest.fail(f"{file.name} was missing and has been written: look at it, then keep it")
        pictures = [base64.b64encode(picture).decode() for picture in (file.read_bytes(), taken)]
        different = page.evaluate(DIFFERENT, pictures)
        assert different <= MOST_DIFFERENT, f"{different:.1%} of the {screen}'s points differ"
