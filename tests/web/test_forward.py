"""What a gateway asks its upstream, and what its readers get: of a real one, and of one that does everything wrong."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from starlette.requests import Request

from tests.conftest import find_program
from tests.feeds.fake_exchange import CLOSED, HANG, JSON, FakeExchange, Reply
from tests.web.peer import Answer, Peer
from tests.web.server import Live, run, serving, start, until
from tests.web.test_auth import entry
from ticker import __version__
from ticker.clock import Clock
from ticker.errors import ConfigError
from ticker.service import Service
from ticker.settings import Settings
from web import candles, feeds, symbols
from web.addresses import Addresses
from web.auth import Auth
from web.forward import Elsewhere, Forward, answer_elsewhere
from web.guard import Guard
from web.parameters import check_parameters
from web.problem import Problem, answer_problem, details
from web.server import listen, make_server

PROBLEM = {"Content-Type": "application/problem+json"}
CSV = {"Content-Type": "text/csv; charset=utf-8; header=present"}
MB = 1 << 20
TOKEN = "s3cret-and-l0ng"
Headers = Mapping[str, str] | Callable[[], Mapping[str, str]] | None


class Counted(Forward):
    """It knows how many requests wait for an answer."""

    waiting = 0

    async def __call__(self, request: Request) -> None:
        self.waiting += 1
        try:
            await super().__call__(request)
        finally:
            self.waiting -= 1


class Gateway:
    """A small application that forwards, served for real."""

    def __init__(self, app: FastAPI, forward: Counted, port: int) -> None:
        self.app = app
        self.forward = forward
        self.port = port

    async def get(
        self, target: str, *headers: str, method: str = "GET", source: str = "127.0.0.1", base_path: str = ""
    ) -> Answer:
        """One request over a connection of its own."""
        with socket.socket() as sock:
            sock.bind((source, 0))
            peer = Peer(sock)
            await peer.connect(self.port)
            await peer.request(method, base_path + target, "Connection: close", *headers)
            answer = await peer.answer(body=method != "HEAD")
            assert await peer.rest() == b"", "nothing follows the body"
        return answer

    async def refusal(self, target: str = "/api/feeds") -> str:
        """What a request is told that the upstream cannot answer."""
        answer = await self.get(target)
        assert 1 <= int(answer.headers["retry-after"]) <= 5
        assert answer.headers["content-type"] == "application/problem+json"
        detail = answer.json["detail"]
        assert details(503, "overloaded", detail) == answer.json
        return str(detail)

    @property
    def waiting(self) -> int:
        """How many requests wait for an answer."""
        return self.forward.waiting


def routers(service: Service, addresses: Addresses) -> list[Any]:
    """Those of the paths that only an upstream can answer."""
    return [
        symbols.make_router(service, addresses),
        candles.make_router(service, addresses),
        feeds.make_router(service),
    ]


@contextlib.asynccontextmanager
async def gateway(
    upstream: str,
    headers: Headers = None,
    *,
    base_path: str = "",
    auth: Mapping[str, object] | None = None,
    **bounds: Any,
) -> AsyncIterator[Gateway]:
    """Serve an application that asks this upstream, until the block ends. Its own service has no symbol."""
    settings = Settings.model_validate({"server": {"base_path": base_path}, "auth": auth or {}})
    service, addresses = Service(settings, Clock()), Addresses(())
    given = headers if callable(headers) else lambda: headers or {}
    forward = Counted(upstream, given, addresses, **bounds)
    app = FastAPI()
    app.add_exception_handler(Elsewhere, answer_elsewhere)
    app.add_exception_handler(Problem, answer_problem)
    before = [Depends(Auth(service, addresses).require("prices")), Depends(check_parameters)]
    for router in routers(service, addresses):
        app.include_router(router, dependencies=[*before, Depends(forward)])
    turn, refusal = service.hub.requests.wait, lambda _: None
    app.add_middleware(Guard, turn=turn, refusal=refusal, origins=frozenset(), frame_ancestors=(), base_path=base_path)
    server = make_server(app, None, settings)
    sock = listen("127.0.0.1", 0)
    serving = asyncio.create_task(server.serve(sockets=[sock]), name="gateway")
    await until(lambda: server.started)
    try:
        yield Gateway(app, forward, sock.getsockname()[1])
    finally:
        await forward.aclose()
        server.should_exit = True
        await serving
        service.hub.close()


class Upstream(FakeExchange):
    """A scripted upstream, which answers nothing while its gate is shut."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()

    async def _answer(self, reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await self.gate.wait()
        return await super()._answer(reply, reader, writer)

    def sent(self, header: str) -> list[str | None]:
        """The values of a header in the requests so far."""
        return [request.headers.get(header) for request in self.requests]


Scenario = Callable[..., Awaitable[None]]


def asking(headers: Mapping[str, str] | None = None, path: str = "", **options: Any) -> Callable[[Scenario], Any]:
    """Make a test of a scenario that gets a scripted upstream, and a gateway with these options in front of it."""

    def decorate(scenario: Scenario) -> Any:
        def test(**fixtures: object) -> None:
            async def with_both() -> None:
                async with Upstream() as upstream:
                    upstream.serve("/api/feeds", Reply(body=b'{"feeds":{}}'))
                    async with gateway(upstream.base_url + path, headers, **options) as gate:
                        try:
                            await scenario(upstream, gate, **fixtures)
                        finally:
                            upstream.gate.set()

            run(with_both)

        _, _, *others = inspect.signature(scenario).parameters.values()
        test.__name__, test.__doc__ = scenario.__name__, scenario.__doc__
        test.__signature__ = inspect.Signature(others)  # type: ignore[attr-defined]  # what pytest reads
        return test

    return decorate


def told(answer: Answer) -> tuple[int, bytes, dict[str, str]]:
    """What an answer says to a reader."""
    names = ("content-type", "cache-control", "content-length", "etag", "retry-after")
    return answer.status, answer.body, {name: answer.headers[name] for name in names if name in answer.headers}


@pytest.mark.parametrize("base_path", ["", "/prices"])
def test_the_upstreams_answers_are_passed_on(base_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each path says what it says there, good or bad, JSON or a table, also below a base path of the gateway's own.

    What is invalid or missing is the upstream's to refuse; a proxy of the environment is not asked.
    """
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    targets = {
        "/api/symbols": 200, "/api/symbols?symbols=toy:*,NONE-USD": 200, "/api/candles/BTC-USD?interval=5m": 200,
        "/api/candles/toy:BTC-USD?interval=5m&format=csv": 200, "/api/sparklines?symbols=BTC-USD,ETH-USD&points=2": 200,
        "/api/sources/BTC-USD": 200, "/api/feeds": 200, "/api/sources/BTC-USDX": 404, "/api/sources/toy:BTC-USD": 404,
        "/api/candles/B%2A%2A%2AC": 400, "/api/candles/BTC-USD?limit=0": 400, "/api/sparklines": 400,
    }  # fmt: skip

    async def scenario() -> None:
        async with start() as live, gateway(f"http://127.0.0.1:{live.port}", base_path=base_path) as gate:
            for target, status in targets.items():
                before, after = await live.get(target), None
                while after is None or told(before) != told(after):  # until nothing has changed meanwhile
                    before = after or before
                    passed = await gate.get(target, base_path=base_path)
                    after = await live.get(target)
                assert (target, *told(passed)) == (target, *told(after))
                assert passed.status == status, target

    run(scenario)


def test_the_paths_are_described_as_ever() -> None:
    """The reference has the same paths, parameters and answers as without forwarding."""

    async def scenario() -> None:
        async with gateway("http://127.0.0.1:1") as gate:
            plain = FastAPI()
            for router in routers(Service(Settings(), Clock()), Addresses(())):
                plain.include_router(router)
            assert len(plain.openapi()["paths"]) >= 5
            assert gate.app.openapi() == plain.openapi()

    run(scenario)


ODD = '?symbols=*-EUR,a%2cB|{"}%C3&symbols=&_=%20+;'


@asking({"Authorization": f"Bearer {TOKEN}"}, path="/up/stream", base_path="/prices")
async def test_a_request_is_passed_on_as_it_was(upstream: Upstream, gate: Gateway) -> None:
    """Its path without our base path, its query byte for byte and two of its headers; our token, and its address."""
    upstream.serve("/up/stream/api/symbols", Reply(body=b'{"symbols":[]}'))
    own = ("Authorization: Bearer mine", "Cookie: a=b", "User-Agent: curl", "Accept-Encoding: gzip", "Via: x")
    both = ("Accept: text/csv", 'If-None-Match: "caf\xe9"', "Accept: */*")
    await gate.get(ODD, *own, *both, base_path="/prices/api/symbols")
    (request,) = upstream.requests
    assert request.target == f"/up/stream/api/symbols{ODD}"
    assert request.headers == {
        "host": f"127.0.0.1:{upstream.port}", "connection": "keep-alive", "user-agent": f"ticker/{__version__}",
        "accept-encoding": "identity", "authorization": f"Bearer {TOKEN}", "x-forwarded-for": "127.0.0.1",
        "accept": "text/csv, */*", "if-none-match": '"caf\xe9"',
    }  # fmt: skip


@asking()
async def test_a_path_is_passed_on_in_one_spelling(upstream: Upstream, gate: Gateway) -> None:
    """The symbol in a path arrives whole, whatever is in it."""
    await gate.get("/api/sources/t%6Fy:%5EG%2A%20%3F%C3%A9")
    assert [request.target for request in upstream.requests] == ["/api/sources/toy:%5EG%2A%20%3F%C3%A9"]


@asking()
async def test_what_the_gateway_refuses_is_not_asked(upstream: Upstream, gate: Gateway) -> None:
    """A parameter that the path does not have, and one given twice, are refused here."""
    for query in ("limitt=5", "limit=5&limit=6"):
        assert (await gate.get(f"/api/candles/BTC-USD?{query}")).status == 400
    assert upstream.requests == []


def test_a_token_in_the_query_stays_here(tmp_path: Path) -> None:
    """It is for the gateway, in every spelling; without one the upstream is not asked."""
    file = tmp_path / "tokens.toml"
    file.write_text(entry("wall", TOKEN))

    @asking(auth={"tokens_file": str(file), "query": True})
    async def scenario(upstream: Upstream, gate: Gateway) -> None:
        assert (await gate.get("/api/feeds")).status == 401
        for query in (f"token={TOKEN}", f"_a=1&token={TOKEN}&_b=2", f"%74oken={TOKEN}"):
            assert (await gate.get(f"/api/feeds?{query}")).status == 200
        assert [r.target for r in upstream.requests] == ["/api/feeds", "/api/feeds?_a=1&_b=2", "/api/feeds"]

    scenario()


@asking()
async def test_a_head_request_gets_the_head(upstream: Upstream, gate: Gateway) -> None:
    """It is asked there as GET, and answered here without the body."""
    answer = await gate.get("/api/feeds", method="HEAD")
    assert (answer.status, answer.headers["content-length"], answer.body) == (200, "12", b"")


@asking()
async def test_only_known_headers_of_an_answer_are_passed_on(upstream: Upstream, gate: Gateway) -> None:
    """Not those of a proxy in between; cookies are not kept either: they would be everybody's."""
    good = {"Content-Type": "application/json", "ETag": '"1"', "Cache-Control": "no-cache", "Retry-After": "7"}
    bad = {"Set-Cookie": "a=b; Path=/", "X-Inner": "x", "Server": "x", "Vary": "Cookie"}
    upstream.script("/api/feeds", Reply(headers=good | bad))
    answer = await gate.get("/api/feeds")
    assert {name: answer.headers[name.lower()] for name in good} == good
    assert not {name.lower() for name in bad} & answer.headers.keys()
    await gate.get("/api/feeds")
    assert upstream.sent("cookie") == [None, None]


@asking()
async def test_an_unchanged_answer_stays_unchanged(upstream: Upstream, gate: Gateway) -> None:
    """304 is passed on to who has asked for it with If-None-Match; to anybody else it is no answer."""
    unchanged = Reply(status=304, headers={"ETag": '"1"'}, body=b"")
    upstream.script("/api/feeds", unchanged, unchanged)
    answer = await gate.get("/api/feeds", 'If-None-Match: "1"')
    assert (answer.status, answer.headers["etag"], answer.body) == (304, '"1"', b"")
    assert await gate.refusal() == (
        f"the upstream {upstream.base_url} answers with HTTP status 304 and no content type, which is no answer of a"
        " ticker service"
    )


@serving(server={"trusted_proxies": ["127.0.0.1"]}, limits={"snapshot_symbols_per_s": 1})
async def test_the_client_is_charged_and_not_the_gateway(live: Live) -> None:
    """To an upstream that trusts the gateway as a proxy: one client has asked for too much, another one has not."""
    async with gateway(f"http://127.0.0.1:{live.port}") as gate:
        live.clock.stand()
        target, wants = "/api/symbols?symbols=BTC-USD", ("127.0.0.2",) * 3 + ("127.0.0.3",)
        asked = [await gate.get(target, source=address) for address in wants]
        assert [answer.status for answer in asked] == [200, 200, 503, 200]
        assert asked[2].headers["retry-after"] == "1"


def test_a_renewed_token_counts_for_the_next_request() -> None:
    """And if there is none at the moment the upstream is not asked: it would refuse. Its reader is told why."""
    given: list[Mapping[str, str] | ConfigError] = [
        {"Authorization": "Bearer one"}, ConfigError("upstream.token_file: no such file or directory"),
        {"Authorization": "Bearer two"},
    ]  # fmt: skip

    def headers() -> Mapping[str, str]:
        now = given.pop(0)
        if isinstance(now, ConfigError):
            raise now
        return now

    async def scenario() -> None:
        async with Upstream() as upstream:
            upstream.serve("/api/feeds", Reply(body=b'{"feeds":{}}'))
            async with gateway(upstream.base_url.replace("://", "://us:pass@"), headers) as gate:
                assert (await gate.get("/api/feeds")).status == 200
                why = f"the upstream {upstream.base_url} is not asked: upstream.token_file: no such file or directory"
                assert await gate.refusal() == why
                assert (await gate.get("/api/feeds")).status == 200
            assert upstream.sent("authorization") == ["Bearer one", "Bearer two"]

    run(scenario)


NO_ANSWER = "{} answers with HTTP status {} and {}, which is no answer of a ticker service"
REFUSED = "{} refuses this gateway (HTTP status {}); check upstream.token_file here, and server.hosts there"
BROKEN = "{} broke off its answer, or does not speak HTTP"
LARGE = "the answer of {} is larger than 1 MB; ask for fewer symbols"
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        pytest.param(Reply(headers={"Content-Type": "text/html"}), NO_ANSWER.format("{}", 200, "text/html"), id="html"),
        pytest.param(Reply(headers={}), NO_ANSWER.format("{}", 200, "no content type"), id="no-type"),
        pytest.param(
            Reply(status=502, headers={"Content-Type": "Text/HTML; charset=utf-8"}),
            NO_ANSWER.format("{}", 502, "text/html"),
            id="proxy",
        ),
        pytest.param(Reply(status=404), NO_ANSWER.format("{}", 404, "application/json"), id="another-service"),
        pytest.param(
            Reply(status=307, headers=JSON | {"Location": "https://x.example/?token=t"}),
            "{} redirects (HTTP status 307); the gateway needs the address to which it does",
            id="redirect",
        ),
        pytest.param(Reply(status=401, headers=PROBLEM), REFUSED.format("{}", 401), id="token"),
        pytest.param(Reply(status=403, headers=PROBLEM), REFUSED.format("{}", 403), id="host"),
        pytest.param(
            Reply(headers=JSON | {"Content-Encoding": "gzip"}),
            "{} sent a compressed answer, which was not asked for",
            id="gzip",
        ),
        pytest.param(CLOSED, BROKEN, id="closed"),
        pytest.param(Reply(instead=b"SSH-2.0-OpenSSH\r\n"), BROKEN, id="ssh"),
        pytest.param(Reply(claimed_length=99), BROKEN, id="cut-short"),
        pytest.param(Reply(instead=CHUNKED + b"5\r\n12345\r\n"), BROKEN, id="chunk-missing"),
        pytest.param(Reply(body=bytes(MB + 1)), LARGE, id="large"),
        pytest.param(Reply(body=bytes(2 * MB), claimed_length=10**12), LARGE, id="without-end"),
    ],
)
def test_what_is_no_answer_is_a_problem(reply: Reply, said: str) -> None:
    """503 with the reason, whatever the upstream did; it names the upstream, but no token. Then all is well."""

    @asking({"Authorization": f"Bearer {TOKEN}"}, body_bytes=MB)
    async def scenario(upstream: Upstream, gate: Gateway) -> None:
        upstream.script("/api/feeds", reply)
        assert await gate.refusal() == said.format(f"the upstream {upstream.base_url}")
        assert (await gate.get("/api/feeds")).json == {"feeds": {}}

    scenario()


@asking(body_bytes=MB)
async def test_the_largest_answer_is_passed_on(upstream: Upstream, gate: Gateway) -> None:
    """As many bytes as are allowed, in one piece or in chunks, as a table."""
    body = b"x" * MB
    upstream.script("/api/candles/A", Reply(body=body, headers=CSV))
    upstream.script("/api/candles/A", Reply(instead=CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (MB, body)))
    for _ in range(2):
        assert (await gate.get("/api/candles/A")).body == body


@pytest.mark.parametrize(
    ("own", "sent"), [({}, "Basic dXM6cEBzcw=="), ({"authorization": f"Bearer {TOKEN}"}, f"Bearer {TOKEN}")]
)
def test_a_login_in_the_address_is_sent_and_not_shown(own: Mapping[str, str], sent: str) -> None:
    """Name and password of the upstream's URL, unless there is a token; a problem shows neither."""

    async def scenario() -> None:
        async with Upstream() as upstream:
            base = f"127.0.0.1:{upstream.port}/base"
            async with gateway(f"http://us:p%40ss@{base}", own) as gate:
                said = await gate.refusal()
                assert said == NO_ANSWER.format(f"the upstream http://{base}", 404, "application/json")
                assert upstream.sent("authorization") == [sent]

    run(scenario)


def test_an_upstream_may_be_away(port: int) -> None:
    """It is told where it was looked for."""

    async def scenario() -> None:
        where = f"http://127.0.0.1:{port}"
        async with gateway(where) as gate:
            assert await gate.refusal() == f"cannot connect to the upstream {where}; is it running?"
        async with gateway("http://nowhere.invalid") as gate:
            assert await gate.refusal() == "cannot connect to the upstream http://nowhere.invalid; is it running?"
        async with Upstream() as upstream, gateway(upstream.base_url.replace("http:", "https:")) as gate:
            name = f"the upstream https://127.0.0.1:{upstream.port}"
            assert await gate.refusal() == f"cannot connect to {name}; is it running?"

    run(scenario)


@asking(timeout_s=0.3)
async def test_an_answer_must_come_in_time(upstream: Upstream, gate: Gateway) -> None:
    """All of it: an upstream that is silent, or that sends a byte now and then, does not hold anybody."""
    said = f"the upstream {upstream.base_url} sent no complete answer within 0.3 s"
    upstream.script("/api/feeds", HANG, Reply(body=b"{}" + b" " * 10_000, byte_pause_s=0.05))
    for _ in range(2):
        assert await gate.refusal() == said


def test_a_connection_must_be_made_in_time() -> None:
    """An address at which nobody answers is told sooner than an answer that takes long."""

    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes the connection, but never speaks TLS
            name = f"https://127.0.0.1:{silent.getsockname()[1]}"
            async with gateway(name, timeout_s=3600, connect_s=0.2) as gate:
                assert await gate.refusal() == f"cannot connect to the upstream {name}; is it running?"

    run(scenario)


@pytest.mark.needs("openssl")
def test_https_is_trusted_as_by_the_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate must be trusted by the system, or be in SSL_CERT_FILE."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make = [
        find_program("openssl") or "", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-days", "2", "-subj", "/CN=ticker", "-addext", "subjectAltName=IP:127.0.0.1",
        "-keyout", str(key), "-out", str(cert),
    ]  # fmt: skip
    subprocess.run(make, check=True, capture_output=True)

    async def scenario() -> None:
        async with start({"server": {"tls_cert": str(cert), "tls_key": str(key)}}) as live:
            name = f"https://127.0.0.1:{live.port}"
            async with gateway(name) as gate:
                assert await gate.refusal() == f"cannot connect to the upstream {name}; is it running?"
            monkeypatch.setenv("SSL_CERT_FILE", str(cert))
            async with gateway(name) as gate:
                assert (await gate.get("/api/sources/BTC-USD")).json["source"] == "toy"

    run(scenario)


def reply(number: int) -> Reply:
    """An answer that is told from others."""
    return Reply(body=b'{"feeds":%d}' % number)


@asking()
async def test_the_same_is_asked_once_at_a_time(upstream: Upstream, gate: Gateway) -> None:
    """Requests for the same URL share one answer, whoever makes them, and GET with HEAD; a later one asks again.

    Different headers Accept or If-None-Match may mean different answers, and a different query does.
    """
    upstream.gate.clear()
    upstream.script("/api/feeds", reply(1), reply(2), reply(3))
    async with asyncio.TaskGroup() as tasks:
        get = [tasks.create_task(gate.get("/api/feeds", source=f"127.0.0.{1 + i % 3}")) for i in range(30)]
        get.append(tasks.create_task(gate.get("/api/feeds", method="HEAD")))
        await until(lambda: gate.waiting == 31 and upstream.requests)
        get.append(tasks.create_task(gate.get("/api/feeds", "Accept: text/csv")))
        await until(lambda: gate.waiting == 32 and len(upstream.requests) == 2)
        get.append(tasks.create_task(gate.get("/api/feeds", 'If-None-Match: "1"')))
        await until(lambda: gate.waiting == 33 and len(upstream.requests) == 3)
        get.append(tasks.create_task(gate.get("/api/feeds?_=1")))
        await until(lambda: gate.waiting == 34 and len(upstream.requests) == 4)
        upstream.gate.set()
    bodies = [task.result().body for task in get]
    assert bodies == [b'{"feeds":1}'] * 30 + [b"", b'{"feeds":2}', b'{"feeds":3}', b'{"feeds":{}}']
    assert [task.result().status for task in get] == [200] * 34
    upstream.script("/api/feeds", reply(5))
    assert (await gate.get("/api/feeds")).body == b'{"feeds":5}'


@asking()
async def test_a_refusal_is_not_shared_with_other_addresses(upstream: Upstream, gate: Gateway) -> None:
    """Two addresses have asked for too much; who asked for the same at that moment asks again, and for itself."""
    wait = json.dumps(details(503, "overloaded", "wait")).encode()
    refusal = Reply(status=503, headers=PROBLEM | {"Retry-After": "9"}, body=wait)
    upstream.gate.clear()
    upstream.script("/api/feeds", refusal, refusal, reply(3))
    addresses = [f"127.0.0.{i}" for i in (2, 2, 3, 3, 4, 4)]
    async with asyncio.TaskGroup() as tasks:
        get = [tasks.create_task(gate.get("/api/feeds", source=addresses[0]))]
        await until(lambda: gate.waiting == 1)
        get += [tasks.create_task(gate.get("/api/feeds", source=address)) for address in addresses[1:]]
        await until(lambda: gate.waiting == 6)
        upstream.gate.set()
    first, second, third = upstream.sent("x-forwarded-for")
    assert (first, {second, third}) == ("127.0.0.2", {"127.0.0.3", "127.0.0.4"})
    for address, task in zip(addresses, get, strict=True):
        answer = task.result()
        told = answer.status, answer.headers.get("retry-after"), answer.body
        assert told == ((200, None, reply(3).body) if address == third else (503, "9", wait))


def request() -> Request:
    """A request as the router hands it on, for tests in which it is cancelled: no server does that while it runs."""
    return Request({
        "type": "http", "client": ("127.0.0.1", 1), "headers": [], "query_string": b"", "path_params": {},
        "route": SimpleNamespace(path_format="/api/feeds"),
    })  # fmt: skip


@asking()
async def test_a_cancelled_request_fails_no_other(upstream: Upstream, gate: Gateway) -> None:
    """Also the one that has begun to ask."""
    forward = gate.forward
    upstream.gate.clear()
    first, second = (asyncio.create_task(forward(request())) for _ in range(2))
    await until(lambda: gate.waiting == 2 and upstream.requests)
    first.cancel()
    await asyncio.wait({first})
    assert first.cancelled()
    upstream.gate.set()
    with pytest.raises(Elsewhere) as answered:
        await second
    assert answered.value.response.body == b'{"feeds":{}}'


@asking(at_once=2)
async def test_the_upstream_gets_so_many_requests_at_once(upstream: Upstream, gate: Gateway) -> None:
    """More wait for their turn, which comes."""
    upstream.gate.clear()
    async with asyncio.TaskGroup() as tasks:
        get = [tasks.create_task(gate.get(f"/api/feeds?_={i}", source=f"127.0.0.{1 + i}")) for i in range(7)]
        await until(lambda: gate.waiting == 7 and len(upstream.requests) >= 2)
        upstream.gate.set()
    assert [task.result().status for task in get] == [200] * 7
    assert upstream.most_in_flight == 2


@asking(at_once=4)
async def test_no_address_takes_all_turns(upstream: Upstream, gate: Gateway) -> None:
    """However much one asks for, half of what the upstream gets at once may be for others.

    Seen: who asked for the same as a request of that one waited with it, and was refused in the end.
    """
    slow = [f"/api/feeds?_={i}" for i in range(9)]
    for target in slow:
        upstream.serve(target, HANG)
    tasks = [asyncio.create_task(gate.get(target)) for target in slow]
    await until(lambda: gate.waiting == 9 and len(upstream.requests) >= 2)
    tasks.append(asyncio.create_task(gate.get("/api/feeds")))
    await until(lambda: gate.waiting == 10)
    assert [(await gate.get("/api/feeds", source=f"127.0.0.{i}")).status for i in (2, 3)] == [200, 200]
    assert len(upstream.requests) == 4
    await gate.forward.aclose()
    await asyncio.wait(tasks)


@asking(in_hand_bytes=12 * MB)
async def test_answers_that_are_not_taken_are_bounded(upstream: Upstream, gate: Gateway) -> None:
    """For each address; one answer is always sent. It counts until it has been taken, or its client has left."""
    upstream.serve("/api/feeds", Reply(body=bytes(8 * MB)))
    upstream.serve("/api/symbols", Reply())
    with socket.socket() as sock:
        slow = Peer(sock)
        await slow.connect(gate.port, 4096)
        await slow.request("GET", "/api/feeds")
        await until(lambda: gate.forward._in_hand)
        assert await gate.refusal() == "large answers for this address are still on their way; wait"
        assert (await gate.get("/api/feeds", source="127.0.0.2")).status == 200
        assert (await gate.get("/api/symbols")).status == 200
        slow.reset()
    await until(lambda: not gate.forward._in_hand)
    upstream.serve("/api/feeds", Reply(body=bytes(16 * MB)))
    for _ in range(3):
        assert (await gate.get("/api/feeds")).status == 200
        await until(lambda: not gate.forward._in_hand)


@asking(at_once=1, timeout_s=0.2)
async def test_a_turn_must_come_in_time(upstream: Upstream, gate: Gateway) -> None:
    """Who waits too long for it is told so, and leaves no trace."""
    async with gate.forward._turns:
        said = f"too many requests wait for the upstream {upstream.base_url}; try again later"
        assert await gate.refusal() == said
    assert (await gate.get("/api/feeds")).status == 200


@asking(at_once=1)
async def test_closing_answers_who_waits(upstream: Upstream, gate: Gateway) -> None:
    """For an answer, for a turn, or with a request that has just come; later ones are told the same."""
    upstream.gate.clear()
    async with asyncio.TaskGroup() as tasks:
        said = [tasks.create_task(gate.refusal(f"/api/feeds?_={i}")) for i in (1, 1, 2)]
        await until(lambda: gate.waiting == 3 and upstream.requests)
        fresh = asyncio.create_task(gate.forward(request()))
        await asyncio.sleep(0)
        await gate.forward.aclose()
        with pytest.raises(Problem, match=r"^the service is stopping$"):
            await fresh
    assert [task.result() for task in said] == ["the service is stopping"] * 3
    await gate.forward.aclose()
    assert await gate.refusal() == "the service is stopping"
    assert await gate.refusal("/api/feeds?_=1") == "the service is stopping"
