"""The README's examples for scripts and the shell do what it says, against a real service."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import re
import shlex
from collections.abc import Iterator

import click
import pytest

from tests.conftest import ROOT
from tests.running import WAITED, Running, running
from ticker import cli

SECTION = re.split(r"^## ", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
SCRIPTS = next(text for text in SECTION if text.startswith("Python client and command line"))
EXAMPLES = re.findall(r"```python\n(.*?)```", SCRIPTS, re.DOTALL)
COMMANDS = [
    list(itertools.takewhile(lambda word: word not in {"|", ">"}, shlex.split(line, comments=True)))
    for line in re.findall(r"^python -m ticker (.*)$", SCRIPTS, re.MULTILINE)
]
LASTING = {"watch", "--exec", "--for"}
"""A command with one of these words does not end soon."""


class EnoughOutput(Exception):  # noqa: N818 - no error
    """The example has printed as much as the test wants to see."""


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    """A market with the symbols that the examples ask for."""
    with running("--feed", "sim:BTC-USD,ETH-USD,BTC-EUR,AAPL?faults=false") as started:
        started.wait(lambda: started.get("/api/feeds")["feeds"]["sim"]["state"] == "live", "no price came")
        yield started


@pytest.mark.parametrize("number", range(4))
def test_python_examples_print_prices(number: int, service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each runs as it stands, until it has printed three times or ends."""
    code = EXAMPLES[number]
    for module in ("pandas", "polars"):
        if f"import {module}" in code and importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed; the service does not need it")
    monkeypatch.setenv("TICKER_URL", service.url)
    printed: list[str] = []

    def keep(*values: object) -> None:
        printed.append(" ".join(map(str, values)))
        if len(printed) == 3:
            raise EnoughOutput

    with contextlib.suppress(EnoughOutput):
        exec(compile(code, "README.md", "exec"), {"print": keep, "__name__": "__main__"})
    assert "-" in printed[-1] or re.search(r"\d", printed[-1])


def test_the_readme_has_every_kind_of_example() -> None:
    """Asynchronous, blocking, pandas, polars; and every command that asks a service."""
    assert len(EXAMPLES) == 4
    assert {command[0] for command in COMMANDS} == set(cli.ASKING) - {"completion", "adapters"}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_commands_of_the_readme_run(
    command: list[str], service: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those that end by themselves print something and succeed; of the others, every option is known."""
    monkeypatch.setenv("TICKER_URL", service.url)
    if LASTING & set(command):
        known = cli.cli.get_command(click.Context(cli.cli), command[0])
        assert known is not None
        known.make_context(command[0], command[1:])
        return
    assert cli.main(command) == 0
    out, errors = capsys.readouterr()
    assert out
    assert not re.search(r"Traceback|^ticker:", re.sub(WAITED, "", errors), re.MULTILINE)
