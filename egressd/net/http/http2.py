"""HTTP/2 by hyper-h2 on a stream we hold: one request, one answer (RFC 9113)."""

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
"""What a server may send ahead; the default of 64 KiB would measure latency, not speed."""
_STREAM: Final = 1
_FRAME_LIMIT = 16_384
"""SETTINGS_MAX_FRAME_SIZE as we announce it, the least that may be announced (RFC 9113 section 6.5.2)."""
_FRAME_HEAD = 9
_HEADERS, _CONTINUATION = 1, 9
_FRAGMENT_LIMIT = 60
"""Frames that one head may come in; h2 gives up soon after, and does not say why."""


class Http2Client:
    """One request over one stream.

    Raises:
        PhaseError: the server broke off, or does not speak HTTP/2.
        OSError: the stream broke.
    """

    def __init__(self, stream: ByteStream, response: ResponseBuffer) -> None:
        self._stream = stream
        self._response = response
        self._heard = 0
        self._unsent: OSError | None = None
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
        """Send a request and take its answer in."""
        head = _head(request)
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_WINDOW)
        self._h2.send_headers(_STREAM, head, end_stream=True)
        await self._flush()
        while not self._response.enough:
            data = await self._read()
            self._hear(data)
            self._take(self._receive(data))
            await self._flush()

    async def _read(self) -> bytes:
        try:
            data = await self._stream.read(READ_SIZE)
        except TlsAlertError:
            raise
        except OSError as error:
            raise self._unsent or error from None
        if not data:
            raise self._unsent or self._closed()
        return data

    def _hear(self, data: bytes) -> None:
        """Notice an answer in the older protocol; h2 would take it for a long frame and wait."""
        if not self._heard and data.startswith(b"HTTP/"):
            raise PhaseError(Failure.HTTP2_ERROR, f"answered in {scrub_bytes(data, 80)}")
        self._heard += len(data)

    def _receive(self, data: bytes) -> list[Event]:
        self._frames.watch(data)
        try:
            return self._h2.receive_data(data)
        except DenialOfServiceError as error:
            raise PhaseError(Failure.TOO_LARGE, str(error)) from None
        except ProtocolError as error:
            raise PhaseError(Failure.HTTP2_ERROR, f"{type(error).__name__}: {error}") from None

    def _take(self, events: Iterable[Event]) -> None:
        for event in events:
            match event:
                case ResponseReceived(stream_id=1):
                    self._take_head(event)
                case DataReceived(stream_id=1):
                    self._take_data(event)
                case StreamEnded(stream_id=1):
                    self._response.complete = True
                case StreamReset(stream_id=1) if not self._response.enough:
                    name = _error_name(event.error_code)
                    raise PhaseError(Failure.HTTP2_ERROR, f"RST_STREAM {name}")
                case ConnectionTerminated() if self._ends_ours(event) and not self._response.enough:
                    raise PhaseError(Failure.HTTP2_ERROR, _goodbye(event))
                case _:
                    pass  # settings, pings, windows: h2 answers them itself

    def _ends_ours(self, event: ConnectionTerminated) -> bool:
        """Say whether a GOAWAY leaves our request unanswered; a graceful one lets it finish."""
        refused = event.last_stream_id is not None and event.last_stream_id < _STREAM
        return refused or event.error_code != ErrorCodes.NO_ERROR

    def _take_head(self, event: ResponseReceived) -> None:
        pairs = [(_text(name), _text(value)) for name, value in event.headers or ()]
        status = next((value for name, value in pairs if name == ":status"), "")
        if not (len(status) == 3 and status.isascii() and status.isdigit()):
            raise PhaseError(Failure.HTTP2_ERROR, f"the status is {status!r}")
        self._response.add_head(int(status), tuple(pair for pair in pairs if not pair[0].startswith(":")))

    def _take_data(self, event: DataReceived) -> None:
        self._response.add_body(event.data or b"")
        if event.flow_controlled_length:
            self._h2.acknowledge_received_data(event.flow_controlled_length, _STREAM)

    async def _flush(self) -> None:
        """Send what h2 has to say. A broken pipe is kept: what was said before may still be read."""
        data = self._h2.data_to_send()
        if not data or self._unsent is not None:
            return
        try:
            await self._stream.write(data)
        except OSError as error:
            self._unsent = error

    def _closed(self) -> PhaseError:
        if self._response.status is not None:
            return PhaseError(Failure.TRUNCATED, "closed before the end of the body")
        return PhaseError(Failure.CLOSED, f"closed after {self._heard} bytes, without an answer")


class FrameLimiter:
    """Follows the frames of a stream by their heads alone, to refuse one before it is collected.

    h2 collects a whole frame, 16 MiB at most, before it looks at its length (RFC 9113 section 4.2).
    """

    def __init__(self) -> None:
        self._head = b""
        self._body = 0
        self._fragments = 0

    def watch(self, data: bytes) -> None:
        """Follow more bytes.

        Raises:
            PhaseError: HTTP2_ERROR, a frame is longer than we allow; TOO_LARGE, a head is.
        """
        at = 0
        while at < len(data):
            skipped = min(self._body, len(data) - at)
            self._body -= skipped
            at += skipped
            missing = _FRAME_HEAD - len(self._head)
            self._head += data[at : at + missing]
            at += missing
            if len(self._head) == _FRAME_HEAD:
                self._enter(int.from_bytes(self._head[:3]), kind=self._head[3])

    def _enter(self, length: int, *, kind: int) -> None:
        if length > _FRAME_LIMIT:
            words = f"a frame of {length} bytes is announced, where {_FRAME_LIMIT} are allowed"
            raise PhaseError(Failure.HTTP2_ERROR, words)
        self._fragments = self._fragments + 1 if kind in (_HEADERS, _CONTINUATION) else 0
        if self._fragments > _FRAGMENT_LIMIT:
            raise PhaseError(Failure.TOO_LARGE, f"a head of more than {_FRAGMENT_LIMIT} frames")
        self._head, self._body = b"", length


def _head(request: Request) -> list[tuple[str, str]]:
    return [
        (":method", request.method),
        (":scheme", "https"),
        (":authority", request.authority),
        (":path", request.target),
        *request.all_headers,
    ]


def _text(data: bytes | str) -> str:
    return data.decode("latin-1") if isinstance(data, bytes) else data


def _error_name(code: ErrorCodes | int | None) -> str:
    return code.name if isinstance(code, ErrorCodes) else str(code)


def _goodbye(event: ConnectionTerminated) -> str:
    return f"GOAWAY {_error_name(event.error_code)} {scrub_bytes(event.additional_data or b'', 80)}".strip()
