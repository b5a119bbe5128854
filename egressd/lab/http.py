"""HTTP/1.1 and HTTP/2 as the server, over any stream of the lab, with misconduct where asked for."""

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

from egressd.lab.pages import ENDLESS_BYTES, Answer, Body, Conduct, Request
from egressd.lab.wire import PATIENCE, Stream

PIECE = 16384
SLOW_PIECE = 4096
SLOW_PAUSE = 1 / 6
"""Seconds between pieces of a slow body: 24 KiB a second."""
SHORT = 16384
"""The most a truncated body gets to."""
FLOOD_BYTES = 4 * 1024 * 1024
"""Where endless headers end after all."""
MOST_WAITING = 32
"""Requests of one HTTP/2 connection that may wait; more is abuse."""
GARBAGE = b"\x00\x00\x04\x00\x00\x00\x00\x00\x00junk" + b"this is no HTTP\r\n" * 8
"""No status line; as a frame, it is DATA on stream 0, which is an error (RFC 9113 section 6.1)."""

Respond = Callable[[Request], Answer]


class Engine(Protocol):
    """One version of HTTP."""

    async def receive(self) -> Request | None:
        """Return the next request; None when there will be no more."""
        ...

    async def head(self, answer: Answer, *, length: int | None) -> None:
        """Send status and headers; a length of None leaves it open."""
        ...

    async def data(self, piece: bytes) -> None:
        """Send a part of the body."""
        ...

    async def end(self) -> None:
        """Say that the body is complete."""
        ...

    async def flood(self) -> None:
        """Send headers that do not end."""
        ...

    async def go_away(self) -> bool:
        """End an HTTP/2 connection; return whether it was one."""
        ...


async def serve_http(stream: Stream, alpn: str | None, respond: Respond) -> None:
    """Answer the requests of one connection."""
    engine: Engine = Http2(stream) if alpn == "h2" else Http1(stream)
    with suppress(OSError, h2.exceptions.H2Error, h11.ProtocolError):  # the client left, or talks nonsense
        while (request := await engine.receive()) is not None:
            answer = respond(request)
            if not await _send(engine, stream, request, answer):
                return
    await stream.finish()


async def _send(engine: Engine, stream: Stream, request: Request, answer: Answer) -> bool:
    """Send one answer; return whether the connection goes on."""
    match answer.conduct:
        case Conduct.SILENCE:
            await _hold(stream)
        case Conduct.RESET:
            stream.reset()
        case Conduct.FIN:
            await stream.finish()
        case Conduct.GARBAGE:
            await stream.write(GARBAGE)
            await stream.finish()
        case Conduct.ENDLESS_HEADERS:
            await engine.flood()
            await stream.finish()
        case Conduct.UPGRADE:
            await engine.head(answer, length=None)
            await _hold(stream)
        case Conduct.GOAWAY if await engine.go_away():
            await stream.finish()
        case _:
            return await _send_body(engine, stream, request, answer)
    return False


async def _send_body(engine: Engine, stream: Stream, request: Request, answer: Answer) -> bool:
    endless = answer.conduct is Conduct.ENDLESS_BODY
    await engine.head(answer, length=None if endless else answer.body.length)
    if request.method != "HEAD":
        for piece in _pieces(answer):
            await engine.data(piece)
            if answer.conduct is Conduct.SLOW:
                await asyncio.sleep(SLOW_PAUSE)
    if answer.conduct is Conduct.TRUNCATED:
        await stream.finish()
        return False
    await engine.end()
    return True


def _pieces(answer: Answer) -> Iterator[bytes]:
    """Yield the body, as much of it as the conduct lets through."""
    body, most = answer.body, PIECE
    size = body.length
    match answer.conduct:
        case Conduct.TRUNCATED:
            size = min(size // 2, SHORT)
        case Conduct.ENDLESS_BODY:
            body, size = Body(size=ENDLESS_BYTES), ENDLESS_BYTES
        case Conduct.SLOW:
            most = SLOW_PIECE
    at = 0
    while at < size:
        piece = body.piece(at, min(most, size - at))
        at += len(piece)
        yield piece


async def _hold(stream: Stream) -> None:
    """Say nothing until the client goes away or patience ends, then end politely."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while await stream.read():
                pass
    await stream.finish()


class Http1:
    """HTTP/1.1 by h11, one request after the other."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._connection = h11.Connection(h11.SERVER, max_incomplete_event_size=65536)

    async def receive(self) -> Request | None:
        """Return the next request, after what is left of the one before."""
        while self._connection.our_state is not h11.MUST_CLOSE:
            event = self._connection.next_event()
            if event is h11.NEED_DATA:
                self._connection.receive_data(await self._stream.read())
            elif event is h11.PAUSED:
                if not self._next():
                    return None
            elif isinstance(event, h11.Request):
                headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
                return Request(
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

    async def head(self, answer: Answer, *, length: int | None) -> None:
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
        """Say that the body is complete."""
        await self._write(h11.EndOfMessage())

    async def flood(self) -> None:
        """Send header lines without end."""
        await self._stream.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(FLOOD_BYTES // PIECE):
            await self._stream.write(b"x-filler-%d: %b\r\n" % (number, b"a" * PIECE))

    async def go_away(self) -> bool:
        """Return False: there is no such thing here."""
        return False

    async def _write(self, event: h11.Event) -> None:
        if data := self._connection.send(event):
            await self._stream.write(data)


class Http2:
    """HTTP/2 by h2; requests are answered in the order they came."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self._connection = h2.connection.H2Connection(config)
        self._connection.initiate_connection()
        self._waiting: deque[tuple[int, Request]] = deque()
        self._id = 0

    async def receive(self) -> Request | None:
        """Return the next request."""
        while not self._waiting:
            if not await self._pump():
                return None
        self._id, request = self._waiting.popleft()
        return request

    async def head(self, answer: Answer, *, length: int | None) -> None:
        """Send status and headers."""
        headers = [(":status", str(answer.status)), *answer.headers]
        if length is not None:
            headers.append(("content-length", str(length)))
        self._connection.send_headers(self._id, headers)
        await self._flush()

    async def data(self, piece: bytes) -> None:
        """Send a part of the body, as the client's windows allow."""
        while piece:
            room = self._connection.local_flow_control_window(self._id)
            size = min(room, self._connection.max_outbound_frame_size, len(piece))
            if size <= 0:
                if not await self._pump():
                    raise ConnectionResetError
                continue
            self._connection.send_data(self._id, piece[:size])
            await self._flush()
            piece = piece[size:]

    async def end(self) -> None:
        """Say that the body is complete."""
        self._connection.end_stream(self._id)
        await self._flush()

    async def flood(self) -> None:
        """Send a HEADERS frame and CONTINUATION frames that never end (RFC 9113 section 6.10)."""
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

    async def go_away(self) -> bool:
        """Send GOAWAY with an error."""
        self._connection.close_connection(error_code=h2.errors.ErrorCodes.INTERNAL_ERROR)
        await self._flush()
        return True

    async def _pump(self) -> bool:
        """Read once and note what came; return whether there may be more."""
        await self._flush()
        data = await self._stream.read()
        if not data:
            return False
        ended = False
        for event in self._connection.receive_data(data):
            ended |= self._note(event)
        await self._flush()
        return not ended and len(self._waiting) <= MOST_WAITING

    def _note(self, event: h2.events.Event) -> bool:
        """Keep what an event says; return whether it ends the connection."""
        if isinstance(event, h2.events.RequestReceived):
            headers = {str(name): str(value) for name, value in event.headers or ()}
            request = Request(
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
