"""The frames of the stream, as values. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, TypeVar

import msgspec

from ticker import protocol
from ticker.errors import UnreachableError

_INVALID = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
MAX_FRAME_BYTES = 64 << 20
"""About four times a snapshot of 50,000 symbols."""

Beat = Annotated[int, msgspec.Meta(ge=1, le=3_600_000)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Wait = Annotated[int, msgspec.Meta(ge=0, le=3_600_000)]


class Unknown(msgspec.Struct):
    """A symbol that does not exist, and the nearest names."""

    symbol: str
    nearest: list[str] = []


class Rejected(msgspec.Struct):
    """A pattern that the service refuses, and why."""

    pattern: str
    code: str = ""
    message: str = ""


class Limits(msgspec.Struct):
    """The service's limits, as far as the client needs them."""

    message_bytes: int = 65_536


class Message(msgspec.Struct):
    """Any frame of the service: members that its type does not have keep their defaults, unknown ones are ignored."""

    type: str
    id: int | str | None = None
    protocol: int = protocol.PROTOCOL
    server: str = ""
    epoch: Count = 0
    version: Count = 0
    since: Count = 0
    time: Count = 0
    quotes: dict[str, dict] = {}  # type: ignore[type-arg]
    gone: list[str] = []
    feeds: dict[str, dict[str, Any]] = {}
    heartbeat_ms: Beat = 5000
    limits: Limits = msgspec.field(default_factory=Limits)
    patterns: list[str] = []
    selection: str = ""
    unknown: list[Unknown] = []
    rejected: list[Rejected] = []
    code: str = ""
    message: str = ""
    retry: bool = False
    reason: str = ""
    reconnect: bool = True
    retry_ms: tuple[Wait, Wait] | None = None


EXACT = msgspec.json.Decoder(Message, float_hook=str)
"""Keeps decimals as text."""
FLOATS = msgspec.json.Decoder(Message)


class Parcel(Message):
    """A frame whose quotes are still to be decoded, one by one, by `unpacked`: there may be very many."""

    quotes: dict[str, msgspec.Raw] = {}  # type: ignore[assignment]


PARCELS = msgspec.json.Decoder(Parcel)
_ROW = msgspec.json.Decoder(dict[str, Any], float_hook=str)


AnyMessage = TypeVar("AnyMessage", bound=Message)


class _Kind(msgspec.Struct):
    type: str


def unpacked(parcel: Parcel) -> Iterator[tuple[str, dict[str, Any]]]:
    """The quotes of a parcel, by symbol, with decimals as text.

    Raises:
        UnreachableError: one of them is not JSON, or no object.
    """
    try:
        for symbol, row in parcel.quotes.items():
            yield symbol, _ROW.decode(row)
    except _INVALID as error:
        raise UnreachableError(f"the service sent an invalid frame: {error}") from error


def read(decoder: msgspec.json.Decoder[AnyMessage], data: bytes) -> AnyMessage:
    """Decode a frame of the service; of one with an unknown type, the type alone.

    Raises:
        UnreachableError: it is not a frame of the protocol.
    """
    try:
        try:
            return decoder.decode(data)
        except msgspec.ValidationError:  # an unknown type may use a known name for something else
            kind = msgspec.json.decode(data, type=_Kind).type
            if kind in protocol.FRAME_KINDS:
                raise
            return decoder.type(kind)
    except _INVALID as error:
        raise UnreachableError(f"the service sent an invalid frame: {error}") from error
