"""An HTTP/2 client over an open stream, for one request (RFC 9113)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, assert_never

from egressd.model.observation import Failure
from egressd.net.http.frames import CONTINUATION, GOAWAY, HEADERS, Frame, FrameSplitter
from egressd.net.http.headers import is_field_name
from egressd.net.http.http1 import MAX_INTERIM, READ_SIZE
from egressd.net.http.library_http2 import LibraryConnection
from egressd.net.http.plain_http2 import (
    STREAM,
    BodyPart,
    EndPart,
    HeadPart,
    InterimPart,
    PlainConnection,
    ResetPart,
    ResponsePart,
)
from egressd.net.http.request import Request
from egressd.net.http.response import ResponseBuffer
from egressd.net.scrub import scrub, scrub_bytes
from egressd.net.sockets.errors import NotProcessedError, PhaseError
from egressd.net.stream import ByteStream, TlsAlertError

_MAX_FRAMES, _MAX_BYTES = 1000, 256 * 1024
"""Frames that bring no answer, and their bytes: settings, windows, pings. A server has a handful to send."""
_OF_A_CONNECTION = frozenset({"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"})
"""Headers of HTTP/1 that HTTP/2 forbids (RFC 9113 section 8.2.2)."""
_MAX_VIOLATIONS = 8
_ERRORS = (
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
)
"""The names of error codes, from 0 on (RFC 9113 section 7)."""
_RETRY_WITH: Final[dict[str, Literal["1.1", "2"]]] = {"HTTP_1_1_REQUIRED": "1.1", "REFUSED_STREAM": "2"}
"""Codes that say that a request was not processed, and what to send it with again (RFC 9113 section 8.7)."""


class Http2Client:
    """One request on one stream.

    Raises:
        PhaseError: the server ended the stream, or does not speak HTTP/2.
        OSError: reading or writing failed.
    """

    def __init__(self, stream: ByteStream, response: ResponseBuffer) -> None:
        self._stream = stream
        self._response = response
        self.received = 0
        self._write_error: OSError | None = None
        self._frames = FrameSplitter()
        self._frames_without_progress = self._bytes_without_progress = 0
        """Since the head of the answer, or the last data of it."""
        self._interim = 0
        self._goaway = ""
        """A GOAWAY that lets our request go on."""

    async def exchange(self, request: Request) -> None:
        """Send a request and read the response into the buffer."""
        connection = _Connection(request)
        await self._flush(connection)
        while not self._response.enough:
            data = await self._read_stream()
            self._refuse_http1(data)
            for number, frame in enumerate(self._frames.feed(data)):
                if number:  # what reads has taken its turn
                    await self._stream.turn.share()
                if not self._response.enough:  # what follows the answer is no fault of it
                    await self._receive(frame, connection)
            await self._flush(connection)

    async def _read_stream(self) -> bytes:
        try:
            data = await self._stream.read(READ_SIZE)
        except TlsAlertError:
            raise
        except OSError as error:
            raise self._write_error or error from None
        if not data:
            raise self._write_error or self._closed_error()
        return data

    def _refuse_http1(self, data: bytes) -> None:
        """Raise PhaseError for a response in HTTP/1: h2 would take it for a long frame and wait."""
        if not self.received and data.startswith(b"HTTP/"):
            raise PhaseError(Failure.HTTP2_ERROR, f"answered in {scrub_bytes(data, 80)}")
        self.received += len(data)

    async def _receive(self, frame: Frame, connection: _Connection) -> None:
        """Read a frame; h2 ends the connection at GOAWAY: one that lets us go on is kept from it."""
        self._refuse_flood(frame)
        if frame.kind == GOAWAY and len(frame.payload) >= 8:
            self._read_goaway(frame.payload)
            return
        for part in connection.receive(frame):
            await self._apply(part)

    def _refuse_flood(self, frame: Frame) -> None:
        """Count a frame; raise PhaseError where too many brought no answer. Those of a head are limited."""
        self._frames_without_progress += 1
        if frame.kind not in (HEADERS, CONTINUATION):
            self._bytes_without_progress += len(frame.data)
        frames, size = self._frames_without_progress, self._bytes_without_progress
        if frames > _MAX_FRAMES or size > _MAX_BYTES:
            raise PhaseError(Failure.FLOOD, f"{frames} frames of {size} bytes came that bring no answer")

    def _read_goaway(self, payload: bytes) -> None:
        """Note a GOAWAY (RFC 9113 section 6.8): streams up to the one it names go on.

        Raises:
            NotProcessedError: it names a lower stream than ours.
        """
        last, code = int.from_bytes(payload[:4]) & 0x7FFF_FFFF, int.from_bytes(payload[4:8])
        name = _error_name(code)
        text = f"GOAWAY {name} {scrub_bytes(payload[8:], 80)}".strip()
        self._goaway = text
        if last < STREAM and not self._response.enough:
            raise NotProcessedError(text, version=_RETRY_WITH.get(name, "2"))

    async def _apply(self, part: ResponsePart) -> None:
        match part:
            case HeadPart():
                self._add_head(part)
            case InterimPart():
                self._count_interim()
            case BodyPart():
                if part.data:
                    self._made_progress()
                await self._response.add_body(part.data)
            case EndPart():
                self._response.end_body()
            case ResetPart():
                if not self._response.enough:
                    raise self._reset_error(part)
            case _:
                assert_never(part)

    def _count_interim(self) -> None:
        self._interim += 1
        if self._interim > MAX_INTERIM:
            raise PhaseError(Failure.MALFORMED, f"more than {MAX_INTERIM} interim answers")

    def _made_progress(self) -> None:
        self._frames_without_progress = self._bytes_without_progress = 0

    def _reset_error(self, reset: ResetPart) -> PhaseError:
        name = _error_name(reset.code)
        text = f"RST_STREAM {name}"
        again = _RETRY_WITH.get(name)
        if again is None or self._response.status is not None:
            return PhaseError(Failure.HTTP2_ERROR, text)
        return NotProcessedError(text, version=again)

    def _add_head(self, head: HeadPart) -> None:
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers]
        status = next((value for name, value in pairs if name == ":status"), "")
        if not (len(status) == 3 and status.isascii() and status.isdigit()):
            raise PhaseError(Failure.HTTP2_ERROR, f"the status is {status!r}")
        headers = tuple(pair for pair in pairs if not pair[0].startswith(":"))
        self._made_progress()
        self._response.add_head(
            int(status), headers, violations=tuple(_violations(headers))[:_MAX_VIOLATIONS]
        )

    async def _flush(self, connection: _Connection) -> None:
        """Send pending data. A write error is kept: what the peer sent before may still be read."""
        data = connection.data_to_send()
        if not data or self._write_error is not None:
            return
        try:
            await self._stream.write(data)
        except OSError as error:
            self._write_error = error

    def _closed_error(self) -> PhaseError:
        if self._response.status is not None:
            return PhaseError(Failure.TRUNCATED, "closed before the end of the body")
        if self._goaway:
            return PhaseError(Failure.HTTP2_ERROR, f"{self._goaway}, then closed without an answer")
        return PhaseError(Failure.CLOSED, f"closed after {self.received} bytes, without an answer")


class _Connection:
    """What frames say of the response: h2 reads them from the first one on that is out of the ordinary."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._plain = PlainConnection(request)
        self._library: LibraryConnection | None = None

    def receive(self, frame: Frame) -> tuple[ResponsePart, ...]:
        """Return what a frame says. Raises PhaseError where it breaks the rules."""
        if self._library is None:
            parts = self._plain.receive(frame)
            if parts is not None:
                return parts
            self._library = LibraryConnection(self._request, self._plain.frames)
        return self._library.receive(frame.data)

    def data_to_send(self) -> bytes:
        """Return what is to be sent now."""
        data = self._plain.data_to_send()
        return data if self._library is None else data + self._library.data_to_send()


def _violations(headers: tuple[tuple[str, str], ...]) -> Iterator[str]:
    """Yield what of the headers breaks RFC 9113 section 8.2, in words."""
    for name, _ in headers:
        if not is_field_name(name) or name != name.lower():
            yield f"`{scrub(name, 40)}` is no header name of HTTP/2"
        elif name in _OF_A_CONNECTION:
            yield f"`{name}`, which HTTP/2 does not have"


def _error_name(code: int) -> str:
    return _ERRORS[code] if code < len(_ERRORS) else str(code)
