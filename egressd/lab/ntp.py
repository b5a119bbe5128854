"""The lab's time servers: one honest, and one for each way to be of no use (RFC 5905)."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from egressd.lab.wire import Harbour, port_of, udp_socket

EPOCH = datetime(1900, 1, 1, tzinfo=UTC)
PACKET = 48
CLIENT = 3
SERVER = 4
UNSYNCHRONIZED = 3
"""The leap indicator of a clock that was never set."""

Now = Callable[[], datetime]
Answer = Callable[[bytes, Now], bytes | None]


def serve_ntp(harbour: Harbour, answer: Answer, now: Now, port: int = 0) -> int:
    """Serve UDP on loopback; return the port."""
    sock = harbour.keep(udp_socket(port))

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                data, client = await loop.sock_recvfrom(sock, 512)
            except OSError:  # an ICMP error of an earlier answer
                continue
            said = answer(data, now) if is_request(data) else None
            if said is not None:
                with suppress(OSError):
                    await loop.sock_sendto(sock, said, client)

    harbour.start(serve())
    return port_of(sock)


def is_request(data: bytes) -> bool:
    """Tell whether a datagram is a client's question."""
    return len(data) >= PACKET and data[0] & 7 == CLIENT


def honest(data: bytes, now: Now) -> bytes:
    """Answer with the lab's time, as a stratum 2 server."""
    return _packet(data, now(), leap=0, stratum=2, reference=b"LAB\0")


def kiss(data: bytes, now: Now) -> bytes:
    """Ask the client to go away: stratum 0 and a kiss code."""
    return _packet(data, now(), leap=UNSYNCHRONIZED, stratum=0, reference=b"DENY")


def unsynchronized(data: bytes, now: Now) -> bytes:
    """Admit to having no time."""
    return _packet(data, now(), leap=UNSYNCHRONIZED, stratum=16, reference=b"INIT")


def garbage(data: bytes, now: Now) -> bytes:  # noqa: ARG001 - the signature of every answer
    """Answer with something too short to be NTP."""
    return b"no time here"


def silence(data: bytes, now: Now) -> None:
    """Say nothing."""


def _packet(request: bytes, moment: datetime, *, leap: int, stratum: int, reference: bytes) -> bytes:
    """Build an answer; the client's transmit time comes back as the origin."""
    version = request[0] >> 3 & 7
    stamp = _stamp(moment)
    head = struct.pack(
        "!BBbb4s4s4s", leap << 6 | version << 3 | SERVER, stratum, 6, -20, bytes(4), bytes(4), reference
    )
    return head + stamp + request[40:48] + stamp + stamp


def _stamp(moment: datetime) -> bytes:
    """Return an NTP timestamp: seconds since 1900 and a binary fraction, of era 0."""
    since = moment - EPOCH
    seconds = (since.days * 86400 + since.seconds) & 0xFFFFFFFF
    return struct.pack("!II", seconds, (since.microseconds << 32) // 1_000_000)


ANSWERS: dict[str, Answer] = {
    "ntp_silence": silence,
    "ntp_kiss": kiss,
    "ntp_unsynchronized": unsynchronized,
    "ntp_garbage": garbage,
}
"""What each act of a time server says."""
