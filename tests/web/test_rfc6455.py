"""RFC 6455 to the letter, by section: the raw bytes that are sent, and the close code or status that must follow.

One server for each section, one connection for each case. Compression (RFC 7692) has a file of its own.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.web.peer import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_code, frame
from tests.web.server import Live, run, serving, start, until

KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE, CONNECTION, VERSION = "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"
GOOD = (UPGRADE, CONNECTION, VERSION, KEY)
ANSWERED = 0
"""In place of a close code: the ping message that follows is answered."""
ASK = frame(TEXT, b'{"op":"ping","id":1}')


def without(line: str, *instead: str) -> tuple[str, ...]:
    return (*(other for other in GOOD if other != line), *instead)


HANDSHAKES: dict[str, tuple[str, tuple[str, ...], int]] = {
    "the RFC's own": ("GET /ws HTTP/1.1", GOOD, 101),
    "names and tokens in any case": ("GET /ws HTTP/1.1", without(UPGRADE, "UPGRADE: WebSocket"), 101),
    "upgrade among other options": ("GET /ws HTTP/1.1", without(CONNECTION, "Connection: keep-alive, Upgrade"), 101),
    "options in two headers": ("GET /ws HTTP/1.1", (*GOOD, "Connection: keep-alive"), 101),
    "an absolute URI": ("GET http://127.0.0.1/ws?symbols=* HTTP/1.1", GOOD, 101),
    "an absolute URI without a path": ("GET http://127.0.0.1 HTTP/1.1", GOOD, 400),
    "an unknown subprotocol": ("GET /ws HTTP/1.1", (*GOOD, "Sec-WebSocket-Protocol: chat"), 101),
    "an unknown extension": ("GET /ws HTTP/1.1", (*GOOD, "Sec-WebSocket-Extensions: x-y; z=1"), 101),
    "no key": ("GET /ws HTTP/1.1", without(KEY), 400),
    "a key that is not 16 bytes": ("GET /ws HTTP/1.1", without(KEY, "Sec-WebSocket-Key: c2hvcnQ="), 400),
    "a key that is not base64": ("GET /ws HTTP/1.1", without(KEY, "Sec-WebSocket-Key: !!!!"), 400),
    "two keys": ("GET /ws HTTP/1.1", (*GOOD, KEY), 400),
    "no version": ("GET /ws HTTP/1.1", without(VERSION), 426),
    "another version": ("GET /ws HTTP/1.1", without(VERSION, "Sec-WebSocket-Version: 8"), 426),
    "no upgrade": ("GET /ws HTTP/1.1", without(UPGRADE), 426),
    "an upgrade to something else": ("GET /ws HTTP/1.1", without(UPGRADE, "Upgrade: h2c"), 426),
    "another method": ("POST /ws HTTP/1.1", GOOD, 405),
    "HTTP/1.0": ("GET /ws HTTP/1.0", GOOD, 426),
}


@serving()
async def test_section_4_the_opening_handshake(live: Live) -> None:
    """A good request is accepted, with the right key and without what it did not offer; any other is refused."""
    seen: dict[str, int] = {}
    for name, (line, headers, status) in HANDSHAKES.items():
        peer = await live.connect()
        await peer.write("\r\n".join((line, "Host: 127.0.0.1", *headers, "", "")).encode())
        answer = await peer.answer()
        seen[name] = answer.status
        if status == 101:
            assert answer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", name
            assert not {"sec-websocket-protocol", "sec-websocket-extensions"} & answer.headers.keys(), name
        else:
            assert answer.headers["content-type"] == "application/problem+json", name
        if status == 426:
            assert answer.headers["sec-websocket-version"] == "13", name
    assert seen == {name: status for name, (_, _, status) in HANDSHAKES.items()}


@serving()
async def test_frames_sent_before_the_handshakes_answer_wait(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends too early is answered in order, and nothing that it sends is parsed meanwhile.

    Seen: the pong to a ping that came before the turn of the handshake stood before `101 Switching Protocols`.
    """
    held: list[Iterator[None]] = []
    stream: Any = live.server.config.ws_protocol_class
    monkeypatch.setattr(stream.door, "spread", held.append)
    peer = await live.connect()
    await peer.request("GET", "/ws", *GOOD)
    await until(lambda: held)
    await peer.write(frame(PING, b"early"))
    await peer.write(ASK)
    for _ in range(10):  # turns of the loop, in each of which the server could read
        await asyncio.sleep(0)
    live.hub.turns.spread(held.pop())
    assert (await peer.answer()).status == 101
    assert (await peer.hear("hello"))["type"] == "hello"
    assert await peer.receive() == (PONG, b"early")
    assert (await peer.hear("pong"))["id"] == 1


async def outcome(live: Live, data: bytes) -> int:
    """What some bytes lead to: the close code, or `ANSWERED` if a message after them is answered."""
    peer = await live.stream()
    await peer.write(data + ASK)
    try:
        while True:
            opcode, payload = await peer.receive()
            if opcode == CLOSE:
                await peer.send(CLOSE, payload)
                assert await peer.rest() == b"", "nothing follows a close"
                return close_code(payload)
            if opcode == TEXT and b'"pong"' in payload:
                return ANSWERED
    finally:
        peer.sock.close()


async def check(live: Live, cases: Mapping[str, tuple[bytes, int]]) -> None:
    """Every case of a section has the outcome that it must have."""
    names = list(cases)
    seen = await asyncio.gather(*(outcome(live, cases[name][0]) for name in names))
    assert dict(zip(names, seen, strict=True)) == {name: code for name, (_, code) in cases.items()}


def bits(first: int, payload: bytes = b"{}") -> bytes:
    """A masked frame with any first byte."""
    return bytes([first]) + frame(TEXT, payload)[1:]


@serving()
async def test_section_5_1_masking(live: Live) -> None:
    """A frame of a client that is not masked fails the connection: 1002."""
    await check(live, {
        f"opcode {opcode}": (frame(opcode, b"", masked=False), 1002)
        for opcode in (TEXT, BINARY, CONTINUATION, PING, PONG, CLOSE)
    })  # fmt: skip


@serving()
async def test_section_5_2_reserved_bits_and_opcodes(live: Live) -> None:
    """Reserved bits and opcodes fail the connection: 1002; so does a length with its top bit set."""
    cases = {f"bit {rsv:02x} on {op}": (bits(0x80 | rsv | op), 1002)
             for rsv in (0x40, 0x20, 0x10, 0x70) for op in (TEXT, BINARY, PING, CLOSE)}  # fmt: skip
    cases |= {f"opcode {op}": (bits(0x80 | op), 1002) for op in (*range(3, 8), *range(11, 16))}
    cases["a length of 2**63"] = (b"\x81\xff" + struct.pack("!Q", 2**63) + bytes(4), 1009)
    cases["a length of 2**62"] = (b"\x81\xff" + struct.pack("!Q", 2**62) + bytes(4), 1009)
    await check(live, cases)


@serving()
async def test_section_5_4_fragmentation(live: Live) -> None:
    """Fragments come in order and unmixed; control frames may stand between them, but are never fragmented."""
    start_, rest = frame(TEXT, b'{"op":', fin=False), frame(CONTINUATION, b'"ping"}')
    await check(live, {
        "in two": (start_ + rest, ANSWERED),
        "with empty ones": (start_ + frame(CONTINUATION, b"", fin=False) * 3 + rest, ANSWERED),
        "with a ping between": (start_ + frame(PING, b"x") + rest, ANSWERED),
        "with a pong between": (start_ + frame(PONG, b"x") + rest, ANSWERED),
        "a close within a message": (start_ + frame(CLOSE, struct.pack("!H", 4321) + b"why"), 4321),
        "a close without a code within a message": (start_ + frame(PING) + frame(CLOSE) + rest, 1005),
        "half a code within a message": (start_ + frame(CLOSE, b"\x03"), 1002),
        "an end without a beginning": (rest, 1002),
        "a middle without a beginning": (frame(CONTINUATION, b"x", fin=False), 1002),
        "an end after the end": (start_ + rest + rest, 1002),
        "another message within": (start_ + frame(TEXT, b"{}"), 1002),
        "another beginning within": (start_ + start_, 1002),
        "a fragmented ping": (frame(PING, b"x", fin=False), 1002),
        "a fragmented pong": (frame(PONG, b"x", fin=False), 1002),
        "a fragmented close": (frame(CLOSE, b"", fin=False), 1002),
    })  # fmt: skip


@serving()
async def test_section_5_5_control_frames(live: Live) -> None:
    """They have at most 125 bytes; a ping comes back as it is; an unsolicited pong is ignored."""
    await check(live, {
        "a ping of 125": (frame(PING, b"x" * 125), ANSWERED),
        "a ping of 126": (frame(PING, b"x" * 126), 1002),
        "a pong of 126": (frame(PONG, b"x" * 126), 1002),
        "a close of 126": (frame(CLOSE, struct.pack("!H", 1000) + b"x" * 124), 1002),
        "a pong that nobody asked for": (frame(PONG, b"x"), ANSWERED),
        "an empty pong": (frame(PONG), ANSWERED),
    })  # fmt: skip
    peer = await live.stream()
    for payload in (b"", b"x", bytes(range(125)), b"\xff\xfe"):
        await peer.send(PING, payload)
        while (received := await peer.receive())[0] == TEXT:  # a heartbeat
            pass
        assert received == (PONG, payload)


MAY_BE_SENT = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999)
MUST_NOT = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535)


@serving()
async def test_section_7_4_close_codes(live: Live) -> None:
    """A valid code comes back; any other, half a code, or a reason that is not UTF-8, fails the connection."""
    cases = {f"code {code}": (frame(CLOSE, struct.pack("!H", code) + b"why"), code) for code in MAY_BE_SENT}
    cases |= {f"code {code}": (frame(CLOSE, struct.pack("!H", code)), 1002) for code in MUST_NOT}
    cases["no code"] = (frame(CLOSE), 1005)
    cases["half a code"] = (frame(CLOSE, b"\x03"), 1002)
    cases["a reason of 123 bytes"] = (frame(CLOSE, struct.pack("!H", 1000) + b"x" * 123), 1000)
    cases["a reason that is no UTF-8"] = (frame(CLOSE, struct.pack("!H", 1000) + b"\xc3\x28"), 1007)
    await check(live, cases)


NO_TEXT = {
    "a lone continuation": b"\x80",
    "two lone continuations": b"\xbf\x80",
    "an overlong slash": b"\xc0\xaf",
    "an overlong NUL": b"\xe0\x80\x80",
    "a surrogate": b"\xed\xa0\x80",
    "beyond the last": b"\xf4\x90\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "a character cut off": b"\xe4\xbb",
    "impossible bytes": b"\xfe\xff",
}


@serving(limits={"messages_per_s": 1000})
async def test_section_8_1_utf8(live: Live) -> None:
    """Bad UTF-8 closes with 1007, wherever it is cut into fragments; good text may be cut anywhere."""
    cases = {}
    for name, bad in NO_TEXT.items():
        text = b'{"a":"' + bad + b'"}'
        cases[name] = (frame(TEXT, text), 1007)
        for cut in range(5, 6 + len(bad)):
            both = frame(TEXT, text[:cut], fin=False) + frame(CONTINUATION, text[cut:])
            cases[f"{name}, cut at {cut}"] = (both, 1007)
    cases["cut off at the end"] = (frame(TEXT, b'{"a":"\xe4\xbb'), 1007)
    await check(live, cases)
    good = '{"op":"ping","id":"é価🙂"}'.encode()
    peer = await live.stream()
    for cut in range(len(good)):
        await peer.write(frame(TEXT, good[:cut], fin=False) + frame(CONTINUATION, good[cut:]))
        assert (await peer.hear("pong"))["id"] == "é価🙂"


@serving(limits={"message_bytes": 1024})
async def test_section_10_4_size(live: Live) -> None:
    """A message over the limit closes with 1009, as soon as its length says so, whole or in fragments."""
    half = frame(TEXT, b" " * 512, fin=False)
    await check(live, {
        "exactly the limit": (frame(TEXT, b'{"op":"ping"}'.ljust(1024)), ANSWERED),
        "one byte over": (frame(TEXT, b" " * 1025), 1009),
        "announced only": (frame(TEXT, b" " * 70_000)[:14], 1009),
        "in two fragments": (half + frame(CONTINUATION, b" " * 513), 1009),
        "in many": (half + frame(CONTINUATION, b" " * 100, fin=False) * 6, 1009),
    })  # fmt: skip


@serving()
async def test_section_5_6_and_7_1_binary_and_after_the_close(live: Live) -> None:
    """Binary messages are not accepted: 1003. Frames after a close are ignored."""
    goodbye = frame(CLOSE, struct.pack("!H", 1000))
    await check(live, {
        "binary": (frame(BINARY, b"{}"), 1003),
        "binary in fragments": (frame(BINARY, b"{", fin=False) + frame(CONTINUATION, b"}"), 1003),
        "text behind a close": (goodbye + frame(TEXT, b"\xff"), 1000),
        "a second close": (goodbye + frame(CLOSE, struct.pack("!H", 3000)), 1000),
        "nonsense behind a close": (goodbye + b"\xff" * 20, 1000),
    })  # fmt: skip


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
MESSAGES = st.fixed_dictionaries(
    {"op": st.sampled_from(["subscribe", "unsubscribe", "ping", "auth"]) | JSON},
    optional={
        "id": JSON,
        "symbols": st.lists(st.sampled_from(["*", "BTC-USD", "toy:*", "*-USD", "a*b*", ""]) | JSON, max_size=5) | JSON,
        "fields": st.lists(st.sampled_from(["last", "bid"]) | JSON, max_size=3) | JSON,
        "interval_ms": JSON, "cursor": JSON, "token": JSON,
    },
)  # fmt: skip
FRAMES = st.one_of(
    MESSAGES.map(lambda message: frame(TEXT, str(message).replace("'", '"').encode(errors="replace"))),
    MESSAGES.map(lambda message: frame(TEXT, repr(message).encode(errors="surrogatepass"))),
    st.binary(max_size=200),
    st.builds(frame, st.integers(0, 15), st.binary(max_size=130), fin=st.booleans(), masked=st.booleans()),
)


@settings(max_examples=8)
@given(st.lists(st.lists(FRAMES, min_size=1, max_size=6).map(b"".join), min_size=1, max_size=10))
def test_no_bytes_of_a_client_do_harm(sendings: list[bytes]) -> None:
    """Whatever comes, valid or not, the connection goes on or ends with a documented code, others are served,
    and no traceback, task or socket is left (`run` looks for them).
    """

    async def scenario() -> None:
        async with start({"limits": {"messages_per_s": 100}}) as live:
            bystander = await live.stream("?symbols=BTC-USD")
            await bystander.hear("snapshot")
            await asyncio.gather(*(harmless(live, data) for data in sendings))
            live.publish({"BTC-USD": "5.5"})
            assert (await bystander.hear("update"))["quotes"]["BTC-USD"]["last"] == 5.5

    run(scenario)


async def harmless(live: Live, data: bytes) -> None:
    """Send bytes and read to the end of the connection: whole frames, none of an undocumented kind."""
    peer = await live.stream()
    await peer.write(data)
    peer.sock.shutdown(socket.SHUT_WR)
    rest = await peer.rest()
    peer.sock.close()
    while len(rest) >= 2:
        size, at = rest[1] & 127, 2
        if size == 126:
            size, at = int.from_bytes(rest[2:4]), 4
        payload = rest[at : at + size]
        assert rest[0] & 15 in {TEXT, PONG, PING, CLOSE}
        if rest[0] & 15 == CLOSE:
            assert close_code(payload) in {*MAY_BE_SENT, 1005} - {1011} or 3000 <= close_code(payload) < 5000
        rest = rest[at + size :]
