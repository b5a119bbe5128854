"""One request over HTTP/1.1, and all kinds of responses."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
import ssl
import zlib
from functools import partial
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict

from egressd.clock import monotonic
from egressd.model.observation import Failure, HttpObservation, TlsAlert
from egressd.net.exchange import Request, exchange, fetch
from egressd.net.handshake import handshake
from egressd.net.http.head import HEAD_LIMIT
from egressd.net.http.headers import select_headers
from egressd.net.http.websocket import accept_value

HOST = "web.test"
REQUEST = Request(host=HOST)
TIMES = ("started", "elapsed_ms", "throughput")


@pytest.fixture
def ask(serve: Any, connect: Any) -> Any:
    """Return a function that sends a request to a server with a scripted response."""

    async def run(
        said: bytes | Any,
        request: Request = REQUEST,
        *,
        timeout: float = 3,
        received: list[bytes] | None = None,
    ) -> HttpObservation:
        async def script(peer: Any) -> None:
            data = await peer.reader.readuntil(b"\r\n\r\n")
            if received is not None:
                received.append(data)
            if isinstance(said, bytes):
                await peer.send(said)
            else:
                await said(peer)

        stream = await connect(await serve(script))
        try:
            return await exchange(stream, request, alpn=None, timeout=timeout)
        finally:
            stream.close()

    return run


PAGE = (
    b"HTTP/1.1 200 OK\r\nServer: test/1\r\nContent-Type: text/html\r\nX-Odd: 1\r\n"
    b"Set-Cookie: sid=secret; Path=/\r\nContent-Length: 47\r\n\r\n"
    b"<html><TITLE>A &amp; B\x1b[31m</TITLE>hello</html>   "
)


async def test_response(ask: Any) -> None:
    """Status, selected headers, title and body are recorded; of cookies only the names."""
    received: list[bytes] = []
    seen = await ask(PAGE, received=received)
    assert seen.failure is None, seen
    assert (seen.status, seen.version, seen.bytes_received, seen.content_length) == (200, "1.1", 47, 47)
    assert seen.headers == (
        ("server", "test/1"),
        ("content-type", "text/html"),
        ("set-cookie", "sid"),
        ("content-length", "47"),
    )
    assert seen.title == "A & B"
    assert seen.body == "<html><TITLE>A &amp; B</TITLE>hello</html>"
    assert seen.info is not None
    (request,) = received
    assert request.startswith(b"GET / HTTP/1.1\r\n")
    for line in (b"host: web.test", b"accept: */*", b"connection: close"):
        assert line + b"\r\n" in request.lower()
    assert re.search(rb"\r\nuser-agent: egressd/\d", request.lower())


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        (b"", Failure.CLOSED),
        (b"HTTP/1.1 200 O", Failure.CLOSED),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n", Failure.CLOSED),
        (b"SSH-2.0-x\r\n", Failure.NOT_HTTP),
        (b"<html>blocked</html>", Failure.NOT_HTTP),
        (b"\x16\x03\x01\x02\x00", Failure.NOT_HTTP),
        (b"HTTP/1.1 abc\r\n\r\n", Failure.NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nA" * 3, Failure.CLOSED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", Failure.TRUNCATED),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", Failure.TRUNCATED),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Failure.MALFORMED),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 20, Failure.MALFORMED),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * (HEAD_LIMIT * 2) + b"\r\n\r\n", Failure.TOO_LARGE),
    ],
)
async def test_broken_responses(ask: Any, said: bytes, failure: Failure) -> None:
    """Each kind of broken response has its failure."""
    seen = await ask(said)
    assert seen.failure is failure, seen


@pytest.mark.parametrize(
    ("head", "violation"),
    [
        (b"HTTP/1.1 203 OK\r\nX-Thing\t : a\r\n", "a space before the colon of `X-Thing`"),
        (b"HTTP/1.1 203 OK\r\nTransfer-Encoding: identity\r\n", "Transfer-Encoding: identity"),
        (b"HTTP/1.1 203 OK\r\nTransfer-Encoding: Identity\r\nTransfer-Encoding: chunked\r\n", "identity"),
        (b"HTTP/1.1 203 OK\r\ncache/forum.php: x\r\n", "`cache/forum.php` is no header name"),
        (b"HTTP/1.1 203 OK\r\nX(y)\xe9: x\r\n", "is no header name"),
        (b"HTTP/1.1 203 OK\r\n: nameless\r\n", "is no header name"),
        (b"HTTP/1.1 203 OK\r\nno colon here\r\n", "a line without a colon: `no colon here`"),
        (b"HTTP/1.1 203 OK\r\nX-Null: a\x00b\r\n", "a control character in `X-Null`"),
        (b"HTTP/1.1 203 OK\r\n folded first\r\n", "a folded line before the first header"),
        (b"\r\n\r\nHTTP/1.1 203 OK\r\n", "an empty line before the status line"),
        (b"\nHTTP/1.1 203 OK\n", "an empty line before the status line"),
        (b"http/1.1 203 ok\r\n", "status line `http/1.1 203 ok`"),
        (b"HTTP/1.1   203   OK\r\n", "status line"),
        (b"HTTP/1.1 203OK\r\n", "status line"),
        (b"HTTP/2 203 OK\r\n", "status line"),
        (b"HTTP/1.1 203 OK\r\nContent-Length: 2, 3\r\n", "Content-Length: 2, 3"),
        (b"HTTP/1.1 203 OK\r\nContent-Length: 9\r\nContent-Length: 7\r\n", "Content-Length: 7, 9"),
        (b"HTTP/1.1 203 OK\r\nContent-Length: -1\r\n", "Content-Length: -1"),
        (b"HTTP/1.1 203 OK\r\nContent-Length: \xb2\r\n", "Content-Length"),
        (
            b"HTTP/1.1 203 OK\r\nTransfer-Encoding: chunked, chunked\r\n",
            "Transfer-Encoding: chunked, chunked",
        ),
    ],
)
async def test_heads_that_break_the_rules(ask: Any, head: bytes, violation: str) -> None:
    """Status, headers and body are read as clients do, and what is wrong is named."""
    body = b"2\r\nok\r\n0\r\n\r\n" if b"chunked" in head else b"ok"
    seen = await ask(head + b"X-Azure-Ref: 1\r\n\r\n" + body)
    assert (seen.failure, seen.status, seen.body) == (None, 203, "ok"), seen
    assert ("x-azure-ref", "1") in seen.headers
    assert violation in " ".join(seen.violations)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200\r\n",
        b"HTTP/1.0 200 OK\n",
        b"HTTP/1.1 200 caf\xe9\r\n",
        b"HTTP/1.1 999 Odd\r\n",
        b"HTTP/1.1 200 OK\r\nX-Folded: a\r\n\tb\r\n",
        b"HTTP/1.1 200 OK\r\nX-Latin: \xe9\r\nX-Empty:\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Many: 1\r\n" * 5000,
    ],
)
async def test_heads_that_are_merely_unusual(ask: Any, head: bytes) -> None:
    """Nothing is said about them."""
    seen = await ask(head + b"\r\nok")
    assert (seen.failure, seen.body, seen.violations) == (None, "ok", ())


async def test_transfer_encoding_goes_before_content_length(ask: Any) -> None:
    """As RFC 9112 section 6.3 tells recipients."""
    seen = await ask(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    )
    assert (seen.failure, seen.body, seen.violations) == (None, "abc", ())


async def test_another_protocol_is_known_at_once(ask: Any) -> None:
    """A banner needs no empty line, and no close, to be no HTTP."""

    async def banner(peer: Any) -> None:
        await peer.send(b"220 mail.test ESMTP\r\n")
        await peer.idle()

    seen = await ask(banner, timeout=20)
    assert (seen.failure, seen.detail) == (Failure.NOT_HTTP, "220 mail.test ESMTP")


TEXT = b"<title>packed</title>" + bytes(range(256)) * 300


def raw_deflate(data: bytes) -> bytes:
    """Compress without a zlib header."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("header", "packed"),
    [
        (b"Content-Encoding: gzip", gzip.compress(TEXT)),
        (b"Content-Encoding: X-GZip", gzip.compress(TEXT[:99]) + gzip.compress(TEXT[99:])),
        (b"Content-Encoding: deflate", zlib.compress(TEXT)),
        (b"Content-Encoding: deflate", raw_deflate(TEXT)),
        (b"Content-Encoding: gzip, deflate", zlib.compress(gzip.compress(TEXT))),
        (b"Content-Encoding: identity", TEXT),
    ],
)
@pytest.mark.parametrize("step", [1, 700, 10**6])
async def test_compressed_bodies_are_compared_decoded(
    ask: Any, header: bytes, packed: bytes, step: int
) -> None:
    """Digest, title and size are those of the content, in pieces of any size."""

    async def send(peer: Any) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + header + b"\r\n\r\n")
        for at in range(0, len(packed), step) if step > 1 else (0, 1, 2):
            piece = packed[at : at + step] if step > 1 or at < 2 else packed[2:]
            await peer.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        await peer.send(b"0\r\n\r\n")

    seen = await ask(send, Request(host=HOST, want_sha256=True))
    assert (seen.failure, seen.violations, seen.title) == (None, (), "packed")
    assert seen.sha256 == hashlib.sha256(TEXT).hexdigest()
    assert (seen.bytes_decoded, seen.bytes_received) == (
        None if b"identity" in header else len(TEXT),
        len(packed),
    )


async def test_gzip_as_transfer_coding(ask: Any) -> None:
    """Transfer-Encoding: gzip, chunked is decoded too."""
    packed = gzip.compress(TEXT)
    seen = await ask(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
        + b"%x\r\n%s\r\n0\r\n\r\n" % (len(packed), packed),
        Request(host=HOST, want_sha256=True),
    )
    assert (seen.sha256, seen.violations) == (hashlib.sha256(TEXT).hexdigest(), ())


@pytest.mark.parametrize("packed", [b"no gzip at all", gzip.compress(TEXT)[:-9]])
async def test_broken_compression(ask: Any, packed: bytes) -> None:
    """What can't be decoded has no digest, and is named."""
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
    seen = await ask(head + packed, Request(host=HOST, want_sha256=True))
    assert (seen.status, seen.sha256) == (200, None)
    assert "can't be decoded" in " ".join(seen.violations)


async def test_unknown_compression(ask: Any) -> None:
    """A coding that egressd can't decode is no violation; there is no digest of the content."""
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\n"
    seen = await ask(head + b"\x0b\x02\x80", Request(host=HOST, want_sha256=True))
    assert (seen.failure, seen.status, seen.sha256, seen.violations) == (None, 200, None, ())


async def test_decompression_is_bounded(ask: Any) -> None:
    """A small body that unpacks to a gigabyte is unpacked as far as it is needed."""
    bomb = gzip.compress(gzip.compress(bytes(2**28)))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\n\r\n"
    seen = await ask(head + bomb)
    assert (seen.failure, seen.status) == (None, 200)
    assert seen.bytes_decoded is not None
    assert seen.bytes_decoded <= 65536


async def test_acknowledged_bytes(ask: Any) -> None:
    """What was written is recorded beside what was acknowledged."""
    seen = await ask(PAGE)
    assert seen.info is not None
    assert seen.info.bytes_written is not None
    assert seen.info.bytes_acked == 1 + seen.info.bytes_written


@pytest.mark.parametrize("proper", [True, False])
async def test_close_notify(serve: Any, connect: Any, pki: Any, proper: bool) -> None:
    """Whether the peer ended the session, or only the connection, is recorded."""

    async def half(peer: Any) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        if proper:
            peer.writer.close()
        else:
            raw = peer.writer.get_extra_info("socket")
            raw.shutdown(2)

    context = pki.server(pki.issue("l", issuer=pki.root, names=(HOST,)))
    stream = await connect(await serve(half, tls=context))
    store = pki.store(pki.root, public=(pki.root,))
    _, session = await handshake(stream, HOST, store=store, alpn=(), timeout=2)
    assert session is not None
    seen = await exchange(session, REQUEST, alpn=None, timeout=2)
    session.close()
    assert (seen.failure, seen.close_notify) == (Failure.TRUNCATED, proper)


async def test_truncated_body_keeps_the_status(ask: Any) -> None:
    """What was received before the end is recorded."""
    seen = await ask(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
    assert (seen.status, seen.bytes_received, seen.content_length) == (200, 3, 9)


async def test_body_until_close(ask: Any) -> None:
    """Without Content-Length the close ends the body."""
    seen = await ask(b"HTTP/1.0 403 Forbidden\r\n\r\n<title>\nNo\n</title>")
    assert (seen.failure, seen.status, seen.title) == (None, 403, "No")


async def test_interim_responses_are_skipped(ask: Any) -> None:
    """103 is not the final response."""
    seen = await ask(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")
    assert (seen.failure, seen.status) == (None, 204)


async def test_resets(ask: Any) -> None:
    """Before the response, and in the middle of its body."""

    async def at_once(peer: Any) -> None:
        peer.reset()

    async def midway(peer: Any) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        await asyncio.sleep(0.05)
        peer.reset()

    first, second = await ask(at_once), await ask(midway)
    assert (first.failure, first.status, first.errno) == (Failure.RESET, None, 104)
    assert (second.failure, second.status) == (Failure.RESET, 200)


async def test_response_before_the_request_was_read(serve: Any, connect: Any) -> None:
    """A response is read although the server then resets because it never read the request."""

    async def rude(peer: Any) -> None:
        await peer.send(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        await asyncio.sleep(0.05)
        peer.reset()

    stream = await connect(await serve(rude))
    await asyncio.sleep(0.15)
    seen = await exchange(stream, REQUEST, alpn=None, timeout=2)
    stream.close()
    assert (seen.status, seen.failure) == (503, None)


async def test_no_answer(ask: Any) -> None:
    """Our timer ends the exchange."""

    async def idle(peer: Any) -> None:
        await peer.idle()

    begun = monotonic()
    seen = await ask(idle, timeout=0.3)
    assert (seen.failure, seen.status) == (Failure.TIMEOUT, None)
    assert monotonic() - begun < 2


async def test_endless_headers_are_bounded(ask: Any) -> None:
    """They end as TOO_LARGE."""

    async def flood(peer: Any) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            await peer.send(b"X-More: and more\r\n" * 500)

    assert (await ask(flood)).failure is Failure.TOO_LARGE


async def test_endless_body_is_cut(ask: Any) -> None:
    """A bounded part of a page is read, and it is no failure."""

    async def flood(peer: Any) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
        while True:
            await peer.send(b"x" * 65536)

    begun = monotonic()
    seen = await ask(flood)
    assert (seen.failure, seen.status) == (None, 200)
    assert 65536 <= seen.bytes_received <= 65536 * 3
    assert len(seen.body) == 512
    assert monotonic() - begun < 2


async def test_slow_body_is_cut(ask: Any) -> None:
    """The status counts; a slow body is no failure."""

    async def drip(peer: Any) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n")
        while True:
            await peer.send(b"x")
            await asyncio.sleep(0.1)

    begun = monotonic()
    seen = await ask(drip, timeout=20)
    assert (seen.failure, seen.status) == (None, 200)
    assert seen.bytes_received >= 3
    assert monotonic() - begun < 4


async def test_slow_headers_time_out(ask: Any) -> None:
    """A response head that never ends is a failure."""

    async def drip(peer: Any) -> None:
        while True:
            await peer.send(b"H")
            await asyncio.sleep(0.05)

    assert (await ask(drip, timeout=0.5)).failure in (Failure.TIMEOUT, Failure.NOT_HTTP)


BODY = bytes(range(256)) * 1024


def download(status: bytes, body: bytes, *, length: int | None = None) -> bytes:
    """Return a response with a body."""
    size = len(body) if length is None else length
    return b"HTTP/1.1 " + status + f"\r\nContent-Length: {size}\r\n\r\n".encode() + body


async def test_range_request_measures_throughput(ask: Any) -> None:
    """The requested bytes are read and timed; a part has no digest."""
    received: list[bytes] = []
    request = Request(host=HOST, range_bytes=100_000, want_sha256=False)
    seen = await ask(download(b"206 Partial Content", BODY[:100_000]), request, received=received)
    assert b"\r\nrange: bytes=0-99999\r\n" in received[0].lower()
    assert (seen.failure, seen.status, seen.bytes_received, seen.sha256) == (None, 206, 100_000, None)
    assert seen.throughput is not None
    assert seen.throughput > 0


async def test_server_that_ignores_ranges(ask: Any) -> None:
    """Reading stops after the requested number of bytes."""
    request = Request(host=HOST, range_bytes=1000)
    seen = await ask(download(b"200 OK", BODY, length=10**10), request)
    assert seen.failure is None
    assert 1000 <= seen.bytes_received <= len(BODY)


async def test_stalled_range_request(ask: Any) -> None:
    """Requested bytes that do not come in time are a failure."""

    async def stall(peer: Any) -> None:
        await peer.send(download(b"206 Partial Content", BODY[:9000], length=100_000))
        await peer.idle()

    seen = await ask(stall, Request(host=HOST, range_bytes=100_000), timeout=0.4)
    assert (seen.failure, seen.status, seen.bytes_received) == (Failure.TIMEOUT, 206, 9000)


async def test_sha256_of_whole_body(ask: Any) -> None:
    """The digest covers the whole body; None where a part is missing."""
    request = Request(host=HOST, want_sha256=True)
    whole = await ask(download(b"200 OK", BODY), request)
    part = await ask(download(b"200 OK", BODY[:999], length=len(BODY)), request)
    assert whole.sha256 == hashlib.sha256(BODY).hexdigest()
    assert (part.sha256, part.failure) == (None, Failure.TRUNCATED)


async def test_paths_are_quoted(ask: Any) -> None:
    """Illegal characters are percent-encoded; existing escapes stay."""
    received: list[bytes] = []
    await ask(PAGE, Request(host=HOST, url_path="/a b\r\nX: y/%41ü?q=1&r=2#f"), received=received)
    line = received[0].split(b"\r\n")[0]
    assert line == b"GET /a%20b%0D%0AX:%20y/%41%C3%BC?q=1&r=2#f HTTP/1.1"


async def test_absolute_url_for_forwarding_proxy(ask: Any) -> None:
    """A proxy that forwards plain HTTP gets the absolute URL."""
    received: list[bytes] = []
    await ask(PAGE, Request(host=HOST, url_path="http://web.test/x"), received=received)
    assert received[0].startswith(b"GET http://web.test/x HTTP/1.1\r\n")


async def test_invalid_host(ask: Any, memory_stream: Any) -> None:
    """It is a failure, never a second header."""
    stream = memory_stream()
    seen = await exchange(stream, Request(host="a\r\nEvil: 1"), alpn=None, timeout=1)
    assert seen.failure is Failure.NAME_INVALID
    assert stream.written == b""


async def test_idna_host(ask: Any) -> None:
    """As in DNS and TLS; the port stays."""
    received: list[bytes] = []
    await ask(PAGE, Request(host="bücher.test:8080"), received=received)
    assert b"host: xn--bcher-kva.test:8080\r\n" in received[0].lower()


async def websocket_server(peer: Any, *, key: str | None = None) -> None:
    """Accept an upgrade."""
    request = await peer.reader.readuntil(b"\r\n\r\n")
    sent = re.search(rb"sec-websocket-key: (\S+)", request, re.IGNORECASE)
    accept = accept_value(key or sent[1].decode()) if sent else ""
    await peer.send(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
    )
    await peer.idle()


@pytest.mark.parametrize(("key", "failure"), [(None, None), ("other", Failure.NOT_HTTP)])
async def test_websocket_upgrade(serve: Any, connect: Any, key: str | None, failure: Failure | None) -> None:
    """101 must prove that the server read our key."""
    stream = await connect(await serve(partial(websocket_server, key=key)))
    seen = await exchange(stream, Request(host=HOST, upgrade=True), alpn="http/1.1", timeout=2)
    stream.close()
    assert (seen.status, seen.failure) == (101, failure)


async def test_refused_upgrade(ask: Any) -> None:
    """Any other status is a response."""
    received: list[bytes] = []
    seen = await ask(PAGE, Request(host=HOST, upgrade=True), received=received)
    assert (seen.status, seen.failure) == (200, None)
    assert b"upgrade: websocket" in received[0].lower()


def test_rfc_6455_example() -> None:
    """The example of section 1.3."""
    assert accept_value("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


async def test_client_certificate_required_after_handshake(
    serve: Any, connect: Any, pki: Any, speak_tls: Any
) -> None:
    """In TLS 1.3 alert 116 ends the exchange."""
    context = pki.server(pki.issue("l", issuer=pki.root, names=(HOST,)))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=pki.root.pem.decode())
    stream = await connect(await serve(partial(speak_tls, context=context)))
    store = pki.store(pki.root, public=(pki.root,))
    _, session = await handshake(stream, HOST, store=store, alpn=(), timeout=2)
    assert session is not None
    seen = await exchange(session, REQUEST, alpn=None, timeout=2)
    session.close()
    assert (seen.failure, seen.alert) == (Failure.ALERT, TlsAlert(level=2, description=116))


async def test_unverified_session_is_marked(serve: Any, connect: Any, pki: Any) -> None:
    """A block page behind a forged chain is marked."""

    async def page(peer: Any) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(PAGE)

    context = pki.server(pki.issue("l", issuer=pki.other_root, names=(HOST,)))
    stream = await connect(await serve(page, tls=context))
    store = pki.store(pki.root, public=(pki.root,)).unverified
    _, session = await handshake(stream, HOST, store=store, alpn=(), timeout=2)
    assert session is not None
    seen = await exchange(session, REQUEST, alpn=None, timeout=2)
    session.close()
    assert (seen.unverified, seen.status, seen.title) == (True, 200, "A & B")


async def test_fetch_returns_the_body(serve: Any, connect: Any) -> None:
    """Completely, or not at all."""
    limits = {3: (Failure.TOO_LARGE, b""), 4: (None, b"abcd"), 9: (None, b"abcd")}

    async def script(peer: Any) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd")

    port = await serve(script)
    for limit, expected in limits.items():
        stream = await connect(port)
        seen, body = await fetch(stream, REQUEST, alpn=None, timeout=2, limit=limit)
        stream.close()
        assert (seen.failure, body) == expected


async def test_fetch_of_incomplete_body(memory_stream: Any) -> None:
    """An incomplete body is a failure."""
    stream = memory_stream(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
    seen, body = await fetch(stream, REQUEST, alpn=None, timeout=2, limit=100)
    assert (seen.failure, body) == (Failure.TRUNCATED, b"")


def test_header_selection() -> None:
    """Names in lower case, values cut, query values and credentials removed, forty at most."""
    kept = select_headers(
        [
            ("Location", "https://user:pw@portal.test/login?url=http%3A%2F%2Fx&token=abc#a=b"),
            ("X-MS-Request-Id", "42\x1b[1m"),
            ("Authorization", "secret"),
            ("Set-Cookie", "sid=secret; Secure"),
            ("Via", "v" * 500),
            *(("x-ms-n", str(n)) for n in range(60)),
        ]
    )
    assert kept[0] == ("location", "https://portal.test/login?url=...&token=...#a=...")
    assert kept[1] == ("x-ms-request-id", "42")
    assert kept[2] == ("set-cookie", "sid")
    assert len(kept[3][1]) == 200
    assert len(kept) == 40


@given(st.lists(st.binary(max_size=200), max_size=6))
def test_any_bytes(memory_stream: Any, pieces: list[bytes]) -> None:
    """No bytes of a server raise or hang."""
    stream = memory_stream(*(piece for piece in pieces if piece))
    asyncio.run(exchange(stream, REQUEST, alpn=None, timeout=2))


@given(
    st.sampled_from([b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 302 x\r\n", b"HTTP/1.1 101 x\r\n"]),
    st.lists(
        st.sampled_from(
            [
                b"Content-Length: 5\r\n",
                b"Content-Length: -1\r\n",
                b"Transfer-Encoding: chunked\r\n",
                b"Transfer-Encoding: gzip\r\n",
                b"Upgrade: websocket\r\n",
                b"A: \x80\xff\r\n",
                b" folded\r\n",
                b": none\r\n",
            ]
        ),
        max_size=5,
    ),
    st.binary(max_size=60),
)
def test_odd_heads(memory_stream: Any, status: bytes, lines: list[bytes], body: bytes) -> None:
    """Malformed response heads end in an observation."""
    stream = memory_stream(status, *lines, b"\r\n", *([body] if body else []))
    seen = asyncio.run(exchange(stream, Request(host=HOST, upgrade=True), alpn=None, timeout=2))
    assert seen.failure is not None or seen.status is not None


@pytest.mark.parametrize("status", [200, 204, 206, 304, 407])
@pytest.mark.parametrize(
    "request_",
    [
        REQUEST,
        Request(host=HOST, range_bytes=5),
        Request(host=HOST, want_sha256=True),
        Request(host=HOST, method="HEAD"),
    ],
)
async def test_a_body_that_comes_with_its_head(memory_stream: Any, status: int, request_: Request) -> None:
    """It makes no difference whether the body comes with the head or after it."""

    async def seen(*pieces: bytes) -> dict[str, Any]:
        found = asdict(await exchange(memory_stream(*filter(None, pieces)), request_, alpn=None, timeout=2))
        return {name: value for name, value in found.items() if name not in TIMES}

    lines = (
        b"",
        b"Content-Length: 0\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: 5, 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5\r\nContent-Encoding: gzip\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: gzip\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    )
    for line, body in product(lines, (b"", b"hell", b"hello", b"hello, and more", gzip.compress(b"")[:5])):
        head = f"HTTP/1.1 {status} said\r\n".encode() + line + b"\r\n"
        assert await seen(head + body) == await seen(head, body), (line, body)


@pytest.mark.parametrize(
    ("status", "location", "leads_to"),
    [
        (302, "https://other.test/a?token=1#x", "https://other.test/a"),
        (301, "/login", "http://web.test/login"),
        (307, "//User:pw@Other.test:8443", "http://other.test:8443/"),
        (308, "https://[2001:db8::1]/x", "https://[2001:db8::1]/x"),
        (302, "ftp://other.test/", None),
        (302, "https://[bad/", None),
        (302, "http://a b.test/", None),
        (200, "https://other.test/", None),
        (304, "https://other.test/", None),
    ],
)
async def test_where_a_redirect_leads(ask: Any, status: int, location: str, leads_to: str | None) -> None:
    """The absolute URL without login, query and fragment; None where there is none."""
    said = f"HTTP/1.1 {status} x\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
    assert (await ask(said)).redirect == leads_to


async def test_of_equal_headers_the_first_counts(ask: Any) -> None:
    """However their names are written; the codings of a body are those of all of them."""
    twice = zlib.compress(gzip.compress(TEXT))
    said = (
        b"HTTP/1.1 301 x\r\nLOCATION: https://first.test/\r\nlocation: https://second.test/\r\n"
        b"Content-Encoding: gzip\r\ncontent-encoding: deflate\r\nContent-Length: %d\r\n\r\n" % len(twice)
    )
    seen = await ask(said + twice, Request(host=HOST, want_sha256=True))
    assert seen.redirect == "https://first.test/"
    assert seen.sha256 == hashlib.sha256(TEXT).hexdigest()
