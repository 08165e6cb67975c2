"""What the README says is what the code does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

from feeds.registry import adapters
from tests.conftest import ROOT
from tests.running import running
from ticker.model import DECIMAL_FIELDS, FIELDS
from ticker.protocol import BAD_MESSAGES, TOO_MANY_MESSAGES
from ticker.selection import MAX_PATTERN_LENGTH, MAX_STARS
from ticker.session import MAX_BAD_PER_MINUTE, MAX_REFUSALS_PER_MINUTE, MESSAGE_BURST
from ticker.settings import Settings
from web.connection import MAX_HEAD_BYTES, MAX_HEADER_LINES, MAX_WAITING_REQUESTS
from web.transport import MAX_FRAGMENTS

README = (ROOT / "README.md").read_text()
UNITS = ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def settings_table() -> str:
    """Every setting with its default and meaning, as Markdown."""
    rows = ["| setting | default | |", "| --- | --- | --- |"]
    for section, described in Settings.model_fields.items():
        if section == "feeds":
            continue
        for name, setting in type(described.default).model_fields.items():
            default = "" if setting.default in {None, "", ()} else setting.default
            if isinstance(default, bool):
                default = str(default).lower()  # as in TOML
            rows.append(f"| `{section}.{name}` | {default} | {setting.description} |")
    return "\n".join(rows)


def test_the_settings_table_matches_the_code() -> None:
    """Names, defaults and meanings are those of `ticker.settings`."""
    block = re.search(r"<!-- settings: .*?-->\n\n(.*?)\n\n<!-- /settings -->", README, re.DOTALL)
    assert block is not None
    assert block[1] == settings_table(), f"put this into the README:\n{settings_table()}"


def test_the_readme_lists_every_module() -> None:
    """The table names each module of the service, the client library, the feeds' base and the web."""
    told = set(re.findall(r"`(\w+)`", README.partition("## Where things live")[2]))
    folders = ("ticker", "ticker/client", "feeds", "web")
    modules = {path.stem for folder in folders for path in (ROOT / folder).glob("[!_]*.py")}
    assert modules - told == set()


def told_adapters() -> list[dict[str, Any]]:
    """What `ticker adapters --json` prints."""
    command = [sys.executable, "-m", "ticker", "adapters", "--json"]
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def adapters_table() -> str:
    """Every adapter with what it gives and costs, as Markdown."""
    rows = ["| adapter | prices of | kind | modes | key | a poll | fields | bars |", "|" + " --- |" * 8]
    for told in told_adapters():
        offer = adapters()[told["adapter"]].offer
        assert {name: told[name] for name in ("kind", "key")} == {"kind": offer.kind, "key": offer.key}
        bars = [next(f"{n // s}{unit}" for s, unit in UNITS if n >= s) for n in told["bars_s"]]
        cells = [
            f"`{told['adapter']}`", told["summary"], told["kind"], ", ".join(told["modes"]),
            "yes" if told["key"] else "", offer.poll_cost,
            _fields_text(told["fields"]), f"{bars[0]}–{bars[-1]}" if bars else "",
        ]  # fmt: skip
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _fields_text(fields: list[str]) -> str:
    """The fields, or the missing ones if these are fewer."""
    lacking = [name for name in DECIMAL_FIELDS if name not in fields]
    if not lacking:
        return "all"
    return " ".join(fields) if len(fields) < len(lacking) else f"all but {' '.join(lacking)}"


def test_the_adapters_table_matches_the_code() -> None:
    """Every adapter is listed as `ticker adapters --json` has it."""
    block = re.search(r"<!-- adapters: .*?-->\n\n(.*?)\n\n<!-- /adapters -->", README, re.DOTALL)
    assert block is not None
    table = adapters_table()
    assert block[1] == table, f"put this into the README:\n{table}"


def test_the_fixed_limits_match_the_code() -> None:
    """Every number in the README's list of fixed limits, in its order."""
    (limits,) = re.findall(r"^Some limits are fixed(.*?)\n\n", README, re.DOTALL | re.MULTILINE)
    told = [int(number.replace(",", "")) for number in re.findall(r"[0-9][0-9,]*", limits)]
    assert told == [
        MAX_PATTERN_LENGTH, MAX_STARS, MESSAGE_BURST, MAX_REFUSALS_PER_MINUTE, TOO_MANY_MESSAGES,
        MAX_BAD_PER_MINUTE, BAD_MESSAGES, MAX_HEAD_BYTES // 1024, MAX_HEADER_LINES, 8000, MAX_WAITING_REQUESTS,
        MAX_FRAGMENTS,
    ]  # fmt: skip


def test_the_fields_of_a_quote_are_listed_in_order() -> None:
    """The README lists exactly the fields of the protocol, in its order."""
    assert f"`{' '.join(FIELDS)}`" in README


def test_run_and_test_commands_come_first_in_one_line_each() -> None:
    """They need nothing that a bare machine lacks."""
    run, test = re.findall(r"```sh\n# (?:run|test).*?\n(.*?)\n```", README, re.DOTALL)[:2]
    assert run.startswith("python3 -m venv --without-pip .venv && ")
    assert run.endswith("-qr requirements.txt && .venv/bin/python -m ticker")
    assert test.endswith("-qr requirements-dev.txt && .venv/bin/python -m pytest")


def test_the_lock_files_have_no_address() -> None:
    """Requirements are hashes and versions; where they come from is the user's own configuration."""
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text()
        assert "--hash=sha256:" in text
        assert not re.search(r"://|--(extra-)?index-url|--find-links", text), name


def test_every_curl_example_is_answered() -> None:
    """Each path that the README fetches with curl is answered with success."""
    paths = re.findall(r"^curl 'localhost:8000(\S+)'$", README, re.MULTILINE)
    assert len(paths) >= 4
    with running() as service:
        service.wait(lambda: service.get("/api/feeds")["feeds"]["sim"]["state"] == "live", "no price came")
        for path in paths:
            assert service.fetch(path), path


def test_every_file_the_image_copies_exists() -> None:
    """Every COPY source of the Dockerfile exists, and its port is the code's default."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    sources = re.findall(r"^COPY (?!--from)(\S+) ", dockerfile, re.MULTILINE)
    assert sources
    assert [s for s in sources if not (ROOT / s).exists()] == []
    assert f"EXPOSE {Settings().server.port}\n" in dockerfile
