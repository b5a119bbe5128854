"""The NTP phase: one client datagram and its reply (RFC 5905)."""

from __future__ import annotations

import secrets
import struct
from datetime import UTC, datetime

from msgspec import Struct

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
"""Smaller NTP seconds belong to era 1, which begins in 2036."""


class Reply(Struct, frozen=True, kw_only=True):
    """The reply of an NTP server."""

    stratum: int
    kiss: str
    synchronised: bool
    received: float
    """When our request arrived, by the server's clock; Unix time, as all times here."""
    sent: float
    arrived: float
    """When the reply arrived here, by our clock."""


async def query_ntp(address: str, port: int, *, source: Source, timeout: float) -> NtpObservation:
    """Query an NTP server for the time, once."""
    watch = Stopwatch()
    local: tuple[str | None, int | None] = (None, None)
    failed: PhaseError | None = None
    icmp, reply, sent_at = None, None, 0.0
    try:
        datagrams = Datagrams(address, port, source=source)
    except PhaseError as error:
        failed = error
    else:
        local = datagrams.local
        try:
            sent_at = now().timestamp()
            reply = await _exchange(datagrams, timeout)
        except PhaseError as error:
            failed, icmp = error, datagrams.icmp
        finally:
            datagrams.close()
    return NtpObservation(
        started=watch.started,
        elapsed_ms=watch.elapsed_ms,
        remote_address=address,
        remote_port=port,
        local_address=local[0],
        local_port=local[1],
        failure=failed.failure if failed else None,
        detail=failed.detail if failed else _unsynchronised_detail(reply),
        errno=failed.errno if failed else None,
        icmp=icmp,
        stratum=reply.stratum if reply else None,
        kiss=reply.kiss if reply else "",
        offset_seconds=offset(reply, sent_at) if reply else None,
    )


async def _exchange(datagrams: Datagrams, timeout: float) -> Reply:
    """Send a random cookie as transmit timestamp: a genuine reply repeats it as originate timestamp."""
    cookie = secrets.token_bytes(8)
    rejected: list[str] = []

    def read(data: bytes) -> Reply | None:
        try:
            return read_reply(data, cookie)
        except PhaseError as error:
            rejected.append(error.detail)
            return None

    datagrams.send(bytes([_CLIENT]) + bytes(39) + cookie)
    try:
        return await datagrams.wait_for_answer(read, timeout=timeout)
    except PhaseError as error:
        if error.failure is Failure.TIMEOUT and rejected:
            raise PhaseError(Failure.MALFORMED, rejected[-1]) from None
        raise


def read_reply(data: bytes, cookie: bytes) -> Reply | None:
    """Parse a reply; None where its originate timestamp is not our cookie.

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
        synchronised=first >> 6 != _UNSYNCHRONISED and 0 < stratum < 16 and 0 != received <= sent,
        received=_unix_time(received),
        sent=_unix_time(sent),
        arrived=now().timestamp(),
    )


def offset(reply: Reply, sent_at: float) -> float | None:
    """Return the server's time minus ours, in seconds; None where the server is not synchronised."""
    if not reply.synchronised:
        return None
    return round(((reply.received - sent_at) + (reply.sent - reply.arrived)) / 2, 6)


def _unsynchronised_detail(reply: Reply | None) -> str:
    if reply is None or reply.synchronised or reply.kiss:
        return ""
    return "the server's own clock is not synchronised"


def _unix_time(stamp: int) -> float:
    seconds = stamp >> 32
    era = _ERA_SECONDS if seconds < _ERA_PIVOT else 0
    return _ERA_0 + era + seconds + (stamp & 0xFFFFFFFF) / 2**32
