"""Send a self-made ClientHello and read the first bytes of the answer, without completing a handshake."""

from __future__ import annotations

import asyncio

from egressd.model.observation import Failure, TlsObservation
from egressd.net.scrub import scrub
from egressd.net.sockets.errors import PhaseError, phase_error
from egressd.net.stopwatch import Stopwatch
from egressd.net.stream import ByteStream
from egressd.net.tls.client_hello import ClientHelloShape, build_client_hello
from egressd.net.tls.records import FATAL, SERVER_HELLO, RecordScanner

_MINIMUM_ANSWER = 7
"""Bytes that identify a ServerHello (`16 03 xx .. .. 02`), or an alert and its description."""
_HEX_BYTES = 64
_PAUSE = 0.05
"""Seconds between the parts of a split ClientHello, so that they leave in two segments."""


async def send_client_hello(
    stream: ByteStream, host: str, shape: ClientHelloShape, *, timeout: float, split: bool = False
) -> TlsObservation:
    """Send a ClientHello and read until it is clear whether a ServerHello answers, within `timeout` seconds.

    `split` sends it in two parts. The stream stays open; the caller closes it.
    """
    watch, received, hello = Stopwatch(), RecordScanner(), b""
    failed: PhaseError | None
    try:
        hello = build_client_hello(host.encode("idna").decode("ascii"), shape)
    except UnicodeError as error:
        failed = PhaseError(Failure.NAME_INVALID, str(error))
    else:
        failed = await _send_and_read(stream, hello, received, timeout=timeout, split=split)
    return TlsObservation(
        started=watch.started,
        elapsed_ms=watch.elapsed_ms,
        sni="" if shape is ClientHelloShape.NO_SNI else scrub(host, 300),
        alpn_offered=("h2", "http/1.1"),
        hello_bytes=len(hello),
        bytes_sent=len(hello),
        bytes_received=received.size,
        records_sent=1 if hello else 0,
        records_received=received.records,
        failure=failed.failure if failed else None,
        detail=failed.detail if failed else "",
        errno=failed.errno if failed else None,
        first_bytes=received.head[:_HEX_BYTES].hex(),
        first_text=received.head_text,
        server_hello=_is_server_hello(received),
        alert=received.alert,
        info=stream.info(),
    )


async def _send_and_read(
    stream: ByteStream, hello: bytes, received: RecordScanner, *, timeout: float, split: bool
) -> PhaseError | None:
    try:
        async with asyncio.timeout(timeout):
            for part in _parts(hello, split=split):
                await stream.write(part)
                await asyncio.sleep(_PAUSE if split else 0)
            while received.size < _MINIMUM_ANSWER:
                data = await stream.read(_MINIMUM_ANSWER)
                if not data:
                    return PhaseError(Failure.CLOSED, f"closed after {received.size} bytes")
                received.feed(data)
    except PhaseError as error:
        return error
    except (OSError, MemoryError) as error:
        return phase_error(error)
    return _classify(received)


def _parts(hello: bytes, *, split: bool) -> tuple[bytes, ...]:
    """Return the ClientHello whole, or in two halves."""
    middle = len(hello) // 2
    return (hello[:middle], hello[middle:]) if split else (hello,)


def _classify(received: RecordScanner) -> PhaseError | None:
    if _is_server_hello(received):
        return None
    if received.alert is not None and received.alert.level == FATAL:
        return PhaseError(Failure.ALERT)
    return PhaseError(Failure.MALFORMED if received.is_tls else Failure.NOT_TLS)


def _is_server_hello(received: RecordScanner) -> bool:
    return len(received.head) > 5 and received.head[0] == 0x16 and received.head[5] == SERVER_HELLO
