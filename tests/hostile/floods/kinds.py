"""The kinds of floods: bytes without end in every phase of a probe, none of which completes it."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, count, repeat

from tests.hostile.floods.peer import (
    ALERT,
    CHANGE_CIPHER_SPEC,
    DATA,
    HANDSHAKE,
    KEY_UPDATE,
    Peer,
    Record,
    TlsSession,
    message,
    record,
)

Chunks = Callable[[], Iterator[bytes]]
Records = Callable[[], Iterator[Record]]
Serve = Callable[[Peer], None]
CHUNK = 16384
END = b"\r\n\r\n"


@dataclass(frozen=True)
class Flood:
    """What a server does to a client of one protocol."""

    name: str
    protocol: str
    serve: Serve


def endlessly(data: bytes) -> Chunks:
    """Repeat some bytes for ever, in larger pieces."""
    return lambda: repeat(data * max(1, CHUNK // len(data)))


def once_then(first: bytes, then: bytes) -> Chunks:
    """Send some bytes, then others for ever."""
    return lambda: chain((first,), endlessly(then)())


def at_once(chunks: Chunks) -> Serve:
    """Flood before the client said anything."""
    return lambda peer: peer.pour(chunks())


def after_hello(chunks: Chunks) -> Serve:
    """Flood in the place of a ServerHello."""

    def serve(peer: Peer) -> None:
        peer.sock.recv(65536)
        peer.pour(chunks())

    return serve


def in_handshake(records: Records) -> Serve:
    """Flood after the ServerHello of TLS 1.3, encrypted."""

    def serve(peer: Peer) -> None:
        session = TlsSession(peer)
        session.answer_hello()
        session.send_server_hello()
        peer.pour(joined(session.seal(records(), secret="SERVER_HANDSHAKE_TRAFFIC_SECRET")))

    return serve


def in_session(records: Records, *, old: bool = False) -> Serve:
    """Flood after the handshake with records that are no data, encrypted."""

    def serve(peer: Peer) -> None:
        session = TlsSession(peer, old=old)
        session.handshake()
        peer.pour(joined(session.seal(records())))

    return serve


def after_request(chunks: Chunks) -> Serve:
    """Flood in answer to a request in clear, CONNECT too."""

    def serve(peer: Peer) -> None:
        peer.read_until(END)
        peer.pour(chunks())

    return serve


def after_request_in_tls(chunks: Chunks) -> Serve:
    """Flood in answer to a request inside TLS."""

    def serve(peer: Peer) -> None:
        session = TlsSession(peer, alpn=("http/1.1",))
        session.handshake()
        session.read_until(END)
        peer.pour(session.encrypt(chunks()))

    return serve


def in_http2(chunks: Chunks) -> Serve:
    """Flood with frames after the request."""

    def serve(peer: Peer) -> None:
        session = TlsSession(peer, alpn=("h2",))
        session.handshake()
        session.read_until(b"SM\r\n\r\n")
        peer.pour(session.encrypt(chain((frame(4, b""), frame(4, b"", flags=1)), chunks())))

    return serve


def joined(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Join small pieces, so that sending them costs less than reading them."""
    while True:
        yield b"".join(next(pieces) for _ in range(200))


def frame(kind: int, payload: bytes, *, flags: int = 0, stream: int = 0) -> bytes:
    """Return a frame of HTTP/2."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def pushes() -> Iterator[bytes]:
    """Promise streams for ever."""
    for first in count(2, 400):
        yield b"".join(
            frame(5, n.to_bytes(4, "big") + b"\x82\x86\x84", flags=4, stream=1)
            for n in range(first, first + 400, 2)
        )


def settings_frames() -> Iterator[bytes]:
    """Change as many settings per frame as fit."""
    return endlessly(frame(4, b"\0\x04\0\x01\0\0" * 2700))()


def bomb(*codings: str) -> bytes:
    """Return zeros, compressed as often as said."""
    data = bytes(64 * 1024 * 1024)
    for one in codings:
        data = gzip.compress(data, 9) if one == "gzip" else zlib.compress(data, 9)
    return data


def packed(*codings: str) -> Chunks:
    """Answer with bodies that unpack to much more."""

    def chunks() -> Iterator[bytes]:
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {', '.join(codings)}\r\n\r\n".encode()
        return chain((head,), repeat(bomb(*codings)))

    return chunks


def fragments(kind: int, size: int, each: int) -> Records:
    """Begin a handshake message and send it a few bytes at a time."""

    def records() -> Iterator[Record]:
        yield HANDSHAKE, bytes((kind,)) + size.to_bytes(3, "big")
        yield from repeat((HANDSHAKE, b"\x01" * each))

    return records


def in_clear(records: Records) -> Chunks:
    """Return records without encryption, after a ServerHello of TLS 1.2."""
    hello = b"\x03\x03" + b"\x11" * 32 + b"\0" + b"\xc0\x2b" + b"\0"
    return lambda: chain(
        (record(HANDSHAKE, message(2, hello)),), joined(record(kind, body) for kind, body in records())
    )


def endless_records(kind: int, payload: bytes) -> Records:
    """Repeat one record."""
    return lambda: repeat((kind, payload))


HELLO_REQUEST = message(0, b"")
WARNING = b"\x01\x5a"
"""user_canceled, a warning."""
TICKET = message(4, bytes(8) + b"\x01\x00" + b"\x00\x20" + bytes(32) + b"\0\0")
LARGE_TICKET = message(4, bytes(8) + b"\x01\x00" + b"\x3f\x00" + bytes(0x3F00) + b"\0\0")
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

HANDSHAKE_FLOODS = {
    "speaks-first": at_once(endlessly(b"\x00\x7fgarbage")),
    "text-first": at_once(endlessly(b"220 welcome\r\n")),
    "hello-requests-first": at_once(endlessly(record(HANDSHAKE, HELLO_REQUEST))),
    "hello-requests": after_hello(endlessly(record(HANDSHAKE, HELLO_REQUEST))),
    "hello-requests-joined": after_hello(endlessly(record(HANDSHAKE, HELLO_REQUEST * 4000))),
    "warnings": after_hello(endlessly(record(ALERT, WARNING))),
    "empty-records": after_hello(endlessly(record(HANDSHAKE, b""))),
    "cipher-changes": after_hello(endlessly(record(CHANGE_CIPHER_SPEC, b"\x01"))),
    "garbage-records": after_hello(endlessly(record(HANDSHAKE, b"\xa5" * 16384))),
    "data-records": after_hello(endlessly(record(DATA, b"\xa5" * 16384))),
    "large-certificate": after_hello(in_clear(fragments(11, 0xFFFFFF, 16384))),
    "certificate-by-byte": after_hello(in_clear(fragments(11, 90_000, 1))),
    "hello-requests-after-server-hello": after_hello(in_clear(endless_records(HANDSHAKE, HELLO_REQUEST))),
    "sealed-fragments": in_handshake(fragments(8, 16_000, 1)),
    "sealed-warnings": in_handshake(endless_records(ALERT, WARNING)),
    "sealed-certificate-by-byte": in_handshake(fragments(11, 90_000, 1)),
}
SESSION_FLOODS = {
    "tickets": in_session(endless_records(HANDSHAKE, TICKET)),
    "large-tickets": in_session(endless_records(HANDSHAKE, LARGE_TICKET)),
    "key-updates": in_session(endless_records(HANDSHAKE, message(KEY_UPDATE, b"\0"))),
    "requested-key-updates": in_session(endless_records(HANDSHAKE, message(KEY_UPDATE, b"\x01"))),
    "empty-data": in_session(endless_records(DATA, b"")),
    "one-byte-data": in_session(endless_records(DATA, b"\n")),
    "session-warnings": in_session(endless_records(ALERT, WARNING)),
    "renegotiation": in_session(endless_records(HANDSHAKE, HELLO_REQUEST), old=True),
    "old-empty-data": in_session(endless_records(DATA, b""), old=True),
    "old-warnings": in_session(endless_records(ALERT, WARNING), old=True),
}
ANSWERS = {
    "status-line": once_then(b"HTTP/1.1 200 ", b"x"),
    "headers": once_then(OK, b"a: b\r\n"),
    "one-header": once_then(OK + b"x: ", b"y"),
    "folded-header": once_then(OK + b"x: ", b"y\r\n "),
    "headers-without-colon": once_then(OK, b"ab\n"),
    "empty-lines": endlessly(b"\r\n"),
    "interim": endlessly(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "interim-with-headers": endlessly(b"HTTP/1.1 103 Early Hints\r\n" + b"a: b\r\n" * 4000 + b"\r\n"),
    "chunks-of-one-byte": once_then(CHUNKED, b"1\r\nx\r\n"),
    "chunk-size": once_then(CHUNKED, b"0"),
    "chunk-extensions": once_then(CHUNKED, b"1;" + b"e" * 4000 + b"\r\nx\r\n"),
    "trailers": once_then(CHUNKED + b"1\r\nx\r\n0\r\n", b"a: b\r\n"),
    "body": once_then(OK + b"\r\n", b"body "),
    "long-body": once_then(OK + b"Content-Length: 99999999999\r\n\r\n", b"body "),
    "refusal": once_then(b"HTTP/1.1 407 No\r\nContent-Length: 99999999999\r\n\r\n", b"body "),
    "gzip": packed("gzip"),
    "gzip-thrice": packed("gzip", "gzip", "gzip"),
    "deflate": packed("deflate"),
}
"""Answers in HTTP/1, of a server or of a proxy."""
HEAD = frame(1, b"\x88", flags=4, stream=1)
FRAMES = {
    "window-updates": endlessly(frame(8, b"\0\0\0\x01")),
    "window-updates-of-zero": endlessly(frame(8, b"\0\0\0\0", stream=1)),
    "priorities": endlessly(frame(2, b"\0\0\0\0\x10", stream=1)),
    "other-priorities": endlessly(frame(2, b"\0\0\0\0\x10", stream=3)),
    "resets": endlessly(frame(3, b"\0\0\0\x08", stream=2)),
    "resets-of-ours": endlessly(frame(3, b"\0\0\0\x00", stream=1)),
    "unknown-frames": endlessly(frame(0xBA, b"")),
    "large-unknown-frames": endlessly(frame(0xBA, bytes(16384))),
    "pings": endlessly(frame(6, bytes(8))),
    "settings": endlessly(frame(4, b"")),
    "large-settings": settings_frames,
    "goaways": endlessly(frame(7, (2**31 - 1).to_bytes(4, "big") + bytes(4))),
    "pushes": pushes,
    "empty-data-frames": once_then(HEAD, frame(0, b"", stream=1)),
    "padded-data": once_then(HEAD, frame(0, b"\xff" + bytes(255), flags=8, stream=1)),
    "one-byte-data-frames": once_then(HEAD, frame(0, b"x", stream=1)),
    "interim-heads": endlessly(frame(1, b"\x08\x03100", flags=4, stream=1)),
    "continuations": once_then(frame(1, b"\x88", stream=1), frame(9, b"", stream=1)),
    "large-continuations": once_then(
        frame(1, b"\x88", stream=1), frame(9, b"\x00\x01a\x01b" * 3000, stream=1)
    ),
    "header-table": once_then(frame(1, b"\x88", stream=1), frame(9, b"\xbe" * 16000, stream=1)),
    "body-frames": once_then(HEAD, frame(0, bytes(16384), stream=1)),
}  # fmt: skip

ALL_FLOODS = tuple(
    Flood(name, protocol, serve)
    for protocol, floods in (
        ("https", HANDSHAKE_FLOODS | SESSION_FLOODS),
        ("http", {f"clear-{name}": after_request(chunks) for name, chunks in ANSWERS.items()}),
        ("https", {f"tls-{name}": after_request_in_tls(chunks) for name, chunks in ANSWERS.items()}),
        ("https", {f"h2-{name}": in_http2(chunks) for name, chunks in FRAMES.items()}),
        ("wss", {f"wss-{name}": after_request_in_tls(ANSWERS[name]) for name in ("headers", "interim")}),
        ("wss", {"wss-body": after_request_in_tls(once_then(
            b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n", b"\x89\x00"))}),
    )
    for name, serve in floods.items()
)  # fmt: skip
