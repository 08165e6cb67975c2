"""A connection that has not shown a token yet: its first message must be one."""

from __future__ import annotations

from collections.abc import Callable

from ticker import messages, protocol
from ticker.protocol import Frame
from ticker.session import Session


class Doorman:
    """Stands in for a session until a good token has come, and passes everything on to it from then on.

    Args:
        admit: whether a token's text is good; called once.
        begin: makes the session and its first frames.
    """

    def __init__(self, admit: Callable[[str], bool], begin: Callable[[], tuple[Session, list[Frame]]]) -> None:
        self._admit = admit
        self._begin = begin
        self._session: Session | None = None
        self._refused = False

    @property
    def closing(self) -> tuple[int, str] | None:
        """The close code and reason once the connection must end."""
        if self._session is not None:
            return self._session.closing
        return (protocol.UNAUTHORIZED, "the first message must be a good token") if self._refused else None

    @property
    def busy(self) -> bool:
        """See `Session`."""
        return self._session is not None and self._session.busy

    @property
    def coming(self) -> Frame | None:
        """See `Session`."""
        return self._session.coming if self._session is not None else None

    def step(self) -> list[Frame]:
        """See `Session`."""
        assert self._session is not None
        return self._session.step()

    def give_up(self) -> None:
        """See `Session`."""
        if self._session is not None:
            self._session.give_up()

    def receive(self, data: bytes) -> list[Frame]:
        """Take a message: the token, or what comes after it."""
        if self._session is not None:
            return self._session.receive(data)
        token = messages.parse_token(data)
        if self._refused or token is None or not self._admit(token):
            self._refused = True
            return []
        self._session, frames = self._begin()
        return frames
