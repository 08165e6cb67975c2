"""From the start of the process to the first price painted in a real Chromium."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from statistics import median

from tests.browser import launched

LIMIT_S = 3.0
PAINTED = "() => /[0-9]/.test(document.querySelector('.row .value')?.textContent ?? '')"


def main(runs: int) -> list[str]:
    """Measure, print, and return whether the limit is broken. The browser runs already, as a person's does."""
    painted = []
    with launched() as browser:
        for _ in range(runs):
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            started = time.monotonic()
            with subprocess.Popen(
                [sys.executable, "-m", "ticker", "--port", "0"], stderr=subprocess.PIPE, text=True
            ) as process:
                assert process.stderr is not None
                url = next(found[1] for line in process.stderr if (found := re.search(r"serving (http://\S+)", line)))
                listening = time.monotonic() - started
                page.goto(url)
                page.wait_for_function(PAINTED)
                painted.append(time.monotonic() - started)
                print(f"listening after {listening:.2f} s, first price painted after {painted[-1]:.2f} s")
                process.terminate()
            page.close()
    print(f"first price painted: median {median(painted):.2f} s ({min(painted):.2f}–{max(painted):.2f}), {runs} runs")
    return [f"first price after {min(painted):.2f} s, limit {LIMIT_S} s"] if min(painted) > LIMIT_S else []
