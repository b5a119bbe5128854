"""An HTTP/1.1 client over an open stream (RFC 9112). h11 writes the request and reads the body.

Heads are read by `head`: h11 refuses some that every client reads.
"""

from __future__ import annotations

import h11

from egressd.model.observation import Failure
from egressd.net.http import websocket
from egressd.net.http.head import (
    BodyFraming,
    HeadBuffer,
    ResponseHead,
    body_framing,
    parse_head,
    starts_like_http,
)
from egressd.net.http.request import Request
from egressd.net.http.response import ResponseBuffer
from egressd.net.scrub import scrub_bytes
from egressd.net.sockets.errors import PhaseError
from egressd.net.stream import ByteStream, TlsAlertError

READ_SIZE = 65536
MAX_INTERIM = 8
_SNIPPET = 80
_BODILESS = frozenset({204, 304})
"""Their Content-Length is not that of a body that follows (RFC 9112 section 6.3)."""
_EMPTY_LINES = "an empty line before the status line"


class Http1Client:
    """One request on one stream.

    Raises:
        PhaseError: the response violates HTTP, or ended early.
        OSError: reading or writing failed.
    """

    def __init__(self, stream: ByteStream, response: ResponseBuffer) -> None:
        self._stream = stream
        self._response = response
        self._h11 = h11.Connection(h11.CLIENT)
        self._method = ""
        self._head = HeadBuffer()
        self.received = 0
        """Bytes of the head; once it came, no more are counted."""
        self._write_error: OSError | None = None
        self.first = b""
        """The first bytes of the response, 512 at most."""

    async def exchange(self, request: Request) -> None:
        """Send a request and read the response into the buffer."""
        key = websocket.new_key()
        closing = websocket.upgrade_headers(key) if request.upgrade else (("connection", "close"),)
        headers = (("host", request.authority), *request.all_headers, *closing)
        await self.send(request.method, request.target, headers)
        await self.read_response()
        if self._response.status == 101 and self._response.header(
            "sec-websocket-accept"
        ) != websocket.accept_value(key):
            raise PhaseError(Failure.NOT_HTTP, "101, but Sec-WebSocket-Accept does not answer our key")

    async def send(self, method: str, target: str, headers: tuple[tuple[str, str], ...]) -> None:
        """Send a request without a body.

        A write error is kept for later: what the peer sent before it closed may still be read.
        """
        self._method = method
        try:
            head = self._h11.send(h11.Request(method=method, target=target, headers=list(headers)))
            end = self._h11.send(h11.EndOfMessage())
        except h11.LocalProtocolError as error:
            raise PhaseError(Failure.NAME_INVALID, f"cannot be asked for: {error}") from None
        try:
            await self._stream.write((head or b"") + (end or b""))
        except TlsAlertError:
            raise
        except OSError as error:
            self._write_error = error

    async def read_response(self) -> None:
        """Read until the response is complete, or enough of it was received."""
        head = await self._read_head()
        framing = body_framing(head.headers)
        violations = (*head.violations, *framing.violations)
        if self._head.empty_lines:
            violations = (_EMPTY_LINES, *violations)
        self._response.add_head(head.status, head.headers, codings=framing.codings, violations=violations)
        if head.status == 101 or (self._method == "CONNECT" and head.status < 300):
            return  # what follows belongs to the other protocol, or to the tunnel
        await self._read_body(head, framing)

    async def _read_head(self) -> ResponseHead:
        """Return the head of the final response, or of 101."""
        interim = 0
        while interim <= MAX_INTERIM:
            data = self._head.take()
            if data is None:
                self._feed(await self._read_stream())
                continue
            head = parse_head(data)
            if head.status == 101 or head.status >= 200:
                return head
            interim += 1
        raise PhaseError(Failure.MALFORMED, f"more than {MAX_INTERIM} interim answers")

    def _feed(self, data: bytes) -> None:
        if not data:
            raise self._closed_error()
        self.received += len(data)
        if len(self.first) < 512:
            self.first += data[: 512 - len(self.first)]
        self._head.feed(data)

    async def _read_body(self, head: ResponseHead, framing: BodyFraming) -> None:
        """Read the body; h11 does, unless it came as a whole with the head."""
        if framing.length is not None and self._is_whole(head.status, framing.length):
            await self._response.add_body(self.trailing_data[: framing.length])
            if not self._response.enough:
                self._response.end_body()
            return
        self._h11.receive_data(_strict_head(head.status, framing))
        if self.trailing_data:
            self._h11.receive_data(self.trailing_data)
        while not self._response.enough:
            await self._stream.turn.share()
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError as error:
                raise self._body_error(error) from None
            match event:
                case h11.Data():
                    await self._response.add_body(bytes(event.data))
                case h11.EndOfMessage():
                    self._response.end_body()
                case h11.NEED_DATA:
                    self._h11.receive_data(await self._read_stream())

    def _is_whole(self, status: int, length: int) -> bool:
        bodiless = status in _BODILESS or self._method == "HEAD"
        return not bodiless and len(self.trailing_data) >= length

    async def _read_stream(self) -> bytes:
        try:
            data = await self._stream.read(READ_SIZE)
        except TlsAlertError:
            raise
        except OSError as error:
            raise self._write_error or error from None
        if not data and self._write_error is not None and not self.received:
            raise self._write_error
        return data

    def _closed_error(self) -> PhaseError:
        """Return the failure of a stream that ended before the response head."""
        if not self.received:
            return PhaseError(Failure.CLOSED, "closed without an answer")
        if not starts_like_http(self.first):
            return PhaseError(Failure.NOT_HTTP, scrub_bytes(self.first, _SNIPPET) or self.first[:32].hex())
        return PhaseError(Failure.CLOSED, f"closed after {self.received} bytes, in the middle of the head")

    def _body_error(self, error: h11.RemoteProtocolError) -> PhaseError:
        if self._h11.trailing_data[1]:
            return PhaseError(Failure.TRUNCATED, str(error))
        return PhaseError(Failure.MALFORMED, f"the body is broken: {error}")

    @property
    def trailing_data(self) -> bytes:
        """Bytes received together with the response head: the first of the body or the tunnel."""
        return self._head.rest


def _strict_head(status: int, framing: BodyFraming) -> bytes:
    """Return a head that tells h11 where the body ends."""
    ends = f"Content-Length: {framing.length}\r\n" if framing.length is not None else ""
    ends = "Transfer-Encoding: chunked\r\n" if framing.chunked else ends
    return f"HTTP/1.1 {status}\r\n{ends}\r\n".encode()
