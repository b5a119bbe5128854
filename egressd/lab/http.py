"""HTTP/1.1 and HTTP/2 servers over any stream of the lab, with faults where requested."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import responses
from typing import Protocol

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h11

from egressd.lab.responses import ENDLESS_BYTES, Body, LabRequest, LabResponse, SendMode
from egressd.lab.sockets import HOLD_SECONDS, ServerStream

PIECE = 16384
SLOW_PIECE = 4096
SLOW_PAUSE = 1 / 6
"""Seconds between pieces of a slow body: 24 KiB per second."""
SHORT = 16384
"""The most bytes sent of a truncated body."""
FLOOD_BYTES = 4 * 1024 * 1024
"""Bytes after which endless headers stop."""
MAX_WAITING = 32
"""Queued requests of an HTTP/2 connection; more close it."""
GARBAGE = b"\x00\x00\x04\x00\x00\x00\x00\x00\x00junk" + b"this is no HTTP\r\n" * 8
"""Not HTTP/1.1; as HTTP/2 a DATA frame on stream 0, a connection error (RFC 9113 section 6.1)."""

Respond = Callable[[LabRequest], LabResponse]


class HttpServer(Protocol):
    """The server side of one HTTP version."""

    async def receive(self) -> LabRequest | None:
        """Return the next request; None at the end."""
        ...

    async def head(self, answer: LabResponse, *, length: int | None) -> None:
        """Send status and headers; `length` None: no Content-Length."""
        ...

    async def data(self, piece: bytes) -> None:
        """Send a part of the body."""
        ...

    async def end(self) -> None:
        """End the body."""
        ...

    async def send_endless_headers(self) -> None:
        """Send response headers without end."""
        ...

    async def send_nothing_endlessly(self) -> None:
        """Send what is no answer without end."""
        ...

    async def go_away(self) -> bool:
        """Send GOAWAY; return False where the version has none."""
        ...


async def serve_http(stream: ServerStream, alpn: str | None, respond: Respond) -> None:
    """Answer the requests of one connection."""
    server: HttpServer = Http2Server(stream) if alpn == "h2" else Http1Server(stream)
    # The client may close at any moment, or send invalid HTTP.
    with suppress(OSError, h2.exceptions.H2Error, h11.ProtocolError):
        while (request := await server.receive()) is not None:
            answer = respond(request)
            if not await _send(server, stream, request, answer):
                return
    await stream.close_gracefully()


async def _send(server: HttpServer, stream: ServerStream, request: LabRequest, answer: LabResponse) -> bool:
    """Send one response; return whether the connection stays open."""
    match answer.send_mode:
        case SendMode.SILENCE:
            await _wait_for_close(stream)
        case SendMode.RESET:
            stream.reset()
        case SendMode.FIN:
            await stream.close_gracefully()
        case SendMode.GARBAGE:
            await stream.write(GARBAGE)
            await stream.close_gracefully()
        case SendMode.ENDLESS_HEADERS:
            await server.send_endless_headers()
            await stream.close_gracefully()
        case SendMode.FLOOD:
            await server.send_nothing_endlessly()
            await stream.close_gracefully()
        case SendMode.UPGRADE:
            await server.head(answer, length=None)
            await _wait_for_close(stream)
        case SendMode.GOAWAY if await server.go_away():
            await stream.close_gracefully()
        case _:
            return await _send_body(server, stream, request, answer)
    return False


async def _send_body(
    server: HttpServer, stream: ServerStream, request: LabRequest, answer: LabResponse
) -> bool:
    endless = answer.send_mode is SendMode.ENDLESS_BODY
    await server.head(answer, length=None if endless else answer.body.length)
    if request.method != "HEAD":
        for piece in _pieces(answer):
            await server.data(piece)
            if answer.send_mode is SendMode.SLOW:
                await asyncio.sleep(SLOW_PAUSE)
    if answer.send_mode is SendMode.TRUNCATED:
        await stream.close_gracefully()
        return False
    await server.end()
    return True


def _pieces(answer: LabResponse) -> Iterator[bytes]:
    """Yield the body, as far as the send mode sends it."""
    body, most = answer.body, PIECE
    size = body.length
    match answer.send_mode:
        case SendMode.TRUNCATED:
            size = min(size // 2, SHORT)
        case SendMode.ENDLESS_BODY:
            body, size = Body(size=ENDLESS_BYTES), ENDLESS_BYTES
        case SendMode.SLOW:
            most = SLOW_PIECE
    at = 0
    while at < size:
        piece = body.piece(at, min(most, size - at))
        at += len(piece)
        yield piece


async def _wait_for_close(stream: ServerStream) -> None:
    """Wait until the client closes or `HOLD_SECONDS` pass, then close."""
    with suppress(TimeoutError):
        async with asyncio.timeout(HOLD_SECONDS):
            while await stream.read():
                pass
    await stream.close_gracefully()


class Http1Server:
    """An HTTP/1.1 server by h11: one request after another."""

    def __init__(self, stream: ServerStream) -> None:
        self._stream = stream
        self._connection = h11.Connection(h11.SERVER, max_incomplete_event_size=65536)

    async def receive(self) -> LabRequest | None:
        """Return the next request on the connection."""
        while self._connection.our_state is not h11.MUST_CLOSE:
            event = self._connection.next_event()
            if event is h11.NEED_DATA:
                self._connection.receive_data(await self._stream.read())
            elif event is h11.PAUSED:
                if not self._next():
                    return None
            elif isinstance(event, h11.Request):
                headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
                return LabRequest(
                    method=event.method.decode(), target=event.target.decode("latin-1"), headers=headers
                )
            elif isinstance(event, h11.ConnectionClosed):
                return None
        return None

    def _next(self) -> bool:
        if self._connection.our_state is not h11.DONE or self._connection.their_state is not h11.DONE:
            return False
        self._connection.start_next_cycle()
        return True

    async def head(self, answer: LabResponse, *, length: int | None) -> None:
        """Send status and headers."""
        headers = list(answer.headers)
        if answer.status < 200:
            await self._write(h11.InformationalResponse(status_code=answer.status, headers=headers))
            return
        if length is not None:
            headers.append(("content-length", str(length)))
        phrase = responses.get(answer.status, "").encode()
        await self._write(h11.Response(status_code=answer.status, headers=headers, reason=phrase))

    async def data(self, piece: bytes) -> None:
        """Send a part of the body."""
        await self._write(h11.Data(data=piece))

    async def end(self) -> None:
        """End the body."""
        await self._write(h11.EndOfMessage())

    async def send_endless_headers(self) -> None:
        """Send header lines without end."""
        await self._stream.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(FLOOD_BYTES // PIECE):
            await self._stream.write(b"x-filler-%d: %b\r\n" % (number, b"a" * PIECE))

    async def send_nothing_endlessly(self) -> None:
        """Send empty lines, which clients skip before a status line."""
        for _ in range(FLOOD_BYTES // PIECE):
            await self._stream.write(b"\r\n" * (PIECE // 2))

    async def go_away(self) -> bool:
        """Return False: HTTP/1.1 has no GOAWAY."""
        return False

    async def _write(self, event: h11.Event) -> None:
        if data := self._connection.send(event):
            await self._stream.write(data)


class Http2Server:
    """An HTTP/2 server by h2: requests are answered in order of arrival."""

    def __init__(self, stream: ServerStream) -> None:
        self._stream = stream
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self._connection = h2.connection.H2Connection(config)
        self._connection.initiate_connection()
        self._waiting: deque[tuple[int, LabRequest]] = deque()
        self._id = 0

    async def receive(self) -> LabRequest | None:
        """Return the next request."""
        while not self._waiting:
            if not await self._read_frames():
                return None
        self._id, request = self._waiting.popleft()
        return request

    async def head(self, answer: LabResponse, *, length: int | None) -> None:
        """Send status and headers."""
        headers = [(":status", str(answer.status)), *answer.headers]
        if length is not None:
            headers.append(("content-length", str(length)))
        self._connection.send_headers(self._id, headers)
        await self._flush()

    async def data(self, piece: bytes) -> None:
        """Send a part of the body within the client's flow-control window."""
        while piece:
            room = self._connection.local_flow_control_window(self._id)
            size = min(room, self._connection.max_outbound_frame_size, len(piece))
            if size <= 0:
                if not await self._read_frames():
                    raise ConnectionResetError
                continue
            self._connection.send_data(self._id, piece[:size])
            await self._flush()
            piece = piece[size:]

    async def end(self) -> None:
        """End the body."""
        self._connection.end_stream(self._id)
        await self._flush()

    async def send_endless_headers(self) -> None:
        """Send a HEADERS frame and endless CONTINUATION frames (RFC 9113 section 6.10)."""
        await self._flush()
        field = b"\x10\x08x-filler\x7f\x81\x7f" + b"a" * 16384
        kind = 1
        block = b"\x88" + field
        for _ in range(FLOOD_BYTES // PIECE):
            for at in range(0, len(block), PIECE):
                piece = block[at : at + PIECE]
                head = len(piece).to_bytes(3) + bytes((kind, 0)) + self._id.to_bytes(4)
                await self._stream.write(head + piece)
                kind = 9
            block = field

    async def send_nothing_endlessly(self) -> None:
        """Send PING frames."""
        await self._flush()
        for _ in range(FLOOD_BYTES // PIECE):
            await self._stream.write(b"\x00\x00\x08\x06\x00\x00\x00\x00\x00egressd!" * 512)

    async def go_away(self) -> bool:
        """Send GOAWAY with an error."""
        self._connection.close_connection(error_code=h2.errors.ErrorCodes.INTERNAL_ERROR)
        await self._flush()
        return True

    async def _read_frames(self) -> bool:
        """Read and handle frames once; return whether the connection goes on."""
        await self._flush()
        data = await self._stream.read()
        if not data:
            return False
        ended = False
        for event in self._connection.receive_data(data):
            ended |= self._handle_event(event)
        await self._flush()
        return not ended and len(self._waiting) <= MAX_WAITING

    def _handle_event(self, event: h2.events.Event) -> bool:
        """Handle an event; return whether it ends the connection."""
        if isinstance(event, h2.events.RequestReceived):
            headers = {str(name): str(value) for name, value in event.headers or ()}
            request = LabRequest(
                method=headers.get(":method", ""),
                target=headers.get(":path", "/"),
                headers={**headers, "host": headers.get(":authority", headers.get("host", ""))},
            )
            self._waiting.append((event.stream_id or 0, request))
        elif isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
            self._connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id or 0)
        return isinstance(event, h2.events.ConnectionTerminated)

    async def _flush(self) -> None:
        if data := self._connection.data_to_send():
            await self._stream.write(data)
