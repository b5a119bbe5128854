"""One request over HTTP/2."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hypothesis import given
from hypothesis import strategies as st

from egressd.model.observation import Failure, HttpObservation
from egressd.net.exchange import Request, exchange
from egressd.net.handshake import handshake
from egressd.net.http.frames import FrameSplitter
from egressd.net.sockets.errors import PhaseError

REQUEST = Request(host="web.test")
HEAD = [(":status", "200"), ("server", "h2-test"), ("content-type", "text/html")]
ResponseMessage = Callable[[h2.connection.H2Connection, int], None]


async def serve_h2(peer: Any, answer: ResponseMessage, received: list[Any]) -> None:
    """Run an HTTP/2 server; the response is sent once the request was received."""
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    server.initiate_connection()
    await peer.send(server.data_to_send())
    while data := await peer.receive():
        for event in server.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                received.extend(event.headers or ())
                answer(server, event.stream_id or 0)
        await peer.send(server.data_to_send())


@pytest.fixture
def ask(serve: Any, connect: Any) -> Any:
    """Return a function that sends a request to an HTTP/2 server."""

    async def run(
        answer: ResponseMessage,
        request: Request = REQUEST,
        *,
        timeout: float = 3,
        received: list[Any] | None = None,
    ) -> HttpObservation:
        async def script(peer: Any) -> None:
            await serve_h2(peer, answer, received if received is not None else [])

        stream = await connect(await serve(script))
        try:
            return await exchange(stream, request, alpn="h2", timeout=timeout)
        finally:
            stream.close()

    return run


def page(server: h2.connection.H2Connection, stream: int) -> None:
    """Answer with a page."""
    server.send_headers(stream, HEAD)
    server.send_data(stream, b"<title>two</title>", end_stream=True)


async def test_response(ask: Any) -> None:
    """Status, headers and body are recorded, and the request is well formed."""
    received: list[Any] = []
    seen = await ask(page, received=received)
    assert (seen.failure, seen.status, seen.version, seen.title) == (None, 200, "2", "two"), seen
    assert ("server", "h2-test") in seen.headers
    assert {b":authority": b"web.test", b":scheme": b"https", b":path": b"/"}.items() <= dict(
        received
    ).items()


async def test_response_without_body(ask: Any) -> None:
    """END_STREAM may come with the head."""
    seen = await ask(
        lambda server, stream: server.send_headers(stream, [(":status", "404")], end_stream=True)
    )
    assert (seen.failure, seen.status, seen.bytes_received) == (None, 404, 0)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda s, n: s.reset_stream(n, ErrorCodes.HTTP_1_1_REQUIRED), "RST_STREAM HTTP_1_1_REQUIRED"),
        (
            lambda s, _: s.close_connection(
                ErrorCodes.ENHANCE_YOUR_CALM, additional_data=b"slow\x1bdown", last_stream_id=0
            ),
            "GOAWAY ENHANCE_YOUR_CALM",
        ),
        (lambda s, _: s.close_connection(ErrorCodes.NO_ERROR, last_stream_id=0), "GOAWAY NO_ERROR"),
        (lambda s, n: s.send_headers(n, [(":status", "abc")], end_stream=True), "status"),
    ],
)
async def test_refusals(ask: Any, answer: ResponseMessage, said: str) -> None:
    """GOAWAY and RST_STREAM are failures, named in the detail."""
    seen = await ask(answer)
    assert seen.failure is Failure.HTTP2_ERROR
    assert said in seen.detail
    assert seen.detail.isprintable()


async def test_graceful_goaway(ask: Any) -> None:
    """NO_ERROR that covers our stream is no refusal."""

    def answer(server: h2.connection.H2Connection, stream: int) -> None:
        page(server, stream)
        server.close_connection(ErrorCodes.NO_ERROR, last_stream_id=stream)

    assert (await ask(answer)).failure is None


@pytest.mark.parametrize(
    "code", [ErrorCodes.NO_ERROR, ErrorCodes.ENHANCE_YOUR_CALM, ErrorCodes.INTERNAL_ERROR]
)
@pytest.mark.parametrize("last", [1, 7, 2**31 - 1])
async def test_answer_after_goaway(serve: Any, connect: Any, code: ErrorCodes, last: int) -> None:
    """A stream up to the one that GOAWAY names goes on: its answer counts, whatever the code is."""

    async def script(peer: Any) -> None:
        def answer(server: h2.connection.H2Connection, stream: int) -> None:
            server.send_headers(stream, HEAD)
            head = server.data_to_send()
            server.send_data(stream, b"<title>late</title>", end_stream=True)
            goaway = last.to_bytes(4, "big") + int(code).to_bytes(4, "big") + b"bye"
            frame = len(goaway).to_bytes(3, "big") + b"\x07\x00\x00\x00\x00\x00" + goaway
            peer.writer.write(frame + head + frame + server.data_to_send())

        await serve_h2(peer, answer, [])

    stream = await connect(await serve(script))
    seen = await exchange(stream, REQUEST, alpn="h2", timeout=2)
    stream.close()
    assert (seen.failure, seen.status, seen.title, seen.retry_version) == (None, 200, "late", None)


async def test_what_follows_the_answer_is_no_fault(serve: Any, connect: Any) -> None:
    """A broken frame after the end of the answer changes nothing."""

    async def script(peer: Any) -> None:
        def answer(server: h2.connection.H2Connection, stream: int) -> None:
            page(server, stream)
            peer.writer.write(server.data_to_send() + b"\x00\x00\x04\x00\x00\x00\x00\x00\x00junk")

        await serve_h2(peer, answer, [])

    stream = await connect(await serve(script))
    seen = await exchange(stream, REQUEST, alpn="h2", timeout=2)
    stream.close()
    assert (seen.failure, seen.status, seen.title) == (None, 200, "two")


async def test_goaway_then_nothing(memory_stream: Any) -> None:
    """A GOAWAY that lets the request go on, and then no answer, is named in the failure."""
    goaway = (1).to_bytes(4, "big") + (11).to_bytes(4, "big")
    stream = memory_stream(PREFACE, b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + goaway)
    seen = await exchange(stream, REQUEST, alpn="h2", timeout=2)
    assert (seen.failure, seen.status) == (Failure.HTTP2_ERROR, None)
    assert "ENHANCE_YOUR_CALM" in seen.detail


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        (lambda s, n: s.reset_stream(n, ErrorCodes.HTTP_1_1_REQUIRED), "1.1"),
        (lambda s, n: s.reset_stream(n, ErrorCodes.REFUSED_STREAM), "2"),
        (lambda s, _: s.close_connection(ErrorCodes.HTTP_1_1_REQUIRED, last_stream_id=0), "1.1"),
        (lambda s, _: s.close_connection(ErrorCodes.NO_ERROR, last_stream_id=0), "2"),
        (lambda s, n: s.reset_stream(n, ErrorCodes.INTERNAL_ERROR), None),
    ],
)
async def test_requests_that_were_not_processed(
    ask: Any, answer: ResponseMessage, version: str | None
) -> None:
    """What the server says it did not process may be sent again, and in which version."""
    seen = await ask(answer)
    assert (seen.failure, seen.retry_version) == (Failure.HTTP2_ERROR, version)


async def test_headers_that_http2_forbids(ask: Any) -> None:
    """They are read, and named."""

    def answer(server: h2.connection.H2Connection, stream: int) -> None:
        server.config.validate_outbound_headers = False
        server.config.normalize_outbound_headers = False
        server.send_headers(stream, [(":status", "200"), ("X-Upper", "1"), ("connection", "close")], True)

    seen = await ask(answer)
    assert (seen.failure, seen.status) == (None, 200)
    assert seen.violations == (
        "`X-Upper` is no header name of HTTP/2",
        "`connection`, which HTTP/2 does not have",
    )


async def test_no_answer_and_close(ask: Any, serve: Any, connect: Any) -> None:
    """No answer is TIMEOUT; a FIN is CLOSED."""

    async def leave(peer: Any) -> None:
        await peer.receive()

    assert (await ask(lambda *_: None, timeout=0.3)).failure is Failure.TIMEOUT
    stream = await connect(await serve(leave))
    seen = await exchange(stream, REQUEST, alpn="h2", timeout=2)
    stream.close()
    assert seen.failure is Failure.CLOSED


async def test_truncated_body(serve: Any, connect: Any) -> None:
    """The status is kept, and the missing end is TRUNCATED."""

    async def script(peer: Any) -> None:
        def part(server: h2.connection.H2Connection, stream: int) -> None:
            server.send_headers(stream, HEAD)
            server.send_data(stream, b"half")
            peer.writer.write(server.data_to_send())
            peer.writer.write_eof()

        await serve_h2(peer, part, [])

    stream = await connect(await serve(script))
    seen = await exchange(stream, REQUEST, alpn="h2", timeout=2)
    stream.close()
    assert (seen.failure, seen.status, seen.bytes_received) == (Failure.TRUNCATED, 200, 4)


async def test_http1_answer_after_h2_negotiated(memory_stream: Any) -> None:
    """A device that strips HTTP/2 after the handshake is an HTTP2_ERROR."""
    stream = memory_stream(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    seen = await exchange(stream, REQUEST, alpn="h2", timeout=2)
    assert seen.failure is Failure.HTTP2_ERROR


async def test_response_before_the_request_was_read(serve: Any, connect: Any) -> None:
    """The reset after a complete response does not hide it."""

    async def rude(peer: Any) -> None:
        server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        server.initiate_connection()
        await peer.send(server.data_to_send())
        for event in server.receive_data(await peer.receive()):
            if isinstance(event, h2.events.RequestReceived):
                page(server, event.stream_id or 0)
        await peer.send(server.data_to_send())
        peer.reset()

    stream = await connect(await serve(rude))
    seen = await exchange(stream, REQUEST, alpn="h2", timeout=2)
    stream.close()
    assert (seen.failure, seen.status) == (None, 200)


async def test_invalid_hosts(memory_stream: Any) -> None:
    """Nothing is sent."""
    for host in ("a\r\nb", "a b", "", "\udcff.test"):
        stream = memory_stream()
        seen = await exchange(stream, Request(host=host), alpn="h2", timeout=1)
        assert (seen.failure, stream.written) == (Failure.NAME_INVALID, b"")


async def test_endless_headers(ask: Any) -> None:
    """A head beyond the limit is TOO_LARGE."""

    def flood(server: h2.connection.H2Connection, stream: int) -> None:
        server.remote_settings[SettingCodes.MAX_HEADER_LIST_SIZE] = 10**9
        server.send_headers(stream, [*HEAD, *((f"x-{n}", "v" * 200) for n in range(600))], end_stream=True)

    assert (await ask(flood)).failure is Failure.TOO_LARGE


async def test_flow_control(serve: Any, connect: Any) -> None:
    """Windows are reopened, so that more than one window arrives."""
    total = 6_000_000

    async def script(peer: Any) -> None:
        server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        server.initiate_connection()
        left, stream = total, 0
        while left:
            if stream:
                size = min(left, server.local_flow_control_window(stream), server.max_outbound_frame_size)
                if size:
                    left -= size
                    server.send_data(stream, bytes(size), end_stream=not left)
                    await peer.send(server.data_to_send())
                    continue
            for event in server.receive_data(await peer.receive()):
                if isinstance(event, h2.events.RequestReceived):
                    stream = event.stream_id or 0
                    server.send_headers(stream, HEAD)
            await peer.send(server.data_to_send())
        await peer.idle()

    stream = await connect(await serve(script))
    request = Request(host="web.test", range_bytes=total)
    seen = await exchange(stream, request, alpn="h2", timeout=20)
    stream.close()
    assert (seen.failure, seen.bytes_received) == (None, total)
    assert seen.throughput is not None


async def test_over_tls(serve: Any, connect: Any, pki: Any) -> None:
    """Negotiated by ALPN, used inside the session."""

    async def script(peer: Any) -> None:
        await serve_h2(peer, page, [])

    context = pki.server(pki.issue("l", issuer=pki.root, names=("web.test",)), alpn=("h2", "http/1.1"))
    stream = await connect(await serve(script, tls=context))
    store = pki.store(pki.root, public=(pki.root,))
    tls, session = await handshake(stream, "web.test", store=store, alpn=("h2", "http/1.1"), timeout=3)
    assert session is not None
    seen = await exchange(session, REQUEST, alpn=tls.alpn, timeout=3)
    session.close()
    assert (tls.alpn, seen.version, seen.status) == ("h2", "2", 200)


async def test_endless_settings(serve: Any, connect: Any) -> None:
    """Frames that never answer are read up to a limit, long before the timeout."""

    async def flood(peer: Any) -> None:
        server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        server.initiate_connection()
        await peer.send(server.data_to_send())
        while True:
            server.ping(b"12345678")
            await peer.send(server.data_to_send())
            await asyncio.sleep(0)  # the server shares the loop with the client it floods

    stream = await connect(await serve(flood))
    seen = await exchange(stream, REQUEST, alpn="h2", timeout=60)
    stream.close()
    assert seen.failure is Failure.FLOOD


async def test_oversized_frame(serve: Any, connect: Any) -> None:
    """A frame beyond the announced size is refused by its header, before 16 MiB are buffered."""

    async def boast(peer: Any) -> None:
        await peer.receive()
        await peer.send(PREFACE + (2**24 - 1).to_bytes(3, "big") + b"\x00\x00\x00\x00\x00\x01")
        await peer.idle()

    stream = await connect(await serve(boast))
    seen = await exchange(stream, REQUEST, alpn="h2", timeout=5)
    stream.close()
    assert seen.failure is Failure.HTTP2_ERROR
    assert "16777215" in seen.detail
    assert seen.elapsed_ms < 4000


async def test_endless_continuation(memory_stream: Any) -> None:
    """Many small pieces of a head are TOO_LARGE too."""
    piece = (8).to_bytes(3, "big") + b"%c\x00\x00\x00\x00\x01" + b"\x00\x01x\x04vvvv"
    stream = memory_stream(PREFACE, piece % 1 + piece % 9 * 200)
    seen = await exchange(stream, REQUEST, alpn="h2", timeout=2)
    assert seen.failure is Failure.TOO_LARGE


@given(st.lists(st.integers(0, 16_384), max_size=6), st.integers(1, 40))
def test_frames_in_any_pieces(lengths: list[int], step: int) -> None:
    """Frames come out whole from pieces of any size; the first that is too long does not."""
    frames = [size.to_bytes(3, "big") + bytes(6 + size) for size in lengths]
    data = b"".join(frames) + (16_385).to_bytes(3, "big") + bytes(6)
    splitter = FrameSplitter()
    found: list[bytes] = []

    def feed() -> None:
        for at in range(0, len(data), 397 * step):
            found.extend(frame.data for frame in splitter.feed(data[at : at + 397 * step]))

    with pytest.raises(PhaseError):
        feed()
    assert found == frames


PREFACE = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"


@given(st.lists(st.binary(max_size=120), max_size=5))
def test_any_bytes(memory_stream: Any, pieces: list[bytes]) -> None:
    """No bytes of a server raise or hang, with a valid beginning or without."""
    for first in (b"", PREFACE):
        stream = memory_stream(*(piece for piece in (first, *pieces) if piece))
        seen = asyncio.run(exchange(stream, REQUEST, alpn="h2", timeout=2))
        assert seen.failure is not None


@given(st.integers(0, 12), st.integers(0, 255), st.sampled_from([0, 1, 2, 3]), st.binary(max_size=60))
def test_any_frame(memory_stream: Any, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
    """No well-framed garbage raises or hangs."""
    frame = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream_id.to_bytes(4, "big") + payload
    stream = memory_stream(PREFACE, frame)
    asyncio.run(exchange(stream, REQUEST, alpn="h2", timeout=2))
