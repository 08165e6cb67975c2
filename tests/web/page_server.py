"""The surroundings of the page in its tests: a file server, and a service whose every frame the test controls.

The file server sends the real one's headers, so that violations of its policy show. The service speaks the stream
protocol through a `WebSocket` of ours: Playwright's `route_web_socket` never forgets a connection, and tells each of
them of each later visit of its page. A `Visit` is one use of a page between the two; its end fails on console errors
and on violations of the policy, such as a request to anywhere else.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import re
import threading
import types
import urllib.parse
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Request,
    Response,
    ViewportSize,
    WebSocketRoute,
    expect,
)  # fmt: skip

from tests.browser import PATIENCE_MS
from web.page import located, read
from web.vendor import FILES

STATIC = pathlib.Path(__file__).resolve().parents[2] / "web" / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGES = {"": "index.html", "status": "status.html"}
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
EPOCH = 1_795_386_000_123
START_MS = 1_795_386_000_000
SILENT: dict[str, dict[str, Any]] = {"api/candles": {"bars": []}, "api/sources": {"venues": []}}
"""The answers of a service that has no data."""
SELECTION = "9f3a61c27b04d5e8"
SEEN_MS = 20
"""How far the page's clock is moved between two checks: about one frame."""
LATER_MS = 100
"""The same where frames do not matter."""
REAL_FRAME = "() => new Promise((painted) => globalThis.__pwClock.builtins.requestAnimationFrame(painted))"
"""Waits for the browser's next frame, in which even a page with a stopped clock gets its scroll events."""
STOP_S = 0.02
"""How often the server checks whether it should end."""
SETTLE_MS = 5
"""The pause between two checks for requests that have not been answered yet."""
USUAL_MEDIA: dict[str, Any] = {
    "media": "null", "color_scheme": "light", "forced_colors": "none", "reduced_motion": "no-preference",
}  # fmt: skip
"""What a page finds in its media queries, unless a visit wants another."""
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
"""The size of a page's window, unless a visit wants another."""
LIVE_FEED = {"state": "live", "since": START_MS, "kind": "live", "clock": "exchange", "message": None}
SOCKETS = """
  globalThis.WebSocket = class Socket extends EventTarget {
    static CONNECTING = 0;
    static OPEN = 1;
    static CLOSING = 2;
    static CLOSED = 3;
    static all = new Map();
    static answers = []; // promises of those to what the page has said
    static passedMs = 0; // since `advance` began to move the clock
    id = crypto.randomUUID();
    readyState = Socket.CONNECTING;

    constructor(url) {
      super();
      Socket.all.set(this.id, this);
      this.#say("url", String(url));
    }
    send(text) {
      if (this.readyState === Socket.CONNECTING) throw new DOMException("Still connecting.", "InvalidStateError");
      if (this.readyState === Socket.OPEN) this.#say("text", text);
    }
    #say(kind, text) {
      Socket.answers.push(hearPage(this.id, kind, text, Socket.passedMs));
    }
    close(code = 1005, reason = "") {
      if (this.readyState >= Socket.CLOSING) return;
      this.readyState = Socket.CLOSING;
      queueMicrotask(() => Socket.hear([[this.id, "close", { code, reason, wasClean: true }]]));
    }

    /** Move the page's clock. It stands still while the service answers: else that came at any time. */
    static async run(ms, stepMs) {
      while (Socket.passedMs < ms) {
        const next = Math.min(stepMs, ms - Socket.passedMs);
        Socket.passedMs += next;
        await __pwClock.controller.runFor(next);
        while (Socket.answers.length > 0) await Promise.all(Socket.answers.splice(0));
      }
      Socket.passedMs = 0;
    }

    /** What the service does: at which connection, which event, and what that says. */
    static hear(events) {
      for (const [id, type, said] of events) {
        const socket = Socket.all.get(id); // none: it was one of the page that was here before
        if (socket === undefined || socket.readyState > (type === "close" ? Socket.CLOSING : Socket.OPEN)) continue;
        if (type !== "message") socket.readyState = type === "open" ? Socket.OPEN : Socket.CLOSED;
        const kind = { open: Event, message: MessageEvent, close: CloseEvent }[type];
        socket.dispatchEvent(new kind(type, said));
      }
    }
  };
"""
"""The page's `WebSocket`, which a `Connection` is the other end of."""
WATCH_POLICY = """
  window.policyViolations = [];
  addEventListener("securitypolicyviolation", (event) => {
    window.policyViolations.push(`${event.violatedDirective} ${event.blockedURI}`);
  });
"""

UNSEEN = """{
  const unseen = new CSSStyleSheet();
  unseen.replaceSync("html { opacity: 0 }");
  document.adoptedStyleSheets = [unseen];
}"""
"""Lays a page out as ever, but paints nothing, which saves a fifth of its CPU."""

Fields = Mapping[str, Any]


class FileServer(ThreadingHTTPServer):
    request_queue_size = 128  # the default of five is too few for a browser's six connections


class PageServer:
    """Serves `web/static` and what the page asks for over HTTP, on a free port of loopback, below a base path."""

    def __init__(self, base_path: str = "/") -> None:
        self.base_path = base_path
        self.forget()
        self._server = FileServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(STOP_S,), name="page-server")

    def forget(self) -> None:
        """Have no data and no record of requests."""
        self.closes: dict[str, list[float | None]] | None = {}
        """The data of `api/sparklines`; None: there is no such endpoint."""
        self.closes_end_ms = START_MS
        self.answers: dict[str, dict[str, Any]] = {}
        """Answers of other paths, by the path, or by the path without its last part: `api/feeds`, `api/candles`."""
        self.requested: list[str] = []

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return self.origin + self.base_path

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are two writes; each would wait 40 ms for the other

            def handle(self) -> None:
                with contextlib.suppress(ConnectionError):  # the browser may have ended
                    super().handle()

            def do_GET(self) -> None:
                status, content_type, body = server.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Security-Policy", POLICY)
                self.send_header("X-Content-Type-Options", "nosniff")
                self.send_header("Cache-Control", server.keeping(self.path))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """The test's own output is enough."""

        return Handler

    def keeping(self, target: str) -> str:
        """How long a browser may keep it: scripts and styles for all visits, which makes these a third faster."""
        return "max-age=3600" if target.endswith((".js", ".css", ".svg")) else "no-store"

    def answer(self, target: str) -> tuple[int, str, bytes]:
        """Status, content type and body for a request target."""
        self.requested.append(target)
        parts = urllib.parse.urlsplit(target)
        name, _ = located(parts.path.removeprefix(self.base_path))
        if not parts.path.startswith(self.base_path):
            return 404, "application/problem+json", b'{"status":404}'
        if name == "api/sparklines" and self.closes is not None:
            wanted = urllib.parse.parse_qs(parts.query)["symbols"][0].split(",")
            closes = {symbol: self.closes[symbol] for symbol in wanted if symbol in self.closes}
            answer = {"interval": "1m", "end": self.closes_end_ms, "closes": closes}
            return 200, "application/json", json.dumps(answer).encode()
        answers = SILENT | self.answers
        said = answers.get(name) or answers.get(name.rpartition("/")[0])
        if said is not None:
            if "bars" in said:
                most = int(urllib.parse.parse_qs(parts.query)["limit"][0])
                said = said | {"bars": said["bars"][-most:]}
            return int(said.get("status", 200)), "application/json", json.dumps(said).encode()
        file: pathlib.Path | None = STATIC / PAGES.get(name, name)
        if name.startswith("vendor/"):
            vendored = FILES.get(name.removeprefix("vendor/"))
            file = vendored.find() if vendored else None
        elif file is not None and not file.resolve().is_relative_to(STATIC):
            file = None
        if file is not None and file.is_file():
            return 200, CONTENT_TYPES[file.suffix], read(file).plain
        return 404, "application/problem+json", b'{"status":404}'


class Connection:
    """The service's end of a `WebSocket` of the page, with what is used of Playwright's `WebSocketRoute`."""

    def __init__(self, tab: Tab, name: str, url: str) -> None:
        self._tab = tab
        self._name = name
        self.url = url
        self.closed = False
        self.take: Callable[[str], None] = lambda _text: None

    def on_message(self, take: Callable[[str], None]) -> None:
        self.take = take

    def send(self, text: str) -> None:
        self._tab.tell(self._name, "message", {"data": text})

    def close(self, *, code: int, reason: str) -> None:
        self.closed = True
        self._tab.tell(self._name, "close", {"code": code, "reason": reason, "wasClean": True})


class Service:
    """The other end of the page's stream. It follows the protocol unless a test says otherwise."""

    def __init__(self) -> None:
        self.connections: list[Connection | WebSocketRoute] = []
        self.received: list[dict[str, Any]] = []
        """The page's messages on the last connection, without pings."""
        self.epoch = EPOCH
        self.version = 4711
        self.time_ms = START_MS
        self.kinds: list[str] = ["live"]
        self.protocol = 1
        self.heartbeat_ms = 5000
        self.quotes: dict[str, dict[str, Any]] = {}
        self.feeds: dict[str, dict[str, Any]] = {}
        self.patterns: list[str] = []
        """What the page has subscribed to on the present connection."""
        self.fields: list[str] | None = None
        """The fields of that; None: all."""
        self.mute = False
        """True: not even pings are answered."""
        self.unheard: list[dict[str, Any]] = []
        """What came while mute, without pings; a test may let it `take` them later."""
        self.late: list[dict[str, Any]] | None = None
        """If a list, pongs wait here."""
        self.tokens: list[str] = []
        """Those that the page has sent."""
        self.accepting = True
        """False: every connection is closed at once, as by a server that is down."""
        self.answer_subscribe: Callable[[dict[str, Any]], None] = self.send_snapshot

    def connected(self, route: Connection | WebSocketRoute) -> None:
        self.connections.append(route)
        self.received = []
        if not self.accepting:
            route.close(code=1013, reason="down")
            return
        route.on_message(lambda text: self.take(json.loads(text)))

    def take(self, message: dict[str, Any]) -> None:
        """Handle a message of the page."""
        if self.mute:
            self.unheard += [message] if message["op"] != "ping" else []
            return
        if message["op"] == "ping":
            pong = {"type": "pong", "id": message["id"], "time": self.time_ms}
            if self.late is None:
                self.send(pong)
            else:
                self.late.append(pong)
            return
        if message["op"] == "auth":
            self.tokens.append(message["token"])
            return
        self.received.append(message)
        if len(self.received) > 1:
            self._change(message)
            return
        self.patterns, self.fields = list(message["symbols"]), message.get("fields")
        self.send(self.hello())
        self.answer_subscribe(message)

    def _change(self, message: dict[str, Any]) -> None:
        """The page changes its subscription."""
        before = set(self.selected())
        if message["op"] == "subscribe":
            self.patterns += [pattern for pattern in message["symbols"] if pattern not in self.patterns]
            if "fields" in message and message["fields"] != self.fields:
                self.fields = message["fields"]
                self.send_snapshot(message)
                return
            self.send_subscribed(resumed=False, to=message["id"])
        else:
            self.patterns = [pattern for pattern in self.patterns if pattern not in message["symbols"]]
            self.send({"type": "unsubscribed", "id": message["id"], "selection": SELECTION})
        self.update({s: q for s, q in self.selected().items() if s not in before}, version=self.version)

    def selected(self) -> dict[str, dict[str, Any]]:
        """Its quotes among those that the page has subscribed to."""
        wanted = [re.compile(re.escape(pattern).replace(r"\*", "[^:]*")) for pattern in self.patterns]
        chosen = {s: fields for s, fields in self.quotes.items() if any(one.fullmatch(s) for one in wanted)}
        if self.fields is None:
            return chosen
        return {s: {f: v for f, v in fields.items() if f in self.fields} for s, fields in chosen.items()}

    def hello(self) -> dict[str, Any]:
        return {
            "type": "hello", "protocol": self.protocol, "server": "ticker/0", "epoch": self.epoch,
            "version": self.version, "time": self.time_ms, "kinds": self.kinds, "heartbeat_ms": self.heartbeat_ms,
            "limits": {},
        }  # fmt: skip

    def send_subscribed(self, *, resumed: bool, to: int = 1) -> None:
        self.send({
            "type": "subscribed", "id": to, "patterns": self.patterns, "matched": len(self.selected()), "fields": None,
            "interval_ms": 50, "selection": SELECTION, "resumed": resumed, "unknown": [], "rejected": [],
        })  # fmt: skip

    def send_snapshot(self, message: dict[str, Any]) -> None:
        """Answer a subscription with everything."""
        self.send_subscribed(resumed=False, to=message["id"])
        self.send({
            "type": "snapshot", "epoch": self.epoch, "version": self.version, "time": self.time_ms,
            "quotes": self.selected(), "feeds": self.feeds,
        })  # fmt: skip

    def update(
        self,
        quotes: Mapping[str, Fields] | None = None,
        *,
        gone: Sequence[str] = (),
        feeds: Mapping[str, Fields] | None = None,
        since: int | None = None,
        version: int | None = None,
    ) -> None:
        """Change quotes, and send the change. `since` and `version` may be wrong on purpose."""
        before = self.version
        self.version = self.version + 1 if version is None else version
        for symbol, fields in (quotes or {}).items():
            self.quotes.setdefault(symbol, {}).update(fields)
        for symbol in gone:
            self.quotes.pop(symbol, None)
        frame: dict[str, Any] = {
            "type": "update", "since": before if since is None else since, "version": self.version,
            "time": self.time_ms,
        }  # fmt: skip
        if quotes:
            frame["quotes"] = quotes
        if gone:
            frame["gone"] = list(gone)
        if feeds:
            frame["feeds"] = feeds
        self.send(frame)

    def send(self, frame: Mapping[str, Any]) -> None:
        self.send_text(json.dumps(frame))

    def send_text(self, text: str) -> None:
        self.connections[-1].send(text)

    def close(self, code: int = 1012) -> None:
        """End the present connection."""
        self.connections[-1].close(code=code, reason="")


class Tab:
    """A page of a browser context, reused by one visit after the other: a new one costs two seconds of CPU.

    Attributes:
        visit: the present one.
        still: its clock stands still, and its random numbers are always one half.
        asked: its requests that have not been answered yet, if its clock stands still.
        emulates: its media are not `USUAL_MEDIA`.
    """

    def __init__(self, browser: Browser, *, still: bool, context: Mapping[str, Any]) -> None:
        self.visit: Visit | None = None
        self.still = still
        self.asked: set[Request] = set()
        self.emulates = False
        self._passed_ms = 0
        self._connections: dict[str, Connection] = {}
        self._answers: list[tuple[str, str, Fields]] | None = None
        """What the service answers to the page's message that it is just hearing."""
        self.page = browser.new_context(**context, viewport=DESKTOP).new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.add_init_script(WATCH_POLICY)
        self.page.add_init_script(UNSEEN)
        if still:  # each request is an event or three, which cost as much as the page makes of it
            self.page.add_init_script("Math.random = () => 0.5")
            self.page.clock.install(time=START_MS / 1000)
            self.page.clock.pause_at(START_MS / 1000 + 1)
            self.page.on("request", self._asks)
            self.page.on("response", self._refused)
            self.page.on("requestfinished", self._answered)
            self.page.on("requestfailed", self._answered)
        self.page.expose_binding("hearPage", self._hear)
        self.page.add_init_script(SOCKETS)
        self.page.on("console", self._console)
        self.page.on("pageerror", self._failed)

    def advance(self, milliseconds: int) -> None:
        """Move the clocks of the page and of the service, both by the same steps."""
        # As `clock.run_for` does, but without its record, which every later visit would replay.
        step_ms = SEEN_MS if milliseconds < 1000 else LATER_MS
        self.page.evaluate("([ms, stepMs]) => WebSocket.run(ms, stepMs)", [milliseconds, step_ms])
        self._pass(milliseconds)
        self._passed_ms = 0

    def _pass(self, milliseconds: int) -> None:
        """Let the service's clock show this much more than when the page's began to move."""
        if self.visit is not None:
            self.visit.service.time_ms += milliseconds - self._passed_ms
            self._passed_ms = milliseconds

    def _hear(self, _: object, name: str, kind: str, text: str, passed_ms: int) -> None:
        """The page opens a connection to a URL, or sends a text; all that the service answers arrives at once."""
        if self.visit is None:
            return
        self._pass(passed_ms)
        self._answers = []
        try:
            if kind == "url":
                self._connect(name, text, self.visit)
            else:
                self._connections[name].take(text)
        finally:
            answers, self._answers = self._answers, None
        self._send(answers)

    def _connect(self, name: str, url: str, visit: Visit) -> None:
        if url != (wanted := visit.server.url.replace("http", "ws", 1) + "ws"):
            visit.problems.append(f"a connection to {url} instead of {wanted}")
        connection = self._connections[name] = Connection(self, name, url)
        visit.service.connected(connection)
        if not connection.closed:
            self.tell(name, "open", {})

    def tell(self, name: str, event: str, said: Fields) -> None:
        """Let an event happen at a connection of the page."""
        if self._answers is None:
            self._send([(name, event, said)])
        else:
            self._answers.append((name, event, said))

    def _send(self, events: Sequence[tuple[str, str, Fields]]) -> None:
        with contextlib.suppress(Error):  # the page is just being left
            self.page.evaluate("(events) => WebSocket.hear?.(events)", events)

    def _console(self, message: ConsoleMessage) -> None:
        if self.visit is not None and message.type in {"error", "warning"}:
            self.visit.problems.append(f"{message.type}: {message.text}")

    def _failed(self, error: Error) -> None:
        if self.visit is not None:
            self.visit.problems.append(f"uncaught {error}")

    def _asks(self, request: Request) -> None:
        self.asked.add(request)

    def _answered(self, request: Request) -> None:
        self.asked.discard(request)

    def _refused(self, response: Response) -> None:
        if not response.ok:  # its body is not read, so it never finishes
            self.asked.discard(response.request)

    def begin(self, visit: Visit) -> None:
        """Be the page of this visit."""
        self.visit = visit
        self.asked.clear()
        self._passed_ms = 0
        self._connections.clear()

    def settle(self) -> None:
        """Wait until all its requests are answered: the server's clock is not the page's."""
        for _ in range(PATIENCE_MS // SETTLE_MS):
            if not self.asked:
                return
            self.page.wait_for_timeout(SETTLE_MS)
        pytest.fail(f"no answer to {[request.url for request in self.asked]}")

    def end(self) -> list[str]:
        """Clean up; returns violations of the policy."""
        page, violations = self.page, []
        if page.url != "about:blank":
            page.mouse.move(0, 0)
            violations = page.evaluate("localStorage.clear(), window.policyViolations ?? []")
            page.goto("about:blank")
            page.unroute_all()
        if page.viewport_size != DESKTOP:
            page.set_viewport_size(DESKTOP)
        if self.emulates:
            page.emulate_media(**USUAL_MEDIA)
            self.emulates = False
        self.visit = None
        return violations


@dataclass
class Visit:
    """One visit to the page. A tab that a test changes for good must not be reused: `spoil` it."""

    tab: Tab
    server: PageServer
    tabs: list[Tab]
    """Where the tab waits for its next visit."""
    service: Service = field(default_factory=Service)
    problems: list[str] = field(default_factory=list)
    tolerated: list[str] = field(default_factory=list)
    """Beginnings of console errors that the test expects."""
    spoilt: bool = False

    @property
    def page(self) -> Page:
        return self.tab.page

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: types.TracebackType | None) -> None:
        if isinstance(error, BaseException):
            error.add_note(f"Console: {self.problems}")
            self.page.context.close()
            return
        violations = self.tab.end()
        if self.spoilt:
            self.page.context.close()
        else:
            self.tabs.append(self.tab)
        kept = [text for text in self.problems if not text.startswith(tuple(self.tolerated))]
        assert kept + violations == []

    def spoil(self) -> Page:
        """The page, to be changed for good, as by init scripts. Routes are removed anyway."""
        self.spoilt = True
        return self.page

    def emulate(self, **media: Any) -> None:
        """Change these of `USUAL_MEDIA` for the rest of the visit."""
        self.page.emulate_media(**media)
        self.tab.emulates = True

    def go(self, query: str = "") -> None:
        """Open the page."""
        self.page.goto(self.server.url + query)


TABS: weakref.WeakKeyDictionary[Browser, dict[tuple[bool, str], list[Tab]]] = weakref.WeakKeyDictionary()
"""Pages that wait for their next visit."""


def visiting(
    browser: Browser, server: PageServer, *, still: bool = False, viewport: ViewportSize | None = None, **context: Any
) -> Visit:
    """A visit whose page is not open yet; `viewport` and `context` as for `Browser.new_context`.

    A tab may have any size and media, so that only another `context` needs another one.
    """
    media = {name: context.pop(name) for name in USUAL_MEDIA if name in context}
    tabs = TABS.setdefault(browser, {}).setdefault((still, repr(sorted(context.items()))), [])
    tab = tabs.pop() if tabs else Tab(browser, still=still, context=context)
    if viewport:
        tab.page.set_viewport_size(viewport)
    visit = Visit(tab, server, tabs)
    if media:
        visit.emulate(**media)
    tab.begin(visit)
    return visit


def quote(**fields: Any) -> dict[str, Any]:
    """A complete record, unknown fields as null."""
    return {
        "last": None, "bid": None, "ask": None, "bid_size": None, "ask_size": None, "open": None, "high": None,
        "low": None, "volume": None, "quote_volume": None, "change_pct": None, "ts": START_MS, "state": "live",
        "source": "alpha", "decimals": 2, "name": None, **fields,
    }  # fmt: skip


def book(count: int) -> dict[str, dict[str, Any]]:
    """This many symbols, S0000-USD first by volume, with two alternating sources."""
    return {
        f"S{i:04d}-USD": quote(
            last=100 + i, bid=99.5 + i, ask=100.5 + i, open=90 + i, low=80 + i, high=120 + i,
            quote_volume=1e9 - i * 1e5, change_pct=(i % 5) - 2, name=f"Name {i}", source=("alpha", "beta")[i % 2],
        )
        for i in range(count)
    }  # fmt: skip


def showing(browser: Browser, server: PageServer, quotes: dict[str, dict[str, Any]], query: str = "") -> Visit:
    """A page that shows these quotes, in real time."""
    visit = visiting(browser, server)
    visit.service.quotes = quotes
    visit.service.feeds = {"alpha": LIVE_FEED, "beta": LIVE_FEED}
    visit.go(query)
    expect(visit.page.locator("#cluster .word")).to_have_text("Live")
    return visit


def frozen(
    browser: Browser, server: PageServer, quotes: dict[str, dict[str, Any]], query: str = "", **context: Any
) -> Visit:
    """A page that shows these quotes; its clock stands still, and its random numbers are always one half."""
    visit = visiting(browser, server, still=True, **context)
    visit.service.quotes = quotes
    visit.service.feeds = {"alpha": LIVE_FEED, "beta": LIVE_FEED}
    visit.go(query)
    until(visit, lambda: row(visit.page, "S0000-USD").count() == 1)
    return visit


def paint(page: Page) -> None:
    """Paint the page, for those who look at it."""
    page.evaluate("document.adoptedStyleSheets = []")


def until(visit: Visit, condition: Callable[[], bool]) -> int:
    """Move a frozen page's clock step by step until the condition holds; returns the milliseconds it took.

    The steps are frames at first, then longer: what has not come by then mostly comes each second. After a second the
    page may be waiting for the browser.
    """
    assert visit.tab.still, "its clock cannot be moved: wait for it in real time"
    moved_ms = 0
    while not condition():
        if moved_ms >= 3000:
            pytest.fail("the page never came to show it")
        if moved_ms >= 1000:
            visit.page.evaluate(REAL_FRAME)
        step_ms = LATER_MS if 200 <= moved_ms < 1000 else SEEN_MS
        advance(visit, step_ms)
        moved_ms += step_ms
    return moved_ms


def until_price(visit: Visit, symbol: str, text: str) -> None:
    until(visit, lambda: price(visit.page, symbol).inner_text() == text)


def advance(visit: Visit, milliseconds: int) -> None:
    """Let time pass, on the page and at the service, once all the page's requests are answered."""
    visit.tab.settle()
    visit.tab.advance(milliseconds)


def row(page: Page, symbol: str) -> Locator:
    return page.locator(f'.row:not([hidden])[data-symbol="{symbol}"]')


def cell(page: Page, symbol: str, column: str) -> Locator:
    return row(page, symbol).locator(f'[data-column="{column}"]')


def price(page: Page, symbol: str) -> Locator:
    return cell(page, symbol, "last").locator(".value")
