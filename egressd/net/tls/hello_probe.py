"""A ClientHello of our own making, and the first bytes that come back: answered or not, and no more."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from egressd.model.observation import Failure, TlsObservation
from egressd.net.scrub import scrub
from egressd.net.sockets.errors import PhaseError, detail_of, failure_of
from egressd.net.stopwatch import Stopwatch
from egressd.net.stream import ByteStream
from egressd.net.tls.client_hello import ClientHelloShape, build_client_hello
from egressd.net.tls.records import FATAL, SERVER_HELLO, RecordScanner

ENOUGH = 7
"""Bytes that tell a ServerHello (`16 03 xx .. .. 02`), and an alert with its description."""
_HEX_BYTES = 64
_PAUSE = 0.05
"""Seconds between the two parts of a split hello: long enough for two segments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ending:
    failure: Failure | None = None
    detail: str = ""
    errno: int | None = None


async def send_client_hello(
    stream: ByteStream, host: str, shape: ClientHelloShape, *, timeout: float, split: bool = False
) -> TlsObservation:
    """Send a hello within `timeout` seconds and read until it is clear whether TLS answers.

    `split` sends it in two parts. The stream stays open; it is the caller's to close.
    """
    watch, heard = Stopwatch(), RecordScanner()
    try:
        hello = build_client_hello(host.encode("idna").decode("ascii"), shape)
    except UnicodeError as error:
        ending, hello = _Ending(failure=Failure.NAME_INVALID, detail=scrub(str(error), 200)), b""
    else:
        ending = await _send_and_hear(stream, hello, heard, timeout=timeout, split=split)
    return TlsObservation(
        started=watch.started,
        elapsed_ms=watch.elapsed_ms,
        sni="" if shape is ClientHelloShape.NAMELESS else scrub(host, 300),
        alpn_offered=("h2", "http/1.1"),
        hello_bytes=len(hello),
        bytes_sent=len(hello),
        bytes_received=heard.size,
        records_sent=1 if hello else 0,
        records_received=heard.records,
        failure=ending.failure,
        detail=ending.detail,
        errno=ending.errno,
        first_bytes=heard.head[:_HEX_BYTES].hex(),
        first_text=heard.head_text,
        server_hello=_is_server_hello(heard),
        alert=heard.alert,
        info=stream.info(),
    )


async def _send_and_hear(
    stream: ByteStream, hello: bytes, heard: RecordScanner, *, timeout: float, split: bool
) -> _Ending:
    try:
        async with asyncio.timeout(timeout):
            for part in _parts(hello, split=split):
                await stream.write(part)
                await asyncio.sleep(_PAUSE if split else 0)
            while heard.size < ENOUGH:
                data = await stream.read(ENOUGH)
                if not data:
                    return _Ending(failure=Failure.CLOSED, detail=f"closed after {heard.size} bytes")
                heard.feed(data)
    except PhaseError as trouble:
        return _Ending(failure=trouble.failure, detail=trouble.detail, errno=trouble.errno)
    except OSError as error:
        return _Ending(failure=failure_of(error), detail=detail_of(error), errno=error.errno)
    return _judge(heard)


def _parts(hello: bytes, *, split: bool) -> tuple[bytes, ...]:
    """Return what is written at once: all of it, or two halves."""
    middle = len(hello) // 2
    return (hello[:middle], hello[middle:]) if split else (hello,)


def _judge(heard: RecordScanner) -> _Ending:
    if _is_server_hello(heard):
        return _Ending()
    if heard.alert is not None and heard.alert.level == FATAL:
        return _Ending(failure=Failure.ALERT)
    return _Ending(failure=Failure.MALFORMED if heard.is_tls else Failure.NOT_TLS)


def _is_server_hello(heard: RecordScanner) -> bool:
    return len(heard.head) > 5 and heard.head[0] == 0x16 and heard.head[5] == SERVER_HELLO
