"""HTTP/2 as nearly every server speaks it to one GET: settings, a window, a head, a short body (RFC 9113).

Whatever else a server sends, right or wrong, is not judged here: then `library_http2` reads all of it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from hpack import Decoder, Encoder, HPACKError
from msgspec import Struct

from egressd.net.http.frames import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_LIMIT,
    HEADERS,
    SETTINGS,
    WINDOW_UPDATE,
    Frame,
    frame_bytes,
)
from egressd.net.http.request import MIB, Request

WINDOW = 4 * MIB
"""The flow-control window; the default of 64 KiB would measure latency, not throughput."""
STREAM: Final = 1
OWN_SETTINGS = {
    1: 4096,  # HEADER_TABLE_SIZE
    2: 0,  # ENABLE_PUSH
    4: WINDOW,  # INITIAL_WINDOW_SIZE
    5: FRAME_LIMIT,  # MAX_FRAME_SIZE
    8: 0,  # ENABLE_CONNECT_PROTOCOL
    6: 256 * 1024,  # MAX_HEADER_LIST_SIZE
}
"""In the order in which they are sent."""
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTING_SIZE = 6
_ANY = range(2**32)
_VALUES = {2: range(1), 4: range(2**31), 5: range(16_384, 2**24), 8: range(2)}
"""What a server may set these to (RFC 9113 section 6.5.2, RFC 8441 section 3); others to anything. None of
it matters for a request that was sent already."""
_MOST_INCREMENT = 2**31 - 2**16
"""What the window of a connection, of 65,535 bytes, can grow by."""
_SIZE_LIMIT = 64 * 1024
"""Bytes of frames; more are given to h2, which opens windows again."""
_PART_OF_HEAD = (END_HEADERS, END_HEADERS | END_STREAM)


class HeadPart(Struct, frozen=True, kw_only=True):
    """The head of the final response."""

    headers: tuple[tuple[bytes, bytes], ...]


class InterimPart(Struct, frozen=True, kw_only=True):
    """The head of an interim response."""


class BodyPart(Struct, frozen=True, kw_only=True):
    """A piece of the body."""

    data: bytes


class EndPart(Struct, frozen=True, kw_only=True):
    """The end of the response."""


class ResetPart(Struct, frozen=True, kw_only=True):
    """The end of the stream without one."""

    code: int


ResponsePart = HeadPart | InterimPart | BodyPart | EndPart | ResetPart
"""What frames say of the response."""


class PlainConnection:
    """A connection as long as nothing out of the ordinary comes."""

    def __init__(self, request: Request) -> None:
        self.frames: list[bytes] = []
        """The frames that were read."""
        self._size = 0
        self._to_send = opening(request)
        self._method = request.method
        self._to_come = {SETTINGS, WINDOW_UPDATE, HEADERS}
        """The kinds of frames that have not come yet; a second one is out of the ordinary."""
        self._announced: int | None = None
        """The value of Content-Length."""
        self._received = 0

    def receive(self, frame: Frame) -> tuple[ResponsePart, ...] | None:
        """Return what a frame says; None: it is out of the ordinary, and nothing was done about it."""
        self._size += len(frame.data)
        if self._size > _SIZE_LIMIT:
            return None
        parts = self._read(frame)
        if parts is not None:
            self.frames.append(frame.data)
        return parts

    def data_to_send(self) -> bytes:
        """Return what is to be sent now."""
        data, self._to_send = self._to_send, b""
        return data

    def _read(self, frame: Frame) -> tuple[ResponsePart, ...] | None:
        kind, flags, stream = frame.kind, frame.flags, frame.stream
        if stream == STREAM and kind == DATA and HEADERS not in self._to_come:
            return self._read_data(frame.payload, flags)
        if stream == STREAM and kind == HEADERS in self._to_come and flags in _PART_OF_HEAD:
            return self._read_head(frame.payload, flags)
        if stream == 0 and kind == SETTINGS and flags == ACK and not frame.payload:
            return ()
        if stream == 0 and flags == 0 and kind in self._to_come:
            self._to_come.discard(kind)
            return self._read_settings(frame.payload) if kind == SETTINGS else _read_window(frame.payload)
        return None

    def _read_settings(self, payload: bytes) -> tuple[ResponsePart, ...] | None:
        if len(payload) % _SETTING_SIZE:
            return None
        for at in range(0, len(payload), _SETTING_SIZE):
            setting = int.from_bytes(payload[at : at + 2], "big")
            value = int.from_bytes(payload[at + 2 : at + _SETTING_SIZE], "big")
            if value not in _VALUES.get(setting, _ANY):
                return None
        self._to_send += frame_bytes(SETTINGS, b"", flags=ACK)
        return ()

    def _read_head(self, payload: bytes, flags: int) -> tuple[ResponsePart, ...] | None:
        if self._method != "GET":
            return None  # Content-Length may then be that of a body that does not come
        try:
            headers = tuple(Decoder().decode(payload, raw=True))
        except HPACKError:
            return None
        if not headers or headers[0][0] != b":status" or headers[0][1].startswith(b"1"):
            return None
        lengths = [value for name, value in headers if name == b"content-length"]
        if len(lengths) > 1 or not all(value.isdigit() and len(value) < 19 for value in lengths):
            return None
        self._announced = int(lengths[0]) if lengths else None
        self._to_come.discard(HEADERS)
        return (HeadPart(headers=headers), EndPart()) if flags & END_STREAM else (HeadPart(headers=headers),)

    def _read_data(self, payload: bytes, flags: int) -> tuple[ResponsePart, ...] | None:
        received = self._received + len(payload)
        whole = received == self._announced or self._announced is None
        if flags == END_STREAM and whole:
            return BodyPart(data=payload), EndPart()
        if flags or (self._announced is not None and received > self._announced):
            return None
        self._received = received
        return (BodyPart(data=payload),)


def _read_window(payload: bytes) -> tuple[ResponsePart, ...] | None:
    valid = len(payload) == 4 and 0 < int.from_bytes(payload, "big") <= _MOST_INCREMENT
    return () if valid else None


def header_fields(request: Request) -> list[tuple[str, str]]:
    """Return the header fields of a request."""
    return [
        (":method", request.method),
        (":scheme", "https"),
        (":authority", request.authority),
        (":path", request.target),
        *request.all_headers,
    ]


def opening(request: Request) -> bytes:
    """Return what a client sends at first: the preface, settings, the window, the request."""
    head = b"".join(_encode(name, value) for name, value in header_fields(request))
    return _BEFORE_HEAD + frame_bytes(HEADERS, head, flags=END_HEADERS | END_STREAM, stream=STREAM)


@lru_cache(maxsize=4096)
def _encode(name: str, value: str) -> bytes:
    """Return a header field that refers to no other one of the request, so that it is the same in each.

    A large daemon has thousands of authorities: in turn they would drive each other out of a small cache.
    """
    return Encoder().encode([(name, value)])


_BEFORE_HEAD = (
    _PREFACE
    + frame_bytes(
        SETTINGS, b"".join(k.to_bytes(2, "big") + v.to_bytes(4, "big") for k, v in OWN_SETTINGS.items())
    )
    + frame_bytes(WINDOW_UPDATE, WINDOW.to_bytes(4, "big"))
)
