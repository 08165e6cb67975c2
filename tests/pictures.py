"""The README's pictures, taken of the running service: `python -m tests.pictures`."""

from __future__ import annotations

from playwright.sync_api import sync_playwright

from tests.conftest import ROOT, find_program
from tests.running import running

FOLDER = ROOT / ".assets"
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
FAVOURITES = ("BTC-USD", "ETH-USD", "SOL-USD", "EUR-USD", "USD-JPY", "XAU-USD", "AAPL")
PICTURES = {"dashboard-dark": "dark", "dashboard-light": "light"}
FULL = "() => document.querySelectorAll('.row .spark path.line[d]').length > 20"


def main() -> None:
    """Take them all."""
    FOLDER.mkdir(exist_ok=True)
    with running("--feed", "sim?seed=4") as service, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_program("chromium"), args=CHROMIUM)
        for name, theme in PICTURES.items():
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"{service.url}/?theme={theme}")
            page.wait_for_function(FULL)
            for symbol in FAVOURITES:
                page.get_by_role("row", name=symbol).first.focus()
                page.keyboard.press("f")
            page.wait_for_timeout(4000)  # latency and rates are figures over some seconds
            page.screenshot(path=FOLDER / f"{name}.png")
            print(FOLDER / f"{name}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
