"""An HTTP/2 client over an open stream, for one request (RFC 9113), by hyper-h2."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import DenialOfServiceError, ProtocolError
from h2.settings import SettingCodes, Settings

from egressd.model.observation import Failure
from egressd.net.http.http1 import HEAD_LIMIT, READ_SIZE
from egressd.net.http.request import MIB, Request
from egressd.net.http.response import ResponseBuffer
from egressd.net.scrub import scrub_bytes
from egressd.net.sockets.errors import PhaseError
from egressd.net.stream import ByteStream, TlsAlertError

_WINDOW = 4 * MIB
"""The flow-control window; the default of 64 KiB would measure latency, not throughput."""
_STREAM: Final = 1
_FRAME_LIMIT = 16_384
"""The SETTINGS_MAX_FRAME_SIZE that is announced, the least allowed (RFC 9113 section 6.5.2)."""
_FRAME_HEADER = 9
_HEADERS, _CONTINUATION = 1, 9
_FRAGMENT_LIMIT = 60
"""Frames that one response head may have; h2 gives up soon after, without a clear error."""


class Http2Client:
    """One request on one stream.

    Raises:
        PhaseError: the server ended the stream, or does not speak HTTP/2.
        OSError: reading or writing failed.
    """

    def __init__(self, stream: ByteStream, response: ResponseBuffer) -> None:
        self._stream = stream
        self._response = response
        self._received = 0
        self._write_error: OSError | None = None
        self._frames = FrameLimiter()
        self._h2 = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self._h2.local_settings = Settings(
            client=True,
            initial_values={
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW,
                SettingCodes.MAX_FRAME_SIZE: _FRAME_LIMIT,
                SettingCodes.MAX_HEADER_LIST_SIZE: HEAD_LIMIT,
            },
        )

    async def exchange(self, request: Request) -> None:
        """Send a request and read the response into the buffer."""
        head = _header_fields(request)
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_WINDOW)
        self._h2.send_headers(_STREAM, head, end_stream=True)
        await self._flush()
        while not self._response.enough:
            data = await self._read_stream()
            self._refuse_http1(data)
            self._apply(self._receive(data))
            await self._flush()

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
        if not self._received and data.startswith(b"HTTP/"):
            raise PhaseError(Failure.HTTP2_ERROR, f"answered in {scrub_bytes(data, 80)}")
        self._received += len(data)

    def _receive(self, data: bytes) -> list[Event]:
        self._frames.feed(data)
        try:
            return self._h2.receive_data(data)
        except DenialOfServiceError as error:
            raise PhaseError(Failure.TOO_LARGE, str(error)) from None
        except ProtocolError as error:
            raise PhaseError(Failure.HTTP2_ERROR, f"{type(error).__name__}: {error}") from None

    def _apply(self, events: Iterable[Event]) -> None:
        for event in events:
            match event:
                case ResponseReceived(stream_id=1):
                    self._add_head(event)
                case DataReceived(stream_id=1):
                    self._add_data(event)
                case StreamEnded(stream_id=1):
                    self._response.complete = True
                case StreamReset(stream_id=1) if not self._response.enough:
                    name = _error_name(event.error_code)
                    raise PhaseError(Failure.HTTP2_ERROR, f"RST_STREAM {name}")
                case ConnectionTerminated() if self._refuses_ours(event) and not self._response.enough:
                    raise PhaseError(Failure.HTTP2_ERROR, _goaway_text(event))
                case _:
                    pass  # settings, pings, windows: h2 answers them itself

    def _refuses_ours(self, event: ConnectionTerminated) -> bool:
        """Return whether a GOAWAY refuses our request; a graceful one lets it finish."""
        refused = event.last_stream_id is not None and event.last_stream_id < _STREAM
        return refused or event.error_code != ErrorCodes.NO_ERROR

    def _add_head(self, event: ResponseReceived) -> None:
        pairs = [(_decode(name), _decode(value)) for name, value in event.headers or ()]
        status = next((value for name, value in pairs if name == ":status"), "")
        if not (len(status) == 3 and status.isascii() and status.isdigit()):
            raise PhaseError(Failure.HTTP2_ERROR, f"the status is {status!r}")
        self._response.add_head(int(status), tuple(pair for pair in pairs if not pair[0].startswith(":")))

    def _add_data(self, event: DataReceived) -> None:
        self._response.add_body(event.data or b"")
        if event.flow_controlled_length:
            self._h2.acknowledge_received_data(event.flow_controlled_length, _STREAM)

    async def _flush(self) -> None:
        """Send pending data. A write error is kept: what the peer sent before may still be read."""
        data = self._h2.data_to_send()
        if not data or self._write_error is not None:
            return
        try:
            await self._stream.write(data)
        except OSError as error:
            self._write_error = error

    def _closed_error(self) -> PhaseError:
        if self._response.status is not None:
            return PhaseError(Failure.TRUNCATED, "closed before the end of the body")
        return PhaseError(Failure.CLOSED, f"closed after {self._received} bytes, without an answer")


class FrameLimiter:
    """Reads the frame headers of a stream, to refuse a frame that is too long before it is buffered.

    h2 buffers a whole frame, 16 MiB at most, before it checks its length (RFC 9113 section 4.2).
    """

    def __init__(self) -> None:
        self._header_fields = b""
        self._body = 0
        self._fragments = 0

    def feed(self, data: bytes) -> None:
        """Follow more bytes of the stream.

        Raises:
            PhaseError: HTTP2_ERROR, where a frame is too long; TOO_LARGE, where a response head is.
        """
        at = 0
        while at < len(data):
            skipped = min(self._body, len(data) - at)
            self._body -= skipped
            at += skipped
            missing = _FRAME_HEADER - len(self._header_fields)
            self._header_fields += data[at : at + missing]
            at += missing
            if len(self._header_fields) == _FRAME_HEADER:
                self._start_frame(int.from_bytes(self._header_fields[:3]), kind=self._header_fields[3])

    def _start_frame(self, length: int, *, kind: int) -> None:
        if length > _FRAME_LIMIT:
            detail = f"a frame of {length} bytes is announced, where {_FRAME_LIMIT} are allowed"
            raise PhaseError(Failure.HTTP2_ERROR, detail)
        self._fragments = self._fragments + 1 if kind in (_HEADERS, _CONTINUATION) else 0
        if self._fragments > _FRAGMENT_LIMIT:
            raise PhaseError(Failure.TOO_LARGE, f"a head of more than {_FRAGMENT_LIMIT} frames")
        self._header_fields, self._body = b"", length


def _header_fields(request: Request) -> list[tuple[str, str]]:
    return [
        (":method", request.method),
        (":scheme", "https"),
        (":authority", request.authority),
        (":path", request.target),
        *request.all_headers,
    ]


def _decode(data: bytes | str) -> str:
    return data.decode("latin-1") if isinstance(data, bytes) else data


def _error_name(code: ErrorCodes | int | None) -> str:
    return code.name if isinstance(code, ErrorCodes) else str(code)


def _goaway_text(event: ConnectionTerminated) -> str:
    return f"GOAWAY {_error_name(event.error_code)} {scrub_bytes(event.additional_data or b'', 80)}".strip()
