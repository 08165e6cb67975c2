"""The README's pictures, taken of the running service: `python -m tests.pictures`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, Page

from tests.browser import launched
from tests.conftest import ROOT
from tests.running import Running, running

FOLDER = ROOT / ".assets"
FEEDS = ("--feed", "sim?seed=4", "--feed", "backup=sim:*-USD?seed=4&rate=60")
FAVOURITES = ("BTC-USD", "ETH-USD", "SOL-USD", "EUR-USD", "USD-JPY", "XAU-USD", "AAPL")
DESKTOP = {"viewport": {"width": 1440, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}
SETTLE_MS = 6000  # latency and rates are figures over some seconds


TRENDS = """() => {
  const lines = [...document.querySelectorAll(".row:not([hidden]) .spark .line")];
  return lines.length > 12 && lines.every((line) => (line.getAttribute("d") ?? "").length > 200);
}"""
DRAWN = f"() => ({TRENDS})() && document.querySelector('.legend b')?.textContent"


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: where it is taken, on what screen, and what must be there first."""

    name: str
    path: str
    ready: str = TRENDS
    context: dict[str, Any] = field(default_factory=lambda: DESKTOP)


PICTURES = (
    Picture("dashboard-dark", "?theme=dark&sel=BTC-USD", DRAWN),
    Picture("dashboard-light", "?theme=light&sel=ETH-USD&tf=15m", DRAWN),
    Picture("phone", "?theme=dark", context=PHONE),
)


def main() -> None:
    """Take them all."""
    FOLDER.mkdir(exist_ok=True)
    with running(*FEEDS) as service, launched() as browser:
        for picture in PICTURES:
            take(browser, service, picture)
            print(FOLDER / f"{picture.name}.png")


def take(browser: Browser, service: Running, picture: Picture) -> None:
    """One picture, of a page that has its favourites already."""
    page = browser.new_page(**picture.context)
    page.goto(f"{service.url}/?theme=dark")
    favour(page)
    watch(page)
    page.goto(f"{service.url}/{picture.path}")
    page.wait_for_function(picture.ready)
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=FOLDER / f"{picture.name}.png")
    page.close()


def favour(page: Page) -> None:
    """Press the stars of what should be favourites."""
    for symbol in FAVOURITES:
        page.get_by_role("button", name=f"Favourite {symbol}", exact=True).first.click()


ALERTS = """async (symbol) => {
  const { quote } = await (await fetch(`api/quotes/${symbol}`)).json();
  const near = (share) => Math.round((quote.last * share) / 100) * 100;
  const alert = (op, value) => ({ symbol, kind: "price", op, value, repeat: true, armed: null });
  localStorage.setItem("ticker.alerts.v1", JSON.stringify([alert(">=", near(1.004)), alert("<=", near(0.98))]));
}"""


def watch(page: Page) -> None:
    """Set two alerts, one of them in sight."""
    page.evaluate(ALERTS, "BTC-USD")


if __name__ == "__main__":
    main()
