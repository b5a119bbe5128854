"""An HTTP/2 client over an open stream, for one request (RFC 9113), by hyper-h2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import DenialOfServiceError, InvalidBodyLengthError, ProtocolError
from h2.settings import SettingCodes, Settings

from egressd.model.observation import Failure
from egressd.net.http.frames import CONTINUATION, FRAME_LIMIT, GOAWAY, HEADERS, Frame, FrameSplitter
from egressd.net.http.headers import is_field_name
from egressd.net.http.http1 import MAX_INTERIM, READ_SIZE
from egressd.net.http.request import MIB, Request
from egressd.net.http.response import ResponseBuffer
from egressd.net.scrub import scrub, scrub_bytes
from egressd.net.sockets.errors import NotProcessedError, PhaseError
from egressd.net.stream import ByteStream, TlsAlertError

_WINDOW = 4 * MIB
"""The flow-control window; the default of 64 KiB would measure latency, not throughput."""
_STREAM: Final = 1
_HEADER_LIST_LIMIT = 256 * 1024
_MAX_FRAMES, _MAX_BYTES = 1000, 256 * 1024
"""Frames that bring no answer, and their bytes: settings, windows, pings. A server has a handful to send."""
_OF_A_CONNECTION = frozenset({"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"})
"""Headers of HTTP/1 that HTTP/2 forbids (RFC 9113 section 8.2.2)."""
_MAX_VIOLATIONS = 8
_RETRY_WITH: Final[dict[ErrorCodes | None, Literal["1.1", "2"]]] = {
    ErrorCodes.HTTP_1_1_REQUIRED: "1.1",
    ErrorCodes.REFUSED_STREAM: "2",
}
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
        self._h2 = H2Connection(
            H2Configuration(
                client_side=True,
                header_encoding=None,
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
                validate_outbound_headers=False,  # they are written here, in the form that HTTP/2 wants
                normalize_outbound_headers=False,
            )
        )
        self._h2.local_settings = Settings(
            client=True,
            initial_values={
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW,
                SettingCodes.MAX_FRAME_SIZE: FRAME_LIMIT,
                SettingCodes.MAX_HEADER_LIST_SIZE: _HEADER_LIST_LIMIT,
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
            for frame in self._frames.feed(data):
                await self._stream.turn.share()
                if not self._response.enough:  # what follows the answer is no fault of it
                    await self._receive(frame)
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
        if not self.received and data.startswith(b"HTTP/"):
            raise PhaseError(Failure.HTTP2_ERROR, f"answered in {scrub_bytes(data, 80)}")
        self.received += len(data)

    async def _receive(self, frame: Frame) -> None:
        """Give a frame to h2, which ends the connection at GOAWAY: one that lets us go on is kept from it."""
        self._refuse_flood(frame)
        if frame.kind == GOAWAY and len(frame.payload) >= 8:
            self._read_goaway(frame.payload)
            return
        try:
            events = self._h2.receive_data(frame.data)
        except DenialOfServiceError as error:
            raise PhaseError(Failure.TOO_LARGE, str(error)) from None
        except InvalidBodyLengthError as error:
            raise PhaseError(Failure.TRUNCATED, str(error)) from None
        except ProtocolError as error:
            raise PhaseError(Failure.HTTP2_ERROR, f"{type(error).__name__}: {error}") from None
        await self._apply(events)

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
        text = f"GOAWAY {_error_name(code)} {scrub_bytes(payload[8:], 80)}".strip()
        self._goaway = text
        if last < _STREAM and not self._response.enough:
            raise NotProcessedError(text, version=_RETRY_WITH.get(_error_code(code), "2"))

    async def _apply(self, events: Iterable[Event]) -> None:
        for event in events:
            match event:
                case InformationalResponseReceived():
                    self._count_interim()
                case ResponseReceived(stream_id=1):
                    self._add_head(event)
                case DataReceived(stream_id=1):
                    await self._add_data(event)
                case StreamEnded(stream_id=1):
                    self._response.end_body()
                case StreamReset(stream_id=1) if not self._response.enough:
                    raise self._reset_error(event)
                case _:
                    pass  # settings, pings, windows: h2 answers them itself

    def _count_interim(self) -> None:
        self._interim += 1
        if self._interim > MAX_INTERIM:
            raise PhaseError(Failure.MALFORMED, f"more than {MAX_INTERIM} interim answers")

    def _made_progress(self) -> None:
        self._frames_without_progress = self._bytes_without_progress = 0

    def _reset_error(self, event: StreamReset) -> PhaseError:
        text = f"RST_STREAM {_error_name(event.error_code)}"
        again = _RETRY_WITH.get(_error_code(event.error_code))
        if again is None or self._response.status is not None:
            return PhaseError(Failure.HTTP2_ERROR, text)
        return NotProcessedError(text, version=again)

    def _add_head(self, event: ResponseReceived) -> None:
        pairs = [(_decode(name), _decode(value)) for name, value in event.headers or ()]
        status = next((value for name, value in pairs if name == ":status"), "")
        if not (len(status) == 3 and status.isascii() and status.isdigit()):
            raise PhaseError(Failure.HTTP2_ERROR, f"the status is {status!r}")
        headers = tuple(pair for pair in pairs if not pair[0].startswith(":"))
        self._made_progress()
        self._response.add_head(
            int(status), headers, violations=tuple(_violations(headers))[:_MAX_VIOLATIONS]
        )

    async def _add_data(self, event: DataReceived) -> None:
        if event.data:
            self._made_progress()
        await self._response.add_body(event.data or b"")
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
        if self._goaway:
            return PhaseError(Failure.HTTP2_ERROR, f"{self._goaway}, then closed without an answer")
        return PhaseError(Failure.CLOSED, f"closed after {self.received} bytes, without an answer")


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


def _violations(headers: tuple[tuple[str, str], ...]) -> Iterator[str]:
    """Yield what of the headers breaks RFC 9113 section 8.2, in words."""
    for name, _ in headers:
        shown = f"`{scrub(name, 40)}`"
        if not is_field_name(name) or name != name.lower():
            yield f"{shown} is no header name of HTTP/2"
        elif name in _OF_A_CONNECTION:
            yield f"{shown}, which HTTP/2 does not have"


def _error_code(code: ErrorCodes | int | None) -> ErrorCodes | None:
    return next((one for one in ErrorCodes if one == code), None)


def _error_name(code: ErrorCodes | int | None) -> str:
    known = _error_code(code)
    return known.name if known is not None else str(code)
