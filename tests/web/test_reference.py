"""The reference is complete, matches real frames and answers, and its examples work."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator

from tests.running import running
from tests.web.events import listen_to
from tests.web.peer import Peer
from tests.web.server import Live, serving
from ticker.errors import PatternError
from ticker.messages import parse_message
from ticker.model import FIELDS
from ticker.protocol import FRAME_KINDS
from ticker.selection import check_pattern
from web.reference import describe
from web.schemas import BODIES, FIELD_TEXTS, FRAMES, MESSAGES, PATTERN, RECORDS, SYMBOL_ITEM, Schema

ALL = RECORDS | BODIES | FRAMES | MESSAGES


def closed(schema: Any) -> Any:
    """The same schema, in which objects have no members but those that it names."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {name: closed(part) for name, part in schema.items()}
    return copy | {"additionalProperties": False} if "properties" in schema and "type" in schema else copy


CLOSED: Schema = closed(ALL)


def check(name: str, document: Any) -> None:
    """Validate a document against the closed schema of this name."""
    whole = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": CLOSED}}
    errors = [f"{e.json_path}: {e.message}" for e in Draft202012Validator(whole).iter_errors(document)]
    assert errors == []


def objects(schema: Any, where: str) -> Iterator[tuple[str, Schema]]:
    """Every schema inside one, with its place."""
    if isinstance(schema, dict):
        if {"type", "const", "$ref", "oneOf"} & schema.keys():
            yield where, schema
        for name, part in schema.get("properties", {}).items():
            yield from objects(part, f"{where}.{name}")
        for key in ("items", "additionalProperties"):
            yield from objects(schema.get(key), f"{where}[]")
        for i, part in enumerate(schema.get("prefixItems", ())):
            yield from objects(part, f"{where}[{i}]")


# The schemas


def test_every_frame_and_member_has_a_schema() -> None:
    """Every frame, every field and every member is described, with an example wherever it is a value."""
    assert tuple(FRAMES) == FRAME_KINDS
    assert tuple(FIELD_TEXTS) == FIELDS
    Draft202012Validator.check_schema({"$defs": ALL})
    for name, schema in ALL.items():
        for where, part in objects(schema, name):
            if "$ref" in part:
                assert part["$ref"].rpartition("/")[2] in ALL, where
                continue
            assert part.get("description") or "[]" in where, where
            is_value = "const" not in part and part.get("type") not in ("object", "array") and "oneOf" not in part
            if is_value and part != {"type": "string"}:
                assert part["examples"], where


@pytest.mark.parametrize("name", [name for name in BODIES if "examples" in BODIES[name]])
def test_each_example_is_valid_by_its_schema(name: str) -> None:
    """Each example is valid by its schema."""
    for example in BODIES[name]["examples"]:
        check(name, example)


@pytest.mark.parametrize("text", ["A", "*", "a:*", "*:*", "*:A", "A*B*", "*A*:B", "A:B*C*", "^GSPC", "-", ":", "a:"])
def test_patterns_that_the_reference_allows_are_accepted(text: str) -> None:
    """What the reference allows, the service accepts."""
    check_pattern(text)
    assert re.fullmatch(PATTERN, text)


@pytest.mark.parametrize("text", ["A*B*C*", "*:*:*", "a:b:c", "**:*", "A B", "é", "A,B", "%", "*:**"])
def test_patterns_that_the_reference_forbids_are_refused(text: str) -> None:
    """What the reference forbids, the service refuses."""
    assert not re.fullmatch(PATTERN, text)
    with pytest.raises(PatternError):
        check_pattern(text)


@pytest.mark.parametrize(
    ("text", "good"), [("BTC-USD", True), ("kraken:BTC-USD", True), ("*", False), ("Kraken:A", False), ("a:b:c", False)]
)
def test_the_path_of_one_symbol_takes_no_pattern(text: str, *, good: bool) -> None:
    """The path of one symbol takes a symbol."""
    assert bool(re.fullmatch(SYMBOL_ITEM["pattern"], text)) is good


# Real frames


async def talk(live: Live, peer: Peer) -> list[Any]:
    """Make a service send every kind of frame."""
    frames = [await peer.message(), await peer.hear("heartbeat")]
    assert frames[-1]["version"] == 0, "it was told nothing yet"

    async def ask(answers: int, **message: object) -> None:
        check(str(message["op"]), message)
        parse_message(json.dumps(message), 10)
        await peer.say(**message)
        frames.extend([await peer.message() for _ in range(answers)])

    await ask(2, op="subscribe", id=1, symbols=["BTC-USD", "BTC-USX"], fields=["last", "ts"], interval_ms=0)
    await ask(2, op="subscribe", id="two", symbols=["toy:*"], fields=list(FIELDS))
    await ask(2, op="unsubscribe", id=3, symbols=["BTC-USX"])
    await ask(1, op="ping", id=4)
    await ask(1, op="ping")
    for text in ('{"op":"subscribe","id":5,"symbols":["A*B*C*D"]}', '{"op":"sing","id":6}'):
        await peer.send(1, text.encode())
        frames.extend([await peer.message() for _ in range(2 if "A*B" in text else 1)])
    live.publish({"BTC-USD": "97001.50", "NEW-USD": "1.5"}, name="New", bid="97001.4", change_pct="-1.25")
    live.feed.remove(["toy:ETH-USD"])
    live.feed.state("down", "no route")
    live.hub.flush()
    frames.append(await peer.message())
    frames.append(await peer.hear("heartbeat"))
    live.service.stop()
    while frames[-1]["type"] != "bye":
        frames.append(await peer.message())
    return frames


@serving(hub={"heartbeat_ms": 100, "flush_interval_ms": 0})
async def test_real_frames_match_their_schemas(live: Live) -> None:
    """All kinds of frames, with every member that the schemas name, and with no other."""
    frames = await talk(live, await live.stream())
    seen: dict[str, set[str]] = {kind: set() for kind in FRAMES}
    for frame in frames:
        check(frame["type"], frame)
        seen[frame["type"]] |= frame.keys()
    optional = {"snapshot": {"gone"}}
    assert {kind: FRAMES[kind]["properties"].keys() - seen[kind] - optional.get(kind, set()) for kind in FRAMES} == {
        kind: set() for kind in FRAMES
    }


@serving()
async def test_real_events_match_their_schemas(live: Live) -> None:
    """The data of an event is a frame."""
    reader = await listen_to(live)
    live.publish({"BTC-USD": "97001.50"})
    live.hub.flush()
    for kind in ("snapshot", "update"):
        event = await reader.hear(kind)
        check(kind, event.json)


# Real answers


@serving()
async def test_real_answers_match_their_schemas(live: Live) -> None:
    """Each path, asked with its own examples, answers 200 as described; refusals are as described, too."""
    live.feed.status.errors["timeout"] += 1
    live.publish({"not a symbol!": "1"})
    document = (await live.get("/openapi.json")).json
    asked = 0
    for path, methods in document["paths"].items():
        given = {p["name"]: p["example"] for p in methods["get"].get("parameters", ()) if p["in"] != "header"}
        target = path.replace("{symbol}", quote(str(given.pop("symbol", ""))))
        query = urlencode({name: ",".join(v) if isinstance(v, list) else v for name, v in given.items()})
        responses = methods["get"]["responses"]
        if "application/json" not in responses["200"]["content"]:
            continue
        answer = await live.get(f"{target}?{query}" if query else target)
        assert answer.status == 200, target
        check(responses["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2], answer.json)
        asked += 1
    assert asked >= 8
    check("Quotes", (await live.get("/api/quotes?symbols=BTC-USX")).json)
    for target in ("/api/quotes/BTC-USX", "/api/quotes?fields=x", "/nowhere"):
        check("Problem", (await live.get(target)).json)


@serving()
async def test_every_answer_is_described(live: Live) -> None:
    """Each path has a summary, a text, schemas, examples, and problems as its default."""
    document = (await live.get("/openapi.json")).json
    assert document["info"]["description"]
    for path, methods in document["paths"].items():
        operation = methods["get"]
        assert operation["summary"], path
        assert operation["description"], path
        assert "application/problem+json" in operation["responses"]["default"]["content"], path
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], parameter
            assert "example" in parameter, parameter
        for status, response in operation["responses"].items():
            for content in response.get("content", {}).values():
                assert content["schema"], path
                assert status == "default" or content["example"], path
    assert list(document["paths"]["/api/stream"]["get"]["responses"]["200"]["content"]) == ["text/event-stream"]
    assert document["components"]["schemas"].keys() == (RECORDS | BODIES | FRAMES).keys()


@pytest.mark.timeout(240)  # another program that starts slowly where others work
def test_schemathesis_finds_no_undescribed_answer(tmp_path: Path) -> None:
    """schemathesis asks every path, well and badly, and finds no answer that is not described. The endless one is
    left out.
    """
    with running("--feed", "sim:5") as service:
        service.wait(lambda: bool(service.get("/api/quotes")["quotes"]), "no price came")
        paths = service.get("/openapi.json")["paths"].keys() - {"/api/stream"}
        found = subprocess.run(
            [Path(sys.executable).with_name("schemathesis"), "run", f"{service.url}/openapi.json", "--no-color",
             "--max-examples=2", "--generation-deterministic", "--no-shrink", "--phases=examples,fuzzing",
             "--exclude-path=/api/stream"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert found.returncode == 0, found.stdout
    assert f" {len(paths)} passed" in found.stdout


@serving()
async def test_tokens_are_described_where_they_are_needed(live: Live) -> None:
    """With a tokens file the paths of prices say that they need a token; without one, no path does."""
    document = (await live.get("/openapi.json")).json
    assert "securitySchemes" not in document["components"]
    assert "401" in document["paths"]["/api/quotes"]["get"]["responses"]
    app = FastAPI()

    @app.get("/api/x")
    @app.get("/healthz")
    def nothing() -> None:
        """For its path."""

    describe(app, with_tokens=True)
    paths = app.openapi()["paths"]
    assert paths["/api/x"]["get"]["security"] == [{"token": []}]
    assert "security" not in paths["/healthz"]["get"]


# The stream's description


@serving(server={"base_path": "/prices"})
async def test_the_asyncapi_document_is_complete(live: Live) -> None:
    """AsyncAPI 3.0: every frame and message with its schema, each reference resolves, and the host is ours."""
    answer = await live.get("/prices/asyncapi.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    document = answer.json
    assert document["asyncapi"] == "3.0.0"
    server = {"host": f"127.0.0.1:{live.port}", "protocol": "ws", "pathname": "/prices"}
    assert document["servers"] == {"this": server}
    assert document["channels"]["stream"]["address"] == "/ws"
    assert document["components"]["messages"].keys() == (FRAMES | MESSAGES).keys()
    assert len(document["operations"]["tell"]["messages"]) == len(FRAMES)
    assert len(document["operations"]["ask"]["messages"]) == len(MESSAGES)
    for pointer in set(re.findall(r'"\$ref":"#/([^"]+)"', answer.body.decode())):
        part = document
        for name in pointer.split("/"):
            part = part[name]
