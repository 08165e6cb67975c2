"""The application: headers of every answer, refusals, the reference at /docs, and a proxy's path before ours."""

from __future__ import annotations

import asyncio
import gzip
import logging
import re
import subprocess
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from fastapi.openapi.models import OpenAPI

from tests.conftest import find_program
from tests.web.server import PRICES, Live, serving
from web.page import FOR_EVER, STATIC, read, release

SECURITY = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
PATHS = ("/", "/docs", "/openapi.json", "/api/quotes", "/api/quotes/BTC-USD", "/api/symbols", "/api/feeds",
         "/healthz", "/readyz", "/metrics", "/js/docs.js", "/vendor/swagger-ui.css",
         "/vendor/lightweight-charts-5.1.0.js")  # fmt: skip


@serving()
async def test_every_answer_carries_the_security_headers(live: Live) -> None:
    """Pages, files, data, errors and refusals, over HTTP and before an upgrade: all have the headers."""
    answers = [await live.get(path) for path in (*PATHS, "/nowhere", "/api/quotes?fields=x")]
    answers.append(await live.get("/", method="POST"))
    answers.append(await live.get("/", "Host: evil.example"))
    answers.append(await (await live.connect()).upgrade("/ws", "Host: evil.example"))
    answers.append(await (await live.connect()).upgrade("/ws", "Origin: http://evil.example"))
    assert [a.status for a in answers] == [200] * len(PATHS) + [404, 400, 405, 403, 403, 403]
    for answer in answers:
        assert answer.headers.items() >= SECURITY.items()
        assert "server" not in answer.headers


@serving(server={"frame_ancestors": ("https://a.example", "https://b.example:8443")})
async def test_listed_sites_may_frame_the_page(live: Live) -> None:
    """The policy lists the framing sites in place of 'none', and is otherwise the same."""
    policy = (await live.get("/")).headers["content-security-policy"]
    listed = "frame-ancestors https://a.example https://b.example:8443"
    assert policy == SECURITY["content-security-policy"].replace("frame-ancestors 'none'", listed)


@serving()
async def test_each_kind_of_answer_has_its_cache_rule(live: Live) -> None:
    """Data is not stored, pages and quotes are revalidated, only files of other packages may be kept."""
    wanted = dict.fromkeys(PATHS, "no-store") | dict.fromkeys(("/", "/docs", "/api/quotes", "/js/docs.js"), "no-cache")
    wanted["/vendor/swagger-ui.css"] = "public, max-age=86400"
    wanted["/vendor/lightweight-charts-5.1.0.js"] = "public, max-age=31536000, immutable"
    del wanted["/openapi.json"]
    assert {path: (await live.get(path)).headers["cache-control"] for path in wanted} == wanted


@serving()
async def test_the_pages_files_are_immutable_below_their_hash(live: Live) -> None:
    """Below the hash of all files, what the page links to is kept for ever; any other hash gets the current files.

    Seen: a phone asked fifty times whether a file was still the same, six at a time: four seconds in a train.
    """
    links = re.findall(r'(?:href|src)="([^"]+\.(?:js|css))"', (await live.get("/")).body.decode())
    folders = {link.partition("/")[0] for link in links}
    assert len(folders) == 1
    answers = [await live.get(f"/{link}") for link in links]
    assert {(answer.status, answer.headers["cache-control"]) for answer in answers} == {(200, FOR_EVER)}
    before = await live.get(f"/{'0' * 16}/js/main.js")
    assert (before.status, before.headers["cache-control"]) == (200, "no-cache")
    assert before.body == (await live.get(f"/{folders.pop()}/js/main.js")).body
    for path in ("index.html", "js/nothing.js", "js/../../app.py"):
        assert (await live.get(f"/{release()}/{path}")).status == 404, path


@serving()
async def test_an_unknown_path_is_a_short_problem(live: Live) -> None:
    """404 with a short problem document, which repeats nothing of the request."""
    for path in ("/nowhere", "/api", "/api/nothing", "/vendor", "/vendor/redoc.standalone.js",
                 "/..%2fapp.py", "/%2e%2e/app.py", "/js/%00", "/index.html/x", "/<script>"):  # fmt: skip
        answer = await live.get(path)
        assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json"), path
        assert answer.json["title"] == "Not Found"
        assert len(answer.body) < 200
        assert b"script" not in answer.body


@serving()
async def test_other_methods_are_refused(live: Live) -> None:
    """Every path takes GET and HEAD only; other methods get a 405 that says so."""
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        for path in PATHS:
            answer = await live.get(path, method=method)
            assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
            assert (answer.headers["content-type"], answer.json["status"]) == ("application/problem+json", 405)


@serving()
async def test_head_is_get_without_the_body(live: Live) -> None:
    """HEAD has the status and the headers of GET, the length included, on every path; and no byte more."""
    for path in (*PATHS, "/nowhere"):
        got, head = await live.get(path), await live.get(path, method="HEAD")
        assert (head.status, head.body) == (got.status, b"")
        for name in got.headers.keys() - {"date", "content-length"}:
            assert head.headers[name] == got.headers[name]
        if path != "/metrics":  # whose length is another one each time
            assert head.headers["content-length"] == got.headers["content-length"]


@serving()
async def test_no_path_takes_a_body(live: Live) -> None:
    """A request with a body, announced or chunked, gets 413 and the connection ends."""
    for lines in (("Content-Length: 5", "", "hello"), ("Transfer-Encoding: chunked", "", "5", "hello", "0", "")):
        for method in ("GET", "POST"):
            peer = await live.connect()
            await peer.write("\r\n".join((f"{method} /api/quotes HTTP/1.1", "Host: localhost", *lines, "")).encode())
            answer = await peer.answer()
            assert (answer.status, answer.json["code"], answer.headers["connection"]) == (413, "too_large", "close")
            assert await peer.rest() == b""
    assert (await live.get("/api/quotes", "Content-Length: 0")).status == 200


@pytest.mark.parametrize(
    ("request_head", "status", "code"),
    [
        ("GET / HTTP/9.9\r\n\r\n", 400, "bad_request"),
        ("nonsense\r\n\r\n", 400, "bad_request"),
        ("GET / HTTP/1.1\r\n" + "X: y\r\n" * 200 + "\r\n", 400, "bad_request"),
        ("GET /" + "x" * 40_000 + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 431, "too_large"),
        ("GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n", 426, "bad_request"),
        (f"GET /ws?{'x' * 9000} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400, "bad_request"),
    ],
    ids=["version", "nonsense", "lines", "long", "no upgrade", "long upgrade"],
)
@serving()
async def test_an_invalid_request_gets_a_problem_document(
    live: Live, request_head: str, status: int, code: str
) -> None:
    """Requests that are refused before the application sees them get problem details, too."""
    peer = await live.connect()
    await peer.write(request_head.encode())
    answer = await peer.answer()
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert (answer.json["status"], answer.json["code"]) == (status, code)
    assert answer.json["detail"]


@serving()
async def test_an_error_in_a_handler_gets_a_problem_document(live: Live, caplog: pytest.LogCaptureFixture) -> None:
    """An error in a handler is logged, and answered by 500 with the usual headers and without its text."""

    def fail() -> list[str]:
        raise ZeroDivisionError("secret")

    live.service.not_ready = fail  # type: ignore[method-assign]  # a handler with an error in it
    caplog.set_level(logging.CRITICAL + 1, "uvicorn.error")
    answer = await live.get("/readyz")
    assert (answer.status, answer.json["code"]) == (500, "internal")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers.items() >= SECURITY.items()
    assert b"secret" not in answer.body


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("LocalHost:1", 200), ("127.0.0.1:8000", 200), ("127.3.2.1", 200), ("[::1]:8000", 200),
        ("evil.example", 403), ("127.0.0.1.evil.example", 403), ("localhost.evil.example", 403), ("", 403),
        ("0.0.0.0", 403), ("[::1", 403), ("192.0.2.1:8000", 403), ("localhost@evil.example", 403),
    ],
)  # fmt: skip
@serving()
async def test_on_loopback_only_loopback_names_are_served(live: Live, host: str, status: int) -> None:
    """A foreign name that resolves to 127.0.0.1 gets 403 (DNS rebinding); `X-Forwarded-Host` changes nothing."""
    for header in ("X: y", "X-Forwarded-Host: localhost"):
        assert (await live.get("/api/quotes", f"Host: {host}", header)).status == status


@serving(server={"host": "0.0.0.0"})
async def test_a_request_has_one_host(live: Live) -> None:
    """None or several `Host` headers are refused, before an upgrade, too: a proxy may have checked another one."""
    peer = await live.connect()
    await peer.write(b"GET /healthz HTTP/1.1\r\n\r\n")
    assert (await peer.answer()).status == 400
    for hosts in (("Host: a.example", "Host: b.example"), ("Host: localhost", "Host: localhost")):
        answers = [await live.get("/api/quotes", *hosts), await (await live.connect()).upgrade("/ws", *hosts)]
        assert [(answer.status, answer.json["code"]) for answer in answers] == [(400, "bad_request")] * 2
        assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}


@serving(server={"host": "0.0.0.0"})
async def test_any_host_name_is_served_beyond_loopback(live: Live) -> None:
    """A service that is not bound to loopback may have any name."""
    assert (await live.get("/api/quotes", "Host: prices.example")).status == 200


@serving(server={"host": "0.0.0.0"})
async def test_a_request_without_host_is_answered(live: Live) -> None:
    """Seen: 500 for the description of the stream, which contains the host: HTTP/1.0 may leave `Host` out."""
    for path in (*PATHS, "/asyncapi.json"):
        peer = await live.connect()
        await peer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        assert (await peer.answer()).status == 200, path


# The reference


@serving()
async def test_the_reference_loads_only_own_files(live: Live) -> None:
    """Every URL in /docs is relative, so it is ours, and is answered with 200; there is no inline code."""
    page = (await live.get("/docs")).body.decode()
    addresses = re.findall(r'(?:href|src)="([^"]*)"', page)
    assert {"vendor/swagger-ui.css", "vendor/swagger-ui-bundle.js", "js/docs.js"} <= set(addresses)
    for address in addresses:
        assert not urlsplit(address).scheme
        assert not urlsplit(address).netloc
        assert (await live.get(urljoin("/docs", address))).status == 200, address
    assert re.findall(r"<script(?![^>]*src=)|<style|\son\w+=|style=", page) == []
    assert "://" not in (STATIC / "js" / "docs.js").read_text()


@serving()
async def test_the_description_is_valid_and_complete(live: Live) -> None:
    """`/openapi.json` is valid OpenAPI 3.1, explains every parameter, and each of its paths really answers."""
    document = (await live.get("/openapi.json")).json
    OpenAPI.model_validate(document)
    assert document["openapi"].startswith("3.1")
    assert document["paths"].keys() >= {
        "/api/quotes", "/api/quotes/{symbol}", "/api/symbols", "/api/feeds", "/api/candles/{symbol}", "/api/sparklines",
        "/healthz", "/readyz", "/metrics",
    }  # fmt: skip
    assert not {path for path in document["paths"] if not path.startswith("/api/")} - {
        "/healthz",
        "/readyz",
        "/metrics",
    }
    assert "servers" not in document
    assert "422" not in str(document), "nothing here can be answered by it"
    for path, methods in document["paths"].items():
        assert methods.keys() == {"get"}
        assert methods["get"]["summary"]
        parameters = methods["get"].get("parameters", ())
        assert all(p["description"] for p in parameters if p["in"] != "header")
        needed = [f"{p['name']}=BTC-USD" for p in parameters if p["in"] == "query" and p["required"]]
        endless = "text/event-stream" in methods["get"]["responses"]["200"].get("content", ())
        target = f"{path.replace('{symbol}', 'BTC-USD')}?{'&'.join(needed)}"
        answer = await live.get(target, method="HEAD" if endless else "GET")
        assert answer.status == 200, path


# A path before ours


async def check_below(live: Live, before: str) -> None:
    """Page, files, data and stream are served below a path."""
    for path in PATHS:
        assert (await live.get(before + path)).status == 200, path
    assert (await live.get(f"{before}/nowhere")).status == 404
    assert (await live.get(f"{before}/api/quotes")).json["quotes"].keys() == PRICES.keys()
    peer = await live.stream("?symbols=BTC-USD", before=before)
    assert (await peer.hear("snapshot"))["quotes"].keys() == {"BTC-USD"}


@serving(server={"base_path": "/market/prices"})
async def test_a_base_path_works_with_any_proxy(live: Live) -> None:
    """A proxy may leave the base path on the requests or strip it; the page's own URLs are relative."""
    await check_below(live, "/market/prices")
    await check_below(live, "")
    assert (await live.get("/market/api/quotes")).status == 404
    assert (await live.get("/openapi.json")).json["servers"] == [{"url": "/market/prices"}]


@serving(server={"base_path": "/prices"})
async def test_the_bare_base_path_is_redirected_to_the_page(live: Live) -> None:
    """Without its trailing slash the base path is redirected, so that the page's relative URLs fit.

    Seen: behind a proxy that ends TLS the way led to `http://`. Promise: it names no scheme and no host.
    """
    for path, goal in (("/prices", "/prices/"), ("/prices?sel=BTC-USD&tf=5m", "/prices/?sel=BTC-USD&tf=5m")):
        answer = await live.get(path)
        assert (answer.status, answer.headers["location"], answer.body) == (307, goal, b"")
        assert (await live.get(path, method="HEAD")).status == 307


@pytest.mark.parametrize("base", ["", "/prices"])
def test_a_trailing_slash_is_redirected(base: str) -> None:
    """A path with a trailing slash is redirected to the one without, and no path redirects to another host."""

    @serving(server={"base_path": base})
    async def scenario(live: Live) -> None:
        goals = {"/docs/": "/docs", "/api/quotes/toy:A-B/?fields=last": "/api/quotes/toy:A-B?fields=last",
                 "//example.com/": "/example.com", "/%5Cexample.com/%0D%0A/": "/%5Cexample.com/%0D%0A"}  # fmt: skip
        for path, goal in goals.items():
            for before in {"", base}:
                answer = await live.get(before + path)
                assert (answer.status, answer.headers["location"], answer.body) == (307, base + goal, b"")

    scenario()


@serving()
async def test_the_page_has_only_relative_addresses(live: Live) -> None:
    """The dashboard's files are found below any path, because none of its URLs begins with a slash."""
    page = (await live.get("/")).body.decode()
    addresses = re.findall(r'(?:href|src)="([^"#]*)"', page)
    assert addresses
    assert not [address for address in addresses if address.startswith("/") or "://" in address]


@pytest.mark.needs("chromium")
@serving(server={"base_path": "/prices"})
async def test_the_reference_works_under_its_own_policy(live: Live, tmp_path: Path) -> None:
    """A real browser shows every path of the description, below a base path, too, and blocks nothing."""
    browser = await asyncio.create_subprocess_exec(
        str(find_program("chromium")), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
        f"--user-data-dir={tmp_path}", "--enable-logging=stderr", "--virtual-time-budget=5000", "--dump-dom",
        f"http://127.0.0.1:{live.port}/prices/docs",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    page, log = await browser.communicate()
    assert [line for line in log.decode().splitlines() if "CONSOLE" in line] == []
    shown = set(re.findall(r'data-path="([^"]*)"', page.decode()))
    assert shown == (await live.get("/openapi.json")).json["paths"].keys()


@serving()
async def test_the_page_is_compressed_and_revalidated(live: Live) -> None:
    """A file is compressed for clients that accept that, and not sent again to those that have it."""
    plain = await live.get("/js/main.js")
    packed = await live.get("/js/main.js", "Accept-Encoding: gzip, br")
    assert gzip.decompress(packed.body) == plain.body == read(STATIC / "js" / "main.js").plain
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert packed.headers["etag"] != plain.headers["etag"]
    for answer, wish in ((plain, "X: y"), (packed, "Accept-Encoding: gzip")):
        known = await live.get("/js/main.js", wish, f"If-None-Match: {answer.headers['etag']}")
        assert (known.status, known.body) == (304, b"")
    for wish in ("gzip;q=0", "br, GZIP ; Q=0.000", "x-gzip", "identity"):
        assert (await live.get("/js/main.js", f"Accept-Encoding: {wish}")).body == plain.body, wish
    for wish in ("br;q=1, gzip;q=0.001", "GZIP"):
        assert (await live.get("/js/main.js", f"Accept-Encoding: {wish}")).body == packed.body, wish
    for path in ("/js", "/../app.py", "/js/../../app.py", "/%2e%2e/app.py", "/nothing.js"):
        assert (await live.get(path)).status == 404, path
