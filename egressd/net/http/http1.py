"""An HTTP/1.1 client over an open stream (RFC 9112), by h11."""

from __future__ import annotations

import h11

from egressd.model.observation import Failure
from egressd.net.http import websocket
from egressd.net.http.request import Request
from egressd.net.http.response import ResponseBuffer
from egressd.net.scrub import scrub_bytes
from egressd.net.sockets.errors import PhaseError
from egressd.net.stream import ByteStream, TlsAlertError

HEAD_LIMIT = 64 * 1024
READ_SIZE = 65536
_MAX_INTERIM = 8
_SNIPPET = 80
_Event = h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]


class Http1Client:
    """One request on one stream.

    Raises:
        PhaseError: the response violates HTTP, or ended early.
        OSError: reading or writing failed.
    """

    def __init__(self, stream: ByteStream, response: ResponseBuffer) -> None:
        self._stream = stream
        self._response = response
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_LIMIT)
        self._received = 0
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
        interim = 0
        while not self._response.enough:
            event = await self._next_event()
            match event:
                case h11.InformationalResponse(status_code=101):
                    self._add_head(event)
                    return
                case h11.InformationalResponse():
                    interim += 1
                    if interim > _MAX_INTERIM:
                        raise PhaseError(Failure.NOT_HTTP, f"more than {_MAX_INTERIM} interim answers")
                case h11.Response():
                    self._add_head(event)
                    if self._h11.their_state is h11.SWITCHED_PROTOCOL:
                        return  # CONNECT succeeded: what follows belongs to the tunnel
                case h11.Data():
                    self._response.add_body(bytes(event.data))
                case h11.EndOfMessage():
                    self._response.complete = True
                case _:
                    raise self._closed_error()

    def _add_head(self, event: h11.Response | h11.InformationalResponse) -> None:
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers)
        self._response.add_head(event.status_code, headers)

    async def _next_event(self) -> _Event:
        while True:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError as error:
                raise self._protocol_error(error) from None
            if event is not h11.NEED_DATA:
                return event
            self._feed(await self._read_stream())

    async def _read_stream(self) -> bytes:
        try:
            data = await self._stream.read(READ_SIZE)
        except TlsAlertError:
            raise
        except OSError as error:
            raise self._write_error or error from None
        if not data and self._write_error is not None and not self._received:
            raise self._write_error
        return data

    def _feed(self, data: bytes) -> None:
        if not data and self._response.status is None:
            raise self._closed_error()
        self._received += len(data)
        if len(self.first) < 512:
            self.first += data[: 512 - len(self.first)]
        self._h11.receive_data(data)

    def _closed_error(self) -> PhaseError:
        """Return the failure of a stream that ended before the response head."""
        if not self._received:
            return PhaseError(Failure.CLOSED, "closed without an answer")
        if not b"HTTP/".startswith(self.first[:5]):
            return PhaseError(Failure.NOT_HTTP, scrub_bytes(self.first, _SNIPPET) or self.first[:32].hex())
        return PhaseError(Failure.CLOSED, f"closed after {self._received} bytes, in the middle of the head")

    def _protocol_error(self, error: h11.RemoteProtocolError) -> PhaseError:
        if self._response.status is None:
            if error.error_status_hint == 431:
                return PhaseError(Failure.TOO_LARGE, f"the head is larger than {HEAD_LIMIT} bytes")
            snippet = scrub_bytes(self.first, _SNIPPET) or self.first[:32].hex()
            return PhaseError(Failure.NOT_HTTP, f"{error}: {snippet}")
        if self._h11.trailing_data[1]:
            return PhaseError(Failure.TRUNCATED, str(error))
        return PhaseError(Failure.NOT_HTTP, f"the body is broken: {error}")

    @property
    def trailing_data(self) -> bytes:
        """Bytes received after the response head: the first of the tunnel."""
        return self._h11.trailing_data[0]
