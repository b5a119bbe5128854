"""One NTP request."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressd.clock import now
from egressd.model.observation import Failure, NtpObservation
from egressd.model.settings import Source
from egressd.net.ntp import Reply, offset, query_ntp, read_reply
from egressd.net.sockets.errors import PhaseError

HERE = Source(name="here")
TO_1900 = 2_208_988_800


def stamp(seconds: float) -> int:
    """Return an NTP time."""
    return int((seconds + TO_1900) * 2**32) & (2**64 - 1)


def answer(
    query: bytes, *, ahead: float = 0.0, first: int = 0x24, stratum: int = 2, refid: bytes = b"GPS\0"
) -> bytes:
    """Answer a request with a clock that is ahead of ours."""
    time = stamp(now().timestamp() + ahead)
    return struct.pack("!BBbbII4sQ8sQQ", first, stratum, 6, -20, 0, 0, refid, time, query[40:48], time, time)


async def ask(port: int, *, timeout: float = 2) -> NtpObservation:
    """Query a scripted server."""
    return await query_ntp("127.0.0.1", port, source=HERE, timeout=timeout)


@pytest.mark.parametrize("ahead", [0.0, 3600.0, -86400.0])
async def test_offset(udp: Any, ahead: float) -> None:
    """It is theirs minus ours, within the tolerance for a busy machine."""
    seen = await ask(udp(lambda query: [answer(query, ahead=ahead)]))
    assert (seen.failure, seen.stratum) == (None, 2)
    assert seen.offset_seconds == pytest.approx(ahead, abs=60)
    assert seen.local_port


async def test_request_reveals_nothing(udp: Any) -> None:
    """Version 4, mode 3, and a cookie in place of our time."""
    received: list[bytes] = []

    def note(query: bytes) -> list[bytes]:
        received.append(query)
        return [answer(query)]

    port = udp(note)
    await ask(port)
    await ask(port)
    assert [(len(query), query[0], query[1:40]) for query in received] == [(48, 0x23, bytes(39))] * 2
    assert received[0][40:] != received[1][40:]


async def test_kiss_of_death(udp: Any) -> None:
    """An answer without a time."""
    seen = await ask(udp(lambda query: [answer(query, stratum=0, refid=b"DENY")]))
    assert (seen.failure, seen.kiss, seen.stratum, seen.offset_seconds) == (None, "DENY", 0, None)


@pytest.mark.parametrize("wrong", [{"first": 0xE4}, {"stratum": 16}])
async def test_unsynchronised_server(udp: Any, wrong: dict[str, Any]) -> None:
    """Its time gives no offset."""
    seen = await ask(udp(lambda query: [answer(query, **wrong)]))
    assert (seen.failure, seen.offset_seconds) == (None, None)
    assert "not synchronised" in seen.detail


async def test_spoofed_replies_are_ignored(udp: Any) -> None:
    """A spoofed reply can't know the cookie, and the real one still counts."""
    seen = await ask(udp(lambda query: [answer(bytes(48), ahead=9e5), b"", answer(query)]))
    assert seen.offset_seconds == pytest.approx(0, abs=60)


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        (lambda _: [], Failure.TIMEOUT),
        (lambda _: [b"hello"], Failure.MALFORMED),
        (lambda query: [answer(query, first=0x23)], Failure.MALFORMED),
        (lambda _: [answer(bytes(48))], Failure.TIMEOUT),
    ],
)
async def test_no_answer(udp: Any, script: Callable[[bytes], list[bytes]], failure: Failure) -> None:
    """A timeout and malformed replies are different failures."""
    assert (await ask(udp(script), timeout=0.3)).failure is failure


async def test_refused(closed_port: Callable[..., int]) -> None:
    """The ICMP error has its sender."""
    seen = await ask(closed_port(socket.SOCK_DGRAM))
    assert seen.failure is Failure.REFUSED
    assert seen.icmp is not None
    assert seen.icmp.offender == "127.0.0.1"


async def test_absent_source() -> None:
    """It is INVALID_SOURCE."""
    away = Source(name="away", address="198.51.100.9")
    assert (await query_ntp("127.0.0.1", 123, source=away, timeout=1)).failure is Failure.INVALID_SOURCE


def test_ntp_era_1() -> None:
    """The counter wraps on 7 February 2036."""
    cookie = b"12345678"
    packet = struct.pack("!BBbbII4sQ8sQQ", 0x24, 1, 0, 0, 0, 0, b"GPS\0", 0, cookie, 5 << 32, 6 << 32)
    reply = read_reply(packet, cookie)
    assert reply is not None
    assert reply.received == 2**32 - TO_1900 + 5


def test_offset_subtracts_the_round_trip() -> None:
    """Half the round trip each way (RFC 5905 section 8)."""
    reply = Reply(stratum=1, kiss="", synchronised=True, received=110.0, sent=111.0, arrived=103.0)
    assert offset(reply, 100.0) == 9.0


@given(st.binary(max_size=80))
def test_any_bytes(data: bytes) -> None:
    """A reply, a reply to another request, or malformed."""
    try:
        read = read_reply(data, b"12345678")
    except PhaseError as trouble:
        read = None
        assert_malformed = trouble.failure is Failure.MALFORMED
        if not assert_malformed:
            raise
    if read is not None:
        assert read.kiss.isprintable()
