"""Connections without a token: nothing before a good one, everything as in a session after it."""

from __future__ import annotations

import json

import pytest

from tests.ticker.test_session import Desk
from ticker import protocol
from ticker.doorman import Doorman
from ticker.protocol import Frame
from ticker.session import Session
from ticker.slices import LARGE

GOOD = b'{"op":"auth","token":"s3cret"}'


class Entrance:
    """A doorman in front of a session.

    Attributes:
        shown: the tokens that were checked.
    """

    def __init__(self) -> None:
        self.desk = Desk()
        self.desk.put("A", *(f"S{i}" for i in range(LARGE)))
        self.shown: list[str] = []
        self.doorman = Doorman(self._admit, self._begin)

    def _admit(self, token: str) -> bool:
        self.shown.append(token)
        return token == "s3cret"

    def _begin(self) -> tuple[Session, list[Frame]]:
        return self.desk.session, self.desk.session.open((), 7)

    def say(self, data: bytes) -> list[str]:
        """The kinds of the frames that answer a message at once."""
        return [frame.kind for frame in self.doorman.receive(data)]


@pytest.fixture
def entrance() -> Entrance:
    return Entrance()


def test_nothing_is_sent_before_the_token(entrance: Entrance) -> None:
    """There is no frame, no work, and no reason to close."""
    doorman = entrance.doorman
    assert (doorman.busy, doorman.coming, doorman.closing, entrance.shown) == (False, None, None, [])


def test_a_good_token_opens_the_session(entrance: Entrance) -> None:
    """`hello` answers it; from then on messages go to the session, which refuses a second token."""
    assert entrance.say(GOOD) == ["hello"]
    assert entrance.say(b'{"op":"ping","id":1}') == ["pong"]
    assert entrance.say(GOOD) == ["error"]
    assert (entrance.shown, entrance.doorman.closing) == (["s3cret"], None)


def test_after_the_token_everything_is_as_in_a_session(entrance: Entrance) -> None:
    """A large subscription is answered in steps, with the coming frame; a closing session closes the connection."""
    entrance.say(GOOD)
    doorman, session = entrance.doorman, entrance.desk.session
    assert entrance.say(b'{"op":"subscribe","symbols":["*"]}') == []
    coming, frames = [], list[Frame]()
    while doorman.busy:
        assert doorman.coming is session.coming
        coming.append(doorman.coming)
        frames = doorman.step()
    assert any(coming)
    assert [frame.kind for frame in frames] == ["subscribed", "snapshot"]
    assert len(json.loads(frames[1].data)["quotes"]) == LARGE + 1
    assert entrance.say(b"\xff") == []
    assert doorman.closing == session.closing == (protocol.BAD_UTF8, "a text message must be UTF-8")


@pytest.mark.parametrize(
    ("data", "asked"),
    [
        (b'{"op":"auth","token":"wrong"}', ["wrong"]),
        (b'{"op":"auth","token":["s3cret"]}', []),
        (b'{"op":"auth"}', []),
        (b'{"op":"subscribe","symbols":["*"]}', []),
        (b"[]", []),
        (b"{", []),
        (b"\xff", []),
    ],
)
def test_any_other_first_message_closes_the_connection(entrance: Entrance, data: bytes, asked: list[str]) -> None:
    """Only the first message is checked, and only once: a good token after it comes too late."""
    assert entrance.say(data) == []
    assert entrance.doorman.closing == (protocol.UNAUTHORIZED, "the first message must be a good token")
    assert entrance.say(GOOD) == []
    assert entrance.shown == asked
    assert entrance.doorman.closing is not None
    assert not entrance.doorman.busy
