"""The client library is typed, and small to import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mypy import api

from tests.conftest import ROOT

SCRIPT = Path(__file__).with_name("typed_script.py")


def test_a_script_is_checked_as_its_author_expects() -> None:
    """Types are inferred through the whole library, and mistakes are found: an ignore without one is an error."""
    assert api.run([str(SCRIPT), "--strict", "--no-error-summary"]) == ("", "", 0)


def test_importing_it_brings_no_server() -> None:
    """Scripts get neither the web framework nor the settings library, nor an HTTP client or a loop of ours."""
    foreign = {"fastapi", "starlette", "pydantic", "httpx", "uvicorn", "uvloop", "prometheus_client", "click", "rich"}
    code = f"import sys, ticker.client, ticker.client.sync; print(sorted({foreign} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
