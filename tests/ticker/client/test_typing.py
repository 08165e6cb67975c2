"""The client library is typed, and small to import."""

from __future__ import annotations

import pydoc
import re
import subprocess
import sys
from pathlib import Path

from mypy import api

import ticker.client
from tests.conftest import ROOT
from ticker.client import sync

SCRIPT = Path(__file__).with_name("typed_script.py")


def test_a_type_checker_accepts_scripts_and_finds_their_mistakes() -> None:
    """Types are inferred through the whole library, and mistakes are found: an ignore without one is an error."""
    assert api.run([str(SCRIPT), "--strict", "--no-error-summary"]) == ("", "", 0)


def test_the_readmes_examples_pass_the_type_checker(tmp_path: Path) -> None:
    """Seen: one of them compared a price that may be None."""
    code = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    watching = [text for text in code if re.search("from ticker.client.* import watch", text)]
    assert len(watching) == 2
    scripts = [tmp_path / f"script{number}.py" for number in range(2)]
    for script, text in zip(scripts, watching, strict=True):
        script.write_text(f"# mypy: allow-untyped-defs, allow-untyped-calls\n{text}")
    names = [str(script) for script in scripts]
    assert api.run([*names, "--strict", "--no-error-summary"]) == ("", "", 0)


def test_help_lists_everything() -> None:
    """Seen: `help(ticker.client)` knew neither `watch` nor `get`, since they are imported when they are first used; and
    two exceptions that their docstrings name could not be had from there.
    """
    told = pydoc.plain(pydoc.render_doc(ticker.client))
    shown = set(re.findall(r"^    (?:class |async )?(\w+)", told, re.MULTILINE))
    assert set(ticker.client.__all__) - shown == set()
    raised = set(re.findall(r"\b\w+Error\b", f"{ticker.client.watch.__doc__}{ticker.client.get.__doc__}"))
    assert raised <= set(ticker.client.__all__)
    assert ticker.client.__all__ == sync.__all__


def test_importing_the_client_library_imports_no_server() -> None:
    """Scripts load neither the web framework nor the settings library, nor an HTTP client or uvloop."""
    foreign = {"fastapi", "starlette", "pydantic", "httpx", "uvicorn", "uvloop", "prometheus_client", "click", "rich"}
    code = f"import sys, ticker.client, ticker.client.sync; print(sorted({foreign} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
