"""The bytes of a frame on a WebSocket: made once, plain or compressed, and shared by all connections."""

from __future__ import annotations

import struct
import zlib

from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory

from ticker.protocol import Frame

DEFLATE = ServerPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)
"""What is offered: each message compressed by itself."""
_SHORT, _LONG, _LONGEST = (struct.Struct(form).pack for form in ("!BB", "!BBH", "!BBQ"))


def wire(frame: Frame) -> bytes:
    """The frame as an unmasked WebSocket text frame (RFC 6455, section 5.2), made once."""
    if frame.wire is None:
        frame.wire = headed(0x81, frame.data)
    return frame.wire


def packed(frame: Frame) -> bytes:
    """The frame compressed by itself (RFC 7692, section 7.2.1), or plain if that is no longer; made once."""
    if frame.packed is None:
        deflate = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
        data = deflate.compress(frame.data) + deflate.flush(zlib.Z_SYNC_FLUSH)
        frame.packed = headed(0xC1, data[:-4])  # the flush ends with 00 00 FF FF, which the receiver adds
        if len(frame.packed) >= len(wire(frame)):
            frame.packed = wire(frame)
    return frame.packed


def shares(extension: Extension) -> bool:
    """Whether what was negotiated lets a peer inflate what was compressed for all."""
    return (
        isinstance(extension, PerMessageDeflate)
        and extension.local_no_context_takeover
        and extension.local_max_window_bits == zlib.MAX_WBITS
    )


def headed(first: int, payload: bytes) -> bytes:
    """A payload behind its header, of which the first byte is given."""
    size = len(payload)
    if size < 126:
        return _SHORT(first, size) + payload
    if size < 65_536:
        return _LONG(first, 126, size) + payload
    return _LONGEST(first, 127, size) + payload
