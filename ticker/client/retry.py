"""After the end of a connection to the stream: why it ended, whether to reconnect, and when. No I/O."""

from __future__ import annotations

import random
import ssl

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from ticker import protocol
from ticker.client.address import UNAUTHORIZED
from ticker.client.rest import certificate_error, reason
from ticker.client.wire import Message
from ticker.errors import RefusedError

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
_SLOWER = 4
"""After "too many messages", the backoff goes on as after this many failures."""
_FINAL = {
    protocol.BINARY_FRAME: "it received a binary frame",
    protocol.BAD_UTF8: "it received text that is not UTF-8",
    protocol.TOO_LARGE: "a message was too large; subscribe to fewer patterns at once",
    protocol.BAD_MESSAGES: "it received too many bad messages",
    protocol.UNAUTHORIZED: UNAUTHORIZED,
}
"""Close codes after which reconnecting cannot help."""


def judge(error: Exception) -> tuple[str, float]:
    """Why a connection ended or could not be made, for a message, and the least wait in seconds before the next one.

    Raises:
        RefusedError: reconnecting cannot help.
    """
    if isinstance(error, ConnectionClosed):
        code = error.rcvd.code if error.rcvd else None
        if code in _FINAL:
            raise RefusedError(f"the service closed the stream with {code}: {_FINAL[code]}", code) from error
        return "the connection was lost", 0.0
    if isinstance(error, InvalidStatus):
        status, headers = error.response.status_code, error.response.headers
        if status < 500 and status not in {408, 425, 429}:
            other = status < 300 or status == 404  # a page, or nothing, where the stream should be
            text = "no ticker service at this address, which answers with" if other else "the service refuses with"
            why = f": {UNAUTHORIZED}" if status == 401 else ""
            raise RefusedError(f"{text} HTTP status {status}{why}", status) from error
        wait = headers.get("Retry-After", "")
        return f"HTTP status {status}", min(float(wait), 60.0) if wait.isascii() and wait.isdigit() else 0.0
    if isinstance(error, InvalidURI):
        raise RefusedError(f"the service redirects: {error}", "redirect") from error
    if isinstance(error, ssl.SSLCertVerificationError):
        raise certificate_error(error) from error
    if isinstance(error, InvalidHandshake | EOFError):
        return "it does not speak WebSocket", 0.0
    return reason(error) if isinstance(error, OSError) else str(error), 0.0


class Retry:
    """When to reconnect: backoff with full jitter, doubling from 0.5 s to 30 s, or as the service asked.

    Args:
        dice: source of randomness.
        longest_s: the longest backoff, if not 30 s.
    """

    def __init__(self, dice: random.Random, longest_s: float = LONGEST_WAIT_S) -> None:
        self._dice = dice
        self._longest_s = longest_s
        self._failures = 0
        self._bye: Message | None = None
        self._sent_off = False

    def data(self) -> None:
        """Note that data came: resets the backoff."""
        self._failures = 0
        self._sent_off = False

    def bye(self, message: Message) -> None:
        """Note a `bye`, which may say when to reconnect; a second one without data in between counts as a failure."""
        self._bye = message
        self._failures += self._sent_off
        self._sent_off = True

    def pause_s(self, close_code: int | None = None, least_s: float = 0.0) -> float:
        """How long to wait before the next connection.

        Args:
            close_code: the WebSocket's; None if the connection was lost or could not be made.
            least_s: the least wait, from `judge`.

        Raises:
            RefusedError: the service has said not to reconnect.
        """
        bye, self._bye = self._bye, None
        if bye is not None and not bye.reconnect:
            raise RefusedError(f"the service ended the stream: {bye.reason}", protocol.GOING_AWAY)
        if close_code == protocol.TOO_MANY_MESSAGES:
            self._failures = max(self._failures, _SLOWER)
        longest_s = min(self._longest_s, FIRST_WAIT_S * 2 ** min(self._failures, 10))
        backoff_s = least_s + self._dice.uniform(0, longest_s)
        if bye is not None and bye.retry_ms is not None:
            return max(backoff_s, self._dice.uniform(*bye.retry_ms) / 1000)
        self._failures += 1
        return backoff_s
