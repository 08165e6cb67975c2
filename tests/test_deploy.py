"""The files in `deploy/`, checked by the programs they are for: Prometheus, promtool, systemd; and against the code."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import ROOT, find_program
from tests.web.server import Live, serving
from ticker import config
from ticker.settings import Settings

DEPLOY = ROOT / "deploy"
ALERTS = re.findall(r"- alert: (\w+)", (DEPLOY / "alerts.yml").read_text())


def tool(*arguments: str) -> str:
    """What promtool prints, run in `deploy/`; a complaint fails the test."""
    program = find_program("promtool") or ""
    done = subprocess.run([program, *arguments], cwd=DEPLOY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.needs("promtool")
def test_promtool_accepts_configuration_rules_and_unit_tests(tmp_path: Path) -> None:
    """Configuration, its commented options and rules are valid; each alert fires, and is silent, as its tests say."""
    tool("check", "config", "prometheus.yml")
    text, offers = re.subn("# (\\w+: *[{[])", r"\1", (DEPLOY / "prometheus.yml").read_text())
    assert offers == 2
    (tmp_path / "prometheus.yml").write_text(text)
    tool("check", "config", "--syntax-only", str(tmp_path / "prometheus.yml"))
    assert "SUCCESS" in tool("test", "rules", "alerts_test.yml")


def test_each_alert_has_unit_tests_and_a_runbook_section() -> None:
    """There are two unit tests for each, one that fires, and a section of the runbook with its three parts."""
    tests = re.findall(r"- name: (\w+) (fires|is silent)", (DEPLOY / "alerts_test.yml").read_text())
    assert tests == [(alert, what) for alert in ALERTS for what in ("fires", "is silent")]
    book = (DEPLOY / "RUNBOOK.md").read_text()
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^#)", book, re.MULTILINE | re.DOTALL))
    assert list(sections) == ALERTS
    for text in sections.values():
        assert re.findall(r"^\*\*(\w+)\*\*: ", text, re.MULTILINE) == ["Means", "Look", "Do"]


def names_in(text: str) -> set[str]:
    return set(re.findall(r"\b(?:ticker|process|python)_[a-z_]+\b", text)) - {"ticker_connection"}


@serving(prices={}, upstream={"url": "http://127.0.0.1:1"})
async def test_every_metric_in_dashboard_and_alerts_exists(live: Live) -> None:
    """Each name in the dashboard, the alerts, their tests and the runbook is a series of a running service.

    This one has both what a gateway has and, in place of its prices, a feed's.
    """
    page = (await live.get("/metrics")).body.decode()
    series = {sample.name for family in text_string_to_metric_families(page) for sample in family.samples}
    dashboard = json.loads((DEPLOY / "grafana" / "ticker.json").read_text())
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    assert len(shown) > 40
    for text in (*shown, *((DEPLOY / name).read_text() for name in ("alerts.yml", "alerts_test.yml", "RUNBOOK.md"))):
        assert not {name for name in names_in(text) if name not in series and not name.endswith("_seconds")}, text
        assert {name for name in names_in(text) if name.endswith("_seconds")} <= {
            name for s in series for name in (s, s.removesuffix("_bucket"))
        }
    ours = {re.sub("_(bucket|count|sum)$", "", name) for name in series if name.startswith("ticker_")}
    assert {name for name in ours if not any(name in text for text in shown)} == set(), "not on the dashboard"


def test_deployment_files_agree_with_the_code() -> None:
    """The settings they give exist, ports and paths are ours, and what compose mounts is there."""
    compose = (DEPLOY / "compose.yaml").read_text()
    services = dict(re.findall(r"^  (\w+):.*\n((?: {4}.*\n)+)", compose, re.MULTILINE))
    assert {"ticker", "gateway"} <= services.keys()
    given = {name: re.findall(r"^ +(TICKER_\w+): \"?(.*?)\"?$", text, re.MULTILINE) for name, text in services.items()}
    settings = config.load(None, [], dict(given["ticker"]))
    assert settings.metrics.prices
    mounted = re.findall(r"- \./(\S+?):", compose)
    assert mounted
    assert [name for name in mounted if not (DEPLOY / name).exists()] == []
    port = Settings().server.port
    assert f":{port}:{port}" in services["ticker"]
    assert f":8001-8004:{port}" in services["gateway"]
    assert config.load(None, [], dict(given["gateway"])).upstream.url == f"http://ticker:{port}"
    scraped = (DEPLOY / "prometheus.yml").read_text()
    assert f'targets: ["ticker:{port}"]' in scraped
    assert f"names: [gateway], type: A, port: {port}" in scraped
    assert f"127.0.0.1:{port} " in (DEPLOY / "nginx.conf").read_text()
    image = (ROOT / "Dockerfile").read_text()
    assert f'\\"TICKER_SERVER__PORT\\", {port})' in image
    runbook = (DEPLOY / "RUNBOOK.md").read_text()
    (state,) = re.findall("^StateDirectory=(.*)$", (DEPLOY / "ticker.service").read_text(), re.MULTILINE)
    assert re.findall(r"record_raw=([\w/]+)", runbook) == [f"/var/lib/{state}"], "the unit can write nowhere else"
    for file in DEPLOY.rglob("*.*"):
        for name in re.findall(r"`((?:server|hub|store|limits|auth|metrics|log)\.\w+)`", file.read_text()):
            section, _, key = name.partition(".")
            assert hasattr(getattr(settings, section), key), f"{file.name}: {name}"


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize("name", ["ticker.service", "ticker@8000.service", "ticker-gateway@8001.service"])
def test_systemd_accepts_the_unit(tmp_path: Path, name: str) -> None:
    """Every line of the unit is one that systemd understands, also as one of several, as its head says."""
    unit = (DEPLOY / "ticker.service").read_text()
    if "@" in name:
        unit, changed = re.subn("^(ExecStart=.*)$", r"\1 --port %i", unit, flags=re.MULTILINE)
        assert (changed, "as ticker@.service, with `--port %i` at the end of ExecStart" in unit) == (1, True)
    if "gateway" in name:
        unit, changed = re.subn("^StateDirectory=.*\n", "", unit, flags=re.MULTILINE)
        assert (changed, "as ticker-gateway@.service" in unit) == (1, True)
    unit, offers = re.subn("^# ([A-Z]\\w+=)", r"\1", unit, flags=re.MULTILINE)
    assert offers == 4, "the commented options are valid, too"
    assert "\nSupplementaryGroups=ticker\n" not in unit, "217/USER: DynamicUser has taken this name"
    file = tmp_path / name
    file.write_text(unit.replace("/opt/ticker/.venv/bin/python", sys.executable).replace("/opt/ticker", str(tmp_path)))
    program = find_program("systemd-analyze") or ""
    done = subprocess.run([program, "verify", str(file)], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if "ticker" in line]
    assert (done.returncode, said) == (0, []), done.stderr


@contextlib.asynccontextmanager
async def prometheus(folder: Path, target: int, port: int) -> AsyncIterator[Callable[[str], Any]]:
    """A real Prometheus with our own files, quicker, that scrapes a port of this machine; yields its API."""
    made = (DEPLOY / "prometheus.yml").read_text().replace("ticker:8000", f"127.0.0.1:{target}").replace("15s", "100ms")
    (folder / "prometheus.yml").write_text(made)
    rules = (DEPLOY / "alerts.yml").read_text().replace("for: 1m", "for: 0s")
    (folder / "alerts.yml").write_text(rules)
    process = await asyncio.create_subprocess_exec(
        find_program("prometheus") or "", f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error",
        stderr=subprocess.PIPE,
    )  # fmt: skip

    def read(path: str) -> Any:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}", timeout=5) as answer:
                return json.loads(answer.read())["data"]
        except urllib.error.HTTPError as early:
            early.close()
            raise

    try:
        yield read
    finally:
        process.terminate()
        await process.communicate()


async def seen(read: Callable[[str], Any], path: str, condition: Callable[[Any], bool]) -> None:
    """Wait until an answer of Prometheus meets the condition."""
    while True:
        with contextlib.suppress(OSError):
            if condition(await asyncio.to_thread(read, path)):
                return
        await asyncio.sleep(0.05)


@pytest.mark.needs("prometheus")
@serving(store={"stale_after_s": 600})  # nothing is said while it starts
async def test_a_real_prometheus_raises_and_resolves_an_alert(live: Live, tmp_path: Path, port: int) -> None:
    """It scrapes the service, its rules are healthy, FeedDown fires when the feed is cut and resolves afterwards."""

    def firing(name: str) -> Callable[[Any], bool]:
        return lambda data: any(a["labels"]["alertname"] == name and a["state"] == "firing" for a in data["alerts"])

    async with prometheus(tmp_path, live.port, port) as read:
        await seen(read, "targets", lambda d: any(
            t["labels"]["job"] == "ticker" and t["health"] == "up" for t in d["activeTargets"]))  # fmt: skip
        await seen(read, "rules", lambda d: [r["health"] for r in d["groups"][0]["rules"]] == ["ok"] * len(ALERTS))
        assert not firing("FeedDown")(await asyncio.to_thread(read, "alerts"))
        live.feed.state("down", "cut")
        await seen(read, "alerts", firing("FeedDown"))
        live.publish({"BTC-USD": "5"})
        await seen(read, "alerts", lambda data: not firing("FeedDown")(data))
