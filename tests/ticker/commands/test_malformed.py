"""The commands against a service that is hostile, broken, or of another version: one clear line, never a traceback."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ticker.cli import main

QUOTE = {"last": 1.5, "bid": 1.4, "ask": 1.6, "change_pct": 1.5, "ts": 1_795_386_012_346, "state": "live", "name": "B"}
UNKNOWN = {"unknown": [{"symbol": "X", "nearest": ["Y"]}], "loading": ["toy"]}
FEED = {
    "state": "live", "since": 1, "kind": "live", "message": None, "last_data": 2, "symbols": 5, "rate": 1.5,
    "errors": {"closed": 1},
}  # fmt: skip
SYMBOL = {"symbol": "A", "name": "B", "base": "A", "quote": None, "decimals": 2, "venues": ["toy"]}
BARS = [[1_795_386_000_000, 1.0, 2.0, 0.5, 1.5, None, ""], [1_795_386_060_000, 1.5, 2.0, 0.5, 1.5, 3.5, "o"]]
STATUS = {"versions": {"ticker": "0"}, "reasons": ["why"]}
PROBLEM = {"code": "unknown_symbol", "detail": "no", "nearest": ["A"], "loading": ["toy"]}
NUMBERS = ("1e999", "NaN", "1" + "0" * 400, "9" * 5000, "-1", "0", "1e30")
"""As they stand in the answer."""
BAD = [None, True, "x", "\x1b[31m\n", [], {}, [None], {"a": 1}, *NUMBERS]


class Service(ThreadingHTTPServer):
    """Answers each path with what `answers` has for it, by default an empty object."""

    answers: dict[str, bytes]
    status = 200


class Answers(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        body = self.server.answers.get(self.path.partition("?")[0], b"{}")
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    with Service(("127.0.0.1", 0), Answers) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def variants(document: Any) -> Iterator[bytes]:
    """The document with each of its parts replaced by each of `BAD`, or left out; as JSON, but for the numbers."""
    for path in _paths(document):
        for bad in BAD:
            text = bad if bad in NUMBERS else json.dumps(bad)
            yield json.dumps(_with(document, path, "HERE")).replace('"HERE"', str(text)).encode()
        if path:
            yield json.dumps(_with(document, path)).encode()


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in inside:
        yield from _paths(inner, (*path, name))


def _with(document: Any, path: tuple[Any, ...], *bad: object) -> Any:
    if not path:
        return bad[0]
    document = place = copy.deepcopy(document)
    for name in path[:-1]:
        place = place[name]
    if bad:
        place[path[-1]] = bad[0]
    else:
        del place[path[-1]]
    return document


@pytest.mark.parametrize(
    ("command", "path", "document"),
    [
        (["get"], "/api/quotes", {"quotes": {"A": QUOTE}}),
        (["get", "--csv", "A"], "/api/quotes", {"quotes": {"A": QUOTE}, **UNKNOWN}),
        (["symbols"], "/api/symbols", {"symbols": [SYMBOL]}),
        (["symbols", "--json"], "/api/symbols", {"symbols": [SYMBOL], **UNKNOWN}),
        (["feeds", "--json"], "/api/feeds", {"feeds": {"toy": FEED}}),
        (["status"], "/api/status", STATUS),
        (["candles", "A", "--csv"], "/api/candles/A", {"bars": BARS}),
        (["candles", "A", "--json"], "/api/candles/A", {"bars": BARS}),
    ],
)
def test_a_malformed_answer_is_one_line(
    service: Service, capsys: pytest.CaptureFixture[str], command: list[str], path: str, document: Any
) -> None:
    """Whatever part of an answer is of another type, absurd or missing: a line of data or of what is wrong.

    Seen: a traceback for nearly each of them.
    """
    for body in variants(document):
        service.answers = {"/api/feeds": json.dumps({"feeds": {"toy": FEED}}).encode(), path: body}
        status = main([*command, "--url", f"http://127.0.0.1:{service.server_port}"])
        out, errors = capsys.readouterr()
        assert "\x1b" not in out + errors, body
        if command == ["status"] and status == 1:  # it is not ready, which it says as data
            assert errors == "", body
        else:
            assert status in {0, 3, 4}, body
            assert errors.count("\n") == (status != 0), body


def test_a_malformed_refusal_is_one_line(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """The members of a problem may be missing or of any type."""
    service.status = 404
    for body in variants(PROBLEM):
        service.answers = {"/api/candles/A": body}
        assert main(["candles", "A", "--url", f"http://127.0.0.1:{service.server_port}"]) in {1, 3}, body
        assert capsys.readouterr().err.count("\n") == 1, body


def test_an_answer_of_another_version_says_so(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """A service that lacks what this version relies on is told from a server that is none."""
    url = f"http://127.0.0.1:{service.server_port}"
    service.answers = {"/api/feeds": b'{"feeds":{"toy":{"state":"live"}}}'}
    assert main(["feeds", "--url", url]) == 4
    assert capsys.readouterr().err == f"ticker: {url} answers, but not as this version of ticker expects\n"
    assert main(["symbols", "--url", url]) == 4
    assert capsys.readouterr().err == f"ticker: {url} answers, but is not a ticker service\n"
