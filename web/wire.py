"""The bytes of a frame on a WebSocket: made once, plain or compressed, and shared by all connections."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory

from ticker.protocol import Frame

DEFLATE = ServerPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)
"""What is offered: each message compressed by itself."""
PACK_BYTES = 1 << 19
"""How much `pack` compresses in a turn of the loop, which takes some 2 ms."""
_SHORT, _LONG, _LONGEST = (struct.Struct(form).pack for form in ("!BB", "!BBH", "!BBQ"))


def wire(frame: Frame) -> bytes:
    """The frame as an unmasked WebSocket text frame (RFC 6455, section 5.2), made once."""
    if frame.wire is None:
        frame.wire = headed(0x81, frame.data)
    return frame.wire


def packed(frame: Frame) -> bytes:
    """The frame compressed by itself (RFC 7692, section 7.2.1), or plain if that is no longer; made once."""
    while frame.packed is None:
        pack(frame)
    return frame.packed


def pack(frame: Frame) -> None:
    """Compress one part of a frame, ahead of `packed`: all of it takes 40 ms for 50,000 symbols."""
    if frame.packing is None:
        frame.packing = _packing(frame)
    next(frame.packing, None)


def _packing(frame: Frame) -> Iterator[None]:
    deflate, parts = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS), []
    for at in range(0, len(frame.data), PACK_BYTES):
        if at:
            yield
        parts.append(deflate.compress(frame.data[at : at + PACK_BYTES]))
    parts.append(deflate.flush(zlib.Z_SYNC_FLUSH)[:-4])  # it ends with 00 00 FF FF, which the receiver adds
    frame.packed, frame.packing = headed(0xC1, b"".join(parts)), None
    if len(frame.packed) >= len(wire(frame)):
        frame.packed = wire(frame)


def shares(extension: Extension) -> bool:
    """Whether the negotiated extension lets a peer inflate what was compressed for all."""
    return (
        isinstance(extension, PerMessageDeflate)
        and extension.local_no_context_takeover
        and extension.local_max_window_bits == zlib.MAX_WBITS
    )


def headed(first: int, payload: bytes) -> bytes:
    """A payload with its frame header, whose first byte is given."""
    size = len(payload)
    if size < 126:
        return _SHORT(first, size) + payload
    if size < 65_536:
        return _LONG(first, 126, size) + payload
    return _LONGEST(first, 127, size) + payload
