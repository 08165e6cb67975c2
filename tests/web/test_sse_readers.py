"""Third-party readers of server-sent events: a browser's EventSource, curl, a client from PyPI."""

from __future__ import annotations

import asyncio
import json
import subprocess

import httpx
import pytest
from httpx_sse import connect_sse
from playwright.async_api import async_playwright

from tests.browser import FLAGS
from tests.conftest import find_program
from tests.view import View
from tests.web import server
from tests.web.server import Live, serving, until
from web.sse import EventStream

pytestmark = pytest.mark.timeout(250)
WATCH = """(query) => {
  window.events = [];
  const source = new EventSource('/api/stream' + query);
  for (const kind of ['snapshot', 'update', 'bye']) {
    source.addEventListener(kind, (event) => window.events.push([kind, event.lastEventId, event.data]));
  }
}"""
UNTIL = "async (n) => { while (events.length < n) await new Promise((go) => setTimeout(go, 5)) }"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other programs start slowly on a busy machine."""
    monkeypatch.setattr(server, "PATIENCE_S", 100.0)


def stream_of(live: Live) -> EventStream:
    (stream,) = [c for c in live.hub.connections if isinstance(c, EventStream)]
    return stream


def say(live: Live, price: str) -> None:
    live.publish({"BTC-USD": price})
    live.hub.flush()


@pytest.mark.needs("chromium")
@serving()
async def test_a_browsers_event_source_reconnects_and_resumes(live: Live) -> None:
    """After a cut it reconnects with `Last-Event-ID` and gets what it missed as one update."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_program("chromium"), args=FLAGS)
        page = await browser.new_page()
        await page.goto(f"http://127.0.0.1:{live.port}/healthz")
        await page.evaluate(WATCH, "?symbols=BTC-USD")
        await page.evaluate(UNTIL, 1)
        say(live, "97001.50")
        await page.evaluate(UNTIL, 2)
        stream_of(live).abort()
        say(live, "97002.50")
        say(live, "97003.50")
        await page.evaluate(UNTIL, 3)
        events = await page.evaluate("events")
        await browser.close()
    assert [kind for kind, _, _ in events] == ["snapshot", "update", "update"]
    (_, seen, _), (_, last_id, text) = events[1:]
    update = json.loads(text)
    assert seen == f"{live.service.store.epoch}:{update['since']}:{last_id.split(':')[2]}"
    assert update["quotes"]["BTC-USD"]["last"] == 97003.5
    assert live.hub.groups.counts.resumes == {"update": 1, "snapshot": 0}


@serving()
async def test_httpx_sse_reads_every_event_and_resumes(live: Live) -> None:
    """httpx-sse gets every event, and resumes by the id that it kept."""
    view = View()
    headers: dict[str, str] = {}

    def read(version: int) -> None:
        url = f"http://127.0.0.1:{live.port}/api/stream?symbols=*"
        with httpx.Client(trust_env=False) as client, connect_sse(client, "GET", url, headers=headers) as source:
            source.response.raise_for_status()
            for event in source.iter_sse():
                if event.event == "subscribed":
                    continue
                view.apply(event.data)
                assert event.id.split(":")[1] == str(view.version)
                headers["Last-Event-ID"] = event.id
                if view.version == version:
                    return

    await asyncio.to_thread(read, live.service.store.version)
    say(live, "97001.50")
    await asyncio.to_thread(read, live.service.store.version)
    assert (view.snapshots, view.updates) == (1, 1)
    assert view.quotes["BTC-USD"]["last"] == "97001.50"
    await until(lambda: not live.hub.connections)


@pytest.mark.needs("curl")
@serving()
async def test_curl_reads_to_the_end(live: Live) -> None:
    """`curl -N` prints events as they come, and ends with 0 after the `bye`."""
    curl = await asyncio.create_subprocess_exec(
        str(find_program("curl")), "-sN", f"http://127.0.0.1:{live.port}/api/stream?symbols=BTC-USD",
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert curl.stdout is not None
    for kind in (b"subscribed", b"snapshot"):
        assert kind in await curl.stdout.readuntil(b"\n\n")
    say(live, "97001.50")
    assert b'"last":97001.50,' in await curl.stdout.readuntil(b"\n\n")
    live.service.stop()
    assert (await curl.stdout.readuntil(b"\n\n")).startswith(b"retry: ")
    assert await curl.wait() == 0
