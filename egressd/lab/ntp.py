"""The lab's NTP servers (RFC 5905): a correct one, and one for each fault."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from egressd.lab.sockets import ServerGroup, port_of, udp_socket

EPOCH = datetime(1900, 1, 1, tzinfo=UTC)
PACKET = 48
CLIENT = 3
SERVER = 4
UNSYNCHRONIZED = 3
"""The leap indicator of a clock that is not synchronised."""

Now = Callable[[], datetime]
NtpAnswer = Callable[[bytes, Now], bytes | None]


def serve_ntp(servers: ServerGroup, answer: NtpAnswer, now: Now, port: int = 0) -> int:
    """Serve UDP on loopback; return the port."""
    sock = servers.own(udp_socket(port))

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                data, client = await loop.sock_recvfrom(sock, 512)
            except OSError:  # an ICMP error caused by an earlier answer
                continue
            answered = answer(data, now) if is_request(data) else None
            if answered is not None:
                with suppress(OSError):
                    await loop.sock_sendto(sock, answered, client)

    servers.start(serve())
    return port_of(sock)


def is_request(data: bytes) -> bool:
    """Return whether a datagram is a client request."""
    return len(data) >= PACKET and data[0] & 7 == CLIENT


def correct(data: bytes, now: Now) -> bytes:
    """Answer with the lab's time at stratum 2."""
    return _packet(data, now(), leap=0, stratum=2, reference=b"LAB\0")


def kiss(data: bytes, now: Now) -> bytes:
    """Answer with a kiss-o'-death: stratum 0 and the code DENY."""
    return _packet(data, now(), leap=UNSYNCHRONIZED, stratum=0, reference=b"DENY")


def unsynchronized(data: bytes, now: Now) -> bytes:
    """Answer as a server whose clock is not synchronised."""
    return _packet(data, now(), leap=UNSYNCHRONIZED, stratum=16, reference=b"INIT")


def garbage(data: bytes, now: Now) -> bytes:  # noqa: ARG001 - all answers have this signature
    """Answer with bytes too short for NTP."""
    return b"no time here"


def silence(data: bytes, now: Now) -> None:
    """Do not answer."""


def _packet(request: bytes, moment: datetime, *, leap: int, stratum: int, reference: bytes) -> bytes:
    """Build an answer; the client's transmit timestamp becomes the originate timestamp."""
    version = request[0] >> 3 & 7
    stamp = _stamp(moment)
    head = struct.pack(
        "!BBbb4s4s4s", leap << 6 | version << 3 | SERVER, stratum, 6, -20, bytes(4), bytes(4), reference
    )
    return head + stamp + request[40:48] + stamp + stamp


def _stamp(moment: datetime) -> bytes:
    """Return an NTP timestamp of era 0: seconds since 1900 and a binary fraction."""
    since = moment - EPOCH
    seconds = (since.days * 86400 + since.seconds) & 0xFFFFFFFF
    return struct.pack("!II", seconds, (since.microseconds << 32) // 1_000_000)


FAULTY_ANSWERS: dict[str, NtpAnswer] = {
    "ntp_silence": silence,
    "ntp_kiss": kiss,
    "ntp_unsynchronized": unsynchronized,
    "ntp_garbage": garbage,
}
"""The faulty answers by effect."""
