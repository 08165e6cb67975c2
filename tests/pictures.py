"""Screenshots of the running service: `python -m tests.pictures` takes the README's, `… FOLDER` takes all."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, WebSocketRoute

from tests.browser import launched
from tests.conftest import ROOT
from tests.running import Running, running

FOLDER = ROOT / ".assets"
FEEDS = ("--feed", "usd=sim:*-USD?seed=4&rate=150", "--feed", "sim?seed=4")
FAVOURITES = ("BTC-USD", "ETH-USD", "SOL-USD", "EUR-USD", "USD-JPY", "XAU-USD", "AAPL")
DESKTOP = {"viewport": {"width": 1440, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}
FRAME = {"viewport": {"width": 720, "height": 240}}
SETTLE_MS = 6000  # latency and rates are averages over some seconds
SILENT_MS = 8000
MUTE = ("SOL-USD", "DOGE-USD", "LINK-USD")

TRENDS = """() => {
  const lines = [...document.querySelectorAll(".row:not([hidden]) .spark .line")];
  return lines.length > 12 && lines.every((line) => (line.getAttribute("d") ?? "").length > 200);
}"""
DRAWN = f"() => ({TRENDS})() && document.querySelector('.legend b')?.textContent"
LIVE, OFFLINE = (
    f"() => document.querySelector('#cluster .word')?.textContent.startsWith('{word}')" for word in ("Live", "Offline")
)
COURSES = "() => [...document.querySelectorAll('.course path')].some((path) => path.getAttribute('d'))"
ALERTS = """async (symbol) => {
  const { quote } = await (await fetch(`api/quotes/${symbol}`)).json();
  const near = (share) => Math.round((quote.last * share) / 100) * 100;
  const alert = (op, value) => ({ symbol, kind: "price", op, value, repeat: true, armed: null });
  localStorage.setItem("ticker.alerts.v1", JSON.stringify([alert(">=", near(1.004)), alert("<=", near(0.98))]));
}"""


@dataclass(frozen=True, slots=True)
class Picture:
    """One screenshot: of which URL, on what screen, and what must be there first.

    Attributes:
        kept: it is one of the README's.
        starred: the user has favourites and alerts.
        meanwhile: what happens to the service before it is taken.
    """

    name: str
    path: str
    ready: str = TRENDS
    context: dict[str, Any] = field(default_factory=lambda: DESKTOP)
    kept: bool = False
    starred: bool = True
    meanwhile: Callable[[Page, Running], None] | None = None


def silence_feed(page: Page, service: Running) -> None:
    """Let a feed be silent for 14 s: the only thing in these pictures that the service does not send itself."""

    def relay(route: WebSocketRoute) -> None:
        route.connect_to_server().on_message(lambda text: route.send(json.dumps(without_kraken(json.loads(text)))))

    page.route_web_socket("**/ws", relay)
    page.reload()


def without_kraken(frame: dict[str, Any]) -> dict[str, Any]:
    """The frame, as if some symbols came from a feed that has fallen silent."""
    quotes = frame.get("quotes", {})
    if frame["type"] == "update":
        frame["quotes"] = {symbol: fields for symbol, fields in quotes.items() if symbol not in MUTE}
    if frame["type"] == "snapshot":
        silence = {"state": "stale", "since": frame["time"] - SILENT_MS}
        frame["feeds"]["kraken"] = silence | {"kind": "simulated", "clock": "received", "message": None}
        for symbol in MUTE:
            quotes[symbol] |= {"state": "stale", "source": "kraken", "ts": silence["since"]}
    return frame


def stop(page: Page, service: Running) -> None:
    """Let the service be gone until prices are stale, each by its rhythm as the page has seen it."""
    page.wait_for_timeout(2 * SETTLE_MS)
    service.process.kill()
    page.wait_for_function("() => document.querySelectorAll('.row[data-state=stale]').length > 5")


PICTURES = (
    Picture("dashboard-dark", "?theme=dark&sel=BTC-USD", DRAWN, kept=True),
    Picture("dashboard-light", "?theme=light&sel=ETH-USD&tf=15m", DRAWN, kept=True),
    Picture("phone", "?theme=dark", context=PHONE, kept=True),
    Picture("dashboard-safe", "?theme=dark&updown=safe&sel=BTC-USD", DRAWN),
    Picture("dashboard-contrast", "?theme=contrast&sel=BTC-USD", DRAWN),
    Picture("phone-panel", "?theme=dark&sel=BTC-USD", DRAWN, context=PHONE),
    Picture("empty-list", "?theme=dark&list=favourites", LIVE, starred=False),
    Picture("unknown-symbol", "?theme=dark&symbols=BTC-USD,FOO-USD,ETH-USD&sel=FOO-USD", LIVE),
    Picture("embedded", "?theme=dark&embed=1&symbols=BTC-USD,usd:ETH-USD,EUR-USD", LIVE, context=FRAME, starred=False),
    Picture("service", "status?theme=dark", COURSES),
    Picture("stale-feed", "?theme=dark", LIVE, meanwhile=silence_feed),
    Picture("offline", "?theme=dark", OFFLINE, meanwhile=stop),
)


def main() -> None:
    """Take the screenshots."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(exist_ok=True)
    with running(*FEEDS) as service, launched() as browser:
        for picture in PICTURES:
            if picture.kept or folder != FOLDER:
                take(browser, service, picture, folder)


def take(browser: Browser, service: Running, picture: Picture, folder: Path) -> None:
    """Take one screenshot."""
    page = browser.new_page(**picture.context)
    page.goto(f"{service.url}/?theme=dark")
    if picture.starred:
        star_favourites(page)
        page.evaluate(ALERTS, "BTC-USD")
    page.goto(f"{service.url}/{picture.path}")
    page.wait_for_function(picture.ready if picture.meanwhile is None else TRENDS)
    if picture.meanwhile is not None:
        picture.meanwhile(page, service)
        page.wait_for_function(picture.ready)
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=folder / f"{picture.name}.png")
    page.close()
    print(folder / f"{picture.name}.png")


def star_favourites(page: Page) -> None:
    """Star the favourites."""
    for symbol in FAVOURITES:
        page.get_by_role("button", name=f"Favourite {symbol}", exact=True).first.click()


if __name__ == "__main__":
    main()
