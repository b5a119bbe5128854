"""The frames of an HTTP/2 connection (RFC 9113 section 4.1), split before a library sees them.

h2 buffers a whole frame, 16 MiB at most, before it checks its length; and it ends a connection at the first
GOAWAY, although requests that were sent before go on.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from egressd.model.observation import Failure
from egressd.net.sockets.errors import PhaseError

DATA, HEADERS, SETTINGS, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 4, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
FRAME_LIMIT = 16_384
"""The SETTINGS_MAX_FRAME_SIZE that is announced, the least allowed (RFC 9113 section 6.5.2)."""
_HEADER_SIZE = 9
_FRAGMENT_LIMIT = 60
"""Frames that one response head may have; h2 gives up soon after, without a clear error."""
_HEAD_LIMIT = 300 * 1024
"""Bytes that they may have, as in HTTP/1: h2 keeps them until the last one came."""


class Frame(Struct, frozen=True, kw_only=True):
    """One whole frame."""

    kind: int
    flags: int
    stream: int
    """With the reserved bit, which is not set (RFC 9113 section 4.1)."""
    data: bytes
    """With its header."""

    @property
    def payload(self) -> bytes:
        """What follows the header."""
        return self.data[_HEADER_SIZE:]


def frame_bytes(kind: int, payload: bytes, *, flags: int = 0, stream: int = 0) -> bytes:
    """Return a frame as it is sent."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


class FrameSplitter:
    """Splits a stream into frames; what is incomplete waits for more bytes."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._fragments = self._head_size = 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that more bytes complete.

        Raises:
            PhaseError: HTTP2_ERROR, where a frame is too long; TOO_LARGE, where a response head is.
        """
        self._data += data
        while len(self._data) >= _HEADER_SIZE:
            length = int.from_bytes(self._data[:3], "big")
            if length > FRAME_LIMIT:
                detail = f"a frame of {length} bytes is announced, where {FRAME_LIMIT} are allowed"
                raise PhaseError(Failure.HTTP2_ERROR, detail)
            size = _HEADER_SIZE + length
            if len(self._data) < size:
                return
            whole = bytes(self._data[:size])
            del self._data[:size]
            frame = Frame(kind=whole[3], flags=whole[4], stream=int.from_bytes(whole[5:9], "big"), data=whole)
            if frame.kind in (HEADERS, CONTINUATION):
                self._count_fragments(frame)
            else:
                self._fragments = self._head_size = 0
            yield frame

    def _count_fragments(self, frame: Frame) -> None:
        goes_on = not frame.flags & END_HEADERS
        self._fragments = self._fragments + 1 if goes_on else 0
        self._head_size = self._head_size + len(frame.data) if goes_on else 0
        if self._head_size > _HEAD_LIMIT:
            raise PhaseError(Failure.TOO_LARGE, f"a head of more than {_HEAD_LIMIT} bytes")
        if self._fragments > _FRAGMENT_LIMIT:
            raise PhaseError(Failure.TOO_LARGE, f"a head of more than {_FRAGMENT_LIMIT} frames")
