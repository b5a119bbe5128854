"""The time of a server, asked with one client datagram (RFC 5905)."""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass
from datetime import UTC, datetime

from egressd.clock import now
from egressd.model.observation import Failure, NtpObservation
from egressd.model.settings import Source
from egressd.net.scrub import scrub_bytes
from egressd.net.sockets.datagram import Datagrams
from egressd.net.sockets.errors import PhaseError
from egressd.net.stopwatch import Stopwatch

_PACKET = struct.Struct("!BBbb4x4x4s8x8sQQ")
"""Leap, version and mode; stratum; poll; precision; reference id; originate, receive and transmit times."""
_SIZE = 48
_CLIENT = 4 << 3 | 3
"""Version 4, mode 3."""
_SERVER_MODE = 4
_UNSYNCHRONISED = 3
_ERA_0 = datetime(1900, 1, 1, tzinfo=UTC).timestamp()
_ERA_SECONDS = 2**32
_ERA_PIVOT = 2**31
"""Seconds below this are of the era that begins in 2036."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a server said of itself and of the time."""

    stratum: int
    kiss: str
    synchronised: bool
    received: float
    """When our datagram arrived there, as a Unix time of the server's clock."""
    sent: float
    arrived: float
    """When its answer arrived here, by our clock."""


async def query_ntp(address: str, port: int, *, source: Source, timeout: float) -> NtpObservation:
    """Ask an NTP server for the time, once."""
    watch = Stopwatch()
    local: tuple[str | None, int | None] = (None, None)
    icmp, reply, trouble, begun = None, None, None, 0.0
    try:
        datagrams = Datagrams(address, port, source=source)
    except PhaseError as found:
        trouble = found
    else:
        local = datagrams.local
        try:
            begun = now().timestamp()
            reply = await _ask(datagrams, timeout)
        except PhaseError as found:
            trouble, icmp = found, datagrams.icmp
        finally:
            datagrams.close()
    return NtpObservation(
        started=watch.started,
        elapsed_ms=watch.elapsed_ms,
        remote_address=address,
        remote_port=port,
        local_address=local[0],
        local_port=local[1],
        failure=trouble.failure if trouble else None,
        detail=trouble.detail if trouble else _remark(reply),
        errno=trouble.errno if trouble else None,
        icmp=icmp,
        stratum=reply.stratum if reply else None,
        kiss=reply.kiss if reply else "",
        offset_seconds=offset(reply, begun) if reply else None,
    )


async def _ask(datagrams: Datagrams, timeout: float) -> Reply:
    """Send a cookie where the time of sending would stand: the answer must repeat it, nobody can guess it."""
    cookie = secrets.token_bytes(8)
    strays: list[str] = []

    def read(data: bytes) -> Reply | None:
        try:
            return read_reply(data, cookie)
        except PhaseError as trouble:
            strays.append(trouble.detail)
            return None

    datagrams.send(bytes([_CLIENT]) + bytes(39) + cookie)
    try:
        return await datagrams.wait_for_answer(read, timeout=timeout)
    except PhaseError as trouble:
        if trouble.failure is Failure.TIMEOUT and strays:
            raise PhaseError(Failure.MALFORMED, strays[-1]) from None
        raise


def read_reply(data: bytes, cookie: bytes) -> Reply | None:
    """Read an answer; None where it is an answer to somebody else.

    Raises:
        PhaseError: MALFORMED.
    """
    if len(data) < _SIZE:
        raise PhaseError(Failure.MALFORMED, f"{len(data)} bytes are no NTP packet")
    first, stratum, _, _, reference, originate, received, sent = _PACKET.unpack_from(data)
    if first & 7 != _SERVER_MODE:
        raise PhaseError(Failure.MALFORMED, f"mode {first & 7} is no server's answer")
    if originate != cookie:
        return None
    return Reply(
        stratum=stratum,
        kiss=scrub_bytes(reference.rstrip(b"\0"), 4) if stratum == 0 else "",
        synchronised=first >> 6 != _UNSYNCHRONISED and 0 < stratum < 16 and sent != 0,
        received=_unix_time(received),
        sent=_unix_time(sent),
        arrived=now().timestamp(),
    )


def offset(reply: Reply, begun: float) -> float | None:
    """Return the server's time minus ours, in seconds; None where the server does not know the time."""
    if not reply.synchronised:
        return None
    return round(((reply.received - begun) + (reply.sent - reply.arrived)) / 2, 6)


def _remark(reply: Reply | None) -> str:
    if reply is None or reply.synchronised or reply.kiss:
        return ""
    return "the server's own clock is not synchronised"


def _unix_time(stamp: int) -> float:
    seconds = stamp >> 32
    era = _ERA_SECONDS if seconds < _ERA_PIVOT else 0
    return _ERA_0 + era + seconds + (stamp & 0xFFFFFFFF) / 2**32
